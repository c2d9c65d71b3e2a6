"""The geodesic shooter against geomlib and closed forms, and the figure in a page."""

from math import acos, cos, pi, sin

import pytest
import torch
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect
from widget_page import check_look, drag, embed, imported, in_every_look, readout, slider

from geomlib.riemann import MatrixMetric
from geomlib.symbolic import surfaces
from geomlib.teaching.widgets.geodesic_shooter import RANGES, STARTS, GeodesicShooter

# A page in which only the widget is judged, not the bare frame around it.


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    return imported(visit_once, widget_site, "geodesic_shooter")


def shoot(module, *arguments) -> dict:
    return module.evaluate("(a) => widget.shoot(...a)", list(arguments))


def sphere_matrix(z):  # the metric of each surface as a field of matrices
    return torch.diag_embed(torch.stack([torch.ones_like(z[..., 0]), z[..., 0].sin() ** 2], -1))


def torus_matrix(z):
    return torch.diag_embed(
        torch.stack([torch.ones_like(z[..., 0]), (2 + z[..., 0].cos()) ** 2], -1)
    )


METRICS = {"sphere": MatrixMetric(sphere_matrix), "torus": MatrixMetric(torus_matrix)}


@pytest.mark.browser
@pytest.mark.parametrize("name", RANGES)
def test_the_acceleration_is_that_of_the_christoffel_symbols(module, name):
    for p, v in (((0.7, 0.4), (0.3, -0.8)), ((2.1, -1.0), (-0.5, 0.6))):
        z, w = (torch.tensor(x, dtype=torch.float64) for x in (p, v))
        ours = module.evaluate("([n, p, v]) => widget.SURFACES[n].accelerate(p, v)", [name, p, v])
        gamma = METRICS[name].christoffels(z)
        right = -torch.einsum("kij,i,j->k", gamma, w, w)
        torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64), right)


@pytest.mark.browser
@pytest.mark.parametrize("name", RANGES)
def test_the_embedding_has_the_metric(module, name):
    """Length of the curve in space is the length that was asked for."""
    points = shoot(module, name, STARTS[name], 0.7, 3)["states"]
    space = torch.tensor(
        module.evaluate("([n, s]) => s.map((x) => widget.SURFACES[n].embed(x))", [name, points])
    )
    assert space.diff(dim=0).norm(dim=1).sum().item() == pytest.approx(3, abs=1e-3)
    embedding = (surfaces.sphere() if name == "sphere" else surfaces.torus()).embedding.to_torch()
    chart = torch.tensor(points, dtype=torch.float64)[:, :2]
    torch.testing.assert_close(embedding(chart), space.double())


@pytest.mark.browser
@pytest.mark.parametrize("angle", [0.0, 0.4, -1.1, 2.5])
def test_on_the_sphere_it_follows_great_circles(module, angle):
    theta, phi, length = 1.2, -0.6, 20.0
    path = shoot(module, "sphere", (theta, phi), angle, length)
    east = torch.tensor([-sin(phi), cos(phi), 0])
    north = torch.tensor([-cos(theta) * cos(phi), -cos(theta) * sin(phi), sin(theta)])
    start = torch.tensor([sin(theta) * cos(phi), sin(theta) * sin(phi), cos(theta)])
    v = cos(angle) * east + sin(angle) * north
    end = path["states"][-1]
    reached = [sin(end[0]) * cos(end[1]), sin(end[0]) * sin(end[1]), cos(end[0])]
    torch.testing.assert_close(
        torch.tensor(reached), cos(length) * start + sin(length) * v, atol=1e-6, rtol=0
    )
    assert path["complete"]


@pytest.mark.browser
@pytest.mark.parametrize("angle", [0.2, 0.9, 1.4, -2.0])
def test_on_the_torus_clairauts_constant_and_the_speed_are_kept(module, angle):
    path = shoot(module, "torus", (0.5, 0), angle, 30)
    start, end = path["clairaut"]
    assert start == pytest.approx((2 + cos(0.5)) * cos(angle))
    assert end == pytest.approx(start, abs=1e-7)
    u, _, du, dv = path["states"][-1]
    assert du**2 + ((2 + cos(u)) * dv) ** 2 == pytest.approx(1, abs=1e-7)
    turning = module.evaluate("(c) => widget.turningPoints('torus', c)", start)
    if turning:
        assert turning == pytest.approx([-acos(abs(start) - 2), acos(abs(start) - 2)])
        assert max(abs(state[0]) for state in path["states"]) <= turning[1] + 1e-6


