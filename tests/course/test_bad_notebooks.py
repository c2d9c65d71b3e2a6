"""Each rule of a chapter finds what breaks it, in a notebook made for that, and names the cell."""

from pathlib import Path

import nbformat
import notebook_rules as rules
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ALT = "A circle and a line that touches it in one point."
FIGURE = {
    "alt": ALT,
    "mystnb": {"image": {"alt": ALT}, "figure": {"caption": "It touches.", "name": "fig-circle"}},
}
SOLUTION = {"tags": ["solution", "hide-cell"], "jupyter": {"source_hidden": True}}


def good():
    """A chapter in small that keeps every rule."""
    picture = new_output("display_data", {"image/png": "", "text/plain": "<Figure>"})
    grading = {"schema_version": 3, "grade_id": "tiny-a"}
    stub = grading | {"solution": True, "grade": False, "locked": False}
    check = grading | {"solution": False, "grade": True, "locked": True, "points": 1}
    check["grade_id"] += "-check"
    return new_notebook(
        cells=[
            new_markdown_cell("See [more](01_tiny.ipynb), {cite}`lee2013`.", id="text"),
            new_code_cell("draw()", id="figure", metadata=FIGURE, outputs=[picture]),
            new_markdown_cell("```{exercise} Two\n:label: tiny-a\n\n1 + 1?\n```", id="asked"),
            new_code_cell("answer = ...", id="stub", metadata={"nbgrader": stub}),
            new_code_cell('check("tiny-a", answer)', id="check", metadata={"nbgrader": check}),
            new_code_cell('check("tiny-a", 2)', id="solved", metadata=SOLUTION),
        ]
    )


class Course:
    """One chapter on disk, with a table of contents and a bibliography."""

    def __init__(self, folder: Path):
        self.root = folder
        self.path = folder / "course" / "01_tiny.ipynb"
        self.path.parent.mkdir()
        self.contents, self.bibliography = folder / "_toc.yml", folder / "references.bib"
        self.contents.write_text("parts:\n- chapters:\n  - file: course/01_tiny\n")
        self.bibliography.write_text("@book{lee2013,\n  title = {Smooth Manifolds},\n}\n")
        nbformat.write(good(), self.path)

    def change(self, **cells) -> None:
        """Change cells by functions of them: `change(check=lambda cell: ...)`."""
        notebook = nbformat.read(self.path, as_version=4)
        for cell in notebook.cells:
            cells.get(cell.id, lambda cell: None)(cell)
        nbformat.write(notebook, self.path)

    def problems(self) -> list[str]:
        paths = sorted(self.path.parent.glob("*.ipynb"))
        found = [problem for path in paths for problem in self.problems_of(path)]
        for rule in (rules.shared_grade_ids, rules.shared_checks, rules.shared_figure_names):
            found += rule(paths)
        return found + list(rules.missing_from_contents(paths, self.contents, self.root))

    def problems_of(self, path: Path) -> list[str]:
        found = []
        for rule in (rules.broken_exercises, rules.broken_solutions, rules.orphan_figures):
            found += rule(path)
        found += rules.broken_links(path, self.root)
        return found + list(rules.unknown_citations(path, self.bibliography))


@pytest.fixture
def course(tmp_path) -> Course:
    return Course(tmp_path)


def test_a_good_chapter_has_no_problem(course):
    assert course.problems() == []


def without(*keys):
    """Takes a key out of a cell's metadata, however deep it lies."""

    def change(cell):
        place = cell.metadata
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]

    return change


def with_(*path_and_value):
    """Sets a key of a cell's metadata, however deep it lies."""

    def change(cell):
        *keys, last, value = path_and_value
        place = cell.metadata
        for key in keys:
            place = place[key]
        place[last] = value

    return change


def says(text):
    return lambda cell: cell.update(source=text)


