"""Pictures of the chapter on atlases: errors, images of charts, charts of points, paths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from torch import Tensor

from geomlib.models import AtlasModel
from geomlib.teaching.figures import COLOURS, MARKERS
from geomlib.teaching.figures_beyond import VIEW

__all__ = [
    "charts_of",
    "counts",
    "descent",
    "errors_along",
    "images",
    "reaches",
    "route_on_torus",
]


def errors_along(
    ax: Axes, angle: Float[Tensor, " count"], rows: Mapping[str, Float[Tensor, " count"]]
) -> None:
    """Errors against the angle, one line for each model, told apart by its dashes too."""
    for number, (name, errors) in enumerate(rows.items()):
        colour, dashes = COLOURS[(5, 0, 2)[number % 3]], ("-", "--", ":")[number % 3]
        ax.plot(angle, errors, dashes, color=colour, label=name)
    ax.set(xlabel=r"angle $\theta$", ylabel="error", xlim=(0, 2 * np.pi), ylim=(0, None))
    ax.set_xticks([0, np.pi, 2 * np.pi], ["0", "π", "2π"])
    ax.legend()


def images(ax: Axes, model: AtlasModel, x: Float[Tensor, "count 2"], title: str) -> None:
    r"""$D_i(E_i(x))$ where chart i is the most probable one, joined in the order of x."""
    _circle(ax)
    with torch.no_grad():
        chart, code = model.encode(x)
        points = model.decode(chart, code)
    for i in range(model.n_charts):
        there = torch.where((chart == i)[:, None], points, torch.nan)
        ax.plot(*there.T, color=COLOURS[(5, 0, 2)[i % 3]], lw=2.5, ls=("-", "--")[i % 2])
    ax.set_title(title)


def reaches(
    ax: Axes, model: AtlasModel, x: Float[Tensor, "count 2"], tolerance: float, title: str
) -> None:
    """Outside the unit circle, a ring for each chart where it is good to the tolerance."""
    _circle(ax)
    for i, inside in enumerate(model.covers(x, tolerance).T):
        ring = torch.where(inside[:, None], (1.08 + 0.07 * i) * x, torch.nan)
        style = {"color": COLOURS[(0, 5, 2, 8)[i % 4]], "ls": ("-", "--", "-.", ":")[i % 4]}
        ax.plot(*ring.T, lw=2.5, **style)
    ax.set_title(title)


def counts(ax: Axes, table: np.ndarray, title: str) -> None:
    """A table of classes against charts, in shades."""
    ax.imshow(table, cmap="Blues")
    ax.set(xlabel="chart", ylabel="class", title=title, xticks=[], yticks=[])


def charts_of(
    ax: Axes, x: Float[Tensor, "count 3"], chart: Int[Tensor, " count"], title: str
) -> None:
    """The half of the unit sphere that is seen along (1, 1, 1): a colour and marker a chart."""
    seen = x.double() @ VIEW.T
    for i in chart.unique().tolist():
        part = seen[(chart == i) & (seen[:, 2] > 0)]
        style = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        ax.scatter(part[:, 0], part[:, 1], s=14, linewidths=0, **style)
    _circle(ax)
    ax.set_title(title)


def route_on_torus(
    ax: Axes,
    points: Float[Tensor, "nodes 4"],
    charts: Int[Tensor, " nodes"],
    label: str | None = None,
) -> None:
    """A curve of the flat torus in its two angles, a colour and marker for each chart."""
    u, v = (torch.atan2(points[:, k + 1], points[:, k]) for k in (0, 2))
    for i in charts.unique().tolist():
        there = charts == i
        style = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        ax.plot(u[there], v[there], ls="", ms=5, label=f"{label or 'chart'} {i + 1}", **style)
    ends = [0, -1]
    ax.scatter(u[ends], v[ends], s=90, facecolors="none", edgecolors="black", zorder=3)
    ax.set(xlim=(-np.pi, np.pi), ylim=(-np.pi, np.pi), xlabel="$u$", ylabel="$v$")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks([-np.pi, 0, np.pi], ["-π", "0", "π"])
    ax.set_aspect("equal")


def descent(
    ax: Axes, path: Float[Tensor, "steps 2"], goal: Float[Tensor, " 2"], title: str
) -> None:
    """The steps of a descent on the circle, from a square to a disc, and a star at the goal."""
    _circle(ax)
    ax.plot(*path.T, "-", marker=".", color=COLOURS[0], lw=1)
    ax.plot(*path[0], "s", color=COLOURS[5], ms=9, label="start")
    ax.plot(*path[-1], "o", color=COLOURS[0], ms=9, label="end")
    ax.plot(*goal, "*", color=COLOURS[2], ms=14, label="goal")
    ax.set_title(title)


def _circle(ax: Axes) -> None:
    turn = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(turn), np.sin(turn), color="0.6", lw=1, zorder=0)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_aspect("equal")
