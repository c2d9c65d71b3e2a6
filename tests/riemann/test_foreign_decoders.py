"""Decoders as people bring them: right geometry, or an error that says how to mend them."""

import warnings

import closed_forms as known
import pytest
import torch
from torch import distributions as dist
from torch import nn
from torch.nn import functional as F

from geomlib.models import GaussianVAE
from geomlib.riemann import (
    ExpectedMetric,
    FisherRaoMetric,
    MatrixMetric,
    PullbackMetric,
    TangentChain,
    singular_triples,
)

DOUBLE = torch.float64
NETWORK = known.decoder()
POINTS = torch.randn(3, 2, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))


class Convolutions(nn.Module):
    """Images `(B, 1, 28, 28)` from codes `(B, 2)`."""

    def __init__(self):
        super().__init__()
        self.start = nn.Linear(2, 4 * 7 * 7)
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(4, 4, 4, 2, 1),
            nn.BatchNorm2d(4),
            nn.SiLU(inplace=True),
            nn.Dropout2d(0.3),
            nn.ConvTranspose2d(4, 1, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, z):
        return self.layers(F.silu(self.start(z)).view(-1, 4, 7, 7))


def in_place(z):
    z *= 2
    out = torch.zeros(len(z), 3, dtype=z.dtype)
    out[:, 0], out[:, 1] = z[:, 0].sin(), z[:, 1]
    out[:, 2] = z[:, 0] * z[:, 1]
    return out


@torch.no_grad()
def without_gradients(z):
    return NETWORK(z)


@pytest.fixture(scope="module")
def convolutions():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Convolutions().double().eval().requires_grad_(False)


def jacobian(f, z):
    """By backward mode, one point at a time: nothing of the library's own."""
    rows = [
        torch.autograd.functional.jacobian(lambda p: f(p[None].clone()).flatten(), p) for p in z
    ]
    return torch.stack(rows)


@pytest.mark.parametrize("name", ["convolutions", "in place", "frozen"])
def test_first_derivatives_are_those_of_backward_mode(name, convolutions):
    frozen = known.decoder().requires_grad_(False)
    f = {"convolutions": convolutions, "in place": in_place, "frozen": frozen}[name]
    J = jacobian(f, POINTS)
    torch.testing.assert_close(PullbackMetric(f).matrix(POINTS), J.mT @ J)
    triples = singular_triples(f, POINTS, 2)
    torch.testing.assert_close(triples.S, torch.linalg.svdvals(J))
    chain = TangentChain([f], POINTS, torch.eye(2, dtype=DOUBLE))
    torch.testing.assert_close(chain.restricted().S, triples.S)


@pytest.mark.parametrize("name", ["convolutions", "in place"])
def test_second_derivatives_are_those_of_the_matrix(name, convolutions):
    f = convolutions if name == "convolutions" else in_place
    metric = PullbackMetric(f)
    intrinsic = MatrixMetric(metric.matrix)
    torch.testing.assert_close(metric.christoffels(POINTS), intrinsic.christoffels(POINTS))
    v = torch.ones_like(POINTS) / 10
    torch.testing.assert_close(metric.log(POINTS, metric.exp(POINTS, v)), v)


OLD = torch.__version__ < "2.13"


@pytest.mark.skipif(not OLD, reason="this torch keeps second derivatives in inference mode")
def test_inference_mode_is_refused_where_torch_loses_derivatives():
    with torch.inference_mode(), pytest.raises(RuntimeError, match=r"use torch\.no_grad"):
        PullbackMetric(NETWORK).gaussian_curvature(POINTS)


@pytest.mark.parametrize("mode", [torch.no_grad] if OLD else [torch.no_grad, torch.inference_mode])
def test_gradients_switched_off_outside_change_no_number(mode):
    wide = known.decoder(latent=400, outputs=300)  # 120,000 entries: the Jacobian is not written
    far = torch.zeros(1, 400, dtype=DOUBLE)

    def slow(z):  # its derivatives cannot be carried, so its rows come by a sweep back
        return torch.fft.rfft(NETWORK(z)[:, :16]).abs()

    def numbers():
        metric = PullbackMetric(NETWORK)
        return (
            metric.matrix(POINTS),
            metric.distance(POINTS, POINTS + 1, segments=8),
            metric.gaussian_curvature(POINTS),
            singular_triples(wide, far, 3).S,
            singular_triples(slow, POINTS, 2).S,
            TangentChain([slow], POINTS).composition().S,
        )

    expected = numbers()
    with mode():
        found = numbers()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other.detach())


