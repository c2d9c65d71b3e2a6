r"""Boundary value geodesics: Newton's method on the discrete energy, all pairs in one batch.

The unknowns are the $N - 1$ interior nodes of every curve. A node meets only its two neighbours
in $\hat E = \tfrac N2 \sum_i \|\Delta_i\|^2$, so the Hessian is block tridiagonal with $d \times d$
blocks and is solved in $N - 1$ small steps for all curves at once. Where the full Hessian is not
positive definite, its Gauss-Newton part (always positive semidefinite) takes its place; a
Levenberg term is added to a curve's blocks while its steps fail to lower its energy.

Source: the least-squares structure is that of Shao, Kumar and Fletcher (2018);
Nocedal and Wright, *Numerical Optimization* (2006), chapters 3 and 10, for the safeguards.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from geomlib.riemann import tridiagonal
from geomlib.riemann.curve import Curve, Geodesic, straight_nodes
from geomlib.riemann.validation import as_points, broadcast, same_kind

if TYPE_CHECKING:
    from geomlib.riemann.metric import Metric

__all__ = ["EnergyModel", "solve_boundary"]


@dataclass
class EnergyModel:
    """A quadratic model of the energy of `P` curves, in the $M = N - 1$ interior nodes.

    Attributes:
        energy: `(P,)`.
        gradient: `(P, M, d)`.
        diagonal, upper: `(P, M, d, d)` and `(P, M-1, d, d)`, Gauss-Newton blocks, semidefinite.
        diagonal_newton, upper_newton: the same blocks of the full Hessian.
        rounding: `(P,)`, the energy that rounding in the target space makes by itself: a smaller
            change means nothing.
    """

    energy: Tensor
    gradient: Tensor
    diagonal: Tensor
    upper: Tensor
    diagonal_newton: Tensor
    upper_newton: Tensor
    rounding: Tensor

    def select(self, which: Tensor) -> EnergyModel:
        """The model of some of the curves."""
        return EnergyModel(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def update(self, which: Tensor, other: EnergyModel) -> None:
        """Put the models `other` in the places of the curves `which`."""
        for name in self.__dataclass_fields__:
            getattr(self, name)[which] = getattr(other, name)


def solve_boundary(
    metric: Metric,
    a: Tensor,
    b: Tensor,
    segments: int,
    initial: Curve | Tensor | None,
    max_iterations: int,
) -> Geodesic:
    """See `Metric.geodesic`."""
    same_kind("a", as_points(a, "a"), "b", as_points(b, "b"))
    if not isinstance(segments, Integral) or segments < 1:
        raise ValueError(
            f"a geodesic needs at least one segment, and a whole number, but segments={segments}"
        )
    a, b = broadcast(a=a, b=b)
    batch = a.shape[:-1]
    first, last = (end.detach().reshape(-1, a.shape[-1]) for end in (a, b))
    if not len(first):
        raise ValueError(f"there are no pairs to connect: a and b have shape {tuple(a.shape)}")
    with torch.no_grad():
        metric.check_ends(first, last)
        working = metric.folded()
        if initial is None:
            levels = _levels(segments)
            nodes = straight_nodes(first, last, levels[0])
        else:
            levels = [segments]
            nodes = _starting_nodes(initial, a, b, metric, segments)
        iterations = torch.zeros(len(first), dtype=torch.long, device=a.device)
        for count in levels:
            if count != nodes.shape[-2] - 1:
                nodes = Curve(nodes, working).resample(count).points
                nodes[:, 0], nodes[:, -1] = first, last  # free of the spline's rounding
            fine = count == segments
            solution = _minimise(working, nodes, fine, max_iterations if fine else 8)
            nodes, converged, steps, residual = solution
            iterations += steps
    if not converged.all():
        failed = int((~converged).sum())
        warnings.warn(
            f"{failed} of {len(first)} geodesics did not converge to a local minimiser that their "
            "segments resolve (see .converged and .residual): try a start from "
            "latent_graph(...).shortest_path(a, b), more segments or more iterations",
            RuntimeWarning,
            stacklevel=3,
        )
    interior = nodes[:, 1:-1].reshape(*batch, segments - 1, a.shape[-1])
    points = torch.cat([a[..., None, :], interior, b[..., None, :]], dim=-2)
    return Geodesic(
        points, metric, converged.view(batch), iterations.view(batch), residual.view(batch)
    )


def _levels(segments: int) -> list[int]:
    """Coarse to fine: halve down to about eight segments."""
    levels = [segments]
    while levels[0] >= 16:
        levels.insert(0, (levels[0] + 1) // 2)
    return levels


def _starting_nodes(initial, a: Tensor, b: Tensor, metric: Metric, segments: int) -> Tensor:
    curve = initial if isinstance(initial, Curve) else Curve(initial, metric)
    same_kind("a", a, "initial", curve.points)
    if curve.segments != segments:
        curve = curve.resample(segments)
    shape = (*a.shape[:-1], segments + 1, a.shape[-1])
    try:
        nodes = curve.points.detach().expand(shape).reshape(-1, *shape[-2:]).clone()
    except RuntimeError:
        raise ValueError(
            f"initial has shape {tuple(curve.points.shape)}, but a and b have shape "
            f"{tuple(a.shape)}: give one curve (N+1, d) for all pairs, or (*batch, N+1, d)"
        ) from None
    # a start that misses the end points slightly is moved linearly onto them
    gap_a = a.detach().reshape(-1, 1, shape[-1]) - nodes[:, :1]
    gap_b = b.detach().reshape(-1, 1, shape[-1]) - nodes[:, -1:]
    t = torch.linspace(0, 1, segments + 1, dtype=a.dtype, device=a.device)[:, None]
    return nodes + (1 - t) * gap_a + t * gap_b


def _minimise(
    metric: Metric, nodes: Tensor, fine: bool, max_iterations: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Newton's method with per-curve damping; returns nodes, converged, iterations, residual."""
    nodes = nodes.clone()
    count, device = len(nodes), nodes.device
    converged = torch.zeros(count, dtype=torch.bool, device=device)
    iterations = torch.zeros(count, dtype=torch.long, device=device)
    residual = torch.full((count,), torch.inf, dtype=nodes.dtype, device=device)
    energy, rounding = torch.zeros_like(residual), torch.zeros_like(residual)
    if nodes.shape[1] == 2:  # one segment: nothing to move
        energy = Curve(nodes, metric).energy()
        return nodes, _resolved(metric, nodes, energy, rounding), iterations, rounding
    model = _energy_model(metric, nodes)
    slack = 16 * torch.finfo(nodes.dtype).eps
    tolerance = max(1e-11, slack) if fine else 1e-4
    damping = torch.zeros_like(residual)
    active = torch.arange(count, device=device)
    for _ in range(max_iterations):
        step, decrement, newton = _step(model, damping[active])
        energy[active], rounding[active] = model.energy, model.rounding
        fall = decrement.abs() / 2 - model.rounding
        residual[active] = torch.where(fall <= 0, 0.0, fall / model.energy.abs())
        undamped = newton & (damping[active] == 0)
        arrived = residual[active] <= tolerance
        # a small step by an indefinite Hessian is a saddle: stop there, not converged
        converged[active[arrived & undamped]] = True
        stop = arrived & (undamped | ~newton)
        damping[active[arrived & ~stop]] = 0
        keep = ~stop
        if not keep.all():
            active, step, model = active[keep], step[keep], model.select(keep)
        if not len(active):
            break
        iterations[active] += 1
        trial = nodes[active]
        usable = torch.isfinite(step).all(-1).all(-1)  # the Hessian may be singular
        trial[:, 1:-1] += torch.where(usable[:, None, None], step, 0.0)
        proposed = _energy_model(metric, trial)
        limit = model.energy * (1 + slack) + model.rounding
        better = usable & (proposed.energy <= limit)  # False for NaN
        nodes[active[better]] = trial[better]
        model.update(better, proposed.select(better))
        current = damping[active]
        relaxed = torch.where(current > 1e-4, current / 10, 0.0)
        raised = (10 * current).clamp_min(1e-3)
        damping[active] = torch.where(better, relaxed, raised)
        hopeless = damping[active] > 1e8
        if hopeless.any():
            active, model = active[~hopeless], model.select(~hopeless)
        if not len(active):
            break
    if fine and converged.any():
        good = converged.nonzero()[:, 0]
        converged[good] = _resolved(metric, nodes[good], energy[good], rounding[good])
    return nodes, converged, iterations, residual


