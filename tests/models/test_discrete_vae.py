"""VAEs with a class: bounds against a likelihood that quadrature gives, shapes, bad input."""

import pytest
import torch
from torch import distributions as dist
from torch.testing import assert_close

from geomlib.models import M2, InfoCatVAE, load, save

QUIET = {"progress": False}
pytestmark = pytest.mark.filterwarnings("ignore:.*hold no sample")  # two epochs, and no more
MODELS = [
    pytest.param(lambda **k: M2(6, classes=3, latent_dim=2, hidden=8, **k), id="m2"),
    pytest.param(lambda **k: InfoCatVAE(6, classes=3, latent_dim=3, hidden=8, **k), id="info-cat"),
]
both = pytest.mark.parametrize("build", MODELS)


def data(count=60):
    return (torch.arange(count) % 3)[:, None] / 3 + torch.rand(count, 6) / 3


def trained(build, seed=0):
    model, x = build(seed=seed), data()
    labels = [torch.arange(60) % 3] if isinstance(model, M2) else []
    model.fit(x, *labels, epochs=2, batch_size=20, seed=seed, **QUIET)
    return model


@both
@pytest.mark.parametrize("batch", [(), (7,), (2, 3)], ids=str)
def test_shapes(build, batch):
    model = build().double()
    x = torch.rand(*batch, 6).double()
    z = model.encode_all(x)
    assert z.shape == (*batch, 3, model.latent_dim) and z.dtype == torch.float64
    assert model.bounds(x).shape == model.probabilities(x).shape == (*batch, 3)
    assert_close(model.probabilities(x).sum(-1), torch.ones(batch).double())
    for i in range(3):
        assert_close(z[..., i, :], model.encode_chart(i, x))
        assert_close(model.decode_all(z)[..., i, :], model.decode_chart(i, z[..., i, :]))
        assert model.transition(i, 0, z[..., i, :]).shape == (*batch, model.latent_dim)
    assert model.reconstruct(x).shape == model.reconstruct_mixed(x).shape == x.shape


@pytest.mark.parametrize("seed", range(3))
def test_the_bound_is_below_the_likelihood_and_meets_it_at_the_true_posterior(seed):
    model = M2(3, classes=2, latent_dim=1, hidden=5, seed=seed).double()
    x = (torch.rand(4, 3) > 0.5).double()
    z = torch.linspace(-9, 9, 4001).double()[:, None]
    likelihood = dist.Bernoulli(logits=model.logits(z[:, None], model.one_hots(z)))
    log_joint = (
        likelihood.log_prob(x[:, None, None]).sum(-1)
        + dist.Normal(0, 1).log_prob(z)
        + torch.tensor(0.5).double().log()
    )  # (4, z, y)
    log_p = log_joint.logsumexp(1) + torch.log(z[1, 0] - z[0, 0])  # log p(x, y)
    with torch.no_grad():
        mean = model.bounds(x.expand(20_000, 4, 3)).mean(0)
    assert (mean < log_p + 0.01).all()

    # the gap is the divergence of q from the posterior, here by quadrature
    centre, spread = model.posterior(x[:, None], model.one_hots(x))
    log_q = dist.Normal(centre[:, None, :, 0], spread[:, None, :, 0]).log_prob(z)
    step = z[1, 0] - z[0, 0]
    gap = (log_q.exp() * (log_q - (log_joint - log_p[:, None]))).sum(1) * step
    assert_close(log_p - mean, gap, atol=0.05, rtol=0)


@both
def test_the_unlabelled_loss_is_the_class_averaged_bound_less_its_entropy(build):
    model, x = build().double(), data().double()
    torch.manual_seed(1)
    bounds = model.bounds(x)
    q = model.probabilities(x)
    expected = -(q * bounds).sum(-1) - dist.Categorical(q).entropy()
    torch.manual_seed(1)
    assert_close(model.unlabelled_loss(x), expected.mean())
    assert (expected >= -bounds.logsumexp(-1) - 1e-9).all()  # the best q gives log sum exp


@both
def test_seeds_decide_and_the_callers_random_state_is_untouched(build):
    torch.manual_seed(11)
    x = data()
    torch.manual_seed(11)
    first = trained(build)
    torch.manual_seed(11)
    assert_close(trained(build).state_dict(), first.state_dict(), rtol=0, atol=0)
    assert not torch.equal(trained(build, 1).probabilities(x), first.probabilities(x))
    state = torch.get_rng_state()
    points, chart = first.sample(9, seed=2)
    assert (torch.get_rng_state() == state).all()
    assert points.shape == (9, 6) and points.min() > 0 and points.max() < 1
    assert_close(first.sample(9, seed=2), (points, chart), rtol=0, atol=0)


@both
def test_a_round_trip_through_a_file(build, tmp_path):
    model, x = trained(build), data()
    save(model, tmp_path / "weights.pt")
    other = load(build(seed=5), tmp_path / "weights.pt")
    assert_close(other.encode(x), model.encode(x), rtol=0, atol=0)


@both
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: 2 * x - 1, "a Bernoulli model needs 0, 1 or grey values"),
        (lambda x: x[:, 1:], r"x has shape \(60, 5\), but this model takes rows of 6"),
        (lambda x: x.double(), r"x is torch.float64 but the model is torch.float32"),
        (lambda x: x.where(x > x.min(), torch.nan), "infinite numbers in 1 of 60 rows"),
        (lambda x: x[:0], "x has no rows"),
    ],
    ids=["range", "width", "dtype", "nan", "empty"],
)
def test_data_that_cannot_be(build, change, message):
    model, x = build(), change(data())
    labels = [torch.arange(len(x)) % 3] if isinstance(model, M2) else []
    with pytest.raises(ValueError, match=message):
        model.fit(x, *labels, **QUIET)


@both
def test_points_that_cannot_be(build):
    model = build()
    with pytest.raises(ValueError, match="takes rows of 6 numbers"):
        model.encode_all(torch.rand(4, 5))
    with pytest.raises(ValueError, match="NaN"):
        model.probabilities(torch.full((6,), torch.nan))
    with pytest.raises(ValueError, match="there is no chart 3"):
        model.decode_chart(3, torch.zeros(model.latent_dim))
    with pytest.raises(ValueError, match="z has shape"):
        model.decode_chart(0, torch.zeros(model.latent_dim + 1))


def test_sizes_and_weights_that_cannot_be():
    with pytest.raises(ValueError, match="latent_dim = 0, but it must be at least 1"):
        M2(6, latent_dim=0)
    with pytest.raises(ValueError, match="nothing to tell apart below two"):
        M2(6, classes=1)
    with pytest.raises(ValueError, match=r"label_weight = -1\.0, but it must not be negative"):
        M2(6, label_weight=-1.0)
    with pytest.raises(ValueError, match="latent_dim = 4 and classes = 10: as many orthogonal"):
        InfoCatVAE(6, latent_dim=4)
    with pytest.raises(ValueError, match=r"distance = 0\.0 must be positive"):
        InfoCatVAE(6, distance=0.0)
    with pytest.raises(ValueError, match=r"information = -1\.0 must not be negative"):
        InfoCatVAE(6, information=-1.0)
