"""Whatever is handed in: a clear error or an honest flag, never a silent wrong curve."""

import closed_forms as known
import numpy as np
import pytest
import torch
from torch import nn

from geomlib.riemann import Curve, ExpectedMetric, MatrixMetric, PullbackMetric

DOUBLE = torch.float64
NETWORK = known.decoder()
METRIC = PullbackMetric(NETWORK)
POINT = torch.zeros(2, dtype=DOUBLE)
NOT_A_POINT = {
    "an integer": (torch.zeros(4, 2, dtype=torch.long), ValueError, r"int64.*use z.float\(\)"),
    "an array": (np.zeros((4, 2)), TypeError, r"ndarray was given.*torch.as_tensor"),
    "a list": ([0.0, 1.0], TypeError, "list was given"),
    "a number": (torch.tensor(1.0, dtype=DOUBLE), ValueError, r"\(\.\.\., d\) with d >= 1"),
    "no coordinates": (torch.zeros(3, 0, dtype=DOUBLE), ValueError, "hold the coordinates"),
    "NaN": (torch.tensor([0.0, torch.nan]).double(), ValueError, "z holds NaN or infinite"),
    "infinity": (torch.tensor([torch.inf, 0.0]).double(), ValueError, "z holds NaN or infinite"),
    "another dtype": (torch.zeros(4, 2), ValueError, r"z is torch.float32.*network.double\(\)"),
    "another dimension": (
        torch.zeros(4, 3, dtype=DOUBLE),
        ValueError,
        r"f fails at points of shape",
    ),
}


@pytest.mark.parametrize("name", NOT_A_POINT)
@pytest.mark.parametrize("method", ["matrix", "volume", "christoffels"])
def test_what_is_no_point_is_refused(name, method):
    z, error, message = NOT_A_POINT[name]
    with pytest.raises(error, match=message):
        getattr(METRIC, method)(z)


@pytest.mark.parametrize("name", NOT_A_POINT)
def test_what_is_no_end_point_is_refused(name):
    z, error, message = NOT_A_POINT[name]
    for name_z in ("a", "b"):
        ends = {"a": POINT, "b": POINT} | {name_z: z}
        with pytest.raises(error) as raised:
            METRIC.geodesic(**ends)
        assert any(part in str(raised.value) for part in (name_z, "coordinates", message))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (POINT, POINT.float(), r"a is torch.float64 but b is torch.float32.*b.to\(a.dtype\)"),
        (torch.zeros(5, 2).double(), torch.zeros(5, 3).double(), "a has 2 coordinates but b has 3"),
        (torch.zeros(5, 2).double(), torch.zeros(4, 2).double(), r"a \(5, 2\), b \(4, 2\)"),
        (torch.zeros(0, 2).double(), torch.zeros(0, 2).double(), r"no pairs.*\(0, 2\)"),
    ],
)
def test_end_points_must_match(a, b, message):
    for call in (METRIC.geodesic, METRIC.distance):
        with pytest.raises(ValueError, match=message):
            call(a, b)


def test_vectors_must_match_their_points():
    z = torch.zeros(5, 2).double()
    for metric in (METRIC, known.half_plane):
        with pytest.raises(ValueError, match=r"z is torch.float64 but [uv] is torch.float32"):
            metric.norm(z, torch.zeros(5, 2))
        with pytest.raises(ValueError, match="z has 2 coordinates but u has 3"):
            metric.inner(z, torch.zeros(5, 3).double(), z)
        with pytest.raises(ValueError, match=r"u \(4, 2\)"):
            metric.inner(z + 1, torch.zeros(4, 2).double(), z)
        with pytest.raises(ValueError, match=r"[uv] holds NaN"):
            metric.norm(z, z + torch.nan)


def test_an_empty_batch_of_points_is_an_empty_batch_of_matrices():
    empty = torch.zeros(0, 2, dtype=DOUBLE)
    assert METRIC.matrix(empty).shape == (0, 2, 2)
    assert METRIC.volume(empty).shape == (0,)


