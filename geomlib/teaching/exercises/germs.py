"""Exercises of the chapter *Germs and the cotangent space*."""

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from geomlib.symbolic import Chart, Germ
from geomlib.teaching.checks import Mistake, NotAttempted, attempt, compare, exercise

__all__ = ["covector_in_new_chart", "hadamard_factors", "remainder_coefficient", "two_charts"]

LINE = Chart("R", "x")
(_x,) = LINE.symbols


@exercise("germs-a")
def remainder_coefficient(answer: float | Tensor) -> str:
    r"""$2x + 3x^2 = 2u + 7x^2$ in the chart $u = x - 2x^2$."""
    try:
        value = torch.as_tensor(float(answer))
    except (TypeError, ValueError):
        raise Mistake(f"Give one number; yours is of type {type(answer).__name__}.") from None
    compare(
        value,
        torch.tensor(7.0),
        {
            "That is the remainder in the chart x. Here the linear part is a multiple of u, and u "
            "has a square in it.": torch.tensor(3.0),
            "The sign of the square in u went wrong: 2u = 2x - 4x^2, and you take that away from "
            "f.": torch.tensor(-1.0),
            "You took u away once. The linear part is a u with a = 2, the slope of f over the "
            "slope of u.": torch.tensor(5.0),
            "That is a, the coefficient of the class. The question is for c.": torch.tensor(2.0),
            "That is the chapter's example, u = x + x^2. Here u = x - 2x^2.": torch.tensor(1.0),
        },
    )
    return "The class 2 du = 2 dx is the same in both charts; 7 is what this chart leaves over."


@exercise("germs-b")
def hadamard_factors(answer: Callable[..., Sequence[sp.Expr]]) -> str:
    r"""$g_i(x) = \int_0^1 \partial_i f(p + t(x - p))\,dt$, or any other smooth factors."""
    x, y = symbols = sp.symbols("x y", real=True)
    for f, p in [(x**2 * y + 3 * x * y + y**2, (1, -2)), (sp.exp(x) + x * y, (0, 1))]:
        factors = _factors(answer, f, symbols, p)
        steps = [s - c for s, c in zip(symbols, p, strict=True)]
        where = dict(zip(symbols, p, strict=True))
        value = f.subs(where)
        if _vanishes(value + sum(h * g for h, g in zip(steps, factors, strict=True)) - f, where):
            _refuse_quotients(factors, where)
            continue
        slopes = [sp.diff(f, s) for s in symbols]
        t = sp.Symbol("t", real=True)

        def along(start: Sequence[Any], slopes: Any = slopes, t: Any = t) -> list[sp.Expr]:
            path = {s: c + t * (s - c) for s, c in zip(symbols, start, strict=True)}
            return [sp.integrate(d.subs(path, simultaneous=True), (t, 0, 1)) for d in slopes]

        right = along(p)
        wrong = {
            "These are the partial derivatives at p, numbers. With them f is only right to first "
            "order; average the derivatives over the segment from p to x.": [
                d.subs(where) for d in slopes
            ],
            "These are the partial derivatives at x. Average them over the segment from p to "
            "x.": slopes,
            "Your segment starts at the origin; it has to start at p.": along((0, 0)),
            "You returned the products (x^i - p^i) g_i. Return the factors g_i alone.": [
                h * g for h, g in zip(steps, right, strict=True)
            ],
            "Your factors rebuild the function with the opposite sign: the step is x - p, not "
            "p - x.": [-g for g in right],
        }
        for text, values in wrong.items():
            if all(_vanishes(a - b, where) for a, b in zip(factors, values, strict=True)):
                raise Mistake(text)
        raise Mistake(
            f"f(p) + sum of (x^i - p^i) g_i is not f for f = {f} at p = {p}. Your factors are "
            f"{', '.join(map(str, factors))}."
        )
    return (
        "The factors are a certificate: their values at p are the components of the differential."
    )


