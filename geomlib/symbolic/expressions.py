"""Reading formulas and points: what every class here asks of its input, said once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sympy as sp

__all__ = [
    "at",
    "holds",
    "is_real_number",
    "is_zero",
    "read_all",
    "read_condition",
    "read_one",
    "read_symbols",
    "shorten",
    "tidy",
]

# Generic offsets: an analytic formula that vanishes at all of them vanishes, up to bad luck.
_OFFSETS = (sp.Rational(37, 113), sp.Rational(-29, 97), sp.Rational(53, 201), sp.Rational(-41, 151))


def read_symbols(names: Any) -> tuple[sp.Symbol, ...]:
    r"""Real, pairwise distinct coordinate symbols, from `"x y"` or from SymPy symbols.

    Raises:
        ValueError: if there are none, if two clash, or if one is not declared real
            (SymPy would then not know that $\sqrt{x^2} = |x|$).

    Example:
        >>> read_symbols("u v")
        (u, v)
    """
    if isinstance(names, str):
        symbols = tuple(sp.symbols(names, real=True, seq=True)) if names.strip() else ()
    elif isinstance(names, Iterable):
        symbols = tuple(names)
    else:
        symbols = (names,)
    if not symbols:
        raise ValueError("a chart needs at least one coordinate, as in Chart('U', 'x y')")
    for symbol in symbols:
        if not isinstance(symbol, sp.Symbol):
            raise ValueError(f"coordinates are SymPy symbols or their names, got {symbol!r}")
        if not symbol.is_real:
            raise ValueError(
                f"the coordinate {symbol} is not declared real; "
                f"write symbols('{symbol}', real=True), or pass the name '{symbol}'"
            )
    labels = [symbol.name for symbol in symbols]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(
            f"clashing symbols: {', '.join(twice)} stands for two coordinates of one chart; "
            "give each coordinate its own name"
        )
    return symbols


def read_one(formula: Any, symbols: Sequence[sp.Symbol]) -> sp.Expr:
    r"""A formula in the given symbols; other symbols are constant parameters.

    Raises:
        ValueError: if it is not a formula, is infinite or undefined everywhere, or uses a
            look-alike: a symbol named like a coordinate that is not the coordinate.

    Example:
        >>> x, y = read_symbols("x y")
        >>> read_one("x*y + 1", (x, y))
        x*y + 1
    """
    try:
        expression = sp.sympify(formula, locals={s.name: s for s in symbols})
    except (sp.SympifyError, TypeError, SyntaxError, AttributeError) as error:
        raise ValueError(f"cannot read {formula!r} as a formula") from error
    if not isinstance(expression, sp.Expr):
        raise ValueError(
            f"needed one scalar formula, got {formula!r} of type {type(formula).__name__}"
        )
    if expression.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ValueError(f"the formula {expression} is not finite; give one that is")
    mine = {symbol.name: symbol for symbol in symbols}
    for symbol in expression.free_symbols:
        if symbol.name in mine and symbol != mine[symbol.name]:
            raise ValueError(
                f"the formula {expression} uses a symbol named {symbol.name} that is not the "
                "chart's own; take the coordinates from chart.symbols"
            )
    return expression


def read_all(formulas: Any, symbols: Sequence[sp.Symbol], count: int, what: str) -> sp.Tuple:
    r"""A tuple of `count` formulas; a bare formula counts as a tuple of one.

    Raises:
        ValueError: if there are not `count` of them, or one cannot be read.

    Example:
        >>> read_all(("x", 1), read_symbols("x"), 2, "components")
        (x, 1)
    """
    if hasattr(formulas, "tolist"):  # NumPy arrays and SymPy matrices
        formulas = formulas.tolist()
        if isinstance(formulas, list) and len(formulas) == 1 and isinstance(formulas[0], list):
            formulas = formulas[0]
    if isinstance(formulas, str | sp.Expr) or not isinstance(formulas, Iterable):
        formulas = (formulas,)
    entries = list(formulas)
    if any(isinstance(entry, list | tuple) and len(entry) == 1 for entry in entries):
        entries = [e[0] if isinstance(e, list | tuple) and len(e) == 1 else e for e in entries]
    if len(entries) != count:
        raise ValueError(f"needed {count} {what}, got {len(entries)}: {entries}")
    return sp.Tuple(*(read_one(entry, symbols) for entry in entries))


def read_condition(condition: Any, symbols: Sequence[sp.Symbol]) -> Any:
    r"""A condition on the given symbols, as a SymPy Boolean.

    Raises:
        ValueError: if it is no condition, holds nowhere, or uses a look-alike of a coordinate.

    Example:
        >>> read_condition("y > 0", read_symbols("x y"))
        y > 0
    """
    try:
        result = sp.sympify(condition, locals={symbol.name: symbol for symbol in symbols})
    except (sp.SympifyError, TypeError, SyntaxError) as error:
        raise ValueError(f"cannot read the condition {condition!r}; write for example y > 0") from (
            error
        )
    if isinstance(result, sp.Symbol) or not isinstance(result, sp.logic.boolalg.Boolean):
        raise ValueError(f"a domain is a condition such as y > 0, got {condition!r}")
    if result == sp.false:
        raise ValueError(f"the domain {condition!r} is empty; a chart needs a point")
    if len(symbols) == 1 and result.simplify() == sp.false:
        raise ValueError(f"the domain {result} is empty; a chart needs a point")
    names = {symbol.name: symbol for symbol in symbols}
    for symbol in result.free_symbols:
        if symbol.name in names and symbol != names[symbol.name]:
            raise ValueError(
                f"the condition {result} uses a symbol named {symbol.name} that is not the "
                "chart's own; write the condition as a string"
            )
    return result


def at(expression: sp.Expr, where: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    r"""The value of a formula at a point.

    Raises:
        ValueError: if the formula is not defined there.

    Example:
        >>> x, = read_symbols("x")
        >>> at(x**2 + 1, {x: 3})
        10
    """
    value = expression.subs(where, simultaneous=True)
    if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        place = ", ".join(f"{symbol} = {number}" for symbol, number in where.items())
        raise ValueError(f"{expression} is not defined at {place}")
    return shorten(value)


def shorten(value: sp.Expr) -> sp.Expr:
    """A number or short formula simplified; a long one as it is, since that could be slow."""
    return sp.simplify(value) if not value.is_Rational and sp.count_ops(value) < 25 else value


def holds(condition: Any, where: Mapping[sp.Symbol, sp.Expr]) -> bool | None:
    r"""Whether a condition is true at a point; `None` where parameters leave it open.

    Example:
        >>> x, = read_symbols("x")
        >>> holds(x > 0, {x: 2}), holds(x > 0, {x: -2}), holds(x > 0, {x: sp.Symbol("a")})
        (True, False, None)
    """
    condition = sp.sympify(condition)
    if condition in (sp.true, sp.false):
        return bool(condition)
    if isinstance(condition, sp.Not):
        inside = holds(condition.args[0], where)
        return None if inside is None else not inside
    if isinstance(condition, sp.And | sp.Or):
        decisive = isinstance(condition, sp.Or)
        parts = []
        for part in condition.args:
            parts.append(holds(part, where))
            if parts[-1] is decisive:
                return decisive
        return None if None in parts else not decisive
    return _compare(condition, where)


def _compare(relation: Any, where: Mapping[sp.Symbol, sp.Expr]) -> bool | None:
    point = {symbol: sp.sympify(value) for symbol, value in where.items()}
    difference = (relation.lhs - relation.rhs).xreplace(point)
    try:
        value = relation.func(difference, 0)
        if value not in (sp.true, sp.false):
            value = relation.func(sp.simplify(difference), 0)
    except TypeError:  # SymPy refuses to order numbers that are not real
        return False
    return bool(value) if value in (sp.true, sp.false) else None


def is_zero(expression: sp.Expr, center: Mapping[sp.Symbol, sp.Expr] | None = None) -> bool:
    r"""Whether a formula vanishes identically, near `center` if one is given.

    One point with a value beyond rounding refutes; simplification confirms. Beyond that the
    question is undecidable (Richardson 1968), and SymPy's `equals` has the last word.

    Example:
        >>> x, = read_symbols("x")
        >>> is_zero(sp.sin(x)**2 + sp.cos(x)**2 - 1), is_zero(sp.sin(x) - x)
        (True, False)
    """
    if expression.is_zero is not None:
        return bool(expression.is_zero)
    center = center or {}
    free = sorted(expression.free_symbols, key=str)
    for shift in range(3):
        point = {
            symbol: center.get(symbol, sp.S.One) + _OFFSETS[(i + shift) % 4] / (1 + i // 4)
            for i, symbol in enumerate(free)
        }
        value = sp.Abs(expression.subs(point, simultaneous=True)).evalf(30)
        if value.is_Float and value > sp.Float("1e-20"):
            return False
    simplified = sp.simplify(expression)
    return simplified == 0 or simplified.equals(0) is not False


def is_real_number(value: sp.Expr) -> bool:
    """Whether a number is real, by SymPy's rules or else by its value to 30 digits."""
    if value.is_real is not None:
        return bool(value.is_real)
    return bool(abs(sp.im(value.evalf(30))) < sp.Float("1e-20"))


