"""What axe says of a page."""

import json

from axe_playwright_python.base import AXE_SCRIPT
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# axe would fetch style sheets again, and look for the theme's in the wrong place; and it would
# describe each of the thousands of elements in which it finds nothing.
OPTIONS = {"preload": False, "resultTypes": ["violations"]}
COLOURS = ["color-contrast", "link-in-text-block"]
OF_COLOURS = OPTIONS | {"runOnly": COLOURS}
ALL_OTHERS = OPTIONS | {"rules": {rule: {"enabled": False} for rule in COLOURS}}

# Contrast depends on the colours, the size and the weight of a text and on what lies behind it,
# a link's also on the text around it and on its line.
# A chapter's code has thousands of words in a dozen such dresses, so axe looks at three words in
# each, and at all that is placed or filled in, whose ground need not be that of its parents.
# The formulas' words for screen readers are never seen. axe asks where every element of the page
# lies, so what holds none of these words and cannot lie behind one is taken out meanwhile; not the
# header, which the theme measures a moment after the window has changed.
DRESSES = """((within) => {
  const seen = new Map(), takenOut = [];
  const says = (node) => [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
  function matters(node, ground, placed) {
    const style = getComputedStyle(node), around = getComputedStyle(node.parentElement);
    placed ||= !["static", "relative"].includes(style.position);
    const { backgroundColor, backgroundImage, opacity, filter } = style;
    const own = `|${backgroundColor} ${backgroundImage} ${opacity} ${filter}`;
    if (own !== "|rgba(0, 0, 0, 0) none 1 none") ground += own;
    const form = node.matches("input, select, textarea, button");
    const visible = form || (says(node) && node.checkVisibility({ visibilityProperty: true }));
    let kept = placed || node.closest("svg, style, link, #pst-header") !== null;
    if (visible && node.closest(within)) {
      const { color, fontSize, fontWeight, textShadow, textDecorationLine } = style;
      const dress = [color, fontSize, fontWeight, textShadow, textDecorationLine, ground,
        around.color].join();
      const count = (seen.get(dress) ?? 0) + 1;
      if (form || placed || count <= 3) node.dataset.contrast = kept = true;
      seen.set(dress, count);
    }
    const spare = [...node.children].filter((child) =>
      child.matches("mjx-assistive-mml") || !matters(child, ground, placed));
    if (spare.length === node.children.length && !kept) return false;
    for (const child of spare) {
      const place = document.createComment("");
      takenOut.push([place, child]);
      child.replaceWith(place);
    }
    return true;
  }
  matters(document.body, "", false);
  axe.configure({ rules: [{ id: "color-contrast", selector: "[data-contrast]" }] });
  window.asItWas = () => {
    for (const [place, node] of takenOut) place.replaceWith(node);
    document.querySelectorAll("[data-contrast]").forEach((node) => delete node.dataset.contrast);
  };
})"""


def check_accessible(page: Page, within: str | None = None, colours_alone: bool = False) -> None:
    """axe finds nothing to blame in a page, or in what a selector names.

    With `colours_alone` in its colours, for a page whose structure has been judged before.
    """
    dresses = f"{AXE_SCRIPT}{DRESSES}({json.dumps(within or 'body')});"
    for script, options in [(AXE_SCRIPT, ALL_OTHERS), (dresses, OF_COLOURS)][colours_alone:]:
        report = Axe(script).run(page, context=within, options=options)
        assert report.violations_count == 0, report.generate_report()
    page.evaluate("asItWas()")
