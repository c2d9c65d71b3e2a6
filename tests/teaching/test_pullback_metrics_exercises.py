"""Each check of the chapter on pull-back metrics: the right answer, and mistakes by name."""

from math import pi, sqrt

import pytest
import torch
from verdicts import said


@pytest.mark.parametrize("name", [f"pullback-metrics-{letter}" for letter in "abcd"])
def test_an_untouched_stub_is_not_attempted(capsys, name):
    assert "not attempted yet" in said(capsys, name, ...)


@pytest.mark.parametrize("name", ["pullback-metrics-b", "pullback-metrics-c"])
def test_an_empty_function_is_not_attempted(capsys, name):
    assert "not attempted yet" in said(capsys, name, lambda *arguments: ...)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (sqrt(2) * pi, "right"),
        (torch.tensor(4.4429), "right"),
        (pi, "flat disc"),
        (4 * pi / 3, "squared area"),
        (2 * sqrt(2) * pi, "twice the area. Either the factor u is missing"),
        (sqrt(2) / 2, "u alone"),
        (14 * pi / 3, "trace"),
        (2 * pi, "area of the rectangle of codes"),
        (1.0, "off by"),
        ("pi", "Give one number"),
    ],
)
def test_area_of_a_cone(capsys, answer, verdict):
    assert verdict in said(capsys, "pullback-metrics-a", answer)


def chords(g, z):
    return g(z).diff(dim=0).norm(dim=1)


def looped(g, z, times):
    total = torch.zeros((), dtype=z.dtype)
    for i in range(1, len(z)):
        total = total + (g(z[i]) - g(z[i - 1])).square().sum() / (times[i] - times[i - 1]) / 2
    return total


ENERGIES = {
    "right": looped,
    "right.": lambda g, z, t: (chords(g, z) ** 2 / t.diff()).sum() / 2,
    "equal steps of time": lambda g, z, t: (len(z) - 1) / 2 * chords(g, z).square().sum(),
    "the post's constant": lambda g, z, t: chords(g, z).square().sum() / (2 * (len(z) - 1)),
    "half is missing": lambda g, z, t: (chords(g, z) ** 2 / t.diff()).sum(),
    "needs the dt": lambda g, z, t: ((chords(g, z) / t.diff()) ** 2).sum() / 2,
    "should divide": lambda g, z, t: (chords(g, z) ** 2 * t.diff()).sum() / 2,
    "did not square": lambda g, z, t: (chords(g, z) / t.diff()).sum() / 2,
    "energy of the codes": lambda g, z, t: (z.diff(dim=0).square().sum(1) / t.diff()).sum() / 2,
    "the length": lambda g, z, t: chords(g, z).sum(),
    "add them up": lambda g, z, t: chords(g, z) ** 2 / t.diff() / 2,
    "shape should be": lambda g, z, t: chords(g, z),
    "torch tensor": lambda g, z, t: 1.0,
    "raised ZeroDivisionError": lambda g, z, t: 1 / 0,
}


@pytest.mark.parametrize("verdict", ENERGIES)
def test_energy_at_times(capsys, verdict):
    assert verdict in said(capsys, "pullback-metrics-b", ENERGIES[verdict])


def jac(h, z):
    return torch.func.jacfwd(h)(z)


def inv(h, z):
    return torch.linalg.inv(jac(h, z))


CHARTS = {
    "right": lambda G, h, z: inv(h, z).T @ G @ inv(h, z),
    "right.": lambda G, h, z: torch.linalg.solve(jac(h, z).T, torch.linalg.solve(jac(h, z).T, G).T),
    "along the inverse of h": lambda G, h, z: jac(h, z).T @ G @ jac(h, z),
    "transposes are the wrong way": lambda G, h, z: inv(h, z) @ G @ inv(h, z).T,
    "inverse of a metric": lambda G, h, z: jac(h, z) @ G @ jac(h, z).T,
    "matrix of a linear map": lambda G, h, z: jac(h, z) @ G @ inv(h, z),
    "left G as it is": lambda G, h, z: G,
    "belongs to z": lambda G, h, z: inv(h, h(z)).T @ G @ inv(h, h(z)),
    "determinant alone": lambda G, h, z: G / torch.linalg.det(jac(h, z)) ** 2,
    "constant factor of 2": lambda G, h, z: 2 * inv(h, z).T @ G @ inv(h, z),
    "shape should be": lambda G, h, z: G.flatten(),
}


@pytest.mark.parametrize("verdict", CHARTS)
def test_in_new_chart(capsys, verdict):
    assert verdict in said(capsys, "pullback-metrics-c", CHARTS[verdict])


ANGLES = ("sin(u)*cos(v)", "sin(u)*sin(v)", "cos(u)")
LAMBERT = ("sqrt(1 - u**2)*cos(v)", "sqrt(1 - u**2)*sin(v)", "u")
SHEARED = ("sqrt(1 - u**2)*cos(v + u)", "sqrt(1 - u**2)*sin(v + u)", "u")
SINUSOIDAL = ("cos(v)*cos(u/cos(v))", "cos(v)*sin(u/cos(v))", "sin(v)")
TURNED = ("v", "sqrt(1 - v**2)*cos(2*u)", "sqrt(1 - v**2)*sin(2*u)")
FOLDED = ("sqrt(1 - u**4)*cos(v)", "sqrt(1 - u**4)*sin(v)", "u**2")
AZIMUTHAL = (
    "u*sqrt(1 - (u**2 + v**2)/4)", "v*sqrt(1 - (u**2 + v**2)/4)", "1 - (u**2 + v**2)/2"
)  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((SINUSOIDAL, (-1, 1, -1, 1)), "right"),
        ((SHEARED, (-0.9, 0.9, "-pi", "pi")), "right"),
        ((AZIMUTHAL, (-1, 1, -1, 1)), "right"),
        ((LAMBERT, (-0.9, 0.9, -3, 3)), "Lambert's cylinder"),
        ((TURNED, (-1, 1, -0.9, 0.9)), "Lambert's cylinder"),
        ((ANGLES, (0.5, 2.5, -3, 3)), "not equal-area: the root of det G varies by a factor of"),
        ((FOLDED, (-0.9, 0.9, -3, 3)), "rank is below 2"),
        ((("u", "v", "0*u"), (-1, 1, -1, 1)), "unit sphere"),
        ((LAMBERT, (-2, 2, -3, 3)), "not finite"),
        ((LAMBERT, (1, -1, 0, 1)), "u_low < u_high"),
        ((LAMBERT, (0, 1)), "Give (formulas, box)"),
        ((("u", "v"), (0, 1, 0, 1)), "cannot be read"),
        ((("w", "u", "v"), (0, 1, 0, 1)), "cannot be read"),
        (7, "Give (formulas, box)"),
    ],
)
def test_equal_area_map(capsys, answer, verdict):
    assert verdict in said(capsys, "pullback-metrics-d", answer)
