"""The page on the post: each claim has its verdict, evidence and chapter, and is counted."""

import re
from collections import Counter

import nbformat
import pytest
from conftest import ROOT

# The words of a heading, and those of the table.
VERDICTS = {"holds": "hold", "condition": "with a condition", "loose": "loose", "wrong": "wrong"}
CLAIM = re.compile(r"^### (?P<part>\d)\.(?P<number>\d+) (?P<title>.+): (?P<verdict>\w+)$", re.M)
ROW = re.compile(r"^\| (?P<name>[^|]*\d[^|]*) \| (?P<verdicts>[^|]+) \|$", re.M)
# What needs no cell of its own: the point is a word, a name, or who wrote what.
WORDING = re.compile(r"a matter of (wording|notation|references|direction)|a slip")

CELLS = nbformat.read(ROOT / "book" / "post_checked.ipynb", as_version=4).cells
INTRODUCTION = CELLS[0].source


def claims() -> list[tuple[re.Match, str, bool]]:
    """Each claim with its text and whether a code cell follows it."""
    found = []
    for number, cell in enumerate(CELLS):
        if cell.cell_type == "markdown":
            starts = list(CLAIM.finditer(cell.source))
            ends = [*(start.start() for start in starts), len(cell.source)][1:]
            runs = number + 1 < len(CELLS) and CELLS[number + 1].cell_type == "code"
            found += [
                (start, cell.source[start.end() : end], runs and end == len(cell.source))
                for start, end in zip(starts, ends, strict=True)
            ]
    return found


CLAIMS = [
    pytest.param(text, runs, claim["verdict"], id=f"{claim['part']}.{claim['number']}")
    for claim, text, runs in claims()
]


def test_claims_are_numbered_in_order():
    headings = [line for cell in CELLS for line in re.findall(r"^### .*", cell.source, re.M)]
    assert len(headings) == len(claims()) > 50, "a heading is no claim with a verdict"
    for part in sorted({claim["part"] for claim, _, _ in claims()}):
        numbers = [int(claim["number"]) for claim, _, _ in claims() if claim["part"] == part]
        assert numbers == list(range(1, len(numbers) + 1)), f"part {part}"


@pytest.mark.parametrize(("text", "runs", "verdict"), CLAIMS)
def test_a_claim_is_whole(text, runs, verdict):
    assert verdict in VERDICTS
    labels = re.findall(r"^- \*\*(.+?):\*\*", text, re.M)
    assert labels == ["The post", "Right", "Evidence"]
    post, _, evidence = re.split(r"^- \*\*", text, flags=re.M)[1:]
    assert len(post.split()) < 45, "a short quote, please"
    if runs:
        assert re.search(r"the cells? below", evidence), "the evidence does not name its cell"
    elif verdict != "holds":
        assert WORDING.search(evidence) or re.search(r"\d\.\d", evidence), "no evidence runs"


@pytest.mark.parametrize(("text", "runs", "verdict"), CLAIMS)
def test_a_claim_leads_to_a_chapter(text, runs, verdict):
    links = re.findall(r"\]\(\.\./course/([^)]+)\)", text)
    assert links
    for link in links:
        assert (ROOT / "course" / link).is_file(), link


def test_a_section_that_is_named_exists():
    heading = re.compile(r"^#{2,3} (.+)$", re.M)
    for claim, text, _ in claims():
        for link, sections in re.findall(
            r"\]\(\.\./course/([^)]+)\)((?:, \*[^*]+\*)+)", text.split("**Evidence:**")[1]
        ):
            chapter = nbformat.read(ROOT / "course" / link, as_version=4)
            text_cells = [cell.source for cell in chapter.cells if cell.cell_type == "markdown"]
            headings = set(heading.findall("\n".join(text_cells)))
            for section in re.findall(r"\*([^*]+)\*", sections):
                assert section in headings, f"{claim[0]}: {link} has no section {section!r}"


def test_the_table_counts_the_claims():
    *parts, total = ROW.findall(INTRODUCTION)
    counted = Counter((claim["part"], claim["verdict"]) for claim, _, _ in claims())
    assert len(parts) == len({part for part, _ in counted})
    for name, verdicts in parts:
        assert verdicts == in_words({v: counted[name[0], v] for v in VERDICTS}), name
    assert total[0] == f"All {len(claims())} claims"
    assert total[1] == in_words(Counter(claim["verdict"] for claim, _, _ in claims()))


def in_words(numbers: dict[str, int]) -> str:
    return ", ".join(f"{numbers[v]} {words}" for v, words in VERDICTS.items() if numbers[v])


def test_every_wrong_claim_is_in_the_introduction():
    wrong = {f"{c['part']}.{c['number']}" for c, _, _ in claims() if c["verdict"] == "wrong"}
    assert wrong == set(re.findall(r"\d\.\d+", INTRODUCTION))
