"""The analogy explorer: its geometry against geomlib.riemann, and the figure in a page."""

import struct

import numpy as np
import pytest
import torch
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect
from torch import nn
from widget_page import check_look, embed, imported, in_every_look, readout, slider

from geomlib.riemann import PullbackMetric
from geomlib.teaching.widgets.analogy_explorer import AnalogyExplorer

TOLERANCE = 5e-3  # in latent units: a grid of 96 points on 4 units is 0.04 wide


def bent_decoder() -> nn.Sequential:
    """A random network whose surface is curved, in double precision."""
    torch.manual_seed(3)
    decoder = nn.Sequential(
        nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 64)
    )
    with torch.no_grad():
        for layer in decoder[::2]:
            layer.weight.mul_(1.4)
    return decoder.double().requires_grad_(False)


DECODER = bent_decoder()
BOUNDS = (-2.0, 2.0, -2.0, 2.0)
START = {"a": (-0.5, -0.4), "b": (0.2, -0.6), "c": (-0.3, 0.5)}


def explorer(**changes) -> AnalogyExplorer:
    codes = torch.randn(40, 2, generator=torch.manual_seed(0)).double().clamp(-2, 2)
    options = {"image_shape": (8, 8), "bounds": BOUNDS, **START, **changes}
    return AnalogyExplorer(options.pop("decoder", DECODER), options.pop("codes", codes), **options)


