"""Bernoulli and categorical heads, and the metric of every head's distributions."""

import pytest
import torch
from torch import distributions as dist
from torch.testing import assert_close

from geomlib.data import load_small_digits
from geomlib.models import BernoulliVAE, CategoricalVAE, GaussianVAE
from geomlib.riemann import ExpectedMetric, FisherRaoMetric, PullbackMetric

QUIET = {"progress": False}
DIGITS = load_small_digits()[0][:400]
GREYS = (DIGITS * 3).round().long()  # four levels
BINARY = (DIGITS > 0.5).float()
HEADS = {
    "gaussian": (lambda **k: GaussianVAE(64, hidden=24, **k), DIGITS, dist.Normal),
    "bernoulli": (lambda **k: BernoulliVAE(64, hidden=24, **k), BINARY, dist.Bernoulli),
    "categorical": (lambda **k: CategoricalVAE(64, 4, hidden=24, **k), GREYS, dist.Categorical),
}


@pytest.fixture(scope="module", params=HEADS)
def trained(request):
    build, x, family = HEADS[request.param]
    vae = build()
    history = vae.fit(x, epochs=60, batch_size=50, learning_rate=5e-3, **QUIET)
    return vae, x, family, history


def test_shapes_and_family(trained):
    vae, x, family, _ = trained
    for batch in [(), (7,), (2, 3)]:
        rows = x[0].expand(*batch, -1)
        code, spread = vae.encode(rows)
        assert code.shape == spread.shape == (*batch, 2)
        assert (spread > 0).all()
        p = vae.distribution(code)
        assert type(p) is family and p.batch_shape == (*batch, 64)
    with pytest.raises(ValueError, match="takes rows of 64 numbers"):
        vae.encode(x[:, :60])


def test_the_loss_is_the_negative_evidence_lower_bound(trained):
    vae, x, _, _ = trained
    torch.manual_seed(3)
    loss = vae.loss(x)
    posterior = dist.Normal(*vae.encode(x))
    torch.manual_seed(3)
    z = posterior.rsample()
    likelihood = vae.distribution(z).log_prob(x).sum(-1)
    prior = dist.Normal(torch.zeros(()), torch.ones(()))
    divergence = dist.kl_divergence(posterior, prior).sum(-1)
    assert_close(loss, (divergence - likelihood).mean())
    assert_close(vae.negative_log_likelihood(x, z), -likelihood.mean())


def test_training_beats_the_best_distribution_without_a_latent_space(trained):
    _, x, family, history = trained
    if family is dist.Normal:
        alone = dist.Normal(x.mean(0), x.std())
    elif family is dist.Bernoulli:
        alone = dist.Bernoulli(x.mean(0).clamp(1e-3, 1 - 1e-3))
    else:
        alone = dist.Categorical(torch.nn.functional.one_hot(x, 4).float().mean(0) + 1e-3)
    assert history[-1] < -alone.log_prob(x).sum(-1).mean() - 1


def test_the_mean_is_that_of_the_distribution(trained):
    vae, _, family, _ = trained
    z = torch.randn(5, 2)
    p = vae.distribution(z)
    assert_close(vae.mean(z), p.probs if family is dist.Categorical else p.mean)
    assert PullbackMetric(vae.mean).matrix(z).shape == (5, 2, 2)


def test_the_fisher_rao_metric_of_its_distributions(trained):
    vae, _, _, _ = trained
    vae = type(vae)(*([8, 4] if isinstance(vae, CategoricalVAE) else [8]), hidden=8).double()
    z = torch.randn(3, 2).double()
    metric = FisherRaoMetric(vae.distribution)
    information = metric.matrix(z)

    def divergence(w, at):
        return dist.kl_divergence(vae.distribution(at), vae.distribution(w)).sum()

    for point, matrix in zip(z, information, strict=True):
        hessian = torch.func.hessian(lambda w, at=point: divergence(w[None], at[None]))(point)
        assert_close(matrix, hessian, rtol=1e-6, atol=1e-8)


def test_geodesics_of_the_fisher_rao_metric(trained):
    vae, x, _, _ = trained
    codes = vae.encode(x)[0].detach()
    curve = FisherRaoMetric(vae.distribution).geodesic(codes[:2], codes[2:4], segments=8)
    straight = FisherRaoMetric(vae.distribution).inner(codes[:2], codes[2:4], codes[2:4])
    assert curve.converged.all() and torch.isfinite(straight).all()


def test_one_constant_deviation_makes_fisher_rao_a_multiple_of_the_pull_back():
    vae = GaussianVAE(12, hidden=8)
    z = torch.randn(4, 2)
    information = FisherRaoMetric(vae.distribution).matrix(z)
    assert_close(information, PullbackMetric(vae.mean).matrix(z) / vae.std(z)[0, 0] ** 2)
    # the expected metric does not divide by the noise
    assert_close(ExpectedMetric(vae.mean, vae.std).matrix(z), PullbackMetric(vae.mean).matrix(z))


def test_grey_is_taken_as_a_probability():
    vae = BernoulliVAE(64, hidden=8)
    vae.fit(DIGITS, epochs=1, **QUIET)
    # linear in x, so the loss of grey is the mean loss of the black and white it stands for
    z, x = torch.randn(1, 2), DIGITS[:1]
    likelihood = vae.distribution(z)
    expected = x * likelihood.log_prob(torch.ones(64)) + (1 - x) * likelihood.log_prob(
        torch.zeros(64)
    )
    assert_close(vae.negative_log_likelihood(x, z), -expected.sum())


@pytest.mark.parametrize("bad", [DIGITS * 2, DIGITS - 0.5])
def test_numbers_that_are_no_probability(bad):
    with pytest.raises(ValueError, match="needs 0, 1 or grey values between them"):
        BernoulliVAE(64, hidden=8).fit(bad, **QUIET)


def test_symbols_outside_their_range():
    vae = CategoricalVAE(64, 3, hidden=8)
    with pytest.raises(ValueError, match=r"from 0 to 3, but the model was built for .* 0, ..., 2"):
        vae.fit(GREYS, **QUIET)
    with pytest.raises(ValueError, match="x reaches from -1"):
        vae.fit(GREYS - 1, **QUIET)
    with pytest.raises(ValueError, match=r"x must be whole numbers.*x\.long\(\)"):
        vae.fit(DIGITS, **QUIET)
    vae.fit(GREYS.clamp(max=2).int(), epochs=1, **QUIET)  # any integer dtype


def test_one_category_is_none():
    with pytest.raises(ValueError, match="categories = 1, but a symbol needs two values"):
        CategoricalVAE(64, 1)
