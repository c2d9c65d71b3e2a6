"""Metrics and curvature against closed forms and sympy.diffgeom."""

import pytest
import sympy as sp
from sympy.diffgeom import (
    CoordSystem,
    Manifold,
    Patch,
    TensorProduct,
    metric_to_Christoffel_2nd,
    metric_to_Riemann_components,
)

from geomlib.symbolic import Chart, SmoothMap, SymbolicMetric, TangentVector, surfaces

R, r, c = sp.symbols("R r c", positive=True)


def closed_form(text, surface):
    names = {s.name: s for s in surface.chart.symbols} | {"R": R, "r": r, "c": c}
    return sp.sympify(text, locals=names)


CURVATURES = {
    "sphere": (lambda: surfaces.sphere(R), "1/R**2"),
    "torus": (lambda: surfaces.torus(R, r), "cos(u)/(r*(R + r*cos(u)))"),
    "half-plane": (surfaces.half_plane, "-1"),
    "disk": (surfaces.disk, "-1"),
    "paraboloid": (lambda: surfaces.paraboloid(c), "c**2/(1 + c**2*(u**2 + v**2))**2"),
    "saddle": (surfaces.saddle, "-1/(1 + u**2 + v**2)**2"),
    "cone": (lambda: surfaces.cone(c), "0"),
    "cylinder": (lambda: surfaces.cylinder(R), "0"),
    "helicoid": (lambda: surfaces.helicoid(c), "-c**2/(c**2 + v**2)**2"),
    "catenoid": (lambda: surfaces.catenoid(c), "-1/(c**2*cosh(v/c)**4)"),
    "projective plane": (surfaces.projective_plane, "1"),
}


@pytest.mark.parametrize("name", CURVATURES)
def test_gaussian_curvature_has_its_closed_form(name):
    make, text = CURVATURES[name]
    surface = make()
    curvature = surface.metric.gaussian_curvature()
    assert sp.simplify(curvature - closed_form(text, surface)) == 0


def in_diffgeom(metric):
    coordinates = CoordSystem("C", Patch("P", Manifold("M", 2)), metric.chart.symbols)
    fields = dict(zip(metric.chart.symbols, coordinates.base_scalars(), strict=True))
    forms, matrix = coordinates.base_oneforms(), metric.matrix().xreplace(fields)
    tensor = sum(
        matrix[i, j] * TensorProduct(forms[i], forms[j]) for i in range(2) for j in range(2)
    )
    return tensor, {scalar: symbol for symbol, scalar in fields.items()}


@pytest.mark.parametrize("name", ["sphere", "torus", "half_plane", "saddle", "catenoid"])
def test_christoffels_and_curvature_agree_with_diffgeom(name):
    metric = getattr(surfaces, name)().metric
    tensor, back = in_diffgeom(metric)
    theirs, ours = metric_to_Christoffel_2nd(tensor), metric.christoffels()
    for k in range(2):
        for i in range(2):
            for j in range(2):
                assert sp.simplify(ours[k, i, j] - theirs[k, i, j].xreplace(back)) == 0
    riemann = metric_to_Riemann_components(tensor)
    lowered = sum(metric.matrix()[0, k] * riemann[k, 1, 0, 1].xreplace(back) for k in range(2))
    curvature = lowered / metric.matrix().det()
    assert sp.simplify(metric.gaussian_curvature() - curvature) == 0


def test_the_sphere_in_angles():
    metric = surfaces.sphere().metric
    theta, _ = metric.chart.symbols
    gamma = metric.christoffels()
    assert sp.simplify(gamma[0, 1, 1] + sp.sin(theta) * sp.cos(theta)) == 0
    assert sp.simplify(gamma[1, 0, 1] - sp.cot(theta)) == 0
    assert metric.volume((sp.pi / 2, 0)) == 1


def test_the_metric_of_one_chart_is_the_pull_back_of_the_other():
    sphere = surfaces.sphere()
    there = sphere.atlas.transition("angles", "north")
    assert there.pullback(sphere.metric_on("north")) == sphere.metric
    u, v = sphere.atlas.chart("north").symbols
    assert sphere.metric_on("north").matrix() == 4 / (1 + u**2 + v**2) ** 2 * sp.eye(2)


def test_total_curvature_of_the_torus_is_zero():
    metric = surfaces.torus().metric
    (u, _) = metric.chart.symbols
    density = metric.gaussian_curvature() * sp.sqrt(metric.matrix().det())
    values = [density.subs(u, 2 * sp.pi * k / 12).evalf() for k in range(12)]
    assert abs(sum(values)) < 1e-12
    assert abs(values[1] - sp.cos(sp.pi / 6)) < 1e-12


def test_helicoid_and_catenoid_are_locally_isometric():
    helicoid, catenoid = surfaces.helicoid(), surfaces.catenoid()
    w, h = sp.symbols("w h", real=True)
    chart = Chart("shared", (w, h))
    onto_helicoid = SmoothMap(chart, helicoid.chart, (w, sp.sinh(h)))
    onto_catenoid = SmoothMap.trusted(chart, catenoid.chart, (w, h), True)
    one = onto_helicoid.pullback(helicoid.metric).matrix()
    other = onto_catenoid.pullback(catenoid.metric).matrix()
    assert (one - other).applyfunc(sp.simplify) == sp.zeros(2)


def test_lengths_and_angles():
    metric = surfaces.half_plane().metric
    v = TangentVector((3, 4), metric.chart, (0, 2))
    assert metric.norm(v) == sp.Rational(5, 2)
    assert metric.inner(v, TangentVector((-4, 3), metric.chart, (0, 2))) == 0
    with pytest.raises(ValueError, match="different points"):
        metric.inner(v, TangentVector((-4, 3), metric.chart, (0, 3)))


def test_what_is_no_metric_is_refused():
    plane = Chart("R2", "x y")
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        SymbolicMetric(plane, [[1]])
    with pytest.raises(ValueError, match="symmetric"):
        SymbolicMetric(plane, [[1, 1], [0, 1]])
    with pytest.raises(ValueError, match="determinant 0"):
        SymbolicMetric(plane, [[1, 1], [1, 1]]).christoffels()
    with pytest.raises(ValueError, match="for surfaces"):
        SymbolicMetric(Chart("R", "x"), [[1]]).gaussian_curvature()
    with pytest.raises(ValueError, match="outside the domain"):
        surfaces.half_plane().metric.matrix((0, 0))


@pytest.mark.parametrize("value", [0, -1, "R", sp.nan, sp.oo])
def test_radii_are_positive(value):
    with pytest.raises(ValueError, match="positive"):
        surfaces.sphere(value)


def test_a_torus_misses_its_axis():
    with pytest.raises(ValueError, match="R > r"):
        surfaces.torus(1, 2)
