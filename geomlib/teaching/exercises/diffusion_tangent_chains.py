"""Exercises of the chapter *Tangent spaces along a diffusion*."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import jacfwd

from geomlib.teaching.checks import Mistake, attempt, compare, exercise, numbers

__all__ = [
    "chain_jacobian",
    "finite_denoiser_jacobian",
    "gaussian_spectra",
    "misleading_extension",
    "pushed_basis",
]


@exercise("diffusion-tangent-chains-a")
def gaussian_spectra(answer: Any) -> str:
    r"""Variances 4 and 1 at $\sigma = 2$: $\lambda/(\lambda + \sigma^2)$, and its root."""
    value = numbers(answer, 4, "Give four numbers: two of the denoiser, then two of the flow.")
    mistakes = {
        "You divided by λ + σ. Variances add to variances: λ + σ².": (2 / 3, 1 / 3),
        "4 and 1 are variances: they are not squared again.": (16 / 20, 1 / 5),
        "That is what the denoiser takes away, σ²/(λ + σ²).": (1 / 2, 4 / 5),
        "You give both pairs with the small one first: order them as 4, 1.": (1 / 5, 1 / 2),
        "The denoiser's eigenvalues come first, then the flow's singular values.": (
            0.5**0.5,
            0.2**0.5,
        ),
    }
    right = torch.tensor([0.5, 0.2, 0.5**0.5, 0.2**0.5], dtype=torch.float64)
    for text, pair in mistakes.items():
        if _near(value[:2], pair):
            raise Mistake(text)
    if _near(value[:2], (0.5, 0.2)):
        for text, pair in {
            "The flow is not one step of the denoiser: it takes N(0, λ + σ²) to N(0, λ), and a "
            "standard deviation shrinks by the root.": (0.5, 0.2),
            "The second pair leads from data to noise; asked is the way back.": (
                2**0.5,
                5**0.5,
            ),
            "The root of the root: λ/(λ + σ²) is a ratio of variances already.": (
                0.5**0.25,
                0.2**0.25,
            ),
        }.items():
            if _near(value[2:], pair):
                raise Mistake(text)
        if _near(value[2:], (0.2**0.5, 0.5**0.5)):
            raise Mistake("The second pair has the small one first: order it as 4, 1.")
    if torch.allclose(value, right, rtol=1e-2):  # two digits will do
        value = right
    compare(value, right, {})
    return "One step to σ = 0 is the denoiser; the flow in small steps only takes its root."


def _near(value: Tensor, pair: Sequence[float]) -> bool:
    return torch.allclose(value, torch.tensor(pair, dtype=torch.float64), atol=2e-3)


@exercise("diffusion-tangent-chains-b")
def finite_denoiser_jacobian(answer: Callable[..., Tensor]) -> str:
    r"""$J_D = \operatorname{Cov}(x_0 \mid x)/\sigma^2$ for finitely many data points."""
    generator = torch.Generator().manual_seed(3)
    points = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    x, sigma = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64), 0.8

    def covariance(weights: Tensor) -> Tensor:
        centred = points - weights @ points
        return centred.T @ (weights[:, None] * centred)

    squares = ((x - points) ** 2).sum(-1)
    weights = (-squares / (2 * sigma**2)).softmax(0)
    right = covariance(weights) / sigma**2
    even = torch.full_like(weights, 1 / len(points))
    from_x = (points - x).T @ (weights[:, None] * (points - x))
    compare(
        attempt(answer, points, x, sigma),
        right,
        {
            "That is the covariance itself: divide by σ².": covariance(weights),
            "You divided by σ instead of σ².": covariance(weights) / sigma,
            "That is the second moment: take the mean D(x) off the points first.": (
                points.T @ (weights[:, None] * points)
            )
            / sigma**2,
            "You measured the spread about x. It is the spread about the mean D(x).": from_x
            / sigma**2,
            "The weights are those of a normal density: exp(-|x - x_i|²/(2σ²)), with the "
            "2.": covariance((-squares / sigma**2).softmax(0)) / sigma**2,
            "The exponent is quadratic in the distance and in σ.": covariance(
                (-squares.sqrt() / sigma).softmax(0)
            )
            / sigma**2,
            "All points have the same weight in yours, whatever x is: near points are likelier.": (
                covariance(even) / sigma**2
            ),
            "Your weights do not sum to 1: divide the exponentials by their sum.": covariance(
                (-squares / (2 * sigma**2)).exp()
            )
            / sigma**2,
            "That is the Jacobian of the score, (J_D - I)/σ².": (
                right - torch.eye(3, dtype=torch.float64)
            )
            / sigma**2,
        },
    )
    return "Symmetric, positive semidefinite, and never differentiated."


@exercise("diffusion-tangent-chains-c")
def chain_jacobian(answer: Callable[..., Tensor]) -> str:
    r"""$J_3(x_2)\,J_2(x_1)\,J_1(x_0)$, each factor at its own point."""
    x = torch.tensor([0.4, -0.7], dtype=torch.float64)
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.float64)
    steps = [
        lambda z: torch.stack([z[0] + z[1] ** 2, 2 * z[1]]),
        lambda z: turn @ z,
        lambda z: torch.stack([z[0].sin(), z[1] + z[0] * z[1]]),
    ]
    points = [x, steps[0](x), steps[1](steps[0](x))]
    first, second, third = (jacfwd(f)(p) for f, p in zip(steps, points, strict=True))
    stale = [jacfwd(f)(x) for f in steps]
    late = [jacfwd(f)(f(p)) for f, p in zip(steps, points, strict=True)]
    ahead, backwards = torch.eye(2, dtype=torch.float64), x
    for f in reversed(steps):
        ahead, backwards = jacfwd(f)(backwards) @ ahead, f(backwards)
    compare(
        attempt(answer, steps, x),
        third @ second @ first,
        {
            "The order is reversed: the step that is applied first stands on the right.": first
            @ second
            @ third,
            "Every factor was taken at the start. The second step begins where the first one "
            "ended.": stale[2] @ stale[1] @ stale[0],
            "Every factor was taken at the start, and in the wrong order.": stale[0]
            @ stale[1]
            @ stale[2],
            "That is the transpose: it pulls covectors back.": (third @ second @ first).T,
            "Each factor was taken where its step ends: take the Jacobian first, then go on.": late[
                2
            ]
            @ late[1]
            @ late[0],
            "You walked from the last step to the first. They are given in the order in which they "
            "are applied.": ahead,
            "Jacobians are multiplied as matrices, with @, and not entry by entry.": third
            * second
            * first,
            "Jacobians are multiplied, not added.": third + second + first,
            "That is the last step alone.": third,
            "That is the first step alone.": first,
        },
    )
    return "The chain rule of the tangent maps, and each factor at its own point."


@exercise("diffusion-tangent-chains-d")
def pushed_basis(answer: Callable[..., Tensor]) -> str:
    r"""An orthonormal basis of $J(\operatorname{span} B)$: left singular vectors of $JB$."""
    generator = torch.Generator().manual_seed(5)
    J = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    B = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    result = attempt(answer, J, B)
    if result.shape == (2, 5):
        raise Mistake("Your vectors are rows. A basis has its vectors as columns: (5, 2).")
    if result.shape == (5, 5):
        raise Mistake("You return a basis of all of R^5. The image of a plane is a plane: (5, 2).")
    if result.shape == (2, 2):
        raise Mistake("The right singular vectors of J B are coordinates in B; take the left ones.")
    if result.shape != (5, 2):
        raise Mistake(f"The shape should be (5, 2), but yours is {tuple(result.shape)}.")
    result = result.double()
    if not torch.isfinite(result).all():
        raise Mistake("Your values are not all finite numbers.")
    U, _, Vh = torch.linalg.svd(J)
    spans = {
        "The leading left singular vectors of J are where J stretches most, and know nothing of B. "
        "Take those of J B.": U[:, :2],
        "The leading right singular vectors of J live where J starts. Asked is a space where it "
        "arrives.": Vh[:2].T,
        "That is the plane you started with: push it forward first.": B,
        "You multiplied by the transpose of J, which pulls covectors back.": J.T @ B,
        "You multiplied by the inverse of J, which leads back to where J starts.": torch.linalg.inv(
            J
        )
        @ B,
    }
    for text, basis in spans.items():
        if torch.allclose(_projection(result), _projection(basis), atol=1e-6):
            raise Mistake(text)
    if not torch.allclose(_projection(result), _projection(J @ B), atol=1e-5):
        raise Mistake("That plane is not the image of span B under J.")
    if not torch.allclose(result.T @ result, torch.eye(2, dtype=result.dtype), atol=1e-5):
        raise Mistake("The span is right, but the columns are not orthonormal.")
    return "This one is right for every J that does not lose the plane."


def _projection(basis: Tensor) -> Tensor:
    return basis @ torch.linalg.pinv(basis)


@exercise("diffusion-tangent-chains-e")
def misleading_extension(answer: Callable[[Tensor], Tensor]) -> str:
    r"""A smooth F, the identity on $S^1$, whose leading left singular vector is normal to it."""
    angles = torch.linspace(0.1, 6.1, 9, dtype=torch.float64)
    circle = torch.stack([angles.cos(), angles.sin()], dim=-1)
    images = torch.stack([attempt(answer, x) for x in circle])
    if images.shape != circle.shape:
        raise Mistake(f"F maps R² to R², (2,) to (2,); yours gives {tuple(images.shape[1:])}.")
    if (images - circle).norm(dim=-1).max() > 1e-6:
        raise Mistake("F is not the identity on the circle: F(x) = x is needed where |x| = 1.")
    try:
        J = torch.stack([jacfwd(answer)(x) for x in circle]).double()
    except Exception as error:
        raise Mistake(f"F has no Jacobian that autograd finds: {error}") from error
    if not torch.isfinite(J).all():
        raise Mistake("The Jacobian of F is not finite on the circle.")
    tangent = torch.stack([-angles.sin(), angles.cos()], dim=-1)
    if (torch.einsum("kij,kj->ki", J, tangent) - tangent).norm(dim=-1).max() > 1e-5:
        raise Mistake(
            "Autograd's Jacobian moves tangents of the circle: F is not smooth there (a `where` "
            "hides its derivative)."
        )
    U, S, _ = torch.linalg.svd(J)
    if (S[:, 0] / S[:, 1] < 1.0001).any():
        raise Mistake(
            "Both singular values are equal somewhere, as for F(x) = x: every vector is a leading "
            "one. Stretch across the circle."
        )
    along = (U[:, :, 0] * tangent).sum(-1).abs()
    if along.min() > 0.99:
        raise Mistake(
            "Your leading singular vector is tangent, as for x/|x|: F shrinks across the circle. "
            "Make it stretch."
        )
    if along.max() > 0.01:
        raise Mistake(
            "Your leading singular vector is not normal: its largest part along the circle is "
            f"{along.max():.2f}. Stretch along the radius and nothing else."
        )
    return "On the circle it is the identity, and its leading singular vector is normal to it."
