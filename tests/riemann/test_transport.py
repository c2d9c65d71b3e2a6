"""Parallel transport: closed forms, inner products, holonomy."""

import math
from itertools import pairwise

import closed_forms as known
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from geomlib.riemann import Curve, ExpectedMetric, MatrixMetric, PullbackMetric


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


METRICS = {
    "decoder": PullbackMetric(known.decoder(scale=1.5)),
    "expected": ExpectedMetric(known.decoder(0), known.decoder(1)),
    "ambient": PullbackMetric(known.decoder(outputs=3), MatrixMetric(known.sphere_3_matrix)),
    "half-plane": known.half_plane,
    "sphere": PullbackMetric(known.sphere),
    "torus's matrix": MatrixMetric(known.torus_matrix),
}


@pytest.fixture(params=METRICS, ids=str)
def metric(request):
    return METRICS[request.param]


def wave(metric, segments=24):
    """A smooth curve, far from a geodesic, inside the domain of every metric here."""
    t = torch.linspace(0, 1, segments + 1, dtype=torch.float64)
    return Curve(torch.stack([1 + 0.4 * (3 * t).sin(), 1 + 0.3 * (4 * t).cos()], -1), metric)


def latitude(colatitude, segments):
    phi = torch.linspace(0, 2 * torch.pi, segments + 1, dtype=torch.float64)
    return torch.stack([torch.full_like(phi, colatitude), phi], -1)


def turn(metric, curve, v):
    """By what angle transport along a closed curve turns v, in [0, π]."""
    z = curve.points[0]
    end = metric.transport(curve, v)[-1]
    return torch.acos(metric.inner(z, v, end) / (metric.norm(z, v) * metric.norm(z, end)))


@pytest.mark.parametrize("colatitude", [0.8, 1.2, 2.0])
@pytest.mark.parametrize(
    "metric", [PullbackMetric(known.sphere), MatrixMetric(known.sphere_matrix)], ids=["f", "G"]
)
def test_holonomy_of_a_latitude(colatitude, metric):
    expected = 2 * math.pi * (1 - math.cos(colatitude))
    if colatitude == 0.8:
        assert abs(expected - 1.905648) < 1e-6
    angle = turn(metric, Curve(latitude(colatitude, 32), metric), tensor(0.3, 0.5))
    assert abs(angle.cos() - math.cos(expected)) < 1e-5
    # all the way: components in the frame (∂θ, ∂φ/sin θ) turn at the rate −cos θ
    curve = Curve(latitude(colatitude, 32), metric)
    moved = metric.transport(curve, tensor(1, 0))
    phi = curve.points[:, 1]
    angle = phi * math.cos(colatitude)
    expected = torch.stack([angle.cos(), -angle.sin() / math.sin(colatitude)], -1)
    assert_close(moved, expected, rtol=0, atol=1e-5)


def test_along_a_horocycle_of_the_half_plane():
    # along y = 1: V₁′ = V₂, V₂′ = −V₁
    t = torch.linspace(0, 3, 33, dtype=torch.float64)
    curve = Curve(torch.stack([t, torch.ones_like(t)], -1), known.half_plane, times=t)
    moved = known.half_plane.transport(curve, tensor(1, 0))
    assert_close(moved, torch.stack([t.cos(), -t.sin()], -1), rtol=0, atol=1e-6)


def test_the_error_falls_at_fourth_order(metric):
    v = tensor(0.4, -1.0)

    def end(segments):  # a cubic, which the spline reproduces
        t = torch.linspace(0, 1, segments + 1, dtype=torch.float64)
        nodes = torch.stack([1 + t - 1.2 * t**2, 1 + 0.8 * t**3 - t**2], -1)
        return metric.transport(Curve(nodes, metric), v)[-1]

    reference = end(128)
    errors = [(end(segments) - reference).norm().item() for segments in (6, 12, 24)]
    assert errors[-1] < 1e-6
    for before, after in pairwise(errors):
        assert before / after > 9 or after < 1e-10, errors


@pytest.mark.parametrize(
    "metric",
    [known.half_space, PullbackMetric(known.decoder(latent=3, scale=1.5))],
    ids=["hyperbolic", "decoder"],
)
def test_rotations_in_space_do_not_commute(metric):
    # in two dimensions they do, and the expansion's second term is zero
    v = tensor(0.4, -1.0, 0.3)

    def end(segments):
        t = torch.linspace(0, 1, segments + 1, dtype=torch.float64)
        nodes = torch.stack([1 + 2 * t - 3 * t**3, 2 * t**2 - t, 1 - t + 1.5 * t**2], -1)
        return metric.transport(Curve(nodes, metric), v)[-1]

    reference = end(128)
    errors = [(end(segments) - reference).norm().item() for segments in (6, 12, 24)]
    for before, after in pairwise(errors):
        assert before / after > 9, errors


