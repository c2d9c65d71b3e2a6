r"""VAEs with a class y beside the latent z: what M2 and InfoCatVAE share."""

from abc import abstractmethod
from math import log

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from geomlib.models.atlas import AtlasModel
from geomlib.models.classifier import Classifier
from geomlib.models.perceptron import perceptron
from geomlib.models.training import seeded
from geomlib.models.validation import check_data, check_sizes, check_width
from geomlib.riemann.validation import as_points

__all__ = ["DiscreteVAE", "beside", "check_grey_values"]


class DiscreteVAE(AtlasModel):
    r"""$p(x) = \tfrac1K \sum_y \int p(x \mid y, z)\, p(z)\, dz$ with $z \sim N(0, I_d)$, encoded by
    $q(y \mid x)\, q(z \mid x, y)$; $x_i \mid y, z$ is Bernoulli.

    A subclass says what the decoder does with y.

    Read as an atlas, y is the chart, $E_y(x)$ the mean of $q(z \mid x, y)$, $D_y(z) =
    \mathbb{E}[x \mid y, z]$ and $\rho_y(x) = q(y \mid x)$. Nothing in the training asks for
    overlaps: a transition $E_j \circ D_i$ exists, but no term makes it one.

    Attributes:
        classifier: the logits of $q(y \mid x)$, a `Classifier`, `(..., n)` to `(..., K)`.
        encoder: $(x, \text{one-hot } y) \mapsto$ mean and log-variance of $q(z \mid x, y)$.

    Source of the reading: Stolberg-Larsen and Sommer, *Atlas Generative Models and Geodesic
    Interpolation*, arXiv 2102.00264.
    """

    def __init__(self, data_dim: int, classes: int, latent_dim: int, hidden: int, seed: int):
        check_sizes(hidden=hidden)
        super().__init__(classes, data_dim, latent_dim)
        self.classifier = Classifier(data_dim, classes, hidden, seed)
        with seeded(seed):
            self.encoder = perceptron(data_dim + classes, hidden, hidden, 2 * latent_dim)

    @abstractmethod
    def logits(
        self, z: Float[Tensor, "*batch d"], y: Float[Tensor, "*batch K"]
    ) -> Float[Tensor, "*batch n"]:
        r"""The logits of $\mathbb{E}[x \mid y, z]$; y is one-hot, and its batch broadcasts."""

    def posterior(
        self, x: Float[Tensor, "*batch n"], y: Float[Tensor, "*batch K"]
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch d"]]:
        r"""Mean and standard deviation of $q(z \mid x, y)$; y is one-hot, and its batch
        broadcasts."""
        mean, log_variance = self.encoder(beside(x, y)).chunk(2, dim=-1)
        return mean, (log_variance / 2).exp()

    def encode_all(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K d"]:
        r"""The means of $q(z \mid x, 1), \dots, q(z \mid x, K)$."""
        self._check_points(x)
        return self.posterior(x[..., None, :], self.one_hots(x))[0]

    def encode_chart(self, i: int, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch d"]:
        r"""The mean of $q(z \mid x, y = i)$."""
        self.check_chart(i)
        self._check_points(x)
        return self.posterior(x, self.one_hots(x)[i])[0]

    def decode_all(self, z: Float[Tensor, "*batch K d"]) -> Float[Tensor, "*batch K n"]:
        r"""$\mathbb{E}[x \mid y, z_y]$ for $y = 1, \dots, K$, in $(0, 1)^n$."""
        return self.logits(z, self.one_hots(z)).sigmoid()

    def decode_chart(self, i: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        r"""$\mathbb{E}[x \mid y = i, z]$, in $(0, 1)^n$."""
        self.check_chart(i)
        check_width(as_points(z, "z"), self.latent_dim, "z")
        return self.logits(z, self.one_hots(z)[i]).sigmoid()

    def one_hots(self, like: Tensor) -> Float[Tensor, "K K"]:
        r"""The unit vectors $e_1, \dots, e_K$ that stand for the classes."""
        return torch.eye(self.n_charts, dtype=like.dtype, device=like.device)

    def probabilities(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""$q(y \mid x)$: positive everywhere, so no chart has an end."""
        self._check_points(x)
        return self.classifier(x).softmax(-1)

    def bound(
        self, x: Float[Tensor, "*batch n"], y: Float[Tensor, "*batch K"]
    ) -> Float[Tensor, "*batch"]:
        r"""A one-sample estimate of $\mathbb{E}_q[\log p(x \mid y, z)] - \log K - \mathrm{KL}(q(z
        \mid x, y) \,\|\, N(0, I)) \le \log p(x, y)$, in nats; y is one-hot and broadcasts."""
        mean, std = self.posterior(x, y)
        logits = self.logits(mean + std * torch.randn_like(std), y)
        unlike = F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
        divergence = ((mean**2 + std**2 - 1) / 2 - std.log()).sum(-1)
        return -unlike.sum(-1) - log(self.n_charts) - divergence

    def bounds(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""`bound` for $y = 1, \dots, K$."""
        return self.bound(x[..., None, :], self.one_hots(x))

    def unlabelled_loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$-\sum_y q(y \mid x)\,(\text{bound}_y(x) - \log q(y \mid x)) \ge -\log p(x)$ in
        expectation, the mean over the batch, in nats."""
        log_q = self.classifier(x).log_softmax(-1)
        return (log_q.exp() * (log_q - self.bounds(x))).sum(-1).mean()

    @torch.no_grad()
    def accuracy(self, x: Float[Tensor, "count n"], labels: Int[Tensor, " count"]) -> float:
        r"""The share of samples whose most probable y is their label."""
        return self.classifier.accuracy(x, labels)

    @torch.no_grad()
    def sample(
        self, count: int, seed: int = 0
    ) -> tuple[Float[Tensor, "count n"], Int[Tensor, " count"]]:
        r"""Means $\mathbb{E}[x \mid y, z]$, y uniform and $z \sim N(0, I)$, and their y."""
        weight = next(self.parameters())
        with seeded(seed):
            chart = torch.randint(self.n_charts, (count,))
            z = torch.randn(count, self.latent_dim)
        chart, z = chart.to(weight.device), z.to(weight)
        return self.decode(chart, z), chart


def beside(x: Float[Tensor, "*batch m"], y: Float[Tensor, "*batch K"]) -> Tensor:
    """The rows (x, y), `(..., m + K)`; the batches broadcast."""
    batch = torch.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    return torch.cat([part.expand(*batch, part.shape[-1]) for part in (x, y)], dim=-1)


def check_grey_values(x: Tensor, model: AtlasModel) -> None:
    """Raise unless `x` is data for the model, `(count, n)`, with all its numbers in [0, 1]."""
    check_data(x, model.data_dim, model)
    if x.min() < 0 or x.max() > 1:
        raise ValueError(
            f"x reaches from {x.min().item():.3g} to {x.max().item():.3g}, but a Bernoulli "
            "model needs 0, 1 or grey values between them: rescale x"
        )
