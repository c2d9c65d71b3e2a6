"""Derivatives carried forward layer by layer, against reverse mode and finite differences."""

import closed_forms as known
import pytest
import torch
from torch import nn
from torch.func import jvp
from torch.nn import functional as F
from torch.nn.utils import parametrizations, spectral_norm, weight_norm
from torch.testing import assert_close

from geomlib.riemann import ExpectedMetric, PullbackMetric
from geomlib.riemann.layers import SideBySide, linearise, taylor


def two_layers(*between, latent=2):
    return nn.Sequential(nn.Linear(latent, 6), *between, nn.Linear(6, 9))


def hooked(network, place=None, before=False):
    layer = network if place is None else network[place]
    if before:
        layer.register_forward_pre_hook(lambda _, inputs: (inputs[0] * 1.5,))
    else:
        layer.register_forward_hook(lambda _, inputs, output: output + output.sin())
    return network


class Sine(nn.Linear):
    def forward(self, z):
        return super().forward(z).sin()


class Skip(nn.Sequential):
    def forward(self, z):
        return super().forward(z) + z.square().sum(-1, keepdim=True)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRU(2, 4, batch_first=True)

    def forward(self, z):
        return self.cell(z[:, None].repeat(1, 3, 1))[0]


def normed(network):
    """Spectral norm draws its vectors at random: without a pass they say nothing of the weight."""
    network(torch.ones(1, 2))
    return network


torch.manual_seed(0)
SHARED = nn.Linear(6, 6)
NETWORKS = {
    "Tanh": two_layers(nn.Tanh()),
    "Sigmoid": two_layers(nn.Sigmoid()),
    "Softplus": two_layers(nn.Softplus(beta=3)),
    "SiLU": two_layers(nn.SiLU()),
    "SiLU in place": two_layers(nn.SiLU(inplace=True)),
    "GELU": two_layers(nn.GELU()),
    "GELU by tanh": two_layers(nn.GELU("tanh")),
    "ELU": two_layers(nn.ELU(inplace=True)),
    "CELU": two_layers(nn.CELU()),
    "Mish": two_layers(nn.Mish(inplace=True)),
    "Softsign": two_layers(nn.Softsign()),
    "Softmax": two_layers(nn.Softmax(-1)),
    "LayerNorm": two_layers(nn.LayerNorm(6), nn.Tanh()),
    "GroupNorm": two_layers(nn.GroupNorm(2, 6), nn.Tanh()),
    "RMSNorm": two_layers(nn.RMSNorm(6), nn.Tanh()),
    "BatchNorm": two_layers(nn.BatchNorm1d(6), nn.Tanh()),
    "InstanceNorm": two_layers(
        nn.Unflatten(1, (2, 3)), nn.InstanceNorm1d(2, affine=True), nn.Flatten(), nn.Tanh()
    ),
    "GLU": nn.Sequential(nn.Linear(2, 12), nn.GLU(), nn.Linear(6, 9)),
    "Dropout": two_layers(nn.Dropout(0.4), nn.Tanh()),
    "weight norm by hooks": nn.Sequential(
        nn.Linear(2, 6), nn.Tanh(), weight_norm(nn.Linear(6, 9))
    ),
    "weight norm": nn.Sequential(
        nn.Linear(2, 6), nn.Tanh(), parametrizations.weight_norm(nn.Linear(6, 9))
    ),
    "spectral norm": normed(
        nn.Sequential(
            spectral_norm(nn.Linear(2, 6), n_power_iterations=20), nn.Tanh(), nn.Linear(6, 9)
        )
    ),
    "hook on the last layer": hooked(two_layers(nn.Tanh()), -1),
    "hook on an activation": hooked(two_layers(nn.Tanh()), 1),
    "hook on the network": hooked(two_layers(nn.Tanh())),
    "hook before the network": hooked(two_layers(nn.Tanh()), before=True),
    "shared layer": two_layers(nn.Tanh(), SHARED, nn.SiLU(), SHARED),
    "nested": nn.Sequential(nn.Sequential(nn.Linear(2, 6), nn.Tanh()), nn.Sequential(SHARED)),
    "hook inside": nn.Sequential(hooked(two_layers(nn.Tanh())), nn.Linear(9, 9)),
    "linear": nn.Sequential(nn.Linear(2, 5)),
    "no bias": nn.Sequential(nn.Linear(2, 6, bias=False), nn.Tanh(), nn.Linear(6, 9, bias=False)),
    "few outputs": nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 2)),
    "nothing": nn.Sequential(),
    "in place at once": nn.Sequential(nn.SiLU(inplace=True), nn.Linear(2, 9)),
    "subclass of a layer": nn.Sequential(Sine(2, 6), nn.Tanh(), Sine(6, 9)),
    "subclass of Sequential": Skip(*two_layers(nn.Tanh())),
    "rows": nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Unflatten(1, (3, 4)), nn.Linear(4, 5)),
    "convolutions": nn.Sequential(
        nn.Linear(2, 16), nn.SiLU(), nn.Unflatten(1, (1, 4, 4)), nn.ConvTranspose2d(1, 2, 4, 2, 1),
        nn.GELU(), nn.Conv2d(2, 1, 3, padding=1), nn.Flatten(), nn.Linear(64, 9),
    ),
    "images": nn.Sequential(
        nn.Linear(2, 4), nn.Tanh(), nn.Unflatten(1, (1, 2, 2)), nn.ConvTranspose2d(1, 1, 2, 2)
    ),
    "recurrent": Recurrent(),
    "two heads": SideBySide(two_layers(nn.Tanh()), two_layers(nn.Softplus(), nn.LayerNorm(6))),
    "hooked head": hooked(SideBySide(two_layers(nn.Tanh()), two_layers(nn.SiLU()))),
    "a function": known.torus,
}  # fmt: skip
for _network in NETWORKS.values():
    if isinstance(_network, nn.Module):
        _network.double().eval().requires_grad_(False)


