r"""The leading singular triples $J v_i = s_i u_i$ of a Jacobian that is never written down."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from geomlib.riemann.products import Products, evaluate, products, push
from geomlib.riemann.subspaces import numerical_rank
from geomlib.riemann.validation import as_points, check_network

__all__ = ["DENSE_LIMIT", "SingularTriples", "singular_triples"]

DENSE_LIMIT = 2**16  # entries of the largest Jacobian that is written down: 256 by 256
OVERSAMPLING, SMALLEST_BLOCK = 1, 8
CHUNK = 16  # points at once
MOST_BLOCKS = 16  # kept at once; then the search starts again from the best vectors
MOST_PASSES = 3  # against all vectors before; one, but where a block has lost its rank


class SingularTriples(NamedTuple):
    r"""$J v_i = s_i u_i$, the largest $s_i$ first.

    Attributes:
        U: orthonormal in the target, `(..., m, k)`: a basis of the image.
        S: singular values, `(..., k)`.
        V: orthonormal in the domain, `(..., n, k)`.
        converged: whether the values are as exact as was asked for, `(...)`.
        iterations: how many blocks were needed, `(...)`; 0 where the Jacobian was small.
    """

    U: Tensor
    S: Tensor
    V: Tensor
    converged: Tensor
    iterations: Tensor


def singular_triples(
    f: Callable[[Tensor], Tensor],
    x: Float[Tensor, "*batch n"],
    k: int,
    *,
    tolerance: float = 1e-4,
    max_iterations: int = 40,
    seed: int = 0,
    chunk_size: int = CHUNK,
) -> SingularTriples:
    r"""The $k$ largest singular values of $J_f(x)$ and their vectors, $J v_i = s_i u_i$.

    $V$ lies in the domain, $U$ in the target. A Jacobian of at most `DENSE_LIMIT` $= 2^{16}$
    entries is written down and decomposed. A larger one never is: a random block of $k + 1$ vectors
    (at least 8) spans the Krylov space of $J^\top J$ (block Golub-Kahan, each block orthogonal to
    all before), by products $J V$ forward and $J^\top W$ backward, and the triples of $J$ within
    that space are taken. It stops where the values rest and the triples nearly solve their
    equations. The vectors of close values may still turn among each other: their span is what is
    known.

    Args:
        f: maps points `(B, n)` to `(B, m)`, each by itself; more output dimensions are flattened.
        k: how many.
        tolerance: of each value, relative, as far as the last block shows; at least rounding.
        max_iterations: at most so many blocks, each with one product forward and one backward.
        seed: of the first block. The same call gives the same answer.
        chunk_size: at most so many points at once; memory grows with it.

    The values are differentiable once, $ds_i = u_i^\top dJ\, v_i$; the vectors are constants.

    Raises:
        ValueError: if $k$ exceeds $\min(n, m)$, $f$ is a network in training mode, returns no
            single tensor or is random, forbids gradients inside (where the Jacobian is large), or
            the points are not fit for it.

    Warns if $k$ exceeds the numerical rank, with the rank (vectors beyond it are arbitrary), and
    if a value has not converged.

    Source: Golub, Luk and Overton (1981), *A block Lanczos method for computing the singular values
    and corresponding singular vectors of a matrix*; Musco and Musco (2015), *Randomized block
    Krylov methods*; Halko, Martinsson and Tropp (2011) on oversampling.

    >>> stretch = torch.tensor([1.0, 5.0, 3.0])
    >>> triples = singular_triples(lambda x: x * stretch, torch.zeros(3), k=2)
    >>> triples.S, triples.V.abs().T
    (tensor([5., 3.]), tensor([[0., 1., 0.],
            [0., 0., 1.]]))
    """
    x = as_points(x, "x")
    check_network(f, x, "x")
    _check_counts(k=k, max_iterations=max_iterations, chunk_size=chunk_size)
    flat = x.reshape(-1, x.shape[-1])
    value = evaluate(f, flat[:1] if len(flat) else x.new_zeros(1, x.shape[-1]))
    n, m = x.shape[-1], value.shape[-1]
    if k > min(n, m):
        raise ValueError(
            f"k = {k} singular triples, but the Jacobian of a map from R^{n} to R^{m} has "
            f"{min(n, m)}: take k <= {min(n, m)}"
        )
    parts = [
        _dense(f, part, k)
        if n * m <= DENSE_LIMIT
        else _krylov(f, part, m, k, tolerance, max_iterations, seed)
        for part in flat.detach().split(chunk_size)
    ]
    U, S, V, converged, iterations = (torch.cat(columns) for columns in zip(*parts, strict=True))
    _warn(S, max(n, m), converged, tolerance)
    if value.requires_grad:
        S = _with_slope(f, flat, U, S, V, chunk_size)
    shape = x.shape[:-1]
    U, S, V = (t.reshape(*shape, *t.shape[1:]) for t in (U, S, V))
    return SingularTriples(U, S, V, converged.reshape(shape), iterations.reshape(shape))


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} = {count}, but it must be a whole number of at least 1")


def _warn(S: Tensor, size: int, converged: Tensor, tolerance: float) -> None:
    if not S.numel():
        return
    rank = int(numerical_rank(S, size).min())
    if rank < S.shape[-1]:
        warnings.warn(
            f"k = {S.shape[-1]} singular triples were asked for, but the Jacobian has numerical "
            f"rank {rank} at some of {len(S)} points: the vectors beyond it are arbitrary",
            RuntimeWarning,
            stacklevel=3,
        )
    if not converged.all():
        warnings.warn(
            f"the singular values of {int((~converged).sum())} of {len(S)} points have not reached "
            f"the tolerance {tolerance:g}: allow more max_iterations, or a larger tolerance",
            RuntimeWarning,
            stacklevel=3,
        )


@torch.no_grad()
def _dense(f: Callable[[Tensor], Tensor], x: Tensor, k: int) -> tuple[Tensor, ...]:
    J = push(f, x, torch.eye(x.shape[-1]).to(x).expand(len(x), -1, -1))[1]
    U, S, Vh = torch.linalg.svd(J, full_matrices=False)
    done = torch.ones(len(x), dtype=torch.bool, device=x.device)
    return U[..., :k], S[..., :k], Vh.mT[..., :k], done, torch.zeros_like(done, dtype=torch.long)


@torch.no_grad()
def _krylov(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    m: int,
    k: int,
    tolerance: float,
    max_iterations: int,
    seed: int,
) -> tuple[Tensor, ...]:
    """Block Golub-Kahan from the smaller side, so that the basis can fill it."""
    n = x.shape[-1]
    block = min(max(k + OVERSAMPLING, SMALLEST_BLOCK), n, m)
    at = products(f, x, block)
    if n > m:
        at = Products(at.value, at.pull, at.push)
    start = _random(block, min(n, m), seed, x).expand(len(x), -1, -1)
    left, values, right, converged, iterations = _bidiagonalise(
        at, start, max(n, m), k, tolerance, max_iterations
    )
    U, V = (right, left) if n > m else (left, right)
    return U, values, V, converged, iterations


def _random(rows: int, columns: int, seed: int, like: Tensor) -> Tensor:
    """Orthonormal rows, the same on every device and in every dtype up to rounding."""
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return _orthonormal(draw.to(like))[0]


def _bidiagonalise(
    at: Products, start: Tensor, across: int, k: int, tolerance: float, max_iterations: int
) -> tuple[Tensor, ...]:
    r"""Block by block $J V^\top = U^\top T$; the triples of $T$ give those of $J$.

    The rows of $U$ and $V$ are orthonormal here: each vector lies together in memory. `start` is
    `(B, b, d)`, where $d$ is the dimension of the side that $V$ lives in; `across` is the other's.
    """
    B, block, d = start.shape
    most = min(MOST_BLOCKS * block, d)
    U, V = start.new_empty(B, most, across), start.new_empty(B, most, d)
    T = start.new_zeros(B, most, most)
    V[:, :block] = start
    before = change = start.new_full((B, k), torch.inf)
    iterations = torch.zeros(B, dtype=torch.long, device=start.device)
    rounding = 8 * torch.finfo(start.dtype).eps
    enough = max(tolerance, rounding)
    old, new = 0, block  # the newest block is V[:, old:new]
    for turn in range(1, max_iterations + 1):
        moved = at.push(V[:, old:new].mT).mT
        U[:, old:new], T[:, :new, old:new] = _orthogonalise(moved, U[:, :old], block)
        back = at.pull(U[:, old:new].mT).mT
        following, above = _orthogonalise(back, V[:, :new], new - old)
        full = new == d
        final, many = full or turn == max_iterations, new == most
        if turn > 1 or final:
            s = _values(T[:, :new, :new])[:, :k]
            missing, change = _still_to_come(s - before, change)
            before = s
            rounded = rounding * s[:, :1]
            rests = ((missing <= enough * s) | (change <= rounded)).all(-1) | full
            iterations = torch.where(rests & (iterations == 0), turn, iterations)
            if final or many or iterations.all():  # vectors cost as much again
                P, s, Qh = torch.linalg.svd(T[:, :new, :new])
                P, s = P[..., :k], s[:, :k]
                # what J^T u_i has outside of span V
                leak = above[:, new:] @ P[:, old:new]
                # an error of s_i is of second order in the leak: about leak^2 / (2 gap)
                tight = leak.norm(dim=-2) <= enough**0.5 * s / 2 + rounded
                done = (iterations > 0) & (tight.all(-1) | full)
                if final or done.all():
                    break
            if many:  # start again from the best so far
                V[:, :block] = Qh[:, :block] @ V[:, :new]
                before = change = torch.full_like(before, torch.inf)
                T.zero_()
                old, new = 0, block
                continue
        old, new = new, min(new + block, most)
        V[:, old:new] = following if new - old == block else _rest(V[:, :old])
    iterations = torch.where(iterations == 0, turn, iterations)
    return U[:, :new].mT @ P, s, (Qh[:, :k] @ V[:, :new]).mT, done, iterations


def _values(T: Tensor) -> Tensor:
    r"""Singular values, the largest first; of single precision by $T T^\top$ in double."""
    if T.dtype != torch.float32:
        return torch.linalg.svdvals(T)
    T = T.double()  # the square of a value needs twice its digits; still in half the time
    return torch.linalg.eigvalsh(T @ T.mT).flip(-1).clamp_min(0).sqrt().float()


def _still_to_come(change: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    r"""What a sequence that closes in geometrically still lacks, and its last change.

    $c^2 / (c' - c)$ for the last two changes $c' > c$: Aitken's extrapolation.
    """
    change = change.abs()
    slower = (last - change).clamp_min(torch.finfo(change.dtype).tiny)
    return torch.where(last.isinf(), 10 * change, change * (change / slower)), change


def _orthogonalise(X: Tensor, basis: Tensor, last: int) -> tuple[Tensor, Tensor]:
    r"""Orthonormal rows $Q$, orthogonal to a basis $A$, and $C$ with $X^\top = (A; Q)^\top C$.

    But for rounding, $X$ meets only the `last` rows of the basis. What is left of it then, made
    orthonormal, is orthogonalised against all of them, until there is nothing more to take off.
    """
    if not basis.shape[-2]:
        return _orthonormal(X)
    nearest = basis[..., -last:, :] @ X.mT
    Q, R = _orthonormal(X - nearest.mT @ basis[..., -last:, :])
    top = F.pad(nearest, (0, 0, basis.shape[-2] - last, 0))
    for _ in range(MOST_PASSES):
        again = basis @ Q.mT
        Q = Q - again.mT @ basis
        top = top + again @ R
        if (again.square() < torch.finfo(Q.dtype).eps).all():  # then Q has stayed orthonormal
            break
        Q, turn = _orthonormal(Q)
        R = turn @ R
    return Q, torch.cat([top, R], -2)


def _orthonormal(X: Tensor) -> tuple[Tensor, Tensor]:
    r"""$X^\top = Q^\top R$ with orthonormal rows $Q$."""
    Q, R = torch.linalg.qr(X.mT)
    return Q.mT, R


def _rest(V: Tensor) -> Tensor:
    """Orthonormal rows that span all that is orthogonal to those of `V`."""
    return torch.linalg.qr(V.mT, mode="complete").Q.mT[:, V.shape[-2] :]


def _with_slope(
    f: Callable[[Tensor], Tensor], x: Tensor, U: Tensor, S: Tensor, V: Tensor, chunk_size: int
) -> Tensor:
    r"""$s_i = u_i^\top J(x)\, v_i$: the same numbers, with a gradient if $f$ or $x$ has one."""
    pairs = zip(*(t.split(chunk_size) for t in (x, U, V)), strict=True)
    again = torch.cat([(u * push(f, at, v)[1]).sum(-2) for at, u, v in pairs])
    return S + (again - again.detach()) if again.requires_grad else S