def test_inner_products_are_kept_to_rounding(metric):
    u, v = torch.randn(2, 5, 2, dtype=torch.float64)
    curve = wave(metric, 6)  # coarse: the direction is rough, lengths and angles are not
    moved_u, moved_v = metric.transport(curve, u), metric.transport(curve, v)
    assert moved_u.shape == (5, 7, 2)
    assert_close(moved_u[:, 0], u)
    kept = metric.inner(curve.points, moved_u, moved_v)
    assert_close(kept, kept[:, :1].expand_as(kept), rtol=1e-10, atol=1e-11)


def test_transport_is_linear(metric):
    u, v = torch.randn(2, 2, dtype=torch.float64)
    curve = wave(metric)
    expected = 2 * metric.transport(curve, u) - 3 * metric.transport(curve, v)
    assert_close(metric.transport(curve, 2 * u - 3 * v), expected, rtol=1e-10, atol=1e-11)


def test_back_again_is_the_identity(metric):
    v = torch.randn(2, dtype=torch.float64)
    there = wave(metric, 16)
    back = Curve(there.points.flip(0), metric)
    returned = metric.transport(back, metric.transport(there, v)[-1])
    assert_close(returned[-1], v, rtol=1e-10, atol=1e-11)
    assert_close(returned.flip(0), metric.transport(there, v), rtol=1e-9, atol=1e-10)


def test_the_speed_at_which_the_curve_runs_does_not_matter(metric):
    v = tensor(0.4, -1.0)
    even = wave(metric, 64)
    t = torch.linspace(0, 1, 65, dtype=torch.float64)
    s = (t + t**2) / 2
    uneven = Curve(even(s), metric)
    stretched = Curve(even.points, metric, times=10 + 7 * t)
    assert_close(metric.transport(stretched, v), metric.transport(even, v), rtol=0, atol=1e-9)
    assert_close(metric.transport(uneven, v)[-1], metric.transport(even, v)[-1], rtol=0, atol=1e-6)
    known_times = Curve(uneven.points, metric, times=s)  # the same curve at other nodes
    assert_close(metric.transport(known_times, v)[-1], metric.transport(even, v)[-1], rtol=0,
                 atol=1e-6)  # fmt: skip


def test_a_geodesic_carries_its_own_velocity():
    z, v = tensor(0.9, 0.9), tensor(0.5, -0.4)
    for name in ("decoder", "half-plane", "torus's matrix"):
        metric = METRICS[name]
        curve = metric.shoot(z, v, torch.linspace(0, 1, 33))
        assert_close(metric.transport(curve, v), curve.velocity(), rtol=0, atol=2e-5)
        boundary = metric.geodesic(z, z + v)
        velocity = boundary.velocity()
        assert_close(metric.transport(boundary, velocity[0]), velocity, rtol=0, atol=2e-3)


def test_what_moves_in_the_target_moves_along_the_normal_alone():
    network = known.decoder(scale=1.5)
    metric = PullbackMetric(network)
    curve = wave(metric, 128)
    moved = metric.transport(curve, tensor(0.4, -1.0))
    field = known.push(network, curve.points, moved)  # (N+1, n), along the curve in the target
    change = (field[2:] - field[:-2]) * curve.segments / 2
    jacobian = torch.func.vmap(torch.func.jacfwd(network))(curve.points[1:-1])
    tangent = torch.linalg.qr(jacobian).Q.mT @ change[..., None]
    assert change.norm(dim=-1).min() > 0.01
    assert (tangent[..., 0].norm(dim=-1) < 0.01 * change.norm(dim=-1)).all()


def test_nothing_turns_in_flat_space():
    v = torch.randn(4, 3, dtype=torch.float64)
    metric = PullbackMetric(nn.Linear(3, 9).double())
    curve = Curve(torch.randn(12, 3, dtype=torch.float64), metric)
    assert_close(metric.transport(curve, v), v[:, None].expand(4, 12, 3))


@pytest.mark.parametrize("d", [1, 3, 5])
def test_other_dimensions(d):
    metric = PullbackMetric(known.decoder(latent=d))
    curve = Curve(torch.randn(3, 9, d, dtype=torch.float64), metric)
    u, v = torch.randn(2, 3, d, dtype=torch.float64)
    moved_u, moved_v = metric.transport(curve, u), metric.transport(curve, v)
    kept = metric.inner(curve.points, moved_u, moved_v)
    assert_close(kept, kept[:, :1].expand_as(kept), rtol=1e-9, atol=1e-10)
    if d == 1:  # a sign and a length are all there is
        norm = metric.norm(curve.points, torch.ones_like(curve.points))
        assert_close(moved_u[..., 0] * norm, (u * norm[:, :1]).expand(3, 9))


