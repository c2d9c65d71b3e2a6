"""Arcs of a circle in a space of many dimensions: data with a hole in the middle."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["ring"]


def ring(
    count: int, fraction: float = 1.0, dimension: int = 10, noise: float = 0.0, seed: int = 0
) -> tuple[Float[Tensor, "count dimension"], Float[Tensor, " count"]]:
    r"""Points $(\cos\theta, \sin\theta) Q^\top + \text{noise}$ on a part of the unit circle.

    $Q \in \mathbb{R}^{n \times 2}$ has orthonormal columns, so distances along the arc are the
    angles: the ends of the arc are $2\pi\,\text{fraction}$ apart along it.

    Args:
        count: how many points, evenly spaced in $\theta \in [0, 2\pi\,\text{fraction}]$.
        fraction: the part of the circle that carries data, in $(0, 1]$.
        dimension: $n \ge 2$, the dimension of the ambient space.
        noise: standard deviation of isotropic Gaussian noise, in units of the radius.
        seed: of $Q$ and of the noise.

    Returns:
        The points, float32, and their angles.

    >>> x, theta = ring(5, fraction=0.75)
    >>> x.shape, bool(torch.allclose(x.norm(dim=1), torch.ones(5)))
    (torch.Size([5, 10]), True)
    """
    if count < 1 or not 0 < fraction <= 1 or dimension < 2 or noise < 0:
        raise ValueError(
            "ring needs count >= 1, 0 < fraction <= 1, dimension >= 2 and noise >= 0, but got "
            f"count={count}, fraction={fraction}, dimension={dimension}, noise={noise}"
        )
    generator = torch.Generator().manual_seed(seed)
    frame = torch.linalg.qr(torch.randn(dimension, 2, generator=generator)).Q
    theta = torch.linspace(0, 2 * torch.pi * fraction, count)
    circle = torch.stack([theta.cos(), theta.sin()], dim=-1)
    return circle @ frame.T + noise * torch.randn(count, dimension, generator=generator), theta
