"""Singular triples without the Jacobian, against maps whose triples are known."""

import warnings
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

import geomlib.riemann.singular as singular
from geomlib.riemann import singular_triples, subspace_distance
from geomlib.riemann.forward import carry
from geomlib.riemann.products import products, push

DOUBLE = torch.float64
LARGE = 300  # 300 * 300 entries are above the limit


def draw(*shape, seed=0, dtype=DOUBLE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def orthonormal(n, k, seed=0):
    return torch.linalg.qr(draw(n, k, seed=seed)).Q


def linear(s, m=LARGE, n=LARGE, seed=0):
    """A linear map with singular values s, and its singular vectors."""
    s = torch.as_tensor(s, dtype=DOUBLE)
    U, V = orthonormal(m, len(s), seed), orthonormal(n, len(s), seed + 1)
    return lambda x: x @ (U.to(x) * s.to(x) @ V.to(x).mT).mT, U, s, V


def network(*widths, activation=nn.SiLU, seed=0):
    torch.manual_seed(seed)
    layers = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1]).double().requires_grad_(False)


def dense(f, x):
    return torch.func.vmap(torch.func.jacrev(lambda point: f(point[None])[0]))(x)


DECAYING = [0.8**i for i in range(60)]
SPECTRA = {
    "decaying": DECAYING,
    "all equal": [1.0] * LARGE,
    "a plateau": [3.0] * 6 + [1.0] * 100,
    "slow": [1 / (1 + i) for i in range(LARGE)],
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", SPECTRA)
def test_a_linear_map_has_known_values(name, seed):
    f, U, s, V = linear(SPECTRA[name], seed=10 * seed)
    found = singular_triples(f, torch.zeros(2, LARGE, dtype=DOUBLE), 6)
    assert found.converged.all()
    assert (found.iterations > 0).all()
    assert_close(found.S, s[:6].expand(2, 6), rtol=1e-4, atol=0)
    for X in (found.U, found.V):
        assert_close(X.mT @ X, torch.eye(6, dtype=DOUBLE).expand(2, 6, 6))
    if name in ("decaying", "a plateau"):  # there is a gap after the sixth
        assert (subspace_distance(found.V, V[:, :6].expand(2, -1, -1)) < 1e-2).all()
        assert (subspace_distance(found.U, U[:, :6].expand(2, -1, -1)) < 1e-2).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("slope", [1e-3, 1e-4])
def test_a_nearly_flat_spectrum_is_not_cut_short(slope, seed):
    f, _, s, _ = linear([1 - slope * i for i in range(LARGE)], seed=10 * seed)
    found = singular_triples(f, torch.zeros(LARGE, dtype=DOUBLE), 4, tolerance=1e-5)
    assert found.converged
    assert_close(found.S, s[:4], rtol=5e-5, atol=0)


@pytest.mark.parametrize(("m", "n"), [(400, 200), (200, 400), (7000, 10), (10, 7000), (90, 800)])
def test_both_sides_of_a_map_between_different_spaces(m, n):
    f, _, s, _ = linear(DECAYING[: min(m, n, 60)], m, n)
    found = singular_triples(f, torch.zeros(n, dtype=DOUBLE), 5)
    assert found.U.shape == (m, 5)
    assert found.V.shape == (n, 5)
    assert found.iterations > 0
    assert_close(found.S, s[:5], rtol=1e-4, atol=0)
    x = found.V.mT.contiguous()
    assert_close(f(x), (found.U * found.S).mT, rtol=0, atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_network_of_784_inputs(dtype, seed):
    f = network(784, 64, 64, 784, seed=seed).to(dtype)
    x = draw(3, 784, seed=seed, dtype=dtype)
    found = singular_triples(f, x, 8)
    assert found.S.dtype == dtype
    expected = torch.linalg.svdvals(dense(f, x).double())[:, :8]
    assert (found.S / expected - 1).abs().max() < 1e-4


def test_no_jacobian_is_written_down_above_the_limit(monkeypatch):
    widest = []

    def seen(f, x, block):
        widest.append(block)
        return products(f, x, block)

    monkeypatch.setattr(singular, "products", seen)
    monkeypatch.setattr(singular, "_dense", None)  # would fail if it were called
    f, *_ = linear(DECAYING)
    singular_triples(f, torch.zeros(LARGE, dtype=DOUBLE), 3)
    assert max(widest) < 10


def test_a_small_map_is_decomposed_exactly():
    f = network(6, 9, 4)
    x = draw(2, 3, 6)
    found = singular_triples(f, x, 4)
    J = dense(f, x.reshape(-1, 6)).reshape(2, 3, 4, 6)
    assert_close(found.S, torch.linalg.svdvals(J))
    assert_close(J @ found.V, found.U * found.S[..., None, :])
    assert found.iterations.eq(0).all()


def test_the_search_starts_again_where_it_would_need_too_much_memory(monkeypatch):
    monkeypatch.setattr(singular, "MOST_BLOCKS", 3)
    f, _, s, _ = linear(SPECTRA["slow"])
    x = torch.zeros(LARGE, dtype=DOUBLE)
    found = singular_triples(f, x, 4, tolerance=1e-6, max_iterations=100)
    assert found.converged
    assert found.iterations > 3
    assert_close(found.S, s[:4], rtol=1e-4, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_vectors_stay_orthonormal_where_a_block_loses_its_rank(dtype, seed):
    """The fourth value on is zero: what the products leave is nothing but rounding."""
    f, *_ = linear([2.0, 1.0, 0.5], seed=10 * seed)
    with pytest.warns(RuntimeWarning, match="rank 3"):
        found = singular_triples(f, torch.zeros(2, LARGE, dtype=dtype), 5, seed=seed)
    for X in (found.U, found.V):
        assert_close(X.mT @ X, torch.eye(5, dtype=dtype).expand(2, 5, 5), rtol=0, atol=1e-5)


def test_the_same_call_gives_the_same_answer_and_leaves_the_random_state():
    f, *_ = linear(DECAYING)
    x = torch.zeros(LARGE, dtype=DOUBLE)
    state = torch.get_rng_state()
    one, other = singular_triples(f, x, 3), singular_triples(f, x, 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.V, other.V)
    assert_close(singular_triples(f, x, 3, seed=5).S, one.S, rtol=1e-4, atol=0)


def test_points_do_not_see_each_other():
    f = network(LARGE, 20, LARGE)
    x = draw(5, LARGE)
    together = singular_triples(f, x, 3, tolerance=1e-8)
    for chunk_size in (1, 2):
        apart = singular_triples(f, x, 3, tolerance=1e-8, chunk_size=chunk_size)
        assert_close(apart.S, together.S, rtol=1e-6, atol=0)


@pytest.mark.parametrize("size", [5, LARGE])
def test_values_have_the_gradient_of_the_true_ones(size):
    scale = torch.linspace(1, 2, size, dtype=DOUBLE)
    x = torch.full((size,), 0.3, dtype=DOUBLE).requires_grad_()
    found = singular_triples(lambda x: scale * x**2, x, 2, tolerance=1e-10)  # J = diag(2 scale x)
    assert_close(found.S.detach(), 0.6 * scale.flip(0)[:2], rtol=1e-6, atol=0)
    (slope,) = torch.autograd.grad(found.S[0], x)
    expected = torch.zeros(size, dtype=DOUBLE)
    expected[-1] = 4.0
    assert_close(slope, expected, rtol=1e-3, atol=1e-2)


def test_more_than_the_rank_is_said_with_the_rank():
    for size in (12, LARGE):
        f, _, s, _ = linear([2.0, 1.0, 0.5], size, size)
        with pytest.warns(RuntimeWarning, match="rank 3"):
            found = singular_triples(f, torch.zeros(size, dtype=DOUBLE), 5)
        assert_close(found.S[:3], s)
        assert (found.S[3:] < 1e-12).all()


def test_a_map_that_does_not_see_its_points():
    with pytest.warns(RuntimeWarning, match="rank 0"):
        found = singular_triples(lambda x: x.detach() * 0, torch.zeros(2, LARGE, dtype=DOUBLE), 2)
    assert found.S.eq(0).all()


def test_what_has_not_converged_says_so():
    f, *_ = linear([1 - 1e-3 * i for i in range(LARGE)])
    with pytest.warns(RuntimeWarning, match="1 of 1 points have not reached"):
        found = singular_triples(f, torch.zeros(LARGE, dtype=DOUBLE), 4, max_iterations=2)
    assert not found.converged


def test_an_empty_batch():
    for size in (5, LARGE):
        found = singular_triples(lambda x: 2 * x, torch.zeros(0, size), 2)
        assert found.S.shape == (0, 2)
        assert found.V.shape == (0, size, 2)


@pytest.mark.parametrize(
    ("x", "k", "message"),
    [
        (torch.zeros(5), 6, r"k = 6 .* R\^5 to R\^5 has 5"),
        (torch.zeros(5), 0, "k = 0"),
        (torch.full((5,), torch.nan), 2, "NaN"),
        (torch.zeros(5, dtype=torch.long), 2, "int64"),
        (torch.zeros(0), 2, "coordinates"),
    ],
)
def test_bad_requests(x, k, message):
    with pytest.raises(ValueError, match=message):
        singular_triples(lambda x: x, x, k)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x.sum(), "keep the batch"),
        (lambda x: None, "let it end in return"),
        (lambda x: x / 0, "NaN or infinity"),
        (lambda x: x @ torch.ones(3, 3), "f fails at points"),
    ],
)
def test_bad_maps(f, message):
    for size in (5, LARGE):
        with pytest.raises(ValueError, match=message):
            singular_triples(f, torch.zeros(2, size), 2)


