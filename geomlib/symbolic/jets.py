r"""Jets by the rules that they obey: $j^k(fg) = j^kf\, j^kg$ modulo degree $k + 1$, and so on.

No derivative of the whole formula is written out, so nothing swells.
"""

from collections.abc import Callable, Mapping, Sequence

import sympy as sp

from .expressions import at

__all__ = ["jet_coefficients"]

_MOST_PRODUCTS = 6000
_BY_EXPONENTIALS = (sp.tanh, sp.coth, sp.sech, sp.csch)
_BY_COSINES = (sp.tan, sp.cot, sp.sec, sp.csc)

Index = tuple[int, ...]
Jet = dict[Index, sp.Expr]


def jet_coefficients(
    expression: sp.Expr, symbols: Sequence[sp.Symbol], where: Mapping[sp.Symbol, sp.Expr], k: int
) -> Jet:
    r"""The numbers $\partial^\alpha f(p) / \alpha!$ for $|\alpha| \le k$, by multi-index.

    Example:
        >>> x, y = sp.symbols("x y", real=True)
        >>> jet_coefficients(sp.exp(x) * y, (x, y), {x: 0, y: 0}, 2)
        {(1, 1): 1, (0, 1): 1}
    """
    zero: Index = (0,) * len(symbols)
    units = {s: tuple(int(s == t) for t in symbols) for s in symbols}

    def jet(node: sp.Expr) -> Jet:
        if not node.free_symbols & set(symbols):
            return {zero: node}
        if node in units:
            return (
                {zero: sp.sympify(where[node]), units[node]: sp.S.One}
                if k
                else {zero: sp.sympify(where[node])}
            )
        if isinstance(node, sp.Add):
            return _sum([jet(term) for term in node.args])
        if isinstance(node, sp.Mul):
            result: Jet = {zero: sp.S.One}
            for factor in node.args:
                result = _product(result, jet(factor), k)
            return result
        if isinstance(node, sp.Pow) and not node.exp.free_symbols & set(symbols):
            return _power(jet(node.base), node.exp, zero, k)
        if isinstance(node, sp.Pow):
            return jet(sp.exp(node.exp * sp.log(node.base)))
        if isinstance(node, _BY_EXPONENTIALS):
            return jet(node.rewrite(sp.exp))
        if isinstance(node, _BY_COSINES):
            return jet(node.rewrite(sp.cos))
        if isinstance(node, sp.Function) and len(node.args) == 1:
            return _compose(node.func, jet(node.args[0]), zero, k)
        return _by_differentiating(node, symbols, where, k)

    return {index: value for index, value in jet(expression).items() if value != 0}


def _sum(jets: Sequence[Jet]) -> Jet:
    result: Jet = {}
    for jet in jets:
        for index, value in jet.items():
            result[index] = result.get(index, sp.S.Zero) + value
    return result


def _product(one: Jet, other: Jet, k: int) -> Jet:
    result: Jet = {}
    work = 0
    for left, a in one.items():
        for right, b in other.items():
            if sum(left) + sum(right) <= k:
                work += len(sp.Add.make_args(a)) * len(sp.Add.make_args(b))
                index = tuple(i + j for i, j in zip(left, right, strict=True))
                result[index] = result.get(index, sp.S.Zero) + a * b
        if work > _MOST_PRODUCTS:
            raise ValueError(
                f"the coefficients to order {k} are too long to write out at this point; "
                "lower the order, or take a point where they are rational"
            )
    return {index: sp.expand_mul(value) for index, value in result.items()}


def _power(inner: Jet, exponent: sp.Expr, zero: Index, k: int) -> Jet:
    if exponent.is_Integer and 0 <= exponent <= k:
        result: Jet = {zero: sp.S.One}
        for _ in range(int(exponent)):
            result = _product(result, inner, k)
        return result
    value = inner.get(zero, sp.S.Zero)
    series = [sp.binomial(exponent, j) * value ** (exponent - j) for j in range(k + 1)]
    return _substitute(series, inner, zero, k)


def _compose(function: Callable[..., sp.Expr], inner: Jet, zero: Index, k: int) -> Jet:
    t = sp.Dummy("t", real=True)
    value, derivative, series = inner.get(zero, sp.S.Zero), function(t), []
    for j in range(k + 1):
        coefficient = derivative.xreplace({t: value})
        if coefficient.has(sp.nan, sp.zoo):
            raise ValueError(f"{function(t)} is not smooth at {value}")
        series.append(coefficient / sp.factorial(j))
        derivative = sp.diff(derivative, t)
    return _substitute(series, inner, zero, k)


def _substitute(series: Sequence[sp.Expr], inner: Jet, zero: Index, k: int) -> Jet:
    """The sum of series[j] (inner - inner(p))^j, by Horner's rule."""
    step = {index: value for index, value in inner.items() if index != zero}
    result: Jet = {}
    for coefficient in reversed(series):
        result = _sum([_product(result, step, k), {zero: coefficient}])
    return result


def _by_differentiating(
    node: sp.Expr, symbols: Sequence[sp.Symbol], where: Mapping[sp.Symbol, sp.Expr], k: int
) -> Jet:
    result: Jet = {}
    derivatives = {(0,) * len(symbols): node}
    for _ in range(k + 1):
        following = {}
        for index, derivative in derivatives.items():
            scale = sp.prod(sp.factorial(i) for i in index)
            result[index] = at(derivative, where) / scale
            for i, symbol in enumerate(symbols):
                if not any(index[i + 1 :]):
                    raised = (*index[:i], index[i] + 1, *index[i + 1 :])
                    following[raised] = sp.diff(derivative, symbol)
        derivatives = following
    return result
