"""The programs that make the book, each on something small."""

import sys

import nbformat
import pytest
from conftest import ROOT
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

sys.path.insert(0, str(ROOT / "book"))

import book_extension
import build
import directives
import outputs
import vendor


@pytest.mark.parametrize(
    ("text", "status"),
    [("See [above](#there).\n\n(there)=\n## There", 0), ("See [nothing](#nowhere).", 1)],
    ids=["whole", "a link to nowhere"],
)
def test_a_warning_stops_the_build(monkeypatch, tmp_path, text, status):
    book = tmp_path / "book"
    book.mkdir()
    (book / "_config.yml").write_text("title: Small\nonly_build_toc_files: true\n")
    (book / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (book / "index.md").write_text(f"# Small\n\n{text}\n")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build.vendor, "bring", lambda: True)
    assert build.build(tmp_path / "out") == status


def notebook(tmp_path, *cells):
    path = tmp_path / "small.ipynb"
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def test_stored_outputs_are_the_same_after_every_run(tmp_path):
    sources = [
        "'a value'",
        "import sys\nprint('said')\nprint('a progress bar', file=sys.stderr)",
        "from ipywidgets import IntSlider\nIntSlider(3)",
    ]
    cells = [new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    cells.insert(0, new_markdown_cell("# Small", id="title"))
    cells.insert(1, new_code_cell("pass", id="colab", metadata={"tags": ["colab"]}))
    cells[2].metadata.execution = {"iopub.execute_input": "2026-01-01"}  # as JupyterLab leaves it
    path = notebook(tmp_path, *cells)
    outputs.store_outputs(path)
    first = path.read_text()
    outputs.store_outputs(path)
    assert path.read_text() == first
    _, colab, value, said, widget = nbformat.reads(first, as_version=4).cells
    assert [cell.execution_count for cell in (colab, value, said, widget)] == [None, 1, 2, 3]
    assert value.outputs[0].execution_count == 1 and "execution" not in value.metadata
    assert [output.text for output in said.outputs] == ["said\n"]
    model = widget.outputs[0].data["application/vnd.jupyter.widget-view+json"]["model_id"]
    stored = nbformat.reads(first, as_version=4).metadata.widgets
    assert model in stored["application/vnd.jupyter.widget-state+json"]["state"]


def test_a_cell_that_fails_leaves_the_notebook_as_it_was(tmp_path):
    path = notebook(tmp_path, new_code_cell("1 / 0"))
    before = path.read_text()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        outputs.store_outputs(path)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the $n$th of $a$", "the :math:`n`\\ th of :math:`a`"),
        ("over\n$a +\n    b$.", "over\n:math:`a + b`."),
        ("so $$a = b$$ stays", "so $$a = b$$ stays"),
        ("so\n    $$a = b$$,\nis", "so\n\n    .. math:: a = b,\n\nis"),
        ("``$x$`` and `$y$`\n>>> '$z$'", "``$x$`` and `$y$`\n>>> '$z$'"),
    ],
)
def test_formulas_of_a_docstring_become_roles(text, expected):
    assert book_extension.to_rst(text) == expected


def test_a_figure_brings_the_models_it_refers_to_and_no_others():
    models = {
        "slider": {"state": {"layout": "IPY_MODEL_layout"}},
        "layout": {"state": {"style": ["IPY_MODEL_style"]}},
        "style": {"state": {}},
        "another": {"state": {"layout": "IPY_MODEL_layout"}},
    }
    found = directives._state_of({"version_major": 2, "state": models}, "slider")
    assert found["version_major"] == 2 and set(found["state"]) == {"slider", "layout", "style"}


@pytest.mark.parametrize("old", [False, True])
def test_scripts_of_another_version_are_not_taken(monkeypatch, tmp_path, old):
    monkeypatch.setattr(vendor, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)  # no npm
    vendor.VENDOR.mkdir()
    wanted = "".join(f"{name}@{version}\n" for name, version in vendor.VERSIONS.items())
    (vendor.VENDOR / "versions.txt").write_text("anywidget@0.1\n" if old else wanted)
    assert vendor.bring() == vendor.VENDOR.exists() == (not old)
