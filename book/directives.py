"""Directives that read the course, so that a page of the book repeats nothing of it.

`{course-map}` is the picture of what builds on what, `{chapter-aims}` lists what each chapter
promises, and `{stored-figure} course/07_vae_geodesics` shows the interactive figure of a chapter.
"""

import json
import re
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.util.docutils import SphinxDirective

from geomlib.teaching.course_map import COURSE, course_map

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"


def read(directive: SphinxDirective, name: str) -> nbformat.NotebookNode:
    """A notebook of the course; the page is made anew when it changes."""
    path = Path(directive.env.srcdir) / f"{name}.ipynb"
    if not path.is_file():
        raise directive.error(f"there is no notebook {name}.ipynb")
    directive.env.note_dependency(str(path))
    return nbformat.read(path, as_version=4)


class CourseMap(SphinxDirective):
    def run(self):
        def address(chapter):
            builder = self.env.app.builder
            return builder.get_relative_uri(self.env.docname, f"course/{chapter.file}")

        return [nodes.raw("", course_map(address).data, format="html")]


class ChapterAims(SphinxDirective):
    """What each chapter says that a reader will be able to do, and the time that it takes."""

    def run(self):
        lines = []
        for chapter in COURSE:
            opening = read(self, f"course/{chapter.file}").cells[0].source
            aims = re.search(r"^\*\*You will be able to\*\*\s+((?:- .+\n?)+)", opening, re.M)
            time = re.search(r"\*\*Time\*\*: (.+?)\.?$", opening, re.M)
            if not aims or not time:
                raise self.error(f"{chapter.file}: its first cell names no aims, or no time")
            lines += [f"{{doc}}`/course/{chapter.file}` ({time[1]})", ""]
            lines += [*aims[1].strip().split("\n"), ""]
        parent = nodes.container()
        self.state.nested_parse(StringList(lines, self.env.docname), self.content_offset, parent)
        return parent.children


class StoredFigure(SphinxDirective):
    """The first interactive figure of a notebook, alive from the state that is stored there."""

    required_arguments = 1

    def run(self):
        notebook = read(self, self.arguments[0])
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        views = [output.data[VIEW] for output in outputs if VIEW in output.get("data", {})]
        if not views:
            raise self.error(f"{self.arguments[0]} stores no interactive figure")
        for number, (script, options) in enumerate(self.config.nb_ipywidgets_js.items()):
            self._load(f"ipywidgets_{number}", script, options)
        state = json.dumps(_state_of(notebook.metadata.widgets[STATE], views[0]["model_id"]))
        self._load("ipywidgets_state", None, {"type": STATE, "body": state.replace("</", "<\\/")})
        view = f'<script type="{VIEW}">{json.dumps(views[0])}</script>'
        return [nodes.raw("", f'<div class="cell_output">{view}</div>', format="html")]

    def _load(self, key, script, options):
        NbMetadataCollector.add_js_file(self.env, self.env.docname, key, script, options)


def _state_of(stored: dict, model: str) -> dict:
    """The stored state of one model, and of the models that it refers to."""
    wanted, state = [model], {}
    while wanted:
        name = wanted.pop()
        if name not in state:
            state[name] = stored["state"][name]
            wanted += re.findall(r"IPY_MODEL_(\w+)", json.dumps(state[name]["state"]))
    return stored | {"state": state}
