"""Nerves of charts: Betti numbers that are known, and where each kind of nerve fails."""

import math
import sys

import known_surfaces as surfaces
import numpy as np
import pytest
import torch

from geomlib.models import cech_nerve, multinerve
from geomlib.models.explicit_atlases import (
    circle_atlas,
    klein_bottle_atlas,
    sphere_caps_atlas,
    torus_atlas,
)
from geomlib.models.nerve import NeighbourGraph

SEEDS = (0, 1, 2)


@pytest.fixture
def homology():
    pytest.importorskip("gudhi")


@pytest.mark.usefixtures("homology")
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "betti", "odd"),
    [
        ("circle", (1, 1), (1, 1)),
        ("caps", (1, 0, 1), (1, 0, 1)),
        ("torus", (1, 2, 1), (1, 2, 1)),
        ("flat torus", (1, 2, 1), (1, 2, 1)),
        ("klein", (1, 2, 1), (1, 1, 0)),
        ("mobius", (1, 1, 0), (1, 1, 0)),
    ],
)
def test_betti_numbers_of_the_multinerve(name, betti, odd, seed):
    atlas, x = surfaces.sample(name, seed=seed)
    nerve = multinerve(atlas, x, 1e-6)
    assert nerve.betti() == betti
    assert nerve.betti(field=3) == odd  # torsion: Klein bottle
    assert nerve.uncovered == 0 and nerve.empty_charts == ()


@pytest.mark.usefixtures("homology")
def test_where_overlaps_have_two_pieces_the_nerve_is_wrong():
    x = surfaces.even_circle()
    assert cech_nerve(circle_atlas(2), x, 1e-6).betti() == (1, 0)
    assert multinerve(circle_atlas(2), x, 1e-6).betti() == (1, 1)
    for charts in (3, 4, 7):
        atlas = circle_atlas(charts)
        assert cech_nerve(atlas, x, 1e-6).betti() == multinerve(atlas, x, 1e-6).betti() == (1, 1)
    atlas, x = surfaces.sample("torus")
    assert cech_nerve(atlas, x, 1e-6).betti() == (1, 0, 0)


@pytest.mark.usefixtures("homology")
@pytest.mark.parametrize("seed", SEEDS)
def test_good_covers_need_no_multinerve(seed):
    grid = surfaces.angles(2500, seed)
    for atlas, betti in (
        (torus_atlas((3, 3)), (1, 2, 1)),
        (klein_bottle_atlas((3, 3)), (1, 1, 0)),
    ):
        x = atlas.decode_chart(0, grid)
        assert cech_nerve(atlas, x, 1e-6).betti(3) == betti
        assert multinerve(atlas, x, 1e-6).betti(3) == betti


@pytest.mark.usefixtures("homology")
def test_where_an_overlap_is_a_ring_the_multinerve_is_wrong_too():
    """It needs acyclic pieces; `good_cover` finds that they are not."""
    atlas, x = surfaces.sample("stereographic")
    assert multinerve(atlas, x, 1e-6).betti() == (1, 0, 0)  # of the sphere: (1, 0, 1)


def test_cells_of_two_arcs():
    x = surfaces.even_circle(200)
    nerve = multinerve(circle_atlas(2, reach=2.0), x, 1e-6)
    assert nerve.counts == (2, 2) and repr(nerve) == "Nerve: 2 vertices, 2 edges"
    north, south = (cell.points for cell in nerve.cells if cell.dimension == 1)
    assert {x[north][:, 1].sign().unique().item(), x[south][:, 1].sign().unique().item()} == {1, -1}
    both = circle_atlas(2, reach=2.0).overlap(0, 1, x, 1e-6)
    assert sorted([*north, *south]) == both.nonzero()[:, 0].tolist()
    # each edge is as long as the overlap, 4 - π
    assert len(north) == pytest.approx((4 - math.pi) * 200 / (2 * math.pi), abs=1)
    assert "Cell(charts (0, 1)" in repr(nerve.cells[-1])


def test_the_nerve_of_six_caps_is_an_octahedron():
    nerve = cech_nerve(sphere_caps_atlas(), surfaces.on_sphere(1500), 1e-6)
    assert nerve.counts == (6, 12, 8)
    opposite = {(0, 1), (2, 3), (4, 5)}
    assert not opposite & {cell.charts for cell in nerve.cells}


@pytest.mark.usefixtures("homology")
def test_a_chart_in_two_pieces_is_two_vertices():
    x = surfaces.even_circle()
    nerve = multinerve(surfaces.split_chart(), x, 1e-6)
    assert nerve.counts == (4, 4) and nerve.betti() == (1, 1)
    assert [cell.charts for cell in nerve.cells[:4]] == [(0,), (0,), (1,), (2,)]