def test_points_made_in_inference_mode():
    with torch.inference_mode():
        z = POINTS.clone()
    metric, v = PullbackMetric(NETWORK), torch.ones_like(POINTS) / 10
    torch.testing.assert_close(metric.matrix(z), metric.matrix(POINTS))
    torch.testing.assert_close(metric.christoffels(z), metric.christoffels(POINTS))
    torch.testing.assert_close(metric.exp(z, v), metric.exp(POINTS, v))
    torch.testing.assert_close(metric.distance(z, z + 1), metric.distance(POINTS, POINTS + 1))
    torch.testing.assert_close(
        singular_triples(NETWORK, z, 1).S, singular_triples(NETWORK, POINTS, 1).S
    )


def test_gradients_switched_off_inside():
    metric, plain = PullbackMetric(without_gradients), PullbackMetric(NETWORK)
    torch.testing.assert_close(metric.matrix(POINTS), plain.matrix(POINTS).detach())
    torch.testing.assert_close(
        metric.distance(POINTS, POINTS + 1), plain.distance(POINTS, POINTS + 1).detach()
    )

    @torch.no_grad()
    def slow(z):
        return torch.fft.rfft(NETWORK(z)[:, :16]).abs()

    J = jacobian(lambda z: torch.fft.rfft(NETWORK(z)[:, :16]).abs(), POINTS)
    torch.testing.assert_close(singular_triples(slow, POINTS, 2).S, torch.linalg.svdvals(J))
    wide = torch.no_grad()(known.decoder(latent=400, outputs=300))
    with pytest.raises(ValueError, match=r"switches gradients off inside.*torch.no_grad"):
        singular_triples(wide, torch.zeros(1, 400, dtype=DOUBLE), 3)


