"""Each check of the chapter on flows, identifiability and topology: right answers, mistakes."""

from math import atan2, pi

import pytest
import torch
from torch.distributions import Normal
from verdicts import said

from geomlib.models import sphere_log


@pytest.mark.parametrize("letter", "abcd")
def test_an_untouched_stub_is_not_attempted(capsys, letter):
    assert "not attempted yet" in said(capsys, f"beyond-{letter}", ...)


@pytest.mark.parametrize("letter", "bcd")
def test_an_empty_function_is_not_attempted(capsys, letter):
    assert "not attempted yet" in said(capsys, f"beyond-{letter}", lambda *arguments: ...)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((pi / 8, pi / 2), "right"),
        (torch.tensor([pi / 8, pi / 2]), "right"),
        ((0.39, 1.57), "a: right"),
        ((3 * pi / 8, pi / 2), "left to x1"),
        ((pi / 4, pi / 2), "late at first"),
        ((pi / 8, pi / 4), "κ' = -2t"),
        ((pi / 8, -pi / 2), "not negative"),
        ((pi / 8, 1), "not |κ'| alone"),
        ((pi / 8, 3 * pi / 8), "instead of the whole"),
        ((22.5, 90), "degrees"),
        ((pi / 2, pi / 8), "other way round"),
        ((atan2(0.25, 0.75), pi / 2), "followed the chord"),
        ((7, 7), "largest error"),
        (1.0, "Give two numbers"),
        ("quarter", "Give two numbers"),
    ],
)
def test_schedule(capsys, answer, verdict):
    assert verdict in said(capsys, "beyond-a", answer)


def tangent(x, w):
    return w - (w * x).sum(-1, keepdim=True) * x


def by_angle(x, x1, t):
    w = tangent(x, x1)
    angle = torch.arccos((x * x1).sum(-1))
    return (angle / (1 - t) / w.norm(dim=-1))[:, None] * w


VELOCITIES = {
    "right": by_angle,
    "right.": lambda x, x1, t: sphere_log(x, x1) / (1 - t)[:, None],
    "only 1 - t left": lambda x, x1, t: sphere_log(x, x1),
    "points into the sphere": lambda x, x1, t: (x1 - x) / (1 - t)[:, None],
    "projected the chord": lambda x, x1, t: tangent(x, x1 - x) / (1 - t)[:, None],
    "tangent at the wrong place": lambda x, x1, t: sphere_log(x1, x) / (1 - t)[:, None],
    "runs away": lambda x, x1, t: -by_angle(x, x1, t),
    "time that has passed": lambda x, x1, t: sphere_log(x, x1) / t[:, None],
    "multiplied by 1 - t": lambda x, x1, t: sphere_log(x, x1) * (1 - t)[:, None],
    "has length 1": lambda x, x1, t: sphere_log(x, x1) / sphere_log(x, x1).norm(dim=-1)[:, None],
    "as the sine of the angle, and the time": lambda x, x1, t: tangent(x, x1 - x),
    "That is the chord.": lambda x, x1, t: x1 - x,
    "length 1 before you divide": lambda x, x1, t: (
        sphere_log(x, x1) / sphere_log(x, x1).norm(dim=-1)[:, None] / (1 - t)[:, None]
    ),
    "minus the log at x1": lambda x, x1, t: -sphere_log(x1, x) / (1 - t)[:, None],
    "constant factor of 2": lambda x, x1, t: 2 * by_angle(x, x1, t),
    "shape should be": lambda x, x1, t: by_angle(x, x1, t)[0],
    "torch tensor": lambda x, x1, t: 1.0,
    "raised RuntimeError": lambda x, x1, t: by_angle(x, x1, t) / (1 - t),
}


@pytest.mark.parametrize("verdict", VELOCITIES)
def test_conditional_velocity(capsys, verdict):
    assert verdict in said(capsys, "beyond-b", VELOCITIES[verdict])


inv = torch.linalg.inv
METRICS = {
    "right": lambda G, J: inv(J).mT @ G @ inv(J),
    "right.": lambda G, J: inv(J @ inv(G) @ J.mT),
    "pull-back of G by h": lambda G, J: J.mT @ G @ J,
    "belongs to the left factor": lambda G, J: inv(J) @ G @ inv(J).mT,
    "how the inverse of G changes": lambda G, J: J @ G @ J.mT,
    "J G J⁻¹": lambda G, J: J @ G @ inv(J),
    "J⁻¹ G J,": lambda G, J: inv(J) @ G @ J,
    "left G as it is": lambda G, J: G,
    "one side only": lambda G, J: G @ inv(J),
    "left side only": lambda G, J: inv(J).mT @ G,
    "shape should be": lambda G, J: (inv(J).mT @ G @ inv(J))[0],
    "constant factor of 3": lambda G, J: 3 * inv(J).mT @ G @ inv(J),
}


@pytest.mark.parametrize("verdict", METRICS)
def test_metric_in_new_codes(capsys, verdict):
    assert verdict in said(capsys, "beyond-c", METRICS[verdict])


def exact(z):
    """The monotone map to half N(-1, 0.3) + half N(1, 0.3), by bisection."""
    low, high = torch.full_like(z, -9), torch.full_like(z, 9)
    for _ in range(60):
        middle = (low + high) / 2
        mixed = (Normal(-1.0, 0.3).cdf(middle) + Normal(1.0, 0.3).cdf(middle)) / 2
        below = mixed < Normal(0.0, 1.0).cdf(z)
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


MAPS = {
    "right": lambda z: (4 * z).clamp(-1, 1) + 0.1 * z,
    "right. ": lambda z: (20 * z).clamp(-1, 1) + 0.1 * z,
    "right. A bridge": lambda z: -(4 * z).clamp(-1, 1) - 0.1 * z,
    # these fade into numbers that are equal after rounding
    "d: right.": lambda z: torch.tanh(4.5 * z),
    "d: right. A": lambda z: torch.erf(3.9 * z),
    "d: right. A bridge": lambda z: torch.tanh(4.5 * z.float()),
    "so it is not invertible": lambda z: (4 * z).clamp(-1, 1),
    "hold 0.00 and 1.00": torch.ones_like,
    "steeper than it must be": lambda z: (4 * z).clamp(-1, 1) + 0.1 * z + 9 * (z - 1).relu(),
    "the bound asks": exact,
    "each should hold 0.4": lambda z: z,
    "jumps": lambda z: z.sign() + 0.1 * z,
    "not strictly monotone": lambda z: z.sign() * (1 + 0.1 * z.abs()).reciprocal(),
    "more than 0.1": lambda z: (3 * z).clamp(-1, 1) + 0.1 * z,
    "of the same shape": lambda z: torch.stack([z, z], dim=-1),
    "not all finite": lambda z: z.log(),
}


@pytest.mark.parametrize("verdict", MAPS)
def test_two_modes(capsys, verdict):
    assert verdict in said(capsys, "beyond-d", MAPS[verdict])
