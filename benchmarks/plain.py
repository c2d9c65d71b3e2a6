r"""Geometry written plainly, as one would without a library: Christoffel symbols from $\partial G$.

Each function takes one point and is meant for `torch.func.vmap`. `f` is any differentiable map.
"""

import torch
from torch.func import jacfwd, vmap
from torchdiffeq import odeint


def matrix(f, z):
    jacobian = jacfwd(f)(z)
    return jacobian.mT @ jacobian


def christoffels(f, z):
    r"""$\tfrac12 G^{kl}(\partial_i G_{jl} + \partial_j G_{il} - \partial_l G_{ij})$ (k, i, j)."""
    slope = jacfwd(lambda p: matrix(f, p))(z)  # slope[i, j, l] = d_l G_ij
    lowered = (slope.permute(2, 0, 1) + slope.permute(0, 2, 1) - slope.permute(0, 1, 2)) / 2
    return torch.einsum("kl,ijl->kij", torch.linalg.inv(matrix(f, z)), lowered)


def gaussian_curvature(f, z):
    r"""$K = \langle R(e_1, e_2)e_2, e_1\rangle / \det G$ from $\Gamma$ and its derivatives."""
    gamma = christoffels(f, z)
    slope = jacfwd(lambda p: christoffels(f, p))(z)  # slope[k, i, j, l] = d_l Gamma^k_ij
    bend = slope[:, 1, 1, 0] - slope[:, 0, 1, 1]
    bend = bend + gamma[:, 0] @ gamma[:, 1, 1] - gamma[:, 1] @ gamma[:, 0, 1]
    at = matrix(f, z)
    return at[0] @ bend / torch.linalg.det(at)


def acceleration(f, z, v):
    return -torch.einsum("kij,i,j->k", christoffels(f, z), v, v)


def exp(f, z, v, tolerance, method="dopri5"):
    """The end of the geodesics from all `z` with velocities `v`, by torchdiffeq."""
    accelerate = vmap(lambda p, w: acceleration(f, p, w))

    def motion(_, state):
        point, velocity = state
        return velocity, accelerate(point, velocity)

    return _integrate(motion, (z, v), tolerance, method)[0][-1]


def transport(f, path, v, tolerance, method="dopri5"):
    """All `v` at the end of curves: `path(t)` gives points and velocities, by torchdiffeq."""

    def turn(p, velocity, w):
        return -torch.einsum("kij,i,j->k", christoffels(f, p), velocity, w)

    def motion(t, w):
        return vmap(turn)(*path(t), w)

    return _integrate(motion, v, tolerance, method)[-1]


def _integrate(motion, state, tolerance, method):
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)
    # a step ends at the last time: interpolation within one would cost some digits
    options = {"step_t": times}
    return odeint(
        motion, state, times, rtol=tolerance, atol=tolerance, method=method, options=options
    )
