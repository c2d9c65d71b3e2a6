"""The local ring of germs, its ideals, and what a jet cannot see."""

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from geomlib.symbolic import Chart, Germ

LINE, PLANE = Chart("R", "x"), Chart("R2", "x y")
x, y = PLANE.symbols
FLAT = sp.Piecewise((sp.exp(-1 / x**2), sp.Ne(x, 0)), (0, True))
BUMP = sp.Piecewise((sp.exp(-1 / x), x > 0), (0, True))
SINC = sp.Piecewise((sp.sin(x) / x, sp.Ne(x, 0)), (1, True))

small = st.integers(-3, 3)
polynomials = st.lists(small, min_size=6, max_size=6).map(
    lambda c: c[0] + c[1] * x + c[2] * y + c[3] * x**2 + c[4] * x * y + c[5] * y**3
)
points = st.tuples(small, small)
few = settings(max_examples=8, deadline=None)


def truncated(polynomial, p, k):
    h = sp.Dummy()
    scaled = {s: c + h * (s - c) for s, c in zip((x, y), p, strict=True)}
    terms = sp.Poly(sp.expand(polynomial.subs(scaled, simultaneous=True)), h).all_coeffs()[::-1]
    return sp.expand(sum(terms[: k + 1]))


@few
@given(polynomials, polynomials, points)
def test_jets_are_a_ring_homomorphism(f, g, p):
    left, right = Germ(f, PLANE, p), Germ(g, PLANE, p)
    assert (left + right).jet(2) == sp.expand(left.jet(2) + right.jet(2))
    assert (left * right).jet(2) == truncated(sp.expand(left.jet(2) * right.jet(2)), p, 2)


@few
@given(polynomials, polynomials, points)
def test_the_differential_is_linear_and_leibniz(f, g, p):
    left, right = Germ(f, PLANE, p), Germ(g, PLANE, p)
    df, dg = left.differential(), right.differential()
    assert (left + right).differential() == df + dg
    assert (left * right).differential() == left.value() * dg + right.value() * df


@few
@given(polynomials, polynomials, points)
def test_products_of_two_germs_of_m_lie_in_its_square_with_a_true_certificate(f, g, p):
    a = Germ(f, PLANE, p)
    b = Germ(g, PLANE, p)
    product = (a - a.value()) * (b - b.value())
    verdict = product.in_square()
    assert verdict
    total = sum((u * v for u, v in verdict.evidence), sp.S.Zero)
    assert sp.expand(total - product.expression) == 0
    assert all(
        Germ(u, PLANE, p).in_maximal_ideal() and Germ(v, PLANE, p).in_maximal_ideal()
        for u, v in verdict.evidence
    )


@few
@given(polynomials, points)
def test_hadamard_factors_rebuild_the_germ_and_carry_the_differential(f, p):
    germ = Germ(f, PLANE, p)
    pairs = germ.hadamard()
    assert sp.expand(germ.value() + sum(u * v for u, v in pairs) - f) == 0
    values = [Germ(v, PLANE, p).value() for _, v in pairs]
    assert values == list(germ.differential().components)


@pytest.mark.parametrize(
    "f",
    [sp.cos(x) - 1, sp.exp(x * y) - 1, sp.sin(x * y) * sp.exp(x), sp.log(1 + x**2 + y**2)],
)
def test_hadamard_factors_of_transcendental_germs_are_smooth_germs(f):
    germ = Germ(f, PLANE, (0, 0))
    verdict = germ.in_square()
    assert verdict
    total = sum((u * v for u, v in verdict.evidence), sp.S.Zero)
    place = {x: sp.Rational(1, 3), y: sp.Rational(-2, 5)}
    assert abs(sp.N((total - f).subs(place))) < 1e-12
    assert all(Germ(v, PLANE, (0, 0)).in_maximal_ideal() for _, v in verdict.evidence)


@pytest.mark.parametrize("flat", [FLAT, BUMP, x * FLAT, FLAT / 3 + BUMP])
def test_a_flat_germ_has_the_jet_of_zero_and_is_not_zero(flat):
    germ, zero = Germ(flat, LINE, 0), Germ(0, LINE, 0)
    assert germ.jet(6) == 0
    assert germ.agrees_with(zero, 6)
    assert germ != zero
    assert germ.in_square()
    assert germ.diff("x").jet(3) == 0


def test_flat_germs_are_zero_divisors():
    left = sp.Piecewise((sp.exp(1 / x), x < 0), (0, True))
    one, other = Germ(BUMP, LINE, 0), Germ(left, LINE, 0)
    zero = Germ(0, LINE, 0)
    assert one * other == zero
    assert one != zero
    assert other != zero
    assert one != other


def test_a_flat_germ_of_two_variables():
    radius = x**2 + y**2
    germ = Germ(sp.Piecewise((sp.exp(-1 / radius), sp.Ne(radius, 0)), (0, True)), PLANE, (0, 0))
    assert germ.jet(4) == 0
    assert germ != Germ(0, PLANE, (0, 0))
    assert germ.diff("x", "y").value() == 0


