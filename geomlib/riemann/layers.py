r"""First and second derivatives of a network, carried forward through it layer by layer.

A sequential network is a composition, and the chain rule says how the value $h$, the tangents
$T_i = \partial_i h$ and the second derivatives $S = h''(u, v)$ of one layer become those of the
next. For a linear layer all of them are multiplied by $W$; for an activation $\varphi$,
$T_i \mapsto \varphi'(h)\, T_i$ and $S \mapsto \varphi''(h)\, (Tu)(Tv) + \varphi'(h)\, S$. So the
Jacobian of $d$ columns costs $1 + d$ forward passes, and each second derivative one more. Any other
layer, and any callable, is differentiated by `torch.func.jvp`.

The Hessian of one weighted sum of the outputs takes one sweep back: the weights are pulled back
from layer to layer, and each activation adds $\sum_k \lambda_k \varphi''(h_k)\, T_i^k T_j^k$.

Source: Griewank and Walther, *Evaluating Derivatives* (2008), chapter 13, on Taylor arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from geomlib.riemann.twice import call
from geomlib.riemann.validation import as_rows

__all__ = ["SideBySide", "Taylor", "is_plain", "linearise", "taylor"]

Pull = Callable[[Tensor], tuple[Tensor, Tensor]]

ELEMENTWISE = (
    *(nn.Sigmoid, nn.Softplus, nn.SiLU, nn.GELU, nn.ELU, nn.Mish, nn.Identity),
    *(nn.ReLU, nn.LeakyReLU, nn.ReLU6, nn.Hardtanh, nn.Softsign, nn.LogSigmoid, nn.Tanhshrink),
)


class SideBySide(nn.Module):
    """Two maps of one input, their outputs side by side."""

    def __init__(self, first: Callable[[Tensor], Tensor], second: Callable[[Tensor], Tensor]):
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([as_rows(self.first(z), z), as_rows(self.second(z), z)], dim=1)


class Taylor(NamedTuple):
    r"""$f(z)$, `(B, n)`; $\partial_i f$, `(d, B, n)`; $f''(u_k, v_k)$, `(p, B, n)`."""

    value: Tensor
    first: Tensor
    second: Tensor


def taylor(
    f: Callable[[Tensor], Tensor], z: Tensor, u: Tensor | None = None, v: Tensor | None = None
) -> Taylor:
    r"""Value, all first and some second derivatives of $f$ at points `(B, d)`.

    Args:
        f: maps `(B, d)` to `(B, ...)`; further output dimensions are flattened.
        u, v: `(p, B, d)`, the pairs of directions of $f''(u_k, v_k)$; none if left out.

    >>> one = torch.ones(1, 1, 1)
    >>> [part.item() for part in taylor(lambda z: z**2, torch.tensor([[3.0]]), one, one)]
    [9.0, 6.0, 2.0]
    """
    if u is None or v is None:
        u = v = z.new_zeros(0, *z.shape)
    basis = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    first = basis[:, None].expand(-1, *z.shape)
    start = Taylor(z, first, torch.zeros_like(u))
    if is_plain(f, nn.Sequential) or is_plain(f, SideBySide):
        return _flat(_through(f, start, u, v))
    return _flat(_any(f, start, u, v, straight=True))


def _through(f: Callable[[Tensor], Tensor], at: Taylor, u: Tensor, v: Tensor) -> Taylor:
    """The expansion after `f`, from the one before it."""
    if is_plain(f, nn.Sequential):
        for layer in f:  # type: ignore[attr-defined]
            at = _through(layer, at, u, v)
    elif is_plain(f, SideBySide):
        left = _flat(_through(f.first, at, u, v))  # type: ignore[attr-defined]
        right = _flat(_through(f.second, at, u, v))  # type: ignore[attr-defined]
        if left.value.dtype != right.value.dtype:
            raise RuntimeError(f"outputs in {left.value.dtype} beside {right.value.dtype}")
        return Taylor(*(torch.cat(pair, -1) for pair in zip(left, right, strict=True)))
    elif is_plain(f, nn.Linear):
        at = _linear(f, at)  # type: ignore[arg-type]
    elif is_plain(f, nn.Tanh):
        at = _tanh(at, u, v)
    elif any(is_plain(f, kind) for kind in ELEMENTWISE):
        at = _elementwise(f, at, u, v)
    else:
        at = _any(f, at, u, v)
    return at


def is_plain(f: object, kind: type) -> bool:
    """Whether `f` is just this kind of layer: no subclass, no hook that a call would run."""
    return type(f) is kind and not (f._forward_hooks or f._forward_pre_hooks)  # type: ignore[attr-defined]


def _flat(at: Taylor) -> Taylor:
    return Taylor(at.value.flatten(1), at.first.flatten(2), at.second.flatten(2))


def _along(first: Tensor, direction: Tensor) -> Tensor:
    r"""$Tu = \sum_i u_i T_i$ for each of the directions."""
    return torch.einsum("pbd,db...->pb...", direction, first)


def _linear(layer: nn.Linear, at: Taylor) -> Taylor:
    moved = torch.cat([at.first, at.second]) if len(at.second) else at.first
    first, second = (moved @ layer.weight.mT).split([len(at.first), len(at.second)])
    return Taylor(layer(at.value), first, second)


def _tanh(at: Taylor, u: Tensor, v: Tensor) -> Taylor:
    r"""As `_elementwise`, with $\varphi' = 1 - \varphi^2$ written out: half of the time."""
    value = at.value.tanh()
    square = value.square()
    first = torch.addcmul(at.first, at.first, square, value=-1)
    if not len(at.second):
        return Taylor(value, first, at.second)
    bent = at.second - 2 * value * _along(at.first, u) * _along(at.first, v)
    return Taylor(value, first, torch.addcmul(bent, bent, square, value=-1))


