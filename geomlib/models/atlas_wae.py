"""The atlas as a Wasserstein autoencoder: charts are projections, and a prior shares the data."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from geomlib.models.chart_autoencoder import warn_of_empty_charts
from geomlib.models.cube_atlas import CubeAtlas
from geomlib.models.latent_penalty import LatentPenalty, MMDPenalty
from geomlib.models.parallel import ParallelPerceptrons
from geomlib.models.perceptron import perceptron
from geomlib.models.training import Player, play, seeded
from geomlib.models.validation import check_sizes, check_width

__all__ = ["AtlasWAE"]


class AtlasWAE(CubeAtlas):
    r"""$\min\; \mathbb{E} \sum_i q_i \|x - D_i(E_i(x))\|^2$ $+\; \lambda\, \mathcal{D}$ with affine
    $E_i$.

    A code is a pair $(i, z)$: the chart is drawn from the learned memberships $q(x)$, and $z =
    E_i(x)$. The penalty $\mathcal{D}$ is how far the codes of all the data are from the prior, i
    uniform and $z \sim U(-1, 1)^d$. So no chart dies, and points $D_i(z)$ of random codes look like
    data.

    Every $E_i$ is a single affine layer, a projection. That keeps charts small: a connected open
    piece of the unit sphere $S^d$ projects one-to-one and without a fold onto an open set of
    $\mathbb{R}^d$ only if it lies in an open half of the sphere. Halves meet in one piece if at
    all, which is what the Čech nerve needs; but it takes $d + 2$ of them to cover $S^d$, so three
    charts at least for a circle. With two, the decoders fail where the halves end.

    Attributes:
        encoders: $E_i$, `ParallelPerceptrons` of one layer.
        decoders: $D_i$, `ParallelPerceptrons`.
        membership: the logits of $q$, an `nn.Sequential`, `(..., n)` to `(..., K)`.
        penalty: $\mathcal{D}$.

    Args:
        data_dim: $n$.
        charts: $K$.
        latent_dim: $d$.
        hidden: width of the two hidden layers of every decoder and of the membership network.
        seed: of the initial weights.
        penalty: `MMDPenalty()` if left out, or an `AdversarialPenalty`.
        penalty_weight: $\lambda$, in squared units of the data for the MMD.

    Source: Korman, *Autoencoding topology*, arXiv 1803.00156, with an adversarial penalty on the
    codes; Tolstikhin et al., *Wasserstein Auto-Encoders*, ICLR 2018, for the MMD in its place.
    Here the prior of i is uniform and fixed, and the error is averaged over $q$, not sampled.

    >>> angle = torch.arange(128) * 2 * torch.pi / 128
    >>> x = torch.stack([angle.cos(), angle.sin()], dim=-1)
    >>> model = AtlasWAE(data_dim=2, charts=4, latent_dim=1)
    >>> losses = model.fit(x, epochs=200, learning_rate=1e-2, progress=False)
    >>> bool((model.reconstruct(x) - x).norm(dim=-1).max() < 0.5)  # one chart: at least 1
    True
    """

    def __init__(
        self,
        data_dim: int,
        charts: int = 4,
        latent_dim: int = 2,
        hidden: int = 32,
        seed: int = 0,
        *,
        penalty: LatentPenalty | None = None,
        penalty_weight: float = 1.0,
    ):
        check_sizes(hidden=hidden)
        super().__init__(charts, data_dim, latent_dim)
        if penalty_weight < 0:
            raise ValueError(f"penalty_weight = {penalty_weight}, but it must not be negative")
        if not isinstance(penalty, LatentPenalty | None):
            raise TypeError(
                f"penalty must be an MMDPenalty or AdversarialPenalty, but a "
                f"{type(penalty).__name__} was given: make one, as in penalty=MMDPenalty()"
            )
        self.penalty = MMDPenalty() if penalty is None else penalty
        self.penalty_weight = penalty_weight
        with seeded(seed):
            self.encoders = ParallelPerceptrons(charts, data_dim, latent_dim)
            self.decoders = ParallelPerceptrons(charts, latent_dim, hidden, hidden, data_dim)
            self.membership = perceptron(data_dim, hidden, hidden, charts)

    def encode_chart(self, i: int, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch d"]:
        r"""The coordinates $E_i(x) = A_i x + b_i$."""
        self.check_chart(i)
        self._check_points(x)
        return self.encoders.one(i, x)

    def decode_chart(self, i: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        r"""The point $D_i(z)$."""
        self.check_chart(i)
        check_width(z, self.latent_dim, "z")
        return self.decoders.one(i, z)

    def encode_all(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K d"]:
        r"""$E_1(x), \dots, E_K(x)$, also those of charts that x does not lie in."""
        self._check_points(x)
        return self.encoders(x)

    def decode_all(self, z: Float[Tensor, "*batch K d"]) -> Float[Tensor, "*batch K n"]:
        r"""$D_1(z_1), \dots, D_K(z_K)$."""
        return self.decoders.each(z)

    def probabilities(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""The memberships $q(x)$: positive everywhere."""
        self._check_points(x)
        return self.membership(x).softmax(-1)

    def codes(
        self, x: Float[Tensor, "*batch n"]
    ) -> tuple[Float[Tensor, "*batch K"], Float[Tensor, "*batch K d"]]:
        r"""The weights $q_i(x)$ and the coordinates $E_i(x)$: what the penalty takes."""
        return self.probabilities(x), self.encode_all(x)

    def loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$\sum_i q_i \|x - D_i(E_i(x))\|^2$, the mean over the batch, plus $\lambda
        \mathcal{D}$."""
        q, z = self.codes(x)
        errors = (x[..., None, :] - self.decode_all(z)).square().sum(-1)
        return (q * errors).sum(-1).mean() + self.penalty_weight * self.penalty(q, z)

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> dict[str, list[float]]:
        """Train the autoencoder, in turns with its penalty if that learns too; options as in
        `geomlib.models.play`.

        Returns:
            The losses of the `"autoencoder"`, one number an epoch, and those of the
            `"discriminator"` of an `AdversarialPenalty`.

        Raises:
            ValueError: if there are more charts than samples, or the penalty does not fit.

        Warns:
            UserWarning: if a chart is the most probable one for no sample.
        """
        self._check_samples(x)
        networks = (self.encoders, self.decoders, self.membership)
        own = [weight for network in networks for weight in network.parameters()]
        players = self.penalty.players(self.codes) | {"autoencoder": Player(own, self.loss)}
        history = play(players, x, **options)
        with torch.no_grad():
            warn_of_empty_charts(self.probabilities(x).argmax(-1), self.n_charts)
        return history

    def _generate(self, chart: Tensor, z: Tensor) -> Tensor:
        return self.decode(chart, z)
