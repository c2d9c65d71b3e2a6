"""Checks of what a caller hands in; each error says what was given, needed, and how to mend it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

__all__ = [
    "as_points",
    "as_rows",
    "broadcast",
    "check_network",
    "inside_transform",
    "same_kind",
    "together",
]


def as_points(z: Tensor, name: str = "z") -> Tensor:
    """`z`, if it is a floating-point tensor `(..., d)` without NaN or infinity."""
    if not isinstance(z, Tensor):
        raise TypeError(
            f"{name} must be a torch tensor of shape (..., d), but a {type(z).__name__} was given: "
            "wrap it in torch.as_tensor(...)"
        )
    if not z.is_floating_point():
        raise ValueError(
            f"{name} has dtype {z.dtype}, but coordinates are real: use {name}.float()"
        )
    if z.ndim == 0 or z.shape[-1] == 0:
        raise ValueError(
            f"{name} has shape {tuple(z.shape)}, but its last dimension must hold the coordinates: "
            "(..., d) with d >= 1"
        )
    if not inside_transform(z) and not torch.isfinite(z).all():
        raise ValueError(f"{name} holds NaN or infinite coordinates")
    if torch.is_inference_mode_enabled() and torch.__version__ < "2.13":
        raise RuntimeError(
            f"torch {torch.__version__} loses second derivatives under torch.inference_mode(): use "
            "torch.no_grad() instead, or torch 2.13 or newer"
        )
    # what was made in inference mode can be differentiated only as a copy
    return z.clone() if z.is_inference() and not torch.is_inference_mode_enabled() else z


def as_rows(value: Any, z: Tensor, name: str = "z") -> Tensor:
    """What a map made of points `(B, d)` as `(B, n)`, if it is one real tensor with a row a point.

    Args:
        value: what the map returned.
        z: the points.
        name: what the caller calls them.
    """
    n = {"z": "(batch, d) to (batch, n)", "x": "(batch, n) to (batch, m)"}[name]
    if isinstance(value, Distribution):
        raise ValueError(
            f"f returns a {type(value).__name__} distribution, but one tensor is needed, {n}: "
            f"take its mean, lambda {name}: f({name}).mean, or measure the distributions "
            "themselves by FisherRaoMetric(f)"
        )
    if not isinstance(value, Tensor):
        part = f"[{next(iter(value))!r}]" if isinstance(value, dict) and value else "[0]"
        mend = f"name the part to measure, e.g. lambda {name}: f({name}){part}"
        raise ValueError(
            f"f returns a {type(value).__name__}, but one tensor that keeps the batch dimension is "
            f"needed, {n}: {'let it end in return' if value is None else mend}"
        )
    if value.ndim < 2 or value.shape[0] != z.shape[0]:
        raise ValueError(
            f"f maps points of shape {tuple(z.shape)} to {tuple(value.shape)}, but must keep the "
            f"batch dimension, {n}: write {name}[..., i] for the i-th coordinate, or wrap a "
            "function of one point in torch.vmap"
        )
    if value.dtype != z.dtype:
        mend = (
            f"take torch.view_as_real(f({name}))"
            if value.is_complex()
            else "hand over points in the dtype that f computes in"
        )
        raise ValueError(
            f"f returns {value.dtype} at points in {z.dtype}, but one real dtype is needed from "
            f"end to end: {mend}"
        )
    return value.flatten(1)


def check_network(f: Any, z: Tensor, name: str = "z") -> None:
    """Raise a `ValueError` if `f` is a network that is not ready for points like `z`.

    Whatever is no `torch.nn.Module` passes: nothing is known of it.
    """
    if not isinstance(f, nn.Module):
        return
    if getattr(f.forward, "__func__", None) is nn.Module.forward:
        raise ValueError(
            f"{type(f).__name__} has no forward, so it is no map of points: hand over its decoder, "
            "such as vae.mean or autoencoder.decoder"
        )
    parameter = next(iter(f.parameters()), None)
    if parameter is not None:
        if parameter.dtype != z.dtype:
            raise ValueError(
                f"{name} is {z.dtype} but the network's parameters are {parameter.dtype}: "
                f"use {name}.to(parameter.dtype), or network.double() for geometry in float64"
            )
        if parameter.device != z.device:
            raise ValueError(
                f"{name} is on {z.device} but the network's parameters are on {parameter.device}: "
                f"use {name}.to(parameter.device)"
            )
        if parameter.is_inference() and not torch.is_inference_mode_enabled():
            raise ValueError(
                "the network was made under torch.inference_mode(), and can never be "
                "differentiated: make or load it outside"
            )
    if any(
        (module.training and isinstance(module, (_BatchNorm, _DropoutNd)))
        or (isinstance(module, _BatchNorm) and module.running_mean is None)
        for module in f.modules()
    ):
        raise ValueError(
            "the network is in training mode, where dropout or batch normalisation make "
            "its output random or dependent on the batch: call .eval() first, and let "
            "batch normalisation keep running statistics (track_running_stats)"
        )


def same_kind(name_a: str, a: Tensor, name_b: str, b: Tensor) -> None:
    """Raise unless `a` and `b` agree in dtype, device and number of coordinates."""
    if a.dtype != b.dtype:
        raise ValueError(
            f"{name_a} is {a.dtype} but {name_b} is {b.dtype}: "
            f"bring both to one dtype, e.g. {name_b}.to({name_a}.dtype)"
        )
    if a.device != b.device:
        raise ValueError(
            f"{name_a} is on {a.device} but {name_b} is on {b.device}: "
            f"bring both to one device, e.g. {name_b}.to({name_a}.device)"
        )
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"{name_a} has {a.shape[-1]} coordinates but {name_b} has {b.shape[-1]}: "
            "both must be points or vectors of the same latent space"
        )


def broadcast(**named: Tensor) -> tuple[Tensor, ...]:
    """The tensors at their common shape."""
    try:
        return torch.broadcast_tensors(*named.values())
    except RuntimeError:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in named.items())
        raise ValueError(
            f"the batch dimensions do not match: {shapes}. They must be equal, or one of them 1"
        ) from None


def together(z: Tensor, **vectors: Tensor) -> tuple[tuple[int, ...], list[Tensor]]:
    """The common batch shape of a point and its vectors, and all of them as `(B, d)`."""
    z = as_points(z)
    vectors = {name: as_points(vector, name) for name, vector in vectors.items()}
    for name, vector in vectors.items():
        same_kind("z", z, name, vector)
    tensors = broadcast(z=z, **vectors)
    # contiguous: forward mode writes into the tensors, which an expanded one forbids
    return tensors[0].shape[:-1], [t.reshape(-1, z.shape[-1]).contiguous() for t in tensors]


def inside_transform(z: Tensor) -> bool:
    """Whether `z` is inside `torch.func.vmap`, `jvp` or `grad`, where no value can be looked at."""
    return torch._C._functorch.is_functorch_wrapped_tensor(z)
