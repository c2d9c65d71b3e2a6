r"""Manifolds with known answers: their atlases, embeddings and metrics.

Each function gives a `Surface`. Radii may be numbers or positive symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from .atlas import Atlas
from .chart import Chart
from .metric import SymbolicMetric
from .periodic import TURN, turns
from .smooth_map import SmoothMap

__all__ = [
    "Surface",
    "catenoid",
    "circle",
    "cone",
    "cylinder",
    "disk",
    "half_plane",
    "helicoid",
    "klein_bottle",
    "paraboloid",
    "projective_plane",
    "saddle",
    "sphere",
    "torus",
]


@dataclass(frozen=True)
class Surface:
    r"""A manifold with an atlas, a metric on its main chart and, if it has one, an embedding.

    Attributes:
        name: the name.
        atlas: the charts and transitions.
        metric: the metric on the main chart.
        embedding: the main chart's parametrisation in $\mathbb{R}^n$, or `None`.

    Example:
        >>> torus().metric.matrix()
        Matrix([
        [1,               0],
        [0, (cos(u) + 2)**2]])
    """

    name: str
    atlas: Atlas
    metric: SymbolicMetric
    embedding: SmoothMap | None

    @property
    def chart(self) -> Chart:
        """The main chart."""
        return self.metric.chart

    def metric_on(self, which: Chart | str) -> SymbolicMetric:
        """The metric on any chart of the atlas, pulled back by its parametrisation."""
        chart = self.atlas.chart(which)
        return self.metric if chart == self.chart else chart.inverse.pullback_metric()

    def __repr__(self) -> str:
        return f"{self.name}: {self.atlas}"


def circle() -> Surface:
    r"""$S^1 \subset \mathbb{R}^2$: two stereographic charts and two angles.

    Charts `angle` $(-\pi, \pi)$ and `turned` $(0, 2\pi)$; `north` and `south` project from
    $(0, 1)$ and $(0, -1)$, with transition $u \mapsto 1/u$.

    Example:
        >>> circle().atlas.transition("angle", "turned")
        (theta) -> (Piecewise((theta + 2*pi, theta < 0), (theta, True)))
    """
    plane = Chart("R2", "x y")
    x, y = plane.symbols
    charts = [
        Chart("angle", "theta", "(theta > -pi) & (theta < pi)", ambient=plane,
              phi=[sp.atan2(y, x)], inverse=["cos(theta)", "sin(theta)"],
              where=sp.Ne(y, 0) | (x > 0)),
        Chart("turned", "tau", "(0 < tau) & (tau < 2*pi)", ambient=plane,
              phi=[sp.atan2(-y, -x) + sp.pi], inverse=["cos(tau)", "sin(tau)"],
              where=sp.Ne(y, 0) | (x < 0)),
        Chart("north", "u", ambient=plane, phi=[x / (1 - y)], where=sp.Ne(y, 1),
              inverse=["2*u/(u**2 + 1)", "(u**2 - 1)/(u**2 + 1)"]),
        Chart("south", "w", ambient=plane, phi=[x / (1 + y)], where=sp.Ne(y, -1),
              inverse=["2*w/(w**2 + 1)", "(1 - w**2)/(w**2 + 1)"]),
    ]  # fmt: skip
    atlas = Atlas(charts, turns(charts[:2], [(-sp.pi,), (0,)]))
    return _embedded("circle", atlas)


def sphere(radius: Any = 1) -> Surface:
    r"""$S^2 \subset \mathbb{R}^3$: angles $(\theta, \varphi)$ and both stereographic charts.

    $G = \mathrm{diag}(R^2, R^2 \sin^2\theta)$ in angles, $4R^2/(1 + |w|^2)^2\, I$ in the
    stereographic charts; $K = 1/R^2$. `north` projects from the north pole and misses it.

    Example:
        >>> sphere().metric.gaussian_curvature()
        1
        >>> sphere().atlas.transition("north", "south")
        (u, v) -> (u/(u**2 + v**2), v/(u**2 + v**2))
    """
    R = _positive(radius, "radius")
    space = Chart("R3", "x y z")
    x, y, z = space.symbols
    angles = Chart(
        "angles", "theta phi", "(0 < theta) & (theta < pi) & (-pi < phi) & (phi < pi)",
        ambient=space, phi=[sp.acos(z / R), sp.atan2(y, x)], where=sp.Ne(y, 0) | (x > 0),
        inverse=_times(R, "sin(theta)*cos(phi)", "sin(theta)*sin(phi)", "cos(theta)",
                       names="theta phi"),
    )  # fmt: skip
    north = Chart(
        "north", "u v", ambient=space, phi=[x / (R - z), y / (R - z)], where=sp.Ne(z, R),
        inverse=_times(R, "2*u/(u**2 + v**2 + 1)", "2*v/(u**2 + v**2 + 1)",
                       "(u**2 + v**2 - 1)/(u**2 + v**2 + 1)", names="u v"),
    )  # fmt: skip
    south = Chart(
        "south", "a b", ambient=space, phi=[x / (R + z), y / (R + z)], where=sp.Ne(z, -R),
        inverse=_times(R, "2*a/(a**2 + b**2 + 1)", "2*b/(a**2 + b**2 + 1)",
                       "(1 - a**2 - b**2)/(a**2 + b**2 + 1)", names="a b"),
    )  # fmt: skip
    return _embedded("sphere", Atlas([angles, north, south]))


def torus(R: Any = 2, r: Any = 1) -> Surface:
    r"""The torus of revolution, $u$ around the tube: $G = \mathrm{diag}(r^2, (R + r\cos u)^2)$,
    $K = \cos u / (r(R + r\cos u))$. Three charts, shifted by thirds of a turn.
    """
    R, r = _positive(R, "R"), _positive(r, "r")
    if (r < R) == sp.false:
        raise ValueError(f"a torus needs R > r, so that the tube misses the axis; got {R}, {r}")

    def formulas(u: sp.Symbol, v: sp.Symbol) -> list[sp.Expr]:
        ring = R + r * sp.cos(u)
        return [ring * sp.cos(v), ring * sp.sin(v), r * sp.sin(u)]

    thirds = [(low, low) for low in (sp.S.Zero, TURN / 3, 2 * TURN / 3)]
    return _periodic("torus", formulas, thirds)


def half_plane() -> Surface:
    r"""The hyperbolic plane as upper half-plane: $G = I / y^2$, $K = -1$. One chart covers it."""
    chart = Chart("half-plane", "x y", "y > 0")
    metric = SymbolicMetric(chart, sp.eye(2) / chart.symbols[1] ** 2)
    return Surface("half-plane", Atlas([chart]), metric, None)


def disk() -> Surface:
    r"""The hyperbolic plane as Poincaré's disk: $G = 4I / (1 - |p|^2)^2$, $K = -1$."""
    chart = Chart("disk", "p q", "p**2 + q**2 < 1")
    p, q = chart.symbols
    metric = SymbolicMetric(chart, 4 * sp.eye(2) / (1 - p**2 - q**2) ** 2)
    return Surface("disk", Atlas([chart]), metric, None)


