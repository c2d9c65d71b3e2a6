"""The energy explorer: its numbers against geomlib.riemann, and the figure in a page."""

import re

import pytest
import torch
from conftest import DESKTOP, PHONE
from playwright.sync_api import Locator, expect
from widget_page import check_look, embed, imported, in_every_look, readout, slider

from geomlib.teaching.widgets.energy_explorer import CURVES, EnergyExplorer

# A page in which only the widget is judged, not the bare frame around it.


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    return imported(visit_once, widget_site, "energy_explorer")


@pytest.mark.browser
@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize(("segments", "unevenness"), [(1, 0), (2, 0.5), (7, 0.9), (64, 0)])
def test_a_polygon_measures_what_the_library_measures(module, name, segments, unevenness):
    ours = module.evaluate("(them) => widget.measure(...them)", [name, segments, unevenness])
    polygon = EnergyExplorer(name, segments=segments, unevenness=unevenness).polygon()
    length, energy = polygon.length().item(), polygon.energy().item()
    assert ours["length"] == pytest.approx(length, abs=1e-12)
    assert ours["energy"] == pytest.approx(energy, abs=1e-12)
    assert ours["post"] == pytest.approx(energy / segments**2, abs=1e-12)
    vertices = module.evaluate("(them) => widget.vertices(...them)", [name, segments, unevenness])
    torch.testing.assert_close(
        torch.tensor(vertices, dtype=torch.float64), polygon.metric.f(polygon.points)
    )


@pytest.mark.browser
@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("unevenness", [0, 0.6])
def test_the_true_values_are_the_limits(module, name, unevenness):
    exact = module.evaluate("(them) => widget.truth(...them)", [name, unevenness])
    fine = EnergyExplorer(name, unevenness=unevenness).polygon(1000)
    finer = EnergyExplorer(name, unevenness=unevenness).polygon(2000)
    for key in ("length", "energy"):
        one, two = (getattr(curve, key)().item() for curve in (fine, finer))
        assert exact[key] == pytest.approx((4 * two - one) / 3, rel=1e-8)  # Richardson


@pytest.mark.browser
def test_known_answers(module):
    def exact(name, a):
        return module.evaluate("(them) => widget.truth(...them)", [name, a])

    assert exact("cubic", 0)["energy"] == pytest.approx(31 / 15, abs=1e-10)
    assert exact("turn", 0)["energy"] == pytest.approx(2 * torch.pi**2, abs=1e-10)
    assert exact("parabola", 0)["length"] == pytest.approx(2.957886, abs=1e-6)
    for name in CURVES:  # a path keeps its length however it is walked; its energy grows
        even, uneven = exact(name, 0), exact(name, 0.8)
        assert uneven["length"] == pytest.approx(even["length"], abs=1e-8)
        assert uneven["length"] ** 2 < 2 * uneven["energy"]


def row(explorer: Locator, name: str) -> list[str]:
    return explorer.get_by_role("row", name=name).locator("td").all_inner_texts()


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_to_mouse_keyboard_and_lists(visit, widget_site, size):
    page = visit(embed(widget_site, "one", [EnergyExplorer("cubic", segments=4)]), size=size)
    explorer = page.locator(".ee")
    explorer.scroll_into_view_if_needed()
    expect(readout(explorer)).to_have_text(
        "N = 4: twice as many segments make the error of N/2 3.97 times smaller. "
        "L² ≤ 2E holds with N/2 and fails with 1/(2N)."
    )
    assert row(explorer, "energy, N/2") == ["2.0254", "2.0667", "−0.0413"]
    assert row(explorer, "energy, 1/(2N)")[0] == "0.1266"
    assert explorer.locator(".ee-dots circle").count() == 5

    slider(explorer, "Segments").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(readout(explorer)).to_contain_text("N = 8")
    assert row(explorer, "energy, N/2")[2] == "−0.0104", "a quarter of the error at N = 4"
    length = row(explorer, "length")[1]
    slider(explorer, "Unevenness").fill("0.5")
    assert row(explorer, "length")[1] == length, "the path is the same"
    assert float(row(explorer, "energy, N/2")[1]) > 2.08, "the pace is not"

    box = slider(explorer, "Segments").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    expect(readout(explorer)).to_contain_text(re.compile("N = 6[34]"))
    explorer.get_by_role("combobox", name="Curve").select_option("parabola")
    expect(explorer.locator(".ee-energies svg")).to_have_attribute(
        "aria-label", re.compile("the true energy is")
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
def test_a_closed_turn_in_one_segment_has_no_length(visit, widget_site):
    page = visit(embed(widget_site, "turn", [EnergyExplorer("turn", segments=1)]))
    explorer = page.locator(".ee")
    expect(readout(explorer)).to_contain_text("N = 1")
    assert row(explorer, "length")[0] == "0.0000"
    assert row(explorer, "energy, N/2")[0] == "0.0000"


@pytest.mark.browser
@in_every_look
def test_axe_finds_nothing(visit, widget_site, size, theme):
    check_look(visit, widget_site, EnergyExplorer("sphere"), ".ee", "N = 6", size, theme)


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    page = visit(embed(widget_site, "two", [EnergyExplorer("cubic"), EnergyExplorer("turn")]))
    first, second = page.locator(".ee").nth(0), page.locator(".ee").nth(1)
    expect(readout(second)).to_contain_text("N = 6")
    before = second.inner_text()
    slider(first, "Segments").fill("20")
    expect(readout(first)).to_contain_text("N = 20")
    assert second.inner_text() == before


def test_what_the_kernel_sees():
    explorer = EnergyExplorer("turn", segments=12, unevenness=0.3)
    assert (explorer.curve, explorer.segments, explorer.unevenness) == ("turn", 12, 0.3)
    assert explorer.measured == {}
    assert "0x" not in repr(explorer)
    seen = []
    explorer.observe(seen.append, names=["segments", "measured"])
    explorer.set_state({"segments": 5, "measured": {"energy": 1.0}})
    assert explorer.segments == 5 and {change.name for change in seen} == {"segments", "measured"}


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("knot",), {}, "there is no curve 'knot'; there are cubic, sphere"),
        (("cubic",), {"segments": 0}, "segments must lie between 1 and 64"),
        (("cubic",), {"segments": 65}, "segments must lie between 1 and 64"),
        (("cubic",), {"segments": 2.5}, "segments must be a whole number"),
        (("cubic",), {"segments": "many"}, "segments must be a whole number"),
        (("cubic",), {"unevenness": "very"}, "unevenness must be a number between 0 and 0.9"),
        (("cubic",), {"unevenness": 1}, "unevenness must be a number between 0 and 0.9"),
        (("cubic",), {"unevenness": -0.1}, "unevenness must be a number between 0 and 0.9"),
        (("cubic",), {"unevenness": float("nan")}, "unevenness must be a number between 0 and 0.9"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        EnergyExplorer(*arguments, **options)
