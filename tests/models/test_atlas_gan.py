"""The atlas as a GAN: what a few labels name, what no label names, and the inverse it lacks."""

import pytest
import torch
from few_labels import split
from torch.testing import assert_close

from geomlib.models import GAN, AtlasGAN, Classifier, labels_against_charts, load, save
from geomlib.riemann import PullbackMetric

QUIET = {"progress": False}
SEEDS = (0, 1, 2)
pytestmark = pytest.mark.filterwarnings("ignore:.*hold no sample")


def train(seed, *labels):
    torch.set_num_threads(1)
    model = AtlasGAN(64, seed=seed)
    model.fit(split(seed, 6)[0], *labels, epochs=40, batch_size=100, seed=seed, **QUIET)
    return model


@pytest.fixture(scope="module")
def guided():
    return [train(seed, split(seed, 6)[1]) for seed in SEEDS]


@pytest.fixture(scope="module")
def unguided():
    return [train(seed) for seed in SEEDS]


def agreement(model, seed):
    *_, test, labels = split(seed, 6)
    return (model.encode(test)[0] == labels).float().mean()


def drawn_as_named(model, seed):
    """The share of drawn digits whose nearest real one has their chart for its label."""
    *_, test, labels = split(seed, 6)
    x, chart = model.sample(500, seed=1)
    return (labels[torch.cdist(x, test).argmin(-1)] == chart).float().mean()


def lost(model, x):
    """The error of a round trip, in variances of x."""
    with torch.no_grad():
        error = (model.reconstruct(x) - x).square().sum(-1).mean()
    return error / (x - x.mean(0)).square().sum(-1).mean()


def test_a_few_labels_name_the_charts(guided, unguided):
    for seed, named, nameless in zip(SEEDS, guided, unguided, strict=True):
        assert agreement(named, seed) > 0.6 and drawn_as_named(named, seed) > 0.5
        assert agreement(nameless, seed) < 0.4 and drawn_as_named(nameless, seed) < 0.4


def test_without_labels_the_charts_are_not_the_digits(unguided):
    for seed, model in zip(SEEDS, unguided, strict=True):
        *_, test, labels = split(seed, 6)
        assert labels_against_charts(labels, model.encode(test)[0]).adjusted_rand < 0.5


def test_the_classifier_gains_nothing_by_the_game(guided):
    """Q is not better than the same network trained on the same labels alone."""
    for seed, model in zip(SEEDS, guided, strict=True):
        x, known, *test = split(seed, 6)
        alone = Classifier(64, 10, hidden=128, seed=seed)
        named = known >= 0
        alone.fit(x[named], known[named], epochs=300, learning_rate=2e-3, seed=seed, **QUIET)
        assert agreement(model, seed) < alone.accuracy(*test) + 0.05


def test_the_codes_of_what_it_draws_are_recovered(guided, unguided):
    for model in [*guided, *unguided]:
        assert model.consistency() > 0.9
        x, _ = model.sample(500, seed=2)
        assert lost(model, x) < 0.2


def test_a_round_trip_of_data_misses_more_than_the_mean_image(guided):
    for seed, model in zip(SEEDS, guided, strict=True):
        assert lost(model, split(seed, 6)[2]) > 1


def test_transitions_keep_the_coordinates_not_the_point(guided):
    z = 1.6 * torch.rand(200, 4, generator=torch.Generator().manual_seed(0)) - 0.8
    for model in guided:
        with torch.no_grad():
            there = model.transition(3, 8, z)
            assert (there - z).square().mean() < 0.3 * z.square().mean()
            apart = (model.decode_chart(8, there) - model.decode_chart(3, z)).norm(dim=-1)
            assert apart.median() > 1.0


def test_with_one_chart_and_no_codes_it_is_a_gan():
    model = AtlasGAN(2, charts=1, latent_dim=2, hidden=8, code_weight=0.0)
    x, fake, gan = torch.randn(30, 2), torch.randn(30, 2), GAN(2, hidden=8)
    gan.discriminator = torch.nn.Sequential(*model.features, model.discriminator_head)
    gan._fake = lambda count: fake
    assert_close(model.discriminator_loss(x, fake), gan.discriminator_loss(x))
    model._generate = lambda chart, z: fake
    assert_close(model.generator_loss(x), gan.generator_loss(x))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_terms_of_the_generator(seed):
    model = AtlasGAN(5, 3, 2, hidden=8, seed=seed, information=2.0, code_weight=3.0).double()
    x = torch.zeros(40, 5).double()
    torch.manual_seed(seed)
    loss = model.generator_loss(x)
    torch.manual_seed(seed)
    chart, z = torch.randint(3, (40,)), (2 * torch.rand(40, 2) - 1).double()
    fake = model.decode(chart, z)
    judged = torch.sigmoid(model.discriminator_head(model.features(fake))).log().mean()
    named = model.probabilities(fake)[torch.arange(40), chart].log().mean()
    recovered = (model.encode_chart(0, fake) - z).square().sum(-1).mean()
    assert_close(loss, -judged - 2 * named + 3 * recovered)


def test_labels_alone_teach_the_chart_head_where_there_are_some():
    """Nothing that the generator draws moves Q then."""
    x, labels = torch.randn(40, 3), torch.arange(40) % 2
    heads = []
    for offset in (0.0, 5.0):
        model = AtlasGAN(3, 2, 1, hidden=8, code_weight=0.0)
        with torch.no_grad():
            model.generator[-1].bias += offset
        for layer in [*model.features, model.discriminator_head]:
            layer.requires_grad_(False)
        model.fit(x, labels, epochs=2, **QUIET)
        heads.append(model.chart_head.weight)
    assert_close(heads[0], heads[1], rtol=0, atol=0)


