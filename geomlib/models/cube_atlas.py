"""Atlases whose charts are cubes, with a uniform prior on the codes."""

from abc import abstractmethod

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geomlib.models.atlas import AtlasModel
from geomlib.models.training import seeded
from geomlib.models.validation import check_data

__all__ = ["CubeAtlas"]


class CubeAtlas(AtlasModel):
    r"""$Z_i = (-1, 1)^d$ for every i, and the prior: i uniform, $z \sim U(-1, 1)^d$.

    A subclass says how it draws the points of mixed charts, beside what an `AtlasModel` says.
    """

    def in_domain(self, i: int, z: Float[Tensor, "*batch d"]) -> Bool[Tensor, "*batch"]:
        r"""Whether $z \in (-1, 1)^d$, where the prior is. Codes of data may lie beyond."""
        return super().in_domain(i, z) & (z.abs() < 1).all(-1)

    def into_domain(self, i: int, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        r"""The point of $[-1, 1]^d$ next to z."""
        return super().into_domain(i, z).clamp(-1, 1)

    @torch.no_grad()
    def sample(
        self, count: int, seed: int = 0
    ) -> tuple[Float[Tensor, "count n"], Int[Tensor, " count"]]:
        r"""Points $D_i(z)$, i and z drawn from the prior, and their i."""
        with seeded(seed):
            chart, z = self._draw(count)
        return self._generate(chart, z), chart

    def _draw(self, count: int) -> tuple[Tensor, Tensor]:
        weight = next(self.parameters())
        chart = torch.randint(self.n_charts, (count,))
        z = 2 * torch.rand(count, self.latent_dim) - 1
        return chart.to(weight.device), z.to(weight)

    @abstractmethod
    def _generate(self, chart: Tensor, z: Tensor) -> Tensor:
        """The points $D_i(z)$ of charts and coordinates known to be good."""

    def _check_samples(self, x: Tensor) -> None:
        """Raise unless x is data to fit, with a sample a chart at least."""
        check_data(x, self.data_dim, self)
        if self.n_charts > len(x):
            raise ValueError(
                f"{self.n_charts} charts need at least as many samples, but x has {len(x)}"
            )
