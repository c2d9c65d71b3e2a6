r"""The two linear models whose solutions are known: the linear autoencoder and the linear VAE.

The first finds the subspace of the principal component analysis, the second its probabilistic
version. Adam crawls along the flat valleys of both losses, so they are fitted by L-BFGS, in double
precision and with all the data at once.
"""

from functools import partial
from math import log, pi
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributions as dist

from geomlib.models.autoencoder import Autoencoder
from geomlib.models.training import fit, seeded
from geomlib.models.vae import VAE, divergence_from_prior
from geomlib.models.validation import check_data, check_sizes, check_width

__all__ = ["LinearAutoencoder", "LinearVAE"]


class LinearAutoencoder(Autoencoder):
    r"""$\min \sum_i \|x_i - D(E(x_i))\|^2$ with affine maps $E$ and $D$.

    Every minimum has the mean of the data as $D(E(\bar x))$ and the span of the first $d$ principal
    components as the image of $D$'s matrix; there is no other local minimum. Which basis of that
    span the columns are is left open.

    Attributes:
        encoder, decoder: affine maps, `nn.Linear`.

    Args:
        data_dim: $n$.
        latent_dim: $d < n$.
        seed: of the initial weights.

    Source: Baldi and Hornik, *Neural Networks and Principal Component Analysis: Learning from
    Examples Without Local Minima*, Neural Networks 2 (1989).

    >>> from scipy.linalg import subspace_angles
    >>> from sklearn.decomposition import PCA
    >>> x = torch.randn(200, 5) * torch.tensor([4.0, 3.0, 1.0, 0.5, 0.1])
    >>> model = LinearAutoencoder(data_dim=5, latent_dim=2)
    >>> losses = model.fit(x, progress=False)
    >>> W = model.decoder.weight.detach()  # (5, 2)
    >>> angles = subspace_angles(W.numpy(), PCA(2).fit(x).components_.T)
    >>> bool(angles.max() < 1e-3)
    True
    """

    def __init__(self, data_dim: int, latent_dim: int = 2, seed: int = 0):
        _check_dimensions(data_dim, latent_dim)
        nn.Module.__init__(self)  # not the perceptrons of its parent
        self.data_dim = data_dim
        self.encoder, self.decoder = _projection(data_dim, latent_dim, seed)

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> list[float]:
        """Train by L-BFGS on all rows at once; options as in `geomlib.models.fit`."""
        check_data(x, self.data_dim, self)
        return _quasi_newton(self, self.encoder, self.decoder, x, options)


