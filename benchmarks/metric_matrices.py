"""How much does a metric matrix cost, in forward passes of the decoder, and in memory?

Promises: at most 5.5 forward passes at batch 1000 for any callable; 10,000 points under 1 GB.
"""

import argparse
import resource
import subprocess
import sys

import torch
from common import StochMan, decoder, interleave, progress, promise, ratio, table, timed

from geomlib.riemann import PullbackMetric

BATCHES = (1, 100, 1000, 10_000)
REVERSE_LIMIT = 100  # one backward pass for each of 784 outputs: minutes at batch 1000


def competitors(network, z, stochman):
    """Everything that computes J(z)ᵀJ(z), and the floors below it."""
    latent = z.shape[-1]
    repeats = max(1, 200 // len(z))
    metric = PullbackMetric(lambda points: network(points))  # any callable: nothing to look into
    stacked = z.repeat(1 + latent, 1)

    def by(jacobian):
        def matrix():
            J = torch.func.vmap(jacobian(network))(z)
            return J.mT @ J

        return matrix

    functions = {
        "forward": lambda: network(z),
        "1 + d forwards (floor)": lambda: network(stacked),
        "geomlib, any callable": lambda: metric.matrix(z),
        "vmap(jacfwd)": by(torch.func.jacfwd),
    }
    if len(z) <= REVERSE_LIMIT:
        functions["vmap(jacrev)"] = by(torch.func.jacrev)
    expected = metric.matrix(z)
    for name, function in list(functions.items())[2:]:
        torch.testing.assert_close(function(), expected, rtol=1e-4, atol=1e-5, msg=name)
    torch.testing.assert_close(stochman("matrices", z=z)[1], expected, rtol=1e-4, atol=1e-5)
    timers = {name: timed(function, repeats) for name, function in functions.items()}
    return timers | {"stochman 0.3.0, own layers": lambda: stochman("matrices", z=z)[0]}


def peak_memory(points: int) -> tuple[float, float]:
    """Megabytes of a fresh process: with torch and the decoder, and after the matrices."""
    command = [sys.executable, __file__, "--peak", str(points)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    before, after = map(float, output.split())
    return before, after


def report_peak(points: int) -> None:
    network, z = decoder(torch.float32), torch.randn(points, 2)
    PullbackMetric(network).matrix(z[:10])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    PullbackMetric(network).matrix(z)
    print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main(rounds: int) -> None:
    before, after = peak_memory(10_000)  # first: a child's peak starts at its parent's memory
    network = decoder(torch.float32)
    times = {}
    with StochMan(network) as stochman:
        for batch in BATCHES:
            progress(f"batch {batch} ...")
            z = torch.randn(batch, 2, generator=torch.Generator().manual_seed(batch))
            times[batch] = interleave(competitors(network, z, stochman), rounds)
    rows = []
    for name in times[1]:
        row = [name]
        for batch in BATCHES:
            timing = times[batch].get(name)
            row.append(f"{1e3 * sorted(timing)[len(timing) // 2].wall:.3g}" if timing else "")
        for clock in ("wall", "cpu"):
            forward, timing = times[1000]["forward"], times[1000].get(name)
            row.append(f"{ratio(timing, forward, clock):.2f}" if timing else "")
        rows.append(row)
    header = ["metric matrices, float32, ms", *(f"B = {batch}" for batch in BATCHES)]
    table(f"Medians of {rounds} rounds, one thread", [*header, "× (wall)", "× (cpu)"], rows)
    cost = ratio(times[1000]["geomlib, any callable"], times[1000]["forward"], "cpu")
    promise(f"{cost:.2f} forward passes at batch 1000, at most 5.5", cost <= 5.5)
    promise(
        f"10,000 points peak at {after:.0f} MB, {before:.0f} of them torch, under 1000",
        after < 1000,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        report_peak(arguments.peak)
    else:
        main(arguments.rounds)
