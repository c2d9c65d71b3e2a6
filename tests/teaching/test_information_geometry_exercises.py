"""Each check of the chapter on information geometry: the right answer, and mistakes by name."""

from math import log, sqrt

import pytest
import torch
from torch import distributions as dist
from verdicts import said

from geomlib.riemann import FisherRaoMetric


@pytest.mark.parametrize("name", [f"information-geometry-{letter}" for letter in "abcd"])
def test_an_untouched_stub_is_not_attempted(capsys, name):
    assert "not attempted yet" in said(capsys, name, ...)


@pytest.mark.parametrize("letter", ["b", "c", "d"])
def test_an_empty_function_is_not_attempted(capsys, letter):
    verdict = said(capsys, f"information-geometry-{letter}", lambda *arguments: ...)
    assert "not attempted yet" in verdict


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (2, "right"),
        (torch.tensor(2.0), "right"),
        (3, "difference of the rates"),
        (1, "factor 2 is missing"),
        (log(4), "integrated the information"),
        (1.5, "at its end"),
        (3 - log(4), "KL(1 ‖ 4)"),
        (4 * log(4) - 3, "KL(4 ‖ 1)"),
        (sqrt(2 * (3 - log(4))), "to first order only"),
        (sqrt(2 * (4 * log(4) - 3)), "only to first order"),
        (7.0, "off by"),
        ("two", "Give one number"),
    ],
)
def test_poisson_distance(capsys, answer, verdict):
    assert verdict in said(capsys, "information-geometry-a", answer)


def jac(f, z):
    return torch.func.jacfwd(f)(z)


def gram(J, weight=1.0):
    return J.T @ (weight * J)


def by_library(mean, std, z):
    def decode(codes):
        return dist.Normal(torch.func.vmap(mean)(codes), torch.func.vmap(std)(codes))

    return FisherRaoMetric(decode).matrix(z)


def by_divergence(mean, std, z):
    start = dist.Normal(mean(z), std(z))

    def kl(w):
        return dist.kl_divergence(start, dist.Normal(mean(w), std(w))).sum()

    return torch.func.hessian(kl)(z)


def inverse(std, z, power=2):
    return std(z)[:, None] ** -power


HEADS = {
    "right": by_library,
    "right.": by_divergence,
    "counts twice": lambda m, s, z: gram(jac(m, z), inverse(s, z)) + gram(jac(s, z), inverse(s, z)),
    "expected metric": lambda m, s, z: gram(jac(m, z)) + gram(jac(s, z)),
    "mean alone": lambda m, s, z: gram(jac(m, z)),
    "part of J_σ is missing": lambda m, s, z: gram(jac(m, z), inverse(s, z)),
    "but not J_σ": lambda m, s, z: gram(jac(m, z), inverse(s, z)) + 2 * gram(jac(s, z)),
    "Nothing is divided": lambda m, s, z: gram(jac(m, z)) + 2 * gram(jac(s, z)),
    "instead of σ²": lambda m, s, z: (
        gram(jac(m, z), inverse(s, z, 1)) + 2 * gram(jac(s, z), inverse(s, z, 1))
    ),
    "belong to the variance": lambda m, s, z: (
        gram(jac(m, z), inverse(s, z)) + gram(jac(s, z), inverse(s, z, 4) / 2)
    ),
    "Contract over the outputs": lambda m, s, z: (
        jac(m, z) / s(z)[:, None] @ (jac(m, z) / s(z)[:, None]).T
        + 2 * (jac(s, z) / s(z)[:, None]) @ (jac(s, z) / s(z)[:, None]).T
    ),
    "constant factor of 2": lambda m, s, z: 2 * by_divergence(m, s, z),
    "torch tensor": lambda m, s, z: 1.0,
    "raised ZeroDivisionError": lambda m, s, z: 1 / 0,
}


@pytest.mark.parametrize("verdict", HEADS)
def test_gaussian_head(capsys, verdict):
    assert verdict in said(capsys, "information-geometry-b", HEADS[verdict])


def weighted(a, b, scale=2.0, stretch=1.0):
    (m, s), (n, t) = a, b
    d = stretch * torch.acosh(1 + ((m - n) ** 2 / scale + (s - t) ** 2) / (2 * s * t))
    w = torch.sinh(d / 2) / torch.sinh(d)
    return torch.stack([(m / s + n / t) / (1 / s + 1 / t), 1 / (w * (1 / s + 1 / t))])


def by_solver(a, b):
    metric = FisherRaoMetric(lambda z: dist.Normal(z[..., 0], z[..., 1]))
    return metric.geodesic(a, b, segments=128).points[64]


MIDDLES = {
    "right": weighted,
    "right.": by_solver,
    "straight line in (μ, σ)": lambda a, b: (a + b) / 2,
    "forgot the √2": lambda a, b: weighted(a, b, scale=1.0),
    "geometric mean": lambda a, b: torch.stack([(a[0] + b[0]) / 2, (a[1] * b[1]).sqrt()]),
    "equal weights": lambda a, b: torch.stack(
        [weighted(a, b)[0], 2 / (1 / a[1] + 1 / b[1])]
    ),
    "mixture": lambda a, b: torch.stack(
        [(a[0] + b[0]) / 2, ((a[1] ** 2 + b[1] ** 2) / 2 + (a[0] - b[0]) ** 2 / 4).sqrt()]
    ),
    "distance d of Fisher-Rao": lambda a, b: weighted(a, b, stretch=2**0.5),
    "right to μ/√2": lambda a, b: weighted(a, b) / torch.tensor([2**0.5, 1.0]).double(),
    "solve for μ and σ": lambda a, b: torch.stack(
        [weighted(a, b)[0] / weighted(a, b)[1], 1 / weighted(a, b)[1]]
    ),
    "standard deviation is positive": lambda a, b: a - b,
    "not all finite": lambda a, b: torch.nan * a,
    "shape should be": lambda a, b: a[None],
}  # fmt: skip


@pytest.mark.parametrize("verdict", MIDDLES)
def test_middle_of_normals(capsys, verdict):
    assert verdict in said(capsys, "information-geometry-c", MIDDLES[verdict])


def three(z):
    return torch.cat([z / 2, 1 - z.sum(1, keepdim=True) / 2], dim=1)


FAMILIES = {
    "right": dist.Poisson,
    "right.": lambda z: dist.Bernoulli(probs=z),
    "right. Flat": lambda z: dist.Exponential(z + z**3),
    "right. Flat, though": lambda z: dist.Normal(torch.stack([z[:, 0] ** 2, z.sum(1)], 1), 1.0),
    "curvature is -0.5": lambda z: dist.Normal(z[:, 0], z[:, 1]),
    "curvature is 0.25": lambda z: dist.Categorical(probs=three(z)),
    "not flat: the curvature runs from": lambda z: dist.Beta(z[:, 0], z[:, 1]),
    "G is constant": lambda z: dist.Normal(z, 1.0),
    "rank 1": lambda z: dist.Poisson(z.sum(1)),
    "support of Uniform moves": lambda z: dist.Uniform(0 * z, z),
    "returned a Tensor": lambda z: z,
    "went wrong": lambda z: dist.Poisson(z - 1),
}


@pytest.mark.parametrize("verdict", FAMILIES)
def test_flat_family(capsys, verdict):
    assert verdict in said(capsys, "information-geometry-d", FAMILIES[verdict])


def test_a_distribution_is_no_decoder(capsys):
    verdict = said(capsys, "information-geometry-d", dist.Poisson(torch.ones(3, 2)))
    assert "Hand over the decoder itself" in verdict
