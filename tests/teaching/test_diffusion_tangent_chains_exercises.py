"""Each check of the chapter on diffusion: the right answer, and mistakes by name."""

import pytest
import torch
from torch.func import jacfwd

from geomlib.models.denoisers import MixtureDenoiser
from geomlib.riemann import TangentChain
from geomlib.teaching import check


def said(capsys, letter, answer) -> str:
    check(f"diffusion-tangent-chains-{letter}", answer)
    return capsys.readouterr().out


@pytest.mark.parametrize("letter", "abcde")
def test_an_untouched_stub_is_not_attempted(capsys, letter):
    assert "not attempted yet" in said(capsys, letter, ...)


@pytest.mark.parametrize("letter", "bcde")
def test_an_empty_function_is_not_attempted(capsys, letter):
    assert "not attempted yet" in said(capsys, letter, lambda *arguments: ...)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((0.5, 0.2, 0.5**0.5, 0.2**0.5), "right"),
        ((0.5, 0.2, 0.707, 0.447), "right"),
        ((0.5, 0.2, 0.71, 0.45), "right"),
        ((0.5**0.5, 0.2**0.5, 0.5, 0.2), "eigenvalues come first"),
        ((0.5, 0.2, 0.2**0.5, 0.5**0.5), "second pair has the small one first"),
        ((0.5, 0.2, 0.5, 0.2), "by the root"),
        ((0.5, 0.2, 2**0.5, 5**0.5), "from data to noise"),
        ((0.5, 0.2, 0.5**0.25, 0.2**0.25), "root of the root"),
        ((2 / 3, 1 / 3, 0.816, 0.577), "λ + σ²"),
        ((0.8, 0.2, 0.894, 0.447), "not squared again"),
        ((0.5, 0.8, 0.707, 0.894), "takes away"),
        ((0.2, 0.5, 0.447, 0.707), "small one first"),
        ((1.0, 1.0, 1.0, 1.0), "largest error"),
        ((0.5, 0.2), "four numbers"),
        ("half", "four numbers"),
    ],
)
def test_gaussian_spectra(capsys, answer, verdict):
    assert verdict in said(capsys, "a", answer)


def posterior(points, x, sigma, power=2.0, half=2.0):
    distance = (x - points).norm(dim=-1)
    return (-(distance**power) / (half * sigma**power)).softmax(0)


def spread(points, weights, centre):
    return (points - centre).T @ (weights[:, None] * (points - centre))


def finite(points, x, sigma):
    weights = posterior(points, x, sigma)
    return spread(points, weights, weights @ points) / sigma**2


def by_autograd(points, x, sigma):
    return jacfwd(lambda y: posterior(points, y, sigma) @ points)(x)


def by_library(points, x, sigma):
    return MixtureDenoiser.of_points(points).covariance(x, sigma) / sigma**2


def other_weights(**options):
    def answer(points, x, sigma):
        weights = posterior(points, x, sigma, **options)
        return spread(points, weights, weights @ points) / sigma**2

    return answer


def unnormalised(points, x, sigma):
    weights = (-((x - points) ** 2).sum(-1) / (2 * sigma**2)).exp()
    return spread(points, weights, weights @ points) / sigma**2


B = [
    (finite, "right"),
    (by_autograd, "right"),
    (by_library, "right"),
    (lambda p, x, s: s**2 * finite(p, x, s), "covariance itself"),
    (lambda p, x, s: s * finite(p, x, s), "σ instead of σ²"),
    (lambda p, x, s: spread(p, posterior(p, x, s), 0 * x) / s**2, "second moment"),
    (lambda p, x, s: spread(p, posterior(p, x, s), x) / s**2, "spread about x"),
    (other_weights(half=1.0), "with the 2"),
    (other_weights(power=1.0, half=1.0), "quadratic"),
    (lambda p, x, s: torch.cov(p.T, correction=0) / s**2, "same weight"),
    (lambda p, x, s: (finite(p, x, s) - torch.eye(3)) / s**2, "of the score"),
    (lambda p, x, s: finite(p, x, s).float(), "right"),
    (unnormalised, "do not sum to 1"),
    (lambda p, x, s: finite(p, x, s).diagonal(), "shape should be (3, 3)"),
    (lambda p, x, s: p @ x, "shape should be"),
    (lambda p, x, s: p.nothing, "raised AttributeError"),
]


@pytest.mark.parametrize(("answer", "verdict"), B)
def test_finite_denoiser(capsys, answer, verdict):
    assert verdict in said(capsys, "b", answer)


