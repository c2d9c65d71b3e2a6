"""The latent explorer: its numerics against torch and geomlib.riemann, and the figure in a page."""

import json

import latent_explorer_page as explorer_page
import numpy as np
import pytest
import torch
from conftest import DESKTOP, PHONE
from torch import nn
from widget_page import embed, stored

from geomlib.models.vae import GaussianVAE, RBFStandardDeviation
from geomlib.riemann import ExpectedMetric, PullbackMetric
from geomlib.teaching import LatentExplorer

PIXELS = 28 * 28
BOUNDS = (-3.0, 3.0, -2.5, 2.5)

# The module and a decoder, as globals of the page.
LOAD = """async (weights) => {
  window.lx = await import("/latent_explorer.js");
  for (const layer of [...weights.layers, weights.std])
    for (const [key, value] of Object.entries(layer))
      if (Array.isArray(value)) layer[key] = Float64Array.from(value);
  window.dec = lx.decoder(weights);
}"""


def make_vae(last: nn.Module | None = None, seed: int = 0) -> GaussianVAE:
    """An untrained decoder 2-64-64-784, steep enough to be curved, with blobs for digits."""
    vae = GaussianVAE(data_dim=PIXELS, latent_dim=2, hidden=64, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in vae.mean[:-1:2]:
            layer.weight *= 2.5
        vae.mean[-1].weight *= 2
        vae.mean[-1].bias += 0.3
    if last is not None:
        vae.mean.append(last)
    centres = (torch.rand(30, 2, generator=generator) - 0.5) * torch.tensor([5.0, 4.0])
    weight = 0.1 + 20 * torch.rand(PIXELS, 30, generator=generator)
    vae.std = RBFStandardDeviation(centres, torch.full((30,), 1.5), weight, torch.ones(PIXELS))
    return vae.double()


def make_codes(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    angle = 2 * np.pi * labels / 10
    middle = np.stack([2 * np.cos(angle), 1.5 * np.sin(angle)], axis=1)
    return middle + 0.2 * generator.normal(size=(count, 2)), labels


@pytest.fixture
def numerics(visit, widget_site):
    """Loads a VAE into the module in a page: `page = numerics(vae)`."""

    def numerics(vae: GaussianVAE):
        page = visit(f"{widget_site[1]}/blank.html")
        layers = [
            {
                "type": "linear",
                "inputs": layer.in_features,
                "outputs": layer.out_features,
                "weight": layer.weight.flatten().tolist(),
                "bias": layer.bias.tolist(),
            }
            if isinstance(layer, nn.Linear)
            else {"type": type(layer).__name__.lower()}
            for layer in vae.mean
        ]
        names = ("centres", "bandwidth", "weight", "floor")
        std = {name: getattr(vae.std, name).flatten().tolist() for name in names}
        page.evaluate(LOAD, {"layers": layers, "std": std, "bounds": BOUNDS})
        return page

    return numerics


def metrics_of(vae: GaussianVAE) -> dict[str, PullbackMetric]:
    return {"mean": PullbackMetric(vae.mean), "expected": ExpectedMetric(vae.mean, vae.std)}


def random_points(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return (share - 0.5) * torch.tensor([5.0, 4.0], dtype=torch.float64)


ACTIVATIONS = [None, nn.Sigmoid(), nn.Softplus()]


@pytest.mark.browser
@pytest.mark.parametrize("last", ACTIVATIONS, ids=["linear", "sigmoid", "softplus"])
def test_values_and_jacobians_are_those_of_torch(numerics, last):
    vae = make_vae(last)
    page = numerics(vae)
    for z in random_points(6):
        decoded = page.evaluate("z => Array.from(lx.decode(dec, z))", z.tolist())
        for name, f in (("mean", vae.mean), ("expected", ExpectedMetric(vae.mean, vae.std).f)):
            value = f(z[None])[0].detach()
            jacobian = torch.func.jacrev(lambda z, f=f: f(z[None])[0])(z).detach()
            ours = page.evaluate(
                """([z, name]) => {
                  const { value, columns } = lx.jacobian(dec, z, name);
                  return [value, ...columns].map((column) => Array.from(column));
                }""",
                [z.tolist(), name],
            )
            ours = torch.tensor(ours, dtype=torch.float64)
            torch.testing.assert_close(ours[0], value, atol=1e-7, rtol=1e-6)
            torch.testing.assert_close(ours[1:].T, jacobian, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(
            torch.tensor(decoded, dtype=torch.float64), vae.mean(z).detach(), atol=1e-9, rtol=0
        )


@pytest.mark.browser
@pytest.mark.parametrize("name", ["mean", "expected"])
@pytest.mark.parametrize("last", ACTIVATIONS[:2], ids=["linear", "sigmoid"])
def test_geodesics_are_those_of_python(numerics, last, name):
    """On the same 24 pairs and 32 segments, lengths agree to 1 %.

    Both look for minima and may find different ones. So the browser's must not be longer, and
    where it is shorter, Python started from the browser's curve must find the same length.
    """
    vae = make_vae(last)
    metric = metrics_of(vae)[name]
    a, b = random_points(24, seed=1), random_points(24, seed=2)
    page = numerics(vae)
    curves = page.evaluate(
        """([pairs, metric]) => pairs.map(([a, b]) => {
          const { points, length, converged } = lx.geodesic(dec, a, b, { metric });
          const straight = lx.length(dec, lx.straightLine(a, b, 32), metric);
          return { points: Array.from(points), length, converged, straight };
        })""",
        [torch.stack([a, b], dim=1).tolist(), name],
    )
    length = torch.tensor([curve["length"] for curve in curves], dtype=torch.float64)
    straight = torch.tensor([curve["straight"] for curve in curves], dtype=torch.float64)
    points = torch.tensor([curve["points"] for curve in curves], dtype=torch.float64)
    points = points.reshape(24, 33, 2)

    assert all(curve["converged"] for curve in curves)
    assert (length <= straight).all()
    times = torch.linspace(0, 1, 33, dtype=torch.float64)[:, None]
    line = torch.lerp(a[:, None], b[:, None], times)
    with torch.no_grad():
        torch.testing.assert_close(straight, chords(metric, line).sum(1), rtol=1e-6, atol=0)
        torch.testing.assert_close(length, chords(metric, points).sum(1), rtol=1e-6, atol=0)
        steps = chords(metric, points)
        assert (steps / steps.mean(1, keepdim=True) - 1).abs().max() < 0.15, "constant speed"
        python = metric.geodesic(a, b, segments=32).length()
        again = metric.geodesic(a, b, segments=32, initial=points).length()
    assert (length <= 1.01 * python).all()
    torch.testing.assert_close(length, again, rtol=0.01, atol=0)
    assert (length / python - 1).abs().median() < 0.001


def chords(metric: PullbackMetric, points: torch.Tensor) -> torch.Tensor:
    value = metric.f(points.flatten(0, 1)).unflatten(0, points.shape[:2])
    return (value[:, 1:] - value[:, :-1]).norm(dim=-1)


@pytest.mark.browser
def test_the_lattice_finds_the_way_round_a_hole(numerics):
    """A ring of kernels: the straight line crosses the hole, where the noise is large."""
    vae = make_vae()
    angle = torch.linspace(0, 2 * torch.pi, 41, dtype=torch.float64)[:-1]
    ring = 1.8 * torch.stack([angle.cos(), angle.sin()], dim=1)
    ones = torch.ones(PIXELS, 40, dtype=torch.float64)
    with torch.no_grad():
        vae.mean[-1].weight *= 0.05
    vae.std = RBFStandardDeviation(ring, 4 * ones[0], 100 * ones, ones[:, 0])
    page = numerics(vae)
    points = page.evaluate("() => Array.from(lx.geodesic(dec, [-1.8, 0], [1.8, 0.1]).points)")
    radius = np.linalg.norm(np.reshape(points, (-1, 2)), axis=1)
    assert radius.min() > 1.2


@pytest.mark.browser
def test_points_that_coincide_have_distance_zero(numerics):
    page = numerics(make_vae())
    curve = page.evaluate("() => lx.geodesic(dec, [0.5, 0.5], [0.5, 0.5])")
    assert curve["length"] == pytest.approx(0, abs=1e-9)
    assert curve["converged"]


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_figure_answers_without_a_kernel(visit, widget_site, size):
    codes, labels = make_codes()
    page = visit(embed(widget_site, "one", [LatentExplorer(make_vae(), codes, labels)]), size=size)
    explorer_page.check_everything(page.locator(".lx"))
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.browser
def test_two_figures_in_a_page_do_not_disturb_each_other(visit, widget_site):
    codes, labels = make_codes()
    pair = [LatentExplorer(make_vae(seed=seed), codes, labels) for seed in (0, 1)]
    page = visit(embed(widget_site, "two", pair, theme="dark"))
    first, second = page.locator(".lx").nth(0), page.locator(".lx").nth(1)
    explorer_page.is_drawn(second)
    before = explorer_page.state(second)
    explorer_page.check_everything(first)
    assert explorer_page.state(second) == before
    second.get_by_role("radio", name="metric of the mean").check()
    assert first.get_by_role("radio", name="expected metric").is_checked()


def test_the_stored_state_is_small():
    codes, labels = make_codes(10_000)
    vae = make_vae()
    vae.std = RBFStandardDeviation(
        torch.zeros(64, 2), torch.ones(64), torch.ones(PIXELS, 64), torch.ones(PIXELS)
    )
    vae.float()
    state = stored([LatentExplorer(vae, codes, labels)])["manager_state"]
    assert len(json.dumps(state)) < 750_000


def test_two_points_and_lengths_are_traits():
    codes, labels = make_codes()
    explorer = LatentExplorer(make_vae(), codes, labels, a=(0.5, 0.25), b=torch.tensor([-1.0, 1]))
    assert (explorer.a, explorer.b) == ((0.5, 0.25), (-1.0, 1.0))
    assert explorer.lengths == {} and explorer.metric == "expected"
    seen = []
    explorer.observe(seen.append, names=["a", "lengths"])
    explorer.set_state({"a": [0.1, 0.2], "lengths": {"straight": 2.0, "geodesic": 1.5}})
    assert explorer.a == (0.1, 0.2) and explorer.lengths["geodesic"] == 1.5
    assert {change.name for change in seen} == {"a", "lengths"}


def with_mean(*layers: nn.Module) -> GaussianVAE:
    vae = make_vae()
    vae.mean = nn.Sequential(*layers)
    return vae.double()


def three_dimensional() -> GaussianVAE:
    vae = GaussianVAE(data_dim=PIXELS, latent_dim=3)
    vae.std = make_vae().std
    return vae


CODES, LABELS = make_codes(30)
NAN_CODES = np.where(np.arange(60).reshape(30, 2) == 7, np.nan, CODES)


@pytest.mark.parametrize(
    ("vae", "codes", "labels", "options", "message"),
    [
        (three_dimensional, CODES, LABELS, {}, "3 latent coordinates"),
        (make_vae, CODES[:, :1], LABELS, {}, r"codes must have shape \(count, 2\)"),
        (make_vae, CODES, LABELS[:-1], {}, "30 codes and labels of shape"),
        (make_vae, NAN_CODES, LABELS, {}, "NaN or infinite coordinates in 1 of 30"),
        (make_vae, CODES, np.arange(30), {}, "labels hold 30"),
        (
            lambda: with_mean(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, PIXELS)),
            CODES,
            LABELS,
            {},
            r"ReLU\(\), which the browser cannot evaluate",
        ),
        (lambda: with_mean(nn.Tanh(), nn.Linear(2, PIXELS)), CODES, LABELS, {}, "must begin"),
        (lambda: with_mean(nn.Linear(2, 5)), CODES, LABELS, {}, "784 pixels, but"),
        (
            lambda: GaussianVAE(PIXELS, 2),
            CODES,
            LABELS,
            {},
            "call vae.fit_standard_deviation",
        ),
        (make_vae, CODES, LABELS, {"image_shape": (8, 8)}, "64 pixels, but the decoder gives 784"),
        (make_vae, CODES, LABELS, {"segments": 1}, "at least 2 segments"),
        (make_vae, CODES, LABELS, {"bounds": (1, -1, 0, 1)}, "min < max"),
        (make_vae, CODES, LABELS, {"a": (99, 0)}, "outside the bounds"),
        (make_vae, CODES, LABELS, {"b": (float("nan"), 0)}, "two finite coordinates"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(vae, codes, labels, options, message):
    with pytest.raises(ValueError, match=message):
        LatentExplorer(vae(), codes, labels, **options)
