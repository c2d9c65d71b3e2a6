"""First derivatives of batched maps in forward mode."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["value_and_jacobian"]


def value_and_jacobian(f: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    r"""$f(z)$, `(B, *out)`, and $\partial f / \partial z$, `(B, *out, d)`, for points `(B, d)`.

    One forward pass carries the value and $d$ tangents: for a latent space of few dimensions this
    is far cheaper than a backward pass for each output.

    >>> value, jacobian = value_and_jacobian(lambda z: z**2, torch.tensor([[1.0, 2.0]]))
    >>> jacobian
    tensor([[[2., 0.],
             [0., 4.]]])
    """

    def push(direction: Tensor):
        return torch.func.jvp(f, (z,), (direction.expand_as(z),))

    basis = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    value, jacobian = torch.func.vmap(push, out_dims=(None, -1))(basis)  # type: ignore[arg-type]
    return value, jacobian
