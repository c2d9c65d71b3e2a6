"""The landing page: a live figure, and the way through the chapters."""

import latent_explorer_page
import pytest
from conftest import DESKTOP, PHONE
from playwright.sync_api import expect

from geomlib.teaching.course_map import COURSE

MOST_BYTES = 3_000_000


def landing(built_book):
    return built_book / "book" / "index.html"


def test_the_page_is_small(built_book):
    assert landing(built_book).stat().st_size < MOST_BYTES


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_at_the_top_answers_from_a_folder(visit, built_book, size):
    page = visit(landing(built_book).as_uri(), size=size)
    figure = page.locator(".lx")
    expect(figure).to_have_count(1)
    latent_explorer_page.check_everything(figure)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_keyboard_walks_the_map_and_sees_what_a_chapter_needs(visit, built_book, scheme):
    page = visit(landing(built_book).as_uri(), scheme=scheme)
    links = page.locator(".cm").get_by_role("link")
    expect(links).to_have_text([chapter.title for chapter in COURSE])
    links.first.focus()
    for chapter in COURSE:
        expect(page.locator(":focus")).to_have_text(chapter.title)
        needs = page.locator(f".cm-{chapter.name}-arc")
        for arc in needs.all():
            expect(arc).to_have_css("stroke-width", "3px")
        marked = page.locator(".cm path").evaluate_all(
            "all => all.filter((path) => getComputedStyle(path).strokeWidth === '3px').length"
        )
        assert marked == needs.count()
        page.keyboard.press("Tab")


@pytest.mark.browser
def test_a_click_on_the_map_opens_the_chapter(visit, built_book):
    page = visit(landing(built_book).as_uri(), size=PHONE)
    page.locator(".cm li").nth(4).click()
    expect(page.locator("article h1")).to_contain_text(COURSE[4].title)
