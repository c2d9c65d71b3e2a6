"""The atlas as a Wasserstein autoencoder: its penalties by hand, the circle, the nerve of it."""

import warnings

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from geomlib.models import (
    AdversarialPenalty,
    AtlasWAE,
    MMDPenalty,
    cech_nerve,
    load,
    save,
)

QUIET = {"progress": False}
SEEDS = (0, 1, 2)
pytestmark = pytest.mark.filterwarnings("ignore:.*hold no sample")


def circle(count):
    angle = torch.arange(count) * 2 * torch.pi / count
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


def sphere(count, seed):
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return x / x.norm(dim=-1, keepdim=True)


def on_the_circle(charts, seed, epochs=300, **options):
    torch.set_num_threads(1)
    model = AtlasWAE(2, charts, latent_dim=1, seed=seed, **options)
    model.fit(circle(256), epochs=epochs, learning_rate=1e-2, seed=seed, **QUIET)
    return model


@torch.no_grad()
def largest_error(model, x):
    return (model.reconstruct(x) - x).norm(dim=-1).max().item()


@torch.no_grad()
def mean_shares(model, x):
    return model.probabilities(x).mean(0)


@pytest.fixture(scope="module")
def six_charts():
    return [on_the_circle(6, seed) for seed in SEEDS]


def test_six_charts_hold_the_circle_and_their_nerve_is_one(six_charts):
    pytest.importorskip("gudhi")
    for model in six_charts:
        assert largest_error(model, circle(1000)) < 0.15
        assert model.covers(circle(1000), 0.2).any(-1).all()
        assert cech_nerve(model, circle(500), 0.2).betti() == (1, 1)


def test_the_penalty_gives_every_chart_its_share(six_charts):
    x = circle(1000)
    for model in six_charts:
        assert mean_shares(model, x).min() > 0.1  # 1/6 in the prior
        with torch.no_grad():
            assert MMDPenalty()(*model.codes(x)) < 0.01


def test_without_it_charts_die():
    for seed in SEEDS:
        model = on_the_circle(6, seed, epochs=150, penalty_weight=0.0)
        assert (mean_shares(model, circle(1000)) < 0.02).sum() >= 1


def test_samples_lie_near_the_circle(six_charts):
    for model in six_charts:
        x, chart = model.sample(1000, seed=3)
        assert x.shape == (1000, 2) and len(chart.unique()) == 6
        assert ((x.norm(dim=-1) - 1).abs() < 0.2).float().mean() > 0.9


def test_two_projections_fail_where_the_halves_end(six_charts):
    """Two open half circles do not cover a circle."""
    x = circle(1000)
    for seed, many in zip(SEEDS, six_charts, strict=True):
        two = on_the_circle(2, seed)
        error = largest_error(two, x)
        assert 0.06 < error < 0.4 and error > 1.5 * largest_error(many, x)
        with torch.no_grad():
            chart, z = two.encode(x)
            worst = (two.decode(chart, z) - x).norm(dim=-1).argmax()
        own = z[chart == chart[worst]]
        from_the_end = min((z[worst] - own.min()).abs(), (z[worst] - own.max()).abs())
        assert from_the_end < 0.1 * (own.max() - own.min())


def test_four_charts_hold_the_sphere():
    for seed in SEEDS:
        model = AtlasWAE(3, charts=4, latent_dim=2, seed=seed)
        model.fit(sphere(1024, seed), epochs=40, learning_rate=2e-2, seed=seed, **QUIET)
        x = sphere(2000, 9)
        with torch.no_grad():
            error = (model.reconstruct(x) - x).norm(dim=-1)
        assert error.mean() < 0.12 and error.max() < 0.7
        assert mean_shares(model, x).min() > 0.1


