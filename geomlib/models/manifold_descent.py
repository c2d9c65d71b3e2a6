"""Riemannian gradient descent on the manifold that an atlas describes."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geomlib.models.atlas import AtlasModel
from geomlib.models.validation import check_sizes, check_width
from geomlib.riemann.derivatives import value_and_jacobian
from geomlib.riemann.validation import as_points

__all__ = ["Descent", "least_error", "manifold_descent", "most_interior"]


@dataclass(frozen=True)
class Descent:
    r"""The steps of `manifold_descent`, of all starting points at once.

    Attributes:
        path: $x_0, \dots, x_T$ in $\mathbb{R}^n$, `(T + 1, *batch, n)`.
        charts: the chart with the largest weight at each of them, `(T + 1, *batch)`.
        values: the objective at each of them, `(T + 1, *batch)`.
        slope: the length of the Riemannian gradient at the end, weighted by $\beta$, `(*batch)`.
        converged: whether the slope is at most the tolerance, `(*batch)`.
        frozen: whether the point does not move any more though its slope is larger: it is stuck at
            the edge of a chart.
    """

    path: Float[Tensor, " steps *batch n"] = field(repr=False)
    charts: Int[Tensor, " steps *batch"] = field(repr=False)
    values: Float[Tensor, " steps *batch"] = field(repr=False)
    slope: Float[Tensor, "*batch"]
    converged: Bool[Tensor, "*batch"]
    frozen: Bool[Tensor, "*batch"]

    @property
    def end(self) -> Float[Tensor, "*batch n"]:
        """The last points of the path."""
        return self.path[-1]


def manifold_descent(
    model: AtlasModel,
    objective: Callable[[Tensor], Tensor],
    x0: Float[Tensor, "*batch n"],
    *,
    weights: Callable[[Tensor], Tensor] | None = None,
    step_size: float = 0.1,
    steps: int = 200,
    tolerance: float = 1e-3,
) -> Descent:
    r"""$x^+ = \sum_k \beta_k(x)\, D_k\bigl(E_k(x_k - \tau J_k (J_k^\top J_k)^{-1} \nabla_z
    (F \circ D_k))\bigr)$, where $x_k = D_k(E_k(x))$ and $J_k$ is the Jacobian of $D_k$ there.

    $J(J^\top J)^{-1}J^\top \nabla F$ is the Riemannian gradient: the part of $\nabla F$ that is
    tangent to the image of $D_k$. $E_k$ takes the step back to the chart, and codes that leave its
    domain are brought back by `model.into_domain`.

    Which chart is used decides whether a path can go on. $x^+$ is a point of the chart it was made
    by, without error; so under `least_error` a path never leaves its chart, and freezes where that
    ends. `most_interior` goes over to the chart that has more room.

    Args:
        model: the atlas.
        objective: $F$, `(..., n)` to `(...)`.
        x0: starting points, on the manifold or near it.
        weights: $\beta$, `(..., n)` to `(..., K)`; `model.probabilities` if left out, or
            `most_interior(model, tolerance)`, or `least_error(model)`.
        step_size: $\tau$.
        steps: how many at most; it stops when no point moves by more than
            $10^{-3}\,\tau \cdot$ `tolerance`.
        tolerance: of the slope at which a point counts as converged, in units of F by x.

    Raises:
        ValueError: if step size, steps or tolerance are not positive, or shapes do not fit.

    Warns:
        UserWarning: once, if some points have not converged.

    Source: Alberti, Hertrich, Santacesaria and Sciutto, *Manifold Learning by Mixture Models of
    VAEs for Inverse Problems*, JMLR 25(202), 2024, section 4.

    The point of the circle next to (3, 3), from the other side and over two charts:

    >>> from geomlib.models.explicit_atlases import circle_atlas
    >>> target = torch.tensor([3.0, 3.0])
    >>> way = manifold_descent(circle_atlas(), lambda x: (x - target).square().sum(-1) / 2,
    ...                        torch.tensor([-1.0, 0.3]))
    >>> way.end, way.converged, way.charts.unique()
    (tensor([0.7071, 0.7071]), tensor(True), tensor([0, 1]))
    """
    check_width(as_points(x0, "x0"), model.data_dim, "x0")
    check_sizes(steps=steps)
    if not (step_size > 0 and tolerance > 0):
        raise ValueError(
            f"step_size = {step_size} and tolerance = {tolerance}, but both must be positive"
        )
    beta_of = model.probabilities if weights is None else weights
    batch = x0.shape[:-1]
    x = x0.detach().reshape(-1, x0.shape[-1])
    path, charts, values = [x], [_weights(beta_of, x, model.n_charts).argmax(-1)], []
    values.append(_value(objective, x)[0])
    for _ in range(steps):
        new, _ = _step(model, objective, beta_of, x, step_size)
        moved = (new - x).norm(dim=-1)
        x = new
        path.append(x)
        charts.append(_weights(beta_of, x, model.n_charts).argmax(-1))
        values.append(_value(objective, x)[0])
        if (moved <= 1e-3 * step_size * tolerance).all():
            break
    last, slope = _step(model, objective, beta_of, x, step_size)
    converged = slope <= tolerance
    still = (last - x).norm(dim=-1) <= 0.01 * step_size * slope
    frozen = ~converged & still
    if not converged.all():
        warnings.warn(
            f"{int((~converged).sum())} of {len(x)} points have not converged in {len(path) - 1} "
            f"steps, {int(frozen.sum())} of them frozen at the edge of a chart: take more steps, "
            "another step size, or weights that change the chart before its edge",
            stacklevel=2,
        )
    return Descent(
        torch.stack(path).reshape(-1, *x0.shape),
        torch.stack(charts).reshape(-1, *batch),
        torch.stack(values).reshape(-1, *batch),
        slope.reshape(batch),
        converged.reshape(batch),
        frozen.reshape(batch),
    )


def most_interior(
    model: AtlasModel, tolerance: float
) -> Callable[[Float[Tensor, "*batch n"]], Float[Tensor, "*batch K"]]:
    r"""$\beta$ = 1 for the chart in which x lies deepest (`model.depth`), of those whose error is
    at most `tolerance`; where there is none, for the chart of least error."""

    def weights(x: Tensor) -> Tensor:
        error = _errors(model, x)
        good = error <= tolerance
        depth = model.depth(x).masked_fill(~good, -torch.inf)
        chart = torch.where(good.any(-1), depth.argmax(-1), error.argmin(-1))
        return _one(model, chart, x)

    return weights


def least_error(
    model: AtlasModel,
) -> Callable[[Float[Tensor, "*batch n"]], Float[Tensor, "*batch K"]]:
    r"""$\beta$ = 1 for the chart of least $\|x - D_k(E_k(x))\|$: it looks safe, and freezes."""
    return lambda x: _one(model, _errors(model, x).argmin(-1), x)


@torch.no_grad()
def _errors(model: AtlasModel, x: Tensor) -> Tensor:
    """The errors of all charts, their codes kept in their domains."""
    z = model.encode_all(x)
    inside = [model.into_domain(i, z[..., i, :]) for i in range(model.n_charts)]
    error = (x[..., None, :] - model.decode_all(torch.stack(inside, dim=-2))).norm(dim=-1)
    return error.nan_to_num(torch.inf)


def _one(model: AtlasModel, chart: Tensor, x: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(chart, model.n_charts).to(x)


@torch.no_grad()
def _weights(beta_of: Callable[[Tensor], Tensor], x: Tensor, charts: int) -> Tensor:
    beta = beta_of(x)
    if beta.shape != (*x.shape[:-1], charts):
        raise ValueError(
            f"weights(x) has shape {tuple(beta.shape)} for x of shape {tuple(x.shape)}, but one "
            f"weight for each chart is needed: {(*x.shape[:-1], charts)}"
        )
    return beta


def _value(objective: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """F(x) and its gradient."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        value = objective(x)
        if value.shape != x.shape[:-1]:
            raise ValueError(
                f"the objective has shape {tuple(value.shape)} for points {tuple(x.shape)}, but "
                f"one number for each point is needed: {tuple(x.shape[:-1])}"
            )
        (slope,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), slope


