"""Where the JavaScript and the style sheets of the widgets lie."""

from pathlib import Path

__all__ = ["ASSETS", "style"]

ASSETS = Path(__file__).parents[1] / "assets"


def style(name: str) -> str:
    """The style sheet of a widget, after what all widgets share."""
    return "\n".join((ASSETS / f"{part}.css").read_text("utf-8") for part in ("theme", name))
