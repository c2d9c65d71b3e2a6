"""Pictures of the chapter *Tangent spaces along a diffusion*: lines of directions, spectra."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from geomlib.teaching.figures import COLOURS, MARKERS

__all__ = ["against_noise", "circle", "directions", "flowed", "spectra"]


def circle(ax: Axes, title: str, limit: float = 1.7) -> None:
    """The unit circle on bare axes."""
    angle = torch.linspace(0, 2 * torch.pi, 201)
    ax.plot(angle.cos(), angle.sin(), color="0.6", linewidth=1.2, zorder=1)
    ax.set(title=title, xticks=[], yticks=[], xlim=(-limit, limit), ylim=(-limit, limit))
    ax.spines[:].set_visible(False)
    ax.set_aspect("equal")


def directions(
    ax: Axes,
    x: Float[Tensor, "count 2"],
    v: Float[Tensor, "count 2"],
    colour: str = COLOURS[0],
    size: float = 0.16,
) -> None:
    """At each point a short line along v: a direction without a sign."""
    for start, end in zip(x - size * v, x + size * v, strict=True):
        ax.plot(*torch.stack([start, end]).T, color=colour, linewidth=2.2, solid_capstyle="round")
    ax.plot(*x.T, ".", color="black", markersize=4)


def against_noise(
    ax: Axes,
    sigma: Float[Tensor, " levels"],
    rows: Mapping[str, Float[Tensor, "seeds levels"]],
    ylabel: str,
) -> None:
    """One line a row for the mean over seeds, a pale one for each seed, against the noise."""
    for number, (label, values) in enumerate(rows.items()):
        colour = COLOURS[(0, 5, 2, 3)[number % 4]]
        dashes = ["-", "--", "-.", ":"][number % 4]
        if len(values) > 1:
            ax.plot(sigma, values.T, color=colour, linewidth=0.8, alpha=0.5)
        marker = MARKERS[number] if len(sigma) < 20 else None
        ax.plot(sigma, values.mean(0), dashes, color=colour, marker=marker, label=label)
    ax.set(xscale="log", xlabel=r"noise $\sigma$", ylabel=ylabel)
    ax.legend(fontsize=9)


def spectra(ax: Axes, rows: Mapping[str, Float[Tensor, " count"]], title: str) -> None:
    """Singular values against their number, one line for each row."""
    for number, (label, values) in enumerate(rows.items()):
        colour, marker = COLOURS[(0, 5, 2, 3, 1)[number % 5]], MARKERS[number]
        steps = torch.arange(1, len(values) + 1)
        ax.plot(steps, values, color=colour, marker=marker, markersize=4, label=label)
    ax.set(xlabel="number of the singular value", ylabel="singular value", title=title)
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=9)


def flowed(ax: Axes, line: Float[Tensor, "count 2"], title: str, limit: float) -> None:
    """A curve of points, coloured from one end to the other, beside the unit circle."""
    circle(ax, title, limit)
    along = torch.linspace(0, 1, len(line))
    ax.plot(*line.T, color="0.75", linewidth=1, zorder=2)
    ax.scatter(line[:, 0], line[:, 1], c=along, cmap="cividis", s=12, zorder=3)