@torch.no_grad()
def _step(
    model: AtlasModel,
    objective: Callable[[Tensor], Tensor],
    beta_of: Callable[[Tensor], Tensor],
    x: Tensor,
    step_size: float,
) -> tuple[Tensor, Tensor]:
    """The next points `(B, n)`, and the length of the Riemannian gradient at x."""
    beta = _weights(beta_of, x, model.n_charts)
    new, gradient = torch.zeros_like(x), torch.zeros_like(x)
    for k in range(model.n_charts):
        rows = (beta[:, k] > 1e-6).nonzero()[:, 0]
        if len(rows) == 0:
            continue
        z = model.into_domain(k, model.encode_chart(k, x[rows]))
        point, jacobian = value_and_jacobian(partial(model.decode_chart, k), z)
        tangent = torch.linalg.qr(jacobian).Q
        ambient = _value(objective, point)[1]
        riemannian = (tangent @ (tangent.mT @ ambient[..., None]))[..., 0]
        back = model.encode_chart(k, point - step_size * riemannian)
        share = beta[rows, k, None]
        new[rows] += share * model.decode_chart(k, model.into_domain(k, back))
        gradient[rows] += share * riemannian
    total = torch.where(beta > 1e-6, beta, 0.0).sum(-1, keepdim=True)
    return new / total, (gradient / total).norm(dim=-1)
