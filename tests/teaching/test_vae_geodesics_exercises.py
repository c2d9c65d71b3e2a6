"""Each check of the chapter on VAE geodesics: the right answer, and mistakes by name."""

from math import sqrt

import pytest
import torch
from verdicts import said

from geomlib.riemann import PullbackMetric


def jacobian(g, z):
    return torch.func.vmap(torch.func.jacfwd(g))(z)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (sqrt(29), "right"),
        (torch.tensor(29.0).sqrt(), "right"),
        (sqrt(5), "Euclidean distance of the codes"),
        (29, "squared distance"),
        (14.5, "energy"),
        (sqrt(13), "4 z1"),
        (7.0, "off by"),
        ("five", "one number"),
    ],
)
def test_distance_of_a_linear_decoder(capsys, answer, verdict):
    assert verdict in said(capsys, "vae-geodesics-a", answer)


MAGNIFICATIONS = {
    "right": lambda J: torch.linalg.det(J.mT @ J).sqrt(),
    "squared area": lambda J: torch.linalg.det(J.mT @ J),
    "n by n": lambda J: torch.linalg.det(J @ J.mT).abs().sqrt(),
    "multiply the other way": lambda J: torch.tensor([0.0, torch.nan, 3e-4]),  # of roundings
    "not all finite": lambda J: torch.full((3,), torch.nan),
    "trace": lambda J: (J.mT @ J).diagonal(dim1=-2, dim2=-1).sum(-1),
    "one long vector": lambda J: J.flatten(1).norm(dim=1),
    "orthogonal": lambda J: J.norm(dim=1).prod(-1),
    "largest singular value": lambda J: torch.linalg.svdvals(J)[:, 0],
    "whole batch": lambda J: torch.linalg.det(J.mT @ J).sqrt().mean(),
}


@pytest.mark.parametrize("verdict", MAGNIFICATIONS)
def test_magnification(capsys, verdict):
    formula = MAGNIFICATIONS[verdict]
    assert verdict in said(capsys, "vae-geodesics-b", lambda g, z: formula(jacobian(g, z)))


def gradient(g, z):
    x = g(z)
    second = x[2:] - 2 * x[1:-1] + x[:-2]
    return -(len(z) - 1) * torch.einsum("ikj,ik->ij", jacobian(g, z[1:-1]), second)


def by_autograd(g, z):
    energy = lambda nodes: (len(z) - 1) / 2 * (g(nodes[1:]) - g(nodes[:-1])).square().sum()  # noqa: E731
    return torch.func.grad(energy)(z)


def shifted(g, z):
    x = g(z)
    second = x[2:] - 2 * x[1:-1] + x[:-2]
    return -(len(z) - 1) * torch.einsum("ikj,ik->ij", jacobian(g, z[:-2]), second)


def ambient(g, z):
    x = g(z)
    return -(len(z) - 1) * (x[2:] - 2 * x[1:-1] + x[:-2])


GRADIENTS = {
    "right": gradient,
    "sign is wrong": lambda g, z: -gradient(g, z),
    "post's constant": lambda g, z: gradient(g, z) / (len(z) - 1) ** 2,
    "factor N is missing": lambda g, z: gradient(g, z) / (len(z) - 1),
    "half of the gradient": lambda g, z: gradient(g, z) / 2,
    "twice the gradient": lambda g, z: 2 * gradient(g, z),
    "end points are fixed": by_autograd,
    "wrong node": shifted,
    "flat latent space": lambda g, z: ambient(lambda nodes: nodes, z),
    "force in the ambient space": ambient,
}


@pytest.mark.parametrize("verdict", GRADIENTS)
def test_energy_gradient(capsys, verdict):
    assert verdict in said(capsys, "vae-geodesics-c", GRADIENTS[verdict])


def test_a_right_gradient_by_autograd_counts(capsys):
    assert "right" in said(capsys, "vae-geodesics-c", lambda g, z: by_autograd(g, z)[1:-1])


def bump(z):
    return torch.cat([z, 3 * (-z.square().sum(-1, keepdim=True)).exp()], dim=-1)


CODES = torch.tensor([[-1.5, 0.1], [1.5, 0.0], [-1.5, 0.2]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((0, 1), "right"),
        ((0, 0), "same code"),
        ((0, 2), "less than 15%"),
        ((0, 3), "between 0 and 2"),
        ((0.5, None), "two indices"),
        (7, "two indices"),
    ],
)
def test_rewarding_pair(capsys, answer, verdict):
    context = {"metric": PullbackMetric(bump), "codes": CODES}
    assert verdict in said(capsys, "vae-geodesics-d", answer, **context)
