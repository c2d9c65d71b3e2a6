"""The built pages as a reader's browser sees them."""

import re
import time

import latent_explorer_page
import pytest
import yaml
from accessibility import check_accessible
from conftest import AT_REST, DESKTOP, PHONE, ROOT

pytestmark = pytest.mark.browser

TOC = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
FILES = [entry["file"] for part in TOC["parts"] for entry in part["chapters"]]
CHAPTERS = [name for name in FILES if name.startswith("course/")]
OTHERS = [TOC["root"], *(name for name in FILES if name not in CHAPTERS), "search", "genindex"]

# These are opened in each view anew; the others in one, and then turned into another.
OPENED_IN_ALL = (TOC["root"], "course/07_vae_geodesics")
VIEWS = [(DESKTOP, "light"), (PHONE, "dark"), (DESKTOP, "dark"), (PHONE, "light")]

# The theme lets the keyboard reach what scrolls, a moment after the page has settled.
REACHABLE = """() => [...document.querySelectorAll("pre")].every(
  (block) => block.scrollWidth <= block.clientWidth || block.tabIndex === 0)"""


def check_page(page, name, size, scheme, **how):
    page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0], "wider than the screen"
    page.wait_for_function(REACHABLE)
    if name in [*CHAPTERS, "book/post_checked"]:
        page.wait_for_selector("mjx-container mjx-math")
        assert page.locator("mjx-merror").count() == 0
        text = page.inner_text("article.bd-article")
        assert not re.search(r"\\\(|\\\[|\$\$", text), "a formula is shown as its source"
    check_accessible(page, **how)


@pytest.mark.parametrize(("size", "scheme"), VIEWS)
@pytest.mark.parametrize("name", OPENED_IN_ALL)
def test_a_page_is_whole_and_accessible_in_all_views(visit, book_server, name, size, scheme):
    page = visit(f"{book_server}/{name}.html", size=size, scheme=scheme)
    check_page(page, name, size, scheme)


# The width decides on the layout, the theme on colours, and neither on the structure.
@pytest.mark.parametrize("name", [n for n in [*CHAPTERS, *OTHERS] if n not in OPENED_IN_ALL])
def test_a_page_is_whole_and_accessible(visit, book_server, name):
    page = visit(f"{book_server}/{name}.html")
    check_page(page, name, DESKTOP, "light")
    page.set_viewport_size(dict(zip(("width", "height"), PHONE, strict=True)))
    page.emulate_media(color_scheme="dark")
    check_page(page, name, PHONE, "dark", colours_alone=True)


# Of everything that may scroll sideways: whether it does, and whether it fades at its right edge.
FADES = """() => [...document.querySelectorAll(
  ".bd-article :is(pre, mjx-container[display], .pst-scrollable-table-container, .wide-figure)",
)].filter((node) => node.checkVisibility()).map((node) => [
  node.scrollWidth > node.clientWidth + 1,
  getComputedStyle(node).getPropertyValue("--more-right") !== "0px",
])"""


def test_on_a_phone_what_is_wide_scrolls_and_fades_and_a_figure_opens_alone(visit, book_server):
    page = visit(f"{book_server}/course/05_pullback_metrics.html", size=PHONE)
    found = page.evaluate(FADES)
    assert [True, True] in found and [False, False] in found
    assert all(scrolls == fades for scrolls, fades in found)
    figure = page.locator(".wide-figure").first
    assert (
        figure.locator("img").bounding_box()["width"] > PHONE[0] >= figure.bounding_box()["width"]
    )
    figure.click()
    page.wait_for_url("**/_images/*.png")


def test_a_printed_sentence_goes_on_in_the_next_line(visit, book_server):
    page = visit(f"{book_server}/course/04_tangent_maps.html")
    cut = """() => [...document.querySelectorAll(".cell_output pre")].filter(
      (node) => node.scrollWidth > node.clientWidth + 1).map((node) => node.textContent)"""
    assert page.evaluate(cut) == []


def test_search_finds_a_word_without_a_server(visit, book_server):
    page = visit(f"{book_server}/search.html?q=geodesic")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a").count() >= 2


def test_a_reader_can_choose_the_dark_theme(visit, book_server):
    page = visit(f"{book_server}/{TOC['root']}.html")
    seen = {page.evaluate("document.documentElement.dataset.theme")}
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").first.click()
        seen.add(page.evaluate("document.documentElement.dataset.theme"))
    assert seen == {"light", "dark"}


# The first page, one of formulas, and one of interactive figures.
@pytest.mark.parametrize("name", [TOC["root"], "course/03_germs", "course/07_vae_geodesics"])
def test_a_page_opens_from_a_folder(visit, built_book, name):
    page = visit((built_book / f"{name}.html").as_uri())
    assert page.locator("article h1").count() == 1
    if name in CHAPTERS:
        page.wait_for_selector("mjx-container mjx-math")


def test_a_solution_is_folded_until_it_is_asked_for(visit, book_server):
    page = visit(f"{book_server}/{CHAPTERS[0]}.html")
    folded = page.locator(".tag_solution details").first
    assert folded.get_attribute("open") is None
    folded.locator("summary").click()
    assert folded.get_attribute("open") is not None


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_latent_explorer_answers_without_a_kernel(visit, book_server, size):
    page = visit(f"{book_server}/course/07_vae_geodesics.html", size=size)
    figure = page.locator(".lx").first
    figure.wait_for()
    latent_explorer_page.check_everything(figure)


def test_a_slow_connection_brings_the_figures_all_the_same(visit, book_server):
    """Later than the seven seconds after which the loader would look elsewhere by itself."""
    page = visit(f"{book_server}/{CHAPTERS[0]}.html")
    page.context.route("**/vendor/anywidget.js", lambda route: (time.sleep(9), route.continue_()))
    page.reload(wait_until="load")
    page.wait_for_function(AT_REST)
