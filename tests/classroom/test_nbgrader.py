"""A class from the first hand-out to the marks, with nbgrader itself."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT

CLASSROOM = ROOT / "classroom"
CHAPTERS = sorted(path.stem[3:] for path in (ROOT / "course").glob("*.ipynb"))

RIGHT = {
    "germs-a": "answer_a = 7",
    "germs-b": """def factors(f, symbols, p):
    t = sp.Symbol("t", real=True)
    path = {s: c + t * (s - c) for s, c in zip(symbols, p, strict=True)}
    return [sp.integrate(sp.diff(f, s).subs(path, simultaneous=True), (t, 0, 1)) for s in symbols]
""",
    "germs-c": "def in_new_chart(a, J):\n    return torch.linalg.solve(J.T, a)",
    "germs-d": 'answer_d = ("x + 3*x**2/2", "x + 3*x**2/2 - x**4/2")',
}
WRONG = {
    "germs-a": "answer_a = 3",
    "germs-b": "def factors(f, symbols, p):\n    return [sp.diff(f, s) for s in symbols]",
    "germs-c": "def in_new_chart(a, J):\n    return J @ a",
    "germs-d": "this is not Python",
}


def run(command: list[str], folder: Path, expected: int = 0) -> str:
    """Run a command as from a shell in which the environment of the course is active."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    log = result.stdout + result.stderr
    assert result.returncode == expected, log
    return log


def assignment(*arguments: str, expected: int = 0) -> str:
    script = str(CLASSROOM / "assignment.py")
    return run([sys.executable, script, *arguments], ROOT, expected)


def graded(notebook) -> dict[str, nbformat.NotebookNode]:
    """The cells that nbgrader knows, by their names."""
    known = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    return {cell.metadata.nbgrader.grade_id: cell for cell in known}


@pytest.fixture(scope="module")
def school(tmp_path_factory) -> Path:
    """The folder of a class that has been given every chapter."""
    folder = tmp_path_factory.mktemp("class")
    said = assignment(*CHAPTERS, "--folder", str(folder))
    assert all(str(folder / "release" / chapter) in said for chapter in CHAPTERS)
    return folder


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_hand_out_has_stubs_and_locked_checks_and_no_solution(school, chapter):
    notebook = nbformat.read(school / "release" / chapter / f"{chapter}.ipynb", as_version=4)
    assert not [cell for cell in notebook.cells if "solution" in cell.metadata.get("tags", [])]
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    cells = graded(notebook)
    checks = {name: cell for name, cell in cells.items() if cell.metadata.nbgrader.grade}
    assert checks
    for name, cell in checks.items():
        assert cell.metadata.editable is False and cell.metadata.nbgrader.points > 0, name
    stubs = cells.keys() - checks.keys()
    assert {name.removesuffix("-check") for name in checks} == stubs
    for name in stubs:
        assert cells[name].source.rstrip().endswith("..."), name
        assert cells[name].metadata.get("editable", True), name


@pytest.fixture(scope="module")
def marked(school) -> Path:
    """Three students hand in the chapter on germs; it is marked and sent back."""
    hand_in(school, "ben", WRONG)
    # A cell of Dan's fails, he answers the next question, and edits the check of another.
    edited = {"germs-c-check": 'print("germs-c: right.")'}
    dan = {"germs-a": "1 / 0", "germs-b": RIGHT["germs-b"], **edited}
    hand_in(school, "dan", dan)
    # Eve is right, but pastes a copy of one check and deletes another one, and is late.
    hand_in(school, "eve", RIGHT)
    path = school / "submitted" / "eve" / "germs" / "germs.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cells = graded(notebook)
    notebook.cells.insert(0, nbformat.from_dict({**cells["germs-b-check"], "id": "pasted"}))
    notebook.cells.remove(cells["germs-c-check"])
    nbformat.write(notebook, path)
    path.with_name("timestamp.txt").write_text("2027-03-01 18:20 UTC")
    due = "--duedate=2027-03-01 18:00 UTC"
    run(["nbgrader", "db", "assignment", "add", "germs", due], school)
    for command in ("autograde", "generate_feedback"):
        run(["nbgrader", command, "germs"], school)
    run(["nbgrader", "export"], school)
    return school


def hand_in(school: Path, student: str, answers: dict[str, str]) -> None:
    folder = school / "submitted" / student / "germs"
    folder.mkdir(parents=True)
    nbformat.write(answered(school, answers), folder / "germs.ipynb")


def answered(school: Path, answers: dict[str, str]) -> nbformat.NotebookNode:
    notebook = nbformat.read(school / "release" / "germs" / "germs.ipynb", as_version=4)
    cells = graded(notebook)
    for name, answer in answers.items():
        cells[name].source = answer
    return notebook


@pytest.mark.parametrize(("student", "mark"), [("ben", 0), ("dan", 2), ("eve", 8)])
def test_marks(marked, student, mark):
    with (marked / "grades.csv").open() as file:
        rows = {(row["student_id"], row["assignment"]): row for row in csv.DictReader(file)}
    row = rows[student, "germs"]
    assert (float(row["score"]), float(row["max_score"])) == (mark, 8)


def test_the_marks_say_who_was_late(marked):
    with (marked / "grades.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file) if row["timestamp"]}
    assert list(rows) == ["eve"]
    assert rows["eve"]["timestamp"] > rows["eve"]["duedate"]
    assert float(rows["eve"]["late_submission_penalty"]) == 0


def test_feedback_says_which_mistake(marked):
    page = (marked / "feedback" / "ben" / "germs" / "germs.html").read_text()
    for said in ("remainder in the chart x", "derivatives at x", "pushed the components"):
        assert said in page
    page = (marked / "feedback" / "dan" / "germs" / "germs.html").read_text()
    assert re.search("germs-d.{0,40}not attempted yet", page)


def test_what_was_handed_in_is_kept_as_it_was(marked):
    before = (marked / "submitted" / "dan" / "germs" / "germs.ipynb").read_bytes()
    gradebook = (marked / "gradebook.db").stat().st_size
    assignment("germs", "--folder", str(marked))
    assert (marked / "submitted" / "dan" / "germs" / "germs.ipynb").read_bytes() == before
    assert (marked / "gradebook.db").stat().st_size >= gradebook
    run(["nbgrader", "export"], marked)
    assert "eve" in (marked / "grades.csv").read_text()


def test_students_can_validate_their_own_work(school, tmp_path):
    handed_out = school / "release" / "germs" / "germs.ipynb"
    shutil.copy(handed_out, tmp_path / "begun.ipynb")
    nbformat.write(answered(school, RIGHT), tmp_path / "done.ipynb")
    for name, verdict in [("done", "Success"), ("begun", "FAILED ON 4 CELL")]:
        assert verdict in run(["nbgrader", "validate", f"{name}.ipynb"], tmp_path)


def test_an_unknown_chapter_is_named():
    said = assignment("germ", expected=1)
    assert "no chapter 'germ'" in said and "germs" in said
