"""The chart autoencoder: several encoders and decoders, and a network that says which to take."""

import warnings
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from geomlib.models.atlas import AtlasModel
from geomlib.models.parallel import ParallelPerceptrons
from geomlib.models.perceptron import perceptron
from geomlib.models.training import fit, seeded
from geomlib.models.validation import check_data, check_sizes, check_width

__all__ = ["ChartAutoencoder", "farthest_points", "warn_of_empty_charts"]


class ChartAutoencoder(AtlasModel):
    r"""$\min\; \mathbb{E}\,\bigl[\min_a e_a - \sum_a \ell_a \log p_a\bigr] + \lambda R$ with
    $e_a(x) = \|x - D_a(E_a(x))\|^2$, $\ell = \operatorname{softmax}(-e / \tau)$.

    The chart with the least error is trained on a sample; the predictor $p$ learns which one it is
    without seeing the errors. $E_a$ ends in a sigmoid, so that $Z_a = (0, 1)^d$. The penalty
    $R = \tfrac1K \sum_a \prod_l \|W_a^l\|_2$ bounds the Lipschitz constants of the decoders.

    Left to themselves, some charts never have the least error and die. So training begins with one
    sample for each chart, the samples as far apart as can be: chart a learns to put its own into
    the middle of $Z_a$.

    Attributes:
        encoders, decoders: K perceptrons each, `ParallelPerceptrons`; the sigmoid comes after them.
        predictor: the logits of $p$, an `nn.Sequential`, `(..., n)` to `(..., K)`.

    Args:
        data_dim: $n$.
        charts: $K$.
        latent_dim: $d$.
        hidden: width of the two hidden layers of every network.
        seed: of the initial weights.
        lipschitz: $\lambda$.
        temperature: $\tau$, in the units of $e$. The paper takes 1; the smaller it is, the surer
            the predictor is of the better chart.

    Source: Schonsheck, Chen and Lai, *Chart Auto-Encoders for Manifold Structured Data*,
    arXiv 1912.10094. There the predictor and the encoders share their first layers.

    >>> angle = torch.linspace(0, 6.28, 100)
    >>> x = torch.stack([angle.cos(), angle.sin()], dim=-1)
    >>> model = ChartAutoencoder(data_dim=2, charts=2, latent_dim=1, hidden=16)
    >>> losses = model.fit(x, epochs=200, learning_rate=1e-2, progress=False)
    >>> bool((model.reconstruct(x) - x).norm(dim=-1).max() < 0.5)  # one chart: at least 1
    True
    """

    def __init__(
        self,
        data_dim: int,
        charts: int = 2,
        latent_dim: int = 2,
        hidden: int = 32,
        seed: int = 0,
        *,
        lipschitz: float = 1e-4,
        temperature: float = 0.1,
    ):
        check_sizes(hidden=hidden)
        if lipschitz < 0 or not temperature > 0:
            raise ValueError(
                f"lipschitz = {lipschitz} must not be negative, temperature = {temperature} must "
                "be positive"
            )
        super().__init__(charts, data_dim, latent_dim)
        self.lipschitz, self.temperature = lipschitz, temperature
        with seeded(seed):
            self.encoders = ParallelPerceptrons(charts, data_dim, hidden, hidden, latent_dim)
            self.decoders = ParallelPerceptrons(charts, latent_dim, hidden, hidden, data_dim)
            self.predictor = perceptron(data_dim, hidden, hidden, charts)

    def encode_chart(self, i: int, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch d"]:
        r"""The coordinates $E_i(x) \in (0, 1)^d$."""
        self.check_chart(i)
        check_width(x, self.data_dim)
        return self.encoders.one(i, x).sigmoid()

    def decode_chart(self, i: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        r"""The point $D_i(z)$."""
        self.check_chart(i)
        check_width(z, self.latent_dim, "z")
        return self.decoders.one(i, z)

    def probabilities(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""What the predictor says, $p(x)$: positive everywhere, so only in practice a partition
        that the charts' domains support."""
        check_width(x, self.data_dim)
        return self.predictor(x).softmax(-1)

    def in_domain(self, i: int, z: Float[Tensor, "*batch d"]) -> Bool[Tensor, "*batch"]:
        r"""Whether $z \in (0, 1)^d$."""
        return super().in_domain(i, z) & ((z > 0) & (z < 1)).all(-1)

    def depth(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""$1 - \max_j |2 E_i(x)_j - 1|$: 1 in the middle of the cube, 0 at its edge."""
        return 1 - (2 * self.encode_all(x) - 1).abs().amax(-1)

    def encode_all(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K d"]:
        r"""$E_1(x), \dots, E_K(x)$, also those of charts that x does not lie in."""
        check_width(x, self.data_dim)
        return self.encoders(x).sigmoid()

    def decode_all(self, z: Float[Tensor, "*batch K d"]) -> Float[Tensor, "*batch K n"]:
        r"""$D_1(z_1), \dots, D_K(z_K)$."""
        return self.decoders.each(z)

    def errors(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""$e_a(x) = \|x - D_a(E_a(x))\|^2$, summed over the outputs."""
        return (x[..., None, :] - self.reconstructions(x)).square().sum(-1)

    def loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$\min_a e_a - \sum_a \ell_a \log p_a$, the mean over the batch, plus $\lambda R$."""
        errors = self.errors(x)
        better = (-errors.detach() / self.temperature).softmax(-1)
        unlike = -(better * self.predictor(x).log_softmax(-1)).sum(-1)
        return (
            errors.amin(-1) + unlike
        ).mean() + self.lipschitz * self.decoders.lipschitz_bounds().mean()

    def fit(
        self, x: Float[Tensor, "count n"], *, pretraining: int = 100, **options: Any
    ) -> list[float]:
        """Place the charts, then train everything; options as in `geomlib.models.fit`.

        Args:
            x: the data.
            pretraining: how many steps the charts take on their first samples alone.
            options: as in `geomlib.models.fit`.

        Raises:
            ValueError: if there are more charts than different samples.

        Warns:
            UserWarning: if a chart is the best one for no sample.
        """
        check_data(x, self.data_dim, self)
        starts = x[farthest_points(x, self.n_charts)]
        own = torch.arange(self.n_charts, device=x.device)

        def placing(_: Tensor) -> Tensor:
            codes = self.encode_all(starts)[own, own]  # chart a of sample a
            errors = (starts - self.decode(own, codes)).square().sum(-1)
            off_centre = (codes - 0.5).square().sum(-1)
            return (errors + off_centre).mean() + F.cross_entropy(self.predictor(starts), own)

        fit(
            self.parameters(),
            placing,
            own[:1],
            epochs=pretraining,
            learning_rate=1e-2,
            progress=False,
        )
        history = fit(self.parameters(), self.loss, x, **options)
        with torch.no_grad():
            best = self.errors(x).argmin(-1)
        warn_of_empty_charts(best, self.n_charts)
        return history


def farthest_points(x: Float[Tensor, "count n"], number: int) -> Int[Tensor, " number"]:
    r"""Rows of x, each as far as possible from those before it; the first is farthest from the
    mean.

    Raises:
        ValueError: if x has fewer different rows.

    >>> farthest_points(torch.tensor([[0.0], [1.0], [5.0], [4.5]]), 3).tolist()
    [0, 2, 1]
    """
    distance = (x - x.mean(0)).norm(dim=-1)
    chosen = [int(distance.argmax())]
    distance = (x - x[chosen[0]]).norm(dim=-1)
    while len(chosen) < number:
        if not distance.max() > 0:
            raise ValueError(
                f"{number} charts need as many different samples to start from, but x has "
                f"{len(chosen)}: take fewer charts or more data"
            )
        chosen.append(int(distance.argmax()))
        distance = distance.minimum((x - x[chosen[-1]]).norm(dim=-1))
    return torch.tensor(chosen, device=x.device)


def warn_of_empty_charts(chart: Int[Tensor, " count"], charts: int) -> None:
    """Warn if one of the charts 0, ..., K - 1 is named nowhere in `chart`."""
    empty = (torch.bincount(chart, minlength=charts) == 0).nonzero()[:, 0].tolist()
    if empty:
        warnings.warn(
            f"of {charts} charts {empty} hold no sample: they are untrained. Try another seed or "
            "fewer charts",
            stacklevel=3,
        )
