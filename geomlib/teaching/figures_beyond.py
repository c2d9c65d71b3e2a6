"""Pictures of the chapter *Beyond one decoder*: a globe, numbers of several seeds, densities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from geomlib.teaching.figures import COLOURS, MARKERS

__all__ = ["globe", "histogram", "seeds", "slopes"]

# The eye looks along (1, 1, 1): rows right, up, towards the eye.
VIEW = torch.tensor(
    [[-(2**-0.5), 2**-0.5, 0], [-(6**-0.5), -(6**-0.5), 2 * 6**-0.5], [3**-0.5] * 3],
    dtype=torch.float64,
)


def globe(ax: Axes, points: Float[Tensor, "count 3"], colour: str, title: str) -> None:
    """The unit sphere seen along (1, 1, 1), and points: pale ones lie behind it or inside."""
    turn = torch.linspace(0, 2 * torch.pi, 181, dtype=torch.float64)
    ax.plot(turn.cos(), turn.sin(), color="0.4", linewidth=1)
    for angle in torch.linspace(-60, 60, 5, dtype=torch.float64).deg2rad():
        circle = torch.stack(
            [angle.cos() * turn.cos(), angle.cos() * turn.sin(), angle.sin().expand_as(turn)], dim=1
        )
        _front(ax, circle)
    for angle in torch.linspace(0, 150, 6, dtype=torch.float64).deg2rad():
        side = torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)])
        up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
        _front(ax, turn.cos()[:, None] * side + turn.sin()[:, None] * up)
    seen = points.double() @ VIEW.T
    front = seen[:, 2] > 0
    for half, alpha in ((seen[~front], 0.12), (seen[front], 0.6)):
        ax.scatter(half[:, 0], half[:, 1], s=5, color=colour, alpha=alpha, linewidths=0)
    ax.set(title=title, xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_aspect("equal")


def histogram(ax: Axes, rows: Mapping[str, Float[Tensor, " count"]], xlabel: str) -> None:
    """Outlines of histograms over common bins, told apart by their dashes too."""
    low = min(values.min().item() for values in rows.values())
    high = max(values.max().item() for values in rows.values())
    for number, (label, values) in enumerate(rows.items()):
        colour, dashes = COLOURS[(5, 2, 0)[number % 3]], ("-", "--", ":")[number % 3]
        ax.hist(
            values.numpy(), bins=60, range=(low, high), histtype="step", linewidth=1.8,
            label=label, color=colour, linestyle=dashes,
        )  # fmt: skip
    ax.set(xlabel=xlabel, ylabel="how many")
    ax.legend(fontsize=9)


def seeds(
    ax: Axes, names: Sequence[str], rows: Mapping[str, Sequence[Sequence[float]]], ylabel: str
) -> None:
    """For each name and row one mark for every value, and a line at their mean."""
    for number, (label, values) in enumerate(rows.items()):
        shift = 0.22 * (number - (len(rows) - 1) / 2)
        colour = COLOURS[(5, 0, 2)[number % 3]]
        for place, each in enumerate(values):
            ax.plot(
                [place + shift] * len(each), each, MARKERS[number], color=colour, markersize=6,
                label=label if place == 0 else None,
            )  # fmt: skip
            mean = sum(each) / len(each)
            ax.plot([place + shift - 0.09, place + shift + 0.09], [mean] * 2, color=colour, lw=2)
    ax.set_xticks(range(len(names)), names)
    ax.set(ylabel=ylabel, xlim=(-0.6, len(names) - 0.4))
    ax.legend(fontsize=9)


def slopes(
    ax: Axes,
    x: Float[Tensor, "count 2"],
    stretch: Float[Tensor, " count"],
    title: str,
    limit: float = 1.6,
) -> None:
    """Samples of a flow in the plane, coloured by how far the flow stretches space there."""
    order = stretch.argsort()  # the most stretched on top
    across, up = x[order].unbind(-1)
    shade = stretch[order].log10()
    image = ax.scatter(across, up, s=4, c=shade, cmap="viridis", vmin=-1.2, vmax=2)
    ax.figure.colorbar(image, ax=ax, label=r"$\log_{10}$ of the largest stretch", shrink=0.85)
    ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$", xlim=(-limit, limit), ylim=(-limit, limit))
    ax.set_aspect("equal")


def _front(ax: Axes, circle: Float[Tensor, "count 3"]) -> None:
    seen = circle @ VIEW.T
    hidden = seen[:, 2] < 0
    seen[hidden] = torch.nan
    ax.plot(*seen[:, :2].T, color="0.85", linewidth=0.7)
