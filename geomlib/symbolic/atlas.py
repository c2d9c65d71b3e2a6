"""Atlases: charts that overlap, their transition maps, and what is smooth through them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sympy as sp

from .chart import Chart, refuse_clash
from .expressions import is_zero, tidy
from .germ import Germ
from .smooth_map import SmoothMap
from .smoothness import find_point, sample_points
from .tangent import Covector, TangentVector
from .verdict import Verdict

__all__ = ["Atlas"]


class Atlas:
    r"""A set of charts $(U_i, \varphi_i)$ of one manifold.

    The transition $\varphi_v \circ \varphi_u^{-1}$ is composed and simplified where both charts
    know the ambient space; otherwise, or to replace a clumsy formula, it is given.

    Args:
        charts: the charts, each with its own name and symbols.
        transitions: smooth maps from chart to chart, whose domain is the overlap.

    Raises:
        ValueError: if there is no chart, if names or symbols clash, if charts live in different
            ambient spaces, or if a transition joins charts that are not in the atlas.

    Source: Lee 2013, chapter 1 (smooth structures).

    Example:
        >>> from geomlib.symbolic import surfaces
        >>> circle = surfaces.circle().atlas
        >>> circle.transition("north", "south")
        (u) -> (1/u)
        >>> circle.is_smooth()
        True: every transition is smooth with a smooth inverse
        >>> line = Chart("R", "x")
        >>> root = "sign(b)*Abs(b)**(1/3)"
        >>> Atlas([Chart("id", "a", ambient=line, phi=["x"], inverse=["a"]),
        ...        Chart("cube", "b", ambient=line, phi=["x**3"], inverse=[root])]).is_smooth()
        False: cube -> id: b**(1/3) is not smooth at b = 0
    """

    def __init__(self, charts: Iterable[Chart], transitions: Iterable[SmoothMap] = ()):
        self.charts = tuple(charts)
        if not self.charts or not all(isinstance(chart, Chart) for chart in self.charts):
            raise ValueError(f"an atlas needs one chart or more, got {list(self.charts)}")
        names = [chart.name for chart in self.charts]
        if len(set(names)) < len(names):
            raise ValueError(f"two charts of an atlas have the same name: {names}")
        for i, one in enumerate(self.charts):
            for other in self.charts[i + 1 :]:
                refuse_clash(one, other)
                if one.dim != other.dim:
                    raise ValueError(f"charts of different dimensions: {one} and {other}")
                if one.ambient != other.ambient:
                    raise ValueError(f"charts in different ambient spaces: {one} and {other}")
        self._composed: dict[tuple[Chart, Chart], SmoothMap] = {}
        self._given: dict[tuple[Chart, Chart], SmoothMap] = {}
        for transition in transitions:
            pair = (self.chart(transition.source), self.chart(transition.target))
            self._given[pair] = transition

    def __iter__(self) -> Iterator[Chart]:
        return iter(self.charts)

    def __len__(self) -> int:
        return len(self.charts)

    def chart(self, which: Chart | str) -> Chart:
        """A chart of this atlas, by name or by itself."""
        for chart in self.charts:
            if which in (chart, chart.name):
                return chart
        raise ValueError(
            f"no chart {which!r} in this atlas; it has {[chart.name for chart in self.charts]}"
        )

    def transition(self, u: Chart | str, v: Chart | str) -> SmoothMap:
        r"""$\varphi_v \circ \varphi_u^{-1}$ on $\varphi_u(U \cap V)$, simplified.

        It is returned whether it is smooth or not: ask its `is_smooth()`, or the atlas's.

        Raises:
            ValueError: if the charts do not meet, or the map is neither given nor composable.
        """
        u, v = self.chart(u), self.chart(v)
        if (u, v) in self._given:
            return self._given[u, v]
        if u == v:
            return SmoothMap.trusted(u, u, u.symbols, u.domain)
        if (u, v) in self._composed:
            return self._composed[u, v]
        if u._inverse is None or v._phi is None:
            raise ValueError(
                f"the transition from {u.name} to {v.name} is not known: give it to the atlas, "
                f"or give {u.name} an inverse= and {v.name} a phi="
            )
        if self.overlap(u, v) == sp.false:
            raise ValueError(f"the charts {u.name} and {v.name} do not meet: no transition")
        composite = v.phi @ u.inverse
        transition = SmoothMap.trusted(u, v, composite.expressions, self.overlap(u, v))
        self._composed[u, v] = transition
        return transition

    def overlap(self, u: Chart | str, v: Chart | str) -> Any:
        r"""The set $\varphi_u(U \cap V)$, as a condition on the coordinates of `u`.

        Example:
            >>> from geomlib.symbolic import surfaces
            >>> surfaces.sphere().atlas.overlap("north", "south")
            Ne(u**2 + v**2, 0)
        """
        u, v = self.chart(u), self.chart(v)
        if (u, v) in self._given:
            return self._given[u, v].domain
        if u == v:
            return u.domain
        if u._inverse is None or u.ambient is None:
            raise ValueError(f"chart {u.name} was made without inverse, so its overlap is unknown")
        inside = v.where.subs(u.ambient.at(u._inverse), simultaneous=True)
        return sp.And(u.domain, _tidy_condition(inside))

    def is_smooth(self) -> Verdict:
        """Whether every transition is smooth with a smooth inverse; if not, where one fails."""
        for u, v in self._overlapping():
            transition = self.transition(u, v)
            verdict = transition.is_smooth()
            if not verdict:
                reason = f"{u.name} -> {v.name}: {verdict.reason}"
                return Verdict(False, reason, (transition, *verdict.evidence))
        invertible = self.is_invertible()
        if not invertible:
            return invertible
        return Verdict(True, "every transition is smooth with a smooth inverse")

    def is_invertible(self) -> Verdict:
        r"""Whether the transitions of each pair undo one another on the overlap.

        The round trip is compared at exact points, to 20 digits; where only one direction is
        known, its Jacobian must have no zero. A failure comes with the point that shows it.
        """
        for u, v in self._overlapping():
            there = self.transition(u, v)
            try:
                back = self.transition(v, u)
            except ValueError:
                point = self._singular_point(there)
            else:
                point = self._lost_point(there, back)
            if point is not None:
                place = ", ".join(f"{symbol} = {value}" for symbol, value in point.items())
                reason = f"{u.name} -> {v.name} is not inverted at {place}"
                return Verdict(False, reason, (there, point))
        return Verdict(True, "every transition is undone by the one back")

    def in_chart(self, thing: Any, v: Chart | str) -> Any:
        r"""A germ, covector or vector, rewritten in another chart.

        With $t = \varphi_v \circ \varphi_u^{-1}$: vectors become $J_t v$, covectors
        $\alpha J_t^{-1}$, germs $f \circ t^{-1}$, all at $t(p)$.

        Raises:
            ValueError: if the transition is singular at the point, or the point is not in `v`.

        Example:
            >>> from geomlib.symbolic import surfaces
            >>> atlas = surfaces.sphere().atlas
            >>> w = TangentVector((1, 0), atlas.chart("north"), (2, 0))
            >>> atlas.in_chart(w, "south")
            -1/4 ∂_a at (1/2, 0)
        """
        if not isinstance(thing, Germ | Covector | TangentVector):
            raise ValueError(f"needed a germ, covector or vector, got {thing!r}")
        transition = self.transition(thing.chart, v)
        jacobian = transition.jacobian(thing.point)
        if is_zero(jacobian.det()):
            raise ValueError(
                f"the transition {transition} is singular at {thing.point}: its Jacobian "
                f"{jacobian.tolist()} has determinant 0, so it is no change of chart there"
            )
        if isinstance(thing, TangentVector):
            return transition.pushforward(thing)
        image = transition(thing.point)
        if isinstance(thing, Covector):
            row = sp.Matrix([thing.components]) * jacobian.inv()
            return Covector(row, transition.target, image)
        return self.transition(v, thing.chart).pullback(thing, image)

    def local(self, f: Any, u: Chart | str) -> SmoothMap | sp.Expr:
        r"""The local form of a function or map on the ambient space: $f \circ \varphi_u^{-1}$."""
        inverse = self.chart(u).inverse
        return f @ inverse if isinstance(f, SmoothMap) else inverse.pullback(f)

    def local_map(self, f: SmoothMap, u: Chart | str, other: Atlas, v: Chart | str) -> SmoothMap:
        r"""$\psi_v \circ f \circ \varphi_u^{-1}$, for a map given in ambient coordinates.

        Example:
            >>> from geomlib.symbolic import surfaces
            >>> circle = surfaces.circle().atlas
            >>> plane = circle.charts[0].ambient
            >>> square = SmoothMap(plane, plane, ("x**2 - y**2", "2*x*y"))
            >>> circle.local_map(square, "north", circle, "south")
            (u) -> ((-u**2 + 2*u + 1)/(u**2 + 2*u - 1))
        """
        chart = other.chart(v)
        moved = f @ self.chart(u).inverse
        composite = chart.phi @ moved
        inside = chart.where.subs(moved.target.at(moved.expressions), simultaneous=True)
        return SmoothMap.trusted(
            moved.source,
            chart,
            composite.expressions,
            sp.And(moved.domain, _tidy_condition(inside)),
        )

    def is_smooth_function(self, f: Any) -> Verdict:
        r"""Whether a function of the ambient coordinates is smooth on the manifold.

        Example:
            >>> from geomlib.symbolic import surfaces
            >>> surfaces.circle().atlas.is_smooth_function("Abs(y)")
            False: in chart angle: sin(theta) and -sin(theta) meet at theta = 0 but part in order 1
        """
        values = Chart("values", [sp.Dummy("value", real=True)])
        for chart in self.charts:
            local = SmoothMap.trusted(chart, values, [self.local(f, chart)], chart.domain)
            verdict = local.is_smooth()
            if not verdict:
                return Verdict(False, f"in chart {chart.name}: {verdict.reason}", verdict.evidence)
        return Verdict(True, "its form in every chart is smooth")

    def is_smooth_map(self, f: SmoothMap, other: Atlas) -> Verdict:
        r"""Whether a map of the ambient spaces is smooth from this manifold to another.

        All forms $\psi_v \circ f \circ \varphi_u^{-1}$ are examined, at every point that $f$ sends
        into $V$ and with all its neighbours, so that a jump is not hidden by a small chart.
        """
        for u in self.charts:
            for v in other.charts:
                verdict = self.local_map(f, u, other, v).is_smooth()
                if not verdict:
                    reason = f"from {u.name} to {v.name}: {verdict.reason}"
                    return Verdict(False, reason, verdict.evidence)
        return Verdict(True, "its form in every pair of charts is smooth")

    def _overlapping(self) -> Iterator[tuple[Chart, Chart]]:
        for u in self.charts:
            for v in self.charts:
                known = (u, v) in self._given or (u._inverse is not None and v._phi is not None)
                if u != v and known and self.overlap(u, v) != sp.false:
                    yield u, v

    def _lost_point(self, there: SmoothMap, back: SmoothMap) -> dict[sp.Symbol, sp.Expr] | None:
        for point in sample_points(there.domain, there.source.symbols, 6):
            image = [formula.subs(point).evalf(30) for formula in there.expressions]
            where = there.target.at(image)
            for symbol, formula in zip(there.source.symbols, back.expressions, strict=True):
                error = sp.Abs(formula.subs(where) - point[symbol]).evalf(30)
                if not (error.is_comparable and error < sp.Float("1e-20")):
                    return point
        return None

    def _singular_point(self, there: SmoothMap) -> dict[sp.Symbol, sp.Expr] | None:
        determinant = tidy(there.jacobian().det())
        return find_point(sp.Eq(determinant, 0), there.domain, there.source.symbols)

    def __repr__(self) -> str:
        return f"Atlas of the charts {', '.join(chart.name for chart in self.charts)}"

    def _repr_latex_(self) -> str:
        names = ", ".join(rf"\text{{{chart.name}}}" for chart in self.charts)
        return rf"$\displaystyle \left\{{ {names} \right\}}$"


def _tidy_condition(condition: Any) -> Any:
    """The condition with its comparisons reduced to 0 and freed of positive factors."""

    def shorten(relation: Any) -> Any:
        factors = sp.Mul.make_args(sp.factor(tidy(relation.lhs - relation.rhs)))
        kept = [f for f in factors if not f.is_positive]
        if isinstance(relation, sp.Eq | sp.Ne):
            kept = [f.base if f.is_Pow and f.exp.is_positive else f for f in kept]
            kept = [f for f in kept if not f.is_number or f.is_zero]
        return relation.func(sp.Mul(*kept), 0)

    return condition.replace(lambda node: isinstance(node, sp.core.relational.Relational), shorten)
