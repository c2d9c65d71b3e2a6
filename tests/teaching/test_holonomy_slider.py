"""The holonomy slider against the closed form and another scheme, and the figure in a page."""

from math import cos, pi, sin

import pytest
import torch
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect
from widget_page import check_look, embed, imported, in_every_look, readout, slider

from geomlib.teaching.widgets.holonomy_slider import HolonomySlider

# A page in which only the widget is judged, not the bare frame around it.


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    return imported(visit_once, widget_site, "holonomy_slider")


def reprojected(theta: float, steps: int) -> float:
    """The angle of the arrow after one circuit, from e_theta, by projectors in R^3."""
    phi = torch.arange(steps + 1, dtype=torch.float64) * 2 * pi / steps
    normals = torch.stack(
        [sin(theta) * phi.cos(), sin(theta) * phi.sin(), torch.full_like(phi, cos(theta))], dim=1
    )
    south = torch.tensor([cos(theta), 0, -sin(theta)], dtype=torch.float64)
    arrow = south
    for normal in normals[1:]:
        arrow = arrow - (arrow @ normal) * normal
        arrow = arrow / arrow.norm()
    return torch.atan2(arrow[1], arrow @ south).item()


@pytest.mark.browser
@pytest.mark.parametrize("theta", [0.3, 0.8, 1.57, 2.4])
@pytest.mark.parametrize("steps", [8, 64])
def test_the_reading_is_that_of_the_scheme(module, theta, steps):
    reading = module.evaluate("([t, n]) => widget.holonomy(t, n).reading", [theta, steps])
    difference = reading - reprojected(theta, steps)
    assert difference / (2 * pi) == pytest.approx(round(difference / (2 * pi)), abs=1e-9)


@pytest.mark.browser
@pytest.mark.parametrize("theta", [0.3, 0.8, 1.2, 2.4])
def test_the_reading_converges_to_the_area_of_the_cap(module, theta):
    for steps in (64, 256, 1024):
        found = module.evaluate("([t, n]) => widget.holonomy(t, n)", [theta, steps])
        assert found["exact"] == pytest.approx(2 * pi * (1 - cos(theta)))
        assert abs(found["reading"] - found["exact"]) < 4 / steps


@pytest.mark.browser
@pytest.mark.parametrize("theta", [0.4, 1.2, 2.2])
def test_laid_flat_the_circle_keeps_its_length_and_turns_by_the_rest(module, theta):
    ends = [module.evaluate("([t, f]) => widget.unrolled(t, f)", [theta, f]) for f in (0, 2 * pi)]
    assert ends[1]["tangent"] - ends[0]["tangent"] == pytest.approx(2 * pi * cos(theta))
    fine = [i * 2 * pi / 400 for i in range(401)]
    points = torch.tensor(
        module.evaluate("([t, fs]) => fs.map((f) => widget.unrolled(t, f).point)", [theta, fine])
    )
    assert points.diff(dim=0).norm(dim=1).sum().item() == pytest.approx(
        2 * pi * sin(theta), rel=1e-4
    )


@pytest.mark.browser
def test_exact_arrows_are_parallel_in_the_flat_strip(module):
    angles = module.evaluate("() => widget.carry(0.8, 4096)")
    headings = [
        module.evaluate("([t, f]) => widget.unrolled(t, f).tangent", [0.8, i * 2 * pi / 4096])
        + angles[i]
        for i in (0, 1000, 2500, 4096)
    ]
    assert headings == pytest.approx([headings[0]] * 4, abs=2e-3)


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_to_mouse_and_keyboard(visit, widget_site, size):
    page = visit(embed(widget_site, "one", [HolonomySlider(0.8, steps=1024)]), size=size)
    figure = page.locator(".hs")
    figure.scroll_into_view_if_needed()
    expect(readout(figure)).to_contain_text("2π(1 − cos θ) = 1.906")
    arrows = figure.locator(".hs-flat .hs-arrows")

    slider(figure, "Colatitude").focus()
    before = arrows.get_attribute("d")
    page.keyboard.press("ArrowRight")
    expect(slider(figure, "Colatitude")).to_have_attribute("aria-valuetext", "0.82")
    expect(arrows).not_to_have_attribute("d", before)
    expect(readout(figure)).to_contain_text(f"2π(1 − cos θ) = {2 * pi * (1 - cos(0.82)):.3f}")

    box = slider(figure, "Steps").bounding_box()
    page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    expect(slider(figure, "Steps")).to_have_attribute("aria-valuetext", "4")
    slider(figure, "Carried").fill("0.5")
    expect(readout(figure)).to_contain_text("Carried 180°")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
@in_every_look
def test_axe_finds_nothing(visit, widget_site, size, theme):
    check_look(visit, widget_site, HolonomySlider(), ".hs", "Round once", size, theme)


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    page = visit(embed(widget_site, "two", [HolonomySlider(), HolonomySlider(1.5)]))
    first, second = page.locator(".hs").nth(0), page.locator(".hs").nth(1)
    expect(readout(second)).to_contain_text("Round once")
    before, first_before = readout(second).inner_text(), readout(first).inner_text()
    slider(first, "Colatitude").fill("2")
    expect(readout(first)).not_to_have_text(first_before)
    assert readout(second).inner_text() == before


def test_what_the_kernel_sees():
    figure = HolonomySlider(1.2, steps=64, carried=0.5)
    assert (figure.colatitude, figure.steps, figure.carried) == (1.2, 64, 0.5)
    assert figure.measured == {} and "0x" not in repr(figure)
    figure.set_state({"colatitude": 0.4, "measured": {"exact": 1}})
    assert figure.colatitude == 0.4 and figure.measured == {"exact": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colatitude": 0}, "colatitude must lie between 0.1 and 3.04"),
        ({"colatitude": "north"}, "colatitude must lie between"),
        ({"steps": 12}, "steps must be a power of two"),
        ({"steps": 2}, "steps must be a power of two"),
        ({"carried": 2}, "carried must lie between 0 and 1"),
        ({"carried": float("nan")}, "carried must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(options, message):
    with pytest.raises(ValueError, match=message):
        HolonomySlider(**options)
