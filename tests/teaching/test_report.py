"""The report on a decoder against closed forms, and each of its warnings and errors."""

import dataclasses
import math
from html import escape

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

from geomlib.teaching import report

matplotlib.use("Agg")
SEEDS = [0, 1, 2]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def cloud(count=80, d=2, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(count, d, generator=generator, dtype=torch.float64)


def square(count=80, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(count, 2, generator=generator, dtype=torch.float64) - 1


def stereographic(w):
    """The unit sphere of any dimension without a pole."""
    q = (w**2).sum(-1, keepdim=True)
    return torch.cat([2 * w, q - 1], -1) / (1 + q)


def torus(z, big=2.0, small=0.7):
    u, v = z.unbind(-1)
    ring = big + small * u.cos()
    return torch.stack([ring * v.cos(), ring * v.sin(), small * u.sin()], -1)


def cusp(z):
    return torch.cat([z[..., :1], z[..., 1:] ** 2, z[..., 1:] ** 3], -1)


def network(activation, seed=0, *, first=2, last=6):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(first, 12), activation, nn.Linear(12, last)).double()


def convolutional(seed=0):
    torch.manual_seed(seed)
    head = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Unflatten(-1, (4, 2, 2)))
    return nn.Sequential(*head, nn.ConvTranspose2d(4, 1, 4, 2, 1)).double().eval()


def said(found, text):
    return [note for note in found.warnings if text in note]


@pytest.mark.parametrize("seed", SEEDS)
def test_sphere(seed):
    codes = square(seed=seed)
    found = report(stereographic, codes, pairs=8, seed=seed)
    stretch = 2 / (1 + (found.sample**2).sum(-1))
    torch.testing.assert_close(found.singular_values, stretch[:, None].expand(-1, 2))
    torch.testing.assert_close(found.magnification, stretch**2)
    torch.testing.assert_close(found.condition, torch.ones_like(stretch))
    torch.testing.assert_close(found.curvature, torch.ones_like(stretch))
    a, b = (stereographic(found.geodesics.points[:, end]) for end in (0, -1))
    assert found.geodesics.converged.all()
    torch.testing.assert_close(
        found.geodesics.arc_length(), torch.acos((a * b).sum(-1)), atol=1e-6, rtol=0
    )
    assert (found.gain > -1e-9).all() and (found.rank == 2).all()


def test_torus_map_and_curvature():
    found = report(torus, square() * torch.tensor([2.0, 3.0]).double(), pairs=4)
    u = found.sample[:, 0]
    ring = 2 + 0.7 * u.cos()
    torch.testing.assert_close(found.curvature, u.cos() / (0.7 * ring))
    torch.testing.assert_close(found.magnification, 0.7 * ring)
    x = torch.linspace(*found.box[:, 0].tolist(), 64).double()
    torch.testing.assert_close(
        found.magnification_map, (0.7 * (2 + 0.7 * x.cos())).expand(64, 64), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_linear_map_gains_nothing(seed, d):
    W = cloud(5, d, seed=10 + seed)
    found = report(lambda z: z @ W.mT, cloud(d=d, seed=seed), pairs=5)
    torch.testing.assert_close(found.singular_values, torch.linalg.svdvals(W).expand(80, d))
    assert found.gain.abs().max() < 1e-9 and len(found.gain) == 5
    if d == 1:
        assert found.curvature is None
    else:
        assert found.curvature.abs().max() == 0
    assert not said(found, "curvature") and not said(found, "rank")


def test_three_dimensions():
    found = report(stereographic, cloud(d=3), pairs=4)
    torch.testing.assert_close(found.curvature, torch.ones(80, dtype=torch.float64))
    torch.testing.assert_close(found.magnification, (2 / (1 + (found.sample**2).sum(-1))) ** 3)
    assert found.magnification_map is None and found.betti is None


def test_one_dimension():
    t = torch.linspace(-3, 3, 60, dtype=torch.float64)[:, None]
    found = report(lambda z: torch.cat([z.cos(), z.sin()], -1), t, pairs=4)
    torch.testing.assert_close(found.magnification, torch.ones(60, dtype=torch.float64))
    assert found.curvature is None and found.warnings == ()
    assert "none" in repr(found)


def test_a_cusp_is_a_point_without_rank():
    codes = torch.cat([square(60), torch.tensor([[0.5, 0.0]]).double()])
    found = report(cusp, codes, pairs=4)
    assert sorted(found.rank.tolist()) == [1, *[2] * 60]
    assert len(found.curvature) == 60 and math.isinf(found.condition.max())
    assert said(found, "loses rank at 1 of 61 codes, e.g. at z = [0.5, 0.0]")


def test_infinity_is_a_number_of_the_summary():
    codes = square(80)
    codes[::5, 1] = 0  # a fifth of them at the cusp
    row = next(line for line in repr(report(cusp, codes, pairs=4)).splitlines() if "cond" in line)
    assert row.endswith("to inf)")


def test_as_many_pairs_as_were_asked_for():
    found = report(torus, cloud(3), pairs=40)
    assert len(found.lines.points) == len(found.geodesics.points) == 40


def test_a_code_that_stands_twice_changes_no_reach():
    codes = cloud(60, scale=3.0)
    once, twice = (report(lambda z: 2 * z, each, pairs=1) for each in (codes, codes.repeat(2, 1)))
    assert twice.reach == once.reach


def test_no_full_rank_anywhere():
    found = report(lambda z: z.sum(-1, keepdim=True).expand(*z.shape[:-1], 3), square(), pairs=4)
    assert (found.rank == 1).all() and len(found.gain) == 0
    assert found.curvature is None and found.geodesics is None
    assert said(found, "80 of 80 codes") and said(found, "no geodesics") and said(found, "4096")
    found.figure()


def test_fewer_outputs_than_coordinates():
    found = report(lambda z: z[..., :2] ** 2 + 3 * z[..., :2], cloud(d=3, scale=0.1), pairs=4)
    assert (found.rank == 2).all() and (found.singular_values[:, 2] == 0).all()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU()])
