"""The plain autoencoder: an encoder and a decoder, no prior."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from geomlib.models.perceptron import perceptron
from geomlib.models.training import fit, seeded
from geomlib.models.validation import check_data, check_sizes, check_width

__all__ = ["Autoencoder"]


class Autoencoder(nn.Module):
    r"""$\min_{E, D} \sum_i \|x_i - D(E(x_i))\|^2$ with perceptrons $E: \mathbb{R}^n \to
    \mathbb{R}^d$ and $D: \mathbb{R}^d \to \mathbb{R}^n$.

    There is no distribution on the latent space: a code drawn at random need not decode to
    anything that looks like data.

    Attributes:
        encoder: $E$, an `nn.Sequential`, `(..., n)` to `(..., d)`.
        decoder: $D$, an `nn.Sequential`, `(..., d)` to `(..., n)`.

    Args:
        data_dim: $n$.
        latent_dim: $d$.
        hidden: width of the two hidden layers of encoder and decoder.
        seed: of the initial weights.

    Source: Hinton and Salakhutdinov, *Reducing the Dimensionality of Data with Neural Networks*,
    Science 313 (2006).

    A line in space needs one latent coordinate:

    >>> import torch
    >>> x = torch.linspace(-1, 1, 64)[:, None] * torch.tensor([0.6, 0.0, 0.8])
    >>> model = Autoencoder(data_dim=3, latent_dim=1, hidden=16)
    >>> losses = model.fit(x, epochs=300, learning_rate=1e-2, progress=False)
    >>> losses[-1] < losses[0] / 20
    True
    """

    encoder: nn.Module
    decoder: nn.Module

    def __init__(self, data_dim: int, latent_dim: int = 2, hidden: int = 64, seed: int = 0):
        check_sizes(data_dim=data_dim, latent_dim=latent_dim, hidden=hidden)
        super().__init__()
        self.data_dim = data_dim
        with seeded(seed):
            self.encoder = perceptron(data_dim, hidden, hidden, latent_dim)
            self.decoder = perceptron(latent_dim, hidden, hidden, data_dim)

    def encode(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch d"]:
        """The code $E(x)$."""
        check_width(x, self.data_dim)
        return self.encoder(x)

    def decode(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        """The point $D(z)$."""
        return self.decoder(z)

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """The reconstruction $D(E(x))$."""
        return self.decode(self.encode(x))

    def loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$\|x - D(E(x))\|^2$: squared errors summed over the outputs, the mean over the batch.

        Divide by $n$ for the error per output.
        """
        return (x - self(x)).square().sum(-1).mean()

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> list[float]:
        """Train encoder and decoder together; options as in `geomlib.models.fit`."""
        check_data(x, self.data_dim, self)
        return fit(self.parameters(), self.loss, x, **options)
