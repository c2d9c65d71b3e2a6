"""Exercises of the chapter *Charts and atlases*."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from geomlib.teaching.checks import Mistake, attempt, compare, exercise

__all__ = [
    "chart_of_the_swiss_roll",
    "orientation_of_a_transition",
    "projective_transition",
    "two_charts_of_the_circle",
]


@exercise("charts-a")
def orientation_of_a_transition(answer: float | Tensor) -> str:
    r"""$\det J = -1/|w|^4$ of $w \mapsto w/|w|^2$, at $w = (2, 1)$."""
    try:
        value = torch.as_tensor(float(answer), dtype=torch.float64)
    except (TypeError, ValueError):
        raise Mistake(f"Give one number; yours is of type {type(answer).__name__}.") from None
    compare(
        value,
        torch.tensor(-1 / 25, dtype=torch.float64),
        {
            "The size is right, the sign is not: along the ray through w a longer vector becomes "
            "shorter, across it nothing turns round. The map mirrors.": torch.tensor(1 / 25),
            "That is the factor for one direction. An area takes the product of two of "
            "them.": torch.tensor(-1 / 5),
            "That is the factor for one direction, and without its sign.": torch.tensor(1 / 5),
            "That is the determinant of the map back, at the image point.": torch.tensor(-25.0),
            "You took w for a constant in |w|²: the denominator has derivatives too.": torch.tensor(
                2 / 25
            ),
            "You took 1/x of each coordinate. The transition divides both by |w|² "
            "= 5.": torch.tensor(1 / 4),
        },
    )
    return "One chart sees a mirror image of the other; negate one coordinate to orient the atlas."


@exercise("charts-b")
def projective_transition(answer: Callable[..., Tensor]) -> str:
    r"""$\varphi_j \circ \varphi_i^{-1}$ for the affine charts of the projective plane."""
    a = torch.tensor([[2.0, 5.0], [-3.0, 0.5], [0.7, -4.0]], dtype=torch.float64)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        full = _insert(a, i)  # (3, 3), coordinate i is 1
        right = _drop(full / full[:, j : j + 1], j)
        unit = full / full.norm(dim=1, keepdim=True)
        compare(
            attempt(answer, a, i, j),
            right,
            {
                "Nothing happened: these are still the coordinates in chart i.": a,
                "You left the 1 in: drop coordinate j after you divided by it.": full
                / full[:, j : j + 1],
                "You dropped coordinate j without dividing by it: coordinates are ratios.": _drop(
                    full, j
                ),
                "You dropped coordinate i instead of j: chart j leaves out the coordinate that "
                "it divides by.": _drop(full / full[:, j : j + 1], i),
                "You put the 1 at place 0 whatever i is: chart i leaves out coordinate i.": _drop(
                    _insert(a, 0) / _insert(a, 0)[:, j : j + 1], j
                ),
                "You put the 1 at the end whatever i is: chart i leaves out coordinate i.": _drop(
                    _insert(a, 2) / _insert(a, 2)[:, j : j + 1], j
                ),
                "You scaled the line's vector to length 1. Chart j wants coordinate j to be 1, "
                "not the length.": _drop(unit, j),
                "That is the map from chart j to chart i.": _drop(
                    _insert(a, j) / _insert(a, j)[:, i : i + 1], i
                ),
            },
        )
    return "Decode with one chart, encode with the other: that is all a transition is."


@exercise("charts-c")
def chart_of_the_swiss_roll(answer: Callable[..., Tensor]) -> str:
    r"""Any $E: \mathbb{R}^3 \to \mathbb{R}^2$ that is a chart of the whole Swiss roll.

    Every chart counts. So the check asks what makes one: two coordinates, no jump between
    neighbours, a Jacobian of rank 2, no code used twice.
    """
    t = torch.linspace(1.5 * torch.pi, 4.5 * torch.pi, 241, dtype=torch.float64)
    h = torch.linspace(0, 10, 11, dtype=torch.float64)
    places = torch.cartesian_prod(t, h)  # (241 * 11, 2)
    codes = attempt(answer, _swiss_roll(places))
    if codes.shape == (len(places), 3):
        raise Mistake("Three coordinates place the roll in space. A chart of a surface has two.")
    if codes.shape in ((len(places),), (len(places), 1)):
        raise Mistake(
            "One coordinate cannot tell the points of a surface apart: return two, "
            f"of shape ({len(places)}, 2)."
        )
    if codes.shape != (len(places), 2):
        raise Mistake(f"The shape should be ({len(places)}, 2), but yours is {tuple(codes.shape)}.")
    if not torch.isfinite(codes).all():
        raise Mistake("Your codes are not all finite numbers.")
    grid = codes.reshape(len(t), len(h), 2)
    along = grid.diff(dim=0).norm(dim=-1)  # (240, 11), between neighbours along the spiral
    if along.max() > 20 * along.median() > 0:
        turn = (t[along.amax(1).argmax()] / torch.pi).item()
        raise Mistake(
            f"Your encoder jumps: near t = {turn:.2f} π two neighbours on the roll have codes "
            "far apart. An angle forgets how often the spiral has turned; which quantity grows "
            "all the way?"
        )
    jacobian = _jacobian(answer, places)
    volume = torch.linalg.det(jacobian).abs()
    if volume.min() < 1e-5 * volume.max() or volume.max() < 1e-9:
        t0, h0 = places[volume.argmin()].tolist()
        raise Mistake(
            f"At t = {t0:.2f}, h = {h0:.1f} the Jacobian of your encoder on the roll is singular: "
            "some step on the roll does not change the code to first order, so the inverse is "
            "not smooth."
        )
    rows = (torch.arange(len(places)) // len(h)) % 3 == 0  # 891: their pairs fit in memory
    cell = torch.stack([3 * (t[1] - t[0]), h[1] - h[0]])
    shared = _collision(places[rows], codes[rows], jacobian[rows], cell)
    if shared is not None:
        (t1, h1), (t2, h2) = shared
        raise Mistake(
            f"Two regions of the roll share codes, near (t, h) = ({t1:.1f}, {h1:.1f}) and near "
            f"({t2:.1f}, {h2:.1f}). No decoder can tell them apart."
        )
    return "Two coordinates, no jump, full rank, no code twice: one chart covers the roll."


@exercise("charts-d")
def two_charts_of_the_circle(answer: Sequence[tuple], largest: float = 0.2) -> str:
    """Triples `(where, E, D)` that cover the circle, each exact enough on its own part."""
    try:
        triples = [tuple(chart) for chart in answer]
    except TypeError:
        raise Mistake("Give a list of charts, each of them (where, E, D).") from None
    if any(len(triple) != 3 or not all(map(callable, triple)) for triple in triples):
        raise Mistake("Each chart is three functions: (where, E, D).")
    if len(triples) < 2:
        raise Mistake("One chart is what the theorem rules out: give two or more.")
    angle = torch.arange(3600) * (2 * torch.pi / 3600)
    x = torch.stack([angle.cos(), angle.sin()], dim=1)
    cover = torch.zeros(len(x), dtype=torch.long)
    for number, (where, encode, decode) in enumerate(triples, 1):
        inside = attempt(where, x)
        if inside.shape != (len(x),) or inside.dtype != torch.bool:
            raise Mistake(f"where of chart {number} should return one True or False a point.")
        if inside.all():
            raise Mistake(
                f"Chart {number} claims the whole circle. Give it an open arc, and leave the "
                "rest to another chart."
            )
        if not inside.any():
            raise Mistake(f"Chart {number} has no point in it.")
        arc = x[inside].to(_dtype(encode))
        code = attempt(encode, arc)
        if code.shape != (int(inside.sum()), 1):
            raise Mistake(
                f"The circle has dimension one: E of chart {number} should return shape "
                f"(count, 1), but it returns {tuple(code.shape)}."
            )
        rebuilt = attempt(decode, code.to(_dtype(decode, code.dtype)))
        if rebuilt.shape != arc.shape:
            raise Mistake(
                f"D of chart {number} should return points, {tuple(arc.shape)}, but it returns "
                f"{tuple(rebuilt.shape)}."
            )
        error = (rebuilt - arc).norm(dim=1)
        if not error.isfinite().all():
            place = angle[inside][~error.isfinite()][0]
            raise Mistake(
                f"Chart {number} gives no finite number at angle {place:.2f}: does it claim the "
                "point that it misses?"
            )
        if error.max() > largest:
            place = angle[inside][error.argmax()]
            raise Mistake(
                f"Chart {number} is off by {error.max():.2f} at angle {place:.2f}, more than "
                f"{largest}. Does its arc reach farther than its training data, or close up?"
            )
        cover += inside
    if (cover == 0).any():
        raise Mistake(
            f"No chart covers the point at angle {angle[cover == 0][0]:.2f}: an atlas covers all."
        )
    if not (cover > 1).any():
        raise Mistake(
            "Your charts only touch. Open arcs that cover a circle overlap, and without an "
            "overlap there is no transition."
        )
    return f"Every point has a chart in which it is rebuilt to within {largest}."


def _dtype(function: Callable, otherwise: torch.dtype = torch.float32) -> torch.dtype:
    """That of a network's weights, so that networks of either precision can be handed over."""
    weights = function.parameters() if isinstance(function, torch.nn.Module) else ()
    return next((weight.dtype for weight in weights), otherwise)


