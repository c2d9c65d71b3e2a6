r"""What a report on a decoder measures, step by step, and what each step cannot trust.

A step that finds something amiss adds a sentence to `notes`, the warnings of the report.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import label
from scipy.spatial import KDTree
from torch import Tensor

from geomlib.riemann import Curve, Geodesic, PullbackMetric
from geomlib.riemann.derivatives import value_and_jacobian
from geomlib.riemann.twice import call
from geomlib.riemann.validation import as_points, check_network

__all__ = [
    "accepted",
    "betti_numbers",
    "box_around",
    "curvatures",
    "emptiness",
    "grid",
    "magnification_map",
    "nearest_code",
    "reach_of",
    "resolution",
    "singular_values",
    "walks",
    "whole_rank",
]

PIXELS = 64  # of the magnification map, along each side
FINE_PIXELS = 128  # of the map of distances to the codes
SMALLEST = 9  # pixels of a piece or a hole
MARGIN = 0.1  # of the box around the codes, in parts of its longer side
FEW = 50  # codes: with fewer, quantiles and holes mean little
UNSURE = 0.001  # relative disagreement of two computations of one curvature
IN_THE_OPEN = 0.1  # of a curve's nodes far from all codes: it crosses empty space


def accepted(
    decoder: Callable[[Tensor], Tensor], codes: Tensor, notes: list[str]
) -> tuple[PullbackMetric, Tensor, tuple[int, ...]]:
    """The metric, the codes at which the decoder is finite, and the shape of one output."""
    codes = as_points(codes, "codes").detach()
    if codes.ndim != 2:
        raise ValueError(
            f"codes has shape {tuple(codes.shape)}, but must be (count, d), one row a code"
        )
    if not (codes != codes[:1]).any():
        raise ValueError(
            f"codes holds {len(codes)} rows, but no two different ones: a cloud needs at least two"
        )
    metric = PullbackMetric(decoder)
    check_network(decoder, codes)  # before a call in training mode changes running statistics
    value = _decoded(metric, codes)
    finite = torch.isfinite(value.flatten(1)).all(1)
    if not finite.all():
        lost = int((~finite).sum())
        notes.append(
            f"the decoder returns NaN or infinity at {lost} of {len(codes)} codes: left out"
        )
    kept = codes[finite]
    if not (kept != kept[:1]).any():
        raise ValueError(
            "the decoder returns NaN or infinity at all codes, or at all but one: check its "
            "weights, and that the codes belong to it"
        )
    _check_pointwise(metric, kept, value[finite])
    if torch.finfo(codes.dtype).bits < 64:
        notes.append(
            f"computed in {str(codes.dtype).removeprefix('torch.')}, where slim directions and "
            "small curvatures drown in rounding: hand over decoder.double() and codes.double()"
        )
    if len(kept) < FEW:
        notes.append(f"{len(kept)} codes are few: quantiles, holes and reach mean little")
    return metric, kept, tuple(value.shape[1:])


def _decoded(metric: PullbackMetric, z: Tensor) -> Tensor:
    """What the decoder returns, not yet flattened, NaN and infinity included."""
    try:
        value = torch.cat([call(metric.f, part) for part in z.split(metric.chunk_size)])
    except (RuntimeError, TypeError, IndexError):
        metric.matrix(z[:1])  # says what is wrong
        raise
    if value.ndim < 2 or len(value) != len(z):
        metric.matrix(z)  # says so
    return value


def _check_pointwise(metric: PullbackMetric, codes: Tensor, value: Tensor) -> None:
    """Raise unless the decoder gives the same again, for a few of the codes alone."""
    few = slice(0, 3)
    again, scale = _decoded(metric, codes[few]), value.abs().max()
    apart = (again - value[few]).abs().max()
    if not apart <= 1e3 * torch.finfo(value.dtype).eps * scale:
        raise ValueError(
            f"three codes decoded alone differ by {apart.item():.2g} from the same codes in the "
            "batch: the output must depend on its own code only, and draw nothing at random. "
            "Call .eval(), or hand over the mean of the decoder"
        )


def singular_values(metric: PullbackMetric, z: Tensor) -> Tensor:
    """Of the Jacobian at each point, `(m, d)`, decreasing; zeros where there are fewer outputs."""

    def flat(z: Tensor) -> Tensor:
        return call(metric.f, z).flatten(1)

    parts = [value_and_jacobian(flat, part)[1] for part in z.split(metric.chunk_size)]
    values = torch.linalg.svdvals(torch.cat(parts))
    return torch.nn.functional.pad(values, (0, z.shape[1] - values.shape[1]))


def resolution(singular: Tensor) -> float:
    r"""$\sqrt{10\,d\,\varepsilon}$: a smaller share of the largest one is lost in $J^\top J$."""
    return (10 * singular.shape[-1] * torch.finfo(singular.dtype).eps) ** 0.5


def whole_rank(z: Tensor, singular: Tensor, notes: list[str]) -> Tensor:
    """Whether $J$ has full rank, at each point."""
    whole = singular[:, -1] > resolution(singular) * singular[:, 0]
    if not whole.all():
        where = [round(x, 4) for x in z[~whole][0].tolist()]
        notes.append(
            f"J loses rank at {int((~whole).sum())} of {len(z)} codes, e.g. at z = {where}: some "
            "direction changes nothing there, so G is no metric and there is no curvature"
        )
    return whole


def curvatures(
    metric: PullbackMetric, z: Tensor, generator: torch.Generator, notes: list[str]
) -> Tensor | None:
    """Sectional curvature of one plane a point, uniform among the tangent planes of the image."""
    if z.shape[1] < 2 or not len(z):
        return None
    try:
        metric.check_smooth(z)
    except ValueError as error:
        notes.append(f"no curvature: {error}")
        return None
    squared, axes = torch.linalg.eigh(metric.matrix(z))
    frame = axes / squared.sqrt()[:, None, :]  # columns of length 1, orthogonal, by G
    draw = torch.randn(len(z), z.shape[1], 2, generator=generator, dtype=torch.float64).to(z)
    u, v = (frame @ torch.linalg.qr(draw).Q).unbind(-1)
    found, again = metric.curvature(z, u, v), metric.curvature(z, u + v, u - v)
    # curvature below one over the squared size of the cloud's image bends nothing in it
    size = _decoded(metric, z).flatten(1).std(0).norm()
    scale = torch.maximum(found.abs(), 1 / size**2)
    unsure = ~((found - again).abs() <= UNSURE * scale)
    if unsure.any():
        notes.append(
            f"curvature is beyond the precision of {str(z.dtype).removeprefix('torch.')} at "
            f"{int(unsure.sum())} of {len(z)} codes: two bases of one plane disagree by more "
            f"than {UNSURE:.1%}"
        )
    return found


def walks(
    metric: PullbackMetric,
    codes: Tensor,
    pairs: int,
    segments: int,
    generator: torch.Generator,
    notes: list[str],
) -> tuple[Curve | None, Geodesic | None]:
    """Straight lines and geodesics between pairs of codes, or two times `None`."""
    if not len(codes) or not (codes != codes[:1]).any():
        notes.append("no geodesics: J loses rank at all codes, or at all but one")
        return None, None
    first = torch.randint(len(codes), (pairs,), generator=generator)
    apart = 1 + torch.randint(len(codes) - 1, (pairs,), generator=generator)
    a, b = (codes[i.to(codes.device)] for i in (first, (first + apart) % len(codes)))
    a, b = (end[(a != b).any(1)] for end in (a, b))
    try:
        with warnings.catch_warnings():  # the report has warnings of its own
            warnings.simplefilter("ignore", RuntimeWarning)
            geodesics = metric.geodesic(a, b, segments=segments)
    except ValueError as error:
        notes.append(f"no geodesics: {error}")
        return None, None
    failed = int((~geodesics.converged).sum())
    if failed:
        notes.append(
            f"{failed} of {len(a)} geodesics did not converge to a local minimiser that "
            f"{segments} segments resolve: they are left out of the gain"
        )
    return Curve.straight(a, b, metric, segments), geodesics


def box_around(codes: Tensor) -> Tensor:
    """Two opposite corners `(2, d)` of a box with a margin around the codes."""
    low, high = codes.amin(0), codes.amax(0)
    margin = MARGIN * (high - low).max()
    return torch.stack([low - margin, high + margin])


def grid(box: Tensor, pixels: int) -> Tensor:
    """Points of a plane box, `(pixels, pixels, 2)`, a row for each value of the second one."""
    share = torch.linspace(0, 1, pixels, dtype=box.dtype, device=box.device)
    x, y = (low + (high - low) * share for low, high in box.T)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def magnification_map(metric: PullbackMetric, box: Tensor, notes: list[str]) -> Tensor:
    r"""$\sqrt{\det G}$ on a grid of a plane box; NaN where the decoder is not finite."""
    z = grid(box, PIXELS).flatten(0, 1)
    finite = torch.isfinite(_decoded(metric, z).flatten(1)).all(1)
    values = torch.full_like(z[:, 0], torch.nan)
    squared = torch.linalg.eigvalsh(metric.matrix(z[finite])).clamp_min(0)
    values[finite] = squared.prod(-1).sqrt()
    lost = int((~finite).sum())
    if lost:
        notes.append(f"the decoder returns NaN or infinity at {lost} of {len(z)} points of the box")
    slim = int((squared[:, 0] <= resolution(squared) ** 2 * squared[:, 1]).sum())
    if slim:
        notes.append(f"J loses rank at {slim} of {len(z)} points of the box around the codes")
    return values.view(PIXELS, PIXELS)


def nearest_code(codes: Tensor, z: Tensor) -> Tensor:
    """The distance of each point `(..., d)` to its nearest code, in latent units."""
    found, _ = KDTree(codes.cpu().numpy()).query(z.detach().cpu().numpy())
    return torch.as_tensor(found).to(z)


def reach_of(codes: Tensor, box: Tensor) -> float:
    """Twice the distance that 99 of 100 codes keep to another code, or two pixels if that is more.

    Codes that stand at one place count once.
    """
    places = np.unique(codes.cpu().numpy(), axis=0)
    apart = KDTree(places).query(places, k=2)[0][:, 1]
    pixel = (box[1] - box[0]).max().item() / (FINE_PIXELS - 1)
    return max(2 * float(np.quantile(apart, 0.99)), 2 * pixel if codes.shape[1] == 2 else 0.0)


def emptiness(codes: Tensor, curves: Curve, reach: float, notes: list[str]) -> Tensor:
    """For each curve the share of its nodes that are farther than `reach` from every code."""
    far = (nearest_code(codes, curves.points) > reach).to(codes).mean(-1)
    crossing = int((far > IN_THE_OPEN).sum())
    if crossing:
        notes.append(
            f"{crossing} of {len(far)} geodesics have more than {IN_THE_OPEN:.0%} of their nodes "
            "far from all codes: their lengths measure how the decoder extrapolates"
        )
    return far


def betti_numbers(codes: Tensor, box: Tensor, reach: float) -> tuple[int, int]:
    r"""$b_0$ and $b_1$ of the points of a plane box within `reach` of a code, by their pixels.

    The bounded components of the complement are $b_1$ in number (Alexander duality). Near pixels
    hang together over corners too, far ones over edges only, so that no two lines cross. Regions
    of fewer than 9 pixels are too small to tell from rounding to the grid, and not counted.
    """
    near = (nearest_code(codes, grid(box, FINE_PIXELS)) <= reach).cpu().numpy()
    near = np.pad(near, 1)
    pieces, _ = label(near, structure=np.ones((3, 3)))
    empty, _ = label(~near)
    sizes = [np.bincount(parts.ravel())[1:] for parts in (pieces, empty)]
    whole, outside_too = (int((size >= SMALLEST).sum()) for size in sizes)
    return whole, outside_too - 1
