"""Covectors and tangent vectors: linear forms on each other, both at one point."""

from __future__ import annotations

from typing import Any

import sympy as sp

from .chart import Chart
from .derivation import check_derivation
from .expressions import at, is_real_number, is_zero, read_all
from .germ import Germ
from .taylor import taylor_part
from .verdict import Verdict

__all__ = ["Covector", "TangentVector"]


class _Components:
    """`d` numbers at a point of a chart, that add and scale."""

    def __init__(self, components: Any, chart: Chart, p: Any):
        self.chart = chart
        self.point = chart.point(p)
        self.components = tuple(read_all(components, (), chart.dim, "components"))
        if any(c.is_number and not is_real_number(c) for c in self.components):
            raise ValueError(f"components are real numbers, got {self.components}")

    def _like(self, components: Any) -> Any:
        return type(self)([sp.simplify(c) for c in components], self.chart, self.point)

    def _same_place(self, other: Any) -> None:
        if other.chart != self.chart:
            raise ValueError(
                f"one lives in {self.chart}, the other in {other.chart}; "
                "bring both to one chart with atlas.in_chart"
            )
        if not all(is_zero(a - b) for a, b in zip(self.point, other.point, strict=True)):
            raise ValueError(
                f"one is at {self.point}, the other at {other.point}: "
                "different points have different spaces"
            )

    def __add__(self, other: Any) -> Any:
        if type(other) is not type(self):
            return NotImplemented
        self._same_place(other)
        return self._like(a + b for a, b in zip(self.components, other.components, strict=True))

    def __sub__(self, other: Any) -> Any:
        return self + (-1) * other if type(other) is type(self) else NotImplemented

    def __neg__(self) -> Any:
        return (-1) * self

    def __mul__(self, scalar: Any) -> Any:
        if isinstance(scalar, _Components | Germ):
            return NotImplemented
        scalar = sp.sympify(scalar)
        return self._like(scalar * c for c in self.components)

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Components) or type(other) is not type(self):
            return NotImplemented
        if other.chart != self.chart:
            return False
        mine, theirs = (*self.point, *self.components), (*other.point, *other.components)
        return all(is_zero(a - b) for a, b in zip(mine, theirs, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal numbers may be written differently

    def _terms(self, names: list[str], write: Any) -> str:
        parts = []
        for component, name in zip(self.components, names, strict=True):
            if component == 0:
                continue
            text = write(component)
            if component in (1, -1):
                text = text[:-1]
            elif component.is_Add:
                text = f"({text})"
            parts.append(f"{text} {name}".strip() if text != "-" else f"-{name}")
        return " + ".join(parts).replace("+ -", "- ") or f"0 {names[0]}"

    def _latex(self, names: list[str]) -> str:
        terms, place = self._terms(names, sp.latex), self._place(sp.latex)
        return rf"$\displaystyle \left. {terms} \right|_{{{place}}}$"

    def _place(self, write: Any = str) -> str:
        return f"({', '.join(map(write, self.point))})"


class Covector(_Components):
    r"""A covector $\alpha = \sum_i a_i\, d_px^i \in T_p^*M$: the first-order part of a germ.

    Args:
        components: `d` numbers $a_i$.
        chart: the chart that they are written in.
        p: the point.

    Raises:
        ValueError: if the number of components is wrong or the point is outside the chart.

    Source: Chern, Chen and Lam 1999, section 1.2 (the cotangent space as $F_p/H_p$).

    Example:
        >>> plane = Chart("R2", "x y")
        >>> alpha = Germ("x*y", plane, (2, 3)).differential()
        >>> alpha
        3 dx + 2 dy at (2, 3)
        >>> alpha(TangentVector((1, 1), plane, (2, 3)))
        5
    """

    def __call__(self, v: TangentVector) -> sp.Expr:
        r"""The pairing $\langle v, \alpha \rangle = \sum_i a_i v^i$."""
        if not isinstance(v, TangentVector):
            raise ValueError(f"a covector acts on a TangentVector, got {v!r}")
        return v(self)

    def __repr__(self) -> str:
        return f"{self._terms([f'd{s}' for s in self.chart.symbols], str)} at {self._place()}"

    def _repr_latex_(self) -> str:
        names = [rf"\mathrm{{d}}{sp.latex(s)}" for s in self.chart.symbols]
        return self._latex(names)


class TangentVector(_Components):
    r"""A tangent vector $v = \sum_k v^k\, \partial_k|_p \in T_pM$: a derivation of germs.

    Args:
        components: `d` numbers $v^k$.
        chart: the chart that they are written in.
        p: the point.

    Raises:
        ValueError: if the number of components is wrong or the point is outside the chart.

    Source: J. M. Lee, *Introduction to Smooth Manifolds*, chapter 3.

    Example:
        >>> plane = Chart("R2", "x y")
        >>> v = TangentVector((1, -2), plane, (0, 1))
        >>> v
        ∂_x - 2 ∂_y at (0, 1)
        >>> v("x*y**2"), v(Germ("exp(x)", plane, (0, 1)))
        (1, 1)
    """

    @classmethod
    def from_curve(cls, curve: Any, chart: Chart | None = None, at: Any = 0, through: Any = None):
        r"""The velocity $\dot\gamma(t_0)$, a vector at $\gamma(t_0)$.

        Args:
            curve: a map from a one-dimensional chart, or `d` formulas in one symbol.
            chart: the chart of the formulas (a map brings its own).
            at: the time $t_0$.
            through: the point where the vector is wanted, to be checked.

        Raises:
            ValueError: if the curve is at another point at $t_0$, or is not smooth there.

        Example:
            >>> plane = Chart("R2", "x y")
            >>> t = sp.Symbol("t", real=True)
            >>> TangentVector.from_curve((sp.cos(t), sp.sin(t)), plane)
            ∂_y at (1, 0)
            >>> TangentVector.from_curve((sp.cos(t), sp.sin(t)), plane, through=(0, 1))
            Traceback (most recent call last):
            ...
            ValueError: the curve misses (0, 1): at t = 0 it is at (1, 0)
        """
        gamma = curve
        if not (hasattr(curve, "source") and hasattr(curve, "jacobian")):
            if chart is None:
                raise ValueError("say in which chart the curve is written")
            gamma = chart.curve(curve)
        elif chart is not None and gamma.target != chart:
            raise ValueError(f"the curve runs in {gamma.target}, not in {chart}")
        if gamma.source.dim != 1:
            raise ValueError(f"a curve has one parameter, got {gamma.source.dim}")
        (t0,), p = gamma.source.point(at), gamma(at)
        if through is not None:
            wanted = gamma.target.point(through)
            if not all(is_zero(a - b) for a, b in zip(p, wanted, strict=True)):
                time = gamma.source.symbols[0]
                raise ValueError(f"the curve misses {wanted}: at {time} = {t0} it is at {p}")
        return cls(gamma.jacobian(at), gamma.target, p)

    def __call__(self, thing: Any) -> sp.Expr:
        r"""$v(f) = \sum_k v^k\, \partial_k f(p)$ for a germ or a formula $f$, and
        $\langle v, \alpha \rangle = \sum_k a_k v^k$ for a covector."""
        if isinstance(thing, Germ | Covector):
            self._same_place(thing)
            alpha = thing.differential() if isinstance(thing, Germ) else thing
            pairs = zip(alpha.components, self.components, strict=True)
            return sp.simplify(sum((a * v for a, v in pairs), sp.S.Zero))
        if isinstance(thing, TangentVector):
            raise ValueError("two vectors have no pairing of their own; use a metric's inner(v, w)")
        (formula,) = read_all(thing, self.chart.symbols, 1, "formula")
        where = self.chart.at(self.point)
        smooth = taylor_part(formula, where, 1)
        slopes = [at(sp.diff(smooth, x), where) for x in self.chart.symbols]
        return sp.simplify(sum(a * v for a, v in zip(slopes, self.components, strict=True)))

    @staticmethod
    def is_derivation(operator: Any, chart: Chart | None = None, p: Any = None) -> Verdict:
        r"""Whether an operator on germs is linear and Leibniz, $D(fg) = f(p)Dg + g(p)Df$.

        Args:
            operator: any function from germs at `p` to numbers.
            chart: a chart around the point; a `TangentVector` brings its own.
            p: the point.

        Returns:
            a verdict; if it is false, the pair of germs that breaks a law is its evidence, if it
            is true, the vector $\sum_k D(x^k)\,\partial_k$. Refusal is a proof; acceptance rests
            on monomials to degree 3 and on exponentials.

        Example:
            >>> line = Chart("R", "x")
            >>> x, = line.symbols
            >>> TangentVector.is_derivation(lambda f: 3 * f.diff(x).value(), line, 0)
            True: linear and Leibniz on every pair tried; it is 3 ∂_x at (0)
            >>> TangentVector.is_derivation(lambda f: f.diff(x, x).value(), line, 0)
            False: not Leibniz: D(fg) = 2, but f(p) Dg + g(p) Df = 0, for f = x, g = x
        """
        if isinstance(operator, TangentVector):
            chart, p = chart or operator.chart, operator.point if p is None else p
        if chart is None or p is None:
            raise ValueError("say where: is_derivation(operator, chart, p)")
        found = check_derivation(operator, chart, chart.point(p))
        if isinstance(found, Verdict):
            return found
        vector = TangentVector(found, chart, p)
        return Verdict(True, f"linear and Leibniz on every pair tried; it is {vector}", (vector,))

    def __repr__(self) -> str:
        return f"{self._terms([f'∂_{s}' for s in self.chart.symbols], str)} at {self._place()}"

    def _repr_latex_(self) -> str:
        names = [rf"\partial_{{{sp.latex(s)}}}" for s in self.chart.symbols]
        return self._latex(names)
