"""Bases, angles and gaps of subspaces whose angles are known."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch.testing import assert_close

from geomlib.riemann import (
    leading_basis,
    orthonormal_basis,
    principal_angles,
    spectral_gap,
    subspace_distance,
)
from geomlib.riemann.subspaces import numerical_rank

DOUBLE = torch.float64


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def tilted(angles, n=9, seed=0):
    """Two bases in R^n with the given principal angles, neither of them orthonormal."""
    d = len(angles)
    frame = torch.linalg.qr(draw(n, n, seed=seed)).Q
    angles = torch.tensor(angles, dtype=DOUBLE)
    A, normal = frame[:, :d], frame[:, d : 2 * d]
    B = A * angles.cos() + normal * angles.sin()
    return A @ draw(d, d, seed=seed + 1), B @ draw(d, d, seed=seed + 2)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_a_basis_becomes_orthonormal_and_keeps_its_span(batch):
    B = draw(*batch, 7, 3)
    Q = orthonormal_basis(B)
    assert_close(Q.mT @ Q, torch.eye(3, dtype=DOUBLE).expand(*batch, 3, 3))
    assert_close(Q @ (Q.mT @ B), B)
    assert_close(orthonormal_basis(Q), Q)


def test_columns_of_very_different_length_are_still_a_basis():
    B = torch.eye(5, dtype=DOUBLE)[:, :2] * torch.tensor([1.0, 1e-18], dtype=DOUBLE)
    assert_close(orthonormal_basis(B), torch.eye(5, dtype=DOUBLE)[:, :2])


def test_the_basis_is_smooth():
    B = draw(5, 2).requires_grad_()
    assert torch.autograd.gradcheck(orthonormal_basis, B)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "angles", [(0.3, 0.9, 1.4), (0.0, 1e-12, math.pi / 2), (0.78, 0.79), (1e-7,)]
)
def test_angles_large_and_tiny(angles, seed):
    A, B = tilted(angles, seed=10 * seed)
    expected = torch.tensor(angles, dtype=DOUBLE)
    assert_close(principal_angles(A, B), expected, rtol=1e-3, atol=2e-14)
    assert_close(principal_angles(B, A), expected, rtol=1e-3, atol=2e-14)
    assert_close(subspace_distance(A, B), expected[-1].sin(), rtol=1e-3, atol=2e-14)


def test_angles_agree_with_scipy_where_dimensions_differ():
    A, B = draw(8, 4), draw(8, 2, seed=1)
    expected = np.sort(scipy.linalg.subspace_angles(A.numpy(), B.numpy()))
    assert_close(principal_angles(A, B), torch.as_tensor(expected))
    assert_close(principal_angles(B, A), torch.as_tensor(expected))


def test_a_subspace_inside_another():
    A = draw(8, 4)
    assert subspace_distance(A, A[:, 1:3]) < 1e-14


def test_the_distance_is_that_of_the_projections():
    A, B = draw(5, 8, 3), draw(5, 8, 3, seed=1)
    P, Q = (orthonormal_basis(X) @ orthonormal_basis(X).mT for X in (A, B))
    assert_close(subspace_distance(A, B), torch.linalg.matrix_norm(P - Q, ord=2))


def test_batch_dimensions_broadcast():
    A, B = draw(4, 1, 6, 2), draw(3, 6, 2, seed=1)
    angles = principal_angles(A, B)
    assert angles.shape == (4, 3, 2)
    assert_close(angles[1, 2], principal_angles(A[1, 0], B[2]))


def test_angles_have_gradients():
    A, B = draw(6, 2).requires_grad_(), draw(6, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(principal_angles, (A, B))
    at_zero = principal_angles(A, A.detach()).sum()
    at_zero.backward()
    assert torch.isfinite(A.grad).all()


def test_the_gap_is_where_the_values_fall():
    s = torch.tensor([[5.0, 4.0, 0.4, 0.3], [1.0, 0.1, 0.09, 0.08]], dtype=DOUBLE)
    gap = spectral_gap(s)
    assert gap.index.tolist() == [2, 1]
    assert_close(gap.ratio, torch.tensor([10.0, 10.0], dtype=DOUBLE))


def test_values_below_rounding_make_no_gap_among_themselves():
    s = torch.tensor([1.0, 0.9, 1e-18, 1e-60, 0.0], dtype=DOUBLE)
    gap = spectral_gap(s)
    assert gap.index == 2
    assert 1e13 < gap.ratio < math.inf
    assert spectral_gap(torch.zeros(3)).ratio == 1


def test_the_rank_knows_the_size_of_the_matrix():
    s = torch.tensor([1.0, 100 * torch.finfo(torch.float32).eps])
    assert numerical_rank(s) == 2 and numerical_rank(s, 1000) == 1


def test_a_small_gap_is_said_with_its_number():
    U = torch.eye(4, dtype=DOUBLE)
    s = torch.tensor([3.0, 1.0, 0.9, 0.1], dtype=DOUBLE)
    assert_close(leading_basis(U, s, 1), U[:, :1])
    with pytest.warns(RuntimeWarning, match=r"s_2 / s_3 is 1\.11 .* min_gap = 2"):
        leading_basis(U, s, 2)
    assert_close(leading_basis(U, s, 2, min_gap=1.1), U[:, :2])


NOT_A_BASIS = {
    "dependent": (torch.ones(4, 2), ValueError, "2 columns .* span only 1 dim"),
    "zero": (torch.zeros(4, 1), ValueError, "span only 0 dim"),
    "too many": (torch.ones(2, 3), ValueError, r"3 vectors cannot be independent in R\^2"),
    "one vector": (torch.ones(3), ValueError, r"v\[\.\.\., None\]"),
    "no columns": (torch.ones(3, 0), ValueError, "k >= 1"),
    "NaN": (torch.full((3, 1), torch.nan), ValueError, "NaN"),
    "infinity": (torch.full((3, 1), torch.inf), ValueError, "infinite"),
    "integers": (torch.ones(3, 1, dtype=torch.long), ValueError, r"int64.*\.float\(\)"),
    "a list": ([[1.0]], TypeError, "torch.as_tensor"),
}


@pytest.mark.parametrize("name", NOT_A_BASIS)
def test_what_is_no_basis_is_refused(name):
    B, error, message = NOT_A_BASIS[name]
    with pytest.raises(error, match=message):
        orthonormal_basis(B)
    with pytest.raises(error, match=message):
        principal_angles(B, B)


@pytest.mark.parametrize(
    ("B", "message"),
    [
        (torch.ones(4, 1), "float64 but B is torch.float32"),
        (torch.ones(5, 1, dtype=DOUBLE), "4 coordinates but B has 5"),
    ],
)
def test_two_subspaces_must_match(B, message):
    with pytest.raises(ValueError, match=message):
        principal_angles(torch.ones(4, 1, dtype=DOUBLE), B)


@pytest.mark.parametrize(
    ("s", "message"),
    [
        (torch.ones(1), "count >= 2"),
        (torch.tensor([1.0, 2.0]), "largest first"),
        (torch.tensor([1.0, -1.0]), "not negative"),
        (torch.tensor([torch.nan, 1.0]), "finite"),
    ],
)
def test_what_are_no_singular_values(s, message):
    with pytest.raises(ValueError, match=message):
        spectral_gap(s)


@pytest.mark.parametrize("k", [0, 4])
def test_more_vectors_than_there_are(k):
    with pytest.raises(ValueError, match=f"k = {k}"):
        leading_basis(torch.eye(3), torch.ones(3), k)
    with pytest.raises(ValueError, match="3 singular vectors, but s has 2"):
        leading_basis(torch.eye(3), torch.ones(2), 1)
