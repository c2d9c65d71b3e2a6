"""Checks of what a caller hands in; each error says what was given, needed, and how to mend it."""

import torch
from torch import Tensor

__all__ = ["as_points", "broadcast", "inside_transform", "same_kind", "together"]


def as_points(z: Tensor, name: str = "z") -> Tensor:
    """`z` itself, if it is a floating-point tensor `(..., d)` without NaN or infinity."""
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
    return z


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
    as_points(z)
    for name, vector in vectors.items():
        same_kind("z", z, name, as_points(vector, name))
    tensors = broadcast(z=z, **vectors)
    # contiguous: forward mode writes into the tensors, which an expanded one forbids
    return tensors[0].shape[:-1], [t.reshape(-1, z.shape[-1]).contiguous() for t in tensors]


def inside_transform(z: Tensor) -> bool:
    """Whether `z` is inside `torch.func.vmap`, `jvp` or `grad`, where no value can be looked at."""
    return torch._C._functorch.is_functorch_wrapped_tensor(z)
