"""Each check of the chapter on statistics in latent space: the right answer, and mistakes."""

from math import pi

import pytest
import torch
from verdicts import said

A, B = torch.tensor([[0.9, 2.4], [1.7, -2.1]], dtype=torch.float64)  # radii 2.56 and 2.70


@pytest.mark.parametrize("name", [f"vae-statistics-{letter}" for letter in "abcd"])
def test_an_untouched_stub_is_not_attempted(capsys, name):
    assert "not attempted yet" in said(capsys, name, ...)


@pytest.mark.parametrize("name", ["vae-statistics-b", "vae-statistics-c"])
def test_an_empty_function_is_not_attempted(capsys, name):
    assert "not attempted yet" in said(capsys, name, lambda *arguments: ...)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((0, 1, 0), "right"),
        (torch.tensor([0.0, 1.0, 0.0]), "right"),
        ((-1, 1, 1), "outside of the sphere"),
        ((-0.57735, 0.57735, 0.57735), "moved c + (b - a) back"),
        ((0, pi / 2, 1), "great circle"),
        ((0, pi / 2, 0), "not the point"),
        ((0, 0, 1), "exchanged b and c"),
        ((0, -1, 0), "direction"),
        ((-1, 0, 0), "turned the vector"),
        ((0, 1), "three numbers"),
        ("b", "three numbers"),
        ((1, 2, 3), "largest error"),
    ],
)
def test_analogy_on_a_sphere(capsys, answer, verdict):
    assert verdict in said(capsys, "vae-statistics-a", answer)


def logs(space, m, x):
    return space.log(m.repeat(len(x), 1), x)


STEPS = {
    "right": lambda S, m, x: S.exp(m, logs(S, m, x).mean(0)),
    "right.": lambda S, m, x: S.exp(m, S.geodesic(m.repeat(len(x), 1), x).velocity()[:, 0].mean(0)),
    "Euclidean mean": lambda S, m, x: x.mean(0),
    "exp in a flat space only": lambda S, m, x: m + logs(S, m, x).mean(0),
    "uphill": lambda S, m, x: S.exp(m, -logs(S, m, x).mean(0)),
    "divide by their number": lambda S, m, x: S.exp(m, logs(S, m, x).sum(0)),
    "needs vectors at m": lambda S, m, x: S.exp(m, S.log(x, m.repeat(len(x), 1)).mean(0)),
    "no transport, no sum": lambda S, m, x: S.exp(m, -S.log(x, m.repeat(len(x), 1)).mean(0)),
    "follow the geodesic": lambda S, m, x: logs(S, m, x).mean(0),
    "differences of coordinates": lambda S, m, x: S.exp(m, x.mean(0) - m),
    "nothing has moved": lambda S, m, x: m,
    "half a step": lambda S, m, x: S.exp(m, logs(S, m, x).mean(0) / 2),
    "shape should be": lambda S, m, x: logs(S, m, x),
    "raised": lambda S, m, x: S.shift(m),
}


@pytest.mark.parametrize("verdict", STEPS)
def test_step_of_descent(capsys, verdict):
    assert verdict in said(capsys, "vae-statistics-b", STEPS[verdict])


def kernels(
    z, mean, cov, T, floor, *, weigh=torch.linalg.inv, form=torch.linalg.inv, exponent=None
):
    away = z[:, None] - mean
    squared = torch.einsum("nki,kij,nkj->nk", away, form(cov), away)
    power = squared / T**2 if exponent is None else exponent(squared, T)
    return torch.einsum("nk,kij->nij", (-power).exp(), weigh(cov)) + floor * torch.eye(2).to(z)


def same(cov):
    return cov


def unit(cov):
    return torch.eye(2).to(cov).expand_as(cov)


MATRICES = {
    "right": kernels,
    "needs their inverses": lambda *all: kernels(*all, weigh=same),
    "other convention": lambda *all: torch.linalg.inv(kernels(*all, weigh=same)),
    "inverse of the metric": lambda *all: torch.linalg.inv(kernels(*all)),
    "as a Mahalanobis distance does": lambda *all: kernels(*all, form=same),
    "Euclidean distances": lambda *all: kernels(*all, form=unit),
    "temperature is missing": lambda *all: kernels(*all, exponent=lambda s, T: s),
    "not by T": lambda *all: kernels(*all, exponent=lambda s, T: s / T),
    "no half": lambda *all: kernels(*all, exponent=lambda s, T: s / T**2 / 2),
    "take its square": lambda *all: kernels(*all, exponent=lambda s, T: s.sqrt() / T),
    "floor is missing": lambda z, m, c, T, floor: kernels(z, m, c, T, 0.0),
    "once for each": lambda z, m, c, T, floor: kernels(z, m, c, T, 2 * floor),
    "unit matrix": lambda z, m, c, T, floor: kernels(z, m, c, T, 0.0) + floor,
    "averaged": lambda z, m, c, T, floor: kernels(z, m, c, T, 0.0) / 2 + floor * torch.eye(2).to(z),
    "shape should be": lambda *all: kernels(*all).sum(0),
}


@pytest.mark.parametrize("verdict", MATRICES)
def test_kernel_matrix(capsys, verdict):
    assert verdict in said(capsys, "vae-statistics-c", MATRICES[verdict])


def turned(z, angle):
    c, s, (x, y) = angle.cos(), angle.sin(), z.unbind(-1)
    return torch.stack([c * x - s * y, s * x + c * y], dim=-1)


def twist(rate):
    return lambda z: turned(z, rate * z.square().sum(-1))


def meeting() -> float:
    """The rate at which both codes come to lie on one ray."""
    gap = torch.atan2(B[1], B[0]) - torch.atan2(A[1], A[0])
    return (gap / (A.square().sum() - B.square().sum())).item()


def squashed(z):
    return torch.stack([z[..., 0], z[..., 1] / 4], dim=-1)


def stretched(z):
    return torch.stack([z[..., 0], z[..., 1] * 4], dim=-1)


def shifted(z):
    return torch.stack([z[..., 0] + z[..., 1] / 3, z[..., 1]], dim=-1)


def shifted_back(z):
    return torch.stack([z[..., 0] - z[..., 1] / 3, z[..., 1]], dim=-1)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((twist(meeting()), twist(-meeting())), "right"),
        ((twist(0.0), twist(0.0)), "was 4.57 and is 4.57 now"),
        ((squashed, stretched), "does not keep N(0, I)"),
        ((shifted, shifted_back), "does not keep N(0, I)"),
        ((twist(0.3), twist(0.3)), "does not undo"),
        ((lambda z: z[..., :1], lambda z: z), "should map"),
        ((lambda z: z.float(), lambda z: z), "keep the type"),
        ((lambda z: ..., lambda z: z), "not attempted yet"),
        ((..., ...), "not attempted yet"),
        (3, "Give two functions"),
        ((3, 4), "Hand over the function"),
    ],
)
def test_bring_together(capsys, answer, verdict):
    assert verdict in said(capsys, "vae-statistics-d", answer, a=A, b=B)
