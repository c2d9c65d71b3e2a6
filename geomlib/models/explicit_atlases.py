r"""Atlases in closed form: circle, sphere, torus, Möbius band, Klein bottle.

All but the spheres are made of windows: the coordinates of a chart are angles less the angles of
its centre, and $|z_k| < \text{reach}_k$. The partition of unity is made of bumps
$\exp(1 - 1/(1 - t^2))$, which are smooth and vanish with all derivatives at the edge of a chart.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from math import cos, pi, tan

import torch
from torch import Tensor

from geomlib.models.atlas import ExplicitAtlas
from geomlib.models.validation import check_sizes

__all__ = [
    "circle_atlas",
    "flat_torus_atlas",
    "klein_bottle_atlas",
    "mobius_atlas",
    "sphere_atlas",
    "sphere_caps_atlas",
    "torus_atlas",
]


def circle_atlas(
    charts: int = 2, reach: float | None = None, *, centre: float = 0.0
) -> ExplicitAtlas:
    r"""The unit circle in $\mathbb{R}^2$ by arcs: $D_k(z) = (\cos(z + c_k), \sin(z + c_k))$,
    $|z| < \text{reach}$, $c_k = c_0 + 2\pi k/K$.

    Args:
        charts: $K$. Two arcs overlap in two pieces, from three on in one piece at most. One arc
            covers all but one point: no chart covers a circle.
        reach: half the length of each arc, in radians; $1.5\,\pi/K$, at most $\pi$, if left out.
        centre: $c_0$.

    Raises:
        ValueError: if the arcs leave a gap (reach at most $\pi/K$), or run into themselves (above
            $\pi$).

    >>> atlas = circle_atlas()
    >>> north = torch.tensor([0.0, 1.0])
    >>> atlas.encode_all(north), atlas.probabilities(north)
    (tensor([[ 1.5708],
            [-1.5708]]), tensor([0.5000, 0.5000]))
    """
    centres = [centre + angle for angle in _spread(charts)]
    return _windows(
        decode=lambda a: torch.cat([a.cos(), a.sin()], dim=-1),
        coordinates=lambda x, around: around + _wrap(torch.atan2(x[..., 1:], x[..., :1]) - around),
        centres=[(c,) for c in centres],
        reach=(_reach(charts, reach),),
        data_dim=2,
    )


def torus_atlas(
    charts: tuple[int, int] = (2, 2), *, major: float = 2.0, minor: float = 1.0
) -> ExplicitAtlas:
    r"""The torus $((R + r\cos v)\cos u, (R + r\cos v)\sin u, r\sin v)$ in $\mathbb{R}^3$.

    Args:
        charts: how many arcs in $u$ and in $v$; their products are the charts. From (3, 3) on, all
            intersections of charts are empty or contractible.
        major: $R$.
        minor: $r < R$.

    >>> atlas = torus_atlas()
    >>> atlas.n_charts, atlas.decode_chart(0, torch.zeros(2))
    (4, tensor([3., 0., 0.]))
    """
    _check_radii(major, minor)

    def decode(a: Tensor) -> Tensor:
        u, v = a.split(1, dim=-1)
        rho = major + minor * v.cos()
        return torch.cat([rho * u.cos(), rho * u.sin(), minor * v.sin()], dim=-1)

    def angles(x: Tensor) -> Tensor:
        rho = x[..., :2].norm(dim=-1, keepdim=True)
        return torch.cat(
            [torch.atan2(x[..., 1:2], x[..., :1]), torch.atan2(x[..., 2:], rho - major)], -1
        )

    return _windows(
        decode=decode,
        coordinates=lambda x, around: around + _wrap(angles(x) - around),
        centres=list(product(*map(_spread, charts))),
        reach=tuple(_reach(count, None) for count in charts),
        data_dim=3,
    )


def flat_torus_atlas(charts: tuple[int, int] = (2, 2)) -> ExplicitAtlas:
    r"""The flat torus $(\cos u, \sin u, \cos v, \sin v)$ in $\mathbb{R}^4$, of radius 1 both ways:
    distances are $\sqrt{\Delta u^2 + \Delta v^2}$ with the differences of angles taken in
    $[-\pi, \pi]$.

    Args:
        charts: how many arcs in $u$ and in $v$; their products are the charts.

    >>> atlas = flat_torus_atlas()
    >>> atlas.n_charts, atlas.decode_chart(0, torch.zeros(2))
    (4, tensor([1., 0., 1., 0.]))
    """

    def decode(a: Tensor) -> Tensor:
        u, v = a.split(1, dim=-1)
        return torch.cat([u.cos(), u.sin(), v.cos(), v.sin()], dim=-1)

    return _windows(
        decode=decode,
        coordinates=lambda x, around: (
            around + _wrap(torch.atan2(x[..., 1::2], x[..., ::2]) - around)
        ),
        centres=list(product(*map(_spread, charts))),
        reach=tuple(_reach(count, None) for count in charts),
        data_dim=4,
    )


def mobius_atlas(charts: int = 2, *, radius: float = 2.0, width: float = 0.8) -> ExplicitAtlas:
    r"""The open Möbius band $((R + t\cos\tfrac u2)\cos u, (R + t\cos\tfrac u2)\sin u,
    t\sin\tfrac u2)$, $|t| < w$, in which $(u + 2\pi, t)$ and $(u, -t)$ are one point.

    A chart is an arc of $u$ times the whole width. With two arcs the transition is $(u, t) \mapsto
    (u - \pi, t)$ on one piece of the overlap and $(u + \pi, -t)$ on the other: the determinant
    changes its sign.

    Args:
        charts: how many arcs in $u$.
        radius: $R$.
        width: $w < R$, half of the band's width. Points with $|t| \ge w$ lie outside every chart.

    >>> atlas = mobius_atlas()
    >>> z = torch.tensor([[2.0, 0.5], [-2.0, 0.5]])
    >>> atlas.transition(0, 1, z)
    tensor([[-1.1416,  0.5000],
            [ 1.1416, -0.5000]])
    """
    _check_radii(radius, width)

    def decode(a: Tensor) -> Tensor:
        u, t = a.split(1, dim=-1)
        rho = radius + t * (u / 2).cos()
        return torch.cat([rho * u.cos(), rho * u.sin(), t * (u / 2).sin()], dim=-1)

    def coordinates(x: Tensor, around: Tensor) -> Tensor:
        u = around[..., :1] + _wrap(torch.atan2(x[..., 1:2], x[..., :1]) - around[..., :1])
        out = x[..., :2].norm(dim=-1, keepdim=True) - radius
        return torch.cat([u, out * (u / 2).cos() + x[..., 2:] * (u / 2).sin()], dim=-1)

    return _windows(
        decode=decode,
        coordinates=coordinates,
        centres=[(c, 0.0) for c in _spread(charts)],
        reach=(_reach(charts, None), width),
        data_dim=3,
        open_ends=(False, True),
    )


def klein_bottle_atlas(
    charts: tuple[int, int] = (2, 2), *, major: float = 2.0, minor: float = 1.0
) -> ExplicitAtlas:
    r"""The Klein bottle $((R + r\cos v)\cos u, (R + r\cos v)\sin u, r\sin v\cos\tfrac u2,
    r\sin v\sin\tfrac u2)$ in $\mathbb{R}^4$, in which $(u + 2\pi, v)$ and $(u, -v)$ are one point.

    Args:
        charts: how many arcs in $u$ and in $v$; their products are the charts.
        major: $R$.
        minor: $r < R$.

    >>> atlas = klein_bottle_atlas()
    >>> atlas.n_charts, atlas.decode_chart(0, torch.zeros(2))
    (4, tensor([3., 0., 0., 0.]))
    """
    _check_radii(major, minor)

    def decode(a: Tensor) -> Tensor:
        u, v = a.split(1, dim=-1)
        rho, height = major + minor * v.cos(), minor * v.sin()
        circle = [rho * u.cos(), rho * u.sin()]
        return torch.cat([*circle, height * (u / 2).cos(), height * (u / 2).sin()], dim=-1)

    def coordinates(x: Tensor, around: Tensor) -> Tensor:
        u = around[..., :1] + _wrap(torch.atan2(x[..., 1:2], x[..., :1]) - around[..., :1])
        out = x[..., :2].norm(dim=-1, keepdim=True) - major
        height = x[..., 2:3] * (u / 2).cos() + x[..., 3:] * (u / 2).sin()
        v = around[..., 1:] + _wrap(torch.atan2(height, out) - around[..., 1:])
        return torch.cat([u, v], dim=-1)

    return _windows(
        decode=decode,
        coordinates=coordinates,
        centres=list(product(*map(_spread, charts))),
        reach=tuple(_reach(count, None) for count in charts),
        data_dim=4,
    )


def sphere_atlas(dimension: int = 2, reach: float = 2.0) -> ExplicitAtlas:
    r"""The unit sphere $S^d \subset \mathbb{R}^{d+1}$ by its two stereographic projections,
    $E_\pm(x) = x_{1..d} / (1 \mp x_{d+1})$ from the poles $\pm e_{d+1}$, $|z| < \text{reach}$.

    The transition is $z \mapsto z / |z|^2$ both ways, and the metric is $4/(1 + |z|^2)^2\, I$. Its
    determinant is negative, yet the sphere is orientable: mirror one of the charts.

    Args:
        dimension: $d$.
        reach: above 1, or the charts do not overlap.

    >>> atlas = sphere_atlas()
    >>> atlas.transition(0, 1, torch.tensor([2.0, 0.0]))
    tensor([0.5000, 0.0000])
    """
    check_sizes(dimension=dimension)
    if not reach > 1:
        raise ValueError(
            f"reach = {reach}, but two stereographic charts cover the sphere only if it is above 1"
        )

    def encode(pole: float, x: Tensor) -> Tensor:
        return x[..., :-1] / (x.norm(dim=-1, keepdim=True) - pole * x[..., -1:])

    def decode(pole: float, z: Tensor) -> Tensor:
        square = z.square().sum(-1, keepdim=True)
        return torch.cat([2 * z, pole * (square - 1)], dim=-1) / (square + 1)

    def weight(pole: float, x: Tensor) -> Tensor:
        # |E(x)|² = (1 + h)/(1 - h) with the height h towards the pole, and finite at the pole
        height = pole * x[..., -1] / x.norm(dim=-1)
        return _bump((1 + height) / 2 * (1 + 1 / reach**2))

    poles = (1.0, -1.0)
    return ExplicitAtlas(
        [partial(encode, pole) for pole in poles],
        [partial(decode, pole) for pole in poles],
        [partial(weight, pole) for pole in poles],
        [lambda z: z.norm(dim=-1) < reach] * 2,
        data_dim=dimension + 1,
        latent_dim=dimension,
    )


def sphere_caps_atlas(angle: float = 1.2) -> ExplicitAtlas:
    r"""The unit sphere in $\mathbb{R}^3$ by six caps around $\pm e_1, \pm e_2, \pm e_3$, each seen
    from the centre of the sphere: $D(z) = (c + z) / \sqrt{1 + |z|^2}$.

    All intersections of caps are empty or contractible, and opposite caps do not meet: the nerve is
    the surface of an octahedron.

    Args:
        angle: the angular radius of each cap, above $\arccos(1/\sqrt 3) = 0.9553$, so that they
            cover the sphere, and below $\pi/2$.

    >>> atlas = sphere_caps_atlas()
    >>> atlas.n_charts, atlas.encode_chart(0, torch.tensor([0.8, 0.6, 0.0]))
    (6, tensor([0.7500, 0.0000]))
    """
    if not 0.9554 <= angle < pi / 2:
        raise ValueError(
            f"angle = {angle}, but six caps cover the sphere from 0.9554 on, and a cap seen from "
            "the centre must be smaller than pi/2"
        )

    def encode(axis: int, sign: float, x: Tensor) -> Tensor:
        return _without(x, axis) / (sign * x[..., axis : axis + 1])

    def decode(axis: int, sign: float, z: Tensor) -> Tensor:
        one = torch.full_like(z[..., :1], sign)
        x = torch.cat([z[..., :axis], one, z[..., axis:]], dim=-1)
        return x / x.norm(dim=-1, keepdim=True)

    def weight(axis: int, sign: float, x: Tensor) -> Tensor:
        height = sign * x[..., axis] / x.norm(dim=-1)
        return _bump((1 - height) / (1 - cos(angle)))

    caps = list(product(range(3), (1.0, -1.0)))
    return ExplicitAtlas(
        [partial(encode, *cap) for cap in caps],
        [partial(decode, *cap) for cap in caps],
        [partial(weight, *cap) for cap in caps],
        [lambda z: z.norm(dim=-1) < tan(angle)] * 6,
        data_dim=3,
        latent_dim=2,
    )


def _windows(
    *,
    decode: Callable[[Tensor], Tensor],
    coordinates: Callable[[Tensor, Tensor], Tensor],
    centres: list[tuple[float, ...]],
    reach: tuple[float, ...],
    data_dim: int,
    open_ends: tuple[bool, ...] | None = None,
) -> ExplicitAtlas:
    """Charts that are boxes around `centres` in coordinates which repeat themselves.

    `coordinates(x, around)` takes the period in which they lie nearest to `around`. Where the
    surface itself ends with the box (`open_ends`), the partition of unity need not vanish.
    """
    open_ends = open_ends or (False,) * len(reach)

    def encode(centre: tuple[float, ...], x: Tensor) -> Tensor:
        around = x.new_tensor(centre)
        return coordinates(x, around) - around

    def shifted(centre: tuple[float, ...], z: Tensor) -> Tensor:
        return decode(z + z.new_tensor(centre))

    def weight(centre: tuple[float, ...], x: Tensor) -> Tensor:
        ratio = encode(centre, x) / x.new_tensor(reach)
        bumps = _bump(ratio**2)
        inside = (ratio.abs() < 1).to(x)
        return torch.where(torch.tensor(open_ends, device=x.device), inside, bumps).prod(-1)

    return ExplicitAtlas(
        [partial(encode, centre) for centre in centres],
        [partial(shifted, centre) for centre in centres],
        [partial(weight, centre) for centre in centres],
        [lambda z: (z.abs() < z.new_tensor(reach)).all(-1)] * len(centres),
        data_dim=data_dim,
        latent_dim=len(reach),
    )


def _bump(square: Tensor) -> Tensor:
    r"""$\exp(1 - 1/(1 - s))$ for $s = t^2 < 1$, else 0: smooth in $t$."""
    inside = square < 1
    return torch.where(inside, (1 - 1 / (1 - torch.where(inside, square, 0.0))).exp(), 0.0)


def _wrap(angle: Tensor) -> Tensor:
    r"""The angle in $[-\pi, \pi]$."""
    return angle - 2 * pi * torch.round(angle / (2 * pi))


def _without(x: Tensor, axis: int) -> Tensor:
    return torch.cat([x[..., :axis], x[..., axis + 1 :]], dim=-1)


def _spread(charts: int) -> list[float]:
    check_sizes(charts=charts)
    return [2 * pi * k / charts for k in range(charts)]


def _reach(charts: int, reach: float | None) -> float:
    """Half the length of an arc; checked, so that the arcs cover the circle."""
    check_sizes(charts=charts)
    if reach is None:
        return min(1.5 * pi / charts, pi)
    least = pi / charts
    if not (least < reach <= pi or (charts == 1 and reach == pi)):
        raise ValueError(
            f"reach = {reach:.4g}, but {charts} arcs cover the circle only if it is above pi/"
            f"{charts} = {least:.4g}, and an arc meets itself above pi"
        )
    return reach


def _check_radii(large: float, small: float) -> None:
    if not 0 < small < large:
        raise ValueError(
            f"the radii are {large} and {small}, but the surface is embedded only if "
            "0 < the second < the first"
        )
