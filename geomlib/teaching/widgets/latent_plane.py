"""What the interactive maps of a latent plane share: their bounds, their points, their bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["as_array", "checked_bounds", "checked_point", "float32"]


def checked_bounds(
    bounds: Sequence[float] | None, points: NDArray, margin: float
) -> tuple[float, ...]:
    """`(z1_min, z1_max, z2_min, z2_max)`; by default the codes' span and a margin, its share."""
    if bounds is None:
        low, high = np.percentile(points, [0.5, 99.5], axis=0)
        around = margin * max(high - low) or 1.0
        box = np.stack([low - around, high + around], axis=1).ravel()
    else:
        box = np.asarray(bounds, dtype=float)
    if box.shape != (4,) or not np.isfinite(box).all() or box[0] >= box[1] or box[2] >= box[3]:
        raise ValueError(
            f"bounds must be (z1_min, z1_max, z2_min, z2_max) with min < max, but are {bounds}"
        )
    return tuple(float(edge) for edge in box)


def checked_point(name: str, point: Any, box: tuple[float, ...]) -> tuple[float, float]:
    """The two coordinates of a point inside the bounds."""
    z = as_array(point).astype(float)
    if z.shape != (2,) or not np.isfinite(z).all():
        raise ValueError(f"{name} must be two finite coordinates, but is {point}")
    if not (box[0] <= z[0] <= box[1] and box[2] <= z[1] <= box[3]):
        raise ValueError(f"{name} = {tuple(z.tolist())} lies outside the bounds {box}")
    return float(z[0]), float(z[1])


def float32(arrays: Sequence[Tensor | NDArray]) -> bytes:
    """The numbers of all arrays one after another, as the browser reads them: little-endian."""
    return np.concatenate([as_array(array).astype("<f4").ravel() for array in arrays]).tobytes()


def as_array(values: Any) -> NDArray:
    """A NumPy array of a tensor, or of anything that NumPy takes."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
