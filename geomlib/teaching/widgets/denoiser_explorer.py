"""A noisy point, the circle behind it, and what the best denoiser's Jacobian looks like."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import anywidget
import numpy as np
import traitlets

from geomlib.teaching.widgets.assets import script, style

__all__ = ["DenoiserExplorer"]

WINDOW = 2.0  # both coordinates of x lie between -WINDOW and WINDOW
LEVELS = (0.05, 3.0)  # of sigma


class DenoiserExplorer(anywidget.AnyWidget):
    r"""Move x and $\sigma$; see $D(x, \sigma)$ and the eigenvectors of $J_D$ for the unit circle.

    On the left the circle, the noisy point x, its denoised $D(x, \sigma)$, the ellipse of
    $\operatorname{Cov}(x_0 \mid x)$ and both eigenvectors of $J_D$, each as long as its eigenvalue.
    On the right the two eigenvalues against $\sigma$, for this x. All is computed in the browser,
    by the closed form $\lambda_{tan} = A/|x|$, $\lambda_{rad} = (1 - A/\kappa - A^2)/\sigma^2$ with
    $\kappa = |x|/\sigma^2$ and $A = I_1(\kappa)/I_0(\kappa)$.

    Attributes:
        x: the noisy point, $-2 \le x_1, x_2 \le 2$.
        sigma: the noise level, from 0.05 to 3.
        measured: `{"denoised": ..., "tangential": ..., "radial": ...}`, sent back by the browser
            once it has drawn; empty before.

    Args:
        x, sigma: where the figure starts.

    Raises:
        ValueError: if x lies outside the window, or sigma outside its range.

    >>> DenoiserExplorer((1.2, 0.4), sigma=0.2).sigma
    0.2
    """

    _esm = script("denoiser_explorer")
    _css = style("denoiser_explorer")

    x = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    sigma = traitlets.CFloat(0.4).tag(sync=True)
    measured = traitlets.Dict().tag(sync=True)

    def __init__(self, x: Sequence[float] = (1.1, 0.6), *, sigma: float = 0.4):
        low, high = LEVELS
        if not isinstance(sigma, Real) or not low <= sigma <= high:
            raise ValueError(f"sigma must be a number between {low} and {high}, but is {sigma!r}")
        super().__init__(x=_point(x), sigma=float(sigma))

    def __repr__(self) -> str:
        return "DenoiserExplorer: the best denoiser of a circle, and the spectrum of its Jacobian"


def _point(values: Any) -> tuple[float, float]:
    try:
        pair = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        pair = np.array([])
    if pair.shape != (2,) or not np.isfinite(pair).all():
        raise ValueError(f"x must be two finite numbers, but is {values}")
    first, second = pair.tolist()
    if max(abs(first), abs(second)) > WINDOW:
        raise ValueError(
            f"x = ({first:g}, {second:g}) lies outside the window: both coordinates must lie "
            f"between {-WINDOW:g} and {WINDOW:g}"
        )
    return first, second