@pytest.mark.parametrize("option", ["max_iterations", "chunk_size"])
def test_bad_options(option):
    with pytest.raises(ValueError, match=f"{option} = 0"):
        singular_triples(lambda x: x, torch.zeros(5), 2, **{option: 0})


CONSTANT, MATRIX = draw(1, 6, seed=7), draw(6, 3, seed=8)
CARRIED = {
    "silu": F.silu,
    "tanh": torch.tanh,
    "method": lambda x: x.tanh() + x.sigmoid() * x.exp() - x.square(),
    "softplus": lambda x: F.softplus(x, beta=2),
    "gelu": F.gelu,
    "residual": lambda x: x + 0.3 * torch.sin(x) - x / (2 + x * x) + 1 / (3 + x) + (1 - x) ** 2,
    "constants": lambda x: (CONSTANT - x) * CONSTANT / 2 + x / CONSTANT + CONSTANT / (9 + x),
    "multiples": lambda x: torch.sub(x, x * x, alpha=3) + torch.add(CONSTANT, x, alpha=2),
    "columns": lambda x: torch.cat([x[..., 2:], x[..., :1] * x, torch.ones_like(x)], -1),
    "wider": lambda x: x[..., :1] + CONSTANT + CONSTANT * x[..., 1:2],
    "matrix": lambda x: torch.matmul(x @ MATRIX, MATRIX.mT),
    "network": network(6, 7, 5),
    "tanh network": network(6, 7, 5, activation=nn.Tanh),
    "dropout at rest": nn.Sequential(nn.Linear(6, 4), nn.Dropout(), nn.ELU()).double().eval(),
}
NOT_CARRIED = {
    "layer norm": nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4)).double().requires_grad_(False),
    "silu in place": network(6, 7, 5, activation=lambda: nn.SiLU(inplace=True)),
    "norm": lambda x: x / x.norm(dim=-1, keepdim=True),
    "index": lambda x: x[..., torch.tensor([1, 0])],
    "where": lambda x: torch.where(x > 0, x, 2 * x),
    "its own derivative": torch.func.vmap(torch.func.grad(lambda x: (x**3).sum())),
}


