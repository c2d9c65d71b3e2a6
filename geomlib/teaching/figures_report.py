"""The figure of a report: six panels on the geometry of one decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from torch import Tensor

from geomlib.teaching import measuring
from geomlib.teaching.figures import COLOURS, CURVES

if TYPE_CHECKING:
    from geomlib.teaching.report import Report

__all__ = ["draw"]

SHOWN_CURVES = 6
SHOWN_CODES = 1500
ROUNDING = 1e-12  # drawn as zero
LAST_FEW = (0.02, 0.98)  # quantiles at which colours end


def draw(report: Report) -> Figure:
    """Magnification, stretches, curvature, lengths, gain and emptiness, two rows of three."""
    figure, axes = plt.subplots(2, 3, figsize=(10.5, 6.4), constrained_layout=True)
    first, second = axes
    if report.magnification_map is None:
        _histogram(first[0], report.magnification, r"magnification $\sqrt{\det G}$")
    else:
        _magnification(figure, first[0], report, report.magnification_map)
    _stretches(first[1], report)
    _curvature(figure, first[2], report)
    _lengths(second[0], report)
    _histogram(second[1], 100 * report.gain, "gain of geodesics (%)", "no pair converged")
    if report.betti is None:
        shares = torch.zeros(0) if report.far is None else 100 * report.far
        _histogram(second[2], shares, "share of a geodesic far from codes (%)", "no geodesics")
    else:
        _emptiness(second[2], report)
    return figure


def _magnification(figure: Figure, ax: Axes, report: Report, values: Tensor) -> None:
    x, y = measuring.grid(report.box, len(values)).cpu().unbind(-1)
    shown = values.cpu().numpy()
    low, high = np.nanquantile(shown, LAST_FEW)
    norm = LogNorm(low, high) if 0 < 4 * low < high else Normalize(low, high)
    image = ax.pcolormesh(x, y, shown, norm=norm, shading="nearest", rasterized=True)
    figure.colorbar(image, ax=ax, shrink=0.85)
    if report.lines is not None and report.geodesics is not None:
        for kind, curves in (("straight", report.lines), ("geodesic", report.geodesics)):
            style = {key: CURVES[kind][key] for key in ("color", "linestyle")}
            for number, nodes in enumerate(curves.points[:SHOWN_CURVES].cpu()):
                ax.plot(*nodes.T, color="white", linewidth=2.6)
                label = kind if number == 0 else None
                ax.plot(*nodes.T, linewidth=1.3, label=label, **style)
        ax.legend(fontsize=8, loc="lower left")
    ax.set(xlim=report.box[:, 0].tolist(), ylim=report.box[:, 1].tolist())
    _plane(ax, r"magnification $\sqrt{\det G}$")


def _stretches(ax: Axes, report: Report) -> None:
    """Each singular value of J at all codes of the sample, in increasing order."""
    values = report.singular_values.cpu()
    place = np.linspace(0, 100, len(values)) if len(values) > 1 else [50.0]
    for i, column in enumerate(values.T):
        dashes = ["-", "--", "-.", ":"][i % 4]
        colour = COLOURS[i % len(COLOURS)]
        label = f"stretch {i + 1}" if i < 4 else None
        ax.plot(place, column.sort().values, dashes, linewidth=2, color=colour, label=label)
    if 0 < 10 * values.min() < values.max():
        ax.set_yscale("log")
    ax.set(title="singular values of $J$", xlabel="codes, in increasing order (%)")
    ax.legend(fontsize=8)


def _curvature(figure: Figure, ax: Axes, report: Report) -> None:
    title = "Gaussian curvature" if report.codes.shape[1] == 2 else "sectional curvature"
    if report.curvature is None or report.codes.shape[1] != 2:
        empty = torch.zeros(0) if report.curvature is None else report.curvature
        _histogram(ax, empty, title, "none: see the report's text")
        return
    values = np.where(report.curvature.abs().cpu() < ROUNDING, 0, report.curvature.cpu())
    low, high = np.quantile(values, LAST_FEW)
    where = report.sample[report.rank == 2].cpu()
    dots = ax.scatter(where[:, 0], where[:, 1], c=values, s=12, cmap="cividis", vmin=low, vmax=high)
    figure.colorbar(dots, ax=ax, shrink=0.85)
    _plane(ax, title)


def _lengths(ax: Axes, report: Report) -> None:
    """Geodesics against straight lines; on the diagonal nothing is gained."""
    ax.set(title="lengths", xlabel="straight line", ylabel="geodesic")
    if report.lines is None or report.geodesics is None:
        _say(ax, "no geodesics")
        return
    with torch.no_grad():
        straight = report.lines.arc_length().cpu()
        geodesic = report.geodesics.arc_length().cpu()
    good = report.geodesics.converged.cpu()
    longest = straight.max().item()
    ax.plot([0, longest], [0, longest], color="0.5", linewidth=1)
    for which, marker, colour, name in (
        (good, "o", COLOURS[0], "converged"), (~good, "X", COLOURS[5], "not converged")
    ):  # fmt: skip
        if which.any():
            ax.plot(straight[which], geodesic[which], marker, color=colour, ms=5, label=name)
    ax.set_aspect("equal")
    ax.legend(fontsize=8)


def _emptiness(ax: Axes, report: Report) -> None:
    """The codes, what is far from them, and the geodesics that cross it."""
    z = measuring.grid(report.box, measuring.FINE_PIXELS)
    distance = measuring.nearest_code(report.codes, z).cpu()
    x, y = z.cpu().unbind(-1)
    ax.contourf(x, y, distance, levels=[report.reach, float("inf")], colors=["0.82"])
    ax.contour(x, y, distance, levels=[report.reach], colors=["0.4"], linewidths=0.8)
    codes = report.codes[:: max(1, len(report.codes) // SHOWN_CODES)].cpu()
    ax.plot(*codes.T, ".", color=COLOURS[0], markersize=2)
    if report.geodesics is not None:
        for nodes in report.geodesics.points[report.in_the_open].cpu():
            ax.plot(*nodes.T, color=COLOURS[5], linewidth=1)
    _plane(ax, "far from all codes (grey)")


def _histogram(ax: Axes, values: Tensor, title: str, otherwise: str = "") -> None:
    ax.set_title(title)
    finite = values[torch.isfinite(values)].cpu().numpy()
    if not len(finite):
        _say(ax, otherwise)
        return
    low, high = finite.min(), finite.max()
    # equal numbers have no width to divide
    around = max(high - low, 1e-3 * max(abs(low), abs(high), 1e-3))
    middle = (low + high) / 2
    ax.hist(finite, bins=20, range=(middle - 0.55 * around, middle + 0.55 * around), alpha=0.85)
    ax.set_ylabel("count")


def _plane(ax: Axes, title: str) -> None:
    ax.set(title=title, xlabel="$z_1$", ylabel="$z_2$")
    ax.set_aspect("equal")


def _say(ax: Axes, text: str) -> None:
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
    ax.set(xticks=[], yticks=[])
