"""The figure on scarce data: its numbers and images against NumPy's, and the figure in a page."""

import re

import numpy as np
import pytest
import torch
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect
from widget_page import check_look, embed, imported, in_every_look, readout, slider

from geomlib.teaching.widgets.scarce_data import ScarceData

COUNTS = [60, 150, 400, 1400]
NAMES = ["autoencoder", "its decoder, code searched", "decoder only"]


def errors() -> dict[str, np.ndarray]:
    base = np.array([0.068, 0.038, 0.026, 0.025])[:, None] * np.array([0.95, 1.0, 1.05])
    shares = np.array([[1, 1, 1, 1], [0.5, 0.6, 0.8, 0.9], [0.5, 0.65, 0.9, 0.95]])
    return {name: base * share[:, None] for name, share in zip(NAMES, shares, strict=True)}


def widget(**options) -> ScarceData:
    generator = np.random.default_rng(0)
    images = {name: generator.random((4, 8, 64)) for name in NAMES}
    return ScarceData(COUNTS, errors(), generator.random((8, 64)), images, **options)


@pytest.fixture(scope="module")
def module(visit_once, widget_site):
    return imported(visit_once, widget_site, "scarce_data")


@pytest.mark.browser
@pytest.mark.parametrize("k", range(4))
def test_the_summary_is_that_of_numpy(module, k):
    table = np.stack(list(errors().values()))  # (3, 4, 3)
    found = module.evaluate("(them) => widget.summary(...them)", [table.tolist(), k])
    means = table[:, k].mean(1)
    for m, row in enumerate(found):
        assert row["mean"] == pytest.approx(means[m], rel=1e-12)
        assert row["ratio"] == pytest.approx(means[m] / means[0], rel=1e-12)
        assert (row["least"], row["most"]) == (table[m, k].min(), table[m, k].max())


@pytest.mark.browser
def test_a_strip_holds_the_images_side_by_side(module):
    images = torch.linspace(-0.2, 1.2, 5 * 6).reshape(5, 6)  # five images of 2 x 3
    figure = ScarceData([1, 2], {"a": [[1], [2]]}, images[:1], {"a": images[1:3, None]},
                        image_shape=(2, 3))  # fmt: skip
    levels = np.frombuffer(figure._images, np.uint8).reshape(3, 2, 3)
    np.testing.assert_array_equal(
        levels, np.rint(255 * images[:3].numpy().clip(0, 1)).reshape(3, 2, 3)
    )
    drawn = module.evaluate(
        "([bytes, shape, first, many]) => { const p = widget.picture(bytes, shape, first, many);"
        " return { ...p, rgba: [...p.rgba] }; }",
        [levels.ravel().tolist(), [2, 3], 1, 2],
    )
    assert (drawn["width"], drawn["height"]) == (7, 2)
    rgba = np.array(drawn["rgba"]).reshape(2, 7, 4)
    np.testing.assert_array_equal(rgba[:, :3, 0], levels[1])
    np.testing.assert_array_equal(rgba[:, 4:, 2], levels[2])
    assert (rgba[:, 3] == 0).all() and (rgba[:, :3, 3] == 255).all()


