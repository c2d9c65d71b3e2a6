"""Noise levels of a diffusion model, from data to noise."""

from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from geomlib.models.validation import check_sizes

__all__ = ["NoiseSchedule"]


class NoiseSchedule:
    r"""$0 < \sigma_0 < \sigma_1 < \dots < \sigma_K$: the noise in $Z_0$ (data) to $Z_K$ (noise).

    The variance-exploding frame: $x = x_0 + \sigma\varepsilon$ with $\varepsilon \sim N(0, I)$.
    A DDPM at time t holds $\sqrt{\bar\alpha_t}\,x_0 + \sqrt{1 - \bar\alpha_t}\,\varepsilon$, which
    is $\sqrt{\bar\alpha_t}\,x$ with $\sigma^2 = (1 - \bar\alpha_t)/\bar\alpha_t$: the same point up
    to a factor that everyone knows.

    Attributes:
        sigmas: $\sigma_0, \dots, \sigma_K$, `(K + 1,)`, float64, in the units of the data.
        steps: $K$, how many steps lead from noise to data.
        alpha_bar: $\bar\alpha_i = 1/(1 + \sigma_i^2)$, `(K + 1,)`.

    Args:
        sigmas: positive and strictly increasing, two at least.

    Raises:
        ValueError: if they are not.

    >>> NoiseSchedule(torch.tensor([0.1, 1.0, 10.0])).steps
    2
    """

    def __init__(self, sigmas: Float[Tensor, " levels"]):
        sigmas = torch.as_tensor(sigmas).detach().double()
        if sigmas.ndim != 1 or len(sigmas) < 2:
            raise ValueError(
                f"sigmas have shape {tuple(sigmas.shape)}, but two noise levels at least are "
                "needed, (K + 1,) with K >= 1"
            )
        if not torch.isfinite(sigmas).all() or sigmas[0] <= 0 or (sigmas.diff() <= 0).any():
            raise ValueError(
                "noise levels must be positive, finite and strictly increasing, the data's end "
                f"first, but got {[round(s, 4) for s in sigmas.tolist()]}: "
                "sort them, or flip a list that runs from noise to data"
            )
        self.sigmas = sigmas

    @classmethod
    def geometric(cls, sigma_min: float, sigma_max: float, steps: int) -> "NoiseSchedule":
        r"""$\sigma_i = \sigma_{min} (\sigma_{max}/\sigma_{min})^{i/K}$: every step divides the
        noise by the same number.

        Source: Song and Ermon, *Generative Modeling by Estimating Gradients of the Data
        Distribution* (NeurIPS 2019).

        >>> [round(s, 3) for s in NoiseSchedule.geometric(0.1, 10, 2).sigmas.tolist()]
        [0.1, 1.0, 10.0]
        """
        _check_ends(sigma_min, sigma_max, steps)
        exponents = torch.linspace(log(sigma_min), log(sigma_max), steps + 1, dtype=torch.float64)
        return cls(exponents.exp())

    @classmethod
    def karras(
        cls, sigma_min: float, sigma_max: float, steps: int, rho: float = 7
    ) -> "NoiseSchedule":
        r"""$\sigma_i = \bigl(\sigma_{min}^{1/\rho} + \tfrac iK (\sigma_{max}^{1/\rho} -
        \sigma_{min}^{1/\rho})\bigr)^\rho$: shorter steps near the data the larger $\rho$.

        Source: Karras et al., *Elucidating the Design Space of Diffusion-Based Generative Models*
        (NeurIPS 2022), equation (5), there with i counted from noise to data.

        >>> [round(s, 3) for s in NoiseSchedule.karras(0.1, 10, 2).sigmas.tolist()]
        [0.1, 1.451, 10.0]
        """
        _check_ends(sigma_min, sigma_max, steps)
        if rho <= 0:
            raise ValueError(f"rho must be positive, but {rho} was given")
        roots = torch.linspace(
            sigma_min ** (1 / rho), sigma_max ** (1 / rho), steps + 1, dtype=torch.float64
        )
        return cls(roots**rho)

    @classmethod
    def ddpm(
        cls, steps: int = 1000, beta_min: float = 1e-4, beta_max: float = 0.02
    ) -> "NoiseSchedule":
        r"""$\bar\alpha_i = \prod_{t \le i}(1 - \beta_t)$ with $\beta_0, \dots, \beta_K$ evenly
        spaced from $\beta_{min}$ to $\beta_{max}$.

        The defaults are those of Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models*
        (NeurIPS 2020), section 4. With fewer steps take larger betas, or much noise is never added.

        >>> schedule = NoiseSchedule.ddpm()
        >>> round(schedule.sigmas[0].item(), 3), round(schedule.sigmas[-1].item())
        (0.01, 158)
        """
        check_sizes(steps=steps)
        if not 0 < beta_min <= beta_max < 1:
            raise ValueError(
                f"0 < beta_min <= beta_max < 1 is needed, but beta_min={beta_min} and "
                f"beta_max={beta_max}"
            )
        betas = torch.linspace(beta_min, beta_max, steps + 1, dtype=torch.float64)
        alpha_bar = (1 - betas).log().cumsum(0).exp()
        return cls(((1 - alpha_bar) / alpha_bar).sqrt())

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def alpha_bar(self) -> Tensor:
        return 1 / (1 + self.sigmas**2)

    def __repr__(self) -> str:
        low, high = self.sigmas[0].item(), self.sigmas[-1].item()
        return f"NoiseSchedule({self.steps} steps, sigma from {low:.4g} to {high:.4g})"


def _check_ends(sigma_min: float, sigma_max: float, steps: int) -> None:
    check_sizes(steps=steps)
    if not 0 < sigma_min < sigma_max < float("inf"):
        raise ValueError(
            f"0 < sigma_min < sigma_max is needed, but sigma_min={sigma_min} and "
            f"sigma_max={sigma_max}"
        )
