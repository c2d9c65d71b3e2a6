"""Christoffel symbols and Gauss curvature against closed forms and the embedding."""

import closed_forms as known
import pytest
import torch
from numpy.polynomial.legendre import leggauss
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from geomlib.riemann import ExpectedMetric, MatrixMetric, PullbackMetric

CURVATURES = {
    "sphere": (PullbackMetric(known.sphere), lambda z: torch.full_like(z[..., 0], 1 / 4)),
    "stereographic": (
        MatrixMetric(known.stereographic_matrix),
        lambda z: torch.ones_like(z[..., 0]),
    ),
    "torus": (PullbackMetric(known.torus), known.torus_curvature),
    "half-plane": (known.half_plane, lambda z: -torch.ones_like(z[..., 0])),
    "paraboloid": (PullbackMetric(known.paraboloid), known.paraboloid_curvature),
    "saddle": (PullbackMetric(known.saddle), known.saddle_curvature),
    "saddle's matrix": (MatrixMetric(known.saddle_matrix), known.saddle_curvature),
    "a linear map": (PullbackMetric(lambda z: z @ torch.ones(2, 1).to(z) + torch.cat([z] * 2, -1)),
                     lambda z: torch.zeros_like(z[..., 0])),
}  # fmt: skip


@pytest.mark.parametrize("name", CURVATURES)
@pytest.mark.parametrize("batch", [(), (5,), (2, 3)], ids=str)
def test_gauss_curvature_in_closed_form(name, batch):
    metric, formula = CURVATURES[name]
    z = 0.4 + torch.rand(*batch, 2, dtype=torch.float64)
    assert_close(metric.gaussian_curvature(z), formula(z), rtol=1e-9, atol=1e-10)


def test_christoffel_symbols_of_the_sphere():
    z = 0.4 + torch.rand(5, 2, dtype=torch.float64)
    theta = z[:, 0]
    expected = torch.zeros(5, 2, 2, 2, dtype=torch.float64)
    expected[:, 0, 1, 1] = -theta.sin() * theta.cos()
    expected[:, 1, 0, 1] = expected[:, 1, 1, 0] = 1 / theta.tan()
    assert_close(PullbackMetric(known.sphere).christoffels(z), expected)


def test_christoffel_symbols_of_the_half_plane():
    z = 0.4 + torch.rand(5, 2, dtype=torch.float64)
    expected = torch.zeros(5, 2, 2, 2, dtype=torch.float64)
    expected[:, 0, 0, 1] = expected[:, 0, 1, 0] = expected[:, 1, 1, 1] = -1 / z[:, 1]
    expected[:, 1, 0, 0] = 1 / z[:, 1]
    assert_close(known.half_plane.christoffels(z), expected)


@pytest.mark.parametrize("latent", [1, 2, 3])
def test_christoffel_symbols_of_a_decoder(latent):
    # Γ^k_ij = (G⁻¹ Jᵀ ∂_i ∂_j f)_k: the embedding's formula, not the metric's
    f = known.decoder(latent=latent)
    z = torch.randn(4, latent, dtype=torch.float64)
    jacobian = torch.func.vmap(torch.func.jacfwd(f))(z)
    second = torch.func.vmap(torch.func.jacfwd(torch.func.jacfwd(f)))(z)  # (4, n, d, d)
    lowered = torch.einsum("bnk,bnij->bkij", jacobian, second)
    expected = torch.einsum("bkl,blij->bkij", torch.linalg.inv(jacobian.mT @ jacobian), lowered)
    assert_close(PullbackMetric(f).christoffels(z), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.Softplus, nn.SiLU, nn.GELU])
def test_gauss_curvature_of_a_decoder_from_its_second_fundamental_form(activation):
    f = known.decoder(activation=activation)
    z = torch.randn(6, 2, dtype=torch.float64)
    jacobian = torch.func.vmap(torch.func.jacfwd(f))(z)
    second = torch.func.vmap(torch.func.jacfwd(torch.func.jacfwd(f)))(z)
    tangent = torch.linalg.qr(jacobian).Q
    normal = second - torch.einsum("bnt,bmt,bmij->bnij", tangent, tangent, second)
    mixed = (normal[..., 0, 0] * normal[..., 1, 1]).sum(1) - (normal[..., 0, 1] ** 2).sum(1)
    expected = mixed / torch.linalg.det(jacobian.mT @ jacobian)
    assert expected.abs().max() > 1e-4
    assert_close(PullbackMetric(f).gaussian_curvature(z), expected, rtol=1e-6, atol=1e-9)


