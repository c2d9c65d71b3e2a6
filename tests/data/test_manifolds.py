"""Image manifolds: what is glued, what is told apart, and the metrics that are known."""

import math

import pytest
import torch
from torch.testing import assert_close

from geomlib.data import KleinBottlePatches, PeriodicBlob, RigidBody, RotatingShape
from geomlib.riemann import PullbackMetric

MANIFOLDS = [RotatingShape(16), PeriodicBlob(16), RigidBody(16), KleinBottlePatches(8)]
every_manifold = pytest.mark.parametrize("manifold", MANIFOLDS, ids=lambda m: type(m).__name__)
SEEDS = (0, 1, 2)


def wrapped(angles):
    return torch.remainder(angles + math.pi, 2 * math.pi) - math.pi


def apart(manifold, p):
    """How far two parameters are apart on the manifold, in radians: `(count, count)`."""
    if isinstance(manifold, RigidBody):
        return 2 * (p @ p.T).abs().clamp(max=1).acos()
    copies = torch.cat([p[None], manifold.symmetries(p)])
    return torch.stack([wrapped(copy[:, None] - p).norm(dim=-1) for copy in copies]).amin(0)


@every_manifold
def test_pictures_are_rows_of_pixels(manifold):
    x, p = manifold.sample(30)
    assert x.shape == (30, manifold.side**2) == (30, manifold.data_dim)
    assert p.shape == (30, manifold.parameter_dim)
    assert x.dtype == p.dtype == torch.float32
    batch = manifold.render(p.double().reshape(5, 6, -1))
    assert batch.shape == (5, 6, manifold.data_dim) and batch.dtype == torch.float64
    assert_close(batch.reshape(30, -1).float(), x)
    assert manifold.render(p[0]).shape == (manifold.data_dim,)
    assert 0.1 < x.abs().max() < 4  # grey values


@every_manifold
def test_glued_parameters_have_one_picture(manifold):
    for seed in SEEDS:
        p = manifold.sample(200, seed)[1].double()
        copies = manifold.symmetries(p)
        assert (copies - p).abs().amax((1, 2)).min() > 0.5  # other parameters indeed
        same = manifold.render(p).expand(len(copies), -1, -1)
        assert_close(manifold.render(copies), same, rtol=0, atol=1e-12)


def test_half_a_turn_of_the_klein_bottle_is_needed_in_both_angles():
    klein = KleinBottlePatches(5)
    p = klein.sample(100)[1].double()
    theta, phi = p.unbind(-1)
    for other in ([theta + math.pi, phi], [theta, -phi], [theta + math.pi, math.pi - phi]):
        difference = klein.render(p) - klein.render(torch.stack(other, -1))
        assert difference.norm(dim=-1).median() > 1


@every_manifold
def test_nothing_else_is_glued(manifold):
    for seed in SEEDS:
        p = manifold.sample(600, seed)[1].double()
        pictures = torch.cdist(manifold.render(p), manifold.render(p))
        distance = apart(manifold, p)
        off = ~torch.eye(len(p), dtype=torch.bool)
        assert (pictures[off] / distance[off]).min() > 0.1


@every_manifold
def test_the_picture_map_is_an_immersion(manifold):
    for seed in SEEDS:
        p = manifold.sample(100, seed)[1].double()
        eigenvalues = torch.linalg.eigvalsh(PullbackMetric(manifold.render).matrix(p))
        count = manifold.parameter_dim - manifold.dimension
        assert eigenvalues[:, count:].min() > 0.5
        assert (eigenvalues[:, :count].abs() < 1e-10).all()  # the length of a quaternion


@pytest.mark.parametrize("side", [16, 24])
def test_the_speed_of_a_turning_shape_is_constant_and_known(side):
    shape = RotatingShape(side)
    angles = torch.linspace(0, 2 * math.pi, 300, dtype=torch.float64)[:, None]
    speed = PullbackMetric(shape.render).matrix(angles).flatten().sqrt()
    assert (speed / shape.speed - 1).abs().max() < 1e-4


def test_few_pixels_spoil_the_constant_speed():
    angles = torch.linspace(0, 2 * math.pi, 300, dtype=torch.float64)[:, None]
    spread = []
    for side in (8, 12, 16):
        shape = RotatingShape(side)
        speed = PullbackMetric(shape.render).matrix(angles).flatten().sqrt()
        spread.append((speed / shape.speed - 1).abs().max())
    assert spread[0] > 0.05 and spread[0] > 10 * spread[1] > 100 * spread[2]


@pytest.mark.parametrize(("side", "error"), [(16, 1e-6), (24, 1e-11)])
def test_the_torus_of_pictures_is_flat(side, error):
    torus = PeriodicBlob(side)
    p = torus.sample(200)[1].double()
    G = PullbackMetric(torus.render).matrix(p) / torus.scale**2
    assert_close(G, torch.eye(2).double().expand_as(G), rtol=0, atol=error)
    curvature = PullbackMetric(torus.render).gaussian_curvature(p[:20])
    assert (curvature * torus.scale**2).abs().max() < 1e4 * error


