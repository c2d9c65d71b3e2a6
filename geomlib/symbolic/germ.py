r"""Germs: smooth functions near a point, with the local ring that they form."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, Any

import sympy as sp

from .chart import Chart
from .expressions import at, is_zero, read_all, read_one, shorten
from .jets import jet_coefficients
from .taylor import differentiate, local_form, pieces, taylor_part, without_corners
from .verdict import Verdict

if TYPE_CHECKING:
    from .tangent import Covector

__all__ = ["Germ", "Splitting"]

_MOST_COEFFICIENTS = 120


@dataclass(frozen=True)
class Splitting:
    r"""$f = f(p) + \ell + r$ with $\ell$ linear in chosen coordinates and $r \in \mathfrak{m}_p^2$.

    The value is canonical; the line between $\ell$ and $r$ moves with the coordinates.
    """

    value: sp.Expr
    linear: sp.Expr
    remainder: sp.Expr


class Germ:
    r"""The germ $[f]_p$ of a smooth function: an element of the local ring $C^\infty_p$.

    Two germs are equal if the functions agree on some neighbourhood of $p$. That is more than
    equal jets: $e^{-1/x^2}$, continued by 0, has the jet of 0 at 0 and is another germ.

    Args:
        expression: a formula in the chart's coordinates; a `Piecewise` may have pieces that meet
            at the point, as long as they meet smoothly.
        chart: the chart.
        p: the point.

    Raises:
        ValueError: if the point is outside the domain, or the function is not smooth at it.

    Source: Chern, Chen and Lam 1999, section 1.2; Lee 2013, chapter 3 (germs).

    Example:
        >>> line = Chart("R", "x")
        >>> x, = line.symbols
        >>> flat = Germ(sp.Piecewise((sp.exp(-1/x**2), sp.Ne(x, 0)), (0, True)), line, 0)
        >>> flat.jet(5), flat == Germ(0, line, 0)
        (0, False)
        >>> Germ(abs(x), line, 0)
        Traceback (most recent call last):
        ...
        ValueError: no germ: x and -x meet at x = 0 but part in order 1
    """

    def __init__(self, expression: Any, chart: Chart, p: Any):
        if not isinstance(chart, Chart):
            raise ValueError(f"a germ is Germ(formula, chart, point), got the chart {chart!r}")
        self.chart = chart
        self.point = chart.point(p)
        self._where = chart.at(self.point)
        formula = read_one(expression, chart.symbols)
        try:
            self.expression = local_form(formula, self._where)
            at(taylor_part(self.expression, self._where, 0), self._where)
        except ValueError as error:
            raise ValueError(f"no germ: {error}") from error

    # -- the ring ----------------------------------------------------------------------------

    def _expression_of(self, other: Any) -> sp.Expr:
        if not isinstance(other, Germ):
            return read_one(other, self.chart.symbols)
        if other.chart != self.chart:
            raise ValueError(
                f"the germs are written in {self.chart} and {other.chart}; "
                "bring both to one chart with atlas.in_chart"
            )
        if not all(is_zero(a - b) for a, b in zip(self.point, other.point, strict=True)):
            raise ValueError(f"germs at different points, {self.point} and {other.point}")
        return other.expression

    def _like(self, expression: sp.Expr) -> Germ:
        return Germ(expression, self.chart, self.point)

    def __add__(self, other: Any) -> Germ:
        return self._like(self.expression + self._expression_of(other))

    def __sub__(self, other: Any) -> Germ:
        return self._like(self.expression - self._expression_of(other))

    def __rsub__(self, other: Any) -> Germ:
        return self._like(self._expression_of(other) - self.expression)

    def __mul__(self, other: Any) -> Germ:
        return self._like(self.expression * self._expression_of(other))

    def __neg__(self) -> Germ:
        return self._like(-self.expression)

    def __pow__(self, exponent: int) -> Germ:
        if not isinstance(exponent, int) or exponent < 0:
            raise ValueError(f"a germ has powers 0, 1, 2, …, got {exponent!r}; see .inverse()")
        return self._like(self.expression**exponent)

    __radd__ = __add__
    __rmul__ = __mul__

    def inverse(self) -> Germ:
        r"""$1/f$: the local ring's units are exactly the germs outside $\mathfrak{m}_p$.

        Raises:
            ValueError: if $f(p) = 0$.
        """
        if self.in_maximal_ideal():
            raise ValueError(f"{self.expression} vanishes at {self.point}, so it has no inverse")
        return self._like(1 / self.expression)

    def __eq__(self, other: object) -> bool:
        r"""Whether the functions agree near $p$, as far as SymPy can decide it."""
        if not isinstance(other, Germ):
            return NotImplemented
        difference = self.expression - self._expression_of(other)
        difference = local_form(without_corners(difference, self._where), self._where)
        return all(
            is_zero(branch, self._where) for branch, _, thin in pieces(difference) if not thin
        )

    __hash__ = None  # type: ignore[assignment]  # equality is of functions, not of formulas

    # -- what derivatives see ----------------------------------------------------------------

    def value(self) -> sp.Expr:
        r"""$f(p)$: the ring homomorphism to $\mathbb{R}$ whose kernel is $\mathfrak{m}_p$."""
        return at(taylor_part(self.expression, self._where, 0), self._where)

    def diff(self, *symbols: Any) -> Germ:
        r"""The partial derivative $\partial_i \partial_j \cdots f$, again a germ.

        Example:
            >>> line = Chart("R", "x")
            >>> Germ("x**3", line, 2).diff("x", "x").value()
            12
        """
        names = {symbol.name: symbol for symbol in self.chart.symbols}
        expression = self.expression
        for symbol in symbols:
            if str(symbol) not in names:
                raise ValueError(f"{symbol} is no coordinate of {self.chart}")
            expression = differentiate(expression, names[str(symbol)], self._where)
        return self._like(expression)

    def jet(self, k: int) -> sp.Expr:
        r"""The $k$-jet, as Taylor polynomial $\sum_{|\alpha| \le k} \partial^\alpha f(p)
        (x-p)^\alpha / \alpha!$: the class of $f$ modulo $\mathfrak{m}_p^{k+1}$.

        Raises:
            ValueError: if `k` is no order, or there are more than 120 coefficients, or some
                too long to write out.

        Example:
            >>> Germ("exp(x)*y", Chart("R2", "x y"), (0, 1)).jet(1)
            x + y
        """
        if not isinstance(k, int) or isinstance(k, bool) or k < 0:
            raise ValueError(f"the order of a jet is 0, 1, 2, …, got {k!r}")
        if comb(self.chart.dim + k, k) > _MOST_COEFFICIENTS:
            raise ValueError(f"a jet of order {k} has over {_MOST_COEFFICIENTS} coefficients")
        smooth = taylor_part(self.expression, self._where, k)
        coefficients = jet_coefficients(smooth, self.chart.symbols, self._where, k)
        steps = [symbol - self._where[symbol] for symbol in self.chart.symbols]
        terms = [
            (shorten(value) if len(sp.Add.make_args(value)) < 4 else value)
            * sp.prod(h**i for h, i in zip(steps, index, strict=True))
            for index, value in coefficients.items()
        ]
        return sp.expand(sp.Add(*terms))

    def agrees_with(self, other: Germ, k: int) -> bool:
        r"""Whether the $k$-jets are equal: $f - g \in \mathfrak{m}_p^{k+1}$."""
        self._expression_of(other)  # refuses a germ of another place
        return is_zero(self.jet(k) - other.jet(k))

    def in_maximal_ideal(self) -> bool:
        r"""Whether $f \in \mathfrak{m}_p$, that is $f(p) = 0$."""
        return is_zero(self.value())

    def differential(self) -> Covector:
        r"""$d_pf = \sum_i \partial_i f(p)\, d_px^i$, the class of $f$ in $F_p/H_p$."""
        from .tangent import Covector

        slopes = [self.diff(symbol).value() for symbol in self.chart.symbols]
        return Covector(slopes, self.chart, self.point)

    # -- what Hadamard's lemma gives -----------------------------------------------------------

    def hadamard(self) -> list[tuple[sp.Expr, sp.Expr]]:
        r"""Pairs $(x^i - p^i,\, g_i)$ with $f = f(p) + \sum_i (x^i - p^i)\, g_i$.

        The factors are the divided differences $g_i = \frac{f(p^1, \dots, p^{i-1}, x^i, \dots)
        - f(p^1, \dots, p^i, x^{i+1}, \dots)}{x^i - p^i}$, smooth with $g_i(p) = \partial_i f(p)$.

        Example:
            >>> Germ("x**2 + x*y", Chart("R2", "x y"), (0, 0)).hadamard()
            [(x, x + y), (y, 0)]
        """
        pairs = []
        current = self.expression
        for symbol in self.chart.symbols:
            center = self._where[symbol]
            frozen = at(current, {symbol: center})
            slope = differentiate(current, symbol, self._where).subs(symbol, center)
            step = symbol - center
            pairs.append((step, _divided(current - frozen, step, slope, {symbol: center})))
            current = frozen
        return pairs

    def in_square(self) -> Verdict:
        r"""Whether $f \in \mathfrak{m}_p^2$: $f(p) = 0$ and $d_pf = 0$, by Hadamard's lemma.

        Returns:
            a verdict; if true, its evidence is the pairs of factors in $\mathfrak{m}_p$ whose
            products add up to $f$, if false, the value or the differential that does not vanish.

        Example:
            >>> Germ("x**2 + x*y", Chart("R2", "x y"), (0, 0)).in_square()
            True: x**2 + x*y = (x)*(x + y), factors in m
            >>> Germ("x + x**2", Chart("R", "x"), 0).in_square()
            False: the differential is dx at (0), not 0
        """
        if not self.in_maximal_ideal():
            return Verdict(False, f"the value is {self.value()}, not 0", (self.value(),))
        slope = self.differential()
        if any(not is_zero(component) for component in slope.components):
            return Verdict(False, f"the differential is {slope}, not 0", (slope,))
        pairs = [(a, b) for a, b in self.hadamard() if b != 0]
        products = " + ".join(f"({a})*({b})" for a, b in pairs) or "0"
        return Verdict(True, f"{self.expression} = {products}, factors in m", tuple(pairs))

    def split(self, by: Any = None) -> Splitting:
        r"""$f = f(p) + \ell + r$, with $\ell$ linear in the coordinates `by` and $r$ in
        $\mathfrak{m}_p^2$.

        Args:
            by: `d` formulas $u^i$ that are coordinates near $p$; the chart's own by default.

        Raises:
            ValueError: if their Jacobian is singular at $p$.

        Example:
            >>> f = Germ("2*x + 3*x**2", Chart("R", "x"), 0)
            >>> f.split()
            Splitting(value=0, linear=2*x, remainder=3*x**2)
            >>> f.split(by=["x + x**2"])
            Splitting(value=0, linear=2*x**2 + 2*x, remainder=x**2)
        """
        formulas = self.chart.symbols if by is None else by
        coordinates = [
            self._like(u)
            for u in read_all(formulas, self.chart.symbols, self.chart.dim, "formulas")
        ]
        jacobian = sp.Matrix([u.differential().components for u in coordinates])
        if is_zero(jacobian.det()):
            raise ValueError(f"{list(map(str, formulas))} are no coordinates near {self.point}")
        slopes = sp.Matrix([self.differential().components]) * jacobian.inv()
        linear = sum(
            (a * (u.expression - u.value()) for a, u in zip(slopes, coordinates, strict=True)),
            sp.S.Zero,
        )
        rest = self.expression - self.value() - linear
        return Splitting(self.value(), sp.expand(linear), sp.expand(rest))

    def __repr__(self) -> str:
        return f"germ of {self.expression} at ({', '.join(map(str, self.point))})"

    def _repr_latex_(self) -> str:
        place = ", ".join(map(sp.latex, self.point))
        return rf"$\displaystyle \left[ {sp.latex(self.expression)} \right]_{{({place})}}$"


def _divided(
    difference: sp.Expr, step: sp.Expr, slope: sp.Expr, where: dict[sp.Symbol, sp.Expr]
) -> sp.Expr:
    """difference / step, with the slope as its value where the step vanishes."""
    if difference.has(sp.Piecewise):
        quotient = sp.piecewise_fold(difference / step)
    else:
        quotient = sp.cancel(sp.together(difference / step))
    try:
        if is_zero(at(quotient, where) - slope):
            return quotient
    except ValueError:  # 0/0: the quotient has a gap to fill
        pass
    return sp.piecewise_fold(sp.Piecewise((quotient, sp.Ne(step, 0)), (slope, True)))
