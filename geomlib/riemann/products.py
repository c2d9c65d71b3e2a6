r"""Products with a Jacobian that nobody writes down: $J v$ forward, $J^\top w$ backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from geomlib.riemann.forward import carry
from geomlib.riemann.validation import as_rows, inside_transform

__all__ = ["Products", "check_finite", "evaluate", "products", "push"]

FEW_ROWS = 64  # outputs up to which the whole Jacobian is taken where tangents go slowly


class Products(NamedTuple):
    r"""$f(x)$, `(B, m)`; $V \mapsto J V$, `(B, n, k)` to `(B, m, k)`; $W \mapsto J^\top W$."""

    value: Float[Tensor, "B m"]
    push: Callable[[Tensor], Tensor]
    pull: Callable[[Tensor], Tensor]


def products(f: Callable[[Tensor], Tensor], x: Float[Tensor, "B n"], block: int) -> Products:
    r"""The value of $f$ at points `(B, n)`, and its Jacobian as two functions of blocks of vectors.

    Both products cost about as much as `block` forward passes. For $J^\top W$ the pass is recorded
    once, with every point `block` times in the batch, so that going back is one plain sweep.

    Args:
        f: maps `(B, n)` to `(B, ...)`, each row by itself; further output dimensions are flattened.
        block: the most vectors at once, $k \le$ block.

    Raises:
        ValueError: if $f$ does not keep the batch dimension, is random, or is not finite.

    >>> at = products(lambda x: x**2, torch.tensor([[1.0, 3.0]]), block=2)
    >>> at.push(torch.eye(2)[None])[0]
    tensor([[2., 0.],
            [0., 6.]])
    """
    with _recording():
        rows = x.detach().clone().repeat(block, 1).requires_grad_()
        value = evaluate(f, rows)
    check_finite(value.detach()[: len(x)])
    _check_pointwise(value.detach().unflatten(0, (block, -1)))
    if not value.requires_grad:
        _check_constant(f, x)

    def pull(W: Tensor) -> Tensor:
        weights = F.pad(W, (0, block - W.shape[-1])).movedim(-1, 0).flatten(0, 1)
        if not value.requires_grad:  # f does not depend on its points
            return W.new_zeros(*x.shape, W.shape[-1])
        (back,) = torch.autograd.grad(
            value, rows, weights, retain_graph=True, materialize_grads=True
        )
        return back.unflatten(0, (block, len(x))).movedim(0, -1)[..., : W.shape[-1]]

    at = value.detach()[: len(x)]
    return Products(at, _pusher(f, x, at), pull)


def _pusher(f: Callable[[Tensor], Tensor], x: Tensor, value: Tensor) -> Callable[[Tensor], Tensor]:
    r"""$V \mapsto J V$, where the value is known: `push` without a second look at it."""
    trial = carry(f, x, torch.zeros_like(x)[None])
    if trial is None or not _agree(trial[0].flatten(1), value):
        return lambda V: push(f, x, V, value)[1]

    def pusher(V: Tensor) -> Tensor:
        carried = carry(f, x, V.movedim(-1, 0).contiguous())
        assert carried is not None
        return carried[1].flatten(2).movedim(0, -1)

    return pusher


def push(
    f: Callable[[Tensor], Tensor],
    x: Float[Tensor, "B n"],
    V: Float[Tensor, "B n k"],
    value: Float[Tensor, "B m"] | None = None,
) -> tuple[Float[Tensor, "B m"], Float[Tensor, "B m k"]]:
    r"""$f(x)$ and $J_f(x) V$: one pass forward carries the value and $k$ tangents.

    Where an operation of $f$ cannot be carried, the few rows of $J$ come by one sweep back, or the
    columns of $J V$ by `torch.func.jvp`.

    Args:
        f: maps `(B, n)` to `(B, ...)`, each row by itself; further output dimensions are flattened.
        value: $f(x)$, if it is known already.

    >>> push(lambda x: x**2, torch.tensor([[3.0]]), torch.ones(1, 1, 1))
    (tensor([[9.]]), tensor([[[6.]]]))
    """
    if not inside_transform(x) and not inside_transform(V):
        if value is None:
            value = evaluate(f, x)
            check_finite(value)
        carried = carry(f, x, V.movedim(-1, 0).contiguous())
        if carried is not None and _agree(carried[0].flatten(1), value):
            return value, carried[1].flatten(2).movedim(0, -1)
        if value.shape[-1] <= max(FEW_ROWS, V.shape[-1]):
            rows = _rows(f, x, value)
            if rows is not None:
                return value, rows @ V

    def along(v: Tensor):
        return torch.func.jvp(lambda point: evaluate(f, point), (x,), (v,))

    # contiguous: forward mode writes into points and tangents, which an expanded one forbids
    x = x.contiguous()
    value, moved = torch.func.vmap(along)(V.movedim(-1, 0).contiguous())
    return value[0], moved.movedim(0, -1)


def _rows(f: Callable[[Tensor], Tensor], x: Tensor, value: Tensor) -> Tensor | None:
    """The Jacobian `(B, m, n)`, one sweep back with every point `m` times in the batch.

    Forward mode asks more of each operation than of each number: a map of many small ones, such as
    a continued fraction, is twenty times as fast this way.
    """
    B, m = value.shape
    wanted = torch.is_grad_enabled() and (x.requires_grad or value.requires_grad)
    with _recording():
        points = (x if wanted else x.detach().clone()).repeat(m, 1)
        points = points if points.requires_grad else points.requires_grad_()
        try:
            again = evaluate(f, points)
        except ValueError:  # what f was built with belongs to these points, and to no others
            return None
        if not again.requires_grad or not _agree(again.detach(), value.detach().repeat(m, 1)):
            return None  # f is constant, forbids gradients or is random: forward mode tells
        weights = torch.eye(m).to(value).repeat_interleave(B, 0)
        (rows,) = torch.autograd.grad(
            again, points, weights, create_graph=wanted, materialize_grads=True
        )
    return rows.unflatten(0, (m, B)).movedim(0, 1)


@contextmanager
def _recording() -> Iterator[None]:
    """Gradients are recorded here, whatever the caller has switched off."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def _check_pointwise(value: Tensor) -> None:
    """Raise a `ValueError` unless equal points `(block, B, m)` have equal values."""
    if not _agree(value, value[:1].expand_as(value)):
        raise ValueError(
            "f gives other values to the same point elsewhere in the batch: it must map each point "
            "by itself, and draw nothing at random. Call .eval() on a network inside"
        )


