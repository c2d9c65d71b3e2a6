r"""What a Riemannian metric is in one chart, and what follows from its matrix alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from geomlib.riemann import initial_value, transport
from geomlib.riemann.boundary import EnergyModel, solve_boundary
from geomlib.riemann.curve import Curve, Geodesic
from geomlib.riemann.derivatives import root, value_and_jacobian
from geomlib.riemann.twice import call
from geomlib.riemann.validation import as_points, inside_transform, together

if TYPE_CHECKING:
    from geomlib.riemann.graph import LatentGraph

__all__ = ["MatrixMetric", "Metric", "raise_index", "squared_area"]

PAIRS_AT_ONCE = 256


class Metric(ABC):
    r"""A Riemannian metric on an open set of $\mathbb{R}^d$, written in one chart.

    A subclass says what the matrix $G(z)$ is; lengths, angles, volumes, geodesics and curvature
    follow. Every method takes batches and is differentiable where the mathematics is.

    Points and vectors are in latent units; lengths, norms and distances in units of the target
    space (for a decoder: of its outputs), areas and volumes in their powers, Gaussian and sectional
    curvature in one over squared length.

    Source: do Carmo, *Riemannian Geometry* (1992), chapters 1-5.

    A metric of one's own; $e^{2z}\,dz^2$ measures from $-\infty$ to $z$ the length $e^z$:

    >>> class Exponential(Metric):
    ...     def matrix(self, z):
    ...         return (2 * z).exp()[..., None]
    >>> a, b = torch.tensor([[0.0], [1.0]]).double()
    >>> round(Exponential().distance(a, b).item(), 6)  # e - 1
    1.718282
    """

    chunk_size: int = 1024  # points at once: more need more memory, and are no faster

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
        together(z=z, u=u, v=v)  # raises unless they match
        return torch.einsum("...i,...ij,...j->...", u, self.matrix(z), v)

    def norm(
        self, z: Float[Tensor, "*batch d"], v: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch"]:
        r"""$\|v\|_z = \sqrt{\langle v, v\rangle_z}$, in units of the target space."""
        squared = self.inner(z, v, v)
        if not inside_transform(squared) and (squared < 0).any():
            self.check_semidefinite(z.reshape(-1, z.shape[-1]))
        return root(squared)

    def volume(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        r"""The volume element $\sqrt{\det G(z)}$: how much volume a unit of latent volume becomes.

        For a decoder this is the *magnification factor*. It is zero where $G$ loses rank.
        """
        determinant = torch.linalg.det(self.matrix(z))
        if not inside_transform(determinant) and (determinant < 0).any():
            self.check_semidefinite(z.reshape(-1, z.shape[-1]))
        return root(determinant)

    def connection(
        self,
        z: Float[Tensor, "*batch d"],
        u: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
    ) -> Float[Tensor, "*batch d"]:
        r"""$\Gamma(u, v)^k = \Gamma^k_{ij} u^i v^j$: the Christoffel symbols applied to vectors.

        $\Gamma^k_{ij} = \tfrac12 G^{kl}(\partial_i G_{jl} + \partial_j G_{il}
        - \partial_l G_{ij})$. A vector field $v$ along a curve is parallel if
        $v' = -\Gamma(\gamma', v)$, and the curve is a geodesic if
        $\gamma'' = -\Gamma(\gamma', \gamma')$.

        Source: do Carmo, chapter 2, equation (10).
        """
        shape, flat = together(z=z, u=u, v=v)
        z, u, v = flat
        matrix, slope = value_and_jacobian(self.matrix, z)  # slope[..., i, j, l] = d_l G_ij
        _check_symmetric(matrix)
        bracket = slope.movedim(-1, -3) + slope.mT - slope  # [..., i, j, l]
        lowered = torch.einsum("...ijl,...i,...j->...l", bracket, u, v)
        raised = raise_index(matrix + matrix, lowered[..., None])[..., 0]  # by (2G)⁻¹
        return raised.reshape(*shape, z.shape[-1])

    def connection_matrix(
        self, z: Float[Tensor, "*batch d"], u: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch d d"]:
        r"""The matrix of $v \mapsto \Gamma(u, v)$: its columns are $\Gamma(u, e_j)$."""
        basis = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
        columns = torch.func.vmap(lambda e: self.connection(z, u, e.expand_as(z)))(basis)
        return columns.movedim(0, -1)

    def christoffels(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d d d"]:
        r"""$\Gamma^k_{ij}$, indexed `[k, i, j]`: `connection` of all pairs of basis vectors.

        Raises:
            ValueError: if the metric comes from a piecewise linear network (ReLU), which has no
                second derivatives.
        """
        self.check_smooth(as_points(z).reshape(-1, z.shape[-1]))
        basis = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
        along = [self.connection_matrix(z, e.expand_as(z)) for e in basis]  # [k, j] for each i
        return torch.stack(along, dim=-2)

    def riemann(
        self,
        z: Float[Tensor, "*batch d"],
        u: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
    ) -> Float[Tensor, "*batch"]:
        r"""$\langle R(u, v)v, u\rangle$ with $R(u, v)v = \nabla_u\nabla_v v - \nabla_v\nabla_u v$.

        The vectors are extended by constants, so two derivatives of `connection` are enough, in the
        directions $u$ and $v$ alone. No embedding is used.

        Source: do Carmo, chapter 4, section 2.
        """
        shape, flat = together(z=z, u=u, v=v)
        z, u, v = flat
        self.check_smooth(z)
        push: Any = torch.func.jvp
        fixed = torch.zeros_like(z)
        of_vv, along_u = push(self.connection, (z, v, v), (u, fixed, fixed))
        of_uv, along_v = push(self.connection, (z, u, v), (v, fixed, fixed))
        turned = along_u + self.connection(z, u, of_vv) - along_v - self.connection(z, v, of_uv)
        return self.inner(z, turned, u).reshape(shape)

    def curvature(
        self,
        z: Float[Tensor, "*batch d"],
        u: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
    ) -> Float[Tensor, "*batch"]:
        r"""Sectional curvature of the plane spanned by $u$ and $v$.

        $$K(u, v) = \frac{\langle R(u, v)v, u\rangle}{\|u\|^2\|v\|^2 - \langle u, v\rangle^2}$$

        with the numerator from `riemann`: derivatives of the metric in general, the Gauss equation
        for a pull-back metric. `MatrixMetric(metric.matrix)` forgets the embedding and has the same
        curvature: the *theorema egregium*.

        Raises:
            ValueError: for a piecewise linear network, or if $u$ and $v$ are parallel.

        Source: do Carmo, chapter 4, section 3.
        """
        together(z=z, u=u, v=v)  # raises unless they match
        return self.riemann(z, u, v) / squared_area(self.matrix(z), u, v)

    def gaussian_curvature(self, z: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch"]:
        r"""Gaussian curvature $K$ of a two-dimensional metric: its only sectional curvature.

        Raises:
            ValueError: if $d \ne 2$, or for a piecewise linear network.
        """
        if as_points(z).shape[-1] != 2:
            raise ValueError(
                f"Gaussian curvature belongs to two dimensions, but z has {z.shape[-1]} coordinates"
            )
        first, second = torch.eye(2, dtype=z.dtype, device=z.device)
        return self.curvature(z, first, second)

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

        Source: Shao, Kumar and Fletcher (2018) for the energy; Rygaard and Hauberg
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

    def distance_matrix(
        self,
        points: Float[Tensor, "n d"],
        *,
        segments: int = 64,
        graph: LatentGraph | None = None,
    ) -> Float[Tensor, "n n"]:
        r"""Geodesic distances between all pairs of points, symmetric with a zero diagonal.

        The $n(n-1)/2$ pairs are solved in batches; past a second a progress bar appears.

        Args:
            points: at least two.
            segments: as for `geodesic`.
            graph: from `latent_graph`; its shortest paths are the starts, if it is given.

        Warns:
            RuntimeWarning: for each batch of pairs in which some did not converge.
        """
        if as_points(points, "points").ndim != 2 or len(points) < 2:
            raise ValueError(
                f"points has shape {tuple(points.shape)}, but must be (n, d) with n >= 2"
            )
        pairs = torch.triu_indices(len(points), len(points), 1, device=points.device)
        found = []
        for part in tqdm(pairs.split(PAIRS_AT_ONCE, dim=1), desc="distances", delay=1):
            a, b = points[part[0]], points[part[1]]
            start = graph.shortest_path(a, b, segments=segments) if graph is not None else None
            found.append(self.distance(a, b, segments=segments, initial=start))
        matrix = points.new_zeros(len(points), len(points))
        matrix = matrix.index_put(tuple(pairs), torch.cat(found))
        return matrix + matrix.mT

    def exp(
        self,
        z: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
        *,
        tolerance: float = 1e-8,
    ) -> Float[Tensor, "*batch d"]:
        r"""The exponential map $\exp_z v = \gamma(1)$, for the geodesic with $\gamma(0) = z$,
        $\gamma'(0) = v$.

        Args:
            z, v: points and first velocities, in latent coordinates; batches broadcast.
            tolerance: relative and absolute error allowed in one step of the integrator.

        Raises:
            ValueError: for shapes, dtypes or numbers that make no sense, or for a piecewise linear
                network.
            RuntimeError: if a geodesic leaves the domain of the chart on its way.

        Warns:
            RuntimeWarning: if the speed, constant along a geodesic, changes by a thousandth.

        Source: do Carmo, chapter 3, section 2; Shao, Kumar and Fletcher (2018) for geodesic
        shooting on a decoder's image.

        >>> plane = MatrixMetric(lambda z: torch.eye(2).to(z).expand(*z.shape, 2))
        >>> plane.exp(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.0]))
        tensor([1.5000, 2.0000])
        """
        return initial_value.exponential(self.folded(), z, v, tolerance)

    def shoot(
        self,
        z: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
        times: Float[Tensor, " T"],
        *,
        tolerance: float = 1e-8,
    ) -> Curve:
        r"""The geodesic that starts at $z$ with velocity $v$ at the first of the times.

        Its nodes are $\gamma(t)$ at the increasing `times`, so that
        `shoot(z, v, torch.linspace(0, 1, 65))` ends at $\exp_z v$. The rest is as for `exp`.
        """
        curve = initial_value.shoot(self.folded(), z, v, times, tolerance)
        return Curve(curve.points, self, curve.times)

    def log(
        self,
        a: Float[Tensor, "*batch d"],
        b: Float[Tensor, "*batch d"],
        *,
        segments: int = 64,
        initial: Curve | Tensor | None = None,
    ) -> Float[Tensor, "*batch d"]:
        r"""$\log_a b$: the velocity at $a$ of the geodesic that reaches $b$ at time 1.

        `geodesic(a, b)` gives a start, Newton's method on $\exp_a v = b$ the rest, with the
        derivative of $\exp$ from Jacobi fields. $\|\log_a b\|_a$ is the length of the geodesic.

        Warns:
            RuntimeWarning: where the geodesic did not converge, or shooting misses $b$: then the
                answer is the velocity of the discrete geodesic.
        """
        return initial_value.logarithm(self.folded(), a, b, segments, initial)

    def transport(
        self, curve: Curve, v: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch N+1 d"]:
        r"""Parallel transport of $v$ from the first node of `curve` to every node.

        $V' = -\Gamma(\gamma', V)$, $V(0) = v$. Inner products are kept to rounding; the error in
        direction is $O(N^{-4})$. For smaller steps, resample the curve.

        Raises:
            ValueError: for shapes that do not match, a piecewise linear network, or a curve through
                points where $G$ loses rank.

        Source: do Carmo, chapter 2, proposition 2.6; see `geomlib.riemann.transport`.
        """
        return transport.transport(self.folded(), curve, v)

    def jacobi_field(
        self,
        z: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
        w: Float[Tensor, "*batch d"],
        times: Float[Tensor, " T"],
        *,
        tolerance: float = 1e-8,
    ) -> Float[Tensor, "*batch T d"]:
        r"""The Jacobi field $J$ along $\exp_z(tv)$ with $J(0) = 0$, $J'(0) = w$, at all times.

        $J(t) = \tfrac{\partial}{\partial s} \exp_z\bigl(t(v + sw)\bigr)$ at $s = 0$: how
        neighbouring geodesics part. It solves $J'' + R(J, \gamma')\gamma' = 0$ (covariant
        derivatives). Times increase; the first is the start.

        Source: do Carmo, chapter 5, section 2.
        """
        return initial_value.jacobi_field(self.folded(), z, v, w, times, tolerance)

    def jacobi_slopes(
        self, z: Tensor, v: Tensor, fields: Tensor, changes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        r"""$\gamma''$, $J'$ and the slope of `changes`, for geodesics and fields along them.

        Here `changes` is $J'$, and the geodesic equation is differentiated along the field. It is
        for the class to choose what it stands for, as long as it begins as $J'$ where $J = 0$.

        Args:
            z, v: points and velocities, `(B, d)`.
            fields, changes: `(k, B, d)`.
        """

        def vary(field: Tensor, change: Tensor) -> Any:
            return torch.func.jvp(lambda p, q: -self.connection(p, q, q), (z, v), (field, change))

        acceleration, slopes = torch.func.vmap(vary)(fields, changes)
        return acceleration[0], changes, slopes

    def conjugate_time(
        self,
        z: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
        *,
        until: float,
        samples: int = 128,
        tolerance: float = 1e-8,
    ) -> Float[Tensor, "*batch"]:
        r"""The first time at which $\exp_z(tv)$ is conjugate to $z$, or infinity.

        There some Jacobi field that starts at zero vanishes again; past it the geodesic is no
        minimiser. Looked for on $(0, \text{until})$ at equal steps, then refined.

        Source: do Carmo, chapter 5, section 3.
        """
        return initial_value.conjugate_time(self.folded(), z, v, until, samples, tolerance)

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
            return torch.func.grad(lambda p: call(segment, p).sum())(pair)

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

    def lower(
        self, z: Float[Tensor, "*batch d"], columns: Float[Tensor, "*batch d k"]
    ) -> Float[Tensor, "*batch d k"]:
        r"""$G(z)\,v$ for each column $v$: the covectors $\langle v, \cdot\rangle$."""
        return self.matrix(z) @ columns

    def folded(self) -> Metric:
        """The same metric, cheaper to evaluate many times if there is a way, or itself."""
        return self

    def check_ends(self, a: Tensor, b: Tensor) -> None:
        """Raise a `ValueError` if the metric is not finite or not definite at both end points."""
        for name, end in (("a", a), ("b", b)):
            if not torch.isfinite(self.matrix(end)).all():
                raise ValueError(
                    f"G({name}) is not finite: {name} lies outside the metric's domain"
                )
            self.check_semidefinite(end)
        if not self.definite(torch.stack([a, (a + b) / 2, b])).any(0).all():
            raise ValueError(
                "G has less than full rank at both end points and between them: some direction "
                "costs nothing there, so no geodesic is determined. "
                "Use a map of full rank, or fewer latent dimensions" + _if_zero(self.matrix(a))
            )

    def check_semidefinite(self, z: Float[Tensor, "*batch d"]) -> None:
        """Raise a `ValueError` where $G(z)$ has a negative eigenvalue, beyond rounding."""
        eigenvalues = torch.linalg.eigvalsh(self.matrix(z))
        negative = eigenvalues[..., 0] < -self._rounding(eigenvalues)
        if negative.any():
            where = z[negative][0].tolist()
            raise ValueError(
                f"G has a negative eigenvalue at z = {where}, so it measures no lengths: a metric "
                "must be positive definite"
            )

    def check_definite(self, z: Float[Tensor, "*batch d"]) -> None:
        """Raise a `ValueError` where $G(z)$ is not finite and positive definite."""
        if not torch.isfinite(self.matrix(z)).all():
            raise ValueError("G(z) is not finite: z lies outside the metric's domain")
        self.check_semidefinite(z)
        lost = ~self.definite(z)
        if lost.any():
            raise ValueError(
                f"G has less than full rank at {int(lost.sum())} of {len(z)} points, e.g. at "
                f"z = {z[lost][0].tolist()}: no direction of motion is determined there. Use a map "
                "of full rank, fewer latent dimensions, or a start away from such points"
                + _if_zero(self.matrix(z[lost]))
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
        matrix = call(self.G, as_points(z))
        if matrix.shape != (*z.shape, z.shape[-1]):
            raise ValueError(
                f"G(z) has shape {tuple(matrix.shape)}, but for z of shape {tuple(z.shape)} "
                f"it must have shape {(*z.shape, z.shape[-1])}: write G for batches, with z[..., i]"
            )
        _check_symmetric(matrix)
        if matrix.dtype != z.dtype:
            raise ValueError(
                f"G(z) is {matrix.dtype} but z is {z.dtype}: build G in the dtype of z, "
                "e.g. torch.eye(d, dtype=z.dtype)"
            )
        return matrix


def raise_index(matrix: Tensor, covectors: Tensor) -> Tensor:
    r"""$G^{-1}\omega$ for the columns of `covectors`, `(..., d, p)`."""
    try:
        # not solve: torch 2.13 differentiates that wrongly a second time (pytorch issue 198017)
        return torch.linalg.inv(matrix) @ covectors
    except torch.linalg.LinAlgError as error:
        raise ValueError(
            "G is singular at one of the points, so no Christoffel symbols are defined there: use "
            "a map of full rank, or stay away from such points"
        ) from error


def squared_area(matrix: Tensor, u: Tensor, v: Tensor) -> Tensor:
    r"""$\|u\|^2\|v\|^2 - \langle u, v\rangle^2$ of the parallelogram, which must not be flat."""
    pair = torch.stack(torch.broadcast_tensors(u, v), dim=-1)
    gram = pair.mT @ matrix @ pair
    area = torch.linalg.det(gram)
    limit = 1e3 * torch.finfo(area.dtype).eps * gram[..., 0, 0] * gram[..., 1, 1]
    if not inside_transform(area) and (area <= limit).any():
        raise ValueError(
            "u and v are parallel (or zero, or G loses rank) at one of the points, as far as "
            f"{area.dtype} can tell: they span no plane, so there is no sectional curvature. Take "
            "vectors further apart, or points and network in float64"
        )
    return area


def _if_zero(matrix: Tensor) -> str:
    if matrix.any():
        return ""
    return ". G is all zero: f is constant there, or .detach() or NumPy inside hide its derivative"


def _check_symmetric(matrix: Tensor) -> None:
    if inside_transform(matrix):
        return
    scale = matrix.abs().amax((-2, -1), keepdim=True)
    apart = (matrix - matrix.mT).abs() > 1e-4 * scale  # False for NaN, which other checks name
    if apart.any():
        raise ValueError(
            "G(z) is not symmetric, but an inner product is: check the entries, or use "
            "(G + G.mT) / 2 if they differ by rounding alone"
        )
