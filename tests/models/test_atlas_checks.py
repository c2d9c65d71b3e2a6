"""Checks of atlases: they pass the exact ones, and name what is wrong with the others."""

import math

import known_surfaces as surfaces
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from geomlib.models import (
    coverage,
    good_cover,
    injectivity,
    labels_against_charts,
    multinerve,
    orientability,
    sup_error,
    transition_consistency,
)
from geomlib.models.atlas import ExplicitAtlas
from geomlib.models.explicit_atlases import circle_atlas, sphere_atlas, torus_atlas
from geomlib.riemann.derivatives import value_and_jacobian

SEEDS = (0, 1, 2)
NAMES = ["circle", "caps", "stereographic", "torus", "flat torus", "klein", "mobius"]
every_surface = pytest.mark.parametrize("name", NAMES)


@every_surface
def test_exact_atlases_pass(name):
    atlas, x = surfaces.sample(name, 600)
    found = coverage(atlas, x, 1e-6)
    assert found.fraction == 1 and not found.empty_charts and not found.uncovered
    assert sum(found.multiplicity) == len(x)
    assert sum(k * count for k, count in enumerate(found.multiplicity)) == sum(found.per_chart)
    error = sup_error(atlas, x)
    assert error.root_mean_square <= error.largest < 1e-12 and error.outside == 0
    agree = transition_consistency(atlas, x, 1e-6)
    assert agree.holds and agree.pairs >= 2
    assert max(agree.cocycle, agree.round_trip, agree.latent) < 1e-12
    for i in range(atlas.n_charts):
        codes = atlas.encode_chart(i, x[torch.as_tensor(atlas.covers(x, 1e-6)[:, i])])
        shape = injectivity(atlas, i, codes)
        assert shape.injective and shape.immersion and shape.rank == atlas.latent_dim


def test_coverage_counts_points_and_charts():
    atlas = circle_atlas(3, reach=1.2)
    x = surfaces.circle(torch.tensor([0.0, 0.3, 1.0, 1.1]).double())  # near the first centre
    far = torch.cat([x, 3 * x[:2]])
    found = coverage(atlas, far, 1e-6)
    assert found.per_chart == (4, 2, 0) and found.empty_charts == (2,)
    assert found.multiplicity == (2, 2, 2, 0)
    assert found.uncovered == (4, 5) and found.fraction == pytest.approx(4 / 6)
    assert "66.7%" in repr(found) and "charts [2] are empty" in repr(found)


def test_the_largest_error_is_found_where_it_is():
    wrong = surfaces.line(lambda z: torch.cat([z, z.clamp_min(0)], dim=-1), 10)
    x = torch.tensor([[1.0, 1.0], [2.0, 2.0], [-1.0, 1.5], [-1.0, 0.5]])
    found = sup_error(wrong, x)
    assert found.largest == 1.5 and found.where == 2
    assert found.root_mean_square == pytest.approx(math.sqrt((1.5**2 + 0.5**2) / 4))


def test_points_outside_every_chart_have_no_error():
    atlas, x = surfaces.sample("mobius", 50)
    outside = x.new_tensor([[3.5, 0.0, 0.0], [5.0, 0.0, 0.0]])
    found = sup_error(atlas, torch.cat([outside, x]))
    assert found.outside == 2 and found.where >= 2 and found.largest < 1e-12
    assert "2 points lie outside" in repr(found)
    with pytest.raises(ValueError, match="no point lies in a chart"):
        sup_error(atlas, outside)


@pytest.mark.parametrize(
    ("decoder", "reach", "injective", "immersion"),
    [
        (lambda z: surfaces.circle(z[..., 0]), 3.0, True, True),
        (lambda z: surfaces.circle(z[..., 0]), 3.5, False, True),  # more than once round
        (lambda z: torch.cat([z.sin(), (2 * z).sin()], -1), math.pi, False, True),  # figure eight
        (lambda z: torch.cat([z**2, z**3], -1), 1.0, False, False),  # cusp
        (lambda z: torch.cat([z**2, z**2], -1), 1.0, False, False),  # folded
    ],
)
def test_injectivity_of_curves(decoder, reach, injective, immersion):
    z = torch.linspace(-reach, reach, 1403, dtype=torch.float64)[1:-1, None]
    found = injectivity(surfaces.line(decoder, reach), 0, z)
    assert found.injective == injective and found.immersion == immersion
    a, b = z[list(found.pair)]
    ratio = (decoder(a) - decoder(b)).norm() / (a - b).norm()
    assert_close(ratio, torch.tensor(found.ratio).double())
    assert ("not injective" in repr(found)) == (not injective)


def test_ratios_of_a_linear_decoder_are_its_singular_values():
    W = torch.randn(5, 2, dtype=torch.float64)
    linear = ExplicitAtlas(
        [lambda x: x[..., :2]],
        [lambda z: z @ W.T],
        [lambda x: torch.ones_like(x[..., 0])],
        [lambda z: z.norm(dim=-1) < 2],
        data_dim=5,
        latent_dim=2,
    )
    found = injectivity(linear, 0, torch.randn(1500, 2, dtype=torch.float64))
    largest, least = torch.linalg.svdvals(W).tolist()
    assert found.ratio == pytest.approx(least, rel=1e-4)
    assert found.stretch == pytest.approx(largest, rel=1e-4)
    assert found.singular_value == pytest.approx(least)


