"""Real digits that need no download, and point clouds and images whose geometry is known."""

from geomlib.data.digits import load_mnist, load_small_digits
from geomlib.data.manifolds import (
    ImageManifold,
    KleinBottlePatches,
    PeriodicBlob,
    RigidBody,
    RotatingShape,
)
from geomlib.data.rings import gaussian_ring, ring

__all__ = [
    "ImageManifold",
    "KleinBottlePatches",
    "PeriodicBlob",
    "RigidBody",
    "RotatingShape",
    "gaussian_ring",
    "load_mnist",
    "load_small_digits",
    "ring",
]
