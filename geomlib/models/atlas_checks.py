r"""Checks that an atlas is one: what it covers, whether its charts are charts, how they agree.

All look at sample points. A sample can refute each property, and prove none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from geomlib.models.atlas import AtlasModel
from geomlib.models.nerve import check_samples, covered_points
from geomlib.models.validation import check_rows
from geomlib.riemann.derivatives import value_and_jacobian
from geomlib.riemann.validation import as_points

__all__ = [
    "ChartError",
    "Consistency",
    "Coverage",
    "Injectivity",
    "coverage",
    "injectivity",
    "sup_error",
    "transition_consistency",
]

AT_ONCE = 512  # rows of a distance matrix


@dataclass(frozen=True)
class Coverage:
    """Which sample points the charts cover.

    Attributes:
        fraction: of the points that lie in one chart or more.
        per_chart: how many points lie in each chart.
        multiplicity: how many points lie in 0, 1, ..., K charts.
        uncovered: the numbers of the points in no chart.
    """

    fraction: float
    per_chart: tuple[int, ...]
    multiplicity: tuple[int, ...]
    uncovered: tuple[int, ...]

    @property
    def empty_charts(self) -> tuple[int, ...]:
        """Charts that no point lies in."""
        return tuple(i for i, count in enumerate(self.per_chart) if count == 0)

    def __repr__(self) -> str:
        text = f"Coverage: {self.fraction:.1%} of the points, {list(self.per_chart)} in each chart"
        return text + (f"; charts {list(self.empty_charts)} are empty" * bool(self.empty_charts))


def coverage(model: AtlasModel, x: Float[Tensor, "count n"], tolerance: float) -> Coverage:
    r"""The part of the sample in $\bigcup_i U_i$, with $U_i$ as `AtlasModel.covers` sees it.

    Args:
        model: the atlas.
        x: sample points.
        tolerance: the largest error of a chart that counts as good, in the units of x.

    >>> from geomlib.models.explicit_atlases import circle_atlas
    >>> t = torch.linspace(-3, 3, 61)
    >>> coverage(circle_atlas(), torch.stack([t.cos(), t.sin()], dim=1), 1e-3)
    Coverage: 100.0% of the points, [47, 46] in each chart
    """
    covered = covered_points(model, x, tolerance)
    how_many = covered.sum(1)
    return Coverage(
        fraction=float((how_many > 0).mean()),
        per_chart=tuple(covered.sum(0).tolist()),
        multiplicity=tuple(np.bincount(how_many, minlength=model.n_charts + 1).tolist()),
        uncovered=tuple(np.flatnonzero(how_many == 0).tolist()),
    )


@dataclass(frozen=True)
class ChartError:
    r"""Errors $\|x - D_i(E_i(x))\|$ in the most probable chart, in the units of x.

    Attributes:
        largest: over the points that lie in a chart.
        where: the number of the point where it is reached.
        root_mean_square: over the same points.
        outside: how many points lie outside every chart, and have no error.
    """

    largest: float
    where: int
    root_mean_square: float
    outside: int

    def __repr__(self) -> str:
        return (
            f"ChartError: at most {self.largest:.3g} (point {self.where}), "
            f"root mean square {self.root_mean_square:.3g}"
            + f"; {self.outside} points lie outside every chart"
            * bool(self.outside)
        )


def sup_error(model: AtlasModel, x: Float[Tensor, "count n"]) -> ChartError:
    r"""$\max_x \|x - D_i(E_i(x))\|$ over the sample, with $i$ the most probable chart of x.

    The mean hides a cut in the manifold; the largest error does not. On the unit circle one
    continuous chart has an error of 1 or more somewhere, by the Borsuk-Ulam theorem.

    Raises:
        ValueError: if no point lies in a chart.

    >>> from geomlib.models.explicit_atlases import circle_atlas
    >>> t = torch.linspace(-3, 3, 61)
    >>> sup_error(circle_atlas(), torch.stack([t.cos(), t.sin()], dim=1)).largest < 1e-6
    True
    """
    check_samples(model, x)
    with torch.no_grad():
        inside = model.probabilities(x).sum(-1) > 0
        if not inside.any():
            raise ValueError("no point lies in a chart, so there is no error to measure")
        points = x[inside]
        error = (points - model.reconstruct(points)).norm(dim=-1)
    worst = int(error.argmax())
    return ChartError(
        largest=float(error[worst]),
        where=int(inside.nonzero()[worst, 0]),
        root_mean_square=float(error.square().mean().sqrt()),
        outside=int((~inside).sum()),
    )


@dataclass(frozen=True)
class Injectivity:
    r"""How far the decoder of a chart is from gluing or flattening its domain.

    Attributes:
        ratio: the least $\|D(z) - D(w)\| / \|z - w\|$ of two codes, ambient over latent units.
        pair: the numbers of these two codes.
        stretch: the largest ratio.
        singular_value: the least singular value of the Jacobian at a code.
        rank: the least rank of the Jacobian: singular values above `threshold` of the largest.
        threshold: ratios below `threshold * stretch` count as zero.
    """

    ratio: float
    pair: tuple[int, int]
    stretch: float
    singular_value: float
    rank: int
    latent_dim: int
    threshold: float

    @property
    def injective(self) -> bool:
        """Whether no two codes are mapped together."""
        return self.ratio > self.threshold * self.stretch

    @property
    def immersion(self) -> bool:
        """Whether the Jacobian has full rank at all codes."""
        return self.rank == self.latent_dim

    def __repr__(self) -> str:
        verdict = (
            "injective" if self.injective else f"not injective: codes {self.pair} fall together"
        )
        return (
            f"Injectivity: {verdict}; ratios {self.ratio:.3g} to {self.stretch:.3g}, "
            f"rank {self.rank} of {self.latent_dim}"
        )


def injectivity(
    model: AtlasModel, i: int, z: Float[Tensor, "count d"], *, threshold: float = 1e-2
) -> Injectivity:
    r"""$\min_{z \ne w} \|D_i(z) - D_i(w)\| / \|z - w\|$ over all pairs of codes in $Z_i$.

    Zero means that $D_i$ glues two codes together; with the largest ratio it bounds from above how
    well conditioned the chart is. Close pairs measure the Jacobian, far ones the embedding: an
    injective immersion such as the figure eight has full rank everywhere and a ratio near 0.

    Args:
        model: the atlas.
        i: the chart.
        z: codes, two or more of them in the domain $Z_i$; the others are left out. Say,
            `model.encode_chart(i, x[covered])`.
        threshold: what counts as zero, as a part of the largest ratio.

    Raises:
        ValueError: if fewer than two codes lie in the domain.

    Source: Alberti et al., *Manifold Learning by Mixture Models of VAEs for Inverse Problems*,
    JMLR 25(202), 2024, for why the decoders of charts must be injective.

    >>> from geomlib.models.explicit_atlases import circle_atlas
    >>> injectivity(circle_atlas(), 0, torch.linspace(-2, 2, 50)[:, None])
    Injectivity: injective; ratios 0.455 to 1, rank 1 of 1
    """
    model.check_chart(i)
    check_rows(as_points(z, "z"), model.latent_dim, "z")
    if not 0 < threshold < 1:
        raise ValueError(f"threshold = {threshold}, but it must be in (0, 1)")
    with torch.no_grad():
        number = model.in_domain(i, z).nonzero()[:, 0]
        if len(number) < 2:
            raise ValueError(
                f"{len(number)} of {len(z)} codes lie in the domain of chart {i}, but a pair is "
                "needed: give codes from model.encode_chart(i, x) for points x that it covers"
            )
        codes = z[number]
        points, jacobian = value_and_jacobian(lambda c: model.decode_chart(i, c), codes)
        singular = torch.linalg.svdvals(jacobian)
        least, pair, most = _ratios(codes, points)
    first, second = (int(number[p]) for p in pair)
    return Injectivity(
        ratio=least,
        pair=(first, second),
        stretch=most,
        singular_value=float(singular[:, -1].min()),
        rank=int((singular > threshold * singular.max()).sum(-1).min()),
        latent_dim=model.latent_dim,
        threshold=threshold,
    )


def _ratios(codes: Tensor, points: Tensor) -> tuple[float, tuple[int, int], float]:
    """The least and the largest distance of images over that of codes, and the pair of the first.

    Two codes that are equal to rounding are no pair.
    """
    least, pair, most = float("inf"), (0, 0), 0.0
    close = 100 * torch.finfo(codes.dtype).eps * codes.abs().max()
    for start in range(0, len(codes), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        latent = _distances(codes[rows], codes)
        ratio = _distances(points[rows], points) / latent
        apart = latent > close
        low = torch.where(apart, ratio, torch.inf)
        if float(low.min()) < least:
            where = int(low.argmin())
            least = float(low.min())
            pair = (start + where // len(codes), where % len(codes))
        most = max(most, float(torch.where(apart, ratio, 0.0).max()))
    return least, pair, most


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # not by ‖a‖² + ‖b‖² - 2ab: close points are what is looked for
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


@dataclass(frozen=True)
class Consistency:
    r"""How well the charts agree on their overlaps, in ambient units.

    Attributes:
        cocycle: the largest $\|D_k\tau_{jk}\tau_{ij}(z) - D_k\tau_{ik}(z)\|$, $z = E_i(x)$.
        worst: the triple $(i, j, k)$ that it belongs to, or None if no three charts meet.
        round_trip: the largest $\|D_i\tau_{ji}\tau_{ij}(z) - D_i(z)\|$, the case $k = i$.
        latent: the largest $|E_i(D_i(z)) - z|$, in latent units.
        pairs, triples: how many overlaps were looked at.
        tolerance: which each chart was held to.
    """

    cocycle: float
    worst: tuple[int, int, int] | None
    round_trip: float
    latent: float
    pairs: int
    triples: int
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether going round is off by no more than the charts on the way: three tolerances."""
        return max(self.cocycle, self.round_trip) <= 3 * self.tolerance

    def __repr__(self) -> str:
        return (
            f"Consistency: {'holds' if self.holds else 'fails'}; cocycle {self.cocycle:.3g} over "
            f"{self.triples} triples, round trip {self.round_trip:.3g} over {self.pairs} pairs"
        )


