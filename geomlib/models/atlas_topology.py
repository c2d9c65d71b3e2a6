"""What overlaps of charts say: can the manifold be oriented, and can its nerve be trusted?"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

from geomlib.models.atlas import AtlasModel
from geomlib.models.nerve import Cell, NeighbourGraph, Nerve, gudhi, multinerve
from geomlib.riemann.derivatives import value_and_jacobian

__all__ = ["GoodCover", "Orientability", "Overlap", "good_cover", "orientability"]


@dataclass(frozen=True)
class Overlap:
    r"""One connected piece of $U_i \cap U_j$.

    Attributes:
        charts: $i < j$.
        size: sample points in the piece.
        sign: of $\det J_{\tau_{ij}}$, 1 or -1, at most of the points.
        agreement: the part of the points that have this sign; 1 for a diffeomorphism.
    """

    charts: tuple[int, int]
    size: int
    sign: int
    agreement: float


@dataclass(frozen=True)
class Orientability:
    """Whether charts can be mirrored so that all transitions keep the orientation.

    Attributes:
        orientable: the answer, for what the charts cover and the overlaps that were found.
        signs: 1 to keep a chart and -1 to mirror it; 0 for a chart without points. None if the
            manifold is not orientable, or a chart falls into pieces of opposite signs.
        overlaps: the pieces that the answer rests on.
        cycle: if it is not orientable, pieces around which an odd number of transitions reverses
            the orientation: the witness.
    """

    orientable: bool
    signs: tuple[int, ...] | None
    overlaps: tuple[Overlap, ...]
    cycle: tuple[Overlap, ...]

    @property
    def agreement(self) -> float:
        """The least agreement of signs within one piece: far below 1, the answer means little."""
        return min((overlap.agreement for overlap in self.overlaps), default=1.0)

    def __repr__(self) -> str:
        if self.orientable:
            text = f"Orientability: orientable, {len(self.overlaps)} overlaps"
        else:
            way = ", ".join(f"{o.charts} {'+-'[o.sign < 0]}" for o in self.cycle)
            text = f"Orientability: not orientable, around the overlaps {way}"
        weak = f"; signs agree at {self.agreement:.0%} of the points only"
        return text + weak * (self.agreement < 0.95)


def orientability(
    model: AtlasModel,
    x: Float[Tensor, "count n"],
    tolerance: float,
    *,
    k: int = 15,
    smallest: int = 3,
) -> Orientability:
    r"""Signs $s_i$ with $s_i s_j \det J_{\tau_{ij}} > 0$ on all overlaps, or a cycle that forbids
    them.

    The determinant has one sign on each connected piece of an overlap. Charts (their pieces, if
    they have several) are coloured along a spanning tree, and every further overlap must agree.

    Args:
        model: the atlas.
        x: sample points.
        tolerance, k, smallest: as in `multinerve`, which finds the pieces.

    Raises:
        ValueError: if there are not more points than neighbours.

    Source: Lee, *Introduction to Smooth Manifolds* (2013), proposition 15.6, for orientation by
    consistently oriented charts.

    >>> from geomlib.models.explicit_atlases import circle_atlas
    >>> t = torch.linspace(0, 6.28, 200)
    >>> orientability(circle_atlas(), torch.stack([t.cos(), t.sin()], dim=1), 1e-3)
    Orientability: orientable, 2 overlaps
    """
    nerve = multinerve(model, x, tolerance, max_dimension=1, k=k, smallest=smallest)
    pieces = [cell for cell in nerve.cells if cell.dimension == 0]
    joins = [_Join.of(model, x, cell, pieces) for cell in nerve.cells if cell.dimension == 1]
    signs, cycle = _colour(len(pieces), joins)
    overlaps = tuple(join.overlap for join in joins)
    if cycle:
        return Orientability(False, None, overlaps, tuple(join.overlap for join in cycle))
    by_chart = [
        {sign for piece, sign in zip(pieces, signs, strict=True) if piece.charts == (i,)}
        for i in range(model.n_charts)
    ]
    one_each = all(len(found) <= 1 for found in by_chart)
    chosen = tuple(next(iter(found), 0) for found in by_chart) if one_each else None
    return Orientability(True, chosen, overlaps, ())


@dataclass(frozen=True)
class _Join:
    """An overlap as an edge between two pieces of charts, given by number."""

    overlap: Overlap
    ends: tuple[int, int]

    @classmethod
    def of(cls, model: AtlasModel, x: Tensor, cell: Cell, pieces: list[Cell]) -> _Join:
        i, j = cell.charts
        with torch.no_grad():
            z = model.encode_chart(i, x[torch.as_tensor(cell.points)])
            _, jacobian = value_and_jacobian(lambda c: model.transition(i, j, c), z)
            positive = torch.linalg.det(jacobian) > 0
        share = float(positive.double().mean())
        overlap = Overlap((i, j), len(z), 1 if share >= 0.5 else -1, max(share, 1 - share))
        first, second = (
            next(
                number
                for number, piece in enumerate(pieces)
                if piece.charts == (chart,) and cell.points[0] in piece.points
            )
            for chart in (i, j)
        )
        return cls(overlap, (first, second))


def _colour(count: int, joins: list[_Join]) -> tuple[list[int], list[_Join]]:
    """A sign for each piece along spanning trees, and a cycle of joins that contradict, or none."""
    signs = [0] * count
    reached_by: dict[int, _Join | None] = {}
    for root in range(count):
        if signs[root]:
            continue
        signs[root], reached_by[root] = 1, None
        waiting = deque([root])
        while waiting:
            here = waiting.popleft()
            for join in joins:
                if here not in join.ends:
                    continue
                there = join.ends[1] if join.ends[0] == here else join.ends[0]
                wanted = signs[here] * join.overlap.sign
                if not signs[there]:
                    signs[there], reached_by[there] = wanted, join
                    waiting.append(there)
                elif signs[there] != wanted:
                    return signs, _cycle(join, reached_by)
    return signs, []


def _cycle(closing: _Join, reached_by: dict[int, _Join | None]) -> list[_Join]:
    """The joins on the way through the tree between the ends of `closing`, and itself."""

    def to_root(piece: int) -> list[_Join]:
        way = []
        while (join := reached_by[piece]) is not None:
            way.append(join)
            piece = join.ends[1] if join.ends[0] == piece else join.ends[0]
        return way

    first, second = (to_root(end) for end in closing.ends)
    while first and second and first[-1] is second[-1]:
        first.pop(), second.pop()
    return [*first, *reversed(second), closing]


@dataclass(frozen=True)
class GoodCover:
    """Whether the pieces of a multinerve have no holes, so that its Betti numbers can be trusted.

    Attributes:
        holes: pieces with a hole, and how many holes each has.
        pieces: how many were looked at.
    """

    holes: tuple[tuple[Cell, int], ...]
    pieces: int

    @property
    def good(self) -> bool:
        """Whether no hole was found."""
        return not self.holes

    def __repr__(self) -> str:
        if self.good:
            return f"GoodCover: no hole in {self.pieces} pieces"
        found = ", ".join(f"{count} in charts {cell.charts}" for cell, count in self.holes)
        return f"GoodCover: holes in {len(self.holes)} of {self.pieces} pieces: {found}"


def good_cover(
    nerve: Nerve,
    x: Float[Tensor, "count n"],
    *,
    k: int = 15,
    landmarks: int = 60,
    persistence: float = 3.0,
) -> GoodCover:
    r"""Which pieces of a multinerve have $b_1 > 0$, by persistent homology.

    Of each piece the first homology is taken in the Vietoris-Rips filtration of some well spread
    landmarks, at distances along the neighbour graph of the piece. A hole is a class whose death
    is `persistence` times its birth or more. Higher homology is not looked at; pieces of a surface
    have none.

    Args:
        nerve: from `multinerve`.
        x: the sample points that it was made of.
        k: neighbours, as there.
        landmarks: at most so many points of each piece.
        persistence: the ratio above which a class counts.

    Raises:
        ImportError: if gudhi is not installed.

    Source: Edelsbrunner and Harer, *Computational Topology* (2010), chapter VII.

    >>> from geomlib.models.explicit_atlases import sphere_atlas
    >>> sphere = torch.nn.functional.normalize(torch.randn(1000, 3), dim=1)
    >>> nerve = multinerve(sphere_atlas(), sphere, 1e-3)
    >>> nerve.betti(), good_cover(nerve, sphere)
    ((1, 0, 0), GoodCover: holes in 1 of 3 pieces: 1 in charts (0, 1))
    """
    if landmarks < 4 or not persistence > 1:
        raise ValueError(
            f"good_cover needs landmarks >= 4 and persistence > 1, but got landmarks={landmarks}, "
            f"persistence={persistence}"
        )
    largest = max((int(cell.points[-1]) for cell in nerve.cells), default=-1)
    if largest >= len(x):
        raise ValueError(f"the nerve holds point {largest}, but x has {len(x)}: give the same x")
    graph = NeighbourGraph(x, k)
    holes = []
    for cell in nerve.cells:
        distances = _along(graph, cell.points, landmarks)
        count = _persistent_loops(distances, persistence)
        if count:
            holes.append((cell, count))
    return GoodCover(tuple(holes), len(nerve.cells))


def _along(graph: NeighbourGraph, points: np.ndarray, landmarks: int) -> np.ndarray:
    """Graph distances within a piece between landmarks, each the farthest from those before."""
    part = graph.edges[points][:, points]
    chosen, rows = [0], [dijkstra(part, directed=False, indices=0)]
    nearest = rows[0].copy()
    while len(chosen) < min(landmarks, len(points)):
        chosen.append(int(nearest.argmax()))
        rows.append(dijkstra(part, directed=False, indices=chosen[-1]))
        nearest = np.minimum(nearest, rows[-1])
    return np.stack(rows)[:, chosen]


def _persistent_loops(distances: np.ndarray, persistence: float) -> int:
    rips = gudhi().RipsComplex(distance_matrix=distances)
    tree = rips.create_simplex_tree(max_dimension=1)
    tree.collapse_edges()
    tree.expansion(2)
    tree.compute_persistence(homology_coeff_field=2)
    born_and_dead = tree.persistence_intervals_in_dimension(1)
    return sum(bool(death >= persistence * birth) for birth, death in born_and_dead)
