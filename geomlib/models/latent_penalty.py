r"""How far the codes of an autoencoder with charts are from its prior: by a kernel, or by a rival.

Codes are pairs $(i, z)$. An encoder gives K of them for each point, $z_i = E_i(x)$ with weight
$q_i(x)$; the prior draws i uniformly from the charts and z uniformly from the cube $(-1, 1)^d$.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from geomlib.models.perceptron import perceptron
from geomlib.models.training import Player, seeded
from geomlib.models.validation import check_sizes

__all__ = ["AdversarialPenalty", "LatentPenalty", "MMDPenalty"]

Codes = Callable[[Tensor], tuple[Tensor, Tensor]]


class LatentPenalty(nn.Module, ABC):
    r"""A distance of $\mathbb{E}_x \sum_i q_i(x)\, \delta_{(i, E_i(x))}$ from $\tfrac1K \sum_i
    \delta_i \otimes U(-1, 1)^d$."""

    @abstractmethod
    def forward(
        self, weights: Float[Tensor, "batch K"], codes: Float[Tensor, "batch K d"]
    ) -> Float[Tensor, ""]:
        r"""What the autoencoder is to lower, given $q_i(x)$ and $E_i(x)$ of a batch."""

    def players(self, codes: Codes) -> dict[str, Player]:
        """Who else trains, in turns with the autoencoder; `codes` maps a batch of points to what
        `forward` takes. Here no one."""
        return {}


class MMDPenalty(LatentPenalty):
    r"""$\mathrm{MMD}^2 = \mathbb{E}\, k(v, v') - 2\, \mathbb{E}\, k(v, w) + \mathbb{E}\, k(w, w')$
    with $v, v'$ codes and $w, w'$ draws of the prior, $k((i, z), (j, z')) = \delta_{ij}\, c / (c +
    \|z - z'\|^2)$.

    The estimate is a U-statistic: it leaves out the pairs $v = v'$, has the right mean, and may be
    negative where the two distributions agree. The sum over charts is exact, only z is drawn.

    Args:
        scale: of $c$, in units of $\tfrac23 d$, where $d$ is the dimension of z. At 1, $c$ is
            twice the variance of the prior, as in the source.

    Raises:
        ValueError: if `scale` is not positive, or a batch has one point only, where a U-statistic
            needs two.

    Source: Tolstikhin, Bousquet, Gelly and Schölkopf, *Wasserstein Auto-Encoders*, ICLR 2018,
    algorithm 2 and section 4; Gretton et al., *A Kernel Two-Sample Test*, JMLR 13 (2012), lemma 6.

    >>> penalty = MMDPenalty()
    >>> codes = 2 * torch.rand(2000, 1, 2) - 1  # one chart, like the prior
    >>> bool(penalty(torch.ones(2000, 1), codes).abs() < 0.01)
    True
    >>> round(penalty(torch.ones(2000, 1), 0 * codes).item(), 1)
    0.2
    """

    def __init__(self, scale: float = 1.0):
        super().__init__()
        if not scale > 0:
            raise ValueError(f"scale = {scale}, but it must be positive")
        self.scale = scale

    def forward(
        self, weights: Float[Tensor, "batch K"], codes: Float[Tensor, "batch K d"]
    ) -> Float[Tensor, ""]:
        r"""$\mathrm{MMD}^2$ from as many draws of the prior as there are points."""
        count, charts, _ = codes.shape
        if count < 2:
            raise ValueError(
                f"a batch has {count} point, but MMD compares pairs: choose batch_size so that "
                "the last batch has two at least"
            )
        z, q = codes.transpose(0, 1), weights.T  # (K, batch, d), (K, batch)
        prior = 2 * torch.rand_like(codes[:, 0]) - 1
        pairs = count * (count - 1)
        among_codes = (self._kernel(z, z) * q[:, :, None] * q[:, None]).sum() - (q**2).sum()
        across = (self._kernel(z, prior) * q[:, :, None]).sum() / charts
        among_prior = (self._kernel(prior, prior).sum() - count) / charts
        return (among_codes + among_prior) / pairs - 2 * across / count**2

    def _kernel(self, a: Tensor, b: Tensor) -> Tensor:
        # |a - b|^2 term by term: the gradient of cdist is infinite where a = b
        square = (a[..., :, None, :] - b[..., None, :, :]).square().sum(-1)
        c = self.scale * 2 / 3 * a.shape[-1]  # a coordinate of the prior has variance 1/3
        return c / (c + square)


class AdversarialPenalty(LatentPenalty):
    r"""$-\mathbb{E}_x \sum_i q_i(x) \log f(i, E_i(x))$, where $f$ tells draws of the prior from
    codes: $\max_f\; \mathbb{E}_{i, z} \log f(i, z) + \mathbb{E}_x \sum_i q_i(x) \log(1 - f(i,
    E_i(x)))$.

    With the best f, the maximum is twice the Jensen-Shannon divergence less $\log 4$.

    Attributes:
        discriminator: the K logits of $f(\cdot, z)$, an `nn.Sequential`, `(..., d)` to `(..., K)`.

    Args:
        charts: $K$.
        latent_dim: $d$.
        hidden: width of the two hidden layers of f.
        seed: of the initial weights.

    Raises:
        ValueError: if the atlas has other sizes.

    Source: Makhzani et al., *Adversarial Autoencoders*, arXiv 1511.05644; for charts, Korman,
    *Autoencoding topology*, arXiv 1803.00156.

    >>> penalty = AdversarialPenalty(charts=2, latent_dim=1)
    >>> weights, codes = torch.full((10, 2), 0.5), torch.rand(10, 2, 1)
    >>> penalty(weights, codes).shape
    torch.Size([])
    """

    def __init__(self, charts: int, latent_dim: int, hidden: int = 32, seed: int = 0):
        check_sizes(charts=charts, latent_dim=latent_dim, hidden=hidden)
        super().__init__()
        self.charts, self.latent_dim = charts, latent_dim
        with seeded(seed):
            self.discriminator = perceptron(latent_dim, hidden, hidden, charts)

    def forward(
        self, weights: Float[Tensor, "batch K"], codes: Float[Tensor, "batch K d"]
    ) -> Float[Tensor, ""]:
        r"""$-\sum_i q_i \log f(i, z_i)$, the mean over the batch."""
        return (weights * F.softplus(-self._logits(codes))).sum(-1).mean()

    def discriminator_loss(
        self, weights: Float[Tensor, "batch K"], codes: Float[Tensor, "batch K d"]
    ) -> Float[Tensor, ""]:
        r"""What f lowers: $\log 4$ for $f = \tfrac12$."""
        fake = (weights * F.softplus(self._logits(codes))).sum(-1)
        real = F.softplus(-self.discriminator(2 * torch.rand_like(codes[:, 0]) - 1)).mean(-1)
        return (real + fake).mean()

    def players(self, codes: Codes) -> dict[str, Player]:
        """The discriminator, which sees the codes but does not move them."""

        def loss(x: Tensor) -> Tensor:
            with torch.no_grad():
                weights, z = codes(x)
            return self.discriminator_loss(weights, z)

        adam = partial(torch.optim.Adam, betas=(0.5, 0.9))
        return {"discriminator": Player(self.discriminator.parameters(), loss, adam)}

    def _logits(self, codes: Tensor) -> Tensor:
        """Of f(i, z_i): `(batch, K)` from the K codes of each point."""
        if codes.shape[1:] != (self.charts, self.latent_dim):
            raise ValueError(
                f"the penalty was built for charts = {self.charts} and latent_dim = "
                f"{self.latent_dim}, but the atlas has {codes.shape[1]} and {codes.shape[2]}: "
                "build both with the same sizes"
            )
        return self.discriminator(codes).diagonal(dim1=-2, dim2=-1)
