"""M2: what a few labels and many samples without one are worth."""

import pytest
import torch
from few_labels import split
from torch.nn import functional as F
from torch.testing import assert_close

from geomlib.models import M2, Classifier

QUIET = {"progress": False}
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def trained():
    torch.set_num_threads(1)
    models = []
    for seed in SEEDS:
        x, known, *_ = split(seed, 5)
        models.append(M2(64, seed=seed))
        models[-1].fit(x, known, epochs=40, learning_rate=3e-3, batch_size=100, seed=seed, **QUIET)
    return models


def test_samples_without_a_label_improve_the_classifier(trained):
    gains = []
    for seed, model in zip(SEEDS, trained, strict=True):
        x, known, *test = split(seed, 5)
        named = known >= 0
        alone = Classifier(64, 10, seed=seed)  # the same network as q(y | x)
        alone.fit(x[named], known[named], epochs=300, learning_rate=2e-3, seed=seed, **QUIET)
        assert alone.accuracy(x[named], known[named]) == 1  # more epochs would teach it nothing
        gains.append(model.accuracy(*test) - alone.accuracy(*test))
    assert sum(gains) / len(gains) > 0.015


def test_a_chart_decodes_to_its_own_class(trained):
    for model in trained:
        x, chart = model.sample(500, seed=1)
        assert model.accuracy(x, chart) > 0.8


def test_every_class_keeps_the_style(trained):
    """A digit's z, decoded as its own class, gives it back better than as another class."""
    for seed, model in zip(SEEDS, trained, strict=True):
        x, _, test, labels = split(seed, 5)
        error = (test[:, None] - model.reconstructions(test)).square().sum(-1)
        own = error.take_along_dim(labels[:, None], -1).mean()
        spread = (test - x.mean(0)).square().sum(-1).mean()
        assert own < 0.6 * spread and own < error.mean()


def test_the_labelled_loss_is_the_bound_of_the_label_and_the_cross_entropy():
    model = M2(6, classes=3, latent_dim=2, hidden=8, label_weight=7.0).double()
    x, labels = torch.rand(20, 6).double(), torch.arange(20) % 3
    with torch.no_grad():  # no noise: bound and bounds draw different numbers of it
        model.encoder[-1].weight[2:] = 0
        model.encoder[-1].bias[2:] = -80
    bound = model.bounds(x).take_along_dim(labels[:, None], -1).mean()
    cross = F.nll_loss(model.probabilities(x).log(), labels)
    assert_close(model.labelled_loss(x, labels), 7 * cross - bound)


def test_a_class_without_a_label_is_reported():
    x, labels = torch.rand(12, 4), torch.arange(12) % 2
    with pytest.warns(UserWarning, match=r"of 4 classes \[2, 3\] have no label"):
        M2(4, classes=4, latent_dim=1, hidden=4).fit(x, labels, epochs=1, **QUIET)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.full((12,), -1), "no label is known, all are -1"),
        (torch.tensor([1] + 11 * [-1]), "all labels are 1: telling classes apart"),
        (torch.tensor([0, 1, 4] + 9 * [-1]), "label 4 is outside 0, ..., 3"),
        (torch.tensor([0, 1, -2] + 9 * [-1]), "label -2 is outside 0, ..., 3"),
        (torch.arange(11) % 4, r"labels have shape \(11,\).*12 samples, -1 where it is not known"),
        (torch.rand(12), r"labels must be whole numbers.*labels\.long\(\)"),
    ],
    ids=["none", "single", "high", "low", "short", "float"],
)
def test_labels_that_cannot_be(labels, message):
    with pytest.raises(ValueError, match=message):
        M2(4, classes=4, latent_dim=1, hidden=4).fit(torch.rand(12, 4), labels, **QUIET)
