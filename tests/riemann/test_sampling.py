"""Volumes of regions and uniform samples against closed forms."""

import math

import closed_forms as known
import pytest
import torch
from torch.testing import assert_close

from geomlib.riemann import MatrixMetric, PullbackMetric, region_volume, sample_uniform

PI = math.pi


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def three_sphere(z):
    """Two colatitudes and a longitude: √det G = sin²χ sin θ."""
    chi, theta, _ = z.unbind(-1)
    return known.diagonal(torch.ones_like(chi), chi.sin() ** 2, (chi.sin() * theta.sin()) ** 2)


VOLUMES = {
    "sphere": (PullbackMetric(known.sphere), (0, 0), (PI, 2 * PI), 16 * PI),
    "cap": (MatrixMetric(known.sphere_matrix), (0, 0), (0.8, 2 * PI), 8 * PI * (1 - math.cos(0.8))),
    "torus": (PullbackMetric(known.torus), (0, 0), (2 * PI, 2 * PI), 4 * PI**2 * 2 * 0.7),
    "half-plane": (known.half_plane, (-1, 1), (2, 3), 3 * (1 - 1 / 3)),
    "parabola": (
        PullbackMetric(lambda z: torch.cat([z, z**2], -1)), (-1,), (1,),
        math.sqrt(5) + math.asinh(2) / 2,
    ),
    "3-sphere": (MatrixMetric(three_sphere), (0, 0, 0), (PI, PI, 2 * PI), 2 * PI**2),
    "half-space": (known.half_space, (0, 0, 1), (2, 3, 2), 6 * (1 - 1 / 4) / 2),
}  # fmt: skip


@pytest.mark.parametrize("name", VOLUMES)
def test_volumes_in_closed_form(name):
    metric, low, high, expected = VOLUMES[name]
    volume = region_volume(metric, tensor(*low), tensor(*high), cells=24)
    assert_close(volume, torch.tensor(expected, dtype=torch.float64), rtol=1e-7, atol=0)


def test_the_error_falls_at_sixth_order():
    low, high = tensor(-1, 1), tensor(2, 3)
    exact = VOLUMES["half-plane"][-1]
    errors = [
        abs(region_volume(known.half_plane, low, high, cells=n).item() - exact) for n in (4, 8, 16)
    ]
    assert errors[0] / errors[1] > 30 and errors[1] / errors[2] > 45


def test_a_curved_region():
    # a disc of the hyperbolic plane: radius r about (0, 1), area 2π(cosh r − 1)
    centre = tensor(0, 1)

    def disc(z):
        return known.half_plane_distance(z, centre) < 1

    low, high = tensor(-1.5, 0.3), tensor(1.5, 3.0)
    area = region_volume(known.half_plane, low, high, inside=disc, cells=150)
    assert_close(area, torch.tensor(2 * PI * (math.cosh(1) - 1)).double(), rtol=5e-3, atol=0)


def test_volumes_add_up_and_scale():
    metric = PullbackMetric(known.decoder())
    low, high, middle = tensor(-1, -1), tensor(1, 2), tensor(1, 0.3)
    whole = region_volume(metric, low, high)
    parts = region_volume(metric, low, middle), region_volume(metric, tensor(-1, 0.3), high)
    assert_close(whole, sum(parts), rtol=1e-9, atol=0)
    thrice = MatrixMetric(lambda z: 9 * metric.matrix(z))
    assert_close(region_volume(thrice, low, high, cells=8), 9 * region_volume(metric, low, high,
                 cells=8))  # fmt: skip


def test_a_volume_does_not_depend_on_the_chart():
    f = known.decoder()
    low, high = tensor(0.1, -1), tensor(1, 1)
    new = PullbackMetric(lambda w: f(torch.stack([w[..., 0].log(), w[..., 1] ** 3], -1)))
    ends = torch.stack([low, high]) * 1.0
    there = torch.stack([ends[:, 0].exp(), ends[:, 1]], -1)
    volume = region_volume(new, there[0], there[1], cells=64)
    assert_close(volume, region_volume(PullbackMetric(f), low, high), rtol=1e-6, atol=0)


def test_a_volume_is_differentiable():
    low, high = tensor(0.3, -1), tensor(1, 1).requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda high: region_volume(PullbackMetric(known.sphere), low, high, cells=4), (high,)
    )


