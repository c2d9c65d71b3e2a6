"""Each check of the chapter on three kinds of models: the right answer, and mistakes."""

from math import log

import pytest
import torch
from verdicts import said

from geomlib.data import load_small_digits
from geomlib.models import Autoencoder

JS = log(2) / 2


@pytest.mark.parametrize("name", [f"three-kinds-of-models-{letter}" for letter in "abcd"])
def test_an_untouched_stub_is_not_attempted(capsys, name):
    assert "not attempted yet" in said(capsys, name, ...)


@pytest.mark.parametrize("name", ["three-kinds-of-models-b", "three-kinds-of-models-c"])
def test_an_empty_function_is_not_attempted(capsys, name):
    assert "not attempted yet" in said(capsys, name, lambda *arguments: ...)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((0.5, JS, 1.5), "right"),
        (torch.tensor([0.5, JS, 1.5]), "right"),
        ((1, JS, 1.5), "q puts mass on 1 too"),
        ((0, JS, 1.5), "cannot be sure"),
        ((0.5, log(2), 1.5), "no common point"),
        ((0.5, 0.5, 1.5), "in bits"),
        ((0.5, JS / 2, 1.5), "halved twice"),
        ((0.5, JS**0.5, 1.5), "JS: that is its root"),
        ((0.5, 0.3466, 1.5), "right"),
        ((0.5, 0.347, 1.5), "JS: near, but rounded"),
        ((0.5, 2 * JS - log(4), 1.5), "that is V(D*, g)"),
        ((0.5, JS, 3), "weigh each way"),
        ((0.5, JS, 0.75), "with its probability twice"),
        ((0.5, JS, 2), "difference of the largest points"),
        ((0.5, JS, 2.5), "not their squares"),
        ((0.5, JS, 1.1), "W1: You are off by 0.4"),
        ((0.5, float("nan"), 1.5), "JS: Your values are not all finite"),
        ((0.5, JS), "three numbers"),
        ("half", "three numbers"),
    ],
)
def test_two_distances(capsys, answer, verdict):
    assert verdict in said(capsys, "three-kinds-of-models-a", answer)


def covariance(
    S, d, *, noise=torch.mean, taken_off=True, added=lambda s2: s2, kept=slice(-2, None)
):
    values, u = torch.linalg.eigh(S)
    left = torch.ones(len(S), dtype=torch.bool)
    left[kept] = False
    s2 = noise(values[left])
    W = u[:, kept] * (values[kept] - (s2 if taken_off else 0)).clamp_min(0).sqrt()
    return W @ W.T + added(s2) * torch.eye(len(S)).to(S)


COVARIANCES = {
    "right": covariance,
    "noise off the kept": lambda S, d: covariance(S, d, taken_off=False),
    "not their sum": lambda S, d: _without_roots(S, torch.sum),
    "not over all": lambda S, d: _without_roots(S, lambda v: torch.trace(S) / 5),
    "how many they are, n - d": lambda S, d: covariance(S, d, noise=lambda v: v.sum() / 5),
    "W W^T alone": lambda S, d: covariance(S, d, added=lambda s2: 0),
    "noise in all directions": lambda S, d: covariance(S, d, taken_off=False, added=lambda s2: 0),
    "not its square": lambda S, d: covariance(S, d, added=torch.sqrt),
    "S itself": lambda S, d: S,
    "less the noise": lambda S, d: _of_length(S, d, lambda values: values),
    "not its rows": lambda S, d: _of_length(S, d, torch.sqrt, rows=True),
    "largest error": lambda S, d: covariance(S, d, noise=lambda v: v.mean() ** 2),
    "eigh sorts ascending": lambda S, d: _without_roots(S, torch.mean, slice(0, 2)),
    "shape should be": lambda S, d: covariance(S, d)[:, :d],
    "raised": lambda S, d: S.eigenvalues(),
}


def _of_length(S, d, length, rows=False):
    values, u = torch.linalg.eigh(S)
    u = u.T if rows else u
    s2 = values[:-d].mean()
    W = u[:, -d:] * length(values[-d:] - s2)
    return W @ W.T + s2 * torch.eye(len(S)).to(S)


def _without_roots(S, noise, kept=slice(-2, None)):
    """W W^T may have negative eigenvalues then: as a formula a learner may still write it."""
    values, u = torch.linalg.eigh(S)
    left = torch.ones(len(S), dtype=torch.bool)
    left[kept] = False
    s2 = noise(values[left])
    return u[:, kept] @ torch.diag(values[kept] - s2) @ u[:, kept].T + s2 * torch.eye(5).to(S)


