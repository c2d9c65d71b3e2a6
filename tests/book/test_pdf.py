"""The book as a PDF. All of it takes minutes to print, so here are a page of each kind."""

import re
import shutil
import subprocess
import sys
import unicodedata

import pypdfium2
import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import CHROMIUM_NAMES, ROOT
from pypdf import PdfReader

pytestmark = pytest.mark.browser

# In the order of the book.
PAGES = {
    "index": "book/index",
    "three_kinds_of_models": "course/01_three_kinds_of_models",
    "pullback_metrics": "course/05_pullback_metrics",
    "vae_geodesics": "course/07_vae_geodesics",
    "api/symbolic": "book/api/symbolic",
    "glossary": "book/glossary",
}


def run(folder, *pages: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "book/pdf.py", str(folder), *pages]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def path(built_book):
    if not any(map(shutil.which, CHROMIUM_NAMES)):
        pytest.skip("no browser here: install Chromium (Debian: apt-get install chromium)")
    made = run(built_book.parent, *reversed(PAGES))
    assert made.returncode == 0, made.stderr
    (path,) = (built_book.parent / "pdf").glob("*.pdf")
    assert path.stem == "-".join(PAGES).replace("/", "_")
    assert str(path) in made.stdout
    return path


@pytest.fixture(scope="module")
def pdf(path) -> PdfReader:
    return PdfReader(path)


@pytest.fixture(scope="module")
def texts(path) -> list[str]:
    # Normalised: a ligature is a letter of its own in the PDF.
    with pypdfium2.PdfDocument(path) as pdf:
        pages = [page.get_textpage().get_text_range() for page in pdf]
    return [unicodedata.normalize("NFKC", page) for page in pages]


def bookmarks(pdf) -> dict[str, int]:
    """The pages of the book, and where each begins."""
    tops = [entry for entry in pdf.outline if not isinstance(entry, list)]
    return {entry.title: pdf.get_destination_page_number(entry) for entry in tops}


def titles(built_book) -> list[str]:
    found = []
    for name in PAGES.values():
        page = BeautifulSoup((built_book / f"{name}.html").read_text(), "html.parser")
        heading = page.select_one("article h1")
        heading.select_one("a.headerlink").decompose()
        found.append(heading.get_text().strip())
    return found


def test_the_file_can_be_sent_and_printed(path, pdf):
    assert path.stat().st_size < 2_000_000 * len(PAGES)
    assert 30 * len(PAGES) > len(pdf.pages) > 8 * len(PAGES)
    box = pdf.pages[0].mediabox
    assert (round(box.width), round(box.height)) == (595, 842), "not A4"


def test_every_page_of_the_book_has_its_bookmark_in_order(pdf, texts, built_book):
    found = bookmarks(pdf)
    assert list(found) == titles(built_book)
    assert list(found.values()) == sorted(set(found.values()))
    for title, number in found.items():
        start = " ".join(texts[number].split()[:30])
        assert title in start, f"{title!r} does not begin on page {number + 1}: {start}"


def test_a_chapter_has_bookmarks_of_its_sections(pdf):
    chapters = [entry for entry in pdf.outline if isinstance(entry, list)]
    assert len(chapters) >= len([name for name in PAGES.values() if name.startswith("course/")])
    sections = [entry for chapter in chapters for entry in chapter]
    assert {"Exercises", "Summary", "The post, checked"} <= {entry.title for entry in sections}
    numbers = [pdf.get_destination_page_number(entry) for entry in chapters[1]]
    assert numbers == sorted(numbers) and len(set(numbers)) > 2


def test_pages_are_numbered_through_the_whole_file(texts):
    for number, text in enumerate(texts, 1):
        assert text.split()[0] == str(number), f"page {number} does not bear its number"


def test_formulas_are_set_and_nothing_is_folded(texts):
    text = "\n".join(texts)
    assert "$$" not in text and not re.search(r"\\(?:frac|begin|mathbb|label)\b", text)
    assert not re.search(r"^(?:Show|Hide) code cell", text, re.MULTILINE)
    assert "Draw codes uniformly" in " ".join(text.split())
    answer = "The second row of images comes from the same decoder"  # inside a dropdown
    assert answer in " ".join(text.split())


def test_links_lead_within_the_file_and_to_no_folder_of_this_machine(path, pdf):
    inside, chapters = 0, set(bookmarks(pdf).values())
    targets = set()
    for page in pdf.pages:
        for entry in page.get("/Annots", ()):
            link = entry.get_object()
            address = str(link.get("/A", {}).get("/URI", ""))
            assert not address.startswith("file:"), address
            if "/Dest" in link:
                inside += 1
                targets.add(pdf.get_page_number(link["/Dest"][0].get_object()))
            else:
                assert address.startswith("http"), link
    assert inside > 50
    assert chapters & targets and targets - chapters, "links lead to chapters and into them"
    assert b"file:" not in path.read_bytes()


def test_without_a_choice_every_page_is_printed(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book")
    from pdf import contents, short

    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    files = [toc["root"], *(entry["file"] for part in toc["parts"] for entry in part["chapters"])]
    assert contents() == files
    assert len({short(name) for name in files}) == len(files)


def test_an_unknown_page_is_named(tmp_path):
    said = run(tmp_path, "germ")
    assert said.returncode == 1 and "no page 'germ'" in said.stderr and "germs" in said.stderr


def test_a_book_that_is_not_built_is_missed(tmp_path):
    said = run(tmp_path)
    assert said.returncode == 1 and "make book" in said.stderr
