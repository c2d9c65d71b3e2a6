"""What the latent explorer does on every page that shows it: a bare one, the book, the lab.

Each function takes the explorer as a Playwright locator, e.g. `page.locator(".lx").first`.
"""

import re

from playwright.sync_api import Locator, expect

READOUT = re.compile(r"straight line L = ([\d.]+), geodesic L = ([\d.]+) \((.+) shorter\)")


def check_everything(explorer: Locator) -> None:
    """It draws, follows mouse, keyboard, click and metric, and its geodesic is never longer."""
    is_drawn(explorer)
    follows_the_mouse(explorer)
    follows_the_keyboard(explorer)
    follows_a_click(explorer)
    follows_the_metric(explorer)


def is_drawn(explorer: Locator) -> None:
    explorer.scroll_into_view_if_needed()
    lengths_at_rest(explorer)
    expect(explorer.get_by_role("slider", name="Point A")).to_be_visible()
    expect(explorer.get_by_role("slider", name="Point B")).to_be_visible()
    for strip in strips(explorer):
        assert inked(strip), "an empty strip of images"


def follows_the_mouse(explorer: Locator, name: str = "A", share: tuple = (0.3, 0.35)) -> None:
    """Drags a point to a place on the map, given as shares of its width and height."""
    page = explorer.page
    before = state(explorer)
    box = explorer.locator(".lx-map").bounding_box()
    start = point(explorer, name).bounding_box()
    target = (box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"])
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(*target, steps=8)
    page.mouse.up()
    has_moved(explorer, before)
    end = point(explorer, name).bounding_box()
    assert abs(end["x"] + end["width"] / 2 - target[0]) < 2
    assert abs(end["y"] + end["height"] / 2 - target[1]) < 2


def follows_the_keyboard(explorer: Locator, name: str = "B") -> None:
    before = state(explorer)
    value = float(point(explorer, name).get_attribute("aria-valuenow"))
    point(explorer, name).focus()
    # towards the middle, so that the edge of the map does not stop it
    low, high = (
        float(point(explorer, name).get_attribute(f"aria-value{end}")) for end in ("min", "max")
    )
    left = value > (low + high) / 2
    key = "ArrowLeft" if left else "ArrowRight"
    for stroke in [key, key, f"Shift+{key}"]:
        explorer.page.keyboard.press(stroke)
    has_moved(explorer, before)
    moved = float(point(explorer, name).get_attribute("aria-valuenow")) - value
    wanted = 0.07 * (high - low) * (-1 if left else 1)
    assert abs(moved - wanted) < 0.021, (moved, wanted)
    expect(point(explorer, name)).to_be_focused()


def follows_a_click(explorer: Locator) -> None:
    before = state(explorer)
    box = explorer.locator(".lx-map").bounding_box()
    explorer.locator(".lx-map").click(position={"x": 0.75 * box["width"], "y": 0.6 * box["height"]})
    has_moved(explorer, before)


def follows_the_metric(explorer: Locator) -> None:
    before = state(explorer)
    map_before = picture(explorer.locator(".lx-canvas"))
    explorer.get_by_role("radio", name="metric of the mean").check()
    expect(explorer.locator(".lx-readout")).not_to_have_text(before["readout"])
    mean = lengths_at_rest(explorer)
    assert picture(explorer.locator(".lx-canvas")) != map_before, "the map shows another metric"
    # J_μᵀJ_μ measures no curve longer than J_μᵀJ_μ + J_σᵀJ_σ does.
    assert mean[0] <= float(READOUT.search(before["readout"])[1]) + 0.01
    explorer.get_by_role("radio", name="expected metric").check()
    expect(explorer.locator(".lx-readout")).to_have_text(before["readout"])
    lengths_at_rest(explorer)


def has_moved(explorer: Locator, before: dict) -> None:
    """Readout, curves and strips are others than before, and the readout is sound."""
    expect(explorer.locator(".lx-readout")).not_to_have_text(before["readout"])
    lengths_at_rest(explorer)
    after = state(explorer)
    for part in before:
        assert after[part] != before[part], f"{part} did not change"


def lengths_at_rest(explorer: Locator) -> tuple[float, float]:
    """Straight and geodesic length once the curve is relaxed to the end."""
    expect(explorer).to_have_attribute("aria-busy", "false", timeout=20_000)
    text = explorer.locator(".lx-readout").inner_text()
    match = READOUT.fullmatch(text)
    assert match, f"no readout: {text!r}"
    straight, geodesic = float(match[1]), float(match[2])
    assert 0 < geodesic <= straight
    return straight, geodesic


def state(explorer: Locator) -> dict[str, str]:
    lengths_at_rest(explorer)
    straight, geodesic = strips(explorer)
    return {
        "readout": explorer.locator(".lx-readout").inner_text(),
        "straight line": explorer.locator(".lx-line.lx-straight").get_attribute("d"),
        "geodesic": explorer.locator(".lx-line.lx-geodesic").get_attribute("d"),
        "straight strip": picture(straight),
        "geodesic strip": picture(geodesic),
    }


def point(explorer: Locator, name: str) -> Locator:
    return explorer.get_by_role("slider", name=f"Point {name}")


def strips(explorer: Locator) -> tuple[Locator, Locator]:
    return (
        explorer.locator(".lx-strip-straight canvas"),
        explorer.locator(".lx-strip-geodesic canvas"),
    )


def picture(canvas: Locator) -> str:
    return canvas.evaluate("canvas => canvas.toDataURL()")


def inked(canvas: Locator) -> bool:
    return canvas.evaluate(
        """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
            .data.some((value, i) => i % 4 === 3 && value > 100)"""
    )
