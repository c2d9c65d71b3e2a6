"""Geodesics across charts, against distances that are known."""

import math
import warnings

import known_surfaces as surfaces
import pytest
import torch
from scipy.sparse.csgraph import dijkstra
from torch.testing import assert_close

from geomlib.models import atlas_graph
from geomlib.models.atlas import ExplicitAtlas
from geomlib.models.curve_shortening import Nodes, in_few_charts, shorten
from geomlib.models.explicit_atlases import (
    circle_atlas,
    flat_torus_atlas,
    sphere_atlas,
    sphere_caps_atlas,
    torus_atlas,
)

SEEDS = (0, 1, 2)
PAIRS = 3


def wrapped(difference):
    return torch.remainder(difference + math.pi, 2 * math.pi) - math.pi


def checked(graph, a, b, truth):
    """The geodesics of some pairs, within a thousandth of the truth."""
    found = [graph.geodesic(p, q, segments=32) for p, q in zip(a, b, strict=True)]
    lengths = a.new_tensor([geodesic.length for geodesic in found])
    assert_close(lengths, truth, rtol=1e-3, atol=0)
    for geodesic, p, q in zip(found, a, b, strict=True):
        assert geodesic.converged
        assert geodesic.length <= geodesic.graph_length * 1.01  # its edges are polygons
        assert_close(geodesic.points[[0, -1]], torch.stack([p, q]))
        steps = geodesic.points.diff(dim=0).norm(dim=-1)
        assert steps.max() / steps.min() < 1.05  # constant speed, across charts too
        assert_close(graph.model.decode(geodesic.charts, geodesic.codes), geodesic.points)
        covered = graph.model.covers(geodesic.points, graph.tolerance)
        assert covered.gather(1, geodesic.charts[:, None]).all()
    return found


