"""Random points of surfaces whose atlases are known, and atlases that are wrong on purpose."""

import math

import torch

from geomlib.models import explicit_atlases as known
from geomlib.models.atlas import ExplicitAtlas


def circle(angles):
    return torch.stack([angles.cos(), angles.sin()], dim=-1)


def even_circle(count=200):
    return circle(torch.arange(count).double() * (2 * math.pi / count))


def on_sphere(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return x / x.norm(dim=1, keepdim=True)


def angles(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * math.pi * torch.rand(count, 2, generator=generator, dtype=torch.float64)


def sample(name, count=1200, seed=0):
    """An atlas by name, and random points of its surface."""
    grid = angles(count, seed)
    if name == "circle":
        return known.circle_atlas(2), circle(grid[: count // 4, 0])
    if name == "caps":
        return known.sphere_caps_atlas(), on_sphere(count, seed)
    if name == "stereographic":
        return known.sphere_atlas(), on_sphere(count, seed)
    if name == "mobius":
        atlas = known.mobius_atlas()
        z = torch.stack([grid[:, 0], 0.79 * (grid[:, 1] / math.pi - 1)], dim=-1)
        return atlas, atlas.decode_chart(0, z)
    kinds = {
        "torus": known.torus_atlas,
        "flat torus": known.flat_torus_atlas,
        "klein": known.klein_bottle_atlas,
    }
    atlas = kinds[name]()
    return atlas, atlas.decode_chart(0, grid)  # the formula holds beyond the chart


def line(decoder, reach, data_dim=2):
    """One chart on (-reach, reach), whose encoder says nothing."""
    return ExplicitAtlas(
        [lambda x: x[..., :1]],
        [decoder],
        [lambda x: torch.ones_like(x[..., 0])],
        [lambda z: z[..., 0].abs() < reach],
        data_dim=data_dim,
        latent_dim=1,
    )


def split_chart():
    """The circle by three charts, of which the first is two arcs, one read backwards."""

    def theta(x, around):
        return (
            around
            + torch.remainder(torch.atan2(x[..., 1:], x[..., :1]) - around + math.pi, 2 * math.pi)
            - math.pi
        )

    def encode(x):
        t = theta(x, math.pi / 2)  # in [-π/2, 3π/2]: one arc around 0, one around π
        return torch.where(t < math.pi / 2, t, 10 - t)

    def decode(z):
        return circle(torch.where(z < 5, z, 10 - z)[..., 0])

    def inside(z):
        t = torch.where(z < 5, z, 10 - z)[..., 0]
        return (t.abs() < 0.6) | ((t - math.pi).abs() < 0.6)

    arcs = (math.pi / 2, -math.pi / 2)
    return ExplicitAtlas(
        [encode, *(lambda x, c=c: theta(x, c) - c for c in arcs)],
        [decode, *(lambda z, c=c: circle(z[..., 0] + c) for c in arcs)],
        [lambda x: torch.ones_like(x[..., 0])] * 3,
        [inside, *[lambda z: z[..., 0].abs() < 1.3] * 2],
        data_dim=2,
        latent_dim=1,
    )


def ring_in_the_plane():
    """One chart, the identity, whose domain has a hole: 1 < |z| < 3."""

    def inside(z):
        return (z.norm(dim=-1) > 1) & (z.norm(dim=-1) < 3)

    one = [lambda x: x]
    return ExplicitAtlas(one, one, [lambda x: inside(x).to(x)], [inside], data_dim=2, latent_dim=2)
