"""Exercises of the chapter *Beyond*: flows on the sphere, identifiability, topology."""

from collections.abc import Callable
from math import pi
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from geomlib.models.riemannian_flow_matching import geodesic_interpolant, sphere_log
from geomlib.teaching.checks import Mistake, attempt, compare, exercise, numbers

__all__ = ["conditional_velocity", "metric_in_new_codes", "schedule", "two_modes"]

GAP, MOST = 0.5, 0.1  # half the width of the gap, and the mass that may lie in it
ROUNDING = 1e-12


@exercise("beyond-a")
def schedule(answer: Any) -> str:
    r"""$\kappa = 1 - t^2$ over a quarter circle, at $t = \tfrac12$: angle $\pi/8$, speed
    $\pi/2$."""
    value = numbers(
        answer, 2, "Give two numbers: the angle from x0 at t = 1/2, and the speed there."
    )
    angle, speed = pi / 8, pi / 2
    mistakes = {
        "You gave the angle that is left to x1. The way from x0 is the rest.": (3 * pi / 8, speed),
        "The angle is that of κ = 1 - t. With κ = 1 - t² the point is late at first.": (
            pi / 4,
            speed,
        ),
        "The angle is right. The speed is |κ'(t)| d, and κ' = -2t.": (angle, pi / 4),
        "The angle is right. A speed is not negative: take |κ'|.": (angle, -pi / 2),
        "The angle is right. The speed is |κ'| times the distance, not |κ'| alone.": (angle, 1.0),
        "The angle is right. You multiplied by the angle that is left instead of the whole "
        "distance: log of x_t shrinks, and κ'/κ makes up for it.": (angle, 3 * pi / 8),
        "Both are given in degrees; take radians.": (22.5, 90.0),
        "The two numbers are the other way round: the angle first.": (speed, angle),
        "You followed the chord, and read the angle of its point at the share t² of the way. Equal "
        "steps on a chord are not equal angles.": (
            torch.atan2(torch.tensor(0.25), torch.tensor(0.75)).item(),
            speed,
        ),
    }
    right = torch.tensor([angle, speed], dtype=torch.float64)
    if torch.allclose(value, right, rtol=1e-2):  # two digits will do
        value = right
    compare(
        value,
        right,
        {text: torch.tensor(pair, dtype=torch.float64) for text, pair in mistakes.items()},
    )
    return "κ is a clock: it changes when the point is where, and never where it passes."


@exercise("beyond-b")
def conditional_velocity(answer: Callable[..., Tensor]) -> str:
    r"""$\log_x(x_1)/(1 - t)$ for unit vectors."""
    torch.manual_seed(0)
    x0, x1 = torch.randn(2, 6, 3, dtype=torch.float64)
    x0, x1 = (x / x.norm(dim=-1, keepdim=True) for x in (x0, x1))
    t = torch.linspace(0.1, 0.9, 6, dtype=torch.float64)
    x, right = geodesic_interpolant(x0, x1, t)
    rest = (1 - t)[:, None]
    log, chord = sphere_log(x, x1), x1 - x
    projected = chord - (chord * x).sum(-1, keepdim=True) * x
    compare(
        attempt(answer, x, x1, t),
        right,
        {
            "That is log_x(x1): right in direction, but it gets there at time t + 1. There is "
            "only 1 - t left.": log,
            "That is the chord over the time left. It points into the sphere.": chord / rest,
            "You projected the chord: tangent and in the right direction, but as long as the sine "
            "of the angle. Rescale it to the angle.": projected / rest,
            "You projected the chord: tangent, but as long as the sine of the angle, and the time "
            "that is left is missing.": projected,
            "That is the chord. It points into the sphere, and the time that is left is missing.": (
                chord
            ),
            "The direction has length 1 before you divide: give it the angle to x1.": log
            / log.norm(dim=-1, keepdim=True)
            / rest,
            "That is minus the log at x1: as long as it should be, but tangent at x1 and not at "
            "x.": -sphere_log(x1, x) / rest,
            "That is the log at x1, a vector tangent at the wrong place.": sphere_log(x1, x) / rest,
            "The sign is wrong: this runs away from x1.": -right,
            "You divided by the time that has passed; divide by what is left.": log / t[:, None],
            "You multiplied by 1 - t.": log * rest,
            "The direction has length 1; give it the angle to x1 over the time left.": log
            / log.norm(dim=-1, keepdim=True),
        },
    )
    return "It is tangent, and its length is the distance of the ends at all times."


