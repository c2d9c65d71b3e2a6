"""The scripts and style sheets of the widgets, each after what all of them share."""

from pathlib import Path

__all__ = ["script", "style"]

ASSETS = Path(__file__).parents[1] / "assets"


def script(name: str) -> str:
    """The JavaScript of a widget, with the shared functions before it."""
    return _together("elements.js", f"{name}.js")


def style(name: str) -> str:
    """The style sheet of a widget, after the shared one."""
    return _together("theme.css", f"{name}.css")


def _together(*files: str) -> str:
    return "\n".join((ASSETS / file).read_text("utf-8") for file in files)
