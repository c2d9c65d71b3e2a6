"""A decoder that is trained without an encoder: every sample owns a code."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geomlib.models.perceptron import perceptron
from geomlib.models.training import fit, seeded
from geomlib.models.validation import check_data, check_sizes

__all__ = ["DecoderOnly"]


class DecoderOnly(nn.Module):
    r"""$\min_{\theta, z_1, \dots, z_N} \sum_i \|x_i - g_\theta(z_i)\|^2$: the codes are free.

    Without an encoder no network says which code belongs to a new sample. It has to be found by
    optimisation: the nearest point of the decoder's image, $\arg\min_z \|x - g_\theta(z)\|^2$.

    Attributes:
        decoder: $g_\theta$, an `nn.Sequential`, `(..., d)` to `(..., n)`.
        codes: after `fit` the codes of the training data, `(count, d)`; before it there are none.

    Args:
        data_dim: $n$.
        latent_dim: $d$.
        hidden: width of the two hidden layers.
        seed: of the initial weights.

    Source: Schuster and Krogh, *A Manifold Learning Perspective on Representation Learning:
    Learning Decoder and Representations without an Encoder*, Entropy 23(11):1403 (2021).

    >>> angle = torch.linspace(0, 3, 40)
    >>> x = torch.stack([angle.cos(), angle.sin()], dim=1)
    >>> model = DecoderOnly(data_dim=2, latent_dim=1, hidden=16)
    >>> losses = model.fit(x, epochs=300, learning_rate=1e-2, progress=False)
    >>> model.codes.shape, losses[-1] < 1e-2
    (torch.Size([40, 1]), True)
    >>> new = torch.tensor([[0.6, 0.8]])
    >>> bool((model.decoder(model.encode(new)) - new).norm() < 0.1)
    True
    """

    codes: Tensor

    def __init__(self, data_dim: int, latent_dim: int = 2, hidden: int = 64, seed: int = 0):
        check_sizes(data_dim=data_dim, latent_dim=latent_dim, hidden=hidden)
        super().__init__()
        self.data_dim, self.latent_dim = data_dim, latent_dim
        with seeded(seed):
            self.decoder = perceptron(latent_dim, hidden, hidden, data_dim)
        self.register_buffer("codes", torch.zeros(0, latent_dim))

    def decode(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        r"""The point $g_\theta(z)$."""
        return self.decoder(z)

    def loss(self, x: Float[Tensor, "batch n"], z: Float[Tensor, "batch d"]) -> Float[Tensor, ""]:
        r"""$\|x - g_\theta(z)\|^2$: squared errors summed over the outputs, the mean over the
        batch, as for the `Autoencoder`."""
        return (x - self.decoder(z)).square().sum(-1).mean()

    def fit(
        self,
        x: Float[Tensor, "count n"],
        *,
        learning_rate: float = 1e-3,
        code_rate: float | None = None,
        **options: Any,
    ) -> list[float]:
        """Train the decoder and one code for each row of x, from codes near the origin.

        Args:
            learning_rate: of the decoder.
            code_rate: the learning rate of the codes; ten times that of the decoder if left out.
            options: as in `geomlib.models.fit`.
        """
        check_data(x, self.data_dim, self)
        with seeded(options.get("seed", 0)):
            codes = nn.Parameter(0.1 * torch.randn(len(x), self.latent_dim).to(x))
        groups: list[dict[str, Any]] = [
            {"params": list(self.decoder.parameters())},
            {"params": [codes], "lr": 10 * learning_rate if code_rate is None else code_rate},
        ]
        rows = torch.arange(len(x))
        history = fit(
            groups,
            lambda i: self.loss(x[i], codes[i]),
            rows,
            learning_rate=learning_rate,
            **options,
        )
        self.codes = codes.detach()
        return history

    def encode(
        self, x: Float[Tensor, "count n"], *, steps: int = 200, starts: int = 3, rate: float = 0.05
    ) -> Float[Tensor, "count d"]:
        r"""The codes of new samples: $\arg\min_z \|x - g_\theta(z)\|^2$ by Adam.

        The problem has local minima, so each sample starts from the codes of several training
        samples, those whose reconstructions are nearest, and keeps the best end.

        Args:
            steps: of Adam.
            starts: how many start values for each sample.
            rate: learning rate.
        """
        check_data(x, self.data_dim, self)
        if len(self.codes) == 0:
            raise ValueError("there are no codes to start from: call fit first")
        check_sizes(starts=starts)
        starts = min(starts, len(self.codes))
        decoder = copy.deepcopy(self.decoder).requires_grad_(False)
        distance = torch.cdist(x, decoder(self.codes))
        nearest = distance.topk(starts, largest=False).indices  # (count, starts)
        z = nn.Parameter(self.codes[nearest])  # (count, starts, d)

        def errors() -> Tensor:
            return (x[:, None] - decoder(z)).square().sum(-1)  # (count, starts)

        fit(
            [z],
            lambda _: errors().sum(),
            torch.zeros(1),
            epochs=steps,
            learning_rate=rate,
            progress=False,
        )
        best = errors().argmin(1)
        return z.detach()[torch.arange(len(x)), best]

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As in `nn.Module`; takes as many codes as the state was saved with."""
        if "codes" in state_dict:
            self.codes = self.codes.new_zeros(len(state_dict["codes"]), self.latent_dim)
        return super().load_state_dict(state_dict, *args, **kwargs)