@pytest.mark.parametrize("segments", [0, -3, 2.5, 8.0])
def test_segments_are_counted(segments):
    with pytest.raises(ValueError, match=f"at least one segment.*segments={segments}"):
        METRIC.geodesic(POINT, POINT + 1, segments=segments)


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        (torch.zeros(2, 9, 2).double(), r"initial has shape \(2, 9, 2\).*\(\*batch, N\+1, d\)"),
        (torch.zeros(2).double(), "a curve needs nodes"),
        (torch.zeros(9, 3).double(), "initial has 3"),
        (torch.zeros(9, 2), "initial is torch.float32"),
        (torch.full((9, 2), torch.nan).double(), "NaN"),
    ],
)
def test_an_initial_curve_must_fit_the_pairs(initial, message):
    a = torch.zeros(5, 2, dtype=DOUBLE)
    with pytest.raises(ValueError, match=message):
        METRIC.geodesic(a, a + 1, segments=8, initial=initial)


def broken_decoder(value):
    network = known.decoder()
    network[4].weight[0, 0] = value
    return network


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("kind", ["mean", "deviation"])
def test_a_decoder_that_returns_nan_says_where(value, kind):
    network = broken_decoder(value)
    metric = PullbackMetric(network) if kind == "mean" else ExpectedMetric(NETWORK, network)
    z = torch.ones(3, 2, dtype=DOUBLE)
    for call in (
        lambda: metric.matrix(z),
        lambda: metric.norm(z, z),
        lambda: metric.geodesic(z, -z),
        lambda: Curve.straight(z, -z, metric).length(),
    ):
        with pytest.raises(ValueError, match=r"f returned NaN or infinity at \d+ of \d+ points"):
            call()


def test_a_map_that_is_undefined_between_the_ends_does_not_converge_silently():
    # √ of a negative number half way
    metric = PullbackMetric(lambda z: torch.cat([z, (z[..., :1].abs() - 0.5).sqrt()], -1))
    a, b = torch.tensor([[-1.0, 0.0], [1.0, 0.1]], dtype=DOUBLE)
    with pytest.raises(ValueError, match="NaN"):
        metric.geodesic(a, b)


@pytest.mark.parametrize(
    "f",
    [
        lambda z: z.sum(),
        lambda z: z[..., 0],
        lambda z: torch.stack([z[0], z[1]]),
        lambda z: z[0],
    ],
    ids=["sum", "one coordinate", "first points", "first point"],
)
def test_a_function_that_loses_the_batch_dimension(f):
    z = torch.rand(5, 2, dtype=DOUBLE)
    for call in (lambda: PullbackMetric(f).matrix(z), lambda: PullbackMetric(f).geodesic(z, z + 1)):
        with pytest.raises(ValueError, match=r"keep the batch dimension.*torch.vmap"):
            call()


def test_torch_vmap_mends_a_function_of_one_point():
    f = torch.vmap(lambda z: torch.stack([z[0], z[1], z[0] * z[1]]))
    z = torch.rand(5, 2, dtype=DOUBLE)
    torch.testing.assert_close(PullbackMetric(f).matrix(z), known.saddle_matrix(z))


@pytest.mark.parametrize("layer", [nn.Dropout(0.3), nn.BatchNorm1d(32)], ids=["dropout", "norm"])
@pytest.mark.parametrize("wrap", [PullbackMetric, lambda f: ExpectedMetric(NETWORK, f)])
def test_a_network_in_training_mode(layer, wrap):
    network = nn.Sequential(nn.Linear(2, 32), layer, nn.Tanh(), nn.Linear(32, 50)).double()
    metric = wrap(network)
    for call in (metric.matrix, lambda z: metric.distance(z, z + 1)):
        network.train()
        with pytest.raises(ValueError, match=r"training mode.*\.eval\(\)"):
            call(POINT)
        network.eval()
        assert torch.isfinite(call(POINT)).all()


def test_dropout_frozen_inside_a_larger_network_is_fine():
    inner = nn.Sequential(nn.Linear(2, 32), nn.Dropout(0.3), nn.Tanh()).double().eval()
    outer = nn.Sequential(inner, nn.Linear(32, 50).double())
    assert outer.training
    assert torch.isfinite(PullbackMetric(outer).distance(POINT, POINT + 1))


@pytest.mark.parametrize(
    "f",
    [
        lambda z: torch.cat([z[..., :1], z[..., :1] ** 2], -1),
        nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 9)).double(),
    ],
    ids=["constant in one direction", "bottleneck"],
)
def test_a_decoder_of_less_than_full_rank(f):
    metric = PullbackMetric(f)
    with pytest.raises(ValueError, match=r"less than full rank.*fewer latent dimensions"):
        metric.geodesic(POINT, POINT + 1)
    torch.testing.assert_close(metric.volume(POINT), POINT[0], rtol=0, atol=1e-7)


