"""The parts of a graph across charts: the nodes of one chart, and the edges within and between."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import torch
from scipy.sparse import block_diag, coo_array, csr_array
from torch import Tensor

from geomlib.models.atlas import AtlasModel
from geomlib.riemann import Curve, LatentGraph, PullbackMetric, latent_graph

__all__ = ["Page", "edges_of", "join", "line_is_covered"]


@dataclass(frozen=True, eq=False)
class Page:
    """The part of the graph that lies in one chart.

    Attributes:
        chart: which one.
        numbers: of the sample points in it.
        points: their reconstructions, `(nodes, n)`.
        graph: of their codes, with lengths under the metric that the decoder pulls back.
    """

    chart: int
    numbers: np.ndarray
    points: Tensor
    graph: LatentGraph

    @classmethod
    def of(
        cls, model: AtlasModel, i: int, x: Tensor, numbers: np.ndarray, k: int, samples: int
    ) -> Page:
        """The page of chart i for some of the sample points x, each joined to its k nearest."""
        with torch.no_grad():
            codes = model.encode_chart(i, x[torch.as_tensor(numbers)])
            metric = PullbackMetric(partial(model.decode_chart, i))
            points = model.decode_chart(i, codes)
            return cls(i, numbers, points, latent_graph(metric, codes, k, samples))

    @property
    def codes(self) -> Tensor:
        """Of the sample points in this chart, `(nodes, d)`."""
        return self.graph.points

    def lengths(self, start: Tensor, end: Tensor, samples: int) -> np.ndarray:
        """Of straight lines in the chart."""
        with torch.no_grad():
            line = Curve.straight(start, end, self.graph.metric, samples)
            return _positive(line.length())


def edges_of(model: AtlasModel, pages: list[Page], tolerance: float) -> csr_array:
    """The edges within all pages and between them; the nodes of one page follow another's."""
    inside = block_diag([_covered(model, page, tolerance) for page in pages], format="coo")
    return join(inside.shape[0], inside, _across(pages))


def _covered(model: AtlasModel, page: Page, tolerance: float) -> coo_array:
    """The edges of a page whose middle is covered by its chart."""
    edges = page.graph.edges.tocoo()
    start, end = (page.codes[torch.as_tensor(side)] for side in (edges.row, edges.col))
    with torch.no_grad():
        middle = model.decode_chart(page.chart, (start + end) / 2)
        keep = model.covers(middle, tolerance)[:, page.chart].cpu().numpy()
    kept = (edges.data[keep], (edges.row[keep], edges.col[keep]))
    return coo_array(kept, shape=edges.shape)


def _across(pages: list[Page]) -> coo_array:
    """Edges between the nodes of one sample point in two charts."""
    starts = np.cumsum([0, *[len(page.numbers) for page in pages]])
    rows, columns, gaps = [], [], []
    for (p, one), (q, other) in combinations(enumerate(pages), 2):
        _, here, there = np.intersect1d(one.numbers, other.numbers, return_indices=True)
        gap = one.points[torch.as_tensor(here)] - other.points[torch.as_tensor(there)]
        rows.append(starts[p] + here)
        columns.append(starts[q] + there)
        gaps.append(_positive(gap.norm(dim=-1)))
    size = int(starts[-1])
    if not rows:
        return coo_array((size, size))
    place = (np.concatenate(rows), np.concatenate(columns))
    return coo_array((np.concatenate(gaps), place), shape=(size, size))


def join(size: int, old: coo_array, added: coo_array) -> csr_array:
    """The edges of both, which have none in common, in a symmetric matrix."""
    row, column = (np.concatenate([getattr(old, s), getattr(added, s)]) for s in ("row", "col"))
    data = np.concatenate([old.data, added.data])
    one_way = csr_array((data, (row, column)), shape=(size, size))
    return csr_array(one_way.maximum(one_way.T))


def line_is_covered(
    model: AtlasModel, i: int, start: Tensor, ends: Tensor, tolerance: float, steps: int
) -> np.ndarray:
    """For each end, whether the chart covers the inner points of the line that leads to it."""
    t = torch.linspace(0, 1, steps + 1).to(start)[1:-1, None, None]
    with torch.no_grad():
        points = model.decode_chart(i, start + t * (ends - start))
        return model.covers(points, tolerance)[..., i].all(0).cpu().numpy()


def _positive(lengths: Tensor) -> np.ndarray:
    # an edge of length zero would be no edge to SciPy
    return lengths.double().clamp_min(np.finfo(float).tiny).cpu().numpy()
