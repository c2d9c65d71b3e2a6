"""Real digits that need no download, and point clouds and images whose geometry is known."""

from geomlib.data.digits import load_mnist, load_small_digits
from geomlib.data.frames import PCAFrame
from geomlib.data.manifolds import (
    ImageManifold,
    KleinBottlePatches,
    PeriodicBlob,
    RigidBody,
    RotatingShape,
)
from geomlib.data.rings import gaussian_ring, ring
from geomlib.data.surfaces import (
    circle_points,
    sphere_in,
    sphere_tangents,
    torus_images,
    torus_tangents,
)

__all__ = [
    "ImageManifold",
    "KleinBottlePatches",
    "PCAFrame",
    "PeriodicBlob",
    "RigidBody",
    "RotatingShape",
    "circle_points",
    "gaussian_ring",
    "load_mnist",
    "load_small_digits",
    "ring",
    "sphere_in",
    "sphere_tangents",
    "torus_images",
    "torus_tangents",
]
