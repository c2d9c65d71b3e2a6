r"""The topology of what an atlas covers, read off from which charts overlap.

If all intersections of charts are empty or contractible, the nerve of the charts has the homology
of their union. Two charts of a circle meet in two arcs, and there the nerve fails; the *multinerve*
has one cell for each connected piece of an intersection, and asks of the pieces alone that they
are contractible.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import combinations
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from geomlib.models.atlas import AtlasModel
from geomlib.models.validation import check_data, check_rows
from geomlib.riemann.validation import as_points

__all__ = [
    "Cell",
    "NeighbourGraph",
    "Nerve",
    "cech_nerve",
    "check_samples",
    "covered_points",
    "gudhi",
    "multinerve",
]


@dataclass(frozen=True, eq=False)
class Cell:
    r"""A simplex of a nerve: charts that meet, and the sample points where they do.

    Attributes:
        charts: $i_0 < \dots < i_k$.
        points: the numbers of the sample points, in order.
    """

    charts: tuple[int, ...]
    points: np.ndarray

    @property
    def dimension(self) -> int:
        """$k$, for $k + 1$ charts."""
        return len(self.charts) - 1

    def __repr__(self) -> str:
        return f"Cell(charts {self.charts}, {len(self.points)} points)"


@dataclass(frozen=True, eq=False)
class Nerve:
    r"""Cells for charts that meet; a cell is a face of another if it holds all of its points.

    Attributes:
        cells: by dimension.
        max_dimension: cells above it were left out, so Betti numbers are those below it.
        uncovered: how many sample points lie in no chart; the nerve knows nothing of them.
        empty_charts: charts without a sample point, which are no vertices.
    """

    cells: tuple[Cell, ...]
    max_dimension: int
    uncovered: int
    empty_charts: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many cells of each dimension."""
        counted = Counter(cell.dimension for cell in self.cells)
        return tuple(counted[k] for k in range(max(counted, default=-1) + 1))

    def betti(self, field: int = 2) -> tuple[int, ...]:
        r"""Betti numbers $b_0, \dots, b_{m-1}$ over $\mathbb{Z}/p$, $m$ the `max_dimension`.

        They are those of the barycentric subdivision, whose simplices are chains of faces: a
        simplicial complex also where two cells have the same vertices.

        Args:
            field: the prime $p$. The Klein bottle has $(1, 2, 1)$ for $p = 2$, like the torus, and
                $(1, 1, 0)$ for any other.

        Raises:
            ImportError: if gudhi is not installed.
        """
        if field < 2 or any(field % q == 0 for q in range(2, int(field**0.5) + 1)):
            raise ValueError(f"field = {field}, but coefficients must be the integers mod a prime")
        tree = gudhi().SimplexTree()
        for chain in _chains(self.cells):
            tree.insert(chain)
        tree.compute_persistence(homology_coeff_field=field, persistence_dim_max=True)
        found = [*tree.betti_numbers(), *[0] * self.max_dimension]
        return tuple(found[: self.max_dimension])

    def __repr__(self) -> str:
        names = ["vertices", "edges", "triangles", "tetrahedra"]
        parts = [f"{n} {(names + ['higher cells'] * n)[k]}" for k, n in enumerate(self.counts)]
        lines = [f"{type(self).__name__}: " + (", ".join(parts) or "no cells")]
        if self.uncovered:
            lines.append(f"{self.uncovered} points lie in no chart")
        if self.empty_charts:
            lines.append(f"charts without points: {list(self.empty_charts)}")
        return "; ".join(lines)


def cech_nerve(
    model: AtlasModel,
    x: Float[Tensor, "count n"],
    tolerance: float,
    *,
    max_dimension: int | None = None,
    smallest: int = 1,
) -> Nerve:
    r"""$\{I : \bigcap_{i \in I} U_i \ne \emptyset\}$, the Čech nerve, as the sample points see it.

    By the nerve theorem it has the homology of the union of the charts if all these intersections
    are contractible. It is wrong where they fall into pieces: see `multinerve`.

    Args:
        model: the atlas.
        x: sample points.
        tolerance: as in `AtlasModel.covers`.
        max_dimension: of the simplices; one more than the latent dimension if left out, so that
            all Betti numbers of the manifold can be read off.
        smallest: with fewer common points, charts do not count as overlapping.

    Source: Korman, *Autoencoding topology*, arXiv 1803.00156, for the nerve of learned charts;
    Hatcher, *Algebraic Topology*, corollary 4G.3, for the theorem.

    >>> from geomlib.models.explicit_atlases import circle_atlas
    >>> t = torch.linspace(0, 6.28, 200)
    >>> circle = torch.stack([t.cos(), t.sin()], dim=1)
    >>> cech_nerve(circle_atlas(charts=3), circle, 1e-3)
    Nerve: 3 vertices, 3 edges
    >>> cech_nerve(circle_atlas(charts=2), circle, 1e-3)  # no circle
    Nerve: 2 vertices, 1 edges
    """
    top = _dimension(model, max_dimension)
    _check_counts(smallest=smallest)
    covered = covered_points(model, x, tolerance)
    cells = [
        Cell(charts, points)
        for charts, points in _intersections(covered, top)
        if len(points) >= smallest
    ]
    return _nerve(cells, covered, top)


