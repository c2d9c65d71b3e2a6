"""An arrow carried round a latitude circle, and the angle by which it comes back turned."""

from math import log2
from typing import Any

import anywidget
import traitlets

from geomlib.teaching.widgets.assets import script, style

__all__ = ["HolonomySlider"]


class HolonomySlider(anywidget.AnyWidget):
    r"""Carry an arrow once round the circle of colatitude $\theta$ on the unit sphere.

    The browser carries it by re-projection: at each of $N$ stops it projects the arrow onto the
    next tangent plane and rescales it. Beside the sphere lies the strip round the circle, cut
    open and laid flat; there the arrows are parallel, up to the error of the scheme. The reading
    stands beside the exact angle $2\pi(1 - \cos\theta)$, which is the area of the cap.

    Attributes:
        colatitude: $\theta$, between 0.1 and 3.04.
        steps: $N$, a power of two between 4 and 1024.
        carried: how far round, between 0 and 1.
        measured: `{"exact": ..., "reading": ...}`, the angles after one circuit, sent back by the
            browser once it has drawn; empty before.

    Args:
        colatitude, steps, carried: where the figure starts.

    Raises:
        ValueError: if a number lies outside its range.

    Source: the scheme is that of Shao, Kumar and Fletcher (2018).
    """

    _esm = script("holonomy_slider")
    _css = style("holonomy_slider")

    colatitude = traitlets.CFloat(0.8).tag(sync=True)
    steps = traitlets.CInt(16).tag(sync=True)
    carried = traitlets.CFloat(1.0).tag(sync=True)
    measured = traitlets.Dict().tag(sync=True)

    def __init__(self, colatitude: float = 0.8, *, steps: int = 16, carried: float = 1.0):
        for name, value, low, high in (
            ("colatitude", colatitude, 0.1, 3.04), ("carried", carried, 0, 1)
        ):  # fmt: skip
            if not _is_number(value) or not low <= value <= high:
                raise ValueError(f"{name} must lie between {low} and {high}, but is {value}")
        if not _is_number(steps) or not 4 <= steps <= 1024 or log2(steps) % 1:
            raise ValueError(f"steps must be a power of two from 4 to 1024, but is {steps}")
        super().__init__(colatitude=colatitude, steps=steps, carried=carried)

    def __repr__(self) -> str:
        return "HolonomySlider: an arrow carried round a latitude circle of the sphere"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
