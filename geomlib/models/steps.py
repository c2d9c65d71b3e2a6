r"""Steps from noise to data: maps $f_i: Z_i \to Z_{i-1}$ between two noise levels.

Where D is smooth so is the step, and it can be pushed forward, pulled back and composed like any
other map. The exact flow is a diffeomorphism of all of $\mathbb{R}^n$: it changes neither dimension
nor topology.
"""

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geomlib.models.denoisers import Denoiser
from geomlib.models.noise import NoiseSchedule

__all__ = ["DDPMStep", "HeunStep", "ProbabilityFlowStep", "Step", "denoising_steps", "walk"]


class Step(nn.Module, ABC):
    r"""A step $x \mapsto x'$ from noise level $\sigma$ to $\sigma'$.

    Attributes:
        sigma_from: $\sigma > 0$.
        sigma_to: $\sigma'$.
        stochastic: whether $x'$ is drawn at random. Such a step is a kernel, not a map, and has no
            Jacobian.

    Args:
        denoiser: $D$, exact or learned.
        sigma_from: $\sigma$, in the units of the data.
        sigma_to: $\sigma'$. A deterministic step may also go up, from data to noise (inversion).

    Raises:
        ValueError: if the two levels are equal, negative or infinite, or $\sigma = 0$.
    """

    stochastic = False

    def __init__(self, denoiser: Denoiser, sigma_from: float, sigma_to: float):
        super().__init__()
        sigma_from, sigma_to = float(sigma_from), float(sigma_to)
        bound = float("inf")
        if not (0 < sigma_from < bound and 0 <= sigma_to < bound) or sigma_from == sigma_to:
            raise ValueError(
                f"a step leads from sigma_from > 0 to another level sigma_to >= 0, but "
                f"sigma_from={sigma_from:g} and sigma_to={sigma_to:g} were given"
            )
        self.denoiser = denoiser
        self.sigma_from, self.sigma_to = sigma_from, sigma_to

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        r"""$x'$."""

    def extra_repr(self) -> str:
        return f"sigma {self.sigma_from:.4g} -> {self.sigma_to:.4g}"


class ProbabilityFlowStep(Step):
    r"""$x' = D + \dfrac{\sigma'}{\sigma}\,(x - D)$, $\;D = D(x, \sigma)$.

    One step of Euler's method on the probability flow $dx/d\sigma = (x - D(x, \sigma))/\sigma$.
    In the variance-exploding frame this *is* the DDIM step, not a relative of it: it keeps the
    guess of the data and of the noise, and mixes them anew. With $\sigma' = 0$ it is D itself.

    Source: Song, Meng and Ermon, *Denoising Diffusion Implicit Models* (ICLR 2021), section 4.3;
    Karras et al. (NeurIPS 2022), section 2.

    >>> from geomlib.models.denoisers import CircleDenoiser
    >>> step = ProbabilityFlowStep(CircleDenoiser(), 0.1, 0.05)
    >>> step(torch.tensor([1.2, 0.0])).round(decimals=3)
    tensor([1.0980, 0.0000])
    """

    def forward(self, x):
        r"""$D + (\sigma'/\sigma)(x - D)$."""
        guess = self.denoiser.denoise(x, self.sigma_from)
        return guess + self.sigma_to / self.sigma_from * (x - guess)


class HeunStep(Step):
    r"""$x' = x + \dfrac{\sigma' - \sigma}{2}\,\bigl(v(x, \sigma) + v(\tilde x, \sigma')\bigr)$ with
    $v = (x - D)/\sigma$ and $\tilde x$ the Euler step: of second order, for two calls of D.

    Source: Karras et al. (NeurIPS 2022), algorithm 1.

    Raises:
        ValueError: also if $\sigma' = 0$, where the second slope is not defined.

    >>> from geomlib.models.denoisers import CircleDenoiser
    >>> step = HeunStep(CircleDenoiser(), 0.1, 0.05)
    >>> step(torch.tensor([1.2, 0.0])).round(decimals=3)
    tensor([1.0990, 0.0000])
    """

    def __init__(self, denoiser: Denoiser, sigma_from: float, sigma_to: float):
        super().__init__(denoiser, sigma_from, sigma_to)
        if self.sigma_to == 0:
            raise ValueError(
                "Heun's method asks for the slope at sigma_to, which must be positive: take a "
                "ProbabilityFlowStep for the step to 0"
            )

    def forward(self, x):
        r"""The mean of the slopes at both ends of the Euler step."""
        width = self.sigma_to - self.sigma_from
        slope = (x - self.denoiser.denoise(x, self.sigma_from)) / self.sigma_from
        end = x + width * slope
        slope_there = (end - self.denoiser.denoise(end, self.sigma_to)) / self.sigma_to
        return x + width / 2 * (slope + slope_there)


