"""Real digits that need no download, and point clouds whose geometry is known."""

from geomlib.data.digits import load_mnist, load_small_digits
from geomlib.data.rings import gaussian_ring, ring

__all__ = ["gaussian_ring", "load_mnist", "load_small_digits", "ring"]