@pytest.mark.parametrize("name", CARRIED | NOT_CARRIED)
def test_tangents_through_any_map(name):
    f, x, V = (CARRIED | NOT_CARRIED)[name], draw(3, 6), draw(3, 6, 2, seed=1)
    carried = carry(f, x, V.movedim(-1, 0))
    assert (carried is not None) == (name in CARRIED)
    value, moved = push(f, x, V)
    assert_close(value, f(x.clone()))
    columns = [torch.func.jvp(lambda x: f(x.clone()), (x,), (V[..., i],))[1] for i in range(2)]
    assert_close(moved, torch.stack(columns, -1))
    if carried is not None:  # what is carried wrongly, `push` does again and says nothing
        assert_close(carried[0], value)
        assert_close(carried[1].movedim(0, -1), moved)
    W = draw(3, value.shape[-1], 2, seed=2)
    at = products(f, x, 2)
    assert_close((at.pull(W) * V).sum(), (W * moved).sum())
    assert_close(at.push(V), moved)


@pytest.mark.parametrize("outputs", [3, 80])
@pytest.mark.parametrize("own", [False, True])
def test_tangents_where_nothing_is_carried(outputs, own):
    """Few rows or many; a map with constants of its own for each point."""
    matrix = draw(6, outputs, seed=3)
    each = draw(3, 1, seed=4) if own else 1.0
    x, V = draw(3, 6).requires_grad_(), draw(3, 6, 2, seed=1)

    def f(x):
        return torch.where(x > 0, x.sin(), x**3) @ matrix * each

    expected = torch.stack([torch.func.jvp(f, (x,), (v,))[1] for v in V.unbind(-1)], -1)
    moved = push(f, x, V)[1]
    assert_close(moved, expected)
    (slope,) = torch.autograd.grad(moved.square().sum(), x)
    assert_close(slope, torch.autograd.grad(expected.square().sum(), x)[0])
    with torch.no_grad():
        assert not push(f, x, V)[1].requires_grad


def test_tangents_are_differentiable_in_both_modes():
    f, x, V = CARRIED["network"], draw(3, 6).requires_grad_(), draw(3, 6, 2, seed=1)
    assert torch.autograd.gradcheck(lambda x: push(f, x, V)[1], x)

    def moved(x):
        return push(f, x, V)[1]

    (slope,) = torch.autograd.grad(moved(x).sum(), x)
    along = torch.func.jvp(moved, (x.detach(),), (V[..., 0],))[1].sum()
    assert_close((slope * V[..., 0]).sum(), along)


def test_no_warning_where_all_is_well():
    f, *_ = linear(DECAYING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        singular_triples(f, torch.zeros(2, LARGE, dtype=DOUBLE), 4)
