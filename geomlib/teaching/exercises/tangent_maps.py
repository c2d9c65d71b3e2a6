"""Exercises of the chapter *Tangent maps*."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from geomlib.symbolic import Chart, SmoothMap
from geomlib.teaching.checks import Mistake, attempt, compare, exercise

__all__ = ["almost_an_embedding", "pulled_back", "pushed_vector", "stretches"]


@exercise("tangent-maps-a")
def pushed_vector(answer: Sequence[float] | Tensor) -> str:
    r"""$f_*v$ for $f(x, y) = (x^2 - y^2, 2xy)$, $p = (2, 1)$, $v = (1, 3)$: $(-2, 14)$."""
    try:
        value = torch.as_tensor([float(component) for component in answer])
    except (TypeError, ValueError):
        raise Mistake("Give the two components as a pair of numbers, such as (1, 0).") from None
    compare(
        value,
        torch.tensor([-2.0, 14.0]),
        {
            "You multiplied by the transpose of J: that pulls a covector back. Vectors push "
            "forward with J itself.": torch.tensor([10.0, 10.0]),
            "That is f(p + v) - f(p), a finite step. The tangent map keeps its linear part "
            "alone.": torch.tensor([-10.0, 20.0]),
            "That is f(v): the map itself acts on points. On vectors acts its derivative at "
            "p.": torch.tensor([-8.0, 6.0]),
            "You took the Jacobian at v: take it at p, and apply it to v.": torch.tensor(
                [-16.0, 12.0]
            ),
            "That is f(p) + f_*v: a vector has components of its own, the foot is not added to "
            "them.": torch.tensor([1.0, 18.0]),
            "That is f(p), the foot of the vector.": torch.tensor([3.0, 4.0]),
            "The sign of the derivative of -y squared is wrong.": torch.tensor([10.0, 14.0]),
        },
    )
    return "J(2, 1) turns by the angle of 2 + i and stretches by 2|2 + i|: it multiplies by 2z."


def _first(x: Tensor) -> Tensor:
    return torch.stack([x[0] + x[1] ** 2, x[1] - 0.5 * x[0] * x[1]])


def _second(x: Tensor) -> Tensor:
    return torch.stack([x[0] * x[1], x[0] - torch.sin(x[1])])


def _third(x: Tensor) -> Tensor:
    return torch.stack([torch.exp(0.3 * x[0]) - x[1], x[0] + 0.2 * x[1] ** 3])


@exercise("tangent-maps-b")
def pulled_back(answer: Callable[..., Tensor]) -> str:
    r"""$f_1^* f_2^* f_3^* \alpha$ at $p$, layer by layer, each Jacobian at its own point."""
    layers = [_first, _second, _third]
    p, alpha = torch.tensor([0.8, -0.6]).double(), torch.tensor([1.0, -2.0]).double()
    points = [p]
    for layer in layers:
        points.append(layer(points[-1]))

    def product(places: Sequence[Tensor]) -> Tensor:
        total = torch.eye(2, dtype=p.dtype)
        for layer, place in zip(layers, places, strict=True):
            total = torch.func.jacfwd(layer)(place) @ total
        return total

    at_own = product(points[:-1])
    jacobians = [torch.func.jacfwd(layer)(x) for layer, x in zip(layers, points[:-1], strict=True)]
    mixed = zip(reversed(layers), points[:-1], strict=True)
    crossed = [torch.func.jacfwd(layer)(x) for layer, x in mixed]
    reverse = alpha @ jacobians[0] @ jacobians[1] @ jacobians[2]
    compare(
        attempt(answer, layers, p, alpha),
        alpha @ at_own,
        {
            "You pushed alpha forward as if it were a vector. A covector is multiplied from the "
            "left: alpha J, not J alpha.": at_own @ alpha,
            "You took every Jacobian at p. The second layer acts at f_1(p), the third at "
            "f_2(f_1(p)).": alpha @ product([p, p, p]),
            "You took each Jacobian at the output of its layer: it belongs to the input.": alpha
            @ product(points[1:]),
            "You met the layers in the order of the forward pass. alpha stands at the end: the "
            "last layer pulls first.": reverse,
            "You took the layers from the last to the first, but their points from the first to "
            "the last.": alpha @ crossed[0] @ crossed[1] @ crossed[2],
            "You transposed each Jacobian once too often, so that alpha J became J "
            "alpha.": jacobians[0] @ jacobians[1] @ jacobians[2] @ alpha,
            "You stopped before the first layer: f_1 pulls back as well.": alpha
            @ jacobians[2]
            @ jacobians[1],
            "You left out the last layer, at which alpha starts.": alpha
            @ jacobians[1]
            @ jacobians[0],
            "You started from ones, not from alpha.": torch.ones_like(alpha) @ at_own,
        },
    )
    return "That is backpropagation: values forward and stored, then covectors back."


_SKEW = torch.tensor([[1.5, 0.4, 0.0], [-0.3, 0.9, 0.5], [0.2, 0.0, 0.6]], dtype=torch.float64)
_SHIFT = torch.tensor([0.9, -1.4, 0.7], dtype=torch.float64)


def _on_the_sphere(x: Tensor) -> Tensor:
    """A map of the sphere, extended so that it does not see the length of x."""
    image = _SKEW @ x
    return image / image.norm()


def _another_extension(x: Tensor) -> Tensor:
    """The same map on the sphere, with another derivative across it."""
    return _on_the_sphere(x) + (x @ x - 1) * _SHIFT


@exercise("tangent-maps-c")
def stretches(answer: Callable[..., Tensor]) -> str:
    r"""The singular values of $J_F B$, $B$ an orthonormal basis of $T_xS^2$, for two extensions."""
    x = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3
    extensions = {"first": _on_the_sphere, "second": _another_extension}
    J = {name: torch.func.jacfwd(F)(x) for name, F in extensions.items()}
    basis = torch.linalg.svd(x[None]).Vh[1:].T  # (3, 2)
    right = torch.linalg.svdvals(J["first"] @ basis)
    image = _on_the_sphere(x)
    into = torch.eye(3, dtype=x.dtype) - torch.outer(image, image)
    answers = [attempt(answer, F, x) for F in extensions.values()]
    if any(one.shape not in ((), (2,), (3,)) for one in answers):
        raise Mistake(f"The shape should be (2,), but yours is {tuple(answers[0].shape)}.")
    given = torch.stack(answers)
    across = torch.eye(3, dtype=x.dtype) - torch.outer(x, x)

    def of(values: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.stack([values(matrix) for matrix in J.values()])

    compare(
        given,
        torch.stack([right, right]),
        {
            "Those are the two largest singular values of the ambient J: they change with the "
            "extension. Restrict J to the tangent plane first.": of(
                lambda j: torch.linalg.svdvals(j)[:2]
            ),
            "You dropped the largest singular value of the ambient J. Nothing tells which one "
            "belongs to the normal direction: restrict J to the tangent plane.": of(
                lambda j: torch.linalg.svdvals(j)[1:]
            ),
            "Those are the three singular values of the ambient J; the sphere has two tangent "
            "directions.": of(torch.linalg.svdvals),
            "The last of your three values is 0, that of the normal direction. The sphere has two "
            "tangent directions.": of(lambda j: torch.linalg.svdvals(j @ across)),
            "You projected the result to the tangent plane of the target. It is the source that "
            "must be restricted: the normal vector x is no tangent vector.": of(
                lambda j: torch.linalg.svdvals(into @ j)[:2]
            ),
            "Those are squares of the stretches: take the root of the eigenvalues of the Gram "
            "matrix.": torch.stack([right**2, right**2]),
            "Those are squares of the stretches, the smaller one first: eigvalsh sorts ascending. "
            "Take the roots, the larger one first.": torch.stack([right.flip(0) ** 2] * 2),
            "Give the larger stretch first.": torch.stack([right.flip(0)] * 2),
            "That is the factor of area, the product of the two stretches.": right.prod().expand(2),
            "Your basis is not orthonormal: you crossed x with a fixed vector and did not divide "
            "by the length.": of(lambda j: torch.linalg.svdvals(j @ _unscaled_basis(x))),
        },
    )
    return "Both extensions give the same two stretches: they belong to the map of the sphere."


def _unscaled_basis(x: Tensor) -> Tensor:
    first = torch.linalg.cross(x, torch.tensor([0.0, 0.0, 1.0], dtype=x.dtype))
    return torch.stack([first, torch.linalg.cross(x, first)], dim=1)


@exercise("tangent-maps-d")
def almost_an_embedding(answer: tuple[Sequence[str], float, float, float]) -> str:
    """An injective immersed plane curve on an open interval whose end comes back to itself."""
    gamma, low, high, meeting = _read_curve(answer)
    curve = gamma.to_torch()
    where = torch.linspace(0, 1, 1201, dtype=torch.float64)
    inside = low + (high - low) * (0.001 + 0.998 * where)
    points = curve(inside[:, None])
    velocities = torch.func.vmap(torch.func.jacfwd(curve))(inside[:, None])[..., 0]
    speed = velocities.norm(dim=1)
    size = (points - points.mean(0)).norm(dim=1).max()
    if not torch.isfinite(points).all() or size < 1e-9:
        raise Mistake("The curve must be defined on the whole interval and must move.")
    verdict = gamma.is_immersion()
    if not verdict:
        raise Mistake(f"It is no immersion: {verdict.reason}.")
    if speed.min() < 1e-9 * speed.max():
        stop = inside[speed.argmin()].item()
        raise Mistake(f"It is no immersion: the velocity vanishes near t = {stop:.2f}.")
    pair = _crossing(points)
    if pair is not None:
        first, second = (inside[k].item() for k in pair)
        raise Mistake(
            f"It is not injective: the curve crosses itself near t = {first:.2f} and "
            f"t = {second:.2f}. Shorten the interval, so that only a limit meets the curve."
        )
    margin = (high - low) / 20
    if not low + margin < meeting < high - margin:
        raise Mistake("The point that the end comes back to must lie inside the interval.")
    span = (high - low) * 10.0 ** -torch.arange(3, 7, dtype=torch.float64)
    there = curve(torch.tensor([meeting], dtype=torch.float64))
    for times in (low + span, high - span):
        gap = (curve(times[:, None]) - there).norm(dim=1)
        if gap[-1] < 1e-4 * size and (gap[1:] < gap[:-1]).all():
            break
    else:
        raise Mistake(
            "Neither end of the curve tends to your point of it, so nothing shows that the "
            "inverse is discontinuous."
        )
    if _is_the_figure_eight(points):
        raise Mistake("That is the figure eight of the chapter: find another one.")
    return (
        "Near that point the image is no interval: codes far apart have images as close as you like"
        ", and no encoder that undoes the curve is continuous."
    )


def _read_curve(answer: Any) -> tuple[SmoothMap, float, float, float]:
    try:
        formulas, low, high, meeting = answer
        bounds = [sp.nsimplify(sp.sympify(end)) for end in (low, high)]
        low, high, meeting = (float(sp.sympify(value)) for value in (low, high, meeting))
    except (TypeError, ValueError, sp.SympifyError):
        raise Mistake(
            'Give (formulas, low, high, t0), such as (("cos(t)", "sin(t)"), 0, 6, 1).'
        ) from None
    if not low < high:
        raise Mistake("The interval must have low < high.")
    if not (isfinite(low) and isfinite(high)):
        raise Mistake("This check walks along the curve: give an interval with finite ends.")
    t = sp.Symbol("t", real=True)
    interval = Chart("interval", [t], sp.And(t > bounds[0], t < bounds[1]))
    try:
        curve = SmoothMap(interval, Chart("plane", "x y"), formulas)
    except ValueError as error:
        raise Mistake(f"That is no smooth curve in the plane: {error}.") from error
    if curve.expressions.free_symbols - {t}:
        raise Mistake("Write both formulas in t alone.")
    return curve, low, high, meeting


def _crossing(points: Tensor) -> tuple[int, int] | None:
    """Two steps of a polygon, not next to each other, that cross each other; None if none do."""
    a, b = points[:-1], points[1:]

    def side(p: Tensor, q: Tensor, r: Tensor) -> Tensor:
        u, v = q - p, r - p
        return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]

    here, there = (a[:, None], b[:, None]), (a[None], b[None])
    apart = side(*here, there[0]) * side(*here, there[1]) < 0
    apart &= side(*there, here[0]) * side(*there, here[1]) < 0
    found = torch.nonzero(torch.triu(apart, diagonal=2))
    return None if len(found) == 0 else (int(found[0, 0]), int(found[0, 1]))


def _is_the_figure_eight(points: Tensor) -> bool:
    r"""Whether $x^2 = 4y^2(1 - y^2)$ on the points, lying or standing: $(\sin 2t, \sin t)$."""
    x, y = points.T
    return any(
        bool(((a**2 - 4 * b**2 * (1 - b**2)).abs() < 1e-9).all()) for a, b in ((x, y), (y, x))
    )
