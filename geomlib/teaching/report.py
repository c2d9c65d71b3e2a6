r"""The geometry of any decoder at a glance: numbers, a figure, and when not to believe them.

The chapter *Your own decoder* says which of the numbers belong to the image of a decoder, and which
to its coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from math import prod

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from geomlib.riemann import Curve, Geodesic, PullbackMetric
from geomlib.teaching import figures_report, measuring

__all__ = ["Report", "report"]

SAMPLE = 256  # codes at which derivatives are taken, at most
ROUNDING = 1e-12  # printed as zero


@torch.no_grad()
def report(
    decoder: Callable[[Tensor], Tensor],
    codes: Float[Tensor, "count d"],
    *,
    pairs: int = 24,
    segments: int = 32,
    seed: int = 0,
) -> Report:
    r"""Measure $G = J^\top J$ of a decoder around a cloud of codes, and say what to distrust.

    Args:
        decoder: any differentiable map `(batch, d)` to `(batch, ...)`; images are flattened. For
            the expected metric of a noisy decoder hand over $z \mapsto (\mu(z), \sigma(z))$.
        codes: the codes of data; at 256 of them, drawn by `seed`, derivatives are taken.
        pairs: how many pairs of these codes, drawn by `seed`, are joined by a straight line and
            by a geodesic.
        segments: of each line and geodesic.
        seed: of all that is drawn: the same seed gives the same report.

    Raises:
        TypeError: if the codes are no tensor.
        ValueError: if the codes are not `(count, d)`, finite, and two at least; if the decoder is
            finite at none of them, is in training mode with dropout or batch normalisation, draws
            noise, or mixes the rows of a batch.

    Geodesics start from the straight line and are local minimisers, as in `Metric.geodesic`.

    A linear map has no curvature, and its geodesics are straight lines:

    >>> codes = torch.randn(100, 2, generator=torch.manual_seed(0), dtype=torch.float64)
    >>> W = torch.tensor([[3.0, 0.0, 4.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    >>> flat = report(lambda z: z @ W, codes, pairs=4)
    >>> flat.singular_values[0]
    tensor([5., 1.], dtype=torch.float64)
    >>> flat.curvature.abs().max().item(), bool(flat.gain.abs().max() < 1e-9), flat.warnings
    (0.0, True, ())
    """
    if pairs < 1 or segments < 1:
        raise ValueError(f"pairs={pairs} and segments={segments}, but both must be at least one")
    notes: list[str] = []
    metric, codes, shape = measuring.accepted(decoder, codes, notes)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(codes), generator=generator)[:SAMPLE]
    sample = codes[chosen.to(codes.device)]
    singular = measuring.singular_values(metric, sample)
    whole = sample[measuring.whole_rank(sample, singular, notes)]
    curvature = measuring.curvatures(metric, whole, generator, notes)
    lines, geodesics = measuring.walks(metric, whole, pairs, segments, generator, notes)
    box = measuring.box_around(codes)
    reach = measuring.reach_of(codes, box)
    plane = codes.shape[1] == 2
    far = None if geodesics is None else measuring.emptiness(codes, geodesics, reach, notes)
    return Report(
        metric=metric,
        codes=codes,
        output_shape=shape,
        sample=sample,
        singular_values=singular,
        curvature=curvature,
        lines=lines,
        geodesics=geodesics,
        box=box,
        magnification_map=measuring.magnification_map(metric, box, notes) if plane else None,
        reach=reach,
        far=far,
        betti=measuring.betti_numbers(codes, box, reach) if plane else None,
        warnings=tuple(notes),
    )


@dataclass(frozen=True, repr=False)
class Report:
    r"""What `report` has found: print it, end a cell with it, draw it, or take its numbers.

    Attributes:
        metric: the pull-back metric, for questions of your own.
        codes: the codes at which the decoder is finite, `(count, d)`.
        output_shape: of one decoded point; an image `(C, H, W)` counts as a row of $CHW$ numbers.
        sample: the codes at which derivatives were taken, `(m, d)`.
        singular_values: of $J$ at the sample, `(m, d)`, decreasing: the lengths of the semi-axes
            of the image of a unit ball.
        curvature: at those codes of the sample where $J$ has full rank. Gaussian curvature for
            $d = 2$; for $d > 2$ the sectional curvature of one plane each, drawn uniformly from
            the tangent planes of the image. `None` where there is none.
        lines, geodesics: straight lines and geodesics between the same pairs, or `None`.
        box: two opposite corners around the codes, `(2, d)`.
        magnification_map: for $d = 2$, $\sqrt{\det G}$ on a grid of the box, a row for each value
            of $z_2$; NaN where the decoder is not finite.
        reach: twice the distance within which 99 of 100 codes have another code, in latent units.
            A point farther than that from every code is *far*.
        far: for each geodesic the share of its nodes that are far, `(pairs,)`.
        betti: for $d = 2$, $(b_0, b_1)$ of the points that are not far, on a grid: how many
            pieces, and how many holes.
        warnings: where the numbers are not to be trusted, and why.
    """

    metric: PullbackMetric
    codes: Float[Tensor, "count d"]
    output_shape: tuple[int, ...]
    sample: Float[Tensor, "m d"]
    singular_values: Float[Tensor, "m d"]
    curvature: Float[Tensor, " k"] | None
    lines: Curve | None
    geodesics: Geodesic | None
    box: Float[Tensor, "2 d"]
    magnification_map: Float[Tensor, "rows columns"] | None
    reach: float
    far: Float[Tensor, " pairs"] | None
    betti: tuple[int, int] | None
    warnings: tuple[str, ...]

    @property
    def magnification(self) -> Float[Tensor, " m"]:
        r"""$\sqrt{\det G}$ at the sample: the product of the singular values."""
        return self.singular_values.prod(-1)

    @property
    def rank(self) -> Int[Tensor, " m"]:
        r"""How many singular values exceed $\sqrt{10\,d\,\varepsilon}$ times the largest one.

        Smaller ones, squared, drown in the rounding of $G$; $\varepsilon$ is that of the dtype.
        """
        least = measuring.resolution(self.singular_values) * self.singular_values[:, :1]
        return (self.singular_values > least).sum(-1)

    @property
    def condition(self) -> Float[Tensor, " m"]:
        r"""Largest over smallest singular value; infinite where the smallest is zero."""
        return self.singular_values[:, 0] / self.singular_values[:, -1]

    @property
    def gain(self) -> Float[Tensor, " pairs"]:
        r"""$1 - L_\text{geodesic} / L_\text{straight}$, for the pairs that have converged."""
        if self.lines is None or self.geodesics is None:
            return self.codes.new_zeros(0)
        with torch.no_grad():
            ratio = self.geodesics.arc_length() / self.lines.arc_length()
        return 1 - ratio[self.geodesics.converged]

    @property
    def in_the_open(self) -> Bool[Tensor, " pairs"]:
        """Which geodesics cross empty space: more than a tenth of their nodes are far."""
        if self.far is None:
            return torch.zeros(0, dtype=torch.bool)
        return self.far > measuring.IN_THE_OPEN

    def figure(self) -> Figure:
        """One figure with six panels; `.alt` says in words what it shows."""
        return figures_report.draw(self)

    @property
    def alt(self) -> str:
        """The figure in words, for those who do not see it."""
        rows = " ".join(f"{name.capitalize()}: {text}." for name, text in self._rows())
        return f"Six panels on the geometry of a decoder. {rows}"

    def __repr__(self) -> str:
        rows = [*self._rows(), *(("warning", text) for text in self.warnings)]
        return "\n".join(f"{name:13} {text}" for name, text in rows)

    def _repr_html_(self) -> str:
        rows = [*self._rows(), *(("warning", text) for text in self.warnings)]
        cells = (f'<tr><th scope="row">{a}</th><td>{escape(b)}</td></tr>' for a, b in rows)
        return f"<table>{''.join(cells)}</table>"

    def _rows(self) -> list[tuple[str, str]]:
        """Names and values of the summary; of many numbers the median, and 9 of 10 of them."""
        count, d = self.codes.shape
        n, shape = prod(self.output_shape), " x ".join(map(str, self.output_shape))
        flattened = f"{shape} images as rows of {n}" if len(self.output_shape) > 1 else str(n)
        ranks = sorted(set(self.rank.tolist()))
        rows = [
            ("dimensions", f"{d} into {flattened}; {count} codes"),
            ("rank", f"{' to '.join(map(str, ranks[:1] + ranks[1:][-1:]))} of {d}"),
            *(
                (f"stretch {i + 1}", _spread(column))
                for i, column in enumerate(self.singular_values.T)
            ),
            ("condition", _spread(self.condition)),
            ("magnification", _spread(self.magnification)),
            ("curvature", "none" if self.curvature is None else _spread(self.curvature)),
        ]
        if self.geodesics is not None:
            good, crossing = self.geodesics.converged, int(self.in_the_open.sum())
            rows += [
                ("geodesics", f"{int(good.sum())} of {len(good)} converged"),
                ("gain", _spread(self.gain)),
                ("empty space", f"{crossing} of {len(good)} geodesics cross it"),
            ]
        if self.betti is not None:
            rows.append(("code cloud", "pieces: {}, holes: {}".format(*self.betti)))
        return rows


def _spread(values: Tensor) -> str:
    """The median of the numbers, and where nine of ten of them lie."""
    if not len(values):
        return "no numbers"
    # "nearest": infinity is a number here, and must not be averaged with another
    low, middle, high = np.quantile(values.cpu().numpy(), (0.05, 0.5, 0.95), method="nearest")
    low, middle, high = (x if abs(x) > ROUNDING else 0.0 for x in (low, middle, high))
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"
