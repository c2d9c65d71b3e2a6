"""Adam with a learning rate that falls to zero: smooth networks have smooth Jacobians."""

from collections.abc import Callable
from math import ceil
from typing import Any

import torch

__all__ = ["annealed_adam"]


def annealed_adam(
    count: int, epochs: int = 20, batch_size: int = 128, **_: Any
) -> Callable[..., torch.optim.Optimizer]:
    r"""Adam whose learning rate follows half a cosine, $\tfrac12(1 + \cos(\pi\,\text{step}/
    \text{total}))$, to be given to `fit` as `optimiser`.

    A denoiser is judged by its Jacobian, which a constant learning rate leaves noisy.

    Args:
        count: how many data there are.
        epochs: as given to `fit`.
        batch_size: as given to `fit`.

    Source: Loshchilov and Hutter, *SGDR* (ICLR 2017), equation (5), without restarts.

    >>> w = torch.nn.Parameter(torch.ones(1))
    >>> adam = annealed_adam(count=4, epochs=2, batch_size=2)([w], lr=1.0)
    >>> for _ in range(4):
    ...     w.sum().backward()
    ...     adam.step()
    >>> round(adam.param_groups[0]["lr"], 6)
    0.0
    """
    total = max(1, epochs * ceil(count / max(1, batch_size)))

    def build(parameters, lr: float) -> torch.optim.Optimizer:
        adam = torch.optim.Adam(parameters, lr=lr, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, total)
        adam.register_step_post_hook(lambda *_: schedule.step())
        return adam

    return build
