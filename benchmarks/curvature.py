"""What does Gaussian curvature cost?

At 100 points of the decoder and of two surfaces whose curvature is known, float64. The *Gauss
equation* needs second derivatives of the map; *the metric alone* needs second derivatives of $G$,
which are third ones of the map. *Christoffel symbols, jacfwd* differentiates all of them at each
point. Geomstats is given one point.
"""

from functools import partial
from statistics import median

import plain
import torch
from boundary_geodesics import INNER, OUTER, torus
from common import Contest, Peer, begin, decoder, normal, progress, promise, ratio, table

from geomlib.riemann import MatrixMetric, PullbackMetric

POINTS, SHARPNESS = 100, 1.5
GAUSS, ALONE = "geomlib, Gauss equation", "geomlib, the metric alone"
JACFWD, GEOMSTATS = "Christoffel symbols, jacfwd", "geomstats 2.8.0"


def paraboloid(z: torch.Tensor) -> torch.Tensor:
    return torch.cat([z, SHARPNESS / 2 * z.square().sum(-1, keepdim=True)], -1)


def contest(f, z: torch.Tensor) -> Contest:
    metric = PullbackMetric(f)
    entered = Contest()
    entered.enter(GAUSS, lambda: metric.gaussian_curvature(z))
    entered.enter(ALONE, lambda: MatrixMetric(metric.matrix).gaussian_curvature(z))
    entered.enter(JACFWD, lambda: torch.func.vmap(partial(plain.gaussian_curvature, f))(z))
    return entered


def main() -> None:
    rounds = begin(__doc__, rounds=3)
    network, z = decoder(), normal(POINTS, 2)
    progress(f"curvature at {POINTS} points; geomstats takes a while for one ...")
    on_decoder = contest(network, z)
    with Peer("geomstats", network) as geomstats:
        on_decoder.invite(GEOMSTATS, geomstats, "curvature", once=True, z=z[:1])
        times = on_decoder.run(rounds)
    truth = {
        "paraboloid": (paraboloid, SHARPNESS**2 / (1 + (SHARPNESS * z).square().sum(-1)) ** 2),
        "torus": (torus, z[:, 0].cos() / (INNER * (OUTER + INNER * z[:, 0].cos()))),
    }
    errors: dict[str, list[str]] = {name: [] for name in times}
    worst = 0.0
    for f, right in truth.values():
        surface = contest(f, z)
        surface.run(1)
        for name, found in surface.answers.items():
            error = (found - right).abs().max().item()
            errors[name].append(f"{error:.0e}")
            worst = max(worst, error)
    rows = []
    reference = [seconds / POINTS for seconds in times[GAUSS]]
    right = on_decoder.answers[GAUSS]
    for name, found in on_decoder.answers.items():
        each = [seconds / len(found) for seconds in times[name]]
        apart = (found.flatten() - right[: len(found)]).abs().max() / right.abs().max()
        row = [name, str(len(found)), f"{1e3 * median(each):.3g}", f"{ratio(each, reference):.3g}"]
        rows.append([*row, f"{apart:.0e}", *(errors[name] or ["", ""])])
    header = ["curvature", "points", "ms a point", "×", "apart", *(f"error, {n}" for n in truth)]
    title = f"Medians of {rounds} rounds; × and *apart* compare with the Gauss equation."
    table(title, header, rows)
    promise(f"closed forms within {worst:.0e}, 1e-10", worst <= 1e-10)
    factor = ratio(times[JACFWD], times[GAUSS])
    promise(f"the Gauss equation: {factor:.0f} times as fast as jacfwd, at least 3", factor >= 3)


if __name__ == "__main__":
    main()
