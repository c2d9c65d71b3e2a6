r"""A value and its tangents, carried together through a map: $J V$ for $1 + k$ forward passes.

`torch.func.vmap` over `jvp` gives the same numbers, but spends several times as long on small
networks. Here the map is called once with an object that stands in for the points, and each
operation on it moves the value $h$ `(B, ..., n)` and the tangents $T$ `(k, B, ..., n)`: a linear
layer multiplies both by $W$, an activation multiplies $T$ by its slope at $h$. Only operations
whose rule stands below are carried. At anything else the stand-in gives up, and
`torch.func` does the work: any map goes, the usual networks go fast.

Source: Griewank and Walther, *Evaluating Derivatives* (2008), chapter 3, on the vector forward
mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["carry"]


class CannotCarryError(Exception):
    """There is no rule for this operation."""


def carry(f: Callable[[Any], Any], x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor] | None:
    r"""$f(x)$ and the tangents behind $f$, `(k, ...)`; `None` if $f$ does what has no rule here.

    Args:
        x: points `(B, n)`.
        tangents: `(k, B, n)`.

    >>> x = torch.tensor([[3.0]])
    >>> carry(lambda x: x * x + 1, x, torch.ones(1, 1, 1))
    (tensor([[10.]]), tensor([[[6.]]]))
    >>> carry(torch.fft.fft, x, torch.ones(1, 1, 1)) is None
    True
    """
    try:
        result = f(Carried(x, tangents))
    except Exception:  # whatever f itself says to points that are no tensor
        return None
    return (result.value, result.tangents) if isinstance(result, Carried) else None


class Carried:
    r"""A tensor with $k$ tangents. It answers to operations with a rule, and to no others.

    It is deliberately no `Tensor`: what does not ask it for the rule fails, and drops no tangent.
    """

    def __init__(self, value: Tensor, tangents: Tensor):
        self.value = value
        self.tangents = tangents

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        rule = RULES.get(func)
        if rule is None:
            raise CannotCarryError(func)
        return rule(*args, **(kwargs or {}))

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    device = property(lambda self: self.value.device)
    ndim = property(lambda self: self.value.ndim)

    def dim(self) -> int:
        return self.value.dim()

    def size(self, *dims: int) -> Any:
        return self.value.size(*dims)

    def is_floating_point(self) -> bool:
        return self.value.is_floating_point()

    def __len__(self) -> int:
        return len(self.value)

    def new_zeros(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.value.new_zeros(*args, **kwargs)

    def new_ones(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.value.new_ones(*args, **kwargs)

    def new_full(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.value.new_full(*args, **kwargs)

    def new_tensor(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.value.new_tensor(*args, **kwargs)

    def clone(self) -> Carried:
        return self

    def __getitem__(self, index: Any) -> Carried:
        index = index if isinstance(index, tuple) else (index,)
        if not all(i is None or i is Ellipsis or isinstance(i, (int, slice)) for i in index):
            raise CannotCarryError("a tensor as an index")
        return Carried(self.value[index], self.tangents[(slice(None), *index)])

    def __iadd__(self, other: Any) -> Carried:
        raise CannotCarryError("an operation in place")

    __isub__ = __imul__ = __itruediv__ = __iadd__

    def __neg__(self) -> Carried:
        return Carried(-self.value, -self.tangents)

    def __add__(self, other: Any) -> Carried:
        return _add(self, other)

    def __sub__(self, other: Any) -> Carried:
        return _sub(self, other)

    def __rsub__(self, other: Any) -> Carried:
        return _sub(other, self)

    def __mul__(self, other: Any) -> Carried:
        return _mul(self, other)

    def __truediv__(self, other: Any) -> Carried:
        return _div(self, other)

    def __rtruediv__(self, other: Any) -> Carried:
        return _div(other, self)

    def __matmul__(self, other: Any) -> Carried:
        return _matmul(self, other)

    def __pow__(self, power: Any) -> Carried:
        return _by_slope(lambda h: h**power)(self)

    def tanh(self) -> Carried:
        return _tanh(self)

    def sigmoid(self) -> Carried:
        return _sigmoid(self)

    def exp(self) -> Carried:
        return _by_slope(torch.exp)(self)

    def square(self) -> Carried:
        return _by_slope(torch.square)(self)

    __radd__, __rmul__ = __add__, __mul__


def _linear(x: Any, weight: Any, bias: Any = None) -> Carried:
    if isinstance(weight, Carried) or isinstance(bias, Carried):
        raise CannotCarryError("weights that depend on the points")
    return Carried(F.linear(x.value, weight, bias), F.linear(x.tangents, weight))


def _matmul(x: Any, matrix: Any) -> Carried:
    if not isinstance(x, Carried) or isinstance(matrix, Carried) or matrix.ndim != 2:
        raise CannotCarryError("a product of two tensors that is no matrix on the right")
    return Carried(x.value @ matrix, x.tangents @ matrix)


def _silu(x: Carried, inplace: bool = False) -> Carried:
    if inplace:
        raise CannotCarryError("an operation in place")
    gate = x.value.sigmoid()
    value = x.value * gate
    return Carried(value, x.tangents * torch.addcmul(gate + value, value, gate, value=-1))


def _tanh(x: Carried) -> Carried:
    value = x.value.tanh()
    return Carried(value, x.tangents * (1 - value.square()))


def _sigmoid(x: Carried) -> Carried:
    value = x.value.sigmoid()
    return Carried(value, x.tangents * (value * (1 - value)))


def _by_slope(function: Callable[..., Tensor]) -> Callable[..., Carried]:
    """The rule of an elementwise function: all tangents times one slope."""

    def rule(x: Any, *args: Any, **kwargs: Any) -> Carried:
        others = (*args, *kwargs.values())  # `True` says "in place"
        if not isinstance(x, Carried) or any(o is True or isinstance(o, Carried) for o in others):
            raise CannotCarryError(function)

        def at(h: Tensor) -> Tensor:
            return function(h, *args, **kwargs)

        pair: Any = torch.func.jvp(at, (x.value,), (torch.ones_like(x.value),))
        return Carried(pair[0], x.tangents * pair[1])

    return rule


def _parts(x: Any) -> tuple[Any, Tensor | None]:
    return (x.value, x.tangents) if isinstance(x, Carried) else (x, None)


def _add(left: Any, right: Any, *, alpha: float = 1) -> Carried:
    return _sum(left, right, alpha)


def _sub(left: Any, right: Any, *, alpha: float = 1) -> Carried:
    return _sum(left, right, -alpha)


def _sum(left: Any, right: Any, other: float) -> Carried:
    (a, da), (b, db) = _parts(left), _parts(right)
    value = a + b if other == 1 else a + other * b
    if da is not None and db is not None:
        _same_rank(a, b)
        return Carried(value, torch.add(da, db, alpha=other))
    if da is not None:
        return Carried(value, _as_wide(da, a, value))
    moved = _as_wide(db, b, value)
    return Carried(value, moved if other == 1 else other * moved)


def _mul(left: Any, right: Any) -> Carried:
    (a, da), (b, db) = _parts(left), _parts(right)
    if da is not None and db is not None:
        _same_rank(a, b)
        return Carried(a * b, da * b + a * db)
    if da is None:
        (a, da), b = (b, db), a
    value = a * b
    _same_rank(a, value)
    return Carried(value, da * b)


def _div(left: Any, right: Any) -> Carried:
    if not isinstance(right, Carried):
        return _mul(left, 1 / right)
    (a, da), (b, db) = _parts(left), _parts(right)
    value = a / b
    _same_rank(value, b)
    if da is None:
        return Carried(value, -(value / b) * db)
    _same_rank(a, b)
    return Carried(value, (da - value * db) / b)


def _same_rank(a: Tensor, b: Tensor) -> None:
    """The tangents' first dimension must not meet one of the other operand's."""
    if a.ndim != b.ndim:
        raise CannotCarryError("operands with different numbers of dimensions")


def _as_wide(tangents: Any, before: Tensor, after: Tensor) -> Tensor:
    _same_rank(before, after)
    return tangents if before.shape == after.shape else tangents.expand(-1, *after.shape)


def _cat(parts: Any, dim: int = 0) -> Carried:
    values = [_parts(part)[0] for part in parts]
    dim = dim if dim < 0 else dim - values[0].ndim
    count = next(len(part.tangents) for part in parts if isinstance(part, Carried))
    tangents = [
        part.tangents if isinstance(part, Carried) else part.new_zeros(count, *part.shape)
        for part in parts
    ]
    return Carried(torch.cat(values, dim), torch.cat(tangents, dim))


def _dropout(x: Carried, p: float = 0.5, training: bool = True, inplace: bool = False) -> Carried:
    if training:
        raise CannotCarryError("a random operation")
    return x


def _value_only(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The rule of a function that looks at shape and dtype alone."""

    def rule(*args: Any, **kwargs: Any) -> Tensor:
        return function(*(_parts(arg)[0] for arg in args), **kwargs)

    return rule


