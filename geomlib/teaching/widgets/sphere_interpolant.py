"""Two points of the sphere, and two ways between them: a geodesic, and a chord that leaves it."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import anywidget
import numpy as np
import torch
import traitlets
from torch import Tensor

from geomlib.models.riemannian_flow_matching import geodesic_interpolant
from geomlib.teaching.widgets.assets import script, style

__all__ = ["SphereInterpolant"]

FARTHEST = (80, 85)  # latitude and longitude of what the eye sees, in degrees


class SphereInterpolant(anywidget.AnyWidget):
    r"""Drag the source $x_0$ and the target $x_1$ of a conditional flow on the unit sphere.

    On the left the geodesic interpolant $\exp_{x_1}((1 - t)\log_{x_1} x_0)$ and the straight one
    $(1 - t)x_0 + t x_1$, each with its velocity; on the right the distance of both from the centre
    over time. All numbers are computed in the browser, by formula.

    Attributes:
        source, target: latitude and longitude in degrees, within 80 and 85 of the middle, so
            that they are seen and never antipodal.
        time: $t$, between 0 and 1.
        measured: `{"distance": ..., "radius": ..., "radial": ...}`: the angle between the ends,
            and at time $t$ the distance of the chord from the centre and the radial part of its
            velocity. Sent back by the browser once it has drawn; empty before.

    Args:
        source, target, time: where the figure starts.

    Raises:
        ValueError: if a point lies outside the window, or the time is not between 0 and 1.

    >>> widget = SphereInterpolant((0, 0), (0, 60), time=0.5)
    >>> x, velocity = widget.interpolant()
    >>> x.round(decimals=4)
    tensor([0.8660, 0.5000, 0.0000], dtype=torch.float64)
    """

    _esm = script("sphere_interpolant")
    _css = style("sphere_interpolant")

    source = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    target = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    time = traitlets.CFloat(0.5).tag(sync=True)
    measured = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        source: Sequence[float] = (-10, -60),
        target: Sequence[float] = (45, 50),
        *,
        time: float = 0.5,
    ):
        if not isinstance(time, Real) or not 0 <= time <= 1:
            raise ValueError(f"time must be a number between 0 and 1, but is {time!r}")
        super().__init__(
            source=_place("source", source), target=_place("target", target), time=float(time)
        )

    def interpolant(self) -> tuple[Tensor, Tensor]:
        """Place and velocity on the geodesic at the present time, by `geomlib.models`."""
        x0, x1 = (on_sphere(*place) for place in (self.source, self.target))
        return geodesic_interpolant(x0, x1, torch.tensor(self.time, dtype=torch.float64))

    def __repr__(self) -> str:
        return "SphereInterpolant: a geodesic of the sphere and the chord between its ends"


def on_sphere(latitude: float, longitude: float) -> Tensor:
    """The unit vector at a latitude and longitude in degrees."""
    u, v = np.radians([latitude, longitude])
    point = [np.cos(u) * np.cos(v), np.cos(u) * np.sin(v), np.sin(u)]
    return torch.tensor(point, dtype=torch.float64)


def _place(name: str, values: Any) -> tuple[float, float]:
    try:
        pair = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        pair = np.array([])
    if pair.shape != (2,) or not np.isfinite(pair).all():
        raise ValueError(
            f"{name} must be two finite numbers (latitude, longitude), but is {values}"
        )
    latitude, longitude = pair.tolist()
    if abs(latitude) > FARTHEST[0] or abs(longitude) > FARTHEST[1]:
        raise ValueError(
            f"{name} = ({latitude:g}, {longitude:g}) lies outside the window: the latitude must "
            f"lie within {FARTHEST[0]} and the longitude within {FARTHEST[1]} degrees of 0"
        )
    return latitude, longitude