def test_the_adversary_does_it_too():
    for seed in SEEDS:
        penalty = AdversarialPenalty(charts=4, latent_dim=1, seed=seed)
        model = on_the_circle(4, seed, penalty=penalty, penalty_weight=0.1)
        assert largest_error(model, circle(1000)) < 0.3
        assert mean_shares(model, circle(1000)).min() > 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mmd_is_the_sum_over_pairs_of_codes(seed):
    torch.manual_seed(seed)
    n, charts = 7, 3
    q, z = torch.rand(n, charts).double().softmax(-1), torch.randn(n, charts, 2).double()
    torch.manual_seed(5)
    mmd = MMDPenalty(scale=0.75)(q, z)
    torch.manual_seed(5)
    w = 2 * torch.rand_like(z[:, 0]) - 1

    def k(a, b):
        return 1 / (1 + (a - b).square().sum())  # 2/3 of the scale times the dimension

    expected = torch.zeros(()).double()
    for i in range(charts):
        for a in range(n):
            for b in range(n):
                if a != b:
                    expected += q[a, i] * q[b, i] * k(z[a, i], z[b, i]) / (n * (n - 1))
                    expected += k(w[a], w[b]) / charts**2 / (n * (n - 1))
                expected -= 2 * q[a, i] / charts * k(z[a, i], w[b]) / n**2
    assert_close(mmd, expected)


def test_the_mmd_has_mean_zero_at_the_prior_and_sees_a_dead_chart():
    torch.manual_seed(0)
    penalty, even = MMDPenalty(), torch.full((50, 2), 0.5)
    values = torch.stack([penalty(even, 2 * torch.rand(50, 2, 1) - 1) for _ in range(400)])
    assert values.mean().abs() < 4 * values.std() / 20 and values.min() < 0
    one = torch.tensor([1.0, 0.0]).expand(50, 2)
    assert penalty(one, 2 * torch.rand(50, 2, 1) - 1) > 0.1
    assert penalty(even, torch.zeros(50, 2, 1)) > 0.01


def test_the_gradient_of_the_mmd_is_finite_where_codes_agree():
    codes = torch.zeros(5, 2, 1, requires_grad=True)
    MMDPenalty()(torch.full((5, 2), 0.5), codes).backward()
    assert torch.isfinite(codes.grad).all()


def test_the_best_adversary_gives_the_divergence():
    """Codes in one of two charts only: JS of (1, 0) and (1/2, 1/2), whatever z."""
    penalty = AdversarialPenalty(charts=2, latent_dim=1)
    with torch.no_grad():
        for weight in penalty.discriminator.parameters():
            weight.zero_()
        penalty.discriminator[-1].bias[:] = torch.tensor([0.5, 1e6]).log()  # ratio of densities
    q, z = torch.tensor([1.0, 0.0]).expand(9, 2), torch.rand(9, 2, 1)
    mean = torch.tensor([0.75, 0.25])
    js = (
        F.kl_div(mean.log(), torch.tensor([1.0, 0.0]), reduction="sum")
        + F.kl_div(mean.log(), torch.tensor([0.5, 0.5]), reduction="sum")
    ) / 2
    assert_close(penalty.discriminator_loss(q, z), torch.tensor(4.0).log() - 2 * js)


def test_the_adversary_moves_no_code():
    penalty = AdversarialPenalty(charts=2, latent_dim=1)
    model = AtlasWAE(2, charts=2, latent_dim=1, penalty=penalty)
    loss = penalty.players(model.codes)["discriminator"].loss(circle(20))
    loss.backward()
    assert all(weight.grad is None for weight in model.encoders.parameters())
    assert all(weight.grad is not None for weight in penalty.parameters())


def test_the_loss_is_the_mean_error_and_the_penalty():
    model, x = AtlasWAE(3, charts=2, latent_dim=2, penalty_weight=3.0), torch.randn(20, 3)
    q, z = model.codes(x)
    error = (q * (model.reconstructions(x) - x[:, None]).square().sum(-1)).sum(-1).mean()
    torch.manual_seed(1)
    penalty = model.penalty(q, z)
    torch.manual_seed(1)
    assert_close(model.loss(x), error + 3 * penalty)