def tidy(expression: sp.Expr) -> sp.Expr:
    r"""A short equal form, by cancelling and trigonometric identities, never slow.

    Example:
        >>> u, v = read_symbols("u v")
        >>> tidy((2*u/(1 + u**2)) / (1 - (u**2 - 1)/(1 + u**2)))
        u
    """
    if expression.has(sp.Piecewise):
        return expression.replace(
            lambda node: isinstance(node, sp.Piecewise),
            lambda node: sp.Piecewise(*((tidy(branch), cond) for branch, cond in node.args)),
        )
    expression = _shorten_angles(expression)
    forms = [expression]
    if sp.count_ops(expression) < 250:
        forms += [sp.factor(sp.cancel(sp.together(expression)))]
        if expression.has(sp.sin, sp.cos, sp.sinh, sp.cosh):
            forms += [sp.trigsimp(forms[-1])]
            forms += [sp.factor(forms[-1])]
        if expression.atoms(sp.Pow) and sp.count_ops(expression) < 80:
            forms += [sp.radsimp(sp.powdenest(forms[-1]))]
    poles = (sp.tan, sp.cot, sp.sec, sp.csc)  # not smooth where sine and cosine are
    kept = [form for form in forms if expression.has(*poles) or not form.has(*poles)]
    return min(kept, key=sp.count_ops)


def _shorten_angles(expression: sp.Expr) -> sp.Expr:
    """atan2(c y, c x) = atan2(y, x) for c > 0."""

    def shorten(y: sp.Expr, x: sp.Expr) -> sp.Expr:
        y, x = (sp.cancel(sp.together(part)) for part in (y, x))
        common = sp.gcd(y, x) if y != 0 and x != 0 else sp.S.One
        positive = sp.Mul(*(f for f in sp.Mul.make_args(sp.factor(common)) if f.is_positive))
        return sp.atan2(sp.cancel(y / positive), sp.cancel(x / positive))

    return expression.replace(sp.atan2, shorten)