def reverse_mode(f, z):
    """Jacobian `(B, n, d)` and Hessian `(B, n, d, d)` by two backward passes, point by point."""
    jacobians, hessians = [], []
    for point in z:

        def one(x):
            return f(x[None] * 1).flatten()  # a copy: f may work in place

        def slope(x):
            return torch.autograd.functional.jacobian(one, x, create_graph=True)

        jacobians.append(slope(point).detach())
        hessians.append(torch.autograd.functional.jacobian(slope, point))
    return torch.stack(jacobians), torch.stack(hessians)


@pytest.mark.parametrize("gradients", [True, False], ids=["", "no_grad"])
@pytest.mark.parametrize("name", NETWORKS)
def test_derivatives_of_any_network(name, gradients):
    f = NETWORKS[name]
    z, u, v = torch.randn(3, 3, 2, dtype=torch.float64)
    kept = z.clone()
    jacobian, hessian = reverse_mode(f, z)
    with torch.set_grad_enabled(gradients):
        at = taylor(f, z, torch.stack([u, u]), torch.stack([v, u]))
    assert_close(at.value, f(z * 1).flatten(1))
    assert_close(at.first, jacobian.movedim(-1, 0), rtol=1e-9, atol=1e-12)
    for second, right in zip(at.second, (v, u), strict=True):
        expected = torch.einsum("bnij,bi,bj->bn", hessian, u, right)
        assert_close(second, expected, rtol=1e-8, atol=1e-11)

    with torch.set_grad_enabled(gradients):
        value, first, bend = linearise(f, z)
    weights = torch.randn_like(value)
    assert_close((value, first), (at.value, at.first))
    expected = torch.einsum("bn,bnij->bij", weights, hessian)
    assert_close(bend(weights), expected, rtol=1e-8, atol=1e-11)
    assert (z == kept).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_geometry_of_any_network(name):
    f = NETWORKS[name]
    metric = PullbackMetric(f)
    z, v = 0.3 * torch.randn(2, 3, 2, dtype=torch.float64)
    jacobian, hessian = reverse_mode(f, z)
    G = jacobian.mT @ jacobian
    assert_close(metric.matrix(z), G, rtol=1e-9, atol=1e-12)
    assert_close(metric.folded().matrix(z), G, rtol=1e-9, atol=1e-12)
    lowered = torch.einsum("bnk,bnij->bkij", jacobian, hessian)
    expected = torch.einsum("bkl,blij->bkij", torch.linalg.inv(G), lowered)
    assert_close(metric.christoffels(z), expected, rtol=1e-6, atol=1e-8)
    # Jacobi fields differentiate all of it once more, inside vmap
    times = torch.tensor([0.0, 0.05])
    with torch.no_grad():
        field = metric.jacobi_field(z[:1], v[:1], v[:1], times, tolerance=1e-5)
    ahead, behind = (metric.exp(z[:1], s * 0.05 * v[:1]) for s in (1.01, 0.99))
    assert_close(field[:, -1], (ahead - behind) / 0.02, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("latent", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 4])