@exercise("beyond-c")
def metric_in_new_codes(answer: Callable[..., Tensor]) -> str:
    r"""$G' = J_h^{-\top} G J_h^{-1}$, for a batch."""
    torch.manual_seed(0)
    root = torch.randn(5, 2, 2, dtype=torch.float64)
    G = root @ root.mT + torch.eye(2, dtype=torch.float64)
    J = torch.randn(5, 2, 2, dtype=torch.float64) + 2 * torch.eye(2, dtype=torch.float64)
    inverse = torch.linalg.inv(J)
    compare(
        attempt(answer, G, J),
        inverse.mT @ G @ inverse,
        {
            "That is Jᵀ G J, the pull-back of G by h. But h leads from the old codes to the new "
            "ones, and G lives on the old: pull it back by the inverse of h.": J.mT @ G @ J,
            "That is J⁻¹ G J⁻ᵀ: the transpose belongs to the left factor. Check it on a velocity, "
            "w' = J w.": inverse @ G @ inverse.mT,
            "That is J G Jᵀ, which is how the inverse of G changes.": J @ G @ J.mT,
            "That is J G J⁻¹, how the matrix of a linear map changes. A metric eats two vectors.": J
            @ G
            @ inverse,
            "That is J⁻¹ G J, how the matrix of a linear map changes. A metric eats two "
            "vectors.": inverse @ G @ J,
            "You left G as it is: then the lengths of all curves change.": G,
            "Your answer is not symmetric: J stands on one side only.": G @ inverse,
            "Your answer is not symmetric: J stands on the left side only.": inverse.mT @ G,
        },
    )
    return "Then w'ᵀ G' w' = wᵀ G w for w' = J w: every length, angle and volume stays."


@exercise("beyond-d")
def two_modes(answer: Callable[[Tensor], Tensor]) -> str:
    r"""A continuous $h : \mathbb{R} \to \mathbb{R}$ with little mass in the gap and no cliff."""
    z = torch.linspace(-4, 4, 80_001, dtype=torch.float64)
    x = attempt(answer, z).double()
    if x.shape != z.shape:
        raise Mistake(f"Map a tensor of shape {tuple(z.shape)} to one of the same shape.")
    if not torch.isfinite(x).all():
        raise Mistake("Your values are not all finite numbers.")
    weight = Normal(0.0, 1.0).log_prob(z).exp()
    weight = weight / weight.sum()
    sides = [(weight * (x < -GAP)).sum().item(), (weight * (x > GAP)).sum().item()]
    bridge = 1 - sum(sides)
    if min(sides) < 0.4:
        raise Mistake(
            f"The sides x < -{GAP} and x > {GAP} hold {sides[0]:.2f} and {sides[1]:.2f} of the "
            "mass; each should hold 0.4 at least."
        )
    if _turns_or_rests(x):
        raise Mistake("Your map is not strictly monotone, so it is not invertible: no flow.")
    slope = (x.diff() / z.diff()).abs().max().item()
    if slope > 1000:
        raise Mistake(
            "Your map jumps: a step of 0.0001 in z moves x by more than 0.1. A flow is continuous."
        )
    if bridge > MOST:
        raise Mistake(f"The bridge holds {bridge:.3f} of the mass, more than {MOST}.")
    low, high = Normal(0.0, 1.0).icdf(torch.tensor([sides[0], 1 - sides[1]])).tolist()
    needed = 2 * GAP / (high - low)  # isoperimetry: the preimages of the sides are 2 GAP / L apart
    if slope > 1.2 * needed:
        raise Mistake(
            f"The largest slope is {slope:.2f}, but for a bridge of {bridge:.3f} the bound asks "
            f"for {needed:.2f} only. Where is your map steeper than it must be?"
        )
    return (
        f"A bridge of {bridge:.3f} with the slope {slope:.2f}; no map does it below {needed:.2f}."
    )


def _turns_or_rests(x: Tensor) -> bool:
    """Whether values in order go up and down, or stand still on a stretch.

    A smooth map such as tanh fades into equal numbers far out, in ever smaller steps: that is
    rounding. A plateau begins after a step of full size.
    """
    step = x.diff()
    turns = (step > ROUNDING).any() and (step < -ROUNDING).any()
    rests = step.abs() <= ROUNDING
    begins = (rests[1:] != rests[:-1]).nonzero()[:, 0]
    before = torch.maximum(step[begins].abs(), step[begins + 1].abs())
    return bool(turns or rests.all() or (before > 1e-6).any())
