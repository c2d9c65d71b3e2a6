"""G(z): formula, autograd and finite differences agree; what follows from G alone follows."""

import closed_forms as known
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from geomlib.riemann import ExpectedMetric, MatrixMetric, PullbackMetric

WEIGHT = torch.tensor([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]]).double()

FORMULAS = {
    "sphere": (known.sphere, known.sphere_matrix),
    "stereographic": (known.stereographic, known.stereographic_matrix),
    "torus": (known.torus, known.torus_matrix),
    "paraboloid": (known.paraboloid, known.paraboloid_matrix),
    "saddle": (known.saddle, known.saddle_matrix),
    "linear": (
        lambda z: z @ WEIGHT.T.to(z),
        lambda z: (WEIGHT.T @ WEIGHT).to(z).expand(*z.shape, 2),
    ),
}


@pytest.fixture(params=FORMULAS, ids=str)
def surface(request):
    return FORMULAS[request.param]


def finite_difference_matrix(f, z, step=1e-5):
    ahead = [f(z + step * unit) - f(z - step * unit) for unit in torch.eye(z.shape[-1]).to(z)]
    jacobian = torch.stack(ahead, dim=-1) / (2 * step)
    return jacobian.mT @ jacobian


@pytest.mark.parametrize("batch", [(), (1,), (7,), (3, 4)], ids=str)
def test_formula_autograd_and_finite_differences_agree(surface, batch):
    f, formula = surface
    z = 0.3 + torch.rand(*batch, 2, dtype=torch.float64)
    G = PullbackMetric(f).matrix(z)
    assert_close(G, formula(z).expand_as(G), rtol=1e-12, atol=1e-12)
    assert_close(G, finite_difference_matrix(f, z), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_dtype_is_kept(surface, dtype):
    f, formula = surface
    z = 0.3 + torch.rand(5, 2, dtype=dtype)
    metric = PullbackMetric(f)
    assert_close(metric.matrix(z), formula(z).expand(5, 2, 2))  # compares dtypes too
    curve = metric.geodesic(z[:2], z[2:4], segments=8)
    results = [metric.norm(z, z), metric.volume(z), metric.christoffels(z), curve.points]
    results += [metric.gaussian_curvature(z), curve.residual, curve.length(), curve.arc_length()]
    assert {result.dtype for result in results} == {dtype}


def test_one_layer_decoder():
    # G = W₁ᵀ D W₂ᵀ W₂ D W₁ with D = diag φ′(W₁ z + b)
    network = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 9)).double()
    z = torch.randn(5, 2, dtype=torch.float64)
    first, last = network[0].weight, network[2].weight
    slope = torch.diag_embed(1 - torch.tanh(network[0](z)) ** 2)
    expected = first.T @ slope @ last.T @ last @ slope @ first
    assert_close(PullbackMetric(network).matrix(z), expected)


@pytest.mark.parametrize("latent", [1, 2, 3, 16])
def test_any_latent_dimension_and_a_batch_is_a_loop(latent):
    metric = PullbackMetric(known.decoder(latent=latent))
    z = torch.randn(6, latent, dtype=torch.float64)
    G = metric.matrix(z)
    assert G.shape == (6, latent, latent)
    assert_close(G, torch.stack([metric.matrix(point) for point in z]))
    assert_close(G, finite_difference_matrix(metric.f, z), rtol=1e-6, atol=1e-8)


def test_images_are_flattened():
    network = known.decoder(outputs=36)
    images = nn.Sequential(network, nn.Unflatten(1, (1, 6, 6)))
    z = torch.randn(3, 2, dtype=torch.float64)
    assert_close(PullbackMetric(images).matrix(z), PullbackMetric(network).matrix(z))


def test_a_matrix_costs_one_call_of_the_map():
    # the promise "at most 5.5 forward passes" rests on this: value and tangents travel together
    shapes = []

    def counted(z):
        shapes.append(tuple(z.shape))
        return known.torus(z)

    PullbackMetric(counted).matrix(torch.rand(50, 20, 2))
    assert shapes == [(1000, 2)]


def test_many_points_come_in_parts():
    # memory is bounded; the parts join without a seam
    sizes = []

    def counted(z):
        sizes.append(len(z))
        return known.torus(z)

    z = torch.rand(3, 1000, 2, dtype=torch.float64)
    assert_close(PullbackMetric(counted).matrix(z), known.torus_matrix(z))
    assert sum(sizes) == 3000 and max(sizes) <= 1024


def test_expected_metric_is_the_expectation():
    mean, spread = known.decoder(0), known.decoder(1)
    std = nn.Sequential(spread, nn.Softplus())
    metric = ExpectedMetric(mean, std)
    z = torch.tensor([0.4, -0.3], dtype=torch.float64)
    jacobian_mean, jacobian_std = (torch.func.jacfwd(f)(z) for f in (mean, std))
    exact = jacobian_mean.T @ jacobian_mean + jacobian_std.T @ jacobian_std
    assert_close(metric.matrix(z), exact)

    noise = torch.randn(20_000, len(jacobian_mean), 1, dtype=torch.float64)
    draw = jacobian_mean + noise * jacobian_std  # the Jacobian of one x = μ + σ ε
    samples = draw.mT @ draw
    error = samples.std(0) / len(samples) ** 0.5
    assert ((samples.mean(0) - exact).abs() < 5 * error).all()
    assert (error < exact.abs().max() / 100).all()


