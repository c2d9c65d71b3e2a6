"""What holds for every model: seeds, shapes, bad data, weights on disk."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from geomlib.data import load_small_digits
from geomlib.models import (
    GAN,
    Autoencoder,
    BernoulliVAE,
    CategoricalVAE,
    Classifier,
    DataPrediction,
    DecoderOnly,
    DiffusionModel,
    FlowMatching,
    GaussianVAE,
    LinearAutoencoder,
    LinearVAE,
    WassersteinGAN,
    load,
    save,
)

QUIET = {"progress": False}
IMAGES, LABELS = (part[:60] for part in load_small_digits())


class Case(NamedTuple):
    build: Callable[..., nn.Module]
    data: tuple[torch.Tensor, ...] = (IMAGES,)


CASES = {
    "autoencoder": Case(lambda **k: Autoencoder(64, hidden=8, **k)),
    "linear": Case(lambda **k: LinearAutoencoder(64, 2, **k)),
    "linear-vae": Case(lambda **k: LinearVAE(64, 2, **k)),
    "gaussian": Case(lambda **k: GaussianVAE(64, hidden=8, **k)),
    "bernoulli": Case(lambda **k: BernoulliVAE(64, hidden=8, **k)),
    "categorical": Case(lambda **k: CategoricalVAE(64, 4, hidden=8, **k), ((IMAGES * 3).long(),)),
    "decoder-only": Case(lambda **k: DecoderOnly(64, hidden=8, **k)),
    "gan": Case(lambda **k: GAN(64, hidden=8, **k)),
    "wasserstein": Case(lambda **k: WassersteinGAN(64, hidden=8, **k)),
    "diffusion": Case(lambda **k: DiffusionModel(64, hidden=8, **k)),
    "data-prediction": Case(lambda **k: DataPrediction(64, hidden=8, **k)),
    "flow-matching": Case(lambda **k: FlowMatching(64, hidden=8, **k)),
    "classifier": Case(lambda **k: Classifier(64, 10, hidden=8, **k), (IMAGES, LABELS)),
}
every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
of_numbers = pytest.mark.parametrize(
    "case", [case for name, case in CASES.items() if name != "categorical"]
)


def trained(case: Case, seed: int = 0) -> nn.Module:
    model = case.build(seed=seed)
    model.fit(*case.data, epochs=2, batch_size=20, seed=seed, **QUIET)
    return model


@every
def test_seeds_decide_and_the_callers_random_state_is_untouched(case):
    torch.manual_seed(11)
    state = torch.get_rng_state()
    first = trained(case)
    if hasattr(first, "sample"):
        first.sample(4)
    assert (torch.get_rng_state() == state).all()
    torch.rand(5)  # other draws in between change nothing
    assert_close(trained(case).state_dict(), first.state_dict(), rtol=0, atol=0)
    other = trained(case, seed=1).state_dict()
    assert not all(torch.equal(weight, first.state_dict()[k]) for k, weight in other.items())


@every
def test_training_reports_a_loss_an_epoch_and_lowers_none_to_nan(case):
    histories = case.build().fit(*case.data, epochs=3, **QUIET)
    curves = histories.values() if isinstance(histories, dict) else [histories]
    for losses in curves:
        assert len(losses) == 3
        assert torch.isfinite(torch.tensor(losses)).all()


@every
def test_training_changes_no_data(case):
    before = copy.deepcopy(case.data)
    trained(case)
    assert_close(case.data, before, rtol=0, atol=0)


@of_numbers
def test_double_precision(case):
    model = case.build().double()
    x, *labels = case.data
    model.fit(x.double(), *labels, epochs=1, **QUIET)
    assert all(weight.dtype == torch.float64 for weight in model.parameters())


@every
def test_a_round_trip_through_a_file(case, tmp_path):
    model, path = trained(case), tmp_path / "weights.pt"
    save(model, path)
    other = case.build(seed=5)
    assert load(other, path) is other
    assert_close(other.state_dict(), model.state_dict(), rtol=0, atol=0)
    if hasattr(model, "encode"):
        x = case.data[0]
        assert_close(other.encode(x), model.encode(x), rtol=0, atol=0)


@every
def test_data_of_the_wrong_width(case):
    x, *labels = case.data
    with pytest.raises(
        ValueError, match=r"x has shape \(60, 63\), but this model takes rows of 64"
    ):
        case.build().fit(x[:, :63], *labels, **QUIET)


@every
def test_images_are_rows(case):
    x, *labels = case.data
    with pytest.raises(ValueError, match=r"x has shape \(30, 2, 64\), but \(count, 64\) is needed"):
        case.build().fit(x.reshape(30, 2, 64), *labels, **QUIET)


@every
def test_no_data(case):
    with pytest.raises(ValueError, match="there is nothing to fit: x has no rows"):
        case.build().fit(*(part[:0] for part in case.data), **QUIET)


@every
def test_data_that_is_no_tensor(case):
    with pytest.raises(TypeError, match=r"must be a torch tensor.*torch\.as_tensor"):
        case.build().fit(*(part.numpy() for part in case.data), **QUIET)


@of_numbers
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_nan_in_the_data(case, value):
    x, *labels = case.data
    x = x.clone()
    x[7, 3] = value
    with pytest.raises(ValueError, match="infinite numbers in 1 of 60 rows, the first is row 7"):
        case.build().fit(x, *labels, **QUIET)


@of_numbers
def test_two_precisions(case):
    x, *labels = case.data
    with pytest.raises(ValueError, match=r"x is torch.float64 but the model is torch.float32"):
        case.build().fit(x.double(), *labels, **QUIET)


# the networks that judge end in a bounded layer before the last: they err, but stay finite
@pytest.mark.parametrize(
    "name", ["autoencoder", "gaussian", "bernoulli", "categorical", "decoder-only"]
)
def test_divergence_stops_with_a_clear_error(name):
    case = CASES[name]
    with pytest.raises(
        RuntimeError, match=r"became (nan|inf) in epoch \d+: try a smaller learning"
    ):
        case.build().fit(*case.data, epochs=50, learning_rate=1e30, **QUIET)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Autoencoder(0),
        lambda: GaussianVAE(64, latent_dim=0),
        lambda: GAN(2, hidden=-3),
        lambda: DecoderOnly(64, 0),
        lambda: LinearVAE(64, 0),
    ],
)
def test_sizes_are_positive(build):
    with pytest.raises(ValueError, match=r"= (0|-3), but it must be at least 1"):
        build()
