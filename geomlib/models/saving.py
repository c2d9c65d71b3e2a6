"""Trained weights on disk."""

import copy
from os import PathLike
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

__all__ = ["load", "save"]

Model = TypeVar("Model", bound=nn.Module)


def save(model: nn.Module, path: str | PathLike, *, overwrite: bool = False) -> None:
    """Write the weights of a model, its state dict, to a file.

    Raises:
        FileExistsError: if there is a file already and `overwrite` is not set.

    >>> import tempfile
    >>> from geomlib.models import Autoencoder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Autoencoder(5, seed=1), f"{folder}/weights.pt")
    ...     model = load(Autoencoder(5, seed=2), f"{folder}/weights.pt")
    >>> torch.equal(model.decoder[0].weight, Autoencoder(5, seed=1).decoder[0].weight)
    True
    """
    try:
        with Path(path).open("wb" if overwrite else "xb") as file:
            torch.save(model.state_dict(), file)
    except FileExistsError:
        raise FileExistsError(
            f"{path} exists already: choose another name, or save(..., overwrite=True)"
        ) from None


def load(model: Model, path: str | PathLike) -> Model:
    """Read weights into a model that was built with the same sizes, and return it.

    The file can hold nothing but tensors (`weights_only`): it cannot run code.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file holds no weights, or those of another model. The model then keeps
            the weights it had.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch's reader raises errors of many kinds on other files
        raise ValueError(f"{path} is not a file of weights that save() wrote: {error}") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds a {type(state).__name__}, not the weights of a model")
    trial = copy.deepcopy(model)  # so that a file that does not fit changes nothing
    try:
        trial.load_state_dict(state)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"the weights in {path} do not fit this {type(model).__name__}: build it with the "
            f"sizes of the one that was saved. {error}"
        ) from error
    for name, weight in trial.state_dict().items():
        if weight.dtype != state[name].dtype:
            raise ValueError(
                f"{name} in {path} is {state[name].dtype} but the model's is {weight.dtype}: "
                f"use model.to({state[name].dtype}) first"
            )
    model.load_state_dict(state)
    return model
