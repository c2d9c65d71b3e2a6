"""A circle covered by arcs, and what the nerve of the arcs says of it."""

from numbers import Integral, Real

import anywidget
import traitlets

from geomlib.teaching.widgets.assets import script, style

__all__ = ["AtlasExplorer"]

MOST = 8  # arcs
NARROWEST, WIDEST = 0.55, 3.95  # of an arc, in steps from one arc's middle to the next


class AtlasExplorer(anywidget.AnyWidget):
    r"""Choose $K$ arcs of a circle and their length; see coverage, nerve and Betti numbers.

    On the left the circle and its charts, open arcs with equal gaps between their middles. On the
    right the multinerve. Below, the share of the circle that is covered, the Betti numbers
    $(b_0, b_1, b_2)$ over $\mathbb{Z}/2$ of what is covered, of the Čech nerve and of the
    multinerve. All is computed in the browser.

    Attributes:
        charts: $K$, from 1 to 8.
        width: the length of an arc in units of $2\pi/K$, at least 0.55, at most 3.95, and less than
            the circle.
        measured: `{"covered": ..., "nerve": [b0, b1, b2], "multinerve": [b0, b1, b2]}`, sent back
            by the browser once it has drawn; empty before.

    Args:
        charts, width: where the figure starts.

    Raises:
        ValueError: if there are no such arcs.

    >>> AtlasExplorer(charts=2, width=1.55).charts
    2
    """

    _esm = script("atlas_explorer")
    _css = style("atlas_explorer")

    charts = traitlets.CInt(3).tag(sync=True)
    width = traitlets.CFloat(1.55).tag(sync=True)
    measured = traitlets.Dict().tag(sync=True)

    def __init__(self, charts: int = 3, *, width: float = 1.55):
        if not isinstance(charts, Integral) or isinstance(charts, bool) or not 1 <= charts <= MOST:
            raise ValueError(f"charts must be a whole number from 1 to {MOST}, but is {charts!r}")
        widest = min(WIDEST, charts - 0.05)
        if not isinstance(width, Real) or not NARROWEST <= width <= widest:
            raise ValueError(
                f"width must be a number from {NARROWEST} to {widest:g} for {charts} charts, but "
                f"is {width!r}"
            )
        if float(width).is_integer():
            raise ValueError(f"width = {width}: the ends of open arcs touch; add or take 0.05")
        super().__init__(charts=int(charts), width=float(width))

    def __repr__(self) -> str:
        return "AtlasExplorer: a circle covered by arcs, and the nerve of the arcs"
