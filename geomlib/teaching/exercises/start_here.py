"""The exercise of *Start here*: the decoder of the first chart that the course meets."""

from collections.abc import Callable

import torch
from torch import Tensor

from geomlib.teaching.checks import Mistake, attempt, compare, exercise

__all__ = ["circle_decoder"]


@exercise("start-a")
def circle_decoder(answer: Callable[[Tensor], Tensor]) -> str:
    r"""$u \mapsto (2u, u^2 - 1)/(u^2 + 1)$, the inverse of $u = x/(1 - y)$ on the circle."""
    u = torch.tensor([-2.0, -0.5, 0.0, 0.4, 3.0])
    points = attempt(answer, u)
    x, y = 2 * u / (u**2 + 1), (u**2 - 1) / (u**2 + 1)
    right = torch.stack([x, y], dim=-1)
    if points.shape == (2, len(u)):
        raise Mistake("One row is one point: stack the coordinates along the last dimension.")
    mistakes = {
        "You projected from the south pole: that is the inverse of x/(1 + y). The point (0, 1) is "
        "the one that this chart misses.": torch.stack([x, -y], dim=-1),
        "The coordinates are in the order (y, x).": right.flip(-1),
        "The sign of x went wrong: where u is positive, so is x.": torch.stack([-x, y], dim=-1),
        "You forgot to divide by u^2 + 1.": torch.stack([2 * u, u**2 - 1], dim=-1),
    }
    try:
        compare(points, right, mistakes)
    except Mistake as mistake:
        if str(mistake) in mistakes or points.shape != right.shape:
            raise
        if (points.double().square().sum(dim=-1) - 1).abs().max() > 1e-3:
            raise Mistake("Your points are not on the circle: x^2 + y^2 is not 1.") from None
        raise
    return "A decoder is the inverse of a chart. You have written your first one."
