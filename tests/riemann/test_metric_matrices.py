"""G(z): formula, autograd and finite differences agree; what follows from G alone follows."""

import closed_forms as known
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from geomlib.riemann import Curve, ExpectedMetric, MatrixMetric, PullbackMetric, latent_graph

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


def test_distance_matrix():
    metric = PullbackMetric(known.stereographic)
    points = torch.rand(30, 2, dtype=torch.float64)  # 435 pairs: two batches
    matrix = metric.distance_matrix(points, segments=16)
    x = known.stereographic(points)
    exact = torch.acos((x @ x.T).clamp(-1, 1)).fill_diagonal_(0)
    assert_close(matrix, exact, rtol=1e-4, atol=1e-9)
    assert (matrix == matrix.T).all() and (matrix.diagonal() == 0).all()
    i, j = 7, 19
    assert_close(matrix[i, j], metric.distance(points[i], points[j], segments=16))


def test_distance_matrix_from_a_graph_respects_a_gap():
    # round the hole of a ring: the straight start would cross it
    metric = MatrixMetric(
        lambda z: torch.eye(2).to(z) * (1 + 300 * torch.exp(-4 * z.square().sum(-1)))[..., None,
                                                                                      None]
    )  # fmt: skip
    t = torch.arange(40, dtype=torch.float64) * 2 * torch.pi / 40
    ring = 1.5 * torch.stack([t.cos(), t.sin()], -1)
    graph = latent_graph(metric, ring, k=2)
    some = ring[[0, 5, 18]]
    guided = metric.distance_matrix(some, segments=32, graph=graph)
    straight = Curve.straight(some[0], some[2], metric).arc_length()
    assert guided[0, 2] < 0.6 * straight
    one = metric.distance(some[0], some[2], segments=32,
                          initial=graph.shortest_path(some[0], some[2], segments=32))  # fmt: skip
    assert_close(guided[0, 2], one, rtol=1e-6, atol=0)


