"""A mixture of VAEs whose decoders are injective by construction: each one is a chart."""

from math import lgamma, log, pi
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geomlib.models.atlas import AtlasModel
from geomlib.models.chart_autoencoder import farthest_points, warn_of_empty_charts
from geomlib.models.parallel import ParallelPerceptrons
from geomlib.models.training import fit, seeded
from geomlib.models.validation import check_data, check_sizes, check_width

__all__ = ["MixtureVAE"]

EDGE = 8  # the power that makes exp(-|z|^power) nearly uniform on (-1, 1)
LOG_PRIOR_MASS = log(2) + lgamma(1 + 1 / EDGE)


class MixtureVAE(AtlasModel):
    r"""$p(x) = \tfrac1K \sum_k p(x \mid k)$, each a VAE with $D_k = T_k(z, 0)$, $T_k$ invertible,
    and $E_k(x) = T_k^{-1}(x)_{1..d}$.

    So $E_k \circ D_k = \mathrm{id}$ exactly: every decoder is injective and its encoder is its left
    inverse, whatever the weights. $T_k$ is an affine frame after four additive coupling layers. The
    latent density $\propto \exp(-\sum_i z_i^8)$ is nearly uniform on $Z_k = (-1, 1)^d$, the noise
    is $x \mid z, k \sim N(D_k(z), \sigma^2 I)$, and $q(z \mid x, k) = N(E_k(x),
    \operatorname{diag} s_k^2)$.

    Chart k starts as the tangent plane at one of K samples that are as far apart as can be.
    Maximum likelihood alone makes charts meet at their edges. The *overlap* phase that follows
    weighs a sample by what it would be worth to a chart if that chart's cube were wider.

    Attributes:
        to_normal, to_tangent: the networks of the coupling layers, two each.
        log_spread: $\log s$, `(K, d)`.

    Args:
        data_dim: $n$.
        charts: $K$.
        latent_dim: $d < n$.
        hidden: width of the hidden layer of every coupling network.
        seed: of the initial weights.
        noise: $\sigma$, in the units of the data; an error much larger rules a chart out.

    Source: Alberti, Hertrich, Santacesaria and Sciutto, *Manifold Learning by Mixture Models of
    VAEs for Inverse Problems*, JMLR 25(202), 2024, section 3. There the first placing is by other
    means, and the latent density is a spline.

    >>> angle = torch.linspace(0, 3, 100)
    >>> x = torch.stack([angle.cos(), angle.sin()], dim=-1)
    >>> model = MixtureVAE(data_dim=2, charts=2, latent_dim=1)
    >>> losses = model.fit(x, epochs=30, overlap_epochs=5, learning_rate=1e-2, progress=False)
    >>> z = torch.tensor([[-0.5], [0.5]])
    >>> bool((model.transition(1, 1, z) - z).abs().max() < 1e-5)
    True
    """

    frames: Tensor
    centres: Tensor
    scales: Tensor

    def __init__(
        self,
        data_dim: int,
        charts: int = 2,
        latent_dim: int = 2,
        hidden: int = 32,
        seed: int = 0,
        *,
        noise: float = 0.1,
    ):
        check_sizes(hidden=hidden)
        super().__init__(charts, data_dim, latent_dim)
        if latent_dim >= data_dim:
            raise ValueError(
                f"latent_dim = {latent_dim} and data_dim = {data_dim}: an injective decoder that "
                "parts tangent from normal directions needs fewer latent dimensions than outputs"
            )
        if not noise > 0:
            raise ValueError(f"noise = {noise}, but it must be positive")
        self.noise = noise
        normal = data_dim - latent_dim
        with seeded(seed):
            self.to_normal = nn.ModuleList(
                ParallelPerceptrons(charts, latent_dim, hidden, normal) for _ in range(2)
            )
            self.to_tangent = nn.ModuleList(
                ParallelPerceptrons(charts, normal, hidden, latent_dim) for _ in range(2)
            )
        with torch.no_grad():  # so that a chart begins nearly flat
            for network in [*self.to_normal, *self.to_tangent]:
                network.weights[-1] *= 0.1
                network.biases[-1].zero_()
        self.log_spread = nn.Parameter(torch.full((charts, latent_dim), -3.0))
        self.register_buffer("frames", torch.eye(data_dim).repeat(charts, 1, 1))
        self.register_buffer("centres", torch.zeros(charts, data_dim))
        self.register_buffer("scales", torch.ones(charts))

    def decode_all(self, z: Float[Tensor, "*batch K d"]) -> Float[Tensor, "*batch K n"]:
        r"""$D_1(z_1), \dots, D_K(z_K)$."""
        tangent = z
        normal = z.new_zeros(*z.shape[:-1], self.data_dim - self.latent_dim)
        for up, along in self._couplings():
            normal = normal + up.each(tangent)
            tangent = tangent + along.each(normal)
        local = torch.cat([tangent, normal], dim=-1) * self.scales[:, None]
        return (self.frames @ local[..., None])[..., 0] + self.centres

    def encode_all(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K d"]:
        r"""$E_1(x), \dots, E_K(x)$, also those of charts that x does not lie in."""
        check_width(x, self.data_dim)
        return self._encode_each(x[..., None, :].expand(*x.shape[:-1], self.n_charts, -1))

    def _encode_each(self, x: Tensor) -> Tensor:
        local = (self.frames.mT @ (x - self.centres)[..., None])[..., 0] / self.scales[:, None]
        tangent, normal = local.tensor_split((self.latent_dim,), dim=-1)
        for up, along in reversed(self._couplings()):
            tangent = tangent - along.each(normal)
            normal = normal - up.each(tangent)
        return tangent

    def _couplings(self) -> list[tuple[Any, Any]]:
        return list(zip(self.to_normal, self.to_tangent, strict=True))

    def encode_chart(self, i: int, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch d"]:
        r"""The coordinates $E_i(x)$ in chart i."""
        self.check_chart(i)
        return self.encode_all(x)[..., i, :]

    def decode_chart(self, i: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        r"""The point $D_i(z)$."""
        self.check_chart(i)
        check_width(z, self.latent_dim, "z")
        everywhere = z[..., None, :].expand(*z.shape[:-1], self.n_charts, -1)
        return self.decode_all(everywhere)[..., i, :]

    def in_domain(self, i: int, z: Float[Tensor, "*batch d"]) -> Bool[Tensor, "*batch"]:
        r"""Whether $z \in (-1, 1)^d$."""
        return super().in_domain(i, z) & (z.abs() < 1).all(-1)

    def into_domain(self, i: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        r"""The point of $[-1, 1]^d$ next to z."""
        self.check_chart(i)
        return z.clamp(-1, 1)

    def depth(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""$1 - \max_j |E_i(x)_j|$: 1 in the middle of the cube, 0 at its edge."""
        return 1 - self.encode_all(x).abs().amax(-1)

    def probabilities(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""$\beta_k(x) \propto \exp(\text{bound}_k(x))$, at the mean of $q(z \mid x, k)$."""
        z = self.encode_all(x)
        return self._bounds(x, z, z).softmax(-1)

    def bounds(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""One-sample estimates of the evidence lower bounds $\mathbb{E}_q[\log p(x \mid z, k) +
        \log p(z) - \log q(z \mid x, k)] \le \log p(x \mid k)$, in nats."""
        mean = self.encode_all(x)
        z = mean + self.log_spread.exp() * torch.randn_like(mean)
        return self._bounds(x, z, z)

    def loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$-\log \tfrac1K \sum_k \exp(\text{bound}_k)$, the mean over the batch, in nats."""
        return log(self.n_charts) - self.bounds(x).logsumexp(-1).mean()

    def overlap_loss(self, x: Float[Tensor, "batch n"], widening: float) -> Float[Tensor, ""]:
        r"""$-\sum_k \tilde\beta_k\, \text{bound}_k$; $\tilde\beta_k$ is the share that chart k
        would have of x if its cube, and no other's, were `widening` times as wide."""
        mean = self.encode_all(x)
        z = mean + self.log_spread.exp() * torch.randn_like(mean)
        bounds, wide = self._bounds(x, z, z), self._bounds(x, z, z / widening)
        with torch.no_grad():
            others = bounds[..., None, :].expand(*bounds.shape, -1)  # (..., k, K)
            own = torch.eye(self.n_charts, dtype=torch.bool, device=x.device)
            shares = torch.where(own, wide[..., None], others).log_softmax(-1)
            weight = shares.diagonal(dim1=-2, dim2=-1).softmax(-1)
        return -(weight * bounds).sum(-1).mean()

    def _bounds(self, x: Tensor, z: Tensor, place: Tensor) -> Tensor:
        error = (x[..., None, :] - self.decode_all(z)).square().sum(-1)
        likelihood = -error / (2 * self.noise**2) - self.data_dim * log(2 * pi * self.noise**2) / 2
        prior = -(place**EDGE).sum(-1) - self.latent_dim * LOG_PRIOR_MASS
        entropy = (self.log_spread + log(2 * pi) / 2 + 0.5).sum(-1)
        return likelihood + prior + entropy

    def fit(
        self,
        x: Float[Tensor, "count n"],
        *,
        overlap_epochs: int = 10,
        widening: float = 1.5,
        **options: Any,
    ) -> list[float]:
        """Place the charts, maximise the likelihood, then widen the charts until they overlap.

        Args:
            x: the data.
            overlap_epochs: how long the overlap phase is; 0 leaves it out.
            widening: how much wider a cube is made in it, at least 1.
            options: as in `geomlib.models.fit`.

        Returns:
            The losses of the likelihood phase.

        Raises:
            ValueError: if there are more charts than different samples.

        Warns:
            UserWarning: if a chart is the most probable one for no sample.
        """
        check_data(x, self.data_dim, self)
        if widening < 1:
            raise ValueError(f"widening = {widening}, but it must be at least 1")
        self._place(x)
        parameters = list(self.parameters())
        history = fit(parameters, self.loss, x, **options)
        if overlap_epochs:
            options = {**options, "epochs": overlap_epochs, "description": "overlap"}
            fit(parameters, lambda rows: self.overlap_loss(rows, widening), x, **options)
        with torch.no_grad():
            warn_of_empty_charts(self.probabilities(x).argmax(-1), self.n_charts)
        return history

    @torch.no_grad()
    def _place(self, x: Tensor) -> None:
        """Chart k: the principal components of the samples next to its start."""
        starts = x[farthest_points(x, self.n_charts)]
        nearest = torch.cdist(x, starts).argmin(-1)
        for k in range(self.n_charts):
            near = x[nearest == k]
            centre = near.mean(0)
            self.frames[k] = torch.linalg.svd(near - centre, full_matrices=True).Vh.mT
            self.centres[k] = centre
            local = (near - centre) @ self.frames[k][:, : self.latent_dim]
            self.scales[k] = 1.1 * local.abs().max().clamp_min(1e-3)

    @torch.no_grad()
    def sample(
        self, count: int, seed: int = 0
    ) -> tuple[Float[Tensor, "count n"], Int[Tensor, " count"]]:
        r"""Points $D_k(z)$ without noise, k and z uniform, and their charts."""
        with seeded(seed):
            chart = torch.randint(self.n_charts, (count,))
            z = 2 * torch.rand(count, self.latent_dim) - 1
        chart, z = chart.to(self.centres.device), z.to(self.centres)
        return self.decode(chart, z), chart