def _factors(function: Any, f: sp.Expr, symbols: Sequence[sp.Symbol], p: Any) -> list[sp.Expr]:
    if not callable(function):
        raise Mistake(f"Hand over the function itself, not {type(function).__name__}.")
    try:
        result = function(f, symbols, p)
    except Exception as error:
        raise Mistake(
            f"Your function raised {type(error).__name__} for f = {f}, p = {p}: {error}"
        ) from error
    if result is None or result is ...:
        raise NotAttempted
    if not isinstance(result, list | tuple) or len(result) != len(symbols):
        raise Mistake("Return a list with one factor for each coordinate.")
    try:
        factors = [sp.sympify(factor, locals={s.name: s for s in symbols}) for factor in result]
    except (sp.SympifyError, TypeError):
        raise Mistake("The factors have to be SymPy formulas.") from None
    if not all(isinstance(factor, sp.Expr) for factor in factors):
        raise Mistake("The factors have to be SymPy formulas.")
    others = {s for factor in factors for s in factor.free_symbols - set(symbols)}
    if {s.name for s in others} & {s.name for s in symbols}:
        raise Mistake("Use the symbols that you are given: yours have their names, but are others.")
    if others:
        raise Mistake("A factor still contains the variable of integration.")
    return factors


def _refuse_quotients(factors: Sequence[sp.Expr], where: dict[sp.Symbol, Any]) -> None:
    for factor in factors:
        if factor.subs(where).has(sp.nan, sp.zoo, sp.oo):
            raise Mistake(
                "The sum is right, but a factor is 0/0 at p: dividing by x^i - p^i leaves a hole. "
                "The lemma asks for factors that are smooth at p."
            )


def _vanishes(expression: sp.Expr, where: dict[sp.Symbol, Any]) -> bool:
    """Whether an expression is 0 at three points around `where`; enough to tell formulas apart."""
    for shift in (sp.Rational(1, 3), sp.Rational(-2, 7), sp.Rational(5, 11)):
        place = {s: c + shift * (i + 1) for i, (s, c) in enumerate(where.items())}
        value = sp.sympify(expression).subs(place)
        if value.has(sp.nan, sp.zoo, sp.oo) or abs(value.evalf(20)) > 1e-9:
            return False
    return True


@exercise("germs-c")
def covector_in_new_chart(answer: Callable[..., Tensor]) -> str:
    r"""$b = J^{-\top} a$: the components of one covector in another chart."""
    a = torch.tensor([6.0, 8.0, -1.0])
    jacobian = torch.tensor([[0.6, 0.8, 0.0], [-0.16, 0.12, 0.5], [0.0, 1.0, 2.0]])
    inverse = torch.linalg.inv(jacobian)
    compare(
        attempt(answer, a, jacobian),
        a @ inverse,
        {
            "That is J a: you pushed the components forward as if they were a vector's. A "
            "covector's change by the inverse.": jacobian @ a,
            "That is a J: it carries components from the new chart back to the old one. You need "
            "the inverse of J.": a @ jacobian,
            "You multiplied the inverse from the wrong side: a is a row, so it is a times the "
            "inverse of J.": inverse @ a,
            "The components are those of the old chart. Change them, so that the pairing with "
            "vectors, whose components become J v, stays.": a,
        },
    )
    return "The pairing a v is the same number in both charts; that fixes b."


@exercise("germs-d")
def two_charts(answer: Sequence[Any]) -> str:
    r"""Charts $u$ with $d_0u = d_0x$ that leave the remainders $0$ and $x^4$ of $2x + 3x^2$."""
    if isinstance(answer, str | sp.Expr) or not isinstance(answer, Sequence) or len(answer) != 2:
        raise Mistake("Give two formulas, such as ('x + x**2', 'sin(x)').")
    f = Germ(2 * _x + 3 * _x**2, LINE, 0)
    for formula, wanted in zip(answer, (sp.S.Zero, _x**4), strict=True):
        name = f"u = {formula}"
        try:
            u = Germ(formula, LINE, 0)
        except ValueError as error:
            raise Mistake(f"{name} is no smooth germ at 0: {error}") from None
        if not u.in_maximal_ideal():
            raise Mistake(f"{name} does not vanish at 0.")
        (slope,) = u.differential().components
        if slope == 0:
            raise Mistake(f"{name} has differential 0 at 0, so it is no coordinate there.")
        if slope != 1:
            raise Mistake(
                f"{name} has the differential {slope} dx at 0; the exercise asks for dx itself. "
                "Divide by a number."
            )
        rest = f.split(by=[u.expression]).remainder
        if Germ(rest, LINE, 0) != Germ(wanted, LINE, 0):
            if Germ(rest, LINE, 0) == Germ(-wanted, LINE, 0):
                raise Mistake(f"{name} leaves {rest}, the opposite sign: take r away from f.")
            raise Mistake(f"{name} leaves {sp.expand(rest)}, not {wanted}.")
    return "Both charts have the class dx. Now say which remainders can occur, and what if d f = 0."
