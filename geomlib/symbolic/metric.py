"""A Riemannian metric as formulas in one chart: lengths, Christoffel symbols, curvature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from .chart import Chart
from .expressions import at, is_zero, read_one, tidy

if TYPE_CHECKING:
    from .tangent import TangentVector

__all__ = ["SymbolicMetric"]


class SymbolicMetric:
    r"""A metric $g = \sum_{ij} G_{ij}\, dx^i dx^j$ on a chart, $G$ symmetric.

    Args:
        chart: the chart, of dimension `d`.
        matrix: `G`, shape `(d, d)`, formulas in the chart's coordinates.

    Raises:
        ValueError: if the matrix has another shape or is not symmetric.

    Example:
        >>> half_plane = Chart("H", "x y", domain="y > 0")
        >>> metric = SymbolicMetric(half_plane, [["1/y**2", 0], [0, "1/y**2"]])
        >>> metric.gaussian_curvature()
        -1
        >>> metric.christoffels()[1, 0, 0]
        1/y
    """

    def __init__(self, chart: Chart, matrix: Any):
        rows = matrix.tolist() if hasattr(matrix, "tolist") else [list(row) for row in matrix]
        if len(rows) != chart.dim or any(len(row) != chart.dim for row in rows):
            raise ValueError(
                f"chart {chart.name} needs a matrix of shape ({chart.dim}, {chart.dim}), "
                f"got rows of lengths {[len(row) for row in rows]}"
            )
        self.chart = chart
        self._matrix = sp.ImmutableMatrix(
            [[read_one(entry, chart.symbols) for entry in row] for row in rows]
        )
        if not all(is_zero(entry) for entry in self._matrix - self._matrix.T):
            raise ValueError(f"a metric is symmetric, got {self._matrix}")

    def matrix(self, p: Any = None) -> sp.ImmutableMatrix:
        """$G(p)$, shape `(d, d)`; without `p`, as formulas."""
        return self._matrix if p is None else self._matrix.applyfunc(self._value_at(p))

    def inner(self, v: TangentVector, w: TangentVector) -> sp.Expr:
        r"""$\langle v, w \rangle = v^\top G(p)\, w$ for two vectors at one point.

        Raises:
            ValueError: if the vectors are at different points or in another chart.
        """
        v._same_place(w)
        if v.chart != self.chart:
            raise ValueError(f"the vectors live in {v.chart}, the metric on {self.chart}")
        left, right = sp.Matrix(v.components), sp.Matrix(w.components)
        return sp.simplify((left.T * self.matrix(v.point) * right)[0])

    def norm(self, v: TangentVector) -> sp.Expr:
        r"""$\lVert v \rVert = \sqrt{\langle v, v \rangle}$."""
        return sp.sqrt(self.inner(v, v))

    def volume(self, p: Any = None) -> sp.Expr:
        r"""$\sqrt{\det G}$, the density of area or volume."""
        density = sp.sqrt(sp.factor(tidy(self._matrix.det())))
        return density if p is None else self._value_at(p)(density)

    def christoffels(self, p: Any = None) -> sp.ImmutableDenseNDimArray:
        r"""$\Gamma^k_{ij} = \frac12 \sum_l G^{kl}(\partial_i G_{jl} + \partial_j G_{il}
        - \partial_l G_{ij})$, shape `(d, d, d)`, indexed `[k, i, j]`.

        Raises:
            ValueError: if $G$ has rank below `d`.
        """
        inverse, x = self._inverse(), self.chart.symbols
        d, G = self.chart.dim, self._matrix

        def first_kind(l: int, i: int, j: int) -> sp.Expr:  # noqa: E741
            return (sp.diff(G[j, l], x[i]) + sp.diff(G[i, l], x[j]) - sp.diff(G[i, j], x[l])) / 2

        symbols = [
            tidy(sum(inverse[k, m] * first_kind(m, i, j) for m in range(d)))
            for k in range(d)
            for i in range(d)
            for j in range(d)
        ]
        array = sp.ImmutableDenseNDimArray(symbols, (d, d, d))
        return array if p is None else array.applyfunc(self._value_at(p))

    def gaussian_curvature(self, p: Any = None) -> sp.Expr:
        r"""$K = R_{1212} / \det G$ of a surface, by Brioschi's formula in $\Gamma$:
        $K = G(R(\partial_1, \partial_2)\partial_2, \partial_1) / \det G$.

        Raises:
            ValueError: if the chart is not two-dimensional, or $G$ has rank below 2.
        """
        if self.chart.dim != 2:
            raise ValueError(f"Gaussian curvature is for surfaces, got dimension {self.chart.dim}")
        gamma, (x, y) = self.christoffels(), self.chart.symbols
        # the components R^k of R(∂_1, ∂_2) ∂_2
        riemann = [
            sp.diff(gamma[k, 1, 1], x)
            - sp.diff(gamma[k, 0, 1], y)
            + sum(gamma[m, 1, 1] * gamma[k, 0, m] - gamma[m, 0, 1] * gamma[k, 1, m] for m in (0, 1))
            for k in (0, 1)
        ]
        lowered = sum(self._matrix[0, k] * riemann[k] for k in (0, 1))
        curvature = tidy(lowered / self._matrix.det())
        return curvature if p is None else self._value_at(p)(curvature)

    def _inverse(self) -> sp.Matrix:
        determinant = tidy(self._matrix.det())
        if is_zero(determinant):
            raise ValueError(
                f"the metric {self._matrix} has determinant 0 everywhere, so it has no inverse; "
                "a pull-back needs an immersion"
            )
        return self._matrix.adjugate() / determinant

    def _value_at(self, p: Any) -> Any:
        where = self.chart.at(self.chart.point(p))
        return lambda expression: at(expression, where)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SymbolicMetric):
            return NotImplemented
        return self.chart == other.chart and all(is_zero(e) for e in self._matrix - other._matrix)

    __hash__ = None  # type: ignore[assignment]  # equality is of functions, not of formulas

    def __repr__(self) -> str:
        return f"metric {self._matrix.tolist()} on {self.chart}"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle G = {sp.latex(self._matrix)}$"
