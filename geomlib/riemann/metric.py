r"""What a Riemannian metric is in one chart, and what follows from its matrix alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from geomlib.riemann.boundary import EnergyModel, solve_boundary
from geomlib.riemann.curve import Curve, Geodesic
from geomlib.riemann.derivatives import root, value_and_jacobian
from geomlib.riemann.validation import as_points, broadcast, same_kind

__all__ = ["MatrixMetric", "Metric"]


class Metric(ABC):
    r"""A Riemannian metric on an open set of $\mathbb{R}^d$, written in one chart.

    A subclass says what the matrix $G(z)$ is; lengths, angles, volumes, geodesics and curvature
    follow. Every method takes batches and is differentiable where the mathematics is.

    Source: do Carmo, *Riemannian Geometry* (1992), chapters 1-4.
    """

    @abstractmethod
    def matrix(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d d"]:
        r"""The symmetric positive definite matrix $G(z)$."""

    def inner(
        self,
        z: Float[Tensor, "*batch d"],
        u: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
    ) -> Float[Tensor, "*batch"]:
        r"""$\langle u, v\rangle_z = u^\top G(z)\, v$."""
        same_kind("z", as_points(z), "u", as_points(u, "u"))
        same_kind("z", z, "v", as_points(v, "v"))
        broadcast(z=z, u=u, v=v)
        return torch.einsum("...i,...ij,...j->...", u, self.matrix(z), v)

    def norm(
        self, z: Float[Tensor, "*batch d"], v: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch"]:
        r"""$\|v\|_z = \sqrt{\langle v, v\rangle_z}$, in units of the target space."""
        return root(self.inner(z, v, v))

    def volume(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        r"""The volume element $\sqrt{\det G(z)}$: how much volume a unit of latent volume becomes.

        For a decoder this is the *magnification factor*. It is zero where $G$ loses rank.
        """
        return torch.linalg.det(self.matrix(z)).clamp_min(0).sqrt()

    def christoffels(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d d d"]:
        r"""$\Gamma^k_{ij} = \tfrac12 G^{kl}(\partial_i G_{jl} + \partial_j G_{il}
        - \partial_l G_{ij})$, indexed `[k, i, j]`.

        Raises:
            ValueError: if the metric comes from a piecewise linear network (ReLU), which has no
                second derivatives.

        Source: do Carmo, chapter 2, equation (10).
        """
        flat = as_points(z).reshape(-1, z.shape[-1])
        self.check_smooth(flat)
        matrix, slope = value_and_jacobian(self.matrix, flat)  # slope[..., i, j, l] = d_l G_ij
        lowered = (
            torch.einsum("...jli->...lij", slope)
            + torch.einsum("...ilj->...lij", slope)
            - torch.einsum("...ijl->...lij", slope)
        ) / 2
        gamma = torch.linalg.solve(matrix, lowered.flatten(-2)).unflatten(-1, lowered.shape[-2:])
        return gamma.reshape(*z.shape, *z.shape[-1:] * 2)

    def gaussian_curvature(self, z: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch"]:
        r"""Gaussian curvature $K = R_{1212} / \det G$ of a two-dimensional metric.

        $R^l{}_{kij} = \partial_i \Gamma^l_{jk} - \partial_j \Gamma^l_{ik}
        + \Gamma^l_{im}\Gamma^m_{jk} - \Gamma^l_{jm}\Gamma^m_{ik}$ comes from derivatives of the
        Christoffel symbols; no embedding is used.

        Raises:
            ValueError: if $d \ne 2$, or for a piecewise linear network.

        Source: do Carmo, chapter 4, sections 2 and 3.
        """
        if as_points(z).shape[-1] != 2:
            raise ValueError(
                f"Gaussian curvature belongs to two dimensions, but z has {z.shape[-1]} coordinates"
            )
        flat = z.reshape(-1, 2)
        self.check_smooth(flat)
        gamma, slope = value_and_jacobian(self.christoffels, flat)  # slope[..., k, i, j, l]
        riemann = (
            slope[..., :, 1, 1, 0]
            - slope[..., :, 0, 1, 1]
            + torch.einsum("...lm,...m->...l", gamma[..., :, 0, :], gamma[..., :, 1, 1])
            - torch.einsum("...lm,...m->...l", gamma[..., :, 1, :], gamma[..., :, 0, 1])
        )  # R^l_212: the index l is lowered with G
        matrix = self.matrix(flat)
        curvature = (matrix[..., 0, :] * riemann).sum(-1) / torch.linalg.det(matrix)
        return curvature.reshape(z.shape[:-1])

    def geodesic(
        self,
        a: Float[Tensor, "*batch d"],
        b: Float[Tensor, "*batch d"],
        *,
        segments: int = 64,
        initial: Curve | Tensor | None = None,
        max_iterations: int = 100,
    ) -> Geodesic:
        r"""Locally shortest curves from `a` to `b`, all pairs at once.

        Minimises the discrete energy $\tfrac N2 \sum_i \|\Delta_i\|^2$ over the $N - 1$ interior
        nodes by Newton's method; see `geomlib.riemann.boundary`. A minimiser has constant speed.

        Args:
            a, b: end points; batch dimensions broadcast.
            segments: $N$, the number of segments. Nodes are off by $O(N^{-2})$, the length of
                the curve through them by $O(N^{-4})$.
            initial: where to start: a curve, or nodes `(*batch, M+1, d)`. Without one, from the
                straight line, refined from few segments to many. The minimiser found is the one
                downhill from there; `latent_graph` gives starts that respect holes in the data.
            max_iterations: at most so many Newton steps a level.

        Returns:
            A `Geodesic`: a `Curve` with `.converged`, `.iterations` and `.residual` for each pair.
            Its end points carry the gradient of `a` and `b`; interior nodes are constants, which
            by the first variation of energy gives the right gradient of energy and distance.

        Raises:
            ValueError: for shapes, dtypes or numbers that make no sense.

        Warns:
            RuntimeWarning: once a call, if some pairs did not converge.

        Source: Shao, Kumar and Fletcher (2018), algorithm 1, for the energy; Rygaard and Hauberg
        (arXiv 2505.05961) for second-order boundary value solvers.
        """
        return solve_boundary(self, a, b, segments, initial, max_iterations)

    def distance(
        self,
        a: Float[Tensor, "*batch d"],
        b: Float[Tensor, "*batch d"],
        *,
        segments: int = 64,
        initial: Curve | Tensor | None = None,
    ) -> Float[Tensor, "*batch"]:
        r"""Geodesic distance $d(a, b)$: the `arc_length` of `geodesic(a, b)`.

        It is the distance if the geodesic found is the shortest one; in general an upper bound.
        Pairs that did not converge keep that meaning, with a warning.
        """
        return self.geodesic(a, b, segments=segments, initial=initial).arc_length()

    def squared_chords(self, points: Float[Tensor, "*batch N+1 d"]) -> Float[Tensor, "*batch N"]:
        r"""Squared lengths $\|\Delta_i\|^2$ of the segments between consecutive nodes.

        Here $\Delta_i^\top G(m_i)\, \Delta_i$ with the midpoint $m_i$; a pull-back metric uses the
        chord $\|f(z_i) - f(z_{i-1})\|^2$ instead. Both are second-order accurate.
        """
        step = points[..., 1:, :] - points[..., :-1, :]
        middle = (points[..., 1:, :] + points[..., :-1, :]) / 2
        return torch.einsum("...i,...ij,...j->...", step, self.matrix(middle), step)

    def energy_model(self, points: Float[Tensor, "P N+1 d"]) -> EnergyModel:
        r"""Value, gradient and block-tridiagonal Hessian of $\tfrac N2\sum\|\Delta_i\|^2$.

        For the midpoint rule, from second derivatives of one segment's energy.
        """
        count, d = points.shape[1] - 1, points.shape[2]
        ends = torch.cat([points[:, :-1], points[:, 1:]], dim=-1).flatten(0, 1)  # (P N, 2d)

        def segment(pair: Tensor) -> Tensor:
            return count / 2 * self.squared_chords(pair.unflatten(-1, (2, d)))[..., 0]

        def gradient(pair: Tensor) -> Tensor:
            return torch.func.grad(lambda p: segment(p).sum())(pair)

        slope, hessian = value_and_jacobian(gradient, ends)
        middle = (points[:, 1:] + points[:, :-1]) / 2
        frozen = count * self.matrix(middle)  # the Hessian with G held fixed: the Gauss-Newton part
        energy = segment(ends).unflatten(0, points[:, 1:].shape[:2]).sum(1)
        slope = slope.unflatten(0, frozen.shape[:2])
        hessian = hessian.unflatten(0, frozen.shape[:2])
        before, after = slice(0, d), slice(d, 2 * d)
        node = torch.finfo(points.dtype).eps * middle  # nodes are rounded by this much
        rounded = torch.einsum("...i,...ij,...j->...", node, frozen, node).abs()
        return EnergyModel(
            energy=energy,
            gradient=slope[:, :-1, after] + slope[:, 1:, before],
            diagonal=frozen[:, :-1] + frozen[:, 1:],
            upper=-frozen[:, 1:-1],
            diagonal_newton=hessian[:, :-1, after, after] + hessian[:, 1:, before, before],
            upper_newton=hessian[:, 1:-1, before, after],
            rounding=count * rounded.amax(1),
        )

    def for_geodesics(self) -> Metric:
        """A metric with the same chords that is cheaper to evaluate many times, or itself."""
        return self

    def check_ends(self, a: Tensor, b: Tensor) -> None:
        """Raise a `ValueError` if the metric is not finite or not definite at both end points."""
        for name, end in (("a", a), ("b", b)):
            matrix = self.matrix(end)
            if not torch.isfinite(matrix).all():
                raise ValueError(
                    f"G({name}) is not finite: {name} lies outside the metric's domain"
                )
            eigenvalues = torch.linalg.eigvalsh(matrix)
            if (eigenvalues[..., 0] < -self._rounding(eigenvalues)).any():
                raise ValueError(
                    f"G({name}) has a negative eigenvalue, so it measures no lengths: a metric "
                    "must be positive definite"
                )
        if not self.definite(torch.stack([a, (a + b) / 2, b])).any(0).all():
            raise ValueError(
                "G has less than full rank at both end points and between them: some direction "
                "costs nothing there, so no geodesic is determined. "
                "Use a map of full rank, or fewer latent dimensions"
            )

    def definite(self, z: Float[Tensor, "*batch d"]) -> Tensor:
        """Whether $G(z)$ is numerically positive definite: smallest eigenvalue > 10 d ε largest."""
        eigenvalues = torch.linalg.eigvalsh(self.matrix(z))
        return eigenvalues[..., 0] > self._rounding(eigenvalues)

    def _rounding(self, eigenvalues: Tensor) -> Tensor:
        """How far rounding alone may move the eigenvalues of one matrix."""
        eps = torch.finfo(eigenvalues.dtype).eps
        return 10 * eigenvalues.shape[-1] * eps * eigenvalues[..., -1].abs()

    def check_smooth(self, z: Float[Tensor, "batch d"]) -> None:  # noqa: B027 (nothing is known)
        """Raise a `ValueError` if the metric is known to have no second derivatives."""


class MatrixMetric(Metric):
    r"""The metric whose matrix is a given field $G(z)$.

    Args:
        G: maps `(*batch, d)` to symmetric positive definite matrices `(*batch, d, d)`,
            differentiably.

    The hyperbolic half-plane, $G = I / y^2$:

    >>> half_plane = MatrixMetric(lambda z: torch.eye(2).to(z) / z[..., 1, None, None] ** 2)
    >>> a, b = torch.tensor([[0.0, 1.0], [2.0, 0.5]]).double()
    >>> round(half_plane.distance(a, b).item(), 6)
    2.342179
    """

    def __init__(self, G: Callable[[Tensor], Tensor]):
        self.G = G

    def matrix(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d d"]:
        matrix = self.G(as_points(z))
        if matrix.shape != (*z.shape, z.shape[-1]):
            raise ValueError(
                f"G(z) has shape {tuple(matrix.shape)}, but for z of shape {tuple(z.shape)} "
                f"it must have shape {(*z.shape, z.shape[-1])}: write G for batches, with z[..., i]"
            )
        if matrix.dtype != z.dtype:
            raise ValueError(
                f"G(z) is {matrix.dtype} but z is {z.dtype}: build G in the dtype of z, "
                "e.g. torch.eye(d, dtype=z.dtype)"
            )
        return matrix