def test_more_latent_dimensions_than_outputs():
    with pytest.raises(ValueError, match="less than full rank"):
        PullbackMetric(known.decoder(latent=3, outputs=2)).distance(
            torch.zeros(3).double(), torch.ones(3).double()
        )


def cusp(z):
    return torch.cat([z**2, z**3], dim=-1)


def test_a_cusp_is_flagged_or_right():
    metric = PullbackMetric(cusp)
    zero, one = torch.zeros(1, dtype=DOUBLE), torch.ones(1, dtype=DOUBLE)
    assert metric.matrix(zero) == 0
    half = (13**1.5 - 8) / 27  # arc length of (t², t³) from 0 to 1
    with pytest.warns(RuntimeWarning, match="did not converge"):
        through = metric.geodesic(-one, one)
    assert not through.converged
    from_tip = metric.geodesic(zero, one)
    assert not from_tip.converged or abs(from_tip.arc_length() / half - 1) < 1e-3


def test_an_indefinite_matrix_measures_nothing():
    minkowski = MatrixMetric(
        lambda z: torch.diag(torch.tensor([1.0, -1.0])).to(z).expand(*z.shape, 2)
    )
    changing = MatrixMetric(lambda z: known.diagonal(torch.ones_like(z[..., 0]), z[..., 0]))
    ends = torch.tensor([[1.0, 0.0], [-1.0, 2.0]], dtype=DOUBLE)
    for metric in (minkowski, changing):
        with pytest.raises(ValueError, match="must be positive definite"):
            metric.geodesic(*ends)


@pytest.mark.parametrize(
    ("G", "message"),
    [
        (lambda z: torch.eye(2).to(z), r"G\(z\) has shape \(2, 2\).*\(5, 2, 2\)"),
        (lambda z: z, r"G\(z\) has shape \(5, 2\)"),
        (lambda z: torch.eye(2).expand(*z.shape, 2), r"G\(z\) is torch.float32.*dtype=z.dtype"),
    ],
)
def test_a_field_of_matrices_of_the_wrong_kind(G, message):
    with pytest.raises(ValueError, match=message):
        MatrixMetric(G).matrix(torch.ones(5, 2, dtype=DOUBLE))


def test_end_points_outside_the_domain():
    inside = torch.tensor([0.0, 1.0], dtype=DOUBLE)
    with pytest.raises(ValueError, match=r"G\(b\) is not finite: b lies outside"):
        known.half_plane.geodesic(inside, torch.tensor([1.0, 0.0], dtype=DOUBLE))
    # beyond the boundary G is finite again, but no geodesic leads there
    for y in (-0.01, -0.3, -1.0, -3.0):
        with pytest.warns(RuntimeWarning, match="did not converge"):
            beyond = known.half_plane.geodesic(inside, torch.tensor([1.0, y], dtype=DOUBLE))
        assert not beyond.converged


@pytest.mark.parametrize("segments", [1, 7, 64])
@pytest.mark.parametrize(
    "f",
    [lambda x: 1 / x, torch.tan, lambda x: 3 * x.sign()],
    ids=["1/x", "tan", "step"],
)
def test_a_segment_that_jumps_over_a_gap_is_flagged(f, segments):
    metric = PullbackMetric(lambda z: torch.cat([z, f(z[..., :1])], -1))
    a, b = torch.tensor([[-1.0, 0.0], [2.0, 0.2]], dtype=DOUBLE)
    with pytest.warns(RuntimeWarning, match="more segments"):
        assert not metric.geodesic(a, b, segments=segments).converged


def test_a_curve_through_the_pole_of_a_chart_is_flagged():
    sphere = PullbackMetric(known.sphere)
    a, b = torch.tensor([[1.5, 0.0], [-1.0, 0.2]], dtype=DOUBLE)
    with pytest.warns(RuntimeWarning, match="did not converge"):
        assert not sphere.geodesic(a, b).converged


