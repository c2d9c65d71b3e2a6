r"""What does a metric matrix cost?

In forward passes of the decoder, float32, and in memory. Every row computes $J(z)^\top J(z)$ at
$B$ points, and all agree. *Layers* takes the decoder as the `nn.Sequential` it is, *any callable*
hides it in a function, and *folded* works with `metric.folded()`, folded once beforehand. The floor
is what $1 + d$ forward passes cost in one batch. Geomstats and `vmap(jacrev)` are left out where
they would take minutes.
"""

from statistics import median

import torch
from common import (
    Contest,
    Peer,
    begin,
    decoder,
    digits,
    fresh,
    normal,
    peak_megabytes,
    progress,
    promise,
    ratio,
    table,
)

from geomlib.riemann import PullbackMetric

BATCHES = (1, 100, 1000, 10_000)
REVERSE_LIMIT = 100  # one backward pass for each of 784 outputs: minutes at batch 1000
GEOMSTATS_LIMIT = 10  # a tenth of a second a point
FLOOR = "1 + d forward passes (floor)"
FOLDED, LAYERS, ANY = "geomlib, folded", "geomlib, layers", "geomlib, any callable"


def contest(network, z, peers) -> Contest:
    """Everything that computes J(z)ᵀJ(z), and the floors below it."""
    contest, repeats = Contest(), max(1, 200 // len(z))
    folded, seen = PullbackMetric(network).folded(), PullbackMetric(network)
    hidden = PullbackMetric(lambda points: network(points))
    stacked = z.repeat(1 + z.shape[-1], 1)

    def by(jacobian):
        def matrix():
            J = torch.func.vmap(jacobian(network))(z)
            return J.mT @ J

        return matrix

    contest.enter("forward pass", lambda: network(z), repeats)
    contest.enter(FLOOR, lambda: network(stacked), repeats)
    contest.enter(FOLDED, lambda: folded.matrix(z), repeats)
    contest.enter(LAYERS, lambda: seen.matrix(z), repeats)
    contest.enter(ANY, lambda: hidden.matrix(z), repeats)
    contest.enter("vmap(jacfwd)", by(torch.func.jacfwd), repeats)
    if len(z) <= REVERSE_LIMIT:
        contest.enter("vmap(jacrev)", by(torch.func.jacrev), repeats)
    for name, peer in peers.items():
        if not name.startswith("geomstats") or len(z) <= GEOMSTATS_LIMIT:
            contest.invite(name, peer, "matrices", z=z)
    return contest


def report_peak(points: int) -> None:
    """Print megabytes with torch and the decoder, and after the matrices."""
    network, z = decoder(torch.float32), normal(points, 2, dtype=torch.float32)
    PullbackMetric(network).matrix(z[:10])
    before = peak_megabytes()
    PullbackMetric(network).matrix(z)
    print(before, peak_megabytes())


def main() -> None:
    rounds = begin(__doc__, rounds=9)
    network = decoder(torch.float32)
    times = {}
    with (
        Peer("stochman", network) as stochman,
        Peer("latent_geometry", network) as latent_geometry,
        Peer("geomstats", network) as geomstats,
    ):
        peers = {
            "stochman 0.3.0, its own layers": stochman,
            "latent-geometry 1.1.0": latent_geometry,
            "geomstats 2.8.0": geomstats,
        }
        for batch in BATCHES:
            progress(f"batch {batch} ...")
            z = normal(batch, 2, seed=batch, dtype=torch.float32)
            at = contest(network, z, peers)
            times[batch] = at.run(rounds)
            for name in list(at.answers)[2:]:
                right, found = at.answers[FOLDED], at.answers[name].float()
                torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-4, msg=name)
    rows = []
    for name in times[1]:
        at_each = [times[batch].get(name) for batch in BATCHES]
        row = [digits(1e3 * median(timing)) if timing else "" for timing in at_each]
        few, many = (
            digits(ratio(times[batch][name], times[batch]["forward pass"]))
            if name in times[batch]
            else ""
            for batch in (1, 1000)
        )
        rows.append([name, *row, few, many])
    header = ["metric matrices", *(f"ms, B = {batch:,}" for batch in BATCHES)]
    table(
        f"Medians of {rounds} rounds; × is time over that of a forward pass.",
        [*header, "× at 1", "× at 1,000"],
        rows,
    )
    for name, limit in ((FOLDED, 1.3), (LAYERS, 3.3), (ANY, 4.9)):
        cost = ratio(times[1000][name], times[1000]["forward pass"])
        promise(f"{name}: {cost:.2f} forward passes at B = 1000, at most {limit}", cost <= limit)
    before, after = fresh(report_peak, 10_000)
    promise(
        f"10,000 points peak at {after:.0f} MB, {before:.0f} of them torch, under 1000",
        after < 1000,
    )


if __name__ == "__main__":
    main()
