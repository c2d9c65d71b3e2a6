"""Autoencoders with and without an encoder, and the linear ones, whose solutions are known."""

import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from torch.testing import assert_close

from geomlib.data import load_small_digits
from geomlib.models import Autoencoder, DecoderOnly, LinearAutoencoder, LinearVAE
from geomlib.riemann import FisherRaoMetric, PullbackMetric

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def digits():
    return load_small_digits()[0]


@pytest.mark.parametrize("batch", [(), (7,), (2, 3)], ids=str)
@pytest.mark.parametrize(
    "model", [Autoencoder(20, 3, hidden=8), LinearAutoencoder(20, 3)], ids=["mlp", "linear"]
)
def test_shapes(model, batch):
    x = torch.rand(*batch, 20)
    code = model.encode(x)
    assert code.shape == (*batch, 3)
    assert model.decode(code).shape == model(x).shape == (*batch, 20)
    assert_close(model(x), model.decoder(model.encoder(x)))
    with pytest.raises(ValueError, match="takes rows of 20 numbers"):
        model.encode(x[..., :19])


def test_the_loss_is_the_squared_error_summed_over_the_outputs(digits):
    model = Autoencoder(64, hidden=8)
    x = digits[:50]
    by_hand = sum((x[i] - model(x[i])).norm() ** 2 for i in range(50)) / 50
    assert_close(model.loss(x), by_hand)
    only = DecoderOnly(64, hidden=8)
    z = torch.randn(50, 2)
    assert_close(only.loss(x, z), (x - only.decode(z)).norm(dim=1).square().mean())


def test_an_autoencoder_learns_a_curve_and_its_decoder_has_a_metric():
    t = torch.linspace(-1, 1, 200)
    x = torch.stack([t, t**2, t**3], dim=1)
    model = Autoencoder(3, latent_dim=1, hidden=32)
    history = model.fit(x, epochs=150, learning_rate=5e-3, batch_size=50, **QUIET)
    assert history[-1] < 1e-2 * history[0]
    assert (model(x) - x).norm(dim=1).max() < 0.15
    # the length of the curve between the codes of its ends is that of the curve
    z = model.encode(x).detach()
    length = PullbackMetric(model.decoder).distance(z[:1], z[-1:])
    assert_close(length, x.diff(dim=0).norm(dim=1).sum()[None], rtol=0.1, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_a_decoder_alone_needs_fewer_samples(digits, seed):
    # Schuster and Krogh (2021): 60 digits, the same decoder, the same number of steps
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(seed))
    train, test = digits[order[:60]], digits[order[-300:]]
    options = {"epochs": 600, "batch_size": 60, "learning_rate": 1e-3, "seed": seed, **QUIET}

    both = Autoencoder(64, latent_dim=4, hidden=64, seed=seed)
    both.fit(train, **options)
    alone = DecoderOnly(64, latent_dim=4, hidden=64, seed=seed)
    alone.fit(train, **options)
    with torch.no_grad():
        error_of_both = (test - both(test)).square().mean()
        error_alone = (test - alone.decoder(alone.encode(test))).square().mean()
    assert error_alone < 0.75 * error_of_both
    assert error_alone < 0.5 * (test - train.mean(0)).square().mean()


def test_the_code_of_a_new_sample_is_the_nearest_point_of_the_image():
    # a flat decoder: the nearest point is the projection
    model = DecoderOnly(3, latent_dim=2, hidden=8)
    flat = torch.linalg.qr(torch.randn(3, 2, generator=torch.Generator().manual_seed(0))).Q
    model.decoder = torch.nn.Sequential(torch.nn.Linear(2, 3, bias=False))
    model.decoder[0].weight.data = flat
    model.codes = torch.randn(10, 2)
    x = torch.randn(6, 3)
    assert_close(model.encode(x, steps=400, rate=0.1), x @ flat, rtol=0, atol=1e-2)
    assert model.decoder[0].weight.grad is None  # the search leaves no trace


def test_more_steps_and_starts_only_help(digits):
    model = DecoderOnly(64, latent_dim=4, hidden=32)
    model.fit(digits[:60], epochs=600, learning_rate=1e-3, **QUIET)

    def errors(**options):
        z = model.encode(digits[200:300], **options)
        assert not z.requires_grad
        return (digits[200:300] - model.decoder(z)).square().sum(1)

    start, one, several = errors(steps=0), errors(starts=1), errors(starts=8)
    assert one.mean() < 0.95 * start.mean()
    assert several.mean() < one.mean()
    # and few are enough
    assert_close(errors().mean(), errors(steps=1000, starts=8).mean(), rtol=2e-3, atol=0)
    # the training data keep their codes, or find better ones
    again = model.encode(digits[:60])
    kept = (digits[:60] - model.decoder(model.codes)).square().sum(1)
    assert (digits[:60] - model.decoder(again)).square().sum(1).mean() < 1.01 * kept.mean()


