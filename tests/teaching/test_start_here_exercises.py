"""The check of *Start here*: the right decoder, and wrong ones by name."""

import pytest
import torch

from geomlib.teaching import check


def decoder(u):
    return torch.stack([2 * u, u**2 - 1], dim=-1) / (u**2 + 1).unsqueeze(-1)


DECODERS = {
    "right. A decoder is the inverse of a chart": decoder,
    "from the south pole": lambda u: decoder(u) * torch.tensor([1.0, -1.0]),
    "in the order (y, x)": lambda u: decoder(u).flip(-1),
    "sign of x": lambda u: decoder(u) * torch.tensor([-1.0, 1.0]),
    "divide by u^2 + 1": lambda u: torch.stack([2 * u, u**2 - 1], dim=-1),
    "not on the circle": lambda u: torch.stack([u, u], dim=-1),
    "largest error": lambda u: torch.stack([torch.cos(u), torch.sin(u)], dim=-1),
    "along the last dimension": lambda u: decoder(u).T,
    "shape": lambda u: u,
    "raised TypeError": lambda u: torch.stack(u),
    "torch tensor": lambda u: u.tolist(),
    "not attempted yet": lambda u: ...,
}


@pytest.mark.parametrize("verdict", DECODERS)
def test_circle_decoder(capsys, verdict):
    check("start-a", DECODERS[verdict])
    assert verdict in capsys.readouterr().out


def test_the_function_itself_is_wanted(capsys):
    check("start-a", decoder(torch.ones(3)))
    assert "function itself" in capsys.readouterr().out
