"""The contract of an atlas, held against charts in closed form."""

from math import pi

import pytest
import torch
from torch.testing import assert_close

from geomlib.models import ExplicitAtlas
from geomlib.models.explicit_atlases import (
    circle_atlas,
    flat_torus_atlas,
    klein_bottle_atlas,
    mobius_atlas,
    sphere_atlas,
    sphere_caps_atlas,
    torus_atlas,
)
from geomlib.riemann import PullbackMetric
from geomlib.riemann.derivatives import value_and_jacobian

ATLASES = {
    "one-arc": circle_atlas(1),
    "circle": circle_atlas(),
    "six-arcs": circle_atlas(6, centre=0.3),
    "torus": torus_atlas(),
    "good-torus": torus_atlas((3, 4)),
    "flat-torus": flat_torus_atlas((3, 2)),
    "mobius": mobius_atlas(),
    "klein": klein_bottle_atlas(),
    "good-klein": klein_bottle_atlas((3, 3)),
    "circle-by-stereography": sphere_atlas(1),
    "sphere": sphere_atlas(),
    "three-sphere": sphere_atlas(3, reach=1.5),
    "caps": sphere_caps_atlas(),
}
every = pytest.mark.parametrize("atlas", ATLASES.values(), ids=ATLASES)


def codes(atlas, i, count=200):
    """Points of chart i's domain, in double precision."""
    z = torch.empty(40 * count, atlas.latent_dim).double().uniform_(-pi, pi)
    return z[atlas.in_domain(i, z)][:count]


def points(atlas, count=200):
    """Points of the manifold, from all charts."""
    return torch.cat([atlas.decode_chart(i, codes(atlas, i, count)) for i in range(atlas.n_charts)])


@every
def test_a_decoder_is_the_inverse_of_its_chart(atlas):
    for i in range(atlas.n_charts):
        z = codes(atlas, i)
        assert len(z) == 200
        assert_close(atlas.encode_chart(i, atlas.decode_chart(i, z)), z, rtol=0, atol=1e-12)


@every
def test_the_charts_cover_the_manifold_and_the_weights_know_their_domains(atlas):
    x = points(atlas)
    rho = atlas.probabilities(x)
    assert (rho >= 0).all()
    assert_close(rho.sum(-1), torch.ones(len(x)).double())
    inside = torch.stack(
        [atlas.in_domain(i, z) for i, z in enumerate(atlas.encode_all(x).unbind(-2))], dim=-1
    )
    covered = atlas.covers(x, tolerance=1e-9)
    assert covered.any(-1).all()
    assert not (covered & ~inside).any()
    # near the edge of a chart a bump may be 0 in floating point
    assert ((rho > 0) == covered).double().mean() > 0.99
    assert_close(atlas.reconstruct(x), x, rtol=0, atol=1e-12)
    assert_close(atlas.reconstruct_mixed(x), x, rtol=0, atol=1e-12)


@every
def test_transitions_invert_each_other_and_keep_the_metric(atlas):
    for i in range(min(atlas.n_charts, 3)):
        z = codes(atlas, i)
        x = atlas.decode_chart(i, z)
        for j in range(atlas.n_charts):
            both = atlas.overlap(i, j, x, 1e-9)
            if not both.any():
                continue
            w = atlas.transition(i, j, z[both])
            assert_close(atlas.transition(j, i, w), z[both], rtol=0, atol=1e-11)
            # G_i = Jᵀ G_j J: both charts see one metric
            _, jacobian = value_and_jacobian(lambda p, i=i, j=j: atlas.transition(i, j, p), z[both])
            here = PullbackMetric(lambda p, i=i: atlas.decode_chart(i, p)).matrix(z[both])
            there = PullbackMetric(lambda p, j=j: atlas.decode_chart(j, p)).matrix(w)
            assert_close(jacobian.mT @ there @ jacobian, here, rtol=1e-9, atol=1e-9)


@every
def test_the_partition_of_unity_is_smooth_at_the_edges(atlas):
    x = points(atlas, 50).requires_grad_()
    (slope,) = torch.autograd.grad((atlas.probabilities(x) ** 2).sum(), x)
    assert torch.isfinite(slope).all()