def test_ambient_metric():
    A = torch.tensor([[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 3.0]]).double()
    ambient = MatrixMetric(lambda x: A.expand(*x.shape, 3))
    z, u, v = torch.rand(3, 4, 2, dtype=torch.float64)
    metric = PullbackMetric(known.torus, ambient)
    jacobian = torch.func.vmap(torch.func.jacfwd(known.torus))(z)
    assert_close(metric.matrix(z), jacobian.mT @ A @ jacobian)
    assert_close(metric.inner(z, u, v), (u[:, None] @ metric.matrix(z) @ v[..., None]).flatten())


def test_pulling_back_twice_is_pulling_back_the_composition():
    sphere = MatrixMetric(known.stereographic_matrix)
    bend = known.decoder(outputs=2)
    a, b = known.pairs(4, spread=0.5)
    twice = PullbackMetric(bend, ambient=sphere)
    once = PullbackMetric(lambda z: known.stereographic(bend(z)))
    assert_close(twice.matrix(a), once.matrix(a))
    assert_close(twice.distance(a, b), once.distance(a, b), rtol=1e-6, atol=0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.floats(0.1, 5.0))
def test_inner_products_come_from_a_positive_matrix(seed, latent, scale):
    torch.manual_seed(seed)
    metric = PullbackMetric(known.decoder(seed, latent, scale=scale))
    z, u, v = torch.randn(3, 5, latent, dtype=torch.float64)
    G = metric.matrix(z)
    assert_close(G, G.mT)
    assert (torch.linalg.eigvalsh(G) > -1e-12).all()
    inner, norm_u, norm_v = metric.inner(z, u, v), metric.norm(z, u), metric.norm(z, v)
    assert_close(inner, torch.einsum("bi,bij,bj->b", u, G, v))
    assert (inner.abs() <= norm_u * norm_v * (1 + 1e-9)).all()
    assert (metric.norm(z, u + v) <= (norm_u + norm_v) * (1 + 1e-9)).all()
    assert_close(metric.norm(z, -3 * u), 3 * norm_u)
    assert_close(metric.volume(z) ** 2, torch.linalg.det(G), rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("metric", [PullbackMetric(known.sphere), known.half_plane], ids=["f", "G"])
def test_points_and_vectors_broadcast(metric):
    z = 0.5 + torch.rand(4, 1, 2, dtype=torch.float64)
    u, v = torch.randn(3, 2, dtype=torch.float64), torch.randn(2, dtype=torch.float64)
    inner = metric.inner(z, u, v)
    assert inner.shape == (4, 3)
    for i in range(4):
        for j in range(3):
            assert_close(inner[i, j], metric.inner(z[i, 0], u[j], v))


def test_volume_of_the_sphere():
    z = torch.rand(9, 2, dtype=torch.float64)
    assert_close(PullbackMetric(known.sphere).volume(z), 4 * z[:, 0].sin())
    # where the chart loses rank the volume is zero, not NaN
    pole = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert PullbackMetric(known.sphere).volume(pole) == 0


def bend_plane(w):
    """A diffeomorphism of the plane."""
    x, y = w.unbind(-1)
    return known.stack(x + 0.3 * torch.sin(y), y + 0.2 * x**2)


def test_a_latent_diffeomorphism_changes_no_length_angle_or_volume():
    f = known.decoder()
    old, new = PullbackMetric(f), PullbackMetric(lambda w: f(bend_plane(w)))
    w, u, v = torch.randn(3, 8, 2, dtype=torch.float64)
    jacobian = torch.func.vmap(torch.func.jacfwd(bend_plane))(w)
    push = lambda vector: (jacobian @ vector[..., None])[..., 0]  # noqa: E731
    z = bend_plane(w)
    assert_close(new.matrix(w), jacobian.mT @ old.matrix(z) @ jacobian)
    assert_close(new.inner(w, u, v), old.inner(z, push(u), push(v)))
    assert_close(new.volume(w), old.volume(z) * torch.linalg.det(jacobian).abs())
    a, b = w[:4] / 2, u[:4] / 2
    assert_close(
        new.distance(a, b), old.distance(bend_plane(a), bend_plane(b)), rtol=1e-7, atol=1e-9
    )


def test_the_matrix_is_differentiable_in_points_and_weights():
    network = known.decoder().requires_grad_(True)
    weight = network[2].weight
    metric = PullbackMetric(network)
    z = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    slope_weight, slope_z = torch.autograd.grad(metric.matrix(z).square().sum(), (weight, z))
    step = 1e-5
    with torch.no_grad():
        direction = torch.randn_like(weight)
        values = []
        for sign in (1, -2, 1):  # ahead, behind, back where it was
            weight += sign * step * direction
            values.append(metric.matrix(z).square().sum())
        numeric = (values[0] - values[1]) / (2 * step)
        assert_close((slope_weight * direction).sum(), numeric, rtol=1e-6, atol=1e-8)
        shift = torch.randn_like(z)
        ahead, behind = (metric.matrix(z + s * step * shift).square().sum() for s in (1, -1))
        assert_close((slope_z * shift).sum(), (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-8)
