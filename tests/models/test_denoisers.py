"""Exact denoisers: closed forms, Tweedie's formula, derivatives in every mode, bad input."""

import pytest
import torch
from scipy.special import ive
from torch.testing import assert_close

from geomlib.models import (
    CircleDenoiser,
    Denoiser,
    Embedded,
    GaussianDenoiser,
    MixtureDenoiser,
    SphereDenoiser,
)
from geomlib.models.bessel import bessel_ratio
from geomlib.riemann.derivatives import value_and_jacobian

DOUBLE = torch.float64


def spread(n, seed):
    root = torch.randn(n, n, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    return root @ root.mT / n


def frame(n, m, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(n, m, generator=generator, dtype=DOUBLE)).Q


def gaussian(seed=0):
    return GaussianDenoiser(torch.arange(3.0, dtype=DOUBLE), spread(3, seed))


def mixture(seed=0):
    means = 2 * torch.randn(4, 3, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    covariances = torch.stack([spread(3, seed + k) for k in range(4)])
    return MixtureDenoiser(torch.tensor([1.0, 2, 3, 4], dtype=DOUBLE), means, covariances)


def round_mixture(seed=0):
    means = 2 * torch.randn(4, 3, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    return MixtureDenoiser(torch.ones(4).double(), means, torch.tensor([0, 0.1, 0.2, 0.3]).double())


DENOISERS = {
    "gaussian": gaussian(),
    "mixture": mixture(),
    "round": round_mixture(),
    "sphere": SphereDenoiser(2, 1.3),
    "embedded": Embedded(CircleDenoiser(0.7), frame(3, 2)),
}
every = pytest.mark.parametrize("denoiser", DENOISERS.values(), ids=DENOISERS)


@pytest.mark.parametrize("dim", range(1, 9))
def test_bessel_ratios_against_scipy(dim):
    kappa = torch.logspace(-3, 4, 400, dtype=DOUBLE)
    nu = (dim - 1) / 2
    expected = torch.as_tensor(ive(nu + 1, kappa.numpy()) / ive(nu, kappa.numpy()))
    assert_close(kappa * bessel_ratio(kappa**2, dim), expected, rtol=1e-12, atol=0)
    single = kappa.float() * bessel_ratio(kappa.float() ** 2, dim)
    assert_close(single, expected.float(), rtol=3e-6, atol=0)


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_bessel_ratios_solve_their_differential_equation(dim):
    kappa = torch.logspace(-2, 6, 200, dtype=DOUBLE)

    def ratio(k):
        return k * bessel_ratio(k**2, dim)

    value, slope = torch.func.jvp(ratio, (kappa,), (torch.ones_like(kappa),))
    assert_close(slope, 1 - value**2 - dim * value / kappa, rtol=0, atol=1e-11)
    assert (slope > 0).all()  # no cancellation at large arguments, where it is dim / (2 kappa²)
    far = kappa > 1e3
    assert_close((slope * kappa**2)[far], torch.full_like(kappa[far], dim / 2), rtol=0.01, atol=0)
    # analytic at zero: 1 / (dim + 1)
    zero = torch.zeros((), dtype=DOUBLE)
    assert_close(bessel_ratio(zero, dim).item(), 1 / (dim + 1))
    assert torch.isfinite(torch.func.grad(torch.func.grad(lambda q: bessel_ratio(q, dim)))(zero))


@pytest.mark.parametrize("seed", range(3))
def test_gaussian(seed):
    denoiser = gaussian(seed)
    x = torch.randn(5, 3, dtype=DOUBLE)
    c, eye = spread(3, seed), torch.eye(3, dtype=DOUBLE)
    gain = c @ torch.linalg.inv(c + 0.49 * eye)
    expected = denoiser.mean + (x - denoiser.mean) @ gain.mT
    assert_close(denoiser.denoise(x, 0.7), expected)
    assert_close(denoiser.covariance(x, 0.7), (0.49 * gain).expand(5, 3, 3))
    values = denoiser.jacobian_eigenvalues(x, 0.7)
    assert_close(values, torch.linalg.eigvalsh(gain @ eye).flip(-1).expand(1, 3)[0])


def test_the_flow_of_a_gaussian_is_a_flow_and_keeps_the_marginals():
    denoiser = gaussian(1)
    x = torch.randn(6, 3, dtype=DOUBLE)
    via = denoiser.flow(denoiser.flow(x, 2.0, 0.5), 0.5, 0.1)
    assert_close(denoiser.flow(x, 2.0, 0.1), via)
    jacobian = value_and_jacobian(lambda z: denoiser.flow(z, 2.0, 0.1), x)[1][0]
    c, eye = spread(3, 1), torch.eye(3, dtype=DOUBLE)
    assert_close(jacobian @ (c + 4 * eye) @ jacobian.mT, c + 0.01 * eye)


@pytest.mark.parametrize("seed", range(3))
def test_mixture_of_one_and_mixture_of_equals_are_gaussian(seed):
    c, m = spread(3, seed), torch.ones(3, dtype=DOUBLE)
    x = torch.randn(5, 3, dtype=DOUBLE)
    expected = GaussianDenoiser(m, c).denoise(x, 0.3)
    for count in (1, 4):
        weights = torch.arange(1.0, count + 1, dtype=DOUBLE)
        mixed = MixtureDenoiser(weights, m.expand(count, 3), c.expand(count, 3, 3))
        assert_close(mixed.denoise(x, 0.3), expected)
        assert_close(mixed.responsibilities(x, 0.3), (weights / weights.sum()).expand(5, -1))


def test_round_components_are_components():
    small = round_mixture()
    full = MixtureDenoiser(
        small.log_weights.exp(),
        small.means,
        small.variances[..., None] * torch.eye(3, dtype=DOUBLE),
    )
    x = torch.randn(7, 3, dtype=DOUBLE)
    for compare in ("denoise", "covariance", "responsibilities"):
        assert_close(getattr(small, compare)(x, 0.5), getattr(full, compare)(x, 0.5))


def test_points_of_a_finite_data_set():
    points = torch.randn(30, 4, dtype=DOUBLE)
    denoiser = MixtureDenoiser.of_points(points)
    x = torch.randn(6, 4, dtype=DOUBLE)
    weights = (-(torch.cdist(x, points) ** 2) / (2 * 0.4**2)).softmax(-1)
    assert_close(denoiser.denoise(x, 0.4), weights @ points)
    nearest = points[torch.cdist(x, points).argmin(1)]
    assert_close(denoiser.denoise(x, 1e-3), nearest)
    assert_close(denoiser.denoise(x, 1e4), points.mean(0).expand(6, 4), rtol=0, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_spheres_against_many_points_of_them(dim, seed):
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(200_000, dim + 1, generator=generator, dtype=DOUBLE)
    points = 1.5 * points / points.norm(dim=1, keepdim=True)
    x = torch.randn(3, dim + 1, generator=generator, dtype=DOUBLE)
    sampled = MixtureDenoiser.of_points(points).denoise(x, 0.8)
    assert_close(SphereDenoiser(dim, 1.5).denoise(x, 0.8), sampled, rtol=0, atol=0.02)


def test_the_circle_at_high_noise():
    x = torch.tensor([1.0, 0.0], dtype=DOUBLE)
    values = CircleDenoiser().jacobian_eigenvalues(x, 2.0)
    assert_close(values, torch.tensor([0.1240, 0.1221], dtype=DOUBLE), rtol=0, atol=5e-5)


def test_small_noise_makes_a_projection_and_its_jacobian_the_tangent_projector():
    x = torch.tensor([0.6, 0.0, 0.8], dtype=DOUBLE)
    denoiser = SphereDenoiser(2)
    projector = torch.eye(3, dtype=DOUBLE) - torch.outer(x, x)
    errors = [
        (denoiser.covariance(x, s) / s**2 - projector).abs().max().item() for s in (0.2, 0.1, 0.05)
    ]
    assert errors[0] > 3.5 * errors[1] > 3.5**2 * errors[2]  # of order sigma²
    assert_close(denoiser.denoise(3 * x, 1e-3), x, rtol=0, atol=1e-5)


@every
def test_jacobians_are_symmetric_with_the_closed_eigenvalues(denoiser):
    x = torch.randn(6, 3, dtype=DOUBLE)
    for sigma in (0.05, 0.5, 3.0):
        jacobian = value_and_jacobian(lambda z, s=sigma: denoiser.denoise(z, s), x)[1]
        assert_close(jacobian, jacobian.mT, rtol=0, atol=1e-8)
        values = torch.linalg.eigvalsh(jacobian).flip(-1)
        assert values.min() > -1e-9
        closed = denoiser.jacobian_eigenvalues(x, sigma).expand(6, 3)
        assert_close(closed.sort(descending=True).values, values, rtol=1e-6, atol=1e-8)


@every
def test_covariances_are_those_of_autograd(denoiser):
    x = torch.randn(2, 4, 3, dtype=DOUBLE)
    assert_close(
        denoiser.covariance(x, 0.6), Denoiser.covariance(denoiser, x, 0.6), rtol=1e-7, atol=1e-9
    )


@every
def test_forward_reverse_and_vectorised_derivatives_agree(denoiser):
    def f(z):
        return denoiser.denoise(z, 0.4)

    x = torch.randn(3, dtype=DOUBLE)
    forward, reverse = torch.func.jacfwd(f)(x), torch.func.jacrev(f)(x)
    assert_close(forward, reverse)
    assert_close(torch.func.vmap(torch.func.jacrev(f))(x.expand(2, 3)), reverse.expand(2, 3, 3))
    assert torch.autograd.gradcheck(f, x.clone().requires_grad_())
    assert torch.autograd.gradgradcheck(f, x.clone().requires_grad_())


@pytest.mark.parametrize("dim", [1, 2])
def test_derivatives_at_the_centre_of_a_sphere(dim):
    zero = torch.zeros(dim + 1, dtype=DOUBLE)
    jacobian = torch.func.jacrev(lambda z: SphereDenoiser(dim).denoise(z, 2.0))(zero)
    assert_close(jacobian, torch.eye(dim + 1, dtype=DOUBLE) / (4 * (dim + 1)))


@every
def test_noise_levels_one_for_each_point(denoiser):
    x, sigma = torch.randn(4, 3, dtype=DOUBLE), torch.tensor([0.1, 0.5, 1.0, 2.0], dtype=DOUBLE)
    single = torch.stack([denoiser.denoise(p, s) for p, s in zip(x, sigma, strict=True)])
    assert_close(denoiser.denoise(x, sigma), single)
    scores = torch.stack([denoiser.score(p, s) for p, s in zip(x, sigma, strict=True)])
    assert_close(denoiser.score(x, sigma), scores)
    covariances = torch.stack([denoiser.covariance(p, s) for p, s in zip(x, sigma, strict=True)])
    assert_close(denoiser.covariance(x, sigma).expand(4, 3, 3), covariances)


def test_the_score_is_the_slope_of_the_log_density():
    denoiser = mixture(2)
    sigma = 0.6
    eye = torch.eye(3, dtype=DOUBLE)
    c = torch.einsum("kni,ki,kmi->knm", denoiser.frames, denoiser.variances, denoiser.frames)
    density = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=denoiser.log_weights),
        torch.distributions.MultivariateNormal(denoiser.means, c + sigma**2 * eye),
    )
    x = torch.randn(5, 3, dtype=DOUBLE, requires_grad=True)
    (slope,) = torch.autograd.grad(density.log_prob(x).sum(), x)
    assert_close(denoiser.score(x.detach(), sigma), slope)


def test_an_embedding_only_adds_dimensions():
    q = frame(8, 3)
    denoiser = Embedded(SphereDenoiser(2), q)
    x = torch.randn(5, 8, dtype=DOUBLE)
    assert_close(denoiser.denoise(x, 0.3), SphereDenoiser(2).denoise(x @ q, 0.3) @ q.mT)
    across = x - x @ q @ q.mT  # noise across the image does not change the answer
    assert_close(denoiser.denoise(x + across, 0.3), denoiser.denoise(x, 0.3))
    assert (denoiser.jacobian_eigenvalues(x, 0.3)[:, 3:] == 0).all()


@every
@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), float("inf")])
def test_noise_must_be_positive(denoiser, sigma):
    with pytest.raises(ValueError, match="sigma must be positive and finite"):
        denoiser.denoise(torch.ones(3, dtype=DOUBLE), sigma)


