"""What a reader downloads stays small: the whole book, a page with its pictures, a notebook."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

MEGABYTE = 1_000_000
BOOK, PAGE, NOTEBOOK = 60 * MEGABYTE, 3 * MEGABYTE, 3 * MEGABYTE

NOTEBOOKS = [*sorted((ROOT / "course").glob("*.ipynb")), ROOT / "book" / "post_checked.ipynb"]


def weight(page: Path) -> int:
    """Bytes of a page and of the pictures that it shows; the scripts are the same on all pages."""
    article = BeautifulSoup(page.read_text(), "html.parser").select("article img[src]")
    links = {urlsplit(image["src"]) for image in article}
    pictures = {(page.parent / unquote(link.path)).resolve() for link in links if not link.scheme}
    return sum(path.stat().st_size for path in {page, *pictures})


def test_the_book(built_book):
    size = sum(path.stat().st_size for path in built_book.rglob("*") if path.is_file())
    assert size < BOOK, f"the book has {size / MEGABYTE:.1f} MB"


def test_every_page_with_its_pictures(built_book):
    pages = [path for path in built_book.rglob("*.html") if "_static" not in path.parts]
    weights = {path.name: weight(path) for path in pages}
    assert max(weights.values()) > MEGABYTE, "no page has pictures"
    assert {name: size for name, size in weights.items() if size >= PAGE} == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook(path):
    assert path.stat().st_size < NOTEBOOK
