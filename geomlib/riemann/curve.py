"""Discretised curves in a latent space, measured by a metric."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.polynomial.legendre import leggauss
from scipy.interpolate import CubicSpline
from torch import Tensor

from geomlib.riemann.derivatives import root
from geomlib.riemann.validation import as_points

if TYPE_CHECKING:
    from geomlib.riemann.metric import Metric

__all__ = ["Curve", "Geodesic"]


class Curve:
    r"""A curve $\gamma: [0, 1] \to \mathbb{R}^d$ through $N + 1$ nodes $z_i = \gamma(i/N)$.

    Between the nodes the curve is their twice continuously differentiable cubic spline
    (not-a-knot ends). Batches of curves lead: nodes `(*batch, N+1, d)`.

    Args:
        points: the nodes, at least two.
        metric: what measures the curve.

    The length of a polygon and the length of the curve through its nodes:

    >>> from geomlib.riemann import PullbackMetric
    >>> plane = PullbackMetric(lambda z: z)
    >>> t = torch.linspace(0, torch.pi, 33, dtype=torch.float64)[:, None]
    >>> half_circle = Curve(torch.cat([t.cos(), t.sin()], dim=1), plane)
    >>> round(half_circle.length().item(), 4), round(half_circle.arc_length().item(), 4)
    (3.1403, 3.1416)
    """

    def __init__(self, points: Float[Tensor, "*batch N+1 d"], metric: Metric):
        points = as_points(points, "points")
        if points.ndim < 2 or points.shape[-2] < 2:
            raise ValueError(
                f"points has shape {tuple(points.shape)}, but a curve needs nodes (..., N+1, d) "
                "with N >= 1"
            )
        self.points = points
        self.metric = metric

    @classmethod
    def straight(cls, a: Tensor, b: Tensor, metric: Metric, segments: int = 64) -> Curve:
        r"""The straight latent line $(1 - t)\,a + t\,b$: the Euclidean baseline."""
        return cls(straight_nodes(a, b, segments), metric)

    @property
    def segments(self) -> int:
        """$N$, the number of segments."""
        return self.points.shape[-2] - 1

    def length(self) -> Float[Tensor, "*batch"]:
        r"""Length $\hat L = \sum_i \|\Delta_i\|$ of the polygon through the nodes.

        Converges to $\int_0^1 \|\gamma'\|\,dt$ with an error of $O(N^{-2})$, and
        $\hat L^2 \le 2 \hat E$ holds exactly, by Cauchy-Schwarz.
        """
        return root(self.metric.squared_chords(self.points)).sum(-1)

    def energy(self) -> Float[Tensor, "*batch"]:
        r"""Energy $\hat E = \tfrac N2 \sum_i \|\Delta_i\|^2$ of the polygon through the nodes.

        Converges to $\tfrac12 \int_0^1 \|\gamma'\|^2\,dt$ with an error of $O(N^{-2})$.
        """
        return self.segments / 2 * self.metric.squared_chords(self.points).sum(-1)

    def arc_length(self) -> Float[Tensor, "*batch"]:
        r"""$\int_0^1 \|\gamma'(t)\|\,dt$ of the spline, by Gauss-Legendre quadrature.

        Three nodes a segment; the error is $O(N^{-4})$ where the curve is smooth.
        """
        node, weight = leggauss(3)
        inside = (np.arange(self.segments)[:, None] + (node + 1) / 2) / self.segments
        t = torch.as_tensor(inside.ravel(), dtype=self.points.dtype, device=self.points.device)
        speed = self.metric.norm(self(t), self._spline(t, derivative=1))
        share = np.tile(weight / 2, self.segments) / self.segments
        return speed @ torch.as_tensor(share, dtype=t.dtype, device=t.device)

    def __call__(self, t: Float[Tensor, " T"]) -> Float[Tensor, "*batch T d"]:
        r"""$\gamma(t)$ at times $t \in [0, 1]$."""
        return self._spline(t, derivative=0)

    def velocity(self) -> Float[Tensor, "*batch N+1 d"]:
        r"""$\gamma'(t)$ of the spline at every node, in latent units per unit of time."""
        return self._spline(self._times(self.segments), derivative=1)

    def resample(self, segments: int) -> Curve:
        """The same curve with another number of segments, at equal steps of time."""
        return Curve(self(self._times(segments)), self.metric)

    def _times(self, segments: int) -> Tensor:
        return torch.linspace(
            0, 1, segments + 1, dtype=self.points.dtype, device=self.points.device
        )

    def _spline(self, t: Tensor, derivative: int) -> Tensor:
        if not isinstance(t, Tensor) or t.ndim != 1:
            given = f"shape {tuple(t.shape)}" if isinstance(t, Tensor) else type(t).__name__
            raise ValueError(
                f"t must be a vector of times in [0, 1], but {given} was given: "
                "for one time write torch.tensor([0.5])"
            )
        t = t.to(self.points)
        if not ((t >= 0) & (t <= 1)).all():
            raise ValueError(f"times must lie in [0, 1], but t has values {t.min()} to {t.max()}")
        coefficients = torch.as_tensor(  # (4, N, N+1): cubic pieces as linear maps of the nodes
            _spline_coefficients(self.segments), dtype=self.points.dtype, device=self.points.device
        )
        piece = (t * self.segments).long().clamp_max(self.segments - 1)
        local = t * self.segments - piece
        zero, one = torch.zeros_like(local), torch.ones_like(local)
        powers = (
            torch.stack([local**3, local**2, local, one])
            if derivative == 0
            else self.segments * torch.stack([3 * local**2, 2 * local, one, zero])
        )
        weights = torch.einsum("ct,ctj->tj", powers, coefficients[:, piece])
        origin = self.points[
            ..., :1, :
        ]  # about it, a curve that stays at one point does so exactly
        value = weights @ (self.points - origin)
        return value + origin if derivative == 0 else value

    def __repr__(self) -> str:
        return f"{type(self).__name__}(points={tuple(self.points.shape)}, metric={self.metric!r})"


class Geodesic(Curve):
    r"""A curve returned by `Metric.geodesic`, with what the solver knows about it.

    Attributes:
        converged: `(*batch,)`, whether the residual is below tolerance, *and* the Hessian of the
            energy is positive definite, so that the curve is a strict local minimiser, *and* the
            segments resolve the curve: twice as many have about the same energy.
        iterations: `(*batch,)`, Newton steps taken over all levels.
        residual: `(*batch,)`, the relative fall in energy that one more Newton step predicts,
            beyond what rounding can make.
    """

    def __init__(
        self,
        points: Float[Tensor, "*batch N+1 d"],
        metric: Metric,
        converged: Bool[Tensor, "*batch"],
        iterations: Int[Tensor, "*batch"],
        residual: Float[Tensor, "*batch"],
    ):
        super().__init__(points, metric)
        self.converged = converged
        self.iterations = iterations
        self.residual = residual


def straight_nodes(a: Tensor, b: Tensor, segments: int) -> Tensor:
    t = torch.linspace(0, 1, segments + 1, dtype=a.dtype, device=a.device)[:, None]
    return torch.lerp(a[..., None, :], b[..., None, :], t)  # exact at both ends, and where a = b


@lru_cache(maxsize=32)
def _spline_coefficients(segments: int) -> np.ndarray:
    """Cubic spline pieces through unit impulses at unit-spaced knots: `c[power, piece, node]`."""
    spline = CubicSpline(np.arange(segments + 1.0), np.eye(segments + 1))
    return np.ascontiguousarray(spline.c)