def _insert(a: Tensor, i: int) -> Tensor:
    """A 1 at place `i`: `(count, 2) -> (count, 3)`."""
    return torch.cat([a[:, :i], torch.ones_like(a[:, :1]), a[:, i:]], dim=1)


def _drop(full: Tensor, j: int) -> Tensor:
    return torch.cat([full[:, :j], full[:, j + 1 :]], dim=1)


def _swiss_roll(place: Tensor) -> Tensor:
    """`(t, h) -> (t cos t, h, t sin t)`, for a batch."""
    t, h = place.unbind(-1)
    return torch.stack([t * t.cos(), h, t * t.sin()], dim=-1)


def _jacobian(encode: Callable[..., Tensor], places: Tensor, step: float = 1e-5) -> Tensor:
    """Of the encoder along `(t, h)`, by central differences: `(count, 2, 2)`."""
    columns = []
    for direction in step * torch.eye(2, dtype=places.dtype):
        ahead = attempt(encode, _swiss_roll(places + direction))
        behind = attempt(encode, _swiss_roll(places - direction))
        columns.append((ahead - behind) / (2 * step))
    return torch.stack(columns, dim=-1)


def _collision(
    places: Tensor, codes: Tensor, jacobian: Tensor, cell: Tensor
) -> tuple[list[float], list[float]] | None:
    """Two points far apart on the roll, the second with a code from the first one's grid cell.

    To first order the code c belongs to the place p + J(p)^{-1} (c - E(p)) near p.
    """
    steps = torch.einsum("iab,ijb->ija", torch.linalg.inv(jacobian), codes - codes[:, None])
    in_cell = (steps.abs() <= 0.55 * cell).all(-1)
    far = torch.cdist(places, places) > 2
    pairs = (in_cell & far).nonzero()
    if len(pairs) == 0:
        return None
    i, j = pairs[0].tolist()
    return places[i].tolist(), places[j].tolist()
