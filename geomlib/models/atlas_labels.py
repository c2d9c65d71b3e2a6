"""Known classes against the charts of an atlas: do the charts find them?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from torch import Tensor

from geomlib.models.validation import check_counted

__all__ = ["LabelsAgainstCharts", "labels_against_charts"]


@dataclass(frozen=True, eq=False)
class LabelsAgainstCharts:
    """A table of known classes against the charts of an atlas.

    Attributes:
        table: how many points of each class (row) lie in each chart (column).
        classes, charts: what the rows and columns stand for.
        purity: the part of the points whose class is the most frequent one in their chart.
        adjusted_rand: the Rand index, 1 if the partitions agree, about 0 by chance.
        mutual_information: normalised, between 0 (independent) and 1 (each determines the other).
        outside: how many points lie in no chart, and are left out.
    """

    table: np.ndarray
    classes: tuple[int, ...]
    charts: tuple[int, ...]
    purity: float
    adjusted_rand: float
    mutual_information: float
    outside: int

    def __repr__(self) -> str:
        text = (
            f"LabelsAgainstCharts: purity {self.purity:.3f}, Rand index {self.adjusted_rand:.3f} "
            f"(adjusted), mutual information {self.mutual_information:.3f}"
        )
        return text + f"; {self.outside} points lie in no chart" * bool(self.outside)


def labels_against_charts(
    labels: Int[Tensor, " count"], charts: Int[Tensor, " count"]
) -> LabelsAgainstCharts:
    r"""Whether charts are classes: $\text{purity} = \tfrac1N \sum_i \max_c |\{c\} \cap U_i|$.

    Purity rises with the number of charts by itself; the Rand index is corrected for chance.

    Args:
        labels: known classes.
        charts: the chart of each point, as `AtlasModel.encode` gives it; -1 for none.

    Raises:
        ValueError: if the shapes differ, the numbers are not whole, or no point lies in a chart.

    Source: Hubert and Arabie, *Comparing partitions*, Journal of Classification 2 (1985).

    >>> import torch
    >>> labels_against_charts(torch.tensor([0, 0, 1, 1]), torch.tensor([2, 2, 0, 5]))
    LabelsAgainstCharts: purity 1.000, Rand index 0.571 (adjusted), mutual information 0.800
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    for name, numbers in (("labels", labels), ("charts", charts)):
        check_counted(numbers, name)
    if labels.shape != charts.shape or labels.ndim != 1:
        raise ValueError(
            f"labels have shape {tuple(labels.shape)} and charts {tuple(charts.shape)}, but there "
            "is one of each for every point: (count,)"
        )
    inside = charts >= 0
    if not inside.any():
        raise ValueError("no point lies in a chart: there is nothing to compare")
    known, given = labels[inside].cpu().numpy(), charts[inside].cpu().numpy()
    classes, row = np.unique(known, return_inverse=True)
    which, column = np.unique(given, return_inverse=True)
    table = np.zeros((len(classes), len(which)), dtype=int)
    np.add.at(table, (row, column), 1)
    return LabelsAgainstCharts(
        table=table,
        classes=tuple(classes.tolist()),
        charts=tuple(which.tolist()),
        purity=float(table.max(0).sum() / table.sum()),
        adjusted_rand=float(adjusted_rand_score(known, given)),
        mutual_information=float(normalized_mutual_info_score(known, given)),
        outside=int((~inside).sum()),
    )
