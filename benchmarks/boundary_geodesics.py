"""How long do 100 geodesics between given points take, and how good are they?

Promises, at 64 segments in float64: relative excess length below 1e-6 for every pair, less time
than StochMan's default, at least 30 times faster than a batched L-BFGS; with the first layer
scaled by 3, no pair wrong by 1e-3.

The excess is the length over that of geodesics with 128 segments. Lengths of all are those of
the splines through their nodes.
"""

import argparse

import torch
from common import StochMan, Time, decoder, interleave, progress, promise, ratio, table, timed

from geomlib.riemann import Curve, PullbackMetric

PAIRS, SEGMENTS, SHARP = 100, 64, 3.0
ENERGY_EVALUATIONS = 400  # where L-BFGS is stopped: it would go on for minutes


def end_points() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    a, b = 2 * torch.randn(2, PAIRS, 2, generator=generator, dtype=torch.float64)
    return a, b


def lbfgs(network, a, b) -> torch.Tensor:
    """Nodes of all pairs by one L-BFGS on the sum of their energies."""
    t = torch.linspace(0, 1, SEGMENTS + 1, dtype=a.dtype)[1:-1, None]
    inside = torch.lerp(a[:, None], b[:, None], t).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [inside],
        max_iter=ENERGY_EVALUATIONS,
        max_eval=ENERGY_EVALUATIONS,
        history_size=20,
        tolerance_grad=1e-9,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def nodes():
        return torch.cat([a[:, None], inside, b[:, None]], dim=1)

    def energy():
        optimiser.zero_grad()
        chords = network(nodes()).diff(dim=1)
        value = SEGMENTS / 2 * chords.square().sum()
        value.backward()
        return value

    optimiser.step(energy)
    return nodes().detach()


def competitors(network, a, b, stochman):
    """Timers that also keep the nodes they found in `found`."""
    found = {}
    seen, hidden = PullbackMetric(network), PullbackMetric(lambda z: network(z))

    def keep(name, nodes):
        found[name] = nodes

    def peer() -> Time:
        time, nodes = stochman("geodesics", a=a, b=b)
        keep("stochman 0.3.0, default", nodes)
        return time

    functions = {
        "straight line": lambda: Curve.straight(a, b, seen, SEGMENTS).points,
        "geomlib": lambda: seen.geodesic(a, b, segments=SEGMENTS).points,
        "geomlib, any callable": lambda: hidden.geodesic(a, b, segments=SEGMENTS).points,
        "L-BFGS, one batch": lambda: lbfgs(network, a, b),
    }
    timers = {
        name: timed(lambda name=name, f=function: keep(name, f()))
        for name, function in functions.items()
    }
    return timers | {"stochman 0.3.0, default": peer}, found


def excess(network, nodes, a, b) -> torch.Tensor:
    metric = PullbackMetric(network)
    reference = metric.geodesic(a, b, segments=128)
    assert reference.converged.all()
    return Curve(nodes, metric).arc_length() / reference.arc_length() - 1


def main(rounds: int) -> None:
    a, b = end_points()
    network, sharp = decoder(), decoder(first_layer=SHARP)
    slow = "L-BFGS, one batch"
    progress(f"100 geodesics, {rounds} rounds (L-BFGS takes one or two minutes, once) ...")
    with StochMan(network) as stochman:
        timers, found = competitors(network, a, b, stochman)
        times = interleave(timers, rounds, once=(slow,))
    with StochMan(sharp) as stochman:
        progress(f"the same with the first layer × {SHARP:g} ...")
        timers, found_sharp = competitors(sharp, a, b, stochman)
        for measure in timers.values():
            measure()
    rows, worst = [], {}
    for name, timing in times.items():
        error, error_sharp = excess(network, found[name], a, b), None
        error_sharp = excess(sharp, found_sharp[name], a, b)
        worst[name] = error.max().item(), int((error_sharp > 1e-3).sum())
        middle = [
            sorted(getattr(t, clock) for t in timing)[len(timing) // 2] for clock in Time._fields
        ]
        rows.append(
            [name, *(f"{seconds:.3g}" for seconds in middle)]
            + [f"{ratio(timing, times['geomlib'], clock):.1f}" for clock in Time._fields]
            + [f"{error.median():.0e}", f"{error.max():.0e}", str(worst[name][1])]
        )
    header = ["100 geodesics, float64", "s (wall)", "s (cpu)", "× (wall)", "× (cpu)"]
    header += ["excess median", "max", f"wrong at × {SHARP:g}"]
    table(f"Medians of {rounds} rounds, one thread; × is time over geomlib's", header, rows)
    largest, wrong = worst["geomlib"]
    promise(f"largest excess {largest:.0e}, below 1e-6", largest < 1e-6)
    peer = ratio(times["stochman 0.3.0, default"], times["geomlib"], "cpu")
    promise(f"stochman takes {peer:.1f} times as long, more than 1", peer > 1)
    factor = ratio(times[slow], times["geomlib"], "cpu")
    promise(f"L-BFGS takes {factor:.0f} times as long, at least 30", factor >= 30)
    promise(f"first layer × {SHARP:g}: {wrong} of {PAIRS} wrong by 1e-3, none", wrong == 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    main(parser.parse_args().rounds)