def test_only_codes_in_the_domain_are_paired():
    wound = surfaces.line(lambda z: surfaces.circle(z[..., 0]), 3.0)
    z = torch.linspace(-6, 6, 301)[:, None]
    found = injectivity(wound, 0, z)
    assert found.injective and (z[list(found.pair)].abs() < 3).all()
    with pytest.raises(ValueError, match="1 of 2 codes lie in the domain of chart 0"):
        injectivity(wound, 0, torch.tensor([[0.0], [4.0]]))


def test_transitions_that_magnify_errors_are_inconsistent():
    """Charts 0 and 1 are good to 0.02, but chart 1 reads the error of chart 0 as an angle."""
    good = circle_atlas(3, reach=2.5)

    def nervous(x):
        return good.encode_chart(1, x) + 50 * (x.norm(dim=-1, keepdim=True) - 1)

    def off(z):
        return 1.01 * good.decode_chart(0, z)

    atlas = ExplicitAtlas(
        [good.encoders[0], nervous, good.encoders[2]],
        [off, *good.decoders[1:]],
        good.weights,
        good.domains,
        data_dim=2,
        latent_dim=1,
    )
    x = surfaces.even_circle(100)
    assert coverage(atlas, x, 0.02).fraction == 1
    found = transition_consistency(atlas, x, 0.02)
    assert not found.holds and "fails" in repr(found)
    assert found.round_trip > 0.4 and found.cocycle > 0.4
    assert found.worst is not None and {0, 1} < set(found.worst)


def test_a_transition_to_nan_is_inconsistent():
    good = circle_atlas()

    def broken(z):
        return good.decode_chart(0, z) * torch.where(z.abs() < 2, 1.0, 1 + 1e-7)

    def strict(x):
        far = (x.norm(dim=-1, keepdim=True) - 1).abs() > 1e-8
        return torch.where(far, torch.nan, good.encode_chart(1, x))

    atlas = ExplicitAtlas(
        [good.encoders[0], strict],
        [broken, good.decoders[1]],
        good.weights,
        good.domains,
        data_dim=2,
        latent_dim=1,
    )
    found = transition_consistency(atlas, surfaces.even_circle(100), 1e-3)
    assert found.round_trip == math.inf and not found.holds


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "orientable"),
    [
        ("circle", True),
        ("caps", True),
        ("stereographic", True),
        ("torus", True),
        ("flat torus", True),
        ("klein", False),
        ("mobius", False),
    ],
)
def test_orientability(name, orientable, seed):
    atlas, x = surfaces.sample(name, seed=seed)
    found = orientability(atlas, x, 1e-6)
    assert found.orientable == orientable and found.agreement == 1
    if not orientable:
        assert found.signs is None and "not orientable" in repr(found)
        assert math.prod(overlap.sign for overlap in found.cycle) == -1
        ends = [chart for overlap in found.cycle for chart in overlap.charts]
        assert all(ends.count(chart) == 2 for chart in ends)  # it closes
        return
    assert found.cycle == () and found.signs is not None and set(found.signs) <= {-1, 1}
    for overlap in found.overlaps:
        i, j = overlap.charts
        assert found.signs[i] * found.signs[j] == overlap.sign
        both = atlas.overlap(i, j, x, 1e-6)
        _, jacobian = value_and_jacobian(
            lambda z, i=i, j=j: atlas.transition(i, j, z), atlas.encode_chart(i, x[both])
        )
        assert (torch.linalg.det(jacobian) * overlap.sign > 0).all()


def test_mirrored_charts_are_named():
    plain, x = surfaces.sample("torus")
    mirror = torch.tensor([-1.0, 1.0]).double()
    atlas = ExplicitAtlas(
        [plain.encoders[0], lambda x: mirror * plain.encoders[1](x), *plain.encoders[2:]],
        [plain.decoders[0], lambda z: plain.decoders[1](mirror * z), *plain.decoders[2:]],
        plain.weights,
        plain.domains,
        data_dim=3,
        latent_dim=2,
    )
    assert orientability(atlas, x, 1e-6).signs == (1, -1, 1, 1)


def test_a_chart_in_two_pieces_need_not_have_one_sign():
    found = orientability(surfaces.split_chart(), surfaces.even_circle(), 1e-6)
    assert found.orientable and found.signs is None
    assert sorted(overlap.sign for overlap in found.overlaps) == [-1, -1, 1, 1]


def test_an_empty_chart_has_no_sign():
    atlas = circle_atlas(3, reach=1.2)
    x = surfaces.circle(torch.linspace(-0.5, 1.2, 60).double())
    assert orientability(atlas, x, 1e-6).signs == (1, 1, 0)


