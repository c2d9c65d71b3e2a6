"""Learned denoisers: tangent spaces beside the known ones, the bottleneck, the noise levels."""

import warnings

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from geomlib.data import circle_points, sphere_in, sphere_tangents
from geomlib.models import (
    DataPrediction,
    DiffusionModel,
    Embedded,
    GaussianDenoiser,
    NoiseSchedule,
    SphereDenoiser,
    load,
    save,
)
from geomlib.riemann.derivatives import value_and_jacobian

QUIET = {"progress": False}
BOTH = pytest.mark.parametrize("kind", [DiffusionModel, DataPrediction])


@pytest.fixture(scope="module", params=range(3))
def sphere(request):
    """A model of $S^2$ in $R^8$, and the frame of the sphere."""
    torch.set_num_threads(1)
    x, frame = sphere_in(8, 2048, seed=request.param)
    model = DiffusionModel(8, seed=request.param)
    model.fit(x, epochs=75, batch_size=128, learning_rate=5e-3, seed=request.param, **QUIET)
    return model, frame


def noisy_points(frame, sigma, count=200, seed=7):
    generator = torch.Generator().manual_seed(seed)
    u = torch.randn(count, 3, generator=generator)
    x = u / u.norm(dim=1, keepdim=True) @ frame.T
    return x + sigma * torch.randn(x.shape, generator=generator)


def sine_to_tangent(f, x, frame, dim=2):
    """Sine of the largest angle between the leading left singular vectors and the tangents."""
    jacobian = value_and_jacobian(f, x)[1].detach()
    left = torch.linalg.svd(jacobian).U[..., :dim]
    tangents = sphere_tangents(x, frame)
    return torch.linalg.matrix_norm(left - tangents @ (tangents.mT @ left), ord=2)


def test_the_jacobian_of_a_learned_denoiser_knows_the_tangent_space_at_low_noise(sphere):
    model, frame = sphere
    sines = {
        sigma: sine_to_tangent(
            lambda z, s=sigma: model.denoise(z, s), noisy_points(frame, sigma), frame
        ).median()
        for sigma in (0.05, 0.1, 0.2, 1.0)
    }
    assert max(sines[0.05], sines[0.1], sines[0.2]) < 0.12
    assert sines[1.0] > 1.5 * max(sines[0.05], sines[0.1])  # lost in the noise


def test_it_is_close_to_the_exact_denoiser(sphere):
    model, frame = sphere
    exact = Embedded(SphereDenoiser(2), torch.linalg.qr(frame).Q)
    for sigma in (0.05, 0.2, 1.0):
        x = noisy_points(frame, sigma)
        error = (model.denoise(x, sigma) - exact.denoise(x, sigma)).square().mean().sqrt()
        assert error < 0.5 * sigma * min(1, 1 / sigma) / 8**0.5


