r"""How does the cost grow?

Seconds of the processor for metric matrices, geodesics, the exponential map and transport on the
decoder, float64, as one quantity grows and the others stay at 64 points (or pairs, or curves), 2
latent dimensions, 32 segments and a last hidden layer of 256. An exponent $p$ says that the
cost grows as the power $p$ over the upper half of the range. Geodesics join points of a normal
distribution; in $d$ dimensions the points are scaled by $\sqrt{2/d}$, so that they stay as far
apart. Memory is the peak of a process of its own, beyond torch and the decoder.
"""

import math
from statistics import median

import torch
from common import (
    HERE,
    Contest,
    begin,
    decoder,
    fresh,
    normal,
    peak_megabytes,
    progress,
    promise,
    table,
)
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from geomlib.riemann import Curve, PullbackMetric
from geomlib.teaching.figures import COLOURS, MARKERS, use_style

FIGURES = HERE.parent / "book" / "benchmarks"
OPERATIONS = ("matrix", "geodesic", "exp", "transport")
USUAL = {"batch": 64, "dimension": 2, "segments": 32, "width": 256}
RANGES = {
    "batch": (1, 8, 64, 512),
    "dimension": (2, 4, 8, 16),
    "segments": (8, 16, 32, 64, 128),
    "width": (64, 128, 256, 512, 1024),
}
AXES = {
    "batch": "points, pairs or curves at once",
    "dimension": "latent dimensions",
    "segments": "segments of a curve",
    "width": "width of the last hidden layer",
}
NODES = ((64, 16), (256, 16), (256, 64), (1024, 64))  # pairs and segments


def operations(batch: int, dimension: int, segments: int, width: int) -> Contest:
    """The four operations at one size."""
    metric = PullbackMetric(decoder(latent=dimension, width=width))
    a, b, v = math.sqrt(2 / dimension) * normal(3, batch, dimension)
    curve = Curve.straight(a, b, metric, segments)
    contest = Contest()
    contest.enter("matrix", lambda: metric.matrix(a), repeats=max(1, 64 // batch))
    contest.enter("geodesic", lambda: metric.geodesic(a, b, segments=segments).points)
    contest.enter("exp", lambda: metric.exp(a, v / 4, tolerance=1e-6))
    contest.enter("transport", lambda: metric.transport(curve, v)[:, -1])
    return contest


def costs(quantity: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each operation at each size; those that do not depend on it are left out."""
    free = {"segments": ("matrix", "exp")}.get(quantity, ())
    found: dict[str, list[float]] = {}
    for size in RANGES[quantity]:
        progress(f"{quantity} {size} ...")
        contest = operations(**{**USUAL, quantity: size})
        for name in free:
            del contest.measures[name]
        for name, seconds in contest.run(rounds).items():
            found.setdefault(name, []).append(1e3 * median(seconds))
    return found


def exponent(sizes, values) -> float:
    """The slope of the least-squares line through the upper half, in logarithms."""
    half = len(sizes) // 2
    x = torch.tensor(sizes[half - 1 :], dtype=torch.float64).log()
    y = torch.tensor(values[half - 1 :], dtype=torch.float64).log()
    return (((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()).item()


def draw(sizes, found: dict[str, list[float]], x: str, y: str) -> Figure:
    figure, ax = plt.subplots(figsize=(6, 4))
    top = max(values[-1] for values in found.values())
    guide = [top * size / sizes[-1] for size in sizes]
    ax.loglog(sizes, guide, color="grey", linestyle=":", label="in proportion")
    for name, values in found.items():
        look = OPERATIONS.index(name) if name in OPERATIONS else 0
        ax.loglog(sizes, values, color=COLOURS[look], marker=MARKERS[look], label=name)
    ax.set_xticks(sizes, labels=[f"{size:,}" for size in sizes])
    ax.xaxis.minorticks_off()
    ax.set(xlabel=x, ylabel=y)
    ax.legend(loc="best", fontsize=9)
    return figure


def show(figure: Figure, name: str, caption: str, alt: str) -> None:
    """Save the figure beside the page, and print what includes it."""
    FIGURES.mkdir(exist_ok=True)
    figure.savefig(FIGURES / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)
    print(
        f"\n```{{figure}} benchmarks/{name}.svg\n:name: fig-{name}\n:alt: {alt}\n\n{caption}\n```"
    )


def grow(quantity: str, rounds: int) -> dict[str, float]:
    """Plot one quantity; return the exponents."""
    sizes, found = RANGES[quantity], costs(quantity, rounds)
    powers = {name: exponent(sizes, values) for name, values in found.items()}
    said = ", ".join(f"{name} {power:.1f}" for name, power in powers.items())
    show(
        draw(sizes, found, AXES[quantity], "milliseconds of the processor"),
        f"cost-{quantity}",
        f"Time against the {AXES[quantity]}: nothing grows faster than the power "
        f"{max(powers.values()):.1f} of it.",
        f"Logarithmic plot of time against the {AXES[quantity]}. Over the upper half the cost "
        f"grows with these powers: {said}.",
    )
    return powers


def report_peak(pairs: int, segments: int) -> None:
    """Print megabytes with torch and the decoder, and after the geodesics."""
    metric = PullbackMetric(decoder())
    a, b = normal(2, pairs, 2)
    metric.geodesic(a[:2], b[:2], segments=segments)
    before = peak_megabytes()
    metric.geodesic(a, b, segments=segments)
    print(before, peak_megabytes())


def memory() -> None:
    """Plot the peak of geodesics against batch times segments, and promise that it is linear."""
    sizes, beyond = [pairs * segments for pairs, segments in NODES], []
    for pairs, segments in NODES:
        progress(f"memory of {pairs} geodesics with {segments} segments ...")
        before, after = fresh(report_peak, pairs, segments)
        beyond.append(after - before)
    show(
        draw(sizes, {"peak": beyond}, "pairs × segments", "megabytes beyond torch and decoder"),
        "cost-memory",
        "Peak memory of geodesics against the number of their nodes.",
        f"Logarithmic plot of peak memory, from {beyond[0]:.0f} to {beyond[-1]:.0f} megabytes.",
    )
    rows = [
        [f"{pairs} pairs, {segments} segments", f"{pairs * segments:,}", f"{megabytes:.0f}"]
        for (pairs, segments), megabytes in zip(NODES, beyond, strict=True)
    ]
    table("Peak memory of geodesics.", ["size", "nodes", "MB"], rows)
    growth, factor = beyond[-1] / beyond[-2], sizes[-1] / sizes[-2]
    promise(
        f"at the upper end {factor:.0f} times as many nodes take {growth:.1f} times the memory, at "
        f"most {1.1 * factor:.1f}",
        growth <= 1.1 * factor,
    )


def main() -> None:
    rounds = begin(__doc__, rounds=3)
    use_style()
    powers = {quantity: grow(quantity, rounds) for quantity in RANGES}
    rows = [
        [name, *(f"{powers[q][name]:.2f}" if name in powers[q] else "" for q in RANGES)]
        for name in powers["batch"]
    ]
    table("The exponents.", ["cost of", *(f"in {quantity}" for quantity in RANGES)], rows)
    for quantity, limit in (("batch", 1.1), ("segments", 1.2)):
        name, power = max(powers[quantity].items(), key=lambda item: item[1])
        promise(f"{quantity}: the steepest is {name}, {power:.2f}, {limit}", power <= limit)
    memory()


if __name__ == "__main__":
    main()
