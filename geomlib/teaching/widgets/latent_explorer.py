"""The signature figure: the latent plane of a VAE, two points, the geodesic between them."""

from collections.abc import Sequence
from typing import Any

import anywidget
import numpy as np
import torch
import traitlets
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from geomlib.models.vae import GaussianVAE, RBFStandardDeviation
from geomlib.riemann import ExpectedMetric, Metric, PullbackMetric
from geomlib.teaching.widgets.assets import script, style
from geomlib.teaching.widgets.latent_plane import as_array, checked_bounds, checked_point, float32

__all__ = ["LatentExplorer"]

GRID = 96  # the map of √det G has GRID x GRID pixels
SHOWN_CODES = 1500  # at most; more would hide the map below them
SMALLEST_SHOWN = 1e-6  # of the largest √det G: where G loses rank its logarithm has no floor


class LatentExplorer(anywidget.AnyWidget):
    r"""Drag two points in the latent map of a VAE: the geodesic between them follows at once.

    The map shows the magnification factor $\sqrt{\det G}$ and the training codes. Below it stand
    decoded images at equal times along the straight line and along the geodesic, both with their
    length $\sum_i \|f(z_{i+1}) - f(z_i)\|$, where $f = \mu$ or $f = (\mu, \sigma)$: the metrics
    $J_\mu^\top J_\mu$ and $J_\mu^\top J_\mu + J_\sigma^\top J_\sigma$.

    The state carries the decoder's weights and the browser relaxes the curve, so the figure
    answers in JupyterLab and, from stored widget state, in a published page without a kernel.

    Attributes:
        a, b: the two points, `(z1, z2)`; setting them moves the figure.
        metric: `"expected"` or `"mean"`.
        lengths: `{"straight": ..., "geodesic": ...}`, sent back by the browser once it has drawn;
            empty before. Observe it as any trait.

    Args:
        vae: a `GaussianVAE` with two latent coordinates and a fitted standard deviation. Its mean
            may be made of `nn.Linear`, `nn.Tanh`, `nn.Sigmoid` and `nn.Softplus`.
        codes: latent codes of the training data, `(count, 2)`; at most 1500 of them are shown.
        labels: one integer for each code, of at most ten classes.
        a, b: where the two points start; by default at the two class medians farthest apart.
        bounds: `(z1_min, z1_max, z2_min, z2_max)`; by default a little more than the codes span.
        image_shape: rows and columns of a decoded image.
        segments: the number of segments of a curve.

    Raises:
        ValueError: if the model cannot be carried over to the browser, or shapes disagree.

    >>> vae = GaussianVAE(data_dim=4, latent_dim=2, hidden=3)
    >>> vae.std = RBFStandardDeviation(
    ...     torch.zeros(1, 2), torch.ones(1), torch.ones(4, 1), torch.ones(4)
    ... )
    >>> codes = torch.tensor([[-1.0, 0.0], [1.0, 0.5]])
    >>> explorer = LatentExplorer(vae, codes, [0, 1], image_shape=(2, 2))
    >>> explorer.a, explorer.b
    ((-1.0, 0.0), (1.0, 0.5))
    """

    _esm = script("latent_explorer")
    _css = style("latent_explorer")

    a = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    b = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    metric = traitlets.Enum(["expected", "mean"], default_value="expected").tag(sync=True)
    lengths = traitlets.Dict().tag(sync=True)

    # What the browser computes with. Arrays are bytes, little-endian and row-major.
    _layers: traitlets.List = traitlets.List().tag(sync=True)
    _mean_weights = traitlets.Bytes().tag(sync=True)  # float32: weight and bias, layer by layer
    _kernels = traitlets.Int().tag(sync=True)
    _std_weights = traitlets.Bytes().tag(sync=True)  # float32: centres, bandwidth, weight, floor
    _image_shape = traitlets.Tuple().tag(sync=True)
    _segments = traitlets.Int().tag(sync=True)
    _bounds = traitlets.Tuple().tag(sync=True)
    _codes = traitlets.Bytes().tag(sync=True)  # uint16, the bounds being 0 and 65535
    _labels = traitlets.Bytes().tag(sync=True)  # uint8, an index into the classes
    _classes: traitlets.List = traitlets.List().tag(sync=True)
    _magnification = traitlets.Dict().tag(sync=True)  # of each metric: uint8 map, log10 range

    def __init__(
        self,
        vae: GaussianVAE,
        codes: Tensor | ArrayLike,
        labels: Tensor | ArrayLike,
        *,
        a: Sequence[float] | None = None,
        b: Sequence[float] | None = None,
        bounds: Sequence[float] | None = None,
        image_shape: tuple[int, int] = (28, 28),
        segments: int = 32,
    ):
        layers, mean_weights = _describe_mean(vae.mean)
        size = layers[-1]["outputs"] if "outputs" in layers[-1] else layers[-2]["outputs"]
        std = _checked_std(vae.std, size)
        if image_shape[0] * image_shape[1] != size:
            raise ValueError(
                f"image_shape {tuple(image_shape)} has {image_shape[0] * image_shape[1]} pixels, "
                f"but the decoder gives {size}"
            )
        if segments < 2:
            raise ValueError(f"a curve needs at least 2 segments, but segments={segments}")
        points, classes, index = _checked_codes(codes, labels)
        box = checked_bounds(bounds, points, margin=0.12)
        first, second = _far_medians(points, index, len(classes))
        metrics = {"mean": PullbackMetric(vae.mean), "expected": ExpectedMetric(vae.mean, std)}
        shown, shown_index = _thin_out(points, index, box)
        super().__init__(
            a=checked_point("a", first if a is None else a, box),
            b=checked_point("b", second if b is None else b, box),
            _layers=layers,
            _mean_weights=float32(mean_weights),
            _kernels=len(std.bandwidth),
            _std_weights=float32([std.centres, std.bandwidth, std.weight, std.floor]),
            _image_shape=tuple(int(side) for side in image_shape),
            _segments=segments,
            _bounds=box,
            _codes=_quantise(shown, box).tobytes(),
            _labels=shown_index.astype(np.uint8).tobytes(),
            _classes=[str(name) for name in classes],
            _magnification={
                name: _magnification(metric, box, next(vae.mean.parameters()).dtype)
                for name, metric in metrics.items()
            },
        )

    def __repr__(self) -> str:
        return "LatentExplorer: two points of a latent plane, and the geodesic between them"


