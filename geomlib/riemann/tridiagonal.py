r"""Symmetric block-tridiagonal matrices: many at once, by elimination from node to node.

The diagonal blocks are `(P, M, d, d)`, the blocks above them `(P, M-1, d, d)`.

Source: Golub and Van Loan, *Matrix Computations* (2013), section 4.5, for the elimination;
Sylvester's law of inertia for the signs of the pivots.
"""

import torch
from torch import Tensor

__all__ = ["negative_eigenvalues", "solve"]


def solve(diagonal: Tensor, upper: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Solve $Hx = b$, with `right` and the answer `(P, M, d)`; also where $H$ is positive definite.

    Where it is not, the answer means nothing.
    """
    right = right[..., None]
    count = diagonal.shape[1]
    pivot, eliminated = diagonal[:, 0], right[:, 0]
    definite = torch.ones(len(diagonal), dtype=torch.bool, device=diagonal.device)
    factors: list[tuple[Tensor, Tensor]] = []
    for i in range(count):
        cholesky, info = torch.linalg.cholesky_ex(pivot)
        definite &= info == 0
        if i + 1 < count:
            both = torch.cat([upper[:, i], eliminated], dim=-1)
            solved = torch.cholesky_solve(both, cholesky)
            factors.append((solved[..., :-1], solved[..., -1:]))
            lower = upper[:, i].mT
            pivot = diagonal[:, i + 1] - lower @ solved[..., :-1]
            eliminated = right[:, i + 1] - lower @ solved[..., -1:]
        else:
            last = torch.cholesky_solve(eliminated, cholesky)
    answer = [last]
    for coupling, offset in reversed(factors):
        answer.append(offset - coupling @ answer[-1])
    return torch.stack(answer[::-1], dim=1)[..., 0], definite


def negative_eigenvalues(diagonal: Tensor, upper: Tensor) -> Tensor:
    """How many eigenvalues of each matrix are negative, `(P,)`.

    By Sylvester's law of inertia it is the number of negative eigenvalues of all pivots together.

    >>> diagonal = torch.tensor([[[[1.0]], [[2.0]], [[-3.0]]]])
    >>> negative_eigenvalues(diagonal, torch.zeros(1, 2, 1, 1))
    tensor([1])
    """
    pivot = diagonal[:, 0]
    negative = (torch.linalg.eigvalsh(pivot) < 0).sum(-1)
    for i in range(diagonal.shape[1] - 1):
        pivot = diagonal[:, i + 1] - upper[:, i].mT @ torch.linalg.solve(pivot, upper[:, i])
        pivot = (pivot + pivot.mT) / 2
        negative += (torch.linalg.eigvalsh(pivot) < 0).sum(-1)
    return negative
