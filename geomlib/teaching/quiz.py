"""Self-test quizzes: jupyterquiz in the course's colours, for the keyboard, without a network."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from IPython.display import HTML

from geomlib.teaching.widgets import assets

__all__ = ["questions", "quiz"]

SOURCES = files("geomlib.teaching") / "quizzes"

# jupyterquiz typesets with MathJax, and where it finds none ready it asks a foreign host for
# it. The questions need none, so it is told that there is none.
SCRIPT = """<script>
((MathJax) => {{
{code}
show_quiz("{name}", {questions});
}})();
</script>"""


def quiz(name: str) -> HTML:
    """The self-test of a chapter: each choice is marked at once, and told why.

    It answers in the page, with a kernel or without, and asks nothing of a network.

    Args:
        name: of the chapter, e.g. `"germs"`.

    Raises:
        ValueError: if there is no quiz of that name.

    >>> "Whose gradient" in quiz("germs").data
    True
    """
    # A slash that ends an element inside a script would end the script.
    data = json.dumps(_with_verdicts(questions(name)), ensure_ascii=False).replace("</", "<\\/")
    identifier = f"quiz-{name.replace('_', '-')}"
    style = assets.style("quiz")
    script = SCRIPT.format(code=_code(), name=identifier, questions=data)
    return HTML(
        f"<style>\n{style}</style>\n"
        f'<section class="gw gq" id="{identifier}" aria-label="Test yourself" '
        'data-lm-suppress-shortcuts="true" data-shuffleanswers="False">'
        "<p>Run this cell to answer the questions.</p></section>\n"
        f"{script}"
    )


def questions(name: str) -> list[dict[str, Any]]:
    """The questions of a chapter's quiz, as jupyterquiz writes them.

    Raises:
        ValueError: if there is no quiz of that name.

    >>> sorted(questions("germs")[0])
    ['answers', 'question', 'type']
    """
    source = SOURCES / f"{name}.json"
    if not source.is_file():
        names = sorted(path.name.removesuffix(".json") for path in SOURCES.iterdir())
        raise ValueError(f"there is no quiz {name!r}; there are {', '.join(names)}")
    return json.loads(source.read_text("utf-8"))


def _with_verdicts(quiz: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same questions, whose feedback says in words what its colour says."""
    return [
        question
        | {
            "answers": [
                answer
                | {
                    "feedback": f"<b>{'Right.' if answer['correct'] else 'Not this one.'}</b> "
                    + answer["feedback"]
                }
                for answer in question["answers"]
            ]
        }
        for question in quiz
    ]


def _code() -> str:
    theirs = files("jupyterquiz") / "js"
    parts = [theirs / name for name in ("helpers.js", "multiple_choice.js", "show_questions.js")]
    parts.append(files("geomlib.teaching") / "assets" / "quiz.js")
    return "\n".join(part.read_text("utf-8") for part in parts)
