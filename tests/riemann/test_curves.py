"""Length, energy and the spline of a discretised curve."""

from itertools import pairwise

import closed_forms as known
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from geomlib.riemann import Curve, ExpectedMetric, MatrixMetric, PullbackMetric, tridiagonal

PLANE = PullbackMetric(lambda z: z)
METRICS = {
    "sphere": PullbackMetric(known.sphere),
    "sphere's matrix": MatrixMetric(known.sphere_matrix),
    "decoder": PullbackMetric(known.decoder()),
    "expected": ExpectedMetric(known.decoder(0), known.decoder(1)),
    "ambient": PullbackMetric(known.decoder(outputs=2), MatrixMetric(known.stereographic_matrix)),
}


@pytest.fixture(params=METRICS, ids=str)
def metric(request):
    return METRICS[request.param]


def test_curve_nodes(segments, dtype=torch.float64):
    """A smooth curve of varying speed, away from the poles of the sphere."""
    t = torch.linspace(0, 1, segments + 1, dtype=dtype)
    return torch.stack([1 + 0.5 * torch.sin(2 * t) * t, t + 0.4 * torch.cos(3 * t)], dim=-1)


test_curve_nodes.__test__ = False


def orders(quantity, segments=(16, 32, 64, 128, 1024)):
    """By what factors the error falls as the number of segments doubles."""
    values = [quantity(count) for count in segments]
    errors = [(value - values[-1]).abs().item() for value in values[:-1]]
    return [before / after for before, after in pairwise(errors)]


def test_energy_and_length_converge_at_second_order(metric):
    for measure in (Curve.energy, Curve.length):
        factors = orders(lambda n, measure=measure: measure(Curve(test_curve_nodes(n), metric)))
        assert all(3.6 < factor < 4.4 for factor in factors), factors


def test_energy_is_half_the_integral_of_the_squared_speed(metric):
    # with 1/(2N) in place of N/2 this tends to zero
    curve = Curve(test_curve_nodes(400), metric)
    t = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    midpoints = curve(t)
    step = 1e-5
    velocity = (curve(t + step) - curve(t - step)) / (2 * step)
    integral = metric.inner(midpoints, velocity, velocity).mean() / 2
    assert_close(curve.energy(), integral, rtol=1e-4, atol=0)


def test_the_energy_of_an_arc_in_closed_form():
    # speed 2t on the unit circle: E = ½ ∫ 4t² = 2/3, L = 1
    def error(count):
        t = torch.linspace(0, 1, count + 1, dtype=torch.float64) ** 2
        return Curve(torch.stack([t.cos(), t.sin()], -1), PLANE).energy() - 2 / 3

    assert abs(error(400)) < 1e-5
    assert 3.9 < error(50) / error(100) < 4.1


def test_arc_length_converges_at_fourth_order(metric):
    factors = orders(lambda n: Curve(test_curve_nodes(n), metric).arc_length(), (48, 96, 192, 768))
    assert all(factor > 10 for factor in factors), factors


def test_arc_length_of_a_great_circle():
    t = torch.linspace(0, 2, 9, dtype=torch.float64)
    equator = Curve(torch.stack([torch.full_like(t, torch.pi / 2), t], -1), METRICS["sphere"])
    assert_close(equator.arc_length(), torch.tensor(4.0, dtype=torch.float64))
    assert equator.length() < 4


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 20), st.sampled_from(sorted(METRICS)))
def test_squared_length_is_at_most_twice_the_energy(seed, segments, name):
    torch.manual_seed(seed)
    curve = Curve(0.5 + torch.rand(segments + 1, 2, dtype=torch.float64), METRICS[name])
    assert curve.length() ** 2 <= 2 * curve.energy() * (1 + 1e-12)


def test_equality_holds_at_constant_speed_only():
    t = torch.linspace(0, 1, 41, dtype=torch.float64)
    steady, uneven = (Curve(torch.stack([s, 2 * s], -1), PLANE) for s in (t, t**3))
    assert_close(steady.length() ** 2, 2 * steady.energy())
    assert_close(uneven.length(), steady.length())  # length ignores the parametrisation
    assert 2 * uneven.energy() > 1.5 * uneven.length() ** 2  # energy does not


