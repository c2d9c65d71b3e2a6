"""Charts: coordinates with a domain and, for a manifold that lies in a larger space, two maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from .expressions import holds, is_real_number, read_all, read_condition, read_symbols

if TYPE_CHECKING:
    from .smooth_map import SmoothMap
    from .tangent import Covector, TangentVector

__all__ = ["Chart"]


class Chart:
    r"""A chart $(U, \varphi)$, known through its image $\varphi(U) \subset \mathbb{R}^d$.

    Coordinates and their domain are enough to calculate in one chart. A chart of a manifold that
    is described inside an *ambient* space (the sphere in $\mathbb{R}^3$, the lines through 0 in
    $\mathbb{R}^3$) also carries $\varphi$, an encoder, and $\varphi^{-1}$, a decoder; transition
    maps are then composed from them.

    Args:
        name: how the chart is called in atlases and messages.
        coordinates: `"x y"`, or SymPy symbols declared real.
        domain: the open set $\varphi(U)$, a condition on the coordinates; `True` for all of it.
        ambient: a chart of the ambient space.
        phi: $\varphi$, `d` formulas in the ambient coordinates.
        inverse: $\varphi^{-1}$, `n` formulas in the chart's coordinates.
        where: the open set $U$, a condition on the ambient coordinates.

    Raises:
        ValueError: if symbols clash, are not real, or formulas do not match in number.

    Source: J. M. Lee, *Introduction to Smooth Manifolds*, 2nd ed., Springer 2013, chapter 1.

    Example:
        >>> plane = Chart("R2", "x y")
        >>> x, y = plane.symbols
        >>> graph = Chart("upper", "s", ambient=plane, domain="(s > -1) & (s < 1)",
        ...               phi=[x], inverse=["s", "sqrt(1 - s**2)"], where=y > 0)
        >>> graph
        Chart upper: (s) with (s > -1) & (s < 1)
        >>> graph.inverse([0])
        (0, 1)
    """

    def __init__(
        self,
        name: str,
        coordinates: Any,
        domain: Any = True,
        *,
        ambient: Chart | None = None,
        phi: Any = None,
        inverse: Any = None,
        where: Any = True,
    ):
        self.name = str(name)
        self.symbols = read_symbols(coordinates)
        self.dim = len(self.symbols)
        self.domain = read_condition(domain, self.symbols)
        self.ambient = ambient
        self._phi = self._inverse = None
        if ambient is None:
            if phi is not None or inverse is not None or where is not True:
                raise ValueError(f"chart {name} has phi, inverse or where: say in which ambient=")
            self.where = sp.true
            return
        refuse_clash(self, ambient)
        self.where = read_condition(where, ambient.symbols)
        self._phi = None if phi is None else read_all(phi, ambient.symbols, self.dim, "formulas")
        self._inverse = (
            None if inverse is None else read_all(inverse, self.symbols, ambient.dim, "formulas")
        )

    @property
    def phi(self) -> SmoothMap:
        r"""The chart map $\varphi: U \to \mathbb{R}^d$, in ambient coordinates: an encoder."""
        if self._phi is None or self.ambient is None:
            raise ValueError(f"chart {self.name} was made without phi; give ambient= and phi=")
        return _smooth_map().trusted(
            self.ambient, self, self._phi, sp.And(self.ambient.domain, self.where)
        )

    @property
    def inverse(self) -> SmoothMap:
        r"""The parametrisation $\varphi^{-1}: \varphi(U) \to U$: a decoder."""
        if self._inverse is None or self.ambient is None:
            raise ValueError(
                f"chart {self.name} was made without inverse; give ambient= and inverse="
            )
        return _smooth_map().trusted(self, self.ambient, self._inverse, self.domain)

    def point(self, p: Any) -> tuple[sp.Expr, ...]:
        r"""The coordinates of a point, checked: `d` finite real numbers inside the domain.

        Symbols are allowed as parameters; the domain is then checked as far as it is decided.

        Raises:
            ValueError: if the number of coordinates is wrong, one is not real and finite, or the
                point lies outside the domain.

        Example:
            >>> Chart("H", "x y", domain="y > 0").point((0, -1))
            Traceback (most recent call last):
            ...
            ValueError: the point (0, -1) lies outside the domain y > 0 of chart H
        """
        values = tuple(read_all(p, (), self.dim, f"coordinates of a point of chart {self.name}"))
        for value in values:
            if value.is_number and not is_real_number(value):
                raise ValueError(f"the coordinate {value} is not a real number, in {values}")
        if holds(self.domain, self.at(values)) is False:
            raise ValueError(
                f"the point {tuple(values)} lies outside the domain {self.domain} "
                f"of chart {self.name}"
            )
        return values

    def at(self, values: Any) -> dict[sp.Symbol, sp.Expr]:
        """The substitution that puts values in the place of the coordinates."""
        return dict(zip(self.symbols, values, strict=True))

    def contains(self, p: Any) -> bool:
        r"""Whether coordinates lie in the domain $\varphi(U)$."""
        return holds(self.domain, self.at(read_all(p, (), self.dim, "coordinates"))) is not False

    def covers(self, ambient_point: Any) -> bool:
        r"""Whether a point of the ambient space lies in $U$.

        Example:
            >>> from geomlib.symbolic import surfaces
            >>> [c.name for c in surfaces.sphere().atlas if c.covers((0, 0, 1))]
            ['south']
        """
        if self.ambient is None:
            raise ValueError(f"chart {self.name} has no ambient space; use contains(coordinates)")
        values = read_all(ambient_point, (), self.ambient.dim, "ambient coordinates")
        return holds(self.where, self.ambient.at(values)) is not False

    def curve(self, formulas: Any, t: Any = None) -> SmoothMap:
        r"""A curve $\gamma(t)$ in this chart, as a map from an interval of the line.

        Args:
            formulas: `d` formulas in one real symbol.
            t: that symbol; needed if the formulas name several, or none.

        Example:
            >>> Chart("R2", "x y").curve(("cos(t)", "sin(t)"), "t")
            (t) -> (cos(t), sin(t))
        """
        if t is not None:
            parameter = read_symbols(t)
        else:
            free = {s for f in read_all(formulas, (), self.dim, "formulas") for s in f.free_symbols}
            if len(free) != 1:
                raise ValueError(
                    f"the curve {formulas} has the symbols {sorted(map(str, free))}; "
                    "say which one is the parameter, with t="
                )
            (symbol,) = free
            parameter = read_symbols(symbol if symbol.is_real else symbol.name)
            formulas = [f.subs(symbol, parameter[0]) for f in read_all(formulas, (), self.dim, "")]
        return _smooth_map()(Chart("curve", parameter), self, formulas)

    def basis(self, p: Any) -> tuple[TangentVector, ...]:
        r"""The coordinate vectors $\partial_1|_p, \dots, \partial_d|_p$."""
        from .tangent import TangentVector

        return tuple(TangentVector(row, self, p) for row in sp.eye(self.dim).tolist())

    def cobasis(self, p: Any) -> tuple[Covector, ...]:
        r"""The coordinate covectors $d_px^1, \dots, d_px^d$, dual to `basis`.

        Example:
            >>> plane = Chart("R2", "x y")
            >>> [[dx(v) for v in plane.basis((0, 0))] for dx in plane.cobasis((0, 0))]
            [[1, 0], [0, 1]]
        """
        from .tangent import Covector

        return tuple(Covector(row, self, p) for row in sp.eye(self.dim).tolist())

    def _key(self) -> tuple[Any, ...]:
        return self.name, self.symbols, self.domain, self.ambient, self._phi, self._inverse

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chart) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        names = ", ".join(map(str, self.symbols))
        condition = "" if self.domain == sp.true else f" with {self.domain}"
        return f"Chart {self.name}: ({names}){condition}"

    def _repr_latex_(self) -> str:
        names = ", ".join(map(sp.latex, self.symbols))
        condition = "" if self.domain == sp.true else rf" \;:\; {sp.latex(self.domain)}"
        return rf"$\displaystyle \text{{{self.name}}}: \; ({names}) {condition}$"


def refuse_clash(one: Chart, other: Chart) -> None:
    """Raise a ValueError if two different charts name a coordinate alike."""
    if one == other:
        return
    shared = {s.name for s in one.symbols} & {s.name for s in other.symbols}
    if shared:
        raise ValueError(
            f"clashing symbols: charts {one.name} and {other.name} both call a coordinate "
            f"{', '.join(sorted(shared))}; rename it in one of them"
        )


def _smooth_map() -> Any:
    from .smooth_map import SmoothMap  # maps are built on charts

    return SmoothMap
