"""What an exercise says to an answer."""

from geomlib.teaching import check


def said(capsys, name, answer, **context) -> str:
    """The line that `check` prints."""
    check(name, answer, **context)
    return capsys.readouterr().out
