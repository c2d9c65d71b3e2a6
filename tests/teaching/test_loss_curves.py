"""Loss curves: every history is one line, and told apart without colour too."""

import pytest
from matplotlib import pyplot as plt

from geomlib.teaching.figures import loss_curves


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_each_history_is_a_line_by_epoch(ax):
    loss_curves(ax, {"critic": [3.0, 2.0, 1.0], "generator": [0.0, -1.0, -2.0]})
    first, second = ax.lines
    assert first.get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    assert second.get_xydata().tolist() == [[1, 0], [2, -1], [3, -2]]
    assert first.get_linestyle() != second.get_linestyle()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["critic", "generator"]
    assert ax.get_xlabel() == "epoch" and ax.get_ylabel() == "mean loss"
