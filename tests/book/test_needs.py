"""The map of the course against the chapters: both name the same chapters as needed."""

import re

import nbformat
import pytest
from conftest import ROOT

from geomlib.teaching.course_map import COURSE

CHAPTERS = {chapter.name: chapter for chapter in COURSE}


def before(name: str) -> set[str]:
    """The chapters that one builds on, and those that these build on."""
    needs = CHAPTERS[name].needs
    return set(needs).union(*map(before, needs))


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_asks_for_what_the_map_shows(name):
    chapter = CHAPTERS[name]
    opening = nbformat.read(ROOT / "course" / f"{chapter.file}.ipynb", as_version=4).cells[0].source
    asked = opening.split("**You need**")[1].split("**Time**")[0]
    linked = set(re.findall(r"\]\(\d\d_(\w+)\.ipynb\)", asked))
    assert set(chapter.needs) <= linked
    assert linked <= before(name) | set(chapter.helps)
