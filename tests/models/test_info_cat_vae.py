"""InfoCatVAE: a decoder that remembers which chart it was in, and classes that do not follow."""

import pytest
import torch
from torch.testing import assert_close

from geomlib.data import load_small_digits
from geomlib.models import InfoCatVAE, labels_against_charts

QUIET = {"progress": False}
SEEDS = (0, 1, 2)
pytestmark = pytest.mark.filterwarnings("ignore:.*hold no sample")


def train(seed, **sizes):
    torch.set_num_threads(1)
    model = InfoCatVAE(64, hidden=48, seed=seed, **sizes)
    model.fit(
        load_small_digits()[0][:1200],
        epochs=20,
        learning_rate=5e-3,
        batch_size=100,
        seed=seed,
        **QUIET,
    )
    return model


@pytest.fixture(scope="module")
def informed():
    return [train(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def uninformed():
    return [train(seed, information=0.0) for seed in SEEDS]


def test_the_information_term_keeps_the_chart(informed, uninformed):
    assert all(model.consistency() > 0.75 for model in informed)
    assert all(model.consistency() < 0.6 for model in uninformed)


def test_it_costs_the_likelihood_little(informed, uninformed):
    x = load_small_digits()[0][1200:]
    with torch.no_grad():
        losses = [
            sum(model.unlabelled_loss(x).item() for model in models)
            for models in (informed, uninformed)
        ]
    assert losses[0] < 1.05 * losses[1]


def test_the_charts_are_not_the_digits(informed):
    x, labels = load_small_digits()
    for model in informed:
        agreement = labels_against_charts(labels[1200:], model.encode(x[1200:])[0])
        assert 0.1 < agreement.adjusted_rand < 0.7


def test_the_means_are_orthogonal_and_the_prior_of_a_chart_is_around_its_own():
    model = InfoCatVAE(5, classes=3, latent_dim=4, hidden=6, distance=2.5).double()
    assert_close(model.means @ model.means.T, 2.5**2 * torch.eye(3).double())
    z = torch.randn(7, 4).double()
    for i in range(3):
        assert_close(model.decode_chart(i, z), model.decoder(model.means[i] + z).sigmoid())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_information_loss_bounds_the_mutual_information(seed):
    """A decoder that says the class gives log K, one that says nothing gives 0."""
    model = InfoCatVAE(3, classes=3, latent_dim=3, hidden=16, seed=seed, distance=6.0)
    silent = InfoCatVAE(3, classes=3, latent_dim=3, hidden=6, seed=seed)
    with torch.no_grad():
        for weight in silent.decoder[-1].parameters():
            weight.zero_()
        silent.classifier.head.weight.zero_()
        silent.classifier.head.bias.zero_()
        assert_close(silent.information_loss(500), torch.tensor(3.0).log())
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(300):
        optimiser.zero_grad()
        model.information_loss(100).backward()
        optimiser.step()
    assert model.information_loss(500) < 0.1 and model.consistency() > 0.95


def test_without_the_term_the_loss_is_the_bound():
    x = torch.rand(20, 5)
    model = InfoCatVAE(5, classes=3, latent_dim=3, hidden=6, information=0.0)
    torch.manual_seed(1)
    loss = model.loss(x)
    torch.manual_seed(1)
    assert_close(loss, model.unlabelled_loss(x))


def test_more_classes_than_samples():
    with pytest.raises(ValueError, match="10 classes need at least as many samples, but x has 9"):
        InfoCatVAE(5).fit(torch.rand(9, 5), **QUIET)


def test_an_empty_chart_is_reported():
    x = torch.rand(1, 5).expand(12, 5)  # one point: one chart has it
    with pytest.warns(UserWarning, match="hold no sample"):
        InfoCatVAE(5, classes=3, latent_dim=3, hidden=4).fit(x, epochs=1, **QUIET)
