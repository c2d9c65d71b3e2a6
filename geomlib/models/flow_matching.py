r"""Flow matching: a velocity field learned by regression, the sibling of diffusion.

On the straight path $x_s = (1 - s)\,x_0 + s\,\varepsilon$ the velocity is $v(x, s) = \mathbb{E}[
\varepsilon - x_0 \mid x_s = x]$. With $\sigma = s/(1 - s)$ and $x_s/(1 - s) = x_0 + \sigma
\varepsilon$ it is the denoiser in other coordinates, $v = (x - D)/s$, and the same chain of maps.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise
from math import pi
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geomlib.models.annealing import annealed_adam
from geomlib.models.denoisers import Denoiser
from geomlib.models.perceptron import perceptron
from geomlib.models.training import fit, seeded
from geomlib.models.validation import check_data, check_sizes, check_width
from geomlib.riemann.validation import as_points, inside_transform

__all__ = ["EulerFlowStep", "FlowMatching", "FlowStep", "HeunFlowStep", "flow_steps", "velocity_of"]

FREQUENCIES = 4

Velocity = Callable[[Tensor, float | Tensor], Tensor]


class FlowStep(nn.Module, ABC):
    r"""A step of $dx/ds = v(x, s)$ from time s to time $s'$: a map, as smooth as v.

    Attributes:
        time_from: $s$, between 0 (data) and 1 (noise).
        time_to: $s'$.
        sigma_from, sigma_to: the same as noise levels $s/(1 - s)$ of a diffusion; infinite at 1.
        stochastic: False.

    Args:
        velocity: $v(x, s)$, a `FlowMatching` model or any function.
        time_from: $s$.
        time_to: $s' \ne s$.

    Raises:
        ValueError: if a time is not between 0 and 1, or both are the same.
    """

    stochastic = False

    def __init__(self, velocity: Velocity, time_from: float, time_to: float):
        super().__init__()
        time_from, time_to = float(time_from), float(time_to)
        if not (0 <= time_from <= 1 and 0 <= time_to <= 1) or time_from == time_to:
            raise ValueError(
                f"a step leads from one time in [0, 1] to another, but time_from={time_from:g} "
                f"and time_to={time_to:g}"
            )
        self.velocity = velocity
        self.time_from, self.time_to = time_from, time_to

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        r"""$x'$."""

    @property
    def sigma_from(self) -> float:
        return _noise_level(self.time_from)

    @property
    def sigma_to(self) -> float:
        return _noise_level(self.time_to)

    def extra_repr(self) -> str:
        return f"time {self.time_from:.4g} -> {self.time_to:.4g}"


def _noise_level(time: float) -> float:
    return time / (1 - time) if time < 1 else float("inf")


class EulerFlowStep(FlowStep):
    r"""$x' = x + (s' - s)\,v(x, s)$.

    With $v = (x - D)/s$ this is the DDIM step of the diffusion, $x/(1 - s)$ to $x'/(1 - s')$,
    exactly and for every step size.

    >>> EulerFlowStep(lambda x, s: x / s, 1.0, 0.5)(torch.tensor([2.0]))
    tensor([1.])
    """

    def forward(self, x):
        r"""$x + (s' - s)\,v(x, s)$."""
        return x + (self.time_to - self.time_from) * self.velocity(x, self.time_from)


class HeunFlowStep(FlowStep):
    r"""$x' = x + \tfrac12(s' - s)\,(v(x, s) + v(\tilde x, s'))$ with $\tilde x$ the Euler step.

    >>> HeunFlowStep(lambda x, s: s * x, 1.0, 0.5)(torch.tensor([2.0]))
    tensor([1.3750])
    """

    def forward(self, x):
        r"""The mean of the slopes at both ends of the Euler step."""
        width = self.time_to - self.time_from
        slope = self.velocity(x, self.time_from)
        return x + width / 2 * (slope + self.velocity(x + width * slope, self.time_to))


FLOW_STEPS: dict[str, type[FlowStep]] = {"euler": EulerFlowStep, "heun": HeunFlowStep}


def flow_steps(
    velocity: Velocity, times: Float[Tensor, " levels"], kind: str = "euler"
) -> list[FlowStep]:
    r"""Steps between the given times, in their order: noise to data if they fall from 1 to 0.

    Args:
        velocity: $v(x, s)$.
        times: in $[0, 1]$, two at least.
        kind: `"euler"` or `"heun"`.

    Raises:
        ValueError: if there is no such kind, or less than two times.

    >>> len(flow_steps(lambda x, s: -x, torch.linspace(1, 0, 11)))
    10
    """
    if kind not in FLOW_STEPS:
        raise ValueError(f"there is no kind {kind!r} of step: take one of {', '.join(FLOW_STEPS)}")
    stops = torch.as_tensor(times).tolist()
    if len(stops) < 2:
        raise ValueError(f"two times at least are needed, but {stops} was given")
    return [FLOW_STEPS[kind](velocity, a, b) for a, b in pairwise(stops)]


