r"""Smoothness and Taylor polynomials at one point, for formulas that may have several pieces.

A jet sees less than a germ: $e^{-1/x^2}$, set to 0 at 0, has the jet of the zero function.
So a formula is replaced by its *Taylor part*, a plain formula with the same derivatives at the
point; the formula itself keeps what the derivatives cannot see.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations_with_replacement

import sympy as sp
from sympy.logic.boolalg import Boolean

from .expressions import at, holds, is_zero
from .smoothness import hazards

__all__ = [
    "differentiate",
    "local_form",
    "multi_indices",
    "pieces",
    "taylor_part",
    "without_corners",
]

Point = Mapping[sp.Symbol, sp.Expr]
_CORNERS = (sp.sinc, sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min)


def local_form(expression: sp.Expr, where: Point) -> sp.Expr:
    """The same germ with the pieces that do not reach the point left out."""
    expression = expression.replace(
        lambda node: isinstance(node, _CORNERS) and _has_hazard(node, where),
        lambda node: node.rewrite(sp.sin if isinstance(node, sp.sinc) else sp.Piecewise),
    )
    if not expression.has(sp.Piecewise):
        return expression
    expression = _drop_far_pieces(expression, where)
    if expression.has(sp.Piecewise) and not isinstance(expression, sp.Piecewise):
        expression = _drop_far_pieces(sp.piecewise_fold(expression), where)
    return expression


def without_corners(expression: sp.Expr, where: Point) -> sp.Expr:
    """The same germ with |g|, sign, max and min resolved, where numbers decide their side."""
    try:
        return _drop_far_pieces(expression.rewrite(_CORNERS[1:], sp.Piecewise), where)
    except ValueError:  # a symbolic point leaves the side open
        return expression


def taylor_part(expression: sp.Expr, where: Point, order: int) -> sp.Expr:
    r"""A smooth formula with the same derivatives at the point up to `order`.

    Raises:
        ValueError: if the formula is not smooth at the point; the message says which part.

    Example:
        >>> x = sp.Symbol("x", real=True)
        >>> flat = sp.Piecewise((sp.exp(-1/x**2), sp.Ne(x, 0)), (0, True))
        >>> taylor_part(sp.cos(x) + flat, {x: 0}, 2)
        cos(x)
    """
    expression = local_form(without_corners(expression, where), where)
    if isinstance(expression, sp.Piecewise):
        return _join(pieces(expression), where, order)
    for hazard in hazards(expression):
        if holds(hazard.condition, where):
            part = "" if hazard.what == str(expression) else f", because of {hazard.what}"
            raise ValueError(f"{expression} is not smooth at {_text(where)}{part}")
    return expression


def differentiate(expression: sp.Expr, symbol: sp.Symbol, where: Point) -> sp.Expr:
    """The derivative of a germ, right also on the thin pieces that only fill a gap."""
    expression = local_form(expression, where)
    if not isinstance(expression, sp.Piecewise):
        return sp.diff(expression, symbol)
    filled = sp.diff(taylor_part(expression, where, 2), symbol)
    result = []
    for branch, condition, thin in pieces(expression):
        result.append((filled.subs(thin) if thin else sp.diff(branch, symbol), condition))
    return sp.Piecewise(*result)


def multi_indices(symbols: Sequence[sp.Symbol], order: int) -> Iterator[tuple[sp.Symbol, ...]]:
    """The symbols to differentiate by, for all partial derivatives of exactly this order."""
    return combinations_with_replacement(symbols, order)


def pieces(
    expression: sp.Expr,
) -> list[tuple[sp.Expr, Boolean, dict[sp.Expr, sp.Expr]]]:
    r"""The pieces of a formula: formula, condition, and the equations of a thin piece.

    A piece is thin if it only lives on a set without interior, such as the value at $x = 0$ in
    `Piecewise((sin(x)/x, Ne(x, 0)), (1, True))`.
    """
    if not isinstance(expression, sp.Piecewise):
        return [(expression, sp.true, {})]
    result = []
    earlier: Boolean = sp.false
    for branch, condition in expression.args:
        region = sp.And(condition, sp.Not(earlier))
        if len(region.free_symbols) == 1:
            region = region.simplify()
        earlier = sp.Or(earlier, condition)
        if region != sp.false:
            equations = _solved(region.atoms(sp.Eq)) if isinstance(region, sp.Eq | sp.And) else {}
            result.append((branch, condition, equations))
    return result


def _solved(relations) -> dict[sp.Expr, sp.Expr]:
    """Equations a = b as substitutions, each for a coordinate that it determines over the reals."""
    result = {}
    for relation in relations:
        difference = sp.expand(relation.lhs - relation.rhs)
        free = sorted(difference.free_symbols, key=str)
        for symbol in free:
            # x**2 + y**2 = 0 has one real solution, in every coordinate
            squares = all(term.is_nonnegative for term in sp.Add.make_args(difference))
            roots = [sp.S.Zero] if squares else sp.solve(difference, symbol)
            if len(roots) == 1:
                result[symbol] = roots[0]
                if not squares:
                    break
    return result


def _drop_far_pieces(expression: sp.Expr, where: Point) -> sp.Expr:
    def near(node: sp.Piecewise) -> sp.Expr:
        kept = []
        for branch, condition in node.args:
            side = _side(condition, where)
            if side >= 0:
                kept.append((branch, condition))
            if side > 0:
                break
        if not kept:
            raise ValueError(f"{node} has no piece at {_text(where)}; add a last one for True")
        return kept[0][0] if len(kept) == 1 else sp.Piecewise(*kept, evaluate=False)

    return expression.replace(lambda node: isinstance(node, sp.Piecewise), near)


def _side(condition: Boolean, where: Point) -> int:
    """1 if the condition holds around the point, -1 if it fails around it, 0 on an edge."""
    if condition == sp.true or condition == sp.false:
        return 1 if condition == sp.true else -1
    if isinstance(condition, sp.Not):
        return -_side(condition.args[0], where)
    if isinstance(condition, sp.And):
        return min(_side(part, where) for part in condition.args)
    if isinstance(condition, sp.Or):
        return max(_side(part, where) for part in condition.args)
    on_edge = holds(sp.Eq(condition.lhs - condition.rhs, 0), where)
    if on_edge:
        return 0
    inside = holds(condition, where)
    if on_edge is None or inside is None:
        raise ValueError(f"cannot tell whether {condition} holds at {_text(where)}; use numbers")
    return 1 if inside else -1


def _has_hazard(node: sp.Expr, where: Point) -> bool:
    return any(holds(hazard.condition, where) for hazard in hazards(node))


def _join(pieces, where: Point, order: int) -> sp.Expr:
    """The common Taylor part of the pieces around a point, or an error that says how they part."""
    full = [(branch, condition) for branch, condition, thin in pieces if not thin]
    parts = [_taylor_of_piece(branch, condition, where, order) for branch, condition in full]
    if not parts:
        raise ValueError(f"the formula has values on a thin set only, at {_text(where)}")
    first = parts[0]
    for other in parts[1:]:
        if not is_zero(first - other, where):
            raise ValueError(
                f"{first} and {other} meet at {_text(where)} but {_agreement(first - other, where)}"
            )
    for branch, _, thin in pieces:
        if thin and not is_zero((first - branch).subs(thin), where):
            raise ValueError(
                f"the value {branch} at {_text(where)} does not continue the formula around it, "
                f"whose limit is {sp.simplify(first.subs(thin))}; define it by that value"
            )
    return first


def _agreement(difference: sp.Expr, where: Point) -> str:
    for order in range(5):
        for by in multi_indices(list(where), order):
            if at(sp.diff(difference, *by) if by else difference, where) != 0:
                return "jump there" if order == 0 else f"part in order {order}"
    return "part in high order"


def _taylor_of_piece(branch: sp.Expr, condition: Boolean, where: Point, order: int) -> sp.Expr:
    if not _has_hazard(branch, where):
        return branch
    terms = sp.Add.make_args(sp.expand_mul(branch))
    seen = [term for term in terms if not _is_flat(term, condition, where)]
    rest = sp.Add(*seen) if len(seen) < len(terms) else branch
    return _fill_gap(rest, where, order) if _has_hazard(rest, where) else rest


def _is_flat(term: sp.Expr, condition: Boolean, where: Point) -> bool:
    r"""Whether the term is $h\,e^{-c/q}$ with $q \to 0^+$: then all its derivatives tend to 0.

    A derivative of such a term is again of this kind, with $h$ divided by powers of $q$, and the
    exponential outruns every power. Poles of $h$ are allowed where they divide a power of $q$.
    """
    flat = None
    for factor in sp.Mul.make_args(term):
        q = _fading(factor, condition, where)
        if q is not None:
            flat = q
    if flat is None:
        return False
    for factor in sp.Mul.make_args(term):
        if _fading(factor, condition, where) is None and _has_hazard(factor, where):
            base, exponent = factor.as_base_exp()
            if not exponent.is_integer or not _divides_power(base, flat, where):
                return False
    return True


def _fading(factor: sp.Expr, condition: Boolean, where: Point) -> sp.Expr | None:
    """q, if the factor is exp(-c/q) with q > 0 tending to 0 at the point and c > 0."""
    if not isinstance(factor, sp.exp):
        return None
    numerator, q = sp.fraction(sp.together(factor.args[0]))
    if not holds(sp.Eq(q, 0), where):
        return None
    for sign in (1, -1):
        if _positive_on(sign * q, condition) and at(sign * numerator, where).is_negative:
            return sp.expand(sign * q)
    return None


def _divides_power(base: sp.Expr, q: sp.Expr, where: Point) -> bool:
    symbols = sorted(where, key=str)
    if not (base.is_polynomial(*symbols) and q.is_polynomial(*symbols)):
        return False
    vanishing = [f for f, _ in sp.factor_list(base)[1] if holds(sp.Eq(f, 0), where)]
    return all(sp.rem(q, factor, *symbols) == 0 for factor in vanishing)


def _positive_on(q: sp.Expr, condition: Boolean) -> bool:
    if q.is_nonnegative:
        return True
    for relation in condition.atoms(sp.core.relational.Relational):
        if isinstance(relation, sp.Eq | sp.Ne):
            continue
        larger, smaller = relation.gts, relation.lts
        ratio = sp.cancel(q / (larger - smaller))
        if ratio.is_positive or (ratio == larger - smaller):
            return True
        if sp.cancel(ratio / (larger - smaller) ** 2).is_positive:
            return True
    return False


def _fill_gap(quotient: sp.Expr, where: Point, order: int) -> sp.Expr:
    r"""The Taylor polynomial, in $x$ about $c$, of $n/(x-c)^k$ with $n$ divisible by $(x-c)^k$.

    Hadamard's lemma: the quotient extends smoothly iff $\partial_x^j n = 0$ on $x = c$, $j < k$.
    """
    numerator, denominator = sp.fraction(sp.together(quotient))
    constant, factors = sp.factor_list(denominator)
    current = numerator / constant
    gaps = []
    for factor, power in factors:
        vanishing = holds(sp.Eq(factor, 0), where)
        symbol = next((s for s in where if factor.free_symbols == {s}), None)
        if not vanishing:
            current = current / factor**power
        elif symbol is not None and sp.degree(factor, symbol) == 1:
            current = current / factor.coeff(symbol, 1) ** power
            gaps.append((symbol, where[symbol], power))
        else:
            raise ValueError(f"{quotient} is not defined at {_text(where)}, where {factor} = 0")
    if _has_hazard(current, where):
        raise ValueError(f"{quotient} is not smooth at {_text(where)}")
    for symbol, center, power in gaps:
        current = _divide(current, symbol, center, power, order + len(gaps) * power, quotient)
    return current


def _divide(numerator, symbol, center, power: int, order: int, quotient) -> sp.Expr:
    result, derivative = sp.S.Zero, numerator
    for j in range(order + power + 1):
        coefficient = derivative.subs(symbol, center) / sp.factorial(j)
        if j < power and not is_zero(coefficient):
            raise ValueError(
                f"{quotient} has a pole at {symbol} = {center}: "
                f"its numerator does not vanish there to order {power}"
            )
        if j >= power:
            result += coefficient * (symbol - center) ** (j - power)
        derivative = sp.diff(derivative, symbol)
    return result


def _text(where: Point) -> str:
    return ", ".join(f"{symbol} = {value}" for symbol, value in where.items())
