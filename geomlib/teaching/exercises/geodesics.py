"""Exercises of the chapter *Geodesics, transport, curvature*."""

from collections.abc import Callable
from math import pi
from typing import Any

import torch
from torch import Tensor

from geomlib.riemann import MatrixMetric, Metric
from geomlib.teaching.checks import Mistake, attempt, compare, exercise

__all__ = ["acceleration", "curvature_of_an_image", "turned_by_a_triangle", "winding_pays"]


@exercise("geodesics-a")
def turned_by_a_triangle(answer: float | Tensor) -> str:
    r"""Holonomy of a triangle with angles $\pi/2, \pi/2, \pi/3$ on a sphere of radius 3."""
    try:
        value = torch.as_tensor(float(answer))
    except (TypeError, ValueError):
        raise Mistake(f"Give one number; yours is of type {type(answer).__name__}.") from None
    excess = pi / 3
    full = 2 * pi * ((value - excess) / (2 * pi)).nan_to_num(0, 0, 0).round()
    if full and torch.isclose(value - full, torch.tensor(excess), rtol=1e-3):
        value = value - full  # the arrow is the same after a full turn
    compare(
        value,
        torch.tensor(excess),
        {
            "That is the area of the triangle. The angle is the integral of K over it, and K is "
            "1/9 here.": torch.tensor(9 * excess),
            "You divided by the square of the radius twice: the excess is K times the area "
            "already.": torch.tensor(excess / 9),
            "You multiplied by the radius: angles do not know the size of the "
            "sphere.": torch.tensor(3 * excess),
            "That is the sum of the angles. Subtract what it is in a flat triangle.": torch.tensor(
                excess + pi
            ),
            "You subtracted 2 pi, the sum for a quadrilateral. A flat triangle has "
            "pi.": torch.tensor(excess - pi),
            "That is the angle in degrees; give it in radians.": torch.tensor(60.0),
            "The sign is that of a surface of negative curvature: on a sphere the angles exceed "
            "pi.": torch.tensor(-excess),
        },
    )
    return "The excess of the angles is the integral of K; the radius cancels."


def _skew_matrix(z: Tensor) -> Tensor:
    """A metric without symmetry, so that no two wrong index orders agree."""
    x, y = z.unbind(-1)
    first = torch.stack([2 + x.sin() + y**2, 0.5 * x * y], -1)
    second = torch.stack([0.5 * x * y, 3 + x**2 + 0.5 * y.cos()], -1)
    return torch.stack([first, second], -2)


@exercise("geodesics-b")
def acceleration(answer: Callable[..., Tensor]) -> str:
    r"""$\ddot\gamma^k = -\Gamma^k_{ij} v^i v^j$, for a batch of points."""
    metric = MatrixMetric(_skew_matrix)
    z = torch.tensor([[0.3, 0.8], [-0.6, 0.4], [1.1, -0.5]], dtype=torch.float64)
    v = torch.tensor([[1.0, 2.0], [-0.5, 1.5], [0.7, -0.2]], dtype=torch.float64)
    gamma = metric.christoffels(z)  # (3, 2, 2, 2), [k, i, j]
    right = -torch.einsum("bkij,bi,bj->bk", gamma, v, v)
    upper = gamma.triu()  # j >= i alone
    compare(
        attempt(answer, metric, z, v),
        right,
        {
            "The sign is wrong: the covariant acceleration is the second derivative plus Gamma(v, "
            "v), and it is zero.": -right,
            "You contracted the upper index k with v: it names the component of the result. The "
            "two lower indices meet v.": -torch.einsum("bkij,bk,bi->bj", gamma, v, v),
            "You met each mixed pair once: the sum runs over i and j, so the symbol with i = 1, j "
            "= 2 counts twice.": -torch.einsum("bkij,bi,bj->bk", upper, v, v),
            "You summed over i = j alone: the mixed terms are missing.": -torch.einsum(
                "bkii,bi->bk", gamma, v**2
            ),
            "You lowered the index: multiply by the inverse of G, or leave G away, as Gamma "
            "already has its index k above.": torch.einsum("bkl,bl->bk", metric.matrix(z), right),
            "That is half of it: the factor one half stands in Gamma already.": right / 2,
            "You put z in the place of one velocity: both lower indices meet v.": -torch.einsum(
                "bkij,bi,bj->bk", gamma, z, v
            ),
        },
    )
    return "Two of these, one for position and one for velocity, make the geodesic equation."


