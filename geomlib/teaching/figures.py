"""One look for all figures, and the few pictures that several chapters draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import torch
from cycler import cycler
from jaxtyping import Float, Int
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from torch import Tensor

from geomlib.riemann import Curve, Metric

__all__ = [
    "CURVES",
    "curve",
    "image_strips",
    "latent_map",
    "scatter_classes",
    "use_style",
]

# Ten classes that stay apart without colour vision: colours of Okabe and Ito, and markers.
COLOURS = [
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#999999",
    "#332288",
    "#882255",
]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", ">", "*"]

CURVES: dict[str, dict] = {
    "straight": {"color": "#D55E00", "linestyle": "--", "marker": "s"},
    "geodesic": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "other": {"color": "#009E73", "linestyle": "-.", "marker": "^"},
}


def use_style() -> None:
    """Set the look of all figures that follow: readable sizes, a white ground, few lines."""
    mpl.rcParams.update(
        {
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=COLOURS),
            "legend.frameon": True,
            "legend.framealpha": 0.9,
            "image.cmap": "viridis",
            "svg.hashsalt": "geomlib",
        }
    )


def scatter_classes(
    ax: Axes, codes: Float[Tensor, "count 2"], labels: Int[Tensor, " count"], size: float = 10
) -> None:
    """Codes as points, one colour and one marker a class, with a legend beside the axes."""
    for label in labels.unique().tolist():
        of_class = codes[labels == label]
        ax.scatter(
            of_class[:, 0],
            of_class[:, 1],
            s=size,
            color=COLOURS[label % len(COLOURS)],
            marker=MARKERS[label % len(MARKERS)],
            linewidths=0.2,
            edgecolors="black",
            label=str(label),
        )
    ax.legend(
        title="class", loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9, markerscale=1.6
    )
    _name_axes(ax)


def latent_map(
    ax: Axes,
    metric: Metric,
    codes: Float[Tensor, "count 2"],
    margin: float = 0.6,
    pixels: int = 120,
    show_codes: bool = True,
) -> None:
    r"""The magnification factor $\sqrt{\det G}$ around the codes, in colours on a log scale."""
    low, high = codes.min(0).values - margin, codes.max(0).values + margin
    x, y = (
        torch.linspace(low[i].item(), high[i].item(), pixels, dtype=codes.dtype) for i in (0, 1)
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)  # (pixels, pixels, 2)
    with torch.no_grad():
        volume = metric.volume(grid).numpy()
    shown = np.clip(volume, np.quantile(volume, 0.02), np.quantile(volume, 0.998))
    image = ax.pcolormesh(x, y, shown, norm=LogNorm(), shading="gouraud", rasterized=True)
    ax.figure.colorbar(image, ax=ax, label=r"$\sqrt{\det G}$", shrink=0.85)
    if show_codes:
        ax.scatter(codes[:, 0], codes[:, 1], s=1.5, color="white", alpha=0.35, linewidths=0)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    _name_axes(ax)


def curve(ax: Axes, path: Curve, kind: str, label: str, marks: int = 0) -> None:
    """A curve in the latent plane, drawn as its kind in `CURVES`, with marks at equal times."""
    style = CURVES[kind]
    points = path.points.detach()
    ax.plot(*points.T, color="white", linewidth=3.6, solid_capstyle="round")
    every = max(1, path.segments // marks) if marks else None
    ax.plot(*points.T, linewidth=2, markevery=every, markersize=5, label=label, **style)
    if not marks:
        ax.lines[-1].set_marker("")


def image_strips(
    rows: Mapping[str, Float[Tensor, "count pixels"]], shape: Sequence[int] = (28, 28)
) -> None:
    """Rows of images under one another, each with its name at the left."""
    count = max(len(images) for images in rows.values())
    _, axes = plt.subplots(len(rows), 1, figsize=(9, 9 / count * len(rows) + 0.1), squeeze=False)
    for ax, (name, images) in zip(axes[:, 0], rows.items(), strict=True):
        picture = torch.cat(list(images.detach().reshape(len(images), *shape)), dim=1)
        ax.imshow(picture.clamp(0, 1), cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.spines[:].set_visible(False)


def _name_axes(ax: Axes) -> None:
    ax.set(xlabel="$z_1$", ylabel="$z_2$")
    ax.set_aspect("equal")
