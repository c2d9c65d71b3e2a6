"""Each check of the chapter on atlases: right answers, and mistakes that it knows."""

import pytest
import torch
from verdicts import said


@pytest.mark.parametrize("letter", "abcd")
def test_an_untouched_stub_is_not_attempted(capsys, letter):
    assert "not attempted yet" in said(capsys, f"atlas-models-{letter}", ...)


@pytest.mark.parametrize("letter", "bcd")
def test_an_empty_function_is_not_attempted(capsys, letter):
    assert "not attempted yet" in said(capsys, f"atlas-models-{letter}", lambda *arguments: ...)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((1, 0, 1), "right"),
        (torch.tensor([1, 0, 1]), "right"),
        ((4, 6, 4), "counted simplices"),
        ((1, 0, 0), "full tetrahedron"),
        ((1, 1, 0), "bounds triangles"),
        ((1, 2, 1), "those of a torus"),
        ((4, 0, 1), "one piece"),
        ((1, 3, 0), "the edges alone"),
        ((1, 0), "Give three numbers"),
        ("sphere", "Give three numbers"),
    ],
)
def test_tetrahedron(capsys, answer, verdict):
    assert verdict in said(capsys, "atlas-models-a", answer)


def points(x, encoders, decoders):
    return torch.stack([d(e(x)) for e, d in zip(encoders, decoders, strict=True)], dim=-2)


def mean_code(x, encoders, rho):
    return (rho[..., None] * torch.stack([e(x) for e in encoders], dim=-2)).sum(-2)


MIXED = {
    "right": lambda x, e, d, rho: torch.einsum("bk,bkn->bn", rho, points(x, e, d)),
    "averaged the codes and decoded": lambda x, e, d, rho: sum(
        rho[:, i, None] * decode(mean_code(x, e, rho)) for i, decode in enumerate(d)
    ),
    "gave the mean to one decoder": lambda x, e, d, rho: d[0](mean_code(x, e, rho)),
    "without their weights": lambda x, e, d, rho: points(x, e, d).mean(-2),
    "most probable chart alone": lambda x, e, d, rho: points(x, e, d).take_along_dim(
        rho.argmax(-1)[:, None, None], dim=-2
    )[:, 0],
    "added the points": lambda x, e, d, rho: points(x, e, d).sum(-2),
    "sum to 1 already": lambda x, e, d, rho: (rho[..., None] * points(x, e, d)).mean(-2),
    "shape should be": lambda x, e, d, rho: points(x, e, d),
}


@pytest.mark.parametrize("verdict", MIXED)
def test_mixed(capsys, verdict):
    assert verdict in said(capsys, "atlas-models-b", MIXED[verdict])


def rank(matrix):
    return int(torch.linalg.matrix_rank(matrix))


LOOPS = {
    "right": lambda a, b: torch.tensor([len(a) - rank(a), a.shape[1] - rank(a) - rank(b)]),
    "dim ker ∂1": lambda a, b: torch.tensor([len(a) - rank(a), a.shape[1] - rank(a)]),
    "gave the ranks": lambda a, b: torch.tensor([rank(a), rank(b)]),
    "other way round": lambda a, b: torch.tensor(
        [a.shape[1] - rank(a) - rank(b), len(a) - rank(a)]
    ),
    "rank of ∂2 only": lambda a, b: torch.tensor([len(a) - rank(a), a.shape[1] - rank(b)]),
    "counted V and E": lambda a, b: torch.tensor(a.shape),
    "The lone vertex is one": lambda a, b: torch.tensor([1, a.shape[1] - rank(a) - rank(b)]),
    "number of its rows": lambda a, b: torch.tensor(
        [a.shape[1] - rank(a), a.shape[1] - rank(a) - rank(b)]
    ),
    "exchanged V and E": lambda a, b: torch.tensor(
        [a.shape[1] - rank(a), len(a) - rank(a) - rank(b)]
    ),
    "torch tensor": lambda a, b: (2, 1),
}


@pytest.mark.parametrize("verdict", LOOPS)
def test_loops(capsys, verdict):
    assert verdict in said(capsys, "atlas-models-c", LOOPS[verdict])


def colour(K, pieces, *, both=True, checked=True, use=None):
    sign = {0: 1}
    seen = pieces if use is None else [pieces[use]] if len({p[:2] for p in pieces}) == 1 else pieces
    ways = [*seen, *((j, i, s) for i, j, s in seen)] if both else seen
    for _ in range(K):
        for i, j, s in ways:
            if i in sign:
                sign.setdefault(j, s * sign[i])
    if checked and any(sign.get(i, 1) * sign.get(j, 1) != s for i, j, s in seen):
        return torch.zeros(K)
    return torch.tensor([sign.get(i, 1) for i in range(K)])


def any_negative(K, pieces):
    return torch.zeros(K) if any(s < 0 for *_, s in pieces) else torch.ones(K)


def negative_ends(K, pieces):
    signs = torch.ones(K)
    for i, j, s in pieces:
        if s < 0:
            signs[i], signs[j] = (1, -1) if K == 2 else (-1, -1)
    return signs


def overwritten(K, pieces):
    signs = torch.ones(K)
    for i, j, s in pieces:
        signs[j] = s * signs[i]
    return signs


def refused(K, pieces):
    signs = overwritten(K, pieces)
    fits = all(signs[i] * signs[j] == s for i, j, s in pieces)
    return signs if fits else torch.zeros(K)


MIRRORS = {
    "right": colour,
    "keep every chart": lambda K, pieces: torch.zeros(K),
    "gave chart 1 a second sign": overwritten,
    "Follow the pieces in both directions": refused,
    "truth values": lambda K, pieces: colour(K, pieces) > 0,
    "changed nothing": lambda K, pieces: torch.ones(K),
    "refutes nothing": any_negative,
    "Chart 0 is to be kept": lambda K, pieces: -colour(K, pieces) if K == 2 else colour(K, pieces),
    "each chart that has a negative transition": negative_ends,
    "leads from 1 to 2 just as well": lambda K, pieces: colour(
        K, pieces, both=False, checked=False
    ),
    "the first piece only": lambda K, pieces: colour(K, pieces, use=0),
    "the last piece only": lambda K, pieces: colour(K, pieces, use=-1),
    "Check every piece": lambda K, pieces: colour(K, pieces) if K == 2 else colour(
        K, pieces, checked=False
    ),
    "Signs are 1, -1 or 0": lambda K, pieces: 2 * torch.ones(K),
    "raised": lambda K, pieces: torch.ones(K) / pieces,
}  # fmt: skip


@pytest.mark.parametrize("verdict", MIRRORS)
def test_mirrors(capsys, verdict):
    assert verdict in said(capsys, "atlas-models-d", MIRRORS[verdict])