def _energy_model(metric: Metric, nodes: Tensor) -> EnergyModel:
    """`metric.energy_model`, some curves at a time, so that many curves need no more memory."""
    curves = max(1, metric.chunk_size // nodes.shape[1])
    parts = [metric.energy_model(part) for part in nodes.split(curves)]
    names = EnergyModel.__dataclass_fields__
    return EnergyModel(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _resolved(metric: Metric, nodes: Tensor, energy: Tensor, rounding: Tensor) -> Tensor:
    """Whether the spline through the nodes has about the energy of the polygon.

    It has not where one segment jumps across a gap in the domain, or across a pole of the chart:
    then more segments only cost more.
    """
    finer = Curve(nodes, metric).resample(2 * (nodes.shape[1] - 1))
    # rounding makes four times the energy with twice the segments
    return finer.energy() <= 1.5 * energy + 8 * rounding


def _step(model: EnergyModel, damping: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The damped Newton step, its decrement, and where the full Hessian was positive definite."""
    extra = damping[:, None, None, None] * model.diagonal
    step, newton = tridiagonal.solve(
        model.diagonal_newton + extra, model.upper_newton, -model.gradient
    )
    if not newton.all():
        other = model.select(~newton)
        step[~newton], _ = tridiagonal.solve(
            other.diagonal + extra[~newton], other.upper, -other.gradient
        )
    decrement = -(step * model.gradient).sum((1, 2))
    return step, decrement, newton
