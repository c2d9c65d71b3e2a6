"""Noise schedules and steps: orders of convergence, exact flows, marginals, bad input."""

from itertools import pairwise
from math import prod, sqrt

import pytest
import torch
from torch.testing import assert_close

from geomlib.models import (
    CircleDenoiser,
    DDPMStep,
    GaussianDenoiser,
    HeunStep,
    MixtureDenoiser,
    NoiseSchedule,
    ProbabilityFlowStep,
    denoising_steps,
    walk,
)
from geomlib.riemann.derivatives import value_and_jacobian

DOUBLE = torch.float64


def gaussian():
    return GaussianDenoiser(
        torch.tensor([1.0, -1.0], dtype=DOUBLE), torch.tensor([[2.0, 0.5], [0.5, 0.3]]).double()
    )


@pytest.mark.parametrize(
    "schedule",
    [
        NoiseSchedule.geometric(0.02, 10, 50),
        NoiseSchedule.karras(0.02, 10, 50),
        NoiseSchedule.ddpm(50, 1e-3, 0.3),
    ],
    ids=repr,
)
def test_schedules_rise_and_know_their_ddpm_numbers(schedule):
    assert schedule.steps == 50 and schedule.sigmas.shape == (51,)
    assert (schedule.sigmas.diff() > 0).all()
    assert_close(schedule.sigmas, ((1 - schedule.alpha_bar) / schedule.alpha_bar).sqrt())


def test_three_ways_to_space_the_levels():
    ratios = NoiseSchedule.geometric(0.1, 10, 8).sigmas
    assert_close(ratios[1:] / ratios[:-1], torch.full((8,), 100 ** (1 / 8), dtype=DOUBLE))
    roots = NoiseSchedule.karras(0.1, 10, 8, rho=3).sigmas ** (1 / 3)
    assert_close(roots.diff(), roots.diff()[:1].expand(8))
    assert_close(
        NoiseSchedule.ddpm(2, 0.1, 0.5).alpha_bar,
        torch.tensor([0.9, 0.9 * 0.7, 0.9 * 0.7 * 0.5], dtype=DOUBLE),
    )


@pytest.mark.parametrize(("kind", "order"), [("ddim", 1), ("heun", 2)])
def test_many_steps_tend_to_the_exact_flow(kind, order):
    denoiser = gaussian()
    x = torch.randn(5, 2, dtype=DOUBLE)
    exact = denoiser.flow(x, 5.0, 0.1)
    errors = [
        (walk(denoising_steps(denoiser, NoiseSchedule.geometric(0.1, 5, k), kind), x) - exact)
        .abs()
        .max()
        for k in (100, 200, 400)
    ]
    for coarse, fine in pairwise(errors):
        assert abs((coarse / fine).log2().item() - order) < 0.15
    assert errors[-1] < {1: 0.1, 2: 1e-3}[order]


def test_the_jacobian_of_the_chain_is_the_product_of_the_factors():
    denoiser = GaussianDenoiser(torch.zeros(1).double(), torch.tensor([[0.7]]).double())
    steps = denoising_steps(denoiser, NoiseSchedule.geometric(0.1, 5, 20))
    x = torch.randn(3, 1, dtype=DOUBLE)
    jacobian = value_and_jacobian(lambda z: walk(steps, z), x)[1]
    factors = []
    for step in steps:
        gain = 0.7 / (0.7 + step.sigma_from**2)
        factors.append(gain + step.sigma_to / step.sigma_from * (1 - gain))
    assert_close(jacobian.flatten(), torch.full((3,), prod(factors), dtype=DOUBLE))
    assert abs(prod(factors) / sqrt((0.7 + 0.01) / (0.7 + 25)) - 1) < 0.15


def test_steps_come_in_the_order_of_use():
    schedule = NoiseSchedule.karras(0.1, 10, 7)
    for kind, stochastic in (("ddim", False), ("heun", False), ("ddpm", True)):
        steps = denoising_steps(CircleDenoiser(), schedule, kind)
        assert [s.sigma_from for s in steps] == schedule.sigmas.flip(0)[:-1].tolist()
        assert [s.sigma_to for s in steps] == schedule.sigmas.flip(0)[1:].tolist()
        assert all(step.stochastic is stochastic for step in steps)


