"""Build the slides of chapters: `python classroom/slides.py germs`, or of all without a name.

The chapter says what its lecture shows: the slide type of each cell (in JupyterLab: the
property inspector) opens a slide, continues it (`-`), appears on a key (`fragment`), is for the
lecturer's window (`notes`, key S) or stays out (`skip`). A slide that brings no heading gets
that of its section. A figure stands with its caption and without its code.

The folder of the slides holds all that they load: it can be copied to a stick.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

import nbformat
from jinja2 import pass_context
from nbconvert import SlidesExporter
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "book")]

import myst  # noqa: E402
import vendor  # noqa: E402

READ_ALONE = ("start_here", "atlas_comparison")  # no lecture: every cell is skipped
CHAPTERS = {
    path.stem[3:]: path
    for path in sorted((ROOT / "course").glob("*.ipynb"))
    if path.stem[3:] not in READ_ALONE
}
TYPES = ("slide", "subslide", "fragment", "-", "notes", "skip")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FOR_TOOLS = re.compile(r"[ ]+# (?:fmt: skip|noqa\b.*)$", re.MULTILINE)  # nothing for the audience
SHOWN_ALONE = {"image/png", "text/html", "application/vnd.jupyter.widget-view+json"}


def build(chapters: list[str], folder: Path) -> list[Path]:
    """One deck for each chapter in `folder`, beside the scripts that they share.

    Raises:
        SystemExit: for an unknown chapter, a cell without a slide type, or without npm.
    """
    if unknown := [name for name in chapters if name not in CHAPTERS]:
        raise SystemExit(f"There is no chapter {unknown[0]!r}. There are: {', '.join(CHAPTERS)}")
    if not vendor.bring():
        raise SystemExit("Slides load nothing from elsewhere, so they need npm: install Node.js.")
    shutil.copytree(vendor.VENDOR, folder / "vendor", dirs_exist_ok=True)
    for script in (ROOT / "book/assets/require-config.js", HERE / "deck/slides.css"):
        shutil.copy(script, folder)
    return [_deck(CHAPTERS[name], folder / f"{name}.html") for name in chapters]


def slide_type(cell: NotebookNode) -> str | None:
    """What the cell does in the lecture; None where the chapter does not say."""
    found = cell.metadata.get("slideshow", {}).get("slide_type")
    return found if found in TYPES else None


def check(notebook: NotebookNode, name: str) -> None:
    """Each cell says what it does in the lecture."""
    silent = [
        f"cell {number} ({cell.id})"
        for number, cell in enumerate(notebook.cells)
        if slide_type(cell) is None
    ]
    if not silent:
        return
    if len(silent) == len(notebook.cells):
        raise SystemExit(f"{name} has no slides yet: none of its cells has a slide type.")
    raise SystemExit(
        f"{name}: {', '.join(silent)} without a slide type. Choose one of {', '.join(TYPES)} "
        "(JupyterLab: property inspector, Slide Type)."
    )


class Compose(Preprocessor):
    """The cells as a slide shows them: with a heading, and figures without their code."""

    def preprocess(self, nb, resources):
        cells, heading = [], ""
        for cell in nb.cells:
            kind = slide_type(cell)
            headings = HEADING.findall(cell.source) if cell.cell_type == "markdown" else []
            starts = cell.cell_type == "markdown" and HEADING.match(cell.source)
            if kind in ("slide", "subslide") and not starts:
                title = nbformat.v4.new_markdown_cell(f"## {heading}")
                title.metadata = NotebookNode(slideshow={"slide_type": kind})
                cell.metadata.slideshow.slide_type = "-"
                cells.append(title)
            heading = (headings or [heading])[-1]
            if cell.cell_type == "code":
                self.compose_code(cell)
            cells.append(cell)
        nb.cells = cells
        return nb, resources

    def compose_code(self, cell: NotebookNode) -> None:
        kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
        cell.metadata.transient = {"remove_source": bool(kinds & SHOWN_ALONE)}
        cell.source = FOR_TOOLS.sub("", cell.source)
        caption = cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
        cell.metadata.caption = myst.inline(caption)


class Deck(SlidesExporter):
    """nbconvert's reveal.js slides, with our template, local scripts and MyST."""

    exclude_input_prompt = exclude_output_prompt = True

    def __init__(self, **settings):
        super().__init__(
            extra_template_basedirs=[str(HERE)],
            template_name="deck",
            preprocessors=[Compose],
            **settings,
        )

    @pass_context
    def markdown2html(self, context, source):
        html = myst.to_html(source)
        if slide_type(context["cell"]) == "notes":  # read as text, so as short as in the chapter
            html = re.sub(r"(?<!\\)\\[()]", "$", re.sub(r"(?<!\\)\\[\[\]]", "$$", html))
        return html


def _deck(chapter: Path, target: Path) -> Path:
    notebook = nbformat.read(chapter, as_version=4)
    check(notebook, chapter.name)
    notebook.metadata.title = HEADING.search(notebook.cells[0].source)[1]
    html, _ = Deck().from_notebook_node(notebook)
    target.write_text(html)
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the slides of chapters.")
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help=", ".join(CHAPTERS))
    parser.add_argument("--folder", type=Path, default=HERE / "_build" / "slides")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for deck in build(options.chapters or list(CHAPTERS), options.folder.resolve()):
        print("Ready to show:", deck)