BROKEN = {
    "solved: no tag": ({"solved": without("tags")}, "cell 5 (solved): the solution has no tag"),
    "solved: not hidden": ({"solved": without("jupyter")}, "cell 5 (solved): the solution is not"),
    "solved: not folded": (
        {"solved": with_("tags", ["solution"])},
        "cell 5 (solved): the solution is not folded",
    ),
    "check: no metadata": ({"check": without("nbgrader")}, "cell 4 (check): nbgrader's metadata"),
    "check: free": (
        {"check": with_("nbgrader", "locked", False)},
        "cell 4 (check): nbgrader's metadata of a check are wrong: ['locked']",
    ),
    "check: no points": (
        {"check": with_("nbgrader", "points", 0)},
        "cell 4 (check): the check gives no points",
    ),
    "check: shared grade id": (
        {"check": with_("nbgrader", "grade_id", "tiny-a")},
        "cell 4 (check): 'tiny-a' is the name of 01_tiny, cell 3 (stub) already",
    ),
    "stub: filled": ({"stub": says("answer = 2")}, "cell 3 (stub): the stub has a body"),
    "asked: no label": (
        {"asked": says("```{exercise} Two\n1 + 1?\n```")},
        "cell 2 (asked): the exercise needs a title and a label",
    ),
    "text: broken link": (
        {"text": says("See [more](02_none.ipynb).")},
        "cell 0 (text): the link to 02_none.ipynb leads nowhere",
    ),
    "text: broken page": (
        {"text": says("See {doc}`notation </book/notation>`.")},
        "cell 0 (text): the link to /book/notation leads nowhere",
    ),
    "text: unknown citation": (
        {"text": says("As in {cite}`lee2013,lee2031`.")},
        "cell 0 (text): 'lee2031' is not in references.bib",
    ),
    "figure: no caption": (
        {"figure": without("mystnb", "figure", "caption")},
        "cell 1 (figure): the figure has no caption",
    ),
    "figure: no name": (
        {"figure": without("mystnb", "figure", "name")},
        "cell 1 (figure): the figure has no name",
    ),
    "figure: one alt": ({"figure": without("alt")}, "cell 1 (figure): `alt` and mystnb.image.alt"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_rule_is_named_with_its_cell(course, name):
    changes, wanted = BROKEN[name]
    course.change(**changes)
    problems = course.problems()
    assert [problem for problem in problems if wanted in problem], problems


def test_an_orphan_figure_is_named_once_for_each_lack(course):
    course.change(figure=lambda cell: cell.metadata.clear())
    lacks = [problem for problem in course.problems() if "cell 1 (figure)" in problem]
    assert len(lacks) == 3  # caption, name, alt text


def test_an_exercise_without_its_check_is_named(course):
    notebook = good()
    del notebook.cells[4]
    nbformat.write(notebook, course.path)
    (problem,) = course.problems()
    assert "cell 2 (asked): a stub, a check and a solution must follow" in problem


def test_a_second_chapter_with_the_same_names_is_found_cell_by_cell(course):
    nbformat.write(good(), course.path.with_name("02_copy.ipynb"))
    problems = course.problems()
    assert "02_copy, cell 4 (check): 'tiny-a' is the name of 01_tiny, cell 4 (check)" in str(
        problems
    )
    assert "02_copy, cell 3 (stub): 'tiny-a' is the name of 01_tiny, cell 3 (stub)" in str(problems)
    assert "02_copy, cell 1 (figure): 'fig-circle' is the name of" in str(problems)
    assert "course/02_copy is not in _toc.yml" in problems


def test_a_chapter_that_is_gone_is_missed_in_the_contents(course):
    course.contents.write_text(course.contents.read_text() + "  - file: course/02_gone\n")
    assert course.problems() == ["_toc.yml lists course/02_gone, and there is no such notebook"]


def test_a_picture_that_no_page_shows_is_named(tmp_path):
    (tmp_path / "pictures").mkdir()
    for name in ("shown.svg", "orphan.svg"):
        (tmp_path / "pictures" / name).write_text("<svg/>")
    (tmp_path / "page.md").write_text("![A circle and its tangent](pictures/shown.svg)")
    assert list(rules.orphan_pictures(tmp_path)) == ["pictures/orphan.svg is shown on no page"]