def test_piecewise_linear_network_has_no_curvature(activation):
    found = report(network(activation), square(), pairs=4)
    assert found.curvature is None and said(found, "no curvature")
    assert found.geodesics is not None
    found.figure()


@pytest.mark.parametrize("seed", SEEDS)
def test_convolutional_decoder_is_flattened(seed):
    decoder, codes = convolutional(seed), square(seed=seed)
    found = report(decoder, codes, pairs=4)
    rows = report(nn.Sequential(decoder, nn.Flatten()), codes, pairs=4)
    assert found.output_shape == (1, 4, 4) and "1 x 4 x 4 images as rows of 16" in repr(found)
    torch.testing.assert_close(found.magnification, rows.magnification)
    torch.testing.assert_close(found.curvature, rows.curvature)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda z: decoder(z[None]).flatten()))(
        found.sample
    )
    torch.testing.assert_close(found.singular_values, torch.linalg.svdvals(jacobian).detach())


@pytest.mark.parametrize("seed", SEEDS)
def test_what_belongs_to_the_image_survives_new_coordinates(seed):
    def to_new(z):  # a diffeomorphism of the plane
        return torch.stack([2 * z[..., 0], z[..., 1] + z[..., 0] ** 2], -1)

    def to_old(w):
        return torch.stack([w[..., 0] / 2, w[..., 1] - (w[..., 0] / 2) ** 2], -1)

    decoder, codes = network(nn.Tanh(), seed), square(seed=seed)
    old = report(decoder, codes, pairs=6, seed=seed)
    new = report(lambda w: decoder(to_old(w)), to_new(codes), pairs=6, seed=seed)
    torch.testing.assert_close(new.curvature, old.curvature, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(
        new.geodesics.arc_length(), old.geodesics.arc_length(), rtol=1e-4, atol=0
    )
    torch.testing.assert_close(new.magnification, old.magnification / 2)
    assert (new.condition / old.condition - 1).abs().max() > 0.1
    assert not torch.allclose(new.lines.arc_length(), old.lines.arc_length(), rtol=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_ring_of_codes_has_one_hole(seed):
    angle = 2 * math.pi * torch.rand(300, generator=torch.Generator().manual_seed(seed)).double()
    ring = torch.stack([angle.cos(), angle.sin()], -1) + cloud(300, seed=seed, scale=0.03)
    found = report(lambda z: torch.cat([z, 0.1 * z**2], -1), ring, seed=seed)
    assert found.betti == (1, 1)
    assert found.in_the_open.any() and said(found, "far from all codes")
    middle = found.geodesics.points[found.in_the_open].norm(dim=-1).amin(-1)
    assert (middle < 1 - found.reach / 2).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_two_clouds_are_two_pieces_without_holes(seed):
    codes = torch.cat([square(200, seed), square(200, seed + 7) + 8])
    assert report(lambda z: 2 * z, codes, pairs=4).betti == (2, 0)


def test_codes_within_reach_of_the_whole_box_have_no_hole():
    corners = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]).double()
    assert report(lambda z: 2 * z, corners, pairs=2).betti == (1, 0)


def test_same_seed_same_report():
    first, again, other = (report(torus, cloud(400), pairs=4, seed=seed) for seed in (3, 3, 4))
    assert repr(first) == repr(again)
    assert torch.equal(first.sample, again.sample) and not torch.equal(first.sample, other.sample)
    assert torch.equal(first.geodesics.points, again.geodesics.points)
    assert len(first.sample) == 256


def test_the_random_state_of_the_caller_stays():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    report(torus, cloud(), pairs=2)
    assert torch.equal(torch.rand(3), wanted)


def test_codes_where_the_decoder_is_not_finite_are_left_out():
    codes = square()
    found = report(lambda z: torch.cat([z, (z[..., :1] + 0.5).log()], -1), codes, pairs=2)
    lost = int((codes[:, 0] <= -0.5).sum())
    assert lost and len(found.codes) == 80 - lost
    assert said(found, f"at {lost} of 80 codes") and said(found, "points of the box")
    assert torch.isnan(found.magnification_map).any()
    found.figure()


