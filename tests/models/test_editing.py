"""Local bases, transport and shooting on maps whose pull-back geometry is known."""

import math
import warnings
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from geomlib.models import LocalBasis, bridge, edit, shoot, transport
from geomlib.riemann import Curve, PullbackMetric, principal_angles

DOUBLE = torch.float64


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def linear(s, m, n, seed=0):
    U = torch.linalg.qr(draw(m, len(s), seed=seed)).Q
    V = torch.linalg.qr(draw(n, len(s), seed=seed + 1)).Q
    s = torch.tensor(s, dtype=DOUBLE)
    return lambda x: x @ (U * s @ V.mT).mT, U, V


def sphere(x):
    """Latitude and longitude on the unit sphere; a third coordinate that it does not see."""
    u, v = x[..., 0], x[..., 1]
    return torch.stack([u.cos() * v.cos(), u.cos() * v.sin(), u.sin()], -1)


def bottleneck(n=6, m=3, seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(n, 16), nn.SiLU(), nn.Linear(16, m))
    return net.double().requires_grad_(False)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("n", [8, 400])
def test_a_linear_map_has_one_basis_everywhere(n, seed):
    h, U, V = linear([8.0, 4.0, 2.0, 1.0], 300, n, seed)
    basis = LocalBasis(h, draw(3, n), k=2)
    assert_close(basis.S, torch.tensor([8.0, 4.0]).double().expand(3, 2), rtol=1e-5, atol=0)
    assert_close(basis.gaps, torch.full((3, 2), 2.0).double(), rtol=1e-4, atol=0)
    assert principal_angles(basis.U, U[:, :2]).max() < 1e-2
    assert principal_angles(basis.V, V[:, :2]).max() < 1e-2
    v = draw(3, n, seed=5)
    assert_close(transport(v, basis, basis), basis.project(v), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_push_lift_project_and_norm(seed):
    h, x, v = bottleneck(seed=seed), draw(4, 6, seed=seed), draw(4, 6, seed=seed + 1)
    basis = LocalBasis(h, x, k=3)
    J = torch.func.vmap(torch.func.jacrev(h))(x)
    assert_close(basis.push(v), (J @ v[..., None])[..., 0])
    assert_close(basis.norm(v), PullbackMetric(h).norm(x, v))
    assert_close(basis.lift(basis.push(v)), basis.project(v))
    assert_close(basis.push(basis.project(v)), basis.push(v))
    assert_close(J @ basis.V, basis.U * basis.S[..., None, :])


def test_transport_keeps_lengths_and_undoes_itself_where_the_spans_agree():
    R = torch.linalg.qr(draw(3, 3)).Q

    def h(x):  # the Jacobian changes from point to point, its image is all of H
        return (x @ R.mT).sinh()

    one, other = (LocalBasis(h, draw(5, 3, seed=seed), k=3) for seed in (1, 2))
    v = draw(5, 3, seed=3)
    moved = transport(v, one, other)
    assert_close(other.norm(moved), one.norm(v))
    assert_close(other.push(moved), one.push(v))
    assert_close(transport(moved, other, one), v)


def test_transport_along_a_great_circle_tends_to_parallel_transport():
    """It keeps the angle to a geodesic, here the equator: first order in the step."""
    errors = []
    for steps in (10, 20, 40):
        v = torch.tensor([0.6, 0.8], dtype=DOUBLE)
        times = torch.linspace(0, 1, steps + 1, dtype=DOUBLE)
        bases = [LocalBasis(sphere, torch.stack([0 * t, t]), 2, min_gap=1) for t in times]
        for here, there in pairwise(bases):
            v = transport(v, here, there)
        errors.append((v[0] - 0.6).abs())
    assert errors[-1] < 0.01
    assert errors[0] > 1.7 * errors[1] > 2.8 * errors[2]


@pytest.mark.parametrize("direction", [(1.0, 0.0), (0.3, 0.9), (-0.5, 1.0)])
def test_shooting_on_the_sphere_tends_to_the_great_circle(direction):
    x = torch.tensor([0.4, 0.1, 7.0], dtype=DOUBLE)
    v = torch.tensor([*direction, 0.0], dtype=DOUBLE)
    metric = PullbackMetric(lambda z: sphere(z))
    length = metric.norm(x[:2], v[:2])
    p = sphere(x)
    velocity = torch.func.jvp(sphere, (x,), (v,))[1]
    end = length.cos() * p + length.sin() * velocity / length
    errors = []
    for steps in (20, 40, 80):
        path = shoot(sphere, x, v, 2, steps=steps)
        errors.append((sphere(path.points[-1]) - end).norm())
        assert_close(path.points[..., 2], torch.full((steps + 1,), 7.0).double())
        assert LocalBasis(sphere, path.points[-1], 2).norm(path.velocity).sub(length).abs() < 1e-9
        assert path.kept > 0.98
    assert errors[-1] < 0.05
    exact = errors[0] < 1e-12  # a meridian is straight in this chart
    assert exact or errors[0] > 1.6 * errors[1] > 2.5 * errors[2]
    straight = (sphere(x + v) - end).norm()
    assert straight > 3 * errors[-1] or straight < 1e-6


def test_shooting_in_a_flat_metric_is_the_straight_line():
    h, _, _ = linear([3.0, 2.0], 4, 5)
    x, v = draw(2, 5), draw(2, 5, seed=1)
    path = shoot(h, x, v, 2, steps=4)
    expected = x + LocalBasis(h, x, 2).project(v)
    assert_close(path.points[..., -1, :], expected)
    assert_close(path.kept, torch.ones(2, dtype=DOUBLE))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_bridge_is_straight_in_h_and_shorter_there(seed):
    h = bottleneck(seed=seed)
    a, b = draw(6, seed=seed), draw(6, seed=seed + 1)
    path = bridge(h, a, b, 3, steps=64)
    target = h(b)
    assert (h(path.points[-1]) - target).norm() < 0.02 * (h(a) - target).norm()
    assert_close(path.kept, torch.ones((), dtype=DOUBLE))
    metric = PullbackMetric(h)
    length = Curve(path.points, metric).length()
    assert length < 1.02 * (h(a) - target).norm()
    assert length < Curve.straight(a, b, metric, 64).length() * 1.001


def test_what_is_kept_is_the_least_along_the_way():
    def bent(x):  # straight, then a corner of 45 degrees, then straight
        return torch.cat([x, torch.nn.functional.softplus(40 * x) / 40], -1)

    path = shoot(bent, torch.tensor([-1.0]).double(), torch.tensor([3.0]).double(), k=1)
    assert path.points[-1] > 0.5 and path.kept < 0.95


def test_a_bridge_on_a_curved_image_ends_short():
    a, b = (torch.tensor([0.0, v], dtype=DOUBLE) for v in (0.0, 2.0))
    path = bridge(sphere, a, b, 2)
    assert path.kept < 0.9  # part of the difference is normal to the sphere
    assert path.points.shape == (17, 2)


def test_an_edit_moves_by_its_size_and_then_denoises():
    x, v = draw(3, 4), draw(3, 4, seed=1)
    size = torch.tensor([0.0, 1.0, -2.0], dtype=DOUBLE)
    moved = edit(x, v, size)
    assert_close((moved - x).norm(dim=-1), size.abs())
    assert_close(edit(x, v, size, [torch.tanh, lambda y: 2 * y]), 2 * moved.tanh())


def test_an_edit_along_the_data_survives_the_steps_and_one_along_the_normal_does_not():
    """Gaussian data on a plane: D keeps the plane and kills the rest."""
    variances = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=DOUBLE)

    def denoise(x, sigma):
        return x * variances / (variances + sigma**2)

    def step(x, a, b):
        return denoise(x, a) + b / a * (x - denoise(x, a))

    sigmas = torch.linspace(0.5, 0.01, 30, dtype=DOUBLE).tolist()
    steps = [lambda x, a=a, b=b: step(x, a, b) for a, b in pairwise(sigmas)]
    x = draw(5, 4)
    basis = LocalBasis(lambda x: denoise(x, 0.5), x, 2)
    along, off = basis.V[..., 0], torch.eye(4, dtype=DOUBLE)[3]
    before = edit(x, along, 0.0, steps)
    assert (edit(x, along, 0.3, steps) - before).norm(dim=-1).min() > 0.25
    assert (edit(x, off.expand(5, 4), 0.3, steps) - before).norm(dim=-1).max() < 0.05


