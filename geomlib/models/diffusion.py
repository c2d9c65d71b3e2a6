r"""Learned denoisers with a named bottleneck: two networks that differ in what passes beside it."""

import warnings
from abc import abstractmethod
from math import pi
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geomlib.models.annealing import annealed_adam
from geomlib.models.denoisers import Denoiser, level
from geomlib.models.noise import NoiseSchedule
from geomlib.models.perceptron import perceptron
from geomlib.models.steps import Step, denoising_steps, walk
from geomlib.models.training import fit, seeded
from geomlib.models.validation import check_data, check_sizes, check_width
from geomlib.riemann.validation import inside_transform

__all__ = ["DataPrediction", "DiffusionModel"]

FREQUENCIES = 4


class LearnedDenoiser(Denoiser):
    r"""What both networks share: $x \mapsto h \mapsto F$, training, steps and samples.

    Two perceptrons with smooth activations and the logarithm of $\sigma$ as a further input,
    $h = h(c_{in}x, \sigma)$ and $F = F(h, \sigma)$. A subclass says how x and F make up D.
    """

    log_range: Tensor
    data_mean: Tensor
    data_std: Tensor
    trained: Tensor

    def __init__(
        self,
        dim: int,
        hidden: int = 128,
        bottleneck: int = 32,
        schedule: NoiseSchedule | None = None,
        seed: int = 0,
    ):
        check_sizes(dim=dim, hidden=hidden, bottleneck=bottleneck)
        super().__init__()
        self.dim, self.bottleneck = dim, bottleneck
        self.schedule = NoiseSchedule.geometric(0.02, 10.0, 50) if schedule is None else schedule
        extra = 1 + 2 * FREQUENCIES
        with seeded(seed):
            self.encoder = perceptron(dim + extra, hidden, hidden, bottleneck, activation=nn.SiLU)
            self.decoder = perceptron(bottleneck + extra, hidden, dim, activation=nn.SiLU)
        # buffers, so that they travel with the weights
        ends = self.schedule.sigmas[[0, -1]].log()
        self.register_buffer("log_range", ends.to(torch.get_default_dtype()))
        self.register_buffer("data_mean", torch.zeros(dim))
        self.register_buffer("data_std", torch.ones(()))
        self.register_buffer("trained", torch.tensor(False))

    @abstractmethod
    def assemble(
        self, x: Float[Tensor, "*batch n"], output: Float[Tensor, "*batch n"], sigma
    ) -> Float[Tensor, "*batch n"]:
        r"""D from x and the network's output F."""

    def denoise(self, x, sigma):
        r"""$D(x, \sigma)$: `assemble` of x and of what the bottleneck decodes to.

        Raises:
            ValueError: if $\sigma$ is outside the range that the model is trained for.
        """
        return self.assemble(x, self.decode_bottleneck(self.bottleneck_map(x, sigma), sigma), sigma)

    def bottleneck_map(
        self, x: Float[Tensor, "*batch n"], sigma: float | Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch m"]:
        r"""$x \mapsto h(x, \sigma)$, the map $X_t \to H$ of Park et al. (NeurIPS 2023)."""
        check_width(x, self.dim)
        scaled = (x - self.data_mean) / self._total(x, sigma)  # unit variance at every noise level
        return self.encoder(torch.cat([scaled, self._time(scaled, sigma)], dim=-1))

    def decode_bottleneck(
        self, h: Float[Tensor, "*batch m"], sigma: float | Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch n"]:
        r"""$h \mapsto F(h, \sigma)$, the network's output, before `assemble`."""
        check_width(h, self.bottleneck, "h")
        return self.decoder(torch.cat([h, self._time(h, sigma)], dim=-1))

    def loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$\mathbb{E}\;\lambda(\sigma)\,\|D(x_0 + \sigma\varepsilon, \sigma) - x_0\|^2/n$, with
        $\log\sigma$ uniform over the range of the schedule and $\lambda = (\sigma^2 +
        \sigma_{data}^2)/(\sigma\,\sigma_{data})^2$."""
        # one draw in each of as many equal parts of the range: less variance, same expectation
        parts = torch.arange(len(x), dtype=x.dtype, device=x.device)
        share = (parts + torch.rand(len(x)).to(x)) / len(x)
        sigma = (self.log_range[0] + share * self.log_range.diff()).exp()
        noisy = x + sigma[:, None] * torch.randn(x.shape).to(x)
        weight = (self._total(x, sigma) / (sigma[:, None] * self.data_std)) ** 2
        return (weight * (self.denoise(noisy, sigma) - x) ** 2).mean()

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> list[float]:
        """Train the network on clean data; options as in `geomlib.models.fit`.

        Mean and standard deviation of the data are measured first. Unless an optimiser is given,
        it is Adam with a learning rate that falls to zero (`annealed_adam`), from 2e-3.
        """
        check_data(x, self.dim, self)
        if not self.trained:
            self.data_mean.copy_(x.mean(0))
            self.data_std.copy_((x - self.data_mean).square().mean().sqrt().clamp_min(1e-6))
        options = {"description": "denoiser", "learning_rate": 2e-3, **options}
        options.setdefault("optimiser", annealed_adam(len(x), **options))
        history = fit(self.parameters(), self.loss, x, **options)
        self.trained.fill_(True)
        return history

    def steps(self, kind: str = "ddim") -> list[Step]:
        r"""$f_K, \dots, f_1$ along the model's schedule, as in `denoising_steps`.

        Warns:
            UserWarning: if the model is not trained.
        """
        if not self.trained:
            warnings.warn(
                "this model is not trained: its steps map noise to noise. Call fit(x) or load "
                "weights first",
                UserWarning,
                stacklevel=2,
            )
        return denoising_steps(self, self.schedule, kind)

    @torch.no_grad()
    def sample(
        self, count: int, kind: str = "ddim", generator: torch.Generator | None = None
    ) -> Float[Tensor, "count n"]:
        r"""The ends of `count` chains that start in $N(\text{mean}, \sigma_K^2 I)$.

        Args:
            count: how many.
            kind: of step, as in `denoising_steps`.
            generator: of the start and of stochastic steps; a new one with seed 0 if None.
        """
        check_sizes(count=count)
        if generator is None:
            generator = torch.Generator(self.data_mean.device).manual_seed(0)
        noise = torch.randn(
            count,
            self.dim,
            generator=generator,
            dtype=self.data_mean.dtype,
            device=self.data_mean.device,
        )
        start = self.data_mean + self.schedule.sigmas[-1].to(noise) * noise
        return walk(self.steps(kind), start, generator)

    def _total(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        r"""$\sqrt{\sigma^2 + \sigma_{data}^2}$, the standard deviation of noisy data."""
        return (level(sigma, x) ** 2 + self.data_std**2).sqrt()

    def _time(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Fourier features of the logarithm of sigma, `(..., 1 + 2 * FREQUENCIES)`."""
        low, high = self.log_range.unbind()
        place = 2 * (level(sigma, x).log() - low) / (high - low) - 1  # -1 to 1 over the range
        if not inside_transform(place) and (place.abs() > 1.001).any():
            outside = torch.as_tensor(sigma).flatten()[int(place.abs().argmax())]
            raise ValueError(
                f"sigma = {outside.item():.4g} is outside the noise levels of this model, "
                f"{low.exp().item():.4g} to {high.exp().item():.4g}: build it with a wider schedule"
            )
        angles = pi * place * torch.arange(1, FREQUENCIES + 1).to(x)
        features = torch.cat([place, angles.sin(), angles.cos()], dim=-1)
        return features.expand(*x.shape[:-1], -1)


class DiffusionModel(LearnedDenoiser):
    r"""$D = m + c_{skip}\,(x - m) + c_{out}\,F(h, \sigma)$, $\;h = h(c_{in}(x - m), \sigma)$, with
    $c_{skip} = \dfrac{\sigma_{data}^2}{\sigma^2 + \sigma_{data}^2}$, $\;c_{out} =
    \dfrac{\sigma\,\sigma_{data}}{\sqrt{\sigma^2 + \sigma_{data}^2}}$, $\;c_{in} =
    \dfrac{1}{\sqrt{\sigma^2 + \sigma_{data}^2}}$.

    *Beside h* passes $c_{skip}(x - m)$: at small noise x itself is nearly the answer, and h carries
    what has to be taken *off* it, the noise. So the leading right singular vectors of $x \mapsto h$
    are normal to the data rather than tangent; those of $x \mapsto D$ are tangent. For a bottleneck
    that has to carry the data, see `DataPrediction`.

    Attributes:
        schedule: the noise levels of `steps` and `sample`; training covers the range between them.
        trained: whether `fit` has run, or trained weights were loaded.

    Args:
        dim: $n$.
        hidden: width of the three hidden layers: two before h, one after.
        bottleneck: the dimension of h.
        schedule: 50 geometric steps from 0.02 to 10 if None, for data of size 1.
        seed: of the initial weights.

    Source: Ho, Jain and Abbeel (NeurIPS 2020); scaling of input and output from Karras et al.,
    *Elucidating the Design Space of Diffusion-Based Generative Models* (NeurIPS 2022), table 1.

    >>> model = DiffusionModel(dim=8)
    >>> losses = model.fit(torch.randn(64, 8), epochs=2, progress=False)
    >>> x = model.sample(5)
    >>> x.shape, model.bottleneck_map(x, 0.1).shape, len(model.steps())
    (torch.Size([5, 8]), torch.Size([5, 32]), 50)
    """

    def __init__(
        self,
        dim: int,
        hidden: int = 128,
        bottleneck: int = 32,
        schedule: NoiseSchedule | None = None,
        seed: int = 0,
    ):
        super().__init__(dim, hidden, bottleneck, schedule, seed)
        # In PyTorch's own, narrower start the signal fades from layer to layer. The network is then
        # nearly linear; on a circle the best linear F is 0, and training does not leave it.
        with seeded(seed):
            for layer in [*self.encoder, *self.decoder]:
                if isinstance(layer, nn.Linear):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")

    def assemble(self, x, output, sigma):
        r"""$m + c_{skip}(x - m) + c_{out}F$."""
        total = self._total(x, sigma)
        skip = (self.data_std / total) ** 2
        out = level(sigma, x) * self.data_std / total
        return self.data_mean + skip * (x - self.data_mean) + out * output


class DataPrediction(LearnedDenoiser):
    r"""$D = m + \sigma_{data}\,F(h, \sigma)$, $\;h = h(c_{in}(x - m), \sigma)$: nothing but
    $\sigma$ passes beside h.

    All that D knows of x went through h: $J_D = J_F J_h$, so what moves D moves h. Where the noise
    is small these are the directions along the data, and the leading right singular vectors of
    $x \mapsto h$ lean towards the tangent space. Nothing forces them into it, since F may undo what
    h carries in excess: measure the angle. The price: the network has to learn the identity along
    the data, which `DiffusionModel` gets for free.

    Attributes and arguments are those of `DiffusionModel`.

    Source: the prediction of $x_0$ in Ho, Jain and Abbeel (NeurIPS 2020), section 3.2.

    >>> model = DataPrediction(dim=8, bottleneck=4)
    >>> losses = model.fit(torch.randn(64, 8), epochs=2, progress=False)
    >>> h = model.bottleneck_map(torch.zeros(8), 0.1)
    >>> h.shape, model.decode_bottleneck(h, 0.1).shape
    (torch.Size([4]), torch.Size([8]))
    """

    def assemble(self, x, output, sigma):
        r"""$m + \sigma_{data}F$; x is not used."""
        return self.data_mean + self.data_std * output
