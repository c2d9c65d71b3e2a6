"""Exercises of the chapter *Pull-back metrics, length, energy*."""

from collections.abc import Callable, Sequence
from math import pi, sqrt
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from geomlib.symbolic import Chart, SmoothMap
from geomlib.teaching.checks import Mistake, attempt, compare, exercise

__all__ = ["area_of_a_cone", "energy_at_times", "equal_area_map", "in_new_chart"]


@exercise("pullback-metrics-a")
def area_of_a_cone(answer: float | Tensor) -> str:
    r"""$\int_0^{2\pi}\!\int_0^1 \sqrt{2u^2}\,du\,dv = \sqrt2\,\pi$ for $(u\cos v, u\sin v, u)$."""
    try:
        value = torch.as_tensor(float(answer))
    except (TypeError, ValueError):
        raise Mistake(f"Give one number; yours is of type {type(answer).__name__}.") from None
    mistakes = {
        "That is the area of the flat disc below the cone: the third output counts too, so the "
        "first entry of G is 1 + 1.": pi,
        "You integrated det G, a squared area. Take the root first.": 4 * pi / 3,
        "That is twice the area. Either the factor u is missing, though a step in v is longer "
        "further out; or the half that its integral from 0 to 1 gives.": 2 * sqrt(2) * pi,
        "You integrated over u alone; v runs over a whole turn.": sqrt(2) / 2,
        "You integrated the trace of G. It adds squared stretches, but area multiplies them.": 2
        * pi
        * (2 + 1 / 3),
        "That is the area of the rectangle of codes: weigh it with the root of det G. (Or is the "
        "root of 2 u² not 2 u?)": 2 * pi,
    }
    compare(
        value,
        torch.tensor(sqrt(2) * pi),
        {text: torch.tensor(number) for text, number in mistakes.items()},
    )
    return "G = diag(2, u²). School agrees: half of the slant height √2 times the rim 2π."


@exercise("pullback-metrics-b")
def energy_at_times(answer: Callable[..., Tensor]) -> str:
    r"""$\tfrac12 \sum_i \|g(z_i) - g(z_{i-1})\|^2 / (t_i - t_{i-1})$ at unequal times."""
    times = torch.tensor([0.0, 0.1, 0.4, 0.5, 0.8, 1.0], dtype=torch.float64)
    z = torch.stack([times.cos(), times**2 - 0.4 * times], dim=1)  # (6, 2)
    step, count = times.diff(), len(times) - 1
    chord = _saddle(z).diff(dim=0).norm(dim=1)

    def half(terms: Tensor) -> Tensor:
        return terms.sum() / 2

    right = half(chord**2 / step)
    compare(
        attempt(answer, _saddle, z, times),
        right,
        {
            "The constant N/2 belongs to equal steps of time. Here the speed on a segment is its "
            "chord over its own step.": count * half(chord**2),
            "That is the post's constant 1/(2N): it belongs to no steps at all, and tends to "
            "zero.": half(chord**2) / count,
            "The half is missing.": 2 * right,
            "You squared the speed and did not weigh it with the step of time: an integral needs "
            "the dt.": half((chord / step) ** 2),
            "You multiplied by the step where you should divide: squared speed times step is "
            "chord² / step² · step.": half(chord**2 * step),
            "You did not square the chord: that is half of the sum of speeds.": half(chord / step),
            "That is the energy of the codes. Measure the chords of g(z).": half(
                z.diff(dim=0).square().sum(1) / step
            ),
            "That is the length. Square the chords, and divide by the steps.": chord.sum(),
            "One value for each segment: add them up.": chord**2 / step / 2,
        },
    )
    return "With equal steps 1/N this is N/2 times the sum of squared chords."


