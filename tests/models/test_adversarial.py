"""GAN and Wasserstein GAN: losses in closed form, and the modes of a ring that they cover."""

from math import log

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from geomlib.data import gaussian_ring
from geomlib.models import GAN, WassersteinGAN, fit
from geomlib.riemann import PullbackMetric

QUIET = {"progress": False}


def covered(samples, modes=8, std=0.05):
    """How many modes have a fifth of their share within four deviations, and the share of all."""
    angle = 2 * torch.pi * torch.arange(modes) / modes
    means = torch.stack([angle.cos(), angle.sin()], dim=1)
    distance, nearest = torch.cdist(samples, means).min(1)
    near = distance < 4 * std
    count = torch.bincount(nearest[near], minlength=modes)
    return int((count > 0.2 * len(samples) / modes).sum()), near.float().mean().item()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [GAN, WassersteinGAN])
def test_both_cover_the_modes_of_a_ring(kind, seed):
    x, _ = gaussian_ring(1024, seed=seed)
    gan = kind(2, seed=seed)
    before = covered(gan.sample(2000))
    options = {
        GAN: {"epochs": 200, "batch_size": 128, "learning_rate": 2e-3},
        WassersteinGAN: {"epochs": 100, "batch_size": 256, "learning_rate": 5e-3},
    }
    gan.fit(x, seed=seed, **options[kind], **QUIET)
    modes, share = covered(gan.sample(2000, seed=seed))
    assert before[0] <= 2
    assert modes >= 7 and share > 0.6


@pytest.mark.parametrize("kind", [GAN, WassersteinGAN])
def test_samples_are_images_of_the_prior(kind):
    gan = kind(5, latent_dim=3, hidden=8)
    samples = gan.sample(10, seed=4)
    assert samples.shape == (10, 5) and not samples.requires_grad
    assert torch.equal(samples, gan.sample(10, seed=4))
    assert not torch.equal(samples, gan.sample(10, seed=5))
    torch.manual_seed(4)
    assert_close(samples, gan.generator(torch.randn(10, 3)).detach())
    assert PullbackMetric(gan.generator).matrix(torch.randn(2, 3)).shape == (2, 3, 3)


def test_an_undecided_discriminator():
    gan = GAN(2, hidden=8)
    zero(gan.discriminator[-1])
    x = torch.randn(50, 2)
    assert_close(gan.discriminator_loss(x).item(), log(4))
    assert_close(gan.generator_loss(x).item(), log(2))


def test_the_losses_of_a_gan_are_cross_entropies():
    gan = GAN(2, hidden=8)
    x = torch.randn(50, 2)
    fake = gan.sample(50, seed=7)
    torch.manual_seed(7)
    loss = gan.discriminator_loss(x)
    p_real, p_fake = gan.discriminator(x).sigmoid(), gan.discriminator(fake).sigmoid()
    assert_close(loss, -p_real.log().mean() - (1 - p_fake).log().mean())
    torch.manual_seed(7)
    assert_close(gan.generator_loss(x), -p_fake.log().mean())


def test_the_penalty_of_a_linear_critic_is_known():
    gan = WassersteinGAN(2, hidden=8, penalty=3.0)
    gan.critic = nn.Sequential(nn.Linear(2, 1))
    gan.critic[0].weight.data = torch.tensor([[3.0, 4.0]])  # a slope of 5
    x = torch.randn(50, 2)
    fake = gan.sample(50, seed=7)
    assert_close(gan.gradient_penalty(x, fake).item(), 16.0)
    torch.manual_seed(7)
    loss = gan.critic_loss(x)
    assert_close(loss, (gan.critic(fake).mean() - gan.critic(x).mean() + 3 * 16).detach())
    torch.manual_seed(7)
    assert_close(gan.generator_loss(x), -gan.critic(fake).mean())


def test_the_critic_estimates_the_distance_between_parallel_lines():
    # the generator stands still on one line, the data on another one θ away: W₁ = θ
    theta = 1.5
    gan = WassersteinGAN(2, hidden=16, penalty=1.0)
    line = nn.Linear(2, 2)
    zero(line)
    line.weight.data[1, 1] = 1.0
    gan.generator = nn.Sequential(line)
    height = torch.randn(512, generator=torch.Generator().manual_seed(0))
    x = torch.stack([torch.full_like(height, theta), height], dim=1)
    for parameter in gan.generator.parameters():
        parameter.requires_grad_(False)
    options = {"epochs": 60, "learning_rate": 1e-2, **QUIET}
    history = fit(gan.critic.parameters(), gan.critic_loss, x, **options)
    # a critic of slope s gains θs − λ(s − 1)², at best θ + θ²/(4λ)
    assert_close(-history[-1], theta + theta**2 / 4, rtol=0.1, atol=0)


def test_the_critic_takes_its_steps_first():
    gan = WassersteinGAN(2, hidden=4, critic_steps=4)
    turns = []
    critic_loss, generator_loss = gan.critic_loss, gan.generator_loss
    gan.critic_loss = lambda x: (turns.append("critic"), critic_loss(x))[1]
    gan.generator_loss = lambda x: (turns.append("generator"), generator_loss(x))[1]
    gan.fit(torch.randn(20, 2), epochs=1, batch_size=10, **QUIET)
    assert turns == [*["critic"] * 4, "generator"] * 2


def test_a_penalty_and_steps_that_make_no_sense():
    with pytest.raises(ValueError, match="critic_steps = 0"):
        WassersteinGAN(2, critic_steps=0)
    with pytest.raises(ValueError, match="penalty must be positive"):
        WassersteinGAN(2, penalty=0.0)


def zero(layer: nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
