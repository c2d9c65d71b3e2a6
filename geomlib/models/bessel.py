r"""Ratios of modified Bessel functions, smooth at 0, without overflow, differentiable."""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["bessel_ratio"]

DEPTH = 70  # of the continued fraction: full double precision wherever it is used
TERMS = 24  # of the expansion at infinity
LARGEST_DIM = 8


def bessel_ratio(q: Float[Tensor, "*batch"], dim: int) -> Float[Tensor, "*batch"]:
    r"""$g(\kappa^2) = \dfrac{1}{\kappa}\,\dfrac{I_{\nu+1}(\kappa)}{I_\nu(\kappa)}$ with
    $\nu = \tfrac12(\text{dim} - 1)$, as a function of $q = \kappa^2$.

    $\kappa\, g(\kappa^2)$ is the mean of $\langle u, e \rangle$ for $u$ on the unit sphere
    $S^{\text{dim}}$ with the von Mises-Fisher density $\propto e^{\kappa \langle u, e \rangle}$.
    In $q$ it is analytic at 0, where $\kappa$ itself has no derivative.

    Small $q$: the continued fraction $g_{\nu - 1} = 1 / (2\nu + q\, g_\nu)$, run from far above
    down to $\nu$, which is stable. Large $q$: the expansion $\sum_k c_k \kappa^{-k}$ of
    $A = \kappa g$, whose coefficients follow from $A' = 1 - A^2 - (\text{dim}/\kappa) A$; what it
    leaves out is of order $e^{-2\kappa}$. Both are sums and quotients, so `jvp`, `vjp` and `vmap`
    go through.

    Args:
        q: $\kappa^2 \ge 0$.
        dim: of the sphere, 1 to 8.

    Source: *NIST Digital Library of Mathematical Functions*, section 10.33 (continued fractions)
    and section 10.40 (expansions at infinity).

    On $S^2$ the ratio is elementary, $\coth\kappa - 1/\kappa$:

    >>> kappa = torch.tensor([0.5, 5.0, 500.0], dtype=torch.float64)
    >>> bool(torch.allclose(kappa * bessel_ratio(kappa**2, 2), 1 / kappa.tanh() - 1 / kappa))
    True
    """
    if not 1 <= dim <= LARGEST_DIM:
        raise ValueError(
            f"dim = {dim}, but the ratio is computed for spheres of dimension 1 to {LARGEST_DIM}"
        )
    border = (25 + dim**2 / 2) ** 2
    far = q > border
    # each branch sees harmless numbers where the other one is taken: no NaN in any derivative
    near_value = _continued_fraction(torch.where(far, border, q), dim)
    return torch.where(far, _at_infinity(torch.where(far, q, border), dim), near_value)


def _continued_fraction(q: Tensor, dim: int) -> Tensor:
    order = (dim - 1) / 2 + 1 + DEPTH
    g = 1 / (order + (order**2 + q).sqrt())  # close to the ratio at a high order
    for _ in range(DEPTH):
        order -= 1
        g = 1 / (2 * order + q * g)
    return g


def _at_infinity(q: Tensor, dim: int) -> Tensor:
    inverse = q.rsqrt()
    total = torch.zeros_like(q)
    for c in reversed(_coefficients(dim)):
        total = total * inverse + c
    return total * inverse


@cache
def _coefficients(dim: int) -> tuple[float, ...]:
    c = [1.0]
    for k in range(1, TERMS):
        products = sum(c[i] * c[k - i] for i in range(1, k))
        c.append(((k - 1 - dim) * c[k - 1] - products) / 2)
    return tuple(c)
