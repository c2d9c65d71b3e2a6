"""Checks of the data that a model is given; each error says how to mend it."""

import warnings

import torch
from torch import Tensor, nn

__all__ = [
    "check_counted",
    "check_data",
    "check_labels",
    "check_rows",
    "check_sizes",
    "check_width",
    "known_labels",
]


def check_sizes(**sizes: int) -> None:
    """Raise unless all sizes of a model are positive."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} = {size}, but it must be at least 1")


def check_width(x: Tensor, width: int, name: str = "x") -> None:
    """Raise unless the last dimension of `x` has `width` entries."""
    if x.ndim == 0 or x.shape[-1] != width:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}, but this model takes rows of {width} numbers, "
            f"(..., {width}): flatten images with {name}.flatten(1), or build the model with "
            "another size"
        )


def check_rows(x: Tensor, width: int, name: str = "x") -> None:
    """Raise unless `x` is a tensor `(count, width)` with at least one row."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{name} must be a torch tensor, but a {type(x).__name__} was given: "
            "wrap it in torch.as_tensor(...)"
        )
    check_width(x, width, name)
    if x.ndim != 2:
        raise ValueError(f"{name} has shape {tuple(x.shape)}, but (count, {width}) is needed")
    if len(x) == 0:
        raise ValueError(f"there is nothing to fit: {name} has no rows")


def check_data(x: Tensor, width: int, model: nn.Module, name: str = "x") -> None:
    """Raise unless `x` is `(count, width)` with at least one row, of the model's dtype, finite."""
    check_rows(x, width, name)
    weight = next(model.parameters())
    if x.dtype != weight.dtype:
        raise ValueError(
            f"{name} is {x.dtype} but the model is {weight.dtype}: use {name}.float(), or "
            "model.double() and double data"
        )
    if x.device != weight.device:
        raise ValueError(f"{name} is on {x.device} but the model is on {weight.device}")
    bad = ~torch.isfinite(x).all(1)
    if bad.any():
        raise ValueError(
            f"{name} holds NaN or infinite numbers in {int(bad.sum())} of {len(x)} rows, the first "
            f"is row {int(bad.nonzero()[0])}: leave them out with {name}[{name}.isfinite().all(1)]"
        )


def check_counted(x: Tensor, name: str) -> None:
    """Raise unless `x` has an integer dtype."""
    if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
        raise ValueError(
            f"{name} must be whole numbers, but the dtype is {x.dtype}: use {name}.long()"
        )


def check_labels(labels: Tensor, count: int, classes: int) -> None:
    """Raise unless there are `count` whole numbers in `range(classes)`, not all the same."""
    if labels.shape != (count,):
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}, but there is one for each of the {count} "
            f"samples: ({count},)"
        )
    check_counted(labels, "labels")
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        raise ValueError(
            f"label {int(labels[outside][0])} is outside 0, ..., {classes - 1}: "
            f"the model was built for {classes} classes"
        )
    if (labels == labels[0]).all():
        raise ValueError(
            f"all labels are {int(labels[0])}: telling classes apart needs samples of two at least"
        )


def known_labels(labels: Tensor, count: int, classes: int, otherwise: str) -> Tensor:
    """The rows whose label is known, not -1; `otherwise` says what to do without any.

    Raises:
        ValueError: unless there are `count` whole numbers, those that are known in
            `range(classes)` and not all the same.

    Warns:
        UserWarning: if a class has no label.
    """
    if labels.shape != (count,):
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}, but there is one for each of the "
            f"{count} samples, -1 where it is not known: ({count},)"
        )
    check_counted(labels, "labels")
    known = (labels != -1).nonzero()[:, 0]
    if len(known) == 0:
        raise ValueError(
            "no label is known, all are -1: some of two classes at least are needed, a few of "
            f"each are enough. {otherwise}"
        )
    check_labels(labels[known], len(known), classes)
    counts = torch.bincount(labels[known].long(), minlength=classes)
    if (counts == 0).any():
        warnings.warn(
            f"of {classes} classes {(counts == 0).nonzero()[:, 0].tolist()} have no label: which "
            "samples their charts take is left to chance",
            stacklevel=3,
        )
    return known