def test_codes_belong_to_samples_and_come_with_the_fit(digits):
    model = DecoderOnly(64, hidden=8)
    assert model.codes.shape == (0, 2)
    with pytest.raises(ValueError, match="no codes to start from: call fit first"):
        model.encode(digits[:3])
    model.fit(digits[:33], epochs=2, **QUIET)
    assert model.codes.shape == (33, 2) and not model.codes.requires_grad
    model.fit(digits[:20], epochs=2, **QUIET)
    assert model.codes.shape == (20, 2)
    assert model.encode(digits[:5], starts=50, steps=3).shape == (5, 2)  # no more than there are


@pytest.mark.parametrize(("latent_dim", "seed"), [(2, 0), (2, 1), (2, 2), (5, 0)])
def test_the_linear_autoencoder_spans_the_principal_components(digits, latent_dim, seed):
    model = LinearAutoencoder(64, latent_dim, seed=seed)
    digits = digits[:600]
    history = model.fit(digits, epochs=30, **QUIET)
    pca = PCA(latent_dim).fit(digits.double().numpy())
    weight = model.decoder.weight.detach().double()
    assert subspace_angles(weight.numpy(), pca.components_.T).max() < 1e-3
    # encoder and decoder together are the projection onto that subspace, through the mean
    projection = torch.as_tensor(pca.inverse_transform(pca.transform(digits.double().numpy())))
    assert_close(model(digits).double(), projection, rtol=0, atol=2e-2)
    best = (digits.double() - projection).square().sum(1).mean().item()
    assert best - 1e-6 < history[-1] < best + 1e-3


@pytest.mark.parametrize(("latent_dim", "seed"), [(2, 0), (2, 1), (2, 2), (5, 0)])
def test_the_linear_vae_is_probabilistic_pca(digits, latent_dim, seed):
    vae = LinearVAE(64, latent_dim, seed=seed)
    history = vae.fit(digits[:600], epochs=30, **QUIET)
    x = digits[:600].double()
    pca = PCA(latent_dim).fit(x.numpy())
    eigenvalues = torch.linalg.eigvalsh(torch.cov(x.T, correction=0)).flip(0)
    discarded = eigenvalues[latent_dim:].mean()
    assert_close(vae.noise_variance.double(), discarded, rtol=1e-4, atol=0)
    weight = vae.mean.weight.detach().double()
    assert subspace_angles(weight.numpy(), pca.components_.T).max() < 1e-2
    # the columns have the lengths of Tipping and Bishop, W = U (Λ − s² I)^½ R
    squared = torch.linalg.svdvals(weight) ** 2
    assert_close(squared, eigenvalues[:latent_dim] - discarded, rtol=1e-2, atol=0)
    # the bound is tight: it is the log-likelihood under N(mean, W Wᵀ + s² I)
    likelihood = torch.distributions.MultivariateNormal(
        x.mean(0), weight @ weight.T + discarded * torch.eye(64)
    )
    assert_close(-history[-1], likelihood.log_prob(x).mean().item(), rtol=0, atol=2e-2)
    # the decoder is linear, so the latent space is flat: G = WᵀW / s²
    z = torch.randn(4, latent_dim)
    metric = FisherRaoMetric(vae.distribution).matrix(z)
    flat = (vae.mean.weight.T @ vae.mean.weight / vae.noise_variance).detach()
    assert_close(metric, flat.expand(4, -1, -1), rtol=1e-4, atol=1e-4)


def test_the_closed_form_of_the_bound_is_its_mean_over_samples(digits):
    vae = LinearVAE(64, 3, seed=1)
    x = digits[:40]
    code, spread = vae.encode(x)
    draws = code + spread * torch.randn(4000, *spread.shape)
    sampled = -vae.distribution(draws).log_prob(x).sum(-1).mean()
    normal = torch.distributions.Normal
    prior = normal(torch.zeros(()), torch.ones(()))
    divergence = torch.distributions.kl_divergence(normal(code, spread), prior).sum(-1).mean()
    assert_close(vae.loss(x), sampled + divergence, rtol=1e-3, atol=0)
    assert_close(
        vae.negative_log_likelihood(x, code), -vae.distribution(code).log_prob(x).sum(1).mean()
    )


def test_a_second_fit_goes_on_from_the_first(digits):
    model = LinearAutoencoder(64, 4)
    first = model.fit(digits, epochs=3, **QUIET)
    second = model.fit(digits, epochs=3, **QUIET)
    assert second[0] < first[0] / 2
    assert second[-1] <= first[-1] + 1e-6


@pytest.mark.parametrize("model", [LinearAutoencoder, LinearVAE])
def test_a_linear_model_must_discard_something(model):
    with pytest.raises(ValueError, match="needs fewer latent dimensions than outputs"):
        model(4, 4)


@pytest.mark.parametrize("case", ["few", "one", "flat"])
def test_no_noise_is_left(case):
    x = {
        "few": torch.rand(3, 8),
        "one": torch.rand(1, 8),
        "flat": torch.rand(50, 2) @ torch.rand(2, 8),
    }
    with pytest.raises(ValueError, match=r"the data span \d dimensions .* likelihood is unbounded"):
        LinearVAE(8, 2).fit(x[case], **QUIET)
