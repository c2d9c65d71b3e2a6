"""From formulas to PyTorch: the only place here that imports torch, and only when called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sympy as sp

if TYPE_CHECKING:
    from .smooth_map import SmoothMap

__all__ = ["torch_function"]


def torch_function(smooth_map: SmoothMap) -> Callable[..., Any]:
    """See `SmoothMap.to_torch`."""
    import torch

    symbols = smooth_map.source.symbols
    parameters = smooth_map.expressions.free_symbols - set(symbols)
    if parameters:
        names = ", ".join(sorted(map(str, parameters)))
        raise ValueError(f"the map {smooth_map} has no value for {names}; set it with subs first")
    formulas = [_printable(formula) for formula in smooth_map.expressions]
    compiled = sp.lambdify(symbols, formulas, modules="torch", cse=True)

    def function(points: torch.Tensor) -> torch.Tensor:
        if not isinstance(points, torch.Tensor) or not points.is_floating_point():
            raise ValueError(f"needed a tensor of floating-point numbers, got {points!r}")
        if points.ndim == 0 or points.shape[-1] != len(symbols):
            raise ValueError(
                f"needed points of shape (..., {len(symbols)}), got {tuple(points.shape)}"
            )
        columns = points.unbind(-1)
        values = [torch.as_tensor(value).to(points) for value in compiled(*columns)]
        return torch.stack([value.expand(points.shape[:-1]) for value in values], dim=-1)

    function.__name__ = "smooth_map"
    function.__doc__ = f"{smooth_map}, on tensors of shape (..., {len(symbols)})"
    return function


def _printable(formula: sp.Expr) -> sp.Expr:
    """The formula in functions that SymPy's PyTorch printer knows, with constants as floats."""
    for function in (sp.sec, sp.csc, sp.cot, sp.sech, sp.csch, sp.coth, sp.sinc, sp.acot):
        target = {sp.sinc: sp.sin, sp.acot: sp.atan, sp.coth: sp.tanh}.get(function)
        if target is None:
            target = sp.cosh if function in (sp.sech, sp.csch) else sp.cos
            if function in (sp.csc, sp.cot):
                target = sp.sin if function is sp.csc else sp.tan
            if function is sp.csch:
                target = sp.sinh
        formula = formula.replace(
            lambda node, kind=function: isinstance(node, kind),
            lambda node, into=target: node.rewrite(into),
        )
    return formula.replace(
        lambda node: isinstance(node, sp.Expr) and node.is_number and not node.is_Rational,
        lambda node: node.evalf(17),
    )
