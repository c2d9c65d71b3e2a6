"""Smooth maps between charts: composition, Jacobian, push-forward and pull-back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import sympy as sp

from .chart import Chart, refuse_clash
from .expressions import at, holds, is_zero, read_all, read_condition, read_one, tidy
from .germ import Germ
from .metric import SymbolicMetric
from .smoothness import find_point, hazards, sample_points
from .tangent import Covector, TangentVector
from .taylor import taylor_part
from .verdict import Verdict

__all__ = ["SmoothMap"]


class SmoothMap:
    r"""A smooth map $f: M \supset U \to N$, as `n` formulas in `d` symbols.

    Args:
        source: the chart of the source, of dimension `d`.
        target: the chart of the target, of dimension `n`.
        expressions: `n` formulas in the source's coordinates.
        domain: the open set on which the map is defined; the source's whole domain by default.

    Raises:
        ValueError: if the number of formulas is wrong, symbols clash, the formulas are not smooth
            on the domain (a ReLU, a pole, a root), or a value misses the target's domain.

    Source: S. S. Chern, W. H. Chen, K. S. Lam, *Lectures on Differential Geometry*, World
    Scientific 1999, section 1.3.

    Example:
        >>> line, plane = Chart("R", "t"), Chart("R2", "x y")
        >>> gamma = SmoothMap(line, plane, ("cos(t)", "sin(t)"))
        >>> area = SmoothMap(plane, Chart("S", "s"), ["x*y"])
        >>> area @ gamma
        (t) -> (sin(t)*cos(t))
        >>> area.jacobian((2, 3))
        Matrix([[3, 2]])
    """

    def __init__(self, source: Chart, target: Chart, expressions: Any, domain: Any = None):
        self._set(source, target, expressions, None)
        if domain is not None:
            self.domain = sp.And(source.domain, read_condition(domain, source.symbols))
        smooth = self.is_smooth()
        if not smooth:
            raise ValueError(
                f"the map {self} is not smooth: {smooth.reason}; "
                "restrict it with domain=, or choose a smooth formula"
            )
        self._refuse_values_outside()

    @classmethod
    def trusted(cls, source: Chart, target: Chart, expressions: Any, domain: Any) -> SmoothMap:
        """A map whose smoothness is not searched for failures: composites, transitions to judge."""
        domain = sp.sympify(domain)
        result = cls.__new__(cls)
        result._set(source, target, expressions, domain)
        return result

    def _set(self, source: Chart, target: Chart, expressions: Any, domain: Any) -> None:
        for chart in (source, target):
            if not isinstance(chart, Chart):
                raise ValueError(f"a map goes from a Chart to a Chart, got {chart!r}")
        refuse_clash(source, target)
        self.source, self.target = source, target
        self.expressions = read_all(
            expressions, source.symbols, target.dim, f"formulas, one a coordinate of {target.name}"
        )
        self.domain = source.domain if domain is None else domain

    # -- values ------------------------------------------------------------------------------

    def point(self, p: Any) -> tuple[sp.Expr, ...]:
        """A point of the map's domain, checked."""
        values = self.source.point(p)
        if holds(self.domain, self.source.at(values)) is False:
            raise ValueError(f"the map {self} is not defined at {values}: it needs {self.domain}")
        return values

    def __call__(self, p: Any) -> tuple[sp.Expr, ...]:
        """The image of a point, in the target's coordinates."""
        where = self.source.at(self.point(p))
        return self.target.point([at(formula, where) for formula in self.expressions])

    def __matmul__(self, inner: SmoothMap) -> SmoothMap:
        r"""The composite $f \circ g$: first `inner`, then this map."""
        if not isinstance(inner, SmoothMap):
            return NotImplemented
        if inner.target != self.source:
            raise ValueError(
                f"cannot compose: the inner map ends in {inner.target}, the outer one starts from "
                f"{self.source}; they must be the same chart"
            )
        pulled = self.source.at(inner.expressions)
        formulas = [tidy(f.subs(pulled, simultaneous=True)) for f in self.expressions]
        domain = sp.And(inner.domain, self.domain.subs(pulled, simultaneous=True))
        return SmoothMap.trusted(inner.source, self.target, formulas, domain)

    def subs(self, values: dict[Any, Any]) -> SmoothMap:
        """The same map with numbers in the place of parameters, such as a radius."""
        chosen = {
            symbol: value
            for symbol in self.expressions.free_symbols - set(self.source.symbols)
            for name, value in values.items()
            if symbol.name == str(name)
        }
        formulas = self.expressions.subs(chosen)
        return SmoothMap.trusted(self.source, self.target, formulas, self.domain.subs(chosen))

    # -- derivatives -------------------------------------------------------------------------

    def jacobian(self, p: Any = None) -> sp.ImmutableMatrix:
        r"""$J_f(p) = (\partial f^i / \partial x^j)$, shape `(n, d)`; without `p`, as formulas.

        Raises:
            ValueError: if the point is outside the domain, or the map is not smooth there.
        """
        if p is None:
            return sp.ImmutableMatrix(self.expressions).jacobian(self.source.symbols)
        where = self.source.at(self.point(p))
        rows = []
        for formula in self.expressions:
            smooth = taylor_part(formula, where, 1)
            rows.append([at(sp.diff(smooth, x), where) for x in self.source.symbols])
        return sp.ImmutableMatrix(rows)

    @overload
    def pushforward(self, p: SmoothMap) -> SmoothMap: ...
    @overload
    def pushforward(self, p: Any, v: Any = None) -> TangentVector: ...
    def pushforward(self, p: Any, v: Any = None) -> Any:
        r"""$f_*v = J_f(p)\,v$ at $f(p)$, or $f_*\gamma = f \circ \gamma$ of a curve.

        Args:
            p: a point with a vector `v` after it; or a `TangentVector` alone, which knows its
                point; or a curve.
            v: a `TangentVector` at `p`, or its `d` components.

        Raises:
            ValueError: if the vector is not at `p`, or not in the source chart.

        Example:
            >>> plane, image = Chart("R2", "x y"), Chart("S", "s")
            >>> SmoothMap(plane, image, ["x*y"]).pushforward((2, 3), (1, 1))
            5 ∂_s at (6)
        """
        if isinstance(p, SmoothMap):
            return self @ p
        if isinstance(p, TangentVector):
            p, v = p.point, p
        if v is None:
            raise ValueError("give a point and a vector, pushforward(p, v), or a curve")
        if not isinstance(v, TangentVector):
            v = TangentVector(v, self.source, p)
        self._refuse_elsewhere(v, self.source, self.point(p), "vector")
        pushed = self.jacobian(p) * sp.Matrix(v.components)
        return TangentVector(pushed, self.target, self(p))

    def pullback(self, thing: Any, p: Any = None) -> Any:
        r"""What lives on the target, brought to the source.

        A function gives $f^*g = g \circ f$, a metric $J^\top G J$; a germ or a covector at $f(p)$
        gives $g \circ f$ at $p$ or $\alpha\, J_f(p)$, and needs `p`.

        Raises:
            ValueError: if the thing lives in another chart or at another point than $f(p)$, or
                is a vector: vectors push forward.

        Example:
            >>> plane, image = Chart("R2", "x y"), Chart("S", "s")
            >>> f = SmoothMap(plane, image, ["x*y"])
            >>> f.pullback("s**2")
            x**2*y**2
            >>> f.pullback(image.cobasis(6)[0], (2, 3))
            3 dx + 2 dy at (2, 3)
        """
        if isinstance(thing, TangentVector):
            raise ValueError("a vector cannot be pulled back; vectors push forward")
        if isinstance(thing, SymbolicMetric):
            return self._pull_metric(thing)
        if not isinstance(thing, Germ | Covector):
            formula = read_one(thing, self.target.symbols)
            return tidy(formula.subs(self.target.at(self.expressions), simultaneous=True))
        if p is None:
            raise ValueError(f"a {type(thing).__name__} is pulled back to a point: pullback(it, p)")
        self._refuse_elsewhere(thing, self.target, self(p), type(thing).__name__.lower())
        if isinstance(thing, Germ):
            return Germ(self.pullback(thing.expression), self.source, p)
        return Covector(sp.Matrix([thing.components]) * self.jacobian(p), self.source, p)

    def pullback_metric(self) -> SymbolicMetric:
        r"""$G = J_f^\top J_f$ on the source: the Euclidean metric of the target, pulled back.

        Example:
            >>> saddle = SmoothMap(Chart("D", "u v"), Chart("R3", "x y z"), ("u", "v", "u*v"))
            >>> saddle.pullback_metric().gaussian_curvature()
            -1/(u**2 + v**2 + 1)**2
        """
        return self._pull_metric(SymbolicMetric(self.target, sp.eye(self.target.dim)))

    def _pull_metric(self, metric: SymbolicMetric) -> SymbolicMetric:
        if metric.chart != self.target:
            raise ValueError(f"the metric lives on {metric.chart}, the map ends in {self.target}")
        jacobian = self.jacobian()
        values = metric.matrix().subs(self.target.at(self.expressions), simultaneous=True)
        return SymbolicMetric(self.source, (jacobian.T * values * jacobian).applyfunc(tidy))

    # -- judgements --------------------------------------------------------------------------

    def is_smooth(self) -> Verdict:
        """Whether the formulas are smooth on the domain, or a point where they are not."""
        for formula in self.expressions:
            for hazard in hazards(formula):
                point = find_point(hazard.condition, self.domain, self.source.symbols)
                if point is None:
                    continue
                try:
                    taylor_part(formula, point, 1)
                except ValueError as error:
                    return Verdict(False, str(error), (point,))
        return Verdict(True, "no formula has a point of the domain where it fails to be smooth")

    def rank(self, p: Any = None) -> int:
        r"""The rank of $J_f(p)$; without `p`, the rank at a generic point."""
        if p is not None:
            return int(self.jacobian(p).rank(simplify=True))
        ranks = [
            self.rank([point[s] for s in self.source.symbols])
            for point in sample_points(self.domain, self.source.symbols, 6)
        ]
        return max(ranks) if ranks else int(self.jacobian().rank(simplify=True))

    def is_immersion(self, p: Any = None) -> Verdict:
        r"""Whether $J_f$ is injective: rank `d` at `p`, or everywhere on the domain.

        Example:
            >>> cusp = SmoothMap(Chart("R", "t"), Chart("R2", "x y"), ("t**2", "t**3"))
            >>> cusp.is_immersion()
            False: the rank is 0, not 1, at t = 0
        """
        return self._has_rank(self.source.dim, p)

    def is_submersion(self, p: Any = None) -> Verdict:
        r"""Whether $J_f$ is surjective: rank `n` at `p`, or everywhere on the domain."""
        return self._has_rank(self.target.dim, p)

    def _has_rank(self, wanted: int, p: Any) -> Verdict:
        if p is None:
            if self.rank() < wanted:
                return Verdict(
                    False, f"the rank is at most {self.rank()}, not {wanted}, everywhere"
                )
            p = self._singular_point(wanted)
            if p is None:
                return Verdict(True, f"the rank is {wanted} on the whole domain")
        rank = self.rank(p)
        place = ", ".join(
            f"{s} = {x}" for s, x in zip(self.source.symbols, self.point(p), strict=True)
        )
        if rank == wanted:
            return Verdict(True, f"the rank is {wanted} at {place}")
        return Verdict(False, f"the rank is {rank}, not {wanted}, at {place}", (tuple(p),))

    def _singular_point(self, wanted: int) -> list[sp.Expr] | None:
        """A point of smaller rank: all minors vanish, that is, the Gram determinant does."""
        jacobian = self.jacobian()
        if 1 in jacobian.shape:
            condition = sp.And(*(sp.Eq(tidy(entry), 0) for entry in jacobian))
            point = find_point(condition, self.domain, self.source.symbols)
            return None if point is None else [point[symbol] for symbol in self.source.symbols]
        square = jacobian.T * jacobian if wanted == self.source.dim else jacobian * jacobian.T
        gram = tidy(square.det(method="berkowitz"))
        point = find_point(sp.Eq(gram, 0), self.domain, self.source.symbols)
        return None if point is None else [point[symbol] for symbol in self.source.symbols]

    # -- the bridge --------------------------------------------------------------------------

    def to_torch(self) -> Callable[..., Any]:
        r"""The map as a PyTorch function of shape `(..., d) -> (..., n)`, differentiable.

        It keeps the input's dtype and device, and works under `torch.func`. A `Piecewise` becomes
        `torch.where`; its value is right everywhere, its gradient wherever every piece is finite.

        Raises:
            ValueError: if the map has parameters without a value (set them with `subs`).

        Example:
            >>> import torch
            >>> f = SmoothMap(Chart("R2", "x y"), Chart("R3", "a b c"), ("x", "y", "x*y"))
            >>> f.to_torch()(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
            tensor([[ 1.,  2.,  2.],
                    [ 3.,  4., 12.]])
        """
        from .torch_bridge import torch_function

        return torch_function(self)

    def _refuse_elsewhere(self, thing: Any, chart: Chart, point: Any, what: str) -> None:
        if thing.chart != chart:
            raise ValueError(f"the {what} lives in {thing.chart}, needed one in {chart}")
        if not all(is_zero(a - b) for a, b in zip(thing.point, point, strict=True)):
            raise ValueError(f"the {what} is at {thing.point}, needed one at {tuple(point)}")

    def _refuse_values_outside(self) -> None:
        if self.target.domain == sp.true:
            return
        image = self.target.at(self.expressions)
        outside = sp.Not(self.target.domain).subs(image, simultaneous=True)
        for point in sample_points(self.domain, self.source.symbols, 12):
            if holds(outside, point):
                raise ValueError(
                    f"the map {self} does not match its target: its value at "
                    f"{tuple(point.values())} misses the domain {self.target.domain} of chart "
                    f"{self.target.name}; restrict it with domain="
                )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SmoothMap):
            return NotImplemented
        return (self.source, self.target) == (other.source, other.target) and all(
            is_zero(a - b) for a, b in zip(self.expressions, other.expressions, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]  # equality is of functions, not of formulas

    def __repr__(self) -> str:
        names = ", ".join(map(str, self.source.symbols))
        return f"({names}) -> ({', '.join(map(str, self.expressions))})"

    def _repr_latex_(self) -> str:
        names = ", ".join(map(sp.latex, self.source.symbols))
        values = ", ".join(map(sp.latex, self.expressions))
        return rf"$\displaystyle ({names}) \mapsto \left({values}\right)$"
