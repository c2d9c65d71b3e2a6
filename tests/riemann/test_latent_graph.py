"""Graphs of latent points: edges, shortest paths, and the starts they give to geodesics."""

import closed_forms as known
import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import distance_matrix
from torch.testing import assert_close

from geomlib.models import RBFStandardDeviation
from geomlib.riemann import Curve, ExpectedMetric, PullbackMetric, latent_graph

WEIGHT = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]]).double()
LINEAR = PullbackMetric(lambda z: z @ WEIGHT.T)


def grid(side, low=-1.0, high=1.0):
    line = torch.linspace(low, high, side, dtype=torch.float64)
    return torch.cartesian_prod(line, line)


def test_edges_are_the_k_nearest_neighbours_with_their_lengths():
    points = torch.randn(40, 2, dtype=torch.float64)
    edges = latent_graph(LINEAR, points, k=3).edges.toarray()
    latent = distance_matrix(points, points)
    nearest = np.argsort(latent, axis=1)[:, 1:4]
    joined = np.zeros((40, 40), dtype=bool)
    joined[np.arange(40)[:, None], nearest] = True
    exact = ((points[:, None] - points) @ WEIGHT.T).norm(dim=-1).numpy()
    np.testing.assert_allclose(edges, np.where(joined | joined.T, exact, 0), rtol=1e-12)


def test_points_at_one_place_are_joined():
    points = torch.tensor([[0.0, 0.0], [0.0, 0.0], [5.0, 0.0], [5.0, 0.0]])
    edges = latent_graph(PullbackMetric(lambda z: z), points, k=1).edges.toarray()
    assert 0 < edges[0, 1] < 1e-30 and 0 < edges[2, 3] < 1e-30
    assert edges[:2, 2:].max() == 0


def test_no_point_is_its_own_neighbour_where_many_are_at_one_place():
    points = torch.zeros(6, 2)
    points[3:, 0] = 5
    edges = latent_graph(PullbackMetric(lambda z: z), points, k=2).edges.toarray()
    assert (edges.diagonal() == 0).all()
    assert ((edges > 0).sum(1) == 2).all()


def test_edges_are_measured_by_the_metric():
    points = 0.5 + grid(6, 0, 1)
    graph = latent_graph(known.half_plane, points, k=4, samples=32)
    i, j = graph.edges.nonzero()
    straight = Curve.straight(points[i], points[j], known.half_plane).arc_length()
    np.testing.assert_allclose(graph.edges[i, j], straight, rtol=1e-4)
    # one straight segment can only be shorter in a target where edges bend
    sphere = PullbackMetric(known.sphere)
    few, many = (latent_graph(sphere, points, 4, samples=s).edges.sum() for s in (1, 16))
    assert few < many


def test_shortest_paths_are_scipy_s():
    points = grid(7)
    metric = PullbackMetric(known.decoder(scale=2.0))
    graph = latent_graph(metric, points, k=6, samples=16)
    ends = [0, 30, 48]
    path = graph.shortest_path(points[ends][:, None], points[ends], segments=400)
    lengths = dijkstra(graph.edges, indices=ends)[:, ends]
    np.testing.assert_allclose(path.length(), lengths, rtol=2e-2, atol=1e-12)
    assert_close(path.points[:, :, 0], points[ends][:, None].expand(3, 3, 2))
    assert_close(path.points[:, :, -1], points[ends].expand(3, 3, 2))


def test_a_straight_path_over_a_grid_is_exact():
    graph = latent_graph(LINEAR, grid(9), k=4)
    a, b = grid(9)[[0, 8]]  # along one side of the grid
    path = graph.shortest_path(a, b)
    assert path.points.shape == (65, 2)
    assert_close(path.length(), ((b - a) @ WEIGHT.T).norm())
    steps = LINEAR.squared_chords(path.points).sqrt()
    assert_close(steps, steps.mean().expand_as(steps))  # equal steps of length


def test_steps_are_equal_where_the_metric_is_not():
    points = torch.cartesian_prod(torch.linspace(0, 1, 6), torch.linspace(0.2, 3, 8)).double()
    graph = latent_graph(known.half_plane, points, k=4)
    path = graph.shortest_path(points[0], points[7], segments=40)  # straight up: d = log(y₂/y₁)
    steps = known.half_plane.squared_chords(path.points).sqrt()
    assert_close(steps.sum(), torch.tensor(3 / 0.2).double().log(), rtol=1e-2, atol=0)
    assert steps.max() / steps.min() < 1.15


