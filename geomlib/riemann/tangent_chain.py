r"""A chain of maps $Z_K \to Z_{K-1} \to \dots \to Z_0$ and its tangent maps.

$$T_{x}Z_K \xrightarrow{J_1} T Z_{K-1} \xrightarrow{J_2} \dots \xrightarrow{J_K} T Z_0$$

Where each step is a diffeomorphism of $\mathbb{R}^n$, as the probability flow of a diffusion model
is, its singular vectors span all of $\mathbb{R}^n$ on both sides. What says something are the
singular values, the spans of the leading vectors where there is a gap after them, and the image
$J(T)$ of a given tangent space $T$.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from geomlib.riemann.products import check_finite, evaluate, push
from geomlib.riemann.singular import DENSE_LIMIT, SingularTriples, singular_triples
from geomlib.riemann.subspaces import numerical_rank, orthonormal_basis, principal_angles
from geomlib.riemann.validation import as_points, check_network, inside_transform, same_kind

__all__ = ["Frames", "TangentChain"]

Step = Callable[[Tensor], Tensor]


class Frames(NamedTuple):
    r"""$J = U \operatorname{diag}(S) V^\top$: $V$ spans the domain's side, $U$ the target's.

    Attributes:
        U: left singular vectors, in the tangent space where the map arrives, `(..., m, r)`.
        S: singular values, the largest first, `(..., r)`.
        V: right singular vectors, in the tangent space where it starts, `(..., n, r)`.
    """

    U: Float[Tensor, "*batch m r"]
    S: Float[Tensor, "*batch r"]
    V: Float[Tensor, "*batch n r"]


class TangentChain:
    r"""$J_{f_K \circ \dots \circ f_1}(x) = J_K \cdots J_1$, with all that lies between.

    Steps are counted from 0 in the order in which they are applied: step $i$ maps `points[i]` to
    `points[i + 1]`. Nothing is computed before it is asked for, except the points.

    Args:
        steps: maps, each of points `(B, n)` to `(B, n')`, each point by itself; a list of
            `denoising_steps`, say.
        x: where the chain starts, `(..., n)`.
        basis: columns `(..., n, d)` that span the tangent space of a submanifold at $x$; any basis
            of it. `pushed`, `restricted` and `angles` need one.
        chunk_size: at most so many tangents go through a step at once (one point's $n$ at least).

    Attributes:
        points: the start and what each step makes of it, $K + 1$ tensors `(..., n)`.

    Raises:
        ValueError: if a step is stochastic (attribute `stochastic`), the noise levels
            `sigma_to` and `sigma_from` of two neighbours differ, a step fails, or the basis does
            not fit.

    Whole Jacobians are written down up to $2^{16}$ entries each, that is $n \le 256$; beyond,
    `singular_triples` gives the leading part of the composition, and what a `basis` of few
    dimensions needs is always there.

    Source: Park et al. (NeurIPS 2023) for singular vectors in diffusion models; do Carmo,
    *Riemannian Geometry*, chapter 0, for the chain rule.

    >>> double, turn = lambda x: 2 * x, lambda x: torch.stack([-x[..., 1], x[..., 0]], -1)
    >>> chain = TangentChain([double, turn], torch.tensor([1.0, 0.0]))
    >>> chain.points[-1], chain.jacobian()
    (tensor([-0., 2.]), tensor([[ 0., -2.],
            [ 2.,  0.]]))
    >>> line = TangentChain([double, turn], torch.tensor([1.0, 0.0]), torch.eye(2)[:, :1])
    >>> line.pushed(2).T.abs(), line.restricted().S
    (tensor([[0., 1.]]), tensor([2.]))
    """

    def __init__(
        self,
        steps: Sequence[Step],
        x: Float[Tensor, "*batch n"],
        basis: Float[Tensor, "*batch n d"] | None = None,
        *,
        chunk_size: int = 4096,
    ):
        self.steps = list(steps)
        _check_steps(self.steps)
        as_points(x, "x")
        if not isinstance(chunk_size, int) or chunk_size < 1:
            raise ValueError(f"chunk_size = {chunk_size}, but one tangent at least must go through")
        self.chunk_size = chunk_size
        if basis is not None:
            x, basis = _start(x, basis)
        self._basis = basis
        self.points = [x]
        for step in self.steps:
            at = self.points[-1]
            check_network(step, at, "x")
            value = evaluate(step, at.reshape(-1, at.shape[-1]))
            check_finite(value, f"step {len(self.points) - 1}")
            self.points.append(value.reshape(*at.shape[:-1], value.shape[-1]))

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"TangentChain of {len(self)} steps from {tuple(self.points[0].shape)}"

    @cached_property
    def jacobians(self) -> list[Float[Tensor, "*batch m n"]]:
        r"""$J_i$ of each step at its own point, `(..., n', n)`."""
        return [self._jacobian(i) for i in range(len(self))]

    def partial(self, i: int) -> Float[Tensor, "*batch m n"]:
        r"""$J_{i-1} \cdots J_0$, of the first $i$ steps together; the identity for $i = 0$."""
        self._check_node(i)
        x = self.points[0]
        product = torch.eye(x.shape[-1]).to(x).expand(*x.shape, x.shape[-1])
        for J in self.jacobians[:i]:
            product = J @ product
        return product

    def jacobian(self) -> Float[Tensor, "*batch m n"]:
        r"""$J_{K-1} \cdots J_0$, the Jacobian of all steps together, by the chain rule."""
        return self.partial(len(self))

    def singular(self, i: int) -> Frames:
        r"""Singular values and both frames of step $i$ alone, $J_i V = U \operatorname{diag} S$.

        $V$ lives at `points[i]`, $U$ at `points[i + 1]`.
        """
        self._check_step(i)
        return self.spectra[i]

    @cached_property
    def spectra(self) -> list[Frames]:
        """`singular(i)` of every step."""
        return [_svd(J) for J in self.jacobians]

    def composition(self) -> Frames:
        """Singular values and both frames of all steps together."""
        return _svd(self.jacobian())

    def pushed(self, i: int) -> Float[Tensor, "*batch m d"]:
        r"""An orthonormal basis of $J_{i-1} \cdots J_0(T)$ at `points[i]`, $T$ = span of `basis`.

        For a submanifold this is its image's tangent space, whatever smooth extension the steps
        are; in general it is no span of singular vectors of the $J$ themselves.

        Raises:
            ValueError: without a basis, or where a step lets the image lose dimensions.
        """
        self._check_node(i)
        return self._images[0][i]

    def restricted(self, i: int | None = None) -> Frames:
        r"""The SVD of $J_i B$, $B$ = `pushed(i)`; without $i$ that of all steps together on $T$.

        $U$ spans the image of the tangent space, $V$ the tangent space itself, both as vectors of
        the ambient space: $V = B W$ if $J_i B = U \operatorname{diag}(S) W^\top$.
        """
        bases, factors = self._images
        if i is not None:
            self._check_step(i)
            return _framed(bases[i + 1], factors[i], bases[i])
        total = torch.eye(bases[0].shape[-1]).to(bases[0]).expand_as(factors[0])
        for factor in factors:
            total = factor @ total
        return _framed(bases[-1], total, bases[0])

    def angles(self, i: int, tangent_basis: Float[Tensor, "*batch m l"]) -> Tensor:
        r"""Principal angles between `pushed(i)` and a known tangent space at `points[i]`, radians.

        To compare a span of singular vectors, say `composition().U[..., :d]`, hand it to
        `principal_angles`.
        """
        return principal_angles(self.pushed(i), tangent_basis)

    def singular_triples(self, k: int, **options: int | float) -> SingularTriples:
        """The leading triples of all steps together, for any $n$; options as there."""
        return singular_triples(self, self.points[0], k, **options)  # type: ignore[arg-type]

    def __call__(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        """All steps, one after the other."""
        for step in self.steps:
            x = step(x)
        return x

    def _jacobian(self, i: int) -> Tensor:
        n, m = self.points[i].shape[-1], self.points[i + 1].shape[-1]
        if n * m > DENSE_LIMIT:
            raise ValueError(
                f"step {i} has Jacobians of {m} by {n} = {m * n:,} entries, above the limit of "
                f"{DENSE_LIMIT:,} (n = {int(DENSE_LIMIT**0.5)}) up to which they are written down: "
                "chain.singular_triples(k) gives the leading singular vectors without, and "
                "pushed(i) and restricted(i) need only a basis"
            )
        return self._push(i, torch.eye(n).to(self.points[i]).expand(*self.points[i].shape, n))

    def _push(self, i: int, B: Tensor) -> Tensor:
        """`J_i B`, a few points at a time."""
        x, after = self.points[i], self.points[i + 1]
        count = max(1, self.chunk_size // B.shape[-1])
        flat = (
            x.reshape(-1, x.shape[-1]),
            B.reshape(-1, *B.shape[-2:]),
            after.reshape(-1, after.shape[-1]),
        )
        pieces = zip(*(tensor.split(count) for tensor in flat), strict=True)
        parts = [push(self.steps[i], *piece)[1] for piece in pieces]
        moved = torch.cat(parts) if len(parts) > 1 else parts[0]
        check_finite(moved.detach(), f"the derivative of step {i}")
        return moved.reshape(*x.shape[:-1], *moved.shape[-2:])

    @cached_property
    def _images(self) -> tuple[list[Tensor], list[Tensor]]:
        r"""Bases $Q_i$ of all images, and $R_i$ with $J_i Q_i = Q_{i+1} R_i$."""
        if self._basis is None:
            raise ValueError(
                "this chain has no basis of a tangent space to push: TangentChain(steps, x, basis) "
                "with basis (..., n, d). The frames of all of R^n are those of singular(i) and "
                "composition()"
            )
        bases, factors = [orthonormal_basis(self._basis)], []
        for i in range(len(self)):
            moved = self._push(i, bases[-1])
            _check_rank(moved, i)
            bases.append(orthonormal_basis(moved))
            factors.append(bases[-1].mT @ moved)
        return bases, factors

    def _check_step(self, i: int) -> None:
        if not 0 <= i < len(self):
            raise ValueError(f"step {i}, but the steps of this chain are 0 to {len(self) - 1}")

    def _check_node(self, i: int) -> None:
        if not 0 <= i <= len(self):
            raise ValueError(f"point {i}, but the points of this chain are 0 to {len(self)}")


def _svd(J: Tensor) -> Frames:
    U, S, Vh = torch.linalg.svd(J, full_matrices=False)
    return Frames(U, S, Vh.mT)


def _framed(after: Tensor, factor: Tensor, before: Tensor) -> Frames:
    U, S, V = _svd(factor)
    return Frames(after @ U, S, before @ V)


def _start(x: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Points and bases at their common batch shape."""
    if not isinstance(basis, Tensor) or basis.ndim < 2:
        shape = tuple(basis.shape) if isinstance(basis, Tensor) else type(basis).__name__
        raise ValueError(
            f"basis is {shape}, but columns (..., n, d) that span a tangent space are needed: one "
            "vector v is v[..., None]"
        )
    same_kind("x", x, "basis.mT", basis.mT)
    try:
        shape = torch.broadcast_shapes(x.shape[:-1], basis.shape[:-2])
    except RuntimeError:
        raise ValueError(
            f"the batch dimensions do not match: x {tuple(x.shape)}, basis {tuple(basis.shape)}. "
            "They must be equal, or one of them 1"
        ) from None
    return x.expand(*shape, -1), basis.expand(*shape, -1, -1)


def _check_steps(steps: list[Step]) -> None:
    if not steps:
        raise ValueError("a chain needs at least one step, but steps is empty")
    for i, step in enumerate(steps):
        if not callable(step):
            raise TypeError(f"step {i} is a {type(step).__name__}, but a map is needed")
        if getattr(step, "stochastic", False):
            raise ValueError(
                f"step {i} ({type(step).__name__}) is stochastic: it draws noise, so it is a "
                "kernel and no map, and has no Jacobian. Take the deterministic steps of the same "
                'model, kind="ddim" (the probability flow)'
            )
    for i, (one, other) in enumerate(pairwise(steps)):
        left, right = getattr(one, "sigma_to", None), getattr(other, "sigma_from", None)
        if left is None or right is None:
            continue
        left, right = float(left), float(right)
        if abs(left - right) > 1e-5 * max(abs(left), abs(right)):
            raise ValueError(
                f"steps {i} and {i + 1} do not follow on each other: step {i} ends at sigma = "
                f"{left:g}, but step {i + 1} starts at sigma = {right:g}. Give them in the order "
                "in which they are applied, from noise to data"
            )


def _check_rank(moved: Tensor, i: int) -> None:
    """Raise a `ValueError` if the image of a tangent space has lost dimensions."""
    if inside_transform(moved) or not moved.numel():
        return
    s = torch.linalg.svdvals(moved.detach())
    rank = int(numerical_rank(s, moved.shape[-2]).min())
    if rank < moved.shape[-1]:
        raise ValueError(
            f"step {i} takes the {moved.shape[-1]}-dimensional tangent space to {rank} dimensions "
            "(at the worst point of the batch): it is no immersion of the submanifold there, and "
            "its image has no tangent space of that dimension"
        )
