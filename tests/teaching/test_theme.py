"""The widgets' own colours stand out from the page: axe looks at words, not at lines."""

import re

import pytest
from conftest import ROOT

STYLE = (ROOT / "geomlib" / "teaching" / "assets" / "theme.css").read_text()
PAGES = {"light": "#ffffff", "dark": "#121212"}


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(w * s for w, s in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("name", ["blue", "red"])
@pytest.mark.parametrize(("place", "theme"), list(enumerate(PAGES)))
def test_a_colour_stands_out_from_the_page(name, place, theme):
    colour = re.findall(rf"--gw-{name}: (#[0-9a-f]{{6}});", STYLE)[place]
    dark, light = sorted(map(luminance, (colour, PAGES[theme])))
    assert (light + 0.05) / (dark + 0.05) >= 4.5
