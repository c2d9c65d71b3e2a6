"""The one training loop that every model of the course shares."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from tqdm import tqdm

__all__ = ["fit"]


def fit(
    parameters: Iterable[nn.Parameter],
    loss: Callable[[Tensor], Tensor],
    data: Tensor,
    *,
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    seed: int = 0,
    description: str = "training",
    progress: bool = True,
) -> list[float]:
    r"""Minimise the mean of `loss(batch)` over shuffled mini-batches of `data` with Adam.

    Args:
        parameters: what to train; everything else stays as it is.
        loss: maps a batch of rows of `data` to a scalar.
        data: `(count, ...)`.
        seed: of the shuffling and of all that `loss` draws; the global random state of the
            caller is put back afterwards.
        progress: show a progress bar.

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
    if len(data) == 0:
        raise ValueError("there is nothing to fit: data has no rows")
    parameters = list(parameters)
    optimiser = torch.optim.Adam(parameters, lr=learning_rate)
    history = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        bar = tqdm(range(epochs), desc=description, disable=not progress, leave=False)
        for epoch in bar:
            total = 0.0
            for batch in data[torch.randperm(len(data))].split(batch_size):
                value = loss(batch)
                if not torch.isfinite(value):
                    raise RuntimeError(
                        f"the loss became {value.item()} in epoch {epoch + 1}: try a smaller "
                        f"learning rate than {learning_rate}, or look for NaN in the data"
                    )
                optimiser.zero_grad()
                value.backward()
                optimiser.step()
                total += value.item() * len(batch)
            history.append(total / len(data))
            bar.set_postfix(loss=f"{history[-1]:.4g}", refresh=False)
    return history