def transition_consistency(
    model: AtlasModel, x: Float[Tensor, "count n"], tolerance: float
) -> Consistency:
    r"""$\tau_{jk} \circ \tau_{ij} = \tau_{ik}$ where three charts meet: the cocycle condition.

    With $\tau_{ij} = E_j \circ D_i$ it holds exactly if each $E_i D_i$ and $D_i E_i$ is the
    identity; learned charts miss it by about their errors. Points where a way round ends at NaN
    count as infinitely wrong.

    Args:
        model: the atlas.
        x: sample points.
        tolerance: as in `AtlasModel.covers`.

    >>> from geomlib.models.explicit_atlases import circle_atlas
    >>> t = torch.linspace(-3, 3, 61).double()
    >>> circle = torch.stack([t.cos(), t.sin()], dim=1)
    >>> found = transition_consistency(circle_atlas(3, reach=2.5), circle, 1e-6)
    >>> found.holds, found.pairs, found.triples
    (True, 6, 6)
    """
    covered = torch.as_tensor(covered_points(model, x, tolerance))
    cocycle, worst, round_trip, latent, pairs, triples = 0.0, None, 0.0, 0.0, 0, 0
    with torch.no_grad():
        for i in range(model.n_charts):
            if covered[:, i].any():
                z = model.encode_chart(i, x[covered[:, i]])
                latent = max(latent, _largest(model.transition(i, i, z) - z))
        for i, j, k in product(range(model.n_charts), repeat=3):
            both = covered[:, [i, j, k]].all(1)
            if j in (i, k) or not both.any():
                continue
            z = model.encode_chart(i, x[both])
            round_about = model.transition(j, k, model.transition(i, j, z))
            direct = z if i == k else model.transition(i, k, z)
            apart = _largest(model.decode_chart(k, round_about) - model.decode_chart(k, direct))
            if i == k:
                pairs, round_trip = pairs + 1, max(round_trip, apart)
            else:
                triples += 1
                if worst is None or apart > cocycle:
                    cocycle, worst = apart, (i, j, k)
    return Consistency(cocycle, worst, round_trip, latent, pairs, triples, tolerance)


def _largest(difference: Tensor) -> float:
    return float(difference.norm(dim=-1).nan_to_num(torch.inf).max())
