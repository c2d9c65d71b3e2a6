"""Each check of the chapter on tangent maps: the right answer, and mistakes by name."""

import pytest
import torch
from verdicts import said


@pytest.mark.parametrize("name", [f"tangent-maps-{letter}" for letter in "abcd"])
def test_an_untouched_stub_is_not_attempted(capsys, name):
    assert "not attempted yet" in said(capsys, name, ...)


@pytest.mark.parametrize("name", ["tangent-maps-b", "tangent-maps-c"])
def test_an_empty_function_is_not_attempted(capsys, name):
    assert "not attempted yet" in said(capsys, name, lambda *arguments: ...)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((-2, 14), "right"),
        (torch.tensor([-2, 14]), "right"),
        ((10, 10), "transpose"),
        ((-10, 20), "finite step"),
        ((-8, 6), "acts on points"),
        ((-16, 12), "Jacobian at v"),
        ((1, 18), "the foot is not added"),
        ((10, 14), "sign"),
        ((3, 4), "the foot of the vector"),
        ((-1, 7), "constant factor of 0.5"),
        (7, "pair of numbers"),
        ("no", "pair of numbers"),
    ],
)
def test_pushed_vector(capsys, answer, verdict):
    assert verdict in said(capsys, "tangent-maps-a", answer)


def jacobians(layers, p, at=None):
    found = []
    for layer in layers:
        found.append(torch.func.jacfwd(layer)(p if at is None else at))
        p = layer(p)
    return found


def at_outputs(layers, p):
    found = []
    for layer in layers:
        found.append(torch.func.jacfwd(layer)(layer(p)))
        p = layer(p)
    return found


def at_wrong_places(layers, p):
    points = [p]
    for layer in layers[:-1]:
        points.append(layer(points[-1]))
    return [torch.func.jacfwd(f)(x) for f, x in zip(layers, reversed(points), strict=True)]


def right(layers, p, alpha):
    for J in reversed(jacobians(layers, p)):
        alpha = alpha @ J
    return alpha


def composite(layers, p):
    for layer in layers:
        p = layer(p)
    return p


PULL_BACKS = {
    "right": right,
    "right.": lambda f, p, a: torch.func.vjp(lambda x: composite(f, x), p)[1](a)[0],
    "from the left": lambda f, p, a: torch.func.jvp(lambda x: composite(f, x), (p,), (a,))[1],
    "every Jacobian at p": lambda f, p, a: a @ chain(jacobians(f, p, at=p)),
    "belongs to the input": lambda f, p, a: a @ chain(at_outputs(f, p)),
    "order of the forward pass": lambda f, p, a: a @ chain(jacobians(f, p)[::-1]),
    "points from the first": lambda f, p, a: a @ chain(at_wrong_places(f, p)),
    "transposed": lambda f, p, a: chain(jacobians(f, p)[::-1]) @ a,
    "before the first layer": lambda f, p, a: a @ chain(jacobians(f, p)[1:]),
    "left out the last layer": lambda f, p, a: a @ chain(jacobians(f, p)[:2]),
    "from ones": lambda f, p, a: chain(jacobians(f, p)).sum(0),
    "shape should be": lambda f, p, a: chain(jacobians(f, p)),
    "raised ZeroDivisionError": lambda f, p, a: 1 / 0,
}


def chain(matrices):
    product = torch.eye(2, dtype=torch.float64)
    for matrix in matrices:
        product = matrix @ product
    return product


@pytest.mark.parametrize("verdict", PULL_BACKS)
def test_pulled_back(capsys, verdict):
    assert verdict in said(capsys, "tangent-maps-b", PULL_BACKS[verdict])


def basis_at(x):
    return torch.linalg.svd(x[None]).Vh[1:].T


def jac(F, x):
    return torch.func.jacfwd(F)(x)


def target_projected(F, x):
    y = F(x)
    return torch.linalg.svdvals((torch.eye(3).double() - torch.outer(y, y)) @ jac(F, x))[:2]


STRETCHES = {
    "right": lambda F, x: torch.linalg.svdvals(jac(F, x) @ basis_at(x)),
    "right.": lambda F, x: torch.linalg.svdvals(
        jac(F, x) @ (torch.eye(3).double() - torch.outer(x, x))
    )[:2],
    "two largest": lambda F, x: torch.linalg.svdvals(jac(F, x))[:2],
    "dropped the largest": lambda F, x: torch.linalg.svdvals(jac(F, x))[1:],
    "two tangent directions": lambda F, x: torch.linalg.svdvals(jac(F, x)),
    "source that must be restricted": target_projected,
    "squares": lambda F, x: torch.linalg.svdvals(jac(F, x) @ basis_at(x)) ** 2,
    "eigvalsh sorts ascending": lambda F, x: torch.linalg.eigvalsh(
        (jac(F, x) @ basis_at(x)).T @ (jac(F, x) @ basis_at(x))
    ),
    "last of your three values is 0": lambda F, x: torch.linalg.svdvals(
        jac(F, x) @ (torch.eye(3).double() - torch.outer(x, x))
    ),
    "(2,), but yours is (3, 2)": lambda F, x: jac(F, x) @ basis_at(x),
    "larger stretch first": lambda F, x: torch.linalg.svdvals(jac(F, x) @ basis_at(x)).flip(0),
    "factor of area": lambda F, x: torch.linalg.svdvals(jac(F, x) @ basis_at(x)).prod(),
    "torch tensor": lambda F, x: [1.0, 2.0],
}


@pytest.mark.parametrize("verdict", STRETCHES)
def test_stretches(capsys, verdict):
    assert verdict in said(capsys, "tangent-maps-c", STRETCHES[verdict])


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((("t**2 - 1", "t*(t**2 - 1)"), -1, 2, 1), "right"),
        ((("2*sin(2*t)", "sin(t)"), "-pi", "pi", 0), "right"),
        ((("sin(2*t)", "sin(t)"), "-pi", "pi", 0), "figure eight of the chapter"),
        ((("sin(t)", "sin(2*t)"), "-pi", "pi", 0), "figure eight of the chapter"),
        ((("3*t/(1 + t**3)", "3*t**2/(1 + t**3)"), "-1/2", "oo", 0), "finite ends"),
        ((("s", "s**2"), 0, 1, 0.5), "in t alone"),
        ((("t**2", "t**3"), -1, 1, 0.5), "no immersion: the rank is 0"),
        ((("t**2 - 1", "t*(t**2 - 1)"), -2, 2, 1), "crosses itself near t = -1.00 and t = 1.00"),
        ((("t", "t**2"), -1, 1, 0), "Neither end"),
        ((("t**2 - 1", "t*(t**2 - 1)"), -1, 2, 0), "Neither end"),
        ((("t**2 - 1", "t*(t**2 - 1)"), -1, 2, 2), "inside the interval"),
        ((("cos(t)", "sin(t)"), 0, "2*pi", 0), "inside the interval"),
        ((("cos(t)", "sin(t)"), 0, 7, 6.6), "crosses itself"),
        ((("abs(t)", "t**2"), -1, 1, 0), "no smooth curve"),
        ((("t", "t"), 1, 0, 0), "low < high"),
        ((("cos(t)",), 0, 1, 0.5), "no smooth curve"),
        (("a", 1), "Give (formulas"),
    ],
)
def test_almost_an_embedding(capsys, answer, verdict):
    assert verdict in said(capsys, "tangent-maps-d", answer)