def paraboloid(a: Any = 1) -> Surface:
    r"""The graph of $a\rho^2/2$: $G = I + a^2 z z^\top$, $K = a^2/(1 + a^2\rho^2)^2$."""
    return _graph("paraboloid", lambda u, v: sp.sympify(a) * (u**2 + v**2) / 2)


def saddle() -> Surface:
    r"""The graph of $uv$: $K = -1/(1 + u^2 + v^2)^2$."""
    return _graph("saddle", lambda u, v: u * v)


def cone(slope: Any = 1) -> Surface:
    r"""The cone without its tip, $v > 0$ from the axis, height `slope` times $v$: flat."""
    k = _positive(slope, "slope")
    return _periodic(
        "cone",
        lambda u, v: [v * sp.cos(u), v * sp.sin(u), k * v],
        [(sp.S.Zero, None), (-sp.pi, None)],
        positive=True,
    )


def cylinder(radius: Any = 1) -> Surface:
    r"""The cylinder, $u$ around and $v$ along: flat, $G = \mathrm{diag}(R^2, 1)$."""
    R = _positive(radius, "radius")
    return _periodic(
        "cylinder",
        lambda u, v: [R * sp.cos(u), R * sp.sin(u), v],
        [(sp.S.Zero, None), (-sp.pi, None)],
    )


def helicoid(pitch: Any = 1) -> Surface:
    r"""$(v\cos u, v\sin u, cu)$: one chart, minimal, $K = -c^2/(c^2 + v^2)^2$."""
    c = _positive(pitch, "pitch")
    space = Chart("R3", "x y z")
    x, y, z = space.symbols
    u, v = sp.symbols("u v", real=True)
    chart = Chart(
        "helicoid", (u, v), ambient=space,
        phi=[z / c, x * sp.cos(z / c) + y * sp.sin(z / c)],
        inverse=[v * sp.cos(u), v * sp.sin(u), c * u],
    )  # fmt: skip
    return _embedded("helicoid", Atlas([chart]))


def catenoid(waist: Any = 1) -> Surface:
    r"""$(c\cosh(v/c)\cos u, c\cosh(v/c)\sin u, v)$: minimal, $K = -1/(c^2\cosh^4(v/c))$."""
    c = _positive(waist, "waist")

    def formulas(u: sp.Symbol, v: sp.Symbol) -> list[sp.Expr]:
        ring = c * sp.cosh(v / c)
        return [ring * sp.cos(u), ring * sp.sin(u), v]

    return _periodic("catenoid", formulas, [(sp.S.Zero, None), (-sp.pi, None)])


