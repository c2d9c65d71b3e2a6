"""Exercises of the chapter *Pulling back Fisher-Rao*."""

from collections.abc import Callable
from math import log, sqrt
from typing import Any

import torch
from torch import Tensor
from torch import distributions as dist

from geomlib.riemann import FisherRaoMetric
from geomlib.teaching.checks import Mistake, NotAttempted, attempt, compare, exercise

__all__ = ["flat_family", "gaussian_head", "middle_of_normals", "poisson_distance"]


@exercise("information-geometry-a")
def poisson_distance(answer: float | Tensor) -> str:
    r"""$\int_1^4 \lambda^{-1/2}\,d\lambda = 2\,(\sqrt4 - \sqrt1) = 2$."""
    try:
        value = torch.as_tensor(float(answer))
    except (TypeError, ValueError):
        raise Mistake(f"Give one number; yours is of type {type(answer).__name__}.") from None
    mistakes = {
        "That is the difference of the rates, the ruler of a flat line. Measure each small step "
        "with the information at its place.": 3.0,
        "The factor 2 is missing: the root of λ has the slope 1/(2 √λ).": 1.0,
        "You integrated the information. A length integrates its root.": log(4),
        "You measured the whole step with the information at its end. It changes on the way: "
        "integrate.": 1.5,
        "That is a divergence, KL(1 ‖ 4), and no distance.": 3 - log(4),
        "That is a divergence, KL(4 ‖ 1), and no distance.": 4 * log(4) - 3,
        "The root of twice a divergence is the distance to first order only, and the step is "
        "large.": sqrt(2 * (3 - log(4))),
        "The root of twice a divergence is the distance only to first order. The step is "
        "large.": sqrt(2 * (4 * log(4) - 3)),
    }
    compare(
        value, torch.tensor(2.0), {text: torch.tensor(number) for text, number in mistakes.items()}
    )
    return "In the coordinate 2√λ the Poisson family is a flat half-line."


@exercise("information-geometry-b")
def gaussian_head(answer: Callable[..., Tensor]) -> str:
    r"""$J_\mu^\top \sigma^{-2} J_\mu + 2\,J_\sigma^\top \sigma^{-2} J_\sigma$ at one code."""
    z = torch.tensor([0.4, -0.7], dtype=torch.float64)
    to_mean, to_std = (torch.func.jacfwd(f)(z) for f in (_mean, _std))  # (3, 2)
    sigma = _std(z)[:, None]
    mean, std = to_mean / sigma, to_std / sigma  # rows in units of sigma
    compare(
        attempt(answer, _mean, _std, z),
        mean.T @ mean + 2 * std.T @ std,
        {
            "The part of σ counts twice: the information of σ is 2/σ², that of μ is 1/σ².": mean.T
            @ mean
            + std.T @ std,
            "That is the expected metric of the chapter on VAEs, in units of x. Fisher-Rao divides "
            "by σ², and counts σ twice.": to_mean.T @ to_mean + to_std.T @ to_std,
            "That is the pull-back of the mean alone.": to_mean.T @ to_mean,
            "The distribution changes with σ as well: the part of J_σ is missing.": mean.T @ mean,
            "You divided J_μ by σ², but not J_σ.": mean.T @ mean + 2 * to_std.T @ to_std,
            "Nothing is divided by σ²: the same step of the mean counts more where σ is "
            "small.": to_mean.T @ to_mean + 2 * to_std.T @ to_std,
            "You divided by σ instead of σ².": to_mean.T @ (to_mean / sigma)
            + 2 * to_std.T @ (to_std / sigma),
            "The weights belong to the variance: in σ² the information is 1/(2σ⁴), in σ it is "
            "2/σ².": mean.T @ mean + to_std.T @ (to_std / sigma**4) / 2,
            "Contract over the outputs, so that a matrix in the codes is left: Jᵀ … J.": mean
            @ mean.T
            + 2 * std @ std.T,
        },
    )
    return "Divide both Jacobians by σ row by row, and the rest is a pull-back: J_μ/σ and √2 J_σ/σ."


