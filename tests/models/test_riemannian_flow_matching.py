"""Flow matching on the sphere: closed forms of exp and log, the interpolant, and a learned flow."""

import pytest
import torch
from torch.func import jacfwd, vmap

from geomlib.models.riemannian_flow_matching import (
    SphereFlow,
    geodesic_interpolant,
    sphere_exp,
    sphere_log,
    uniform_on_sphere,
)
from geomlib.riemann import MatrixMetric

EAST, NORTH = torch.eye(3, dtype=torch.float64)[[0, 2]]


def points(*shape, seed=0, n=3):
    torch.manual_seed(seed)
    return uniform_on_sphere(torch.empty(*shape, n, dtype=torch.float64))


def angle(x, y):
    """Kahan's formula, which loses no digits near 0 or pi."""
    return 2 * torch.atan2((x - y).norm(dim=-1), (x + y).norm(dim=-1))


@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("seed", range(3))
def test_exp_undoes_log(n, seed):
    x, y = points(50, seed=seed, n=n), points(50, seed=seed + 10, n=n)
    v = sphere_log(x, y)
    torch.testing.assert_close(sphere_exp(x, v), y, atol=1e-12, rtol=0)
    torch.testing.assert_close(v.norm(dim=-1), angle(x, y), atol=1e-12, rtol=0)
    assert (x * v).sum(-1).abs().max() < 1e-12


def test_log_undoes_exp_within_half_a_turn():
    x = points(50)
    raw = torch.randn(50, 3, dtype=torch.float64)
    v = raw - (raw * x).sum(-1, keepdim=True) * x
    v = v / v.norm(dim=-1, keepdim=True) * torch.linspace(0, 3.1, 50, dtype=torch.float64)[:, None]
    torch.testing.assert_close(sphere_log(x, sphere_exp(x, v)), v, atol=1e-11, rtol=0)


def test_exp_is_that_of_the_solver_in_a_chart():
    """The half-plane of longitude and colatitude knows nothing of unit vectors."""

    def on_sphere(a):
        theta, phi = a.unbind(-1)
        return torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], dim=-1)

    def G(a):
        one = torch.ones_like(a[..., 0])
        return torch.diag_embed(torch.stack([one, a[..., 0].sin() ** 2], dim=-1))

    start, velocity = torch.tensor([[1.1, 0.4], [0.3, 0.5]], dtype=torch.float64)
    end = MatrixMetric(G).exp(start, velocity)
    v = jacfwd(on_sphere)(start) @ velocity
    torch.testing.assert_close(sphere_exp(on_sphere(start), v), on_sphere(end), atol=1e-6, rtol=0)


def test_batch_dimensions_lead_and_broadcast():
    x, y = points(4, 1), points(5, seed=1)
    v = sphere_log(x, y)
    assert v.shape == (4, 5, 3)
    assert sphere_exp(x, v).shape == (4, 5, 3)
    at, velocity = geodesic_interpolant(x, y, torch.linspace(0, 1, 5, dtype=torch.float64))
    assert at.shape == velocity.shape == (4, 5, 3)
    torch.testing.assert_close(sphere_log(x[2, 0], y[3]), v[2, 3])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(dtype):
    x, y = points(3).to(dtype), points(3, seed=1).to(dtype)
    at, velocity = geodesic_interpolant(x, y, torch.rand(3, dtype=dtype))
    assert sphere_log(x, y).dtype == sphere_exp(x, 0 * x).dtype == dtype
    assert at.dtype == velocity.dtype == SphereFlow().to(dtype).sample(2).dtype == dtype


def test_equal_points_have_log_zero_and_a_derivative():
    x = EAST.clone()
    assert torch.equal(sphere_log(x, x), torch.zeros(3, dtype=torch.float64))
    assert torch.equal(sphere_exp(x, 0 * x), x)
    tangent = torch.eye(3, dtype=torch.float64) - torch.outer(x, x)
    torch.testing.assert_close(jacfwd(lambda v: sphere_exp(x, v))(0 * x), torch.eye(3).double())
    torch.testing.assert_close(jacfwd(lambda y: sphere_log(x, y))(x), tangent)


