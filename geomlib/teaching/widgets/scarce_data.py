"""Errors and reconstructions of several models, against the number of training samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from geomlib.teaching.widgets.assets import script, style
from geomlib.teaching.widgets.latent_plane import as_array

__all__ = ["ScarceData"]

MOST_MODELS = 3  # as many as there are marks and colours


class ScarceData(anywidget.AnyWidget):
    r"""Move $N$: the errors of models trained on $N$ samples, and what they make of new ones.

    On the left the error of each model against $N$, one mark for each seed and a line through the
    means; on the right the new samples as images and their reconstructions at the chosen $N$.
    Nothing is trained here: errors and images are handed over, and the images are kept in 256
    levels of grey.

    Attributes:
        count: the chosen $N$, one of `counts`.
        measured: `{model: mean error at count}`, sent back by the browser once it has drawn; empty
            before.

    Args:
        counts: the values of $N$, ascending.
        errors: for each model, by name, errors on new samples, `(len(counts), seeds)`. The first
            model is the one with which the others are compared; at most three.
        samples: new samples as rows of pixels with values in $[0, 1]$, `(k, pixels)`.
        reconstructions: for each model its images of them, `(len(counts), k, pixels)`.
        image_shape: rows and columns of an image.
        count: where the figure starts; the smallest if left out.

    Raises:
        ValueError: if names, shapes or numbers do not fit one another.

    >>> errors = {"with": [[0.4, 0.5], [0.2, 0.2]], "without": [[0.3, 0.2], [0.2, 0.1]]}
    >>> images = {name: np.zeros((2, 3, 4)) for name in errors}
    >>> ScarceData([10, 100], errors, np.ones((3, 4)), images, image_shape=(2, 2)).count
    10
    """

    _esm = script("scarce_data")
    _css = style("scarce_data")

    count = traitlets.Int().tag(sync=True)
    measured = traitlets.Dict().tag(sync=True)

    _counts: traitlets.List = traitlets.List().tag(sync=True)
    _names: traitlets.List = traitlets.List().tag(sync=True)
    _errors: traitlets.List = traitlets.List().tag(sync=True)  # models, counts, seeds
    _images = traitlets.Bytes().tag(sync=True)  # the samples, then models, counts, samples
    _image_shape = traitlets.Tuple().tag(sync=True)

    def __init__(
        self,
        counts: Sequence[int],
        errors: Mapping[str, Tensor | ArrayLike],
        samples: Tensor | ArrayLike,
        reconstructions: Mapping[str, Any],
        *,
        image_shape: tuple[int, int] = (8, 8),
        count: int | None = None,
    ):
        sizes = [int(size) for size in counts]
        if len(sizes) < 2 or sizes[0] < 1 or sizes != sorted(set(sizes)):
            raise ValueError(f"counts must be two or more, positive and ascending, but are {sizes}")
        chosen = sizes[0] if count is None else count
        if chosen not in sizes:
            raise ValueError(f"count must be one of {sizes}, but is {chosen!r}")
        names = list(errors)
        if not 1 <= len(names) <= MOST_MODELS or set(names) != set(reconstructions):
            raise ValueError(
                f"errors and reconstructions need the same one to {MOST_MODELS} models, but have "
                f"{names} and {list(reconstructions)}"
            )
        shown = _array("samples", samples, 2)
        if image_shape[0] * image_shape[1] != shown.shape[1]:
            raise ValueError(
                f"image_shape {tuple(image_shape)} has {image_shape[0] * image_shape[1]} pixels, "
                f"but a sample has {shown.shape[1]}"
            )
        table = [_array(f"errors of {name!r}", errors[name], 2) for name in names]
        images = [_array(f"images of {name!r}", reconstructions[name], 3) for name in names]
        for name, values, pictures in zip(names, table, images, strict=True):
            if len(values) != len(sizes) or not values.shape[1] or (values <= 0).any():
                raise ValueError(
                    f"errors of {name!r} must be positive, ({len(sizes)}, seeds), but have shape "
                    f"{values.shape} and the least is {values.min(initial=np.inf)}"
                )
            if pictures.shape != (len(sizes), *shown.shape):
                raise ValueError(
                    f"images of {name!r} must have shape {(len(sizes), *shown.shape)}, but have "
                    f"{pictures.shape}"
                )
        super().__init__(
            count=chosen,
            _counts=sizes,
            _names=names,
            _errors=[values.tolist() for values in table],
            _images=b"".join(_grey(values) for values in [shown, *images]),
            _image_shape=tuple(int(side) for side in image_shape),
        )

    def __repr__(self) -> str:
        return f"ScarceData: errors and images of {len(self._names)} models against N"


def _array(name: str, values: Any, dimensions: int) -> NDArray:
    if isinstance(values, Sequence) and any(isinstance(value, Tensor) for value in values):
        values = np.stack([as_array(value) for value in values])
    array = as_array(values).astype(float)
    if array.ndim != dimensions or not array.size:
        raise ValueError(f"{name} need {dimensions} dimensions, but have shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} hold NaN or infinite numbers")
    return array


def _grey(images: NDArray) -> bytes:
    """Values in [0, 1] as bytes; what lies outside is cut off."""
    return np.rint(255 * images.clip(0, 1)).astype(np.uint8).tobytes()