def hamilton(p, q):
    """The product of quaternions."""
    (a, v), (b, w) = ((r[..., :1], r[..., 1:]) for r in (p, q))
    real = a * b - (v * w).sum(-1, keepdim=True)
    return torch.cat([real, a * w + b * v + torch.linalg.cross(*torch.broadcast_tensors(v, w))], -1)


def orbit_speeds(body, q, axis, angles):
    """Speed of the picture while the body in attitude q is turned about an axis of space."""

    def turning(t):
        half = t / 2
        turn = torch.cat([half.cos(), half.sin() * axis], dim=-1)
        return body.render(hamilton(turn, q))

    return PullbackMetric(turning).matrix(angles).flatten().sqrt()


def test_only_turns_in_the_plane_of_the_picture_are_isometries():
    body = RigidBody(16)
    angles = torch.linspace(0, 2 * math.pi, 100, dtype=torch.float64)[:, None]
    x_axis, _, z_axis = torch.eye(3, dtype=torch.float64)
    for seed in SEEDS:
        q = body.sample(1, seed)[1][0].double()
        along, across = (orbit_speeds(body, q, axis, angles) for axis in (z_axis, x_axis))
        assert along.max() / along.min() < 1.001
        assert across.max() / across.min() > 1.1


def test_rotations_are_those_of_quaternions():
    q = torch.randn(50, 4, dtype=torch.float64)
    p = torch.randn(50, 4, dtype=torch.float64)
    R = RigidBody.rotation(q)
    eye = torch.eye(3).double().expand_as(R)
    assert_close(R @ R.mT, eye)
    assert_close(torch.linalg.det(R), torch.ones(50).double())
    assert_close(RigidBody.rotation(hamilton(p, q)), RigidBody.rotation(p) @ R)
    # a turn by 2 arccos(q₀) of a unit quaternion
    w = q[:, 0] / q.norm(dim=1)
    assert_close((R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2, 2 * w**2 - 1)


def test_attitudes_are_uniform():
    q = RigidBody().sample(20_000)[1]
    mean = RigidBody.rotation(q).mean(0)
    assert mean.abs().max() < 0.03  # of Haar measure: 0


def test_moments_of_a_klein_bottle_patch():
    klein = KleinBottlePatches(9)
    theta = torch.linspace(0, 6, 7).double()
    edge = klein.render(torch.stack([theta, torch.full_like(theta, math.pi / 2)], -1))
    line = (2 * torch.arange(9).double() + 1 - 9) / 9
    assert_close(edge.square().sum(-1), (9 * line.square().sum()).expand(7))  # in any direction
    assert_close(klein.sample(20)[0].mean(-1), torch.zeros(20), rtol=0, atol=1e-6)
    # the Jacobian at an edge: ∂φ gives a bar, ∂θ the edge across
    G = PullbackMetric(klein.render).matrix(torch.tensor([[0.4, math.pi / 2]]).double())[0]
    assert_close(G[0, 0], 9 * line.square().sum(), rtol=1e-6, atol=0)
    assert abs(G[0, 1]) < 1e-6


@every_manifold
def test_euler_characteristics_agree(manifold):
    def euler(betti):
        return sum((-1) ** k * b for k, b in enumerate(betti))

    assert len(manifold.betti) == len(manifold.rational_betti) == manifold.dimension + 1
    assert euler(manifold.betti) == euler(manifold.rational_betti) == 0
    assert manifold.betti == manifold.betti[::-1]  # Poincaré duality
    assert manifold.orientable == (manifold.rational_betti[-1] == 1)
    assert manifold.name in repr(manifold)


@every_manifold
def test_samples_of_manifolds_have_seeds_and_noise(manifold):
    state = torch.get_rng_state()
    (x, p), (again, _), (other, _) = (manifold.sample(20, seed) for seed in (0, 0, 1))
    assert torch.equal(x, again) and not torch.equal(x, other)
    noisy, same = manifold.sample(20, 0, noise=0.1)
    assert torch.equal(same, p)
    assert abs((noisy - x).std() / 0.1 - 1) < 0.1
    assert (torch.get_rng_state() == state).all()


@every_manifold
def test_parameters_must_make_sense(manifold):
    good = manifold.sample(4)[1]
    with pytest.raises(ValueError, match=r"shape .* was given"):
        manifold.render(torch.zeros(4, manifold.parameter_dim + 1))
    with pytest.raises(ValueError, match=r"int64: use .float\(\)"):
        manifold.render(torch.ones(4, manifold.parameter_dim, dtype=torch.long))
    with pytest.raises(TypeError, match="list was given"):
        manifold.render([0.0])
    with pytest.raises(ValueError, match="NaN or infinite"):
        manifold.symmetries(torch.where(torch.ones_like(good) > 0, torch.nan, good))
    with pytest.raises(ValueError, match="count=0"):
        manifold.sample(0)
    with pytest.raises(ValueError, match=r"noise=-1"):
        manifold.sample(3, noise=-1)
    with pytest.raises(ValueError, match="side = 2"):
        type(manifold)(2)


def test_the_quaternion_zero_is_no_rotation():
    with pytest.raises(ValueError, match="quaternion 0"):
        RigidBody().render(torch.zeros(2, 4))