@pytest.mark.parametrize("batch", [(), (7,), (2, 3)], ids=str)
def test_shapes(batch):
    model = AtlasGAN(5, charts=3, latent_dim=2, hidden=8).double()
    x = torch.randn(*batch, 5).double()
    z = model.encode_all(x)
    assert z.shape == (*batch, 3, 2) and model.probabilities(x).shape == (*batch, 3)
    assert_close(model.probabilities(x).sum(-1), torch.ones(batch).double())
    for i in range(3):
        assert_close(model.encode_chart(i, x), z[..., i, :])
        assert_close(model.decode_chart(i, z[..., i, :]), model.decode_all(z)[..., i, :])
    assert model.reconstruct(x).shape == model.reconstruct_mixed(x).shape == x.shape
    edge = torch.tensor([[0.0, 0.9], [0.0, 1.2], [0.0, torch.nan]]).double()
    assert model.in_domain(1, edge).tolist() == [True, False, False]
    assert_close(model.into_domain(1, edge[:2]), edge[:2].clamp(max=1))


def test_a_chart_has_a_metric():
    model = AtlasGAN(5, charts=3, latent_dim=2, hidden=8).double()
    z = torch.rand(4, 2).double()
    metric = PullbackMetric(lambda z: model.decode_chart(1, z)).matrix(z)
    assert metric.shape == (4, 2, 2) and (torch.linalg.eigvalsh(metric) > 0).all()


@pytest.mark.parametrize("labelled", [False, True])
def test_seeds_decide_and_a_file_holds_all(labelled, tmp_path):
    x = torch.randn(32, 3, generator=torch.Generator().manual_seed(0))
    labels = [torch.arange(32) % 2] * labelled

    def trained(seed):
        model = AtlasGAN(3, 2, 1, hidden=4, seed=seed)
        history = model.fit(x, *labels, epochs=3, batch_size=16, seed=seed, **QUIET)
        assert set(history) == {"discriminator", "generator"}
        assert torch.isfinite(torch.tensor(list(history.values()))).all()
        return model

    state = torch.get_rng_state()
    model = trained(0)
    assert_close(model.sample(3, seed=4), model.sample(3, seed=4), rtol=0, atol=0)
    assert (torch.get_rng_state() == state).all()
    assert_close(trained(0).state_dict(), model.state_dict(), rtol=0, atol=0)
    other = trained(1)
    assert not torch.equal(other.probabilities(x), model.probabilities(x))
    save(model, tmp_path / "weights.pt")
    load(other, tmp_path / "weights.pt")
    assert_close(other.encode(x), model.encode(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.full((12,), -1), "no label is known, all are -1.*Leave labels out"),
        (torch.tensor([1] + 11 * [-1]), "all labels are 1: telling classes apart"),
        (torch.tensor([0, 1, 4] + 9 * [-1]), r"label 4 is outside 0, \.\.\., 3"),
        (torch.tensor([0, 1, -2] + 9 * [-1]), r"label -2 is outside 0, \.\.\., 3"),
        (torch.arange(11) % 4, r"labels have shape \(11,\).*12 samples, -1 where it is not known"),
        (torch.rand(12), r"labels must be whole numbers.*labels\.long\(\)"),
    ],
    ids=["none", "single", "high", "low", "short", "float"],
)
def test_labels_that_cannot_be(labels, message):
    with pytest.raises(ValueError, match=message):
        AtlasGAN(4, charts=4, hidden=4).fit(torch.rand(12, 4), labels, **QUIET)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:, 1:], r"x has shape \(20, 3\), but this model takes rows of 4"),
        (lambda x: x.double(), r"x is torch\.float64 but the model is torch\.float32"),
        (lambda x: x.where(x > x.min(), torch.nan), "infinite numbers in 1 of 20 rows"),
        (lambda x: x[:9], "10 charts need at least as many samples, but x has 9"),
    ],
    ids=["width", "dtype", "nan", "few"],
)
def test_data_that_cannot_be(change, message):
    x = torch.rand(20, 4, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=message):
        AtlasGAN(4, hidden=4).fit(change(x), epochs=1, **QUIET)


def test_sizes_and_points_that_cannot_be():
    with pytest.raises(ValueError, match=r"information = -1\.0 and .* must not be negative"):
        AtlasGAN(2, information=-1.0)
    with pytest.raises(ValueError, match="hidden = 0, but it must be at least 1"):
        AtlasGAN(2, hidden=0)
    model = AtlasGAN(2, charts=3, latent_dim=1)
    with pytest.raises(ValueError, match="takes rows of 2 numbers"):
        model.encode(torch.rand(4, 3))
    with pytest.raises(ValueError, match="NaN"):
        model.probabilities(torch.tensor([0.0, torch.nan]))
    with pytest.raises(ValueError, match="there is no chart 3"):
        model.decode_chart(3, torch.zeros(1))
    with pytest.raises(ValueError, match="z has shape"):
        model.decode_chart(0, torch.zeros(2))


def test_what_has_no_label_or_no_sample_is_reported():
    x, labels = torch.randn(12, 2), torch.arange(12) % 2
    with pytest.warns(UserWarning, match=r"of 3 classes \[2\] have no label"):
        AtlasGAN(2, charts=3, hidden=4).fit(x, labels, epochs=1, **QUIET)
    model = AtlasGAN(2, charts=3, hidden=4)
    with torch.no_grad():
        model.chart_head.bias[1] = -50
    with pytest.warns(UserWarning, match=r"of 3 charts \[.*1.*\] hold no sample"):
        model.fit(x, epochs=0, **QUIET)
