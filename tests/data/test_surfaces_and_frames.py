"""Circles, spheres, the torus of images, and the frame of principal components."""

import pytest
import torch
from torch.testing import assert_close

from geomlib.data import (
    PCAFrame,
    circle_points,
    load_mnist,
    load_small_digits,
    sphere_in,
    sphere_tangents,
    torus_images,
    torus_tangents,
)
from geomlib.riemann import PullbackMetric


@pytest.mark.parametrize(("make", "inner"), [(circle_points, 2), (sphere_in, 3)])
@pytest.mark.parametrize("dim", [3, 8])
def test_round_points(make, inner, dim):
    x, frame = make(count=4000, dim=dim, seed=1)
    assert x.shape == (4000, dim) and frame.shape == (dim, inner) and x.dtype == torch.float32
    assert_close(frame.T @ frame, torch.eye(inner), rtol=0, atol=1e-5)
    assert_close(x.norm(dim=1), torch.ones(4000))
    assert_close(x @ frame @ frame.T, x, rtol=0, atol=1e-5)
    # evenly spread: mean 0, covariance I / inner
    y = x @ frame
    assert y.mean(0).abs().max() < 0.06
    assert_close(torch.cov(y.T), torch.eye(inner) / inner, rtol=0, atol=0.04)


@pytest.mark.parametrize("make", [circle_points, sphere_in])
def test_tangents_are_orthonormal_and_tangent_and_reach_points_beside_the_sphere(make):
    x, frame = make(count=500, dim=8, seed=2)
    x = torch.cat([x, frame.T, -frame.T])  # the poles of the reflection too
    tangents = sphere_tangents(x, frame)
    d = frame.shape[1] - 1
    assert tangents.shape == (*x.shape, d)
    assert_close(tangents.mT @ tangents, torch.eye(d).expand(len(x), d, d), rtol=0, atol=1e-5)
    assert (x[:, None] @ tangents).abs().max() < 1e-5
    assert_close(frame @ (frame.T @ tangents), tangents, rtol=0, atol=1e-5)
    beside = sphere_tangents(1.3 * x, frame)
    assert_close(beside @ beside.mT, tangents @ tangents.mT, rtol=0, atol=1e-5)


def test_torus_images_have_the_tangents_of_their_map():
    images, angles = torus_images(50, side=8)
    assert images.shape == (50, 64) and images.min() > 0 and images.max() <= 1

    def image(uv):
        bumps = torch.arange(8) * 2 * torch.pi / 8 - uv[..., None]
        bumps = (bumps.cos() - 1).exp()
        return (bumps[..., 0, :, None] * bumps[..., 1, None, :]).flatten(-2)

    assert_close(images, image(angles))
    jacobian = torch.func.vmap(torch.func.jacfwd(image))(angles)
    assert_close(torus_tangents(angles), jacobian)
    # periodic in both angles, and flat: the metric is one constant times the identity
    assert_close(image(angles + 2 * torch.pi), images, rtol=0, atol=1e-5)
    metric = PullbackMetric(image).matrix(angles)
    mean = metric.diagonal(dim1=-2, dim2=-1).mean()
    assert (metric / mean - torch.eye(2)).abs().max() < 2e-3


@pytest.mark.parametrize("make", [circle_points, sphere_in, torus_images])
def test_seeds(make):
    state = torch.get_rng_state()
    first, again, other = (make(count=9, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert (torch.get_rng_state() == state).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: circle_points(0), "count >= 1"),
        (lambda: circle_points(5, 1), "dim >= 2"),
        (lambda: sphere_in(2, 5), "dim >= 3"),
        (lambda: torus_images(0), "count must be at least 1"),
        (lambda: torus_images(5, side=2), "side >= 3"),
        (lambda: torus_images(5, sharpness=0.0), "sharpness > 0"),
        (lambda: torus_tangents(torch.ones(5, 3)), r"\(\.\.\., 2\) is needed"),
        (lambda: sphere_tangents(torch.ones(5, 4), torch.eye(5)[:, :3]), r"\(n, m\)"),
        (lambda: sphere_tangents(torch.ones(5).double(), torch.eye(5)[:, :3]), "one dtype"),
        (lambda: sphere_tangents(torch.zeros(5), torch.eye(5)[:, :3]), "its projection is 0"),
        (lambda: PCAFrame.fit(torch.ones(5), 1), r"rows \(count, n\)"),
        (lambda: PCAFrame.fit(torch.ones(5, 3, dtype=torch.long), 1), "floating-point"),
        (lambda: PCAFrame.fit(torch.randn(5, 3), 4), "k = 4, but 5 rows of 3 numbers have 1 to 3"),
        (lambda: PCAFrame.fit(torch.randn(5, 3), 0), "k = 0"),
        (lambda: PCAFrame.fit(torch.ones(5, 3), 1), "no variance"),
        (lambda: PCAFrame.fit(torch.full((5, 3), torch.nan), 1), "NaN"),
        (lambda: PCAFrame.fit(torch.randn(5, 3), 2).to_data(torch.ones(3)), r"y is \(3,\)"),
        (lambda: PCAFrame.fit(torch.randn(5, 3), 2).to_coordinates(torch.ones(2)), r"x is \(2,\)"),
        (
            lambda: PCAFrame.fit(torch.randn(5, 3), 2).to_data(torch.ones(2).double()),
            r"torch\.float64",
        ),
    ],
)
def test_what_makes_no_sense(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_frame_is_an_isometry_and_its_inverse_a_projection():
    images, _ = load_mnist(2000)
    pca = PCAFrame.fit(images, 64)
    assert_close(pca.frame.T @ pca.frame, torch.eye(64), rtol=0, atol=1e-5)
    y = pca.to_coordinates(images)
    assert_close(pca.to_coordinates(pca.to_data(y)), y, rtol=0, atol=1e-4)
    a, b = pca.to_data(y[:100]), pca.to_data(y[100:200])
    assert_close((a - b).norm(dim=1), (y[:100] - y[100:200]).norm(dim=1))
    lost = (images - pca.to_data(y)).square().sum() / (images - pca.mean).square().sum()
    assert abs(1 - lost.item() - pca.kept) < 1e-4
    assert 0.8 < pca.kept < 0.95


def test_axes_are_sorted_uncorrelated_and_all_of_them_lose_nothing():
    images, _ = load_small_digits()
    pca = PCAFrame.fit(images.double(), 64)
    y = pca.to_coordinates(images.double())
    covariance = torch.cov(y.T)
    variances = covariance.diagonal()
    assert (variances.diff() <= 1e-12).all()
    assert_close(covariance, variances.diag(), rtol=0, atol=1e-10)
    assert_close(pca.to_data(y), images.double())
    assert abs(pca.kept - 1) < 1e-12


def test_a_straight_decoder_in_coordinates_is_as_long_as_in_pixels():
    images, _ = load_small_digits()
    pca = PCAFrame.fit(images, 10)
    z = torch.randn(4, 10)
    assert_close(
        PullbackMetric(pca.to_data).matrix(z), torch.eye(10).expand(4, 10, 10), rtol=0, atol=1e-5
    )
