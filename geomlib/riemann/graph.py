"""A graph of latent points whose edges are weighed by the metric: start values for geodesics."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

from geomlib.riemann.curve import Curve, straight_nodes
from geomlib.riemann.metric import Metric
from geomlib.riemann.validation import as_points, broadcast, same_kind

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

__all__ = ["LatentGraph", "latent_graph"]


def latent_graph(
    metric: Metric, points: Float[Tensor, "n d"], k: int = 8, samples: int = 4
) -> LatentGraph:
    r"""Join every point to its `k` nearest neighbours by edges of their lengths under `metric`.

    Args:
        metric: what measures the edges.
        points: the nodes: codes of the data, or a grid over the latent space.
        k: neighbours a point, nearest in latent coordinates.
        samples: segments along each straight edge, for its length.

    Raises:
        ValueError: if there are not more points than neighbours.

    Source: Tenenbaum, de Silva and Langford, *Isomap* (Science, 2000), for graph geodesics;
    shortest paths are SciPy's.

    >>> from geomlib.riemann import PullbackMetric
    >>> grid = torch.cartesian_prod(torch.arange(5.0), torch.arange(5.0))
    >>> graph = latent_graph(PullbackMetric(lambda z: 2 * z), grid, k=4)
    >>> graph.shortest_path(torch.tensor([0.0, 0.0]), torch.tensor([4.0, 0.0])).length()
    tensor(8.)
    """
    from sklearn.neighbors import NearestNeighbors  # takes longer than all of riemann

    if as_points(points, "points").ndim != 2:
        raise ValueError(f"points has shape {tuple(points.shape)}, but must be (n, d)")
    if not 1 <= k < len(points):
        raise ValueError(
            f"k={k} neighbours need more than k points, and k >= 1, but {len(points)} were given"
        )
    points = points.detach()
    search = NearestNeighbors(n_neighbors=k).fit(points.cpu().numpy())
    neighbours = search.kneighbors(return_distance=False)  # of a node among the others
    start = np.repeat(np.arange(len(points)), k)
    end = neighbours.ravel()
    weights = _edge_lengths(metric, points[start], points[end], samples)
    edges = csr_array((weights, (start, end)), shape=(len(points), len(points)))
    return LatentGraph(metric, points, edges.maximum(edges.T), search, samples)


@dataclass
class LatentGraph:
    """Nodes in latent space and the sparse symmetric matrix of their edge lengths.

    Attributes:
        metric: the metric that weighs the edges.
        points: `(n, d)`.
        edges: `(n, n)`, `scipy.sparse`, ready for `scipy.sparse.csgraph`.
    """

    metric: Metric
    points: Tensor
    edges: csr_array
    search: NearestNeighbors
    samples: int

    def shortest_path(
        self, a: Float[Tensor, "*batch d"], b: Float[Tensor, "*batch d"], *, segments: int = 64
    ) -> Curve:
        r"""Shortest paths through the graph, at equal steps of length: starts for `geodesic`.

        The end points join the graph through their nearest nodes.

        Raises:
            ValueError: if a pair lies in two parts of the graph that no edge joins.
        """
        same_kind("points", self.points, "a", as_points(a, "a"))
        same_kind("a", a, "b", as_points(b, "b"))
        a, b = broadcast(a=a.detach(), b=b.detach())
        first, last = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
        nodes = torch.cat([self.points, first, last])
        graph = self._with_ends(torch.cat([first, last]))
        count, n = len(first), len(self.points)
        sources = np.arange(n, n + count)
        length, before = dijkstra(graph, indices=sources, return_predecessors=True)
        paths = []
        for pair in range(count):
            node = n + count + pair
            if not np.isfinite(length[pair, node]):
                raise ValueError(
                    f"no path joins pair {pair}: the graph falls apart there. Use more neighbours "
                    "(k), or more points"
                )
            route = [node]
            while route[-1] != n + pair:
                route.append(before[pair, route[-1]])
            paths.append(self._even_steps(nodes[route[::-1]], segments))
        points = torch.stack(paths).reshape(*a.shape[:-1], segments + 1, a.shape[-1])
        return Curve(points, self.metric)

    def _with_ends(self, ends: Tensor) -> csr_array:
        """The edge matrix with further nodes, each joined to its nearest nodes of the graph."""
        near = self.search.kneighbors(ends.cpu().numpy(), return_distance=False)
        n, k = len(self.points), near.shape[1]
        start = np.repeat(np.arange(len(ends)), k)
        end = near.ravel()
        weights = _edge_lengths(self.metric, ends[start], self.points[end], self.samples)
        old = self.edges.tocoo()
        rows = np.concatenate([old.row, start + n, end])
        columns = np.concatenate([old.col, end, start + n])
        size = n + len(ends)
        values = np.concatenate([old.data, weights, weights])
        return csr_array((values, (rows, columns)), shape=(size, size))

    def _even_steps(self, corners: Tensor, segments: int) -> Tensor:
        """Nodes at equal steps of length along the polygon through `corners`."""
        fine = torch.cat(
            [straight_nodes(p, q, 8)[:-1] for p, q in pairwise(corners)] + [corners[-1:]]
        )
        with torch.no_grad():
            steps = self.metric.squared_chords(fine).clamp_min(0).sqrt().cpu().numpy()
        travelled = np.concatenate([[0], np.cumsum(steps)])
        wanted = np.linspace(0, travelled[-1], segments + 1)
        columns = [np.interp(wanted, travelled, column) for column in fine.cpu().numpy().T]
        return torch.as_tensor(np.stack(columns, axis=1), dtype=fine.dtype, device=fine.device)


def _edge_lengths(metric: Metric, start: Tensor, end: Tensor, samples: int) -> np.ndarray:
    with torch.no_grad():
        lengths = Curve.straight(start, end, metric, samples).length()
    # an edge of length zero would be no edge to SciPy
    return lengths.clamp_min(torch.finfo(lengths.dtype).tiny).cpu().double().numpy()