def _elementwise(f: Callable[[Tensor], Tensor], at: Taylor, u: Tensor, v: Tensor) -> Taylor:
    def g(h: Tensor) -> Any:
        return call(f, h)

    ones = torch.ones_like(at.value)
    if not len(at.second):
        value, once = torch.func.jvp(g, (at.value,), (ones,))  # type: ignore[misc]
        return Taylor(value, once * at.first, at.second)
    value, once, twice = _second(g, at.value, ones, ones)
    bent = twice * _along(at.first, u) * _along(at.first, v)
    return Taylor(value, once * at.first, bent + once * at.second)


def _any(
    f: Callable[[Tensor], Tensor], at: Taylor, u: Tensor, v: Tensor, straight: bool = False
) -> Taylor:
    """Any map; `straight` says that the second derivatives before it are zero."""

    def g(h: Tensor) -> Any:
        return call(f, h)

    def push(direction: Tensor) -> Any:
        return torch.func.jvp(g, (at.value,), (direction,))

    def bend(left: Tensor, right: Tensor) -> Tensor:
        return _second(g, at.value, left, right)[2]

    value, first = torch.func.vmap(push)(at.first)
    value = value[0]
    if not len(at.second):
        return Taylor(value, first, first.new_zeros(0, *value.shape))
    left, right = _along(at.first, u), _along(at.first, v)
    second = bend(left[0], right[0])[None] if len(u) == 1 else torch.func.vmap(bend)(left, right)
    if not straight:
        second = second + torch.func.vmap(push)(at.second)[1]
    return Taylor(value, first, second)


def _second(
    g: Callable[[Tensor], Tensor], h: Tensor, u: Tensor, v: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    r"""$g(h)$, $g'(h)v$ and $g''(h)(u, v)$."""

    def push(at: Tensor, direction: Tensor) -> Any:
        return torch.func.jvp(g, (at,), (direction,))

    # v does not move, but a tangent that is missing costs more than one of zeros
    pushed: Any = torch.func.jvp(push, (h, v), (u, torch.zeros_like(v)))
    (value, once), (_, twice) = pushed
    return value, once, twice


def linearise(
    f: Callable[[Tensor], Tensor], z: Tensor
) -> tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]:
    r"""$f(z)$, `(B, n)`, $\partial_i f$, `(d, B, n)`, and a function of weights `(B, n)`.

    That function returns $\sum_k w_k\, \partial_i \partial_j f_k$, `(B, d, d)`.

    >>> value, first, hessian = linearise(lambda z: z**3, torch.tensor([[2.0]]))
    >>> hessian(torch.tensor([[10.0]])).item()
    120.0
    """
    basis = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    value, first, pull = _record(f, z, basis[:, None].expand(-1, *z.shape))

    def hessian(weights: Tensor) -> Tensor:
        bend = pull(weights.reshape(value.shape))[1]
        return (bend + bend.mT) / 2

    return value.flatten(1), first.flatten(2), hessian


