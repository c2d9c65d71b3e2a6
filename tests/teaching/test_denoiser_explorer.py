"""The denoiser of the circle: its numbers against geomlib.models, and the page."""

import re
from math import hypot

import pytest
import torch
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect
from widget_page import check_look, drag, embed, imported, in_every_look, readout, slider

from geomlib.models.denoisers import CircleDenoiser
from geomlib.teaching.widgets.denoiser_explorer import DenoiserExplorer

# A page in which only the widget is judged, not the bare frame around it.
PLACES = [((1.0, 0.0), 2.0), ((1.2, 0.4), 0.05), ((0.3, -0.2), 0.4), ((2, 2), 0.1), ((0.01, 0), 1)]


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    page = imported(visit_once, widget_site, "denoiser_explorer")
    return lambda code, *arguments: page.evaluate(f"(them) => widget.{code}(...them)", arguments)


@pytest.mark.browser
@pytest.mark.parametrize(("x", "sigma"), PLACES, ids=str)
def test_denoiser_and_spectrum_are_those_of_the_library(module, x, sigma):
    point, circle = torch.tensor(x, dtype=torch.float64), CircleDenoiser()
    noise = torch.tensor(sigma, dtype=torch.float64)
    assert module("denoised", x, sigma) == pytest.approx(
        circle.denoise(point, noise).tolist(), abs=1e-9
    )
    found = module("eigenvalues", hypot(*x), sigma)
    exact = circle.jacobian_eigenvalues(point, noise).tolist()
    assert [found["tangential"], found["radial"]] == pytest.approx(exact, rel=1e-6, abs=1e-8)
    by_autograd = torch.linalg.eigvalsh(circle.covariance(point, noise)) / sigma**2
    assert sorted(found.values()) == pytest.approx(by_autograd.tolist(), rel=1e-6, abs=1e-8)


@pytest.mark.browser
def test_known_answers(module):
    found = module("eigenvalues", 1, 2)
    assert [round(found["tangential"], 4), round(found["radial"], 4)] == [0.1240, 0.1221]
    centre = module("eigenvalues", 0, 0.5)
    assert centre == pytest.approx({"tangential": 2, "radial": 2}), "no direction in the centre"
    assert module("denoised", [0, 0], 0.5) == [0, 0]
    near, far = module("besselRatio", 59.9999999), module("besselRatio", 60.0000001)
    assert near == pytest.approx(far, abs=1e-9), "both expansions meet"
    assert module("besselRatio", 0) == 0


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_to_mouse_and_keyboard(visit, widget_site, size):
    page = visit(embed(widget_site, "one", [DenoiserExplorer((1, 0), sigma=0.1)]), size=size)
    widget = page.locator(".de")
    widget.scroll_into_view_if_needed()
    expect(readout(widget)).to_contain_text("along the circle 0.995, across 0.005")
    expect(readout(widget)).to_contain_text("The tangent comes first.")

    handle = slider(widget, "Noisy point x")
    drag(widget, "Noisy point x", (0.5, 0.25))
    expect(handle).to_have_attribute("aria-valuetext", re.compile(r"x = \(−?0\.\d\d, 1\.\d\d\)"))
    handle.focus()
    before = handle.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    expect(handle).not_to_have_attribute("aria-valuetext", before)
    drag(widget, "Noisy point x", (-0.3, 0.5))
    expect(handle).to_have_attribute("aria-valuetext", re.compile(r"x = \(−2\.00"))

    slider(widget, "Noise").fill("0.48")  # sigma = 3.02 is cut off at 3
    expect(readout(widget)).to_contain_text("No gap")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
def test_inside_the_circle_the_normal_may_come_first(visit, widget_site):
    page = visit(embed(widget_site, "inside", [DenoiserExplorer((0.1, 0), sigma=0.3)]))
    expect(readout(page.locator(".de"))).to_contain_text("The tangent comes first.")
    # far inside, D jumps from side to side: along the circle it turns fastest
    page = visit(embed(widget_site, "centre", [DenoiserExplorer((0, 0), sigma=0.3)]))
    expect(readout(page.locator(".de"))).to_contain_text("No gap")


@pytest.mark.browser
@in_every_look
def test_axe_finds_nothing(visit, widget_site, size, theme):
    check_look(visit, widget_site, DenoiserExplorer(), ".de", "Eigenvalues", size, theme)


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    page = visit(embed(widget_site, "two", [DenoiserExplorer(), DenoiserExplorer((1, 0))]))
    first, second = page.locator(".de").nth(0), page.locator(".de").nth(1)
    expect(readout(second)).to_contain_text("Eigenvalues")
    before = second.inner_text()
    slider(first, "Noisy point x").focus()
    page.keyboard.press("ArrowUp")
    expect(slider(first, "Noisy point x")).to_have_attribute("aria-valuetext", "x = (1.10, 0.65)")
    assert second.inner_text() == before


def test_what_the_kernel_sees():
    widget = DenoiserExplorer((0.5, -1), sigma=0.7)
    assert (widget.x, widget.sigma, widget.measured) == ((0.5, -1), 0.7, {})
    assert "0x" not in repr(widget)
    seen = []
    widget.observe(seen.append, names=["x", "measured"])
    widget.set_state({"x": [1.0, 0.5], "measured": {"radial": 1.0}})
    assert widget.x == (1.0, 0.5) and {change.name for change in seen} == {"x", "measured"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": (3, 0)}, r"x = \(3, 0\) lies outside the window"),
        ({"x": (1, 2, 3)}, "x must be two finite numbers"),
        ({"x": "far"}, "x must be two finite numbers"),
        ({"x": (float("nan"), 1)}, "x must be two finite numbers"),
        ({"sigma": 0}, "sigma must be a number between 0.05 and 3"),
        ({"sigma": "loud"}, "sigma must be a number between 0.05 and 3"),
        ({"sigma": 9}, "sigma must be a number between 0.05 and 3"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(options, message):
    with pytest.raises(ValueError, match=message):
        DenoiserExplorer(**options)
