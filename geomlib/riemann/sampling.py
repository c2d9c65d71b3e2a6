r"""Volumes of regions, and points spread uniformly over a manifold.

In a chart, volume has the density $\sqrt{\det G}$: equal areas of the chart are not equal areas
of the manifold. Both functions look at a box of the chart cell by cell, which is meant for two
dimensions and is slow past three.

Source: Chadebec and Allassonnière (2022) for sampling a latent space uniformly (by HMC there, by
rejection here); Lee, *Introduction to Riemannian Manifolds* (2018), chapter 2.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from numpy.polynomial.legendre import leggauss
from torch import Tensor

from geomlib.riemann.metric import Metric
from geomlib.riemann.validation import as_points, same_kind

__all__ = ["region_volume", "sample_uniform"]

NODES = 3  # Gauss-Legendre nodes a cell and dimension
MARGIN = 1.2  # of a cell's bound over the largest density seen in it
MOST_CELLS = 2_000_000

Inside = Callable[[Float[Tensor, "n d"]], Bool[Tensor, " n"]]


def region_volume(
    metric: Metric,
    low: Float[Tensor, " d"],
    high: Float[Tensor, " d"],
    *,
    inside: Inside | None = None,
    cells: int = 64,
) -> Tensor:
    r"""$\int \sqrt{\det G(z)}\,dz$ over a box of the chart: the volume of its image.

    Args:
        low, high: two opposite corners of the box.
        inside: says which points count; the whole box if left out. The error is then that of
            counting nodes at the rim, about one part in `cells`.
        cells: the box has so many cells along each side; three Gauss-Legendre nodes a cell
            and dimension leave an error of $O(\text{cells}^{-6})$ where $G$ is smooth.

    Overlapping parts of the image count as often as they are covered.

    >>> from geomlib.riemann import PullbackMetric
    >>> paraboloid = PullbackMetric(lambda z: torch.cat([z, z.square().sum(-1, True) / 2], -1))
    >>> disc = region_volume(paraboloid, torch.tensor([-1.0, -1.0]).double(),
    ...     torch.tensor([1.0, 1.0]).double(), inside=lambda z: z.norm(dim=-1) < 1, cells=200)
    >>> abs(disc.item() - 2 * torch.pi / 3 * (2**1.5 - 1)) < 1e-2
    True
    """
    corner, side = _grid(low, high, cells)
    node, weight = (torch.as_tensor(x).to(low) for x in leggauss(NODES))
    d = low.shape[-1]
    offsets = _product([(node + 1) / 2] * d)  # (NODES^d, d), in units of a cell
    weights = _product([weight / 2] * d).prod(-1)
    z = (corner[:, None] + side * offsets).flatten(0, 1)
    density = _density(metric, z, inside)
    return density.unflatten(0, (len(corner), -1)).sum(0) @ weights * side.prod()


def sample_uniform(
    metric: Metric,
    count: int,
    low: Float[Tensor, " d"],
    high: Float[Tensor, " d"],
    *,
    inside: Inside | None = None,
    generator: torch.Generator | None = None,
    cells: int = 64,
) -> Float[Tensor, "count d"]:
    r"""Independent points of a box, with density $\propto \sqrt{\det G}$: uniform on the manifold.

    Rejection sampling with one bound for each cell of the box. If a density above the bound of
    its cell turns up, that bound is raised and all points are drawn anew, so the result is exact
    up to peaks narrower than a cell that no draw has met.

    Args:
        low, high, inside, cells: as for `region_volume`.
        generator: for reproducible draws.

    Raises:
        ValueError: if the box has no volume, or `inside` holds nowhere.

    >>> from geomlib.riemann import PullbackMetric
    >>> stretched = PullbackMetric(lambda z: z**2)
    >>> generator = torch.Generator().manual_seed(0)
    >>> z = sample_uniform(stretched, 1000, torch.zeros(1), torch.ones(1), generator=generator)
    >>> bool((z.square().mean() - 0.5).abs() < 0.03)  # z² is uniform on [0, 1]
    True
    """
    if count < 1:
        raise ValueError(f"count={count}, but at least one point must be drawn")
    corner, side = _grid(low, high, cells)
    with torch.no_grad():
        bound = _bounds(metric, corner, side, inside)
        while True:
            points, higher = _draw(metric, count, corner, side, bound, inside, generator)
            if not (higher > bound).any():
                return points
            bound = torch.maximum(bound, MARGIN * higher)


def _grid(low: Tensor, high: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Lower corners of all cells, `(cells^d, d)`, and the sides of one."""
    same_kind("low", as_points(low, "low"), "high", as_points(high, "high"))
    if low.ndim != 1 or high.ndim != 1 or not (low < high).all():
        raise ValueError(
            f"low={low.tolist()} and high={high.tolist()} must be two corners (d,) of a box with "
            "low < high in every coordinate"
        )
    if cells < 1 or cells ** len(low) > MOST_CELLS:
        raise ValueError(
            f"cells={cells} in {len(low)} dimensions make {cells ** len(low)} cells: take between "
            f"1 and {int(MOST_CELLS ** (1 / len(low)))}"
        )
    side = (high - low) / cells
    steps = torch.arange(cells).to(low)
    return low + _product([steps] * len(low)) * side, side


def _product(axes: list[Tensor]) -> Tensor:
    """All combinations of one entry from each axis, `(n, d)`."""
    return torch.cartesian_prod(*axes).reshape(-1, len(axes))


def _density(metric: Metric, z: Tensor, inside: Inside | None) -> Tensor:
    density = metric.volume(z)
    return density if inside is None else torch.where(inside(z), density, 0.0)


def _bounds(metric: Metric, corner: Tensor, side: Tensor, inside: Inside | None) -> Tensor:
    """A first bound of the density in each cell, from its corners and its middle."""
    d = corner.shape[-1]
    ends = torch.tensor([0.0, 1.0]).to(side)
    offsets = torch.cat([_product([ends] * d), torch.full((1, d), 0.5).to(side)])
    seen = metric.volume((corner[:, None] + side * offsets).flatten(0, 1))
    bound = MARGIN * seen.unflatten(0, (len(corner), -1)).amax(1)
    if not bound.sum() > 0 or not torch.isfinite(bound).all():
        raise ValueError(
            "the volume element is zero on the whole box, or not finite in it: there is no "
            "uniform distribution to draw from"
        )
    if not _density(metric, corner + side / 2, inside).any():
        raise ValueError(
            "inside(z) holds at the middle of no cell where there is volume: enlarge it, or take "
            "more cells"
        )
    return bound


def _draw(
    metric: Metric,
    count: int,
    corner: Tensor,
    side: Tensor,
    bound: Tensor,
    inside: Inside | None,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """Points accepted under the bounds, and the largest density seen in each cell."""
    accepted: list[Tensor] = []
    highest = torch.zeros_like(bound)
    share = (bound / bound.sum()).cumsum(0)
    device = generator.device if generator is not None else side.device
    while sum(map(len, accepted)) < count:
        draw = torch.rand(2 * count + 16, len(side) + 2, generator=generator, device=device)
        draw = draw.to(side)
        cell = torch.searchsorted(share, draw[:, 0].contiguous()).clamp_max(len(bound) - 1)
        z = corner[cell] + side * draw[:, 2:]
        density = _density(metric, z, inside)
        highest.scatter_reduce_(0, cell, density, "amax")
        accepted.append(z[draw[:, 1] * bound[cell] <= density])
    return torch.cat(accepted)[:count], highest