def _check_constant(f: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """Raise a `ValueError` if a map that records no gradient has a derivative all the same."""
    if push(f, x, torch.ones_like(x)[..., None])[1].any():
        raise ValueError(
            "f switches gradients off inside, so it cannot be differentiated backward: take "
            "torch.no_grad() and .detach() out of it"
        )


def _agree(carried: Tensor, value: Tensor) -> bool:
    """Whether the map did the same with the stand-in for its points as with the points."""
    return carried.shape == value.shape and torch.allclose(carried, value, rtol=1e-3, atol=1e-6)


def evaluate(f: Callable[[Tensor], Tensor], x: Float[Tensor, "B n"]) -> Float[Tensor, "B m"]:
    r"""$f(x)$ as `(B, m)`, or an error that says what $f$ does wrong.

    >>> evaluate(lambda x: x[..., :1], torch.ones(2, 5)).shape
    torch.Size([2, 1])
    """
    try:
        value = f(x.clone())  # f may begin with an operation in place
    except (RuntimeError, IndexError) as error:
        raise ValueError(
            f"f fails at points of shape {tuple(x.shape)} and {x.dtype}: {error}. It must map any "
            "batch of points, (batch, n) to (batch, m), in the points' dtype, each by itself and "
            "without chance: call .eval() on a network inside"
        ) from error
    return as_rows(value, x, "x")


def check_finite(value: Tensor, name: str = "f") -> None:
    """Raise a `ValueError` if a value `(B, ...)` is NaN or infinite."""
    # a finite sum has finite terms, and costs a tenth of looking at each of them
    if inside_transform(value) or torch.isfinite(value.sum()):
        return
    bad = ~torch.isfinite(value).flatten(1).all(-1)
    if bad.any():
        raise ValueError(
            f"{name} returned NaN or infinity at {int(bad.sum())} of {len(bad)} points: check its "
            "weights, and that the points lie where it is defined"
        )
