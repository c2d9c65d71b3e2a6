"""Each check of the chapter on your own decoder: the right answer, and mistakes by name."""

import pytest
import torch
from verdicts import said


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((6, 2, 12), "right"),
        (torch.tensor([6.0, 2.0, 12.0]), "right"),
        ((2, 6, 12), "larger one comes first"),
        ((36, 4, 144), "eigenvalues of G"),
        ((6, 2, 144), "det G"),
        ((6, 2, 3), "condition number"),
        ((6, 2, 8), "sum"),
        ((20**0.5, 20**0.5, 20), "not orthogonal"),
        ((20**0.5, 20**0.5, 12), "The area is right"),
        ((2, 2, 4), "third output"),
        ((6, 2), "three numbers"),
        ("six", "three numbers"),
        (..., "not attempted"),
    ],
)
def test_stretches(capsys, answer, verdict):
    assert verdict in said(capsys, "your-own-decoder-a", answer)


def values(g, z):
    return torch.linalg.svdvals(torch.func.vmap(torch.func.jacfwd(g))(z))


RANKS = {
    "right": lambda s, share: (s > share * s[:, :1]).sum(1),
    "fixed number": lambda s, share: (s > share).sum(1),
    "which are squares": lambda s, share: (s**2 > share * s[:, :1] ** 2).sum(1),
    "not zero": lambda s, share: (s > 0).sum(1),
    "rank is missing": lambda s, share: (s <= share * s[:, :1]).sum(1),
    "one number for the whole batch": lambda s, share: (s > share * s[:, :1]).sum(1).min(),
    "largest value of the whole batch": lambda s, share: (s > share * s.max()).sum(1),
    "largest value at the first one": lambda s, share: (s > share * s[0, 0]).sum(1),
}


@pytest.mark.parametrize("verdict", RANKS)
def test_numerical_rank(capsys, verdict):
    count = RANKS[verdict]
    answer = lambda g, z, share: count(values(g, z), share)  # noqa: E731
    assert verdict in said(capsys, "your-own-decoder-b", answer)


def others(codes):
    return torch.cdist(codes, codes).fill_diagonal_(torch.inf).amin(1)


FAR = {
    "right": lambda p, c: torch.cdist(p, c).amin(1) > 2 * others(c).quantile(0.99),
    "its own nearest code": lambda p, c: (
        torch.cdist(p, c).amin(1) > 2 * torch.cdist(c, c).amin(1).quantile(0.99)
    ),
    "other way round": lambda p, c: torch.cdist(p, c).amin(1) <= 2 * others(c).quantile(0.99),
    "take it twice": lambda p, c: torch.cdist(p, c).amin(1) > others(c).quantile(0.99),
    "median or mean": lambda p, c: torch.cdist(p, c).amin(1) > 2 * others(c).median(),
    "their median or mean": lambda p, c: torch.cdist(p, c).amin(1) > 2 * others(c).mean(),
    "largest of the distances": lambda p, c: torch.cdist(p, c).amin(1) > 2 * others(c).amax(),
    "no point is far": lambda p, c: (
        torch.cdist(p, c).amin(1) > 2 * torch.cdist(c, c).flatten().quantile(0.99)
    ),
    "not their mean or the largest": lambda p, c: (
        torch.cdist(p, c).amax(1) > 2 * others(c).quantile(0.99)
    ),
    "truth values": lambda p, c: torch.cdist(p, c).amin(1),
}


@pytest.mark.parametrize("verdict", FAR)
def test_far(capsys, verdict):
    assert verdict in said(capsys, "your-own-decoder-c", FAR[verdict])


CODES = 2 * torch.rand(80, 2, generator=torch.manual_seed(0), dtype=torch.float64) - 1
GAP = torch.tensor([0.0, 0.0], dtype=torch.float64)


def with_bump(height, width, place=GAP):
    def g(z):
        square = (z - place).square().sum(-1, keepdim=True)
        return torch.cat([z, height * torch.exp(-square / (2 * width**2))], -1)

    return g


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((with_bump(1e-3, 1e-3), GAP), "right"),
        ((with_bump(0.0, 1e-3), GAP), "curvature is 0"),
        ((lambda z: with_bump(1e-3, 1e-3)(z).float(), GAP), "cannot be measured"),
        ((with_bump(1.0, 0.5), GAP), "sees curvature"),
        ((with_bump(1e-3, 1e-3, GAP + 9), GAP + 9), "outside the box"),
        ((lambda z: torch.cat([z, torch.relu(z)], -1), GAP), "cannot be measured"),
        ((lambda z: z, GAP, 3), "Give (g, z)"),
        ((3, GAP), "decoder itself"),
        (7, "Give (g, z)"),
    ],
)
def test_hidden_bump(capsys, answer, verdict):
    assert verdict in said(capsys, "your-own-decoder-d", answer, codes=CODES)
