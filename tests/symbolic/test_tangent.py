"""Vectors and covectors: derivations, curves, duality, checked against sympy.diffgeom."""

import pytest
import sympy as sp
from sympy.diffgeom import Differential
from sympy.diffgeom.rn import R2, R2_r

from geomlib.symbolic import Chart, Covector, Germ, TangentVector

PLANE = Chart("R2", "x y")
x, y = PLANE.symbols
t = sp.Symbol("t", real=True)
P = (2, 3)


def test_bases_are_dual():
    pairing = [[dx(v) for v in PLANE.basis(P)] for dx in PLANE.cobasis(P)]
    assert pairing == [[1, 0], [0, 1]]


@pytest.mark.parametrize("f", ["x*y", "exp(x)*sin(y)", "x**3 - y"])
def test_a_vector_acts_as_diffgeom_says(f):
    v = TangentVector((5, -7), PLANE, P)
    field = 5 * R2.e_x - 7 * R2.e_y
    formula = sp.sympify(f, locals={"x": R2.x, "y": R2.y})
    point = R2_r.point(P)
    assert sp.simplify(v(f) - field.rcall(formula).rcall(point)) == 0


def test_a_differential_pairs_as_diffgeom_says():
    formula = R2.x**2 * R2.y
    theirs = Differential(formula)(R2.e_x)
    ours = Germ("x**2*y", PLANE, P).differential()(PLANE.basis(P)[0])
    assert ours == theirs.rcall(R2_r.point(P))


def test_the_three_ways_to_a_vector_agree():
    curve = (2 + 5 * t + t**2, 3 * sp.exp(-t))
    from_curve = TangentVector.from_curve(curve, PLANE, through=P)
    assert from_curve == TangentVector((5, -3), PLANE, P)
    verdict = TangentVector.is_derivation(lambda f: from_curve(f), PLANE, P)
    assert verdict
    assert verdict.evidence[0] == from_curve
    f = "x*y**2"
    along = sp.diff(sp.sympify(f, {"x": curve[0], "y": curve[1]}), t).subs(t, 0)
    assert from_curve(f) == along == Germ(f, PLANE, P).differential()(from_curve)


def test_curves_with_equal_velocity_are_one_vector():
    one = TangentVector.from_curve((t, t**2), PLANE)
    other = TangentVector.from_curve((sp.sin(t), t**3), PLANE)
    assert one == other
    assert one != TangentVector.from_curve((2 * t, t), PLANE)


@pytest.mark.parametrize(
    ("operator", "law"),
    [
        (lambda f: f.diff(x, x).value(), "Leibniz"),
        (lambda f: f.value(), "Leibniz"),
        (lambda f: f.diff(x).value() ** 2, "linear"),
        (lambda f: f.diff(x).value() + 1, "linear"),
        (lambda f: f.diff(x, x, x).value(), "Leibniz"),
        (lambda f: f.diff(x, y).value() + f.diff(y).value(), "Leibniz"),
    ],
)
def test_what_is_no_derivation_is_refused_by_a_pair_that_breaks_the_law(operator, law):
    verdict = TangentVector.is_derivation(operator, PLANE, (0, 0))
    assert not verdict
    assert f"not {law}" in verdict.reason
    f, g = verdict.evidence
    leibniz = operator(f * g) - f.value() * operator(g) - g.value() * operator(f)
    linear = operator(2 * f - 3 * g) - 2 * operator(f) + 3 * operator(g)
    assert (leibniz if law == "Leibniz" else linear) != 0


def test_vectors_form_a_space():
    v, w = PLANE.basis(P)
    assert 2 * v - w == TangentVector((2, -1), PLANE, P)
    assert -v + v == TangentVector((0, 0), PLANE, P)


def test_symbolic_points_give_fields():
    a, b = sp.symbols("a b", real=True)
    assert Germ("x*y", PLANE, (a, b)).differential() == Covector((b, a), PLANE, (a, b))


REFUSED = {
    "needed 2 components": lambda: TangentVector((1, 2, 3), PLANE, P),
    "not finite": lambda: TangentVector((1, sp.nan), PLANE, P),
    "real numbers": lambda: Covector((1, sp.I), PLANE, P),
    "different points": lambda: PLANE.basis(P)[0] + PLANE.basis((0, 0))[0],
    "no pairing of their own": lambda: PLANE.basis(P)[0](PLANE.basis(P)[1]),
    "acts on a TangentVector": lambda: PLANE.cobasis(P)[0]("x"),
    "part in order 1": lambda: PLANE.basis((0, 0))[0]("Abs(x)"),
    "misses": lambda: TangentVector.from_curve((t, t), PLANE, through=(1, 1)),
    "is not smooth": lambda: TangentVector.from_curve((abs(t), t), PLANE),
    "which one is the parameter": lambda: TangentVector.from_curve((0, 0), PLANE),
    "in which chart": lambda: TangentVector.from_curve((t, t)),
    "end with .value": lambda: TangentVector.is_derivation(lambda f: f.diff(x), PLANE, P),
    "no number": lambda: TangentVector.is_derivation(lambda f: None, PLANE, P),
    "say where": lambda: TangentVector.is_derivation(lambda f: 0),
}


@pytest.mark.parametrize("message", REFUSED)
def test_bad_input_is_refused_with_a_reason(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()