def test_one_chart_goes_round_and_two_do_not():
    x = surfaces.even_circle()
    a, b = surfaces.circle(torch.tensor([-0.1, 0.1]).double())
    one = atlas_graph(circle_atlas(1, reach=math.pi, centre=math.pi), x, 1e-6).geodesic(a, b)
    assert one.converged and one.length == pytest.approx(2 * math.pi - 0.2, rel=1e-3)
    for centre in (0.0, 0.7, math.pi / 2):
        two = atlas_graph(circle_atlas(2, centre=centre), x, 1e-6).geodesic(a, b)
        assert two.converged and two.length == pytest.approx(0.2, rel=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_circle(seed):
    graph = atlas_graph(circle_atlas(3), surfaces.even_circle(), 1e-6)
    assert graph.parts == 1
    s, t = surfaces.angles(PAIRS, seed).T
    found = checked(graph, surfaces.circle(s), surfaces.circle(t), wrapped(s - t).abs())
    for geodesic in found:
        assert_close(geodesic.points.norm(dim=1), torch.ones(33).double())


@pytest.mark.parametrize("atlas", [sphere_atlas(), sphere_caps_atlas()])
@pytest.mark.parametrize("seed", SEEDS)
def test_sphere(atlas, seed):
    graph = atlas_graph(atlas, surfaces.on_sphere(500, seed), 1e-6)
    a, b = surfaces.on_sphere(2 * PAIRS, seed + 10).chunk(2)
    for geodesic in checked(graph, a, b, (a * b).sum(-1).acos()):
        singular = torch.linalg.svdvals(geodesic.points)  # a great circle lies in a plane
        assert singular[2] < 1e-3 * singular[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_flat_torus(seed):
    atlas = flat_torus_atlas()
    graph = atlas_graph(atlas, atlas.decode_chart(0, surfaces.angles(500, seed)), 1e-6)
    s, t = surfaces.angles(2 * PAIRS, seed + 10).chunk(2)
    s[0], t[0] = torch.tensor([0.3, 1.0]), torch.tensor([3.0, 1.0])  # no chart holds both
    truth = wrapped(s - t).norm(dim=-1)
    found = checked(graph, atlas.decode_chart(0, s), atlas.decode_chart(0, t), truth)
    assert len(found[0].route) == 2


def test_meridians_of_a_torus():
    atlas = torus_atlas()
    graph = atlas_graph(atlas, atlas.decode_chart(0, surfaces.angles(600)), 1e-6)
    u = torch.tensor([0.0, 1.0, 2.5, 4.0]).double()
    v, w = torch.tensor([0.0, 1.0, -2.0, 3.0]).double(), torch.tensor([2.0, 3.5, 0.0, 4.2]).double()
    a, b = (atlas.decode_chart(0, torch.stack([u, side], dim=-1)) for side in (v, w))
    checked(graph, a, b, wrapped(v - w).abs())


def test_a_mobius_band_is_crossed_where_it_turns():
    atlas, x = surfaces.sample("mobius", 500)
    graph = atlas_graph(atlas, x, 1e-6)
    u = torch.tensor([[-0.5, 0.0], [2 * math.pi - 1.5, 0.0]]).double()
    a, b = atlas.decode_chart(0, u)
    found = graph.geodesic(a, b)
    # the centre line is a circle of radius 2, a geodesic of the band by its symmetry
    assert found.converged and found.length <= 2.0 * 1.001


def test_the_graph_is_of_lengths_within_charts_and_gaps_between():
    x = surfaces.even_circle(60)
    graph = atlas_graph(circle_atlas(2, reach=2.0), x, 1e-6, k=2, samples=64)
    covered = circle_atlas(2, reach=2.0).covers(x, 1e-6)
    assert graph.edges.shape == (int(covered.sum()),) * 2
    lengths = dijkstra(graph.edges, indices=0)
    # chart 0 holds the points before and after angle 0, and its first node is the point (1, 0)
    numbers = [number for page in graph.pages for number in page.numbers]
    truth = [abs(float(wrapped(torch.tensor(2 * math.pi * n / 60)))) for n in numbers]
    assert_close(torch.as_tensor(lengths), torch.tensor(truth).double(), rtol=1e-3, atol=1e-9)
    assert abs(graph.edges - graph.edges.T).sum() == 0


def test_distances_of_batches():
    x = surfaces.on_sphere(400)
    graph = atlas_graph(sphere_atlas(), x, 1e-6)
    a, b = surfaces.on_sphere(2, 5)[:, None], surfaces.on_sphere(2, 6)
    forth, back = graph.distance(a, b, segments=32), graph.distance(b, a, segments=32)
    assert forth.shape == (2, 2) and forth.dtype == torch.float64
    assert_close(forth, (a * b).sum(-1).acos(), rtol=1e-3, atol=0)
    assert_close(forth, back, rtol=1e-4, atol=0)


def test_a_point_has_no_distance_from_itself():
    graph = atlas_graph(sphere_atlas(), surfaces.on_sphere(100), 1e-6)
    point = surfaces.on_sphere(1, 3)[0]
    found = graph.geodesic(point, point)
    assert found.length < 1e-12 and found.converged and len(found.points) == 65


def test_single_precision():
    atlas = flat_torus_atlas()
    graph = atlas_graph(atlas, atlas.decode_chart(0, surfaces.angles(400).float()), 1e-4)
    s, t = surfaces.angles(6, 1).float().chunk(2)
    found = graph.distance(atlas.decode_chart(0, s), atlas.decode_chart(0, t))
    assert found.dtype == torch.float32
    assert_close(found, wrapped(s - t).norm(dim=-1), rtol=2e-3, atol=0)


def test_charts_that_disagree_slightly_cost_at_most_their_gap():
    """A stand-in for learned charts: the second decodes to a circle of radius 1.01."""
    exact = circle_atlas(2)
    atlas = ExplicitAtlas(
        exact.encoders,
        [exact.decoders[0], lambda z: 1.01 * exact.decoders[1](z)],
        exact.weights,
        exact.domains,
        data_dim=2,
        latent_dim=1,
    )
    graph = atlas_graph(atlas, surfaces.even_circle(), 0.02)
    a, b = surfaces.circle(torch.tensor([1.2, 4.0]).double())
    found = graph.geodesic(a, b)
    assert found.converged and 0.99 * 2.8 < found.length < 1.02 * 2.8 + 0.02


@pytest.mark.parametrize("call", ["geodesic", "distance"])
def test_no_path_is_infinite_and_says_so_once(call):
    x = surfaces.on_sphere(2000)
    x = x[x[:, 2].abs() > 0.8]
    graph = atlas_graph(sphere_caps_atlas(), x, 1e-6)
    a, b = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]).double()
    ends = (a, b) if call == "geodesic" else (a.expand(2, 3), b)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = getattr(graph, call)(*ends)
    assert len(caught) == 1 and caught[0].category is RuntimeWarning
    assert "overlaps are disconnected" in str(caught[0].message)
    assert f"falls into {graph.parts} parts" in str(caught[0].message) and graph.parts >= 2
    assert __file__ == caught[0].filename
    if call == "distance":
        assert found.tolist() == [math.inf, math.inf]
    else:
        assert found.length == math.inf and not found.converged and found.route == ()
        assert found.points.shape == (0, 3) and found.codes.shape == (0, 2)
        assert "length inf" in repr(found)


def test_charts_that_do_not_overlap_are_not_joined():
    atlas = circle_atlas(4)
    arcs = surfaces.circle(
        torch.cat([torch.linspace(-0.2, 0.2, 30), torch.linspace(3, 3.3, 30)]).double()
    )
    graph = atlas_graph(atlas, arcs, 1e-6, k=4)
    assert graph.parts == 2
    with pytest.warns(RuntimeWarning, match="1 of 2 pairs are joined by no path"):
        found = graph.distance(arcs[[0, 0]], arcs[[20, 40]])
    assert found[0].isfinite() and found[1] == math.inf


