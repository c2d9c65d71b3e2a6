"""The first cell of a notebook: it installs the library on Colab, and nothing elsewhere."""

import ast
import re
import shlex
import sys
import tomllib
from types import ModuleType

import nbformat
import pytest
import yaml
from conftest import ROOT
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NOTEBOOKS = [*sorted((ROOT / "course").glob("*.ipynb")), *sorted((ROOT / "book").glob("*.ipynb"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPOSITORY = yaml.safe_load((ROOT / "book" / "_config.yml").read_text())["repository"]["url"]
SOURCE = nbformat.read(NOTEBOOKS[0], as_version=4).cells[1].source

# The package that brings a module, where their names differ.
PACKAGES = {"sklearn": "scikit-learn", "cycler": "matplotlib"}
# What every Jupyter has, that of Colab too.
JUPYTER = {"IPython", "ipywidgets", "traitlets"}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_it_comes_before_all_other_code_and_stays_out_of_sight(notebook):
    first, *others = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert first.source == SOURCE, "the first code cell is that of the other notebooks"
    assert set(first.metadata.tags) == {"colab", "remove-cell"}
    assert first.metadata.jupyter.source_hidden
    assert first.execution_count is None and not first.outputs
    assert not [cell for cell in others if "colab" in cell.metadata.get("tags", [])]


def test_a_chapter_imports_what_it_installs_and_no_more(notebook):
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["chapters"]]
    brought = {canonicalize_name(Requirement(each).name) for each in wanted}
    modules = set().union(
        *(imported(cell.source) for cell in notebook.cells if cell.cell_type == "code")
    )
    outside = modules - sys.stdlib_module_names - JUPYTER - {PROJECT["name"]}
    assert {canonicalize_name(PACKAGES.get(name, name)) for name in outside} <= brought


def test_the_library_imports_what_it_installs_and_no_more():
    test_a_chapter_imports_what_it_installs_and_no_more(
        nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_code_cell(path.read_text())
                for path in (ROOT / "geomlib").rglob("*.py")
            ]
        )
    )


def imported(source: str) -> set[str]:
    """The top-level names of the modules that a cell imports."""
    names = set()
    for node in ast.walk(ast.parse(TransformerManager().transform_cell(source))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


class Shell:
    """Stands in for IPython, and remembers the magics that it is asked for."""

    def __init__(self):
        self.asked = []

    def run_line_magic(self, name: str, line: str) -> None:
        self.asked.append((name, line))

    def run(self) -> list[tuple[str, str]]:
        exec(TransformerManager().transform_cell(SOURCE), {"get_ipython": lambda: self})
        return self.asked


def test_it_does_nothing_elsewhere(monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    assert Shell().run() == []


def test_it_installs_this_library_on_colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    ((magic, line),) = Shell().run()
    command, *_, text = shlex.split(line)
    requirement = Requirement(text)
    assert (magic, command) == ("pip", "install")
    assert requirement.name == PROJECT["name"]
    assert requirement.extras == {"chapters"} <= set(PROJECT["optional-dependencies"])
    assert requirement.url == f"git+{REPOSITORY}"


def test_no_chapter_reads_a_file_of_its_own(notebook):
    """Colab brings the notebook alone; what a chapter reads comes with the library."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not re.search(r"(?<![.\w])open\(|\bPath\(|np\.load\(|torch\.load\(", cell.source)


def test_the_book_does_not_show_it(built_book):
    pages = [built_book / path.relative_to(ROOT).with_suffix(".html") for path in NOTEBOOKS]
    assert not [page.name for page in pages if "google.colab" in page.read_text()]
