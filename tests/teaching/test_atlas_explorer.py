"""Arcs of a circle and their nerves: the figure's homology against geomlib.models, and the page."""

import math
from functools import partial

import pytest
import torch
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect
from widget_page import check_look, embed, imported, in_every_look, readout, slider

from geomlib.models import ExplicitAtlas, cech_nerve, coverage, multinerve
from geomlib.teaching.widgets.atlas_explorer import MOST, NARROWEST, WIDEST, AtlasExplorer

# A page in which only the widget is judged, not the bare frame around it.


def arcs(count, width):
    """Open arcs of the circle that may leave gaps, as an atlas."""
    reach = width * math.pi / count
    centres = [2 * math.pi * i / count for i in range(count)]

    def encode(centre):
        def coordinate(x):
            away = torch.atan2(x[..., 1:], x[..., :1]) - centre
            return away - 2 * math.pi * torch.round(away / (2 * math.pi))

        return coordinate

    def decode(centre):
        return lambda z: torch.cat([(z + centre).cos(), (z + centre).sin()], dim=-1)

    inside = [lambda z: z[..., 0].abs() < reach] * count
    weights = [partial(_inside, encode(c), reach) for c in centres]
    maps = [[kind(c) for c in centres] for kind in (encode, decode)]
    return ExplicitAtlas(*maps, weights, inside, data_dim=2, latent_dim=1)


def _inside(coordinate, reach, x):
    return (coordinate(x)[..., 0].abs() < reach).to(x)


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    page = imported(visit_once, widget_site, "atlas_explorer")
    return lambda code: page.evaluate(f"() => {{ const w = widget; return {code}; }}")


@pytest.mark.browser
@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_nerves_are_those_of_the_library(module, count):
    turn = torch.arange(400, dtype=torch.float64) * (2 * math.pi / 400) + 0.003
    x = torch.stack([turn.cos(), turn.sin()], dim=1)
    width = NARROWEST
    while width < min(WIDEST, count - 0.04):
        atlas = arcs(count, width)
        found = module(
            f"""({{ covered: w.covered({count}, {width}),
                   simple: w.betti(w.cells({count}, {width}, false)),
                   multi: w.betti(w.cells({count}, {width}, true)) }})"""
        )
        options = {"max_dimension": 3}
        assert found["covered"] == pytest.approx(coverage(atlas, x, 1e-9).fraction, abs=0.02)
        assert found["simple"] == list(cech_nerve(atlas, x, 1e-9, **options).betti()), width
        pieces = multinerve(atlas, x, 1e-9, k=3, smallest=1, **options)
        assert found["multi"] == list(pieces.betti()), width
        width = round(width + 0.3, 2)


@pytest.mark.browser
def test_known_answers(module):
    assert module("w.covered(4, 0.55)") == pytest.approx(0.55)
    assert module("w.betti(w.cells(2, 1.55, false))") == [1, 0, 0], "two arcs: no loop"
    assert module("w.betti(w.cells(2, 1.55, true))") == [1, 1, 0], "but two pieces"
    assert module("w.betti(w.cells(4, 2.55, false))") == [1, 0, 1], "a hollow tetrahedron"
    assert module("w.betti(w.cells(4, 2.55, true))") == [1, 1, 0]
    assert module("w.betti(w.cells(5, 0.75, true))") == [5, 0, 0]
    # two of five arcs go round the circle together from three steps on
    assert module("w.betti(w.cells(5, 2.95, false))") == [1, 1, 0]
    assert module("w.betti(w.cells(5, 3.05, false))") == [1, 0, 0]


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_to_the_keyboard(visit, widget_site, size):
    page = visit(embed(widget_site, "one", [AtlasExplorer(3, width=1.55)]), size=size)
    widget = page.locator(".ae")
    widget.scroll_into_view_if_needed()
    expect(readout(widget)).to_contain_text("Covered: 100 %, with Betti numbers (1, 1, 0).")
    expect(readout(widget)).to_contain_text("Čech nerve (1, 1, 0): right.")

    count, width = slider(widget, "Charts"), slider(widget, "Length of a chart")
    count.focus()
    page.keyboard.press("ArrowLeft")
    expect(readout(widget)).to_contain_text("Čech nerve (1, 0, 0): wrong.")
    expect(readout(widget)).to_contain_text("Multinerve (1, 1, 0): right.")
    expect(widget.locator(".ae-second")).to_have_count(1)
    count.fill("1")
    expect(width).to_have_value("0.95")
    expect(readout(widget)).to_contain_text("Covered: 95 %")
    count.fill("5")
    width.focus()
    page.keyboard.press("ArrowLeft")
    expect(readout(widget)).to_contain_text("Covered: 85 %, with Betti numbers (5, 0, 0)")
    width.fill("3.95")
    expect(readout(widget)).to_contain_text("Čech nerve (1, 0, 0): wrong.")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
@in_every_look
def test_axe_finds_nothing(visit, widget_site, size, theme):
    check_look(visit, widget_site, AtlasExplorer(6, width=2.55), ".ae", "Covered", size, theme)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"charts": 0}, "charts must be a whole number from 1 to 8, but is 0"),
        ({"charts": 2.5}, "charts must be a whole number"),
        ({"charts": True}, "charts must be a whole number"),
        ({"width": 0.1}, "width must be a number from 0.55 to 2.95 for 3 charts"),
        ({"width": float("nan")}, "width must be a number"),
        ({"width": "wide"}, "width must be a number"),
        ({"charts": 1, "width": 1.2}, "from 0.55 to 0.95 for 1 charts"),
        ({"width": 2.0}, "the ends of open arcs touch"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        AtlasExplorer(**arguments)
