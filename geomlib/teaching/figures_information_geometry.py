"""Pictures of the chapter *Pulling back Fisher-Rao*: densities, half-plane, simplex and sphere."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor
from torch import distributions as dist

from geomlib.teaching.figures import COLOURS

__all__ = ["CORNERS", "bars", "densities", "octant", "triangle"]

# of the triangle of probabilities in its own plane, one row an outcome, sides √2 long
CORNERS = 2**0.5 * torch.tensor(
    [[-0.5, -(12**-0.5)], [0.5, -(12**-0.5)], [0.0, 3**-0.5]], dtype=torch.float64
)


def densities(
    ax: Axes,
    parameters: Float[Tensor, "count 2"],
    colour: str,
    title: str,
    box: tuple[float, float] = (-4.0, 4.0),
) -> None:
    r"""Normal densities for rows $(\mu, \sigma)$, from thin and pale to thick and dark."""
    x = torch.linspace(*box, 800, dtype=torch.float64)
    for row, (mean, std) in enumerate(parameters):
        share = row / max(1, len(parameters) - 1)
        density = dist.Normal(mean, std).log_prob(x).exp()
        ax.plot(x, density, color=colour, alpha=0.35 + 0.65 * share, linewidth=1 + share)
    ax.set(title=title, xlabel="$x$", ylabel="density", ylim=(0, None))


def triangle(ax: Axes, title: str) -> None:
    """The probabilities of three outcomes: an empty triangle with named corners."""
    rim = torch.cat([CORNERS, CORNERS[:1]])
    ax.plot(*rim.T, color="0.4", linewidth=1)
    for outcome, corner in enumerate(CORNERS):
        x, y = (1.12 * corner).tolist()
        ax.text(x, y, f"$p_{outcome + 1} = 1$", ha="center", va="center", fontsize=10)
    _bare(ax, title)
    ax.set(xlim=(-0.95, 0.95), ylim=(-0.55, 1.05))


def octant(
    ax: Axes,
    title: str,
    circles: Float[Tensor, "count 3"],
    radius: float,
    colour: str = COLOURS[5],
) -> None:
    r"""The part of the sphere $|x| = 2$ with positive coordinates, seen along its diagonal.

    Args:
        circles: centres on that sphere of geodesic circles of the given `radius`.
    """
    quarter = torch.linspace(0, torch.pi / 2, 61, dtype=torch.float64)
    arc = 2 * torch.stack([quarter.cos(), quarter.sin(), torch.zeros_like(quarter)], dim=1)
    for turn in range(3):
        ax.plot(*flat(arc.roll(turn, 1)).T, color="0.4", linewidth=1)
        for height in (0.5, 1.0, 1.5):
            across = (4 - height**2) ** 0.5 / 2
            ring = torch.stack([across * arc[:, 0], across * arc[:, 1], 0 * quarter + height], 1)
            ax.plot(*flat(ring.roll(turn, 1)).T, color="0.85", linewidth=0.7)
    around = torch.linspace(0, 2 * torch.pi, 73, dtype=torch.float64)[:, None]
    for centre in circles / 2:
        frame = torch.linalg.svd(centre[None]).Vh[1:]
        ring = around.cos() * frame[0] + around.sin() * frame[1]
        angle = torch.tensor(radius / 2)
        ax.plot(*flat(2 * (angle.cos() * centre + angle.sin() * ring)).T, color=colour, lw=1.4)
    _bare(ax, title)


def flat(x: Float[Tensor, "... 3"]) -> Float[Tensor, "... 2"]:
    """Seen along the diagonal (1, 1, 1), turned like the triangle."""
    return x @ CORNERS


def bars(
    ax: Axes, names: Sequence[str], rows: dict[str, Sequence[Sequence[float]]], title: str
) -> None:
    """For each name and row a bar for the mean over seeds, and a dot for each seed."""
    width = 0.8 / len(rows)
    for number, (label, values) in enumerate(rows.items()):
        where = [place + (number - (len(rows) - 1) / 2) * width for place in range(len(names))]
        heights = [sum(of_seed) / len(of_seed) for of_seed in values]
        hatch = "//" if number else None
        colour = (COLOURS[5], COLOURS[0])[number % 2]
        ax.bar(where, heights, 0.9 * width, color=colour, alpha=0.75, label=label, hatch=hatch)
        for place, of_seed in zip(where, values, strict=True):
            ax.plot([place] * len(of_seed), of_seed, "k.", markersize=4)
    ax.set_xticks(range(len(names)), names)
    ax.set(title=title, ylabel="length")
    ax.legend(fontsize=9)


def _bare(ax: Axes, title: str) -> None:
    ax.set(title=title, xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set_aspect("equal")
