"""The one training loop that every model of the course shares."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

__all__ = ["Player", "fit", "play", "seeded"]


def fit(
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
    loss: Callable[[Tensor], Tensor],
    data: Tensor,
    *,
    optimiser: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    **options: Any,
) -> list[float]:
    r"""Minimise the mean of `loss(batch)` over shuffled mini-batches of `data`.

    Args:
        parameters: what to train, or groups of it with learning rates of their own as torch's
            optimisers take them; everything else stays as it is.
        loss: maps a batch of rows of `data` to a scalar. If it needs more than one tensor, let
            `data` be the row numbers `torch.arange(count)` and pick the rows in `loss`.
        data: `(count, ...)`.
        optimiser: called as `optimiser(parameters, lr=learning_rate)`.
        options: epochs, batch_size, learning_rate, seed, description and progress, as in `play`.

    Returns:
        The mean loss of every epoch.

    Raises:
        ValueError: if there is no data.
        RuntimeError: as soon as the loss is not finite, with what to try.

    >>> w = nn.Parameter(torch.zeros(()))
    >>> losses = fit([w], lambda x: ((x - w) ** 2).mean(), torch.ones(64), progress=False,
    ...              epochs=200, batch_size=64, learning_rate=0.1)
    >>> round(w.item(), 2)
    1.0
    """
    return play({"loss": Player(parameters, loss, optimiser)}, data, **options)["loss"]


@dataclass(frozen=True)
class Player:
    """Some parameters and the loss that they, and they alone, lower.

    Attributes:
        parameters: what this player may change.
        loss: maps a batch to a scalar.
        optimiser: called as `optimiser(parameters, lr=learning_rate)`.
        steps: how many steps it takes on each batch, before the next player's turn.
    """

    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]]
    loss: Callable[[Tensor], Tensor]
    optimiser: Callable[..., torch.optim.Optimizer] = torch.optim.Adam
    steps: int = 1


def play(
    players: Mapping[str, Player],
    data: Tensor,
    *,
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    seed: int = 0,
    description: str = "training",
    progress: bool = True,
) -> dict[str, list[float]]:
    r"""Players take turns on shuffled mini-batches of `data`, each lowers its own loss.

    Training a network is a game with one player (`fit`); a generative adversarial network is one
    with two, and what they seek is an equilibrium, not a minimum.

    Args:
        players: by name, in the order of their turns.
        data: `(count, ...)`.
        epochs: how often the players see all the data.
        batch_size: rows in a batch; the last one of an epoch may be smaller.
        learning_rate: of every player.
        seed: of the shuffling and of all that the losses draw; the global random state of the
            caller is put back afterwards.
        description: stands beside the progress bar.
        progress: show a progress bar.

    Returns:
        For every player, the mean loss of every epoch.

    Raises:
        ValueError: if there is no data.
        RuntimeError: as soon as a loss is not finite, with what to try.

    Two players who share the plane: one pulls $x$ to $y$, the other pulls $y$ to 1.

    >>> x, y = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
    >>> players = {"x": Player([x], lambda _: (x - y) ** 2), "y": Player([y], lambda _: (y - 1)**2)}
    >>> losses = play(players, torch.zeros(1), epochs=300, learning_rate=0.1, progress=False)
    >>> round(x.item(), 2), sorted(losses)
    (1.0, ['x', 'y'])
    """
    if len(data) == 0:
        raise ValueError("there is nothing to fit: data has no rows")
    if epochs < 0 or batch_size < 1:
        raise ValueError(
            f"epochs must be at least 0 and batch_size at least 1, but epochs={epochs} and "
            f"batch_size={batch_size}"
        )
    optimisers = {
        name: player.optimiser(list(player.parameters), lr=learning_rate)
        for name, player in players.items()
    }

    def step(name: str, batch: Tensor) -> float:
        def closure() -> Any:
            value = players[name].loss(batch)
            if not torch.isfinite(value):
                what = "loss" if name == "loss" else f"loss of the {name}"
                raise RuntimeError(
                    f"the {what} became {value.item()} in epoch {len(history[name]) + 1}: try a "
                    f"smaller learning rate than {learning_rate}, or look for NaN in the data"
                )
            optimisers[name].zero_grad()
            value.backward()
            return value

        for _ in range(players[name].steps):
            value: Any = optimisers[name].step(closure)
        return value.item()

    history: dict[str, list[float]] = {name: [] for name in players}
    with seeded(seed):
        bar = tqdm(range(epochs), desc=description, disable=not progress, leave=False)
        for _ in bar:
            total = dict.fromkeys(players, 0.0)
            for batch in data[torch.randperm(len(data))].split(batch_size):
                for name in players:
                    total[name] += step(name, batch) * len(batch)
            for name in players:
                history[name].append(total[name] / len(data))
            bar.set_postfix({k: f"{v[-1]:.4g}" for k, v in history.items()}, refresh=False)
    return history


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from the given seed, then put the global random state back as it was.

    >>> with seeded(0):
    ...     first = torch.rand(3)
    >>> with seeded(0):
    ...     again = torch.rand(3)
    >>> torch.equal(first, again)
    True
    """
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
