"""Exercises of the chapter *Statistics in a curved latent space*."""

from collections.abc import Callable
from math import pi
from typing import Any

import torch
from torch import Tensor

from geomlib.riemann import MatrixMetric
from geomlib.teaching.checks import Mistake, NotAttempted, attempt, compare, exercise, numbers

__all__ = ["analogy_on_a_sphere", "bring_together", "kernel_matrix", "step_of_descent"]


@exercise("vae-statistics-a")
def analogy_on_a_sphere(answer: Any) -> str:
    r"""$a = (1,0,0)$, $b = (0,1,0)$, $c$ the north pole: $d = \exp_c(P \log_a b) = (0, 1, 0)$."""
    wanted = "Give three numbers, such as (0, 0, -1): a point of the sphere in space."
    value = numbers(answer, 3, wanted)

    def point(*coordinates: float) -> Tensor:
        return torch.tensor(coordinates, dtype=torch.float64)

    compare(
        value,
        point(0, 1, 0),
        {
            "That is c + (b - a) in space, a point outside of the sphere.": point(-1, 1, 1),
            "You moved c + (b - a) back to the sphere. Transport the vector along the meridian "
            "instead.": point(-1, 1, 1) / 3**0.5,
            "That is c + v. Follow the great circle from c in direction v instead.": point(
                0, pi / 2, 1
            ),
            "That is the transported vector, not the point that it leads to.": point(0, pi / 2, 0),
            "You exchanged b and c: that is the answer to a : c = b : d. It is another one.": point(
                0, 0, 1
            ),
            "Check the direction: the vector points the way from a to b, along y, and "
            "the meridian through a does not turn it.": point(0, -1, 0),
            "That is where -a lies: you turned the vector by a right angle on the way.": point(
                -1, 0, 0
            ),
        },
    )
    return (
        "The answer is b itself; with b and c exchanged it is c. The parallelogram does not close."
    )


@exercise("vae-statistics-b")
def step_of_descent(answer: Callable[..., Tensor]) -> str:
    r"""$m \mapsto \exp_m\bigl(\tfrac1n \sum_i \log_m x_i\bigr)$, in the half-plane."""
    space = MatrixMetric(lambda z: torch.eye(2).to(z) / z[..., 1, None, None] ** 2)
    m = torch.tensor([0.3, 1.5], dtype=torch.float64)
    x = torch.tensor([[-1.0, 1.0], [1.2, 0.7], [0.5, 2.0]], dtype=torch.float64)
    start = m.repeat(3, 1)
    logs = space.geodesic(start, x, segments=128).velocity()[:, 0]
    v = logs.mean(0)
    back = space.geodesic(x, start, segments=128).velocity()[:, 0].mean(0)
    compare(
        attempt(answer, space, m, x),
        space.exp(m, v),
        {
            "That is the Euclidean mean of the points: use log and exp.": x.mean(0),
            "You added the vector to m. That is exp in a flat space only.": m + v,
            "You went uphill: minus the gradient is the mean of the logarithms itself.": space.exp(
                m, -v
            ),
            "You added the logarithms up: divide by their number.": space.exp(m, logs.sum(0)),
            "You took the logarithms at the points, log_x m. A gradient at m needs vectors at "
            "m.": space.exp(m, back),
            "You took the logarithms at the points, log_x m, and turned the sign. They are vectors "
            "at other points: no transport, no sum.": space.exp(m, -back),
            "That is the vector: follow the geodesic from m.": v,
            "You took differences of coordinates for logarithms.": space.exp(m, x.mean(0) - m),
            "That is m: nothing has moved.": m,
            "You took half a step.": space.exp(m, v / 2),
        },
    )
    return "Where the step is zero, the logarithms add up to zero: a Fréchet mean."