def test_any_latent_dimension(latent, count):
    f = two_layers(nn.Tanh(), nn.Linear(6, 6), nn.Softplus(), latent=latent).double()
    z, u, v = torch.randn(3, count, latent, dtype=torch.float64)
    jacobian, hessian = reverse_mode(f, z)
    at = taylor(f, z, u[None], v[None])
    assert_close(at.first, jacobian.movedim(-1, 0))
    assert_close(at.second[0], torch.einsum("bnij,bi,bj->bn", hessian, u, v))


def test_without_directions_there_are_no_second_derivatives():
    at = taylor(NETWORKS["LayerNorm"], torch.randn(3, 2, dtype=torch.float64))
    assert at.value.shape == (3, 9) and at.first.shape == (2, 3, 9)
    assert at.second.shape == (0, 3, 9)


EYE = torch.eye(2, dtype=torch.float64)
WRONG_IN_TORCH = {
    "layer_norm": lambda h: F.layer_norm(h, (4,), h.new_full((4,), 2.0), h.new_ones(4), 0.1),
    "torch.layer_norm": lambda h: torch.layer_norm(h, (4,)),
    "layer_norm over two": lambda h: F.layer_norm(h.unflatten(1, (2, 2)), [2, 2], eps=0.1),
    "instance_norm": lambda h: F.instance_norm(h[:, None]),
    "instance_norm with weights": lambda h: F.instance_norm(
        h.unflatten(1, (2, 2)), weight=h.new_full((2,), 3.0), bias=h.new_ones(2), eps=0.1
    ),
    "instance_norm of kept numbers": lambda h: F.instance_norm(
        h[:, None], h.new_ones(1), h.new_full((1,), 4.0), use_input_stats=False
    ),
    "glu": lambda h: F.glu(h, dim=1),
    "det": lambda h: torch.linalg.det(3 * EYE + h.unflatten(1, (2, 2)))[:, None],
    "det, negative": lambda h: torch.det(h.unflatten(1, (2, 2)) - 9 * EYE[[1, 0]])[:, None],
    "slogdet": lambda h: torch.linalg.slogdet(h.unflatten(1, (2, 2)) - 9 * EYE[[1, 0]])[1][:, None],
    "solve": lambda h: torch.linalg.solve(3 * EYE + h.unflatten(1, (2, 2)), h[:, :2, None]),
    "solve a vector": lambda h: torch.linalg.solve(3 * EYE + h.unflatten(1, (2, 2)), h[:, :2]),
    "solve one vector": lambda h: torch.stack(
        [torch.linalg.solve(3 * EYE + row.unflatten(0, (2, 2)), row[:2]) for row in h]
    ),
    "solve from the right": lambda h: torch.linalg.solve(
        3 * EYE + h.unflatten(1, (2, 2)), h[:, None, :2], left=False
    ),
}


