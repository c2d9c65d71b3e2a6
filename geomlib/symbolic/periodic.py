"""Transitions between charts whose coordinates are angles, each in a window of one turn."""

from collections.abc import Sequence
from typing import Any

import sympy as sp

from .chart import Chart
from .smooth_map import SmoothMap

__all__ = ["TURN", "turns"]

TURN = 2 * sp.pi


def turns(
    charts: Sequence[Chart], windows: Sequence[tuple[Any, ...]], flip: int = 1
) -> list[SmoothMap]:
    r"""The transitions between the windows, as `Piecewise` maps smooth on the overlaps.

    Args:
        charts: one chart for each window; the first coordinate, and perhaps the second, is an
            angle.
        windows: the lower end of each angle's window of length $2\pi$; `None` for a coordinate
            that is no angle.
        flip: -1 if a turn of the first angle reverses the second, as on the Klein bottle.

    Example:
        >>> one, two = Chart("one", "a"), Chart("two", "b")
        >>> turns([one, two], [(0,), (sp.pi,)])[0]
        (a) -> (Piecewise((a + 2*pi, a < pi), (a, True)))
    """
    result = []
    for source, lows in zip(charts, windows, strict=True):
        for target, ends in zip(charts, windows, strict=True):
            if source != target:
                formulas, overlap = _shift(source.symbols, lows, ends, flip)
                domain = sp.And(source.domain, overlap)
                result.append(SmoothMap.trusted(source, target, formulas, domain))
    return result


def _shift(symbols: Any, lows: Any, ends: Any, flip: int) -> tuple[list[sp.Expr], Any]:
    first = symbols[0]
    (before, edge, after) = _wrap(first, lows[0], ends[0])
    formulas = [sp.Piecewise((before, first < edge), (after, True))]
    overlap = sp.Ne(first, edge)
    for symbol, low, end in zip(symbols[1:], lows[1:], ends[1:], strict=True):
        if low is None:
            formulas.append(symbol)
            continue
        halves = []
        for shifted, side in ((before, first < edge), (after, first > edge)):
            sign = flip if shifted != first else 1
            start = low if sign == 1 else -low - TURN
            less, cut, more = _wrap(sign * symbol, start, end)
            inner = sp.Piecewise((less, sign * symbol < cut), (more, True))
            halves.append((inner, side, sp.Ne(sign * symbol, cut)))
        (one, side, ok), (two, other_side, ok_too) = halves
        formulas.append(one if flip == 1 else sp.Piecewise((one, side), (two, True)))
        overlap &= ok if flip == 1 else sp.Or(sp.And(side, ok), sp.And(other_side, ok_too))
    return formulas, overlap


def _wrap(angle: sp.Expr, low: Any, end: Any) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """An angle of the window from `low` in the window from `end`: below, at, above the cut."""
    turns = sp.floor((sp.sympify(end) - low) / TURN)
    cut = end - turns * TURN
    return angle + (turns + 1) * TURN, cut, angle + turns * TURN