def projective_plane() -> Surface:
    r"""$\mathbb{RP}^2$: lines through 0 in $\mathbb{R}^3$, with its three affine charts, $K = 1$.

    Chart `i` divides by the coordinate `i`; its inverse takes one of the two unit vectors of the
    line, a local isometry to the sphere. The embedding is $[x : y : z] \mapsto
    (xy, xz, y^2 - z^2, 2yz) / |(x, y, z)|^2 \in \mathbb{R}^4$ (not isometric).

    Example:
        >>> projective_plane().atlas.transition("x", "y")
        (a0, b0) -> (1/a0, b0/a0)
    """
    space = Chart("R3", "x y z")
    charts = []
    for i, divisor in enumerate(space.symbols):
        a, b = sp.symbols(f"a{i} b{i}", real=True)
        line = [a, b]
        line.insert(i, sp.S.One)
        charts.append(
            Chart(
                str(divisor),
                (a, b),
                ambient=space,
                where=sp.Ne(divisor, 0),
                phi=[s / divisor for s in space.symbols if s != divisor],
                inverse=[entry / sp.sqrt(1 + a**2 + b**2) for entry in line],
            )
        )
    a, b = charts[0].symbols
    target = Chart("R4", "x1 x2 x3 x4")
    veronese = [entry / (1 + a**2 + b**2) for entry in (a, b, a**2 - b**2, 2 * a * b)]
    metric = charts[0].inverse.pullback_metric()
    embedding = SmoothMap(charts[0], target, veronese)
    return Surface("projective plane", Atlas(charts), metric, embedding)


def klein_bottle() -> Surface:
    r"""The Klein bottle $(u, v) \sim (u + 2\pi, -v) \sim (u, v + 2\pi)$, embedded in
    $\mathbb{R}^4$ by $((2 + \cos v)\cos u, (2 + \cos v)\sin u, \sin v\cos\frac u2,
    \sin v\sin\frac u2)$.

    Half of each overlap is glued with a flip: some transition has a negative Jacobian
    determinant on one component and a positive one on another, so no choice of signs orients it.
    """

    def formulas(u: sp.Symbol, v: sp.Symbol) -> list[sp.Expr]:
        ring = 2 + sp.cos(v)
        half = [sp.sin(v) * sp.cos(u / 2), sp.sin(v) * sp.sin(u / 2)]
        return [ring * sp.cos(u), ring * sp.sin(u), *half]

    thirds = [(low, low) for low in (sp.S.Zero, TURN / 3, 2 * TURN / 3)]
    return _periodic("Klein bottle", formulas, thirds, flip=-1)


def _positive(value: Any, name: str) -> sp.Expr:
    number = sp.sympify(value)
    if not isinstance(number, sp.Expr) or not number.is_positive or not number.is_finite:
        raise ValueError(
            f"{name} must be a positive number, or a symbol declared positive=True; got {value!r}"
        )
    return number


def _times(factor: sp.Expr, *formulas: str, names: str) -> list[sp.Expr]:
    symbols = {symbol.name: symbol for symbol in sp.symbols(names, real=True)}
    return [factor * sp.sympify(formula, locals=symbols) for formula in formulas]


def _embedded(name: str, atlas: Atlas) -> Surface:
    embedding = atlas.charts[0].inverse
    return Surface(name, atlas, embedding.pullback_metric(), embedding)


def _graph(name: str, height: Callable[[sp.Symbol, sp.Symbol], sp.Expr]) -> Surface:
    space = Chart("R3", "x y z")
    u, v = sp.symbols("u v", real=True)
    x, y, _ = space.symbols
    chart = Chart(name, (u, v), ambient=space, phi=[x, y], inverse=[u, v, height(u, v)])
    return _embedded(name, Atlas([chart]))


def _periodic(
    name: str,
    formulas: Callable[[sp.Symbol, sp.Symbol], list[sp.Expr]],
    windows: Sequence[tuple[Any, Any]],
    positive: bool = False,
    flip: int = 1,
) -> Surface:
    """A quotient of the plane by turns, in one chart for each window of lower ends."""
    dim = len(formulas(sp.S.One, sp.S.One))
    space = Chart(f"R{dim}", "x y z" if dim == 3 else "x1 x2 x3 x4")
    charts = []
    for i, lows in enumerate(windows):
        u, v = pair = sp.symbols(f"u{i or ''} v{i or ''}", real=True)
        bounds = [
            sp.And(s > low, s < low + TURN) for s, low in zip(pair, lows, strict=True)
            if low is not None
        ]  # fmt: skip
        domain = sp.And(*bounds, v > 0 if positive else sp.true)
        charts.append(Chart(f"{name} {i}", pair, domain, ambient=space, inverse=formulas(u, v)))
    return _embedded(name, Atlas(charts, turns(charts, windows, flip)))