def _describe_mean(mean: nn.Module) -> tuple[list[dict[str, Any]], list[Tensor]]:
    """The layers of the mean as the browser reads them, and their weights in the same order."""
    if not isinstance(mean, nn.Sequential):
        raise ValueError(f"vae.mean must be an nn.Sequential, but it is a {type(mean).__name__}")
    layers: list[dict[str, Any]] = []
    weights: list[Tensor] = []
    for layer in mean:
        match layer:
            case nn.Linear():
                layers.append(
                    {"type": "linear", "inputs": layer.in_features, "outputs": layer.out_features}
                )
                bias = torch.zeros(layer.out_features) if layer.bias is None else layer.bias
                weights += [layer.weight, bias]
            case nn.Tanh():
                layers.append({"type": "tanh"})
            case nn.Sigmoid():
                layers.append({"type": "sigmoid"})
            case nn.Softplus() if layer.beta == 1:
                layers.append({"type": "softplus"})
            case _:
                raise ValueError(
                    f"vae.mean holds {layer}, which the browser cannot evaluate: use nn.Linear, "
                    "nn.Tanh, nn.Sigmoid or nn.Softplus(beta=1)"
                )
    if not layers or layers[0]["type"] != "linear":
        raise ValueError("vae.mean must begin with an nn.Linear")
    if layers[0]["inputs"] != 2:
        raise ValueError(
            f"the map has two axes, but this decoder has {layers[0]['inputs']} latent "
            "coordinates: train a GaussianVAE with latent_dim=2"
        )
    return layers, weights