@pytest.mark.browser
def test_at_a_pole_the_path_stops_and_says_so(module):
    path = shoot(module, "sphere", (1.0, 0), pi / 2, 5)
    assert not path["complete"]
    assert path["length"] == pytest.approx(1.0, abs=0.02)


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_to_mouse_keyboard_and_lists(visit, widget_site, size):
    page = visit(embed(widget_site, "one", [GeodesicShooter("torus", angle=0)]), size=size)
    shooter = page.locator(".gs")
    shooter.scroll_into_view_if_needed()
    expect(readout(shooter)).to_contain_text("ring · cos α = 3.0000 at the start, 3.0000 at")
    path = shooter.locator(".gs-body .gs-path")

    drag(shooter, "Direction v", (0.5, 0.2))  # up and to the right of p
    expect(readout(shooter)).not_to_contain_text("3.0000")
    drag(shooter, "Point p", (0.5, 0.5))  # the origin of the chart
    expect(slider(shooter, "Point p")).to_have_attribute("aria-valuetext", "u = 0.00, v = 0.00")

    before = path.get_attribute("d")
    slider(shooter, "Direction v").focus()
    page.keyboard.press("Shift+ArrowUp")
    expect(path).not_to_have_attribute("d", before)
    slider(shooter, "Point p").focus()
    page.keyboard.press("ArrowRight")
    expect(slider(shooter, "Point p")).to_have_attribute("aria-valuetext", "u = 0.00, v = 0.05")
    slider(shooter, "Length").fill("3")
    expect(readout(shooter)).to_contain_text("Length 3.00")

    before = path.get_attribute("d")
    slider(shooter, "Turn the surface").fill("1.2")
    expect(path).not_to_have_attribute("d", before)
    shooter.get_by_role("combobox").select_option("sphere")
    expect(slider(shooter, "Point p")).to_have_attribute("aria-valuetext", "θ = 1.20, φ = −0.60")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
def test_the_figure_says_when_the_chart_ends(visit, widget_site):
    shooter = GeodesicShooter("sphere", point=(1, 0), angle=pi / 2, length=5)
    page = visit(embed(widget_site, "pole", [shooter]))
    expect(readout(page.locator(".gs"))).to_contain_text("The path ends at a pole")


@pytest.mark.browser
@in_every_look
def test_axe_finds_nothing(visit, widget_site, size, theme):
    check_look(visit, widget_site, GeodesicShooter(), ".gs", "Clairaut", size, theme)


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    page = visit(embed(widget_site, "two", [GeodesicShooter("sphere"), GeodesicShooter("torus")]))
    first, second = page.locator(".gs").nth(0), page.locator(".gs").nth(1)
    expect(readout(second)).to_contain_text("Clairaut")
    before, first_before = readout(second).inner_text(), readout(first).inner_text()
    drag(first, "Direction v", (0.9, 0.9))
    expect(readout(first)).not_to_have_text(first_before)
    assert readout(second).inner_text() == before


def test_what_the_kernel_sees():
    shooter = GeodesicShooter("sphere", point=(0.5, -0.5), angle=0.2, length=3, turn=1)
    assert (shooter.surface, shooter.point, shooter.angle) == ("sphere", (0.5, -0.5), 0.2)
    assert shooter.arrived == {} and "0x" not in repr(shooter)
    assert GeodesicShooter("torus").metric == surfaces.torus().metric
    seen = []
    shooter.observe(seen.append, names=["point", "arrived"])
    shooter.set_state({"point": [1.0, 0.2], "arrived": {"length": 3}})
    assert shooter.point == (1.0, 0.2) and {change.name for change in seen} == {"point", "arrived"}


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("cube",), {}, "there is no surface 'cube'; there are sphere, torus"),
        (("sphere",), {"point": (0, 0)}, "lies outside the chart of the sphere"),
        (("torus",), {"point": (0, 9)}, "lies outside the chart of the torus"),
        (("torus",), {"point": "here"}, "point must be two finite numbers"),
        (("torus",), {"point": (1, float("nan"))}, "point must be two finite numbers"),
        (("torus",), {"angle": 7}, "angle must lie between"),
        (("torus",), {"length": 0}, "length must lie between"),
        (("torus",), {"turn": float("nan")}, "turn must lie between"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        GeodesicShooter(*arguments, **options)
