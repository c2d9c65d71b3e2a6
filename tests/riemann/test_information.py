"""Fisher-Rao: closed forms, Monte Carlo of the score, Hessians of divergences, bad input."""

import closed_forms as known
import mpmath
import pytest
import torch
from torch import distributions as dist
from torch import nn
from torch.distributions.constraints import unit_interval
from torch.testing import assert_close

from geomlib.riemann import Curve, FisherRaoMetric, MatrixMetric, PullbackMetric

DOUBLE = torch.float64


def softplus(x):
    return nn.functional.softplus(x) + 0.1


def simplex(z):
    """(..., 2) to three probabilities."""
    return torch.cat([z, torch.zeros_like(z[..., :1])], dim=-1).softmax(-1)


# decoders (batch, 2) -> distribution with one or several outputs
FAMILIES = {
    "normal": lambda z: dist.Normal(z, softplus(z.flip(-1))),
    "log-normal": lambda z: dist.LogNormal(z, softplus(z.flip(-1))),
    "laplace": lambda z: dist.Laplace(z, softplus(z.flip(-1))),
    "bernoulli": lambda z: dist.Bernoulli(logits=z),
    "bernoulli, probabilities": lambda z: dist.Bernoulli(probs=z.sigmoid()),
    "categorical": lambda z: dist.Categorical(logits=torch.cat([z, z[:, :1] ** 2], dim=1)),
    "one-hot": lambda z: dist.OneHotCategorical(probs=simplex(z)),
    "poisson": lambda z: dist.Poisson(z.exp()),
    "exponential": lambda z: dist.Exponential(softplus(z)),
    "beta": lambda z: dist.Beta(softplus(z), softplus(z.flip(-1) + 1)),
    "gamma": lambda z: dist.Gamma(softplus(z), softplus(z.flip(-1) + 1)),
    "von Mises": lambda z: dist.VonMises(z, softplus(z.flip(-1) + 1)),
    "dirichlet": lambda z: dist.Dirichlet(torch.cat([softplus(z), softplus(-z[:, :1])], dim=1)),
    "geometric": lambda z: dist.Geometric(logits=z),
    "cauchy": lambda z: dist.Cauchy(z, softplus(z.flip(-1))),
    "multivariate normal": lambda z: dist.MultivariateNormal(
        z, covariance_matrix=torch.diag_embed(softplus(z)) + 0.05
    ),
}
ROUGH = {"laplace", "von Mises"}  # autograd has no second derivative of their divergence, or none
POINTS = torch.tensor([[0.3, -0.5], [1.1, 0.4]], dtype=DOUBLE)


def monte_carlo(decoder, z, count=60_000):
    """The second moment of the score at one point, and its standard error: (d, d) each."""
    draws = decoder(z[None]).sample((count,))[:, 0]  # (count, *outputs)

    def log_density(w):
        terms = decoder(w[None]).log_prob(draws[:, None])
        return terms.reshape(count, -1).sum(1)

    score = torch.func.jacfwd(log_density)(z)  # (count, d)
    moment = score[:, :, None] * score[:, None, :]
    return moment.mean(0), moment.std(0) / count**0.5


@pytest.mark.parametrize("name", FAMILIES)
def test_the_matrix_is_the_second_moment_of_the_score(name):
    z = POINTS[1]
    exact = FisherRaoMetric(FAMILIES[name]).matrix(z)
    sampled, error = monte_carlo(FAMILIES[name], z)
    assert ((sampled - exact).abs() < 5 * error + 1e-9).all()
    assert error.max() < 0.03 * exact.abs().max(), "enough draws to tell"


def kl_hessian(decoder, z):
    def divergence(w):
        return dist.kl_divergence(decoder(z[None]), decoder(w[None])).sum()

    return torch.func.jacfwd(torch.func.jacfwd(divergence))(z)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ROUGH])
def test_the_matrix_is_the_hessian_of_the_divergence(name):
    metric = FisherRaoMetric(FAMILIES[name])
    hessians = torch.stack([kl_hessian(FAMILIES[name], z) for z in POINTS])
    assert_close(metric.matrix(POINTS), hessians, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "von Mises"])
