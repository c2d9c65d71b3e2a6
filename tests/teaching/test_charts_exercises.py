"""Each check of the chapter on charts: the right answer, and mistakes by name."""

import pytest
import torch
from verdicts import said

from geomlib.teaching import check


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (-1 / 25, "right"),
        (torch.tensor(-0.04), "right"),
        (1 / 25, "the sign is not"),
        (-1 / 5, "one direction"),
        (1 / 5, "without its sign"),
        (-25, "map back"),
        (2 / 25, "for a constant"),
        (1 / 4, "each coordinate"),
        (7.0, "off by"),
        ("minus", "one number"),
        (..., "not attempted"),
    ],
)
def test_orientation_of_a_transition(capsys, answer, verdict):
    assert verdict in said(capsys, "charts-a", answer)


def insert(a, i):
    return torch.cat([a[:, :i], torch.ones_like(a[:, :1]), a[:, i:]], dim=1)


def drop(line, j):
    return torch.cat([line[:, :j], line[:, j + 1 :]], dim=1)


def divided(line, j):
    return line / line[:, j : j + 1]


TRANSITIONS = {
    "right": lambda a, i, j: drop(divided(insert(a, i), j), j),
    "Nothing happened": lambda a, i, j: a,
    "left the 1 in": lambda a, i, j: divided(insert(a, i), j),
    "without dividing": lambda a, i, j: drop(insert(a, i), j),
    "dropped coordinate i": lambda a, i, j: drop(divided(insert(a, i), j), i),
    "at place 0": lambda a, i, j: drop(divided(insert(a, 0), j), j),
    "at the end": lambda a, i, j: drop(divided(insert(a, 2), j), j),
    "length 1": lambda a, i, j: drop(
        insert(a, i) / insert(a, i).norm(dim=1, keepdim=True), j
    ),
    "from chart j to chart i": lambda a, i, j: drop(divided(insert(a, j), i), i),
    "raised TypeError": lambda a: a,
    "not attempted": lambda a, i, j: ...,
}  # fmt: skip


@pytest.mark.parametrize("verdict", TRANSITIONS)
def test_projective_transition(capsys, verdict):
    assert verdict in said(capsys, "charts-b", TRANSITIONS[verdict])


def pair(first, second):
    return lambda x: torch.stack([first(x), second(x)], dim=1)


def radius(x):
    return x[:, [0, 2]].norm(dim=1)


def height(x):
    return x[:, 1]


ENCODERS = [
    (pair(radius, height), "right"),
    (pair(lambda x: radius(x) ** 2, lambda x: height(x) + radius(x)), "right"),
    (pair(lambda x: torch.atan2(x[:, 2], x[:, 0]), height), "jumps: near t = 3.00 π"),
    (pair(lambda x: torch.atan2(x[:, 2], x[:, 0]).sin(), height), "is singular"),
    (pair(lambda x: (radius(x) - 3 * torch.pi) ** 3, height), "is singular"),
    (
        pair(lambda x: radius(x) * height(x).cos(), lambda x: radius(x) * height(x).sin()),
        "share codes",
    ),
    (pair(radius, radius), "is singular"),
    (lambda x: x, "Three coordinates"),
    (radius, "One coordinate"),
    (lambda x: x[:5, :2], "shape should be"),
    (pair(lambda x: radius(x) * torch.nan, height), "not all finite"),
    (lambda x: ..., "not attempted"),
]


@pytest.mark.parametrize(("encode", "verdict"), ENCODERS)
def test_chart_of_the_swiss_roll(capsys, encode, verdict):
    assert verdict in said(capsys, "charts-c", encode)


def arc(sign, edge=0.5, far=0.0):
    """The stereographic chart of the circle that misses one pole, as a triple."""

    def encode(x):
        return (x[:, 0] / (1 - sign * x[:, 1]))[:, None]

    def decode(u):
        return torch.cat([2 * u, sign * (u**2 - 1)], dim=1) / (u**2 + 1) + far

    return (lambda x: sign * x[:, 1] < edge), encode, decode


def everywhere(x):
    return torch.ones(len(x), dtype=torch.bool)


NORTH, SOUTH = arc(1), arc(-1)
ATLASES = [
    ([NORTH, SOUTH], "right"),
    ([NORTH], "One chart is what the theorem rules out"),
    ([NORTH, (everywhere, *SOUTH[1:])], "claims the whole circle"),
    ([NORTH, (SOUTH[0], lambda x: x, lambda z: z)], "dimension one"),
    ([NORTH, arc(-1, far=0.5)], "Chart 2 is off by 0.71"),
    ([NORTH, arc(-1, edge=-0.9)], "No chart covers"),
    ([NORTH, (SOUTH[0], SOUTH[1], lambda u: u)], "D of chart 2 should return points"),
    ([NORTH, (SOUTH[0], SOUTH[1], lambda u: SOUTH[2](u) * torch.nan)], "no finite number"),
    ([NORTH, (SOUTH[0], *NORTH[1:])], "Chart 2 gives no finite number at angle 1.57"),
    ([arc(1, edge=0.0), (lambda x: x[:, 1] >= 0, *SOUTH[1:])], "only touch"),
    ([NORTH, (lambda x: x[:, 1], *SOUTH[1:])], "True or False"),
    ([NORTH, (lambda x: x[:, 1] > 2, *SOUTH[1:])], "no point in it"),
    ([NORTH, SOUTH[:2]], "three functions"),
    (3, "list of charts"),
    (..., "not attempted"),
]


@pytest.mark.parametrize(("atlas", "verdict"), ATLASES)
def test_two_charts_of_the_circle(capsys, atlas, verdict):
    assert verdict in said(capsys, "charts-d", atlas)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_networks_of_both_precisions_can_be_handed_over(capsys, dtype):
    class Encode(torch.nn.Linear):
        def forward(self, x):
            assert x.dtype == self.weight.dtype
            return self.chart[1](x)

    class Decode(Encode):
        def forward(self, u):
            assert u.dtype == self.weight.dtype
            return self.chart[2](u)

    charts = []
    for chart in (NORTH, SOUTH):
        encode, decode = Encode(2, 1, dtype=dtype), Decode(1, 2, dtype=dtype)
        encode.chart = decode.chart = chart
        charts.append((chart[0], encode, decode))
    assert "right" in said(capsys, "charts-d", charts)


def test_a_wrong_answer_raises_under_nbgrader(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    for name in ("charts-a", "charts-b", "charts-c", "charts-d"):
        with pytest.raises(AssertionError, match="not attempted"):
            check(name, ...)