def test_a_germ_forgets_what_is_far_away():
    cut = sp.Piecewise((x, x < 1), (x**2, True))
    assert Germ(cut, LINE, 0) == Germ(x, LINE, 0)
    assert Germ(cut, LINE, 2) == Germ(x**2, LINE, 2)
    with pytest.raises(ValueError, match="part in order 1"):
        Germ(cut, LINE, 1)


@pytest.mark.parametrize("f", [SINC, sp.sinc(x)])
def test_gaps_are_filled_smoothly(f):
    germ = Germ(f, LINE, 0)
    assert germ.jet(4) == 1 - x**2 / 6 + x**4 / 120
    assert germ.diff("x").jet(3) == -x / 3 + x**3 / 30


def test_corners_that_cancel_are_no_corners():
    assert Germ(abs(x) * sp.sign(x), LINE, 0) == Germ(x, LINE, 0)
    assert Germ(abs(x), LINE, 1) == Germ(x, LINE, 1)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (abs(x), "part in order 1"),
        (x * abs(x), "part in order 2"),
        (abs(x) ** 3, "part in order 3"),
        (abs(x) ** sp.Rational(3, 2), "not smooth"),
        (sp.Max(x, 0), "part in order 1"),
        (sp.Piecewise((0, x < 0), (1, True)), "jump"),
        (sp.Piecewise((sp.sin(x) / x, sp.Ne(x, 0)), (2, True)), "whose limit is 1"),
        (sp.exp(-1 / x**2), "not smooth"),
        (1 / x, "not smooth"),
        (sp.log(x), "not smooth"),
        (sp.sqrt(x), "not smooth"),
        (sp.floor(x), "not smooth"),
        (sp.nan, "not finite"),
        (sp.Symbol("x"), "not the chart's own"),
        (None, "scalar formula"),
        ([], "scalar formula"),
        ("x +", "cannot read"),
    ],
)
def test_what_is_no_smooth_germ_at_zero_is_refused(f, message):
    with pytest.raises(ValueError, match=message):
        Germ(f, LINE, 0)


def test_r_plus_m_splits_canonically_and_m_does_not():
    f = Germ("2*x + 3*x**2", LINE, 0)
    in_x, in_u = f.split(), f.split(by=["x + x**2"])
    assert in_x.value == in_u.value == 0
    assert (in_x.remainder, in_u.remainder) == (3 * x**2, x**2)
    for parts in (in_x, in_u):
        assert Germ(parts.remainder, LINE, 0).in_square()
        assert Germ(parts.value + parts.linear + parts.remainder, LINE, 0) == f
    difference = Germ(in_x.linear - in_u.linear, LINE, 0)
    assert difference.in_square()  # so the class in m/m^2 is one
    with pytest.raises(ValueError, match="no coordinates"):
        f.split(by=["x**2"])


def test_each_coordinate_keeps_its_own_slope():
    f = Germ("x + 2*y", PLANE, (0, 0))
    assert f.split().linear == x + 2 * y
    bent = f.split(by=["x + y**2", "y - x*y"])
    assert bent.linear == sp.expand(x + y**2 + 2 * (y - x * y))
    assert Germ(bent.remainder, PLANE, (0, 0)).in_square()


def test_a_number_less_a_germ():
    assert 3 - Germ("x", LINE, 0) == Germ("3 - x", LINE, 0) != Germ("x", LINE, 0) - 3


def test_h_is_a_subring_and_no_ideal():
    one, square, f = (Germ(e, LINE, 0) for e in (1, x**2, x))
    in_h = [(g - g.value()).in_square() for g in (one, square, one * square, one + square)]
    assert all(in_h)
    assert not (one * f - (one * f).value()).in_square()


def test_units_are_the_germs_outside_m():
    f = Germ("1 + x", LINE, 0)
    assert f * f.inverse() == Germ(1, LINE, 0)
    with pytest.raises(ValueError, match="no inverse"):
        Germ("x", LINE, 0).inverse()


def test_jets_agree_with_the_series_of_sympy():
    for f in (sp.exp(sp.sin(x)), sp.tanh(x) / (1 + x), sp.cos(x) ** 3, sp.sqrt(1 + x)):
        series = sp.series(f, x, 0, 8).removeO()
        assert sp.expand(Germ(f, LINE, 0).jet(7) - series) == 0


@pytest.mark.parametrize("k", [-1, 1.5, True, 1000])
def test_orders_that_are_none_are_refused(k):
    with pytest.raises(ValueError, match="jet"):
        Germ(x, LINE, 0).jet(k)


def test_a_jet_too_long_to_write_out_is_refused_and_not_waited_for():
    with pytest.raises(ValueError, match="too long to write out"):
        Germ("exp(sin(x*y) + x)*cos(y)", PLANE, (1, 2)).jet(12)


def test_germs_of_other_places_do_not_mix():
    with pytest.raises(ValueError, match="different points"):
        Germ(x, LINE, 0) + Germ(x, LINE, 1)
    with pytest.raises(ValueError, match="in_chart"):
        Germ(x, LINE, 0) * Germ("s", Chart("S", "s"), 0)
