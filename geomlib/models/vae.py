r"""Variational autoencoders: Gaussian, Bernoulli and categorical.

All of them have the prior $z \sim N(0, I_d)$ and an encoder that gives the mean and the standard
deviation of $q(z \mid x)$. They differ in the distribution $p(x \mid z)$ that the decoder returns,
and `FisherRaoMetric(vae.distribution)` measures the latent space by it.

Source: Kingma and Welling, *Auto-Encoding Variational Bayes* (ICLR 2014).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import log, pi
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch import distributions as dist
from torch.nn import functional as F

from geomlib.models.perceptron import perceptron
from geomlib.models.standard_deviation import ConstantStandardDeviation, RBFStandardDeviation
from geomlib.models.training import fit, seeded
from geomlib.models.validation import (
    check_counted,
    check_data,
    check_rows,
    check_sizes,
    check_width,
)

__all__ = ["BernoulliVAE", "CategoricalVAE", "GaussianVAE", "RBFStandardDeviation"]


class VAE(nn.Module, ABC):
    r"""What all variational autoencoders share: $z \sim N(0, I_d)$, the encoder and the bound.

    A subclass says which distribution $p(x \mid z)$ its decoder returns.
    """

    encoder: nn.Module
    data_dim: int

    @abstractmethod
    def distribution(self, z: Float[Tensor, "*batch d"]) -> dist.Distribution:
        r"""$p(x \mid z)$, its outputs independent; the batch comes first."""

    def encode(
        self, x: Float[Tensor, "*batch n"]
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch d"]]:
        r"""Mean and standard deviation of $q(z \mid x)$; the mean is the *code* of x."""
        check_width(x, self.data_dim)
        mean, log_variance = self.encoder(x).chunk(2, dim=-1)
        return mean, (log_variance / 2).exp()

    def loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""The negative evidence lower bound per sample, in nats:
        $\mathbb{E}_q[-\log p(x \mid z)] + \mathrm{KL}(q(z \mid x) \,\|\, N(0, I))$."""
        code, spread = self.encode(x)
        z = code + spread * torch.randn_like(spread)
        return self.negative_log_likelihood(x, z) + divergence_from_prior(code, spread)

    @abstractmethod
    def negative_log_likelihood(
        self, x: Float[Tensor, "batch n"], z: Float[Tensor, "batch d"]
    ) -> Float[Tensor, ""]:
        r"""$-\log p(x \mid z)$, the mean over the batch, in nats."""

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> list[float]:
        """Train encoder and decoder; options as in `geomlib.models.fit`."""
        check_data(x, self.data_dim, self)
        return fit(self.parameters(), self.loss, x, **options)


def divergence_from_prior(
    mean: Float[Tensor, "batch d"], std: Float[Tensor, "batch d"]
) -> Float[Tensor, ""]:
    r"""$\mathrm{KL}(N(m, \operatorname{diag} s^2) \,\|\, N(0, I)) = \sum_i
    \tfrac12(m_i^2 + s_i^2 - 1) - \log s_i$, the mean over the batch."""
    return ((mean**2 + std**2 - 1) / 2 - std.log()).sum(-1).mean()


