"""Descent on manifolds in closed form, where the end is known; and the edge that stops it."""

import warnings

import pytest
import torch
from torch.testing import assert_close

from geomlib.models import manifold_descent
from geomlib.models.explicit_atlases import circle_atlas, sphere_atlas, torus_atlas
from geomlib.models.manifold_descent import least_error, most_interior


def towards(target):
    return lambda x: (x - target).square().sum(-1) / 2


class Walled(type(circle_atlas())):
    """The circle's two arcs, with codes kept inside their domains."""

    def into_domain(self, i, z):
        return z.clamp(-2.2, 2.2)


def walled():
    arcs = circle_atlas()
    parts = (arcs.encoders, arcs.decoders, arcs.weights, arcs.domains)
    return Walled(*parts, data_dim=2, latent_dim=1)


@pytest.mark.parametrize("atlas", [circle_atlas(), circle_atlas(5), sphere_atlas()])
def test_the_end_is_the_nearest_point(atlas):
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        x0, target = torch.randn(2, 8, atlas.data_dim, generator=generator).double()
        x0 = x0 / x0.norm(dim=-1, keepdim=True)
        target = target[0] / target[0].norm() * 2
        x0 = x0[(x0 @ target) / 2 > -0.98]  # the antipode is critical too
        way = manifold_descent(atlas, towards(target), x0, step_size=0.2, steps=300)
        assert way.converged.all() and not way.frozen.any()
        assert_close(way.end, (target / 2).expand_as(way.end), rtol=0, atol=1e-2)
        assert (way.values.diff(dim=0) <= 1e-9).all()


def test_shapes_on_the_torus():
    atlas = torus_atlas()
    x0 = torch.tensor([[[-3.0, 0.0, 0.0]], [[0.0, 2.0, 1.0]]])
    way = manifold_descent(atlas, towards(torch.tensor([4.0, 0.1, 0.1])), x0 + 0.01, steps=200)
    steps = len(way.path)
    assert way.path.shape == (steps, 2, 1, 3)
    assert way.charts.shape == way.values.shape == (steps, 2, 1)
    assert way.slope.shape == way.converged.shape == way.frozen.shape == (2, 1)


def test_the_chart_of_least_error_freezes_at_its_edge_and_the_most_interior_goes_over():
    atlas = walled()
    x0 = torch.tensor([[0.9801, 0.1987]]).double()  # 0.2 rad, deep in chart 0
    target = towards(torch.tensor([-2.0, 0.0]).double())  # its nearest point is at π
    with pytest.warns(UserWarning, match="1 of 1 points have not converged.*1 of them frozen"):
        way = manifold_descent(atlas, target, x0, weights=least_error(atlas), steps=100)
    assert way.frozen.all() and not way.converged.any()
    assert way.charts.unique().tolist() == [0]
    assert_close(torch.atan2(way.end[:, 1], way.end[:, 0]), torch.tensor([2.2]).double())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        way = manifold_descent(atlas, target, x0, weights=most_interior(atlas, 0.1), steps=100)
    assert way.converged.all() and way.charts[:, 0].unique_consecutive().tolist() == [0, 1]
    assert_close(way.end, torch.tensor([[-1.0, 0.0]]).double(), rtol=0, atol=1e-2)


def test_bad_input():
    atlas, x0 = circle_atlas(), torch.tensor([1.0, 0.0])
    with pytest.raises(ValueError, match=r"x0 has shape \(3,\)"):
        manifold_descent(atlas, towards(x0), torch.ones(3))
    with pytest.raises(ValueError, match=r"step_size = 0 and tolerance = 0\.001"):
        manifold_descent(atlas, towards(x0), x0, step_size=0)
    with pytest.raises(ValueError, match="steps = 0"):
        manifold_descent(atlas, towards(x0), x0, steps=0)
    with pytest.raises(ValueError, match=r"objective has shape \(1, 2\)"):
        manifold_descent(atlas, lambda x: x, x0)
    with pytest.raises(ValueError, match="one weight for each chart is needed"):
        manifold_descent(atlas, towards(x0), x0, weights=lambda x: x[..., 0])