def floats(data: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(data) // 4}f", data))


@pytest.fixture(scope="module")
def library():
    """What the library says: the metric, and the analogy of three codes."""
    metric = PullbackMetric(DECODER)

    def analogy(a, b, c):
        v = metric.log(a, b)
        path = metric.shoot(a, metric.log(a, c), torch.linspace(0, 1, 65, dtype=a.dtype))
        return metric.exp(c, metric.transport(path, v)[..., -1, :])

    return metric, analogy


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    page = imported(visit_once, widget_site, "analogy_explorer")
    figure = explorer()
    state = {"values": floats(figure._field), "size": figure._grid, "bounds": figure._bounds}
    network = {"sizes": figure._layers, "weights": floats(figure._weights)}
    page.evaluate(
        """([state, network]) => {
          window.field = widget.metricField(state);
          window.network = network;
        }""",
        [state, network],
    )
    return page


def points(count: int, scale: float = 1.0) -> torch.Tensor:
    return scale * (2 * torch.rand(count, 3, 2, generator=torch.manual_seed(1)).double() - 1)


@pytest.mark.browser
def test_the_metric_between_the_nodes(module, library):
    z = points(10)[:, 0]
    found = module.evaluate("(z) => z.map((p) => field.at(p).G)", z.tolist())
    G = library[0].matrix(z)
    wanted = torch.stack([G[:, 0, 0], G[:, 0, 1], G[:, 1, 1]], dim=1)
    size = G.diagonal(dim1=1, dim2=2).sum(1, keepdim=True)
    assert ((torch.tensor(found).double() - wanted).abs() / size).max() < 1e-3


@pytest.mark.browser
def test_christoffel_symbols(module, library):
    z, u, v = points(10).unbind(1)
    found = module.evaluate(
        "(all) => all.map(([z, u, v]) => field.connection(field.at(z), u, v))",
        torch.stack([z, u, v], 1).tolist(),
    )
    wanted = library[0].connection(z, u, v)
    assert (torch.tensor(found).double() - wanted).abs().max() < 0.02 * wanted.abs().max()


@pytest.mark.browser
def test_shooting_aiming_and_transport(module, library):
    metric, analogy = library
    triples = points(8, 0.6)
    a, b, c = triples.unbind(1)
    found, logs, wishes = 0, metric.log(a, b), analogy(a, b, c)
    for (a, b, c), log, wanted in zip(triples, logs, wishes, strict=True):
        ends = [a.tolist(), b.tolist(), c.tolist()]
        v = module.evaluate("([a, b]) => widget.logarithm(field, a, b)", ends[:2])
        torch.testing.assert_close(torch.tensor(v).double(), log, atol=TOLERANCE, rtol=0.01)
        end = module.evaluate("([a, v]) => widget.shoot(field, a, v).end", [ends[0], log.tolist()])
        torch.testing.assert_close(torch.tensor(end).double(), b, atol=TOLERANCE, rtol=0)
        answer = module.evaluate("([a, b, c]) => widget.analogy(field, a, b, c).end", ends)
        if answer is None:  # it lies outside of the map
            continue
        found += 1
        gap = (torch.tensor(answer).double() - wanted).norm()
        assert gap < 2 * TOLERANCE + 0.01 * (wanted - c).norm()
    assert found >= 5


@pytest.mark.browser
def test_transport_keeps_length(module):
    for a, b, c in points(5, 0.6).tolist():
        before, after = module.evaluate(
            """([a, b, c]) => {
              const v = widget.logarithm(field, a, b);
              const { w, end } = widget.shoot(field, a, widget.logarithm(field, a, c), v);
              return [field.norm(a, v), field.norm(end, w)];
            }""",
            [a, b, c],
        )
        assert after == pytest.approx(before, rel=1e-4)


@pytest.mark.browser
def test_in_a_flat_space_both_answers_agree(module):
    answer = module.evaluate(
        """() => {
          const n = 8, one = Array(n * n).fill(0.5), half = Array(n * n).fill(0.3);
          const values = [...one, ...half, ...one];
          const flat = widget.metricField({ values, size: n, bounds: [-2, 2, -2, 2] });
          return widget.analogy(flat, [0, 0], [1, 0.2], [0.3, 1]).end;
        }"""
    )
    assert answer == pytest.approx([1.3, 1.2], abs=1e-6)


@pytest.mark.browser
def test_decoded_images(module):
    z = points(5)[:, 0]
    found = module.evaluate("(z) => z.map((p) => widget.decode(network, p))", z.tolist())
    torch.testing.assert_close(torch.tensor(found).double(), DECODER(z), atol=1e-5, rtol=0)


@pytest.mark.browser
def test_a_geodesic_that_leaves_the_map_has_no_end(module):
    result = module.evaluate("() => widget.shoot(field, [0, 0], [40, 0])")
    assert result["left"] and result["end"] is None


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_to_mouse_and_keyboard(visit, widget_site, size):
    page = visit(embed(widget_site, "one", [explorer()]), size=size)
    figure = page.locator(".ax")
    figure.scroll_into_view_if_needed()
    expect(readout(figure)).to_contain_text("as much from c to the transported answer")
    first = readout(figure).inner_text()
    b = slider(figure, "Code b")
    assert b.get_attribute("aria-valuetext") == "z1 = 0.20, z2 = −0.60"
    b.focus()
    page.keyboard.press("ArrowRight")
    assert b.get_attribute("aria-valuetext") == "z1 = 0.24, z2 = −0.60"
    page.keyboard.press("Shift+ArrowUp")
    assert b.get_attribute("aria-valuetext") == "z1 = 0.24, z2 = −0.40"
    expect(readout(figure)).not_to_have_text(first)

    c = slider(figure, "Code c")
    box = c.bounding_box()
    before = c.get_attribute("aria-valuetext")
    page.mouse.move(box["x"] + 22, box["y"] + 22)
    page.mouse.down()
    page.mouse.move(box["x"] + 42, box["y"] + 12)
    page.mouse.up()
    assert c.get_attribute("aria-valuetext") != before
    area = figure.locator(".ax-map").bounding_box()
    page.mouse.click(area["x"] + 0.12 * area["width"], area["y"] + 0.8 * area["height"])
    a = slider(figure, "Code a")
    assert a.get_attribute("aria-valuetext") != "z1 = −0.50, z2 = −0.40"
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
def test_equal_points_ask_for_no_step(visit, widget_site):
    page = visit(embed(widget_site, "same", [explorer(b=START["a"])]))
    expect(readout(page.locator(".ax"))).to_contain_text("From a to b the image changes by 0.00")


@pytest.mark.browser
def test_an_answer_outside_of_the_map_is_no_answer(visit, widget_site):
    page = visit(embed(widget_site, "far", [explorer(a=(-1.8, 0), b=(1.7, 0.1), c=(1.8, 0.4))]))
    figure = page.locator(".ax")
    expect(readout(figure)).to_contain_text("no")
    expect(figure.locator(".ax-tile-transported canvas")).to_have_attribute(
        "aria-label", "No image: by transport"
    )


@pytest.mark.browser
@in_every_look
def test_axe_finds_nothing(visit, widget_site, size, theme):
    check_look(visit, widget_site, explorer(), ".ax", "From a to b", size, theme)


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    page = visit(embed(widget_site, "two", [explorer(), explorer(c=(-0.6, 0.4))]))
    first, second = page.locator(".ax").nth(0), page.locator(".ax").nth(1)
    expect(readout(second)).to_contain_text("From a to b")
    before = second.inner_text()
    slider(first, "Code a").focus()
    page.keyboard.press("ArrowLeft")
    assert second.inner_text() == before


def test_what_the_kernel_sees():
    widget = explorer()
    assert widget.a == START["a"] and widget.answers == {}
    assert "0x" not in repr(widget)
    seen = []
    widget.observe(seen.append, names=["c", "answers"])
    widget.set_state({"c": [0.1, 0.2], "answers": {"transported": None, "euclidean": [0, 1]}})
    assert widget.c == (0.1, 0.2) and {change.name for change in seen} == {"c", "answers"}


def test_many_codes_are_thinned_out_and_the_field_is_positive_definite():
    widget = explorer(codes=np.random.default_rng(0).uniform(-2, 2, (5000, 2)))
    assert len(widget._codes) == 800 * 2 * 4
    assert np.isfinite(floats(widget._field)).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoder": nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 64))}, "nn.Tanh"),
        ({"decoder": nn.Linear(2, 64)}, "nn.Sequential"),
        ({"decoder": nn.Sequential(nn.Linear(3, 64))}, "two axes, but the decoder has 3"),
        ({"decoder": nn.Sequential(nn.Linear(2, 1), nn.Tanh(), nn.Linear(1, 64))}, "full rank"),
        ({"image_shape": (8, 9)}, "72 pixels"),
        ({"codes": torch.zeros(4, 3)}, "codes must have shape"),
        ({"codes": torch.full((4, 2), torch.nan)}, "NaN"),
        ({"a": (5, 0)}, "outside the bounds"),
        ({"b": (1, 2, 3)}, "two finite coordinates"),
        ({"c": (float("nan"), 0)}, "two finite coordinates"),
        ({"bounds": (1, 0, 0, 1)}, "min < max"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(changes, message):
    with pytest.raises(ValueError, match=message):
        explorer(**changes)
