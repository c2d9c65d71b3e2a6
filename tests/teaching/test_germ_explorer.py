"""The germ explorer: its numbers against geomlib.symbolic, and the figure in a page."""

import pytest
import sympy as sp
from accessibility import check_accessible
from conftest import DESKTOP, PHONE
from playwright.sync_api import Locator, expect
from widget_page import embed

from geomlib.symbolic import Germ
from geomlib.teaching.widgets.germ_explorer import CHARTS, FUNCTIONS, LINE, GermExplorer

(x,) = LINE.symbols
POINTS = [sp.Rational(p) for p in ("0", "-1/4", "4/5")]
PLACES = [-0.3, 0.45, 1.1]


@pytest.mark.browser
def test_the_numbers_are_those_of_the_library(visit, widget_site):
    """Value, class, second coefficient and remainder: each function in each chart, each point."""
    page = visit(f"{widget_site[1]}/blank.html")
    names = page.evaluate(
        """async () => {
          window.gx = await import("/germ_explorer.js");
          return [Object.keys(gx.FUNCTIONS), Object.keys(gx.CHARTS)];
        }"""
    )
    assert names == [list(FUNCTIONS), list(CHARTS)]
    for i, (f_name, f) in enumerate(FUNCTIONS.items()):
        for j, (u_name, u) in enumerate(CHARTS.items()):
            for p in [POINTS[(i + j) % 3]]:
                germ, coordinate = Germ(f, LINE, p), Germ(u, LINE, p)
                parts = germ.split(by=[u])
                ours = page.evaluate(
                    """([f, u, p, places]) => {
                      const parts = gx.split(f, u, p);
                      const { value, slope, a, curvature } = parts;
                      return [value, slope, a, curvature, ...places.map(parts.linear),
                              ...places.map(parts.remainder)];
                    }""",
                    [f_name, u_name, float(p), PLACES],
                )
                (slope,), (du,) = (g.differential().components for g in (germ, coordinate))
                rest = Germ(parts.remainder, LINE, p)
                theirs = [parts.value, slope, slope / du, rest.diff("x", "x").value() / 2]
                formulas = (parts.value + parts.linear, parts.remainder)
                theirs += [g.subs(x, place) for g in formulas for place in PLACES]
                assert ours == pytest.approx([float(value) for value in theirs], abs=1e-9)


def is_drawn(explorer: Locator) -> None:
    explorer.scroll_into_view_if_needed()
    expect(explorer.get_by_role("slider", name="Base point p")).to_be_visible()
    for name in ("f", "linear", "remainder"):
        assert len(explorer.locator(f".gx-curve-{name}").get_attribute("d")) > 100


def state(explorer: Locator) -> dict[str, str]:
    texts = {n: explorer.locator(f".gx-{n}").inner_text() for n in ("value", "class", "jet")}
    texts["remainder"] = explorer.locator("dd.gx-remainder").inner_text()
    for name in ("f", "linear", "remainder"):
        texts[f"{name} drawn"] = explorer.locator(f".gx-curve-{name}").get_attribute("d")
    return texts


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before if before[name] != after[name]}


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, (380, 800), (1200, 900)], ids=["desk", "phone", "1200"])
def test_the_figure_answers_without_a_kernel(visit, widget_site, size, theme):
    page = visit(
        embed(widget_site, f"one-{theme}", [GermExplorer()], theme), size=size, scheme=theme
    )
    explorer = page.locator(".gx")
    is_drawn(explorer)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]

    # another chart: another remainder and linear part, the same value and class
    before = state(explorer)
    assert before["class"] == "dₚf = 2 dₚx"
    explorer.get_by_label("Chart u").select_option("x + x²")
    after = state(explorer)
    assert {"remainder", "linear drawn", "remainder drawn"} <= changed(before, after)
    assert not {"value", "f drawn"} & changed(before, after)
    assert after["class"] == "dₚf = 2 dₚx = 2 dₚu"
    assert after["remainder"].startswith("r = 1 (x − 0)²")
    live = explorer.locator(".gx-live")
    expect(live).to_contain_text("r = 1 (x − 0)²")

    # mouse
    slider = explorer.get_by_role("slider", name="Base point p")
    start, box = slider.bounding_box(), explorer.locator(".gx-plot").first.bounding_box()
    page.mouse.move(start["x"] + 22, start["y"] + 22)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], start["y"], steps=6)
    page.mouse.up()
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(1.7 * 0.4, abs=0.02)
    page.mouse.move(0, 0)

    # keyboard, to the edge of the chart's domain
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "0.00")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "0.02")
    for _ in range(8):
        page.keyboard.press("Shift+ArrowLeft")
    expect(slider).to_have_attribute("aria-valuenow", "-0.40")
    expect(slider).to_have_attribute("aria-valuemin", "-0.40")

    # the flat germ has class and jet 0 at 0
    page.keyboard.press("Home")
    explorer.get_by_label("Function f").select_option("e^(−1/x²)")
    assert state(explorer)["class"] == "dₚf = 0 dₚx = 0 dₚu"
    expect(live).to_contain_text("dₚf = 0 dₚx")
    check_accessible(page)


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    pair = [GermExplorer(), GermExplorer("sin 2x", chart="sinh x", p=0.5)]
    page = visit(embed(widget_site, "two", pair), size=PHONE)
    first, second = page.locator(".gx").nth(0), page.locator(".gx").nth(1)
    is_drawn(second)
    before = state(second)
    first.get_by_label("Chart u").select_option("eˣ")
    first.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    assert state(second) == before
    assert second.get_by_label("Chart u").input_value() == "sinh x"


@pytest.mark.browser
def test_reduced_motion_is_honoured(browser, widget_site):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(embed(widget_site, "still", [GermExplorer()]), wait_until="networkidle")
    span = page.locator(".gx-handle span")
    assert span.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"
    context.close()


def test_traits_move_the_figure_and_the_kernel_side_knows_the_germ():
    explorer = GermExplorer("2x + 3x²", p=-1)
    assert explorer.germ.value() == 1
    explorer.chart = "x + x²"
    assert explorer.p == -0.4
    explorer.set_state({"function": "x²", "p": 0.5})
    assert explorer.splitting().value == sp.Rational(1, 4)
    assert repr(explorer) == "GermExplorer: f = x² at p = 0.5, in the chart u = x + x²"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function": "tan x"}, "no function 'tan x'; there are 2x"),
        ({"chart": "x²"}, "no chart 'x²'; there are x, 2x"),
        ({"p": 2}, "between -1.5 and 1.5 in the chart u = x, but is 2"),
        ({"p": -0.45, "chart": "x + x²"}, "between -0.4 and 1.5"),
        ({"p": float("nan")}, "between"),
        ({"p": "here"}, "p must be a number"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(arguments, message):
    with pytest.raises(ValueError, match=message):
        GermExplorer(**arguments)
