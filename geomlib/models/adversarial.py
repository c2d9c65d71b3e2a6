"""Generative adversarial networks: a generator and the network that judges it."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from geomlib.models.perceptron import perceptron
from geomlib.models.training import Player, play, seeded
from geomlib.models.validation import check_data, check_sizes

__all__ = ["GAN", "WassersteinGAN"]


class Adversarial(nn.Module):
    r"""A generator $g$ that maps $z \sim N(0, I_d)$ to samples."""

    generator: nn.Sequential

    def __init__(self, data_dim: int, latent_dim: int, hidden: int):
        check_sizes(data_dim=data_dim, latent_dim=latent_dim, hidden=hidden)
        super().__init__()
        self.data_dim, self.latent_dim = data_dim, latent_dim

    @torch.no_grad()
    def sample(self, count: int, seed: int = 0) -> Float[Tensor, "count n"]:
        r"""Points $g(z)$ with $z \sim N(0, I_d)$."""
        with seeded(seed):
            return self._fake(count)

    def _fake(self, count: int) -> Tensor:
        weight = next(self.generator.parameters())
        return self.generator(torch.randn(count, self.latent_dim).to(weight))


class GAN(Adversarial):
    r"""$\min_g \max_D\; \mathbb{E}_x \log D(x) + \mathbb{E}_z \log(1 - D(g(z)))$.

    With the best discriminator the value is $2\,\mathrm{JS}(p_x, p_g) - \log 4$, where JS is the
    Jensen-Shannon divergence. The generator follows $-\log D(g(z))$ instead of $\log(1 - D(g(z)))$,
    which has the same equilibrium and a larger gradient while the generator is poor.

    Attributes:
        generator: $g$, an `nn.Sequential`, `(..., d)` to `(..., n)`.
        discriminator: the logit of $D$, an `nn.Sequential`, `(..., n)` to `(..., 1)`.

    Args:
        data_dim: $n$.
        latent_dim: $d$.
        hidden: width of the two hidden layers of both networks.
        seed: of the initial weights.

    Source: Goodfellow et al., *Generative Adversarial Nets* (NIPS 2014), equation (1), theorem 1.

    >>> gan = GAN(data_dim=2)
    >>> histories = gan.fit(torch.randn(64, 2), epochs=3, progress=False)
    >>> sorted(histories), gan.sample(5).shape
    (['discriminator', 'generator'], torch.Size([5, 2]))
    """

    def __init__(self, data_dim: int, latent_dim: int = 2, hidden: int = 64, seed: int = 0):
        super().__init__(data_dim, latent_dim, hidden)
        with seeded(seed):
            self.generator = perceptron(latent_dim, hidden, hidden, data_dim)
            self.discriminator = perceptron(data_dim, hidden, hidden, 1)

    def discriminator_loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$-\mathbb{E}_x\log D(x) - \mathbb{E}_z\log(1 - D(g(z)))$; $\log 4$ if $D = \tfrac12$."""
        fake = self._fake(len(x)).detach()
        real_terms = F.softplus(-self.discriminator(x))
        return (real_terms + F.softplus(self.discriminator(fake))).mean()

    def generator_loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$-\mathbb{E}_z\log D(g(z))$, over as many samples as x has rows."""
        return F.softplus(-self.discriminator(self._fake(len(x)))).mean()

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> dict[str, list[float]]:
        """Train both in turns; options as in `geomlib.models.play`.

        Returns:
            The losses of `"discriminator"` and `"generator"`, one number an epoch.
        """
        check_data(x, self.data_dim, self)
        adam = partial(torch.optim.Adam, betas=(0.5, 0.9))
        players = {
            "discriminator": Player(self.discriminator.parameters(), self.discriminator_loss, adam),
            "generator": Player(self.generator.parameters(), self.generator_loss, adam),
        }
        return play(players, x, **options)


class WassersteinGAN(Adversarial):
    r"""$\min_g \max_{\|f\|_{Lip} \le 1}\; \mathbb{E}_x f(x) - \mathbb{E}_z f(g(z))$.

    The maximum over all functions $f$ with Lipschitz constant 1 is the Wasserstein distance
    $W_1(p_x, p_g)$. The critic is held near that constant by the gradient penalty
    $\lambda\, \mathbb{E}\,(\|\nabla f(\hat x)\| - 1)^2$, with $\hat x$ uniform between a real and a
    generated sample.

    Attributes:
        generator: $g$, an `nn.Sequential`, `(..., d)` to `(..., n)`.
        critic: $f$, an `nn.Sequential`, `(..., n)` to `(..., 1)`.

    Args:
        data_dim: $n$.
        latent_dim: $d$.
        hidden: width of the two hidden layers of both networks.
        seed: of the initial weights.
        penalty: $\lambda$. The paper takes 10 for images, its authors' code 0.1 for points in the
            plane, where 10 keeps the critic from telling modes apart.
        critic_steps: how many steps the critic takes for one of the generator.

    Source: Arjovsky, Chintala and Bottou, *Wasserstein GAN* (ICML 2017); Gulrajani et al.,
    *Improved Training of Wasserstein GANs* (NIPS 2017), equation (3).

    >>> gan = WassersteinGAN(data_dim=2)
    >>> histories = gan.fit(torch.randn(64, 2), epochs=3, progress=False)
    >>> sorted(histories), gan.sample(5).shape
    (['critic', 'generator'], torch.Size([5, 2]))
    """

    def __init__(
        self,
        data_dim: int,
        latent_dim: int = 2,
        hidden: int = 64,
        seed: int = 0,
        *,
        penalty: float = 0.1,
        critic_steps: int = 5,
    ):
        check_sizes(critic_steps=critic_steps)
        if penalty <= 0:
            raise ValueError(f"penalty must be positive, but {penalty} was given")
        super().__init__(data_dim, latent_dim, hidden)
        self.penalty, self.critic_steps = penalty, critic_steps
        with seeded(seed):
            self.generator = perceptron(latent_dim, hidden, hidden, data_dim)
            self.critic = perceptron(data_dim, hidden, hidden, 1)

    def critic_loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$\mathbb{E}_z f(g(z)) - \mathbb{E}_x f(x)$ plus the penalty; minus it is an estimate of
        $W_1$ once the critic is good."""
        fake = self._fake(len(x)).detach()
        difference = self.critic(fake).mean() - self.critic(x).mean()
        return difference + self.penalty * self.gradient_penalty(x, fake)

    def gradient_penalty(
        self, x: Float[Tensor, "batch n"], fake: Float[Tensor, "batch n"]
    ) -> Float[Tensor, ""]:
        r"""$\mathbb{E}\,(\|\nabla f(\hat x)\| - 1)^2$ at $\hat x = x + t\,(\text{fake} - x)$,
        $t \sim U(0, 1)$."""
        t = torch.rand(len(x), 1).to(x)
        between = (x + t * (fake - x)).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        return (slope.norm(dim=-1) - 1).square().mean()

    def generator_loss(self, x: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$-\mathbb{E}_z f(g(z))$, over as many samples as x has rows."""
        return -self.critic(self._fake(len(x))).mean()

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> dict[str, list[float]]:
        """Train both in turns; options as in `geomlib.models.play`.

        Returns:
            The losses of `"critic"` and `"generator"`, one number an epoch.
        """
        check_data(x, self.data_dim, self)
        adam = partial(torch.optim.Adam, betas=(0.5, 0.9))
        steps = self.critic_steps
        players = {
            "critic": Player(self.critic.parameters(), self.critic_loss, adam, steps),
            "generator": Player(self.generator.parameters(), self.generator_loss, adam),
        }
        return play(players, x, **options)