def test_near_points_lose_no_digits():
    for size in (1e-3, 1e-8, 1e-14):
        v = sphere_log(EAST, sphere_exp(EAST, size * NORTH))
        torch.testing.assert_close(v, size * NORTH, rtol=1e-12, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_the_interpolant_has_constant_speed_and_its_velocity(seed):
    x0, x1 = points(40, seed=seed), points(40, seed=seed + 20)
    for time in (0.0, 0.3, 0.7, 0.95):
        t = torch.full((40,), time, dtype=torch.float64)
        x, velocity = geodesic_interpolant(x0, x1, t)
        by_hand = vmap(jacfwd(lambda s, a, b: geodesic_interpolant(a, b, s)[0]))(t, x0, x1)
        torch.testing.assert_close(velocity, by_hand, atol=1e-10, rtol=0)
        torch.testing.assert_close(velocity, sphere_log(x, x1) / (1 - time), atol=1e-10, rtol=0)
        torch.testing.assert_close(velocity.norm(dim=-1), angle(x0, x1), atol=1e-11, rtol=0)
        torch.testing.assert_close(angle(x0, x), time * angle(x0, x1), atol=1e-11, rtol=0)


def test_the_interpolant_ends_at_its_ends():
    x0, x1 = points(40), points(40, seed=1)
    for time, end in ((0.0, x0), (1.0, x1)):
        x, velocity = geodesic_interpolant(x0, x1, torch.full((40,), time, dtype=torch.float64))
        torch.testing.assert_close(x, end, atol=1e-12, rtol=0)
        assert torch.isfinite(velocity).all()


def test_a_known_interpolant():
    x, velocity = geodesic_interpolant(EAST, NORTH, torch.tensor(1 / 3, dtype=torch.float64))
    expected = torch.tensor([3**0.5 / 2, 0, 0.5], dtype=torch.float64)  # 30 degrees north
    torch.testing.assert_close(x, expected)
    direction = torch.tensor([-0.5, 0, 3**0.5 / 2], dtype=torch.float64)
    torch.testing.assert_close(velocity, torch.pi / 2 * direction)


def test_gradients_pass_gradcheck():
    x0, x1 = points(3), points(3, seed=1)

    def on_sphere(raw):  # so that every perturbed argument stays a unit vector
        return raw / raw.norm(dim=-1, keepdim=True)

    def interpolate(raw0, raw1, t):
        return geodesic_interpolant(on_sphere(raw0), on_sphere(raw1), t)

    t = torch.tensor([0.0, 0.4, 0.9], dtype=torch.float64)
    given = [a.clone().requires_grad_() for a in (x0, x1, t)]
    assert torch.autograd.gradcheck(interpolate, given)


@pytest.mark.parametrize("seed", range(3))
def test_a_flow_is_tangent_and_stays_on_the_sphere(seed):
    flow = SphereFlow(data_dim=4, hidden=16, seed=seed).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(3)  # fast enough for long steps
    x = points(100, seed=seed, n=4)
    velocity = flow.velocity(x, torch.rand(100, dtype=torch.float64))
    assert (velocity * x).sum(-1).abs().max() < 1e-13
    for steps in (5, 500):
        way = flow.transport(x, steps=steps)
        assert way.shape == (steps + 1, 100, 4) and torch.equal(way[0], x)
        assert (way.norm(dim=-1) - 1).abs().max() < 1e-12
    coarse, fine, finest = (flow.transport(x, steps=n)[-1] for n in (50, 100, 200))
    ratio = (coarse - fine).norm() / (fine - finest).norm()
    assert 1.7 < ratio < 2.4, "Euler's rule is of first order"


@pytest.mark.parametrize("seed", range(3))
def test_a_trained_flow_finds_a_cap(seed):
    torch.manual_seed(seed)
    raw = 0.3 * torch.randn(1000, 3)
    raw[:, 2] = 0
    data = sphere_exp(NORTH.float(), raw)
    flow = SphereFlow(hidden=32, seed=seed)
    losses = flow.fit(
        data, epochs=30, batch_size=200, learning_rate=5e-3, seed=seed, progress=False
    )
    assert losses[-1] < losses[0]
    sample = flow.sample(1000, seed=seed)
    torch.testing.assert_close(sample.norm(dim=-1), torch.ones(1000), atol=1e-5, rtol=0)
    cosine = sample[:, 2]
    assert cosine.mean() > 0.85, "the cap has 0.96, uniform points 0"


def test_the_best_flow_from_uniform_to_uniform_stands_still():
    """The mean of the conditional velocities at a point is fixed by its rotations, hence 0."""
    torch.manual_seed(0)
    x0, x1 = points(200_000), points(200_000, seed=1)
    x, velocity = geodesic_interpolant(x0, x1, torch.full((200_000,), 0.4, dtype=torch.float64))
    near = x[:, 2] > 0.9
    mean, spread = velocity[near].mean(0), velocity[near].norm(dim=-1).mean()
    assert near.sum() > 5000 and mean.norm() < 0.08 and spread > 1


def test_samples_repeat_with_the_seed():
    flow = SphereFlow()
    assert torch.equal(flow.sample(5, seed=3), flow.sample(5, seed=3))
    assert not torch.equal(flow.sample(5, seed=3), flow.sample(5, seed=4))


NAN = torch.full((3,), torch.nan, dtype=torch.float64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sphere_log(EAST, -EAST), "1 of the 1 pairs are antipodal"),
        (lambda: geodesic_interpolant(-EAST, EAST, torch.tensor(0.5).double()), "antipodal"),
        (lambda: sphere_log(EAST, 2 * EAST), "y leaves the unit sphere by up to 1: divide it"),
        (lambda: sphere_exp(2 * EAST, NORTH), "x leaves the unit sphere"),
        (lambda: sphere_exp(EAST, EAST), "v is not tangent at x, .* up to 1: project it first"),
        (lambda: sphere_exp(EAST, NORTH.float()), "x is torch.float64 but v is torch.float32"),
        (lambda: sphere_exp(EAST, NORTH[:2]), "x has 3 coordinates but v has 2"),
        (lambda: sphere_exp(EAST, NAN), "v holds NaN or infinite"),
        (lambda: sphere_log(points(4), points(3)), "the batch dimensions do not match"),
        (lambda: geodesic_interpolant(EAST, NORTH, torch.tensor(0.5)), "t is torch.float32"),
        (lambda: geodesic_interpolant(EAST, NORTH, NAN[0]), "t holds NaN"),
        (lambda: SphereFlow(data_dim=1), "data_dim = 1"),
        (lambda: SphereFlow(hidden=0), "hidden = 0"),
        (lambda: SphereFlow().fit(torch.zeros(0, 3)), "there is nothing to fit"),
        (lambda: SphereFlow().fit(torch.ones(5, 3)), "leaves the unit sphere"),
        (lambda: SphereFlow().fit(points(5)), "x is torch.float64 but the model is torch.float32"),
        (lambda: SphereFlow().fit(torch.ones(5, 4)), "this model takes rows of 3"),
        (lambda: SphereFlow().sample(0), "count = 0"),
        (lambda: SphereFlow().sample(5, steps=0), "steps = 0"),
        (lambda: SphereFlow().transport(2 * points(5).float()), "leaves the unit sphere"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