def test_ddim_in_the_frame_of_ddpm():
    """Equation (12) of Song, Meng and Ermon with their noise parameter 0."""
    before, after = 0.3, 0.8  # alpha bar
    x = torch.randn(4, 2, dtype=DOUBLE)  # in the frame of a DDPM
    denoiser = gaussian()
    guess = denoiser.denoise(x / sqrt(before), sqrt((1 - before) / before))
    noise = (x - sqrt(before) * guess) / sqrt(1 - before)
    expected = sqrt(after) * guess + sqrt(1 - after) * noise
    sigmas = [sqrt((1 - a) / a) for a in (before, after)]
    ours = sqrt(after) * ProbabilityFlowStep(denoiser, *sigmas)(x / sqrt(before))
    assert_close(ours, expected)


def test_a_step_to_zero_is_the_denoiser_and_a_step_back_undoes_it():
    x = torch.tensor([[0.9, 0.3]], dtype=DOUBLE)
    denoiser = CircleDenoiser()
    assert_close(ProbabilityFlowStep(denoiser, 0.5, 0.0)(x), denoiser.denoise(x, 0.5))
    there = HeunStep(denoiser, 0.5, 0.49)(x)
    back = HeunStep(denoiser, 0.49, 0.5)(there)
    assert (back - x).abs().max() < 0.01 * (there - x).abs().max()


@pytest.mark.parametrize("seed", range(3))
def test_ancestral_steps_keep_the_marginal_of_one_point(seed):
    """Behind x there is only one point: the draw is from the exact N(point, sigma²)."""
    generator = torch.Generator().manual_seed(seed)
    point = torch.tensor([[2.0, -1.0]], dtype=DOUBLE)
    x = point + 3 * torch.randn(40_000, 2, generator=generator, dtype=DOUBLE)
    steps = denoising_steps(
        MixtureDenoiser.of_points(point), NoiseSchedule.geometric(0.5, 3, 4), "ddpm"
    )
    end = walk(steps, x, generator)
    assert_close(end.mean(0), point[0], rtol=0, atol=0.02)
    assert_close(torch.cov(end.T), 0.25 * torch.eye(2, dtype=DOUBLE), rtol=0, atol=0.02)
    # and what is left of the noise of x is the part that the formula keeps
    step = DDPMStep(MixtureDenoiser.of_points(point), 3.0, 0.5)
    after = step(x, generator) - point
    share = ((x - point) * after).mean() / (x - point).square().mean()
    assert abs(share - 1 / 36) < 0.004


def test_the_generator_decides():
    step, x = DDPMStep(CircleDenoiser(), 1.0, 0.5), torch.ones(3, 2)
    state = torch.get_rng_state()
    first, again, other = (step(x, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert (torch.get_rng_state() == state).all()


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([1.0], r"two noise levels at least"),
        ([[1.0, 2.0]], r"shape \(1, 2\)"),
        ([0.0, 1.0], "positive"),
        ([2.0, 1.0], "flip a list"),
        ([1.0, 1.0], "strictly increasing"),
        ([1.0, float("nan")], "finite"),
    ],
)
def test_levels_that_make_no_schedule(levels, message):
    with pytest.raises(ValueError, match=message):
        NoiseSchedule(torch.tensor(levels))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: NoiseSchedule.geometric(1.0, 0.1, 5), "sigma_min < sigma_max"),
        (lambda: NoiseSchedule.karras(0.0, 1.0, 5), "0 < sigma_min"),
        (lambda: NoiseSchedule.karras(0.1, 1.0, 5, rho=0), "rho must be positive"),
        (lambda: NoiseSchedule.geometric(0.1, 1.0, 0), "steps = 0"),
        (lambda: NoiseSchedule.ddpm(10, 0.5, 0.1), "beta_min <= beta_max"),
        (lambda: ProbabilityFlowStep(CircleDenoiser(), 0.0, 1.0), "sigma_from > 0"),
        (lambda: ProbabilityFlowStep(CircleDenoiser(), 1.0, 1.0), "another level"),
        (lambda: ProbabilityFlowStep(CircleDenoiser(), 1.0, -1.0), "sigma_to >= 0"),
        (lambda: HeunStep(CircleDenoiser(), 1.0, 0.0), "take a ProbabilityFlowStep"),
        (lambda: DDPMStep(CircleDenoiser(), 0.1, 1.0), "an ancestral step goes down"),
        (
            lambda: denoising_steps(CircleDenoiser(), NoiseSchedule.ddpm(), "euler"),
            "no kind 'euler' of step: take one of ddim, heun, ddpm",
        ),
    ],
)
def test_what_cannot_be_built(build, message):
    with pytest.raises(ValueError, match=message):
        build()
