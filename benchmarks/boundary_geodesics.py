"""How long do geodesics between given points take, and how good are they?

100 pairs of points on the decoder, float64. The *excess* of a curve is its length over that of a
geodesic with 128 segments, less one; all lengths are those of splines through the nodes. The last
column counts the pairs that are more than a thousandth too long when the first layer's weights are
multiplied by 3, which makes a decoder that is hard to find ways on. L-BFGS minimises the energies
of all pairs in one problem and is stopped after 300 evaluations: at 64 segments it would go on for
minutes, at 16 it is almost done by then. Latent-geometry solves pair by pair, and is given two.
"""

from functools import partial

import numpy as np
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

from geomlib.riemann import Curve, PullbackMetric

PAIRS, FEW, SHARP = 100, 2, 3.0
SEGMENTS = (16, 24, 32, 64)
ENERGY_EVALUATIONS = 300
STOCHMAN, LATENT_GEOMETRY = "stochman 0.3.0, default", "latent-geometry 1.1.0"
OUTER, INNER = 2.0, 1.0  # radii of the torus


def ours(segments: int) -> str:
    return f"geomlib, {segments} segments"


def lbfgs_name(segments: int) -> str:
    return f"L-BFGS, {segments} segments"


def lbfgs(network, a, b, segments: int) -> torch.Tensor:
    """Nodes of all pairs by one L-BFGS on the sum of their energies."""
    t = torch.linspace(0, 1, segments + 1, dtype=a.dtype)[1:-1, None]
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
        value = segments / 2 * chords.square().sum()
        value.backward()
        return value

    optimiser.step(energy)
    return nodes().detach()


def contest(network, a, b, stochman) -> Contest:
    """All that is fast enough to take part on both decoders."""
    contest = Contest()
    seen, hidden = PullbackMetric(network), PullbackMetric(lambda z: network(z))
    contest.enter("straight line", lambda: Curve.straight(a, b, seen, 64).points)
    for count in SEGMENTS:
        contest.enter(ours(count), lambda n=count: seen.geodesic(a, b, segments=n).points)
    contest.enter(f"{ours(64)}, any callable", lambda: hidden.geodesic(a, b, segments=64).points)
    contest.invite(STOCHMAN, stochman, "geodesics", a=a, b=b)
    return contest


def excess(network, answers, a, b) -> dict[str, torch.Tensor]:
    metric = PullbackMetric(network)
    reference = metric.geodesic(a, b, segments=128)
    assert reference.converged.all()
    least = reference.arc_length()
    return {
        name: Curve(nodes, metric).arc_length() / least[: len(nodes)] - 1
        for name, nodes in answers.items()
    }


def reach(errors, target, share: float) -> str:
    """Our name with the fewest segments whose excess is below a share of the target's."""
    for count in SEGMENTS:
        error = errors[ours(count)]
        if error.median() <= share * target.median() and error.max() <= share * target.max():
            break
    return ours(count)


def on_the_decoder(rounds: int) -> None:
    a, b = 2 * normal(2, PAIRS, 2)
    network, sharp = decoder(), decoder(first_layer=SHARP)
    progress(f"{PAIRS} geodesics; L-BFGS takes a minute, once ...")
    with Peer("stochman", network) as stochman, Peer("latent_geometry", network) as latent_geometry:
        gentle = contest(network, a, b, stochman)
        gentle.invite(
            LATENT_GEOMETRY, latent_geometry, "geodesics", once=True, a=a[:FEW], b=b[:FEW]
        )
        for count in (16, 64):
            gentle.enter(
                lbfgs_name(count), lambda n=count: lbfgs(network, a, b, segments=n), once=True
            )
        times = gentle.run(rounds)
    progress(f"the same with the first layer × {SHARP:g} ...")
    with Peer("stochman", sharp) as stochman:
        steep = contest(sharp, a, b, stochman)
        for measure in steep.measures.values():
            measure()
    errors = excess(network, gentle.answers, a, b)
    wrong = {
        name: int((error > 1e-3).sum())
        for name, error in excess(sharp, steep.answers, a, b).items()
    }
    rows = []
    for name, error in errors.items():
        cost = pace(times[name], len(error), times[ours(64)], PAIRS)
        rows.append([name, str(len(error)), *cost, *spread(error), str(wrong.get(name, ""))])
    header = ["on the decoder", "pairs", "ms a pair", "×", "excess, median", "largest"]
    title = f"Medians of {rounds} rounds; × is time over that of geomlib with 64 segments."
    table(title, [*header, f"wrong at × {SHARP:g}"], rows)
    for rival, share, least in ((STOCHMAN, 0.01, 20), (lbfgs_name(64), 1.0, 100)):
        ours_then = reach(errors, errors[rival], share)
        better = errors[ours_then].median() <= share * errors[rival].median()
        better &= errors[ours_then].max() <= share * errors[rival].max()
        factor = ratio(times[rival], times[ours_then])
        promise(
            f"{ours_then}: {factor:.0f} times as fast as {rival}, at least {least}, with "
            f"{'a hundredth of' if share < 1 else 'no more than'} its excess",
            bool(better) and factor >= least,
        )
    count = wrong[ours(64)]
    promise(f"first layer × {SHARP:g}: {count} of {PAIRS} wrong by 1e-3, none", count == 0)


