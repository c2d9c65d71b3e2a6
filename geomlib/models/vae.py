r"""A Gaussian variational autoencoder whose uncertainty grows away from the data.

The decoder's mean is a multilayer perceptron. Its standard deviation comes from a network of
radial basis functions, as in Arvanitidis, Hansen and Hauberg, *Latent Space Oddity* (ICLR 2018):
far from every code the precision falls to a floor, so the expected metric
$J_\mu^\top J_\mu + J_\sigma^\top J_\sigma$ makes it expensive to leave the data.
"""

from itertools import pairwise
from math import log, pi

import torch
from jaxtyping import Float
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn import functional as F

from geomlib.models.training import fit

__all__ = ["GaussianVAE", "RBFStandardDeviation"]


class GaussianVAE(nn.Module):
    r"""$z \sim N(0, I_d)$, $\;x \mid z \sim N(\mu(z), \operatorname{diag}\sigma(z)^2)$.

    Attributes:
        mean: the decoder's mean $\mu$, an `nn.Sequential`, `(..., d)` to `(..., n)`.
        std: the decoder's standard deviation $\sigma$. One number for all pixels until
            `fit_standard_deviation` replaces it by an `RBFStandardDeviation`.

    Args:
        data_dim: $n$.
        latent_dim: $d$.
        hidden: width of the two hidden layers of encoder and decoder.
        seed: of the initial weights.

    Source: Kingma and Welling, *Auto-Encoding Variational Bayes* (ICLR 2014).

    >>> vae = GaussianVAE(data_dim=784, latent_dim=2)
    >>> z = torch.zeros(5, 2)
    >>> vae.mean(z).shape, vae.std(z).shape
    (torch.Size([5, 784]), torch.Size([5, 784]))
    """

    def __init__(self, data_dim: int, latent_dim: int = 2, hidden: int = 64, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = _perceptron(data_dim, hidden, hidden, 2 * latent_dim)
            self.mean = _perceptron(latent_dim, hidden, hidden, data_dim)
        self.std: nn.Module = ConstantStandardDeviation(data_dim)

    def encode(
        self, x: Float[Tensor, "*batch n"]
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch d"]]:
        r"""Mean and standard deviation of $q(z \mid x)$; the mean is the *code* of x."""
        mean, log_variance = self.encoder(x).chunk(2, dim=-1)
        return mean, (log_variance / 2).exp()

    def loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""The negative evidence lower bound per sample, in nats:
        $\mathbb{E}_q[-\log p(x \mid z)] + \mathrm{KL}(q(z \mid x) \,\|\, N(0, I))$."""
        code, spread = self.encode(x)
        z = code + spread * torch.randn_like(spread)
        divergence = (code**2 + spread**2 - 1) / 2 - spread.log()
        return self.negative_log_likelihood(x, z) + divergence.sum(-1).mean()

    def negative_log_likelihood(
        self, x: Float[Tensor, "batch n"], z: Float[Tensor, "batch d"]
    ) -> Float[Tensor, ""]:
        r"""$-\log p(x \mid z)$, the mean over the batch, in nats."""
        sigma = self.std(z)
        terms = ((x - self.mean(z)) / sigma) ** 2 / 2 + sigma.log() + log(2 * pi) / 2
        return terms.sum(-1).mean()

    def fit(self, x: Float[Tensor, "count n"], **options) -> list[float]:
        """Train encoder, mean and one common standard deviation; options as in `models.fit`."""
        options = {"description": "encoder and mean", **options}
        return fit(self.parameters(), self.loss, x, **options)

    def fit_standard_deviation(
        self,
        x: Float[Tensor, "count n"],
        *,
        centres: int = 64,
        reach: float = 1.5,
        smallest_precision: float = 1.0,
        **options,
    ) -> list[float]:
        r"""Fit $\sigma$ alone, with the mean and the codes held fixed.

        Centres are the k-means of the codes; each bandwidth follows the spread of its cluster
        (*Latent Space Oddity*, section 4).

        Args:
            centres: how many radial basis functions.
            reach: $a$ in $\lambda_k = \tfrac12 (a \cdot \text{mean distance in cluster } k)^{-2}$.
            smallest_precision: $\zeta$, what is left of the precision far away from all codes,
                so that $\sigma$ tends to $\zeta^{-1/2}$ there.
            options: go to `geomlib.models.fit`.

        Raises:
            ValueError: if there are more centres than data.
        """
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


class ConstantStandardDeviation(nn.Module):
    r"""One learned $\sigma$ for all outputs and all $z$."""

    def __init__(self, data_dim: int):
        super().__init__()
        self.data_dim = data_dim
        self.log_std = nn.Parameter(torch.tensor(-1.0))

    def forward(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        return self.log_std.exp().expand(*z.shape[:-1], self.data_dim)


class RBFStandardDeviation(nn.Module):
    r"""$\sigma(z) = \beta(z)^{-1/2}$ with $\beta(z) = W v(z) + \zeta$ and
    $v_k(z) = \exp(-\lambda_k \|z - c_k\|^2)$.

    Attributes:
        centres: $c$, `(K, d)`.
        bandwidth: $\lambda$, `(K,)`, in units of inverse squared latent length.
        weight: $W \ge 0$, `(n, K)`, learned through a softplus.
        floor: $\zeta > 0$, `(n,)`.

    Source: *Latent Space Oddity*, equation (10).

    >>> centre, weight = torch.zeros(1, 2), torch.full((3, 1), 99.0)
    >>> std = RBFStandardDeviation(centre, torch.ones(1), weight, torch.ones(3))
    >>> near, far = std(torch.tensor([[0.0, 0.0], [9.0, 0.0]])).mean(1).tolist()
    >>> round(near, 3), round(far, 3)
    (0.1, 1.0)
    """

    centres: Tensor
    bandwidth: Tensor
    floor: Tensor

    def __init__(
        self,
        centres: Float[Tensor, "K d"],
        bandwidth: Float[Tensor, " K"],
        weight: Float[Tensor, "n K"],
        floor: Float[Tensor, " n"],
    ):
        super().__init__()
        if (weight <= 0).any() or (floor <= 0).any() or (bandwidth <= 0).any():
            raise ValueError("weight, floor and bandwidth must be positive")
        self.register_buffer("centres", centres)
        self.register_buffer("bandwidth", bandwidth)
        self.register_buffer("floor", floor)
        # the inverse of softplus, written so that large weights do not overflow
        self.raw_weight = nn.Parameter(weight + torch.log(-torch.expm1(-weight)))

    @property
    def weight(self) -> Float[Tensor, "n K"]:
        return F.softplus(self.raw_weight)

    @classmethod
    def around(
        cls,
        codes: Float[Tensor, "count d"],
        centres: int,
        reach: float,
        smallest_precision: float,
        precision: Float[Tensor, " n"],
    ) -> "RBFStandardDeviation":
        """Centres at the k-means of `codes`, with `precision` as the first guess near them."""
        clusters = KMeans(centres, n_init=1, random_state=0).fit(codes.double().numpy())
        centre = torch.as_tensor(clusters.cluster_centers_, dtype=codes.dtype)
        cluster = torch.as_tensor(clusters.labels_, dtype=torch.long)
        distance = (codes - centre[cluster]).norm(dim=1)
        size = torch.bincount(cluster, minlength=centres)
        spread = torch.zeros(centres).index_add(0, cluster, distance) / size
        spread = spread.clamp_min(distance.mean() / 4)  # a cluster of one code has no spread
        weight = precision[:, None].expand(-1, centres).clone()
        floor = torch.full_like(precision, smallest_precision)
        return cls(centre, (reach * spread) ** -2 / 2, weight, floor)

    def forward(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        squared = ((z[..., None, :] - self.centres) ** 2).sum(-1)  # (..., K)
        precision = F.linear(torch.exp(-self.bandwidth * squared), self.weight, self.floor)
        return precision.rsqrt()


def _perceptron(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.Tanh()]
    return nn.Sequential(*layers[:-1])
