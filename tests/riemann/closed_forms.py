"""Maps and metrics whose geometry is known by formula, and small decoders.

Every map takes points `(..., 2)`, every formula returns its value at those points.
"""

import torch
from torch import Tensor, nn

from geomlib.riemann import MatrixMetric


def stack(*coordinates: Tensor) -> Tensor:
    return torch.stack(torch.broadcast_tensors(*coordinates), dim=-1)


def diagonal(*entries: Tensor) -> Tensor:
    return torch.diag_embed(stack(*entries))


def conformal(factor: Tensor, d: int) -> Tensor:
    """The factor times the identity matrix."""
    return diagonal(*[factor] * d)


def sphere(z: Tensor, radius: float = 2.0) -> Tensor:
    """Colatitude and longitude."""
    theta, phi = z.unbind(-1)
    return radius * stack(theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos())


def sphere_matrix(z: Tensor, radius: float = 2.0) -> Tensor:
    return radius**2 * diagonal(torch.ones_like(z[..., 0]), z[..., 0].sin() ** 2)


def stereographic(w: Tensor) -> Tensor:
    """The unit sphere without its north pole."""
    square = (w**2).sum(-1, keepdim=True)
    return torch.cat([2 * w, square - 1], dim=-1) / (1 + square)


def stereographic_matrix(w: Tensor) -> Tensor:
    return conformal(4 / (1 + (w**2).sum(-1)) ** 2, 2)


def torus(z: Tensor, big: float = 2.0, small: float = 0.7) -> Tensor:
    u, v = z.unbind(-1)
    ring = big + small * u.cos()
    return stack(ring * v.cos(), ring * v.sin(), small * u.sin())


def torus_matrix(z: Tensor, big: float = 2.0, small: float = 0.7) -> Tensor:
    u = z[..., 0]
    return diagonal(torch.full_like(u, small**2), (big + small * u.cos()) ** 2)


def torus_curvature(z: Tensor, big: float = 2.0, small: float = 0.7) -> Tensor:
    cosine = z[..., 0].cos()
    return cosine / (small * (big + small * cosine))


def paraboloid(z: Tensor, a: float = 1.5) -> Tensor:
    return torch.cat([z, a / 2 * (z**2).sum(-1, keepdim=True)], dim=-1)


def paraboloid_matrix(z: Tensor, a: float = 1.5) -> Tensor:
    return torch.eye(2).to(z) + a**2 * z[..., :, None] * z[..., None, :]


def paraboloid_curvature(z: Tensor, a: float = 1.5) -> Tensor:
    return a**2 / (1 + a**2 * (z**2).sum(-1)) ** 2


def saddle(z: Tensor) -> Tensor:
    return torch.cat([z, z.prod(-1, keepdim=True)], dim=-1)


def saddle_matrix(z: Tensor) -> Tensor:
    other = z.flip(-1)
    return torch.eye(2).to(z) + other[..., :, None] * other[..., None, :]


def saddle_curvature(z: Tensor) -> Tensor:
    return -1 / (1 + (z**2).sum(-1)) ** 2


half_plane = MatrixMetric(lambda z: conformal(1 / z[..., 1] ** 2, 2))


def half_plane_distance(p: Tensor, q: Tensor) -> Tensor:
    return torch.acosh(1 + ((p - q) ** 2).sum(-1) / (2 * p[..., 1] * q[..., 1]))


def frame(rows: int, columns: int, seed: int = 0) -> Tensor:
    """Random orthonormal columns, float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(rows, columns, generator=generator).double()).Q


def decoder(
    seed: int = 0, latent: int = 2, activation=nn.Tanh, scale: float = 1.0, outputs: int = 40
) -> nn.Sequential:
    """A random multilayer perceptron, float64; `scale` sharpens its first layer."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Linear(latent, 32), activation(), nn.Linear(32, 24), activation()]
        network = nn.Sequential(*layers, nn.Linear(24, outputs)).double()
    with torch.no_grad():
        network[0].weight *= scale
    return network.requires_grad_(False)


def pairs(count: int, spread: float = 1.5, seed: int = 1, latent: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    both = spread * torch.randn(2, count, latent, generator=generator, dtype=torch.float64)
    return both[0], both[1]


def sphere_3(w: Tensor) -> Tensor:
    """The unit sphere in four dimensions, without its north pole, by stereographic coordinates."""
    return stereographic(w)


def sphere_3_matrix(w: Tensor) -> Tensor:
    return conformal(4 / (1 + (w**2).sum(-1)) ** 2, 3)


def half_space_matrix(z: Tensor) -> Tensor:
    """Hyperbolic space of any dimension: the last coordinate is the height."""
    return conformal(1 / z[..., -1] ** 2, z.shape[-1])


half_space = MatrixMetric(half_space_matrix)


def half_space_distance(p: Tensor, q: Tensor) -> Tensor:
    return torch.acosh(1 + ((p - q) ** 2).sum(-1) / (2 * p[..., -1] * q[..., -1]))


def push(f, z: Tensor, v: Tensor) -> Tensor:
    r"""$J_f(z)\,v$."""
    return torch.func.jvp(f, (z,), (v,))[1]
