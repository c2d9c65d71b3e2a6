"""Exercises of the chapter *Geodesics in the latent space of a VAE*."""

from collections.abc import Callable, Sequence
from math import sqrt

import torch
from torch import Tensor

from geomlib.riemann import Curve, Metric
from geomlib.teaching.checks import Mistake, attempt, compare, exercise

__all__ = ["distance_of_a_linear_decoder", "energy_gradient", "magnification", "rewarding_pair"]


@exercise("vae-geodesics-a")
def distance_of_a_linear_decoder(answer: float | Tensor) -> str:
    r"""$d(0, (1, 2))$ for $g(z) = (3z_1, z_2, 4z_1)$: $\sqrt{25 + 4}$."""
    try:
        value = torch.as_tensor(float(answer))
    except (TypeError, ValueError):
        raise Mistake(f"Give one number; yours is of type {type(answer).__name__}.") from None
    compare(
        value,
        torch.tensor(sqrt(29)),
        {
            "That is the Euclidean distance of the codes. Measure where the decoder puts them: "
            "use G, not the identity.": torch.tensor(sqrt(5)),
            "That is the squared distance: take the root.": torch.tensor(29.0),
            "That is the energy of the geodesic, half the squared distance.": torch.tensor(14.5),
            "You added the entries of a column of W before squaring them. G is W transposed "
            "times W: each entry is squared first.": torch.tensor(sqrt(53)),
            "You left out the third output, 4 z1: every output counts.": torch.tensor(sqrt(13)),
            "You used the diagonal of G as if it were J: the entries of G are squared lengths "
            "already.": torch.tensor(sqrt(25**2 + 4)),
        },
    )
    return "A linear decoder has one matrix G everywhere, so its geodesics are straight lines."


@exercise("vae-geodesics-b")
def magnification(answer: Callable[..., Tensor]) -> str:
    r"""$\sqrt{\det J^\top J}$ of any map, for a batch of points."""
    z = torch.tensor([[0.3, -0.2], [1.0, 0.5], [-0.7, 0.9]])
    jacobian = torch.func.vmap(torch.func.jacfwd(_saddle))(z)  # (3, 3, 2)
    gram = jacobian.mT @ jacobian
    right = torch.linalg.det(gram).sqrt()
    given = attempt(answer, _saddle, z)
    if given.shape == right.shape and (given.abs() < 1e-2).any():  # or NaN: roots of roundings
        given = torch.where(given.nan_to_num(0).abs() < 1e-2, 0, given)
    compare(
        given,
        right,
        {
            "That is det G: a determinant of squared lengths is a squared area. Take the "
            "root.": torch.linalg.det(gram),
            "That is the determinant of J times its transpose, n by n and of rank d, so it is "
            "zero: multiply the other way round, J transposed times J.": torch.zeros(3),
            "That is the trace of G: it adds squared stretches, but area multiplies "
            "them.": gram.diagonal(dim1=-2, dim2=-1).sum(-1),
            "That is the length of J as one long vector. Area is the root of a "
            "determinant.": jacobian.flatten(1).norm(dim=1),
            "That is the product of the lengths of the columns of J. It is the area only where "
            "they are orthogonal.": jacobian.norm(dim=1).prod(-1),
            "That is the largest singular value of J, the stretch in one direction; area is the "
            "product of all of them.": torch.linalg.matrix_norm(jacobian, 2),
            "That is one number for the whole batch: return one for each point.": right.mean(),
        },
    )
    return "Area under the decoder is the root of the Gram determinant."


@exercise("vae-geodesics-c")
def energy_gradient(answer: Callable[..., Tensor]) -> str:
    r"""$\partial \hat E / \partial z_i = -N J(z_i)^\top (g(z_{i+1}) - 2g(z_i) + g(z_{i-1}))$."""
    t = torch.linspace(0, 1, 6)[:, None]
    z = torch.cat([t, t**2 - 0.3 * t], dim=1)  # (N+1, 2), N = 5
    count = len(z) - 1
    x = _saddle(z)
    second = x[2:] - 2 * x[1:-1] + x[:-2]
    jacobian = torch.func.vmap(torch.func.jacfwd(_saddle))(z)
    right = -count * torch.einsum("ikj,ik->ij", jacobian[1:-1], second)

    def energy(nodes: Tensor) -> Tensor:
        return count / 2 * (_saddle(nodes[1:]) - _saddle(nodes[:-1])).square().sum()

    everywhere = torch.func.grad(energy)(z)
    flat = -count * (z[2:] - 2 * z[1:-1] + z[:-2])
    compare(
        attempt(answer, _saddle, z),
        right,
        {
            "The sign is wrong: this points uphill along the second difference.": -right,
            "The factor is 1/N: you took the post's constant 1/(2N). With N/2 the energy "
            "converges to an integral.": right / count**2,
            "The factor N is missing. Differentiate N/2 times a sum of squares.": right / count,
            "You have half of the gradient: a node lies in two chords.": right / 2,
            "You have twice the gradient: the half in N/2 cancels the two of the square.": 2
            * right,
            "The end points are fixed: return the gradient of the interior nodes "
            "alone.": everywhere,
            "You took the Jacobian at the wrong node: the row for z_i needs J(z_i), and the first "
            "interior node is z_1.": -count * torch.einsum("ikj,ik->ij", jacobian[:-2], second),
            "That is the gradient in the flat latent space. Take second differences of g(z), and "
            "pull them back with J transposed.": flat,
            "That is the force in the ambient space: pull it back with J transposed.": -count
            * second,
        },
    )
    return "A geodesic is where the pulled-back second difference vanishes at every node."


@exercise("vae-geodesics-d")
def rewarding_pair(answer: Sequence[int], metric: Metric, codes: Tensor, gain: float = 0.15) -> str:
    """Two codes whose geodesic is shorter than the straight line by at least `gain`."""
    try:
        first, second = (int(index) for index in answer)
    except (TypeError, ValueError):
        raise Mistake("Give two indices into codes, such as (12, 345).") from None
    if not all(0 <= index < len(codes) for index in (first, second)):
        raise Mistake(f"The indices must lie between 0 and {len(codes) - 1}.")
    if first == second:
        raise Mistake("Both indices name the same code: choose two different ones.")
    a, b = codes[first], codes[second]
    straight = Curve.straight(a, b, metric, 128).length().item()
    geodesic = metric.geodesic(a, b, segments=128)
    if not geodesic.converged:
        raise Mistake("The solver did not converge for this pair, so its length is no evidence.")
    saved = 1 - geodesic.length().item() / straight
    if saved < gain:
        raise Mistake(
            f"The geodesic saves {saved:.1%} for this pair, less than {gain:.0%}. Look for a "
            "straight line that crosses a gap between the codes."
        )
    return f"The geodesic saves at least {gain:.0%}. Now say why: what does the line cross?"


def _saddle(z: Tensor) -> Tensor:
    """A saddle stretched along its first axis, for one point or many."""
    return torch.stack([2 * z[..., 0], z[..., 1], z[..., 0] * z[..., 1]], dim=-1)