@exercise("pullback-metrics-c")
def in_new_chart(answer: Callable[..., Tensor]) -> str:
    r"""$G' = J_h^{-\top} G J_h^{-1}$ at $h(z)$, $J_h$ taken at $z$."""
    z = torch.tensor([0.7, -0.4], dtype=torch.float64)
    G = torch.tensor([[2.0, 0.6], [0.6, 1.1]], dtype=torch.float64)

    def h(point: Tensor) -> Tensor:
        return torch.stack([point[0] + point[1] ** 2, 2 * point[1] - point[0] ** 3 / 2])

    J = torch.func.jacfwd(h)(z)
    inverse, elsewhere = torch.linalg.inv(J), torch.linalg.inv(torch.func.jacfwd(h)(h(z)))
    compare(
        attempt(answer, G, h, z),
        inverse.T @ G @ inverse,
        {
            "You pulled G back along h, as if it lived in the new chart. It lives in the old one: "
            "pull it back along the inverse of h.": J.T @ G @ J,
            "The transposes are the wrong way round. Lengths must agree: with w = J v you need "
            "w' G' w = v' G v.": inverse @ G @ inverse.T,
            "That is how the inverse of a metric changes: a metric measures vectors, its inverse "
            "measures covectors.": J @ G @ J.T,
            "That is how the matrix of a linear map changes. A metric takes two vectors, so both "
            "sides need the inverse.": J @ G @ inverse,
            "You left G as it is: it is a matrix in a chart, and another chart has another one.": G,
            "You took the Jacobian of h at h(z): it belongs to z, where the vectors "
            "start.": elsewhere.T @ G @ elsewhere,
            "You divided by the determinant alone. That mends areas, but no lengths.": G
            / torch.linalg.det(J) ** 2,
        },
    )
    return "Every length, angle and area comes out the same in both charts."


@exercise("pullback-metrics-d")
def equal_area_map(answer: tuple[Sequence[str], Sequence[float]]) -> str:
    r"""A decoder onto the unit sphere with constant $\sqrt{\det G}$, not Lambert's cylinder."""
    g, (left, right, bottom, top) = _read_map(answer)
    share = torch.cartesian_prod(*[torch.linspace(0.01, 0.99, 21, dtype=torch.float64)] * 2)
    codes = torch.stack(
        [left + share[:, 0] * (right - left), bottom + share[:, 1] * (top - bottom)], dim=1
    )
    points = g(codes)
    J = torch.func.vmap(torch.func.jacfwd(g))(codes)
    if not (torch.isfinite(points).all() and torch.isfinite(J).all()):
        raise Mistake("The formulas or their derivatives are not finite on the whole box.")
    off = (points.norm(dim=1) - 1).abs().max().item()
    if off > 1e-9:
        raise Mistake(f"Not all points lie on the unit sphere: the length is off by {off:.2g}.")
    G = J.mT @ J
    volume = torch.linalg.det(G).clamp_min(0).sqrt()
    if volume.min() < 1e-6 * G.abs().max():
        where = ", ".join(f"{c:.2f}" for c in codes[volume.argmin()].tolist())
        raise Mistake(f"The rank is below 2 near ({where}): a piece of the map has no area there.")
    if volume.max() / volume.min() > 1 + 1e-6:
        raise Mistake(
            "It is not equal-area: the root of det G varies by a factor of "
            f"{volume.max() / volume.min():.3g} over the box."
        )
    grid = G.reshape(21, 21, 2, 2)
    turns = any((grid - grid.narrow(axis, 0, 1)).abs().max() < 1e-9 for axis in (0, 1))
    if turns and G[:, 0, 1].abs().max() < 1e-9:  # a diagonal metric that a rotation keeps
        raise Mistake(
            "Its coordinate lines are the parallels and meridians of some axis: that is Lambert's "
            "cylinder, perhaps turned or stretched. Find another one."
        )
    return "Codes drawn uniformly from the box land uniformly on that part of the sphere."


def _read_map(answer: Any) -> tuple[Callable[[Tensor], Tensor], tuple[float, ...]]:
    try:
        formulas, box = answer
        bounds = tuple(float(sp.sympify(end)) for end in box)
        if len(bounds) != 4:
            raise ValueError("a box has four ends")
    except (TypeError, ValueError, sp.SympifyError):
        raise Mistake(
            "Give (formulas, box): three formulas in u and v, and (u_low, u_high, v_low, v_high)."
        ) from None
    if not (bounds[0] < bounds[1] and bounds[2] < bounds[3]):
        raise Mistake("The box needs u_low < u_high and v_low < v_high.")
    try:
        source, target = Chart("map", "u v"), Chart("R3", "x y z")
        return SmoothMap.trusted(source, target, formulas, True).to_torch(), bounds
    except (TypeError, ValueError, sp.SympifyError) as error:
        raise Mistake(f"The formulas cannot be read: {error}") from None


def _saddle(z: Tensor) -> Tensor:
    """A saddle stretched along its first axis, for one point or many."""
    return torch.stack([2 * z[..., 0], z[..., 1], z[..., 0] * z[..., 1]], dim=-1)
