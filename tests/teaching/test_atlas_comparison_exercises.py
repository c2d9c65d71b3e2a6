"""The check of the comparison of atlas models: right answers, and mistakes that it knows."""

import pytest

from geomlib.teaching import check


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (..., "not attempted yet"),
        ((2 / 3, 1), "right"),
        ((0.67, 1), "a: right"),
        ((14 / 15, 3 / 15), "look down the columns"),
        ((66.7, 100), "per cent"),
        ((0.7, 1), "averaged the purities"),
        ((14 / 15, 1), "commonest chart of each class"),
        ((2 / 3, 1 / 15), "its only sample"),
        ((10, 15), "gave counts"),
        ((1, 2 / 3), "other way round"),
        ((0.5, 0.5), "largest error"),
        (0.7, "Give two numbers"),
    ],
)
def test_purity(capsys, answer, verdict):
    check("atlas-comparison-a", answer)
    assert verdict in capsys.readouterr().out
