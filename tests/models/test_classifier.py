"""The encoder-type model: a linear softmax head on features."""

import pytest
import torch
from torch.testing import assert_close

from geomlib.data import load_small_digits
from geomlib.models import Classifier

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def digits():
    return load_small_digits()


@pytest.mark.parametrize("seed", range(3))
def test_it_tells_digits_apart(digits, seed):
    x, labels = digits
    model = Classifier(64, 10, hidden=32, seed=seed)
    untrained = model.accuracy(x[1200:], labels[1200:])
    history = model.fit(x[:1200], labels[:1200], epochs=15, learning_rate=5e-3, seed=seed, **QUIET)
    assert history[-1] < 0.2 * history[0]
    assert untrained < 0.3 and model.accuracy(x[1200:], labels[1200:]) > 0.88


def test_the_head_is_linear_on_the_features(digits):
    x, labels = digits[0][:20], digits[1][:20]
    model = Classifier(64, 10, hidden=16)
    features = model.encode(x)
    assert features.shape == (20, 16)
    logits = features @ model.head.weight.T + model.head.bias
    assert_close(model(x), logits)
    chosen = logits.softmax(-1)[torch.arange(20), labels]
    assert_close(model.loss(x, labels), -chosen.log().mean())
    assert_close(model.accuracy(x, labels), (logits.argmax(1) == labels).sum().item() / 20)


@pytest.mark.parametrize("batch", [(), (7,), (2, 3)], ids=str)
def test_shapes(batch):
    model = Classifier(20, 3, hidden=8)
    x = torch.rand(*batch, 20)
    assert model.encode(x).shape == (*batch, 8)
    assert model(x).shape == (*batch, 3)
    with pytest.raises(ValueError, match="takes rows of 20 numbers"):
        model(x[..., 1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y + 1, "label 10 is outside 0, ..., 9"),
        (lambda y: y - 1, "label -1 is outside 0, ..., 9"),
        (lambda y: y * 0 + 4, "all labels are 4: telling classes apart needs samples of two"),
        (lambda y: y[:-1], r"shape \(1796,\), but there is one for each of the 1797 samples"),
        (lambda y: y[:, None], r"labels have shape \(1797, 1\)"),
        (lambda y: y.float(), r"labels must be whole numbers.*labels\.long\(\)"),
    ],
    ids=["high", "low", "single", "short", "column", "float"],
)
def test_labels_that_cannot_be(digits, change, message):
    x, labels = digits
    with pytest.raises(ValueError, match=message):
        Classifier(64, 10, hidden=8).fit(x, change(labels), **QUIET)


def test_accuracy_needs_a_label_a_sample(digits):
    with pytest.raises(ValueError, match=r"20 samples need as many labels, not \(20, 1\)"):
        Classifier(64, 10, hidden=8).accuracy(digits[0][:20], digits[1][:20, None])


def test_any_integers_are_labels_and_a_class_may_be_absent(digits):
    few = digits[1] < 3
    x, labels = digits[0][few], digits[1][few].int()
    model = Classifier(64, 10, hidden=8)
    model.fit(x, labels, epochs=10, learning_rate=1e-2, **QUIET)
    assert model.accuracy(x, labels) > 0.8


def test_one_class_is_none():
    with pytest.raises(ValueError, match="nothing to tell apart below two"):
        Classifier(64, 1)
