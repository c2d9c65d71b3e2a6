"""The charts explorer: its numerics against geomlib.symbolic, and the figure in a page."""

import math
import re

import pytest
from accessibility import check_accessible
from conftest import DESKTOP, PHONE
from playwright.sync_api import Locator, expect
from widget_page import embed, imported

from geomlib.symbolic import surfaces
from geomlib.teaching.widgets.charts_explorer import ChartsExplorer

ANGLES = [0.0, 0.3, 1.2, 1.57, 2.0, 3.1, -0.4, -1.0, -1.5, -2.2, math.pi]


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    return imported(visit_once, widget_site, "charts_explorer")


@pytest.mark.browser
def test_coordinates_and_transition_are_those_of_the_symbolic_circle(module):
    atlas = surfaces.circle().atlas
    transition = atlas.transition("north", "south")
    plane = {name: atlas.chart(name).phi for name in ("north", "south")}
    for angle in ANGLES:
        point = (math.cos(angle), math.sin(angle))
        shown = module.evaluate("angle => widget.coordinates(angle)", angle)
        explorer = ChartsExplorer(angle)
        for name, chart in (("u", "north"), ("w", "south")):
            wanted = float(plane[chart](point)[0])
            # x / (1 - y) itself loses digits near the pole
            assert shown[name] == pytest.approx(wanted, rel=1e-6, abs=1e-9), (angle, name)
            assert getattr(explorer, name) == pytest.approx(shown[name], rel=1e-12)
        assert shown["w"] == pytest.approx(float(transition((shown["u"],))[0]), rel=1e-9)


@pytest.mark.browser
def test_a_chart_ends_at_its_pole(module):
    for sign, missing, other in ((1, "u", "w"), (-1, "w", "u")):
        at_pole = module.evaluate("angle => widget.coordinates(angle)", sign * math.pi / 2)
        assert at_pole[missing] is None and at_pole[other] == 0
        near = module.evaluate("angle => widget.coordinates(angle)", sign * math.pi / 2 - 1e-6)
        assert abs(near[missing]) > 1e6 and near["u"] * near["w"] == pytest.approx(1)
        explorer = ChartsExplorer(sign * math.pi / 2)
        assert getattr(explorer, missing) is None and getattr(explorer, other) == 0


@pytest.mark.browser
def test_angles_are_brought_to_one_turn_alike(module):
    for angle in [*ANGLES, 7.0, -9.5, 100.0, -math.pi, 3 * math.pi]:
        reduced = module.evaluate("angle => widget.reduced(angle)", angle)
        assert -math.pi < reduced <= math.pi
        assert reduced == pytest.approx(ChartsExplorer(angle).angle, abs=1e-12)
        assert math.cos(reduced) == pytest.approx(math.cos(angle), abs=1e-9)


def handle(explorer: Locator) -> Locator:
    return explorer.get_by_role("slider", name="Point p on the circle")


def shown(explorer: Locator) -> tuple[str, str]:
    return explorer.locator(".cx-u").inner_text(), explorer.locator(".cx-w").inner_text()


def value(text: str) -> float:
    return float(re.search(r"= (.+)", text)[1].replace("−", "-"))


def drag(explorer: Locator, x: float, y: float) -> None:
    """Drags the point towards the place (x, y), the circle having radius 1."""
    page = explorer.page
    start, plot = handle(explorer).bounding_box(), explorer.locator(".cx-plot").bounding_box()
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    unit = plot["width"] / 6.4
    middle = (plot["x"] + plot["width"] / 2, plot["y"] + plot["height"] / 2)
    page.mouse.move(middle[0] + x * unit, middle[1] - y * unit, steps=6)
    page.mouse.up()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("size", "theme"),
    [(DESKTOP, "light"), (PHONE, "dark"), ((1200, 800), "dark"), ((380, 800), "light")],
)
def test_the_figure_answers_without_a_kernel(visit, widget_site, size, theme):
    page = visit(embed(widget_site, "one", [ChartsExplorer(0.9)], theme), size=size, scheme=theme)
    explorer = page.locator(".cx")
    expect(handle(explorer)).to_be_visible()
    assert shown(explorer) == ("u = 2.869", "w = 0.349")
    expect(explorer.locator(".cx-dot")).to_be_visible()

    drag(explorer, 1, -1)
    u, w = map(value, shown(explorer))
    assert u == pytest.approx(math.sqrt(2) - 1, abs=0.03)
    assert u * w == pytest.approx(1, abs=0.01)
    expect(explorer.locator(".cx-live")).to_contain_text("Lower half")

    drag(explorer, 0.01, 1.2)  # near the pole the point snaps to it
    assert shown(explorer) == ("u undefined", "w = 0.000")
    expect(explorer.locator(".cx-remark")).to_contain_text("At N")
    expect(explorer.locator(".cx-dot")).to_be_hidden()

    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    check_accessible(page, within=".cx")