def test_end_points_need_not_be_nodes():
    metric = PullbackMetric(known.decoder())
    graph = latent_graph(metric, grid(11, -2, 2), k=8)
    a, b = known.pairs(5, spread=0.7)
    path = graph.shortest_path(a, b)
    assert_close(path.points[:, 0], a)
    assert_close(path.points[:, -1], b)
    curve = metric.geodesic(a, b, initial=path)
    assert curve.converged.all()
    assert (path.length() >= curve.length() * (1 - 1e-9)).all()
    assert_close(curve.arc_length(), metric.distance(a, b), rtol=1e-6, atol=0)


def test_coinciding_end_points_start_a_curve_of_length_zero():
    metric = PullbackMetric(known.decoder())
    graph = latent_graph(metric, grid(5), k=4)
    point = torch.full((2,), 0.3, dtype=torch.float64)
    curve = metric.geodesic(point, point, initial=graph.shortest_path(point, point))
    assert curve.converged and curve.arc_length() < 1e-6


def test_a_graph_in_two_parts_says_so():
    points = torch.cat([grid(4), grid(4) + 100])
    graph = latent_graph(LINEAR, points, k=3)
    ends = points[[0, 0]], points[[3, 20]]
    with pytest.raises(ValueError, match=r"no path joins pair 1.*more neighbours"):
        graph.shortest_path(*ends)
    assert graph.shortest_path(points[0], points[3]).length() > 0


def three_quarter_ring():
    """Codes on a ¾ ring; a decoder whose mean ignores the hole and whose noise does not."""
    theta = torch.linspace(0, 1.5 * torch.pi, 150, dtype=torch.float64)
    codes = torch.stack([theta.cos(), theta.sin()], -1)
    Q = known.frame(10, 2)
    count = len(codes)
    std = RBFStandardDeviation(
        codes,
        torch.full((count,), 1 / (2 * 0.03**2), dtype=torch.float64),
        torch.full((10, count), 100.0, dtype=torch.float64),
        torch.full((10,), 0.1, dtype=torch.float64),
    ).requires_grad_(False)
    return codes, (lambda z: z @ Q.T), std


@pytest.mark.filterwarnings("ignore:.*did not converge:RuntimeWarning")
def test_around_the_hole_of_a_ring():
    codes, mean, std = three_quarter_ring()
    metric = ExpectedMetric(mean, std)
    a, b = codes[0], codes[-1]
    arc = 1.5 * torch.pi

    through = PullbackMetric(mean).distance(a, b)  # the mean alone cuts across
    assert_close(through, (a - b).norm())

    start = latent_graph(metric, codes, k=4).shortest_path(a, b)
    around = metric.geodesic(a, b, initial=start)
    assert around.converged
    assert abs(around.arc_length() / arc - 1) < 0.05
    assert ((around.points.norm(dim=-1) - 1).abs() < 0.15).all()  # it stays with the data
    assert around.arc_length() > 2 * through
    # descent from a straight line never leaves the gap
    stuck = metric.geodesic(a, b, max_iterations=30)
    assert stuck.arc_length() > 2 * around.arc_length()


@pytest.mark.parametrize("k", [0, -1, 9, 20])
def test_neighbours_must_be_fewer_than_points(k):
    with pytest.raises(ValueError, match=f"k={k} neighbours need more than k points.*9 were given"):
        latent_graph(LINEAR, grid(3), k=k)


def test_points_of_a_graph_are_a_list_of_points():
    with pytest.raises(ValueError, match=r"must be \(n, d\)"):
        latent_graph(LINEAR, grid(4)[None], k=3)
    bad = grid(4)
    bad[3, 1] = torch.nan
    with pytest.raises(ValueError, match="points holds NaN"):
        latent_graph(LINEAR, bad, k=3)
    graph = latent_graph(LINEAR, grid(4), k=3)
    with pytest.raises(ValueError, match=r"a is torch.float32"):
        graph.shortest_path(torch.zeros(2), torch.zeros(2))
    with pytest.raises(ValueError, match="points has 2 coordinates but a has 3"):
        graph.shortest_path(torch.zeros(3).double(), torch.zeros(3).double())
