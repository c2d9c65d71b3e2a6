"""What axe says of a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# axe would fetch style sheets again, and look for the theme's in the wrong place; and it would
# describe each of the thousands of elements in which it finds nothing.
OPTIONS = {"preload": False, "resultTypes": ["violations"]}


def check_accessible(page: Page, within: str | None = None) -> None:
    """axe finds nothing to blame in a page, or in what a selector names."""
    report = Axe().run(page, context=within, options=OPTIONS)
    assert report.violations_count == 0, report.generate_report()
