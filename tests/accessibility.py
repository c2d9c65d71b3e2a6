"""What axe says of a page."""

import json

from axe_playwright_python.base import AXE_SCRIPT
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# axe would fetch style sheets again, and look for the theme's in the wrong place; and it would
# describe each of the thousands of elements in which it finds nothing.
OPTIONS = {"preload": False, "resultTypes": ["violations"]}

# Contrast depends on the colours, the size and the weight of a text and on what lies behind it.
# A chapter's code has thousands of words in a dozen such dresses, so axe looks at three words in
# each, and at all that is placed or filled in, whose ground need not be that of its parents.
# The formulas' words for screen readers are never seen.
DRESSES = """((within) => {
  const seen = new Map();
  const says = (node) => [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
  (function mark(node, ground, placed) {
    if (node.matches("mjx-assistive-mml")) return;
    const style = getComputedStyle(node);
    placed ||= !["static", "relative"].includes(style.position);
    const { backgroundColor, backgroundImage, opacity, filter } = style;
    const own = `|${backgroundColor} ${backgroundImage} ${opacity} ${filter}`;
    if (own !== "|rgba(0, 0, 0, 0) none 1 none") ground += own;
    const form = node.matches("input, select, textarea, button");
    const visible = form || (says(node) && node.checkVisibility({ visibilityProperty: true }));
    if (visible && node.closest(within)) {
      const { color, fontSize, fontWeight, textShadow } = style;
      const dress = [color, fontSize, fontWeight, textShadow, ground].join();
      const count = (seen.get(dress) ?? 0) + 1;
      if (form || placed || count <= 3) node.dataset.contrast = "";
      seen.set(dress, count);
    }
    for (const child of node.children) mark(child, ground, placed);
  })(document.body, "", false);
  axe.configure({ rules: [{ id: "color-contrast", selector: "[data-contrast]" }] });
})"""


def check_accessible(page: Page, within: str | None = None) -> None:
    """axe finds nothing to blame in a page, or in what a selector names."""
    script = f"{AXE_SCRIPT}{DRESSES}({json.dumps(within or 'body')});"
    report = Axe(script).run(page, context=within, options=OPTIONS)
    assert report.violations_count == 0, report.generate_report()