@pytest.mark.parametrize("kind", ["ddim", "heun", "ddpm"])
def test_samples_lie_on_the_sphere_all_over_it(sphere, kind):
    model, frame = sphere
    state = torch.get_rng_state()
    x = model.sample(500, kind)
    assert (torch.get_rng_state() == state).all() and not x.requires_grad
    assert (x - x @ frame @ frame.T).norm(dim=1).mean() < 0.12
    inside = x @ frame
    assert ((inside.norm(dim=1) - 1).abs() < 0.15).float().mean() > 0.8
    assert inside.mean(0).norm() < 0.25
    assert torch.linalg.eigvalsh(torch.cov(inside.T)).min() > 0.18  # a third in each direction
    assert torch.equal(x, model.sample(500, kind))
    assert not torch.equal(x, model.sample(500, kind, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("seed", range(3))
def test_training_does_not_rest_at_the_best_linear_denoiser_of_a_circle(seed):
    x, frame = circle_points(2048, seed=seed)
    schedule = NoiseSchedule.geometric(0.05, 2, 20)
    model = DiffusionModel(2, hidden=64, bottleneck=16, schedule=schedule, seed=seed)
    model.fit(x, epochs=30, learning_rate=1e-2, seed=seed, **QUIET)
    test = x[:200] + 0.1 * torch.randn(200, 2)
    assert sine_to_tangent(lambda z: model.denoise(z, 0.1), test, frame, 1).median() < 0.1


def test_a_gaussian_is_learned_with_its_mean():
    generator = torch.Generator().manual_seed(0)
    mean = torch.tensor([3.0, -1.0])
    x = mean + torch.randn(2048, 2, generator=generator) * torch.tensor([1.0, 0.3])
    model = DiffusionModel(2, hidden=32, bottleneck=8)
    losses = model.fit(x, epochs=30, learning_rate=5e-3, **QUIET)
    assert losses[-1] < losses[0]
    exact = GaussianDenoiser(mean, torch.diag(torch.tensor([1.0, 0.09])))
    test = x[:200] + 0.5 * torch.randn(200, 2, generator=generator)
    assert (model.denoise(test, 0.5) - exact.denoise(test, 0.5)).square().mean().sqrt() < 0.1
    samples = model.sample(1000)
    assert_close(samples.mean(0), mean, rtol=0, atol=0.25)
    assert_close(samples.std(0), torch.tensor([1.0, 0.3]), rtol=0, atol=0.2)


@BOTH
def test_the_bottleneck_splits_the_denoiser(kind):
    model = kind(5, hidden=16, bottleneck=3)
    x, sigma = torch.randn(2, 4, 5), 0.3
    h = model.bottleneck_map(x, sigma)
    assert h.shape == (2, 4, 3)
    output = model.decode_bottleneck(h, sigma)
    assert_close(model.assemble(x, output, sigma), model.denoise(x, sigma))


def test_what_passes_beside_the_bottleneck():
    """Through 3 numbers no map of 5 has a Jacobian of higher rank; a skip adds the identity."""
    x = torch.randn(4, 5).double()
    ranks = {}
    for kind in (DiffusionModel, DataPrediction):
        model = kind(5, hidden=16, bottleneck=3).double()
        jacobian = value_and_jacobian(lambda z, m=model: m.denoise(z, 0.5), x)[1].detach()
        ranks[kind] = torch.linalg.matrix_rank(jacobian, rtol=1e-9).tolist()
    assert ranks == {DiffusionModel: [5] * 4, DataPrediction: [3] * 4}


def test_with_a_silent_network_the_residual_is_the_denoiser_of_a_round_gaussian():
    model = DiffusionModel(4, hidden=8)
    nn.init.zeros_(model.decoder[-1].weight)
    nn.init.zeros_(model.decoder[-1].bias)
    model.data_mean.fill_(2.0)
    model.data_std.fill_(0.5)
    x = torch.randn(6, 4)
    exact = GaussianDenoiser(torch.full((4,), 2.0), 0.25 * torch.eye(4))
    assert_close(model.denoise(x, 0.7), exact.denoise(x, 0.7))
    # and its loss is that of the best linear denoiser, one unit of noise a coordinate
    data = 2 + 0.5 * torch.randn(20_000, 4)
    assert abs(model.loss(data).item() - 1) < 0.03


@BOTH
def test_derivatives_in_every_mode(kind):
    model = kind(3, hidden=8, bottleneck=4).double()
    x = torch.randn(3, dtype=torch.float64)

    def f(z):
        return model.denoise(z, 0.4)

    forward, reverse = torch.func.jacfwd(f)(x), torch.func.jacrev(f)(x)
    assert_close(forward, reverse)
    assert_close(torch.func.vmap(torch.func.jacrev(f))(x.expand(2, 3)), reverse.expand(2, 3, 3))
    assert torch.autograd.gradgradcheck(f, x.requires_grad_())


@BOTH
def test_noise_levels_one_for_each_point(kind):
    model = kind(3, hidden=8)
    x, sigma = torch.randn(4, 3), torch.tensor([0.1, 0.5, 1.0, 2.0])
    single = torch.stack([model.denoise(p, s) for p, s in zip(x, sigma, strict=True)])
    assert_close(model.denoise(x, sigma), single)


@BOTH
@pytest.mark.parametrize("sigma", [0.019, 10.2, torch.tensor([0.1, 30.0])])
def test_noise_levels_outside_the_training(kind, sigma):
    model = kind(3, hidden=8)
    with pytest.raises(ValueError, match=r"outside the noise levels of this model, 0\.02 to 10:"):
        model.denoise(torch.ones(2, 3), sigma)


@BOTH
def test_every_level_of_the_schedule_is_inside(kind):
    for schedule in (NoiseSchedule.ddpm(20, 1e-3, 0.5), NoiseSchedule.karras(0.013, 77.0, 9)):
        model = kind(3, hidden=8, schedule=schedule)
        for sigma in schedule.sigmas:
            assert torch.isfinite(model.denoise(torch.ones(3), sigma)).all()


def test_the_range_and_the_training_travel_with_the_weights(tmp_path):
    x = torch.randn(64, 3)
    model = DiffusionModel(3, hidden=8, schedule=NoiseSchedule.geometric(0.1, 5, 4))
    model.fit(x, epochs=1, **QUIET)
    save(model, tmp_path / "weights.pt")
    other = load(DiffusionModel(3, hidden=8), tmp_path / "weights.pt")
    assert_close(other.denoise(x, 0.5), model.denoise(x, 0.5), rtol=0, atol=0)
    with pytest.raises(ValueError, match=r"0\.1 to 5"):
        other.denoise(x, 0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.steps()


@BOTH
def test_untrained_models_warn(kind):
    model = kind(3, hidden=8)
    with pytest.warns(UserWarning, match="this model is not trained"):
        assert len(model.steps()) == model.schedule.steps
    with pytest.warns(UserWarning, match="this model is not trained"):
        model.sample(2)


def test_what_does_not_fit():
    model = DiffusionModel(3, hidden=8, bottleneck=4)
    with pytest.raises(ValueError, match="rows of 3 numbers"):
        model.denoise(torch.ones(2, 4), 0.1)
    with pytest.raises(ValueError, match=r"h has shape \(2, 3\)"):
        model.decode_bottleneck(torch.ones(2, 3), 0.1)
    with pytest.raises(ValueError, match="sigma must be positive"):
        model.denoise(torch.ones(2, 3), -0.1)
    with pytest.raises(ValueError, match="count = 0"):
        model.sample(0)
    with pytest.raises(ValueError, match="bottleneck = 0"):
        DiffusionModel(3, bottleneck=0)