@pytest.mark.parametrize("space", ["sphere", "hyperbolic"])
def test_round_a_small_loop_by_the_curvature_times_the_area(space):
    # in a coordinate plane of a space of constant curvature ±1 and three dimensions
    G = known.sphere_3_matrix if space == "sphere" else known.half_space_matrix
    metric = MatrixMetric(G)
    t = torch.linspace(0, 2 * torch.pi, 65, dtype=torch.float64)
    circle = 0.05 * torch.stack([t.cos(), torch.zeros_like(t), t.sin()], -1)
    centre = tensor(0.2, 0.1, 0.9)
    curve = Curve(centre + circle, metric)
    scale = metric.norm(centre, tensor(1, 0, 0))
    angle = turn(metric, curve, tensor(1, 0, 0))
    assert_close(angle, math.pi * (0.05 * scale) ** 2, rtol=0.02, atol=0)
    # what is normal to the plane stays
    normal = metric.transport(curve, tensor(0, 1, 0))[-1]
    assert normal[1] > 0.95
    if space == "hyperbolic":  # the plane is totally geodesic
        assert_close(normal, tensor(0, 1, 0), rtol=0, atol=1e-9)


def test_a_batch_is_a_loop(metric):
    curves = Curve(0.8 + 0.5 * torch.rand(2, 3, 9, 2, dtype=torch.float64), metric)
    v = torch.randn(2, 3, 2, dtype=torch.float64)
    moved = metric.transport(curves, v)
    assert moved.shape == (2, 3, 9, 2)
    assert_close(moved[1, 2], metric.transport(Curve(curves.points[1, 2], metric), v[1, 2]))
    many = metric.transport(curves, v[:, :1])  # one vector for three curves
    assert_close(many[1, 0], moved[1, 0])
    frame = metric.transport(curves, torch.eye(2, dtype=torch.float64)[:, None, None])
    assert frame.shape == (2, 2, 3, 9, 2)
    combined = torch.einsum("bci,ibcnd->bcnd", v, frame)
    assert_close(combined, moved, rtol=1e-8, atol=1e-9)


def test_single_precision():
    metric = PullbackMetric(known.sphere)
    curve = Curve(latitude(0.8, 64).float(), metric)
    moved = metric.transport(curve, torch.tensor([1.0, 0.0]))
    assert moved.dtype == torch.float32
    angle = 2 * math.pi * math.cos(0.8)
    expected = torch.tensor([math.cos(angle), -math.sin(angle) / math.sin(0.8)])
    assert_close(moved[-1], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["decoder", "ambient", "sphere", "torus's matrix"])
def test_transport_is_differentiable_in_the_curve_and_the_vector(name):
    metric = METRICS[name]
    nodes = wave(metric, 4).points.requires_grad_(True)
    v = tensor(0.2, -0.4).requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda nodes, v: metric.transport(Curve(nodes, metric), v),
        (nodes, v), eps=1e-4, atol=2e-5, rtol=1e-4,
    )  # fmt: skip


def test_transport_is_differentiable_in_the_weights():
    network = known.decoder(outputs=60).requires_grad_(True)  # through the fold
    metric = PullbackMetric(network)
    curve, v, weight, step = wave(metric, 8), tensor(0.2, -0.4), network[4].weight, 1e-5
    (slope,) = torch.autograd.grad(metric.transport(curve, v)[-1].sum(), weight)
    direction = torch.randn_like(weight)
    with torch.no_grad():
        weight += step * direction
        ahead = metric.transport(curve, v)[-1].sum()
        weight -= 2 * step * direction
        behind = metric.transport(curve, v)[-1].sum()
    assert_close((slope * direction).sum(), (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("segments", [9, 65, 1001])
@pytest.mark.parametrize("beyond", [-0.5, -0.37])
def test_straight_across_a_pole_between_two_nodes(segments, beyond):
    """G alone cannot show that the direction of the longitude turns round there."""
    ends = torch.tensor([[0.5, 0.3], [beyond, 0.3]], dtype=torch.float64)
    metric = PullbackMetric(known.sphere)
    curve = Curve.straight(*ends, metric, segments)
    with pytest.warns(RuntimeWarning, match=r"1 of 1 curves .* cross a place where G loses rank"):
        metric.transport(curve, torch.tensor([0.0, 1.0], dtype=torch.float64))


def test_a_resolved_curve_near_a_pole_gives_no_warning(recwarn):
    a, b = torch.tensor([[0.05, 0.0], [0.05, 6.0]], dtype=torch.float64)
    metric = PullbackMetric(known.sphere)
    metric.transport(Curve.straight(a, b, metric), torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert not [entry for entry in recwarn if entry.category is RuntimeWarning]