def multinerve(
    model: AtlasModel,
    x: Float[Tensor, "count n"],
    tolerance: float,
    *,
    max_dimension: int | None = None,
    k: int = 15,
    smallest: int = 3,
) -> Nerve:
    r"""$\{(I, C) : C \text{ a connected component of } \bigcap_{i \in I} U_i\}$, the multinerve.

    It has the homology of the union of the charts if every component is contractible (acyclic).
    Two stereographic charts of a sphere meet in a ring, which is not: `good_cover` finds that.

    Args:
        model: the atlas.
        x: sample points, dense enough that neighbours in an overlap see one another.
        tolerance: as in `AtlasModel.covers`.
        max_dimension: of the cells; one more than the latent dimension if left out.
        k: each sample point is joined to its k nearest; a component is a connected part of this
            graph.
        smallest: components with fewer points are left out, as accidents of sampling.

    Raises:
        ValueError: if there are not more points than neighbours.

    Source: Colin de Verdière, Ginot and Goaoc, *Helly numbers of acyclic families*, Advances in
    Mathematics 253 (2014).

    >>> from geomlib.models.explicit_atlases import circle_atlas
    >>> t = torch.linspace(0, 6.28, 200)
    >>> circle = torch.stack([t.cos(), t.sin()], dim=1)
    >>> multinerve(circle_atlas(charts=2), circle, 1e-3)
    Nerve: 2 vertices, 2 edges
    """
    top = _dimension(model, max_dimension)
    _check_counts(smallest=smallest)
    covered = covered_points(model, x, tolerance)
    graph = NeighbourGraph(x, k)
    cells = [
        Cell(charts, component)
        for charts, points in _intersections(covered, top)
        for component in graph.components(points)
        if len(component) >= smallest
    ]
    return _nerve(cells, covered, top)


def covered_points(
    model: AtlasModel, x: Float[Tensor, "count n"], tolerance: float
) -> Bool[np.ndarray, "count K"]:
    """`model.covers` of checked sample points, without gradients, as an array."""
    check_samples(model, x)
    with torch.no_grad():
        return model.covers(x, tolerance).cpu().numpy()


def check_samples(model: AtlasModel, x: Float[Tensor, "count n"]) -> None:
    """Raise unless x is `(count, n)`, finite, not empty, and of the dtype of the model."""
    check_rows(as_points(x, "x"), model.data_dim)
    if next(model.parameters(), None) is not None:  # an explicit atlas takes any dtype
        check_data(x, model.data_dim, model)


def gudhi() -> ModuleType:
    """The library that computes homology."""
    try:
        return import_module("gudhi")
    except ImportError as error:
        raise ImportError(
            "homology is computed by gudhi, which is not installed: pip install gudhi"
        ) from error


class NeighbourGraph:
    """Sample points, each joined to its `k` nearest ones by an edge with its length.

    Raises:
        ValueError: if there are not more points than neighbours.
    """

    def __init__(self, x: Float[Tensor, "count n"], k: int):
        from sklearn.neighbors import NearestNeighbors

        if not 1 <= k < len(x):
            raise ValueError(
                f"k = {k} neighbours need more than k sample points, and k >= 1, but {len(x)} were "
                "given"
            )
        points = x.detach().cpu().numpy()
        search = NearestNeighbors(n_neighbors=k).fit(points)
        self.edges = csr_array(search.kneighbors_graph(mode="distance"))

    def components(self, points: np.ndarray) -> list[np.ndarray]:
        """The connected parts of some of the points, given by number; the largest first."""
        if not len(points):
            return []
        part = self.edges[points][:, points]
        count, label = connected_components(part, directed=False)
        return sorted((points[label == c] for c in range(count)), key=len, reverse=True)


def _intersections(covered: np.ndarray, top: int) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Sets of at most `top + 1` charts that have common points, and these points."""
    rows, which = np.unique(covered, axis=0, return_inverse=True)
    found: dict[tuple[int, ...], list[int]] = {}
    for number, row in enumerate(rows):
        charts = np.flatnonzero(row).tolist()
        for size in range(1, min(len(charts), top + 1) + 1):
            for some in combinations(charts, size):
                found.setdefault(some, []).append(number)
    for some, numbers in sorted(found.items(), key=lambda item: (len(item[0]), item[0])):
        yield some, np.flatnonzero(np.isin(which.ravel(), numbers))


def _nerve(cells: list[Cell], covered: np.ndarray, top: int) -> Nerve:
    with_points = {cell.charts[0] for cell in cells if cell.dimension == 0}
    empty = tuple(i for i in range(covered.shape[1]) if i not in with_points)
    return Nerve(tuple(cells), top, int((~covered.any(1)).sum()), empty)


def _chains(cells: Iterable[Cell]) -> Iterator[list[int]]:
    """The maximal chains of faces below each cell, as lists of cell numbers."""
    cells = list(cells)
    by_charts: dict[tuple[int, ...], list[int]] = {}
    for number, cell in enumerate(cells):
        by_charts.setdefault(cell.charts, []).append(number)
    members = [set(cell.points.tolist()) for cell in cells]

    def below(number: int) -> Iterator[list[int]]:
        cell = cells[number]
        if cell.dimension == 0:
            yield [number]
            return
        witness = int(cell.points[0])  # pieces are nested or disjoint, so one point decides
        for charts in combinations(cell.charts, cell.dimension):
            face = next(f for f in by_charts[charts] if witness in members[f])
            for chain in below(face):
                yield [*chain, number]

    for number in range(len(cells)):
        yield from below(number)


def _dimension(model: AtlasModel, max_dimension: int | None) -> int:
    top = model.latent_dim + 1 if max_dimension is None else max_dimension
    _check_counts(max_dimension=top)
    return top


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} = {count}, but it must be at least 1")
