"""Exponential map, logarithm, Jacobi fields and conjugate points."""

import math
import warnings

import closed_forms as known
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from geomlib.riemann import ExpectedMetric, MatrixMetric, PullbackMetric


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture(autouse=True)
def warnings_are_errors():
    """No solver may grumble where a test does not expect it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def rand(*shape, low=0.0, high=1.0):
    return low + (high - low) * torch.rand(*shape, dtype=torch.float64)


SPHERES = {  # map to the unit sphere, metric, points
    "angles": (lambda z: known.sphere(z, 1), PullbackMetric(lambda z: known.sphere(z, 1)), 2),
    "angles' matrix": (
        lambda z: known.sphere(z, 1), MatrixMetric(lambda z: known.sphere_matrix(z, 1)), 2,
    ),
    "stereographic": (known.stereographic, MatrixMetric(known.stereographic_matrix), 2),
    "3-sphere": (known.sphere_3, PullbackMetric(known.sphere_3), 3),
    "3-sphere's matrix": (known.sphere_3, MatrixMetric(known.sphere_3_matrix), 3),
}  # fmt: skip


def great_circle(x, velocity, t=1.0):
    speed = velocity.norm(dim=-1, keepdim=True)
    return (speed * t).cos() * x + (speed * t).sin() * velocity / speed


@pytest.mark.parametrize("name", SPHERES)
def test_great_circles(name):
    f, metric, d = SPHERES[name]
    z, v = rand(6, d, low=0.8, high=1.2), rand(6, d, low=-0.7, high=0.7)
    x, velocity = f(z), known.push(f, z, v)
    assert_close(f(metric.exp(z, v)), great_circle(x, velocity), rtol=0, atol=1e-7)

    times = tensor(-0.5, 0.2, 0.3, 1.1)  # from z at the first of them
    curve = metric.shoot(z, v, times)
    assert curve.points.shape == (6, 4, d) and curve.metric is metric
    assert (curve.points[:, 0] == z).all() and (curve.times == times).all()
    for i, t in enumerate(times - times[0]):
        assert_close(f(curve.points[:, i]), great_circle(x, velocity, t), rtol=0, atol=1e-7)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_hyperbolic_space(d):
    z, v = rand(5, d, low=0.8, high=1.5), rand(5, d, low=-1, high=1)
    end = known.half_space.exp(z, v)
    length = v.norm(dim=-1) / z[:, -1]
    assert_close(known.half_space_distance(z, end), length, rtol=1e-6, atol=0)
    # straight up: y(t) = y e^{t v/y}
    up = torch.zeros(d).double()
    up[-1] = 0.7
    expected = z[0].clone()
    expected[-1] *= math.exp(0.7 / z[0, -1])
    assert_close(known.half_space.exp(z[0], up), expected, rtol=1e-7, atol=1e-9)
    # forth, and back with the velocity reversed
    times = torch.linspace(0, 1, 65)
    back = -known.half_space.shoot(z, v, times).velocity()[:, -1]
    assert_close(known.half_space.exp(end, back), z, rtol=0, atol=1e-4)


def test_clairaut_s_constant():
    metric = MatrixMetric(known.torus_matrix)
    z, v = rand(4, 2, low=-1), rand(4, 2, low=-1)
    curve = metric.shoot(z, v, torch.linspace(0, 2, 33))
    ring = known.torus_matrix(curve.points)[..., 1, 1]
    clairaut = ring * curve.velocity()[..., 1]
    assert_close(clairaut, clairaut[:, :1].expand_as(clairaut), rtol=0, atol=1e-3)
    speed = metric.norm(curve.points, curve.velocity())
    assert_close(speed, speed[:, :1].expand_as(speed), rtol=0, atol=1e-3)


def test_a_linear_decoder_shoots_straight():
    for d in (1, 2, 5):
        metric = PullbackMetric(nn.Linear(d, 9).double())
        z, v = torch.randn(2, 4, d, dtype=torch.float64)
        assert_close(metric.exp(z, v), z + v)
        assert_close(metric.log(z, z + v), v)


def test_a_geodesic_has_no_covariant_acceleration():
    # f(γ(t)) accelerates along the normal alone, whatever the decoder
    network = known.decoder(scale=1.5)
    metric, h = PullbackMetric(network), 1e-2
    z, v = 0.5 * torch.randn(2, 5, 2, dtype=torch.float64)
    curve = metric.shoot(z, v, tensor(-h, 0, h) + 1, tolerance=1e-12)
    before, middle, after = network(curve.points).unbind(-2)
    acceleration = (before - 2 * middle + after) / h**2
    jacobian = torch.func.vmap(torch.func.jacfwd(network))(curve.points[:, 1])
    tangent = (jacobian.mT @ acceleration[..., None])[..., 0]
    assert acceleration.norm(dim=-1).min() > 1e-3
    assert (tangent.norm(dim=-1) < 1e-3 * acceleration.norm(dim=-1)).all()


def test_the_tolerance_rules_the_error():
    f, metric, _ = SPHERES["stereographic"]
    z, v = tensor(0.3, 0.2), tensor(1.0, -0.4)
    exact = great_circle(f(z), known.push(f, z, v))
    errors = [
        (f(metric.exp(z, v, tolerance=tolerance)) - exact).norm()
        for tolerance in (1e-3, 1e-6, 1e-12)
    ]
    assert errors[0] < 1e-2 and errors[1] < 1e-5 and errors[2] < 1e-11
    assert errors[2] < errors[0] / 100


DECODERS = {
    "decoder": PullbackMetric(known.decoder(scale=1.5)),
    "narrow": PullbackMetric(known.decoder(outputs=10, activation=nn.SiLU)),
    "expected": ExpectedMetric(known.decoder(0), known.decoder(1, activation=nn.Softplus)),
    "ambient": PullbackMetric(known.decoder(outputs=3), MatrixMetric(known.sphere_3_matrix)),
    "half-plane": known.half_plane,
    "sphere": MatrixMetric(known.sphere_matrix),
}


@pytest.fixture(params=DECODERS, ids=str)
def metric(request):
    return DECODERS[request.param]


def near(count):
    """Points and short vectors inside the domain of every metric here."""
    return rand(count, 2, low=0.8, high=1.3), rand(count, 2, low=-0.3, high=0.3)


def test_a_batch_is_a_loop(metric):
    z, v = near(6)
    w, times = rand(6, 2), tensor(0, 0.4, 1)
    shape = (2, 3, 2)
    exp = metric.exp(z.reshape(shape), v.reshape(shape))
    assert exp.shape == shape
    field = metric.jacobi_field(z.reshape(shape), v.reshape(shape), w.reshape(shape), times)
    assert field.shape == (2, 3, 3, 2)
    log = metric.log(z.reshape(shape), exp)
    assert log.shape == shape
    for i in (0, 4):
        assert_close(exp.reshape(6, 2)[i], metric.exp(z[i], v[i]), rtol=0, atol=1e-7)
        alone = metric.jacobi_field(z[i], v[i], w[i], times)
        assert_close(field.reshape(6, 3, 2)[i], alone, rtol=0, atol=1e-6)
        assert_close(log.reshape(6, 2)[i], v[i], rtol=0, atol=1e-6)


def test_points_and_vectors_broadcast(metric):
    z, v = near(3)
    times = tensor(0, 1)
    all_v = metric.exp(z[:, None], v)
    assert all_v.shape == (3, 3, 2)
    assert_close(all_v[1, 2], metric.exp(z[1], v[2]), rtol=0, atol=1e-7)
    assert_close(metric.exp(z[1], v), all_v[1], rtol=0, atol=1e-7)
    assert metric.shoot(z[0], v, times).points.shape == (3, 2, 2)
    fields = metric.jacobi_field(z[0], v[0], v[:, None], times)
    assert fields.shape == (3, 1, 2, 2)
    assert_close(metric.log(z[1], all_v[1]), v, rtol=0, atol=1e-6)


def test_standing_still(metric):
    z, _ = near(3)
    assert (metric.exp(z, torch.zeros_like(z)) == z).all()
    assert_close(metric.log(z, z), torch.zeros_like(z), rtol=0, atol=1e-12)
    assert metric.conjugate_time(z[0], 0 * z[0], until=2.0, samples=16) == torch.inf


def test_single_precision(metric):
    if isinstance(metric, PullbackMetric) and isinstance(metric.f, nn.Module):
        network = known.decoder(scale=1.5).float()
        metric = PullbackMetric(network)
    z, v = (x.float() for x in near(4))
    end = metric.exp(z, v)
    results = [end, metric.log(z, end), metric.shoot(z, v, tensor(0, 1)).points]
    results += [metric.jacobi_field(z, v, v, tensor(0, 1)), metric.shoot(z, v, tensor(0, 1)).times]
    results += [metric.conjugate_time(z, v, until=1.0, samples=16)]
    assert {result.dtype for result in results} == {torch.float32}
    assert_close(results[1], v, rtol=0, atol=1e-3)


def test_the_derivative_of_exp_is_a_jacobi_field(metric):
    z, v = near(4)
    w, step = torch.randn(4, 2, dtype=torch.float64), 1e-4
    times = tensor(0, 0.3, 1)
    field = metric.jacobi_field(z, v, w, times, tolerance=1e-11)
    ahead, behind = (
        metric.shoot(z, v + s * step * w, times, tolerance=1e-12).points for s in (1, -1)
    )
    assert (field[:, 0] == 0).all()
    assert_close(field, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-7)
    # in the direction of motion, geodesics part at unit rate
    curve = metric.shoot(z, v, times, tolerance=1e-11)
    h = 1e-4
    along = metric.jacobi_field(z, v, v, times, tolerance=1e-11)[:, -1]
    around = metric.shoot(z, v, tensor(0, 1 - h, 1 + h), tolerance=1e-12).points
    assert_close(along, (around[:, 2] - around[:, 1]) / (2 * h), rtol=1e-5, atol=1e-7)
    assert_close(curve.points[:, -1], metric.exp(z, v), rtol=0, atol=1e-7)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_gauss_equation_and_the_third_derivatives_part_geodesics_alike(d):
    network = known.decoder(latent=d, scale=1.5)
    metric, few = PullbackMetric(network), PullbackMetric(network, chunk_size=2)
    z, v, w = torch.randn(3, 5, d, dtype=torch.float64)
    times = tensor(0, 0.4, 1)
    field = metric.jacobi_field(z, 0.5 * v, w, times)
    assert_close(few.jacobi_field(z, 0.5 * v, w, times), field, rtol=1e-9, atol=1e-10)
    inside = MatrixMetric(metric.matrix).jacobi_field(z, 0.5 * v, w, times)
    assert_close(field, inside, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", SPHERES)
def test_geodesics_of_a_sphere_part_like_the_sine(name):
    _, metric, d = SPHERES[name]
    z, v = rand(4, d, low=0.8, high=1.2), rand(4, d, low=-0.5, high=0.5)
    w = rand(4, d, low=-1)
    w = w - v * (metric.inner(z, v, w) / metric.inner(z, v, v))[:, None]  # normal to v
    times = tensor(0, 0.5, 1)
    curve = metric.shoot(z, v, times)
    size = metric.norm(curve.points, metric.jacobi_field(z, v, w, times))
    speed, first = metric.norm(z, v)[:, None], metric.norm(z, w)[:, None]
    assert_close(size, first * (speed * times).sin() / speed, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("d", [2, 3])
def test_geodesics_of_hyperbolic_space_part_like_the_hyperbolic_sine(d):
    metric = known.half_space
    z, v, w = rand(3, 4, d, low=0.5, high=1.0)
    w = w - v * (metric.inner(z, v, w) / metric.inner(z, v, v))[:, None]
    times = tensor(0, 0.5, 1)
    curve = metric.shoot(z, v, times)
    size = metric.norm(curve.points, metric.jacobi_field(z, v, w, times))
    speed, first = metric.norm(z, v)[:, None], metric.norm(z, w)[:, None]
    assert_close(size, first * (speed * times).sinh() / speed, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("speed", [0.7, 2.0])
def test_the_antipode_is_conjugate(speed):
    equator, along = tensor(torch.pi / 2, 0.0), tensor(0.0, speed)
    two, three = MatrixMetric(known.sphere_matrix), MatrixMetric(known.sphere_3_matrix)
    found = two.conjugate_time(equator, along, until=4 / speed, samples=24)
    assert abs(found - math.pi / speed) < 1e-4
    # on the 3-sphere a plane of fields vanishes at once; |w| = 1 is a great circle of unit speed
    found = three.conjugate_time(
        tensor(1, 0, 0), speed * tensor(0, 1, 0), until=4 / speed, samples=24
    )
    assert abs(found - math.pi / speed) < 1e-4
    assert two.conjugate_time(equator, along, until=3.1 / speed, samples=24) == torch.inf


def test_conjugate_points_of_the_torus():
    # K = 1/(r(R + r)) on the outer equator, R + r = 2.7: the first at π/√K
    metric = MatrixMetric(known.torus_matrix)
    start = torch.zeros(2, 2, dtype=torch.float64)
    found = metric.conjugate_time(
        start, tensor(0, 1) * tensor(1, 2)[:, None], until=2.0, samples=32
    )
    expected = math.pi * math.sqrt(0.7 * 2.7) / 2.7
    assert_close(found, tensor(expected, expected / 2), rtol=1e-3, atol=0)
    # the inner equator bends the other way
    inner = tensor(torch.pi, 0)
    assert metric.conjugate_time(inner, tensor(0, 1), until=4.0, samples=16) == torch.inf


def test_no_curvature_or_negative_curvature_has_no_conjugate_points():
    z, v = rand(3, 2, low=0.5), rand(3, 2, low=-0.5, high=0.5)
    for metric in (known.half_plane, PullbackMetric(known.saddle), PullbackMetric(lambda z: z)):
        assert (metric.conjugate_time(z, v, until=4.0, samples=16) == torch.inf).all()
    one = PullbackMetric(known.decoder(latent=1))
    assert one.conjugate_time(tensor(0.3), tensor(0.5), until=2.0, samples=16) == torch.inf


def test_the_logarithm_is_the_geodesic_s_velocity(metric):
    a, _ = near(5)
    b, _ = near(5)
    velocity = metric.log(a, b)
    assert_close(metric.exp(a, velocity), b, rtol=0, atol=1e-7)
    assert_close(metric.norm(a, velocity), metric.distance(a, b), rtol=1e-5, atol=0)


def test_the_logarithm_of_a_great_circle():
    f, metric, _ = SPHERES["stereographic"]
    a, b = rand(2, 6, 2, low=-1)
    x, y = f(a), f(b)
    angle = torch.acos((x * y).sum(-1, keepdim=True))
    expected = angle / angle.sin() * (y - angle.cos() * x)
    assert_close(known.push(f, a, metric.log(a, b)), expected, rtol=1e-6, atol=1e-8)


def test_initial_decides_which_logarithm():
    # round the torus' tube one way or the other
    metric = MatrixMetric(known.torus_matrix)
    a, b = tensor(-2.0, 0.0), tensor(2.0, 0.3)
    other = b - tensor(2 * torch.pi, 0)
    way = metric.log(a, b, initial=metric.geodesic(a, b))
    assert way[0] > 0 > metric.log(a, other)[0]
    assert_close(known.torus(metric.exp(a, way)), known.torus(b), rtol=0, atol=1e-6)


GRADIENTS = {
    "torus": MatrixMetric(known.torus_matrix),
    "sphere's matrix": MatrixMetric(known.sphere_matrix),
    "decoder": PullbackMetric(known.decoder(scale=1.5)),
    "ambient": PullbackMetric(known.decoder(outputs=3), MatrixMetric(known.sphere_3_matrix)),
}


def right_gradient(f, *inputs):
    inputs = tuple(x.clone().requires_grad_(True) for x in inputs)
    return torch.autograd.gradcheck(f, inputs, eps=1e-4, atol=2e-5, rtol=1e-4, fast_mode=True)


@pytest.mark.parametrize("name", GRADIENTS)
def test_exp_and_log_are_differentiable(name):
    metric = GRADIENTS[name]
    a, b, v = tensor(1.0, 0.3), tensor(1.4, 0.8), tensor(0.2, -0.4)
    assert right_gradient(lambda z, v: metric.exp(z, v, tolerance=1e-13), a, v)
    assert right_gradient(metric.log, a, b)


def test_jacobi_fields_are_differentiable():
    metric = GRADIENTS["sphere's matrix"]
    z, v, w = tensor(1.0, 0.3), tensor(0.2, -0.4), tensor(0.5, 0.6)

    def end(v):
        return metric.jacobi_field(z, v, w, tensor(0, 1), tolerance=1e-10)[1]

    assert right_gradient(end, v)


def test_the_logarithm_of_coinciding_points_is_differentiable():
    # log_a b = b − a to first order, also where another pair of the batch is apart
    metric = GRADIENTS["decoder"]
    a = tensor(1.0, 0.3).expand(2, 2).clone().requires_grad_(True)
    b = torch.stack([tensor(1.0, 0.3), tensor(1.2, 0.1)]).requires_grad_(True)
    to_a, to_b = torch.autograd.grad(metric.log(a, b)[0, 0], (a, b))
    assert_close(to_b, torch.tensor([[1.0, 0.0], [0.0, 0.0]]).double(), rtol=0, atol=1e-6)
    assert_close(to_a, -to_b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("outputs", [10, 60], ids=["not folded", "folded"])
def test_gradients_reach_the_weights(outputs):
    network = known.decoder(scale=1.5, outputs=outputs).requires_grad_(True)
    metric = PullbackMetric(network)
    a, b, v = tensor(0.5, 0.3), tensor(-0.3, 0.8), tensor(0.7, -0.9)
    step = 1e-5
    for weight in (network[0].weight, network[4].weight):
        for quantity in (
            lambda: metric.exp(a, v, tolerance=1e-12).sum(),
            lambda: metric.log(a, b).sum(),
            lambda: metric.distance(a, b),
        ):
            (slope,) = torch.autograd.grad(quantity(), weight)
            direction = torch.randn_like(weight)
            with torch.no_grad():
                weight += step * direction
                ahead = quantity()
                weight -= 2 * step * direction
                behind = quantity()
                weight += step * direction
            numeric = (ahead - behind) / (2 * step)
            assert_close((slope * direction).sum(), numeric, rtol=1e-3, atol=1e-5)
