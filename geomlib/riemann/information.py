r"""The Fisher-Rao metric of a decoder that returns distributions.

A family of distributions $p_\theta$ is a Riemannian manifold with the Fisher information
$I(\theta) = \mathbb{E}\bigl[\nabla\log p_\theta\,\nabla\log p_\theta^\top\bigr]$ as its metric. The
decoder $z \mapsto \theta(z)$ pulls it back: $G = J_\theta^\top I J_\theta$, and
$\mathrm{KL}(p_z \,\|\, p_{z + \mathrm dz}) = \tfrac12 \mathrm dz^\top G\, \mathrm dz$ to second
order. Independent outputs add up.

Source: Arvanitidis, González-Duque, Pouplin, Kalatzis and Hauberg, *Pulling back information
geometry* (AISTATS 2022, arXiv 2106.05367); Amari and Nagaoka, *Methods of Information Geometry*
(2000), chapter 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor
from torch import distributions as dist

from geomlib.riemann.boundary import EnergyModel
from geomlib.riemann.derivatives import value_and_jacobian
from geomlib.riemann.kinks import kinked, no_second_derivatives
from geomlib.riemann.metric import MatrixMetric, Metric
from geomlib.riemann.pullback import PullbackMetric
from geomlib.riemann.validation import as_points, check_network

__all__ = ["FisherRaoMetric"]


class FisherRaoMetric(Metric):
    r"""$G = J_\theta^\top I(\theta)\, J_\theta$ for a decoder $z \mapsto p_{\theta(z)}$.

    Args:
        decoder: maps `(batch, d)` to a `torch.distributions.Distribution` whose first batch
            dimension is the batch; all its further entries are independent outputs.
        chunk_size: as for `PullbackMetric`.

    Bernoulli, (one-hot) categorical, Poisson and exponential outputs have Euclidean coordinates in
    which the information is the identity ($2\arcsin\sqrt p$, $2\sqrt p$, $2\sqrt\lambda$,
    $\log\lambda$), so they are as fast as any pull-back metric. Normal, log-normal, Laplace, Beta,
    Gamma and von Mises outputs use their information matrix in closed form. Any other family for
    which torch knows the Kullback-Leibler divergence uses the Hessian of that.

    Raises:
        ValueError: if the decoder returns no distribution, one without a known divergence, or a
            family whose support moves with its parameters, like the uniform one: it has no Fisher
            information.

    The distance between two normal distributions:

    >>> metric = FisherRaoMetric(lambda z: dist.Normal(z[..., 0], z[..., 1]))
    >>> a, b = torch.tensor([[0.0, 1.0], [2.0, 0.5]]).double()
    >>> round(metric.distance(a, b).item(), 5)
    2.6124
    """

    def __init__(
        self,
        decoder: Callable[[Tensor], dist.Distribution],
        *,
        chunk_size: int = Metric.chunk_size,
    ):
        self.decoder = decoder
        self.chunk_size = chunk_size
        self._found: Metric | None = None

    def matrix(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d d"]:
        return self._metric(z).matrix(z)

    def inner(self, z: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self._metric(z).inner(z, u, v)

    def connection(self, z: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self._metric(z).connection(z, u, v)

    def riemann(self, z: Tensor, u: Tensor, v: Tensor) -> Tensor:
        self.check_smooth(z)
        return self._metric(z).riemann(z, u, v)

    def squared_chords(self, points: Tensor) -> Tensor:
        metric = self._metric(points)
        with _unchecked():
            return metric.squared_chords(points)

    def energy_model(self, points: Tensor) -> EnergyModel:
        metric = self._metric(points)
        with _unchecked():
            return metric.energy_model(points)

    def jacobi_slopes(
        self, z: Tensor, v: Tensor, fields: Tensor, changes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        return self._metric(z).jacobi_slopes(z, v, fields, changes)

    def check_smooth(self, z: Tensor) -> None:
        name = kinked(self.decoder, z)
        if name is not None:
            raise no_second_derivatives(name)

    def _metric(self, z: Tensor) -> Metric:
        """What does the work: chosen by the first distribution that the decoder returns."""
        check_network(self.decoder, as_points(z))
        if self._found is None:
            with torch.no_grad():
                family = type(self._decode(z.detach().reshape(-1, z.shape[-1])[:1]))
            if family in FLAT:
                self._found = _OfParameters(self._coordinates(FLAT), chunk_size=self.chunk_size)
            elif family in CURVED:
                names, information = CURVED[family]
                self._found = _OfParameters(
                    self._parameters(names),
                    Product(MatrixMetric(information), len(names)),
                    chunk_size=self.chunk_size,
                )
            else:
                self._found = _Divergence(self._decode)
                self._found.matrix(z.reshape(-1, z.shape[-1])[:1])  # raises if there is none
        return self._found

    def _decode(self, z: Tensor) -> dist.Distribution:
        try:
            p = self.decoder(z)
        except (RuntimeError, IndexError) as error:
            raise ValueError(
                f"the decoder fails at {z.dtype} points of shape {tuple(z.shape)}: {error}. "
                "It must map any batch of points, (batch, d), to a distribution, each by itself "
                "and without chance: call .eval() on a network inside"
            ) from error
        while isinstance(p, dist.Independent):
            p = p.base_dist
        if not isinstance(p, dist.Distribution):
            raise ValueError(
                f"the decoder returned a {type(p).__name__}, but the Fisher-Rao metric needs a "
                "torch.distributions object, e.g. Normal(mean(z), std(z)). For a tensor of "
                "outputs use PullbackMetric"
            )
        if isinstance(p, MOVING):
            raise ValueError(
                f"the support of {type(p).__name__} moves with its parameters, so it has no Fisher "
                "information: nearby distributions have an infinite divergence. Use a family with "
                "a fixed support, e.g. Normal or Beta"
            )
        if not p.batch_shape or p.batch_shape[0] != len(z):
            raise ValueError(
                f"for points of shape {tuple(z.shape)} the decoder returned a distribution of "
                f"batch shape {tuple(p.batch_shape)}: its first dimension must be the batch"
            )
        return p

    def _coordinates(self, table: dict) -> Callable[[Tensor], Tensor]:
        def flat(z: Tensor) -> Tensor:
            p = self._decode(z)
            return table[type(p)](p).reshape(len(z), -1)

        return flat

    def _parameters(self, names: tuple[str, ...]) -> Callable[[Tensor], Tensor]:
        def stacked(z: Tensor) -> Tensor:
            p = self._decode(z)
            return torch.stack([getattr(p, name) for name in names], dim=-1).reshape(len(z), -1)

        return stacked


class _OfParameters(PullbackMetric):
    """A pull-back metric that looks for no edges at a distance, where parameters may not exist."""

    def check_smooth(self, z: Tensor) -> None:
        """The decoder has been looked at."""


class Product(Metric):
    r"""The metric of a product of equal factors: coordinates `(..., n p)`, $p$ of each factor."""

    def __init__(self, factor: Metric, dimension: int):
        self.factor = factor
        self.dimension = dimension

    def matrix(self, z: Tensor) -> Tensor:
        return self.lower(z, torch.eye(z.shape[-1]).to(z).expand(*z.shape, -1))

    def lower(self, z: Tensor, columns: Tensor) -> Tensor:
        blocks = columns.unflatten(-2, (-1, self.dimension))
        return self.factor.lower(self._split(z), blocks).flatten(-3, -2)

    def inner(self, z: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self.factor.inner(*map(self._split, (z, u, v))).sum(-1)

    def connection(self, z: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self.factor.connection(*map(self._split, (z, u, v))).flatten(-2)

    def riemann(self, z: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self.factor.riemann(*map(self._split, (z, u, v))).sum(-1)

    def squared_chords(self, points: Tensor) -> Tensor:
        step = points[..., 1:, :] - points[..., :-1, :]
        return self.inner((points[..., 1:, :] + points[..., :-1, :]) / 2, step, step)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.dimension))


class _Divergence(Metric):
    r"""$G_{ij}(z) = \partial_i\partial_j\, \mathrm{KL}(p_z \,\|\, p_w)$ at $w = z$."""

    def __init__(self, decode: Callable[[Tensor], dist.Distribution]):
        self.decode = decode

    def matrix(self, z: Tensor) -> Tensor:
        flat = as_points(z).reshape(-1, z.shape[-1])
        start = self.decode(flat)

        def divergence(w: Tensor) -> Tensor:
            try:
                return dist.kl_divergence(start, self.decode(w)).reshape(len(w), -1).sum(-1)
            except NotImplementedError as error:
                raise ValueError(
                    f"torch knows no Kullback-Leibler divergence of {type(start).__name__}, and no "
                    "closed form of its Fisher information is here: give the parameters to a "
                    "PullbackMetric with the information as ambient=MatrixMetric(...)"
                ) from error

        def slope(w: Tensor) -> Tensor:
            return value_and_jacobian(divergence, w)[1]

        hessian = value_and_jacobian(slope, flat)[1]
        return ((hessian + hessian.mT) / 2).reshape(*z.shape, z.shape[-1])


@contextmanager
def _unchecked() -> Iterator[None]:
    """Let a solver try points whose parameters are not valid: it turns back by itself."""
    before = dist.Distribution._validate_args
    dist.Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        dist.Distribution.set_default_validate_args(before)


def _angle(p: dist.Bernoulli) -> Tensor:
    r"""$2\arcsin\sqrt p$ from the logit, which never overflows."""
    return torch.pi / 2 + 2 * torch.atan(torch.tanh(p.logits / 4))


def _location_scale(of_scale: float) -> Callable[[Tensor], Tensor]:
    r"""$I = \operatorname{diag}(1, c)/s^2$ for a family with location and scale $s$."""

    def information(theta: Tensor) -> Tensor:
        weights = torch.tensor([1.0, of_scale]).to(theta)
        return torch.diag_embed(weights / theta[..., 1:] ** 2)

    return information


def _beta(theta: Tensor) -> Tensor:
    own = torch.polygamma(1, theta)
    both = torch.polygamma(1, theta.sum(-1))
    return torch.diag_embed(own) - both[..., None, None]


def _gamma(theta: Tensor) -> Tensor:
    shape, rate = theta.unbind(-1)
    mixed = -1 / rate
    rows = [torch.polygamma(1, shape), mixed, mixed, shape / rate**2]
    return torch.stack(rows, dim=-1).unflatten(-1, (2, 2))


def _von_mises(theta: Tensor) -> Tensor:
    k = theta[..., 1]
    ratio = torch.special.i1e(k) / torch.special.i0e(k)
    # the variance of cos loses its digits for large k: there its expansion in 1/k takes over
    large = k > torch.finfo(k.dtype).eps ** -0.2
    series = (1 / 2 + (1 / 4 + 3 / 8 / k) / k) / k**2
    variance = torch.where(large, series, 1 - ratio / k - ratio**2)
    return torch.diag_embed(torch.stack([k * ratio, variance], dim=-1))


# torch knows divergences of these, but they are infinite as soon as the support moves
MOVING = (dist.Uniform, dist.Pareto)
# coordinates in which the information is the identity
FLAT: dict[type, Callable] = {
    dist.Bernoulli: _angle,
    dist.Categorical: lambda p: 2 * (p.logits / 2).exp(),
    dist.OneHotCategorical: lambda p: 2 * (p.logits / 2).exp(),
    dist.Poisson: lambda p: 2 * p.rate.sqrt(),
    dist.Exponential: lambda p: p.rate.log(),
}
# parameters of one output, and their information
CURVED: dict[type, tuple[tuple[str, ...], Callable[[Tensor], Tensor]]] = {
    dist.Normal: (("loc", "scale"), _location_scale(2.0)),
    dist.LogNormal: (("loc", "scale"), _location_scale(2.0)),
    dist.Laplace: (("loc", "scale"), _location_scale(1.0)),
    dist.Beta: (("concentration1", "concentration0"), _beta),
    dist.Gamma: (("concentration", "rate"), _gamma),
    dist.VonMises: (("loc", "concentration"), _von_mises),
}
