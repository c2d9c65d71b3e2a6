r"""How exact is parallel transport, and how long does it take?

One vector around a closed curve, float64: around 100 circles in the latent space of the decoder,
and on the unit sphere around a cap of radius 0.8, which turns the vector by the area of the cap,
$2\pi(1 - \cos 0.8) = 1.905648$. Geomlib and re-projection (Shao, Kumar and Fletcher, 2018: push
the vector forward, project it onto the next tangent plane, keep its length) know the curve by its
$N + 1$ nodes; torchdiffeq with Christoffel symbols (`plain.py`) knows it by formula, and at
tolerance 1e-12 it is the truth on the decoder. The error is the length of the difference over the
length of the vector; on the sphere it is that of the angle.
"""

import math

import plain
import torch
from boundary_geodesics import sphere
from common import Contest, begin, decoder, normal, pace, progress, promise, ratio, spread, table
from torch.func import jacfwd, vmap

from geomlib.riemann import Curve, PullbackMetric

CIRCLES, CAP = 100, torch.tensor(0.8, dtype=torch.float64)  # the radius of the cap
SEGMENTS = (16, 64, 256)


def ours(segments: int) -> str:
    return f"geomlib, N = {segments}"


def by_projection(f, nodes, v):
    """The scheme of Shao, Kumar and Fletcher, many curves at once."""
    jacobian = vmap(jacfwd(f))(nodes.flatten(0, 1)).unflatten(0, nodes.shape[:2])
    frames, triangles = torch.linalg.qr(jacobian)
    pushed = jacobian[:, 0] @ v[..., None]
    length = pushed.norm(dim=1, keepdim=True)
    for i in range(1, nodes.shape[1]):
        coordinates = frames[:, i].mT @ pushed  # in an orthonormal frame of the tangent plane
        coordinates = coordinates * length / coordinates.norm(dim=1, keepdim=True)
        pushed = frames[:, i] @ coordinates
    return torch.linalg.solve_triangular(triangles[:, -1], coordinates, upper=True)[..., 0]


def contest(f, path, v) -> Contest:
    """Everyone transports `v` around `path`, a function of time that also gives the velocity."""
    contest, metric = Contest(), PullbackMetric(f)
    for count in SEGMENTS:
        times = torch.linspace(0, 1, count + 1, dtype=v.dtype)
        nodes = torch.stack([path(t)[0] for t in times], dim=1)
        curve = Curve(nodes, metric)
        contest.enter(ours(count), lambda c=curve: metric.transport(c, v)[:, -1])
        contest.enter(f"re-projection, N = {count}", lambda n=nodes: by_projection(f, n, v))
    for tolerance in (1e-4, 1e-8):
        contest.enter(
            f"Christoffel symbols, torchdiffeq, {tolerance:.0e}",
            lambda t=tolerance: plain.transport(f, path, v, t),
            once=True,
        )
    return contest


def round_a_cap(t):
    """The rim of a cap of the sphere, clear of the poles, in colatitude and longitude."""

    def rim(angle):
        middle = torch.tensor([math.sin(1.4), 0.0, math.cos(1.4)], dtype=torch.float64)
        south = torch.tensor([math.cos(1.4), 0.0, -math.sin(1.4)], dtype=torch.float64)
        east = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
        x = CAP.cos() * middle + CAP.sin() * (angle.cos() * south + angle.sin() * east)
        return torch.stack([torch.acos(x[2]), torch.atan2(x[1], x[0])])

    angle = 2 * math.pi * torch.as_tensor(t, dtype=torch.float64)
    point, velocity = torch.func.jvp(rim, (angle,), (torch.full_like(angle, 2 * math.pi),))
    return point[None], velocity[None]


def circle(t):
    """Circles of radius 0.2 to 2, the centre of each its own."""
    radius = torch.linspace(0.2, 2, CIRCLES, dtype=torch.float64)[:, None]
    angle = torch.as_tensor(2 * math.pi * t, dtype=torch.float64)
    round_it = torch.stack([angle.cos(), angle.sin()])
    along = torch.stack([-angle.sin(), angle.cos()])
    return normal(CIRCLES, 2, seed=4) / 2 + radius * round_it, 2 * math.pi * radius * along


def on_the_sphere() -> dict[str, float]:
    """The error of each in the angle of the holonomy."""
    v = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    found = contest(sphere, round_a_cap, v)
    found.run(1)
    area, colatitude = 2 * math.pi * (1 - CAP.cos()), round_a_cap(0.0)[0][0, 0]
    errors = {}
    for name, end in found.answers.items():
        turned = torch.atan2(end[0, 1] * colatitude.sin(), end[0, 0])
        errors[name] = abs(math.remainder(turned - area, 2 * math.pi))
    return errors


def main() -> None:
    rounds = begin(__doc__, rounds=3)
    progress(f"transport around {CIRCLES} circles ...")
    network, v = decoder(), normal(CIRCLES, 2, seed=5)
    found = contest(network, circle, v)
    times = found.run(rounds)
    metric, start = PullbackMetric(network), circle(0.0)[0]
    # folding is an isometry: the same transport for less work
    truth = plain.transport(metric.folded().f, circle, v, 1e-12, "dopri8")
    on_sphere, largest, rows = on_the_sphere(), {}, []
    for name, end in found.answers.items():
        error = metric.norm(start, end - truth) / metric.norm(start, v)
        largest[name] = error.max().item()
        cost = pace(times[name], CIRCLES, times[ours(64)], CIRCLES)
        rows.append([name, *cost, *spread(error), f"{on_sphere[name]:.0e}"])
    header = ["parallel transport", "ms a curve", "×", "error, median", "largest", "on the sphere"]
    title = f"Medians of {rounds} rounds; × is time over that of geomlib with N = 64."
    table(title, header, rows)
    error = on_sphere[ours(64)]
    promise(f"holonomy of the sphere within {error:.0e} at N = 64, 1e-6", error <= 1e-6)
    rival = "Christoffel symbols, torchdiffeq, 1e-08"
    factor, worse = ratio(times[rival], times[ours(64)]), largest[ours(64)] / largest[rival]
    promise(
        f"{ours(64)}: {factor:.1f} times as fast as torchdiffeq at tolerance 1e-8, at least 3, "
        f"with {worse:.1f} times its error, at most 2",
        factor >= 3 and worse <= 2,
    )
    gain = largest["re-projection, N = 256"] / largest[ours(64)]
    promise(f"its error is {gain:.0f} times below re-projection's at N = 256, 10", gain >= 10)


if __name__ == "__main__":
    main()
