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
