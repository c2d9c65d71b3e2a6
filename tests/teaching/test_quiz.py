"""The self-test quizzes: their questions, their place in the chapters, their answers in a page."""

import re

import nbformat
import pytest
import quiz_page
from accessibility import check_accessible
from conftest import DESKTOP, PHONE, ROOT

from geomlib.teaching import quiz
from geomlib.teaching.quiz import SOURCES, questions

NAMES = sorted(path.name.removesuffix(".json") for path in SOURCES.iterdir())
CHAPTERS = {
    path.stem[3:]: path
    for path in sorted((ROOT / "course").glob("*.ipynb"))
    if path.stem != "00_start_here"  # teaches nothing that could be asked
}


def quiz_cells(name: str) -> list:
    """The cells of a chapter that show its quiz."""
    notebook = nbformat.read(CHAPTERS[name], as_version=4)
    line = re.compile(rf'^quiz\("{name}"\)$', re.M)
    return [
        cell for cell in notebook.cells if cell.cell_type == "code" and line.search(cell.source)
    ]


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_ends_with_its_quiz(name):
    assert name in NAMES, f"{name} has no questions: geomlib/teaching/quizzes/{name}.json"
    cells = quiz_cells(name)
    assert len(cells) == 1, f'{name} has no quiz: a cell with the line quiz("{name}")'
    assert "remove-input" in cells[0].metadata.get("tags", []), "the book shows the quiz alone"
    (output,) = cells[0].outputs
    assert output.data["text/html"] == quiz(name).data, "the stored quiz is an older one"


@pytest.mark.parametrize("name", NAMES)
def test_each_question_has_one_right_answer_and_each_answer_a_reason(name):
    asked = questions(name)
    assert len(asked) >= 3
    assert len({question["question"] for question in asked}) == len(asked)
    for question in asked:
        text, answers = question["question"], question["answers"]
        assert question["type"] == "multiple_choice" and len(answers) >= 3, text
        assert [answer["correct"] for answer in answers].count(True) == 1, text
        assert len({answer["answer"] for answer in answers}) == len(answers), text
        for answer in answers:
            assert len(answer["feedback"].split()) >= 5, f"{text} {answer['answer']}"
        # formulas are written without MathJax, which JupyterLab does not give to a page
        assert not re.search(r"[$\\]", str(question).replace("\\'", "'")), text


@pytest.mark.parametrize("name", NAMES)
def test_the_right_answer_is_not_always_in_one_place(name):
    answers = [question["answers"] for question in questions(name)]
    assert len({[answer["correct"] for answer in each].index(True) for each in answers}) > 1


def test_a_quiz_is_the_same_every_time():
    assert quiz("germs").data == quiz("germs").data


def test_an_unknown_quiz_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"no quiz 'germ'; there are .*charts.*germs"):
        quiz("germ")


@pytest.mark.browser
def test_every_quiz_answers_alone_in_a_page(visit, widget_site):
    folder, address = widget_site
    shown = "".join(quiz(name).data for name in NAMES)
    (folder / "quizzes.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Quizzes</title>'
        f'<link rel="icon" href="data:,"><main>{shown}</main></html>'
    )
    page = visit(f"{address}/quizzes.html")
    for name in NAMES:
        quiz_page.check_everything(page.locator(f"#quiz-{name.replace('_', '-')}"))


@pytest.mark.browser
@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_in_the_book_a_quiz_answers_and_is_accessible(visit, built_book, size, scheme):
    url = (built_book / "course" / f"{CHAPTERS['germs'].stem}.html").as_uri()
    page = visit(url, size=size, scheme=scheme)
    shown = page.locator(".gq")
    quiz_page.check_everything(shown)  # leaves right and wrong choices marked
    marks = [shown.locator(f".{kind}Button").count() for kind in ("correct", "incorrect")]
    assert min(marks) >= 1
    check_accessible(page, within=".gq")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