class LinearVAE(VAE):
    r"""$z \sim N(0, I_d)$, $\;x \mid z \sim N(Wz + b, s^2 I_n)$, $\;q(z \mid x) = N(V x + c, D)$
    with a diagonal $D$ that does not depend on x.

    At the optimum the bound is tight: it is the likelihood of probabilistic principal component
    analysis. The columns of $W$ span the first $d$ principal components, and $s^2$ is the mean of
    the discarded eigenvalues of the covariance (with $1/N$, not $1/(N-1)$).

    Attributes:
        encoder: the affine map $x \mapsto Vx + c$, `nn.Linear`.
        mean: the affine map $z \mapsto Wz + b$, `nn.Linear`.
        log_std: $\log s$.
        log_spread: half of the logarithm of $D$'s diagonal, `(d,)`.

    Args:
        data_dim: $n$.
        latent_dim: $d < n$.
        seed: of the initial weights.

    Source: Tipping and Bishop, *Probabilistic Principal Component Analysis*, JRSS B 61 (1999),
    section 3.2; Lucas, Tucker, Grosse and Norouzi, *Don't Blame the ELBO! A Linear VAE Perspective
    on Posterior Collapse* (NeurIPS 2019).

    >>> x = torch.randn(200, 5) * torch.tensor([4.0, 3.0, 1.0, 0.5, 0.1])
    >>> model = LinearVAE(data_dim=5, latent_dim=2)
    >>> losses = model.fit(x, progress=False)
    >>> eigenvalues = torch.linalg.eigvalsh(torch.cov(x.T, correction=0))  # ascending
    >>> bool((model.noise_variance / eigenvalues[:3].mean() - 1).abs() < 1e-4)
    True
    """

    def __init__(self, data_dim: int, latent_dim: int = 2, seed: int = 0):
        _check_dimensions(data_dim, latent_dim)
        super().__init__()
        self.data_dim = data_dim
        self.encoder, self.mean = _projection(data_dim, latent_dim, seed)
        self.log_std = nn.Parameter(torch.zeros(()))
        self.log_spread = nn.Parameter(torch.zeros(latent_dim))

    @property
    def noise_variance(self) -> Float[Tensor, ""]:
        r"""$s^2$."""
        return (2 * self.log_std).exp().detach()

    def encode(
        self, x: Float[Tensor, "*batch n"]
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch d"]]:
        r"""Mean and standard deviation of $q(z \mid x)$; the mean is the *code* of x."""
        check_width(x, self.data_dim)
        code = self.encoder(x)
        return code, self.log_spread.exp().expand_as(code)

    def distribution(self, z: Float[Tensor, "*batch d"]) -> dist.Normal:
        r"""$N(Wz + b, s^2 I)$, batch shape `(*batch, n)`."""
        mean = self.mean(z)
        return dist.Normal(mean, self.log_std.exp().expand_as(mean))

    def negative_log_likelihood(
        self, x: Float[Tensor, "batch n"], z: Float[Tensor, "batch d"]
    ) -> Float[Tensor, ""]:
        r"""$-\log p(x \mid z)$, the mean over the batch, in nats."""
        return self._nats((x - self.mean(z)).square().sum(-1).mean())

    def loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""The negative evidence lower bound per sample, in nats and without sampling:
        $\mathbb{E}_q\|x - Wz - b\|^2 = \|x - W(Vx + c) - b\|^2 + \operatorname{tr} W D W^\top$."""
        code, spread = self.encode(x)
        error = (x - self.mean(code)).square().sum(-1).mean()
        error = error + (self.mean.weight * self.log_spread.exp()).square().sum()
        return self._nats(error) + divergence_from_prior(code, spread)

    def _nats(self, squared_error: Tensor) -> Tensor:
        constant = self.data_dim * (self.log_std + log(2 * pi) / 2)
        return squared_error / (2 * (2 * self.log_std).exp()) + constant

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> list[float]:
        """Train by L-BFGS on all rows at once; options as in `geomlib.models.fit`.

        Raises:
            ValueError: if the data lie in an affine space of $d$ dimensions: the best $s$ is then
                0, and the likelihood has no bound.
        """
        check_data(x, self.data_dim, self)
        latent_dim = len(self.log_spread)
        rank = int(torch.linalg.matrix_rank(x - x.mean(0)))
        if rank <= latent_dim:
            raise ValueError(
                f"the data span {rank} dimensions and the model has {latent_dim}: no noise is left "
                "and the likelihood is unbounded. Take more samples or fewer latent dimensions"
            )
        return _quasi_newton(self, self.encoder, self.mean, x, options)


def _check_dimensions(data_dim: int, latent_dim: int) -> None:
    check_sizes(data_dim=data_dim, latent_dim=latent_dim)
    if latent_dim >= data_dim:
        raise ValueError(
            f"latent_dim = {latent_dim} and data_dim = {data_dim}: a linear model needs fewer "
            "latent dimensions than outputs, or there is nothing to discard"
        )


def _projection(data_dim: int, latent_dim: int, seed: int) -> tuple[nn.Linear, nn.Linear]:
    """Encoder and decoder that together project onto a random subspace.

    From independent random matrices the optimiser would need many more steps.
    """
    with seeded(seed), torch.no_grad():
        encoder, decoder = nn.Linear(data_dim, latent_dim), nn.Linear(latent_dim, data_dim)
        frame = torch.linalg.qr(torch.randn(data_dim, latent_dim)).Q
        decoder.weight.copy_(frame)
        encoder.weight.copy_(frame.T)
        decoder.bias.zero_()
        encoder.bias.zero_()
    return encoder, decoder


def _quasi_newton(
    model: nn.Module, encoder: nn.Module, decoder: nn.Module, x: Tensor, options: dict[str, Any]
) -> list[float]:
    """Fit by L-BFGS in double precision, 20 steps an epoch.

    The maps are fitted to x less its mean and then moved to where x is: around 0 the loss is
    better conditioned.
    """
    dtype, x = x.dtype, x.double()
    centre = x.mean(0)
    lbfgs = partial(
        torch.optim.LBFGS,
        max_iter=20,
        history_size=50,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )
    fixed = {"optimiser": lbfgs, "batch_size": len(x)}
    options = {"epochs": 60, "learning_rate": 1.0, **options, **fixed}
    model.double()
    _move(encoder, decoder, -centre)
    try:
        return fit(model.parameters(), model.loss, x - centre, **options)  # type: ignore[arg-type]
    finally:
        _move(encoder, decoder, centre)
        model.to(dtype)


@torch.no_grad()
def _move(encoder: Any, decoder: Any, by: Tensor) -> None:
    """Move the image of the decoder; the encoder then says of x + by what it said of x."""
    decoder.bias += by
    encoder.bias -= encoder.weight @ by