def _checked_std(std: nn.Module, size: int) -> RBFStandardDeviation:
    if not isinstance(std, RBFStandardDeviation):
        raise ValueError(
            f"vae.std is a {type(std).__name__}, but the expected metric needs an "
            "RBFStandardDeviation: call vae.fit_standard_deviation(x) first"
        )
    if std.centres.shape[1] != 2 or std.weight.shape[0] != size:
        raise ValueError(
            f"vae.std maps {std.centres.shape[1]} coordinates to {std.weight.shape[0]} pixels, "
            f"but vae.mean maps 2 to {size}"
        )
    return std


def _checked_codes(
    codes: Tensor | ArrayLike, labels: Tensor | ArrayLike
) -> tuple[NDArray, NDArray, NDArray]:
    """Codes `(count, 2)`, the names of the classes, and the index of each code's class."""
    points, names = as_array(codes).astype(float), as_array(labels)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise ValueError(f"codes must have shape (count, 2), but have {points.shape}")
    if names.shape != points.shape[:1]:
        raise ValueError(
            f"each code needs one label, but there are {len(points)} codes and labels of shape "
            f"{names.shape}"
        )
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points)).any(axis=1).sum())
        raise ValueError(f"codes hold NaN or infinite coordinates in {bad} of {len(points)} rows")
    classes, index = np.unique(names, return_inverse=True)
    if len(classes) > 10:
        raise ValueError(f"ten classes can be told apart by colour, but labels hold {len(classes)}")
    return points, classes, index


def _far_medians(points: NDArray, index: NDArray, count: int) -> tuple[NDArray, NDArray]:
    medians = np.stack([np.median(points[index == k], axis=0) for k in range(count)])
    apart = np.linalg.norm(medians[:, None] - medians, axis=-1)
    first, second = np.unravel_index(apart.argmax(), apart.shape)
    return medians[first], medians[second]


def _thin_out(points: NDArray, index: NDArray, box: tuple[float, ...]) -> tuple[NDArray, NDArray]:
    inside = (points >= [box[0], box[2]]).all(1) & (points <= [box[1], box[3]]).all(1)
    chosen = np.flatnonzero(inside)
    if len(chosen) > SHOWN_CODES:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, SHOWN_CODES, replace=False))
    return points[chosen], index[chosen]


def _quantise(points: NDArray, box: tuple[float, ...]) -> NDArray:
    low, high = np.array([box[0], box[2]]), np.array([box[1], box[3]])
    return np.rint((points - low) / (high - low) * 65535).astype("<u2")


def _magnification(metric: Metric, box: tuple[float, ...], dtype: torch.dtype) -> dict[str, Any]:
    r"""$\log_{10} \sqrt{\det G}$ as bytes, rows from the top, with the values of 0 and 255."""
    z1 = torch.linspace(box[0], box[1], GRID, dtype=dtype)
    z2 = torch.linspace(box[3], box[2], GRID, dtype=dtype)
    z: Float[Tensor, "rows columns 2"] = torch.stack(torch.meshgrid(z1, z2, indexing="xy"), dim=-1)
    with torch.no_grad():
        volume = torch.cat([metric.volume(rows) for rows in z.split(8)]).double().numpy()
    log = np.log10(np.maximum(volume, SMALLEST_SHOWN * volume.max()))
    # a few pixels must not use up the colours
    low, high = np.percentile(log, [0.5, 99.5])
    scaled = np.clip((log - low) / max(high - low, 1e-12), 0, 1)
    pixels = np.rint(255 * scaled).astype(np.uint8)
    return {"pixels": pixels.tobytes(), "size": GRID, "range": [round(low, 3), round(high, 3)]}