class DDPMStep(Step):
    r"""$x' = D + \dfrac{\sigma'^2}{\sigma^2}\,(x - D) + \sigma'\sqrt{1 -
    \dfrac{\sigma'^2}{\sigma^2}}\;\varepsilon$, $\;\varepsilon \sim N(0, I)$.

    Ancestral sampling: a draw from $q(x' \mid x, x_0)$ with D in the place of $x_0$. It is exact
    where a single $x_0$ can be behind x.

    Source: Ho, Jain and Abbeel (NeurIPS 2020), equations (6) and (7), in the variance-exploding
    frame; the smaller of the two variances of their section 3.2.

    Raises:
        ValueError: also if $\sigma' > \sigma$.

    >>> from geomlib.models.denoisers import CircleDenoiser
    >>> step = DDPMStep(CircleDenoiser(), 0.1, 0.05)
    >>> x = torch.tensor([1.2, 0.0]).expand(10_000, 2)
    >>> step(x, torch.Generator().manual_seed(0)).std(0).round(decimals=2)
    tensor([0.0400, 0.0400])
    """

    stochastic = True

    def __init__(self, denoiser: Denoiser, sigma_from: float, sigma_to: float):
        super().__init__(denoiser, sigma_from, sigma_to)
        if self.sigma_to > self.sigma_from:
            raise ValueError(
                f"an ancestral step goes down, but sigma_from={self.sigma_from:g} is below "
                f"sigma_to={self.sigma_to:g}: to add noise, draw x0 + sigma * noise"
            )

    def forward(self, x, generator: torch.Generator | None = None):
        r"""A draw of $x'$; the generator decides which, the global random state if it is None."""
        guess = self.denoiser.denoise(x, self.sigma_from)
        share = (self.sigma_to / self.sigma_from) ** 2
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return guess + share * (x - guess) + self.sigma_to * (1 - share) ** 0.5 * noise


STEPS: dict[str, type[Step]] = {
    "ddim": ProbabilityFlowStep,
    "heun": HeunStep,
    "ddpm": DDPMStep,
}


def denoising_steps(denoiser: Denoiser, schedule: NoiseSchedule, kind: str = "ddim") -> list[Step]:
    r"""$f_K, \dots, f_1$ in the order in which they are applied, from noise to data:
    $f_i: Z_i \to Z_{i-1}$ leads from $\sigma_i$ to $\sigma_{i-1}$.

    Args:
        denoiser: $D$.
        schedule: $\sigma_0 < \dots < \sigma_K$.
        kind: `"ddim"` (`ProbabilityFlowStep`), `"heun"` (`HeunStep`) or `"ddpm"` (`DDPMStep`).

    Raises:
        ValueError: if there is no such kind.

    >>> from geomlib.models.denoisers import CircleDenoiser
    >>> steps = denoising_steps(CircleDenoiser(), NoiseSchedule.geometric(0.1, 10, 2))
    >>> [(round(step.sigma_from, 3), round(step.sigma_to, 3)) for step in steps]
    [(10.0, 1.0), (1.0, 0.1)]
    """
    if kind not in STEPS:
        raise ValueError(f"there is no kind {kind!r} of step: take one of {', '.join(STEPS)}")
    levels = schedule.sigmas.flip(0).tolist()
    return [STEPS[kind](denoiser, a, b) for a, b in pairwise(levels)]


def walk(
    steps: list[Step], x: Float[Tensor, "*batch n"], generator: torch.Generator | None = None
) -> Float[Tensor, "*batch n"]:
    """The end of the chain that starts in x; stochastic steps draw from the generator.

    >>> from geomlib.models.denoisers import CircleDenoiser
    >>> steps = denoising_steps(CircleDenoiser(), NoiseSchedule.geometric(0.01, 10, 40))
    >>> walk(steps, torch.tensor([6.0, 8.0])).round(decimals=2)
    tensor([0.6000, 0.8000])
    """
    for step in steps:
        x = step(x, generator) if step.stochastic else step(x)
    return x
