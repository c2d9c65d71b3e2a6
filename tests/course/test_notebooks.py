"""The stored notebooks: complete, readable, and the same on any machine."""

import re
from collections import Counter
from pathlib import Path

import nbformat
import notebook_rules
import pytest
from conftest import ROOT
from notebook_rules import tags

CHAPTERS = sorted((ROOT / "course").glob("*.ipynb"))
NOTEBOOKS = [*CHAPTERS, *sorted((ROOT / "book").glob("*.ipynb"))]
MOST_LINES = 15
MOST_BYTES = 3_000_000

# A path of somebody's machine, or an address in its memory.
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.:/])/(?:home|root|Users|work|tmp|usr|opt)/|site-packages|\b[A-Z]:\\|0x[0-9a-f]{8}"
)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def cells(notebook, kind: str = "code"):
    """Pairs of a name to report and the cell."""
    return [
        (f"cell {number} ({cell.id})", cell)
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == kind
    ]


def test_the_file_is_valid_and_small(path, notebook):
    nbformat.validate(notebook)
    assert path.stat().st_size <= MOST_BYTES
    assert re.fullmatch(r"\d\d_[a-z0-9_]+" if path in CHAPTERS else r"[a-z_]+", path.stem)


def test_cell_names_are_unique(notebook):
    counts = Counter(cell.id for cell in notebook.cells)
    assert not [name for name, count in counts.items() if count > 1]


def test_it_was_run_once_from_top_to_bottom(notebook):
    ran = [cell for _, cell in cells(notebook) if cell.source.strip() and "colab" not in tags(cell)]
    counts = [cell.execution_count for cell in ran]
    assert counts == list(range(1, len(counts) + 1)), "run it anew: make outputs CHAPTER=..."


def test_no_cell_failed(notebook):
    for name, cell in cells(notebook):
        assert not [each for each in cell.outputs if each.output_type == "error"], name


def test_nothing_belongs_to_one_machine_or_one_moment(notebook):
    for number, cell in enumerate(notebook.cells):
        assert "execution" not in cell.metadata, f"cell {number} holds run times"
        texts = [cell.source]
        for output in cell.get("outputs", []):
            texts.append(output.get("text", ""))
            texts += [t for kind, t in output.get("data", {}).items() if kind.startswith("text/")]
        for text in texts:
            found = OF_ONE_MACHINE.search(text)
            assert not found, f"cell {number} ({cell.id}): {found and found[0]}"
    assert "version" not in notebook.metadata.get("language_info", {})


def test_widgets_are_stored_with_their_state(notebook):
    view = "application/vnd.jupyter.widget-view+json"
    stored = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json")
    for name, cell in cells(notebook):
        for output in cell.outputs:
            if view in output.get("data", {}):
                model = output.data[view]["model_id"]
                assert stored and model in stored["state"], f"{name}: the state is not stored"


def test_code_cells_are_short(notebook):
    for name, cell in cells(notebook):
        if "solution" not in tags(cell):
            assert len(cell.source.splitlines()) <= MOST_LINES, name


@pytest.mark.parametrize(
    "rule",
    [
        notebook_rules.broken_exercises,
        notebook_rules.broken_solutions,
        notebook_rules.orphan_figures,
        lambda path: notebook_rules.broken_links(path, ROOT),
        lambda path: notebook_rules.unknown_citations(path, ROOT / "book" / "references.bib"),
    ],
    ids=["exercises", "solutions", "figures", "links", "citations"],
)
def test_it_keeps_the_rule(path, rule):
    assert not list(rule(path))


@pytest.mark.parametrize(
    "rule",
    [
        notebook_rules.shared_grade_ids,
        notebook_rules.shared_checks,
        notebook_rules.shared_figure_names,
        lambda paths: notebook_rules.missing_from_contents(paths, ROOT / "book/_toc.yml", ROOT),
    ],
    ids=["grade_ids", "checks", "figure_names", "contents"],
)
def test_the_course_keeps_the_rule(rule):
    assert not list(rule(NOTEBOOKS))


def test_every_picture_of_the_book_is_shown_on_a_page():
    assert not list(notebook_rules.orphan_pictures(ROOT / "book"))
