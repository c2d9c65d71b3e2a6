"""Standard deviations of a decoder: one number, or one that grows away from the data."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ConstantStandardDeviation", "RBFStandardDeviation"]


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

    Source: Arvanitidis, Hansen and Hauberg, *Latent Space Oddity* (ICLR 2018).

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
        r"""$W$, positive."""
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
        from sklearn.cluster import KMeans

        distinct = len(codes.unique(dim=0))
        if centres > distinct:
            raise ValueError(
                f"{centres} centres need as many different codes, but there are {distinct}"
            )
        clusters = KMeans(centres, n_init=1, random_state=0).fit(codes.double().cpu().numpy())
        centre = torch.as_tensor(clusters.cluster_centers_).to(codes)
        cluster = torch.as_tensor(clusters.labels_, dtype=torch.long, device=codes.device)
        distance = (codes - centre[cluster]).norm(dim=1)
        size = torch.bincount(cluster, minlength=centres)
        spread = torch.zeros(centres).to(codes).index_add(0, cluster, distance) / size
        spread = spread.clamp_min(distance.mean() / 4)  # a cluster of one code has no spread
        weight = precision[:, None].expand(-1, centres).clone()
        floor = torch.full_like(precision, smallest_precision)
        return cls(centre, (reach * spread) ** -2 / 2, weight, floor)

    def forward(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n"]:
        r"""$\sigma(z)$, in the units of the outputs."""
        squared = ((z[..., None, :] - self.centres) ** 2).sum(-1)  # (..., K)
        precision = F.linear(torch.exp(-self.bandwidth * squared), self.weight, self.floor)
        return precision.rsqrt()
