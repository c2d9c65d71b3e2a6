"""Push-forward, pull-back, chain rule, rank, and the bridge to PyTorch."""

import subprocess
import sys

import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geomlib.symbolic import Chart, Covector, Germ, SmoothMap, SymbolicMetric, surfaces

LINE, PLANE, SPACE = Chart("L", "t"), Chart("R2", "x y"), Chart("R3", "a b c")
x, y = PLANE.symbols
F = SmoothMap(PLANE, SPACE, (x * y, sp.sin(x), x + y**2))
G = SmoothMap(SPACE, PLANE, ("a + b*c", "exp(a)"))
P = (2, 3)
small = st.tuples(st.integers(-3, 3), st.integers(-3, 3))
few = settings(max_examples=8, deadline=None)


@few
@given(small, small)
def test_the_chain_rule(p, v):
    composite = G @ F
    product = G.jacobian(F(p)) * F.jacobian(p)
    assert (composite.jacobian(p) - product).applyfunc(sp.simplify) == sp.zeros(2)
    assert composite.pushforward(p, v) == G.pushforward(F.pushforward(p, v))


@few
@given(small, small)
def test_pushing_a_vector_is_pulling_the_function(p, v):
    pushed = F.pushforward(p, v)
    g = Germ("a*b + c**2", SPACE, F(p))
    assert sp.simplify(pushed(g) - _vector(v, p)(F.pullback(g, p))) == 0
    alpha = Covector((1, -2, 5), SPACE, F(p))
    assert sp.simplify(alpha(pushed) - F.pullback(alpha, p)(_vector(v, p))) == 0


def _vector(v, p):
    first, second = PLANE.basis(p)
    return v[0] * first + v[1] * second


def test_the_differential_commutes_with_the_pull_back():
    g = Germ("a*exp(b) + c", SPACE, F(P))
    assert F.pullback(g, P).differential() == F.pullback(g.differential(), P)


def test_a_curve_is_pushed_by_composition():
    gamma = PLANE.curve(("2 + t", "3*cos(t)"))
    pushed = F.pushforward(gamma)
    assert pushed.pushforward(0, [1]) == F.pushforward(P, gamma.jacobian(0))


def test_composition_is_associative_and_needs_matching_charts():
    gamma = PLANE.curve(("t", "t**2"), "t")
    assert (G @ F) @ gamma == G @ (F @ gamma)
    with pytest.raises(ValueError, match="cannot compose"):
        F @ F


def test_a_composite_is_defined_where_both_maps_are():
    positive = SmoothMap(LINE, Chart("values", "s"), ["t**2"], domain="t > 0")
    composite = positive @ SmoothMap(LINE, LINE, ["t - 1"])
    assert composite(3) == (4,)
    with pytest.raises(ValueError, match="not defined"):
        composite(0)


def test_metrics_pull_back_in_steps_and_isometries_keep_them():
    euclidean = SymbolicMetric(PLANE, sp.eye(2))
    assert F.pullback(G.pullback(euclidean)) == (G @ F).pullback(euclidean)
    disk, half = surfaces.disk(), surfaces.half_plane()
    p, q = disk.chart.symbols
    scale = (1 - p) ** 2 + q**2
    cayley = SmoothMap(
        disk.chart, half.chart, (-2 * q / scale, (1 - p**2 - q**2) / scale)
    )  # fmt: skip
    assert cayley.pullback(half.metric) == disk.metric


def test_extensions_of_one_map_differ_off_the_circle_and_agree_on_its_tangents():
    plane = Chart("R2", "x y")
    image = Chart("image", "p q")
    off_zero = sp.Ne(x**2 + y**2, 0)
    radius = sp.sqrt(x**2 + y**2)
    one = SmoothMap(plane, image, (x, y))
    two = SmoothMap(plane, image, (x / radius, y / radius), domain=off_zero)
    point, tangent = (sp.Rational(3, 5), sp.Rational(4, 5)), (-4, 3)
    assert one.jacobian(point) != two.jacobian(point)
    assert one.pushforward(point, tangent) == two.pushforward(point, tangent)


@pytest.mark.parametrize(
    ("formulas", "immersion"),
    [
        (("t**2", "t**3"), False),
        (("sin(2*t)", "sin(t)"), True),  # the figure eight, not injective
        (("t", "t**2"), True),
        (("cos(t)", "sin(t)"), True),
        (("0", "t**3 - t**2"), False),
    ],
)
def test_immersed_curves(formulas, immersion):
    verdict = SmoothMap(LINE, PLANE, formulas).is_immersion()
    assert verdict == immersion
    if not verdict:
        (point,) = verdict.evidence
        assert SmoothMap(LINE, PLANE, formulas).jacobian(point) == sp.zeros(2, 1)


@pytest.mark.parametrize(
    ("formulas", "singular"),
    [
        (("x*y", "x", "y**2"), (0, 0)),  # Whitney's umbrella
        (("x", "y", "x*y"), None),
        (("(2 + cos(x))*cos(y)", "(2 + cos(x))*sin(y)", "sin(x)"), None),
    ],
)
def test_immersed_surfaces(formulas, singular):
    verdict = SmoothMap(PLANE, SPACE, formulas).is_immersion()
    assert verdict == (singular is None)
    if singular is None:
        assert "on the whole domain" in verdict.reason
    else:
        assert tuple(verdict.evidence[0]) == singular