def test_divergence_is_half_a_squared_step_to_second_order(name):
    decoder, z = FAMILIES[name], POINTS[:1]
    v = torch.tensor([[0.6, 0.8]], dtype=DOUBLE)
    half = FisherRaoMetric(decoder).inner(z, v, v) / 2

    def off(step):  # relative error of the quadratic form
        divergence = dist.kl_divergence(decoder(z), decoder(z + step * v)).sum()
        return abs(divergence / (half * step**2) - 1).item()

    assert off(0.005) < 0.55 * off(0.01) + 1e-8 and off(0.005) < 0.02


@pytest.mark.parametrize("name", FAMILIES)
def test_derivatives_agree_with_those_of_the_matrix(name):
    metric = FisherRaoMetric(FAMILIES[name])
    matrix_alone = MatrixMetric(metric.matrix)
    u, v = torch.tensor([[1.0, 0.3], [-0.2, 0.7]], dtype=DOUBLE)
    assert_close(metric.connection(POINTS, u, v), matrix_alone.connection(POINTS, u, v))
    assert_close(metric.gaussian_curvature(POINTS), matrix_alone.gaussian_curvature(POINTS))
    assert_close(metric.inner(POINTS, u, v), matrix_alone.inner(POINTS, u, v))


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("batch", [(), (1,), (2, 3)], ids=str)
def test_shapes_and_dtypes(name, batch):
    metric = FisherRaoMetric(FAMILIES[name])
    z = torch.rand(*batch, 2, dtype=DOUBLE)
    G = metric.matrix(z)
    assert G.shape == (*batch, 2, 2)
    assert_close(G, G.mT)
    assert (torch.linalg.eigvalsh(G) > -1e-12).all()
    single = metric.matrix(z.float())
    assert single.dtype == torch.float32
    assert_close(single.double(), G, rtol=2e-3, atol=2e-4)


# Normal distributions: (mu, sigma)

normal = FisherRaoMetric(lambda z: dist.Normal(z[..., 0], z[..., 1]))


def normal_distance(a, b):
    (m, s), (n, t) = a.unbind(-1), b.unbind(-1)
    return 2**0.5 * torch.acosh(1 + ((m - n) ** 2 / 2 + (s - t) ** 2) / (2 * s * t))