def _surface(z: Tensor) -> Tensor:
    """A surface in R^4, for one point: no single normal to fall back on."""
    x, y = z[..., 0], z[..., 1]
    return torch.stack([x + 0.3 * y**2, y - 0.2 * x * y, torch.sin(x) * y, 0.5 * x**2 - y], -1)


@exercise("geodesics-c")
def curvature_of_an_image(answer: Callable[..., Tensor]) -> str:
    r"""$K = (\langle II_{11}, II_{22}\rangle - |II_{12}|^2) / \det G$ in any codimension."""
    z = torch.tensor([0.7, -0.4], dtype=torch.float64)
    jacobian = torch.func.jacfwd(_surface)(z)  # (4, 2)
    hessian = torch.func.jacfwd(torch.func.jacfwd(_surface))(z)  # (4, 2, 2)
    matrix = jacobian.mT @ jacobian
    inside = jacobian @ torch.linalg.solve(matrix, jacobian.mT)  # the tangent projector
    normal = torch.einsum("ab,bij->aij", torch.eye(4, dtype=z.dtype) - inside, hessian)
    tangent = torch.einsum("ab,bij->aij", inside, hessian)
    area = torch.linalg.det(matrix)

    def numerator(second: Tensor) -> Tensor:
        return second[:, 0, 0] @ second[:, 1, 1] - second[:, 0, 1].square().sum()

    right = numerator(normal) / area
    compare(
        attempt(answer, _surface, z),
        right,
        {
            "You kept the tangent part of the second derivatives. It belongs to the chart, not to "
            "the surface: take the normal part.": numerator(hessian) / area,
            "You kept the tangent part alone: those are the Christoffel symbols. Subtract "
            "it.": numerator(tangent) / area,
            "You did not divide by det G.": right * area,
            "You divided by the root of det G: K is a quotient of squared areas, so it takes det "
            "G itself.": right * area.sqrt(),
            "You divided by det G twice.": right / area,
            "The projector is J times J transposed only where the columns of J are orthonormal. "
            "Put the inverse of G in between.": numerator(
                hessian - torch.einsum("ab,bij->aij", jacobian @ jacobian.mT, hessian)
            )
            / area,
            "The sign of the mixed term is wrong: it is subtracted.": (
                normal[:, 0, 0] @ normal[:, 1, 1] + normal[:, 0, 1].square().sum()
            )
            / area,
            "The sign is wrong: a sphere has positive curvature.": -right,
        },
    )
    # a sphere of radius 3, whose curvature one knows
    sphere = torch.tensor([0.9, 0.4], dtype=torch.float64)
    compare(attempt(answer, lambda q: 3 * _ball(q), sphere), torch.tensor(1 / 9, dtype=z.dtype), {})
    return "Second derivatives, minus what the chart is to blame for, over a squared area."


def _ball(z: Tensor) -> Tensor:
    theta, phi = z[..., 0], z[..., 1]
    return torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], -1)


@exercise("geodesics-d")
def winding_pays(answer: Any, metric: Metric, gain: float = 0.2) -> str:
    """Two points of the torus such that the nearer copy in the chart is the farther one."""
    try:
        a, b, turns = answer
        start, end = (torch.as_tensor([float(c) for c in x]).double() for x in (a, b))
        shift = 2 * pi * torch.as_tensor([int(n) for n in turns]).double()
    except (TypeError, ValueError):
        raise Mistake(
            "Give (a, b, turns): two points and two whole numbers, such as "
            "((0, 0), (1, 2), (0, -1))."
        ) from None
    if not start.shape == end.shape == shift.shape == (2,):
        raise Mistake("Each of a, b and turns has two entries, for u and v.")
    if not shift.any():
        raise Mistake("turns is (0, 0): that is the same copy of b. Wind at least once.")
    plain, wound = (end - start).norm(), (end + shift - start).norm()
    if wound <= plain:
        raise Mistake(
            f"In the chart the copy b + 2 pi turns lies at {wound:.2f}, b itself at {plain:.2f}: "
            "the wound copy is the nearer one, so nothing is surprising. Swap them."
        )
    both = metric.geodesic(start.expand(2, 2), torch.stack([end, end + shift]))
    if not both.converged.all():
        raise Mistake(
            "The solver did not converge for one of the two, so its length is no evidence."
        )
    straight, other = both.arc_length().tolist()
    if other > (1 - gain) * straight:
        raise Mistake(
            f"Winding gives {other:.2f}, the nearer copy {straight:.2f}: it saves less than "
            f"{gain:.0%}. Where on the torus is a parallel short?"
        )
    return f"Winding saves at least {gain:.0%}: coordinates that are near are not points that are."
