"""Pictures of the chapter *Three kinds of models*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor, nn

from geomlib.teaching.figures import COLOURS, plt

__all__ = ["error_curves", "judged", "slopes", "tiles", "torn"]

BLUE, ORANGE, GREEN = COLOURS[0], COLOURS[5], COLOURS[2]
KINDS = [(BLUE, "o", "-"), (GREEN, "^", ":"), (ORANGE, "s", "--")]


def error_curves(
    ax: Axes, counts: Sequence[int], errors: Mapping[str, Float[Tensor, "counts seeds"]]
) -> None:
    """The mean error over seeds against the number of samples, and a mark for every seed."""
    for (colour, marker, dashes), (name, values) in zip(KINDS, errors.items(), strict=False):
        ax.plot(counts, values.mean(1), dashes, color=colour, linewidth=2)
        for seed in range(values.shape[1]):
            ax.plot(counts, values[:, seed], marker, color=colour, markersize=5, alpha=0.7)
        ax.plot([], [], dashes, marker=marker, color=colour, linewidth=2, label=name)
    ax.set(xscale="log", xlabel="training digits $N$", ylabel="mean squared error, new digits")
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.set_ylim(bottom=0)
    ax.legend()


def slopes(ax: Axes, thetas: Sequence[float], values: Float[Tensor, "thetas seeds losses"]) -> None:
    r"""Slopes of three losses of the generator against $\theta$, a mark for every seed."""
    names = [r"$\log(1 - D)$, the game", "critic of WGAN-GP", r"$-\log D$, in use"]
    for (colour, marker, dashes), name, loss in zip(KINDS, names, (0, 2, 1), strict=True):
        ax.plot(thetas, values[..., loss].mean(1), dashes, color=colour, linewidth=2)
        for seed in range(values.shape[1]):
            ax.plot(thetas, values[:, seed, loss], marker, color=colour, markersize=5, alpha=0.7)
        ax.plot([], [], dashes, marker=marker, color=colour, linewidth=2, label=name)
    ax.set(yscale="log", xlabel=r"$\theta$", ylabel=r"slope of the loss in $\theta$")
    ax.legend(loc="center right")


@torch.no_grad()
def judged(
    ax: Axes,
    title: str,
    judge: nn.Module,
    data: Float[Tensor, "count 2"],
    samples: Float[Tensor, "many 2"],
) -> None:
    """Data and samples in the plane, over the level lines of a discriminator or a critic."""
    line = torch.linspace(-1.6, 1.6, 121)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)  # (121, 121, 2)
    ax.contour(line, line, judge(grid)[..., 0], levels=14, linewidths=0.9, cmap="viridis")
    ax.plot(*data.T, "o", color="black", markersize=2.2, alpha=0.6, label="data")
    ax.plot(*samples.T, "s", color=ORANGE, markersize=1.8, alpha=0.7, label="generated")
    ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    ax.legend(loc="center", markerscale=3, fontsize=9)


def torn(
    ax: Axes, circle: Float[Tensor, "count 2"], reconstruction: Float[Tensor, "count 2"]
) -> None:
    """Points of a circle, their reconstructions, and a line from the worst point to its own."""
    ax.plot(*circle.T, color="black", linewidth=1.2)
    ax.plot(*reconstruction.T, color=ORANGE, linewidth=0.8, alpha=0.6)
    ax.plot(*reconstruction.T, "s", color=ORANGE, markersize=2.6)
    worst = (reconstruction - circle).norm(dim=1).argmax()
    ax.plot(*torch.stack([circle[worst], reconstruction[worst]]).T, "o:", color=BLUE, markersize=6)
    ax.set(xlabel="$x$", ylabel="$y$", aspect="equal")


def tiles(rows: Mapping[str, Float[Tensor, "count pixels"]], shape: Sequence[int] = (8, 8)) -> None:
    """A few images a row with gaps between them, rows under one another with their names."""
    count = max(len(images) for images in rows.values())
    _, axes = plt.subplots(len(rows), count, figsize=(1.2 * count + 1.8, 1.2 * len(rows)))
    for of_row, (name, images) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(of_row, images.detach(), strict=True):
            ax.imshow(image.reshape(*shape), cmap="gray", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        of_row[0].set_ylabel(name, rotation=0, ha="right", va="center")