@pytest.mark.filterwarnings("ignore:.*did not converge:RuntimeWarning")
@pytest.mark.parametrize("far", [1e2, 1e3, 1e6, 1e30, 1e150])
def test_end_points_far_from_any_sensible_region(far):
    # where tanh saturates the decoder is constant
    a, b = torch.tensor([[far, far], [-far, far]], dtype=DOUBLE)
    for start, end in ((a, b), (POINT, b)):
        try:
            curve = METRIC.geodesic(start, end)
        except ValueError as error:
            assert "full rank" in str(error) or "NaN or infin" in str(error)
        else:
            honest = Curve.straight(start, end, METRIC, 4000).length() * (1 + 1e-6)
            assert not curve.converged or curve.arc_length() <= honest


def test_one_bad_pair_does_not_spoil_the_others():
    a, b = known.pairs(4)
    metric = PullbackMetric(known.decoder(scale=3.0))
    easy = metric.geodesic(a, b)
    sphere = PullbackMetric(known.sphere)
    middle = torch.pi / 2
    start = torch.tensor([[middle, 0.0], [1.0, 0.0]], dtype=DOUBLE)
    end = torch.tensor([[middle, 3.4], [1.2, 1.0]], dtype=DOUBLE)
    with pytest.warns(RuntimeWarning, match="1 of 2 geodesics") as caught:
        curve = sphere.geodesic(start, end)
    assert len(caught) == 1
    assert curve.converged.tolist() == [False, True]
    torch.testing.assert_close(
        curve.arc_length()[1], sphere.distance(start[1], end[1]), rtol=1e-9, atol=0
    )
    assert easy.converged.all()


SPHERE = MatrixMetric(known.sphere_matrix)
UNIT = torch.tensor([0.0, 1.0], dtype=DOUBLE)
CALLS = {  # each takes points and vectors
    "exp": lambda metric, z, v: metric.exp(z, v),
    "shoot": lambda metric, z, v: metric.shoot(z, v, UNIT),
    "jacobi_field": lambda metric, z, v: metric.jacobi_field(z, z, v, UNIT),
    "conjugate_time": lambda metric, z, v: metric.conjugate_time(z, v, until=1.0),
    "connection": lambda metric, z, v: metric.connection(z, v, v),
    "curvature": lambda metric, z, v: metric.curvature(z, v, v.flip(-1)),
    "transport": lambda metric, z, v: metric.transport(
        Curve.straight(z, z + 1, metric, segments=4), v
    ),
}


@pytest.fixture(params=CALLS, ids=str)
def call(request):
    return CALLS[request.param]


@pytest.mark.parametrize("metric", [METRIC, known.half_plane, SPHERE], ids=["f", "G", "sphere"])
@pytest.mark.parametrize(
    ("v", "error", "message"),
    [
        (torch.ones(5, 3).double(), ValueError, "2 coordinates but [vuw] has 3"),
        (torch.ones(5, 2), ValueError, r"float64 but [vuw] is torch.float32"),
        (torch.ones(4, 2).double(), ValueError, r"\(4, 2\)"),
        (torch.ones(5, 2).long(), ValueError, "int64"),
        (torch.full((5, 2), torch.nan).double(), ValueError, "NaN"),
        (torch.full((5, 2), torch.inf).double(), ValueError, "infinite"),
        (np.ones((5, 2)), (TypeError, ValueError), "ndarray"),
    ],
    ids=["dimension", "dtype", "batch", "integers", "NaN", "infinity", "array"],
)
def test_vectors_that_are_none(call, metric, v, error, message):
    if isinstance(v, np.ndarray) and call is CALLS["curvature"]:
        pytest.skip("flips its vector")
    with pytest.raises(error, match=message):
        call(metric, torch.ones(5, 2, dtype=DOUBLE), v)


SMOOTH_ONLY = [name for name in CALLS if name != "connection"]


@pytest.mark.parametrize("name", SMOOTH_ONLY)
@pytest.mark.parametrize("activation", [nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.Hardtanh])
def test_second_derivatives_need_a_smooth_activation(name, activation):
    metric = PullbackMetric(known.decoder(activation=activation))
    z, v = torch.randn(2, 3, 2, dtype=DOUBLE)
    with pytest.raises(ValueError, match=r"network contains \w+.*use a smooth activation"):
        CALLS[name](metric, z, v)