def test_a_derivative_that_is_cut_is_suspected():
    metric = PullbackMetric(lambda z: NETWORK(z).detach())
    for call in (metric.distance, metric.exp):
        with pytest.raises(ValueError, match=r"f is constant there, or .detach\(\)"):
            call(POINTS, POINTS + 1)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda z: (NETWORK(z), z), r"returns a tuple.*lambda z: f\(z\)\[0\]"),
        (lambda z: z.unbind(-1), r"returns a tuple.*keeps the batch dimension"),
        (lambda z: None, "returns a NoneType.*let it end in return"),
        (lambda z: {"mean": NETWORK(z)}, r"returns a dict.*lambda z: f\(z\)\['mean'\]"),
        (lambda z: dist.Normal(NETWORK(z), 1.0), r"Normal distribution.*\.mean.*FisherRaoMetric"),
        (lambda z: torch.fft.rfft(NETWORK(z)), r"returns torch.complex128.*view_as_real"),
        (lambda z: NETWORK(z).float(), "returns torch.float32 at points in torch.float64"),
    ],
    ids=["tuple", "columns", "nothing", "dict", "distribution", "complex", "dtype"],
)
@pytest.mark.parametrize("wrap", [PullbackMetric, lambda f: ExpectedMetric(f, NETWORK)])
def test_what_is_no_tensor_of_real_outputs(f, message, wrap):
    metric = wrap(f)
    for call in (
        lambda: metric.matrix(POINTS),
        lambda: metric.norm(POINTS, POINTS),
        lambda: metric.distance(POINTS, POINTS + 1),
        lambda: metric.exp(POINTS, POINTS),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_tangent_chains_and_triples_want_a_tensor_too():
    for call in (lambda f: singular_triples(f, POINTS, 1), lambda f: TangentChain([f], POINTS)):
        with pytest.raises(ValueError, match=r"returns a tuple.*lambda x: f\(x\)\[0\]"):
            call(lambda x: (x, x))


def test_a_whole_model_is_no_decoder():
    with pytest.raises(ValueError, match=r"GaussianVAE has no forward.*vae.mean"):
        PullbackMetric(GaussianVAE(5)).matrix(torch.zeros(3, 2))
    with pytest.raises(TypeError, match="f must be a map of points, but a Tensor"):
        PullbackMetric(torch.eye(2))


@pytest.mark.parametrize("layer", [nn.Dropout(0.3), nn.BatchNorm1d(32)], ids=["dropout", "norm"])
def test_training_mode_is_refused_and_changes_nothing(layer):
    network = nn.Sequential(nn.Linear(2, 32), layer, nn.Tanh(), nn.Linear(32, 9)).double()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for call in (
        lambda: singular_triples(network, POINTS, 1),
        lambda: TangentChain([network], POINTS),
        lambda: FisherRaoMetric(Bernoulli(network)).matrix(POINTS),
    ):
        with pytest.raises(ValueError, match=r"training mode.*\.eval\(\)"):
            call()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


class Bernoulli(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, z):
        return dist.Bernoulli(logits=self.logits(z))


def test_a_random_network_inside_a_function():
    dropout = nn.Sequential(nn.Linear(2, 32), nn.Dropout(0.3), nn.Linear(32, 9)).double()

    def f(z):
        return dropout(z)

    for call in (
        lambda: PullbackMetric(f).matrix(POINTS),
        lambda: singular_triples(f, POINTS, 1),
        lambda: TangentChain([f], POINTS).jacobian(),
    ):
        with pytest.raises(ValueError, match=r"random.*\.eval\(\) on a network inside"):
            call()
    wide = nn.Sequential(known.decoder(latent=400, outputs=300), nn.Dropout(0.3))
    with pytest.raises(ValueError, match=r"same point elsewhere in the batch.*\.eval\(\)"):
        singular_triples(lambda x: wide(x), torch.ones(1, 400, dtype=DOUBLE), 3)


@pytest.mark.parametrize("kink", [F.relu, F.leaky_relu, F.hardswish, torch.selu, torch.Tensor.relu])
def test_kinks_are_seen_in_functions_too(kink):
    first, last = nn.Linear(2, 8).double(), nn.Linear(8, 9).double()

    def f(z):
        return last(kink(first(z))).sigmoid()  # nowhere linear

    for metric in (
        PullbackMetric(f),
        FisherRaoMetric(lambda z: dist.Bernoulli(logits=last(kink(first(z))))),
    ):
        assert torch.isfinite(metric.matrix(POINTS)).all()
        with pytest.raises(ValueError, match=r"whose slope jumps.*use a smooth activation"):
            metric.christoffels(POINTS)


def test_a_traced_network_is_right_or_refused():
    normed = nn.Sequential(known.decoder(), nn.LayerNorm(40).double())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        plain, hidden = (torch.jit.trace(network, POINTS) for network in (NETWORK, normed))
    for traced, network in ((plain, NETWORK), (hidden, normed)):
        torch.testing.assert_close(
            PullbackMetric(traced).matrix(POINTS), PullbackMetric(network).matrix(POINTS)
        )
    torch.testing.assert_close(
        PullbackMetric(plain).christoffels(POINTS), PullbackMetric(NETWORK).christoffels(POINTS)
    )
    with pytest.raises(ValueError, match=r"traced with layer_norm.*before torch.jit"):
        PullbackMetric(hidden).christoffels(POINTS)


def test_nearly_parallel_vectors_in_single_precision():
    metric = PullbackMetric(lambda z: torch.stack([z[:, 0], z[:, 1], z[:, 0] * z[:, 1]], -1))
    z, u, v = torch.tensor([[[0.5, 0.5]], [[1.0, 0.0]], [[1.0, 0.005]]])
    with pytest.raises(ValueError, match=r"as far as torch.float32 can tell.*float64"):
        metric.curvature(z, u, v)
    z, u, v = z.double(), u.double(), v.double()
    torch.testing.assert_close(metric.curvature(z, u, v), metric.gaussian_curvature(z))