@pytest.mark.browser
def test_the_keyboard_alone_goes_round_and_to_the_poles(visit, widget_site):
    page = visit(embed(widget_site, "keys", [ChartsExplorer(0.9)]))
    explorer = page.locator(".cx")
    handle(explorer).focus()
    for key, angle in [
        ("Home", 0),
        ("ArrowLeft", 1),
        ("Shift+ArrowUp", 11),
        ("ArrowRight", 10),
        ("Shift+ArrowDown", 0),
        ("PageUp", 90),
        ("PageDown", -90),
    ]:
        page.keyboard.press(key)
        expect(handle(explorer)).to_have_attribute("aria-valuenow", str(angle))
    assert shown(explorer) == ("u = 0.000", "w undefined")
    expect(explorer.locator(".cx-live")).to_contain_text("At S")
    page.keyboard.press("ArrowRight")  # past the pole, to the left half
    assert value(shown(explorer)[0]) < 0
    expect(explorer.locator(".cx-remark")).to_contain_text("Near S")
    expect(explorer.locator(".cx-gone")).to_have_attribute("d", re.compile("^M"))
    expect(handle(explorer)).to_be_focused()


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    page = visit(embed(widget_site, "two", [ChartsExplorer(0.9), ChartsExplorer(-2.0)], "dark"))
    first, second = page.locator(".cx").nth(0), page.locator(".cx").nth(1)
    expect(handle(second)).to_be_visible()
    before = shown(second)
    drag(first, -1, 0.2)
    assert value(shown(first)[0]) < 0
    assert shown(second) == before
    assert page.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
    ) == page.evaluate("document.querySelectorAll('[id]').length")


@pytest.mark.browser
def test_a_click_moves_the_point_and_the_curve_is_the_graph(visit, widget_site):
    page = visit(embed(widget_site, "click", [ChartsExplorer(0.9)]))
    explorer = page.locator(".cx")
    box = explorer.locator(".cx-plot").bounding_box()
    explorer.locator(".cx-plot").click(position={"x": 0.9 * box["width"], "y": box["height"] / 2})
    assert [value(text) for text in shown(explorer)] == pytest.approx([1, 1], abs=0.02)
    expect(explorer.locator(".cx-remark")).to_contain_text("alf")
    nodes = re.findall(
        r"[ML](-?[\d.]+) (-?[\d.]+)", explorer.locator(".cx-curve").get_attribute("d")
    )
    for u, down in nodes:
        assert float(u) * -float(down) == pytest.approx(100 * 100, rel=0.01)


def test_the_angle_is_a_trait_and_its_name_holds_no_address():
    explorer = ChartsExplorer(angle=7)
    assert explorer.angle == pytest.approx(7 - 2 * math.pi)
    assert repr(explorer).startswith("ChartsExplorer: the point at angle 0.717, u = ")
    explorer.angle = math.pi / 2
    assert (explorer.u, explorer.w) == (None, 0.0)
    assert repr(explorer).endswith("u = undefined, w = 0.000")


@pytest.mark.parametrize(
    ("angle", "message"),
    [("north", "number of radians"), (None, "number of radians"), (math.nan, "must be finite")],
)
def test_what_is_no_angle_is_refused_with_a_reason(angle, message):
    with pytest.raises(ValueError, match=message):
        ChartsExplorer(angle)
