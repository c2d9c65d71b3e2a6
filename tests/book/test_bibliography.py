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
