"""How does the cost grow?

Time for the metric matrices, the geodesics, the exponential map and the transport of a decoder,
against the batch, the latent dimension, the number of segments and the width of the widest hidden
layer, one at a time; the others stay at 100 points or pairs, 2 dimensions, 64 segments and 256
units. Memory is what a fresh process uses at most, less what it used before.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from common import Contest, begin, decoder, fresh, normal, peak_megabytes, progress, promise, table

from geomlib.riemann import Curve, PullbackMetric
from geomlib.teaching import figures

USUAL = {"batch": 100, "dimension": 2, "segments": 64, "width": 256}
GROWTH = {
    "batch": (10, 30, 100, 300, 1000),
    "dimension": (2, 3, 4, 6, 8),
    "segments": (16, 32, 64, 128, 256),
    "width": (64, 128, 256, 512, 1024),
}
MEMORY = ((100, 16), (100, 64), (400, 64), (400, 256), (1600, 64))  # pairs, segments


def tasks(batch: int, dimension: int, segments: int, width: int) -> dict[str, Callable]:
    network = decoder(latent=dimension, width=width)
    metric = PullbackMetric(network)
    a, v = normal(2, batch, dimension)
    b = a + 0.5 * v
    curve = Curve.straight(a, b, metric, segments)
    return {
        "matrix": lambda: metric.matrix(a),
        "geodesic": lambda: metric.geodesic(a, b, segments=segments).points,
        "exp": lambda: metric.exp(a, 0.5 * v, tolerance=1e-6),
        "transport": lambda: metric.transport(curve, v),
    }


def milliseconds(rounds: int, **size: int) -> dict[str, float]:
    contest = Contest()
    for name, task in tasks(**size).items():
        contest.enter(name, task, repeats=5 if name == "matrix" else 1)
    return {name: 1e3 * min(times) for name, times in contest.run(rounds).items()}


def report_peak(pairs: int, segments: int) -> None:
    """Print the megabytes that geodesics between so many pairs add."""
    metric = PullbackMetric(decoder())
    a, b = normal(2, pairs, 2)
    metric.geodesic(a[:2], b[:2], segments=16)
    before = peak_megabytes()
    metric.geodesic(a, b, segments=segments)
    print(peak_megabytes() - before)


def draw(growth: dict[str, dict[int, dict[str, float]]], path: Path) -> None:
    figures.use_style()
    figure, axes = figures.plt.subplots(1, 4, figsize=(12, 3.4), sharey=True)
    for ax, (quantity, measured) in zip(axes, growth.items(), strict=True):
        for marker, name in zip("os^D", next(iter(measured.values())), strict=True):
            ax.loglog(
                list(measured), [at[name] for at in measured.values()], marker=marker, label=name
            )
        ax.set(xlabel=quantity)
        ax.grid(alpha=0.3)
    axes[0].set(ylabel="milliseconds")
    axes[-1].legend()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("--plot", type=Path, help="where to draw the figure")
    plot = parser.parse_known_args()[0].plot
    rounds = begin(__doc__, rounds=2)
    growth: dict[str, dict[int, dict[str, float]]] = {}
    for quantity, sizes in GROWTH.items():
        progress(f"growing {quantity} ...")
        growth[quantity] = {
            size: milliseconds(rounds, **(USUAL | {quantity: size})) for size in sizes
        }
        names = list(growth[quantity][sizes[0]])
        rows = [
            [name, *(f"{growth[quantity][size][name]:.3g}" for size in sizes)] for name in names
        ]
        header = [f"milliseconds, by {quantity}", *map(str, sizes)]
        table(f"The fastest of {rounds} rounds.", header, rows)
    if plot:
        draw(growth, plot)
    progress("memory, in fresh processes ...")
    peak = partial(fresh, report_peak)
    megabytes = {size: peak(*size)[0] for size in MEMORY}
    rows = [[f"{n} pairs, {s} segments", f"{mb:.0f}"] for (n, s), mb in megabytes.items()]
    table("Geodesics of the decoder, float64.", ["memory", "MB"], rows)
    small, large = megabytes[(400, 64)], megabytes[(1600, 64)]
    promise(
        f"four times the pairs take {large / small:.1f} times the memory, at most 4.5: "
        "linear or less",
        large <= 4.5 * small,
    )
    small, large = megabytes[(400, 64)], megabytes[(400, 256)]
    promise(
        f"four times the segments take {large / small:.1f} times the memory, at most 4.5",
        large <= 4.5 * small,
    )


if __name__ == "__main__":
    main()
