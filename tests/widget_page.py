"""A page that shows widgets as the book does: stored widget state, and no kernel."""

import json
import shutil
import subprocess
import sys

import pytest
from accessibility import check_accessible
from conftest import DESKTOP, ROOT
from ipywidgets.embed import dependency_state, embed_data
from playwright.sync_api import Locator, Page, expect

DARK = """:root { --pst-color-text-base: #ced6dd; --pst-color-text-muted: #9ca4af;
  --pst-color-background: #121212; --pst-color-border: #48566b }
  body { background: #121212; color: #ced6dd }"""

NARROW = (380, 800)
in_every_look = pytest.mark.parametrize(
    ("size", "theme"),
    [(size, theme) for size in (DESKTOP, NARROW) for theme in ("light", "dark")],
    ids=["desktop-light", "desktop-dark", "phone-light", "phone-dark"],
)


def embed(site, name: str, widgets: list, theme: str = "light") -> str:
    """The address of a page with these widgets, in the folder that `widget_site` serves."""
    folder, address = site
    if not (folder / "vendor").exists():
        subprocess.run([sys.executable, "book/vendor.py"], cwd=ROOT, check=True)
        if not (ROOT / "book" / "assets" / "vendor").exists():
            pytest.skip("the widget manager comes from npm, and there is no npm here")
        shutil.copytree(ROOT / "book" / "assets" / "vendor", folder / "vendor")
        shutil.copy(ROOT / "book" / "assets" / "require-config.js", folder)
    data = stored(widgets)
    views = "".join(
        f'<div><script type="application/vnd.jupyter.widget-view+json">{json.dumps(view)}</script>'
        "</div>"
        for view in data["view_specs"]
    )
    (folder / f"{name}.html").write_text(
        f"""<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8">
        <meta name="viewport" content="width=device-width"><title>Widgets</title>
        <link rel="icon" href="data:,"><style>{DARK if theme == "dark" else ""}</style>
        <script src="vendor/require.js"></script><script src="require-config.js"></script>
        <script src="vendor/html-manager/embed-amd.js"></script>
        <main><h1>Widgets</h1>{views}</main>
        <script type="application/vnd.jupyter.widget-state+json">
        {json.dumps(data["manager_state"])}</script></html>"""
    )
    return f"{address}/{name}.html"


def stored(widgets: list) -> dict:
    """Views, and the state of these widgets alone, as a notebook stores them."""
    return embed_data(views=widgets, state=dependency_state(widgets, drop_defaults=False))


def imported(visit, site, name: str) -> Page:
    """A blank page on which the script of a widget is the global `widget`, for its functions."""
    page = visit(f"{site[1]}/blank.html")
    page.evaluate(f"async () => {{ window.widget = await import('/{name}.js'); }}")
    return page


def check_look(visit, site, widget, selector: str, said: str, size, theme: str) -> None:
    """A widget fits the page, and axe finds nothing in it; the bare frame is not judged."""
    page = visit(embed(site, f"look-{theme}", [widget], theme), size=size, scheme=theme)
    expect(readout(page.locator(selector))).to_contain_text(said)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    check_accessible(page, within=selector)


def readout(figure: Locator) -> Locator:
    return figure.locator(".gw-readout")


def slider(figure: Locator, name: str) -> Locator:
    """A slider, or a handle that says it is one."""
    return figure.get_by_role("slider", name=name)


def drag(figure: Locator, name: str, share: tuple[float, float]) -> None:
    """Drag a handle to a place in the first panel, in shares of its sides."""
    box = figure.locator(".gw-area").first.bounding_box()
    start = slider(figure, name).bounding_box()
    mouse = figure.page.mouse
    mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"], steps=6)
    mouse.up()
