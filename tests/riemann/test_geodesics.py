"""Geodesics and distances against closed forms, the reference solution and each other."""

import warnings

import closed_forms as known
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from geomlib.riemann import Curve, ExpectedMetric, MatrixMetric, PullbackMetric
from geomlib.riemann.pullback import isometric_core


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture(autouse=True)
def warnings_are_errors():
    """No solver may grumble where a test does not expect it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def uniform(count, low, high, seed=0):
    generator = torch.Generator().manual_seed(seed)
    low, high = tensor(*low), tensor(*high)
    return low + (high - low) * torch.rand(count, 2, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    "metric", [PullbackMetric(known.sphere), MatrixMetric(known.sphere_matrix)]
)
def test_sphere_by_angles(metric):
    a, b = (uniform(25, (0.6, -1.0), (2.5, 1.0), seed) for seed in (0, 1))
    start, end = known.sphere(a) / 2, known.sphere(b) / 2
    curve = metric.geodesic(a, b)
    assert curve.converged.all()
    exact = 2 * torch.acos((start * end).sum(-1))
    assert_close(curve.arc_length(), exact, rtol=2e-7, atol=0)
    # every node lies in the plane of the great circle
    normal = torch.linalg.cross(start, end)
    off = (known.sphere(curve.points) @ normal[..., None]) / normal.norm(dim=-1)[:, None, None]
    assert off.abs().max() < 2e-3


@pytest.mark.parametrize(
    "metric", [PullbackMetric(known.stereographic), MatrixMetric(known.stereographic_matrix)]
)
def test_sphere_by_stereographic_coordinates(metric):
    a, b = (uniform(25, (-1, -1), (1, 1), seed) for seed in (0, 1))
    curve = metric.geodesic(a, b)
    assert curve.converged.all()
    exact = torch.acos((known.stereographic(a) * known.stereographic(b)).sum(-1))
    assert_close(curve.arc_length(), exact, rtol=1e-6, atol=0)


def test_torus_keeps_clairaut_s_constant_and_its_speed():
    metric = PullbackMetric(known.torus)
    a, b = (uniform(20, (-2, -1), (2, 1), seed) for seed in (0, 1))
    curve = metric.geodesic(a, b, segments=128)
    assert curve.converged.all()
    speed = metric.norm(curve.points, curve.velocity())
    assert_close(speed, speed.mean(1, keepdim=True).expand_as(speed), rtol=2e-3, atol=0)
    matrix = known.torus_matrix(curve.points)
    clairaut = matrix[..., 1, 1] * curve.velocity()[..., 1]
    spread = clairaut.amax(1) - clairaut.amin(1)
    assert (spread < 5e-3 * speed.mean(1)).all()
    straight = Curve.straight(a, b, metric, 128).velocity()[..., 1] * matrix[..., 1, 1]
    assert (straight.amax(1) - straight.amin(1)).median() > 0.1  # a straight line does not


def test_half_plane():
    a, b = tensor(0, 1), tensor(2, 0.5)
    curve = known.half_plane.geodesic(a, b)
    assert curve.converged
    assert abs(curve.arc_length() - 2.342179) < 1e-6
    radius = (curve.points - tensor(0.8125, 0)).norm(dim=-1)  # a semicircle on the real line
    assert_close(radius, torch.full_like(radius, 1.288471), rtol=3e-4, atol=0)

    p, q = (uniform(25, (-1, 0.4), (1, 2), seed) for seed in (0, 1))
    exact = known.half_plane_distance(p, q)
    assert_close(known.half_plane.distance(p, q), exact, rtol=1e-6, atol=0)


def test_linear_decoders_are_flat():
    W = torch.randn(30, 3, dtype=torch.float64)
    linear = nn.Linear(3, 30).double().requires_grad_(False)
    linear.weight.copy_(W)
    a, b = known.pairs(10, latent=3)
    for f in (linear, lambda z: z @ W.T, nn.Sequential(linear)):
        curve = PullbackMetric(f).geodesic(a, b)
        assert curve.converged.all() and (curve.iterations <= 1).all()
        assert_close(curve.arc_length(), ((b - a) @ W.T).norm(dim=-1))
        assert_close(curve.points, Curve.straight(a, b, curve.metric).points)


def test_an_orthogonal_layer_is_flat_but_not_straight():
    Q = known.frame(6, 2)

    def phi(z):
        return torch.tanh(z @ tensor(1, 0.5, -0.3, 0.8).reshape(2, 2))

    metric = PullbackMetric(lambda z: phi(z) @ Q.T)
    a, b = known.pairs(20, spread=0.8)
    curve = metric.geodesic(a, b)
    assert_close(curve.arc_length(), (phi(a) - phi(b)).norm(dim=-1), rtol=2e-6, atol=0)
    # in the target the nodes divide the straight chord evenly
    chord = Curve.straight(phi(a), phi(b), metric).points
    assert_close(phi(curve.points), chord, rtol=0, atol=1e-5)
    assert (Curve.straight(a, b, metric).arc_length() / curve.arc_length()).max() > 1.01


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.Softplus, nn.SiLU])
def test_random_decoders(scale, activation):
    # 64 segments reach the length that 128 reach, whatever the first layer's scale
    for seed in range(2):
        metric = PullbackMetric(known.decoder(seed, scale=scale, activation=activation))
        a, b = known.pairs(15, seed=seed)
        curve = metric.geodesic(a, b)
        reference = metric.geodesic(a, b, segments=128)
        assert curve.converged.all() and reference.converged.all()
        excess = curve.arc_length() / reference.arc_length() - 1
        assert excess.abs().max() < (1e-6 if scale == 1 else 2e-5)
        assert (curve.energy() <= Curve.straight(a, b, metric).energy() * (1 + 1e-9)).all()
        assert (curve.residual <= 1e-11).all()


@pytest.mark.parametrize(("scale", "excess"), [(1.0, 1e-6), (3.0, 1e-3)])
def test_decoder_of_the_benchmarks(scale, excess):
    torch.manual_seed(0)
    layers = [nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 784)]
    network = nn.Sequential(*layers).double().requires_grad_(False)
    network[0].weight *= scale
    metric = PullbackMetric(network)
    a, b = known.pairs(20, spread=2.0)
    curve, reference = (metric.geodesic(a, b, segments=n) for n in (64, 128))
    assert curve.converged.all()
    assert (curve.arc_length() / reference.arc_length() - 1).max() < excess
    straight = Curve.straight(a, b, metric).arc_length() / reference.arc_length() - 1
    assert (straight > 1e-3).sum() > 10  # straight lines would fail


ARCHITECTURES = {
    "convolutions": nn.Sequential(
        nn.Linear(2, 64),
        nn.SiLU(),
        nn.Unflatten(1, (4, 4, 4)),
        nn.ConvTranspose2d(4, 4, 4, 2, 1),
        nn.GroupNorm(2, 4),
        nn.GELU(),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(4, 1, 3, padding=1),
        nn.Sigmoid(),
    ),
    "norms and softmax": nn.Sequential(
        nn.Linear(2, 16), nn.LayerNorm(16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 9),
        nn.Softmax(-1),
    ),
    "ReLU": nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 20)),
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_any_differentiable_network(name):
    network = ARCHITECTURES[name].double().eval()
    metric = PullbackMetric(network)
    a, b = known.pairs(4, spread=0.7)
    curve = metric.geodesic(a, b, segments=32)
    assert curve.points.shape == (4, 33, 2)
    assert (curve.energy() <= Curve.straight(a, b, metric, 32).energy() * (1 + 1e-9)).all()
    if name != "ReLU":  # at its kinks Newton's method may stop
        assert curve.converged.all()


def test_first_layer_tripled_no_pair_is_wrong():
    metric = PullbackMetric(known.decoder(7, scale=3.0))
    a, b = known.pairs(60, seed=3)
    curve = metric.geodesic(a, b)
    straight = Curve.straight(a, b, metric).arc_length()
    assert (straight / curve.arc_length() - 1).median() > 0.02  # there is something to find
    # an independent check: no descent from a perturbed curve finds a shorter one nearby
    nudge = torch.sin(torch.linspace(0, torch.pi, 65, dtype=torch.float64))[:, None]
    again = metric.geodesic(a, b, initial=curve.points + 0.05 * nudge * tensor(1, -1))
    assert curve.converged.all()
    assert (curve.arc_length() / again.arc_length() - 1).max() < 1e-3


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_distance_is_symmetric_and_obeys_the_triangle_inequality(seed):
    metric = PullbackMetric(known.decoder(seed))
    torch.manual_seed(seed)
    a, b, c = torch.randn(3, 4, 2, dtype=torch.float64)
    d_ab, d_ba, d_bc, d_ac = metric.distance(
        torch.stack([a, b, b, a]), torch.stack([b, a, c, c]), segments=32
    )
    assert_close(d_ab, d_ba, rtol=1e-6, atol=1e-12)
    assert (d_ac <= (d_ab + d_bc) * (1 + 1e-6)).all()
    # the chord in the target is a lower bound, the straight latent line an upper one
    assert (d_ab >= (metric.f(a) - metric.f(b)).norm(dim=-1) * (1 - 1e-9)).all()
    straight = Curve.straight(a, b, metric).arc_length()
    assert (d_ab <= straight * (1 + 1e-6)).all()


@pytest.mark.parametrize("latent", [1, 3, 16])
def test_other_latent_dimensions(latent):
    metric = PullbackMetric(known.decoder(latent=latent))
    a, b = known.pairs(5, latent=latent)
    curve = metric.geodesic(a, b)
    assert curve.points.shape == (5, 65, latent) and curve.converged.all()
    straight = Curve.straight(a, b, metric)
    assert (curve.energy() < straight.energy()).all()
    if latent == 1:  # there is only one way
        assert_close(curve.arc_length(), straight.arc_length(), rtol=1e-6, atol=0)


def test_speed_is_constant():
    metric = PullbackMetric(known.decoder(scale=2.0))
    curve = metric.geodesic(*known.pairs(5))
    chord = metric.squared_chords(curve.points).sqrt()
    assert (chord.amax(1) / chord.amin(1) < 1.02).all()
    assert_close(curve.length() ** 2, 2 * curve.energy(), rtol=2e-5, atol=0)


METRICS = {
    "decoder": PullbackMetric(known.decoder()),
    "expected": ExpectedMetric(known.decoder(0), known.decoder(1)),
    "half-plane in a strip": MatrixMetric(
        lambda z: torch.eye(2).to(z) * (1 + z.square().sum(-1))[..., None, None]
    ),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_batch_is_a_loop(name):
    metric = METRICS[name]
    a, b = known.pairs(6)
    together = metric.geodesic(a.reshape(2, 3, 2), b.reshape(2, 3, 2), segments=20)
    assert together.points.shape == (2, 3, 21, 2)
    assert (
        together.converged.shape == together.iterations.shape == together.residual.shape == (2, 3)
    )
    for i in range(6):
        alone = metric.geodesic(a[i], b[i], segments=20)
        assert alone.points.shape == (21, 2) and alone.converged.shape == ()
        assert_close(together.points.reshape(6, 21, 2)[i], alone.points, rtol=0, atol=1e-6)


def test_many_curves_are_worked_on_in_parts():
    network, sizes = known.decoder(), []

    def counted(z):
        sizes.append(len(z))
        return network(z)

    a, b = known.pairs(100)
    curve = PullbackMetric(counted).geodesic(a, b, segments=32)
    assert curve.converged.all()
    assert max(sizes) <= 1024
    assert_close(curve.points[70:73], METRICS["decoder"].geodesic(a, b, segments=32).points[70:73])


def test_end_points_broadcast():
    metric = METRICS["decoder"]
    a, b = known.pairs(4)
    matrix = metric.distance(a[:, None], b, segments=16)
    assert matrix.shape == (4, 4)
    assert_close(matrix.diagonal(), metric.distance(a, b, segments=16), rtol=1e-9, atol=0)


def test_nothing_is_mutated():
    network = nn.Sequential(known.decoder().train(), nn.Linear(40, 90).double())
    network.eval()
    network[0].train()  # modes differ: they must stay as they are
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    a, b = known.pairs(3)
    copies = a.clone(), b.clone()
    start = Curve.straight(a, b, PullbackMetric(network))
    nodes = start.points.clone()
    PullbackMetric(network).geodesic(a, b, initial=start)
    assert_close((a, b), copies, rtol=0, atol=0)
    assert_close(start.points, nodes, rtol=0, atol=0)
    assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert not network.training and network[0].training and not network[1].training


@pytest.mark.parametrize("segments", [1, 2, 3, 5, 15, 16, 17, 33])
def test_any_number_of_segments(segments):
    metric = METRICS["decoder"]
    a, b = known.pairs(4)
    curve = metric.geodesic(a, b, segments=segments)
    assert curve.points.shape == (4, segments + 1, 2) and curve.converged.all()
    assert (curve.points[:, 0] == a).all() and (curve.points[:, -1] == b).all()


def test_nodes_converge_at_second_order_and_length_at_fourth():
    exact = known.half_plane_distance(tensor(0, 1), tensor(2, 0.5))
    curves = [known.half_plane.geodesic(tensor(0, 1), tensor(2, 0.5), segments=n) for n in (32, 64)]
    node = [(curve.points[..., -1, :] - tensor(0.8125, 0)).norm() for curve in curves]
    assert_close(node[0], node[1])  # the ends are exact
    middle = [
        ((c.points[c.segments // 2] - tensor(0.8125, 0)).norm() - 1.288471).abs() for c in curves
    ]
    assert 3.5 < middle[0] / middle[1] < 4.5
    polygon = [(c.length() - exact).abs() for c in curves]
    assert 3.5 < polygon[0] / polygon[1] < 4.5
    smooth = [(c.arc_length() - exact).abs() for c in curves]
    assert smooth[0] / smooth[1] > 10
    assert smooth[1] < polygon[1] / 50


def central_difference(function, x, direction, step=1e-4):
    return (function(x + step * direction) - function(x - step * direction)) / (2 * step)


@pytest.mark.parametrize("name", METRICS)
def test_distance_is_differentiable_in_its_end_points(name):
    metric = METRICS[name]
    a, b = known.pairs(5)
    direction = torch.randn(5, 2, dtype=torch.float64)
    for vary in (0, 1):

        def distance(end, vary=vary):
            return metric.distance(end, b) if vary == 0 else metric.distance(a, end)

        end = (a, b)[vary].clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(distance(end).sum(), end)
        numeric = central_difference(distance, (a, b)[vary], direction)
        assert_close((slope * direction).sum(-1), numeric, rtol=2e-3, atol=2e-4)


def test_the_gradient_of_distance_has_length_one():
    # the eikonal equation |∇d|² = ∂d G⁻¹ ∂d = 1
    for metric in (METRICS["decoder"], known.half_plane):
        a, b = known.pairs(6, spread=0.3)
        a, b = a + tensor(0, 2), (b + tensor(0.5, 2)).requires_grad_(True)
        (slope,) = torch.autograd.grad(metric.distance(a, b).sum(), b)
        square = (slope * torch.linalg.solve(metric.matrix(b), slope)).sum(-1)
        assert_close(square, torch.ones_like(square), rtol=1e-3, atol=0)


def test_distance_is_differentiable_in_the_decoder_s_weights():
    network = known.decoder(scale=2.0).requires_grad_(True)
    metric = PullbackMetric(network)
    a, b = known.pairs(4)
    weight = network[2].weight
    (slope,) = torch.autograd.grad(metric.distance(a, b).sum(), weight)
    direction, step = torch.randn_like(weight), 1e-4
    with torch.no_grad():
        weight += step * direction
        ahead = metric.distance(a, b).sum()
        weight -= 2 * step * direction
        behind = metric.distance(a, b).sum()
    assert_close((slope * direction).sum(), (ahead - behind) / (2 * step), rtol=1e-3, atol=1e-5)


def test_the_folded_last_layer_changes_no_length():
    network = known.decoder(outputs=100)
    core = isometric_core(network)
    z = torch.randn(2, 5, 9, 2, dtype=torch.float64)[0]
    full, folded = PullbackMetric(network), PullbackMetric(core)
    assert core(z[0]).shape[-1] == 24
    assert_close(folded.matrix(z), full.matrix(z), rtol=1e-12, atol=1e-13)
    assert_close(folded.squared_chords(z), full.squared_chords(z), rtol=1e-11, atol=1e-13)
    both = ExpectedMetric(network, nn.Sequential(known.decoder(1), nn.Softplus()))
    assert_close(both.folded().matrix(z), both.matrix(z), rtol=1e-12, atol=1e-13)
    a, b = known.pairs(3)
    hidden = PullbackMetric(lambda w: network(w))  # what cannot be looked into is not folded
    assert hidden.folded().f is hidden.f
    assert_close(full.distance(a, b), hidden.distance(a, b), rtol=1e-9, atol=0)


@pytest.mark.parametrize("outputs", [24, 10])
def test_a_narrow_last_layer_is_not_folded(outputs):
    network = known.decoder(outputs=outputs)
    assert isometric_core(network) is network


@pytest.mark.parametrize("angle", [1.0, 2.0, 3.0])
def test_short_arcs_of_the_equator_are_minimal(angle):
    metric = PullbackMetric(known.sphere)
    middle = torch.pi / 2
    curve = metric.geodesic(tensor(middle, 0), tensor(middle, angle))
    assert curve.converged
    assert_close(curve.arc_length(), tensor(2 * angle)[0])


@pytest.mark.parametrize("angle", [3.3, 4.0])
def test_a_long_arc_of_the_equator_is_critical_but_not_minimal(angle):
    metric = PullbackMetric(known.sphere)
    middle = torch.pi / 2
    with pytest.warns(RuntimeWarning, match="1 of 1 geodesics did not converge to a local minimis"):
        curve = metric.geodesic(tensor(middle, 0), tensor(middle, angle))
    assert not curve.converged
    # it stands still on the great circle: a saddle, and said so
    assert_close(curve.points[:, 0], torch.full_like(curve.points[:, 0], middle))
    assert curve.residual < 1e-9


def test_initial_decides_which_way_round():
    # on a torus the geodesic may go round the tube either way
    metric = PullbackMetric(known.torus)
    a, b = tensor(-2.0, 0.0), tensor(2.0, 0.3)
    over = metric.geodesic(a, b)
    around = metric.geodesic(a, b + tensor(-2 * torch.pi, 0))
    assert over.converged and around.converged
    assert abs(over.arc_length() - around.arc_length()) > 0.1
    for curve, end in ((over, b), (around, b + tensor(-2 * torch.pi, 0))):
        coarse = curve.resample(10).points
        for initial in (coarse, Curve(coarse, metric), coarse + 0.01):
            again = metric.geodesic(a, end, initial=initial)
            assert_close(again.arc_length(), curve.arc_length(), rtol=1e-9, atol=0)
            assert (again.points[0] == a).all() and (again.points[-1] == end).all()


def test_one_initial_curve_serves_all_pairs():
    metric = METRICS["decoder"]
    a, b = known.pairs(3)
    curve = metric.geodesic(a, b, initial=Curve.straight(a[0], b[0], metric))
    assert_close(curve.arc_length(), metric.distance(a, b), rtol=1e-6, atol=0)


def test_too_few_iterations_are_admitted():
    metric = PullbackMetric(known.decoder(scale=3.0))
    a, b = known.pairs(5)
    with pytest.warns(RuntimeWarning, match=r"latent_graph\(\.\.\.\)\.shortest_path"):
        curve = metric.geodesic(a, b, segments=8, max_iterations=1)
    assert not curve.converged.any() and (curve.residual > 1e-11).all()
    assert (curve.iterations == 1).all()
    with pytest.warns(RuntimeWarning, match="did not converge"):
        curve = metric.geodesic(a, b, segments=16, max_iterations=1)
    assert (curve.iterations > 1).all()  # those of the coarse level count too


@pytest.mark.parametrize("apart", [0.0, 1e-12, 1e-7, 1e-4])
def test_near_and_coinciding_end_points_of_a_field_of_matrices(apart):
    metric = known.half_plane
    a = torch.rand(8, 2, dtype=torch.float64) + 0.5
    b = a + apart * torch.randn(8, 2).double()
    curve = metric.geodesic(a, b)
    assert curve.converged.all() and (curve.iterations <= 6).all()
    eps = torch.finfo(torch.float64).eps
    assert_close(curve.length(), metric.norm((a + b) / 2, b - a), rtol=2e-3, atol=256 * eps)


def test_rank_may_be_lost_at_both_ends():
    flat = PullbackMetric(lambda z: torch.stack([z[..., 0], z[..., 1] * z[..., 0].sin()], -1))
    curve = flat.geodesic(tensor(0, 0.2), tensor(torch.pi, 0.2))
    assert curve.converged and curve.length() == pytest.approx(torch.pi)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("apart", [0.0, 1e-12, 1e-7, 1e-4, 1e-2])
def test_near_and_coinciding_end_points(dtype, apart):
    metric = PullbackMetric(known.decoder().to(dtype))
    a = torch.randn(8, 2, dtype=torch.float64).to(dtype)
    b = a + apart * torch.randn(8, 2).to(dtype)
    curve = metric.geodesic(a, b)
    assert curve.converged.all() and (curve.iterations <= 6).all()
    infinitesimal = metric.norm((a + b) / 2, b - a)
    # nodes are rounded, so N of them cannot measure less than about N ε
    assert_close(curve.arc_length(), infinitesimal, rtol=2e-3, atol=64 * torch.finfo(dtype).eps)
    if apart == 0:
        assert (curve.points == a[:, None]).all()
        assert (curve.length() == 0).all() and (curve.arc_length() == 0).all()