def test_distance_matrix_is_differentiable():
    points = torch.rand(4, 2, dtype=torch.float64).requires_grad_(True)
    metric = PullbackMetric(known.paraboloid)
    (slope,) = torch.autograd.grad(metric.distance_matrix(points).sum(), points)
    shift, step = torch.randn(4, 2, dtype=torch.float64), 1e-4
    with torch.no_grad():
        ahead, behind = (metric.distance_matrix(points + s * step * shift).sum() for s in (1, -1))
    assert_close((slope * shift).sum(), (ahead - behind) / (2 * step), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shape", [(2,), (1, 2), (0, 2), (3, 1, 2)], ids=str)
def test_a_distance_matrix_needs_two_points(shape):
    with pytest.raises(ValueError, match=r"must be \(n, d\) with n >= 2"):
        PullbackMetric(known.torus).distance_matrix(torch.rand(shape))


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_no_more_points_than_the_chunk_size_go_through_f(size):
    network, sizes = known.decoder(), []

    def counted(z):
        sizes.append(len(z))
        return network(z)

    metric, free = PullbackMetric(counted, chunk_size=size), PullbackMetric(network)
    z, u, v = torch.randn(3, 25, 2, dtype=torch.float64)
    for name in ("connection", "curvature", "inner"):
        together = getattr(free, name)(z, u, v)
        assert_close(getattr(metric, name)(z, u, v), together, rtol=1e-9, atol=1e-10)
    assert_close(metric.matrix(z), free.matrix(z))
    assert_close(metric.christoffels(z), free.christoffels(z), rtol=1e-9, atol=1e-10)
    assert max(sizes) <= max(size, 3) or size > 25  # three probes look for ReLU
    assert metric.folded().chunk_size == size


@pytest.mark.parametrize("size", [0, -5])
def test_a_chunk_holds_a_point(size):
    with pytest.raises(ValueError, match=f"chunk_size={size}"):
        PullbackMetric(known.torus, chunk_size=size)


def fold_decoders():
    plain = known.decoder(outputs=60)
    deep = nn.Sequential(*known.decoder(1, outputs=30), nn.SiLU(), nn.Linear(30, 70)).double()
    rows = nn.Sequential(
        nn.Linear(2, 12), nn.Tanh(), nn.Unflatten(1, (3, 4)), nn.Linear(4, 9)
    ).double()
    return {"plain": plain, "deep": deep, "rows": rows}


@pytest.mark.parametrize("name", fold_decoders())
def test_folding_changes_no_value_and_no_gradient(name):
    network = fold_decoders()[name].requires_grad_(True)
    metric = PullbackMetric(network)
    folded = metric.folded()
    assert folded.f is not network
    z, u, v = torch.randn(3, 4, 2, dtype=torch.float64)
    weights = torch.randn(4, 2, 2, dtype=torch.float64)
    for quantity in (
        lambda m: (m.matrix(z) * weights).sum(),
        lambda m: m.inner(z, u, v).sum(),
        lambda m: (m.connection(z, u, v) * u).sum(),
        lambda m: m.gaussian_curvature(z).sum(),
        lambda m: m.squared_chords(z).sum(),
    ):
        full, short = quantity(metric), quantity(folded)
        assert_close(short, full, rtol=1e-8, atol=1e-10)
        parameters = [p for n, p in network.named_parameters() if not n.endswith("bias")]
        slopes = (torch.autograd.grad(q, parameters, retain_graph=True) for q in (short, full))
        assert_close(*slopes, rtol=1e-6, atol=1e-9)


def test_folding_again_sees_new_weights():
    network = known.decoder(outputs=60)
    metric, z = PullbackMetric(network), torch.randn(3, 2, dtype=torch.float64)
    old = metric.folded()
    network[4].weight *= 2
    assert_close(metric.folded().matrix(z), metric.matrix(z))
    assert_close(old.matrix(z), metric.matrix(z) / 4)  # a snapshot


def test_a_hooked_layer_is_not_folded():
    network = known.decoder(outputs=60)
    network[4].register_forward_hook(lambda module, inputs, output: output.sin())
    metric, z = PullbackMetric(network), torch.randn(3, 2, dtype=torch.float64)
    assert_close(metric.folded().matrix(z), metric.matrix(z))
    assert_close(metric.matrix(z), finite_difference_matrix(network, z), rtol=1e-6, atol=1e-8)


def test_a_matrix_must_be_symmetric_up_to_rounding():
    lopsided = torch.tensor([[1.0, 0.5], [0.4, 1.0]]).double()
    z = torch.rand(5, 2, dtype=torch.float64)
    metric = MatrixMetric(lambda z: lopsided.expand(*z.shape, 2))
    for call in (
        metric.matrix, metric.volume, metric.gaussian_curvature, metric.christoffels,
        lambda z: metric.connection(z, z, z),
        lambda z: metric.norm(z, z), lambda z: metric.geodesic(z, z + 1),
        lambda z: metric.exp(z, z), lambda z: metric.log(z, z + 1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"G\(z\) is not symmetric.*\(G \+ G.mT\) / 2"):
            call(z)
    rounded = torch.tensor([[1.0, 0.5 + 1e-9], [0.5, 1.0]]).double()
    assert MatrixMetric(lambda z: rounded.expand(*z.shape, 2)).volume(z).shape == (5,)
    tiny = 1e-12 * lopsided  # the scale does not matter
    with pytest.raises(ValueError, match="not symmetric"):
        MatrixMetric(lambda z: tiny.expand(*z.shape, 2)).matrix(z)


@pytest.mark.parametrize("signs", [(1.0, -1.0), (-1.0, -2.0)], ids=str)
def test_an_indefinite_matrix_is_no_metric(signs):
    metric = MatrixMetric(lambda z: torch.diag(torch.tensor(signs)).to(z).expand(*z.shape, 2))
    z = torch.rand(5, 2, dtype=torch.float64)
    down = torch.tensor([0.0, 1.0]).double()
    for call in (
        lambda: metric.norm(z, down),
        lambda: metric.geodesic(z, z + 1),
        lambda: metric.log(z, z + 1),
        lambda: metric.exp(z, z),
        lambda: metric.shoot(z, z, torch.tensor([0.0, 1.0])),
        lambda: metric.jacobi_field(z, z, z, torch.tensor([0.0, 1.0])),
        lambda: metric.conjugate_time(z, z, until=1.0),
        lambda: metric.transport(Curve.straight(z, z + 1, metric), z),
    ):
        with pytest.raises(ValueError, match=r"negative eigenvalue.*must be positive definite"):
            call()
    if signs[0] > 0:  # det G < 0
        with pytest.raises(ValueError, match="negative eigenvalue"):
            metric.volume(z)
