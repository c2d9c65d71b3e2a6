"""Each check of the chapter on geodesics: the right answer, and mistakes by name."""

from math import pi

import pytest
import torch
from verdicts import said

from geomlib.riemann import PullbackMetric


@pytest.mark.parametrize("name", [f"geodesics-{letter}" for letter in "abcd"])
def test_an_untouched_stub_is_not_attempted(capsys, name):
    context = {"metric": TORUS} if name == "geodesics-d" else {}
    assert "not attempted yet" in said(capsys, name, ..., **context)


@pytest.mark.parametrize("name", ["geodesics-b", "geodesics-c"])
def test_an_empty_function_is_not_attempted(capsys, name):
    assert "not attempted yet" in said(capsys, name, lambda *arguments: ...)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (pi / 3, "right"),
        (torch.tensor(pi / 3), "right"),
        (-5 * pi / 3, "right"),
        (5 * pi / 3, "off by"),
        (float("nan"), "not all finite"),
        (3 * pi, "the area of the triangle"),
        (pi / 27, "twice"),
        (pi, "multiplied by the radius"),
        (4 * pi / 3, "sum of the angles"),
        (-2 * pi / 3, "quadrilateral"),
        (60, "degrees"),
        (-pi / 3, "negative curvature"),
        (0.5, "off by"),
        ("much", "one number"),
    ],
)
def test_turned_by_a_triangle(capsys, answer, verdict):
    assert verdict in said(capsys, "geodesics-a", answer)


def contracted(pattern, sign=-1, change=lambda gamma: gamma):
    def answer(metric, z, v):
        return sign * torch.einsum(pattern, change(metric.christoffels(z)), v, v)

    return answer


RIGHT = contracted("bkij,bi,bj->bk")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (RIGHT, "right"),
        (lambda metric, z, v: -metric.connection(z, v, v), "right"),
        (contracted("bkij,bi,bj->bk", sign=1), "sign"),
        (contracted("bkij,bk,bi->bj"), "upper index"),
        (contracted("bkij,bi,bj->bk", change=torch.triu), "counts twice"),
        (contracted("bkii,bi,bi->bk"), "mixed terms"),
        (lambda m, z, v: torch.einsum("bkl,bl->bk", m.matrix(z), RIGHT(m, z, v)), "lowered"),
        (lambda m, z, v: RIGHT(m, z, v) / 2, "half"),
        (lambda m, z, v: -torch.einsum("bkij,bi,bj->bk", m.christoffels(z), z, v), "place of one"),
        (lambda m, z, v: RIGHT(m, z, v)[0], "shape should be"),
        (lambda m, z, v: 1 / 0, "raised ZeroDivisionError"),
        (lambda m, z, v: [0, 1], "torch tensor"),
        (7, "function itself"),
    ],
)
def test_acceleration(capsys, answer, verdict):
    assert verdict in said(capsys, "geodesics-b", answer)


def parts(f, z):
    jacobian = torch.func.jacfwd(f)(z)
    hessian = torch.func.jacfwd(torch.func.jacfwd(f))(z)
    frame = torch.linalg.qr(jacobian).Q
    tangent = torch.einsum("ac,bc,bij->aij", frame, frame, hessian)
    return jacobian, hessian, tangent, torch.linalg.det(jacobian.mT @ jacobian)


def quotient(second, area, mixed=-1):
    square = second[:, 0, 1].square().sum()
    return (second[:, 0, 0] @ second[:, 1, 1] + mixed * square) / area


def curvature(f, z):
    _, hessian, tangent, area = parts(f, z)
    return quotient(hessian - tangent, area)


def tangent_kept(f, z):
    _, hessian, _, area = parts(f, z)
    return quotient(hessian, area)


def tangent_alone(f, z):
    _, _, tangent, area = parts(f, z)
    return quotient(tangent, area)


def no_inverse(f, z):
    jacobian, hessian, _, area = parts(f, z)
    return quotient(hessian - torch.einsum("ac,bc,bij->aij", jacobian, jacobian, hessian), area)


def plus(f, z):
    _, hessian, tangent, area = parts(f, z)
    return quotient(hessian - tangent, area, mixed=1)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (curvature, "right"),
        (lambda f, z: PullbackMetric(f).gaussian_curvature(z), "right"),
        (tangent_kept, "kept the tangent part of"),
        (tangent_alone, "Christoffel"),
        (lambda f, z: curvature(f, z) * parts(f, z)[3], "did not divide"),
        (lambda f, z: curvature(f, z) * parts(f, z)[3].sqrt(), "root of det G"),
        (lambda f, z: curvature(f, z) / parts(f, z)[3], "twice"),
        (no_inverse, "inverse of G"),
        (plus, "mixed term"),
        (lambda f, z: -curvature(f, z), "positive curvature"),
        (lambda f, z: curvature(f, z)[None], "shape should be"),
        (lambda f, z: curvature(f, z) * 0 + 0.2, "off by"),
        ("a string", "function itself"),
    ],
)
def test_curvature_of_an_image(capsys, answer, verdict):
    assert verdict in said(capsys, "geodesics-c", answer)


def torus(z):
    ring = 2 + z[..., 0].cos()
    return torch.stack([ring * z[..., 1].cos(), ring * z[..., 1].sin(), z[..., 0].sin()], -1)


TORUS = PullbackMetric(torus)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (((-1.5, 0), (1.5, 2), (-1, 0)), "right"),
        (((0, 0), (1, 1), (0, 0)), "Wind at least once"),
        (((-1.5, 0), (1.5 - 2 * pi, 2), (1, 0)), "Swap them"),
        (((0.3, 0), (0.6, 3), (0, -1)), "saves less than"),
        (((0, 0), (0, 3), (0, -1)), "did not converge"),  # saddles along the outer equator
        ((1, 2), "Give (a, b, turns)"),
        (((0, 0), (1, 1), "ab"), "Give (a, b, turns)"),
        (((0, 0, 0), (1, 1, 1), (0, 0, 1)), "two entries"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*did not converge:RuntimeWarning")
def test_winding_pays(capsys, answer, verdict):
    assert verdict in said(capsys, "geodesics-d", answer, metric=TORUS)
