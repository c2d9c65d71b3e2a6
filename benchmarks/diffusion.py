r"""What do the tangents of a diffusion chain cost?

A denoiser with three hidden layers (SiLU) and a skip connection, untrained, float32. First all
Jacobians of a chain of 50 steps at 16 samples in 64 dimensions, width 128, against the floor:
$n + 1$ forward passes a step, in one batch. Then the 8 leading singular triples of one step in 784
dimensions, width 256, against the whole Jacobian and its SVD. How long the search takes is up to
the spectrum: *decaying* scales the inputs by $k^{-1/2}$, *untrained* is the denoiser as it is, with
hundreds of singular values within a few percent of the first, the hardest case there is. One point
alone gains least: it is too little work at a time for the processor. Its products with vectors
take about a tenth (*decaying*) or a seventh (*untrained*) of the time of the whole by themselves,
so no search of this kind could be ten times as fast there.
"""

from functools import partial
from itertools import pairwise

import torch
from common import (
    Contest,
    begin,
    digits,
    fresh,
    normal,
    peak_megabytes,
    progress,
    promise,
    ratio,
    table,
)
from torch import Tensor, nn

from geomlib.riemann import TangentChain, singular_triples

STEPS, SAMPLES = 50, 16
LEADING = 8
LEAST_GAIN = 10
FLOOR = "n + 1 forward passes (floor)"
CHAIN, REVERSE = "TangentChain.jacobians", "vmap(jacrev)"
TRIPLES, DENSE = "singular_triples", "vmap(jacrev), then SVD"


class Step(nn.Module):
    r"""$D + (\sigma'/\sigma)(x - D)$ with $D = c_{skip}x + c_{out}F(c_{in}x, \sigma)$."""

    def __init__(self, network: nn.Module, sigma_from: float, sigma_to: float, scale: Tensor):
        super().__init__()
        self.network, self.scale = network, scale
        self.sigma_from, self.sigma_to = sigma_from, sigma_to

    def forward(self, x: Tensor) -> Tensor:
        total = 1 + self.sigma_from**2
        time = torch.full_like(x[..., :1], self.sigma_from).log()
        inside = self.scale * x / total**0.5
        output = self.network(torch.cat([inside, time], dim=-1))
        guess = self.scale * x / total + self.sigma_from / total**0.5 * output
        return guess + self.sigma_to / self.sigma_from * (x - guess)


def chain_steps(dimension: int, width: int, count: int, decaying: bool = False) -> list[Step]:
    """Steps from noise level 3 to 0.03 with one network, fixed seed."""
    torch.manual_seed(0)
    widths = [dimension + 1, width, width, width]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.SiLU()]
    network = nn.Sequential(*layers, nn.Linear(width, dimension)).requires_grad_(False)
    levels = torch.logspace(0.5, -1.5, count + 1).tolist()
    scale = torch.arange(1, dimension + 1) ** -0.5 if decaying else torch.ones(dimension)
    return [Step(network, *pair, scale) for pair in pairwise(levels)]


