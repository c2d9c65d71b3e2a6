"""Charts, atlases, transitions: against sympy.diffgeom, closed forms and atlases that are bad."""

import pytest
import sympy as sp
from sympy.diffgeom import CoordSystem, Manifold, Patch

from geomlib.symbolic import Atlas, Chart, Covector, Germ, SmoothMap, TangentVector, surfaces

SURFACES = [
    *("circle", "sphere", "torus", "half_plane", "disk", "paraboloid", "saddle"),
    *("cone", "cylinder", "helicoid", "catenoid", "projective_plane", "klein_bottle"),
]


def agree(one, other):
    return all(sp.simplify(a - b) == 0 for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def sphere():
    return surfaces.sphere().atlas


@pytest.fixture(scope="module")
def cubes():
    line = Chart("line", "s")
    return Atlas(
        [
            Chart("id", "a", ambient=line, phi=["s"], inverse=["a"]),
            Chart("cube", "b", ambient=line, phi=["s**3"], inverse=["sign(b)*Abs(b)**(1/3)"]),
        ]
    )


@pytest.mark.parametrize("name", SURFACES)
def test_every_atlas_of_the_library_is_smooth(name):
    surface = getattr(surfaces, name)()
    assert surface.atlas.is_smooth()
    if surface.embedding is not None:
        assert surface.embedding.is_immersion()


@pytest.mark.parametrize("name", ["circle", "sphere", "torus", "cylinder", "klein_bottle"])
def test_transitions_move_coordinates_and_not_the_point(name):
    atlas = getattr(surfaces, name)().atlas
    for u in atlas:
        for v in atlas:
            transition = atlas.transition(u, v)
            for start in ([2.5] * u.dim, [0.3] * u.dim):
                if not u.contains(start):
                    continue
                there = v.inverse(transition(start))
                near = [sp.N(a - b) for a, b in zip(u.inverse(start), there, strict=True)]
                assert max(map(abs, near)) < 1e-12


def test_stereographic_transition_is_the_inversion_and_its_own_inverse(sphere):
    there = sphere.transition("north", "south")
    u, v = there.source.symbols
    assert agree(there.expressions, (u / (u**2 + v**2), v / (u**2 + v**2)))
    assert agree((sphere.transition("south", "north") @ there).expressions, (u, v))
    # conformal and orientation-reversing: J^T J is a multiple of I and det J < 0
    jacobian = there.jacobian()
    assert sp.simplify(jacobian.det() + 1 / (u**2 + v**2) ** 2) == 0


def test_projective_transitions_satisfy_the_cocycle_condition():
    atlas = surfaces.projective_plane().atlas
    direct = atlas.transition("x", "z")
    detour = atlas.transition("y", "z") @ atlas.transition("x", "y")
    assert agree(direct.expressions, detour.expressions)


def test_the_klein_bottle_has_a_transition_that_keeps_and_reverses_orientation():
    atlas = surfaces.klein_bottle().atlas
    transition = atlas.transition(atlas.charts[0], atlas.charts[1])
    signs = {sp.sign(transition.jacobian((u, 1)).det()) for u in (1, 3)}
    assert signs == {1, -1}


def test_no_single_chart_covers_the_sphere_but_two_do(sphere):
    pole, antipode = (0, 0, 1), (0, 0, -1)
    assert [c.name for c in sphere if c.covers(pole)] == ["south"]
    assert [c.name for c in sphere if c.covers(antipode)] == ["north"]


def test_the_transition_of_polar_coordinates_agrees_with_diffgeom():
    x, y = sp.symbols("x y", real=True)
    r, t = sp.symbols("r t", positive=True)
    patch = Patch("P", Manifold("M", 2))
    relation = {("polar", "flat"): [(r, t), (r * sp.cos(t), r * sp.sin(t))]}
    flat = CoordSystem("flat", patch, (x, y), relation)
    polar = CoordSystem("polar", patch, (r, t), relation)
    ours = SmoothMap(
        Chart("polar", (r, t), "r > 0"), Chart("flat", (x, y)), (r * sp.cos(t), r * sp.sin(t))
    )
    same = dict(zip(polar.symbols, (r, t), strict=True))
    assert agree(ours.expressions, polar.transform(flat).subs(same))
    assert agree(ours.jacobian(), polar.jacobian(flat).subs(same))


def test_a_bad_atlas_is_refused_where_it_is_bad(cubes):
    verdict = cubes.is_smooth()
    assert not verdict
    transition, point = verdict.evidence
    assert (transition.source.name, list(point.values())) == ("cube", [0])
    assert cubes.transition("id", "cube").jacobian(0) == sp.zeros(1)
    with pytest.raises(ValueError, match="singular"):
        cubes.in_chart(TangentVector([1], cubes.chart("id"), 0), "cube")
    with pytest.raises(ValueError, match="not smooth at b = 0"):
        cubes.transition("cube", "id").jacobian(0)


def test_a_transition_with_a_false_inverse_is_refused():
    one, two = Chart("one", "a"), Chart("two", "b")
    there, wrong = SmoothMap(one, two, ["2*a"]), SmoothMap(two, one, ["b"])
    assert not Atlas([one, two], [there, wrong]).is_smooth()
    assert Atlas([one, two], [there, SmoothMap(two, one, ["b/2"])]).is_smooth()
    nearly = SmoothMap(two, one, ["b/2 + 10**(-12)"])
    assert not Atlas([one, two], [there, nearly]).is_smooth()


def test_a_singular_transition_without_an_inverse_is_refused():
    one, two = Chart("one", "a"), Chart("two", "b")
    assert not Atlas([one, two], [SmoothMap(one, two, ["a**3"])]).is_invertible()


def test_an_angle_that_includes_its_cut_is_no_chart():
    plane = Chart("R2", "x y")
    x, y = plane.symbols
    whole = Chart(
        "whole", "t", ambient=plane, phi=[sp.atan2(y, x)], inverse=["cos(t)", "sin(t)"],
        where=sp.Ne(x**2 + y**2, 0),
    )  # fmt: skip
    north = Chart(
        "north", "u", ambient=plane, phi=[x / (1 - y)], where=sp.Ne(y, 1),
        inverse=["2*u/(u**2 + 1)", "(u**2 - 1)/(u**2 + 1)"],
    )  # fmt: skip
    assert not Atlas([whole, north]).is_smooth()


def test_functions_and_maps_are_judged_through_charts(sphere):
    assert sphere.is_smooth_function("x*y + exp(z)")
    assert not sphere.is_smooth_function("Abs(z)")
    projective = surfaces.projective_plane().atlas
    space = sphere.charts[0].ambient
    assert sphere.is_smooth_map(SmoothMap(space, space, space.symbols), projective)


def test_a_step_is_not_smooth_though_small_charts_hide_its_jump():
    line = Chart("line", "s")
    (s,) = line.symbols
    step = SmoothMap.trusted(line, line, [sp.Piecewise((0, s <= 0), (1, True))], True)
    source = Atlas([Chart("id", "a", ambient=line, phi=["s"], inverse=["a"])])
    target = Atlas(
        [
            Chart("left", "b", "b < 1/2", ambient=line, phi=["s"], inverse=["b"], where="s < 1/2"),
            Chart("right", "c", "c > 1/3", ambient=line, phi=["s"], inverse=["c"], where="s > 1/3"),
        ]
    )
    assert target.is_smooth()
    assert not source.is_smooth_map(step, target)


def test_the_pairing_does_not_depend_on_the_chart(sphere):
    north = sphere.chart("north")
    v = TangentVector((1, 2), north, (2, 1))
    alpha = Covector((3, -1), north, (2, 1))
    f = Germ("u*v + u", north, (2, 1))
    for name in ("south", "angles"):
        moved = sphere.in_chart(v, name)
        assert sp.simplify(sphere.in_chart(alpha, name)(moved) - alpha(v)) == 0
        assert sphere.in_chart(moved, "north") == v
    assert sphere.in_chart(v, "south")(sphere.in_chart(f, "south")) == v(f)


BAD_CHARTS = {
    "clashing symbols": lambda: Chart("U", "x x"),
    "at least one coordinate": lambda: Chart("U", ""),
    "not declared real": lambda: Chart("U", sp.symbols("x y")),
    "cannot read": lambda: Chart("U", "x", "x >"),
    "a domain is a condition": lambda: Chart("U", "x", "x"),
    "empty": lambda: Chart("U", "x", "(x > 0) & (x < 0)"),
    "that is not the chart's own": lambda: Chart("U", "x", sp.Symbol("x") > 0),
    "outside the domain": lambda: Chart("H", "x y", "y > 0").point((0, -1)),
    "not finite": lambda: Chart("H", "x y").point((0, sp.nan)),
    "needed 2 coordinates": lambda: Chart("H", "x y").point((0, 1, 2)),
    "not a real number": lambda: Chart("H", "x").point(sp.I),
    "in which ambient": lambda: Chart("H", "x", phi=["x"]),
    "made without inverse": lambda: Chart("H", "x").inverse,
    "one chart or more": lambda: Atlas([]),
    "same name": lambda: Atlas([Chart("U", "x"), Chart("U", "y")]),
    "both call a coordinate x": lambda: Atlas([Chart("U", "x"), Chart("V", "x")]),
    "different dimensions": lambda: Atlas([Chart("U", "x"), Chart("V", "y z")]),
    "is not known": lambda: Atlas([Chart("U", "x"), Chart("V", "y")]).transition("U", "V"),
    "no chart 'W'": lambda: Atlas([Chart("U", "x")]).chart("W"),
}


@pytest.mark.parametrize("message", BAD_CHARTS)
def test_bad_charts_are_refused_with_a_reason(message):
    with pytest.raises(ValueError, match=message):
        BAD_CHARTS[message]()
