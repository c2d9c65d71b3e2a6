"""Weights on disk: nothing is overwritten, nothing half loaded, nothing run."""

import pickle

import pytest
import torch
from torch.testing import assert_close

from geomlib.models import Autoencoder, DecoderOnly, GaussianVAE, RBFStandardDeviation, load, save


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pt"


def test_a_file_is_not_overwritten_unless_told_so(path):
    save(Autoencoder(5, hidden=4, seed=0), path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"weights\.pt exists already.*overwrite=True"):
        save(Autoencoder(5, hidden=4, seed=1), path)
    assert path.read_bytes() == before
    second = Autoencoder(5, hidden=4, seed=1)
    save(second, path, overwrite=True)
    loaded = load(Autoencoder(5, hidden=4), str(path))
    assert_close(loaded.state_dict(), second.state_dict(), rtol=0, atol=0)


def test_the_file_is_a_plain_state_dict(path):
    model = Autoencoder(5, hidden=4)
    save(model, path)
    assert_close(torch.load(path, weights_only=True), dict(model.state_dict()))


@pytest.mark.parametrize(
    "other",
    [Autoencoder(5, hidden=7), Autoencoder(6, hidden=4), GaussianVAE(5, hidden=4), DecoderOnly(5)],
    ids=["hidden", "width", "gaussian", "decoder-only"],
)
def test_weights_of_another_model_change_nothing(path, other):
    save(Autoencoder(5, hidden=4), path)
    before = {name: weight.clone() for name, weight in other.state_dict().items()}
    with pytest.raises(ValueError, match=rf"weights\.pt do not fit this {type(other).__name__}"):
        load(other, path)
    assert_close(dict(other.state_dict()), before, rtol=0, atol=0)


def test_the_error_names_the_sizes(path):
    save(Autoencoder(5, hidden=4), path)
    with pytest.raises(
        ValueError, match=r"size mismatch for encoder\.0\.weight.*\[4, 5\].*\[7, 5\]"
    ):
        load(Autoencoder(5, hidden=7), path)


def test_another_precision(path):
    save(Autoencoder(5, hidden=4).double(), path)
    with pytest.raises(ValueError, match=r"is torch\.float64 but the model's is torch\.float32"):
        load(Autoencoder(5, hidden=4), path)


def test_there_is_no_file(path):
    with pytest.raises(FileNotFoundError):
        load(Autoencoder(5), path)


class Trap:
    def __reduce__(self):
        return print, ("code was run",)


@pytest.mark.parametrize("kind", ["text", "empty", "pickle", "tensor", "numbers"])
def test_no_file_of_weights(path, kind, capsys):
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Trap(), protocol=2))
    elif kind in ("tensor", "numbers"):
        torch.save(torch.zeros(3) if kind == "tensor" else {"codes": 3}, path)
    else:
        path.write_text("hello" if kind == "text" else "")
    with pytest.raises(ValueError, match=r"not a file of weights|holds a Tensor|do not fit"):
        load(DecoderOnly(5), path)
    assert capsys.readouterr().out == ""


def test_the_kind_of_standard_deviation_comes_along(path):
    x = torch.rand(40, 5)
    vae = GaussianVAE(5, hidden=4)
    vae.fit_standard_deviation(x, centres=7, epochs=1, progress=False)
    save(vae, path)
    loaded = load(GaussianVAE(5, hidden=4, seed=3), path)
    assert isinstance(loaded.std, RBFStandardDeviation)
    z = torch.randn(9, 2)
    assert_close(loaded.std(z), vae.std(z), rtol=0, atol=0)
    assert_close(loaded.mean(z), vae.mean(z), rtol=0, atol=0)
    # and back: one number replaces the network
    constant = GaussianVAE(5, hidden=4)
    save(constant, path, overwrite=True)
    assert_close(load(loaded, path).std(z), constant.std(z), rtol=0, atol=0)
