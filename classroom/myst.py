"""The MyST of a chapter as the HTML of a slide, which nbconvert alone cannot make.

Boxes (definitions, theorems, exercises, admonitions) become `<aside class="box">`,
a dropdown becomes `<details>`, a citation its authors and year, a formula is left to MathJax.
"""

import functools
import re
from html import escape
from pathlib import Path

from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from pybtex.database import parse_file

REFERENCES = Path(__file__).resolve().parent.parent / "book" / "references.bib"

# What a box is called on a slide; an admonition has its title alone.
BOXES = {
    "prf:definition": "Definition",
    "prf:theorem": "Theorem",
    "prf:proposition": "Proposition",
    "prf:lemma": "Lemma",
    "prf:corollary": "Corollary",
    "prf:example": "Example",
    "prf:remark": "Remark",
    "prf:proof": "Proof",
    "exercise": "Your turn",
    "admonition": "",
    "note": "Note",
    "tip": "Tip",
    "warning": "Warning",
}
DIRECTIVE = re.compile(r"\{([\w:-]+)\}[ ]*(.*)", re.DOTALL)
# A full stop stays on the line of the formula before it.
STUCK = re.compile(r'<span class="math">[^<]*</span>[.,;:!?)]+')
OPTION = re.compile(r"\A:[\w-]+:.*\n?", re.MULTILINE)


def to_html(text: str) -> str:
    """The HTML of a Markdown cell.

    Raises:
        ValueError: for a directive that no slide knows; it is named.

    >>> print(to_html("*See* {cite}`kingma2014`."))
    <p><em>See</em> [Kingma and Welling, 2014].</p>
    """
    return STUCK.sub(r'<span class="nowrap">\g<0></span>', _parser().render(text).strip())


def inline(text: str) -> str:
    """The HTML of a title or a caption, without a paragraph around it."""
    return _parser().renderInline(text)


@functools.cache
def _parser():
    extensions = {"amsmath", "colon_fence", "deflist", "dollarmath", "tasklist"}
    parser = create_md_parser(MdParserConfig(enable_extensions=extensions), RendererHTML)
    for kind in ("fence", "colon_fence"):
        parser.add_render_rule(kind, _fence)
    for kind in ("math_inline", "math_single"):
        parser.add_render_rule(kind, _formula)
    for kind in ("math_block", "math_block_label", "math_inline_double", "amsmath"):
        parser.add_render_rule(kind, _display)
    parser.add_render_rule("myst_role", _role)
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("link_close", _link_close)
    for kind in ("myst_line_comment", "myst_target"):
        parser.add_render_rule(kind, lambda *_: "")
    return parser


def _fence(self, tokens, index, options, env):
    token = tokens[index]
    match = DIRECTIVE.fullmatch(token.info.strip())
    if match is None:
        return f"<pre><code>{escape(token.content)}</code></pre>\n"
    name, title = match[1], inline(match[2])
    body = token.content
    while OPTION.match(body):
        body = OPTION.sub("", body, count=1)
    if name == "index":
        return ""
    if name == "math":
        return f'<div class="math">\\[{escape(body)}\\]</div>\n'
    if name == "dropdown":
        return f"<details><summary>{title}</summary>\n{to_html(body)}\n</details>\n"
    if name not in BOXES:
        raise ValueError(
            f"No slide can show the directive {{{name}}}. Skip its cell, or teach it to "
            "BOXES in classroom/myst.py."
        )
    kind = f'<span class="kind">{BOXES[name]}</span>' if BOXES[name] else ""
    lead = f'<p class="lead">{kind} {title}</p>\n' if kind or title else ""
    style = name.rpartition(":")[2]
    return f'<aside class="box {style}">\n{lead}{to_html(body)}\n</aside>\n'


def _formula(self, tokens, index, options, env):
    return f'<span class="math">\\({escape(tokens[index].content.strip())}\\)</span>'


def _display(self, tokens, index, options, env):
    return f'<div class="math">\\[{escape(tokens[index].content.strip())}\\]</div>\n'


def _role(self, tokens, index, options, env):
    token = tokens[index]
    name, text = token.meta["name"], token.content
    if name.startswith("cite"):
        return f"[{'; '.join(_citation(key.strip()) for key in text.split(','))}]"
    if name == "math":
        return f'<span class="math">\\({escape(text)}\\)</span>'
    title = re.fullmatch(r"(.+?)\s*<.*>", text)  # {doc}`the words <target>`
    return escape(title[1] if title else text)


def _link_open(self, tokens, index, options, env):
    """A link within the course becomes its words: the slides stand alone."""
    address = str(tokens[index].attrs.get("href", ""))
    return f'<a href="{escape(address)}">' if "://" in address else "<em>"


def _link_close(self, tokens, index, options, env):
    depth = 0
    for token in reversed(tokens[:index]):
        depth += {"link_close": -1, "link_open": 1}.get(token.type, 0)
        if depth == 1:
            return "</a>" if "://" in str(token.attrs.get("href", "")) else "</em>"
    return ""


@functools.cache
def _bibliography():
    return parse_file(str(REFERENCES)).entries


def _citation(key: str) -> str:
    entry = _bibliography()[key]
    people = entry.persons["author"]
    names = [" ".join(map(str, one.rich_prelast_names + one.rich_last_names)) for one in people]
    who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return escape(f"{who}, {entry.fields['year']}")
