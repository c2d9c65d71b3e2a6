"""The network that all models of the course are made of."""

from itertools import pairwise

from torch import nn

__all__ = ["perceptron"]


def perceptron(*widths: int, activation: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    r"""Linear layers of the given widths with an activation between any two of them.

    The default, $\tanh$, is smooth: a decoder with ReLU has no Christoffel symbols.

    >>> perceptron(2, 64, 784)
    Sequential(
      (0): Linear(in_features=2, out_features=64, bias=True)
      (1): Tanh()
      (2): Linear(in_features=64, out_features=784, bias=True)
    )
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])