def _record(
    f: Callable[[Tensor], Tensor], value: Tensor, first: Tensor
) -> tuple[Tensor, Tensor, Pull]:
    """Value and tangents after `f`, and what pulls weights back through it.

    `pull(weights)` returns the weights before `f`, and what `f` adds to the Hessian.
    """
    if is_plain(f, nn.Sequential):
        pulls = []
        for layer in f:  # type: ignore[attr-defined]
            value, first, pull = _record(layer, value, first)
            pulls.append(pull)
        return value, first, _one_after_another(pulls, first)
    if is_plain(f, SideBySide):
        return _record_both(f, value, first)  # type: ignore[arg-type]
    if is_plain(f, nn.Linear):
        return _record_linear(f, value, first)  # type: ignore[arg-type]
    if is_plain(f, nn.Tanh):
        return _record_tanh(value, first)
    return _record_any(f, value, first)


def _nothing(first: Tensor) -> Tensor:
    return first.new_zeros(first.shape[1], len(first), len(first))


def _one_after_another(pulls: list[Pull], first: Tensor) -> Pull:
    def pull(weights: Tensor) -> tuple[Tensor, Tensor]:
        total = _nothing(first)
        for step in reversed(pulls):
            weights, bend = step(weights)
            total = total + bend
        return weights, total

    return pull


def _record_both(f: SideBySide, value: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Pull]:
    left, right = _record(f.first, value, first), _record(f.second, value, first)
    width = left[0][0].numel()

    def pull(weights: Tensor) -> tuple[Tensor, Tensor]:
        parts = (
            weights[:, :width].reshape(left[0].shape),
            weights[:, width:].reshape(right[0].shape),
        )
        one, other = left[2](parts[0]), right[2](parts[1])
        return one[0] + other[0], one[1] + other[1]

    joined = torch.cat([left[0].flatten(1), right[0].flatten(1)], -1)
    return joined, torch.cat([left[1].flatten(2), right[1].flatten(2)], -1), pull


def _record_linear(layer: nn.Linear, value: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Pull]:
    after = _linear(layer, Taylor(value, first, first[:0]))
    return after.value, after.first, lambda weights: (weights @ layer.weight, _nothing(first))


def _record_tanh(value: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Pull]:
    after = value.tanh()
    square = after.square()

    def pull(weights: Tensor) -> tuple[Tensor, Tensor]:
        before = torch.addcmul(weights, weights, square, value=-1)
        bent = (first * (-2 * before * after)).movedim(0, 1).flatten(2)  # (B, d, m)
        return before, bent @ first.movedim(0, 1).flatten(2).mT

    return after, torch.addcmul(first, first, square, value=-1), pull


def _record_any(
    f: Callable[[Tensor], Tensor], value: Tensor, first: Tensor
) -> tuple[Tensor, Tensor, Pull]:
    empty = first.new_zeros(0, *value.shape[:1], 1)
    after = _any(f, Taylor(value, first, first[:0]), empty, empty)

    def pull(weights: Tensor) -> tuple[Tensor, Tensor]:
        def back(h: Tensor) -> Tensor:
            return torch.func.grad(lambda x: (call(f, x) * weights).sum())(h)

        def along(direction: Tensor) -> Any:
            return torch.func.jvp(back, (value,), (direction,))

        before, bent = torch.func.vmap(along, out_dims=(None, 0))(first)  # type: ignore[arg-type]
        return before, bent.movedim(0, 1).flatten(2) @ first.movedim(0, 1).flatten(2).mT

    return after.value, after.first, pull
