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
from geomlib.riemann.validation import as_points

__all__ = ["DENSE_LIMIT", "SingularTriples", "singular_triples"]

DENSE_LIMIT = 2**16  # entries of the largest Jacobian that is written down: 256 by 256
OVERSAMPLING = 4
CHUNK = 8  # points at once
MOST_BLOCKS = 16  # kept at once; then the search starts again from the best vectors


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
    entries is written down and decomposed. A larger one never is: a random block of $k + 4$ vectors
    spans the Krylov space of $J^\top J$ (block Golub-Kahan, each block orthogonal to all before),
    by products $J V$ forward and $J^\top W$ backward, and the triples of $J$ within that space are
    taken. It stops where the values rest and the triples nearly solve their equations. The vectors
    of close values may still turn among each other: their span is what is known.

    Args:
        f: maps points `(B, n)` to `(B, m)`, each by itself; more output dimensions are flattened.
        k: how many.
        tolerance: of each value, relative, as far as the last block shows; at least rounding.
        max_iterations: at most so many blocks, each with one product forward and one backward.
        seed: of the first block. The same call gives the same answer.
        chunk_size: at most so many points at once; memory grows with it.

    The values are differentiable once, $ds_i = u_i^\top dJ\, v_i$; the vectors are constants.

    Raises:
        ValueError: if $k$ exceeds $\min(n, m)$, or $f$ or the points are not fit for it.

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
    as_points(x, "x")
    _check_counts(k=k, max_iterations=max_iterations, chunk_size=chunk_size)
    flat = x.reshape(-1, x.shape[-1])
    with torch.no_grad():
        m = evaluate(f, flat[:1] if len(flat) else x.new_zeros(1, x.shape[-1])).shape[-1]
    n = x.shape[-1]
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
    if torch.is_grad_enabled():
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
    block = min(k + OVERSAMPLING, n, m)
    at = products(f, x, block)
    if n > m:
        at = Products(at.value, at.pull, at.push)
    start = _random(min(n, m), block, seed, x).expand(len(x), -1, -1)
    left, values, right, converged, iterations = _bidiagonalise(
        at, start, k, tolerance, max_iterations
    )
    U, V = (right, left) if n > m else (left, right)
    return U, values, V, converged, iterations


def _random(rows: int, columns: int, seed: int, like: Tensor) -> Tensor:
    """Orthonormal columns, the same on every device and in every dtype up to rounding."""
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(draw).Q.to(like)


def _bidiagonalise(
    at: Products, start: Tensor, k: int, tolerance: float, max_iterations: int
) -> tuple[Tensor, ...]:
    r"""Block by block $J V = U T$ with orthonormal $U$, $V$; the triples of $T$ give those of $J$.

    `start` is `(B, d, b)`, where $d$ is the dimension of the side that $V$ lives in.
    """
    B, d, block = start.shape
    V, newest = start, start
    U, T = start.new_zeros(B, d, 0), start.new_zeros(B, 0, 0)
    before = change = start.new_full((B, k), torch.inf)
    iterations = torch.zeros(B, dtype=torch.long, device=start.device)
    done = iterations > 0
    rounding = 8 * torch.finfo(start.dtype).eps
    enough = max(tolerance, rounding)
    for turn in range(1, max_iterations + 1):
        last, column = _orthogonalise(at.push(newest), U)
        U = torch.cat([U, last], -1) if U.shape[-1] else last
        T = torch.cat([F.pad(T, (0, 0, 0, column.shape[-2] - T.shape[-2])), column], -1)
        following, above = _orthogonalise(at.pull(last), V)
        full, many = V.shape[-1] == d, V.shape[-1] == MOST_BLOCKS * block
        if turn > 1 or full or turn == max_iterations:
            P, s, Qh = torch.linalg.svd(T)
            # what J^T u_i has outside of span V
            leak = above[..., V.shape[-1] :, :] @ P[..., -last.shape[-1] :, :k]
            missing, change = _still_to_come(s[..., :k] - before, change)
            rounded = rounding * s[..., :1]
            rests = (missing <= enough * s[..., :k]) | (change <= rounded)
            # an error of s_i is of second order in the leak: about leak^2 / (2 gap)
            tight = leak.norm(dim=-2) <= enough**0.5 * s[..., :k] / 2 + rounded
            done = done | (rests & tight).all(-1) | full
            before = s[..., :k]
            iterations = torch.where(done & (iterations == 0), turn, iterations)
            if done.all() or turn == max_iterations:
                break
            if many:  # start again from the best so far
                V = newest = V @ Qh.mT[..., :block]
                U, T = U[..., :0], T[..., :0, :0]
                before = change = torch.full_like(before, torch.inf)
                continue
        room = d - V.shape[-1]
        newest = following if room >= block else _rest(V, room)
        V = torch.cat([V, newest], -1)
    iterations = torch.where(iterations == 0, turn, iterations)
    return U @ P[..., :k], s[..., :k], V @ Qh.mT[..., :k], done, iterations


def _still_to_come(change: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    r"""What a sequence that closes in geometrically still lacks, and its last change.

    $c^2 / (c' - c)$ for the last two changes $c' > c$: Aitken's extrapolation.
    """
    change = change.abs()
    slower = (last - change).clamp_min(torch.finfo(change.dtype).tiny)
    return torch.where(last.isinf(), 10 * change, change * (change / slower)), change


def _orthogonalise(X: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    r"""$Q$ orthonormal and orthogonal to the basis, and $C$ with $X = (\text{basis}, Q)\, C$.

    Twice, since what rounding leaves of a column within the span is no longer orthogonal to it.
    """
    if not basis.shape[-1]:
        return torch.linalg.qr(X)
    top = basis.mT @ X
    Q, R = torch.linalg.qr(X - basis @ top)
    again = basis.mT @ Q
    Q, R_again = torch.linalg.qr(Q - basis @ again)
    return Q, torch.cat([top + again @ R, R_again @ R], -2)


def _rest(V: Tensor, room: int) -> Tensor:
    """An orthonormal basis of all that is orthogonal to `V`, whose dimension is `room`."""
    return torch.linalg.qr(V, mode="complete").Q[..., V.shape[-1] :][..., :room]


def _with_slope(
    f: Callable[[Tensor], Tensor], x: Tensor, U: Tensor, S: Tensor, V: Tensor, chunk_size: int
) -> Tensor:
    r"""$s_i = u_i^\top J(x)\, v_i$: the same numbers, with a gradient if $f$ or $x$ has one."""
    pairs = zip(*(t.split(chunk_size) for t in (x, U, V)), strict=True)
    again = torch.cat([(u * push(f, at, v)[1]).sum(-2) for at, u, v in pairs])
    return S + (again - again.detach()) if again.requires_grad else S
