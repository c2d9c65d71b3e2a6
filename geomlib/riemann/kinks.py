"""Activations whose slope jumps: a map with one of them has no second derivatives to speak of.

At a kink the second derivative does not exist, and between the kinks it misses all that bends
there: a sphere made of flat facets has curvature 0 wherever it has any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from geomlib.riemann.validation import inside_transform

__all__ = ["kinked", "no_second_derivatives"]

# SELU has a kink at 0; ELU and CELU with alpha = 1 have a continuous slope
MODULES = (
    *(nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ReLU6, nn.Hardtanh, nn.Threshold, nn.SELU),
    *(nn.Hardsigmoid, nn.Hardswish, nn.Hardshrink, nn.Softshrink),
)
FUNCTIONS = {
    *(F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.leaky_relu, F.relu6),
    *(F.prelu, torch.prelu, F.rrelu, torch.rrelu, F.hardtanh, F.threshold, F.selu, torch.selu),
    *(F.hardsigmoid, F.hardswish, F.hardshrink, torch.hardshrink, F.softshrink),
}


def kinked(f: Callable[[Tensor], Any], z: Tensor) -> str | None:
    """The name of an activation in `f` whose slope jumps, or `None` if none is seen.

    Layers are recognised by their kind, functions by calling `f` at the first of the points
    `(..., d)`, if there is one.

    >>> kinked(lambda z: z.relu().tanh(), torch.zeros(1, 2))
    'relu'
    """
    for module in f.modules() if isinstance(f, nn.Module) else ():
        if isinstance(module, MODULES):
            return type(module).__name__
    first = z.reshape(-1, z.shape[-1])[:1]
    if inside_transform(z) or not len(first):
        return None
    with torch.no_grad(), _Watching() as watching:
        try:
            f(first.detach().clone())
        except Exception:  # what is wrong with f is said where its values are needed
            return None
    return watching.seen


def no_second_derivatives(name: str) -> ValueError:
    """The error that says so of a network with the activation of this name."""
    return ValueError(
        f"the network contains {name}, whose slope jumps: its second derivative misses all that "
        "bends at the kinks, so Christoffel symbols and curvature are not defined: use a smooth "
        "activation (Tanh, Softplus, SiLU, GELU)"
    )


class _Watching(TorchFunctionMode):
    seen: str | None = None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in FUNCTIONS:
            self.seen = func.__name__
        return func(*args, **(kwargs or {}))
