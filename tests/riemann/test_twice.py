"""A map is called with right and quick second derivatives, and its values stay what they were."""

import sys

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from geomlib.riemann.twice import call

NUMBERS = {
    "x + 2": lambda x: x + 2,
    "2 + x": lambda x: 2 + x,
    "x - 2": lambda x: x - 2,
    "2 - x": lambda x: 2 - x,
    "x * 2": lambda x: x * 2,
    "2 * x": lambda x: 2 * x,
    "x / 2": lambda x: x / 2,
    "2 / x": lambda x: 2 / x,
    "x * True": lambda x: x * True,
    "NumPy": lambda x: np.float64(2) * x / np.float64(3),
    "alpha": lambda x: torch.add(x, 2, alpha=3) - torch.sub(x, 1, alpha=0.5),
    "keywords": lambda x: torch.mul(input=x, other=2) + x.div(2, rounding_mode=None),
    "tensors": lambda x: x * x + x / x.exp() - x,
    "whole numbers": lambda x: x * torch.arange(1, 4).div(2) * (torch.arange(3) * 2),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", NUMBERS)
def test_sums_and_products_with_a_number(name, dtype):
    f = NUMBERS[name]
    x, ones = torch.tensor([[0.5, 1.0, 3.0]], dtype=dtype), torch.ones(1, 3, dtype=dtype)

    def twice(g):
        def slope(at):
            return torch.func.jvp(g, (at,), (ones,))

        return torch.func.jvp(slope, (x,), (ones,))

    assert_close(twice(lambda z: call(f, z)), twice(f))
    assert_close(twice(lambda z: call(f, z))[0][0], f(x))


@pytest.mark.parametrize("name", ["x + 2", "x - 2", "2 * x", "x / 2", "2 / x"])
def test_no_shape_of_a_missing_tangent_is_worked_out_in_python(name):
    """That is what makes PyTorch slow there: its reference operations are written in Python."""
    x, ones = torch.tensor([0.5, 1.0]), torch.ones(2)
    entered = []

    def watch(frame, event, _):
        if event == "call" and "_prims_common" in frame.f_code.co_filename:
            entered.append(frame.f_code.co_name)

    sys.setprofile(watch)
    try:
        torch.func.jvp(lambda z: call(NUMBERS[name], z), (x,), (ones,))
    finally:
        sys.setprofile(None)
    assert not entered
