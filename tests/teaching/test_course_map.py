"""The map of the course against the chapters, and its arcs against what it says."""

import re

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import ROOT

from geomlib.teaching import course_map
from geomlib.teaching.course_map import COURSE

NAMES = [chapter.name for chapter in COURSE]


def test_the_map_has_every_chapter_in_the_order_of_the_contents():
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    files = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    chapters = [name.removeprefix("course/") for name in files if name.startswith("course/")]
    assert ["00_start_here", *(chapter.file for chapter in COURSE)] == chapters


@pytest.mark.parametrize("chapter", COURSE, ids=NAMES)
def test_a_chapter_has_its_title_and_builds_on_earlier_ones(chapter):
    opening = nbformat.read(ROOT / "course" / f"{chapter.file}.ipynb", as_version=4).cells[0].source
    assert opening.startswith(f"# {chapter.title}\n")
    assert chapter.question.endswith("?")
    earlier = NAMES[: NAMES.index(chapter.name)]
    assert set(chapter.needs + chapter.helps) <= set(earlier)
    assert not set(chapter.needs) & set(chapter.helps)


def test_a_row_is_a_link_and_says_what_the_arcs_show():
    page = BeautifulSoup(course_map(lambda chapter: f"{chapter.name}.html").data, "html.parser")
    titles = {chapter.name: chapter.title for chapter in COURSE}
    for chapter, row in zip(COURSE, page.select("li"), strict=True):
        assert row.a["href"] == f"{chapter.name}.html" and row.a.text == chapter.title
        spoken = row.select_one(".cm-ear").text
        assert all(titles[name] in spoken for name in chapter.needs)
        for kind, names in (("needs", chapter.needs), ("helps", chapter.helps)):
            assert len(page.select(f".cm-{kind}.cm-{chapter.name}-arc")) == len(names)


def test_an_arc_joins_the_two_rows():
    page = BeautifulSoup(course_map().data, "html.parser")
    (arc,) = page.select(".cm-geodesics-arc")
    numbers = [float(number) for number in re.findall(r"[\d.]+", arc["d"])]
    assert numbers[1] == NAMES.index("pullback_metrics") + 0.5
    assert numbers[-1] == NAMES.index("geodesics") + 0.5