def test_close_values_have_no_names():
    h, _, _ = linear([2.0, 1.99, 1.0, 0.2], 5, 6)
    with pytest.warns(RuntimeWarning, match=r"s_1 / s_2 is 1\.01"):
        LocalBasis(h, draw(6), 1)
    basis = LocalBasis(h, draw(6), 3)
    for i in (0, 1):
        with pytest.warns(RuntimeWarning, match=rf"value {i} is within a factor 1\.01"):
            basis.direction(i)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        basis.direction(2)


def test_more_directions_than_the_rank():
    h, _, _ = linear([2.0, 1.0], 5, 6)
    with pytest.warns(RuntimeWarning, match=r"k = 3 .* rank 2 .* Take k = 2"):
        LocalBasis(h, draw(6), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LocalBasis(h, draw(6), 2).gaps[-1] > 1e10
    with pytest.raises(ValueError, match=r"R\^6 to R\^5 has 5"):
        LocalBasis(h, draw(6), 6)


def test_a_direction_without_counterpart():
    near = LocalBasis(lambda x: x[..., :1] * torch.tensor([1.0, 0.01]).double(), draw(3), 1)
    far = LocalBasis(lambda x: x[..., :1] * torch.tensor([0.0, 1.0]).double(), draw(3), 1)
    gone = LocalBasis(lambda x: x[..., :1] * torch.tensor([-0.01, 1.0]).double(), draw(3), 1)
    with pytest.warns(RuntimeWarning, match=r"only 0\.01 of a vector's length"):
        transport(near.V[..., 0], near, far)
    with pytest.raises(ValueError, match="nothing to transport"):
        transport(torch.zeros(3, dtype=DOUBLE), near, gone)


def test_bad_requests():
    h, x = bottleneck(), draw(6)
    basis = LocalBasis(h, x, 2)
    other = LocalBasis(lambda x: x, draw(6), 2, min_gap=0.5)
    with pytest.raises(ValueError, match=r"R\^3 but end one of R\^6"):
        transport(x, basis, other)
    with pytest.raises(ValueError, match=r"v has 5 coordinates but start.x has 6"):
        transport(draw(5), basis, basis)
    with pytest.raises(ValueError, match="directions 0 to 1"):
        basis.direction(2)
    with pytest.raises(ValueError, match="direction is zero"):
        edit(x, 0 * x, 1.0)
    with pytest.raises(ValueError, match="float32"):
        edit(x, x.float(), 1.0)
    for path in (shoot, bridge):
        with pytest.raises(ValueError, match="steps = 0"):
            path(h, x, x, 2, steps=0)
    with pytest.raises(ValueError, match="NaN"):
        LocalBasis(h, x * math.nan, 2)