@pytest.mark.parametrize("verdict", COVARIANCES)
def test_model_covariance(capsys, verdict):
    assert verdict in said(capsys, "three-kinds-of-models-b", COVARIANCES[verdict])


def descended(g, x, starts, steps=300):
    z = starts.repeat(len(x), 1, 1).requires_grad_()
    adam = torch.optim.Adam([z], lr=0.05)
    for _ in range(steps):
        (z.grad,) = torch.autograd.grad((x[:, None] - g(z)).square().sum(), z)
        adam.step()
    z = z.detach()
    return z, (x[:, None] - g(z)).square().sum(-1)  # (count, S, d), (count, S)


def chosen(ends, which):
    return ends[torch.arange(len(ends)), which]


def encode(g, x, starts):
    ends, errors = descended(g, x, starts)
    return chosen(ends, errors.argmin(1))


def nearest_start(g, x, starts):
    near = (x[:, None] - g(starts)).square().sum(-1).argmin(1)
    return chosen(descended(g, x, starts)[0], near)


def one_for_all(g, x, starts):
    ends, errors = descended(g, x, starts)
    return ends[:, errors.sum(0).argmin()]


def worst(g, x, starts):
    ends, errors = descended(g, x, starts)
    return chosen(ends, errors.argmax(1))


ENCODERS = {
    "right": encode,
    "return the codes z": lambda g, x, s: g(encode(g, x, s)),
    "ends of all starts": lambda g, x, s: descended(g, x, s)[0],
    "nothing has moved": lambda g, x, s: s[:1].expand(len(x), 1),
    "first start only": lambda g, x, s: descended(g, x, s)[0][:, 0],
    "one start for all images": one_for_all,
    "largest error": worst,
    "nearest start only": nearest_start,
    "not always the best end": lambda g, x, s: descended(g, x, s)[0][:, -1],
    "order of the images": lambda g, x, s: encode(g, x, s).flip(0),
    "no descent for it ends": lambda g, x, s: descended(g, x, s)[1].argmin(1, keepdim=True),
    "averaged the ends": lambda g, x, s: descended(g, x, s)[0].mean(1),
    "above the least one": lambda g, x, s: encode(g, x, s) + 0.1,
    "shape should be": lambda g, x, s: encode(g, x, s)[0],
    "raised": lambda g, x, s: g.inverse(x),
}


@pytest.mark.parametrize("verdict", ENCODERS)
def test_nearest_codes(capsys, verdict):
    assert verdict in said(capsys, "three-kinds-of-models-c", ENCODERS[verdict])


def test_codes_of_single_precision(capsys):
    name = "three-kinds-of-models-c"
    assert "right" in said(capsys, name, lambda g, x, s: encode(g, x, s).float())
    assert "return the codes z" in said(capsys, name, lambda g, x, s: g(encode(g, x, s)).float())


@pytest.fixture(scope="module")
def trained():
    digits, _ = load_small_digits()
    train, test = digits[:600], digits[600:800]
    model = Autoencoder(64, latent_dim=8)
    model.fit(train, epochs=60, batch_size=60, learning_rate=2e-3, progress=False)
    return {"model": model, "train": train, "test": test}


def normal(codes, count, generator):
    noise = torch.randn(count, codes.shape[1], generator=generator)
    return codes.mean(0) + noise @ torch.linalg.cholesky(torch.cov(codes.T)).T


def jittered(codes, count, generator):
    chosen = torch.randint(len(codes), (count,), generator=generator)
    return codes[chosen] + 0.3 * torch.randn(count, codes.shape[1], generator=generator)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (normal, "right. W1 to the test digits is"),
        (jittered, "right"),
        (lambda c, n, g: normal(c, n, g).double(), "right"),
        (lambda c, n, g: normal(c, n, g) - 2 * c.mean(0), "The centre of your codes"),
        (lambda c, n, g: torch.randn(n, 8, generator=g), "That is N(0, I) itself"),
        (lambda c, n, g: c.mean(0) + 6 * torch.randn(n, 8, generator=g), "the covariance"),
        (lambda c, n, g: c[torch.randint(len(c), (n,), generator=g)], "draw new ones"),
        (lambda c, n, g: c.mean(0).expand(n, 8), "are the same"),
        (lambda c, n, g: normal(c, n - 1, g), "shape should be"),
        (lambda c, n, g: normal(c, n, g) / 0, "not all finite"),
        (lambda c, n, g: ..., "not attempted yet"),
        (3, "Hand over the function"),
    ],
)
def test_code_sampler(capsys, trained, answer, verdict):
    assert verdict in said(capsys, "three-kinds-of-models-d", answer, **trained)