def sphere(z: torch.Tensor) -> torch.Tensor:
    """Colatitude and longitude."""
    sin, cos = z.sin(), z.cos()
    return torch.stack([sin[..., 0] * cos[..., 1], sin[..., 0] * sin[..., 1], cos[..., 0]], -1)


def torus(z: torch.Tensor) -> torch.Tensor:
    sin, cos = z.sin(), z.cos()
    radius = OUTER + INNER * cos[..., 0]
    return torch.stack([radius * cos[..., 1], radius * sin[..., 1], INNER * sin[..., 0]], -1)


def on_the_sphere() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pairs away from the poles and their true distance, the angle between them."""
    generator = torch.Generator().manual_seed(2)
    a, b = torch.rand(2, PAIRS, 2, generator=generator, dtype=torch.float64) * 2 + 0.5
    x, y = sphere(a), sphere(b)
    return a, b, torch.atan2(torch.linalg.cross(x, y).norm(dim=-1), (x * y).sum(-1))


def on_the_torus() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points, where the geodesics of length up to 2 that start there end, and these lengths.

    The geodesic equation of the torus by formula, to 1e-12; the injectivity radius is pi.
    """
    a, v = normal(2, PAIRS, 2, seed=3)
    length = torch.linspace(0.1, 2, PAIRS, dtype=torch.float64)
    scale = torch.stack([torch.full_like(length, INNER), OUTER + INNER * a[:, 0].cos()], -1)
    v = v / scale * (length / v.norm(dim=-1))[:, None]

    def motion(_, state):
        (u, _), (du, dw) = state.reshape(2, 2, PAIRS)
        radius, slope = OUTER + INNER * np.cos(u), -INNER * np.sin(u)
        turn = np.stack([radius * slope * dw**2 / INNER**2, -2 * slope / radius * du * dw])
        return np.concatenate([du, dw, *turn])

    start = torch.cat([a.T, v.T]).flatten().numpy()
    path = solve_ivp(motion, (0, 1), start, method="DOP853", rtol=1e-12, atol=1e-12)
    return a, torch.as_tensor(path.y[: 2 * PAIRS, -1]).reshape(2, PAIRS).T.contiguous(), length


def on_surfaces(rounds: int) -> None:
    rows, largest = [], {}
    for surface, (a, b, length) in ((sphere, on_the_sphere()), (torus, on_the_torus())):
        metric, name = PullbackMetric(surface), surface.__name__
        found = Contest()
        for count in SEGMENTS:
            connect = partial(metric.geodesic, a, b, segments=count)
            found.enter(ours(count), lambda connect=connect: connect().points)
        times = found.run(rounds)
        for entry, nodes in found.answers.items():
            error = (Curve(nodes, metric).arc_length() / length - 1).abs()
            largest[name] = error.max().item()  # of the last: the most segments
            each, _ = pace(times[entry], PAIRS, times[entry], PAIRS)
            rows.append([f"{name}: {entry}", each, *spread(error)])
    header = ["on surfaces", "ms a pair", "error of the length, median", "largest"]
    table(
        "Surfaces whose geodesics are known: 100 pairs on the unit sphere, in colatitude and "
        f"longitude, and 100 on the torus with radii {OUTER:g} and {INNER:g}.",
        header,
        rows,
    )
    for name, error in largest.items():
        promise(f"{name}: within {error:.0e} of the true length, 1e-7", error <= 1e-7)


def main() -> None:
    rounds = begin(__doc__, rounds=3)
    on_the_decoder(rounds)
    on_surfaces(rounds)


if __name__ == "__main__":
    main()
