"""InfoCatVAE: charts without labels, and a decoder that must not forget which chart it was in."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from geomlib.models.chart_autoencoder import warn_of_empty_charts
from geomlib.models.discrete_vae import DiscreteVAE, check_grey_values
from geomlib.models.perceptron import perceptron
from geomlib.models.training import fit, seeded

__all__ = ["InfoCatVAE"]


class InfoCatVAE(DiscreteVAE):
    r"""$\mathcal{L} = \mathbb{E}[-\log p(x)] + \lambda\, \mathbb{E}_{c,\, z \sim N(\mu_c, I)}[-\log
    q(c \mid D(z))]$ with orthogonal means $\mu_c$; the likelihood by its lower bound.

    One decoder $D$ serves all classes: a class is a place in its latent space. Without the second
    term, which bounds the mutual information of c and $D(z)$ from below, D may ignore where it was
    asked to be. With it, `consistency` rises. Whether the classes found are those a person would
    name is another matter: nothing in $\mathcal{L}$ asks for that.

    Read as an atlas (see `DiscreteVAE`), the coordinates of chart c are $z - \mu_c$, so that the
    prior is $N(0, I)$ in every chart. The charts lack learned overlaps and transitions.

    Attributes:
        classifier: the logits of $q(c \mid x)$, `(..., n)` to `(..., K)`.
        encoder: $(x, \text{one-hot } c) \mapsto$ mean and log-variance of $q(z - \mu_c \mid x, c)$.
        decoder: the logits of $D$, `(..., d)` to `(..., n)`.

    Args:
        data_dim: $n$.
        classes: $K$.
        latent_dim: $d \ge K$, so that K orthogonal means fit in.
        hidden: width of the two hidden layers of every network.
        seed: of the initial weights.
        information: $\lambda$; 0 gives the CatVAE of the paper.
        distance: $\|\mu_c\|$, in standard deviations of the prior.

    Source: Pineau and Lelarge, *InfoCatVAE: Representation Learning with Categorical Variational
    Autoencoders*, arXiv 1806.08240.

    >>> x = torch.cat([torch.rand(50, 4) / 4, 1 - torch.rand(50, 4) / 4])
    >>> model = InfoCatVAE(data_dim=4, classes=2, latent_dim=2, hidden=8)
    >>> losses = model.fit(x, epochs=100, learning_rate=1e-2, progress=False)
    >>> model.consistency(200) > 0.8
    True
    """

    means: Tensor

    def __init__(
        self,
        data_dim: int,
        classes: int = 10,
        latent_dim: int = 10,
        hidden: int = 64,
        seed: int = 0,
        *,
        information: float = 10.0,
        distance: float = 3.0,
    ):
        super().__init__(data_dim, classes, latent_dim, hidden, seed)
        if latent_dim < classes:
            raise ValueError(
                f"latent_dim = {latent_dim} and classes = {classes}: as many orthogonal means need "
                "as many latent dimensions at least"
            )
        if information < 0 or not distance > 0:
            raise ValueError(
                f"information = {information} must not be negative, distance = {distance} must be "
                "positive"
            )
        self.information = information
        with seeded(seed + 1):
            self.decoder = perceptron(latent_dim, hidden, hidden, data_dim)
        self.register_buffer("means", distance * torch.eye(classes, latent_dim))

    def logits(
        self, z: Float[Tensor, "*batch d"], y: Float[Tensor, "*batch K"]
    ) -> Float[Tensor, "*batch n"]:
        r"""The logits of $D(\mu_y + z)$; y is one-hot, and its batch broadcasts."""
        return self.decoder(y @ self.means + z)

    def information_loss(self, count: int) -> Float[Tensor, ""]:
        r"""$-\log q(c \mid D(z))$, the mean over `count` draws of c and z, in nats.

        $\log K$ minus it bounds the mutual information of c and $D(z)$ from below.
        """
        chart = torch.randint(self.n_charts, (count,), device=self.means.device)
        z = torch.randn(count, self.latent_dim, dtype=self.means.dtype, device=self.means.device)
        decoded = self.logits(z, self.one_hots(z)[chart]).sigmoid()
        return F.cross_entropy(self.classifier(decoded), chart)

    def loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""`unlabelled_loss` plus $\lambda$ times `information_loss`, in nats."""
        return self.unlabelled_loss(x) + self.information * self.information_loss(len(x))

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> list[float]:
        """Train all three networks; options as in `geomlib.models.fit`.

        Raises:
            ValueError: if a number is not between 0 and 1, or there are more classes than samples.

        Warns:
            UserWarning: if a chart is the most probable one for no sample.
        """
        check_grey_values(x, self)
        if self.n_charts > len(x):
            raise ValueError(
                f"{self.n_charts} classes need at least as many samples, but x has {len(x)}"
            )
        history = fit(self.parameters(), self.loss, x, **options)
        with torch.no_grad():
            warn_of_empty_charts(self.probabilities(x).argmax(-1), self.n_charts)
        return history

    @torch.no_grad()
    def consistency(self, count: int = 1000, seed: int = 0) -> float:
        r"""The share of draws $c$, $z \sim N(\mu_c, I)$ with $\arg\max q(\cdot \mid D(z)) = c$."""
        x, chart = self.sample(count, seed)
        return (self.probabilities(x).argmax(-1) == chart).float().mean().item()