def total_curvature(metric, u, v):
    """The integral of K dA over a rectangle of parameters, by Gauss-Legendre quadrature."""
    node, weight = (torch.as_tensor(x) for x in leggauss(24))
    scale = [(end - start) / 2 for start, end in (u, v)]
    grid = [start + s * (node + 1) for s, (start, _) in zip(scale, (u, v), strict=True)]
    z = torch.cartesian_prod(*grid)
    area = torch.outer(weight, weight).flatten() * scale[0] * scale[1] * metric.volume(z)
    return (metric.gaussian_curvature(z) * area).sum()


def test_gauss_bonnet():
    pi = torch.pi
    torus = total_curvature(PullbackMetric(known.torus), (0, 2 * pi), (0, 2 * pi))
    outside = total_curvature(PullbackMetric(known.torus), (-pi / 2, pi / 2), (0, 2 * pi))
    sphere = total_curvature(PullbackMetric(known.sphere), (0, pi), (0, 2 * pi))
    zero, four_pi = (torch.tensor(x, dtype=torch.float64) for x in (0.0, 4 * pi))
    assert_close(torus, zero, rtol=0, atol=1e-6)
    assert_close(outside, four_pi, rtol=1e-8, atol=0)
    assert_close(sphere, four_pi, rtol=1e-8, atol=0)


RELU = known.decoder(activation=nn.ReLU)


