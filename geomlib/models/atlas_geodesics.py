r"""Geodesics that cross from chart to chart: a shortest path through a graph, then Newton's method.

A curve on the manifold is a row of nodes, each with the chart it is written in. Its energy
$\tfrac N2 \sum_k \|D_{i_{k+1}}(z_{k+1}) - D_{i_k}(z_k)\|^2$ asks nothing about where charts change,
so the nodes move freely, and one that leaves its chart is written in another.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from torch import Tensor

from geomlib.models.atlas import AtlasModel
from geomlib.models.atlas_edges import Page, edges_of, join, line_is_covered
from geomlib.models.curve_shortening import even_steps, in_few_charts, shorten
from geomlib.models.nerve import covered_points
from geomlib.riemann.validation import as_points, broadcast, same_kind

__all__ = ["AtlasGeodesic", "AtlasGraph", "atlas_graph"]

LINE = 64  # segments of a straight line from end to end
DETOUR = 1.25  # a path so much longer in the graph may be the shorter one on the manifold
WAYS = 3  # paths that are refined, at most
COARSE = 16  # segments, to choose among them


@dataclass(frozen=True, eq=False)
class AtlasGeodesic:
    r"""A shortest curve between two points, across charts.

    Attributes:
        length: of the polygon through the points, in ambient units; infinite if there is no path.
        charts: `(N+1,)`, the chart of each node.
        codes: `(N+1, d)`, the nodes in their charts.
        points: `(N+1, n)`, the nodes in the ambient space. No nodes if there is no path.
        converged: whether the curve is a local minimiser inside the charts.
        graph_length: of the path through the graph that it started from.
    """

    length: float
    charts: Int[Tensor, " nodes"]
    codes: Float[Tensor, "nodes d"]
    points: Float[Tensor, "nodes n"]
    converged: bool
    graph_length: float

    @property
    def route(self) -> tuple[int, ...]:
        """The charts in the order in which the curve runs through them."""
        return tuple(torch.unique_consecutive(self.charts).tolist())

    def __repr__(self) -> str:
        state = "converged" if self.converged else "not converged"
        return f"AtlasGeodesic: length {self.length:.4g} through charts {self.route}, {state}"


def atlas_graph(
    model: AtlasModel,
    x: Float[Tensor, "count n"],
    tolerance: float,
    *,
    k: int = 12,
    samples: int = 4,
) -> AtlasGraph:
    r"""The sample points in their charts, joined by lengths within charts and across overlaps.

    A node is a sample point in one of the charts that cover it. In each chart nodes are joined to
    their nearest neighbours as by `latent_graph`, under the metric that $D_i$ pulls back; the nodes
    of one sample point in different charts are joined by the distance of its reconstructions.

    Args:
        model: the atlas.
        x: sample points.
        tolerance: as in `AtlasModel.covers`. Edges whose middle is not covered are left out.
        k: neighbours of a node within its chart.
        samples: segments along an edge, for its length.

    Raises:
        ValueError: if there are not more points than neighbours, or no chart holds two of them.

    Source: Stolberg-Larsen and Sommer, *Atlas Generative Models and Geodesic Interpolation*,
    arXiv 2102.00264, for geodesics by a graph across the charts.

    One arc of the circle against two:

    >>> from geomlib.models.explicit_atlases import circle_atlas
    >>> def point(t):
    ...     return torch.stack([t.cos(), t.sin()], dim=-1)
    >>> circle = point(torch.linspace(0, 6.28, 200).double())
    >>> a, b = point(torch.tensor([-0.1, 0.1]).double())
    >>> one = atlas_graph(circle_atlas(1, reach=torch.pi, centre=torch.pi), circle, 1e-6)
    >>> one.geodesic(a, b)
    AtlasGeodesic: length 6.081 through charts (0,), converged
    >>> atlas_graph(circle_atlas(2, centre=torch.pi / 2), circle, 1e-6).geodesic(a, b)
    AtlasGeodesic: length 0.2 through charts (0,), converged
    """
    covered = covered_points(model, x, tolerance)
    if not 1 <= k < len(x):
        raise ValueError(
            f"k={k} neighbours need more than k points, and k >= 1, but {len(x)} were given"
        )
    x = x.detach()
    pages = []
    for i in range(model.n_charts):
        numbers = np.flatnonzero(covered[:, i])
        if len(numbers) > 1:
            pages.append(Page.of(model, i, x, numbers, min(k, len(numbers) - 1), samples))
    if not pages:
        raise ValueError(
            f"no chart holds two of the {len(x)} points, so there are no edges: is the tolerance "
            f"{tolerance} too small? coverage(model, x, tolerance) counts the points in each chart"
        )
    edges = edges_of(model, pages, tolerance)
    return AtlasGraph(model, tolerance, tuple(pages), edges)


@dataclass(frozen=True, eq=False)
class AtlasGraph:
    """Sample points in their charts and the lengths between them.

    Attributes:
        model, tolerance: of the atlas.
        pages: the nodes of each chart that has any.
        edges: `(nodes, nodes)`, sparse and symmetric, ready for `scipy.sparse.csgraph`.
    """

    model: AtlasModel
    tolerance: float
    pages: tuple[Page, ...]
    edges: csr_array

    @property
    def parts(self) -> int:
        """How many parts the graph falls into; 1 if every node can be reached."""
        return int(connected_components(self.edges, directed=False)[0])

    def geodesic(
        self,
        a: Float[Tensor, " n"],
        b: Float[Tensor, " n"],
        *,
        segments: int = 64,
        max_iterations: int = 100,
    ) -> AtlasGeodesic:
        r"""A shortest curve from a to b through the charts: the graph's, then refined.

        The graph chooses the way round holes, among a few that are refined coarsely; Newton's
        method then finds the local minimiser of the energy. Nodes are constants: no gradient
        passes.

        Args:
            a, b: points of the manifold, `(n,)`.
            segments: $N$, of the curve. The length is off by $O(N^{-2})$.
            max_iterations: of Newton's method.

        Raises:
            ValueError: if an end point lies outside every chart, or `segments` is not positive.

        Warns:
            RuntimeWarning: if there is no path, or the refinement does not converge.
        """
        a, b = self._ends(a, b, segments)
        if a.ndim != 1:
            raise ValueError(
                f"a and b have shape {tuple(a.shape)}, but one pair (n,) is needed: "
                "distance(a, b) takes batches"
            )
        found = self._geodesic(a, b, segments, max_iterations)
        self._warn([found])
        return found

    def distance(
        self, a: Float[Tensor, "*batch n"], b: Float[Tensor, "*batch n"], *, segments: int = 64
    ) -> Float[Tensor, "*batch"]:
        r"""Lengths of `geodesic(a, b)`, one pair after the other; infinite where there is no path.

        Warns:
            RuntimeWarning: once, if some pairs have no path or did not converge.
        """
        a, b = self._ends(a, b, segments)
        pairs = zip(a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]), strict=True)
        found = [self._geodesic(p, q, segments, 100) for p, q in pairs]
        self._warn(found)
        return a.new_tensor([geodesic.length for geodesic in found]).reshape(a.shape[:-1])

    def _ends(self, a: Tensor, b: Tensor, segments: int) -> tuple[Tensor, Tensor]:
        if segments < 1:
            raise ValueError(f"segments = {segments}, but a curve needs at least one")
        same_kind("the sample", self.pages[0].points, "a", as_points(a, "a"))
        same_kind("a", a, "b", as_points(b, "b"))
        one, other = broadcast(a=a.detach(), b=b.detach())
        return one, other

    def _geodesic(self, a: Tensor, b: Tensor, segments: int, iterations: int) -> AtlasGeodesic:
        ways = self._ways(a, b)
        if not ways:
            none = a.new_zeros(0)
            codes, points = none.reshape(0, self.model.latent_dim), none.reshape(0, len(a))
            return AtlasGeodesic(np.inf, none.long(), codes, points, False, np.inf)
        if len(ways) > 1:
            lengths = [self._refined(way, COARSE, iterations).length for way in ways]
            # the first in the graph, unless another way is shorter beyond doubt
            ways = [
                w for w, length in zip(ways, lengths, strict=True) if length <= 1.001 * min(lengths)
            ]
        return self._refined(ways[0], segments, iterations)

    def _refined(self, way: _Way, segments: int, iterations: int) -> AtlasGeodesic:
        nodes = even_steps(self.model, way.nodes, segments)
        nodes = in_few_charts(self.model, nodes, self.tolerance)
        nodes, converged = shorten(self.model, nodes, self.tolerance, iterations)
        with torch.no_grad():
            points = nodes.decode(self.model)
        length = float(points.diff(dim=0).norm(dim=-1).sum())
        return AtlasGeodesic(length, nodes.charts, nodes.codes, points, converged, way.length)

    def _ways(self, a: Tensor, b: Tensor) -> list[_Way]:
        """The shortest path and others, not much longer, that keep away from it; or none at all.

        A path that is shortest in the graph may lead round a hole on the wrong side.
        """
        graph, nodes, sources, targets = self._with_ends(a, b)
        search = partial(dijkstra, graph, min_only=True)
        from_a, before, _ = search(indices=sources, return_predecessors=True)
        from_b, after, _ = search(indices=targets, return_predecessors=True)
        through = from_a + from_b
        best = float(through.min())
        ways: list[_Way] = []
        if not np.isfinite(best):
            return ways
        middle = int(through.argmin())
        away = np.full(len(nodes), np.inf)
        while len(ways) < WAYS:
            route = [*_trace(before, middle)[::-1], *_trace(after, middle)[1:]]
            ways.append(_Way(float(through[middle]), [nodes[node] for node in route]))
            away = np.minimum(away, search(indices=route))
            free = np.where(through <= DETOUR * best, away, 0.0)
            middle = int(free.argmax())
            if free[middle] < best / 3:
                break
        return ways

    def _with_ends(
        self, a: Tensor, b: Tensor
    ) -> tuple[csr_array, list[tuple[int, Tensor]], np.ndarray, np.ndarray]:
        """The edges and nodes (chart, code) of the graph with a and b in it, and their numbers.

        An end point becomes a node in each chart that covers it.
        """
        count = self.edges.shape[0]
        nodes = [(page.chart, code) for page in self.pages for code in page.codes]
        links: list[tuple[int, int, float]] = []
        for name, point in (("a", a), ("b", b)):
            for page, start, code in self._places(point, name):
                near, weights = self._neighbours(page, code)
                links += [(len(nodes), start + n, w) for n, w in zip(near, weights, strict=True)]
                nodes.append((page.chart, code))
            if name == "a":
                sources = np.arange(count, len(nodes))
        targets = np.arange(count + len(sources), len(nodes))
        links += self._direct(nodes, sources, targets)
        row, column, weight = np.array(links, dtype=float).reshape(-1, 3).T
        place = (row.astype(int), column.astype(int))
        added = coo_array((weight, place), shape=(len(nodes), len(nodes)))
        return join(len(nodes), self.edges.tocoo(), added), nodes, sources, targets

    def _places(self, point: Tensor, name: str) -> Iterator[tuple[Page, int, Tensor]]:
        """The pages that hold a point, where their nodes start, and its code there."""
        inside = covered_points(self.model, point[None], self.tolerance)[0]
        if not any(inside[page.chart] for page in self.pages):
            raise ValueError(
                f"{name} lies outside every chart that holds sample points: none of them "
                f"reconstructs it to within the tolerance {self.tolerance}. Keep to points that "
                "model.covers(...)"
            )
        start = 0
        for page in self.pages:
            if inside[page.chart]:
                with torch.no_grad():
                    yield page, start, self.model.encode_chart(page.chart, point)
            start += len(page.numbers)

    def _neighbours(self, page: Page, code: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """The nodes of a page that are nearest to a code, and their distances."""
        near = page.graph.search.kneighbors(code[None].cpu().numpy(), return_distance=False)[0]
        ends = page.codes[torch.as_tensor(near)]
        keep = line_is_covered(self.model, page.chart, code, ends, self.tolerance, steps=2)
        return near[keep], page.lengths(code.expand_as(ends), ends, page.graph.samples)[keep]

    def _direct(
        self, nodes: list[tuple[int, Tensor]], sources: np.ndarray, targets: np.ndarray
    ) -> Iterator[tuple[int, int, float]]:
        """Straight lines from one end point to the other in a chart that covers the line."""
        pages = {page.chart: page for page in self.pages}
        for p in sources:
            for q in targets:
                (i, start), (j, end) = nodes[p], nodes[q]
                line = (self.model, i, start, end[None], self.tolerance, LINE)
                if i == j and line_is_covered(*line):
                    yield int(p), int(q), float(pages[i].lengths(start[None], end[None], LINE)[0])

    def _warn(self, found: list[AtlasGeodesic]) -> None:
        lost = sum(not np.isfinite(geodesic.length) for geodesic in found)
        open_ = sum(not geodesic.converged for geodesic in found) - lost
        if lost:
            warnings.warn(
                f"{lost} of {len(found)} pairs are joined by no path: the overlaps are "
                f"disconnected, the graph falls into {self.parts} parts. Their length is infinite. "
                "More sample points, more neighbours (k) or a larger tolerance may join them",
                RuntimeWarning,
                stacklevel=3,
            )
        elif open_:
            warnings.warn(
                f"{open_} of {len(found)} geodesics did not converge to a local minimiser inside "
                "the charts; their lengths are upper bounds",
                RuntimeWarning,
                stacklevel=3,
            )


@dataclass(frozen=True, eq=False)
class _Way:
    """A path through the graph: its length, and its nodes as chart and code."""

    length: float
    nodes: list[tuple[int, Tensor]]


def _trace(before: np.ndarray, node: int) -> list[int]:
    """The nodes from one back to the source that is nearest to it."""
    route = [node]
    while before[route[-1]] >= 0:
        route.append(int(before[route[-1]]))
    return route
