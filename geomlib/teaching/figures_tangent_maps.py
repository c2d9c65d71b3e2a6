"""Pictures of the chapter *Tangent maps*: arrows, bent grids, covectors, signed images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from geomlib.teaching.figures import COLOURS

__all__ = ["arrow", "bent_grid", "covector", "plane", "signed_images"]

KINDS: dict[str, dict] = {
    "velocity": {"color": COLOURS[0], "linestyle": "-"},
    "covector": {"color": COLOURS[5], "linestyle": "-"},
    "wrong": {"color": "#555555", "linestyle": (0, (3, 2))},
    "other": {"color": COLOURS[2], "linestyle": "-"},
}


def plane(ax: Axes, title: str, x: str, y: str, box: Sequence[float]) -> None:
    """Equal scales, names of the axes, and the part `(left, right, bottom, top)` that is shown."""
    ax.set(title=title, xlabel=f"${x}$", ylabel=f"${y}$", xlim=box[:2], ylim=box[2:])
    ax.set_aspect("equal")


def arrow(ax: Axes, p, v, kind: str, label: str | None = None) -> None:
    """The vector `v` at the point `p`, drawn as its kind; `label` enters the legend."""
    p, v = _plain(p), _plain(v)
    style = KINDS[kind]
    ax.annotate(
        "",
        xy=(p[0] + v[0], p[1] + v[1]),
        xytext=(p[0], p[1]),
        arrowprops={"arrowstyle": "-|>", "lw": 2.2, "shrinkA": 0, "shrinkB": 0, **style},
        zorder=4,
    )
    if label is not None:
        ax.plot([], [], lw=2.2, label=label, **style)


def bent_grid(
    ax: Axes,
    f: Callable[[Tensor], Tensor],
    box: Sequence[float],
    lines: int = 9,
) -> None:
    """The images under `f` of straight coordinate lines in the box."""
    left, right, bottom, top = box
    along = torch.linspace(0, 1, 101, dtype=torch.float64)
    for share in torch.linspace(0, 1, lines, dtype=torch.float64):
        upright = torch.stack(
            [(left + share * (right - left)).expand(101), bottom + along * (top - bottom)], dim=-1
        )
        level = torch.stack(
            [left + along * (right - left), (bottom + share * (top - bottom)).expand(101)], dim=-1
        )
        for line in (upright, level):
            ax.plot(*f(line).T, color="0.78", linewidth=0.8, zorder=1)


def covector(
    ax: Axes, p, alpha, spacing: float, label: str | None = None, reach: float = 0.45
) -> None:
    r"""A covector as level lines: the lines $\alpha(w) = k \cdot$ `spacing`, $k = -2, \dots, 2$."""
    p, alpha = torch.as_tensor(_plain(p)), torch.as_tensor(_plain(alpha))
    size = alpha.norm()
    across = alpha / size
    along = torch.stack([-across[1], across[0]])
    for k in range(-2, 3):
        middle = p + k * spacing / size * across
        ends = torch.stack([middle - reach * along, middle + reach * along])
        ax.plot(*ends.T, color="white", linewidth=3.4, zorder=3)
        ax.plot(
            *ends.T,
            color=KINDS["covector"]["color"],
            linewidth=1.6,
            zorder=4,
            label=label if k == 0 else None,
        )
    ax.plot(*p, "o", color="black", markeredgecolor="white", markersize=6, zorder=5)


def signed_images(
    grey: Mapping[str, Float[Tensor, " pixels"]],
    signed: Mapping[str, Float[Tensor, " pixels"]],
    shape: Sequence[int] = (28, 28),
) -> Figure:
    """Images in grey beside changes of images, where blue is darker, red brighter, white zero."""
    figure, axes = plt.subplots(1, len(grey) + len(signed), figsize=(10, 2.6))
    largest = max(change.detach().abs().max().item() for change in signed.values())
    for ax, (name, picture) in zip(axes, {**grey, **signed}.items(), strict=True):
        image = picture.detach().reshape(*shape)
        if name in grey:
            ax.imshow(image.clamp(0, 1), cmap="gray", vmin=0, vmax=1)
        else:
            drawn = ax.imshow(image, cmap="RdBu_r", vmin=-largest, vmax=largest)
        ax.set(xticks=[], yticks=[], title=name)
        ax.spines[:].set_visible(True)
    figure.colorbar(drawn, ax=axes, shrink=0.8, label="change of grey value")
    return figure


def _plain(values) -> list[float]:
    return [float(value) for value in values]
