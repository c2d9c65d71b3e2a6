"""The stored notebooks: complete, readable, and the same on any machine."""

import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import ROOT

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


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def grading(cell) -> dict:
    return cell.metadata.get("nbgrader", {})


def has_figure(cell) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell.outputs)


def test_every_chapter_is_in_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    listed = {entry["file"] for part in toc["parts"] for entry in part["chapters"]}
    notebooks = {path.relative_to(ROOT).with_suffix("").as_posix() for path in NOTEBOOKS}
    assert notebooks <= listed
    assert {name for name in listed if name.startswith("course/")} <= notebooks


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


def test_figures_say_what_they_show(notebook):
    seen = Counter()
    for name, cell in cells(notebook):
        if has_figure(cell):
            image = cell.metadata.get("mystnb", {}).get("image", {})
            alt = image.get("alt", "")
            assert alt, f"{name}: mystnb.image.alt is missing"
            assert cell.metadata.get("alt") == alt, f"{name}: `alt` and mystnb.image.alt differ"
            assert len(alt.split()) >= 6, f"{name}: {alt!r} does not say what the figure shows"
            assert not re.search(r"\.(png|svg|jpg)|^(figure|image|plot)\b", alt, re.I), name
            assert cell.metadata["mystnb"].get("figure", {}).get("caption"), f"{name}: no caption"
            seen[alt] += 1
    assert not [alt for alt, count in seen.items() if count > 1], "two figures, one alt text"


def test_an_exercise_is_four_cells(notebook):
    """The text, a free stub, a locked check, a hidden solution, in this order."""
    exercises = [
        number
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "markdown" and re.search(r"^[`:]{3,}\{exercise\}", cell.source, re.M)
    ]
    for number in exercises:
        text, stub, check, solution = notebook.cells[number : number + 4]
        name = f"the exercise in cell {number} ({text.id})"
        title = re.search(r"^[`:]{3,}\{exercise\}[ ]*(\S.*)$", text.source, re.M)
        assert title and re.search(r"^:label: \S+", text.source, re.M), f"{name}: title and label"
        if set(tags(text)) & {"pencil", "open"}:  # answered on paper: nothing to mark
            assert any("solution" in tags(cell) for cell in (stub, check, solution)), name
            continue
        assert [stub.cell_type, check.cell_type, solution.cell_type] == ["code"] * 3, name
        assert stub.source.rstrip().endswith("..."), f"{name}: the stub has a body"
        _check_grading(name, stub, solution=True, grade=False, locked=False)
        _check_grading(name, check, solution=False, grade=True, locked=True)
        assert grading(check)["points"] > 0, f"{name}: the check gives no points"
        assert "solution" in tags(solution), f"{name}: the solution is not tagged"
        assert solution.metadata.get("jupyter", {}).get("source_hidden"), f"{name}: not hidden"
        assert set(tags(solution)) & {"hide-cell", "hide-input"}, f"{name}: not folded in the book"


def _check_grading(name, cell, **wanted):
    found = grading(cell)
    assert found.get("schema_version") == 3 and found.get("grade_id"), f"{name}: nbgrader metadata"
    assert {key: found.get(key) for key in wanted} == wanted, f"{name}: {cell.id}"


def test_solutions_and_marks_belong_to_exercises(notebook):
    for number, cell in enumerate(notebook.cells):
        if "solution" in tags(cell):
            assert cell.metadata.get("jupyter", {}).get("source_hidden"), f"cell {number}"
            assert not grading(cell), f"cell {number}: a solution is not marked"


def test_grade_ids_are_unique_over_the_course():
    names = Counter(
        grading(cell)["grade_id"]
        for path in NOTEBOOKS
        for cell in nbformat.read(path, as_version=4).cells
        if grading(cell)
    )
    assert not [name for name, count in names.items() if count > 1]
