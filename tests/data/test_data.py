"""Digits and rings: shapes, ranges, origin, and the ring's geometry."""

import tomllib
from fnmatch import fnmatch
from importlib.resources import files

import pytest
import torch
from conftest import ROOT
from torch.testing import assert_close

from geomlib.data import gaussian_ring, load_mnist, load_small_digits, ring


@pytest.mark.parametrize(
    ("load", "count", "pixels"), [(load_mnist, 10_000, 784), (load_small_digits, 1797, 64)]
)
def test_digits_are_rows_of_grey_values(load, count, pixels):
    images, labels = load()
    assert images.shape == (count, pixels) and images.dtype == torch.float32
    assert labels.shape == (count,) and labels.dtype == torch.long
    assert images.min() == 0 and images.max() == 1
    assert 0.05 < images.mean() < 0.4  # ink is bright and rare
    assert labels.unique().tolist() == list(range(10))
    assert torch.bincount(labels).min() > count / 13


def test_the_first_digits_are_a_fair_sample():
    images, labels = load_mnist(1000)
    assert_close(images, load_mnist()[0][:1000], rtol=0, atol=0)
    assert torch.bincount(labels, minlength=10).min() > 60
    # classes differ: the nearest class mean already tells most digits apart
    means = torch.stack([images[labels == digit].mean(0) for digit in range(10)])
    assert (torch.cdist(images, means).argmin(1) == labels).float().mean() > 0.7


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_the_count_is_limited(count):
    with pytest.raises(ValueError, match=f"between 1 and 10000, but {count} was given"):
        load_mnist(count)


def test_the_digits_ship_with_their_licence_note():
    note = (files("geomlib.data") / "mnist10k.md").read_text()
    assert "licence" in note and "LeCun" in note and "CC BY-SA" in note
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["geomlib.data"]
    for name in ("mnist10k.npz", "mnist10k.md"):
        assert any(fnmatch(name, pattern) for pattern in patterns)


@pytest.mark.parametrize("dimension", [2, 3, 10])
@pytest.mark.parametrize("fraction", [0.25, 0.75, 1.0])
def test_ring_geometry(dimension, fraction):
    x, theta = ring(400, fraction, dimension)
    assert x.shape == (400, dimension) and x.dtype == torch.float32
    assert_close(x.norm(dim=1), torch.ones(400))
    assert torch.linalg.matrix_rank(x, rtol=1e-5) == 2  # it lies in a plane
    assert theta[0] == 0 and abs(theta[-1] - 2 * torch.pi * fraction) < 1e-5
    arc = x.diff(dim=0).norm(dim=1).sum()
    assert_close(arc, theta[-1], rtol=1e-4, atol=0)
    # angles are the angles: ⟨x_i, x_j⟩ = cos(θ_i − θ_j)
    assert_close(x @ x.T, (theta[:, None] - theta).cos(), rtol=0, atol=1e-5)


def test_ring_noise():
    clean, _ = ring(2000, dimension=8, seed=4)
    noisy, _ = ring(2000, dimension=8, noise=0.1, seed=4)
    difference = noisy - clean
    assert abs(difference.std() / 0.1 - 1) < 0.05
    assert difference.mean().abs() < 0.01


def test_ring_seeds():
    state = torch.get_rng_state()
    first, again, other = (ring(9, noise=0.1, seed=seed)[0] for seed in (0, 0, 1))
    assert (first == again).all() and not torch.equal(first, other)
    assert (torch.get_rng_state() == state).all()


@pytest.mark.parametrize(
    "bad", [{"count": 0}, {"fraction": 0.0}, {"fraction": 1.1}, {"dimension": 1}, {"noise": -0.1}]
)
def test_a_ring_must_make_sense(bad):
    with pytest.raises(ValueError, match="ring needs count >= 1"):
        ring(**({"count": 5} | bad))


def test_gaussian_ring_geometry():
    x, mode = gaussian_ring(20_000, modes=6, radius=2.0, std=0.1)
    assert x.shape == (20_000, 2) and x.dtype == torch.float32 and mode.dtype == torch.long
    for k in range(6):
        points = x[mode == k]
        assert abs(len(points) / 20_000 - 1 / 6) < 0.02
        angle = torch.tensor(2 * torch.pi * k / 6)
        mean = 2 * torch.stack([angle.cos(), angle.sin()])
        assert_close(points.mean(0), mean, rtol=0, atol=0.01)
        assert_close(torch.cov(points.T), 0.01 * torch.eye(2), rtol=0, atol=1e-3)
    assert (mode[:100].diff() != 0).any()  # in random order


def test_gaussian_ring_seeds():
    state = torch.get_rng_state()
    (first, modes), (again, _), (other, _) = (gaussian_ring(9, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert len(modes) == 9
    assert (torch.get_rng_state() == state).all()


@pytest.mark.parametrize("bad", [{"count": 0}, {"modes": 0}, {"radius": 0.0}, {"std": -0.1}])
def test_a_gaussian_ring_must_make_sense(bad):
    with pytest.raises(ValueError, match="gaussian_ring needs count >= 1"):
        gaussian_ring(**({"count": 5} | bad))