def _to(tensor: Any, *args: Any, **kwargs: Any) -> Tensor:
    if isinstance(tensor, Carried):
        raise CannotCarryError("a change of dtype")
    return tensor.to(*(_parts(arg)[0] for arg in args), **kwargs)


ADDITIONS = (torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__)
PRODUCTS = (torch.mul, torch.multiply, Tensor.mul, Tensor.__mul__, Tensor.__rmul__)
QUOTIENTS = (torch.div, torch.true_divide, Tensor.div, Tensor.__truediv__)
SLOPES = (
    *(F.softplus, F.gelu, F.elu, F.mish, F.logsigmoid, F.softsign, F.relu, F.leaky_relu),
    *(torch.exp, torch.sin, torch.cos, torch.square, torch.relu),
)
RULES: dict[Any, Callable[..., Any]] = {
    F.linear: _linear,
    F.silu: _silu,
    F.tanh: _tanh,
    F.sigmoid: _sigmoid,
    torch.tanh: _tanh,
    torch.sigmoid: _sigmoid,
    torch.cat: _cat,
    F.dropout: _dropout,
    torch.sub: _sub,
    Tensor.sub: _sub,
    Tensor.__sub__: _sub,
    Tensor.__rsub__: lambda x, other: _sub(other, x),
    Tensor.__rtruediv__: lambda x, other: _div(other, x),
    torch.matmul: _matmul,
    torch.zeros_like: _value_only(torch.zeros_like),
    torch.ones_like: _value_only(torch.ones_like),
    torch.full_like: _value_only(torch.full_like),
    Tensor.to: _to,
    **dict.fromkeys(ADDITIONS, _add),
    **dict.fromkeys(PRODUCTS, _mul),
    **dict.fromkeys(QUOTIENTS, _div),
    **{function: _by_slope(function) for function in SLOPES},
}
