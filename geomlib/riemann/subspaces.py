r"""Subspaces of $\mathbb{R}^n$: orthonormal bases, the angles between two of them, spectral gaps.

A subspace is given by a basis, the columns of a matrix `(..., n, k)`. Nothing here depends on which
basis it is.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geomlib.riemann.validation import inside_transform, same_kind

__all__ = [
    "SpectralGap",
    "leading_basis",
    "numerical_rank",
    "orthonormal_basis",
    "principal_angles",
    "spectral_gap",
    "subspace_distance",
]


def orthonormal_basis(B: Float[Tensor, "*batch n k"]) -> Float[Tensor, "*batch n k"]:
    r"""$Q$ with $Q^\top Q = I$ and $\operatorname{span} Q = \operatorname{span} B$.

    It is the one with $B = QR$, $R$ upper triangular with a positive diagonal: a smooth function
    of $B$, and $B$ itself where its columns are orthonormal.

    Raises:
        ValueError: if the columns of $B$ are not independent, with their rank.

    >>> orthonormal_basis(torch.tensor([[3.0], [4.0]])).T
    tensor([[0.6000, 0.8000]])
    """
    n, k = _as_columns(B, "B").shape[-2:]
    Q, R = torch.linalg.qr(B)
    if not inside_transform(B) and B.numel():
        length = R.detach().norm(dim=-2, keepdim=True)
        unit = R.detach() / length.clamp_min(torch.finfo(R.dtype).tiny)
        rank = int(numerical_rank(torch.linalg.svdvals(unit), n).min())
        if rank < k:
            raise ValueError(
                f"the {k} columns of B, shape {tuple(B.shape)}, span only {rank} dimensions (at "
                "the worst point of the batch), so they are no basis: leave out the dependent "
                "ones, or take the leading left singular vectors of B"
            )
    sign = torch.where(R.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(B)
    return Q * sign[..., None, :]


def principal_angles(
    A: Float[Tensor, "*batch n k"], B: Float[Tensor, "*batch n l"]
) -> Float[Tensor, "*batch min(k,l)"]:
    r"""$\theta_1 \le \theta_2 \le \dots$ between two subspaces, in radians, from 0 to $\pi/2$.

    With orthonormal bases, $\cos\theta_i$ are the singular values of $Q_A^\top Q_B$ and
    $\sin\theta_i$ those of $(I - Q_A Q_A^\top) Q_B$, where $B$ has the fewer columns. The cosine
    cannot tell angles below $10^{-8}$ (in float64) from 0, so those below $\pi/4$ come from the
    sine.

    Args:
        A, B: bases, as columns, orthonormal or not; batch dimensions broadcast.

    Raises:
        ValueError: if the columns of one of them are not independent.

    Source: Björck and Golub (1973), *Numerical methods for computing angles between linear
    subspaces*.

    >>> x, tilted = torch.tensor([[1.0], [0.0], [0.0]]), torch.tensor([[1.0], [1e-12], [0.0]])
    >>> principal_angles(x.double(), tilted.double())
    tensor([1.0000e-12], dtype=torch.float64)
    """
    cosine, sine = _cosines_and_sines(A, B)
    small = sine.square() <= 0.5
    # each branch is kept off the end where its slope is infinite: 0 * inf would be NaN
    by_sine = torch.where(small, sine, 0.0).asin()
    by_cosine = torch.where(small, 0.0, cosine).acos()
    return torch.where(small, by_sine, by_cosine)


def subspace_distance(
    A: Float[Tensor, "*batch n k"], B: Float[Tensor, "*batch n l"]
) -> Float[Tensor, "*batch"]:
    r"""$\sin\theta_{\max} = \|(I - Q_A Q_A^\top) Q_B\|_2$: 0 if one subspace contains the other.

    $\theta_{\max}$ is the largest of the principal angles. For subspaces of equal dimension it is
    the distance between the two projections, $\|P_A - P_B\|_2$.

    Source: Golub and Van Loan, *Matrix Computations*, on the distance between subspaces.

    >>> line = torch.tensor([[1.0], [0.0]])
    >>> subspace_distance(line, torch.tensor([[1.0], [1.0]])).square()
    tensor(0.5000)
    """
    return _cosines_and_sines(A, B)[1][..., -1]


class SpectralGap(NamedTuple):
    r"""Where singular values fall most, and by how much.

    Attributes:
        index: $k$, how many singular values stand before the fall, `(...)`.
        ratio: $s_k / s_{k+1}$, `(...)`.
    """

    index: Int[Tensor, "*batch"]  # type: ignore[assignment]
    ratio: Float[Tensor, "*batch"]


def spectral_gap(s: Float[Tensor, "*batch count"]) -> SpectralGap:
    r"""The $k$ with the largest $s_k / s_{k+1}$, and that ratio.

    The span of the first $k$ singular vectors is determined as well as the gap is wide: a change
    $E$ of the matrix turns it by at most about $\|E\| / (s_k - s_{k+1})$. A ratio of 1 says that
    there is no gap and no such subspace.

    Args:
        s: at least two singular values, the largest first. What is smaller than the rounding of
            the largest counts as that rounding.

    Source: Wedin (1972), *Perturbation bounds in connection with singular value decomposition*.

    >>> spectral_gap(torch.tensor([3.0, 2.0, 0.1, 0.05]))
    SpectralGap(index=tensor(2), ratio=tensor(20.))
    """
    ratio, index = _gaps(s).max(-1)
    return SpectralGap(index + 1, ratio)


def leading_basis(
    U: Float[Tensor, "*batch n count"], s: Float[Tensor, "*batch count"], k: int, min_gap: float = 2
) -> Float[Tensor, "*batch n k"]:
    r"""$u_1, \dots, u_k$, a basis of a subspace, with a warning where $s_k / s_{k+1}$ is small.

    Args:
        U, s: singular vectors and values, the largest first.
        k: how many; the gap after the last of `s` is not known, so $k$ = count passes unwarned.
        min_gap: the least $s_k / s_{k+1}$ without a warning.

    Raises:
        ValueError: if there are no $k$ of them.

    >>> leading_basis(torch.eye(3), torch.tensor([2.0, 1.0, 0.0]), k=1).T
    tensor([[1., 0., 0.]])
    """
    if s.shape[-1] != U.shape[-1]:
        raise ValueError(f"U has {U.shape[-1]} singular vectors, but s has {s.shape[-1]} values")
    if not 1 <= k <= U.shape[-1]:
        raise ValueError(f"k = {k}, but there are {U.shape[-1]} singular vectors: take 1 to that")
    if k < U.shape[-1]:
        ratio = _gaps(s)[..., k - 1]
        low = ratio < min_gap
        if low.any():
            warnings.warn(
                f"s_{k} / s_{k + 1} is {ratio.min().item():.3g} at the worst of "
                f"{ratio.numel()} points, and below min_gap = {min_gap} at {int(low.sum())} of "
                f"them: the span of the first {k} singular vectors is hardly determined there. "
                "Take the k of spectral_gap(s), or a lower noise level",
                RuntimeWarning,
                stacklevel=2,
            )
    return U[..., :k]


def numerical_rank(
    s: Float[Tensor, "*batch count"], size: int | None = None
) -> Int[Tensor, "*batch"]:
    r"""How many singular values exceed $s_1 \cdot \text{size} \cdot \varepsilon$, the rounding.

    Args:
        s: the largest first.
        size: the larger side of the matrix; the number of values if left out.

    >>> numerical_rank(torch.tensor([1.0, 0.1, 1e-9]))
    tensor(2)
    """
    floor = s[..., :1] * (size or s.shape[-1]) * torch.finfo(s.dtype).eps
    return (s > floor).sum(-1)


def _gaps(s: Tensor) -> Tensor:
    """All ratios of neighbours, `(..., count - 1)`."""
    if s.ndim == 0 or s.shape[-1] < 2:
        raise ValueError(
            f"s has shape {tuple(s.shape)}, but a gap is between two singular values: (..., count) "
            "with count >= 2 is needed"
        )
    if not inside_transform(s) and not (
        torch.isfinite(s).all() and (s >= 0).all() and (s[..., 1:] <= s[..., :-1]).all()
    ):
        raise ValueError("s must hold singular values: finite, not negative, the largest first")
    rounding = s[..., :1] * s.shape[-1] * torch.finfo(s.dtype).eps
    floored = s.maximum(rounding.clamp_min(torch.finfo(s.dtype).tiny))
    return floored[..., :-1] / floored[..., 1:]


def _cosines_and_sines(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """Of the principal angles, the smallest angle first."""
    same_kind("A", _as_columns(A, "A").mT, "B", _as_columns(B, "B").mT)
    if A.shape[-1] < B.shape[-1]:
        A, B = B, A
    A, B = orthonormal_basis(A), orthonormal_basis(B)
    common = A.mT @ B
    cosine = torch.linalg.svdvals(common)
    sine = torch.linalg.svdvals(B - A @ common).flip(-1)
    return cosine.clamp(0, 1), sine.clamp(0, 1)


def _as_columns(B: Tensor, name: str) -> Tensor:
    """`B` itself, if it is a floating-point matrix `(..., n, k)` without NaN or infinity."""
    if not isinstance(B, Tensor):
        raise TypeError(
            f"{name} must be a torch tensor of shape (..., n, k), but a {type(B).__name__} was "
            "given: wrap it in torch.as_tensor(...)"
        )
    if not B.is_floating_point():
        raise ValueError(f"{name} has dtype {B.dtype}, but a basis is real: use {name}.float()")
    if B.ndim < 2 or 0 in B.shape[-2:]:
        raise ValueError(
            f"{name} has shape {tuple(B.shape)}, but a basis of k vectors in R^n is a matrix of "
            "columns (..., n, k), k >= 1: one vector v is v[..., None]"
        )
    if B.shape[-1] > B.shape[-2]:
        raise ValueError(
            f"{name} has shape {tuple(B.shape)}: {B.shape[-1]} vectors cannot be independent in "
            f"R^{B.shape[-2]}. Vectors are the columns, perhaps {name}.mT is meant"
        )
    if not inside_transform(B) and not torch.isfinite(B).all():
        raise ValueError(f"{name} holds NaN or infinite numbers")
    return B
