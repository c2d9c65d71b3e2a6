"""Exercises of the chapter on atlases: nerves, mixing charts, orientation."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from geomlib.models.explicit_atlases import circle_atlas
from geomlib.teaching.checks import Mistake, attempt, compare, exercise, numbers

__all__ = ["loops", "mirrors", "mixed", "tetrahedron"]


@exercise("atlas-models-a")
def tetrahedron(answer: Any) -> str:
    r"""The surface of a tetrahedron: $(1, 0, 1)$."""
    value = numbers(answer, 3, "Give three numbers: b0, b1 and b2.")
    mistakes = {
        "You counted simplices: 4 vertices, 6 edges, 4 triangles. Betti numbers count what is "
        "left: pieces, loops, cavities.": (4, 6, 4),
        "That is a full tetrahedron. All four caps do not meet, so its inside is missing: a "
        "cavity.": (1, 0, 0),
        "That has a loop. Every loop of edges bounds triangles here, since any three caps meet.": (
            1,
            1,
            0,
        ),
        "The numbers are those of a torus; b0 - b1 + b2 must be V - E + F = 4 - 6 + 4.": (1, 2, 1),
        "The cavity is right. There is one piece, not as many as caps.": (4, 0, 1),
        "You found 3 loops: those of the edges alone. The 4 triangles fill them in, and one of the "
        "triangles too many closes the surface.": (1, 3, 0),
    }
    compare(
        value,
        torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64),
        {text: torch.tensor(given, dtype=torch.float64) for text, given in mistakes.items()},
    )
    return "It is the sphere's: four caps are a good cover, and no smaller number is."


@exercise("atlas-models-b")
def mixed(answer: Callable[..., Tensor]) -> str:
    r"""$\sum_i \rho_i(x)\, D_i(E_i(x))$ on a circle of three arcs, pushed off it a little."""
    atlas = circle_atlas(3)
    torch.manual_seed(0)
    turn = 2 * torch.pi * torch.rand(40, dtype=torch.float64)
    x = 1.1 * torch.stack([turn.cos(), turn.sin()], dim=-1)
    encoders = list(atlas.encoders)
    # learned charts do not agree: here the second and third circle are larger
    decoders = [
        partial(_larger, decode, size)
        for decode, size in zip(atlas.decoders, (1, 1.1, 1.3), strict=True)
    ]
    rho = torch.softmax(2 * torch.randn(40, 3, dtype=torch.float64), dim=-1)
    each = torch.stack(
        [decode(encode(x)) for encode, decode in zip(encoders, decoders, strict=True)], dim=-2
    )
    codes = torch.stack([encode(x) for encode in encoders], dim=-2)
    mean_code = (rho[..., None] * codes).sum(-2)
    chosen = rho.argmax(-1)
    compare(
        attempt(answer, x, encoders, decoders, rho),
        (rho[..., None] * each).sum(-2),
        {
            "You averaged the codes and decoded the mean. Codes of different charts are "
            "coordinates in different systems: their mean means nothing.": (
                rho[..., None] * torch.stack([decode(mean_code) for decode in decoders], dim=-2)
            ).sum(-2),
            "You averaged the codes and gave the mean to one decoder. Codes of different charts "
            "are coordinates in different systems.": decoders[0](mean_code),
            "You took the mean of all charts without their weights: also of those that x does not "
            "lie in.": each.mean(-2),
            "You took the most probable chart alone. That jumps where another one takes over; "
            "weigh them.": each[torch.arange(40), chosen],
            "You added the points without weights.": each.sum(-2),
            "You multiplied by the weights, but divided by K as well; they sum to 1 already.": (
                rho[..., None] * each
            ).mean(-2),
        },
    )
    return "Where charts agree it is their point; where they differ, a chord between them."


def _larger(decode: Callable[[Tensor], Tensor], size: float, z: Tensor) -> Tensor:
    return size * decode(z)


@exercise("atlas-models-c")
def loops(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    r"""$b_0 = V - \operatorname{rank} \partial_1$, $b_1 = E - \operatorname{rank} \partial_1 -
    \operatorname{rank} \partial_2$."""
    # The edges of a tetrahedron, two of its faces, and a lone vertex.
    edges = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    d1 = torch.zeros(5, 6, dtype=torch.float64)
    for column, (start, end) in enumerate(edges):
        d1[start, column], d1[end, column] = -1, 1
    faces = [[1.0, -1.0, 0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, -1.0, 1.0]]
    d2 = torch.tensor(faces, dtype=torch.float64).T
    compare(
        attempt(answer, d1, d2).double(),
        torch.tensor([2.0, 1.0], dtype=torch.float64),
        {
            text: torch.tensor(pair, dtype=torch.float64)
            for text, pair in {
                "b0 is right. You counted all cycles of edges, dim ker ∂1; those that bound "
                "triangles must be taken off: subtract the rank of ∂2.": (2, 3),
                "You gave the ranks of the two matrices. Betti numbers are what they leave.": (
                    3,
                    2,
                ),
                "The two numbers are the other way round.": (1, 2),
                "b0 is right. For b1 you subtracted the rank of ∂2 only: an edge is a cycle only "
                "if ∂1 sends it to zero.": (2, 4),
                "You counted V and E.": (5, 6),
                "b1 is right. For b0 the rank of ∂1 is taken from V, the number of its rows, and "
                "not from E.": (3, 1),
                "You exchanged V and E: the rows of ∂1 are vertices, its columns edges.": (3, 0),
                "b1 is right. b0 counts pieces: V less the rank of ∂1. The lone vertex is one.": (
                    1,
                    1,
                ),
            }.items()
        },
    )
    return "Two loops are filled in, one is left, and the lone vertex is a piece of its own."


@exercise("atlas-models-d")
def mirrors(answer: Callable[[int, Sequence[tuple[int, int, int]]], Tensor]) -> str:
    """Signs that make all transitions positive, or zeros where there are none."""
    kept = [(0, 1, 1), (1, 2, 1)]
    sphere = [(0, 1, -1)]
    chain = [(0, 1, -1), (2, 1, 1), (3, 2, -1)]
    mobius = [(0, 1, 1), (0, 1, -1)]
    ring = [(0, 1, 1), (1, 2, 1), (2, 0, -1)]
    for K, pieces, wanted, mistakes in (
        (
            3,
            kept,
            [1, 1, 1],
            {
                "For (0, 1, 1), (1, 2, 1) you say that it cannot be done. All signs are 1: keep "
                "every chart.": [0, 0, 0],
                "Chart 0 is to be kept.": [-1, -1, -1],
            },
        ),
        (
            2,
            sphere,
            [1, -1],
            {
                "For the two stereographic charts of the sphere, (0, 1, -1), you changed nothing. "
                "Mirror one of them.": [1, 1],
                "For (0, 1, -1) you say that it cannot be done. Mirroring chart 1 changes the sign "
                "of its transition: a negative determinant alone refutes nothing.": [0, 0],
                "Chart 0 is to be kept; mirror the other one.": [-1, 1],
            },
        ),
        (
            4,
            chain,
            [1, -1, -1, 1],
            {
                "Your signs fail for (0, 1, -1), (2, 1, 1), (3, 2, -1): you mirrored "
                "each chart that has a negative transition. The sign of chart j is s times that of "
                "chart i.": [-1, -1, -1, -1],
                "You follow pieces from i to j only; (2, 1, 1) leads from 1 to 2 just as well.": [
                    1,
                    -1,
                    1,
                    1,
                ],
                "For (0, 1, -1), (2, 1, 1), (3, 2, -1) you gave chart 1 a second sign. It has one "
                "from chart 0; the piece (2, 1, 1) then says what chart 2 is.": [1, 1, -1, 1],
                "For (0, 1, -1), (2, 1, 1), (3, 2, -1) you say that it cannot be done. Follow the "
                "pieces in both directions: (2, 1, 1) leads from 1 to 2 as well.": [0, 0, 0, 0],
            },
        ),
        (
            2,
            mobius,
            [0, 0],
            {
                "Two charts of a Möbius band meet in two pieces of opposite signs. You looked at "
                "the first piece only.": [1, 1],
                "Two charts of a Möbius band meet in two pieces of opposite signs. You looked at "
                "the last piece only.": [1, -1],
            },
        ),
        (
            3,
            ring,
            [0, 0, 0],
            {
                "Around (0, 1, 1), (1, 2, 1), (2, 0, -1) the signs contradict. Check every piece "
                "against your signs when you have them all.": [1, 1, 1],
                "Around (0, 1, 1), (1, 2, 1), (2, 0, -1) the signs contradict; mirroring chart 2 "
                "mends one piece and breaks another.": [1, 1, -1],
            },
        ),
    ):
        found = attempt(answer, K, list(pieces))
        if found.dtype == torch.bool:
            raise Mistake("Return signs, 1 or -1, or zeros; yours are truth values.")
        found = found.double()
        if found.shape == (K,) and not set(found.tolist()) <= {-1.0, 0.0, 1.0}:
            raise Mistake(f"Signs are 1, -1 or 0, but yours for {pieces} are {found.tolist()}.")
        right = torch.tensor(wanted, dtype=torch.float64)
        compare(
            found,
            right,
            {text: torch.tensor(given, dtype=torch.float64) for text, given in mistakes.items()},
        )
    return "The charts are coloured along a tree; every further piece must agree."