def jacobians(rounds: int) -> None:
    """Time of all Jacobians of the chain, against the floor."""
    n = 64
    steps = chain_steps(n, 128, STEPS)
    x = normal(SAMPLES, n, dtype=torch.float32)
    points = TangentChain(steps, x).points

    def floor() -> Tensor:
        return [f(at.repeat(n + 1, 1)) for f, at in zip(steps, points, strict=False)][-1]

    def reverse() -> Tensor:
        each = zip(steps, points, strict=False)
        return [torch.func.vmap(torch.func.jacrev(f))(at) for f, at in each][-1]

    contest = Contest()
    contest.enter(FLOOR, floor)
    contest.enter(CHAIN, lambda: TangentChain(steps, x).jacobians[-1])
    contest.enter(REVERSE, reverse)
    times = contest.run(rounds)
    torch.testing.assert_close(
        contest.answers[CHAIN], contest.answers[REVERSE], rtol=1e-4, atol=1e-5
    )
    rows = [
        [name, digits(1e3 * sorted(spent)[len(spent) // 2]), digits(ratio(spent, times[FLOOR]))]
        for name, spent in times.items()
    ]
    table(
        f"All Jacobians of {STEPS} steps at {SAMPLES} samples, n = {n}; {rounds} rounds.",
        ["way", "ms", "× the floor"],
        rows,
    )
    cost = ratio(times[CHAIN], times[FLOOR])
    promise(f"{CHAIN}: {cost:.2f} times the floor, at most 1.5", cost <= 1.5)


def triples(rounds: int) -> None:
    """Time and error of the leading triples, against the whole Jacobian."""
    rows, gains, worst = [], {}, 0.0
    for spectrum in ("decaying", "untrained"):
        step = chain_steps(784, 256, 4, spectrum == "decaying")[2]
        for batch in (1, SAMPLES):
            progress(f"singular triples, {spectrum}, batch {batch} ...")
            x = normal(batch, 784, dtype=torch.float32)

            def whole(step=step, x=x) -> Tensor:
                # one point at a time is the fastest here
                each = [svd(torch.func.vmap(torch.func.jacrev(step))(at)) for at in x.split(1)]
                return torch.cat([S for _, S, _ in each])[:, :LEADING]

            contest, repeats = Contest(), SAMPLES // batch  # as many points in both batches
            contest.enter(TRIPLES, partial(leading, step, x), repeats)
            contest.enter(DENSE, whole, repeats)
            times = contest.run(rounds)
            J = torch.func.vmap(torch.func.jacrev(step))(x).double()
            exact = torch.linalg.svdvals(J)
            error = (contest.answers[TRIPLES] / exact[:, :LEADING] - 1).abs().max().item()
            gain = ratio(times[DENSE], times[TRIPLES])
            gains[spectrum, batch], worst = gain, max(worst, error)
            turns = singular_triples(step, x, LEADING).iterations.max().item()
            fall = (exact[:, LEADING] / exact[:, 0]).median().item()
            each = [digits(1e3 * min(times[name]) / batch) for name in (TRIPLES, DENSE)]
            last = [digits(gain), str(turns), f"{error:.0e}"]
            rows.append([f"{spectrum}, B = {batch}", f"{fall:.2f}", *each, *last])
    header = ["spectrum", "s₉ / s₁", "ms a point", "whole, ms", "× faster", "blocks", "error"]
    table(f"The {LEADING} leading triples of a step, n = 784; {rounds} rounds.", header, rows)
    for (spectrum, batch), gain in gains.items():
        promise(
            f"{spectrum} spectrum, {batch} point{'s' * (batch > 1)}: {gain:.1f} times as fast as "
            f"{DENSE}, at least {LEAST_GAIN}",
            gain >= LEAST_GAIN,
        )
    promise(f"relative error of the values {worst:.0e}, at most 1e-4", worst <= 1e-4)


def leading(step: Step, x: Tensor) -> Tensor:
    return singular_triples(step, x, LEADING).S


def svd(J: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of one matrix. LAPACK can fail in float32 at a spectrum as flat as `untrained`."""
    try:
        return torch.linalg.svd(J)
    except torch.linalg.LinAlgError:  # but not at the same matrix the other way round
        U, S, Vh = torch.linalg.svd(J.mT)
        return Vh.mT, S, U.mT


def report_peak(task: str, batch: int) -> None:
    """Print megabytes before there is a network, and after one task with it."""
    tasks = {
        "forward": lambda step, x: step(x),
        TRIPLES: lambda step, x: singular_triples(step, x, LEADING),
        DENSE: lambda step, x: torch.linalg.svd(torch.func.vmap(torch.func.jacrev(step))(x)),
    }
    # what the first call loads is not counted
    tasks[task](chain_steps(300, 8, 4)[2], normal(1, 300, dtype=torch.float32))
    before = peak_megabytes()
    tasks[task](chain_steps(784, 256, 4, True)[2], normal(batch, 784, dtype=torch.float32))
    print(before, peak_megabytes())


def memory() -> None:
    """Peak memory with the network, against that of a forward pass."""
    rows, cost = [], {}
    for batch in (1, SAMPLES):
        beyond = {}
        for task in ("forward", TRIPLES, DENSE):
            progress(f"memory of {task}, batch {batch} ...")
            before, after = fresh(report_peak, task, batch)
            beyond[task] = after - before
        cost[batch] = beyond[TRIPLES] / beyond["forward"]
        rows.append([f"B = {batch}", *(digits(beyond[task]) for task in beyond)])
    table(
        "Peak memory beyond torch, in MB; weights and all else included.",
        ["points", "forward pass", TRIPLES, DENSE],
        rows,
    )
    for batch, times in cost.items():
        promise(
            f"{TRIPLES} of {batch} points: {times:.1f} times the memory of their forward pass, "
            "less than 10",
            times < 10,
        )


def main() -> None:
    rounds = begin(__doc__, rounds=5)
    jacobians(rounds)
    triples(rounds)
    memory()


if __name__ == "__main__":
    main()
