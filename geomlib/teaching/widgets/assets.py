"""Where the JavaScript and the style sheets of the widgets lie."""

from pathlib import Path

__all__ = ["ASSETS"]

ASSETS = Path(__file__).parents[1] / "assets"
