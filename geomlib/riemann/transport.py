r"""Parallel transport along a curve, exact in length and angle.

With $G = LL^\top$ (Cholesky), $w = L^\top V$ are the components of $V$ in an orthonormal frame, and
$V' = -\Gamma(\gamma', V)$ becomes $w' = \Omega w$. Transport keeps inner products, so $\Omega$ is
skew, and it is enough to know its part below the diagonal: that of $-L^\top \Gamma(\gamma', \cdot)
L^{-\top}$, since $L'^\top L^{-\top}$ is upper triangular. The solution is a product of rotations,
by Magnus' expansion to fourth order, two Gauss nodes a segment.

Source: Iserles and Nørsett (1999), *On the solution of linear differential equations in Lie
groups*, for the expansion; do Carmo, *Riemannian Geometry*, chapter 2, for transport.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from geomlib.riemann.curve import Curve
from geomlib.riemann.validation import as_points, inside_transform, same_kind

if TYPE_CHECKING:
    from geomlib.riemann.metric import Metric

__all__ = ["transport"]

LARGEST_CHANGE = 2.0


def transport(metric: Metric, curve: Curve, v: Tensor) -> Tensor:
    """See `Metric.transport`."""
    same_kind("curve.points", curve.points, "v", as_points(v, "v"))
    points, d = curve.points, curve.points.shape[-1]
    try:
        batch = torch.broadcast_shapes(points.shape[:-2], v.shape[:-1])
    except RuntimeError:
        raise ValueError(
            f"v has shape {tuple(v.shape)}, but the curve's nodes have {tuple(points.shape)}: give "
            "one vector for each curve, (*batch, d)"
        ) from None
    metric.check_smooth(points.detach().reshape(-1, d))
    metric.check_definite(points.detach().reshape(-1, d))
    rotations = _rotations(metric, curve)  # (*batch, N, d, d)
    frames = torch.linalg.cholesky(metric.matrix(points)).mT  # (*batch, N+1, d, d), L transposed
    turned = [(frames[..., 0, :, :] @ v[..., None]).expand(*batch, d, 1)]
    for i in range(curve.segments):
        turned.append(rotations[..., i, :, :] @ turned[-1])
    moved = torch.linalg.solve_triangular(frames, torch.stack(turned, dim=-3), upper=True)
    return moved[..., 0]


def _rotations(metric: Metric, curve: Curve) -> Tensor:
    """The rotation of the frame's components over every segment."""
    span = curve.times.diff()
    offset = math.sqrt(3) / 6
    middle = (curve.times[1:] + curve.times[:-1]) / 2
    t = torch.stack([middle - offset * span, middle + offset * span], dim=-1)  # (N, 2)
    moved = _change(metric, curve, t.flatten()).unflatten(-3, t.shape)  # (*batch, N, 2, d, d)
    step = span[:, None, None]
    _check_resolved(step[..., None] * moved)
    below = moved.tril(-1)
    first, second = (below - below.mT).unbind(-3)
    bracket = second @ first - first @ second
    return torch.linalg.matrix_exp(
        step / 2 * (first + second) + math.sqrt(3) / 12 * step**2 * bracket
    )


def _change(metric: Metric, curve: Curve, t: Tensor) -> Tensor:
    r"""$-L^\top \Gamma(\gamma', \cdot)\, L^{-\top}$ at times `t`, `(*batch, T, d, d)`."""
    z, velocity = curve(t), curve.velocity(t)
    gamma = metric.connection_matrix(z, velocity)
    frame = torch.linalg.cholesky(metric.matrix(z)).mT
    return -torch.linalg.solve_triangular(frame, frame @ gamma, upper=True, left=False)


def _check_resolved(change: Tensor) -> None:
    r"""Warn where a vector's components change by more than themselves within one segment.

    Straight across a pole of polar coordinates $|\Gamma|$ is one over the distance, and one of
    the two Gauss nodes is nearer than 0.29 of the segment: the change is at least 3.4, however
    short the segment.
    """
    if inside_transform(change):
        return
    fast = change.detach().abs().amax((-3, -2, -1)) > LARGEST_CHANGE  # (*batch, N)
    if fast.any():
        warnings.warn(
            f"{int(fast.any(-1).sum())} of {fast[..., 0].numel()} curves have segments over which "
            "the metric changes faster than they resolve: they are too long, or cross a place "
            "where G loses rank, and the transported vectors are not to be trusted. Resample the "
            "curve, or use a chart that covers it",
            RuntimeWarning,
            stacklevel=5,
        )
