"""The interpolants on the sphere: their numbers against geomlib, and the figure in a page."""

import re
from math import cos, pi

import pytest
import torch
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect
from widget_page import check_look, drag, embed, imported, in_every_look, readout, slider

from geomlib.models import geodesic_interpolant
from geomlib.teaching.widgets.sphere_interpolant import SphereInterpolant, on_sphere

# A page in which only the widget is judged, not the bare frame around it.
PAIRS = [
    ((0, 0), (0, 60)),
    ((-10, -60), (45, 50)),
    ((0, -85), (0, 85)),  # as far apart as they may be
    ((30, 20), (30, 21)),
    ((80, 85), (80, 85)),
]


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    page = imported(visit_once, widget_site, "sphere_interpolant")
    return lambda code, *arguments: page.evaluate(f"(them) => widget.{code}(...them)", arguments)


def unit(pair):
    return [on_sphere(*place) for place in pair]


@pytest.mark.browser
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_geodesic_is_that_of_the_library(module, pair):
    x0, x1 = unit(pair)
    for place, x in zip(pair, (x0, x1), strict=True):
        assert module("onSphere", place) == pytest.approx(x.tolist(), abs=1e-12)
    for time in (0.0, 0.3, 0.5, 1.0):
        expected = geodesic_interpolant(x0, x1, torch.tensor(time, dtype=torch.float64))
        found = module("geodesic", x0.tolist(), x1.tolist(), time)
        assert found["point"] == pytest.approx(expected[0].tolist(), abs=1e-12)
        assert found["velocity"] == pytest.approx(expected[1].tolist(), abs=1e-12)


@pytest.mark.browser
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_chord_dips_by_its_formula(module, pair):
    x0, x1 = unit(pair)
    d = module("angle", x0.tolist(), x1.tolist())
    for time in (0.0, 0.3, 0.5, 1.0):
        found = module("chord", x0.tolist(), x1.tolist(), time)
        assert found["radius"] ** 2 == pytest.approx(1 - 2 * time * (1 - time) * (1 - cos(d)))
        radial = -(1 - 2 * time) * (1 - cos(d)) / found["radius"]
        assert found["radial"] == pytest.approx(radial, abs=1e-12)


@pytest.mark.browser
def test_known_answers(module):
    assert module("angle", [1, 0, 0], [0, 0, 1]) == pytest.approx(pi / 2)
    assert module("angle", [1, 0, 0], [1, 1e-9, 0]) == pytest.approx(1e-9)
    assert module("chord", [1, 0, 0], [0, 1, 0], 0.5)["radius"] == pytest.approx(0.5**0.5)


@pytest.mark.browser
@pytest.mark.parametrize("place", [(0, 0), (40, -70), (-30, 60), (75, 10)])
def test_what_is_pointed_at_is_what_is_seen(module, place):
    """The projection of the drawing, undone."""
    x, y, z = on_sphere(*place).tolist()
    eye = 0.4
    up = z * cos(eye) - x * cos(pi / 2 - eye)
    assert module("seenAt", [200 + 172 * y, 200 - 172 * up]) == pytest.approx(place, abs=1e-6)
    outside = module("seenAt", [900, 200])
    assert outside[1] == pytest.approx(90, abs=1e-6)


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_to_mouse_and_keyboard(visit, widget_site, size):
    widget = SphereInterpolant((0, 0), (0, 60))
    page = visit(embed(widget_site, "one", [widget]), size=size)
    figure = page.locator(".si")
    figure.scroll_into_view_if_needed()
    expect(readout(figure)).to_contain_text("Distance 1.047. At time 0.50")
    expect(readout(figure)).to_contain_text("the chord has radius 0.866 and the radial velocity 0")

    target = slider(figure, "The target")
    target.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    expect(target).to_have_attribute("aria-valuetext", "latitude 10°, longitude 58°")
    for _ in range(9):
        page.keyboard.press("Shift+ArrowUp")
    expect(target).to_have_attribute("aria-valuetext", "latitude 80°, longitude 58°")

    drag(figure, "The source", (0.2, 0.5))
    expect(slider(figure, "The source")).to_have_attribute(
        "aria-valuetext", re.compile(r"longitude −(3|4|5)\d°")
    )
    before = readout(figure).inner_text()
    slider(figure, "Time").fill("0.1")
    expect(readout(figure)).not_to_have_text(before)
    expect(readout(figure)).to_contain_text("radial velocity −")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
@in_every_look
def test_axe_finds_nothing(visit, widget_site, size, theme):
    check_look(visit, widget_site, SphereInterpolant(), ".si", "Distance", size, theme)


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    page = visit(
        embed(widget_site, "two", [SphereInterpolant(), SphereInterpolant((0, 0), (9, 9))])
    )
    first, second = page.locator(".si").nth(0), page.locator(".si").nth(1)
    expect(readout(second)).to_contain_text("Distance")
    before, first_before = readout(second).inner_text(), readout(first).inner_text()
    slider(first, "Time").fill("0.2")
    expect(readout(first)).not_to_have_text(first_before)
    assert readout(second).inner_text() == before


def test_what_the_kernel_sees():
    widget = SphereInterpolant((0, 0), (0, 60), time=0.25)
    assert (widget.source, widget.target, widget.time) == ((0, 0), (0, 60), 0.25)
    assert widget.measured == {} and "0x" not in repr(widget)
    x, velocity = widget.interpolant()
    torch.testing.assert_close(x, on_sphere(0, 15))
    assert velocity.norm().item() == pytest.approx(pi / 3)
    widget.set_state({"source": [10.0, 5.0], "measured": {"distance": 1}})
    assert widget.source == (10, 5) and widget.measured == {"distance": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": (0, 90)}, r"source = \(0, 90\) lies outside the window: .* within 85"),
        ({"target": (-81, 0)}, r"target = \(-81, 0\) lies outside the window"),
        ({"source": (1, 2, 3)}, "source must be two finite numbers"),
        ({"target": "north"}, "target must be two finite numbers"),
        ({"target": (float("nan"), 0)}, "target must be two finite numbers"),
        ({"time": 1.5}, "time must be a number between 0 and 1"),
        ({"time": "now"}, "time must be a number between 0 and 1"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(options, message):
    with pytest.raises(ValueError, match=message):
        SphereInterpolant(**options)
