"""First derivatives of batched maps in forward mode, and a root that has one."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["root", "value_and_jacobian"]


def value_and_jacobian(f: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    r"""$f(z)$, `(B, *out)`, and $\partial f / \partial z$, `(B, *out, d)`, for points `(B, d)`.

    One forward pass carries the value and $d$ tangents: for a latent space of few dimensions this
    is far cheaper than a backward pass for each output.

    >>> value, jacobian = value_and_jacobian(lambda z: z**2, torch.tensor([[1.0, 2.0]]))
    >>> jacobian
    tensor([[[2., 0.],
             [0., 4.]]])
    """

    nothing = z - z  # unlike a constant, it has a tangent of its own if z has one: quicker by far

    def push(direction: Tensor):
        return torch.func.jvp(f, (z,), (torch.where(direction, 1.0, nothing),))

    basis = torch.eye(z.shape[-1], dtype=torch.bool, device=z.device)
    # torch 2.13 fails on out_dims=-1 where no tangent depends on the direction (f is constant), and
    # on out_dims=None inside another vmap
    value, jacobian = torch.func.vmap(push)(basis)
    return value[0], jacobian.movedim(0, -1)


def root(x: Tensor) -> Tensor:
    r"""$\sqrt x$ with slope 0 at 0, so that a length of zero does not make every gradient NaN.

    Rounding below zero counts as zero.

    >>> x = torch.zeros((), requires_grad=True)
    >>> root(x).backward(); x.grad
    tensor(0.)
    """
    zero = x <= 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, x).sqrt())
