"""The atlas as a generative adversarial network: a code says which chart, a few labels name it."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from geomlib.models.chart_autoencoder import warn_of_empty_charts
from geomlib.models.cube_atlas import CubeAtlas
from geomlib.models.discrete_vae import beside
from geomlib.models.perceptron import perceptron
from geomlib.models.training import Player, play, seeded
from geomlib.models.validation import check_sizes, check_width, known_labels
from geomlib.riemann.validation import as_points

__all__ = ["AtlasGAN"]


class AtlasGAN(CubeAtlas):
    r"""$\min_{G, Q, E} \max_D\; V(D, G) - \lambda\, \mathbb{E} \log Q(k \mid G(k, z)) + \mu\,
    \mathbb{E} \|z - E(G(k, z))\|^2$, V the value of a `GAN`, k uniform and $z \sim U(-1, 1)^d$.

    The last two terms bound from below how much $G(k, z)$ tells of its code, up to constants, so
    that G can ignore neither k nor z. With labels, Q learns the chart from the labelled samples
    alone, and G has to draw in chart k what Q calls k: charts get the names of classes. Without
    any, Q learns from what G draws, and which chart gets which part of the data is left to chance.

    Read as an atlas, $D_k = G(k, \cdot)$, $\rho_k(x) = Q(k \mid x)$ and $E_k = E$ for every k.
    A GAN gives no inverse: E learns from what G draws alone, and nothing asks for $G(k, E(x)) =
    x$. `reconstruct` returns what G drew, but keeps little of the data: trained on the pixels of
    digits, it misses them by more than the mean image does. The coordinates are shared, so a
    transition $E \circ D_k$ is near the identity: it says which point of another chart has the same
    style, not which is the same point. Nor does the game make Q a better classifier of digits than
    its labels alone would.

    Attributes:
        generator: $(z, \text{one-hot } k) \mapsto G(k, z)$, an `nn.Sequential`.
        features: the layers that D, Q and E share, `(..., n)` to `(..., hidden)`.
        discriminator_head: linear, from the features to the logit of D.
        chart_head: linear, to the K logits of Q.
        code_head: linear, to E.

    Args:
        data_dim: $n$.
        charts: $K$; labels are `0, ..., charts - 1`.
        latent_dim: $d$.
        hidden: width of the two hidden layers of every network.
        seed: of the initial weights.
        information: $\lambda$, in nats per nat.
        code_weight: $\mu$, in nats.

    Source: Spurr, Aksan and Hilliges, *Guiding InfoGAN with Semi-Supervision*, ECML PKDD 2017,
    arXiv 1707.04487; without labels, Chen et al., *InfoGAN*, NIPS 2016, arXiv 1606.03657. There G
    also takes noise that no one recovers; here it does not, so that $D_k$ is a map of z alone. The
    reading is Stolberg-Larsen and Sommer's, *Atlas Generative Models and Geodesic Interpolation*,
    arXiv 2102.00264.

    >>> x = torch.cat([torch.randn(50, 2) / 4 - 1, torch.randn(50, 2) / 4 + 1])
    >>> labels = torch.full((100,), -1)  # not known
    >>> labels[0], labels[99] = 0, 1
    >>> model = AtlasGAN(data_dim=2, charts=2, latent_dim=1, hidden=16)
    >>> histories = model.fit(x, labels, epochs=50, learning_rate=5e-3, progress=False)
    >>> points, chart = model.sample(200)
    >>> bool(((points.sum(-1) > 0) == (chart == 1)).float().mean() > 0.9)
    True
    """

    def __init__(
        self,
        data_dim: int,
        charts: int = 10,
        latent_dim: int = 4,
        hidden: int = 128,
        seed: int = 0,
        *,
        information: float = 1.0,
        code_weight: float = 0.5,
    ):
        check_sizes(hidden=hidden)
        super().__init__(charts, data_dim, latent_dim)
        if information < 0 or code_weight < 0:
            raise ValueError(
                f"information = {information} and code_weight = {code_weight} must not be negative"
            )
        self.information, self.code_weight = information, code_weight
        with seeded(seed):
            self.generator = perceptron(latent_dim + charts, hidden, hidden, data_dim)
            self.features = perceptron(data_dim, hidden, hidden).append(nn.Tanh())
            self.discriminator_head = nn.Linear(hidden, 1)
            self.chart_head = nn.Linear(hidden, charts)
            self.code_head = nn.Linear(hidden, latent_dim)

    def encode_chart(self, i: int, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch d"]:
        r"""The coordinates $E(x)$, whatever the chart."""
        self.check_chart(i)
        self._check_points(x)
        return self.code_head(self.features(x))

    def decode_chart(self, i: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        r"""The point $G(i, z)$."""
        self.check_chart(i)
        check_width(as_points(z, "z"), self.latent_dim, "z")
        return self._generate(torch.tensor(i), z)

    def encode_all(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K d"]:
        r"""$E(x)$, K times over."""
        z = self.encode_chart(0, x)[..., None, :]
        return z.expand(*x.shape[:-1], self.n_charts, self.latent_dim)

    def decode_all(self, z: Float[Tensor, "*batch K d"]) -> Float[Tensor, "*batch K n"]:
        r"""$G(1, z_1), \dots, G(K, z_K)$."""
        return self._generate(torch.arange(self.n_charts), z)

    def probabilities(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""$Q(k \mid x)$: positive everywhere."""
        self._check_points(x)
        return self.chart_head(self.features(x)).softmax(-1)

    def discriminator_loss(
        self, x: Float[Tensor, "batch n"], fake: Float[Tensor, "batch n"]
    ) -> Float[Tensor, ""]:
        r"""$-\mathbb{E} \log D(x) - \mathbb{E} \log(1 - D(\text{fake}))$; $\log 4$ if $D =
        \tfrac12$."""
        real_terms = F.softplus(-self._judgement(x))
        return (real_terms + F.softplus(self._judgement(fake))).mean()

    def chart_loss(
        self, x: Float[Tensor, "batch n"], chart: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        r"""$-\log Q(k \mid x)$, the mean over the batch, in nats.

        On generated points, $\log K$ minus it bounds the mutual information of k and $G(k, z)$
        from below.
        """
        return F.cross_entropy(self.chart_head(self.features(x)), chart)

    def code_loss(
        self, x: Float[Tensor, "batch n"], z: Float[Tensor, "batch d"]
    ) -> Float[Tensor, ""]:
        r"""$\|z - E(x)\|^2$, the mean over the batch; $d / 3$ if E says 0."""
        return (self.code_head(self.features(x)) - z).square().sum(-1).mean()

    def generator_loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$-\log D - \lambda \log Q(k) + \mu \|z - E\|^2$ at $G(k, z)$, the mean over as many
        draws as x has rows."""
        chart, z = self._draw(len(x))
        fake = self._generate(chart, z)
        information = self.information * self.chart_loss(fake, chart)
        fooling = F.softplus(-self._judgement(fake)).mean()
        return fooling + information + self.code_weight * self.code_loss(fake, z)

    def fit(
        self,
        x: Float[Tensor, "count n"],
        labels: Int[Tensor, " count"] | None = None,
        **options: Any,
    ) -> dict[str, list[float]]:
        """Train both sides in turns; options as in `geomlib.models.play`.

        Args:
            x: the data.
            labels: the class of every sample, -1 where it is not known. Left out, the model is an
                InfoGAN.
            options: as in `geomlib.models.play`.

        Returns:
            The losses of `"discriminator"`, the heads of Q and E included, and `"generator"`, one
            number an epoch.

        Raises:
            ValueError: if there are more charts than samples; or with labels, if none is known,
                all that are known are the same, or one is outside the charts.

        Warns:
            UserWarning: if a class has no label, or a chart is the most probable one for no
                sample.
        """
        self._check_samples(x)
        rows = torch.arange(len(x), device=x.device)
        if labels is not None:
            rows = known_labels(labels, len(x), self.n_charts, "Leave labels out to do without")

        def naming(fake: Tensor, chart: Tensor) -> Tensor:
            if labels is None:
                return self.information * self.chart_loss(fake, chart)
            known = rows[torch.randint(len(rows), (len(fake),), device=x.device)]
            return self.chart_loss(x[known], labels[known].long())

        def judging(batch: Tensor) -> Tensor:
            chart, z = self._draw(len(batch))
            fake = self._generate(chart, z).detach()
            recovering = naming(fake, chart) + self.code_weight * self.code_loss(fake, z)
            return self.discriminator_loss(batch, fake) + recovering

        adam = partial(torch.optim.Adam, betas=(0.5, 0.9))
        generator = list(self.generator.parameters())
        judges = [weight for weight in self.parameters() if all(weight is not g for g in generator)]
        players = {
            "discriminator": Player(judges, judging, adam),
            "generator": Player(generator, self.generator_loss, adam),
        }
        history = play(players, x, **options)
        with torch.no_grad():
            warn_of_empty_charts(self.probabilities(x).argmax(-1), self.n_charts)
        return history

    @torch.no_grad()
    def consistency(self, count: int = 1000, seed: int = 0) -> float:
        r"""The share of draws k, z with $\arg\max Q(\cdot \mid G(k, z)) = k$."""
        x, chart = self.sample(count, seed)
        return (self.probabilities(x).argmax(-1) == chart).float().mean().item()

    def _generate(self, chart: Tensor, z: Tensor) -> Tensor:
        one_hot = torch.eye(self.n_charts, dtype=z.dtype, device=z.device)[chart]
        return self.generator(beside(z, one_hot))

    def _judgement(self, x: Tensor) -> Tensor:
        """The logit of D."""
        return self.discriminator_head(self.features(x))[..., 0]
