"""A point of the circle in two stereographic charts, and on the graph of their transition."""

from math import cos, isfinite, pi, sin
from typing import Any

import anywidget
import traitlets

from geomlib.teaching.widgets.assets import script, style

__all__ = ["ChartsExplorer"]

POLE = 1e-9  # a chart ends where the point is this near to its pole


class ChartsExplorer(anywidget.AnyWidget):
    r"""Drag a point of the circle: both stereographic charts follow, and the transition graph.

    The chart `north` projects from $N = (0, 1)$, $u = x/(1 - y)$; `south` projects from
    $S = (0, -1)$, $w = x/(1 + y)$. On the overlap $w = 1/u$. Each chart misses its own pole: near
    it the coordinate leaves every bound, and at it there is none.

    The browser computes all of it, so the figure answers without a kernel.

    Attributes:
        angle: of the point, from $(1, 0)$ counter-clockwise, in $(-\pi, \pi]$ radians.

    Args:
        angle: any finite number of radians; it is brought to $(-\pi, \pi]$.

    Raises:
        ValueError: if the angle is not a finite number.

    Example:
        >>> explorer = ChartsExplorer(angle=0)
        >>> explorer
        ChartsExplorer: the point at angle 0.000, u = 1.000, w = 1.000
        >>> explorer.angle = pi / 2
        >>> explorer.u, explorer.w
        (None, 0.0)
    """

    _esm = script("charts_explorer")
    _css = style("charts_explorer")

    angle = traitlets.Float().tag(sync=True)

    def __init__(self, angle: float = 0.9):
        super().__init__(angle=_reduced(angle))

    @traitlets.validate("angle")
    def _one_turn(self, proposal: Any) -> float:
        return _reduced(proposal["value"])

    @property
    def u(self) -> float | None:
        """The coordinate in the chart `north`; `None` at the north pole."""
        return _coordinate(self.angle, pole=1)

    @property
    def w(self) -> float | None:
        """The coordinate in the chart `south`; `None` at the south pole."""
        return _coordinate(self.angle, pole=-1)

    def __repr__(self) -> str:
        u, w = ("undefined" if c is None else f"{c:.3f}" for c in (self.u, self.w))
        return f"ChartsExplorer: the point at angle {self.angle:.3f}, u = {u}, w = {w}"


def _reduced(angle: Any) -> float:
    try:
        value = float(angle)
    except (TypeError, ValueError):
        raise ValueError(f"angle must be a number of radians, but is {angle!r}") from None
    if not isfinite(value):
        raise ValueError(f"angle must be finite, but is {value}")
    if -pi < value <= pi:
        return value
    return pi - (pi - value) % (2 * pi)


def _coordinate(angle: float, pole: int) -> float | None:
    """Half-angle form of $x/(1 - y)$: nothing cancels near the other pole."""
    quarter = (pi / 2 - pole * angle) / 2
    if abs(sin(quarter)) < POLE:
        return None
    value = cos(quarter) / sin(quarter)
    return 0.0 if abs(value) < POLE else value
