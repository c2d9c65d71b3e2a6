"""What does curvature cost, and is it right?

Gaussian curvature of 100 points, float64, by the second fundamental form (the Gauss equation:
`metric.gaussian_curvature`), from the metric alone (the *theorema egregium*:
`MatrixMetric(metric.matrix).gaussian_curvature`), and from the derivatives of Christoffel symbols
(`plain.py`). The paraboloid and the torus have it in closed form; on the decoder the truth is what
the Christoffel symbols give, and the error is relative to the largest curvature. Geomstats takes
four points.
"""

import plain
import torch
from boundary_geodesics import INNER, OUTER, torus
from common import Contest, Peer, begin, decoder, normal, pace, progress, promise, ratio, table

from geomlib.riemann import MatrixMetric, PullbackMetric

POINTS, FEW = 100, 4
GAUSS, ALONE = "geomlib, Gauss equation", "geomlib, from the metric alone"
PLAIN, GEOMSTATS = "derivatives of Christoffel symbols", "geomstats 2.8.0"


def paraboloid(z: torch.Tensor) -> torch.Tensor:
    return torch.cat([z, z.square().sum(-1, keepdim=True) / 2], dim=-1)


def of_the_paraboloid(z: torch.Tensor) -> torch.Tensor:
    return (1 + z.square().sum(-1)) ** -2


def of_the_torus(z: torch.Tensor) -> torch.Tensor:
    cos = z[..., 0].cos()
    return cos / (INNER * (OUTER + INNER * cos))


def contest(f, z) -> Contest:
    contest, metric = Contest(), PullbackMetric(f)
    contest.enter(GAUSS, lambda: metric.gaussian_curvature(z))
    contest.enter(ALONE, lambda: MatrixMetric(metric.matrix).gaussian_curvature(z))
    contest.enter(PLAIN, lambda: torch.func.vmap(lambda p: plain.gaussian_curvature(f, p))(z))
    return contest


def main() -> None:
    rounds = begin(__doc__, rounds=3)
    progress(f"curvature at {POINTS} points ...")
    network, z = decoder(), normal(POINTS, 2)
    hidden, folded = PullbackMetric(lambda p: network(p)), PullbackMetric(network).folded()
    found = contest(network, z)
    found.enter(f"{GAUSS}, folded", lambda: folded.gaussian_curvature(z))
    found.enter(f"{GAUSS}, any callable", lambda: hidden.gaussian_curvature(z))
    with Peer("geomstats", network) as geomstats:
        found.invite(GEOMSTATS, geomstats, "curvature", once=True, z=z[:FEW])
        times = found.run(rounds)
    errors = {}
    for f, exact in ((paraboloid, of_the_paraboloid), (torus, of_the_torus)):
        known = contest(f, z)
        known.run(1)
        for name, value in known.answers.items():
            errors[name, f] = (value - exact(z)).abs().max().item()
    truth, rows = found.answers[PLAIN], []
    for name, value in found.answers.items():
        off = (value - truth[: len(value)]).abs().max() / truth.abs().max()
        errors[name, network] = off.item()
        at = [errors.get((name, surface)) for surface in (network, paraboloid, torus)]
        cost = pace(times[name], len(value), times[GAUSS], POINTS)
        rows.append([name, *cost, *(f"{error:.0e}" if error is not None else "" for error in at)])
    header = ["Gaussian curvature", "ms a point", "×", "error on the decoder"]
    title = f"Medians of {rounds} rounds; × is time over that of the Gauss equation."
    table(title, [*header, "paraboloid", "torus"], rows)
    worst = max(errors[name, f] for name in (GAUSS, ALONE) for f in (paraboloid, torus))
    promise(f"paraboloid and torus within {worst:.0e} of the formula, 1e-12", worst <= 1e-12)
    factor = ratio(times[PLAIN], times[GAUSS])
    promise(f"{factor:.0f} times as fast as {PLAIN}, at least 5", factor >= 5)


if __name__ == "__main__":
    main()