def test_signs_that_disagree_within_an_overlap_are_reported():
    plain = circle_atlas()

    def folded(x):
        return plain.encode_chart(1, x).abs().sub(1.5).abs()

    atlas = ExplicitAtlas(
        [plain.encoders[0], folded],
        [plain.decoders[0], lambda z: plain.decoders[1](z)],
        plain.weights,
        plain.domains,
        data_dim=2,
        latent_dim=1,
    )
    found = orientability(atlas, surfaces.even_circle(), 10.0)
    assert found.agreement < 0.7 and "signs agree at" in repr(found)


def test_holes_in_overlaps_are_found():
    pytest.importorskip("gudhi")
    for seed in SEEDS:
        atlas, x = surfaces.sample("stereographic", seed=seed)
        found = good_cover(multinerve(atlas, x, 1e-6), x)
        assert not found.good and found.pieces == 3
        assert [(cell.charts, count) for cell, count in found.holes] == [((0, 1), 1)]
        assert "1 in charts (0, 1)" in repr(found)


@pytest.mark.parametrize("name", ["circle", "caps", "torus", "klein", "mobius"])
def test_no_holes_where_there_are_none(name):
    pytest.importorskip("gudhi")
    for seed in SEEDS if name != "klein" else (0,):
        atlas, x = surfaces.sample(name, 800, seed)
        nerve = multinerve(atlas, x, 1e-6)
        found = good_cover(nerve, x, landmarks=30)
        assert found.good and found.pieces == len(nerve.cells) and "no hole" in repr(found)


def test_good_cover_wants_the_points_of_the_nerve():
    pytest.importorskip("gudhi")
    atlas, x = surfaces.sample("circle")
    nerve = multinerve(atlas, x, 1e-6)
    with pytest.raises(ValueError, match="the nerve holds point 299, but x has 100"):
        good_cover(nerve, x[:100])
    with pytest.raises(ValueError, match="landmarks=3"):
        good_cover(nerve, x, landmarks=3)
    with pytest.raises(ValueError, match="persistence=1"):
        good_cover(nerve, x, persistence=1)


def test_labels_against_charts_by_hand():
    labels = torch.tensor([0, 0, 0, 1, 1, 7, 7])
    charts = torch.tensor([3, 3, 1, 1, 1, -1, 1])
    found = labels_against_charts(labels, charts)
    np.testing.assert_array_equal(found.table, [[1, 2], [2, 0], [1, 0]])
    assert found.classes == (0, 1, 7) and found.charts == (1, 3) and found.outside == 1
    assert found.purity == pytest.approx((2 + 2) / 6)
    assert "1 points lie in no chart" in repr(found)


def test_labels_that_are_charts_and_labels_that_are_not():
    labels = torch.arange(3000) % 3
    same = labels_against_charts(labels, (labels + 5) * 2)
    assert same.purity == same.adjusted_rand == 1 and same.mutual_information == pytest.approx(1)
    for seed in SEEDS:
        charts = torch.randint(5, (3000,), generator=torch.Generator().manual_seed(seed))
        chance = labels_against_charts(labels, charts)
        assert abs(chance.adjusted_rand) < 0.01 and chance.mutual_information < 0.01
        assert chance.purity < 0.4


def test_bad_labels():
    good = torch.arange(4)
    with pytest.raises(ValueError, match=r"labels have shape \(4,\) and charts \(3,\)"):
        labels_against_charts(good, good[:3])
    with pytest.raises(ValueError, match=r"charts must be whole numbers.*float32"):
        labels_against_charts(good, good.float())
    with pytest.raises(ValueError, match="no point lies in a chart"):
        labels_against_charts(good, -torch.ones_like(good))
    with pytest.raises(ValueError, match="no point lies in a chart"):
        labels_against_charts(good[:0], good[:0])


@pytest.mark.parametrize("check", [coverage, transition_consistency, orientability])
def test_samples_and_tolerances_must_make_sense(check):
    atlas, x = sphere_atlas(), surfaces.on_sphere(40)
    for tolerance in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"tolerance = .*must be positive"):
            check(atlas, x, tolerance)
    with pytest.raises(ValueError, match=r"rows of 3 numbers"):
        check(atlas, x[:, :2], 1e-3)
    with pytest.raises(ValueError, match=r"\(count, 3\) is needed"):
        check(atlas, x[None], 1e-3)
    with pytest.raises(ValueError, match="no rows"):
        check(atlas, x[:0], 1e-3)
    with pytest.raises(ValueError, match="NaN"):
        check(atlas, torch.where(x > 0.99, x, torch.nan), 1e-3)
    with pytest.raises(TypeError, match="torch tensor"):
        check(atlas, x.numpy(), 1e-3)


def test_bad_charts_and_thresholds():
    atlas = torus_atlas()
    z = torch.zeros(5, 2)
    with pytest.raises(ValueError, match="there is no chart 4"):
        injectivity(atlas, 4, z)
    with pytest.raises(ValueError, match="z has shape"):
        injectivity(atlas, 0, torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"threshold = 1.0"):
        injectivity(atlas, 0, z, threshold=1.0)
    with pytest.raises(ValueError, match="k = 15 neighbours need more than k"):
        orientability(atlas, atlas.decode_chart(0, z), 1e-3)