@every
@pytest.mark.parametrize("batch", [(), (5,), (2, 3)], ids=str)
def test_batches_and_dtypes(atlas, batch):
    x = points(atlas)[:6].float()
    x = x[0] if batch == () else x[: torch.Size(batch).numel()].reshape(*batch, -1)
    chart, z = atlas.encode(x)
    K, d, n = atlas.n_charts, atlas.latent_dim, atlas.data_dim
    assert chart.shape == batch and chart.dtype == torch.long
    assert z.shape == (*batch, d) and z.dtype == torch.float32
    assert atlas.encode_all(x).shape == (*batch, K, d)
    assert atlas.reconstructions(x).shape == (*batch, K, n)
    assert atlas.probabilities(x).shape == atlas.covers(x, 0.1).shape == (*batch, K)
    back = atlas.decode(chart, z)
    assert back.dtype == torch.float32
    assert_close(back, x, rtol=0, atol=1e-5)
    assert_close(atlas.decode_all(atlas.encode_all(x)), atlas.reconstructions(x), equal_nan=True)


def test_the_metrics_are_the_known_ones():
    z = torch.randn(20, 2).double() / 2
    one = torch.ones(20).double()
    v = z[:, 1]
    cases = [
        (flat_torus_atlas(), torch.diag_embed(torch.stack([one, one], -1))),
        (torus_atlas(), torch.diag_embed(torch.stack([(2 + v.cos()) ** 2, one], -1))),
        (sphere_atlas(), 4 / (1 + z.square().sum(-1))[:, None, None] ** 2 * torch.eye(2).double()),
    ]
    for atlas, expected in cases:
        assert_close(PullbackMetric(lambda p, a=atlas: a.decode_chart(0, p)).matrix(z), expected)


def signs(atlas, i, j):
    """The signs of the transition's determinant on the overlap of two charts."""
    z = codes(atlas, i, 2000)
    z = z[atlas.overlap(i, j, atlas.decode_chart(i, z), 1e-9)]
    _, jacobian = value_and_jacobian(lambda p: atlas.transition(i, j, p), z)
    return set(torch.linalg.det(jacobian).sign().int().tolist())


def test_the_band_and_the_bottle_turn_round_and_the_others_do_not():
    assert signs(mobius_atlas(), 0, 1) == {1, -1}
    assert signs(klein_bottle_atlas(), 0, 2) == {1, -1}
    assert signs(torus_atlas(), 0, 2) == signs(flat_torus_atlas(), 0, 2) == {1}
    assert signs(circle_atlas(), 0, 1) == {1}
    assert signs(sphere_atlas(), 0, 1) == {-1}  # on one piece: mirror a chart and it is 1


@pytest.mark.parametrize("u", [0.4, 2.0, 3.0])
def test_identified_angles_are_one_point(u):
    band, bottle = mobius_atlas().decoders[0], klein_bottle_atlas().decoders[0]
    for decode in (band, bottle):
        here = decode(torch.tensor([u, 0.3], dtype=torch.double))
        assert_close(decode(torch.tensor([u + 2 * pi, -0.3], dtype=torch.double)), here)
        assert (decode(torch.tensor([u + 2 * pi, 0.3], dtype=torch.double)) - here).norm() > 0.1


def test_mixed_batches_take_each_row_in_its_own_chart():
    atlas = circle_atlas(3)
    chart, z = torch.tensor([[0], [2]]), torch.linspace(-0.5, 0.5, 4)[:, None]
    x = atlas.decode(chart, z)
    assert x.shape == (2, 4, 2)
    assert_close(x[1], atlas.decode_chart(2, z))
    assert_close(atlas.decode(torch.tensor(2), z), x[1])


def test_one_arc_leaves_out_a_point_and_its_distances_go_round():
    atlas = circle_atlas(1, centre=pi)  # the post's chart (0, 2π)
    x = torch.tensor([[0.1], [-0.1]]).double()
    x = torch.cat([x.cos(), x.sin()], dim=-1)
    _, z = atlas.encode(x)
    assert_close((z[0] - z[1]).abs(), torch.tensor([2 * pi - 0.2]).double())


