"""The Gaussian VAE: its loss in closed form, its training, and what its deviation knows."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from geomlib.data import load_small_digits, ring
from geomlib.models import GaussianVAE, RBFStandardDeviation
from geomlib.riemann import ExpectedMetric, PullbackMetric

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def digits():
    return load_small_digits()[0][:500]


@pytest.fixture(scope="module")
def trained(digits):
    vae = GaussianVAE(64, latent_dim=2, hidden=32)
    history = vae.fit(digits, epochs=30, learning_rate=5e-3, **QUIET)
    return vae, history


@pytest.mark.parametrize("batch", [(), (7,), (2, 3)], ids=str)
def test_shapes(batch):
    vae = GaussianVAE(20, latent_dim=3, hidden=8)
    code, spread = vae.encode(torch.rand(*batch, 20))
    assert code.shape == spread.shape == (*batch, 3)
    assert (spread > 0).all()
    assert vae.mean(code).shape == vae.std(code).shape == (*batch, 20)


def test_the_loss_is_the_negative_evidence_lower_bound(digits):
    vae = GaussianVAE(64, hidden=16)
    x = digits[:50]
    torch.manual_seed(3)
    loss = vae.loss(x)

    code, spread = vae.encode(x)
    posterior = Normal(code, spread)
    torch.manual_seed(3)
    z = posterior.rsample()
    likelihood = Normal(vae.mean(z), vae.std(z)).log_prob(x).sum(-1)
    divergence = kl_divergence(posterior, Normal(torch.zeros(()), torch.ones(()))).sum(-1)
    assert_close(loss, (divergence - likelihood).mean())
    assert_close(vae.negative_log_likelihood(x, z), -likelihood.mean())


def test_the_loss_of_a_silent_encoder_in_closed_form():
    # q = prior, mean = 0, σ = 1/e and x = 0: no divergence, n (log σ + ½ log 2π) is left
    vae = GaussianVAE(6, hidden=4)
    with torch.no_grad():
        for last in (vae.encoder[-1], vae.mean[-1]):
            last.weight.zero_()
            last.bias.zero_()
    expected = 6 * (-1 + torch.log(torch.tensor(2 * torch.pi)) / 2)
    assert_close(vae.loss(torch.zeros(9, 6)), expected)


def test_training_lowers_the_loss_and_learns_the_noise(trained, digits):
    vae, history = trained
    assert len(history) == 30 and history[-1] < history[0] - 10
    baseline = digits.var(0).mean()
    code = vae.encode(digits)[0]
    assert (digits - vae.mean(code)).square().mean() < 0.8 * baseline
    sigma = vae.std(code)
    assert (sigma == sigma[0, 0]).all()
    # σ² is drawn to the mean squared error
    error = (digits - vae.mean(code)).square().mean()
    assert_close((sigma[0, 0] ** 2).detach(), error.detach(), rtol=0.4, atol=0)


def test_seeds_decide_and_the_callers_random_state_is_untouched(digits):
    def train(seed):
        vae = GaussianVAE(64, hidden=8, seed=seed)
        vae.fit(digits[:100], epochs=2, seed=seed, **QUIET)
        vae.fit_standard_deviation(digits[:100], centres=5, epochs=2, seed=seed, **QUIET)
        return vae.state_dict()

    torch.manual_seed(11)
    state = torch.get_rng_state()
    first = train(0)
    assert (torch.get_rng_state() == state).all()
    torch.rand(5)  # other draws in between change nothing
    assert_close(train(0), first, rtol=0, atol=0)
    other = train(1)
    assert not torch.equal(other["mean.0.weight"], first["mean.0.weight"])


def test_fitting_the_deviation_leaves_mean_and_codes_alone(trained, digits):
    vae, _ = trained
    before = {k: v.clone() for k, v in vae.state_dict().items() if not k.startswith("std")}
    codes = vae.encode(digits)[0]
    constant = vae.negative_log_likelihood(digits, codes).item()
    history = vae.fit_standard_deviation(digits, centres=32, epochs=20, **QUIET)
    after = {k: v for k, v in vae.state_dict().items() if not k.startswith("std")}
    assert_close(after, before, rtol=0, atol=0)
    assert history[-1] < history[0]
    assert vae.negative_log_likelihood(digits, codes) < constant  # it explains the data better
    assert isinstance(vae.std, RBFStandardDeviation)


def test_the_deviation_grows_away_from_the_data():
    x, _ = ring(300, fraction=0.75, dimension=6, noise=0.02)
    vae = GaussianVAE(6, hidden=32)
    vae.fit(x, epochs=30, learning_rate=3e-3, **QUIET)
    vae.fit_standard_deviation(x, centres=30, smallest_precision=0.25, epochs=30, **QUIET)
    codes = vae.encode(x)[0].detach()
    near = vae.std(codes)
    assert near.mean() < 0.3
    far = codes.mean(0) + 50 * torch.randn(20, 2).sign()
    assert_close(vae.std(far), torch.full((20, 6), 2.0), rtol=1e-3, atol=0)  # ζ^(-1/2)
    # so leaving the data is expensive: σ rises on the way from a code to the far away
    out = codes[:1] + torch.linspace(0, 1, 50)[:, None] * (far[0] - codes[:1])
    assert vae.std(out).mean(1).diff().sum() > 1.5
    way = ExpectedMetric(vae.mean, vae.std).geodesic(codes[:1], codes[:1] + 0.01, segments=8)
    assert way.points.shape == (1, 9, 2)


def test_rbf_deviation_in_closed_form():
    torch.manual_seed(0)
    centres, bandwidth = torch.randn(4, 2).double(), torch.rand(4).double() + 0.5
    weight, floor = torch.rand(3, 4).double() * 40 + 0.01, torch.rand(3).double() + 0.1
    std = RBFStandardDeviation(centres, bandwidth, weight, floor)
    assert_close(std.weight, weight)
    z = torch.randn(5, 6, 2).double()
    kernel = torch.exp(-bandwidth * torch.cdist(z, centres) ** 2)
    assert_close(std(z), (kernel @ weight.T + floor) ** -0.5)
    assert std(z).dtype == torch.float64


def test_its_expected_metric_sees_both_parts(trained):
    vae, _ = trained
    std = RBFStandardDeviation(
        torch.zeros(1, 2), torch.ones(1), torch.full((64, 1), 50.0), torch.ones(64)
    )
    z = torch.randn(6, 2)
    both, mean, noise = (
        metric.matrix(z)
        for metric in (ExpectedMetric(vae.mean, std), PullbackMetric(vae.mean), PullbackMetric(std))
    )
    assert_close(both, mean + noise, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bad", ["weight", "floor", "bandwidth"])
def test_rbf_parameters_are_positive(bad):
    parts = {"bandwidth": torch.ones(1), "weight": torch.ones(3, 1), "floor": torch.ones(3)}
    parts[bad] = -parts[bad]
    with pytest.raises(ValueError, match="must be positive"):
        RBFStandardDeviation(torch.zeros(1, 2), **parts)


def test_more_centres_than_data():
    vae = GaussianVAE(6, hidden=4)
    with pytest.raises(ValueError, match="11 centres need at least as many samples, but x has 10"):
        vae.fit_standard_deviation(torch.rand(10, 6), centres=11, **QUIET)
    with pytest.raises(ValueError, match="centres = 0, but it must be at least 1"):
        vae.fit_standard_deviation(torch.rand(10, 6), centres=0, **QUIET)
    with pytest.raises(ValueError, match="3 centres need as many different codes, but there are 2"):
        vae.fit_standard_deviation(torch.eye(6)[:2].repeat(5, 1), centres=3, **QUIET)