def factors(steps, x, moving=True):
    for f in steps:
        yield jacfwd(f)(x)
        x = f(x) if moving else x


def composed(steps, x):
    first, second, third = factors(steps, x)
    return third @ second @ first


def whole(steps, x):
    return jacfwd(lambda z: steps[2](steps[1](steps[0](z))))(x)


def by_chain(steps, x):
    batched = [torch.func.vmap(f) for f in steps]
    return TangentChain(batched, x).jacobian()


def reversed_order(steps, x, moving=True):
    first, second, third = factors(steps, x, moving)
    return first @ second @ third


def at_the_start(steps, x):
    first, second, third = factors(steps, x, moving=False)
    return third @ second @ first


def at_the_end(steps, x):
    product = torch.eye(2, dtype=x.dtype)
    for f in steps:
        x = f(x)
        product = jacfwd(f)(x) @ product
    return product


def entry_by_entry(steps, x):
    first, second, third = factors(steps, x)
    return first * second * third


C = [
    (composed, "right"),
    (at_the_end, "where its step ends"),
    (lambda steps, x: composed(steps[::-1], x), "from the last step to the first"),
    (entry_by_entry, "entry by entry"),
    (whole, "right"),
    (by_chain, "right"),
    (reversed_order, "order is reversed"),
    (at_the_start, "taken at the start. The second"),
    (lambda steps, x: reversed_order(steps, x, moving=False), "and in the wrong order"),
    (lambda steps, x: composed(steps, x).T, "transpose"),
    (lambda steps, x: sum(factors(steps, x)), "not added"),
    (lambda steps, x: list(factors(steps, x))[-1], "last step alone"),
    (lambda steps, x: next(factors(steps, x)), "first step alone"),
]


@pytest.mark.parametrize(("answer", "verdict"), C)
def test_chain_jacobian(capsys, answer, verdict):
    assert verdict in said(capsys, "c", answer)


def left(matrix):
    return torch.linalg.svd(matrix, full_matrices=False).U


D = [
    (lambda J, B: left(J @ B), "right"),
    (lambda J, B: torch.linalg.qr(J @ B).Q, "right"),
    (lambda J, B: left(J @ B).float(), "right"),
    (lambda J, B: left(J @ B) * torch.nan, "not all finite"),
    (lambda J, B: left(torch.linalg.inv(J) @ B), "inverse of J"),
    (lambda J, B: J @ B, "not orthonormal"),
    (lambda J, B: left(J)[:, :2], "know nothing of B"),
    (lambda J, B: torch.linalg.svd(J).Vh[:2].T, "where J starts"),
    (lambda J, B: left(B), "push it forward first"),
    (lambda J, B: left(J.T @ B), "pulls covectors back"),
    (lambda J, B: left(J), "all of R^5"),
    (lambda J, B: torch.linalg.svd(J @ B).Vh, "coordinates in B"),
    (lambda J, B: left(J @ B).T, "vectors are rows"),
    (lambda J, B: left(J)[:, 2:4], "not the image"),
    (lambda J, B: left(J)[:, :1], "shape should be (5, 2)"),
]


@pytest.mark.parametrize(("answer", "verdict"), D)
def test_pushed_basis(capsys, answer, verdict):
    assert verdict in said(capsys, "d", answer)


def hidden(x):
    return torch.where((x.norm() - 1).abs() < 1e-9, x, 3 * x.detach())


def sheared(x):
    across = (x @ x - 1) * torch.stack([x[0] - x[1], x[0] + x[1]])
    return x + across


E = [
    (lambda x: x * (x @ x), "right"),
    (lambda x: x + 3 * (x @ x - 1) * x, "right"),
    (lambda x: (x * (x @ x)).float(), "right"),
    (lambda x: x + 0.001 * (x @ x - 1) * x, "right"),  # a little is enough
    (lambda x: x, "singular values are equal"),
    (lambda x: x / x.norm(), "tangent, as for x/|x|"),
    (lambda x: 2 * x, "not the identity"),
    (lambda x: x.detach(), "not smooth there"),
    (hidden, "singular values are equal"),
    (sheared, "not normal"),
    (lambda x: x[:1], "F maps R² to R²"),
]


@pytest.mark.parametrize(("answer", "verdict"), E)
def test_misleading_extension(capsys, answer, verdict):
    assert verdict in said(capsys, "e", answer)
