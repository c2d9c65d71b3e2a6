"""What the book changes in Sphinx: formulas and signatures, directives, where scripts come from.

geomlib writes formulas as $...$, as its notebooks do; autodoc expects :math:`...`.
"""

import re
from pathlib import Path

import directives
import vendor
from PIL import Image
from sphinx.util.inspect import signature, stringify_signature
from sphinx_thebe import init_thebe_core

CDN = "https://cdn.jsdelivr.net/npm"

# What NumPy's ArrayLike is made of.
ARRAY_LIKE = re.compile(r"[~\w.]*_Buffer \| .*?_NestedSequence\[complex \| bytes \| str\]")

# An example or a piece of code keeps its dollars; a formula may run over a line end.
PIECE = re.compile(
    r"(?P<code>^[ ]*>>>.*?(?=\n[ ]*\n|\Z)|``.+?``|`[^`\n]*`)"
    r"|^(?P<indent>[ ]*)\$\$(?P<display>.+?)\$\$[ ]*(?P<mark>[.,;]?)[ ]*$"
    r"|(?<![\\$])\$(?P<inline>[^\s$](?:[^$]*?[^\s$\\])?)\$",
    re.MULTILINE | re.DOTALL,
)


def to_rst(text: str) -> str:
    r"""The same docstring with $x$ as :math:`x` and $$x$$ as a math block."""
    pieces, end = [], 0
    for match in PIECE.finditer(text):
        pieces.append(text[end : match.start()])
        end = match.end()
        if match["code"]:
            pieces.append(match["code"])
        elif match["display"]:
            formula = " ".join(match["display"].split()) + match["mark"]
            pieces.append(f"\n{match['indent']}.. math:: {formula}\n")
        else:
            # reStructuredText wants a break between a role and a letter: `$n$th`.
            before = "\\ " if text[: match.start()][-1:].isalnum() else ""
            after = "\\ " if text[end:][:1].isalnum() else ""
            pieces.append(f"{before}:math:`{' '.join(match['inline'].split())}`{after}")
    return "".join([*pieces, text[end:]])


def convert_docstring(app, what, name, obj, options, lines):
    lines[:] = to_rst("\n".join(lines)).split("\n")


def use_cdn_without_npm(app, config):
    if (vendor.VENDOR / "versions.txt").is_file():
        return
    versions = vendor.VERSIONS
    manager = f"@jupyter-widgets/html-manager@{versions['@jupyter-widgets/html-manager']}"
    config.mathjax_path = f"{CDN}/mathjax@{versions['mathjax']}/es5/tex-mml-chtml.js"
    config.nb_ipywidgets_js = {
        f"{CDN}/requirejs@{versions['requirejs']}/require.js": {},
        f"{CDN}/{manager}/dist/embed-amd.js": {"data-jupyter-widgets-cdn": f"{CDN}/"},
    }


def keep_thebe_quiet(app):
    """Jupyter Book always loads sphinx_thebe, which declares its constants twice on each page."""
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if one.handler is not init_thebe_core]


def name_roles_of_references(app, page, template, context, doctree):
    """The list of references is a list of items: the role that docutils writes is outdated."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def link_pages_for_notebooks(app, page, template, context, doctree):
    """What a cell has drawn leads to notebooks, and the book has a page for each."""
    if page.startswith("course/"):
        context["body"] = re.sub(r'href="(\w+)\.ipynb"', r'href="\1.html"', context["body"])


# A formula within a line, and the punctuation after it, which a browser would let go alone.
FORMULA = re.compile(
    r'(<span class="math[^"]*">\\\((?:(?!</span>).)*\\\)</span>)([.,;:?!)\u201d\u2019]+)', re.DOTALL
)


def keep_punctuation_with_its_formula(app, page, template, context, doctree):
    if "body" in context:
        context["body"] = FORMULA.sub(r'<span class="formula">\1\2</span>', context["body"])


# What a cell has drawn. Twice as wide as high, it has several panels.
FIGURE = re.compile(r'<img alt="[^"]*" src="(?P<address>[^"]*_images/(?P<name>\w+\.png))" />')
WIDE = 2


def let_wide_figures_scroll(app, page, template, context, doctree):
    """On a phone; and a touch on one opens it alone, so that it can be enlarged."""
    files = {name: path for path, (_, name) in app.env.images.items()}

    def wrapped(figure: re.Match) -> str:
        path = files.get(figure["name"])
        if path is None:
            return figure[0]
        with Image.open(Path(app.srcdir) / path) as image:
            width, height = image.size
        if width < WIDE * height:
            return figure[0]
        return f'<a class="wide-figure" href="{figure["address"]}">{figure[0]}</a>'

    if "body" in context:
        context["body"] = FIGURE.sub(wrapped, context["body"])


def sign_classes(app, what, name, obj, options, arguments, returns):
    """A class takes what its `__init__` does; autodoc may find one that takes all.

    It reads a widget's `__new__` first, which traitlets wrote, and of a base without an `__init__`
    that of torch's modules.
    """
    if what != "class" or not arguments or not arguments.startswith("(*args"):
        return None
    if not obj.__init__.__module__.startswith("geomlib"):
        return "()", ""
    own = signature(obj.__init__, bound_method=True)
    text = stringify_signature(own, show_return_annotation=False, unqualified_typehints=True)
    return ARRAY_LIKE.sub("ArrayLike", text), ""


def setup(app):
    keep_thebe_quiet(app)
    app.add_directive("course-map", directives.CourseMap)
    app.add_directive("chapter-aims", directives.ChapterAims)
    app.add_directive("stored-figure", directives.StoredFigure)
    app.connect("config-inited", use_cdn_without_npm, priority=1)
    app.connect("autodoc-process-docstring", convert_docstring, priority=900)  # after napoleon
    app.connect("autodoc-process-signature", sign_classes)
    app.connect("html-page-context", name_roles_of_references)
    app.connect("html-page-context", link_pages_for_notebooks)
    app.connect("html-page-context", keep_punctuation_with_its_formula)
    app.connect("html-page-context", let_wide_figures_scroll)
    return {"parallel_read_safe": True}
