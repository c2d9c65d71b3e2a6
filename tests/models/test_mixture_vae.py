"""The mixture of VAEs: decoders that are injective whatever the weights, and the circle."""

import pytest
import torch
from torch.testing import assert_close

from geomlib.models import MixtureVAE
from geomlib.models.mixture_vae import EDGE

QUIET = {"progress": False}
SEEDS = (0, 1, 2)


def circle(count):
    angle = torch.arange(count) * 2 * torch.pi / count
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


@pytest.fixture(scope="module")
def trained():
    torch.set_num_threads(1)
    models = []
    for seed in SEEDS:
        model = MixtureVAE(2, charts=2, latent_dim=1, seed=seed)
        model.fit(
            circle(256), epochs=150, overlap_epochs=50, learning_rate=5e-3, seed=seed, **QUIET
        )
        models.append(model)
    return models


@pytest.mark.parametrize("seed", SEEDS)
def test_the_encoder_is_the_left_inverse_whatever_the_weights(seed):
    model = MixtureVAE(5, charts=3, latent_dim=2, seed=seed).double()
    model.fit(torch.randn(60, 5).double(), epochs=2, overlap_epochs=1, **QUIET)
    with torch.no_grad():
        for weight in model.parameters():
            weight += torch.randn_like(weight) / 5
    z = 2 * torch.rand(50, 2).double() - 1
    for k in range(3):
        assert_close(model.encode_chart(k, model.decode_chart(k, z)), z)


def test_two_charts_hold_the_circle(trained):
    for model in trained:
        x = circle(1000)
        assert (model.reconstruct(x) - x).norm(dim=-1).max() < 0.25
        assert model.covers(x, 0.25).any(-1).all()
        assert model.overlap(0, 1, x, 0.15).any()


def test_samples_lie_near_it(trained):
    for model in trained:
        x, chart = model.sample(500, seed=3)
        assert x.shape == (500, 2) and chart.unique().tolist() == [0, 1]
        assert ((x.norm(dim=-1) - 1).abs() < 0.25).float().mean() > 0.9


def test_the_loss_is_the_mixture_of_the_bounds():
    model = MixtureVAE(4, charts=3, latent_dim=2)
    x = 0.1 * torch.randn(20, 4)
    torch.manual_seed(1)
    bounds = model.bounds(x).double()
    torch.manual_seed(1)
    expected = -torch.log((bounds - bounds.max()).exp().mean(-1)) - bounds.max()
    assert torch.isfinite(expected).all()
    assert_close(model.loss(x).double(), expected.mean(), rtol=1e-4, atol=0)


def test_the_prior_is_a_density_on_the_latent_space():
    model = MixtureVAE(4, charts=3, latent_dim=2).double()
    torch.nn.init.constant_(model.log_spread, -40.0)  # a code without spread
    x = torch.rand(20, 4).double()
    z = model.encode_all(x)
    decoded = torch.distributions.Normal(model.decode_all(z), model.noise)
    likelihood = decoded.log_prob(x[:, None]).sum(-1)
    entropy = torch.distributions.Normal(0, model.log_spread.exp()).entropy().sum(-1)
    line = torch.linspace(-2, 2, 4001).double()
    mass = torch.trapezoid((-(line**EDGE)).exp(), line)  # of one coordinate
    prior = model.bounds(x) - likelihood - entropy
    assert_close(prior, -(z**EDGE).sum(-1) - 2 * mass.log())


def test_a_widened_chart_claims_more():
    model = MixtureVAE(3, charts=2, latent_dim=1)
    x = torch.randn(10, 3)
    torch.manual_seed(1)
    z = model.encode_all(x) + model.log_spread.exp() * torch.randn(10, 2, 1)
    torch.manual_seed(1)
    bounds = model.bounds(x)
    wide = bounds + (z**EDGE - (z / 1.5) ** EDGE).sum(-1)
    own = wide - torch.logaddexp(wide, bounds.flip(-1))  # log share, the other as it is
    torch.manual_seed(1)
    loss = model.overlap_loss(x, 1.5)
    assert_close(loss, -(own.softmax(-1) * bounds).sum(-1).mean())
    torch.manual_seed(1)
    assert loss > model.overlap_loss(x, 1.0)  # some weight goes to the chart that is farther off


def test_without_widening_the_shares_are_the_posterior():
    model = MixtureVAE(3, charts=2, latent_dim=1)
    model.fit(torch.randn(30, 3), epochs=1, overlap_epochs=0, **QUIET)
    x = torch.randn(10, 3)
    torch.manual_seed(1)
    bounds = model.bounds(x)
    torch.manual_seed(1)
    assert_close(model.overlap_loss(x, 1.0), -(bounds.softmax(-1) * bounds).sum(-1).mean())


def test_bad_input():
    with pytest.raises(ValueError, match="needs fewer latent dimensions than outputs"):
        MixtureVAE(2, latent_dim=2)
    with pytest.raises(ValueError, match=r"noise = 0\.0, but it must be positive"):
        MixtureVAE(2, latent_dim=1, noise=0.0)
    model = MixtureVAE(2, charts=3, latent_dim=1)
    with pytest.raises(ValueError, match="3 charts need as many different samples"):
        model.fit(circle(2).repeat(10, 1), **QUIET)
    with pytest.raises(ValueError, match=r"widening = 0\.5"):
        model.fit(circle(20), widening=0.5, **QUIET)