@exercise("information-geometry-c")
def middle_of_normals(answer: Callable[..., Tensor]) -> str:
    r"""The middle of the Fisher-Rao geodesic between $N(\mu_1, \sigma_1)$ and $N(\mu_2, \sigma_2)$.

    $1/\sigma = w\,(1/\sigma_1 + 1/\sigma_2)$ and $\mu/\sigma = w\,(\mu_1/\sigma_1 +
    \mu_2/\sigma_2)$ with $w = \sinh(d/2)/\sinh d$.
    """
    a, b = torch.tensor([[0.0, 0.5], [3.0, 0.8]], dtype=torch.float64)
    (m, s), (n, t) = a, b
    result = attempt(answer, a, b)
    if result.shape == (2,) and result[1] <= 0:
        raise Mistake(f"A standard deviation is positive; yours is {result[1].item():.3g}.")
    between = (m / s + n / t) / (1 / s + 1 / t)
    mixed = (s**2 + t**2) / 2 + (m - n) ** 2 / 4
    compare(
        result,
        _middle(a, b, 2.0),
        {
            "That is the middle of the straight line in (μ, σ). (It is the middle for another "
            "distance between distributions, Wasserstein's.)": (a + b) / 2,
            "You forgot the √2: the half-plane has the coordinates (μ/√2, σ).": _middle(a, b, 1.0),
            "In the half-plane the middle is not the mean of μ with the geometric mean of σ: σ "
            "grows on the way.": torch.stack([(m + n) / 2, (s * t).sqrt()]),
            "You added 1/σ and μ/σ with equal weights that sum to 1. The weights sinh(d/2)/sinh(d) "
            "sum to less.": torch.stack([between, 2 / (1 / s + 1 / t)]),
            "That is the normal distribution with the moments of the half and half "
            "mixture.": torch.stack([(m + n) / 2, mixed.sqrt()]),
            "You took the distance d of Fisher-Rao in the weights. They need that of the "
            "half-plane, d/√2.": _middle(a, b, 2.0, sqrt(2)),
            "The mean is right to μ/√2: go back from the half-plane to the normals.": _middle(
                a, b, 2.0
            )
            / torch.tensor([sqrt(2), 1.0], dtype=torch.float64),
            "You return the middle of (μ/σ, 1/σ) itself: solve for μ and σ.": torch.stack(
                [_middle(a, b, 2.0)[0], torch.ones_like(s)]
            )
            / _middle(a, b, 2.0)[1],
        },
    )
    metric = FisherRaoMetric(lambda z: dist.Normal(z[..., 0], z[..., 1]))
    half = metric.distance(a, result)
    return f"Both halves are {half:.3f} long, and σ in the middle is larger than at either end."


def _middle(a: Tensor, b: Tensor, scale: float, stretch: float = 1.0) -> Tensor:
    r"""In the half-plane with coordinates $(\mu/\sqrt{\text{scale}}, \sigma)$."""
    (m, s), (n, t) = a, b
    d = stretch * torch.acosh(1 + ((m - n) ** 2 / scale + (s - t) ** 2) / (2 * s * t))
    weight = torch.sinh(d / 2) / torch.sinh(d)
    inverse = weight * (1 / s + 1 / t)
    return torch.stack([weight * (m / s + n / t), torch.ones_like(inverse)]) / inverse


@exercise("information-geometry-d")
def flat_family(answer: Callable[[Tensor], dist.Distribution]) -> str:
    r"""A decoder of $(0.2, 0.8)^2$ with a varying Fisher-Rao metric of curvature 0."""
    if not callable(answer):
        raise Mistake(f"Hand over the decoder itself, not {type(answer).__name__}.")
    side = torch.linspace(0.2, 0.8, 7, dtype=torch.float64)
    codes = torch.cartesian_prod(side, side)  # (49, 2)
    p = _called(answer, codes)
    if p is None or p is ...:
        raise NotAttempted
    metric = FisherRaoMetric(answer)
    G = _called(metric.matrix, codes)
    if not torch.isfinite(G).all():
        raise Mistake("The information is not finite on the whole square (0.2, 0.8)².")
    eigenvalues = torch.linalg.eigvalsh(G)
    if (eigenvalues[:, 0] < 1e-9 * eigenvalues[:, 1]).any():
        raise Mistake(
            "G has rank 1: the distribution changes in one direction only, so there is no "
            "surface that could be flat."
        )
    K = _called(metric.gaussian_curvature, codes)
    if K.abs().max() > 1e-5:
        known = {
            -0.5: "the half-plane of normal distributions",
            0.25: "the sphere of three outcomes",
        }
        for value, name in known.items():
            if (K - value).abs().max() < 1e-5:
                raise Mistake(f"The curvature is {value} everywhere: that is {name}.")
        raise Mistake(f"It is not flat: the curvature runs from {K.min():.3g} to {K.max():.3g}.")
    if (G - G[:1]).abs().max() < 1e-9 * G.abs().max():
        raise Mistake(
            "It is flat, but too simple: G is constant in your chart. Find one where G varies."
        )
    return (
        "Flat, though G varies: your chart is not the one in which G is constant, but there is one."
    )


def _called(function: Callable[..., Any], codes: Tensor) -> Any:
    """Its failures become mistakes that can be read."""
    try:
        return function(codes)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Mistake(f"For 49 codes of shape (49, 2) this went wrong: {reason}") from error


def _mean(z: Tensor) -> Tensor:
    return torch.stack([z[0] + z[1] ** 2, z[0].sin(), z[0] * z[1]])


def _std(z: Tensor) -> Tensor:
    return torch.stack([0.3 * (z[0] / 2).exp(), 0.8 + z[1] ** 2, 1 / (2 + z[0])])