def some_normals(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.rand(2, count, 2, generator=generator, dtype=DOUBLE)
    return z * torch.tensor([3.0, 1.5]) + torch.tensor([0.0, 0.3])


def test_the_matrix_of_normal_distributions():
    a, _ = some_normals(5)
    expected = known.diagonal(1 / a[:, 1] ** 2, 2 / a[:, 1] ** 2)
    assert_close(normal.matrix(a), expected)


def test_distances_of_normal_distributions():
    a, b = torch.tensor([[0.0, 1.0], [2.0, 0.5]], dtype=DOUBLE)
    assert normal.distance(a, b).item() == pytest.approx(2.612400, abs=1e-6)
    a, b = some_normals(50)
    assert_close(normal.distance(a, b), normal_distance(a, b), rtol=1e-5, atol=0)


def test_normal_distributions_are_the_half_plane():
    # (mu, sigma) -> (mu/√2, sigma) is √2 times an isometry to the hyperbolic half-plane
    a, b = some_normals(20)
    shrink = torch.tensor([0.5**0.5, 1.0], dtype=DOUBLE)
    assert_close(normal_distance(a, b), 2**0.5 * known.half_plane_distance(a * shrink, b * shrink))
    curve = normal.geodesic(a, b)
    assert curve.converged.all()
    x, y = (curve.points * shrink).unbind(-1)
    (p, q), (r, s) = (a * shrink).unbind(-1), (b * shrink).unbind(-1)
    centre = (r**2 + s**2 - p**2 - q**2) / (2 * (r - p))
    radius = torch.hypot(p - centre, q)
    assert_close(torch.hypot(x - centre[:, None], y), radius[:, None].expand_as(x), rtol=3e-4,
                 atol=0)  # fmt: skip


def test_normal_distributions_have_curvature_minus_a_half():
    a, _ = some_normals(8)
    assert_close(normal.gaussian_curvature(a), torch.full_like(a[:, 0], -0.5))
    with_units = FisherRaoMetric(lambda z: dist.Normal(7 * z[..., 0] - 2, 7 * z[..., 1]))
    assert_close(with_units.matrix(a), normal.matrix(a))  # a change of units is an isometry


def test_exp_and_log_of_normal_distributions():
    a, b = some_normals(6)
    v = normal.log(a, b)
    assert_close(normal.exp(a, v), b, rtol=1e-5, atol=1e-6)
    assert_close(normal.norm(a, v), normal_distance(a, b), rtol=1e-5, atol=0)


# Bernoulli and categorical distributions

bernoulli = FisherRaoMetric(lambda z: dist.Bernoulli(logits=z[..., 0]))


def test_distances_of_bernoulli_distributions():
    p, q = torch.rand(2, 30, 1, dtype=DOUBLE, generator=torch.manual_seed(2)) * 0.98 + 0.01
    exact = 2 * (p.sqrt().asin() - q.sqrt().asin()).abs()
    found = bernoulli.distance(torch.logit(p), torch.logit(q))
    assert_close(found, exact[:, 0], rtol=1e-5, atol=1e-7)
    by_probability = FisherRaoMetric(lambda z: dist.Bernoulli(probs=z[..., 0]))
    assert_close(by_probability.distance(p, q), exact[:, 0], rtol=1e-4, atol=1e-6)
    assert_close(by_probability.matrix(p), (1 / (p * (1 - p)))[..., None])


@pytest.mark.parametrize("family", [dist.Categorical, dist.OneHotCategorical])
def test_categorical_distributions_are_a_sphere(family):
    metric = FisherRaoMetric(lambda z: family(probs=simplex(z)))
    a, b = known.pairs(30, spread=0.8)
    exact = 2 * torch.acos((simplex(a) * simplex(b)).sqrt().sum(-1))
    assert_close(metric.distance(a, b), exact, rtol=1e-5, atol=0)
    assert_close(metric.gaussian_curvature(a), torch.full((30,), 0.25, dtype=DOUBLE))
    p = simplex(a)
    jacobian = torch.func.vmap(torch.func.jacfwd(simplex))(a)
    assert_close(metric.matrix(a), jacobian.mT @ torch.diag_embed(1 / p) @ jacobian)


def test_poisson_distances():
    metric = FisherRaoMetric(lambda z: dist.Poisson(z[..., 0]))
    a, b = torch.tensor([[1.0], [4.0]], dtype=DOUBLE)
    assert metric.distance(a, b).item() == pytest.approx(2.0, abs=1e-6)
    assert metric.matrix(b).item() == pytest.approx(1 / 4)


def test_curvature_near_the_edge_of_the_parameters():
    # whether a map has edges is looked for at some distance, where a rate may be negative
    metric = FisherRaoMetric(dist.Poisson)
    z = torch.tensor([[0.2, 0.3]], dtype=DOUBLE)
    assert metric.gaussian_curvature(z).abs() < 1e-10
    assert_close(metric.christoffels(z)[0, 0, 0, 0], -1 / (2 * z[0, 0]))


# decoders with many outputs

MEAN, SPREAD = known.decoder(0), nn.Sequential(known.decoder(1), nn.Softplus())


def decode(z):
    return dist.Normal(MEAN(z), SPREAD(z))


def test_a_gaussian_decoder():
    z = torch.randn(4, 2, dtype=DOUBLE)
    to_mean, to_std = (torch.func.vmap(torch.func.jacfwd(f))(z) for f in (MEAN, SPREAD))
    weight = torch.diag_embed(SPREAD(z) ** -2)
    expected = to_mean.mT @ weight @ to_mean + 2 * to_std.mT @ weight @ to_std
    assert_close(FisherRaoMetric(decode).matrix(z), expected)


def test_independent_outputs_may_be_wrapped():
    z = torch.randn(4, 2, dtype=DOUBLE)
    wrapped = FisherRaoMetric(lambda z: dist.Independent(decode(z), 1))
    twice = FisherRaoMetric(
        lambda z: dist.Independent(
            dist.Independent(dist.Normal(*(f(z).unflatten(1, (5, 8)) for f in (MEAN, SPREAD))), 1),
            1,
        )
    )
    for metric in (wrapped, twice):
        assert_close(metric.matrix(z), FisherRaoMetric(decode).matrix(z))


def test_categorical_pixels_add_up():
    logits = known.decoder(2, outputs=12)
    metric = FisherRaoMetric(lambda z: dist.Categorical(logits=logits(z).unflatten(1, (4, 3))))
    z = torch.randn(3, 2, dtype=DOUBLE)
    each = [
        FisherRaoMetric(
            lambda z, i=i: dist.Categorical(logits=logits(z).unflatten(1, (4, 3))[:, i])
        ).matrix(z)
        for i in range(4)
    ]
    assert_close(metric.matrix(z), sum(each))


@pytest.mark.parametrize("head", ["normal", "bernoulli"])
def test_geodesics_of_a_decoder(head):
    heads = {"normal": decode, "bernoulli": lambda z: dist.Bernoulli(logits=3 * MEAN(z))}
    metric = FisherRaoMetric(heads[head])
    a, b = known.pairs(6, spread=0.7)
    curve = metric.geodesic(a, b, segments=32)
    assert curve.converged.all()
    line = Curve.straight(a, b, metric, segments=32)
    assert (curve.arc_length() <= line.arc_length() * (1 + 1e-6)).all()
    alone = MatrixMetric(metric.matrix).geodesic(a, b, segments=32)
    assert_close(alone.arc_length(), curve.arc_length(), rtol=1e-3, atol=0)


def test_a_change_of_latent_chart_changes_no_length():
    metric = FisherRaoMetric(decode)
    bent = FisherRaoMetric(lambda w: decode(w + 0.3 * w.flip(-1).sin()))
    w, v = torch.randn(2, 5, 2, dtype=DOUBLE)
    z, pushed = torch.func.jvp(lambda w: w + 0.3 * w.flip(-1).sin(), (w,), (v,))
    assert_close(bent.norm(w, v), metric.norm(z, pushed))


def test_the_matrix_is_differentiable_in_the_weights():
    network = known.decoder().requires_grad_(True)
    metric = FisherRaoMetric(lambda z: dist.Bernoulli(logits=network(z)))
    metric.matrix(torch.zeros(3, 2, dtype=DOUBLE)).sum().backward()
    assert torch.isfinite(network[2].weight.grad).all() and network[2].weight.grad.any()


# numbers at the edge


@pytest.mark.parametrize("logit", [-800.0, -60.0, 60.0, 800.0])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
def test_extreme_logits_give_no_nan(logit, dtype):
    z = torch.tensor([[logit, 0.0]], dtype=dtype)
    for decoder in (
        lambda z: dist.Bernoulli(logits=z),
        lambda z: dist.Categorical(logits=z),
        lambda z: dist.OneHotCategorical(logits=z),
    ):
        metric = FisherRaoMetric(decoder)
        G = metric.matrix(z)
        assert torch.isfinite(G).all() and G[0, 0, 0].abs() < 1e-6
        assert torch.isfinite(metric.inner(z, z, z)).all()


def test_a_step_across_saturated_pixels_has_a_finite_length():
    z = torch.tensor([[-900.0], [900.0]], dtype=DOUBLE)
    line = Curve.straight(z[0], z[1], bernoulli, segments=512)
    assert line.length().item() == pytest.approx(torch.pi, abs=1e-6)  # from one pole to the other


@pytest.mark.parametrize("concentration", [0.01, 1, 20, 30, 1000, 1500, 1e5, 1e9])
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 2e-3), (DOUBLE, 1e-7)], ids=str)
def test_von_mises_at_any_concentration(concentration, dtype, rtol):
    k = mpmath.mpf(float(torch.tensor(concentration, dtype=dtype)))
    with mpmath.workdps(60):
        ratio = mpmath.besseli(1, k) / mpmath.besseli(0, k)
        exact = float(k * ratio), float(1 - ratio / k - ratio**2)
    metric = FisherRaoMetric(lambda z: dist.VonMises(z[..., 0], z[..., 1]))
    G = metric.matrix(torch.tensor([0.0, concentration], dtype=dtype))
    assert G.diagonal().tolist() == pytest.approx(exact, rel=rtol, abs=0)