@pytest.mark.parametrize("name", ["exp", "jacobi_field", "conjugate_time", "transport"])
def test_where_g_loses_rank_nothing_starts(name):
    pole, flat = (
        torch.zeros(2, dtype=DOUBLE),
        PullbackMetric(lambda z: torch.cat([z[:, :1]] * 2, 1)),
    )
    for metric in (SPHERE, PullbackMetric(known.sphere), flat):
        with pytest.raises(ValueError, match=r"less than full rank at .* of .* points"):
            CALLS[name](metric, pole, torch.ones(2, dtype=DOUBLE))
    with pytest.raises(ValueError, match="outside the metric's domain"):
        CALLS[name](known.half_plane, pole, torch.ones(2, dtype=DOUBLE))


def test_an_empty_batch():
    empty, curve = torch.zeros(0, 2, dtype=DOUBLE), torch.zeros(0, 5, 2, dtype=DOUBLE)
    for metric in (METRIC, known.half_plane):
        assert metric.connection(empty, empty, empty).shape == (0, 2)
        assert metric.curvature(empty, empty, empty).shape == (0,)
        assert metric.gaussian_curvature(empty).shape == (0,)
        assert metric.christoffels(empty).shape == (0, 2, 2, 2)
        assert metric.norm(empty, empty).shape == (0,)
        assert metric.transport(Curve(curve, metric), empty).shape == (0, 5, 2)
        assert Curve(curve, metric).arc_length().shape == (0,)
        assert Curve(curve, metric).by_arc_length().points.shape == (0, 5, 2)
        for name in ("exp", "shoot", "jacobi_field", "conjugate_time"):
            with pytest.raises(ValueError, match=r"no point to start from.*\(0, 2\)"):
                CALLS[name](metric, empty, empty)
        with pytest.raises(ValueError, match="no pairs to connect"):
            metric.log(empty, empty)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (torch.tensor([1.0, 0.0]), "1 is followed by 0"),
        (torch.tensor([0.0, 0.0]), "name each time once"),
        (torch.tensor([0.0, torch.nan]), "must be finite and increase"),
        (torch.tensor([0.0, torch.inf]), "must be finite"),
        (torch.tensor([0.0]), r"at least two times, but shape \(1,\)"),
        (torch.tensor(1.0), r"vector of at least two times"),
        ([0.0, 1.0], r"write torch.linspace"),
        (1.0, r"write torch.linspace"),
    ],
)
def test_times_that_do_not_increase(times, message):
    z = torch.ones(2, dtype=DOUBLE)
    for call in (lambda: SPHERE.shoot(z, z, times), lambda: SPHERE.jacobi_field(z, z, z, times)):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("tolerance", [0.0, -1e-6, 1.0, torch.nan])
def test_a_tolerance_lies_between_zero_and_one(tolerance):
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        SPHERE.exp(POINT + 1, POINT + 1, tolerance=tolerance)


@pytest.mark.parametrize(
    "options",
    [{"until": until} for until in (0.0, -1.0, torch.nan, torch.inf)]
    + [{"until": 1.0, "samples": samples} for samples in (-1, 0, 3, 20.0)],
    ids=str,
)
def test_where_no_conjugate_point_can_be_looked_for(options):
    with pytest.raises(ValueError, match=list(options)[-1]):
        SPHERE.conjugate_time(POINT + 1, POINT + 1, **options)


@pytest.mark.parametrize("far", [1e3, 1e200])
@pytest.mark.parametrize(
    "metric",
    [METRIC, SPHERE, known.half_plane],
    ids=["decoder", "sphere", "half-plane"],
)
def test_shooting_absurdly_far_ends_soon(metric, far, monkeypatch):
    calls, original = [], type(metric).connection

    def counted(self, z, u, v):
        calls.append(1)
        return original(self, z, u, v)

    monkeypatch.setattr(type(metric), "connection", counted)
    z, v = torch.tensor([[1.0, 1.0], [0.3, 0.7]], dtype=DOUBLE)
    with pytest.raises(RuntimeError, match=r"cannot go on.*Shoot less far"):
        metric.exp(z, far * v)
    assert len(calls) <= 8000


def test_a_narrow_pass_by_a_pole_is_no_dead_end():
    # steps shrink by a millionth and grow again
    z, v = torch.tensor([[1.0, 0.0], [-2.0, 1e-6]], dtype=DOUBLE)
    end = SPHERE.exp(z, v)
    assert abs(end[0] - 1) < 1e-4 and abs(end[1] - torch.pi) < 1e-4


