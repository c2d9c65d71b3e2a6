"""Exercises of the chapter *Your own decoder*."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from geomlib.riemann import PullbackMetric
from geomlib.teaching.checks import Mistake, attempt, compare, exercise, numbers
from geomlib.teaching.report import report

__all__ = ["far_from_all_codes", "hidden_bump", "numerical_rank", "stretches"]


@exercise("your-own-decoder-a")
def stretches(answer: Any) -> str:
    r"""Singular values and magnification of $(2z_1, 2z_2, 4z_1z_2)$ at $(1, 1)$."""
    given = numbers(answer, 3, "Give three numbers: the larger stretch, the smaller, and the area.")
    double = torch.float64
    compare(
        given,
        torch.tensor([6, 2, 12], dtype=double),
        {
            "The larger one comes first.": torch.tensor([2, 6, 12], dtype=double),
            "Those are eigenvalues of G, squared lengths: take roots.": torch.tensor(
                [36, 4, 144], dtype=double
            ),
            "The third is det G, a squared area: take the root.": torch.tensor(
                [6, 2, 144], dtype=double
            ),
            "The third is the quotient, the condition number. Area is the product.": torch.tensor(
                [6, 2, 3], dtype=double
            ),
            "The third is the sum; area is the product.": torch.tensor([6, 2, 8], dtype=double),
            "Those are the lengths of the columns of J and their product. The columns are not "
            "orthogonal: take eigenvalues of G.": torch.tensor([20**0.5, 20**0.5, 20]).to(double),
            "The area is right. The lengths of the columns of J are no stretches: the columns are "
            "not orthogonal. Take eigenvalues of G.": torch.tensor(
                [20**0.5, 20**0.5, 12], dtype=double
            ),
            "You left out the third output, whose slope is (4, 4) here.": torch.tensor(
                [2, 2, 4], dtype=double
            ),
        },
    )
    return "Along (1, 1) the third output moves, along (1, -1) it stands still."


@exercise("your-own-decoder-b")
def numerical_rank(answer: Callable[..., Tensor]) -> str:
    """How many singular values exceed a share of the largest one, at each point."""
    z = torch.tensor(
        [[0.0, 0.0], [1.0, 0.0], [0.3, 2e-3], [0.3, 2e-4], [1e-3, 1.0], [0.3, 20.0]],
        dtype=torch.float64,
    )
    share = 1e-3
    jacobian = torch.func.vmap(torch.func.jacfwd(_folded))(z)  # (6, 3, 2)
    values = torch.linalg.svdvals(jacobian)
    largest = values[:, :1]
    right = (values > share * largest).sum(1)
    given = attempt(answer, _folded, z, share).double()
    compare(
        given,
        right.double(),
        {
            "You compare with a fixed number: the share is of the largest singular value, so that "
            "100 g has the rank of g.": (values > share).sum(1).double(),
            "You compare with the largest value of the whole batch. Take the largest one at each "
            "point: a rank belongs to a point.": (values > share * values.max()).sum(1).double(),
            "You compare every point with the largest value at the first one. Take the largest one "
            "at each point.": (values > share * values[0, 0]).sum(1).double(),
            "You counted eigenvalues of G, which are squares: the same share of them is another "
            "rank. Take singular values of J, or roots.": (values**2 > share * largest**2)
            .sum(1)
            .double(),
            "You counted every value that is not zero. On a computer hardly one is zero: compare "
            "with the largest.": (values > 0).sum(1).double(),
            "That is how much rank is missing: count the values above the share.": (
                2 - right
            ).double(),
            "You gave one number for the whole batch: return one for each point.": (
                right.min().double()
            ),
        },
    )
    return "A rank on a computer needs a tolerance, and says which one."


@exercise("your-own-decoder-c")
def far_from_all_codes(answer: Callable[..., Tensor]) -> str:
    """Which points are farther from every code than twice the 99 % quantile of neighbours."""
    generator = torch.Generator().manual_seed(1)
    codes = 2 * torch.rand(120, 2, generator=generator, dtype=torch.float64) - 1
    points = 4 * torch.rand(400, 2, generator=generator, dtype=torch.float64) - 2
    points = torch.cat([points, codes[:5]])
    apart = torch.cdist(codes, codes)
    itself = apart.clone().fill_diagonal_(torch.inf).amin(1)  # to the nearest other code
    to_codes = torch.cdist(points, codes)
    nearest = to_codes.amin(1)
    reach = 2 * itself.quantile(0.99)
    given = attempt(answer, points, codes)
    if given.dtype != torch.bool:
        raise Mistake("Return truth values, one for each point: compare with > at the end.")
    if given.shape == nearest.shape and given.all():
        raise Mistake(
            "In yours every point is far, also the codes themselves. A point is far only if its "
            "nearest code is: take the smallest of its distances, not their mean or the largest."
        )
    if given.shape == nearest.shape and not given.any():
        raise Mistake(
            "In yours no point is far: the reach is too large. It is made of the distances from "
            "each code to its nearest other code alone."
        )
    mistakes = {
        "Each code is its own nearest code, at distance 0, so your reach is 0: leave it out.": (
            nearest > 0
        ),
        "That is the other way round: these points are near.": nearest <= reach,
        "Your reach is once the quantile: take it twice.": nearest > reach / 2,
        "You took the middle of the distances, their median or mean, and not the 99 % quantile.": (
            nearest > 2 * itself.median()
        ),
        "You took the largest of the distances. The 99 % quantile leaves out the loneliest code of "
        "a hundred.": nearest > 2 * itself.amax(),
    }
    named = {text: value.double() for text, value in mistakes.items()}
    compare(given.double(), (nearest > reach).double(), named)
    return "The scale comes from the codes themselves, so it follows any change of units."


@exercise("your-own-decoder-d")
def hidden_bump(answer: Any, codes: Tensor) -> str:
    """A decoder whose report over `codes` shows a plane, and a point where it is curved."""
    try:
        g, place = answer
        z = torch.as_tensor(place, dtype=codes.dtype).reshape(1, 2)
    except (TypeError, ValueError, RuntimeError):
        raise Mistake("Give (g, z): a decoder, and two coordinates, such as (0.5, 0).") from None
    if not callable(g):
        raise Mistake("The first of the two must be the decoder itself.")
    try:
        found = report(g, codes)
        curvature = PullbackMetric(g).gaussian_curvature(z).item()
    except (ValueError, RuntimeError) as error:
        raise Mistake(f"The decoder cannot be measured: {error}") from error
    if not ((z >= found.box[0]) & (z <= found.box[1])).all():
        raise Mistake("Your point lies outside the box around the codes: hide the bump inside.")
    if abs(curvature) < 1:
        raise Mistake(
            f"At your point the curvature is {curvature:.2g}; look for one above 1 or below -1."
        )
    if found.warnings:
        raise Mistake(f"The report warns: {found.warnings[0]}.")
    if found.curvature is None or found.curvature.abs().max() > 1e-3:
        raise Mistake("The report sees curvature at the codes: make the bump narrower.")
    if len(found.gain) and found.gain.abs().max() > 1e-3:
        raise Mistake("A geodesic of the report saves more than a thousandth: it met the bump.")
    return (
        "Finitely many points say nothing about what lies between them, unless g is smooth there."
    )


def _folded(z: Tensor) -> Tensor:
    """It has rank 2 off the axis z_2 = 0, and rank 1 on it; near it a tolerance decides."""
    x, y = z[..., 0], z[..., 1]
    return torch.stack([1e-4 * x, 1e-4 * y**2, 1e-4 * y**3], dim=-1)
