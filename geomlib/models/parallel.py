"""Several perceptrons of one shape, evaluated together."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ParallelPerceptrons"]


class ParallelPerceptrons(nn.Module):
    r"""$f_1, \dots, f_K$: perceptrons with $\tanh$ between their layers and weights of their own.

    A call of all of them costs hardly more than one: layer $l$ is a single batched product.

    Attributes:
        weights: of the layers, `(K, out, in)` each.
        biases: of the layers, `(K, out)` each.

    Args:
        count: $K$.
        widths: of the layers, from input to output.

    >>> networks = ParallelPerceptrons(3, 2, 16, 5)
    >>> x = torch.randn(7, 2)
    >>> networks(x).shape, torch.allclose(networks(x)[:, 1], networks.one(1, x), atol=1e-6)
    (torch.Size([7, 3, 5]), True)
    """

    def __init__(self, count: int, *widths: int):
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for before, after in pairwise(widths):
            layers = [nn.Linear(before, after) for _ in range(count)]
            self.weights.append(torch.stack([layer.weight.detach() for layer in layers]))
            self.biases.append(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K m"]:
        r"""$f_1(x), \dots, f_K(x)$."""
        return self.each(x[..., None, :].expand(*x.shape[:-1], len(self.weights[0]), -1))

    def each(self, x: Float[Tensor, "*batch K n"]) -> Float[Tensor, "*batch K m"]:
        r"""$f_1(x_1), \dots, f_K(x_K)$."""
        batch = x.shape[:-2]
        x = x.reshape(-1, *x.shape[-2:]).transpose(0, 1)  # (K, B, n)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias[:, None], x if layer == 0 else x.tanh(), weight.mT)
        return x.transpose(0, 1).reshape(*batch, *x.shape[::2])

    def one(self, i: int, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        r"""$f_i(x)$."""
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = F.linear(x if layer == 0 else x.tanh(), weight[i], bias[i])
        return x

    def lipschitz_bounds(self) -> Float[Tensor, " K"]:
        r"""$\prod_l \|W_i^l\|_2 \ge \operatorname{Lip} f_i$: $\tanh$ has slopes of at most 1."""
        norms = [torch.linalg.matrix_norm(weight, 2) for weight in self.weights]
        return torch.stack(norms).prod(0)