def test_single_precision_and_few_codes_are_said():
    found = report(torus, square(20).float(), pairs=2)
    assert said(found, "float32") and said(found, "20 codes are few")
    assert found.curvature.dtype == torch.float32


@pytest.mark.parametrize("seed", SEEDS)
def test_curvature_beyond_float_precision_is_said(seed):
    # a sphere in coordinates so slanted that the columns of J are almost parallel
    A = torch.tensor([[1.0, 1.0], [0.0, 1 / 150]]).double()
    codes = square(seed=seed) @ torch.linalg.inv(A).mT
    exact = report(lambda z: stereographic(z @ A.mT), codes, pairs=2)
    assert (exact.curvature - 1).abs().max() < 1e-6 and not said(exact, "beyond the precision")
    rounded = report(lambda z: stereographic(z @ A.mT.to(z)), codes.float(), pairs=2)
    assert (rounded.curvature - 1).abs().max() > 1e-3
    assert said(rounded, "beyond the precision of float32")


def test_geodesics_that_do_not_converge_are_counted():
    # a wall at z_1 = 0: the straight line is no minimiser, and few segments resolve none
    def wall(z):
        return torch.cat([z, 30 * torch.exp(-((20 * z[..., :1]) ** 2))], -1)

    found = report(wall, square(), pairs=12, segments=4)
    failed = int((~found.geodesics.converged).sum())
    assert failed and said(found, f"{failed} of 12 geodesics did not converge")
    assert len(found.gain) == 12 - failed


@pytest.mark.parametrize("decoder", [torus, cusp, convolutional(), lambda z: 3 * z])
def test_the_figure_has_six_panels_and_words(decoder):
    found = report(decoder, square(), pairs=3)
    panels = [ax for ax in found.figure().axes if ax.get_label() != "<colorbar>"]
    assert len(panels) == 6 and all(ax.get_title() for ax in panels)
    assert found.alt.startswith("Six panels") and "Gain" in found.alt


def test_the_text_holds_every_warning():
    found = report(cusp, torch.cat([square(20), torch.zeros(1, 2).double()]), pairs=2)
    assert len(found.warnings) >= 2
    for note in found.warnings:
        assert note in repr(found) and escape(note) in found._repr_html_()
    marked = dataclasses.replace(found, warnings=("NaN for z < 0",))
    assert "NaN for z &lt; 0" in marked._repr_html_()
    assert found._repr_html_().count("<tr>") == len(repr(found).splitlines())


@pytest.mark.parametrize("d", [1, 2, 3])
def test_every_dimension_can_be_drawn(d):
    panels = report(lambda z: torch.cat([z, z**2], -1), cloud(60, d), pairs=3).figure().axes
    assert len(panels) >= 6


BAD = {
    "NaN or infinite": torch.tensor([[0.0, 1.0], [math.nan, 1.0]]).double(),
    "no two different": torch.zeros(0, 2).double(),
    "no two different ones": torch.ones(5, 2).double(),
    "one row a code": torch.zeros(2, 3, 2).double(),
    "coordinates are real": torch.zeros(4, 2, dtype=torch.long),
}


@pytest.mark.parametrize("message", BAD)
def test_codes_that_make_no_cloud(message):
    with pytest.raises(ValueError, match=message):
        report(torus, BAD[message])


def test_codes_must_be_a_tensor():
    with pytest.raises(TypeError, match="as_tensor"):
        report(torus, np.zeros((4, 2)))


def test_codes_of_the_wrong_width():
    with pytest.raises(ValueError, match="f fails at points of shape"):
        report(network(nn.Tanh()), cloud(d=3))


def test_codes_of_another_dtype():
    with pytest.raises(ValueError, match=r"float32 but the network"):
        report(network(nn.Tanh()), cloud().float())


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(2)])
def test_training_mode_is_refused(layer):
    decoder = nn.Sequential(layer, nn.Linear(2, 3)).double()
    with pytest.raises(ValueError, match="training mode"):
        report(decoder, cloud())
    report(decoder.eval(), cloud(), pairs=2)


@pytest.mark.parametrize(
    "decoder", [lambda z: z + torch.randn_like(z), lambda z: z - z.mean(0, keepdim=True)]
)
def test_noise_and_mixed_rows_are_refused(decoder):
    with pytest.raises(ValueError, match="its own code only"):
        report(decoder, cloud())


def test_a_function_of_one_point_is_refused():
    with pytest.raises(ValueError, match="batch"):
        report(lambda z: z.sum(), cloud())


def test_nowhere_finite():
    with pytest.raises(ValueError, match="at all codes"):
        report(lambda z: z / 0, cloud())


@pytest.mark.parametrize("options", [{"pairs": 0}, {"segments": 0}])
def test_counts_must_be_positive(options):
    with pytest.raises(ValueError, match="at least one"):
        report(torus, cloud(), **options)
