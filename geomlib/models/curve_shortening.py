r"""Newton's method on the energy of a curve whose nodes are written in several charts.

The energy $\tfrac N2 \sum_k \|D_{i_{k+1}}(z_{k+1}) - D_{i_k}(z_k)\|^2$ is that of
`geomlib.riemann.boundary`, with a map that differs from node to node; so is its block-tridiagonal
Hessian.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from geomlib.models.atlas import AtlasModel
from geomlib.riemann import PullbackMetric, tridiagonal
from geomlib.riemann.boundary import EnergyModel

__all__ = ["Nodes", "even_steps", "in_few_charts", "shorten"]

FINE = 8  # pieces of an edge, where a path is cut into equal steps


@dataclass(frozen=True, eq=False)
class Nodes:
    """A curve: points in charts, one after the other.

    Attributes:
        charts: `(N+1,)`.
        codes: `(N+1, d)`, each in its own chart.
    """

    charts: Int[Tensor, " nodes"]
    codes: Float[Tensor, "nodes d"]

    def decode(self, model: AtlasModel) -> Float[Tensor, "nodes n"]:
        """The nodes in the ambient space."""
        return _decoder(model, self.charts)(self.codes)


def even_steps(model: AtlasModel, path: list[tuple[int, Tensor]], segments: int) -> Nodes:
    """Nodes at equal steps of length along a path; each has the chart of the edge it lies on."""
    charts, codes, steps = [], [], []
    t = torch.linspace(0, 1, FINE + 1).to(path[0][1])[:, None]
    for (i, start), (j, end) in pairwise(path):
        if i == j:
            line = start + t * (end - start)
            with torch.no_grad():
                steps.append(model.decode_chart(i, line).diff(dim=0).norm(dim=-1))
            charts.append(i)
            codes.append(line)
    if not codes:  # a and b are one point
        chart, code = path[0]
        one = torch.full((segments + 1,), chart, device=code.device)
        return Nodes(one, code.expand(segments + 1, -1).clone())
    travelled = torch.cat([t.new_zeros(1), torch.cat(steps).cumsum(0)])
    wanted = torch.linspace(0, 1, segments + 1).to(t) * travelled[-1]
    fine = (torch.searchsorted(travelled, wanted) - 1).clamp(0, len(travelled) - 2)
    span = (travelled[fine + 1] - travelled[fine]).clamp_min(torch.finfo(t.dtype).tiny)
    part = ((wanted - travelled[fine]) / span).clamp(0, 1)[:, None]
    edge, within = fine // FINE, fine % FINE
    lines = torch.stack(codes)  # (edges, FINE + 1, d)
    code = torch.lerp(lines[edge, within], lines[edge, within + 1], part)
    return Nodes(torch.tensor(charts, device=code.device)[edge], code)


def shorten(
    model: AtlasModel, nodes: Nodes, tolerance: float, max_iterations: int
) -> tuple[Nodes, bool]:
    r"""The local minimiser of the energy next to a curve with fixed ends, and whether it is one.

    Damped Newton steps that lower the energy. After each, nodes that their chart no longer covers
    are written in the most probable chart that does; a step that takes nodes out of all charts is
    refused. Converged is a curve in the charts whose Newton step would lower its energy by less
    than a part in $10^9$, the full Hessian being positive definite.
    """
    if len(nodes.codes) == 2 or nodes.decode(model).diff(dim=0).norm(dim=-1).sum() == 0:
        return nodes, True
    nodes, outside = _rewrite(model, nodes, tolerance)
    at = _energy_model(model, nodes)
    slack = 16 * torch.finfo(nodes.codes.dtype).eps
    damping = 0.0
    for _ in range(max_iterations):
        step, fall, newton = _step(at, damping)
        if newton and not damping and fall <= max(1e-9, slack) * at.energy + at.rounding:
            return nodes, outside == 0
        codes = nodes.codes.clone()
        codes[1:-1] += step.nan_to_num()
        trial, left = _rewrite(model, Nodes(nodes.charts, codes), tolerance)
        if left <= outside and _energy(model, trial) <= at.energy * (1 + slack) + at.rounding:
            nodes, outside, at = trial, left, _energy_model(model, trial)
            damping = damping / 10 if damping > 1e-4 else 0.0
        else:
            damping = max(10 * damping, 1e-3)
            if damping > 1e8:
                break
    return nodes, False


def in_few_charts(model: AtlasModel, nodes: Nodes, tolerance: float) -> Nodes:
    """The same points with as few changes of charts as their order allows.

    Each chart is kept as long as it covers, and the next is the one that then covers longest.
    Nodes that no chart covers keep their own.
    """
    with torch.no_grad():
        points = nodes.decode(model)
        covered = model.covers(points, tolerance)
        covered |= torch.nn.functional.one_hot(nodes.charts, model.n_charts).bool()
        charts, start = nodes.charts.clone(), 0
        while start < len(charts):
            reach = covered[start:].long().cumprod(0).sum(0)  # (K,), nodes from here on
            best = int(reach.argmax())
            charts[start : start + int(reach[best])] = best
            start += int(reach[best])
        codes = nodes.codes.clone()
        for i in charts.unique().tolist():
            moved = (charts == i) & (nodes.charts != i)
            if moved.any():
                codes[moved] = model.encode_chart(i, points[moved])
    return Nodes(charts, codes)


def _rewrite(model: AtlasModel, nodes: Nodes, tolerance: float) -> tuple[Nodes, int]:
    """Nodes that left their chart in another that covers them, and how many have none."""
    with torch.no_grad():
        points = nodes.decode(model)
        covered = model.covers(points, tolerance)
        lost = ~covered.gather(1, nodes.charts[:, None])[:, 0]
        lost[0] = lost[-1] = False  # the ends are given
        if not lost.any():
            return nodes, 0
        rho = torch.where(covered, model.probabilities(points), -1.0)
        best, other = rho.max(-1)
        moved = lost & (best >= 0)
        charts, codes = torch.where(moved, other, nodes.charts), nodes.codes.clone()
        for i in other[moved].unique().tolist():
            here = moved & (other == i)
            codes[here] = model.encode_chart(i, points[here])
    return Nodes(charts, codes), int((lost & ~moved).sum())


def _decoder(model: AtlasModel, charts: Tensor) -> Callable[[Tensor], Tensor]:
    """The map that decodes each of so many codes in its own chart."""
    present = charts.unique().tolist()
    places = [(charts == i).nonzero()[:, 0] for i in present]
    order = torch.cat(places).argsort()

    def decode(codes: Tensor) -> Tensor:
        parts = [
            model.decode_chart(i, codes[place]) for i, place in zip(present, places, strict=True)
        ]
        return torch.cat(parts)[order]

    return decode


def _energy(model: AtlasModel, nodes: Nodes) -> Tensor:
    with torch.no_grad():
        chords = nodes.decode(model).diff(dim=0)
    return len(chords) / 2 * chords.square().sum()


def _energy_model(model: AtlasModel, nodes: Nodes) -> EnergyModel:
    with torch.no_grad():
        return PullbackMetric(_decoder(model, nodes.charts)).energy_model(nodes.codes[None])


def _step(at: EnergyModel, damping: float) -> tuple[Tensor, Tensor, bool]:
    """The damped Newton step, the fall it promises, and whether the Hessian is definite there."""
    extra = damping * at.diagonal
    step, definite = tridiagonal.solve(at.diagonal_newton + extra, at.upper_newton, -at.gradient)
    if not definite.all():
        step, _ = tridiagonal.solve(at.diagonal + extra, at.upper, -at.gradient)
    fall = -(step * at.gradient).sum() / 2
    return step[0], fall.abs(), bool(definite.all())
