"""Models with several charts: what all of them share, and the atlas built of given functions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from operator import index

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geomlib.models.validation import check_sizes, check_width
from geomlib.riemann.validation import as_points

__all__ = ["AtlasModel", "ExplicitAtlas"]


class AtlasModel(nn.Module, ABC):
    r"""$K$ charts: encoders $E_i: U_i \to Z_i \subset \mathbb{R}^d$, decoders $D_i: Z_i \to
    \mathbb{R}^n$ and a partition of unity, $\rho_i(x) \ge 0$ with $\sum_i \rho_i(x) = 1$.

    A subclass says what $E_i$, $D_i$ and $\rho$ are, and the domain $Z_i$ unless it is all of
    $\mathbb{R}^d$. Mixed batches, transitions, overlaps and reconstructions follow. $D_i$ is to be
    the inverse of the chart $E_i$; how far it is from that, `covers` measures.

    Attributes:
        n_charts: $K$.
        latent_dim: $d$.
        data_dim: $n$.

    Source: the words are those of Stolberg-Larsen and Sommer, *Atlas Generative Models and Geodesic
    Interpolation*, arXiv 2102.00264.
    """

    def __init__(self, n_charts: int, data_dim: int, latent_dim: int):
        check_sizes(n_charts=n_charts, data_dim=data_dim, latent_dim=latent_dim)
        super().__init__()
        self.n_charts, self.data_dim, self.latent_dim = n_charts, data_dim, latent_dim

    @abstractmethod
    def encode_chart(self, i: int, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch d"]:
        r"""The coordinates $E_i(x)$ in chart i."""

    @abstractmethod
    def decode_chart(self, i: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        r"""The point $D_i(z)$."""

    @abstractmethod
    def probabilities(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""The partition of unity $\rho(x)$. Where x lies outside every chart, all are 0."""

    def in_domain(self, i: int, z: Float[Tensor, "*batch d"]) -> Bool[Tensor, "*batch"]:
        r"""Whether $z \in Z_i$; a model that knows no better takes all of $\mathbb{R}^d$."""
        self.check_chart(i)
        check_width(z, self.latent_dim, "z")
        return torch.isfinite(z).all(-1)

    def into_domain(self, i: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        r"""The point of the closure of $Z_i$ next to z; here z itself."""
        self.check_chart(i)
        check_width(z, self.latent_dim, "z")
        return z

    def depth(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""How far inside its domain each $E_i(x)$ is, to compare charts by; here $\rho_i(x)$."""
        return self.probabilities(x)

    def encode_all(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K d"]:
        r"""$E_1(x), \dots, E_K(x)$, also those of charts that x does not lie in."""
        self._check_points(x)
        return torch.stack([self.encode_chart(i, x) for i in range(self.n_charts)], dim=-2)

    def decode_all(self, z: Float[Tensor, "*batch K d"]) -> Float[Tensor, "*batch K n"]:
        r"""$D_1(z_1), \dots, D_K(z_K)$."""
        parts = [self.decode_chart(i, z[..., i, :]) for i in range(self.n_charts)]
        return torch.stack(parts, dim=-2)

    def encode(
        self, x: Float[Tensor, "*batch n"]
    ) -> tuple[Int[Tensor, "*batch"], Float[Tensor, "*batch d"]]:
        r"""The most probable chart $i = \arg\max_i \rho_i(x)$ and the coordinates $E_i(x)$ in it.

        Raises:
            ValueError: if a point lies outside every chart; `probabilities(x).sum(-1) > 0` and
                `covers` tell which ones do not.
        """
        self._check_points(x)
        rho = self.probabilities(x)
        outside = ~(rho.sum(-1) > 0)
        if outside.any():
            first = [round(value, 4) for value in x[outside][0].flatten()[:8].tolist()]
            raise ValueError(
                f"{int(outside.sum())} of {outside.numel()} points lie outside every chart, the "
                f"first begins {first}: keep only those with probabilities(x).sum(-1) > 0"
            )
        chart = rho.argmax(-1)
        return chart, _pick(self.encode_all(x), chart)

    def decode(
        self, chart: Int[Tensor, "*batch"], z: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch n"]:
        r"""The points $D_i(z)$, each in the chart that `chart` names; the two broadcast.

        Raises:
            ValueError: if a chart is outside 0, ..., K - 1.
        """
        check_width(z, self.latent_dim, "z")
        if chart.is_floating_point() or chart.dtype == torch.bool:
            raise ValueError(
                f"chart must be whole numbers, but the dtype is {chart.dtype}: use chart.long()"
            )
        for i in (int(chart.min()), int(chart.max())) if chart.numel() else ():
            self.check_chart(i)
        batch = torch.broadcast_shapes(chart.shape, z.shape[:-1])
        z = z.expand(*batch, z.shape[-1])
        parts = [self.decode_chart(i, z) for i in range(self.n_charts)]
        return _pick(torch.stack(parts, dim=-2), chart.long().expand(batch))

    def reconstruct(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        r"""$D_i(E_i(x))$ in the most probable chart: jumps where the chart changes."""
        return self.decode(*self.encode(x))

    def reconstructions(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K n"]:
        r"""$D_i(E_i(x))$ of every chart."""
        return self.decode_all(self.encode_all(x))

    def reconstruct_mixed(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        r"""$\sum_i \rho_i(x)\, D_i(E_i(x))$: smooth if $\rho$ is, a chord where charts differ."""
        rho = self.probabilities(x)[..., None]
        # a chart that x is not in may say anything there, NaN included
        return torch.where(rho > 0, rho * self.reconstructions(x), 0.0).sum(-2)

    def transition(self, i: int, j: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        r"""$\tau_{ij}(z) = E_j(D_i(z))$: from the coordinates of chart i to those of chart j.

        It means something where `covers` says that chart j holds $D_i(z)$.
        """
        self.check_chart(i)
        self.check_chart(j)
        check_width(z, self.latent_dim, "z")
        return self.encode_chart(j, self.decode_chart(i, z))

    def covers(
        self, x: Float[Tensor, "*batch n"], tolerance: float, threshold: float = 0.0
    ) -> Bool[Tensor, "*batch K"]:
        r"""Whether $x \in U_i$ as the model sees it: $E_i(x) \in Z_i$, $\rho_i(x) >$ `threshold`
        and $\|x - D_i(E_i(x))\| \le$ `tolerance`.

        Args:
            x: points.
            tolerance: the largest error of a chart that counts as good, in the units of x.
            threshold: below it the model itself does not vouch for the chart. A softmax is never
                0, so with the default it is the error alone that decides.
        """
        if not tolerance > 0:
            raise ValueError(f"tolerance = {tolerance}, but it must be positive")
        if not 0 <= threshold < 1:
            raise ValueError(f"threshold = {threshold}, but it must be in [0, 1)")
        z = self.encode_all(x)
        error = (x[..., None, :] - self.decode_all(z)).norm(dim=-1)
        inside = [self.in_domain(i, z[..., i, :]) for i in range(self.n_charts)]
        return (
            torch.stack(inside, dim=-1)
            & (self.probabilities(x) > threshold)
            & (error <= tolerance)  # false for NaN
        )

    def overlap(
        self, i: int, j: int, points: Float[Tensor, "*batch n"], tolerance: float
    ) -> Bool[Tensor, "*batch"]:
        r"""Which points lie in $U_i \cap U_j$, by `covers`."""
        self.check_chart(i)
        self.check_chart(j)
        covered = self.covers(points, tolerance)
        return covered[..., i] & covered[..., j]

    def check_chart(self, i: int) -> None:
        """Raise unless i is the number of a chart."""
        try:
            inside = 0 <= index(i) < self.n_charts
        except TypeError:
            raise ValueError(f"a chart is named by a whole number, but {i!r} was given") from None
        if not inside:
            raise ValueError(
                f"there is no chart {i}: this atlas has the charts 0, ..., {self.n_charts - 1}"
            )

    def _check_points(self, x: Tensor) -> None:
        check_width(as_points(x, "x"), self.data_dim)


def _pick(values: Tensor, chart: Tensor) -> Tensor:
    """`values[..., chart, :]`: of `(..., K, m)` the row that `chart`, `(...)`, names."""
    return values.take_along_dim(chart[..., None, None], dim=-2).squeeze(-2)


Map = Callable[[Tensor], Tensor]


class ExplicitAtlas(AtlasModel):
    r"""An atlas of given functions $E_i$, $D_i$, with $\rho_i = w_i / \sum_j w_j$.

    No parameter is learned. `geomlib.models.explicit_atlases` builds circle, sphere, torus, Möbius
    band and Klein bottle so: each is the known answer that a learned atlas is held against.

    Args:
        encoders: $E_i$, `(..., n)` to `(..., d)`. Outside $U_i$ they may return anything.
        decoders: $D_i$, `(..., d)` to `(..., n)`.
        weights: $w_i \ge 0$, `(..., n)` to `(...)`; 0 outside $U_i$, and smooth if $\rho$ is to be.
        domains: whether $z \in Z_i$, `(..., d)` to booleans `(...)`.
        data_dim: $n$.
        latent_dim: $d$.

    Raises:
        ValueError: if the four lists do not have one entry for each chart.

    The line, by one chart:

    >>> line = ExplicitAtlas([lambda x: x[..., :1]], [lambda z: torch.cat([z, 2 * z], -1)],
    ...                      [lambda x: torch.ones_like(x[..., 0])], [lambda z: z[..., 0] > 0],
    ...                      data_dim=2, latent_dim=1)
    >>> chart, z = line.encode(torch.tensor([[3.0, 6.0]]))
    >>> chart.tolist(), z.tolist(), line.decode(chart, z).tolist()
    ([0], [[3.0]], [[3.0, 6.0]])
    """

    def __init__(
        self,
        encoders: Sequence[Map],
        decoders: Sequence[Map],
        weights: Sequence[Map],
        domains: Sequence[Map],
        *,
        data_dim: int,
        latent_dim: int,
    ):
        counts = [len(part) for part in (encoders, decoders, weights, domains)]
        if len(set(counts)) > 1:
            raise ValueError(
                "every chart needs an encoder, a decoder, a weight and a domain, but there are "
                "{}, {}, {} and {}".format(*counts)
            )
        super().__init__(counts[0], data_dim, latent_dim)
        self.encoders, self.decoders = tuple(encoders), tuple(decoders)
        self.weights, self.domains = tuple(weights), tuple(domains)

    def encode_chart(self, i: int, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch d"]:
        r"""The coordinates $E_i(x)$ in chart i."""
        self.check_chart(i)
        check_width(x, self.data_dim)
        return self.encoders[i](x)

    def decode_chart(self, i: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        r"""The point $D_i(z)$."""
        self.check_chart(i)
        check_width(z, self.latent_dim, "z")
        return self.decoders[i](z)

    def probabilities(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch K"]:
        r"""$\rho_i(x) = w_i(x) / \sum_j w_j(x)$; all are 0 where all weights are."""
        check_width(x, self.data_dim)
        weights = torch.stack([weight(x) for weight in self.weights], dim=-1)
        total = weights.sum(-1, keepdim=True)
        return weights / torch.where(total > 0, total, 1.0)

    def in_domain(self, i: int, z: Float[Tensor, "*batch d"]) -> Bool[Tensor, "*batch"]:
        r"""Whether $z \in Z_i$."""
        return super().in_domain(i, z) & self.domains[i](z)
