r"""Editing in the noisy space of a diffusion model by what its bottleneck sees.

At one noise level, the bottleneck map $h: X \to H$ has a Jacobian $J = U \Lambda V^\top$ at each
sample $x$. The right singular vectors $v_i \in T_xX$ are the directions in which $h$ changes most,
the $u_i \in T_{h(x)}H$ what it changes to. The metric that $h$ pulls back, $\|v\|^2 = \|Jv\|^2$, is
degenerate where $X$ has more dimensions than $h$ has rank: all vectors here are taken in the span
of the $v_i$, orthogonal to what $h$ does not see.

All of it takes place between $X$ and $H$ at *one* noise level, not between noise levels; how an
edit looks in the end is for the remaining steps to say.

Source: Park, Kwon, Choi, Jo and Uh, *Understanding the Latent Space of Diffusion Models through the
Lens of Riemannian Geometry* (NeurIPS 2023); transport by re-projection as in Shao, Kumar and
Fletcher (2018), *The Riemannian Geometry of Deep Generative Models*.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from geomlib.riemann.products import evaluate
from geomlib.riemann.singular import singular_triples
from geomlib.riemann.subspaces import numerical_rank
from geomlib.riemann.validation import as_points, same_kind

__all__ = ["LocalBasis", "Path", "bridge", "edit", "shoot", "transport"]

MIN_GAP = 1.05
MIN_SHARE = 0.1  # of a vector that should survive a projection

Map = Callable[[Tensor], Tensor]


class LocalBasis:
    r"""$J_h(x)\, v_i = s_i u_i$, the $k$ leading triples of a bottleneck map at one noise level.

    Attributes:
        U: $u_1, \dots, u_k \in T_{h(x)}H$, orthonormal columns, `(..., m, k)`.
        S: $s_1 \ge \dots \ge s_k$, `(..., k)`.
        V: $v_1, \dots, v_k \in T_xX$, orthonormal columns, `(..., n, k)`.
        gaps: $s_i / s_{i+1}$ for $i = 1, \dots, k$, `(..., k)`; the last one is infinite where
            there is no further singular value.

    Args:
        h: the map, of points `(B, n)` to `(B, m)`; for a `DiffusionModel`
            `lambda x: model.bottleneck_map(x, sigma)`.
        x: samples at that noise level, `(..., n)`.
        k: how many directions.
        min_gap: the least $s_i / s_{i+1}$ with which $v_i$ has a name of its own.

    Raises:
        ValueError: if $k$ exceeds $\min(n, m)$.

    Warns if $s_k / s_{k+1}$ is below `min_gap`, since then not even the span is determined, and if
    $k$ exceeds the rank.

    >>> h = lambda x: torch.stack([3 * x[..., 2], x[..., 0]], -1)
    >>> basis = LocalBasis(h, torch.zeros(3), k=1)
    >>> basis.S, basis.V.T.abs(), basis.U.T.abs(), basis.gaps
    (tensor([3.]), tensor([[0., 0., 1.]]), tensor([[1., 0.]]), tensor([3.]))
    """

    def __init__(
        self,
        h: Map,
        x: Float[Tensor, "*batch n"],
        k: int,
        *,
        min_gap: float = MIN_GAP,
        seed: int = 0,
    ):
        as_points(x, "x")
        self.h, self.x, self.k, self.min_gap, self.seed = h, x, k, min_gap, seed
        m = evaluate(h, x.detach().reshape(-1, x.shape[-1])).shape[-1]
        beyond = k < min(x.shape[-1], m)  # one more, to see the gap after the last
        with warnings.catch_warnings():
            # whether the one beyond is of full rank does not matter
            warnings.filterwarnings("ignore", message="k = .* singular triples", append=False)
            found = singular_triples(h, x, k + 1 if beyond else k, seed=seed)
        self.U, self.S, self.V = found.U[..., :k], found.S[..., :k], found.V[..., :k]
        self.gaps = _ratios(found.S, k)
        self._warn(max(x.shape[-1], m))

    def direction(self, i: int) -> Float[Tensor, "*batch n"]:
        r"""$v_i$, counted from 0, of unit length in $X$; its sign is arbitrary.

        Warns where $s_i$ is close to a neighbour: $v_i$ may then be any mixture of theirs.
        """
        if not 0 <= i < self.k:
            raise ValueError(f"direction {i}, but this basis has the directions 0 to {self.k - 1}")
        gap = self.gaps[..., i]
        if i:
            gap = gap.minimum(self.gaps[..., i - 1])
        if (gap < self.min_gap).any():
            warnings.warn(
                f"singular value {i} is within a factor {gap.min().item():.3g} of a neighbour, "
                f"below min_gap = {self.min_gap}, at {int((gap < self.min_gap).sum())} of "
                f"{gap.numel()} samples: the direction has no name of its own there, only the span "
                "of both has",
                RuntimeWarning,
                stacklevel=2,
            )
        return self.V[..., i]

    def project(self, v: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        r"""$V V^\top v$: the part of a vector of $X$ that the basis sees."""
        return _apply(self.V, _coordinates(self.V, v))

    def push(self, v: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        r"""$U \Lambda V^\top v \in T_{h(x)}H$: what $h$ makes of a vector of $X$."""
        return _apply(self.U, self.S * _coordinates(self.V, v))

    def lift(self, u: Float[Tensor, "*batch m"]) -> Float[Tensor, "*batch n"]:
        r"""$V \Lambda^{-1} U^\top u$: the shortest vector that `push` takes to $U U^\top u$."""
        return _apply(self.V, _coordinates(self.U, u) / self.S)

    def norm(self, v: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        r"""$\|J v\|$, the length of a vector in the pull-back metric, in units of $H$."""
        return (self.S * _coordinates(self.V, v)).norm(dim=-1)

    def _warn(self, size: int) -> None:
        if not self.S.numel():
            return
        rank = int(numerical_rank(self.S, size).min())
        if rank < self.k:
            warnings.warn(
                f"k = {self.k} directions were asked for, but h has rank {rank} at some samples: "
                f"the others are arbitrary, and no vector is lifted along them. Take k = {rank}",
                RuntimeWarning,
                stacklevel=3,
            )
        elif (self.gaps[..., -1] < self.min_gap).any():
            warnings.warn(
                f"s_{self.k} / s_{self.k + 1} is {self.gaps[..., -1].min().item():.3g}, below "
                f"min_gap = {self.min_gap}, at some samples: the span of {self.k} directions is "
                "hardly determined there; see .gaps for a better k",
                RuntimeWarning,
                stacklevel=3,
            )


class Path(NamedTuple):
    r"""A path in $X$, and how it was made.

    Attributes:
        points: its nodes, `(..., N + 1, n)`.
        velocity: the tangent vector at the last node, `(..., n)`.
        kept: the least share of a vector's length that a projection left over, `(...)`. Near 1 the
            bases turn little from node to node.
    """

    points: Float[Tensor, "*batch N+1 n"]
    velocity: Float[Tensor, "*batch n"]
    kept: Float[Tensor, "*batch"]


def edit(
    x: Float[Tensor, "*batch n"],
    direction: Float[Tensor, "*batch n"],
    size: float | Float[Tensor, "*batch"],
    steps: Iterable[Map] = (),
) -> Float[Tensor, "*batch n"]:
    r"""$x + \text{size} \cdot v / \|v\|$ at one noise level, then all `steps` from there.

    The sum is not rescaled to the norm or the variance that x had: keep the size small against
    $\sigma\sqrt n$, or the sample leaves the noise level that the steps expect.

    Args:
        x: samples at the noise level of the edit.
        direction: $v$, such as `basis.direction(0)`.
        size: how far, in units of $X$; negative goes the other way.
        steps: the remaining denoising steps, in the order in which they are applied.

    Raises:
        ValueError: if the direction is zero, or does not fit.

    >>> edit(torch.zeros(2), torch.tensor([0.0, 2.0]), 3.0, [lambda x: x + 1])
    tensor([1., 4.])
    """
    same_kind("x", as_points(x, "x"), "direction", as_points(direction, "direction"))
    length = direction.norm(dim=-1, keepdim=True)
    if (length == 0).any():
        raise ValueError("the direction is zero at some samples: there is nowhere to go")
    x = x + torch.as_tensor(size).to(x)[..., None] * direction / length
    for step in steps:
        x = step(x)
    return x


def transport(
    v: Float[Tensor, "*batch n"], start: LocalBasis, end: LocalBasis
) -> Float[Tensor, "*batch n"]:
    r"""$v' = V' \Lambda'^{-1} c$ with $c \propto U'^\top u$, $\|c\| = \|u\|$, where $u = J v$.

    The vector is pushed to $H$ by $J = U \Lambda V^\top$, projected on the span of $U'$ there,
    given back its length, and lifted to $X$ at the other sample. Along a path of small steps this
    tends to parallel transport of the pull-back metric as far as the bases span its tangent spaces;
    between two samples far apart, as Park et al. use it, it is an approximation.

    Args:
        v: vectors at `start.x`; what lies outside the span of `start.V` is dropped.
        start, end: bases at both samples, of the same map.

    Warns where less than a tenth of the vector survives the projection.

    Raises:
        ValueError: if the two bases are not of the same spaces, or nothing survives.

    >>> stretch = LocalBasis(lambda x: x * torch.tensor([2.0, 1.0]), torch.zeros(2), k=2)
    >>> squeeze = LocalBasis(lambda x: x * torch.tensor([0.5, 1.0]), torch.zeros(2), k=2)
    >>> transport(torch.tensor([1.0, 0.0]), stretch, squeeze)
    tensor([4., 0.])
    """
    moved, kept = _transport(v, start, end)
    if (kept < MIN_SHARE).any():
        warnings.warn(
            f"only {kept.min().item():.2g} of a vector's length lies in the span of the other "
            f"sample's {end.k} directions (at {int((kept < MIN_SHARE).sum())} of {kept.numel()} "
            "samples): the direction has hardly a counterpart there",
            RuntimeWarning,
            stacklevel=2,
        )
    return moved


def _transport(v: Tensor, start: LocalBasis, end: LocalBasis) -> tuple[Tensor, Tensor]:
    same_kind("v", as_points(v, "v"), "start.x", start.x)
    if start.U.shape[-2] != end.U.shape[-2]:
        raise ValueError(
            f"start is a basis of R^{start.U.shape[-2]} but end one of R^{end.U.shape[-2]}: both "
            "must belong to the same map h"
        )
    u = start.push(v)
    c = _coordinates(end.U, u)
    length, left = u.norm(dim=-1), c.norm(dim=-1)
    if (left == 0).any():
        raise ValueError(
            "a vector has no part in the span of the other basis, or was zero to begin with: "
            "there is nothing to transport"
        )
    return _apply(end.V, c * (length / left)[..., None] / end.S), left / length


def shoot(
    h: Map,
    x: Float[Tensor, "*batch n"],
    v: Float[Tensor, "*batch n"],
    k: int,
    *,
    steps: int = 16,
    min_gap: float = 1.0,
) -> Path:
    r"""Geodesic shooting in the pull-back metric of $h$: $x_{j+1} = x_j + v_j / N$.

    Each $v_{j+1}$ is $v_j$ transported to the local basis at $x_{j+1}$, so that all of them have
    the length $\|J v\|$ in $H$. A geodesic where the $k$ directions are all that $h$ sees; the
    error falls in proportion to $1/N$. Compare with the straight line $x + v$.

    Args:
        h: the bottleneck map at the noise level of x.
        v: the initial velocity: the path is about $\|J v\|$ long, in units of $H$.
        k: how many directions each basis has, the rank of $h$ at most.
        steps: $N$.
        min_gap: as for `LocalBasis`; by default no gap is asked for.

    Source: Shao, Kumar and Fletcher (2018), on geodesic shooting by re-projection; Park et al.
    (2023) for diffusion models.

    >>> path = shoot(lambda x: 2 * x, torch.zeros(2), torch.tensor([1.0, 0.0]), k=2)
    >>> path.points[-1].round(decimals=4) + 0
    tensor([1., 0.])
    """
    _check_steps(steps)
    basis = LocalBasis(h, x, k, min_gap=min_gap)
    v = basis.project(v)
    points, kept = [x.expand_as(v)], torch.ones_like(v[..., 0])
    for _ in range(steps):
        points.append(points[-1] + v / steps)
        following = LocalBasis(h, points[-1], k, min_gap=min_gap)
        v, share = _transport(v, basis, following)
        basis, kept = following, kept.minimum(share)
    return Path(torch.stack(points, -2), v, kept)


def bridge(
    h: Map,
    a: Float[Tensor, "*batch n"],
    b: Float[Tensor, "*batch n"],
    k: int,
    *,
    steps: int = 16,
    min_gap: float = 1.0,
) -> Path:
    r"""From $a$ towards $h(b)$: a path in $X$ whose image in $H$ is straight, as far as it can be.

    At each node the remaining difference $h(b) - h(x_j)$ is lifted by the local basis, and the path
    takes its share $1/(N - j)$ of it. It ends where $h$ looks as at $b$, seldom at $b$ itself:
    what $h$ does not see stays as in $a$. Where $h$ cannot go straight (its image is curved), the
    path ends short of $h(b)$: look at `h(path.points[..., -1, :]) - h(b)`. The straight line from
    $a$ to $b$ in $X$ is `Curve.straight(a, b, PullbackMetric(h))`, and `Curve(path.points,
    PullbackMetric(h))` measures this one.

    Args:
        h: the bottleneck map at the noise level of a and b.
        a, b: samples at that level.
        k: how many directions each basis has.
        steps: $N$.
        min_gap: as for `LocalBasis`; by default no gap is asked for.

    >>> path = bridge(lambda x: x[..., :2] ** 3, torch.ones(3), torch.full((3,), 2.0), k=2)
    >>> path.points[-1].round(decimals=1)
    tensor([2., 2., 1.])
    """
    _check_steps(steps)
    same_kind("a", as_points(a, "a"), "b", as_points(b, "b"))
    a, b = torch.broadcast_tensors(a, b)
    target = _value(h, b)
    points, kept = [a], torch.ones_like(a[..., 0])
    v = torch.zeros_like(a)
    for j in range(steps):
        basis = LocalBasis(h, points[-1], k, min_gap=min_gap)
        ahead = target - _value(h, points[-1])
        v = basis.lift(ahead)
        length = ahead.norm(dim=-1)
        share = _coordinates(basis.U, ahead).norm(dim=-1) / length.clamp_min(1e-30)
        kept = torch.where(length > 0, kept.minimum(share), kept)
        points.append(points[-1] + v / (steps - j))
    return Path(torch.stack(points, -2), v, kept)


def _value(h: Map, x: Tensor) -> Tensor:
    return evaluate(h, x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)


def _coordinates(frame: Tensor, v: Tensor) -> Tensor:
    return (frame.mT @ v[..., None])[..., 0]


def _apply(frame: Tensor, c: Tensor) -> Tensor:
    return (frame @ c[..., None])[..., 0]


def _ratios(s: Tensor, k: int) -> Tensor:
    floored = s.clamp_min(torch.finfo(s.dtype).tiny)
    ratios = floored[..., :-1] / floored[..., 1:]
    return ratios if s.shape[-1] > k else F.pad(ratios, (0, 1), value=torch.inf)


def _check_steps(steps: int) -> None:
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps = {steps}, but a path has a whole number of steps, at least 1")