def test_small_scales_are_far_apart():
    a, b = torch.tensor([[0.0, 1e-6], [1.0, 1e-6]], dtype=DOUBLE)
    assert_close(normal.matrix(a), torch.diag(torch.tensor([1e12, 2e12], dtype=DOUBLE)))
    assert normal_distance(a, b) < 40, "by way of larger scales, a logarithm and not 1e6"


def test_the_solver_turns_back_from_scales_that_do_not_exist():
    # Newton steps from the straight line lead below sigma = 0, where torch makes no distribution
    a, b = torch.tensor([[0.0, 0.1], [4.0, 0.1]], dtype=DOUBLE)
    curve = normal.geodesic(a, b, segments=64)
    assert curve.converged and (curve.points[:, 1] > 0).all()
    assert curve.arc_length().item() == pytest.approx(normal_distance(a, b).item(), rel=1e-3)
    before = dist.Distribution._validate_args
    with pytest.raises(ValueError, match="scale"):
        normal.matrix(torch.tensor([0.0, -1.0], dtype=DOUBLE))
    assert dist.Distribution._validate_args == before


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_a_plateau_between_walls_stops_the_solver_not_the_program():
    def flat_between_walls(z):
        inside = torch.sigmoid(20 * (z[..., :1].abs() - 1))  # the decoder is constant near zero
        return dist.Normal(z * inside, torch.exp(-3 * inside))

    a, b = torch.tensor([[-2.0, 0.0], [2.0, 0.1]], dtype=DOUBLE)
    curve = FisherRaoMetric(flat_between_walls).geodesic(a, b, segments=32)
    assert torch.isfinite(curve.points).all()


