"""Pictures of the chapter *Pull-back metrics*: a globe, Tissot's ellipses, errors against N."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from torch import Tensor

from geomlib.riemann import Metric
from geomlib.teaching.figures import COLOURS, MARKERS

__all__ = ["errors", "globe", "plane", "tissot"]


def plane(ax: Axes, title: str, x: str, y: str, box: Sequence[float] | None = None) -> None:
    """Equal scales, names of the axes, and the part `(left, right, bottom, top)` that is shown."""
    ax.set(title=title, xlabel=f"${x}$", ylabel=f"${y}$")
    if box is not None:
        ax.set(xlim=box[:2], ylim=box[2:])
    ax.set_aspect("equal")


def globe(
    ax: Axes,
    points: Float[Tensor, "count 3"] | None = None,
    title: str = "",
    circles: Float[Tensor, "circles 3"] | None = None,
    radius: float = 0.1,
    height: float = 0.7,
) -> None:
    """The near half of the unit sphere from a great distance, with parallels and meridians.

    Args:
        points: drawn as dots.
        circles: centres of circles of the given angular `radius`.
        height: of the eye above the equator, in radians.
    """
    right = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    up = torch.tensor([-np.sin(height), 0.0, np.cos(height)], dtype=torch.float64)
    eye = torch.tensor([np.cos(height), 0.0, np.sin(height)], dtype=torch.float64)

    def draw(x: Tensor, **style) -> None:  # (count, 3), the hidden part left out
        near = torch.where((x @ eye > 0)[..., None], x, torch.nan)
        ax.plot(near @ right, near @ up, **style)

    turn = torch.linspace(0, 2 * torch.pi, 181, dtype=torch.float64)
    for degrees in range(15, 180, 15):
        draw(_sphere(torch.full_like(turn, np.deg2rad(degrees)), turn), color="0.8", linewidth=0.7)
        draw(_sphere(turn, torch.full_like(turn, np.deg2rad(degrees))), color="0.8", linewidth=0.7)
    ax.plot(turn.cos(), turn.sin(), color="0.5", linewidth=1)
    if points is not None:
        draw(points, marker=".", markersize=3, color=COLOURS[0], ls="")
    if circles is not None:
        for centre in circles:
            frame = torch.linalg.svd(centre[None]).Vh[1:]
            ring = turn[:, None].cos() * frame[0] + turn[:, None].sin() * frame[1]
            draw(np.cos(radius) * centre + np.sin(radius) * ring, color=COLOURS[5], linewidth=1.4)
    ax.set(title=title, xticks=[], yticks=[], xlim=(-1.08, 1.08), ylim=(-1.08, 1.08))
    ax.spines[:].set_visible(False)
    ax.set_aspect("equal")


def _sphere(theta: Tensor, phi: Tensor) -> Tensor:
    return torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], dim=-1)


def tissot(
    ax: Axes,
    metric: Metric,
    codes: Float[Tensor, "count 2"],
    radius: float,
    flip: bool = False,
    colour: str = COLOURS[5],
) -> None:
    r"""At each code the ellipse $v^\top G v = r^2$, whose push-forward is a circle of radius $r$.

    Args:
        flip: the second coordinate runs across and the first one up.
    """
    order = [1, 0] if flip else [0, 1]
    matrix = metric.matrix(codes)[:, order][:, :, order]
    stretch, axes = torch.linalg.eigh(matrix)  # squared
    diameters = 2 * radius / stretch.sqrt()
    angle = torch.rad2deg(torch.atan2(axes[:, 1, 0], axes[:, 0, 0]))
    ellipses = EllipseCollection(
        diameters[:, 0].tolist(),
        diameters[:, 1].tolist(),
        angle.tolist(),
        units="xy",
        offsets=codes[:, order].numpy(),
        offset_transform=ax.transData,
        facecolors="none",
        edgecolors=colour,
        linewidths=1.4,
        zorder=3,
    )
    ax.add_collection(ellipses)
    ax.plot(*codes[:, order].T, ".", color=colour, markersize=2)


def errors(
    ax: Axes,
    counts: Sequence[int],
    rows: Mapping[str, Sequence[float]],
    orders: Mapping[int, float],
) -> None:
    r"""Errors against $N$ on two logarithmic axes, and for each order $k$ a line $N^{-k}$.

    Args:
        orders: $k$, and where its line starts.
    """
    for order, start in orders.items():
        line = [start * (counts[0] / count) ** order for count in counts]
        ax.plot(counts, line, color="0.45", linewidth=1, linestyle=":")
        ax.annotate(f"$N^{{-{order}}}$", (counts[-1], line[-1]), color="0.3", fontsize=10)
    for row, (label, values) in enumerate(rows.items()):
        ax.plot(counts, values, marker=MARKERS[row], color=COLOURS[row], markersize=5, label=label)
    ax.set(xscale="log", yscale="log", xlabel="$N$", ylabel="error")
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.legend(fontsize=9)
