"""Which operators on germs are derivations: a test that shows the pair on which one fails."""

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any

import sympy as sp

from .chart import Chart
from .expressions import is_zero
from .germ import Germ
from .taylor import multi_indices
from .verdict import Verdict

__all__ = ["check_derivation"]


def check_derivation(operator: Callable[[Germ], Any], chart: Chart, p: Any) -> Verdict | list[Any]:
    """The components $D(x^k)$ if the operator passes, otherwise the verdict that refutes it."""
    family = _test_germs(chart, p)
    values = [_number(operator, f) for f in family]
    for (f, Df), (g, Dg) in combinations_with_replacement(zip(family, values, strict=True), 2):
        both, apart = _number(operator, 2 * f - 3 * g), 2 * Df - 3 * Dg
        if not is_zero(both - apart):
            return _refuse("linear", "D(2f - 3g)", both, "2 Df - 3 Dg", apart, f, g)
        both, apart = _number(operator, f * g), f.value() * Dg + g.value() * Df
        if not is_zero(both - apart):
            return _refuse("Leibniz", "D(fg)", both, "f(p) Dg + g(p) Df", apart, f, g)
    return values[1 : 1 + chart.dim]


def _test_germs(chart: Chart, p: Any) -> list[Germ]:
    """1, the coordinates, monomials of degree 2 and 3, and an exponential with a value at p."""
    monomials = [
        sp.Mul(*factors)
        for degree in (1, 2, 3)
        for factors in multi_indices(chart.symbols, degree)
        if degree < 3 or len(set(factors)) == 1
    ]
    formulas = [sp.S.One, *monomials[:9], sp.exp(sum(chart.symbols))]
    return [Germ(formula, chart, p) for formula in formulas]


def _number(operator: Callable[[Germ], Any], f: Germ) -> sp.Expr:
    result = operator(f)
    if isinstance(result, Germ):
        raise ValueError(
            f"the operator sends the germ of {f.expression} to a germ; a tangent vector gives a "
            "number: end with .value()"
        )
    number = sp.sympify(result)
    if not isinstance(number, sp.Expr) or number.free_symbols & set(f.chart.symbols):
        raise ValueError(f"the operator sends the germ of {f.expression} to {result!r}, no number")
    return number


def _refuse(law: str, left: str, a: Any, right: str, b: Any, f: Germ, g: Germ) -> Verdict:
    a, b = sp.simplify(a), sp.simplify(b)
    return Verdict(
        False,
        f"not {law}: {left} = {a}, but {right} = {b}, for f = {f.expression}, g = {g.expression}",
        (f, g),
    )