@exercise("vae-statistics-c")
def kernel_matrix(answer: Callable[..., Tensor]) -> str:
    r"""$\sum_i \Sigma_i^{-1} \exp(-\|z - \mu_i\|^2_{\Sigma_i^{-1}} / T^2) + \lambda I$."""
    z = torch.tensor([[0.2, -0.1], [1.0, 0.4], [0.6, 0.3]], dtype=torch.float64)
    mean = torch.tensor([[0.0, 0.0], [1.0, 0.5]], dtype=torch.float64)
    covariance = torch.tensor(
        [[[0.5, 0.2], [0.2, 0.3]], [[0.2, -0.1], [-0.1, 0.4]]], dtype=torch.float64
    )
    temperature, floor = 1.5, 0.05
    inverse = torch.linalg.inv(covariance)
    away = z[:, None] - mean  # (3, 2, 2)
    squared = torch.einsum("nki,kij,nkj->nk", away, inverse, away)
    by_covariance = torch.einsum("nki,kij,nkj->nk", away, covariance, away)

    def summed(matrices: Tensor, exponent: Tensor, constant: float = floor) -> Tensor:
        kernels = torch.einsum("nk,kij->nij", (-exponent).exp(), matrices)
        return kernels + constant * torch.eye(2).to(z)

    scaled = squared / temperature**2
    compare(
        attempt(answer, z, mean, covariance, temperature, floor),
        summed(inverse, scaled),
        {
            "You summed kernels times the covariances. G is large where the encoder is certain: "
            "it needs their inverses.": summed(covariance, scaled),
            "That is the other convention, kernels summed into the inverse of G.": torch.linalg.inv(
                summed(covariance, scaled)
            ),
            "That is the inverse of the metric.": torch.linalg.inv(summed(inverse, scaled)),
            "The exponent measures with the inverse of the covariance, as a Mahalanobis distance "
            "does.": summed(inverse, by_covariance / temperature**2),
            "The exponent takes Euclidean distances; it should measure with the inverse of the "
            "covariance.": summed(inverse, away.square().sum(-1) / temperature**2),
            "The temperature is missing.": summed(inverse, squared),
            "Divide by T squared, not by T.": summed(inverse, squared / temperature),
            "There is no half in this exponent.": summed(inverse, scaled / 2),
            "The exponent takes the distance; it should take its square.": summed(
                inverse, squared.sqrt() / temperature
            ),
            "The floor is missing: without it G tends to zero far away.": summed(
                inverse, scaled, 0.0
            ),
            "You added the floor once for each centroid.": summed(inverse, scaled, 2 * floor),
            "You added the floor to every entry. It multiplies the unit matrix.": summed(
                inverse, scaled, 0.0
            )
            + floor,
            "You averaged over the centroids; the sum is meant.": summed(inverse, scaled, 0.0) / 2
            + floor * torch.eye(2).to(z),
        },
    )
    return (
        "Large where the encoder is certain, the floor far away: a metric from the encoder alone."
    )


@exercise("vae-statistics-d")
def bring_together(answer: Any, a: Tensor, b: Tensor) -> str:
    r"""A pair $(h, h^{-1})$ that keeps $N(0, I)$, with $|h(a) - h(b)| \le \tfrac12 |a - b|$."""
    try:
        forth, back = answer
    except (TypeError, ValueError):
        raise Mistake("Give two functions, (h, inverse of h).") from None
    if ... in (forth, back):
        raise NotAttempted
    z = 1.5 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0)).to(a)
    z = torch.cat([z, a[None], b[None]])
    moved = attempt(forth, z)
    if moved.shape != z.shape:
        raise Mistake(f"h should map {tuple(z.shape)} to itself, but gave {tuple(moved.shape)}.")
    if moved.dtype != z.dtype:
        raise Mistake(f"h should keep the type of its codes, {z.dtype}, but gave {moved.dtype}.")
    returned = attempt(back, moved)
    if returned.shape != z.shape or not torch.allclose(returned.to(z), z, atol=1e-6):
        raise Mistake("The second function does not undo the first one.")
    try:
        jacobian = torch.func.vmap(torch.func.jacfwd(forth))(z)  # (202, 2, 2)
    except Exception as error:
        raise Mistake(f"h cannot be differentiated by torch: {error}") from error
    # the density of h(Z) at h(z) is that of Z at z over |det J|
    density = z.square().sum(1) / 2 + torch.linalg.det(jacobian).abs().log()
    if not torch.allclose(density, moved.square().sum(1) / 2, atol=1e-4):
        raise Mistake(
            "h does not keep N(0, I): the density of h(Z) at h(z) is that of Z over |det J|, and "
            "it must be the normal density there."
        )
    before, after = (a - b).norm(), (moved[-2] - moved[-1]).norm()
    if after > before / 2:
        raise Mistake(
            f"The distance of the two codes was {before:.2f} and is {after:.2f} now: at most half "
            "of it is asked for."
        )
    return "Nothing that the model says about data has changed, and yet the two are neighbours."
