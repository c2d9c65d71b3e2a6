"""Pictures of the chapter *Geodesics, transport, curvature*: surfaces in space, seen from afar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, sin

import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from torch import Tensor

from geomlib.teaching.figures import CURVES

__all__ = ["Seen"]


class Seen:
    r"""A surface $f: \mathbb{R}^2 \to \mathbb{R}^3$ drawn by parallel projection on `ax`.

    What the surface turns away from the eye is drawn paler. It is decided by the normal alone, so
    one part of a surface does not hide another.

    Args:
        ax: where to draw.
        f: the surface, `(..., 2)` to `(..., 3)`.
        low, high: corners of the part of the chart whose coordinate lines are drawn.
        azimuth, elevation: of the eye, in radians.
        outward: 1 if $\partial_1 f \times \partial_2 f$ points outward, -1 if inward.
    """

    def __init__(
        self,
        ax: Axes,
        f: Callable[[Tensor], Tensor],
        low: Sequence[float],
        high: Sequence[float],
        azimuth: float = 0.5,
        elevation: float = 0.5,
        outward: int = 1,
    ):
        self.ax, self.f, self.outward = ax, f, outward
        a, e = azimuth, elevation
        self.eye = torch.tensor([cos(a) * cos(e), sin(a) * cos(e), sin(e)], dtype=torch.float64)
        self.screen = torch.tensor(
            [[-sin(a), cos(a), 0], [-cos(a) * sin(e), -sin(a) * sin(e), cos(e)]],
            dtype=torch.float64,
        )
        ax.set_aspect("equal")
        ax.set_axis_off()
        for axis in (0, 1):
            fixed = torch.linspace(low[axis], high[axis], 13, dtype=torch.float64)
            moving = torch.linspace(low[1 - axis], high[1 - axis], 121, dtype=torch.float64)
            for value in fixed:
                pair = [value.expand(121), moving] if axis == 0 else [moving, value.expand(121)]
                self._draw(torch.stack(pair, -1), color="0.72", linewidth=0.7, zorder=1)

    def curve(
        self, points: Float[Tensor, "count 2"], kind: str = "geodesic", label: str | None = None
    ) -> None:
        """A curve of the chart, drawn as its kind in `geomlib.teaching.figures.CURVES`."""
        style = {key: CURVES[kind][key] for key in ("color", "linestyle")}
        self._draw(points, linewidth=2.2, zorder=3, **style)
        if label is not None:
            self.ax.plot([], [], linewidth=2.2, label=label, **style)

    def dot(self, z: Float[Tensor, " 2"], text: str = "") -> None:
        """A point, with its name beside it."""
        x, y = (self.screen @ self.f(z)).tolist()
        self.ax.plot(x, y, "o", color="black", markeredgecolor="white", markersize=7, zorder=5)
        self.ax.annotate(text, (x, y), xytext=(7, 6), textcoords="offset points", zorder=6)

    def _draw(self, points: Tensor, **style) -> None:
        places, front = self.f(points) @ self.screen.T, self._faces(points)
        for seen, alpha in ((front, 1.0), (~front, 0.3)):
            shown = places.masked_fill(~seen[:, None], torch.nan)
            self.ax.plot(*shown.T, alpha=alpha, **style)

    def _faces(self, points: Tensor) -> Bool[Tensor, " count"]:
        jacobian = torch.func.vmap(torch.func.jacfwd(self.f))(points)  # (count, 3, 2)
        normal = torch.linalg.cross(jacobian[..., 0], jacobian[..., 1])
        return self.outward * (normal @ self.eye) >= -1e-9
