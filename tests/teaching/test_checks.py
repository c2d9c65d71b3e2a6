"""The frame of every exercise check: three verdicts, and what nbgrader sees."""

import sys

import pytest
import torch
from verdicts import said

from geomlib.teaching import check
from geomlib.teaching.checks import Mistake, NotAttempted, attempt, compare, exercise, numbers


@pytest.mark.parametrize("answer", [..., None])
def test_an_untouched_stub_is_not_attempted(capsys, answer):
    assert "not attempted yet" in said(capsys, "vae-geodesics-a", answer)


def test_an_untouched_function_is_not_attempted(capsys):
    def stub(g, z): ...

    assert "not attempted yet" in said(capsys, "vae-geodesics-b", stub)


def test_a_function_that_raises_is_quoted_and_does_not_stop_the_notebook(capsys):
    def broken(g, z):
        raise IndexError("no such row")

    text = said(capsys, "vae-geodesics-b", broken)
    assert "IndexError" in text and "no such row" in text and "(3, 2)" in text


@pytest.mark.parametrize("answer", [..., 1.0])
def test_nbgrader_sees_an_error_for_all_but_the_right_answer(monkeypatch, answer):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(AssertionError, match="vae-geodesics-a"):
        check("vae-geodesics-a", answer)
    check("vae-geodesics-a", 29**0.5)


def test_an_unknown_exercise_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no exercise 'nonsense'.*vae-geodesics-a"):
        check("nonsense", 1)


def test_two_exercises_cannot_share_a_name():
    check("vae-geodesics-a", ...)  # loads the chapter

    with pytest.raises(ValueError, match="two exercises"):

        @exercise("vae-geodesics-a")
        def another(answer):
            return ""


def test_attempt_wants_a_function_and_a_tensor():
    with pytest.raises(Mistake, match="function itself"):
        attempt(3)
    with pytest.raises(Mistake, match="torch tensor"):
        attempt(lambda: [1.0])


@pytest.mark.parametrize("answer", [(1, 2, 3), 1, "two", ([1], 2), object()])
def test_what_is_not_so_many_numbers_is_told_what_is_wanted(answer):
    assert numbers((1, 2.5), 2, "").tolist() == [1, 2.5]
    with pytest.raises(Mistake, match="give two"):
        numbers(answer, 2, "give two")


def test_compare_names_shape_factor_and_error():
    right = torch.tensor([1.0, 2.0])
    compare(right + 1e-5, right, {})
    with pytest.raises(Mistake, match=r"shape should be \(2,\)"):
        compare(torch.ones(3), right, {})
    with pytest.raises(Mistake, match="constant factor of 3"):
        compare(3 * right, right, {})
    with pytest.raises(Mistake, match=r"off by 2"):  # one number has no common factor
        compare(torch.tensor([3.0]), torch.tensor([1.0]), {})
    with pytest.raises(Mistake, match="not all finite"):
        compare(right * torch.nan, right, {})
    with pytest.raises(Mistake, match="all zero"):
        compare(0 * right, right, {})
    with pytest.raises(Mistake, match=r"largest error is 0\.5"):
        compare(right + torch.tensor([0.5, 0.0]), right, {})
    with pytest.raises(Mistake, match="upside down"):
        compare(-right, right, {"upside down": -right})


def test_a_warning_does_not_go_to_stderr(capsys):
    """nbgrader gives no points to a check that writes there."""

    @exercise("warned")
    def _(answer):
        print("a deprecated call", file=sys.stderr)
        return "Good."

    check("warned", 1)
    said = capsys.readouterr()
    assert said.err == "" and "warned: right. Good." in said.out


def test_a_stub_of_several_numbers_is_not_attempted_yet():
    with pytest.raises(NotAttempted):
        numbers((..., ..., ...), 3, "Give three numbers.")