@pytest.mark.usefixtures("homology")
def test_what_falls_apart_has_more_than_one_component():
    x = surfaces.on_sphere(3000)
    x = x[x[:, 2].abs() > 0.8]
    assert multinerve(sphere_caps_atlas(), x, 1e-6).betti()[0] == 2
    arcs = surfaces.circle(torch.cat([torch.linspace(0, 1, 50), torch.linspace(3, 4, 50)]).double())
    assert cech_nerve(circle_atlas(8), arcs, 1e-6).betti() == (2, 0)


def test_uncovered_points_and_empty_charts_are_counted():
    x = surfaces.circle(torch.linspace(-0.5, 0.5, 40).double())
    nerve = cech_nerve(circle_atlas(4), torch.cat([x, 2 * x[:3]]), 1e-6)
    assert nerve.uncovered == 3 and nerve.empty_charts == (2,)
    assert "3 points lie in no chart" in repr(nerve) and "without points: [2]" in repr(nerve)


@pytest.mark.usefixtures("homology")
def test_a_nerve_without_points():
    nerve = cech_nerve(circle_atlas(3), 2 * surfaces.even_circle(), 1e-6)
    assert nerve.cells == () and nerve.empty_charts == (0, 1, 2) and nerve.uncovered == 200
    assert nerve.betti() == (0, 0) and "no cells" in repr(nerve)


@pytest.mark.usefixtures("homology")
def test_cells_above_the_dimension_are_left_out():
    atlas, x = surfaces.sample("torus", 2000)
    whole = multinerve(atlas, x, 1e-6)
    assert whole.max_dimension == 3 and len(whole.counts) == 4
    assert sum((-1) ** k * count for k, count in enumerate(whole.counts)) == 0  # Euler
    skeleton = multinerve(atlas, x, 1e-6, max_dimension=2)
    assert skeleton.counts == whole.counts[:3] and skeleton.betti() == (1, 2)


@pytest.mark.parametrize("make", [cech_nerve, multinerve])
def test_small_pieces_are_left_out(make):
    x, atlas = surfaces.even_circle(400)[:390], circle_atlas(3)
    every = [len(cell.points) for cell in make(atlas, x, 1e-6, smallest=1).cells]
    assert len(set(every)) > 2
    for smallest in {*every, 401}:  # a piece of just so many points stays
        found = make(atlas, x, 1e-6, smallest=smallest).cells
        assert [len(cell.points) for cell in found] == [n for n in every if n >= smallest]


def test_components_of_a_neighbour_graph():
    x = torch.cat([torch.linspace(0, 1, 20), torch.linspace(5, 6, 10)])[:, None]
    graph = NeighbourGraph(x, 3)
    first, second = graph.components(np.arange(30))
    assert first.tolist() == list(range(20)) and second.tolist() == list(range(20, 30))
    assert graph.components(np.arange(0)) == []
    same = NeighbourGraph(torch.zeros(5, 2), 2)  # edges of length zero are edges
    assert same.edges.nnz == 10
    (whole,) = NeighbourGraph(torch.zeros(5, 2), 4).components(np.arange(5))
    assert len(whole) == 5


def test_without_gudhi_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gudhi", None)
    nerve = cech_nerve(circle_atlas(3), surfaces.even_circle(), 1e-6)
    with pytest.raises(ImportError, match="pip install gudhi"):
        nerve.betti()


@pytest.mark.parametrize("make", [cech_nerve, multinerve])
def test_nerves_need_points_and_tolerances(make):
    atlas, x = circle_atlas(3), surfaces.even_circle(50)
    with pytest.raises(ValueError, match="tolerance = 0"):
        make(atlas, x, 0)
    with pytest.raises(ValueError, match="no rows"):
        make(atlas, x[:0], 1e-3)
    with pytest.raises(ValueError, match="rows of 2 numbers"):
        make(atlas, torch.zeros(50, 3), 1e-3)
    with pytest.raises(ValueError, match="NaN"):
        make(atlas, x / 0, 1e-3)
    with pytest.raises(ValueError, match="max_dimension = 0"):
        make(atlas, x, 1e-3, max_dimension=0)
    with pytest.raises(ValueError, match="smallest = 0"):
        make(atlas, x, 1e-3, smallest=0)


@pytest.mark.parametrize("k", [0, 50, 80])
def test_neighbours_of_a_nerve_must_be_fewer_than_points(k):
    with pytest.raises(ValueError, match=f"k = {k} neighbours need more than k sample points"):
        multinerve(circle_atlas(3), surfaces.even_circle(50), 1e-3, k=k)


@pytest.mark.parametrize("field", [1, 4, 9, 0, -3])
def test_coefficients_are_a_prime_field(field):
    nerve = cech_nerve(circle_atlas(3), surfaces.even_circle(50), 1e-3)
    with pytest.raises(ValueError, match=f"field = {field}"):
        nerve.betti(field)
