"""The slides of every chapter, opened one by one as the audience sees them."""

import doctest
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, served


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "classroom" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHAPTERS = load("slides").CHAPTERS
SCREEN = (1280, 720)
FEWEST, MOST = 20, 28  # of a lecture of 45 minutes

# Of each slide: its heading, its words, and what is not inside its frame. What a formula is
# made of may stick out of its own box by a hair, so the box alone counts.
READ_SLIDES = """() => slides.map((slide) => {
  const frame = slide.getBoundingClientRect();
  const margin = 12;
  const seen = [...slide.querySelectorAll("*")].filter((element) => {
    if (element.closest("aside.notes, details > :not(summary), mjx-container *")) return false;
    return !element.closest("svg *") && element.getClientRects().length;
  });
  const outside = seen.filter((element) => {
    const box = element.getBoundingClientRect();
    const wide = element.matches("pre, table") && element.scrollWidth > element.clientWidth + 1;
    return wide || box.right > frame.left + 1280 - margin || box.bottom > frame.top + 720 - margin;
  });
  return {
    heading: slide.querySelector("h1, h2, h3")?.innerText ?? "",
    words: seen.filter((element) => !element.closest("pre")).map((element) =>
      [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data)
    ).flat().join(" "),
    outside: outside.map((element) => `${element.tagName}.${element.className}`).slice(0, 3),
  };
})"""


@pytest.fixture(scope="module")
def program():
    return load("slides")


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "classroom" / "slides.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def decks(tmp_path_factory) -> Path:
    """The folder of the slides of all chapters."""
    if shutil.which("npm") is None:
        pytest.skip("slides need npm: install Node.js")
    folder = tmp_path_factory.mktemp("slides")
    made = run("--folder", str(folder))
    assert made.returncode == 0, made.stderr
    assert all(str(folder / f"{name}.html") in made.stdout for name in CHAPTERS)
    return folder


def deck(decks: Path, name: str) -> str:
    return (decks / f"{name}.html").as_uri()


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_slide_fits_and_says_what_it_is_about(decks, visit, name):
    page = visit(deck(decks, name), size=SCREEN)
    page.wait_for_function("MathJax.startup.promise.then(() => true)")
    for _ in range(40):  # an interactive figure may still be growing into its place
        found = page.evaluate(READ_SLIDES)
        if not any(slide["outside"] for slide in found):
            break
        page.wait_for_timeout(250)
    assert FEWEST <= len(found) <= MOST
    for number, slide in enumerate(found, 1):
        assert slide["heading"], f"slide {number} has no heading"
        where = f"slide {number} ({slide['heading']})"
        assert not slide["outside"], f"{where} is too full: {slide['outside']}"
        raw = re.search(r":::|```|\{[a-z:-]+\}`|\$\$|\$\w", slide["words"])
        assert not raw, f"{where} shows {raw and raw[0]!r}"
    assert page.locator("mjx-merror").count() == 0, "a formula is wrong"
    assert page.locator("mjx-container").count() > 20
    figures = page.locator(".slides .jupyter-widgets")
    assert figures.count() >= 1, "the interactive figure is missing"


@pytest.mark.parametrize("name", CHAPTERS)
def test_no_slide_and_no_note_gives_a_solution_away(decks, name):
    notebook = nbformat.read(CHAPTERS[name], as_version=4)
    solutions = [cell for cell in notebook.cells if "solution" in cell.metadata.get("tags", [])]
    assert solutions
    text = (decks / f"{name}.html").read_text()
    for cell in notebook.cells:
        shown = f"cell-id={cell.id}" in text
        assert not (shown and cell in solutions), f"the solution in cell {cell.id} is shown"
    assert "Your turn" in text


@pytest.mark.parametrize("path", CHAPTERS.values(), ids=CHAPTERS)
def test_every_cell_says_what_it_does_in_the_lecture(program, path):
    notebook = nbformat.read(path, as_version=4)
    silent = [
        f"cell {n} ({c.id})" for n, c in enumerate(notebook.cells) if not program.slide_type(c)
    ]
    assert not silent, f"{path.name}: no slide type in {', '.join(silent)}"


