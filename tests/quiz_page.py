"""What a quiz does on every page that shows it: the book, a folder, the lab.

Each function takes the quiz as a Playwright locator, e.g. `page.locator(".gq")`.
"""

import re

from playwright.sync_api import Locator, expect


def check_everything(quiz: Locator) -> None:
    """It asks three questions or more, and each choice is marked and explained."""
    expect(quiz.get_by_role("radiogroup").nth(2)).to_be_visible()
    for question in quiz.locator(".Quiz").all():
        every_choice_is_marked(question)
    the_keyboard_answers(quiz)


def every_choice_is_marked(question: Locator) -> None:
    verdicts = []
    for choice in question.get_by_role("radio").all():
        choice.check()
        expect(question.locator(".correctButton, .incorrectButton")).to_have_count(1)
        feedback = question.get_by_role("status")
        expect(feedback).to_have_text(re.compile(r"^(Right|Not this one)\. \S+ \S+"))
        right = feedback.inner_text().startswith("Right.")
        expect(question.locator(".correctButton")).to_have_count(int(right))
        verdicts.append((right, feedback.inner_text()))
    assert sum(right for right, _ in verdicts) == 1
    assert len(set(verdicts)) == len(verdicts), "two choices, one explanation"


def the_keyboard_answers(quiz: Locator) -> None:
    """Arrow keys move without answering, the space bar answers."""
    group = quiz.get_by_role("radiogroup").first
    choices, status = group.get_by_role("radio"), quiz.get_by_role("status").first
    choices.first.check()
    said = status.inner_text()
    choices.first.focus()
    quiz.page.keyboard.press("ArrowDown")
    expect(choices.nth(1)).to_be_focused()
    expect(status).to_have_text(said)
    quiz.page.keyboard.press("Space")
    expect(choices.nth(1)).to_be_checked()
    expect(status).not_to_have_text(said)