@every
def test_points_that_do_not_fit(denoiser):
    with pytest.raises(ValueError, match=r"coordinates|rows of|frame"):
        denoiser.denoise(torch.ones(5, 4, dtype=DOUBLE), 0.1)
    with pytest.raises(ValueError, match="NaN or infinite"):
        denoiser.denoise(torch.tensor([0.0, torch.nan, 0], dtype=DOUBLE), 0.1)
    with pytest.raises(ValueError, match=r"sigma has shape \(2,\)"):
        denoiser.denoise(torch.ones(5, 3, dtype=DOUBLE), torch.ones(2))
    if not isinstance(denoiser, SphereDenoiser):  # a sphere takes any precision
        with pytest.raises(ValueError, match=r"torch\.float32"):
            denoiser.denoise(torch.ones(5, 3), 0.1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GaussianDenoiser(torch.zeros(3), torch.eye(2)), r"\(n,\) and \(n, n\)"),
        (lambda: GaussianDenoiser(torch.zeros(2), torch.eye(2).double()), "float64"),
        (lambda: GaussianDenoiser(torch.zeros(2), torch.tensor([[1.0, 2], [0, 1]])), "symmetric"),
        (lambda: GaussianDenoiser(torch.zeros(2), -torch.eye(2)), "negative eigenvalues"),
        (lambda: GaussianDenoiser(torch.zeros(2), torch.eye(2) / 0), "NaN or infinite"),
        (lambda: MixtureDenoiser(torch.ones(2), torch.ones(3, 2), torch.ones(3)), r"\(K, n\)"),
        (lambda: MixtureDenoiser(torch.ones(3), torch.ones(3), torch.ones(3)), r"\(K, n\)"),
        (lambda: MixtureDenoiser(torch.zeros(3), torch.ones(3, 2), torch.ones(3)), "positive"),
        (lambda: MixtureDenoiser(torch.ones(3), torch.ones(3, 2), -torch.ones(3)), "negative"),
        (
            lambda: MixtureDenoiser(torch.ones(3), torch.ones(3, 2), torch.ones(3).double()),
            "dtype|float64",
        ),
        (lambda: SphereDenoiser(0), "dim = 0"),
        (lambda: SphereDenoiser(9), "dimension 1 to 8"),
        (lambda: CircleDenoiser(-1.0), "radius must be positive"),
        (lambda: Embedded(CircleDenoiser(), torch.ones(3, 2)), "not orthonormal"),
        (lambda: Embedded(CircleDenoiser(), torch.ones(3)), r"\(n, m\) is needed"),
    ],
)
def test_denoisers_that_cannot_be(build, message):
    with pytest.raises(ValueError, match=message):
        build()
