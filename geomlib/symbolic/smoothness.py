"""Where a formula can fail to be smooth, and the search for a point of a domain where it does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise, product

import sympy as sp
from sympy.logic.boolalg import Boolean

from .expressions import holds

__all__ = ["Hazard", "edges", "find_point", "hazards", "sample_points"]

_SMOOTH = (
    *(sp.Add, sp.Mul, sp.Derivative),
    *(sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.sech),
    *(sp.atan, sp.asinh, sp.erf, sp.re, sp.im, sp.conjugate),
)

_FAILS: dict[type, Callable[..., Boolean]] = {
    sp.Abs: lambda a: sp.Eq(a, 0),
    sp.sinc: lambda a: sp.Eq(a, 0),
    sp.sign: lambda a: sp.Eq(a, 0),
    sp.Heaviside: lambda a, *_: sp.Eq(a, 0),
    sp.log: lambda a: a <= 0,
    sp.asin: lambda a: sp.Eq(a, 1) | sp.Eq(a, -1),
    sp.acos: lambda a: sp.Eq(a, 1) | sp.Eq(a, -1),
    sp.atanh: lambda a: sp.Eq(a, 1) | sp.Eq(a, -1),
    sp.acosh: lambda a: a <= 1,
    sp.acot: lambda a: sp.Eq(a, 0),
    sp.tan: lambda a: sp.Eq(sp.cos(a), 0),
    sp.sec: lambda a: sp.Eq(sp.cos(a), 0),
    sp.cot: lambda a: sp.Eq(sp.sin(a), 0),
    sp.csc: lambda a: sp.Eq(sp.sin(a), 0),
    sp.coth: lambda a: sp.Eq(a, 0),
    sp.csch: lambda a: sp.Eq(a, 0),
    sp.floor: lambda a: sp.Eq(sp.sin(sp.pi * a), 0),
    sp.ceiling: lambda a: sp.Eq(sp.sin(sp.pi * a), 0),
    sp.frac: lambda a: sp.Eq(sp.sin(sp.pi * a), 0),
    sp.Mod: lambda a, b: sp.Eq(sp.sin(sp.pi * a / b), 0),
    sp.atan2: lambda y, x: sp.And(sp.Eq(y, 0), x <= 0),
    sp.Max: lambda *args: _ties(args),
    sp.Min: lambda *args: _ties(args),
}


@dataclass(frozen=True)
class Hazard:
    """A condition under which a formula may fail to be smooth, and the part that fails."""

    condition: Boolean
    what: str


def hazards(expression: sp.Expr, region: Boolean = sp.true) -> Iterator[Hazard]:
    r"""The places where a formula may fail to be smooth.

    Outside all of them it is a composition of smooth functions. A place is only suspected:
    the two pieces of a `Piecewise` may meet smoothly.

    Example:
        >>> x = sp.Symbol("x", real=True)
        >>> [(h.condition, h.what) for h in hazards(sp.Abs(x) + 1/(1 + x**2))]
        [(Eq(x, 0), 'Abs(x)')]
    """
    if isinstance(expression, sp.Piecewise):
        earlier = sp.true
        for branch, condition in expression.args:
            yield from hazards(branch, sp.And(region, earlier, condition))
            for edge in edges(condition):
                yield Hazard(sp.And(region, edge), "the pieces meet")
            earlier = sp.And(earlier, sp.Not(condition))
        return
    condition = _own(expression)
    if condition != sp.false:
        yield Hazard(sp.And(region, condition), str(expression))
    for argument in expression.args:
        if isinstance(argument, sp.Expr):
            yield from hazards(argument, region)


def edges(condition: Boolean) -> list[Boolean]:
    """The equations of the boundary of a condition."""
    relations = sorted(condition.atoms(sp.core.relational.Relational), key=str)
    return [sp.Eq(relation.lhs - relation.rhs, 0) for relation in relations]


def _own(node: sp.Expr) -> Boolean:
    """Where the outermost operation of a formula fails."""
    if isinstance(node, sp.Pow):
        return _power(node.base, node.exp)
    if node.is_Atom or isinstance(node, _SMOOTH):
        return sp.false
    if isinstance(node, sp.core.function.AppliedUndef):
        return sp.false  # an abstract function f(x) stands for a smooth one
    try:
        return _FAILS.get(node.func, lambda *_: sp.true)(*node.args)
    except TypeError:  # ordering a number that is not real
        return sp.true


def _power(base: sp.Expr, exponent: sp.Expr) -> Boolean:
    if exponent.is_integer and exponent.is_nonnegative:
        return sp.false
    if base.is_positive:
        return sp.false
    if exponent.is_integer:
        return sp.Eq(base, 0)
    try:
        return base <= 0
    except TypeError:
        return sp.true


def _ties(arguments: Sequence[sp.Expr]) -> Boolean:
    pairs = [(a, b) for i, a in enumerate(arguments) for b in arguments[i + 1 :]]
    return sp.Or(*(sp.Eq(a - b, 0) for a, b in pairs))


def find_point(
    condition: Boolean, domain: Boolean, symbols: tuple[sp.Symbol, ...]
) -> dict[sp.Symbol, sp.Expr] | None:
    r"""A point of the domain at which the condition holds, or `None` if the search finds none.

    The equations are solved exactly for one coordinate, with the others at sample values, so a
    point that is found is a proof, and one that is not found is evidence only (a proof in
    dimension one, where there is nothing to sample).

    Example:
        >>> x, y = sp.symbols("x y", real=True)
        >>> find_point(sp.Eq(x + y, 1), x > 2, (x, y)) is None
        False
        >>> find_point(sp.Eq(x**2 + y**2, 0), sp.Ne(x**2 + y**2, 0), (x, y)) is None
        True
    """
    wanted = sp.And(condition, domain)
    if wanted == sp.false:
        return None
    for point in sample_points(domain, symbols):
        if holds(condition, point):
            return dict(point)
    samples = _samples(domain, symbols)
    for relation in sorted(condition.atoms(sp.core.relational.Relational), key=str):
        for point in _zeros(relation.lhs - relation.rhs, symbols, samples):
            if holds(wanted, point):
                return point
    return None


@lru_cache(maxsize=256)
def sample_points(
    domain: Boolean, symbols: tuple[sp.Symbol, ...], limit: int = 40
) -> tuple[dict[sp.Symbol, sp.Expr], ...]:
    """Up to `limit` exact points of a domain, the simplest first."""
    samples = _samples(domain, symbols)
    width = len(samples[symbols[0]]) if len(symbols) < 4 else 3
    # by the sum of places, so that the first few points already vary in every coordinate
    grid = sorted(islice(product(range(width), repeat=len(symbols)), 4000), key=sum)
    points = (
        {s: samples[s][place] for s, place in zip(symbols, places, strict=True)}
        for places in grid
        if all(place < len(samples[s]) for s, place in zip(symbols, places, strict=True))
    )
    return tuple(islice((point for point in points if holds(domain, point)), limit))


def _samples(domain: Boolean, symbols: Sequence[sp.Symbol]) -> dict[sp.Symbol, list[sp.Expr]]:
    """Sample values for each coordinate: a few small ones, and some between its bounds."""
    usual = [sp.Rational(a, b) for a, b in ((0, 1), (1, 1), (-1, 2), (2, 1), (-3, 2), (1, 3))]
    result = {}
    for symbol in symbols:
        bounds = set()
        for relation in domain.atoms(sp.core.relational.Relational):
            difference = sp.expand(relation.lhs - relation.rhs)
            slope = difference.coeff(symbol, 1)
            if relation.free_symbols == {symbol} and slope.is_number and slope != 0:
                bounds.add(sp.simplify(symbol - difference / slope))
        ends = sorted((end for end in bounds if end.is_number and end.is_real), key=float)
        between = [
            low + (high - low) * share
            for low, high in pairwise(ends)
            for share in (sp.Rational(1, 2), sp.Rational(1, 5), sp.Rational(5, 6))
        ]
        result[symbol] = between + [value for value in usual if value not in between]
    return result


def _zeros(
    expression: sp.Expr, symbols: Sequence[sp.Symbol], samples: dict[sp.Symbol, list[sp.Expr]]
) -> Iterator[dict[sp.Symbol, sp.Expr]]:
    numerator = sp.numer(sp.together(expression))
    for factor, _ in sp.factor_list(numerator)[1] if numerator.free_symbols else ():
        for unknown in (s for s in symbols if s in factor.free_symbols):
            others = [s for s in symbols if s != unknown]
            few = 5 if len(others) == 1 else 2
            for values in islice(product(*(samples[s][:few] for s in others)), 32):
                known = dict(zip(others, values, strict=True))
                for root in _real_roots(factor.subs(known), unknown):
                    yield {s: root if s == unknown else known[s] for s in symbols}


def _real_roots(expression: sp.Expr, unknown: sp.Symbol) -> list[sp.Expr]:
    if unknown not in expression.free_symbols:
        return []
    window = sp.Interval(-10, 10)
    try:
        if expression.is_polynomial(unknown) and expression.free_symbols == {unknown}:
            return list(set(sp.real_roots(sp.Poly(expression, unknown))))
        roots = sp.solveset(expression, unknown, window)
    except (NotImplementedError, ValueError, TypeError, sp.PolynomialError):
        return []
    return list(roots) if isinstance(roots, sp.FiniteSet) else []
