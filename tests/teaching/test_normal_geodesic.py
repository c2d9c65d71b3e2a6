"""The geodesic between normal distributions: its numbers against geomlib.riemann, and the page."""

import re

import pytest
import torch
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect
from torch import distributions as dist
from widget_page import check_look, drag, embed, imported, in_every_look, readout, slider

from geomlib.riemann import Curve, FisherRaoMetric
from geomlib.teaching.widgets.normal_geodesic import NormalGeodesic

# A page in which only the widget is judged, not the bare frame around it.
METRIC = FisherRaoMetric(lambda z: dist.Normal(z[..., 0], z[..., 1]))
PAIRS = [
    ((0.0, 1.0), (2.0, 0.5)),
    ((-3.0, 0.1), (3.0, 0.1)),
    ((0.7, 0.3), (0.7, 2.5)),  # one mean: a vertical line
    ((-1.0, 1.2), (1.5, 1.2)),
    ((0.5, 1.0), (0.5000001, 1.0)),
]


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    page = imported(visit_once, widget_site, "normal_geodesic")
    return lambda code, *arguments: page.evaluate(f"(them) => widget.{code}(...them)", arguments)


def tensors(pair):
    return torch.tensor(pair, dtype=torch.float64)


@pytest.mark.browser
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_distance_and_geodesic_are_those_of_the_library(module, pair):
    a, b = tensors(pair)
    curve = METRIC.geodesic(a, b, segments=256)
    assert module("distance", *pair) == pytest.approx(curve.arc_length().item(), rel=1e-5)
    times = [0.0, 0.1, 0.25, 0.5, 0.9, 1.0]
    ours = torch.tensor([module("geodesic", *pair, t) for t in times], dtype=torch.float64)
    on_curve = curve(torch.tensor(times, dtype=torch.float64))
    torch.testing.assert_close(ours, on_curve, rtol=5e-3, atol=5e-3)
    ways = Curve(tensors([module("geodesic", *pair, t / 512) for t in range(513)]), METRIC)
    assert ways.arc_length().item() == pytest.approx(module("distance", *pair), rel=1e-6)
    speeds = METRIC.squared_chords(ways.points).sqrt()
    torch.testing.assert_close(speeds, speeds.mean().expand_as(speeds), rtol=2e-3, atol=1e-9)


@pytest.mark.browser
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_straight_line_and_the_divergences(module, pair):
    a, b = tensors(pair)
    line = Curve.straight(a, b, METRIC, segments=512)
    assert module("straightLength", *pair) == pytest.approx(line.arc_length().item(), rel=1e-6)
    for p, q in ((a, b), (b, a)):
        exact = dist.kl_divergence(dist.Normal(*p), dist.Normal(*q)).item()
        assert module("divergence", p.tolist(), q.tolist()) == pytest.approx(exact, abs=1e-10)
    for x in (-1.0, 0.3, 2.0):
        exact = dist.Normal(*a).log_prob(torch.tensor(x, dtype=torch.float64)).exp().item()
        assert module("density", list(pair[0]), x) == pytest.approx(exact, abs=1e-12)


