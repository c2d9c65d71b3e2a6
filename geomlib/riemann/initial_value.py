r"""Initial value geodesics: $\gamma'' = -\Gamma(\gamma', \gamma')$, and how they spread.

Two geodesics that start at one point in directions $v$ and $v + sw$ part, to first order in $s$,
by the Jacobi field $J$ with $J(0) = 0$, $J'(0) = w$. It solves the first variation of the geodesic
equation, and $J(1) = \mathrm{d}(\exp_z)_v\, w$: the derivative of the exponential map.

Steps are chosen by torchdiffeq (Dormand and Prince, orders 5 and 8), one step size for the whole
batch, ruled by its worst member.

Source: do Carmo, *Riemannian Geometry* (1992), chapter 3, section 2, and chapter 5.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from torch import Tensor
from torchdiffeq import odeint

from geomlib.riemann.curve import Curve, as_times
from geomlib.riemann.validation import as_points, broadcast, same_kind

if TYPE_CHECKING:
    from geomlib.riemann.metric import Metric

__all__ = ["conjugate_time", "exponential", "jacobi_field", "logarithm", "shoot"]

MOST_STEPS = 2_000  # between two times; near the edge of a chart steps shrink without end
PATIENCE = 4_000  # evaluations, about 300 steps, in which a tenth of the way must be made
FEWEST_SAMPLES = 16
CONJUGATE = 1e-4  # a derivative of exp that shrinks some direction so much is called singular
SPEED_DRIFT = 1e-3  # of a geodesic's constant speed, beyond which the result is not to be trusted


def shoot(metric: Metric, z: Tensor, v: Tensor, times: Tensor, tolerance: float) -> Curve:
    """See `Metric.shoot`."""
    z, v = _start(metric, z, v)
    times = as_times(times, z)
    flat_z, flat_v = z.reshape(-1, z.shape[-1]), v.reshape(-1, z.shape[-1])

    def motion(position: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor]:
        return velocity, -metric.connection(position, velocity, velocity)

    path, velocity = _integrate(motion, (flat_z, flat_v), times, tolerance)
    _check_speed(metric, path, velocity)
    points = path.movedim(0, -2).reshape(*z.shape[:-1], len(times), z.shape[-1])
    return Curve(points, metric, times)


def exponential(metric: Metric, z: Tensor, v: Tensor, tolerance: float) -> Tensor:
    """See `Metric.exp`."""
    return shoot(metric, z, v, torch.tensor([0.0, 1.0]), tolerance).points[..., -1, :]


def jacobi_field(
    metric: Metric, z: Tensor, v: Tensor, w: Tensor, times: Tensor, tolerance: float
) -> Tensor:
    """See `Metric.jacobi_field`."""
    same_kind("v", as_points(v, "v"), "w", as_points(w, "w"))
    z, v, w = broadcast(z=z, v=v, w=w)
    z, v = _start(metric, z, v)
    times = as_times(times, z)
    flat_z, flat_v, flat_w = (x.reshape(-1, x.shape[-1]) for x in (z, v, w))
    _, fields = _flow(metric, flat_z, flat_v, flat_w[None], times, tolerance)
    return fields[:, 0].movedim(0, -2).reshape(*z.shape[:-1], len(times), z.shape[-1])


def conjugate_time(
    metric: Metric, z: Tensor, v: Tensor, until: float, samples: int, tolerance: float
) -> Tensor:
    """See `Metric.conjugate_time`."""
    z, v = _start(metric, z, v)
    if not 0 < until < math.inf:
        raise ValueError(f"until={until}, but conjugate points are looked for at times > 0")
    if not isinstance(samples, Integral) or samples < FEWEST_SAMPLES:
        raise ValueError(
            f"samples={samples}, but a zero is only seen among at least {FEWEST_SAMPLES} times"
        )
    times = torch.linspace(0, until, samples + 1).to(z)
    flat_z, flat_v = z.detach().reshape(-1, z.shape[-1]), v.detach().reshape(-1, z.shape[-1])
    basis = torch.eye(z.shape[-1]).to(z)[:, None].expand(-1, *flat_z.shape)
    with torch.no_grad():
        path, fields = _flow(metric, flat_z, flat_v, basis, times, tolerance)
        size = _smallest_growth(metric, path, fields, times)  # (T, B), without t = 0
    inner = times[1:].double().cpu().numpy()
    first = [_first_zero(inner, column) for column in size.double().cpu().numpy().T]
    return torch.as_tensor(first).to(z).reshape(z.shape[:-1])


def logarithm(
    metric: Metric, a: Tensor, b: Tensor, segments: int, initial: Curve | Tensor | None
) -> Tensor:
    """See `Metric.log`."""
    geodesic = metric.geodesic(a, b, segments=segments, initial=initial)
    a, b = broadcast(a=a, b=b)
    start, goal = a.reshape(-1, a.shape[-1]), b.reshape(-1, a.shape[-1])
    first = geodesic.velocity()[..., 0, :].detach().reshape(start.shape)
    resolved = geodesic.converged.reshape(-1)
    velocity = first.clone()
    which = resolved.nonzero()[:, 0]
    if len(which):
        with torch.no_grad():
            refined, slope, aims = _aim(metric, start[which], goal[which], first[which].clone())
        velocity[which] = refined
        if not aims.all():
            warnings.warn(
                f"{int((~aims).sum())} of {len(start)} logarithms are not certain: either b is "
                "(nearly) conjugate to a, like the antipode on a sphere, and many velocities lead "
                "there, or shooting from a misses b, and the answer is only as exact as the "
                f"{segments} segments",
                RuntimeWarning,
                stacklevel=3,
            )
        if a.requires_grad or b.requires_grad or metric.matrix(start[:1]).requires_grad:
            # one more Newton step: worth nothing in value, and by the implicit function theorem
            # its gradient is that of the logarithm
            miss = exponential(metric, start[which], refined, 1e-8) - goal[which]
            moved = refined - torch.linalg.solve(slope, miss)
            velocity = velocity.index_put((which,), moved)
    return velocity.reshape(a.shape)


def _aim(
    metric: Metric, start: Tensor, goal: Tensor, velocity: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Newton's method on $exp_a(v) = b$: the velocity, the derivative of exp, and who arrived.

    The start is close, so the derivative is taken once, and loosely.
    """
    double = start.dtype == torch.float64
    times = torch.tensor([0.0, 1.0]).to(start)
    basis = torch.eye(start.shape[-1]).to(start)[:, None].expand(-1, *start.shape)
    scale = (goal - start).norm(dim=-1).clamp_min(torch.finfo(start.dtype).tiny)
    best = torch.full_like(scale, torch.inf)
    kept = velocity.clone()
    slope = torch.eye(start.shape[-1]).to(start).expand(len(start), -1, -1)
    active = torch.arange(len(start), device=start.device)
    try:
        slope = _flow(metric, start, velocity, basis, times, 1e-5)[1][-1].movedim(0, -1)
        for tolerance in (1e-8, 1e-10, 1e-10, 1e-10) if double else (1e-5, 1e-6):
            end = exponential(metric, start[active], velocity[active], tolerance)
            miss = end - goal[active]
            error = miss.norm(dim=-1) / scale[active]
            better = error < best[active]
            active, miss, error = active[better], miss[better], error[better]
            best[active], kept[active] = error, velocity[active]
            step, _ = torch.linalg.solve_ex(slope[active], miss[..., None])
            velocity[active] = kept[active] - torch.nan_to_num(step[..., 0])
            active = active[error > (1e-9 if double else 1e-5)]
            if not len(active):
                break
    except RuntimeError:  # one of them leaves the chart: the best so far stays
        pass
    growth = torch.linalg.svdvals(slope)
    regular = growth[:, -1] > CONJUGATE * growth[:, 0]
    return kept, slope, (best <= (1e-6 if double else 1e-3)) & regular


