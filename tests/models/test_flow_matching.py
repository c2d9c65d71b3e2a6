"""Flow matching: the same chain as diffusion in other coordinates, learned circles, bad input."""

from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from geomlib.data import circle_points
from geomlib.models import (
    CircleDenoiser,
    FlowMatching,
    GaussianDenoiser,
    ProbabilityFlowStep,
    flow_steps,
    velocity_of,
    walk,
)
from geomlib.models.flow_matching import EulerFlowStep, HeunFlowStep

QUIET = {"progress": False}
DOUBLE = torch.float64


@pytest.mark.parametrize("seed", range(3))
def test_an_euler_step_of_the_flow_is_a_ddim_step(seed):
    denoiser = CircleDenoiser()
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    step = EulerFlowStep(velocity_of(denoiser), 0.8, 0.3)
    assert step.sigma_from == pytest.approx(4) and step.sigma_to == pytest.approx(3 / 7)
    ddim = ProbabilityFlowStep(denoiser, step.sigma_from, step.sigma_to)
    assert_close(step(x) / 0.7, ddim(x / 0.2))


@pytest.mark.parametrize(("kind", "order"), [("euler", 1), ("heun", 2)])
def test_many_steps_tend_to_the_probability_flow(kind, order):
    denoiser = GaussianDenoiser(
        torch.tensor([0.5, -0.5]).double(), torch.diag(torch.tensor([1.5, 0.2], dtype=DOUBLE))
    )
    x = torch.randn(4, 2, dtype=DOUBLE)
    exact = 0.9 * denoiser.flow(x / 0.1, 9.0, 1 / 9)  # from time 0.9 to 0.1
    errors = []
    for count in (50, 100, 200):
        steps = flow_steps(
            velocity_of(denoiser), torch.linspace(0.9, 0.1, count + 1, dtype=DOUBLE), kind
        )
        errors.append((walk(steps, x) - exact).abs().max())
    for coarse, fine in pairwise(errors):
        assert abs((coarse / fine).log2().item() - order) < 0.2


def test_the_velocity_of_a_gaussian():
    """$v = (s - (1 - s) c)\\, x / (s^2 + (1 - s)^2 c)$ for data from N(0, c)."""
    c, s = 0.3, torch.tensor([0.1, 0.5, 0.9], dtype=DOUBLE)
    denoiser = GaussianDenoiser(torch.zeros(1).double(), torch.tensor([[c]]).double())
    x = torch.randn(3, 1, dtype=DOUBLE)
    factor = (s - (1 - s) * c) / (s**2 + (1 - s) ** 2 * c)
    assert_close(velocity_of(denoiser)(x, s), factor[:, None] * x)


@pytest.mark.parametrize("seed", range(3))
def test_samples_of_a_circle(seed):
    x, _ = circle_points(2048, seed=seed)
    model = FlowMatching(2, hidden=64, seed=seed)
    model.fit(x, epochs=50, learning_rate=5e-3, seed=seed, **QUIET)
    state = torch.get_rng_state()
    samples = model.sample(1000, "heun")
    assert (torch.get_rng_state() == state).all() and not samples.requires_grad
    assert (samples.norm(dim=1) - 1).abs().mean() < 0.12
    assert samples.mean(0).norm() < 0.2
    # beside the exact velocity
    test = 0.5 * x[:200] + 0.5 * torch.randn(200, 2)
    error = model(test, 0.5) - velocity_of(CircleDenoiser())(test, 0.5)
    assert error.square().mean().sqrt() < 0.25


def test_steps_follow_on_each_other_from_noise_to_data():
    model = FlowMatching(2, hidden=8)
    model.fit(torch.randn(64, 2), epochs=1, **QUIET)
    steps = model.steps(4, "heun")
    assert [step.time_from for step in steps] == [1, 0.75, 0.5, 0.25]
    assert [step.time_to for step in steps] == [0.75, 0.5, 0.25, 0]
    assert all(isinstance(step, HeunFlowStep) and not step.stochastic for step in steps)
    assert steps[0].sigma_from == float("inf") and steps[-1].sigma_to == 0
    x = torch.randn(3, 2)
    assert_close(
        model.sample(3, steps=4),
        walk(
            model.steps(4), torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
        ).detach(),
    )
    assert torch.func.jacfwd(lambda z: walk(steps, z))(x[0]).shape == (2, 2)


def test_times_one_for_each_point_and_derivatives_in_every_mode():
    model = FlowMatching(3, hidden=8).double()
    x, s = torch.randn(4, 3, dtype=DOUBLE), torch.tensor([0.0, 0.3, 0.6, 1.0], dtype=DOUBLE)
    single = torch.stack([model(p, t) for p, t in zip(x, s, strict=True)])
    assert_close(model(x, s), single)
    forward = torch.func.jacfwd(lambda z: model(z, 0.3))(x[0])
    assert_close(torch.func.jacrev(lambda z: model(z, 0.3))(x[0]), forward)
    assert torch.autograd.gradgradcheck(lambda z: model(z, 0.3), x.requires_grad_())


def test_an_untrained_model_warns():
    with pytest.warns(UserWarning, match="this model is not trained"):
        FlowMatching(2, hidden=8).steps(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FlowMatching(2, hidden=8)(torch.ones(3), 0.5), "rows of 2 numbers"),
        (lambda: FlowMatching(2, hidden=8)(torch.ones(2), 1.5), "between 0 .data. and 1 .noise."),
        (lambda: FlowMatching(2, hidden=8)(torch.ones(2) / 0, 0.5), "NaN or infinite"),
        (lambda: FlowMatching(0), "dim = 0"),
        (lambda: FlowMatching(2).steps(0), "count = 0"),
        (lambda: velocity_of(CircleDenoiser())(torch.ones(2), 1.0), "at the ends a denoiser"),
        (lambda: EulerFlowStep(velocity_of(CircleDenoiser()), 0.5, 0.5), "one time in"),
        (lambda: EulerFlowStep(velocity_of(CircleDenoiser()), 1.2, 0.5), "time_from=1.2"),
        (lambda: flow_steps(lambda x, s: x, torch.ones(1)), "two times at least"),
        (lambda: flow_steps(lambda x, s: x, torch.ones(2), "ddpm"), "no kind 'ddpm'"),
    ],
)
def test_what_cannot_be(call, message):
    with pytest.raises(ValueError, match=message):
        call()