@pytest.mark.parametrize("name", WRONG_IN_TORCH)
def test_where_torch_forgets_a_term(name):
    # pytorch/pytorch issue 198017: wrong without a word in forward over forward mode
    def f(z):
        return WRONG_IN_TORCH[name](torch.cat([z.sin(), 1 + z**2], -1))

    z, u, v = torch.randn(3, 3, 2, dtype=torch.float64)
    second = taylor(f, z, u[None], v[None]).second[0]
    h = 1e-4
    around = f(z + h * (u + v)) - f(z + h * (u - v)) - f(z - h * (u - v)) + f(z - h * (u + v))
    assert_close(second, around.flatten(1) / (4 * h**2), rtol=1e-4, atol=1e-5)
    jacobian = reverse_mode(f, z)[0]
    assert_close(taylor(f, z).first, jacobian.movedim(-1, 0), rtol=1e-8, atol=1e-9)


def test_outside_of_derivatives_the_map_itself_is_called():
    seen = []

    def f(z):
        seen.append(torch.overrides._get_current_function_mode())
        return z

    metric = PullbackMetric(f)
    metric.squared_chords(torch.randn(4, 2))
    assert seen == [None]


def test_gradients_pass_through_both_derivatives():
    network = two_layers(nn.LayerNorm(6), nn.Tanh()).double()
    z, u, v = torch.randn(3, 2, 2, dtype=torch.float64)
    weight = network[0].weight

    def second(w):
        g = lambda z: torch.func.functional_call(network, {"0.weight": w}, (z,))  # noqa: E731
        return taylor(g, z, u[None], v[None])

    assert torch.autograd.gradcheck(lambda w: tuple(second(w)), (weight,))
    direct = torch.autograd.grad(taylor(network, z, u[None], v[None]).second.sum(), weight)
    assert_close(direct, torch.autograd.grad(second(weight).second.sum(), weight))


def test_an_expected_metric_sees_both_heads():
    mean, std = two_layers(nn.Tanh()).double(), two_layers(nn.Softplus()).double()
    z, u, v = torch.randn(3, 4, 2, dtype=torch.float64)
    metric = ExpectedMetric(mean, std)
    both = PullbackMetric(lambda z: torch.cat([mean(z), std(z)], -1))
    for one, other in ((metric, both), (metric.folded(), both)):
        assert_close(one.matrix(z), other.matrix(z))
        assert_close(one.connection(z, u, v), other.connection(z, u, v), rtol=1e-8, atol=1e-10)


def test_what_forward_mode_cannot_do_is_said():
    attention = nn.TransformerEncoderLayer(4, 2, 8, 0.0, "gelu", batch_first=True)
    network = nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (3, 4)), attention).double().eval()
    metric = PullbackMetric(network)
    z = torch.randn(3, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"(?s)in forward mode.*SDPBackend\.MATH"):
        metric.christoffels(z)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # as the message says
    try:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            assert torch.isfinite(metric.christoffels(z)).all()
            assert metric.geodesic(z[0], z[1], segments=8).converged
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def test_the_metric_works_inside_torch_func():
    metric, z = PullbackMetric(NETWORKS["LayerNorm"]), torch.randn(4, 2, dtype=torch.float64)
    assert_close(torch.func.vmap(metric.matrix)(z), metric.matrix(z))
    assert_close(torch.func.vmap(metric.christoffels)(z), metric.christoffels(z))
    u = torch.randn_like(z)
    slope = jvp(metric.volume, (z,), (u,))[1]
    step = 1e-6
    numeric = (metric.volume(z + step * u) - metric.volume(z - step * u)) / (2 * step)
    assert_close(slope, numeric, rtol=1e-5, atol=1e-8)