def _start(metric: Metric, z: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Both at their common shape, if a geodesic can start there."""
    same_kind("z", as_points(z), "v", as_points(v, "v"))
    z, v = broadcast(z=z, v=v)
    flat = z.detach().reshape(-1, z.shape[-1])
    if not len(flat):
        raise ValueError(f"there is no point to start from: z has shape {tuple(z.shape)}")
    metric.check_smooth(flat)
    metric.check_definite(flat)
    return z, v


def _flow(
    metric: Metric, z: Tensor, v: Tensor, w: Tensor, times: Tensor, tolerance: float
) -> tuple[Tensor, Tensor]:
    """Geodesics `(T, B, d)` and their Jacobi fields `(T, k, B, d)` for `k` first velocities `w`."""

    def motion(position: Tensor, velocity: Tensor, field: Tensor, change: Tensor):
        acceleration, *slopes = metric.jacobi_slopes(position, velocity, field, change)
        return velocity, acceleration, *slopes

    state = (z, v, torch.zeros_like(w), w)
    path, velocity, fields, _ = _integrate(motion, state, times, tolerance)
    _check_speed(metric, path, velocity)
    return path, fields


def _integrate(
    motion: Callable[..., tuple[Tensor, ...]],
    state: tuple[Tensor, ...],
    times: Tensor,
    tolerance: float,
) -> tuple[Tensor, ...]:
    """The state at all times, `(T, ...)` each, with the step size ruled by the worst member."""
    z = state[0]
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance={tolerance}, but it must lie between 0 and 1, e.g. 1e-8")
    tolerance = max(tolerance, 50 * torch.finfo(z.dtype).eps)
    last: dict[str, Tensor] = {}
    calls, since = 0, times[0]

    def slope(t: Tensor, now: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        nonlocal calls, since
        last["time"], last["point"] = t, now[0]
        calls += 1
        if calls % PATIENCE == 0:
            next_time = times[times > since][:1]
            if (t - since < (next_time - since) / 10).any():
                raise ValueError(f"{calls} evaluations so far, and next to no progress")
            since = t
        return motion(*now)

    def worst(parts: tuple[Tensor, ...]) -> Tensor:
        return torch.stack([part.abs().max() for part in parts]).max()

    try:
        solution = odeint(
            slope,
            state,
            times,
            rtol=tolerance,
            atol=tolerance,
            method="dopri8" if z.dtype == torch.float64 else "dopri5",
            # a step ends at each of the times: torchdiffeq's interpolation within one is only
            # of fourth order
            options={"norm": worst, "max_num_steps": MOST_STEPS, "step_t": times},
        )
    except (AssertionError, ValueError, torch.linalg.LinAlgError) as error:
        raise RuntimeError(_no_way_on(last, error)) from error
    if not all(torch.isfinite(part).all() for part in solution):
        raise RuntimeError(_no_way_on(last, "the solution is not finite"))
    return solution


def _no_way_on(last: dict[str, Tensor], error: object) -> str:
    where = ""
    if last:
        points = last["point"].detach().reshape(-1, last["point"].shape[-1])
        bad = (~torch.isfinite(points).all(-1)).nonzero()[:, 0].tolist()
        several = "" if len(points) == 1 else f", {len(points)} geodesics at once"
        shown = points[bad[0] if bad else 0].tolist()
        where = f" at time {last['time'].item():.4g}, one of them at {shown}{several}"
    return (
        f"the integration of a geodesic cannot go on{where} ({error}): it leaves the domain of the "
        "chart, or comes to a place where G loses rank. Shoot less far, or use a chart that "
        "covers the way"
    )


def _check_speed(metric: Metric, path: Tensor, velocity: Tensor) -> None:
    with torch.no_grad():
        first = metric.norm(path[0], velocity[0])
        last = metric.norm(path[-1], velocity[-1])
        drift = (last - first).abs() / torch.where(first == 0, 1.0, first)
    drifting = ~(drift <= SPEED_DRIFT)  # NaN too
    if drifting.any():
        warnings.warn(
            f"{int(drifting.sum())} of {len(drift)} geodesics change their speed, by "
            f"up to {drift.max():.2g} of it; a geodesic has constant speed. They pass an edge of "
            "the chart, or the tolerance is too large",
            RuntimeWarning,
            stacklevel=4,
        )


def _smallest_growth(metric: Metric, path: Tensor, fields: Tensor, times: Tensor) -> Tensor:
    r"""The smallest singular value of $w \mapsto J_w(t)/t$ between tangent spaces, `(T-1, B)`."""
    before = torch.linalg.cholesky(metric.matrix(path[0]))
    after = torch.linalg.cholesky(metric.matrix(path[1:]))
    columns = fields[1:].movedim(1, -1) / times[1:, None, None, None]  # (T-1, B, d, d)
    inverse = torch.linalg.inv(before).mT
    return torch.linalg.svdvals(after.mT @ columns @ inverse)[..., -1]


def _first_zero(times: np.ndarray, size: np.ndarray) -> float:
    """The first time at which the size falls to zero and rises again, or infinity.

    It does so in a straight line on both sides; with its sign changed after the zero it is smooth.
    """
    low = [i for i in range(1, len(size) - 1) if size[i] <= size[i - 1] and size[i] <= size[i + 1]]
    for i in low:
        window = slice(max(0, i - 4), i + 5)

        def with_sign(after: int) -> np.ndarray:
            return np.where(np.arange(len(size)) < after, size, -size)[window]  # noqa: B023

        def bend(after: int) -> float:
            return np.abs(np.diff(with_sign(after), 2)).max()

        after = min(i, i + 1, key=bend)  # on the wrong side of the zero there is a kink
        signed = with_sign(after)
        before = after - 1 - window.start
        if (
            signed[before] > 0 > signed[before + 1]
            and bend(after) < 0.3 * np.abs(np.diff(signed)).max()
        ):
            spline = CubicSpline(times[window], signed)
            return float(brentq(spline, times[after - 1], times[after]))
    return float("inf")
