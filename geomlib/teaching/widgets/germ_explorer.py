"""A function near a point: its value, its class in the cotangent space, and what is left over."""

from typing import Any

import anywidget
import sympy as sp
import traitlets

from geomlib.symbolic import Chart, Germ, Splitting
from geomlib.teaching.widgets.assets import script, style

__all__ = ["CHARTS", "FUNCTIONS", "GermExplorer"]

LINE = Chart("R", "x")
(_x,) = LINE.symbols

# The same names and formulas stand in germ_explorer.js; a test compares their values.
FUNCTIONS: dict[str, sp.Expr] = {
    "2x + 3x²": 2 * _x + 3 * _x**2,
    "x²": _x**2,
    "sin 2x": sp.sin(2 * _x),
    "eˣ": sp.exp(_x),
    "x³ − x": _x**3 - _x,
    "e^(−1/x²)": sp.Piecewise((sp.exp(-1 / _x**2), sp.Ne(_x, 0)), (0, True)),
}
CHARTS: dict[str, sp.Expr] = {
    "x": _x,
    "2x": 2 * _x,
    "x + x²": _x + _x**2,
    "eˣ": sp.exp(_x),
    "sinh x": sp.sinh(_x),
}
SPAN = 1.5  # the base point moves in [-SPAN, SPAN]
_STARTS = {"x + x²": -0.4}  # least base point: u = x + x² is a chart for x > -1/2


class GermExplorer(anywidget.AnyWidget):
    r"""Split a function at a point into value, linear part and remainder, in a chart that you pick.

    For a coordinate $u$ near $p$, $f = f(p) + a\,(u - u(p)) + r$ with $a = f'(p)/u'(p)$ and
    $r \in \mathfrak{m}_p^2$. The figure shows $f$ with its linear part, and below them $r$. Another
    chart gives another linear part and another $r$; the class $d_pf = a\, d_pu$ stays.

    The browser computes all of it, so the figure answers without a kernel.

    Attributes:
        function: one of the keys of `FUNCTIONS`.
        chart: the coordinate $u$, one of the keys of `CHARTS`.
        p: the base point, in $[-1.5, 1.5]$, and at least $-0.4$ for $u = x + x^2$.

    Raises:
        ValueError: if there is no such function or chart, or `p` lies outside the range.

    Example:
        >>> explorer = GermExplorer("2x + 3x²", chart="x + x²")
        >>> explorer
        GermExplorer: f = 2x + 3x² at p = 0, in the chart u = x + x²
        >>> explorer.splitting()
        Splitting(value=0, linear=2*x**2 + 2*x, remainder=x**2)
    """

    _esm = script("germ_explorer")
    _css = style("germ_explorer")

    function = traitlets.Unicode().tag(sync=True)
    chart = traitlets.Unicode().tag(sync=True)
    p = traitlets.CFloat().tag(sync=True)

    def __init__(self, function: str = "2x + 3x²", chart: str = "x", p: float = 0.0):
        super().__init__(function=function, chart=chart, p=_number(p))

    @traitlets.validate("function", "chart")
    def _known(self, proposal: Any) -> str:
        name = proposal["trait"].name
        known = FUNCTIONS if name == "function" else CHARTS
        if proposal["value"] not in known:
            raise ValueError(f"no {name} {proposal['value']!r}; there are {', '.join(known)}")
        return proposal["value"]

    @traitlets.validate("p")
    def _inside(self, proposal: Any) -> float:
        low = _STARTS.get(self.chart, -SPAN)
        if not low <= proposal["value"] <= SPAN:
            raise ValueError(
                f"p must lie between {low} and {SPAN} in the chart u = {self.chart}, "
                f"but is {proposal['value']}"
            )
        return proposal["value"]

    @traitlets.observe("chart")
    def _move_inside(self, change: Any) -> None:
        self.p = max(self.p, _STARTS.get(change["new"], -SPAN))

    @property
    def germ(self) -> Germ:
        """The germ that is shown, as an element of the local ring."""
        return Germ(FUNCTIONS[self.function], LINE, sp.Rational(str(round(self.p, 3))))

    def splitting(self) -> Splitting:
        """The splitting that is shown, as formulas."""
        return self.germ.split(by=[CHARTS[self.chart]])

    def __repr__(self) -> str:
        return f"GermExplorer: f = {self.function} at p = {self.p:g}, in the chart u = {self.chart}"


def _number(p: Any) -> float:
    try:
        value = float(p)
    except (TypeError, ValueError):
        raise ValueError(f"p must be a number, but is {p!r}") from None
    return value