def test_shooting_out_of_the_chart():
    disc = MatrixMetric(  # flat, but only inside the unit circle is the root real
        lambda z: known.conformal((1 - z.square().sum(-1)).sqrt(), 2)
    )
    z, v = torch.tensor([[0.0, 0.0], [1.0, 0.5]], dtype=DOUBLE)
    assert torch.isfinite(disc.exp(z, 0.5 * v)).all()
    with pytest.raises(RuntimeError, match=r"2 geodesics at once.*leaves the domain of the chart"):
        disc.exp(z, torch.stack([0.1 * v, 5 * v]))
    root = PullbackMetric(lambda z: torch.cat([z, (1 - z.square().sum(-1, True)).sqrt()], -1))
    assert torch.isfinite(root.exp(z, v)).all()
    with pytest.raises(RuntimeError, match="leaves the domain of the chart"):
        root.exp(z, 5 * v)


def test_a_loose_tolerance_is_admitted():
    # through a dip the integrator does not see, the speed changes
    z, v = torch.tensor([[1.2, 0.0], [-0.4, 3.0]], dtype=DOUBLE)
    with pytest.warns(RuntimeWarning, match="a geodesic has constant speed"):
        SPHERE.exp(z, 2 * v, tolerance=0.3)


def test_antipodes_have_no_one_logarithm():
    equator = torch.tensor([torch.pi / 2, 0.0], dtype=DOUBLE)
    for angle in (torch.pi, torch.pi - 1e-6, torch.pi + 1e-6):
        goal = torch.tensor([torch.pi / 2, angle], dtype=DOUBLE)
        with pytest.warns(RuntimeWarning, match=r"did not converge|not certain"):
            SPHERE.log(equator, goal)
    # past the conjugate point, and one honest pair beside it
    goals = torch.tensor([[torch.pi / 2, 3.5], [torch.pi / 2, 1.0]], dtype=DOUBLE)
    with pytest.warns(RuntimeWarning, match="1 of 2 geodesics"):
        both = SPHERE.log(equator, goals)
    torch.testing.assert_close(both[1], torch.tensor([0.0, 1.0], dtype=DOUBLE))


def test_a_logarithm_in_a_region_that_cannot_be_reached():
    inside = torch.tensor([0.0, 1.0], dtype=DOUBLE)
    with pytest.warns(RuntimeWarning, match="did not converge"):
        known.half_plane.log(inside, torch.tensor([1.0, -1.0], dtype=DOUBLE))
    with pytest.raises(ValueError, match="outside"):
        known.half_plane.log(inside, torch.tensor([1.0, 0.0], dtype=DOUBLE))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_broken_decoder_shoots_nowhere(call, value):
    metric = PullbackMetric(broken_decoder(value))
    z, v = torch.randn(2, 3, 2, dtype=DOUBLE)
    with pytest.raises(ValueError, match=r"f returned NaN or infinity at \d+ of \d+ points"):
        call(metric, z, v)


def test_batch_normalisation_that_always_mixes_the_batch():
    layers = nn.Linear(2, 32), nn.BatchNorm1d(32, track_running_stats=False), nn.Linear(32, 9)
    metric = PullbackMetric(nn.Sequential(*layers).double().eval())
    with pytest.raises(ValueError, match="track_running_stats"):
        metric.matrix(torch.randn(5, 2, dtype=DOUBLE))


def test_a_curve_of_another_dimension_carries_nothing():
    curve = Curve(torch.rand(5, 3, dtype=DOUBLE), METRIC)
    with pytest.raises(ValueError, match=r"curve.points has 3 coordinates but v has 2"):
        METRIC.transport(curve, POINT)
    with pytest.raises(ValueError, match="f fails at points"):
        METRIC.transport(curve, torch.zeros(3, dtype=DOUBLE))
    with pytest.raises(ValueError, match=r"one vector for each curve"):
        METRIC.transport(
            Curve(torch.rand(4, 5, 2, dtype=DOUBLE), METRIC), torch.zeros(3, 2).double()
        )


def test_a_curve_through_points_without_rank_carries_nothing():
    nodes = torch.tensor([[-0.5, 0.0], [0.0, 0.0], [0.5, 0.0]], dtype=DOUBLE)
    with pytest.raises(ValueError, match=r"less than full rank at 1 of 3 points"):
        SPHERE.transport(Curve(nodes, SPHERE), POINT + 1)
