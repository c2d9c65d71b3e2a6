"""Functions that PyTorch differentiates wrongly or slowly, put right while a map is called.

In forward mode over forward mode, `layer_norm`, `instance_norm`, `solve`, `det` and `slogdet` drop
a term and say nothing (pytorch/pytorch issues 196700 and 198017, torch 2.13); `glu`, and without
gradients `silu` and `mish`, have no second derivative at all. Written out in elementary operations
they are right, so that is how a decoder's own calls of them run here.

Where a tensor with a tangent meets a constant, forward mode makes up a tangent of zeros and works
out its shape in Python: `2 * x` takes five to eight times as long as `x.sin()`. With `aten`'s own
operation for numbers it does not, so sums, products and quotients with a number run as that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from geomlib.riemann.validation import inside_transform

__all__ = ["call", "wrong_twice"]


def call(f: Callable[[Tensor], Any], z: Tensor) -> Any:
    """`f(z)`, with right second derivatives inside `torch.func.jvp`.

    `f` gets a copy: it may begin with an operation in place, like `nn.SiLU(inplace=True)`.

    >>> def slope(t):
    ...     return torch.func.jvp(lambda s: call(torch.linalg.det, s * torch.eye(2)), (t,), (t,))[1]
    >>> torch.func.jvp(slope, (torch.ones(()),), (torch.ones(()),))[1]  # (2t²)′ at t = 1
    tensor(4.)
    """
    copy = z.clone()
    if not inside_transform(z):
        return f(copy)
    with _WrittenOut():
        return f(copy)


def wrong_twice(f: Any) -> list[str]:
    """The operations in the scripted or traced parts of `f` that `call` cannot reach to put right.

    >>> wrong_twice(torch.nn.LayerNorm(3))
    []
    """
    parts = f.modules() if isinstance(f, torch.nn.Module) else [f]
    graphs = [
        str(part.inlined_graph)
        for part in parts
        if isinstance(part, (torch.jit.ScriptModule, torch.jit.ScriptFunction))
    ]
    return sorted({name for graph in graphs for name in IN_A_GRAPH.findall(graph)})


class _WrittenOut(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return WRITTEN_OUT.get(func, func)(*args, **(kwargs or {}))


def _layer_norm(x: Tensor, normalized_shape, weight=None, bias=None, eps: float = 1e-5) -> Tensor:
    return _affine(_standard(x, tuple(range(-len(normalized_shape), 0)), eps), weight, bias)


def _instance_norm(
    x: Tensor,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not use_input_stats:  # fixed numbers: an affine map
        return F.instance_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    each = (slice(None), *[None] * (x.ndim - 2))  # one weight a channel
    weight, bias = (None if p is None else p[each] for p in (weight, bias))
    return _affine(_standard(x, tuple(range(2, x.ndim)), eps), weight, bias)


def _silu(x: Tensor, inplace: bool = False) -> Tensor:
    return x * x.sigmoid()


def _mish(x: Tensor, inplace: bool = False) -> Tensor:
    return x * F.softplus(x).tanh()


def _glu(x: Tensor, dim: int = -1) -> Tensor:
    value, gate = x.chunk(2, dim)
    return value * gate.sigmoid()


def _standard(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(dims, keepdim=True)
    return centred * (centred.square().mean(dims, keepdim=True) + eps).rsqrt()


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    inverse = torch.linalg.inv(A)
    if B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]):  # as torch tells vectors
        return (inverse @ B[..., None])[..., 0]
    return inverse @ B if left else B @ inverse


def _det(A: Tensor) -> Tensor:
    permutation, _, upper = torch.linalg.lu(A)
    return torch.linalg.det(permutation) * upper.diagonal(dim1=-2, dim2=-1).prod(-1)


def _slogdet(A: Tensor) -> tuple[Tensor, Tensor]:
    determinant = _det(A)
    return determinant.sign(), determinant.abs().log()


def _with_number(operation: Callable[..., Tensor], by_number: Callable[..., Tensor]):
    """`operation`, by the other one where a tensor meets a number."""

    def chosen(*args: Any, **kwargs: Any) -> Tensor:
        plain = len(args) == 2 and not kwargs and isinstance(args[1], (int, float))
        return (by_number if plain else operation)(*args, **kwargs)

    return chosen


def _number_over(x: Tensor, number: float) -> Tensor:
    return torch.ops.aten.mul.Scalar(x.reciprocal(), number)


IN_A_GRAPH = re.compile(r"aten::(layer_norm|instance_norm|linalg_solve|\w*det)\b")
WRITTEN_OUT = {
    F.layer_norm: _layer_norm,
    torch.layer_norm: _layer_norm,
    F.instance_norm: _instance_norm,
    F.silu: _silu,
    F.mish: _mish,
    F.glu: _glu,
    torch.linalg.solve: _solve,
    torch.linalg.det: _det,
    torch.det: _det,
    torch.Tensor.det: _det,
    torch.linalg.slogdet: _slogdet,
    torch.Tensor.__rdiv__: _with_number(torch.Tensor.__rdiv__, _number_over),
} | {
    getattr(of, name): _with_number(getattr(of, name), getattr(torch.ops.aten, name).Scalar)
    for of in (torch, torch.Tensor)
    for name in ("add", "sub", "mul", "div")
}
