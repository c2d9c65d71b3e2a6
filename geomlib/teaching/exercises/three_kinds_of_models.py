"""Exercises of the chapter *Three kinds of models*."""

from collections.abc import Callable
from math import log
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from geomlib.models import Autoencoder
from geomlib.teaching.checks import Mistake, attempt, compare, exercise, numbers

__all__ = ["code_sampler", "model_covariance", "nearest_codes", "two_distances"]


@exercise("three-kinds-of-models-a")
def two_distances(answer: Any) -> str:
    r"""$p$ on 0 and 1, $q$ on 1 and 3: $D^*(1) = \tfrac12$, JS $= \tfrac12\log 2$, $W_1 = 1.5$."""
    wanted = "Give three numbers, such as (1, 0.2, 2): D*(1), JS(p, q), W1(p, q)."
    value = numbers(answer, 3, wanted)
    said = {
        0: {
            "D*(1): q puts mass on 1 too; divide p(1) by p(1) + q(1).": 1.0,
            "D*(1): p puts mass on 1 too, so the best discriminator cannot be sure.": 0.0,
        },
        1: {
            "JS: log 2 holds if p and q have no common point; here they share 1.": log(2),
            "JS: that is in bits; take the natural logarithm.": 0.5,
            "JS: you halved twice.": 0.25 * log(2),
            "JS: that is its root, which SciPy's jensenshannon returns.": (0.5 * log(2)) ** 0.5,
            "JS: that is V(D*, g); it is 2 JS - log 4.": log(2) - log(4),
        },
        2: {
            "W1: weigh each way with its probability, 1/2.": 3.0,
            "W1: you weighed each way with its probability twice.": 0.75,
            "W1: that is the difference of the largest points.": 2.0,
            "W1: weigh the ways themselves, not their squares.": 2.5,
        },
    }
    right = torch.tensor([0.5, 0.5 * log(2), 1.5], dtype=torch.float64)
    if 3e-4 < abs(value[1] - right[1]) < 5e-3:
        raise Mistake("JS: near, but rounded. Give four digits, or a formula with math.log.")
    for k, mistakes in said.items():
        values = {text: torch.tensor([wrong]).double() for text, wrong in mistakes.items()}
        try:
            compare(value[k : k + 1], right[k : k + 1], values)
        except Mistake as mistake:
            text = str(mistake)
            name = ["D*(1)", "JS", "W1"][k]
            raise Mistake(text if text.startswith(name) else f"{name}: {text}") from None
    return (
        "Staying at 1 and going from 0 to 3 costs the same: on the line the best coupling need "
        "not be unique."
    )


@exercise("three-kinds-of-models-b")
def model_covariance(answer: Callable[..., Tensor]) -> str:
    r"""$U_d (\Lambda_d - s^2) U_d^\top + s^2 I$, $s^2$ the mean of the discarded eigenvalues."""
    basis = torch.linalg.qr(
        torch.randn(5, 5, generator=torch.Generator().manual_seed(0)).double()
    ).Q
    values = torch.tensor([0.3, 0.5, 1.3, 3.0, 4.0], dtype=torch.float64)
    S, d = basis @ torch.diag(values) @ basis.T, 2
    s2 = values[:3].mean()
    rows = torch.linalg.eigh(S).eigenvectors[-d:].T  # what a learner takes for the eigenvectors

    def covariance(
        noise: Tensor, kept: Tensor, added: Tensor, which: slice = slice(3, 5)
    ) -> Tensor:
        u = basis[:, which]
        return u @ torch.diag(kept - noise) @ u.T + added * torch.eye(5).double()

    top = values[3:]
    compare(
        attempt(answer, S, d),
        covariance(s2, top, s2),
        {
            "You kept the eigenvectors of the least eigenvalues: eigh sorts ascending.": covariance(
                values[2:].mean(), values[:2], values[2:].mean(), slice(0, 2)
            ),
            "You did not take the noise off the kept eigenvalues: C should have the variance "
            "of the data along the principal components.": covariance(torch.tensor(0.0), top, s2),
            "The noise is the mean of the discarded eigenvalues, not their sum.": covariance(
                values[:3].sum(), top, values[:3].sum()
            ),
            "The noise is the mean over the discarded eigenvalues alone, not over all.": covariance(
                values.mean(), top, values.mean()
            ),
            "Divide the sum of the discarded eigenvalues by how many they are, n - d.": covariance(
                values[:3].sum() / 5, top, values[:3].sum() / 5
            ),
            "The noise is missing: that is W W^T alone.": covariance(s2, top, torch.tensor(0.0)),
            "That is the best approximation of S of rank d. A linear VAE has noise in all "
            "directions.": covariance(torch.tensor(0.0), top, torch.tensor(0.0)),
            "You added s, not its square.": covariance(s2, top, s2.sqrt()),
            "The columns of W have the length of a root: W W^T then has the eigenvalue less the "
            "noise.": covariance(torch.tensor(0.0), (top - s2) ** 2, s2),
            "Eigenvectors are the columns of what eigh returns, not its rows.": rows
            @ torch.diag(top - s2)
            @ rows.T
            + s2 * torch.eye(5).double(),
            "That is S itself: with d latent dimensions the model cannot hold it.": S,
        },
    )
    return "Exact along the kept directions, the same mean variance along all others."


