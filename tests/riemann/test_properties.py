"""What holds for every metric: checked on closed forms and on random smooth decoders."""

import closed_forms as known
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from geomlib.riemann import Curve, MatrixMetric, PullbackMetric

DOUBLE = torch.float64
SURFACES = {
    "sphere": lambda z: known.sphere(z + 1.5),
    "torus": known.torus,
    "paraboloid": known.paraboloid,
    "saddle": lambda z: torch.cat([z, z.prod(-1, keepdim=True)], dim=-1),
}
ACTIVATIONS = (nn.Tanh, nn.Softplus, nn.SiLU)

seeds = st.integers(0, 10_000)
few = settings(max_examples=5, deadline=None, derandomize=True)
fewer = settings(few, max_examples=3)  # what shoots geodesics


def random_decoder(seed: int) -> nn.Sequential:
    """2-16-16-n, smooth, with weights large enough to bend and small enough to be one sheet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        bend = ACTIVATIONS[seed % 3]
        outputs = 3 + seed % 20
        layers = [nn.Linear(2, 16), bend(), nn.Linear(16, 16), bend(), nn.Linear(16, outputs)]
    network = nn.Sequential(*layers).double().requires_grad_(False)
    network[0].weight *= 2
    return network


def draw(seed: int, *shape: int, scale: float = 0.5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=DOUBLE)


@st.composite
def maps(draw_from) -> tuple[object, int]:
    """A closed form or a random decoder, and a seed for points."""
    seed = draw_from(seeds)
    name = draw_from(st.sampled_from([*SURFACES, "decoder"]))
    return (random_decoder(seed) if name == "decoder" else SURFACES[name]), seed


def half_plane_points(seed: int, count: int) -> torch.Tensor:
    z = draw(seed, count, 2)
    return torch.stack([z[:, 0], z[:, 1].exp()], dim=-1)


HALF_PLANE = MatrixMetric(lambda z: torch.eye(2).to(z) / z[..., 1, None, None] ** 2)


@few
@given(maps())
def test_distance_is_symmetric_and_obeys_the_triangle_inequality(case):
    f, seed = case
    metric, (a, b, c) = PullbackMetric(f), draw(seed, 3, 4, 2, scale=0.3)
    there, back = metric.distance(a, b), metric.distance(b, a)
    assert_close(there, back, rtol=1e-6, atol=1e-9)
    assert (metric.distance(a, c) <= there + metric.distance(b, c) + 1e-7).all()
    assert_close(metric.distance(a, a), torch.zeros(4, dtype=DOUBLE))


@few
@given(seeds)
def test_the_half_plane_is_a_metric_space_with_the_known_distance(seed):
    a, b = half_plane_points(seed, 5), half_plane_points(seed + 1, 5)
    cosh = 1 + (a - b).square().sum(-1) / (2 * a[:, 1] * b[:, 1])
    assert_close(HALF_PLANE.distance(a, b), torch.acosh(cosh), rtol=1e-6, atol=1e-9)


@fewer
@given(maps())
def test_exp_undoes_log_and_log_undoes_exp(case):
    f, seed = case
    metric, (a, b) = PullbackMetric(f), draw(seed, 2, 3, 2, scale=0.3)
    v = metric.log(a, b)
    assert_close(metric.exp(a, v, tolerance=1e-10), b, rtol=0, atol=1e-6)
    assert_close(metric.log(a, metric.exp(a, v, tolerance=1e-10)), v, rtol=1e-5, atol=1e-6)
    assert_close(metric.norm(a, v), metric.distance(a, b), rtol=1e-5, atol=1e-8)


@fewer
@given(maps())
def test_a_shot_has_constant_speed_and_the_length_of_its_first_velocity(case):
    f, seed = case
    metric, (z, v) = PullbackMetric(f), draw(seed, 2, 3, 2, scale=0.25)
    curve = metric.shoot(z, v, torch.linspace(0, 1, 17, dtype=DOUBLE))
    speed = metric.norm(curve.points, curve.velocity())
    assert_close(speed, metric.norm(z, v)[:, None].expand_as(speed), rtol=1e-2, atol=1e-6)
    assert_close(curve.arc_length(), metric.norm(z, v), rtol=1e-4, atol=1e-8)


@few
@given(maps())
def test_transport_keeps_inner_products(case):
    f, seed = case
    metric, points = PullbackMetric(f), draw(seed, 3, 9, 2, scale=0.4)
    u, v = draw(seed + 1, 2, 3, 2)
    curve = Curve(points, metric)
    moved_u, moved_v = metric.transport(curve, u), metric.transport(curve, v)
    before = metric.inner(points[:, 0], u, v)[:, None]
    after = metric.inner(points, moved_u, moved_v)
    assert_close(after, before.expand_as(after), rtol=1e-9, atol=1e-9)


@fewer
@given(maps())
def test_a_geodesic_carries_its_own_velocity_along(case):
    f, seed = case
    metric, (z, v) = PullbackMetric(f), draw(seed, 2, 3, 2, scale=0.2)
    curve = metric.shoot(z, v, torch.linspace(0, 1, 33, dtype=DOUBLE))
    carried = metric.transport(curve, v)[:, -1]
    ahead = curve.velocity()[:, -1]
    assert (carried - ahead).norm() <= 1e-2 * ahead.norm() + 1e-6


@few
@given(maps())
def test_length_and_energy(case):
    f, seed = case
    metric = PullbackMetric(f)
    curve = Curve(draw(seed, 4, 5, 2), metric).resample(64)
    assert (curve.length() ** 2 <= 2 * curve.energy() * (1 + 1e-12)).all()
    even = curve.by_arc_length(256)
    assert_close(even.length() ** 2, 2 * even.energy(), rtol=1e-2, atol=0)
    assert_close(even.arc_length(), curve.arc_length(), rtol=1e-2, atol=0)
    a, b = draw(seed + 1, 2, 4, 2, scale=0.3)
    geodesic = metric.geodesic(a, b)
    assert geodesic.converged.all()
    assert_close(geodesic.arc_length(), metric.distance(a, b))
    assert (geodesic.energy() <= Curve.straight(a, b, metric).energy() * (1 + 1e-9)).all()


@few
@given(maps(), st.floats(0.2, 5))
def test_scaling_the_metric(case, c):
    f, seed = case
    metric, scaled = PullbackMetric(f), PullbackMetric(lambda z: c * f(z))
    a, b, u, v = draw(seed, 4, 3, 2, scale=0.3)
    assert_close(scaled.matrix(a), c**2 * metric.matrix(a))
    assert_close(scaled.connection(a, u, v), metric.connection(a, u, v), rtol=1e-7, atol=1e-9)
    assert_close(
        scaled.gaussian_curvature(a), metric.gaussian_curvature(a) / c**2, rtol=1e-6, atol=1e-9
    )
    assert_close(scaled.distance(a, b), c * metric.distance(a, b), rtol=1e-7, atol=1e-10)
    assert_close(scaled.volume(a), c**2 * metric.volume(a))


def random_diffeomorphism(seed: int):
    """Two waves, each along one axis and so invertible, then a regular matrix."""
    one, two, size, other = draw(seed, 4, scale=0.8).tolist()
    turn = torch.linalg.matrix_exp(draw(seed + 1, 2, 2))

    def h(z: torch.Tensor) -> torch.Tensor:
        x, y = z.unbind(-1)
        x = x + 0.5 * one * (2 * size * y).sin()
        y = y + 0.5 * two * (2 * other * x).cos()
        return torch.stack([x, y], dim=-1) @ turn.T

    return h


@fewer
@given(maps())
def test_a_change_of_the_latent_chart_changes_no_geometry(case):
    f, seed = case
    h = random_diffeomorphism(seed)
    old, new = PullbackMetric(lambda z: f(h(z))), PullbackMetric(f)
    z, v, b = draw(seed, 3, 3, 2, scale=0.2)
    image, pushed = torch.func.jvp(h, (z,), (v,))
    assert_close(old.norm(z, v), new.norm(image, pushed))
    assert_close(old.gaussian_curvature(z), new.gaussian_curvature(image), rtol=1e-6, atol=1e-8)
    jacobian = torch.func.vmap(torch.func.jacfwd(h))(z)
    assert_close(old.volume(z), new.volume(image) * torch.linalg.det(jacobian).abs())
    assert_close(old.distance(z, b), new.distance(image, h(b)), rtol=1e-6, atol=1e-9)
    ends = old.exp(z, v, tolerance=1e-10), new.exp(image, pushed, tolerance=1e-10)
    assert_close(h(ends[0]), ends[1], rtol=0, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_the_metric_alone_and_the_embedding_see_the_same_curvature(seed):
    network, z = random_decoder(seed), draw(seed, 5, 2)
    by_gauss = PullbackMetric(network).gaussian_curvature(z)
    alone = MatrixMetric(PullbackMetric(network).matrix).gaussian_curvature(z)
    assert_close(by_gauss, alone, rtol=1e-7, atol=1e-9)
    assert by_gauss.abs().max() > 1e-4
