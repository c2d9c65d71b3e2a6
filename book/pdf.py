"""Print the built book into one PDF: `python book/pdf.py [FOLDER [PAGE ...]]`.

FOLDER is book/_build unless it is given. With pages, `germs hub`, the PDF holds these alone and
bears their names.

Chromium prints page after page in the order of the contents. What is folded is opened,
interactive figures stand as they are first drawn, and links between pages become links
within the file.
"""

import io
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urldefrag

import yaml
from playwright.sync_api import Browser, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    Fit,
    FloatObject,
    NameObject,
    NullObject,
    TextStringObject,
)

HERE = Path(__file__).resolve().parent
NAME = "differential-geometry-and-generative-models.pdf"
CHROMIUM = (
    "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome",
)  # fmt: skip

# Formulas are set, and interactive figures have been drawn and have come to rest.
READY = """async () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const image of document.images) image.loading = "eager";
  // Chromium keeps the place of what is linked to within a page, so link to everything.
  for (const target of document.querySelectorAll("article [id]")) {
    const link = document.createElement("a");
    link.href = `#${target.id}`;
    link.hidden = true;
    document.body.append(link);
  }
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  if (window.MathJax?.startup) await MathJax.startup.promise;
  const views = 'script[type="application/vnd.jupyter.widget-view+json"]';
  const drawn = () => [...document.querySelectorAll(views)].every((view) =>
    view.parentElement.querySelector(".widget-subarea > *"));
  const busy = () => document.querySelector('[aria-busy="true"]');
  for (let tries = 0; !drawn() || busy(); tries++) {
    if (tries === 600) throw new Error(`${location}: an interactive figure is not drawn`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}"""

# Of the title and of each section: where it is, and what it says without the link sign.
SECTIONS = """() => [...document.querySelectorAll("article h1, article h2")].map((heading) => [
  heading.closest("section").id,
  [...heading.childNodes].filter((node) => !node.classList?.contains("headerlink"))
    .map((node) => node.textContent).join("").trim(),
])"""


def contents(wanted: Sequence[str] = ()) -> list[str]:
    """The pages of the book in their order, `book/index`, `course/01_…`, …: all, or those wanted.

    A page is wanted by its short name.

    Raises:
        SystemExit: the book has no such page.
    """
    toc = yaml.safe_load((HERE / "_toc.yml").read_text())
    names = [toc["root"], *(one["file"] for part in toc["parts"] for one in part["chapters"])]
    known = [short(name) for name in names]
    if unknown := [name for name in wanted if name not in known]:
        raise SystemExit(f"The book has no page {unknown[0]!r}. It has: {', '.join(known)}")
    return [name for name in names if not wanted or short(name) in wanted]


def short(name: str) -> str:
    """`course/03_germs` is `germs`, `book/api/models` is `api/models`."""
    return re.sub(r"^(course/\d\d_|book/)", "", name)


def print_book(folder: Path, wanted: Sequence[str] = ()) -> Path:
    """The PDF of the book built in `folder`/html, or of some of its pages.

    Raises:
        SystemExit: without a built book, or without Chromium; a page is not in the book.
    """
    html = folder / "html"
    names = contents(wanted)
    if missing := [name for name in names if not (html / f"{name}.html").is_file()]:
        raise SystemExit(f"There is no {missing[0]}.html in {html}. First: make book")
    executable = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if executable is None:
        raise SystemExit("Printing needs Chromium (Debian: apt-get install chromium).")
    name = "-".join(map(short, names)).replace("/", "_") + ".pdf" if wanted else NAME
    target = folder / "pdf" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = PdfWriter()
    places: dict[str, Place] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for name in names:
            _append(writer, places, _print_page(browser, html / f"{name}.html", len(writer.pages)))
        browser.close()
    _link(writer, places)
    writer.add_metadata({"/Title": "Differential Geometry and Generative Models"})
    writer.compress_identical_objects()
    writer.write(target)
    return target


@dataclass
class Printed:
    """A page of the book: its address, its sections as (id, title), its PDF."""

    address: str
    sections: list[tuple[str, str]]
    pdf: bytes


class Place(NamedTuple):
    """Where a link leads: a page of the whole PDF, and the height on it."""

    page: int
    top: float


def _print_page(browser: Browser, path: Path, before: int) -> Printed:
    """One page of the book, numbered after the pages that come before it."""
    page = browser.new_page(
        color_scheme="light", reduced_motion="reduce", viewport={"width": 900, "height": 1200}
    )
    page.goto(path.as_uri(), timeout=120_000)
    page.evaluate(READY)
    page.add_style_tag(
        content=f"""@page {{ size: A4; margin: 16mm 17mm 18mm;
          @bottom-center {{ content: counter(page); font: 13px sans-serif; color: #555; }} }}
        html {{ counter-reset: page {before}; }}"""
    )
    sections = page.evaluate(SECTIONS)
    pdf = page.pdf(scale=0.8, prefer_css_page_size=True, print_background=True)
    page.close()
    return Printed(path.as_uri(), sections, pdf)


def _append(writer: PdfWriter, places: dict[str, Place], printed: Printed) -> None:
    """Add a page's PDF, its bookmarks, and where its links may lead."""
    reader, first = PdfReader(io.BytesIO(printed.pdf)), len(writer.pages)
    top = float(reader.pages[0].mediabox.top)
    places[printed.address] = Place(first, top)
    for name, found in reader.named_destinations.items():
        number = reader.get_destination_page_number(found)
        if number is not None:
            places[f"{printed.address}#{name.removeprefix('/')}"] = Place(first + number, found.top)
    for sheet in reader.pages:  # a link within the page becomes one that names the page
        for link in sheet.get("/Annots", ()):
            _name_target(link.get_object(), printed.address)
    writer.append(reader, import_outline=False)
    parent = None
    for name, title in printed.sections:
        at = places.get(f"{printed.address}#{name}", places[printed.address])
        fit = Fit.xyz(top=at.top)
        item = writer.add_outline_item(title=title, page_number=at.page, parent=parent, fit=fit)
        parent = parent or item


def _name_target(link: DictionaryObject, address: str) -> None:
    if "/Dest" in link:
        name = str(link.pop("/Dest")).removeprefix("/")
        uri = TextStringObject(f"{address}#{name}")
        action = {NameObject("/S"): NameObject("/URI"), NameObject("/URI"): uri}
        link[NameObject("/A")] = DictionaryObject(action)


def _link(writer: PdfWriter, places: dict[str, Place]) -> None:
    """Let links between pages lead to their places in this file, and drop what leads nowhere."""
    for sheet in writer.pages:
        kept = ArrayObject()
        for entry in sheet.get("/Annots", ()):
            link = entry.get_object()
            uri = str(link.get("/A", {}).get("/URI", ""))
            if uri.startswith("file:"):
                at = places.get(uri) or places.get(urldefrag(uri).url)
                if at is None:
                    continue
                del link["/A"]
                page = writer.pages[at.page].indirect_reference
                where = [page, NameObject("/XYZ"), NullObject(), FloatObject(at.top), NullObject()]
                link[NameObject("/Dest")] = ArrayObject(where)
            kept.append(entry)
        sheet[NameObject("/Annots")] = kept


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "_build").resolve()
    print("Ready to print:", print_book(folder, sys.argv[2:]))
