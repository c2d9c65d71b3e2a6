"""Pictures of the chapter *Charts and atlases*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from geomlib.teaching.figures import COLOURS, plt

__all__ = ["antipodal_errors", "between_samples", "cut_open", "decoded_circle", "stereographic"]

NORTH, SOUTH = COLOURS[0], COLOURS[5]  # blue and vermilion


def cut_open(
    points: Float[Tensor, "count 2"],
    codes: Float[Tensor, " count"],
    pair: Sequence[int],
) -> None:
    """Points of the circle and their codes on a line, in one colour scale, a pair marked."""
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), gridspec_kw={"width_ratios": [1, 2]})
    marked = {"facecolors": "none", "edgecolors": "black", "linewidths": 1.8, "s": 150}
    left.scatter(*points.T, c=codes, cmap="viridis", s=32)
    left.scatter(*points[list(pair)].T, **marked)
    left.set(aspect="equal", xlabel="$x$", ylabel="$y$", title="the circle")
    right.scatter(codes, torch.zeros_like(codes), c=codes, cmap="viridis", s=32)
    right.scatter(codes[list(pair)], torch.zeros(len(pair)), **marked)
    low, high = codes[list(pair)].min(), codes[list(pair)].max()
    right.annotate("", (low, 0.35), (high, 0.35), arrowprops={"arrowstyle": "<->", "color": "0.3"})
    right.text(0, 0.42, f"{high - low:.2f}", ha="center")
    right.set(ylim=(-0.6, 0.8), yticks=[], xlabel=r"code $\theta$", title="one chart")
    right.spines["left"].set_visible(False)


def stereographic(ax: Axes, angle: float) -> None:
    """A point of the circle, projected from both poles onto the horizontal axis."""
    turn = torch.linspace(0, 2 * torch.pi, 200)
    ax.plot(turn.cos(), turn.sin(), color="0.35", linewidth=1.5)
    ax.axhline(0, color="0.6", linewidth=1)
    x, y = torch.tensor(angle).cos().item(), torch.tensor(angle).sin().item()
    for name, pole, colour, style in (("u", 1, NORTH, "-"), ("w", -1, SOUTH, "--")):
        coordinate = x / (1 - pole * y)
        far = (coordinate, 0) if abs(coordinate) > abs(x) else (x, y)
        ax.plot([0, far[0]], [pole, far[1]], style, color=colour, linewidth=1.8)
        ax.plot(coordinate, 0, "o" if pole > 0 else "s", color=colour, markersize=9)
        ax.annotate(
            f"${name} = {coordinate:.2f}$",
            (coordinate, 0),
            (coordinate, -0.24) if pole > 0 else (coordinate - 0.1, 0.12),
            color=colour,
            ha="center" if pole > 0 else "right",
        )
        ax.plot(0, pole, "o", color="white", markeredgecolor=colour, markersize=9)
        ax.text(0.08 * pole, 1.14 * pole, "N" if pole > 0 else "S", ha="center", va="center")
    ax.plot(x, y, "D", color="black", markersize=8)
    ax.text(x + 0.08, y + 0.08, "$p$")
    ax.set(aspect="equal", xlim=(-1.6, 3.4), ylim=(-1.4, 1.4), xlabel="$x$", ylabel="$y$")


def between_samples(
    samples: Float[Tensor, "count 2"], decoded: Mapping[str, Float[Tensor, "steps 2"]]
) -> None:
    """What decoders draw between the samples that all of them rebuild."""
    _, axes = plt.subplots(1, len(decoded), figsize=(2.9 * len(decoded), 3.0))
    for ax, (name, curve) in zip(axes, decoded.items(), strict=True):
        ax.plot(*curve.T, color=COLOURS[1], linewidth=1.1)
        ax.scatter(*samples.T, s=26, color=COLOURS[0], zorder=3)
        ax.set(aspect="equal", title=name, xlabel="$x$", ylabel="$y$")


def decoded_circle(
    points: Float[Tensor, "count 2"],
    rebuilt: Float[Tensor, "count 2"],
    pair: Float[Tensor, "2 2"],
    pair_rebuilt: Float[Tensor, "2 2"],
) -> None:
    """The circle and what comes back, whole; and the pair that shares one code."""
    figure, ax = plt.subplots(figsize=(4.8, 4.8))
    ax.plot(*points.T, color="0.75", linewidth=5, label="circle")
    ax.plot(*rebuilt.T, color=COLOURS[0], linewidth=1.6, label="decoder after encoder")
    for start, end in zip(pair, pair_rebuilt, strict=True):
        ax.plot(*torch.stack([start, end]).T, "--", color=COLOURS[5], linewidth=1.4)
    ax.plot(*pair.T, "D", color=COLOURS[5], markersize=8, label="one code, two points")
    ax.set(aspect="equal", xlabel="$x$", ylabel="$y$")
    figure.legend(loc="outside upper center", ncols=2, fontsize=9)


def antipodal_errors(
    angle: Float[Tensor, " count"], errors: Sequence[Float[Tensor, " count"]]
) -> None:
    """Error over the angle for each seed, with the bound that no continuous encoder escapes."""
    _, ax = plt.subplots(figsize=(8, 3.4))
    for seed, (error, style) in enumerate(zip(errors, ("-", "--", "-.", ":"), strict=False)):
        ax.plot(angle, error, style, color=COLOURS[seed], linewidth=1.8, label=f"seed {seed}")
    ax.axhline(1, color="0.4", linewidth=1)
    ax.text(angle[-1].item(), 1.03, "bound", ha="right", color="0.3")
    ax.set(xlabel="angle of the point", ylabel="error", xlim=(angle[0], angle[-1]))
    ax.legend(ncols=len(errors), loc="upper center", bbox_to_anchor=(0.5, 1.2), fontsize=9)
