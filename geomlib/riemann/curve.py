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
from geomlib.riemann.tridiagonal import negative_eigenvalues
from geomlib.riemann.validation import as_points

if TYPE_CHECKING:
    from geomlib.riemann.metric import Metric

__all__ = ["Curve", "Geodesic", "as_times"]

NEWTON_STEPS = 6  # from a start within one segment; quadratic convergence


class Curve:
    r"""A curve $\gamma$ in $\mathbb{R}^d$ through $N + 1$ nodes $z_i = \gamma(t_i)$.

    Between the nodes the curve is their twice continuously differentiable cubic spline
    (not-a-knot ends). Batches of curves lead: nodes `(*batch, N+1, d)`.

    Args:
        points: the nodes, at least two.
        metric: what measures the curve.
        times: `(N+1,)`, increasing, the same for the whole batch; $t_i = i/N$ if left out.

    The length of a polygon and the length of the curve through its nodes:

    >>> from geomlib.riemann import PullbackMetric
    >>> plane = PullbackMetric(lambda z: z)
    >>> t = torch.linspace(0, torch.pi, 33, dtype=torch.float64)[:, None]
    >>> half_circle = Curve(torch.cat([t.cos(), t.sin()], dim=1), plane)
    >>> round(half_circle.length().item(), 4), round(half_circle.arc_length().item(), 4)
    (3.1403, 3.1416)
    """

    def __init__(
        self,
        points: Float[Tensor, "*batch N+1 d"],
        metric: Metric,
        times: Float[Tensor, " N+1"] | None = None,
    ):
        points = as_points(points, "points")
        if points.ndim < 2 or points.shape[-2] < 2:
            raise ValueError(
                f"points has shape {tuple(points.shape)}, but a curve needs nodes (..., N+1, d) "
                "with N >= 1"
            )
        self.points = points
        self.metric = metric
        self.times = _steps(points) if times is None else as_times(times, points)
        if len(self.times) != points.shape[-2]:
            raise ValueError(
                f"times has {len(self.times)} values, but the curve has {points.shape[-2]} nodes"
            )

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

        Converges to $\int \|\gamma'\|\,dt$ with an error of $O(N^{-2})$, and on $[0, 1]$
        $\hat L^2 \le 2 \hat E$ holds exactly, by Cauchy-Schwarz.
        """
        return root(self.metric.squared_chords(self.points)).sum(-1)

    def energy(self) -> Float[Tensor, "*batch"]:
        r"""Energy $\hat E = \tfrac12 \sum_i \|\Delta_i\|^2 / (t_{i+1} - t_i)$ of the polygon.

        At equal steps on $[0, 1]$ this is $\tfrac N2 \sum_i \|\Delta_i\|^2$. Converges to
        $\tfrac12 \int \|\gamma'\|^2\,dt$ with an error of $O(N^{-2})$.
        """
        return (self.metric.squared_chords(self.points) / self.times.diff()).sum(-1) / 2

    def arc_length(self) -> Float[Tensor, "*batch"]:
        r"""$\int \|\gamma'(t)\|\,dt$ of the spline, by Gauss-Legendre quadrature.

        Three nodes a segment; the error is $O(N^{-4})$ where the curve is smooth.
        """
        return self._arcs(self.times[:-1], self.times[1:]).sum(-1)

    def __call__(self, t: Float[Tensor, "*batch T"]) -> Float[Tensor, "*batch T d"]:
        r"""$\gamma(t)$ at a vector of times, or at times of its own for each curve."""
        return self._spline(t, derivative=0)

    def velocity(self, t: Float[Tensor, "*batch T"] | None = None) -> Float[Tensor, "*batch T d"]:
        r"""$\gamma'(t)$ of the spline, at every node if no times are given.

        In latent units per unit of time.
        """
        return self._spline(self.times if t is None else t, derivative=1)

    def resample(self, segments: int) -> Curve:
        """The same curve with another number of segments, at equal steps of time."""
        times = torch.lerp(self.times[0], self.times[-1], _steps(self.points, segments))
        return Curve(self(times), self.metric, times)

    def by_arc_length(self, segments: int | None = None) -> Curve:
        r"""The same curve at constant speed on $[0, 1]$: nodes at equal steps of arc length.

        A node $\gamma(t)$ with $\int_{t_0}^t \|\gamma'\| = jL/N$ is found by Newton's method.
        Length stays; energy falls to $L^2/2$, its least value among all parametrisations.
        """
        segments = self.segments if segments is None else segments
        batch = self.points.shape[:-2]
        travelled = self._arcs(self.times[:-1], self.times[1:]).cumsum(-1)
        zero = torch.zeros_like(travelled[..., :1])
        travelled = torch.cat([zero, travelled], dim=-1)  # (*batch, N+1), at the nodes
        wanted = (_steps(self.points, segments) * travelled[..., -1:])[..., 1:-1].contiguous()
        piece = torch.searchsorted(travelled.contiguous(), wanted).clamp(1, self.segments) - 1
        start, span = self.times[piece], self.times.diff()[piece]
        rest = wanted - travelled.gather(-1, piece)
        arcs = travelled.diff(dim=-1).gather(-1, piece)
        if (arcs <= 0).any():
            raise ValueError("a curve of length zero has no parametrisation by arc length")
        t = start + span * rest / arcs
        for _ in range(NEWTON_STEPS):
            step = (rest - self._arcs(start, t)) / self._speed(t)
            t = torch.minimum(torch.maximum(t + step, start), start + span)
        ends = self.points[..., :1, :], self.points[..., -1:, :]
        inside = self(t.expand(*batch, segments - 1))
        return Curve(torch.cat([ends[0], inside, ends[1]], dim=-2), self.metric)

    def index(self) -> Int[Tensor, "*batch"]:
        r"""In how many independent directions the energy falls while the ends stay fixed.

        The number of negative eigenvalues of the Hessian of $\hat E$ in the interior nodes. For a
        geodesic it is 0 where the curve is a local minimiser and, by Morse's index theorem, the
        number of conjugate points inside it, with multiplicity.

        Source: do Carmo, *Riemannian Geometry*, chapter 11, theorem 2.2.
        """
        equal = torch.allclose(self.times, _steps(self.points))
        points = self.points if equal else self.resample(self.segments).points
        flat = points.detach().reshape(-1, *points.shape[-2:])
        if flat.shape[1] == 2:
            return torch.zeros(points.shape[:-2], dtype=torch.long, device=points.device)
        with torch.no_grad():
            model = self.metric.energy_model(flat)
        index = negative_eigenvalues(model.diagonal_newton, model.upper_newton)
        return index.reshape(points.shape[:-2])

    def _speed(self, t: Tensor) -> Tensor:
        return self.metric.norm(self(t), self.velocity(t))

    def _arcs(self, start: Tensor, end: Tensor) -> Tensor:
        """Arc lengths from `start` to `end`, each pair inside one segment: `(*batch, T)`."""
        node, weight = (torch.as_tensor(x).to(self.points) for x in leggauss(3))
        half = (end - start)[..., None] / 2  # (*batch, T, 1)
        t = start[..., None] + half * (node + 1)
        speed = self._speed(t.flatten(-2)).unflatten(-1, t.shape[-2:])
        return (speed * half * weight).sum(-1)

    def _spline(self, t: Tensor, derivative: int) -> Tensor:
        batch = self.points.shape[:-2]
        if not isinstance(t, Tensor) or t.ndim == 0 or t.shape[:-1] not in {(), batch}:
            given = f"shape {tuple(t.shape)}" if isinstance(t, Tensor) else type(t).__name__
            raise ValueError(
                f"t must be a vector of times in {self._interval()}, or have one vector for each "
                f"curve, but {given} was given: for one time write torch.tensor([0.5])"
            )
        t = t.to(self.points)
        if not ((t >= self.times[0]) & (t <= self.times[-1])).all():
            raise ValueError(
                f"times must lie in {self._interval()}, but t has values {t.min()} to {t.max()}"
            )
        knots = tuple(self.times.tolist())
        coefficients = torch.as_tensor(  # (4, N, N+1): cubic pieces as linear maps of the nodes
            _spline_coefficients(knots), dtype=self.points.dtype, device=self.points.device
        )
        piece = torch.searchsorted(self.times, t.contiguous(), right=True)
        piece = piece.clamp(1, self.segments) - 1
        local = t - self.times[piece]
        origin = self.points[..., :1, :]  # about it, a curve that stays put does so exactly
        pieces = torch.einsum("pnj,...jd->p...nd", coefficients, self.points - origin)
        where = piece.expand(1, *batch, -1)[..., None]
        a, b, c, e = torch.take_along_dim(pieces, where, dim=-2)  # (*batch, T, d) each
        s = local[..., None]
        if derivative == 1:
            return (3 * a * s + 2 * b) * s + c
        return ((a * s + b) * s + c) * s + e + origin

    def _interval(self) -> str:
        return f"[{self.times[0]:g}, {self.times[-1]:g}]"

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


def as_times(times: Tensor, like: Tensor) -> Tensor:
    """`times` in the dtype of `like`, if they are an increasing vector of at least two."""
    if not isinstance(times, Tensor) or times.ndim != 1 or len(times) < 2:
        given = f"shape {tuple(times.shape)}" if isinstance(times, Tensor) else repr(times)
        raise ValueError(
            f"times must be a vector of at least two times, but {given} was given: "
            "write torch.linspace(0, 1, 65)"
        )
    times = times.to(like)
    wrong = (~(times.diff() > 0)).nonzero()[:, 0].tolist()  # NaN too
    if wrong or not torch.isfinite(times).all():
        i = wrong[0] if wrong else len(times) - 2
        raise ValueError(
            f"times must be finite and increase from node to node, but {times[i].item():g} is "
            f"followed by {times[i + 1].item():g}: sort them, and name each time once"
        )
    return times


def _steps(points: Tensor, segments: int | None = None) -> Tensor:
    """Equal steps on [0, 1], one time a node if no other number of segments is given."""
    count = points.shape[-2] if segments is None else segments + 1
    return torch.linspace(0, 1, count, dtype=points.dtype, device=points.device)


def straight_nodes(a: Tensor, b: Tensor, segments: int) -> Tensor:
    t = torch.linspace(0, 1, segments + 1, dtype=a.dtype, device=a.device)[:, None]
    return torch.lerp(a[..., None, :], b[..., None, :], t)  # exact at both ends, and where a = b


@lru_cache(maxsize=32)
def _spline_coefficients(knots: tuple[float, ...]) -> np.ndarray:
    """Cubic spline pieces through unit impulses at the knots: `c[power, piece, node]`."""
    spline = CubicSpline(np.array(knots), np.eye(len(knots)))
    return np.ascontiguousarray(spline.c)