def test_points_outside_every_chart():
    atlas = mobius_atlas(width=0.5)
    x = torch.tensor([[2.7, 0.0, 0.0], [2.2, 0.0, 0.0]])
    assert atlas.probabilities(x).sum(-1).tolist() == [0.0, 1.0]
    assert atlas.covers(x, 0.1).any(-1).tolist() == [False, True]
    with pytest.raises(ValueError, match=r"1 of 2 points lie outside every chart.*\[2\.7"):
        atlas.encode(x)


def test_covers_asks_for_domain_weight_and_error():
    atlas = circle_atlas()
    off = torch.tensor([[1.3, 0.0]])  # error 0.3 in chart 0, outside of chart 1
    assert atlas.covers(off, 0.2).tolist() == [[False, False]]
    assert atlas.covers(off, 0.4).tolist() == [[True, False]]
    between = torch.tensor([[0.0, 1.0]])
    assert atlas.covers(between, 0.1).tolist() == [[True, True]]
    assert atlas.covers(between, 0.1, threshold=0.6).tolist() == [[False, False]]
    assert atlas.overlap(0, 1, torch.cat([off, between]), 0.4).tolist() == [False, True]


def test_bad_charts():
    atlas = circle_atlas()
    z = torch.zeros(3, 1)
    for i in (2, -1):
        with pytest.raises(
            ValueError, match=rf"no chart {i}: this atlas has the charts 0, \.\.\., 1"
        ):
            atlas.decode_chart(i, z)
        with pytest.raises(ValueError, match=f"no chart {i}"):
            atlas.decode(torch.tensor([0, i, 1]), z)
        with pytest.raises(ValueError, match=f"no chart {i}"):
            atlas.transition(0, i, z)
        with pytest.raises(ValueError, match=f"no chart {i}"):
            atlas.in_domain(i, z)
    with pytest.raises(ValueError, match=r"named by a whole number, but 0\.5 was given"):
        atlas.encode_chart(0.5, torch.ones(2))
    with pytest.raises(ValueError, match=r"whole numbers.*use chart\.long\(\)"):
        atlas.decode(torch.zeros(3), z)


def test_bad_points():
    atlas = circle_atlas()
    with pytest.raises(ValueError, match=r"x has shape \(4, 3\), but this model takes rows of 2"):
        atlas.encode(torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"z has shape \(4, 2\), but this model takes rows of 1"):
        atlas.decode(torch.zeros(4).long(), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="x holds NaN or infinite"):
        atlas.encode(torch.tensor([1.0, torch.nan]))
    with pytest.raises(TypeError, match=r"torch\.as_tensor"):
        atlas.encode([1.0, 0.0])
    with pytest.raises(ValueError, match=r"tolerance = 0\.0, but it must be positive"):
        atlas.covers(torch.ones(2), 0.0)
    with pytest.raises(ValueError, match=r"threshold = 1\.5, but it must be in"):
        atlas.covers(torch.ones(2), 0.1, 1.5)


def test_no_points_are_no_error():
    atlas = circle_atlas()
    chart, z = atlas.encode(torch.zeros(0, 2))
    assert atlas.decode(chart, z).shape == (0, 2)
    assert atlas.covers(torch.zeros(0, 2), 0.1).shape == (0, 2)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: circle_atlas(3, reach=1.0), r"3 arcs cover the circle only if it is above pi/3"),
        (lambda: circle_atlas(2, reach=4.0), r"an arc meets itself above pi"),
        (lambda: circle_atlas(0), r"charts = 0, but it must be at least 1"),
        (lambda: torus_atlas(major=1.0, minor=1.0), r"embedded only if"),
        (lambda: mobius_atlas(width=3.0), r"embedded only if"),
        (lambda: sphere_atlas(reach=1.0), r"only if it is above 1"),
        (lambda: sphere_caps_atlas(0.9), r"six caps cover the sphere from 0\.9554 on"),
        (
            lambda: ExplicitAtlas([abs], [abs], [], [abs], data_dim=1, latent_dim=1),
            r"there are 1, 1, 0 and 1",
        ),
        (lambda: ExplicitAtlas([], [], [], [], data_dim=1, latent_dim=1), r"n_charts = 0"),
    ],
)
def test_atlases_that_are_none(build, message):
    with pytest.raises(ValueError, match=message):
        build()
