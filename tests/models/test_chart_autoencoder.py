"""The chart autoencoder: its loss by hand, the circle that one chart cannot hold, empty charts."""

import warnings

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from geomlib.models import Autoencoder, ChartAutoencoder
from geomlib.models.chart_autoencoder import farthest_points, warn_of_empty_charts

QUIET = {"progress": False}
SEEDS = (0, 1, 2)


def circle(count):
    angle = torch.arange(count) * 2 * torch.pi / count
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


def sphere(count, seed):
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return x / x.norm(dim=-1, keepdim=True)


def largest_error(model, x):
    with torch.no_grad():
        y = model.reconstruct(x) if hasattr(model, "reconstruct") else model(x)
    return (x - y).norm(dim=-1).max().item()


@pytest.fixture(scope="module")
def two_charts():
    torch.set_num_threads(1)
    models = []
    for seed in SEEDS:
        model = ChartAutoencoder(2, charts=2, latent_dim=1, seed=seed)
        model.fit(circle(256), epochs=300, batch_size=256, learning_rate=1e-2, seed=seed, **QUIET)
        models.append(model)
    return models


def test_two_charts_hold_the_circle(two_charts):
    for model in two_charts:
        assert largest_error(model, circle(2000)) < 0.15


def test_one_chart_tears_it():
    for seed in SEEDS:
        model = Autoencoder(2, latent_dim=1, hidden=32, seed=seed)
        model.fit(circle(256), epochs=300, batch_size=256, learning_rate=1e-2, seed=seed, **QUIET)
        x = circle(2000)
        assert largest_error(model, x) > 1.8  # no continuous encoder is below 1 (Borsuk-Ulam)
        assert (model(x) - x).square().sum(-1).mean() < 0.1  # and yet the mean looks fine


def test_its_charts_overlap_and_their_transitions_invert_each_other(two_charts):
    x = circle(500)
    for model in two_charts:
        assert model.covers(x, 0.15).any(-1).all()
        both = model.overlap(0, 1, x, 0.15)
        assert both.sum() >= 10
        with torch.no_grad():
            z = model.encode_chart(0, x[both])
            there = model.transition(0, 1, z)
            assert (model.decode_chart(1, there) - x[both]).norm(dim=-1).max() < 0.4
            assert_close(there, model.encode_chart(1, model.reconstructions(x[both])[:, 0]))


def test_the_codes_are_in_the_open_cube(two_charts):
    z = two_charts[0].encode_all(10 * circle(50))
    assert ((z > 0) & (z < 1)).all()
    edge = torch.tensor([[0.0], [0.5], [1.2], [torch.nan]])
    assert two_charts[0].in_domain(1, edge).tolist() == [False, True, False, False]


def test_the_sphere():
    for seed in SEEDS:
        model = ChartAutoencoder(3, charts=4, latent_dim=2, seed=seed)
        model.fit(sphere(800, seed), epochs=60, batch_size=200, learning_rate=1e-2, **QUIET)
        x = sphere(2000, 99)
        assert (model.reconstruct(x) - x).square().sum(-1).mean() < 0.01
        assert largest_error(model, x) < 0.5


def test_the_loss_by_hand():
    model = ChartAutoencoder(3, charts=4, latent_dim=2, hidden=8, lipschitz=0.3, temperature=0.5)
    x = torch.randn(20, 3)
    z = [model.encode_chart(a, x) for a in range(4)]
    errors = torch.stack(
        [(x - model.decode_chart(a, z[a])).square().sum(-1) for a in range(4)], dim=1
    )
    assert_close(model.errors(x), errors)
    target = F.softmax(-errors / 0.5, dim=1)
    expected = errors.min(1).values.mean() + F.cross_entropy(model.predictor(x), target.detach())
    bound = torch.stack([torch.linalg.svdvals(w)[:, 0] for w in model.decoders.weights]).prod(0)
    assert_close(model.decoders.lipschitz_bounds(), bound)
    assert_close(model.loss(x), expected + 0.3 * bound.mean())


def test_the_bound_bounds():
    for seed in SEEDS:
        model = ChartAutoencoder(5, charts=3, latent_dim=2, hidden=8, seed=seed)
        z, w = torch.rand(2, 500, 3, 2)
        slopes = (model.decode_all(z) - model.decode_all(w)).norm(dim=-1) / (z - w).norm(dim=-1)
        assert (slopes.amax(0) <= model.decoders.lipschitz_bounds()).all()


def test_the_penalty_makes_decoders_flatter():
    def bound(weight):
        model = ChartAutoencoder(2, latent_dim=1, hidden=16, lipschitz=weight)
        model.fit(circle(64), epochs=100, learning_rate=1e-2, **QUIET)
        return model.decoders.lipschitz_bounds().mean()

    assert bound(0.1) < 0.8 * bound(0.0)


def test_placing_puts_every_chart_around_its_own_sample():
    x = sphere(300, 1)
    for seed in SEEDS:
        model = ChartAutoencoder(3, charts=5, latent_dim=2, seed=seed)
        model.fit(x, epochs=0, **QUIET)
        chart, z = model.encode(x[farthest_points(x, 5)])
        assert chart.tolist() == [0, 1, 2, 3, 4]
        assert_close(z, torch.full((5, 2), 0.5), rtol=0, atol=0.1)


def test_farthest_points():
    x = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    rows = farthest_points(x, 10)
    distance = torch.cdist(x, x)
    for k in range(1, 10):
        reach = distance[:, rows[:k]].amin(1)
        assert reach[rows[k]] == reach.max()


def test_more_charts_than_samples():
    model = ChartAutoencoder(2, charts=3, latent_dim=1)
    with pytest.raises(ValueError, match=r"3 charts need as many different samples.*x has 2"):
        model.fit(circle(2).repeat(10, 1), **QUIET)


def test_an_empty_chart_is_named():
    with pytest.warns(UserWarning, match=r"of 4 charts \[1, 3\] hold no sample"):
        warn_of_empty_charts(torch.tensor([0, 2, 2]), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_empty_charts(torch.tensor([1, 0]), 2)


def test_a_chart_that_died_is_named():
    model = ChartAutoencoder(2, charts=2, latent_dim=1, hidden=8)
    with torch.no_grad():
        model.decoders.biases[-1][1] = 1e6  # too far away to come back
    with pytest.warns(UserWarning, match=r"charts \[1\] hold no sample"):
        model.fit(circle(64), pretraining=0, epochs=2, **QUIET)


@pytest.mark.parametrize("bad", [{"lipschitz": -1.0}, {"temperature": 0.0}])
def test_bad_settings(bad):
    with pytest.raises(ValueError, match="must not be negative, temperature"):
        ChartAutoencoder(2, **bad)