def middle_of_strip(figure, row: int) -> list[int]:
    """The grey values of the first image of a strip, as the page shows them."""
    canvas = figure.locator("canvas").nth(row)
    rgba = canvas.evaluate("(c) => [...c.getContext('2d').getImageData(0, 0, 8, 8).data]")
    return rgba[::4]


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_to_mouse_and_keyboard(visit, widget_site, size):
    given = widget()
    levels = np.frombuffer(given._images, np.uint8).reshape(-1, 64)
    page = visit(embed(widget_site, "one", [given]), size=size)
    figure = page.locator(".scd")
    figure.scroll_into_view_if_needed()
    expect(readout(figure)).to_have_text(
        "Mean errors at N = 60: autoencoder 0.0680; its decoder, code searched 0.0340 "
        "(0.50 times as much); decoder only 0.0340 (0.50 times as much)."
    )
    handle = slider(figure, "Training samples")
    expect(handle).to_have_attribute("aria-valuetext", "60 samples")
    for row in range(4):  # the new samples, and three models
        first = 0 if row == 0 else 8 * (1 + 4 * (row - 1))
        assert middle_of_strip(figure, row) == levels[first].tolist()
    handle.focus()
    page.keyboard.press("ArrowRight")
    expect(readout(figure)).to_contain_text("N = 150")
    expect(figure.locator("canvas").nth(3)).to_have_attribute(
        "aria-label", "8 reconstructions, decoder only, mean error 0.0247"
    )
    assert middle_of_strip(figure, 0) == levels[0].tolist(), "the samples stay"
    assert middle_of_strip(figure, 2) == levels[8 * (1 + 4 + 1)].tolist()
    page.keyboard.press("End")
    expect(readout(figure)).to_contain_text("N = 1400")
    expect(readout(figure)).to_contain_text("decoder only 0.0238 (0.95 times as much)")
    expect(figure.locator(".scd-errors > svg")).to_have_attribute(
        "aria-label", re.compile("Errors at N = 1400: autoencoder from 0.0238 to 0.0263")
    )
    box = handle.bounding_box()
    page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    expect(readout(figure)).to_contain_text("N = 60")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
@in_every_look
def test_axe_finds_nothing(visit, widget_site, size, theme):
    check_look(visit, widget_site, widget(), ".scd", "N = 60", size, theme)


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    page = visit(embed(widget_site, "two", [widget(), widget(count=400)]))
    first, second = page.locator(".scd").nth(0), page.locator(".scd").nth(1)
    expect(readout(second)).to_contain_text("N = 400")
    slider(first, "Training samples").fill("3")
    expect(readout(first)).to_contain_text("N = 1400")
    expect(readout(second)).to_contain_text("N = 400")


def test_what_the_kernel_sees():
    figure = widget(count=150)
    assert figure.count == 150 and figure.measured == {}
    assert "0x" not in repr(figure)
    seen = []
    figure.observe(seen.append, names=["count", "measured"])
    figure.set_state({"count": 60, "measured": {"autoencoder": 0.07}})
    assert figure.count == 60 and {change.name for change in seen} == {"count", "measured"}


GOOD = {
    "counts": [10, 100],
    "errors": {"a": [[0.4, 0.5], [0.2, 0.3]]},
    "samples": np.zeros((3, 4)),
    "reconstructions": {"a": np.zeros((2, 3, 4))},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": [10]}, "counts must be two or more"),
        ({"counts": [100, 10]}, "counts must be two or more, positive and ascending"),
        ({"count": 50}, r"count must be one of \[10, 100\], but is 50"),
        ({"reconstructions": {"b": np.zeros((2, 3, 4))}}, "need the same one to 3 models"),
        ({"errors": {}, "reconstructions": {}}, "need the same one to 3 models"),
        ({"errors": {"a": [0.4, 0.2]}}, "errors of 'a' need 2 dimensions"),
        ({"errors": {"a": [[0.4, 0.5]]}}, "errors of 'a' must be positive"),
        ({"errors": {"a": [[0.4, 0.5], [0.2, -1]]}}, "the least is -1"),
        ({"errors": {"a": [[0.4, 0.5], [0.2, float("nan")]]}}, "hold NaN"),
        ({"samples": np.zeros((3, 5))}, "has 4 pixels, but a sample has 5"),
        ({"samples": np.zeros((0, 4))}, "samples need 2 dimensions"),
        ({"reconstructions": {"a": np.zeros((2, 2, 4))}}, r"must have shape \(2, 3, 4\)"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(changes, message):
    with pytest.raises(ValueError, match=message):
        ScarceData(**{**GOOD, **changes}, image_shape=(2, 2))