def test_a_chapter_or_a_cell_without_slide_types_is_named(program):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# A", id="one"), nbformat.v4.new_code_cell(id="two")]
    )
    with pytest.raises(SystemExit, match=r"99_new\.ipynb has no slides yet"):
        program.check(notebook, "99_new.ipynb")
    notebook.cells[0].metadata.slideshow = {"slide_type": "slide"}
    with pytest.raises(SystemExit, match=r"99_new\.ipynb: cell 1 \(two\)"):
        program.check(notebook, "99_new.ipynb")
    notebook.cells[1].metadata.slideshow = {"slide_type": "skipp"}
    with pytest.raises(SystemExit, match=r"cell 1 \(two\)"):
        program.check(notebook, "99_new.ipynb")
    notebook.cells[1].metadata.slideshow = {"slide_type": "skip"}
    program.check(notebook, "99_new.ipynb")


def test_what_is_written_for_tools_is_not_shown(program):
    cell = nbformat.v4.new_code_cell("x = [1,  2]  # fmt: skip\ny = 1  # one\nl = 2  # noqa: E741")
    program.Compose().compose_code(cell)
    assert cell.source == "x = [1,  2]\ny = 1  # one\nl = 2"


def test_an_unknown_chapter_is_named():
    said = run("germ")
    assert said.returncode == 1
    assert "no chapter 'germ'" in said.stderr and "germs" in said.stderr


def test_keys_lead_through_the_lecture_and_belong_to_a_figure_that_has_the_focus(decks, visit):
    with served(decks) as address:
        page = visit(f"{address}/vae_geodesics.html", size=SCREEN)
        page.wait_for_selector(".slides .gw-handle", state="attached")
        current = "slides.indexOf(Reveal.getCurrentSlide())"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        assert page.evaluate(current) == 2
        page.evaluate(
            """() => {
              const slide = slides.findIndex((each) => each.querySelector(".gw-handle"));
              Reveal.slide(slide);
            }"""
        )
        before = page.evaluate(current)
        handle = page.locator(".slides .present .gw-handle").first
        start = handle.bounding_box()
        handle.focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate(current) == before
        moved = """(before) => before <
          document.querySelector(".slides .present .gw-handle").getBoundingClientRect().x"""
        page.wait_for_function(moved, arg=start["x"])


def test_the_window_of_the_lecturer_shows_what_the_chapter_says(decks, visit):
    page = visit(deck(decks, "germs"), size=SCREEN)
    number = page.evaluate("slides.findIndex((each) => each.querySelector('aside.notes'))")
    page.evaluate(f"Reveal.slide({number})")
    said = page.evaluate("Reveal.getCurrentSlide().querySelector('aside.notes p').textContent")
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    notes = opened.value.locator(".speaker-controls-notes .value")
    notes.locator("p").first.wait_for()
    assert said in notes.text_content()


def test_a_figure_that_was_made_to_fit_follows_the_pointer(decks, visit):
    page = visit(deck(decks, "vae_geodesics"), size=SCREEN)
    page.wait_for_selector(".slides .gw-handle", state="attached")
    page.evaluate("Reveal.slide(slides.findIndex((each) => each.querySelector('.gw-handle')))")
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.jupyter-widgets')).zoom < 1"
    )
    handle = page.locator(".slides .present .gw-handle").first
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=4)
    page.mouse.up()
    box = handle.bounding_box()
    moved = box["x"] + box["width"] / 2 - x, box["y"] + box["height"] / 2 - y
    assert moved == pytest.approx((60, 30), abs=3)


def test_the_words_of_a_cell_become_html():
    myst = load("myst")
    assert doctest.testmod(myst).failed == 0
    box = myst.to_html("```{prf:theorem} Of $x$\n:label: thm\n\nLet **a** be.\n```")
    assert "Theorem" in box and r"\(x\)" in box and "<strong>a</strong>" in box
    assert "thm" not in box
    assert myst.to_html(":::{dropdown} Why?\nSo.\n:::").startswith("<details><summary>Why?")
    assert "<em>charts</em>" in myst.to_html("See [charts](02_charts.ipynb).")
    assert 'href="https://example.org"' in myst.to_html("See [it](https://example.org).")
    assert "[Shao et al., 2018; Rygaard" in myst.to_html("{cite}`shao2018,rygaard2025`")
    with pytest.raises(ValueError, match=r"\{figure\}"):
        myst.to_html("```{figure} picture.png\n```")