def draw(metric, count, low, high, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return sample_uniform(
        metric, count, tensor(*low), tensor(*high), generator=generator, **options
    )


def is_mean(samples, expected):
    """Whether the mean is as expected within five standard errors."""
    error = samples.std(0) / len(samples) ** 0.5
    return bool(((samples.mean(0) - expected).abs() < 5 * error).all())


def is_uniform(samples):
    """Kolmogorov and Smirnov: whether samples may come from the uniform distribution on [0, 1]."""
    ordered = samples.sort().values
    steps = torch.arange(1, len(samples) + 1) / len(samples)
    return float((ordered - steps).abs().max()) * len(samples) ** 0.5 < 2.2  # p of 1e-4


def test_uniform_on_the_sphere():
    # Archimedes: height and longitude are uniform
    z = draw(PullbackMetric(known.sphere), 20_000, (0, 0), (PI, 2 * PI))
    assert z.shape == (20_000, 2) and z.dtype == torch.float64
    assert is_uniform((1 - z[:, 0].cos()) / 2) and is_uniform(z[:, 1] / (2 * PI))
    assert not is_uniform(z[:, 0] / PI)
    assert is_mean(known.sphere(z), tensor(0, 0, 0))
    squares = known.sphere(z) ** 2
    assert is_mean(squares, tensor(4, 4, 4) / 3)


def test_uniform_on_the_torus():
    z = draw(MatrixMetric(known.torus_matrix), 20_000, (0, 0), (2 * PI, 2 * PI))
    u = z[:, 0]
    assert is_uniform((2 * u + 0.7 * u.sin()) / (4 * PI))  # its distribution function
    assert is_uniform(z[:, 1] / (2 * PI))
    assert is_mean(z[:, :1].cos(), 0.7 / (2 * 2))


def test_uniform_in_other_dimensions():
    line = draw(PullbackMetric(lambda z: z**3), 5000, (0.5,), (2,))
    assert is_uniform((line[:, 0] ** 3 - 1 / 8) / (8 - 1 / 8))
    space = draw(known.half_space, 5000, (0, 0, 1), (2, 3, 2), cells=12)
    assert is_uniform((1 - 1 / space[:, 2] ** 2) / (1 - 1 / 4)) and is_uniform(space[:, 1] / 3)


def test_uniform_in_a_region():
    def disc(z):
        return z.norm(dim=-1) < 1

    z = draw(PullbackMetric(known.paraboloid), 8000, (-1, -1), (1, 1), inside=disc)
    square = z.square().sum(-1)
    assert disc(z).all()
    a = 1.5
    area = ((1 + a**2 * square) ** 1.5 - 1) / ((1 + a**2) ** 1.5 - 1)  # within this radius
    assert is_uniform(area)


@pytest.mark.parametrize("cells", [2, 5, 64])
def test_a_peak_between_the_corners_is_found(cells):
    # density 1 + 40 exp(−((z − 0.3)/0.03)²): 2.13 parts of 3.13 lie in the peak
    def density(z):
        return 1 + 40 * torch.exp(-(((z - 0.3) / 0.03) ** 2))

    z = draw(MatrixMetric(lambda z: density(z)[..., None] ** 2), 6000, (0,), (1,), cells=cells)
    peak = 40 * 0.03 * PI**0.5
    inside = ((z - 0.3).abs() < 0.1)[:, 0].double()
    assert is_mean(inside[:, None], (peak + 0.2) / (peak + 1))


def test_draws_can_be_repeated_and_are_independent():
    sphere = PullbackMetric(known.sphere)
    low, high = (0, 0), (PI, 2 * PI)
    first = draw(sphere, 50, low, high, seed=3)
    assert (first == draw(sphere, 50, low, high, seed=3)).all()
    assert (first != draw(sphere, 50, low, high, seed=4)).any()
    assert len(first.unique(dim=0)) == 50
    z = draw(sphere, 4001, low, high)
    assert is_mean((z[1:] * z[:-1] - z.mean(0) ** 2), tensor(0, 0))


def test_single_precision():
    sphere = PullbackMetric(known.sphere)
    low, high = torch.zeros(2), torch.tensor([PI, 2 * PI])
    assert sample_uniform(sphere, 10, low, high).dtype == torch.float32
    volume = region_volume(sphere, low, high)
    assert_close(volume, torch.tensor(16 * PI), rtol=1e-5, atol=0)


SPHERE = PullbackMetric(known.sphere)
ZERO, ONE = tensor(0.0, 0.0), tensor(1.0, 1.0)


@pytest.mark.parametrize(
    ("low", "high", "options", "message"),
    [
        (ONE, ZERO, {}, "low < high in every coordinate"),
        (ZERO, tensor(1, 0), {}, "low < high in every coordinate"),
        (ZERO, tensor(1, 1, 1), {}, "low has 2 coordinates but high has 3"),
        (ZERO, ONE.float(), {}, "low is torch.float64 but high is torch.float32"),
        (ZERO[None], ONE[None], {}, "two corners"),
        (ZERO, ONE * torch.inf, {}, "high holds NaN or infinite"),
        (ZERO, ONE, {"cells": 0}, "cells=0 in 2 dimensions"),
        (ZERO, ONE, {"cells": 5000}, "take between 1 and 1414"),
        (torch.zeros(9), torch.ones(9), {}, "take between 1 and 5"),
    ],
)
def test_a_box_that_is_none(low, high, options, message):
    for call in (region_volume, lambda *args, **kw: sample_uniform(args[0], 5, *args[1:], **kw)):
        with pytest.raises(ValueError, match=message):
            call(SPHERE, low, high, **options)


def test_nothing_to_draw_from():
    flat = PullbackMetric(lambda z: torch.cat([z[..., :1]] * 3, -1))
    with pytest.raises(ValueError, match="volume element is zero on the whole box"):
        sample_uniform(flat, 5, ZERO, ONE)
    with pytest.raises(ValueError, match=r"inside\(z\) holds at the middle of no cell"):
        sample_uniform(SPHERE, 5, ZERO, ONE, inside=lambda z: z[:, 0] > 2)
    with pytest.raises(ValueError, match="count=0"):
        sample_uniform(SPHERE, 0, ZERO, ONE)
    with pytest.raises(ValueError, match="not finite"):
        sample_uniform(known.half_plane, 5, ZERO, ONE)  # y = 0 is infinitely far


def test_a_region_without_volume_does_not_run_for_ever():
    # the square of the positive part: no volume where z₁ < 0
    f = PullbackMetric(lambda z: torch.stack([z[..., 0].clamp_min(0) ** 2, z[..., 1]], -1))
    with pytest.raises(ValueError, match="no cell where there is volume"):
        sample_uniform(f, 5, -ONE, ONE, inside=lambda z: z[:, 0] < -0.5)
