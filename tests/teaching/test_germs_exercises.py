"""Each check of the chapter on germs: the right answer, and mistakes by name."""

import pytest
import sympy as sp
import torch
from verdicts import said


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (7, "right"),
        (torch.tensor(7.0), "right"),
        (3, "remainder in the chart x"),
        (-1, "sign of the square"),
        (5, "a = 2"),
        (2, "coefficient of the class"),
        (1, "chapter's example"),
        (4.5, "off by"),
        ("seven", "one number"),
        (..., "not attempted yet"),
    ],
)
def test_remainder_coefficient(capsys, answer, verdict):
    assert verdict in said(capsys, "germs-a", answer)


def averaged(f, symbols, p, start=None):
    t = sp.Symbol("t", real=True)
    start = p if start is None else start
    path = {s: c + t * (s - c) for s, c in zip(symbols, start, strict=True)}
    return [sp.integrate(sp.diff(f, s).subs(path, simultaneous=True), (t, 0, 1)) for s in symbols]


def divided_differences(f, symbols, p):
    """Other factors than the integral's, as smooth."""
    (x, y), (a, b) = symbols, p
    frozen = f.subs(x, a)
    first = sp.cancel((sp.expand(f - frozen)) / (x - a)) if f.is_polynomial() else None
    if first is None:
        return averaged(f, symbols, p)
    return [first, sp.cancel(sp.expand(frozen - frozen.subs(y, b)) / (y - b))]


FACTORS = {
    "right": averaged,
    "numbers": lambda f, s, p: [sp.diff(f, v).subs(dict(zip(s, p, strict=True))) for v in s],
    "derivatives at x": lambda f, s, p: [sp.diff(f, v) for v in s],
    "starts at the origin": lambda f, s, p: averaged(f, s, p, start=(0, 0)),
    "factors g_i alone": lambda f, s, p: [
        (v - c) * g for v, c, g in zip(s, p, averaged(f, s, p), strict=True)
    ],
    "opposite sign": lambda f, s, p: [-g for g in averaged(f, s, p)],
    "0/0 at p": lambda f, s, p: [(f - f.subs(dict(zip(s, p, strict=True)))) / (s[0] - p[0]), 0],
    "variable of integration": lambda f, s, p: [sp.Symbol("t"), 0],
    "one factor for each": lambda f, s, p: [0],
    "is not f": lambda f, s, p: [0, 0],
    "SymPy formulas": lambda f, s, p: [object(), 0],
    "have to be SymPy": lambda f, s, p: [None, 0],
    "have their names": lambda f, s, p: [sp.Symbol("x"), 0],
    "raised ZeroDivisionError": lambda f, s, p: 1 / 0,
    "not attempted yet": lambda f, s, p: None,
}


@pytest.mark.parametrize("verdict", FACTORS)
def test_hadamard_factors(capsys, verdict):
    assert verdict in said(capsys, "germs-b", FACTORS[verdict])


def test_other_factors_are_right_as_well(capsys):
    assert "right" in said(capsys, "germs-b", divided_differences)
    assert "right" in said(capsys, "germs-b", lambda f, s, p: [str(g) for g in averaged(f, s, p)])
    assert "function itself" in said(capsys, "germs-b", [1, 2])


CHANGES = {
    "right": lambda a, J: torch.linalg.solve(J.T, a),
    "pushed the components": lambda a, J: J @ a,
    "from the new chart back": lambda a, J: a @ J,
    "wrong side": lambda a, J: torch.linalg.inv(J) @ a,
    "of the old chart": lambda a, J: a,
    "shape": lambda a, J: J,
    "not attempted yet": lambda a, J: ...,
}


@pytest.mark.parametrize("verdict", CHANGES)
def test_covector_in_new_chart(capsys, verdict):
    assert verdict in said(capsys, "germs-c", CHANGES[verdict])


X = sp.Symbol("x", real=True)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (("x + 3*x**2/2", "x + 3*x**2/2 - x**4/2"), "right"),
        ((X + 3 * X**2 / 2, "x + 3*x**2/2 - x**4/2"), "right"),
        (("2*x + 3*x**2", "x"), "Divide by a number"),
        (("x + 3*x**2/2", "x + 3*x**2/2 + x**4/2"), "opposite sign"),
        (("x + x**2", "x"), "leaves x**2, not 0"),
        (("1 + x", "x"), "does not vanish"),
        (("x**2", "x"), "no coordinate"),
        (("abs(x)", "x"), "no smooth germ"),
        ("x", "two formulas"),
        (("x",), "two formulas"),
        (None, "not attempted yet"),
    ],
)
def test_two_charts(capsys, answer, verdict):
    assert verdict in said(capsys, "germs-d", answer)