def velocity_of(denoiser: Denoiser) -> Velocity:
    r"""$v(x, s) = (x - D)/s$ with $D = D\bigl(x/(1 - s),\, s/(1 - s)\bigr)$, $0 < s < 1$: the
    velocity that belongs to a denoiser.

    >>> from geomlib.models.denoisers import CircleDenoiser
    >>> v = velocity_of(CircleDenoiser())
    >>> v(torch.tensor([0.5, 0.0]), 0.5).round(decimals=2)
    tensor([0.1100, 0.0000])
    """

    def velocity(x: Tensor, s: float | Tensor) -> Tensor:
        s = torch.as_tensor(s, device=x.device).to(x.dtype)
        if not inside_transform(s) and not ((s > 0) & (s < 1)).all():
            raise ValueError(
                f"time must be between 0 and 1, but {s.flatten()[:4].tolist()} was given: at the "
                "ends a denoiser says nothing about the velocity"
            )
        return (x - denoiser.denoise(x / (1 - s[..., None]), s / (1 - s))) / s[..., None]

    return velocity


class FlowMatching(nn.Module):
    r"""$\min_v \mathbb{E}\,\|v(x_s, s) - (\varepsilon - x_0)\|^2$, $\;x_s = (1 - s)\,x_0 + s\,
    \varepsilon$, s uniform in $[0, 1]$.

    The best v is the mean velocity of all straight paths through a point. Following it from
    $s = 1$, $x \sim N(0, I)$, down to $s = 0$ turns noise into data.

    Attributes:
        trained: whether `fit` has run, or trained weights were loaded.

    Args:
        dim: $n$.
        hidden: width of the three hidden layers.
        seed: of the initial weights.

    Source: Lipman et al., *Flow Matching for Generative Modeling* (ICLR 2023); Liu, Gong and Liu,
    *Flow Straight and Fast* (ICLR 2023). Both count time from noise to data.

    >>> model = FlowMatching(dim=2)
    >>> losses = model.fit(torch.randn(64, 2), epochs=2, progress=False)
    >>> model.sample(5).shape, len(model.steps(20))
    (torch.Size([5, 2]), 20)
    """

    trained: Tensor

    def __init__(self, dim: int, hidden: int = 128, seed: int = 0):
        check_sizes(dim=dim, hidden=hidden)
        super().__init__()
        self.dim = dim
        widths = (dim + 1 + 2 * FREQUENCIES, hidden, hidden, hidden, dim)
        with seeded(seed):
            self.network = perceptron(*widths, activation=nn.SiLU)
        self.register_buffer("trained", torch.tensor(False))

    def forward(
        self, x: Float[Tensor, "*batch n"], time: float | Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch n"]:
        r"""The velocity $v(x, s)$; time is one number, or one for each point.

        Raises:
            ValueError: if a time is not between 0 and 1.
        """
        check_width(as_points(x), self.dim)
        time = torch.as_tensor(time, device=x.device).to(x.dtype)[..., None]
        if not inside_transform(time) and not ((time >= 0) & (time <= 1)).all():
            raise ValueError(
                f"time must be between 0 (data) and 1 (noise), but "
                f"{time.flatten()[:4].tolist()} was given"
            )
        # half waves: 0 and 1 are different times
        angles = pi * time * torch.arange(1, FREQUENCIES + 1).to(x)
        features = torch.cat([time, angles.sin(), angles.cos()], dim=-1)
        return self.network(torch.cat([x, features.expand(*x.shape[:-1], -1)], dim=-1))

    def loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$\mathbb{E}\,\|v(x_s, s) - (\varepsilon - x_0)\|^2/n$."""
        # one draw in each of as many equal parts of [0, 1]: less variance, same expectation
        time = ((torch.arange(len(x)) + torch.rand(len(x))) / len(x)).to(x)
        noise = torch.randn(x.shape).to(x)
        between = torch.lerp(x, noise, time[:, None])
        return ((self(between, time) - (noise - x)) ** 2).mean()

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> list[float]:
        """Train the velocity on data; options as in `geomlib.models.fit`.

        Unless an optimiser is given, it is Adam with a learning rate that falls to zero
        (`annealed_adam`), from 2e-3.
        """
        check_data(x, self.dim, self)
        options = {"description": "velocity", "learning_rate": 2e-3, **options}
        options.setdefault("optimiser", annealed_adam(len(x), **options))
        history = fit(self.parameters(), self.loss, x, **options)
        self.trained.fill_(True)
        return history

    def steps(self, count: int = 50, kind: str = "euler") -> list[FlowStep]:
        r"""Maps from noise ($s = 1$) to data ($s = 0$) in equal steps, in the order of use.

        Warns:
            UserWarning: if the model is not trained.
        """
        check_sizes(count=count)
        if not self.trained:
            warnings.warn(
                "this model is not trained: its steps map noise to noise. Call fit(x) or load "
                "weights first",
                UserWarning,
                stacklevel=2,
            )
        return flow_steps(self, torch.linspace(1, 0, count + 1, dtype=torch.float64), kind)

    @torch.no_grad()
    def sample(
        self,
        count: int,
        kind: str = "euler",
        generator: torch.Generator | None = None,
        steps: int = 50,
    ) -> Float[Tensor, "count n"]:
        r"""The ends of `count` chains that start in $N(0, I)$.

        Args:
            count: how many.
            kind: of step, `"euler"` or `"heun"`.
            generator: of the start; a new one with seed 0 if None.
            steps: how many steps a chain has.
        """
        check_sizes(count=count)
        weight = next(self.parameters())
        if generator is None:
            generator = torch.Generator(weight.device).manual_seed(0)
        shape = (count, self.dim)
        x = torch.randn(shape, generator=generator, dtype=weight.dtype, device=weight.device)
        for step in self.steps(steps, kind):
            x = step(x)
        return x
