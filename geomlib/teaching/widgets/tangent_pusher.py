"""A point, a velocity and a curve in the plane, and what a map makes of the three."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anywidget
import numpy as np
import traitlets

from geomlib.symbolic import Chart, SmoothMap
from geomlib.teaching.widgets.assets import script, style

__all__ = ["TangentPusher"]


@dataclass(frozen=True)
class _Entry:
    """A map of the figure: its coordinates, its formulas, and the square that shows its source."""

    symbols: tuple[str, str]
    image: tuple[str, str]
    formulas: tuple[str, str]
    window: tuple[float, float, float, float]  # of the first coordinate, then of the second
    point: tuple[float, float]
    velocity: tuple[float, float]


# The browser holds the same maps as functions; a test compares the two.
MAPS = {
    "polar": _Entry(
        ("r", "theta"), ("x", "y"), ("r*cos(theta)", "r*sin(theta)"),
        (0.0, 3.2, -1.6, 1.6), (2.0, 0.5), (0.4, 0.6),
    ),
    "square": _Entry(
        ("x", "y"), ("a", "b"), ("x**2 - y**2", "2*x*y"),
        (-1.6, 1.6, -1.6, 1.6), (0.8, 0.5), (0.5, 0.2),
    ),
    "fold": _Entry(
        ("x", "y"), ("a", "b"), ("x**2", "y"),
        (-1.6, 1.6, -1.6, 1.6), (0.8, 0.3), (0.6, 0.0),
    ),
    "sphere": _Entry(
        ("u", "v"), ("x", "y"), ("2*u/(u**2 + v**2 + 1)", "2*v/(u**2 + v**2 + 1)"),
        (-2.4, 2.4, -2.4, 2.4), (0.6, 0.0), (0.6, 0.0),
    ),
    "shear": _Entry(
        ("x", "y"), ("a", "b"), ("x + y**2/2", "y"),
        (-1.6, 1.6, -1.6, 1.6), (0.0, 1.0), (0.5, 0.5),
    ),
}  # fmt: skip


class TangentPusher(anywidget.AnyWidget):
    r"""Drag a point $p$ and the tip of a vector $v$: the image shows $f(p)$ and $J_f(p)\,v$.

    On the left lies a curve $\gamma(t) = p + tv + \tfrac12 b\,t^2 v^\perp$ with velocity $v$ at
    $p$, whatever its bend $b$; on the right its image $f \circ \gamma$, the pushed vector
    $f_*v = J_f(p)\,v$, and the image of a small circle of vectors, an ellipse that shrinks to a
    segment where $J_f(p)$ loses rank. Everything is computed in the browser, without a kernel.

    Attributes:
        map: which map: `"polar"`, `"square"` (of a complex number), `"fold"` $(x^2, y)$,
            `"sphere"` (a stereographic chart, seen from above) or `"shear"`.
        point: $p$, two coordinates in the source window of the map.
        velocity: $v$, two components, such that the tip $p + v$ stays in the window.
        bend: $b$, between -2 and 2.
        pushed: `{"image": ..., "jacobian": ..., "vector": ..., "rank": ...}`, sent back by the
            browser once it has drawn; empty before.

    Args:
        map, point, velocity, bend: where the figure starts; the point and the velocity have a
            value of their own for each map.

    Raises:
        ValueError: if there is no such map, or the point or the tip lies outside its window.

    >>> pusher = TangentPusher("fold", point=(0, 1), velocity=(0.5, 0))
    >>> pusher.smooth_map.pushforward(pusher.point, pusher.velocity).components
    (0, 0)
    """

    _esm = script("tangent_pusher")
    _css = style("tangent_pusher")

    map = traitlets.Enum(list(MAPS), default_value="polar").tag(sync=True)
    point = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    velocity = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    bend = traitlets.CFloat(1.0).tag(sync=True)
    pushed = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        map: str = "polar",
        *,
        point: Sequence[float] | None = None,
        velocity: Sequence[float] | None = None,
        bend: float = 1.0,
    ):
        if map not in MAPS:
            raise ValueError(f"there is no map {map!r}; there are {', '.join(MAPS)}")
        entry = MAPS[map]
        p = _pair("point", entry.point if point is None else point)
        v = _pair("velocity", entry.velocity if velocity is None else velocity)
        for name, place in (("point", p), ("tip point + velocity", p + v)):
            if not _inside(entry.window, place):
                raise ValueError(
                    f"the {name} {tuple(place.tolist())} lies outside the window {entry.window} "
                    f"of the map {map!r}"
                )
        if not -2 <= bend <= 2:
            raise ValueError(f"bend must lie between -2 and 2, but is {bend}")
        super().__init__(map=map, point=tuple(p), velocity=tuple(v), bend=bend)

    @property
    def smooth_map(self) -> SmoothMap:
        """The chosen map as formulas, to compare with."""
        entry = MAPS[self.map]
        source, target = (
            Chart("source", " ".join(entry.symbols)),
            Chart("target", " ".join(entry.image)),
        )
        return SmoothMap.trusted(source, target, entry.formulas, True)

    def __repr__(self) -> str:
        return "TangentPusher: a curve and its velocity, and their images under a map"


def _pair(name: str, values: Any) -> np.ndarray:
    try:
        pair = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        pair = np.array([])
    if pair.shape != (2,) or not np.isfinite(pair).all():
        raise ValueError(f"{name} must be two finite numbers, but is {values}")
    return pair


def _inside(window: tuple[float, float, float, float], place: np.ndarray) -> bool:
    left, right, bottom, top = window
    return bool(left <= place[0] <= right and bottom <= place[1] <= top)