@pytest.mark.parametrize("name", ["sphere", "decoder", "expected"])
def test_the_gradient_of_the_energy(name):
    # −N Jᵀ(f(z_{i+1}) − 2 f(z_i) + f(z_{i−1})) at interior nodes for a Euclidean pull-back
    metric = METRICS[name]
    f, count = metric.f, 12
    nodes = test_curve_nodes(count).requires_grad_(True)
    (slope,) = torch.autograd.grad(Curve(nodes, metric).energy(), nodes)
    x = f(nodes)
    jacobian = torch.func.vmap(torch.func.jacfwd(lambda z: f(z[None])[0]))(nodes)
    second_difference = x[2:] - 2 * x[1:-1] + x[:-2]
    formula = -count * (jacobian[1:-1].mT @ second_difference[..., None])[..., 0]
    assert_close(slope[1:-1], formula, rtol=1e-10, atol=1e-11)


def test_the_energy_model_is_the_energy_s_taylor_expansion(metric):
    nodes = torch.stack([test_curve_nodes(7), test_curve_nodes(7).flip(0)])
    model = metric.energy_model(nodes)

    def energy(interior):
        ends = nodes[0, :1], nodes[0, -1:]
        return Curve(torch.cat([ends[0], interior.reshape(-1, 2), ends[1]]), metric).energy()

    inside = nodes[0, 1:-1].reshape(-1)
    hessian = torch.autograd.functional.hessian(energy, inside).reshape(6, 2, 6, 2)
    (slope,) = torch.autograd.grad(energy(inside.requires_grad_(True)), inside)
    assert_close(model.energy, Curve(nodes, metric).energy())
    assert_close(model.gradient[0].reshape(-1), slope, rtol=1e-9, atol=1e-10)
    for i in range(6):
        assert_close(model.diagonal_newton[0, i], hessian[i, :, i], rtol=1e-8, atol=1e-9)
        assert torch.linalg.eigvalsh(model.diagonal[0, i]).min() > 0  # Gauss-Newton
        if i < 5:
            assert_close(model.upper_newton[0, i], hessian[i, :, i + 1], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("segments", [1, 2, 3, 9])
def test_the_spline_passes_through_its_nodes(segments):
    curve = Curve(torch.randn(4, segments + 1, 2, dtype=torch.float64), PLANE)
    t = torch.linspace(0, 1, segments + 1, dtype=torch.float64)
    assert_close(curve(t), curve.points)
    assert_close(curve.resample(segments).points, curve.points)
    assert curve.resample(2 * segments).points.shape == (4, 2 * segments + 1, 2)


def test_the_spline_is_twice_continuously_differentiable():
    curve = Curve(torch.randn(9, 2, dtype=torch.float64), PLANE)
    h = 1e-4
    knot = torch.arange(1, 8, dtype=torch.float64) / 8
    value = {k: curve(knot + k * h) for k in range(-3, 4)}
    # one-sided second differences, each exact to O(h) on its own cubic piece
    right = (2 * value[0] - 5 * value[1] + 4 * value[2] - value[3]) / h**2
    left = (2 * value[0] - 5 * value[-1] + 4 * value[-2] - value[-3]) / h**2
    assert right.abs().max() > 10
    assert_close(right, left, rtol=1e-4, atol=1e-3)
    centred = (curve(knot + h) - curve(knot - h)) / (2 * h)
    assert_close(curve.velocity()[1:-1], centred, rtol=1e-5, atol=1e-4)


def test_a_cubic_is_reproduced_exactly():
    t = torch.linspace(0, 1, 6, dtype=torch.float64)
    fine = torch.linspace(0, 1, 50, dtype=torch.float64)
    cubic = lambda s: torch.stack([s**3 - s, 2 * s**2 + 1], -1)  # noqa: E731
    curve = Curve(cubic(t), PLANE)
    assert_close(curve(fine), cubic(fine))
    assert_close(curve.velocity(), torch.stack([3 * t**2 - 1, 4 * t], -1))


def test_batches_of_curves_are_loops(metric):
    curves = Curve(0.5 + torch.rand(2, 3, 9, 2, dtype=torch.float64), metric)
    for measure in (Curve.length, Curve.energy, Curve.arc_length, Curve.velocity):
        together = measure(curves)
        assert together.shape[:2] == (2, 3)
        assert_close(together[1, 2], measure(Curve(curves.points[1, 2], metric)))


def test_the_straight_line():
    a, b = torch.randn(3, 1, 2), torch.randn(4, 2)
    line = Curve.straight(a, b, PLANE, segments=5)
    assert line.points.shape == (3, 4, 6, 2)
    assert (line.points[..., 0, :] == a).all() and (line.points[..., -1, :] == b).all()
    assert_close(line.length(), (b - a).norm(dim=-1))
    # between equal points nothing moves, not even by rounding
    point = torch.full((2,), 1 / 3)
    assert (Curve.straight(point, point, PLANE).points == point).all()
    assert (Curve.straight(point, point, PLANE).resample(7).points == point).all()


def test_a_curve_of_length_zero_has_a_gradient_of_zero():
    point = torch.ones(2, dtype=torch.float64, requires_grad=True)
    curve = Curve.straight(point, torch.ones(2, dtype=torch.float64), PLANE)
    for measure in (curve.length, curve.arc_length):
        (slope,) = torch.autograd.grad(measure() ** 2, point, retain_graph=True)
        assert (slope == 0).all()


@pytest.mark.parametrize("shape", [(2,), (1, 2), (5, 1, 2)], ids=str)
def test_a_curve_needs_two_nodes(shape):
    with pytest.raises(ValueError, match=r"a curve needs nodes \(\.\.\., N\+1, d\)"):
        Curve(torch.zeros(shape), PLANE)


@pytest.mark.parametrize(
    "t",
    [0.5, torch.tensor(0.5), torch.zeros(2, 2), torch.tensor([1.01]), torch.tensor([torch.nan])],
)
def test_times_are_a_vector_between_zero_and_one(t):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        Curve(torch.zeros(3, 2), PLANE)(t)


def stretched(segments, metric, seed=0):
    """The test curve on [2, 5], at steps of unequal length."""
    torch.manual_seed(seed)
    steps = 0.5 + torch.rand(segments, dtype=torch.float64)
    t = torch.cat([torch.zeros(1, dtype=torch.float64), steps.cumsum(0) / steps.sum()])
    nodes = torch.stack([1 + 0.5 * torch.sin(2 * t) * t, t + 0.4 * torch.cos(3 * t)], dim=-1)
    return Curve(nodes, metric, times=2 + 3 * t)


def test_unequal_times_describe_the_same_curve(metric):
    even = Curve(test_curve_nodes(64), metric)
    uneven = stretched(64, metric)
    t = torch.linspace(0, 1, 37, dtype=torch.float64)
    assert_close(uneven(2 + 3 * t), even(t), rtol=0, atol=1e-6)
    assert_close(uneven(uneven.times), uneven.points)
    assert_close(3 * uneven.velocity(2 + 3 * t), even.velocity(t), rtol=0, atol=1e-3)
    assert_close(uneven.arc_length(), even.arc_length(), rtol=1e-6, atol=0)
    assert_close(
        uneven.energy(), even.energy() / 3, rtol=2e-3, atol=0
    )  # ∫ over three times as long
    resampled = uneven.resample(20)
    assert_close(resampled.times, torch.linspace(2, 5, 21, dtype=torch.float64))
    assert_close(resampled.points, even(torch.linspace(0, 1, 21).double()), rtol=0, atol=1e-6)


def test_length_and_energy_at_unequal_times():
    # constant speed: L² = 2 E T for a curve that takes the time T
    t = torch.tensor([1.0, 1.1, 1.5, 3.0]).double()
    line = Curve(torch.stack([3 * t, 4 * t], -1), PLANE, times=t)
    assert_close(line.length() ** 2, 2 * line.energy() * 2)
    assert_close(line.velocity(), torch.tensor([3.0, 4.0]).double().expand(4, 2))


def test_each_curve_at_its_own_times():
    curves = Curve(torch.randn(2, 3, 9, 2, dtype=torch.float64), PLANE)
    t = torch.rand(2, 3, 5, dtype=torch.float64)
    value, velocity = curves(t), curves.velocity(t)
    assert value.shape == velocity.shape == (2, 3, 5, 2)
    for i, j in ((0, 0), (1, 2)):
        one = Curve(curves.points[i, j], PLANE)
        assert_close(value[i, j], one(t[i, j]))
        assert_close(velocity[i, j], one.velocity(t[i, j]))
    assert curves(t[0, 0]).shape == (2, 3, 5, 2)
    assert_close(curves(t[0, 0])[1, 1], Curve(curves.points[1, 1], PLANE)(t[0, 0]))


@pytest.mark.parametrize("segments", [1, 2, 7, 64])
def test_by_arc_length_the_speed_is_constant(metric, segments):
    curve = stretched(64, metric)
    steady = curve.by_arc_length(segments)
    assert steady.points.shape == (segments + 1, 2)
    assert (steady.points[0] == curve.points[0]).all()
    assert (steady.points[-1] == curve.points[-1]).all()
    # nodes lie on the curve, at equal steps of its length
    fine = curve(torch.linspace(2, 5, 20_001, dtype=torch.float64))
    nearest = torch.cdist(steady.points, fine).min(dim=1)
    assert nearest.values.max() < 1e-3
    travelled = metric.squared_chords(fine).sqrt().cumsum(0)
    place = travelled[(nearest.indices[1:-1] - 1).clamp_min(0)] / travelled[-1]
    expected = torch.arange(1, segments, dtype=torch.float64) / segments
    assert_close(place, expected, rtol=0, atol=2e-3)


def test_by_arc_length_energy_is_least(metric):
    curve = stretched(64, metric)
    steady = curve.by_arc_length(256)  # the speed changes fast at its corners
    length = curve.arc_length()
    assert_close(steady.arc_length(), length, rtol=1e-3, atol=0)
    assert_close(steady.energy(), length**2 / 2, rtol=1e-2, atol=0)
    assert curve.resample(64).energy() * 3 > steady.energy() * 1.01
    speed = metric.norm(steady.points, steady.velocity())
    assert_close(speed, length.expand_as(speed), rtol=1e-2, atol=0)
    again = steady.by_arc_length()
    assert_close(again.points, steady.points, rtol=0, atol=1e-5)


def test_by_arc_length_of_a_batch():
    nodes = torch.stack([test_curve_nodes(32), test_curve_nodes(32).flip(0) + 0.2])
    batch = Curve(nodes, METRICS["sphere"]).by_arc_length(10)
    assert batch.points.shape == (2, 11, 2)
    for i in range(2):
        alone = Curve(nodes[i], METRICS["sphere"]).by_arc_length(10)
        assert_close(batch.points[i], alone.points, rtol=0, atol=1e-9)


def test_by_arc_length_is_differentiable():
    nodes = stretched(6, PLANE).points.requires_grad_(True)
    metric = METRICS["sphere"]
    assert torch.autograd.gradcheck(
        lambda nodes: Curve(nodes, metric).by_arc_length(4).points,
        (nodes,), eps=1e-5, atol=1e-4, rtol=1e-3,
    )  # fmt: skip


def test_a_curve_that_stays_put_has_no_arc_length_parameter():
    with pytest.raises(ValueError, match="length zero"):
        Curve(torch.ones(5, 2, dtype=torch.float64), PLANE).by_arc_length()


def arc(angle, metric, segments=40, start=0.0):
    middle = torch.tensor(torch.pi / 2, dtype=torch.float64)
    phi = start + torch.linspace(0, angle, segments + 1, dtype=torch.float64)
    return Curve(torch.stack([middle.expand_as(phi), phi], -1), metric)


@pytest.mark.parametrize("name", ["sphere", "sphere's matrix"])
def test_the_index_counts_conjugate_points(name):
    # on the equator one at each multiple of π
    metric = METRICS[name]
    for angle, index in ((1.0, 0), (3.0, 0), (3.3, 1), (6.0, 1), (6.5, 2), (9.7, 3)):
        assert arc(angle, metric, segments=80).index() == index


def test_the_index_counts_with_multiplicity():
    # on the 3-sphere two fields vanish together
    metric = MatrixMetric(known.sphere_3_matrix)
    for angle, index in ((3.0, 0), (3.3, 2), (6.0, 2)):
        phi = torch.linspace(0, angle, 81, dtype=torch.float64)
        circle = torch.stack([phi.cos(), phi.sin(), 0 * phi], -1)  # |w| = 1: a great circle
        assert Curve(circle, metric).index() == index


def test_the_index_is_that_of_the_dense_hessian():
    for name in ("sphere", "decoder", "sphere's matrix"):
        metric = METRICS[name]
        nodes = torch.stack([arc(a, metric, segments=7).points for a in (2.0, 5.0, 8.0)])

        def energy(interior, i, nodes=nodes, metric=metric):
            ends = nodes[i, :1], nodes[i, -1:]
            return Curve(torch.cat([ends[0], interior.reshape(-1, 2), ends[1]]), metric).energy()

        dense = [
            torch.autograd.functional.hessian(lambda x, i=i: energy(x, i), n[1:-1].reshape(-1))
            for i, n in enumerate(nodes)
        ]
        expected = (torch.linalg.eigvalsh(torch.stack(dense)) < 0).sum(-1)
        assert (Curve(nodes, metric).index() == expected).all()


def test_the_index_of_short_and_of_timed_curves():
    metric = METRICS["sphere"]
    assert arc(4.0, metric, segments=1).index() == 0  # nothing can move
    for angle, index in ((3.1, 0), (3.3, 1)):
        long = arc(angle, metric, segments=20)
        assert Curve(long.points, metric, times=5 + 2 * long.times).index() == index
        uneven = long(long.times**2)
        assert Curve(uneven, metric, times=long.times**2).index() == index
    geodesic = metric.geodesic(arc(1.0, metric).points[0], arc(1.0, metric).points[-1])
    assert geodesic.index() == 0
    assert Curve(torch.randn(0, 5, 2).double(), metric).index().shape == (0,)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_block_tridiagonal_systems(count):
    d, many = 3, 4
    root = torch.randn(many, count * d, count * d, dtype=torch.float64)
    blocks = (torch.arange(count * d) // d).double()
    near = (blocks[:, None] - blocks).abs() <= 1
    for definite in (True, False):
        matrix = (root + root.mT) * near
        if definite:
            matrix = matrix + 20 * torch.eye(count * d, dtype=torch.float64)
        pieces = matrix.unflatten(1, (count, d)).unflatten(3, (count, d))
        diagonal = torch.stack([pieces[:, i, :, i] for i in range(count)], 1)
        pairs = [pieces[:, i, :, i + 1] for i in range(count - 1)]
        upper = torch.stack(pairs, 1) if pairs else matrix.new_zeros(many, 0, d, d)
        eigenvalues = torch.linalg.eigvalsh(matrix)
        index = tridiagonal.negative_eigenvalues(diagonal, upper)
        assert (index == (eigenvalues < 0).sum(-1)).all()
        right = torch.randn(many, count, d, dtype=torch.float64)
        x, positive = tridiagonal.solve(diagonal, upper, right)
        assert (positive == (eigenvalues[:, 0] > 0)).all()
        if definite:
            assert_close((matrix @ x.flatten(1)[..., None])[..., 0], right.flatten(1))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (torch.tensor([0.0, 0.5, 0.5]), r"0\.5 is followed by 0\.5.*name each time once"),
        (torch.tensor([1.0, 0.5, 0.0]), "must be finite and increase"),
        (torch.tensor([0.0, torch.nan, 1.0]), "must be finite and increase"),
        (torch.tensor([0.0, 1.0, torch.inf]), "must be finite and increase"),
        (torch.tensor([0.0, 1.0]), "times has 2 values, but the curve has 3 nodes"),
        (torch.zeros(3, 1), r"vector of at least two times, but shape \(3, 1\)"),
        ([0.0, 0.5, 1.0], "torch.linspace"),
        (torch.tensor([1.0, 1.0 + 1e-9, 2.0], dtype=torch.float64), "must be finite and increase"),
    ],
)
def test_times_must_increase(times, message):
    with pytest.raises(ValueError, match=message):
        Curve(torch.zeros(3, 2), PLANE, times=times)


def test_times_outside_the_curve_s_own():
    curve = Curve(torch.zeros(3, 2), PLANE, times=torch.tensor([2.0, 3.0, 5.0]))
    assert curve(torch.tensor([2.0, 5.0])).shape == (2, 2)
    for t in (1.9, 5.1):
        with pytest.raises(ValueError, match=r"times must lie in \[2, 5\]"):
            curve.velocity(torch.tensor([t]))
