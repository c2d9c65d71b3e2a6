"""Two normal distributions, the shortest way between them, and the densities on it."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import anywidget
import numpy as np
import torch
import traitlets
from torch import Tensor
from torch import distributions as dist

from geomlib.riemann import FisherRaoMetric
from geomlib.teaching.widgets.assets import script, style

__all__ = ["NormalGeodesic"]

WINDOW = (-3.0, 3.0, 0.1, 3.0)  # of the means, then of the standard deviations
WAYS = ("geodesic", "straight")


class NormalGeodesic(anywidget.AnyWidget):
    r"""Drag $N(\mu_1, \sigma_1)$ and $N(\mu_2, \sigma_2)$ in the half-plane.

    On the left the half-plane of all $(\mu, \sigma)$ with the Fisher-Rao geodesic, a half-ellipse,
    and the straight line; on the right the densities on the chosen one of the two, at equal times.
    A slider moves a third distribution from one end to the other. Distance, both lengths and both
    divergences are computed in the browser, by formula.

    Attributes:
        a, b: $(\mu, \sigma)$ of the ends, with $-3 \le \mu \le 3$ and $0.1 \le \sigma \le 3$.
        time: when, between 0 and 1, the third distribution is shown.
        way: `"geodesic"` or `"straight"`, on which it moves.
        measured: `{"distance": ..., "straight": ..., "forward": ..., "backward": ...,
            "point": ...}`, sent back by the browser once it has drawn; empty before.

    Args:
        a, b, time, way: where the figure starts.

    Raises:
        ValueError: if a point lies outside the window, or a number outside its range.

    >>> widget = NormalGeodesic((0, 1), (2, 0.5))
    >>> round(widget.distance(), 4)
    2.6124
    """

    _esm = script("normal_geodesic")
    _css = style("normal_geodesic")

    a = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    b = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    time = traitlets.CFloat(0.5).tag(sync=True)
    way = traitlets.Enum(list(WAYS), default_value="geodesic").tag(sync=True)
    measured = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        a: Sequence[float] = (-1.5, 0.4),
        b: Sequence[float] = (1.5, 0.8),
        *,
        time: float = 0.5,
        way: str = "geodesic",
    ):
        if way not in WAYS:
            raise ValueError(f"there is no way {way!r}; there are {', '.join(WAYS)}")
        if not isinstance(time, Real) or not 0 <= time <= 1:
            raise ValueError(f"time must be a number between 0 and 1, but is {time!r}")
        super().__init__(a=_normal("a", a), b=_normal("b", b), time=float(time), way=way)

    def distance(self) -> float:
        """The Fisher-Rao distance of the ends, by the solver of `geomlib.riemann`."""
        metric = FisherRaoMetric(_decoder)
        a, b = torch.tensor([self.a, self.b], dtype=torch.float64)
        return metric.distance(a, b).item()

    def __repr__(self) -> str:
        return "NormalGeodesic: the shortest way between two normal distributions"


def _decoder(z: Tensor) -> dist.Normal:
    return dist.Normal(z[..., 0], z[..., 1])


def _normal(name: str, values: Any) -> tuple[float, float]:
    try:
        pair = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        pair = np.array([])
    if pair.shape != (2,) or not np.isfinite(pair).all():
        raise ValueError(f"{name} must be two finite numbers (mu, sigma), but is {values}")
    left, right, bottom, top = WINDOW
    mean, std = pair.tolist()
    if not (left <= mean <= right and bottom <= std <= top):
        raise ValueError(
            f"{name} = ({mean:g}, {std:g}) lies outside the window: mu must lie between {left:g} "
            f"and {right:g}, sigma between {bottom:g} and {top:g}"
        )
    return mean, std
