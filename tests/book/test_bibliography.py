"""The list of works: each is cited in the course, once as an entry."""

import re

import nbformat
from conftest import ROOT
from notebook_rules import CITATION

ENTRIES = re.findall(r"^@\w+\{([^,\s]+)", (ROOT / "book" / "references.bib").read_text(), re.M)


def test_every_work_is_cited_in_the_course():
    paths = [*(ROOT / "course").glob("*.ipynb"), ROOT / "book" / "post_checked.ipynb"]
    cells = [cell for path in paths for cell in nbformat.read(path, as_version=4).cells]
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    cited = {
        key.strip() for text in texts for keys in CITATION.findall(text) for key in keys.split(",")
    }
    assert len(ENTRIES) > 40
    assert set(ENTRIES) - cited == set(), "a work that no chapter cites"
    assert len(set(ENTRIES)) == len(ENTRIES)


def test_two_works_do_not_bear_one_label():
    text = (ROOT / "book" / "references.bib").read_text()
    authors = re.findall(r"^ *author *= \{(.*)\},$", text, re.M)
    years = re.findall(r"^ *year *= \{(\w+)\},$", text, re.M)
    assert len(authors) == len(years) == len(ENTRIES)
    # One author, two by name, or the first "et al."
    names = [[one.split(",")[0] for one in each.split(" and ")] for each in authors]
    labels = [
        (*(each if len(each) < 3 else each[:1]), len(each) < 3, year)
        for each, year in zip(names, years, strict=True)
    ]
    assert len(set(labels)) == len(labels)
