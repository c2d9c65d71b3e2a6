"""How long does shooting geodesics take?

The exponential map at 100 points of the decoder, float64, all in one batch. The error is the
distance in latent space from the end points that torchdiffeq reaches at tolerance 1e-13. Rows
with Christoffel symbols take them from derivatives of $G$, batched by `vmap`, as one would without
a library (`plain.py`). Those that go point by point are given few points; Geomstats takes 4 steps
of RK4, because 20 of them take most of a minute.
"""

from statistics import median

import numpy as np
import plain
import torch
from common import (
    Contest,
    Peer,
    begin,
    decoder,
    normal,
    pace,
    progress,
    promise,
    ratio,
    spread,
    table,
)
from scipy.integrate import solve_ivp

from geomlib.riemann import PullbackMetric

POINTS, FEW = 100, 3
OURS = "geomlib, tolerance 1e-08"
PLAIN = "Christoffel symbols"


def by_scipy(network, z, v):
    """One point after the other, RK45 at tolerance 1e-8."""

    def motion(_, state):
        point, velocity = torch.as_tensor(state).unflatten(0, (2, -1))
        return torch.cat([velocity, plain.acceleration(network, point, velocity)]).numpy()

    def shoot(start):
        return solve_ivp(motion, (0, 1), start.numpy(), rtol=1e-8, atol=1e-8).y[:2, -1]

    return torch.as_tensor(np.stack([shoot(start) for start in torch.cat([z, v], dim=-1)]))


def contest(network, z, v, peers) -> Contest:
    contest = Contest()
    seen, hidden = PullbackMetric(network), PullbackMetric(lambda p: network(p))
    for tolerance in (1e-6, 1e-8):
        contest.enter(
            f"geomlib, tolerance {tolerance:.0e}", lambda t=tolerance: seen.exp(z, v, tolerance=t)
        )
    contest.enter(f"{OURS}, any callable", lambda: hidden.exp(z, v), once=True)
    for method, tolerance in (("dopri5", 1e-5), ("dopri5", 1e-9), ("dopri8", 1e-9)):
        contest.enter(
            f"{PLAIN}, torchdiffeq {method}, {tolerance:.0e}",
            lambda t=tolerance, m=method: plain.exp(network, z, v, t, m),
            once=True,
        )
    contest.enter(
        f"{PLAIN}, scipy RK45, 1e-08", lambda: by_scipy(network, z[:FEW], v[:FEW]), once=True
    )
    for name, (peer, points) in peers.items():
        contest.invite(name, peer, "exp", once=True, z=z[:points], v=v[:points])
    return contest


def main() -> None:
    rounds = begin(__doc__, rounds=3)
    z, v = normal(2, POINTS, 2)
    network = decoder()
    progress(f"exp of {POINTS} points ...")
    # folding is an isometry: the same end points for less work
    truth = plain.exp(PullbackMetric(network).folded().f, z, v, 1e-13, "dopri8")
    with (
        Peer("stochman", network) as stochman,
        Peer("latent_geometry", network) as latent_geometry,
        Peer("geomstats", network) as geomstats,
    ):
        peers = {
            "stochman 0.3.0, default": (stochman, FEW),
            "latent-geometry 1.1.0": (latent_geometry, FEW),
            "geomstats 2.8.0, RK4 in 4 steps": (geomstats, 1),
        }
        found = contest(network, z, v, peers)
        times = found.run(rounds)
    rows, largest = [], {}
    for name, end in found.answers.items():
        error = (end - truth[: len(end)]).norm(dim=-1)
        largest[name] = error.max().item()
        cost = pace(times[name], len(end), times[OURS], POINTS)
        rows.append([name, str(len(end)), *cost, *spread(error)])
    header = ["exponential map", "points", "ms a point", "×", "error, median", "largest"]
    title = f"Medians of {rounds} rounds; × is time over that of geomlib at tolerance 1e-8."
    table(title, header, rows)
    rivals = [
        name for name in times if "torchdiffeq" in name and largest[name] <= 2 * largest[OURS]
    ]
    rival = min(rivals, key=lambda name: median(times[name]), default="torchdiffeq")
    factor = ratio(times[rival], times[OURS]) if rivals else float("nan")
    promise(
        f"{factor:.1f} times as fast as the fastest of torchdiffeq with Christoffel symbols that "
        f"comes within twice the error ({rival}), at least 3",
        factor >= 3,
    )


if __name__ == "__main__":
    main()