@pytest.mark.parametrize("batch", [(), (7,), (2, 3)], ids=str)
def test_shapes_and_affine_encoders(batch):
    model = AtlasWAE(5, charts=3, latent_dim=2).double()
    x, y = torch.randn(2, *batch, 5).double()
    z = model.encode_all(x)
    assert z.shape == (*batch, 3, 2) and model.probabilities(x).shape == (*batch, 3)
    assert_close(model.encode_all((x + y) / 2), (z + model.encode_all(y)) / 2)
    for i in range(3):
        assert_close(model.encode_chart(i, x), z[..., i, :])
        assert_close(model.decode_chart(i, z[..., i, :]), model.decode_all(z)[..., i, :])
    assert model.reconstruct(x).shape == x.shape
    edge = torch.tensor([[0.0, 0.9], [0.0, 1.2], [0.0, torch.nan]]).double()
    assert model.in_domain(1, edge).tolist() == [True, False, False]
    assert_close(model.into_domain(1, edge[:2]), edge[:2].clamp(max=1))


@pytest.mark.parametrize("adversary", [False, True])
def test_seeds_decide_and_a_file_holds_all(adversary, tmp_path):
    def trained(seed):
        penalty = AdversarialPenalty(2, 1, seed=seed) if adversary else MMDPenalty()
        model = AtlasWAE(2, 2, 1, hidden=4, seed=seed, penalty=penalty)
        history = model.fit(circle(32), epochs=2, batch_size=16, seed=seed, **QUIET)
        assert set(history) == {"autoencoder", *["discriminator"] * adversary}
        return model

    state = torch.get_rng_state()
    model = trained(0)
    model.sample(3)
    assert (torch.get_rng_state() == state).all()
    assert_close(trained(0).state_dict(), model.state_dict(), rtol=0, atol=0)
    other = trained(1)
    assert not torch.equal(other.probabilities(circle(9)), model.probabilities(circle(9)))
    save(model, tmp_path / "weights.pt")
    load(other, tmp_path / "weights.pt")
    assert_close(other.encode(circle(9)), model.encode(circle(9)), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (circle(20)[:, :1], r"x has shape \(20, 1\), but this model takes rows of 2"),
        (circle(20).double(), r"x is torch\.float64 but the model is torch\.float32"),
        (circle(20).index_fill(0, torch.tensor([3]), torch.nan), "infinite numbers in 1 of 20"),
        (circle(3), "4 charts need at least as many samples, but x has 3"),
        (circle(129), "a batch has 1 point, but MMD compares pairs: choose batch_size"),
    ],
    ids=["width", "dtype", "nan", "few", "single"],
)
def test_data_that_cannot_be(x, message):
    with pytest.raises(ValueError, match=message):
        AtlasWAE(2, charts=4, latent_dim=1, hidden=4).fit(x, epochs=1, **QUIET)


def test_penalties_that_cannot_be():
    with pytest.raises(ValueError, match=r"penalty_weight = -1\.0, but it must not be negative"):
        AtlasWAE(2, penalty_weight=-1.0)
    with pytest.raises(TypeError, match=r"a str was given: make one, as in penalty=MMDPenalty"):
        AtlasWAE(2, penalty="mmd")
    with pytest.raises(ValueError, match=r"scale = 0\.0, but it must be positive"):
        MMDPenalty(scale=0.0)
    with pytest.raises(ValueError, match="charts = 0, but it must be at least 1"):
        AdversarialPenalty(0, 1)
    model = AtlasWAE(2, 3, 1, penalty=AdversarialPenalty(charts=4, latent_dim=1))
    with pytest.raises(ValueError, match=r"charts = 4 and latent_dim = 1, but .* 3 and 1"):
        model.fit(circle(20), **QUIET)


def test_points_that_cannot_be():
    model = AtlasWAE(2, charts=3, latent_dim=1)
    with pytest.raises(ValueError, match="takes rows of 2 numbers"):
        model.encode(torch.rand(4, 3))
    with pytest.raises(ValueError, match="there is no chart 3"):
        model.decode_chart(3, torch.zeros(1))
    with pytest.raises(ValueError, match="z has shape"):
        model.decode_chart(0, torch.zeros(2))


def test_an_empty_chart_is_reported():
    model = AtlasWAE(2, charts=3, latent_dim=1, hidden=4)
    with torch.no_grad():
        model.membership[-1].bias[2] = -50
    with pytest.warns(UserWarning, match=r"of 3 charts \[.*2\] hold no sample"):
        model.fit(circle(20), epochs=0, **QUIET)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        even = AtlasWAE(1, charts=1, latent_dim=1, hidden=4)
        even.fit(circle(20)[:, :1], epochs=0, **QUIET)
