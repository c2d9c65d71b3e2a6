"""The exercise of the comparison of atlas models: what purity measures."""

from typing import Any

import torch

from geomlib.teaching.checks import compare, exercise, numbers

__all__ = ["purity"]


@exercise("atlas-comparison-a")
def purity(answer: Any) -> str:
    r"""$(6 + 4)/15$ for the table, and 1 with a chart for every sample."""
    value = numbers(answer, 2, "Give two numbers, each a share between 0 and 1.")
    mistakes = {
        "You averaged the purities of the two charts. They hold 10 and 5 samples: count samples.": (
            0.7,
            1.0,
        ),
        "You took the largest entry of each row: the commonest chart of each class. Purity asks "
        "for the commonest class of each chart.": (14 / 15, 1.0),
        "You took the largest entry of each row, here and with one chart for each sample. Purity "
        "asks for the commonest class of each chart: look down the columns.": (14 / 15, 3 / 15),
        "You give per cent; give shares between 0 and 1.": (200 / 3, 100.0),
        "The first is right. With one sample in each chart, the commonest class of a chart is "
        "that of its only sample.": (2 / 3, 1 / 15),
        "You gave counts; divide by the number of samples.": (10.0, 15.0),
        "The two numbers are the other way round.": (1.0, 2 / 3),
    }
    right = torch.tensor([2 / 3, 1.0], dtype=torch.float64)
    if torch.allclose(value, right, rtol=1e-2):  # two digits will do
        value = right
    compare(
        value,
        right,
        {text: torch.tensor(pair, dtype=torch.float64) for text, pair in mistakes.items()},
    )
    return "Purity rises with the number of charts alone, which is why the Rand index stands by it."
