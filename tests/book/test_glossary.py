"""The glossary against the chapters: it is in order, and no definition is missing from it."""

import re

import nbformat
from conftest import ROOT

TEXT = (ROOT / "book" / "glossary.md").read_text()
TERMS = re.findall(r"^(\w.*)\n  \S", TEXT.split("```{glossary}")[1], re.M)


def test_the_words_are_in_order_and_each_is_there_once():
    assert len(TERMS) > 40
    assert sorted(TERMS, key=str.casefold) == TERMS
    assert len(set(TERMS)) == len(TERMS)


def test_it_leads_to_every_definition_of_the_course():
    linked = set(re.findall(r"\{prf:ref\}`[^<`]+<([^>`]+)>`", TEXT))
    for path in sorted((ROOT / "course").glob("*.ipynb")):
        text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        defined = re.findall(r"^`{3,}\{prf:definition\}.*\n:label: (\S+)", text, re.M)
        assert set(defined) <= linked, f"{path.stem}: the glossary leaves out a definition"
