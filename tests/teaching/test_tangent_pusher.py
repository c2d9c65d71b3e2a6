"""The tangent pusher: its maps against geomlib.symbolic, and the figure in a page."""

import json
import re

import pytest
import torch
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect
from sympy import Rational
from widget_page import check_look, drag, embed, imported, in_every_look, readout, slider

from geomlib.teaching.widgets.assets import script
from geomlib.teaching.widgets.tangent_pusher import MAPS, TangentPusher

# A page in which only the widget is judged, not the bare frame around it.


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    return imported(visit_once, widget_site, "tangent_pusher")


@pytest.mark.browser
@pytest.mark.parametrize("name", MAPS)
def test_values_and_jacobians_are_those_of_the_formulas(module, name):
    entry = MAPS[name]
    f = TangentPusher(name).smooth_map
    function = f.to_torch()
    left, right, bottom, top = entry.window
    for p in ((left, bottom), (0.3 * left + 0.7 * right, 0.9 * top), entry.point, (right, 0.0)):
        v = (0.3, -1.2)
        z = torch.tensor(p, dtype=torch.float64)
        image, vector = torch.func.jvp(function, (z,), (torch.tensor(v).double(),))
        jacobian = torch.func.jacfwd(function)(z)
        ours = module.evaluate("([name, p, v]) => widget.push(name, p, v)", [name, p, v])
        for mine, right_one in (("image", image), ("vector", vector), ("jacobian", jacobian)):
            torch.testing.assert_close(torch.tensor(ours[mine], dtype=torch.float64), right_one)
        assert ours["determinant"] == pytest.approx(torch.linalg.det(jacobian).item(), abs=1e-12)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "p"), [("fold", (0, 1)), ("sphere", (0.6, 0.8)), ("polar", (0, 1)), ("square", (0, 0))]
)
def test_ranks_are_those_of_the_formulas(module, name, p):
    f = TangentPusher(name).smooth_map
    for place in (p, (p[0] + 0.5, p[1] + 0.1)):
        ours = module.evaluate("([name, p]) => widget.push(name, p, [1, 0]).rank", [name, place])
        exact = [Rational(str(round(c, 6))) for c in place]
        assert ours == f.rank(exact)


@pytest.mark.browser
@pytest.mark.parametrize("bend", [-2, 0, 1.5])
def test_every_bend_has_the_same_velocity(module, bend):
    h = 1e-5
    ends = module.evaluate(
        "([bend, h]) => [h, -h].map((t) => widget.curve([1, 2], [0.5, -0.3], bend, t))", [bend, h]
    )
    velocity = [(a - b) / (2 * h) for a, b in zip(*ends, strict=True)]
    assert velocity == pytest.approx([0.5, -0.3], abs=1e-8)


@pytest.mark.parametrize("name", MAPS)
def test_both_sides_start_alike(name):
    """The window and the first point of each map stand in Python and in JavaScript."""
    text = script("tangent_pusher")
    block = re.search(rf"\n  {name}: {{.*?\n  }},", text, re.S)[0]
    entry = MAPS[name]
    for key in ("window", "point", "velocity"):
        numbers = json.loads(re.search(rf"\b{key}: (\[[^\]]*\])", block)[1])
        assert tuple(numbers) == getattr(entry, key), key


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_to_mouse_keyboard_and_lists(visit, widget_site, size):
    page = visit(embed(widget_site, "one", [TangentPusher("fold")]), size=size)
    pusher = page.locator(".tp")
    pusher.scroll_into_view_if_needed()
    expect(readout(pusher)).to_have_text(
        "v = (0.60, 0.00), J v = (0.96, 0.00), det J = 1.60, rank 2"
    )
    image = pusher.locator(".tp-image .tp-path")

    drag(pusher, "Point p", (0.25, 0.5))  # x = -0.8
    expect(readout(pusher)).to_contain_text("J v = (−0.96, 0.00), det J = −1.60")
    drag(pusher, "Tip of the vector v", (0.25, 0.25))  # v = (0, 0.8)
    expect(readout(pusher)).to_contain_text("v = (0.00, 0.80), J v = (0.00, 0.80)")

    slider(pusher, "Point p").focus()
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")  # to x = 0, the fold
    expect(slider(pusher, "Point p")).to_have_attribute("aria-valuenow", "0.00")
    expect(readout(pusher)).to_contain_text("det J = 0.00, rank 1")
    before, vector = image.get_attribute("d"), readout(pusher).inner_text()
    slider(pusher, "Bend").fill("-1.5")
    expect(image).not_to_have_attribute("d", before)
    assert readout(pusher).inner_text() == vector, "a bend is another curve of the same class"

    pusher.get_by_label("Map").select_option("polar")
    expect(readout(pusher)).to_contain_text("v = (0.40, 0.60)")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
def test_at_the_fold_the_vector_collapses(visit, widget_site):
    page = visit(
        embed(widget_site, "fold", [TangentPusher("fold", point=(0, 1), velocity=(0.5, 0))])
    )
    expect(readout(page.locator(".tp"))).to_have_text(re.compile("rank 1: v collapses"))
    assert page.locator(".tp-image .tp-head").get_attribute("d") == ""


@pytest.mark.browser
def test_the_point_keeps_its_vector_inside_the_window(visit, widget_site):
    page = visit(embed(widget_site, "window", [TangentPusher("square")]))
    drag(page.locator(".tp"), "Point p", (1.4, -0.4))
    expect(readout(page.locator(".tp"))).to_contain_text("v = (0.50, 0.20)")
    assert slider(page.locator(".tp"), "Tip").get_attribute("aria-valuetext").startswith(
        "x = 1.60, y = 1.60"
    )  # fmt: skip


@pytest.mark.browser
@in_every_look
def test_axe_finds_nothing(visit, widget_site, size, theme):
    check_look(visit, widget_site, TangentPusher(), ".tp", "rank 2", size, theme)


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    page = visit(embed(widget_site, "two", [TangentPusher("shear"), TangentPusher("square")]))
    first, second = page.locator(".tp").nth(0), page.locator(".tp").nth(1)
    expect(readout(second)).to_contain_text("rank 2")
    before = readout(second).inner_text()
    drag(first, "Point p", (0.4, 0.6))
    expect(readout(first)).not_to_contain_text("J v = (1.00, 0.50)")
    assert readout(second).inner_text() == before


def test_what_the_kernel_sees():
    pusher = TangentPusher("sphere", point=(0.5, -0.5), velocity=(0.1, 0.2), bend=0)
    assert (pusher.map, pusher.point, pusher.velocity) == ("sphere", (0.5, -0.5), (0.1, 0.2))
    assert pusher.pushed == {}
    assert "0x" not in repr(pusher)
    seen = []
    pusher.observe(seen.append, names=["point", "pushed"])
    pusher.set_state({"point": [0.1, 0.2], "pushed": {"vector": [1, 2]}})
    assert pusher.point == (0.1, 0.2) and {change.name for change in seen} == {"point", "pushed"}


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("cube",), {}, "there is no map 'cube'; there are polar, square"),
        (("fold",), {"point": (9, 0)}, "the point .* lies outside the window"),
        (("fold",), {"velocity": (3, 0)}, "the tip point .* lies outside the window"),
        (("polar",), {"point": (1, 2, 3)}, "point must be two finite numbers"),
        (("polar",), {"velocity": "fast"}, "velocity must be two finite numbers"),
        (("polar",), {"point": (1, float("nan"))}, "point must be two finite numbers"),
        (("polar",), {"bend": 5}, "bend must lie between -2 and 2"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        TangentPusher(*arguments, **options)
