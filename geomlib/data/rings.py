"""Data with a hole in the middle: arcs of a circle, and Gaussians on a circle."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["gaussian_ring", "ring"]


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


def gaussian_ring(
    count: int, modes: int = 8, radius: float = 1.0, std: float = 0.05, seed: int = 0
) -> tuple[Float[Tensor, "count 2"], Int[Tensor, " count"]]:
    r"""Points of an equal mixture of round Gaussians whose means stand evenly on a circle.

    Mode $k$ has the mean $R(\cos(2\pi k/K), \sin(2\pi k/K))$, $k = 0, \dots, K - 1$.

    Args:
        count: how many points, in random order.
        modes: $K$.
        radius: $R$.
        std: standard deviation of each Gaussian, in the units of the radius.
        seed: of modes and points.

    Returns:
        The points, float32, and the number of the mode that each comes from.

    Source: Metz et al., *Unrolled Generative Adversarial Networks* (ICLR 2017).

    >>> x, mode = gaussian_ring(1000)
    >>> x.shape, mode.unique().tolist()
    (torch.Size([1000, 2]), [0, 1, 2, 3, 4, 5, 6, 7])
    """
    if count < 1 or modes < 1 or radius <= 0 or std < 0:
        raise ValueError(
            "gaussian_ring needs count >= 1, modes >= 1, radius > 0 and std >= 0, but got "
            f"count={count}, modes={modes}, radius={radius}, std={std}"
        )
    generator = torch.Generator().manual_seed(seed)
    mode = torch.randint(modes, (count,), generator=generator)
    angle = 2 * torch.pi * mode / modes
    means = radius * torch.stack([angle.cos(), angle.sin()], dim=-1)
    return means + std * torch.randn(count, 2, generator=generator), mode