# bad input


class NotAFamily(dist.Distribution):
    arg_constraints = {"p": unit_interval}  # noqa: RUF012
    has_rsample = False


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        (lambda z: z, "returned a Tensor, but the Fisher-Rao metric needs"),
        (lambda z: (z, z), "returned a tuple, but"),
        (lambda z: dist.Normal(z[0], 1.0), "first dimension must be the batch"),
        (lambda z: dist.Normal(torch.zeros(()).double(), 1.0), "first dimension must be the batch"),
        (lambda z: dist.StudentT(z.exp()), "no Kullback-Leibler divergence of StudentT.*ambient="),
        (lambda z: NotAFamily(z.shape, validate_args=False), "divergence of NotAFamily"),
        (lambda z: dist.Uniform(z, z + 1), "support of Uniform moves with its parameters"),
        (lambda z: dist.Independent(dist.Uniform(0 * z, z.exp()), 1), "no Fisher information"),
        (lambda z: dist.Pareto(z.exp(), z.exp()), "support of Pareto moves"),
        (lambda z: dist.Normal(MEAN(z.float()), 1.0), "the decoder fails at torch.float64 points"),
        (lambda z: dist.Normal(z[:, 7], 1.0), "the decoder fails at .* points of shape"),
    ],
)
def test_decoders_without_information_are_refused(decoder, message):
    z = torch.zeros(3, 2, dtype=DOUBLE)
    for call in (FisherRaoMetric(decoder).matrix, FisherRaoMetric(decoder).volume):
        with pytest.raises(ValueError, match=message):
            call(z)


def test_parameters_that_do_not_exist_are_refused():
    z = torch.tensor([[0.0, -1.0]], dtype=DOUBLE)
    with pytest.raises(ValueError, match="scale"):
        normal.matrix(z)
    with pytest.raises(ValueError, match="NaN"):
        normal.matrix(torch.full((1, 2), torch.nan, dtype=DOUBLE))
    with pytest.raises(TypeError, match="list was given"):
        normal.matrix([[0.0, 1.0]])


def test_a_decoder_that_collapses_has_no_geodesics():
    flat = FisherRaoMetric(lambda z: dist.Normal(z[..., 0], 1.0))
    assert torch.linalg.matrix_rank(flat.matrix(POINTS)).eq(1).all()
    with pytest.raises(ValueError, match="less than full rank"):
        flat.geodesic(POINTS[0], POINTS[1])


def test_a_network_with_edges_has_no_curvature():
    class Head(nn.Sequential):
        def forward(self, z):
            return dist.Bernoulli(logits=super().forward(z))

    network = Head(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 5)).double()
    metric = FisherRaoMetric(network)
    assert metric.matrix(POINTS).shape == (2, 2, 2)
    with pytest.raises(ValueError, match="contains ReLU"):
        metric.christoffels(POINTS)


def test_the_ambient_way_for_a_family_that_torch_does_not_know():
    # Student's t with nu degrees of freedom: I = diag(nu + 1, 2 nu) / ((nu + 3) s²)
    weights = torch.tensor([6.0, 10.0], dtype=DOUBLE) / 8
    student = PullbackMetric(
        lambda z: torch.stack([z[:, 0], z[:, 1].exp()], dim=1),
        ambient=MatrixMetric(lambda t: torch.diag_embed(weights / t[..., 1:] ** 2)),
    )
    sampled, error = monte_carlo(
        lambda z: dist.StudentT(5.0, z[..., 0], z[..., 1].exp()), POINTS[0]
    )
    assert ((student.matrix(POINTS[0]) - sampled).abs() < 5 * error).all()