@pytest.mark.browser
def test_known_answers(module):
    assert module("distance", [0, 1], [2, 0.5]) == pytest.approx(2.612400, abs=1e-6)
    assert module("distance", [0, 1], [0, 1]) == 0
    assert module("geodesic", [1, 0.5], [1, 0.5], 0.3) == pytest.approx([1, 0.5])
    assert module("geodesic", [1, 0.5], [1, 2], 0.5) == pytest.approx([1, 1])  # geometric mean
    near = module("distance", [0, 1], [1e-9, 1])
    assert near == pytest.approx(1e-9, rel=1e-6), "no digits are lost near zero"
    # moving and scaling the axis of x is an isometry
    assert module("distance", [5, 2], [9, 1]) == pytest.approx(2.612400, abs=1e-6)


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_to_mouse_keyboard_and_lists(visit, widget_site, size):
    page = visit(embed(widget_site, "one", [NormalGeodesic((0, 1), (2, 0.5))]), size=size)
    widget = page.locator(".ng")
    widget.scroll_into_view_if_needed()
    expect(readout(widget)).to_contain_text("Distance 2.6124; straight line 2.9")
    expect(readout(widget)).to_contain_text("At time 0.50: N(1.3")

    drag(widget, "Distribution b", (0.5, 0.4))
    expect(slider(widget, "Distribution b")).to_have_attribute(
        "aria-valuetext", re.compile(r"μ = −?0\.0\d, σ = 2")
    )
    slider(widget, "Distribution a").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    expect(slider(widget, "Distribution a")).to_have_attribute(
        "aria-valuetext", "μ = 0.05, σ = 0.80"
    )
    for _ in range(8):
        page.keyboard.press("Shift+ArrowDown")
    expect(slider(widget, "Distribution a")).to_have_attribute(
        "aria-valuetext", "μ = 0.05, σ = 0.10"
    )
    drag(widget, "Distribution a", (-0.2, 0.7))
    expect(slider(widget, "Distribution a")).to_have_attribute(
        "aria-valuetext", re.compile("μ = −3.00")
    )

    time = slider(widget, "Time")
    time.fill("0")
    expect(readout(widget)).to_contain_text("At time 0.00: N(−3.00")
    before = readout(widget).inner_text()
    time.fill("0.4")
    on_the_way = readout(widget).inner_text()
    assert on_the_way != before
    widget.get_by_role("combobox", name="Walk on").select_option("straight")
    assert readout(widget).inner_text() != on_the_way
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
def test_equal_ends_have_no_distance(visit, widget_site):
    page = visit(embed(widget_site, "same", [NormalGeodesic((1, 1), (1, 1))]))
    expect(readout(page.locator(".ng"))).to_have_text(
        "Distance 0.0000; straight line 0.0000. At time 0.50: N(1.00, 1.00)."
    )


@pytest.mark.browser
@in_every_look
def test_axe_finds_nothing(visit, widget_site, size, theme):
    check_look(visit, widget_site, NormalGeodesic(), ".ng", "Distance", size, theme)


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    page = visit(embed(widget_site, "two", [NormalGeodesic(), NormalGeodesic((0, 1), (2, 0.5))]))
    first, second = page.locator(".ng").nth(0), page.locator(".ng").nth(1)
    expect(readout(second)).to_contain_text("2.6124")
    before = second.inner_text()
    slider(first, "Distribution a").focus()
    page.keyboard.press("ArrowUp")
    expect(slider(first, "Distribution a")).to_have_attribute(
        "aria-valuetext", "μ = −1.50, σ = 0.45"
    )
    assert second.inner_text() == before


def test_what_the_kernel_sees():
    widget = NormalGeodesic((0, 1), (2, 0.5), time=0.2, way="straight")
    assert (widget.a, widget.b, widget.time, widget.way) == ((0, 1), (2, 0.5), 0.2, "straight")
    assert widget.measured == {} and "0x" not in repr(widget)
    assert widget.distance() == pytest.approx(2.6124, abs=1e-5)
    seen = []
    widget.observe(seen.append, names=["a", "measured"])
    widget.set_state({"a": [1.0, 0.5], "measured": {"distance": 1.0}})
    assert widget.a == (1.0, 0.5) and {change.name for change in seen} == {"a", "measured"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"a": (0, 0)}, r"a = \(0, 0\) lies outside the window: .*sigma between 0.1 and 3"),
        ({"b": (4, 1)}, r"b = \(4, 1\) lies outside the window"),
        ({"a": (0, -1)}, "lies outside the window"),
        ({"a": (1, 2, 3)}, "a must be two finite numbers"),
        ({"b": "wide"}, "b must be two finite numbers"),
        ({"b": (float("nan"), 1)}, "b must be two finite numbers"),
        ({"time": 1.5}, "time must be a number between 0 and 1"),
        ({"time": "now"}, "time must be a number between 0 and 1"),
        ({"way": "detour"}, "there is no way 'detour'; there are geodesic, straight"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(options, message):
    with pytest.raises(ValueError, match=message):
        NormalGeodesic(**options)