class FunctionalReLU(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = known.decoder()[0], nn.Linear(32, 5).double()

    def forward(self, z):
        return self.last(F.relu(self.first(z)))


@pytest.mark.filterwarnings("ignore:.*did not converge:RuntimeWarning")
@pytest.mark.parametrize(
    "metric",
    [
        PullbackMetric(RELU),
        PullbackMetric(known.decoder(activation=nn.LeakyReLU)),
        ExpectedMetric(known.decoder(), RELU),
        PullbackMetric(FunctionalReLU()),
        PullbackMetric(lambda z: RELU(z)),
    ],
    ids=["ReLU", "LeakyReLU", "in the deviation", "functional", "hidden in a function"],
)
def test_a_piecewise_linear_decoder_has_no_curvature(metric):
    z = torch.randn(3, 2, dtype=torch.float64)
    for quantity in (metric.christoffels, metric.gaussian_curvature):
        with pytest.raises(ValueError, match="use a smooth activation"):
            quantity(z)
    assert torch.isfinite(metric.distance(z[0], z[1]))  # lengths it has


@pytest.mark.parametrize("latent", [1, 3])
def test_gauss_curvature_belongs_to_surfaces(latent):
    with pytest.raises(ValueError, match=f"two dimensions, but z has {latent} coordinates"):
        PullbackMetric(known.decoder(latent=latent)).gaussian_curvature(torch.zeros(latent))


def points(*shape):
    return 0.4 + torch.rand(*shape, dtype=torch.float64)


def product(z):
    """A unit sphere times a line, in four dimensions."""
    return torch.cat([known.sphere(z[..., :2], 1), z[..., 2:]], -1)


@pytest.mark.parametrize(
    ("metric", "K", "d"),
    [
        (PullbackMetric(known.sphere_3), 1, 3),
        (MatrixMetric(known.sphere_3_matrix), 1, 3),
        (known.half_space, -1, 3),
        (known.half_space, -1, 5),
        (PullbackMetric(nn.Linear(5, 9).double()), 0, 5),
    ],
    ids=["3-sphere", "3-sphere's matrix", "hyperbolic 3", "hyperbolic 5", "flat"],
)
def test_spaces_of_constant_curvature_bend_equally_in_all_planes(metric, K, d):
    z, u, v = points(6, d), *torch.randn(2, 6, d, dtype=torch.float64)
    expected = torch.full((6,), float(K), dtype=torch.float64)
    assert_close(metric.curvature(z, u, v), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", ["embedded", "intrinsic"])
def test_curvature_of_a_product_depends_on_the_plane(kind):
    metric = PullbackMetric(product)
    if kind == "intrinsic":
        metric = MatrixMetric(metric.matrix)
    z = points(4, 3)
    first, second, line = torch.eye(3, dtype=torch.float64)
    round_, flat = metric.curvature(z, first, second), metric.curvature(z, first, line)
    assert_close(round_, torch.ones_like(round_), rtol=1e-8, atol=0)
    assert_close(flat, torch.zeros_like(flat), rtol=0, atol=1e-9)
    # at 45 degrees to the sphere: cos² 45°
    tilted = metric.curvature(z, first, second / metric.norm(z, second)[:, None] + line)
    assert_close(tilted, torch.full_like(tilted, 0.5), rtol=1e-8, atol=0)


AMBIENT = {
    "sphere": MatrixMetric(known.sphere_3_matrix),
    "hyperbolic": known.half_space,
    "the sphere's embedding": PullbackMetric(known.sphere_3),
    "another decoder": PullbackMetric(known.decoder(5, latent=3)),
}


def above(z):
    """Into the upper half of space."""
    return torch.cat([z, 1.5 + 0.3 * torch.sin(2 * z[..., :1]) * z[..., 1:]], -1)


@pytest.mark.parametrize("name", AMBIENT)
def test_theorema_egregium_in_a_curved_space(name):
    # the Gauss equation with the target's own curvature, against the metric alone
    embedded = PullbackMetric(above, AMBIENT[name])
    intrinsic = MatrixMetric(embedded.matrix)
    z = points(4, 2)
    K = embedded.gaussian_curvature(z)
    assert K.abs().max() > 1e-3
    assert_close(K, intrinsic.gaussian_curvature(z), rtol=1e-6, atol=1e-7)
    assert_close(embedded.christoffels(z), intrinsic.christoffels(z), rtol=1e-7, atol=1e-8)
    if name == "the sphere's embedding":  # pulling back twice is pulling back the composition
        once = PullbackMetric(lambda z: known.sphere_3(above(z)))
        assert_close(K, once.gaussian_curvature(z), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("latent", [2, 3, 5])
def test_theorema_egregium_of_a_decoder(latent):
    embedded = PullbackMetric(known.decoder(latent=latent, scale=1.5))
    intrinsic = MatrixMetric(embedded.matrix)
    z, u, v = torch.randn(3, 3, latent, dtype=torch.float64)
    K = embedded.curvature(z, u, v)
    assert K.abs().max() > 1e-3
    assert_close(K, intrinsic.curvature(z, u, v), rtol=1e-5, atol=1e-7)
    connection = embedded.connection(z, u, v)
    assert_close(connection, intrinsic.connection(z, u, v), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("f", "K"),
    [
        (lambda z: torch.cat([z, torch.ones_like(z[..., :1])], -1), 0.0),  # a horosphere
        (lambda z: torch.stack([z[..., 0], 0 * z[..., 0], z[..., 1]], -1), -1.0),  # a plane
    ],
    ids=["horosphere", "totally geodesic"],
)
def test_surfaces_of_hyperbolic_space(f, K):
    z = points(4, 2)
    found = PullbackMetric(f, known.half_space).gaussian_curvature(z)
    assert_close(found, torch.full_like(found, K), rtol=0, atol=1e-10)


INTO_THREE = known.decoder(0, 3, outputs=3)


def above_three(z):
    return torch.cat([INTO_THREE(z), 2 + z[..., :1].sin()], -1)


CONNECTIONS = {
    "decoder": PullbackMetric(known.decoder(latent=3)),
    "its matrix": MatrixMetric(PullbackMetric(known.decoder(latent=3)).matrix),
    "expected": ExpectedMetric(known.decoder(0, 3), known.decoder(1, 3)),
    "ambient": PullbackMetric(above_three, known.half_space),
    "hyperbolic": known.half_space,
}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_the_connection_is_symmetric_bilinear_and_metric(name):
    metric = CONNECTIONS[name]
    z, u, v, w = points(5, 3), *torch.randn(3, 5, 3, dtype=torch.float64)
    gamma = metric.connection(z, u, v)
    assert_close(gamma, metric.connection(z, v, u), rtol=1e-9, atol=1e-10)
    double = metric.connection(z, 2 * u + w, v)
    assert_close(double, 2 * gamma + metric.connection(z, w, v), rtol=1e-8, atol=1e-9)
    symbols = metric.christoffels(z)
    assert_close(torch.einsum("bkij,bi,bj->bk", symbols, u, v), gamma, rtol=1e-8, atol=1e-9)
    # ∂_u ⟨v, w⟩ = ⟨Γ(u, v), w⟩ + ⟨v, Γ(u, w)⟩ for constant v, w
    slope = torch.func.jvp(lambda p: metric.inner(p, v, w), (z,), (u,))[1]
    both = metric.inner(z, gamma, w) + metric.inner(z, v, metric.connection(z, u, w))
    assert_close(slope, both, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", CONNECTIONS)
def test_curvature_belongs_to_the_plane_not_to_its_vectors(name):
    metric = CONNECTIONS[name]
    z, u, v = points(4, 3), *torch.randn(2, 4, 3, dtype=torch.float64)
    K = metric.curvature(z, u, v)
    for pair in ((v, u), (2 * u, -3 * v), (u + v, u - 2 * v)):
        assert_close(metric.curvature(z, *pair), K, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["decoder", "hyperbolic"])
def test_curvature_and_connection_broadcast(name):
    metric = CONNECTIONS[name]
    z, u = points(4, 1, 3), torch.randn(3, 3, dtype=torch.float64)
    v = torch.randn(3, dtype=torch.float64)
    K, gamma = metric.curvature(z, u, v), metric.connection(z, u, v)
    assert K.shape == (4, 3) and gamma.shape == (4, 3, 3)
    assert_close(K[2, 1], metric.curvature(z[2, 0], u[1], v), rtol=1e-8, atol=1e-10)
    assert_close(gamma[2, 1], metric.connection(z[2, 0], u[1], v), rtol=1e-8, atol=1e-10)
    assert metric.curvature(z[:0], u[:1], v).shape == (0, 1)
    assert metric.christoffels(z[:0]).shape == (0, 1, 3, 3, 3)


def test_curvature_in_single_precision():
    z = points(5, 2).float()
    for metric in (PullbackMetric(known.torus), MatrixMetric(known.torus_matrix)):
        assert_close(metric.gaussian_curvature(z), known.torus_curvature(z), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "metric",
    [PullbackMetric(known.torus), MatrixMetric(known.torus_matrix), known.half_space,
     PullbackMetric(known.decoder()), PullbackMetric(above, known.half_space)],
    ids=["torus", "torus' matrix", "half-space", "decoder", "ambient"],
)  # fmt: skip
def test_curvature_and_christoffels_are_differentiable(metric):
    d = 3 if metric is known.half_space else 2
    z = points(d).requires_grad_(True)
    u, v = torch.randn(2, d, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(metric.curvature, (z, u, v), atol=1e-4, rtol=1e-3)
    assert torch.autograd.gradcheck(metric.christoffels, (z,), atol=1e-4, rtol=1e-3)


def test_curvature_s_gradient_in_closed_form():
    z = points(6, 2).requires_grad_(True)
    (expected,) = torch.autograd.grad(known.torus_curvature(z).sum(), z)
    for metric in (PullbackMetric(known.torus), MatrixMetric(known.torus_matrix)):
        (slope,) = torch.autograd.grad(metric.gaussian_curvature(z).sum(), z)
        assert_close(slope, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("metric", [CONNECTIONS["decoder"], known.half_space], ids=["f", "G"])
def test_parallel_vectors_span_no_plane(metric):
    z, u = points(3, 3), torch.randn(3, 3, dtype=torch.float64)
    for v in (u, -2 * u, torch.zeros_like(u)):
        with pytest.raises(ValueError, match="span no plane"):
            metric.curvature(z, u, v)


def test_a_piecewise_linear_ambient_metric_has_no_curvature_either():
    metric = PullbackMetric(known.decoder(outputs=2), PullbackMetric(RELU))
    z = points(2)
    for quantity in (metric.christoffels, metric.gaussian_curvature, lambda z: metric.exp(z, z)):
        with pytest.raises(ValueError, match="use a smooth activation"):
            quantity(z)