class GaussianVAE(VAE):
    r"""$x \mid z \sim N(\mu(z), \operatorname{diag}\sigma(z)^2)$: for real numbers.

    $\mu$ is a multilayer perceptron. $\sigma$ is one number for all outputs and all $z$, until
    `fit_standard_deviation` replaces it by a network of radial basis functions as in Arvanitidis,
    Hansen and Hauberg, *Latent Space Oddity* (ICLR 2018): far from every code the precision falls
    to a floor, so the expected metric $J_\mu^\top J_\mu + J_\sigma^\top J_\sigma$ makes it
    expensive to leave the data.

    Attributes:
        mean: the decoder's mean $\mu$, an `nn.Sequential`, `(..., d)` to `(..., n)`.
        std: the decoder's standard deviation $\sigma$, `(..., d)` to `(..., n)`.

    Args:
        data_dim: $n$.
        latent_dim: $d$.
        hidden: width of the two hidden layers of encoder and decoder.
        seed: of the initial weights.

    >>> vae = GaussianVAE(data_dim=784, latent_dim=2)
    >>> z = torch.zeros(5, 2)
    >>> vae.mean(z).shape, vae.std(z).shape
    (torch.Size([5, 784]), torch.Size([5, 784]))
    """

    def __init__(self, data_dim: int, latent_dim: int = 2, hidden: int = 64, seed: int = 0):
        check_sizes(data_dim=data_dim, latent_dim=latent_dim, hidden=hidden)
        super().__init__()
        self.data_dim = data_dim
        with seeded(seed):
            self.encoder = perceptron(data_dim, hidden, hidden, 2 * latent_dim)
            self.mean = perceptron(latent_dim, hidden, hidden, data_dim)
        self.std: nn.Module = ConstantStandardDeviation(data_dim)

    def distribution(self, z: Float[Tensor, "*batch d"]) -> dist.Normal:
        r"""$N(\mu(z), \operatorname{diag}\sigma(z)^2)$, batch shape `(*batch, n)`."""
        return dist.Normal(self.mean(z), self.std(z))

    def negative_log_likelihood(
        self, x: Float[Tensor, "batch n"], z: Float[Tensor, "batch d"]
    ) -> Float[Tensor, ""]:
        r"""$-\log p(x \mid z)$, the mean over the batch, in nats."""
        sigma = self.std(z)
        terms = ((x - self.mean(z)) / sigma) ** 2 / 2 + sigma.log() + log(2 * pi) / 2
        return terms.sum(-1).mean()

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> list[float]:
        """Train encoder, mean and one common standard deviation; options as in `models.fit`."""
        return super().fit(x, **{"description": "encoder and mean", **options})

    def fit_standard_deviation(
        self,
        x: Float[Tensor, "count n"],
        *,
        centres: int = 64,
        reach: float = 1.5,
        smallest_precision: float = 1.0,
        **options: Any,
    ) -> list[float]:
        r"""Fit $\sigma$ alone, with the mean and the codes held fixed.

        Centres are the k-means of the codes; each bandwidth follows the spread of its cluster
        (as in *Latent Space Oddity*).

        Args:
            centres: how many radial basis functions.
            reach: $a$ in $\lambda_k = \tfrac12 (a \cdot \text{mean distance in cluster } k)^{-2}$.
            smallest_precision: $\zeta$, what is left of the precision far away from all codes,
                so that $\sigma$ tends to $\zeta^{-1/2}$ there.
            options: go to `geomlib.models.fit`.

        Raises:
            ValueError: if there are more centres than data.
        """
        check_data(x, self.data_dim, self)
        check_sizes(centres=centres)
        if centres > len(x):
            raise ValueError(f"{centres} centres need at least as many samples, but x has {len(x)}")
        with torch.no_grad():
            codes = self.encode(x)[0]
            error = ((x - self.mean(codes)) ** 2).mean(0)
        self.std = RBFStandardDeviation.around(
            codes, centres, reach, smallest_precision, 1 / error.clamp_min(1e-4)
        )
        rows = torch.cat([x, codes], dim=1)

        def loss(batch: Tensor) -> Tensor:
            return self.negative_log_likelihood(batch[:, : x.shape[1]], batch[:, x.shape[1] :])

        options = {"description": "standard deviation", "learning_rate": 1e-2, **options}
        return fit(self.std.parameters(), loss, rows, **options)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As in `nn.Module`; takes the kind of standard deviation that the state was saved with."""
        if "std.centres" in state_dict:
            parts = [state_dict[f"std.{name}"] for name in ("centres", "bandwidth", "raw_weight")]
            ones = [torch.ones_like(part) for part in [*parts, state_dict["std.floor"]]]
            self.std = RBFStandardDeviation(*ones).to(next(self.parameters()))
        elif "std.log_std" in state_dict:
            self.std = ConstantStandardDeviation(self.data_dim).to(next(self.parameters()))
        return super().load_state_dict(state_dict, *args, **kwargs)


class BernoulliVAE(VAE):
    r"""$x_i \mid z \sim \operatorname{Bernoulli}(p_i(z))$, $\;p = \operatorname{sigmoid}(\ell(z))$:
    for black and white.

    Grey values in $[0, 1]$ are taken too, each as a probability of white: the loss is then the
    cross-entropy, no longer the bound of a likelihood.

    Attributes:
        logits: the decoder $\ell$, an `nn.Sequential`, `(..., d)` to `(..., n)`.

    Args:
        data_dim: $n$.
        latent_dim: $d$.
        hidden: width of the two hidden layers of encoder and decoder.
        seed: of the initial weights.

    >>> vae = BernoulliVAE(data_dim=784, latent_dim=2)
    >>> vae.distribution(torch.zeros(5, 2))
    Bernoulli(logits: torch.Size([5, 784]))
    """

    def __init__(self, data_dim: int, latent_dim: int = 2, hidden: int = 64, seed: int = 0):
        check_sizes(data_dim=data_dim, latent_dim=latent_dim, hidden=hidden)
        super().__init__()
        self.data_dim = data_dim
        with seeded(seed):
            self.encoder = perceptron(data_dim, hidden, hidden, 2 * latent_dim)
            self.logits = perceptron(latent_dim, hidden, hidden, data_dim)

    @property
    def mean(self) -> nn.Sequential:
        r"""The map $z \mapsto p(z) = \mathbb{E}[x \mid z]$, `(..., d)` to `(..., n)`."""
        return nn.Sequential(*self.logits, nn.Sigmoid())

    def distribution(self, z: Float[Tensor, "*batch d"]) -> dist.Bernoulli:
        r"""$\operatorname{Bernoulli}(p(z))$, batch shape `(*batch, n)`."""
        return dist.Bernoulli(logits=self.logits(z))

    def negative_log_likelihood(
        self, x: Float[Tensor, "batch n"], z: Float[Tensor, "batch d"]
    ) -> Float[Tensor, ""]:
        r"""$-\sum_i x_i \log p_i(z) + (1 - x_i) \log(1 - p_i(z))$, the mean over the batch."""
        terms = F.binary_cross_entropy_with_logits(self.logits(z), x, reduction="none")
        return terms.sum(-1).mean()

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> list[float]:
        """Train encoder and decoder; options as in `geomlib.models.fit`.

        Raises:
            ValueError: if a number is not between 0 and 1.
        """
        check_data(x, self.data_dim, self)
        if x.min() < 0 or x.max() > 1:
            raise ValueError(
                f"x reaches from {x.min().item():.3g} to {x.max().item():.3g}, but a Bernoulli "
                "model needs 0, 1 or grey values between them: rescale x, or take a GaussianVAE"
            )
        return super().fit(x, **options)


class CategoricalVAE(VAE):
    r"""$x_i \mid z \sim \operatorname{Categorical}(p_{i1}(z), \dots, p_{iK}(z))$, $\;p_i =
    \operatorname{softmax}(\ell_i(z))$: for symbols and levels of grey.

    The encoder sees each symbol as a one-hot vector.

    Attributes:
        logits: the decoder $\ell$, an `nn.Sequential`, `(..., d)` to `(..., n, K)`.

    Args:
        data_dim: $n$, how many symbols make one sample.
        categories: $K$, how many values a symbol has.
        latent_dim: $d$.
        hidden: width of the two hidden layers of encoder and decoder.
        seed: of the initial weights.

    >>> vae = CategoricalVAE(data_dim=64, categories=4)
    >>> mean, std = vae.encode(torch.zeros(5, 64, dtype=torch.long))
    >>> vae.distribution(mean).probs.shape
    torch.Size([5, 64, 4])
    """

    def __init__(
        self, data_dim: int, categories: int, latent_dim: int = 2, hidden: int = 64, seed: int = 0
    ):
        check_sizes(data_dim=data_dim, latent_dim=latent_dim, hidden=hidden)
        if categories < 2:
            raise ValueError(f"categories = {categories}, but a symbol needs two values at least")
        super().__init__()
        self.data_dim, self.categories = data_dim, categories
        with seeded(seed):
            self.encoder = perceptron(data_dim * categories, hidden, hidden, 2 * latent_dim)
            self.logits = perceptron(latent_dim, hidden, hidden, data_dim * categories)
        self.logits.append(nn.Unflatten(-1, (data_dim, categories)))

    @property
    def mean(self) -> nn.Sequential:
        r"""The map $z \mapsto p(z)$, the expected one-hot vectors, `(..., d)` to `(..., n, K)`."""
        return nn.Sequential(*self.logits, nn.Softmax(-1))

    def encode(
        self, x: Int[Tensor, "*batch n"]
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch d"]]:
        r"""Mean and standard deviation of $q(z \mid x)$; the mean is the *code* of x."""
        check_width(x, self.data_dim)
        one_hot = F.one_hot(x, self.categories).flatten(-2).to(next(self.parameters()))
        mean, log_variance = self.encoder(one_hot).chunk(2, dim=-1)
        return mean, (log_variance / 2).exp()

    def distribution(self, z: Float[Tensor, "*batch d"]) -> dist.Categorical:
        r"""$\operatorname{Categorical}(p(z))$, batch shape `(*batch, n)`."""
        return dist.Categorical(logits=self.logits(z))

    def negative_log_likelihood(
        self, x: Int[Tensor, "batch n"], z: Float[Tensor, "batch d"]
    ) -> Float[Tensor, ""]:
        r"""$-\sum_i \log p_{i x_i}(z)$, the mean over the batch, in nats."""
        return F.cross_entropy(self.logits(z).mT, x, reduction="none").sum(-1).mean()

    def fit(self, x: Int[Tensor, "count n"], **options: Any) -> list[float]:
        """Train encoder and decoder; options as in `geomlib.models.fit`.

        Raises:
            ValueError: if a symbol is no whole number in `range(categories)`.
        """
        check_rows(x, self.data_dim)
        check_counted(x, "x")
        if x.min() < 0 or x.max() >= self.categories:
            raise ValueError(
                f"x reaches from {int(x.min())} to {int(x.max())}, but the model was built for "
                f"the symbols 0, ..., {self.categories - 1}"
            )
        return fit(self.parameters(), self.loss, x.long(), **options)
