"""Chains of maps whose Jacobians, frames and images are known."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from geomlib.riemann import TangentChain, orthonormal_basis, principal_angles, subspace_distance

DOUBLE = torch.float64
SIGMAS = torch.logspace(0.5, -2, 51, dtype=DOUBLE).tolist()


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


class FlowStep(nn.Module):
    """A step of the probability flow for a denoiser D(x, sigma)."""

    stochastic = False

    def __init__(self, denoise, sigma_from, sigma_to):
        super().__init__()
        self.denoise, self.sigma_from, self.sigma_to = denoise, sigma_from, sigma_to

    def forward(self, x):
        guess = self.denoise(x, self.sigma_from)
        return guess + self.sigma_to / self.sigma_from * (x - guess)


def flow(denoise, sigmas=SIGMAS):
    return [FlowStep(denoise, a, b) for a, b in pairwise(sigmas)]


def gaussian(variances):
    return lambda x, sigma: x * (variances / (variances + sigma**2))


def networks(count, n, seed=0):
    torch.manual_seed(seed)
    return [
        nn.Sequential(nn.Linear(n, 9), nn.Tanh(), nn.Linear(9, n)).double() for _ in range(count)
    ]


def rotation(angle):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=DOUBLE)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_the_chain_rule_is_autograd_of_the_composition(batch, seed):
    steps, x = networks(5, 4, seed), draw(*batch, 4, seed=seed)
    chain = TangentChain(steps, x)
    expected = torch.func.vmap(torch.func.jacrev(nn.Sequential(*steps)))(x.reshape(-1, 4))
    assert_close(chain.jacobian(), expected.reshape(*batch, 4, 4), rtol=1e-11, atol=1e-14)
    assert_close(chain.points[-1], nn.Sequential(*steps)(x))
    assert_close(chain(x), chain.points[-1])
    assert_close(chain.partial(2), chain.jacobians[1] @ chain.jacobians[0])
    assert_close(chain.partial(0), torch.eye(4, dtype=DOUBLE).expand(*batch, 4, 4))


def test_a_gaussian_flow_is_its_closed_form():
    variances = torch.tensor([4.0, 1.0, 0.01], dtype=DOUBLE)
    chain = TangentChain(flow(gaussian(variances)), draw(2, 3))
    for i in (0, 20, 49):
        ratio = SIGMAS[i + 1] / SIGMAS[i]
        shrunk = variances / (variances + SIGMAS[i] ** 2)
        assert_close(chain.jacobians[i][0], torch.diag(shrunk + ratio * (1 - shrunk)))
        assert_close(chain.singular(i).S[1], (shrunk + ratio * (1 - shrunk)).sort().values.flip(0))
    exact = ((variances + SIGMAS[-1] ** 2) / (variances + SIGMAS[0] ** 2)).sqrt()
    assert_close(chain.composition().S[0], exact, rtol=0.1, atol=0)


def test_rotations_have_singular_values_one_and_angles_add():
    steps = [partial(torch.matmul, other=rotation(-0.2 * i)) for i in range(6)]
    chain = TangentChain(steps, draw(3, 2), torch.eye(2, dtype=DOUBLE)[:, :1])
    assert_close(chain.jacobian(), rotation(3.0).expand(3, 2, 2))
    assert all(spectrum.S.sub(1).abs().max() < 1e-14 for spectrum in chain.spectra)
    assert_close(chain.restricted().S, torch.ones(3, 1, dtype=DOUBLE))
    assert chain.angles(6, rotation(3.0)[:, :1]).max() < 1e-14
    expected = torch.full((3, 1), math.pi - 3.0, dtype=DOUBLE)
    assert_close(chain.angles(6, torch.eye(2, dtype=DOUBLE)[:, :1]), expected)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_v_is_at_the_start_and_u_at_the_end(seed):
    """A map of rank 2 in R^5: its image is spanned by U, not by V."""
    A, B = draw(5, 2, seed=seed), draw(5, 2, seed=seed + 10)
    frames = TangentChain([lambda x: torch.tanh(x @ B) @ A.mT], 0.1 * draw(5)).singular(0)
    assert subspace_distance(A, frames.U[:, :2]) < 1e-13
    assert subspace_distance(B, frames.V[:, :2]) < 1e-13
    assert subspace_distance(A, frames.V[:, :2]) > 0.3
    J = TangentChain([lambda x: torch.tanh(x @ B) @ A.mT], 0.1 * draw(5)).jacobians[0]
    assert_close(J @ frames.V, frames.U * frames.S)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_image_of_a_tangent_space_is_no_span_of_singular_vectors(seed):
    matrices = [draw(6, 6, seed=10 * seed + i) for i in range(4)]
    B = draw(6, 2, seed=seed + 99)
    chain = TangentChain([lambda x, M=M: x @ M.mT for M in matrices], draw(6), B)
    image = B
    for i, M in enumerate(matrices):
        image = M @ image
        assert chain.angles(i + 1, image).max() < 1e-11
        assert subspace_distance(chain.singular(i).U[:, :2], chain.pushed(i + 1)) > 0.2
        frames = chain.restricted(i)
        assert_close(M @ frames.V, frames.U * frames.S)
        assert principal_angles(frames.V, chain.pushed(i)).max() < 1e-12
        assert_close(frames.S, torch.linalg.svdvals(M @ orthonormal_basis(chain.pushed(i))))
    total = chain.restricted()
    assert_close(total.S, torch.linalg.svdvals(image @ torch.linalg.qr(B).R.inverse()))
    assert_close(chain.jacobian() @ total.V, total.U * total.S)


def test_extensions_differ_but_the_image_of_the_tangent_space_does_not():
    """On the circle x and x / |x| are the same map, with different Jacobians."""
    x = torch.tensor([0.6, 0.8], dtype=DOUBLE)
    tangent = torch.tensor([[-0.8], [0.6]], dtype=DOUBLE)
    same = TangentChain([lambda x: 1.0 * x], x, tangent)
    radial = TangentChain([lambda x: x / x.norm(dim=-1, keepdim=True)], x, tangent)
    assert_close(same.points[1], radial.points[1])
    assert_close(same.jacobians[0], torch.eye(2, dtype=DOUBLE))
    assert_close(radial.jacobians[0], torch.eye(2, dtype=DOUBLE) - torch.outer(x, x))
    assert subspace_distance(same.pushed(1), radial.pushed(1)) < 1e-14
    for chain in (same, radial):
        assert_close(chain.restricted(0).S, torch.ones(1, dtype=DOUBLE))


def test_any_basis_of_the_tangent_space_gives_the_same_image():
    steps, x, B = networks(3, 5), draw(4, 5), draw(4, 5, 2)
    one, other = (TangentChain(steps, x, basis) for basis in (B, B @ draw(2, 2)))
    assert subspace_distance(one.pushed(3), other.pushed(3)).max() < 1e-10
    assert_close(one.restricted().S, other.restricted().S)


def test_points_and_bases_broadcast():
    chain = TangentChain(networks(2, 5), draw(5), draw(4, 5, 2))
    assert chain.pushed(2).shape == (4, 5, 2)
    assert TangentChain(networks(2, 5), draw(3, 5), draw(5, 2)).restricted().S.shape == (3, 2)


def test_steps_between_spaces_of_different_dimension():
    up, down = draw(7, 4), draw(3, 7)
    chain = TangentChain([lambda x: (x @ up.mT).tanh(), lambda x: x @ down.mT], draw(2, 4))
    assert [J.shape for J in chain.jacobians] == [(2, 7, 4), (2, 3, 7)]
    assert chain.composition().U.shape == (2, 3, 3)


def test_chunks_change_nothing():
    steps, x = networks(2, 5), draw(7, 5)
    one = TangentChain(steps, x, chunk_size=1).jacobian()
    assert_close(one, TangentChain(steps, x).jacobian(), rtol=1e-12, atol=1e-14)


def test_singular_values_and_images_are_differentiable():
    steps, B = networks(2, 3), draw(3, 2)

    def values(x):
        chain = TangentChain(steps, x, B)
        return chain.restricted().S, chain.composition().S, chain.pushed(2)

    assert torch.autograd.gradcheck(values, draw(3).requires_grad_())


def test_high_dimensions_go_without_the_jacobian():
    n, d = 300, 2
    scale = torch.linspace(0.5, 2, n, dtype=DOUBLE)
    chain = TangentChain([lambda x: scale * x, torch.tanh], torch.zeros(n).double(), draw(n, d))
    with pytest.raises(ValueError, match=r"300 by 300 = 90,000 .*singular_triples\(k\)"):
        chain.jacobian()
    found = chain.singular_triples(3, tolerance=1e-8)
    assert_close(found.S, scale.flip(0)[:3], rtol=1e-5, atol=0)
    image = scale[:, None] * draw(n, d)
    assert chain.angles(2, image).max() < 1e-12
    assert chain.restricted().S.shape == (d,)


@pytest.mark.parametrize("sigma", [0.1, 2.0])
def test_the_flow_of_a_plane_turns_its_tangent_into_itself(sigma):
    """Gaussian data on a plane: what a small noise level shrinks is the normal."""
    variances = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=DOUBLE)
    steps = flow(gaussian(variances), [sigma, sigma / 2, sigma / 4, 0.001])
    plane = torch.eye(4, dtype=DOUBLE)[:, :2]
    chain = TangentChain(steps, draw(3, 4), plane)
    assert chain.angles(3, plane).max() < 1e-14
    assert subspace_distance(chain.composition().U[..., :2], plane).max() < 1e-12


class Noisy(FlowStep):
    stochastic = True


def test_a_random_step_has_no_jacobian():
    steps = flow(gaussian(1.0), [2.0, 1.0])
    with pytest.raises(ValueError, match=r'step 1 \(Noisy\) is stochastic.*kind="ddim"'):
        TangentChain([*steps, Noisy(gaussian(1.0), 1.0, 0.5)], draw(3))


def test_steps_out_of_order_are_named():
    one, two, three = flow(gaussian(1.0), [2.0, 1.0, 0.5, 0.1])
    with pytest.raises(ValueError, match=r"steps 0 and 1 .* sigma = 1, .* sigma = 0.5"):
        TangentChain([one, three, two], draw(3))
    assert len(TangentChain([one, two, three], draw(3))) == 3
    assert len(TangentChain([one, torch.tanh, two], draw(3))) == 3


@pytest.mark.parametrize(
    ("steps", "x", "options", "error", "message"),
    [
        ([], draw(3), {}, ValueError, "at least one step"),
        ([torch.tanh, 3], draw(3), {}, TypeError, "step 1 is a int"),
        ([torch.tanh], torch.zeros(3, dtype=torch.long), {}, ValueError, "int64"),
        ([torch.tanh], draw(3) * torch.nan, {}, ValueError, "NaN"),
        ([torch.tanh, torch.log], -draw(3).abs(), {}, ValueError, "step 1 returned NaN"),
        ([lambda x: x.sum()], draw(3), {}, ValueError, "keep the batch dimension"),
        ([lambda x: x @ draw(4, 4)], draw(3), {}, ValueError, "f fails at points"),
        ([torch.tanh], draw(3), {"chunk_size": 0}, ValueError, "chunk_size = 0"),
        ([torch.tanh], draw(3), {"basis": draw(3)}, ValueError, r"v\[\.\.\., None\]"),
        ([torch.tanh], draw(3), {"basis": draw(4, 1)}, ValueError, "3 coordinates but"),
        ([torch.tanh], draw(3), {"basis": torch.ones(3, 1)}, ValueError, "float32"),
        ([torch.tanh], draw(2, 3), {"basis": draw(5, 3, 1)}, ValueError, "do not match"),
    ],
)
def test_bad_chains(steps, x, options, error, message):
    with pytest.raises(error, match=message):
        TangentChain(steps, x, **options)


def test_a_basis_must_be_one_and_stay_one():
    with pytest.raises(ValueError, match="span only 1"):
        TangentChain([torch.tanh], draw(3), torch.ones(3, 2, dtype=DOUBLE)).pushed(0)
    mask = torch.tensor([1.0, 0.0, 1.0], dtype=DOUBLE)
    with pytest.raises(ValueError, match=r"step 0 takes the 3-dimensional .* to 2"):
        TangentChain([lambda x: x * mask], draw(3), draw(3, 3)).pushed(1)
    with pytest.raises(ValueError, match="no basis of a tangent space"):
        TangentChain([torch.tanh], draw(3)).pushed(1)


def test_steps_and_points_are_counted():
    chain = TangentChain([torch.tanh], draw(3), draw(3, 1))
    for call in (chain.singular, chain.restricted):
        with pytest.raises(ValueError, match="step 1, but the steps of this chain are 0 to 0"):
            call(1)
    for call in (chain.partial, chain.pushed):
        with pytest.raises(ValueError, match="point 2, but the points of this chain are 0 to 1"):
            call(2)


def test_an_infinite_slope_is_no_jacobian():
    with pytest.raises(ValueError, match="derivative of step 0 returned NaN or infinity"):
        TangentChain([torch.sqrt], torch.zeros(2)).jacobian()