def test_rank_and_submersion():
    value = Chart("values", "s")
    sphere_equation = SmoothMap(SPACE, value, ["a**2 + b**2 + c**2 - 1"])
    assert sphere_equation.is_submersion((0, 0, 1))
    verdict = sphere_equation.is_submersion()
    assert not verdict
    assert list(verdict.evidence[0]) == [0, 0, 0]
    flat = SmoothMap(PLANE, SPACE, ("x + y", "2*x + 2*y", "0"))
    assert flat.rank() == 1
    assert not flat.is_immersion()


def test_the_generic_rank_is_seen_where_a_coordinate_plane_is_singular():
    fold = SmoothMap(PLANE, Chart("folded", "a b"), ("x**2", "y"))
    assert (fold.rank(), fold.rank((0, 1))) == (2, 1)
    (point,) = fold.is_immersion().evidence
    assert point[0] == 0


def relu(symbol):
    return sp.Max(symbol, 0)


REFUSED = {
    "part in order 1": lambda: SmoothMap(PLANE, LINE, [relu(x)]),
    "1/x is not smooth": lambda: SmoothMap(PLANE, LINE, [1 / x]),
    "sqrt": lambda: SmoothMap(PLANE, LINE, [sp.sqrt(x**2 + y**2)]),
    "needed 1 formulas": lambda: SmoothMap(PLANE, LINE, [x, y]),
    "clashing symbols": lambda: SmoothMap(PLANE, Chart("V", "x"), [x]),
    "misses the domain": lambda: SmoothMap(PLANE, Chart("H", "p q", "q > 0"), [x, y]),
    "is not defined at": lambda: SmoothMap(PLANE, LINE, [1 / x], domain="x > 0")((-1, 0)),
    "vectors push forward": lambda: F.pullback(SPACE.basis(F(P))[0], P),
    "pulled back to a point": lambda: F.pullback(SPACE.cobasis(F(P))[0]),
    "needed one at": lambda: F.pullback(SPACE.cobasis((0, 0, 0))[0], P),
    "needed one in": lambda: F.pushforward(P, SPACE.basis((*P, 0))[0]),
    "give a point and a vector": lambda: F.pushforward(P),
    "from a Chart to a Chart": lambda: SmoothMap("R2", LINE, [x]),
    "metric lives on": lambda: F.pullback(SymbolicMetric(PLANE, sp.eye(2))),
    "has no value for k": lambda: SmoothMap(PLANE, LINE, [sp.Symbol("k") * x]).to_torch(),
    r"shape \(..., 2\)": lambda: F.to_torch()(torch.zeros(4, 3)),
    "floating-point": lambda: F.to_torch()(torch.zeros(4, 2, dtype=torch.long)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_bad_input_is_refused_with_a_reason(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()


@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_values_have_the_shape_and_dtype_of_the_input(batch, dtype):
    z = torch.rand(*batch, 2, dtype=dtype)
    out = F.to_torch()(z)
    assert out.shape == (*batch, 3)
    assert out.dtype == dtype
    expected = torch.stack([z[..., 0] * z[..., 1], z[..., 0].sin(), z[..., 0] + z[..., 1] ** 2], -1)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize(
    "formulas",
    [
        ("x*y", "sin(x)", "x + y**2"),
        ("sqrt(2)*x", "pi", "0"),
        ("1/(1 + x**2)", "atan2(y, 3)", "exp(x)*E"),
        ("Max(1, 2)*x", "sec(x/5)", "tanh(y)/3"),
        ("sinh(x)*cosh(y)", "cot(1 + x/9)", "sech(y)"),
    ],
)
def test_autograd_and_the_formula_give_one_jacobian(formulas):
    f = SmoothMap.trusted(PLANE, SPACE, formulas, True)
    function = f.to_torch()
    z = torch.tensor([0.3, -0.7], dtype=torch.float64)
    exact = f.jacobian((sp.Rational(3, 10), sp.Rational(-7, 10))).evalf()
    expected = torch.tensor(exact.tolist(), dtype=torch.float64)
    torch.testing.assert_close(torch.func.jacrev(function)(z), expected)
    torch.testing.assert_close(torch.func.jacfwd(function)(z), expected)
    batch = z.expand(4, 2)
    torch.testing.assert_close(torch.vmap(function)(batch), function(batch))


def test_parameters_are_set_by_subs():
    k = sp.Symbol("k")
    scaled = SmoothMap(PLANE, LINE, [k * x]).subs({k: 3})
    assert scaled((2, 0)) == (6,)
    assert scaled.to_torch()(torch.tensor([2.0, 0.0])).item() == 6


def test_the_package_imports_without_torch():
    """Its time is in benchmarks/chapter_and_import.py."""
    code = (
        "import geomlib.symbolic, sys; "
        "assert not {'torch', 'matplotlib', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
