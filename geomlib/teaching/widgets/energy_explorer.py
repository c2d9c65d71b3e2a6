"""A curve, the polygon through N + 1 of its points, and two constants for its energy."""

from dataclasses import dataclass
from numbers import Real
from operator import index

import anywidget
import torch
import traitlets

from geomlib.riemann import Curve, PullbackMetric
from geomlib.symbolic import Chart, SmoothMap
from geomlib.teaching.widgets.assets import script, style

__all__ = ["EnergyExplorer"]

MOST_SEGMENTS = 64
MOST_UNEVEN = 0.9


@dataclass(frozen=True)
class _Entry:
    """A map out of the latent space, and a latent curve on [0, 1]."""

    symbols: str
    image: tuple[str, ...]
    latent: tuple[str, ...]  # formulas in t


# The browser holds the same curves as functions; a test compares the two.
CURVES = {
    "cubic": _Entry("u v", ("u", "v", "u*v"), ("t", "t**2")),
    "sphere": _Entry(
        "theta phi",
        ("sin(theta)*cos(phi)", "sin(theta)*sin(phi)", "cos(theta)"),
        ("2/5 + t/2", "12*t/5 - 6/5"),
    ),
    "turn": _Entry("u v", ("u", "v", "(u**2 + v**2)/2"), ("cos(2*pi*t)", "sin(2*pi*t)")),
    "parabola": _Entry("z", ("z", "z**2"), ("2*t - 1",)),
}


class EnergyExplorer(anywidget.AnyWidget):
    r"""Move $N$: the polygon in the target space, its length, and its energy with two constants.

    The polygon has the vertices $x_i = g(\gamma(i/N))$. Beside it stand
    $\hat E = \tfrac N2 \sum_i \|x_i - x_{i-1}\|^2$, which converges, and the post's
    $\tfrac1{2N} \sum_i \|x_i - x_{i-1}\|^2$, which tends to zero, both against the true energy,
    and the length against the true length. Everything is computed in the browser.

    Attributes:
        curve: which curve: `"cubic"` $(t, t^2)$ on the saddle $uv$, `"sphere"`, a straight line
            of the chart of angles, `"turn"`, one turn round a bowl, or `"parabola"` $(z, z^2)$.
        segments: $N$, between 1 and 64.
        unevenness: $a$, between 0 and 0.9. The path is walked at the times
            $\tau(t) = t - a \sin(2\pi t) / 2\pi$, slowly at first and at the end, if $a > 0$.
        measured: `{"energy": ..., "post": ..., "length": ..., "true_energy": ...,
            "true_length": ...}`, sent back by the browser once it has drawn; empty before.

    Args:
        curve, segments, unevenness: where the figure starts.

    Raises:
        ValueError: if there is no such curve, or a number lies outside its range.

    >>> explorer = EnergyExplorer("cubic", segments=64)
    >>> round(explorer.polygon().energy().item(), 3)  # the integral is 31/15
    2.067
    """

    _esm = script("energy_explorer")
    _css = style("energy_explorer")

    curve = traitlets.Enum(list(CURVES), default_value="cubic").tag(sync=True)
    segments = traitlets.Int(6).tag(sync=True)
    unevenness = traitlets.CFloat(0.0).tag(sync=True)
    measured = traitlets.Dict().tag(sync=True)

    def __init__(self, curve: str = "cubic", *, segments: int = 6, unevenness: float = 0.0):
        if curve not in CURVES:
            raise ValueError(f"there is no curve {curve!r}; there are {', '.join(CURVES)}")
        try:
            count = index(segments)
        except TypeError:
            raise ValueError(f"segments must be a whole number, but is {segments!r}") from None
        if not 1 <= count <= MOST_SEGMENTS:
            raise ValueError(f"segments must lie between 1 and {MOST_SEGMENTS}, but is {count}")
        if not isinstance(unevenness, Real) or not 0 <= unevenness <= MOST_UNEVEN:
            raise ValueError(
                f"unevenness must be a number between 0 and {MOST_UNEVEN}, but is {unevenness!r}"
            )
        super().__init__(curve=curve, segments=count, unevenness=float(unevenness))

    @property
    def smooth_map(self) -> SmoothMap:
        """The map $g$ of the chosen curve as formulas."""
        entry = CURVES[self.curve]
        target = Chart("target", " ".join("abc"[: len(entry.image)]))
        return SmoothMap.trusted(Chart("latent", entry.symbols), target, entry.image, True)

    def polygon(self, segments: int | None = None) -> Curve:
        """The curve as the library has it, through `segments + 1` nodes; `.segments` without."""
        count = self.segments if segments is None else segments
        t = torch.linspace(0, 1, count + 1, dtype=torch.float64)
        tau = t - self.unevenness * torch.sin(2 * torch.pi * t) / (2 * torch.pi)
        entry = CURVES[self.curve]
        latent = SmoothMap.trusted(
            Chart("time", "t"), Chart("latent", entry.symbols), entry.latent, True
        )
        return Curve(latent.to_torch()(tau[:, None]), PullbackMetric(self.smooth_map.to_torch()))

    def __repr__(self) -> str:
        return "EnergyExplorer: a polygon, its length, and its energy with two constants"
