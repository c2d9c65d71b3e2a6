"""Three codes and two answers to an analogy: parallel transport against a difference of codes."""

from collections.abc import Sequence

import anywidget
import numpy as np
import torch
import traitlets
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from geomlib.riemann import PullbackMetric
from geomlib.teaching.widgets.assets import script, style
from geomlib.teaching.widgets.latent_plane import as_array, checked_bounds, checked_point, float32

__all__ = ["AnalogyExplorer"]

GRID = 96  # the metric is stored at GRID x GRID points
SHOWN_CODES = 800  # at most


class AnalogyExplorer(anywidget.AnyWidget):
    r"""Drag $a$, $b$, $c$: *a is to b as c is to what?* answered on the decoder's surface and flat.

    The transported answer is $d = \exp_c(P_{a \to c} \log_a b)$ for the metric
    $J_\mu^\top J_\mu$, with $P_{a \to c}$ the transport along the geodesic from $a$ to $c$; beside
    it stands $c + (b - a)$. The state carries the metric on a grid and the decoder's weights. The
    browser interpolates the metric, takes Christoffel symbols from it and solves the geodesic
    equation by Runge-Kutta steps, so the figure needs no kernel.

    Attributes:
        a, b, c: the three codes, `(z1, z2)`; setting them moves the figure.
        answers: `{"transported": [z1, z2] or None, "euclidean": [z1, z2]}`, sent back by the
            browser once it has drawn; empty before. None: a geodesic was not found, or it leaves
            the map.

    Args:
        decoder: an `nn.Sequential` of `nn.Linear` and `nn.Tanh` with two inputs, such as the
            mean of a `GaussianVAE`.
        codes: codes of data, `(count, 2)`; at most 800 of them are shown.
        a, b, c: where the figure starts.
        image_shape: rows and columns of a decoded image.
        bounds: `(z1_min, z1_max, z2_min, z2_max)`; by default a little more than the codes span.

    Raises:
        ValueError: if the decoder cannot be carried over to the browser, its metric loses rank
            inside the bounds, or shapes disagree.

    >>> decoder = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 4))
    >>> codes = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, 1.0]])
    >>> explorer = AnalogyExplorer(decoder, codes, *codes.tolist(), image_shape=(2, 2))
    >>> explorer.a
    (-1.0, 0.0)
    """

    _esm = script("analogy_explorer")
    _css = style("analogy_explorer")

    a = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    b = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    c = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    answers = traitlets.Dict().tag(sync=True)

    # What the browser computes with. Arrays are float32 bytes, little-endian and row-major.
    _bounds = traitlets.Tuple().tag(sync=True)
    _grid = traitlets.Int().tag(sync=True)
    _field = traitlets.Bytes().tag(sync=True)  # (3, GRID, GRID), see `_cholesky_field`
    _layers: traitlets.List = traitlets.List().tag(sync=True)  # sizes, a tanh after all but one
    _weights = traitlets.Bytes().tag(sync=True)  # weight and bias, layer by layer
    _image_shape = traitlets.Tuple().tag(sync=True)
    _codes = traitlets.Bytes().tag(sync=True)

    def __init__(
        self,
        decoder: nn.Sequential,
        codes: Tensor | ArrayLike,
        a: Sequence[float],
        b: Sequence[float],
        c: Sequence[float],
        *,
        image_shape: tuple[int, int] = (28, 28),
        bounds: Sequence[float] | None = None,
    ):
        sizes, weights = _describe(decoder)
        if image_shape[0] * image_shape[1] != sizes[-1]:
            raise ValueError(
                f"image_shape {tuple(image_shape)} has {image_shape[0] * image_shape[1]} pixels, "
                f"but the decoder gives {sizes[-1]}"
            )
        points = as_array(codes).astype(float)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(f"codes must have shape (count, 2), but have {points.shape}")
        if not np.isfinite(points).all():
            raise ValueError("codes hold NaN or infinite coordinates")
        box = checked_bounds(bounds, points, margin=0.2)
        start = {name: checked_point(name, z, box) for name, z in {"a": a, "b": b, "c": c}.items()}
        chosen = np.random.default_rng(0).permutation(len(points))[:SHOWN_CODES]
        super().__init__(
            **start,
            _bounds=box,
            _grid=GRID,
            _field=float32([_cholesky_field(decoder, box)]),
            _layers=sizes,
            _weights=float32(weights),
            _image_shape=tuple(int(side) for side in image_shape),
            _codes=float32([points[np.sort(chosen)]]),
        )

    def __repr__(self) -> str:
        return "AnalogyExplorer: a is to b as c is to what, on the surface and in flat codes"


def _describe(decoder: nn.Module) -> tuple[list[int], list[Tensor]]:
    """The sizes of the layers as the browser reads them, and their weights."""
    layers = list(decoder) if isinstance(decoder, nn.Sequential) else []
    linear = [layer for layer in layers[::2] if isinstance(layer, nn.Linear)]
    between = [layer for layer in layers[1::2] if isinstance(layer, nn.Tanh)]
    if not linear or len(between) != len(linear) - 1 or len(layers) != len(linear) + len(between):
        raise ValueError(
            "the browser evaluates an nn.Sequential of nn.Linear with nn.Tanh between them, but "
            f"the decoder is {decoder}"
        )
    sizes = [linear[0].in_features, *(layer.out_features for layer in linear)]
    if sizes[0] != 2:
        raise ValueError(f"the map has two axes, but the decoder has {sizes[0]} inputs")
    weights: list[Tensor] = []
    for layer in linear:
        bias = torch.zeros(layer.out_features) if layer.bias is None else layer.bias
        weights += [layer.weight, bias]
    return sizes, weights


def _cholesky_field(decoder: nn.Sequential, box: tuple[float, ...]) -> NDArray:
    r"""$\ln L_{11}$, $L_{21}/L_{11}$ and $\ln L_{22}$ of $G = LL^\top$, `(3, z2, z1)`.

    Any three numbers make a positive definite matrix, so interpolating them is safe.
    """
    dtype = next(decoder.parameters()).dtype
    z1 = torch.linspace(box[0], box[1], GRID, dtype=dtype)
    z2 = torch.linspace(box[2], box[3], GRID, dtype=dtype)
    z = torch.stack(torch.meshgrid(z1, z2, indexing="xy"), dim=-1)
    with torch.no_grad():
        metric = PullbackMetric(decoder).folded()
        try:
            metric.check_definite(z.reshape(-1, 2))
        except ValueError as error:
            raise ValueError(f"no geodesics inside the bounds {box}: {error}") from error
        factor = torch.linalg.cholesky(metric.matrix(z))
    first, second = factor[..., 0, 0], factor[..., 1, 1]
    return torch.stack([first.log(), factor[..., 1, 0] / first, second.log()]).numpy()