@exercise("three-kinds-of-models-c")
def nearest_codes(answer: Callable[..., Tensor]) -> str:
    r"""$\arg\min_z \|x - g(z)\|^2$ for each row, from several starts."""

    def g(z: Tensor) -> Tensor:  # a wave: (..., 1) -> (..., 2)
        return torch.cat([z / 2, torch.sin(3 * z)], dim=-1)

    x = torch.tensor([[-0.8, 0.9], [0.15, -0.7], [0.9, 0.95], [0.35, 1.3]], dtype=torch.float64)
    starts = torch.tensor([[-2.0], [-0.9], [0.1], [1.0], [2.2]], dtype=torch.float64)
    codes = attempt(answer, g, x, starts).double()
    if codes.shape == x.shape and torch.allclose(codes, g(_ends(g, x, starts)[1]), atol=2e-2):
        raise Mistake("Those are the images g(z): return the codes z.")
    if codes.shape == (5, 4, 1) or codes.shape == (4, 5, 1):
        raise Mistake("You return the ends of all starts: keep the best one for each image.")
    if codes.shape != (4, 1):
        raise Mistake(f"The shape should be (4, 1), but yours is {tuple(codes.shape)}.")
    if not torch.isfinite(codes).all():
        raise Mistake("Your codes are not all finite numbers.")
    ends, best = _ends(g, x, starts)  # (4, 5, 1), (4, 1)

    def same(one: Tensor, tolerance: float = 2e-2) -> bool:
        return bool((codes - one).abs().max() < tolerance)

    if same(best):
        return "Without an encoder this search is what an image costs."
    everywhere = (x[:, None] - g(ends)).square().sum(-1)  # (4, 5)
    nearest = (x[:, None] - g(starts)).square().sum(-1).argmin(1)
    if all((codes[i] - starts).abs().min() < 1e-9 for i in range(4)):
        raise Mistake("Your codes are starts: nothing has moved.")
    if same(ends[:, 0]):
        raise Mistake("You descended from the first start only.")
    if same(ends[:, everywhere.sum(0).argmin()]):
        raise Mistake("You chose one start for all images: choose for each image.")
    if same(ends[torch.arange(4), everywhere.argmax(1)]):
        raise Mistake("You kept the end with the largest error.")
    if same(ends[torch.arange(4), nearest]):
        raise Mistake("You descended from the nearest start only; its end is not always the best.")
    if same(ends.mean(1)):
        raise Mistake("You averaged the ends. The mean of two minima is not a minimum.")
    excess = ((x - g(codes)).square().sum(1) - everywhere.min(1).values).max()
    above = f"The squared error of one image is {excess:.2g} above the least one"
    if ((codes[:, None] - ends).abs().amin(1) < 2e-2).all():
        raise Mistake(
            f"{above}: each of your codes is an end for its image, but not always the best end."
        )
    if ((codes[:, None] - best).abs().amin(1) < 2e-2).all():
        raise Mistake("You found the codes, but not in the order of the images.")
    raise Mistake(
        f"{above}, and no descent for it ends there. Return codes, after enough steps of a rate "
        "that is large enough."
    )


def _ends(g: Callable[[Tensor], Tensor], x: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
    """Where the descents from all starts end, `(count, S, d)`, and the best ends, `(count, d)`."""
    z = starts.repeat(len(x), 1, 1).requires_grad_()
    adam = torch.optim.Adam([z], lr=0.05)
    for _ in range(400):
        (z.grad,) = torch.autograd.grad((x[:, None] - g(z)).square().sum(), z)
        adam.step()
    z = z.detach()
    best = (x[:, None] - g(z)).square().sum(-1).argmin(1)
    return z, z[torch.arange(len(x)), best]


@exercise("three-kinds-of-models-d")
def code_sampler(
    answer: Callable[..., Tensor], model: Autoencoder, train: Tensor, test: Tensor
) -> str:
    r"""Codes whose images have a $W_1$ to `test` of at most 3/4 of that of $N(0, I)$."""
    codes = model.encode(train).detach()
    count, latent_dim = len(test), codes.shape[1]

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(0)

    drawn = attempt(answer, codes, count, generator()).to(codes)
    if drawn.shape != (count, latent_dim):
        raise Mistake(
            f"The shape should be {(count, latent_dim)}, but yours is {tuple(drawn.shape)}."
        )
    if not torch.isfinite(drawn).all():
        raise Mistake("Your codes are not all finite numbers.")
    step = torch.cdist(codes, codes).fill_diagonal_(torch.inf).min(1).values.median()
    if (torch.cdist(drawn, codes).min(1).values < 0.01 * step).double().mean() > 0.05:
        raise Mistake("Those are codes of training digits: draw new ones.")
    if len(drawn.unique(dim=0)) < 0.9 * count:
        raise Mistake("Many of your codes are the same: draw each one anew.")
    normal = torch.randn(count, latent_dim, generator=generator())
    before, after = (_wasserstein(model.decode(z).detach(), test) for z in (normal, drawn))
    share = after / before
    if torch.allclose(drawn, normal):
        raise Mistake("That is N(0, I) itself: look at the codes.")
    apart = (drawn.mean(0) - codes.mean(0)).norm()
    chance = drawn.std(0).norm() / count**0.5  # how far apart they are for the right centre
    if share > 0.75 and apart > 0.25 * codes.std(0).norm() + 2 * chance:
        raise Mistake(
            f"W1 to the test digits is {share:.0%} of that of N(0, I). The centre of your codes is "
            "far from that of the digits' codes."
        )
    if share > 0.75:
        raise Mistake(
            f"W1 to the test digits is {share:.0%} of that of N(0, I). Look at the covariance of "
            "the codes, not only at their scale."
        )
    return f"W1 to the test digits is {share:.0%} of that of N(0, I)."


def _wasserstein(x: Tensor, y: Tensor) -> float:
    cost = torch.cdist(x, y).cpu().numpy()
    return float(cost[linear_sum_assignment(cost)].mean())