def test_a_hole_in_the_domain_stops_the_curve_and_is_reported():
    atlas = surfaces.ring_in_the_plane()
    generator = torch.Generator().manual_seed(0)
    x = 6 * torch.rand(1500, 2, generator=generator).double() - 3
    x = x[(x.norm(dim=1) > 1.001) & (x.norm(dim=1) < 2.9)]
    graph = atlas_graph(atlas, x, 1e-6)
    a, b = torch.tensor([[-2.0, 0.0], [2.0, 0.0]]).double()
    with pytest.warns(RuntimeWarning, match="1 of 1 geodesics did not converge"):
        found = graph.geodesic(a, b)
    around = 2 * math.sqrt(3) + math.pi / 3  # two tangents and an arc of the hole's edge
    assert not found.converged and 0.99 * around < found.length < 1.05 * around
    assert (found.points.norm(dim=1) > 1).all()


def test_shortening_leaves_charts_when_it_must():
    """From a path over the north pole, in the only chart that holds the pole, to the equator."""
    atlas = sphere_caps_atlas()
    bow = torch.linspace(0, math.pi / 2, 33).double()
    height = 0.6 * (2 * bow).sin()
    points = torch.stack([bow.cos(), bow.sin(), height], dim=-1)
    points = points / points.norm(dim=1, keepdim=True)
    chart, codes = atlas.encode(points)
    start = in_few_charts(atlas, Nodes(chart, codes), 1e-6)
    assert_close(start.decode(atlas), points)
    changes = [int((nodes.charts.diff() != 0).sum()) for nodes in (Nodes(chart, codes), start)]
    assert changes[1] <= changes[0]
    end, converged = shorten(atlas, start, 1e-6, 100)
    assert converged
    final = end.decode(atlas)
    assert final[:, 2].abs().max() < 1e-4  # the equator
    assert final.diff(dim=0).norm(dim=-1).sum() == pytest.approx(math.pi / 2, rel=1e-3)


def test_an_end_outside_every_chart():
    graph = atlas_graph(sphere_atlas(), surfaces.on_sphere(100), 1e-6)
    inside = surfaces.on_sphere(1, 3)[0]
    with pytest.raises(ValueError, match="b lies outside every chart"):
        graph.geodesic(inside, 1.1 * inside)
    with pytest.raises(ValueError, match="a lies outside every chart"):
        graph.distance(1.1 * inside, inside)


def test_an_end_in_a_chart_without_sample_points():
    atlas = circle_atlas(3, reach=1.2)
    graph = atlas_graph(atlas, surfaces.circle(torch.linspace(-0.5, 0.5, 40).double()), 1e-6)
    away = surfaces.circle(torch.tensor([0.2, 3.0]).double())
    with pytest.raises(ValueError, match="b lies outside every chart that holds sample points"):
        graph.geodesic(*away)


def test_ends_must_be_points_like_the_sample():
    graph = atlas_graph(sphere_atlas(), surfaces.on_sphere(100), 1e-6)
    a = surfaces.on_sphere(1)[0]
    with pytest.raises(ValueError, match=r"a is torch.float32"):
        graph.geodesic(a.float(), a.float())
    with pytest.raises(ValueError, match="the sample has 3 coordinates but a has 2"):
        graph.geodesic(a[:2], a[:2])
    with pytest.raises(ValueError, match=r"distance\(a, b\) takes batches"):
        graph.geodesic(a.expand(4, 3), a)
    with pytest.raises(ValueError, match="b holds NaN"):
        graph.geodesic(a, a / 0)
    with pytest.raises(ValueError, match="batch dimensions do not match"):
        graph.distance(a.expand(4, 3), a.expand(3, 3))
    for call in (graph.geodesic, graph.distance):
        with pytest.raises(ValueError, match="segments = 0"):
            call(a, a, segments=0)


def test_a_graph_needs_points_in_charts():
    atlas, x = sphere_atlas(), surfaces.on_sphere(30)
    for k in (0, 30, 99):
        with pytest.raises(ValueError, match=f"k={k} neighbours need more than k.*30 were given"):
            atlas_graph(atlas, x, 1e-3, k=k)
    with pytest.raises(ValueError, match="no chart holds two of the 30 points"):
        atlas_graph(atlas, 2 * x, 1e-3)
    with pytest.raises(ValueError, match="tolerance = -1"):
        atlas_graph(atlas, x, -1)
    with pytest.raises(ValueError, match="no rows"):
        atlas_graph(atlas, x[:0], 1e-3)
    with pytest.raises(ValueError, match="NaN"):
        atlas_graph(atlas, x / 0, 1e-3)


def test_an_empty_chart_is_no_obstacle():
    x = surfaces.circle(torch.linspace(-0.5, 1.2, 60).double())
    graph = atlas_graph(circle_atlas(3, reach=1.2), x, 1e-6)
    assert [page.chart for page in graph.pages] == [0, 1]
    assert graph.geodesic(x[0], x[-1]).length == pytest.approx(1.7, rel=1e-3)
