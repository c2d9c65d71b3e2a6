"""A point and a direction on a surface, and the geodesic that leaves there."""

from collections.abc import Sequence
from math import pi
from typing import Any

import anywidget
import numpy as np
import traitlets

from geomlib.symbolic import surfaces
from geomlib.teaching.widgets.assets import script, style

__all__ = ["GeodesicShooter"]

# Where a point may lie: the range of the first coordinate; the second runs from -pi to pi.
RANGES = {"sphere": (0.15, pi - 0.15), "torus": (-pi, pi)}
STARTS = {"sphere": (1.2, -0.6), "torus": (0.0, -0.6)}


class GeodesicShooter(anywidget.AnyWidget):
    r"""Drag a point and a direction: the geodesic that starts there runs over the surface.

    The browser integrates $\ddot x^k + \Gamma^k_{ij}\dot x^i \dot x^j = 0$ with the Christoffel
    symbols of the sphere, $G = \mathrm{diag}(1, \sin^2\theta)$, or of the torus,
    $G = \mathrm{diag}(1, (2 + \cos u)^2)$, and shows the curve in the chart and on the surface,
    its length, and Clairaut's constant: distance from the axis times the cosine of the angle
    with the parallel.

    Attributes:
        surface: `"sphere"`, coordinates $(\theta, \varphi)$, or `"torus"`, coordinates $(u, v)$.
        point: the start, in the chart.
        angle: of the start direction with the parallel, in radians.
        length: of the geodesic, between 0.5 and 40.
        turn: from where the surface is seen, an angle about its axis.
        arrived: `{"point": ..., "velocity": ..., "length": ..., "clairaut": [start, end],
            "complete": ...}`, sent back by the browser once it has drawn; empty before. A path
            that meets a pole of the sphere's chart stops there, and `complete` is false.

    Args:
        surface, point, angle, length, turn: where the figure starts.

    Raises:
        ValueError: if there is no such surface, or a number lies outside its range.

    >>> GeodesicShooter("sphere", point=(1.0, 0.0)).metric.gaussian_curvature()
    1
    """

    _esm = script("geodesic_shooter")
    _css = style("geodesic_shooter")

    surface = traitlets.Enum(list(RANGES), default_value="torus").tag(sync=True)
    point = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    angle = traitlets.CFloat(0.6).tag(sync=True)
    length = traitlets.CFloat(12.0).tag(sync=True)
    turn = traitlets.CFloat(0.0).tag(sync=True)
    arrived = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        surface: str = "torus",
        *,
        point: Sequence[float] | None = None,
        angle: float = 0.6,
        length: float = 12.0,
        turn: float = 0.0,
    ):
        if surface not in RANGES:
            raise ValueError(f"there is no surface {surface!r}; there are {', '.join(RANGES)}")
        p = _pair(STARTS[surface] if point is None else point)
        low, high = RANGES[surface]
        if not (low <= p[0] <= high and -pi <= p[1] <= pi):
            raise ValueError(
                f"the point {tuple(p.tolist())} lies outside the chart of the {surface}: the first "
                f"coordinate runs from {low:.2f} to {high:.2f}, the second from -pi to pi"
            )
        for name, value, least, most in (
            ("angle", angle, -pi, pi), ("length", length, 0.5, 40), ("turn", turn, -pi, pi)
        ):  # fmt: skip
            if not least <= value <= most:
                raise ValueError(
                    f"{name} must lie between {least:.2f} and {most:.2f}, but is {value}"
                )
        super().__init__(surface=surface, point=tuple(p), angle=angle, length=length, turn=turn)

    @property
    def metric(self) -> Any:
        """The metric of the chosen surface as formulas, to compare with."""
        return (surfaces.sphere() if self.surface == "sphere" else surfaces.torus()).metric

    def __repr__(self) -> str:
        return "GeodesicShooter: a point, a direction and the geodesic on a sphere or a torus"


def _pair(values: Any) -> np.ndarray:
    try:
        pair = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        pair = np.array([])
    if pair.shape != (2,) or not np.isfinite(pair).all():
        raise ValueError(f"point must be two finite numbers, but is {values}")
    return pair
