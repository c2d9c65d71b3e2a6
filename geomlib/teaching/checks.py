"""Exercise checks that say what is wrong, not only that something is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

__all__ = ["Mistake", "NotAttempted", "attempt", "check", "compare", "exercise", "numbers"]

CHAPTERS = (
    "start_here",
    "three_kinds_of_models",
    "charts",
    "germs",
    "tangent_maps",
    "pullback_metrics",
    "geodesics",
    "vae_geodesics",
    "vae_statistics",
    "information_geometry",
    "atlas_models",
    "atlas_comparison",
    "beyond",
    "your_own_decoder",
    "diffusion_tangent_chains",
)
_exercises: dict[str, Callable[..., str]] = {}


class Mistake(Exception):
    """A recognised mistake; its text tells the learner which one, and what to think about."""


class NotAttempted(Exception):
    """The stub is still as it was handed out."""


def check(name: str, answer: Any, **context: Any) -> None:
    r"""Check the answer to an exercise, and print what it finds.

    The verdict is *not attempted yet*, *right*, or which mistake was made. Under nbgrader (the
    environment variable `NBGRADER_EXECUTION` is set) anything but *right* raises, so the cell
    earns no points; everywhere else a notebook runs on.

    Args:
        name: of the exercise, as printed above it, e.g. `"vae-geodesics-b"`.
        answer: the learner's value or function.
        context: what else the exercise hands over, such as a metric.

    Raises:
        ValueError: if there is no exercise of that name.
        AssertionError: under nbgrader, if the answer is not right.

    >>> check("vae-geodesics-a", ...)
    vae-geodesics-a: not attempted yet.
    """
    for chapter in CHAPTERS:
        import_module(f"geomlib.teaching.exercises.{chapter}")
    if name not in _exercises:
        raise ValueError(
            f"there is no exercise {name!r}; there are {', '.join(sorted(_exercises))}"
        )
    right = False
    try:
        if answer is None or answer is ...:
            raise NotAttempted
        # nbgrader gives no points to a check that writes to stderr, be it only a warning.
        with redirect_stderr(sys.stdout):
            verdict = f"right. {_exercises[name](answer, **context)}"
        right = True
    except NotAttempted:
        verdict = "not attempted yet."
    except Mistake as mistake:
        verdict = f"not yet. {mistake}"
    print(f"{name}: {verdict}")
    if not right and os.environ.get("NBGRADER_EXECUTION"):
        raise AssertionError(f"{name}: {verdict}")


def exercise(name: str) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Register a function that takes an answer, returns a closing remark or raises `Mistake`."""

    def register(function: Callable[..., str]) -> Callable[..., str]:
        known = _exercises.get(name)
        if known is not None and known.__qualname__ != function.__qualname__:
            raise ValueError(f"two exercises are named {name!r}")
        _exercises[name] = function
        return function

    return register


def attempt(function: Callable[..., Any], *arguments: Any) -> Tensor:
    """Call the learner's function; its failures become mistakes that can be read."""
    if not callable(function):
        raise Mistake(f"Hand over the function itself, not {type(function).__name__}.")
    try:
        result = function(*arguments)
    except Exception as error:
        given = ", ".join(_describe(argument) for argument in arguments)
        raise Mistake(
            f"Your function raised {type(error).__name__} for ({given}): {error}"
        ) from error
    if result is None or result is ...:
        raise NotAttempted
    if not isinstance(result, Tensor):
        raise Mistake(f"Return a torch tensor; yours is of type {type(result).__name__}.")
    return result.detach()


def numbers(answer: Any, count: int, wanted: str) -> Tensor:
    """The numbers of a pencil exercise, `(count,)`; if they are none, the mistake is `wanted`."""
    if isinstance(answer, list | tuple) and any(part is ... for part in answer):
        raise NotAttempted
    try:
        value = torch.as_tensor(answer, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise Mistake(wanted) from None
    if value.shape != (count,):
        raise Mistake(wanted)
    return value


def compare(answer: Tensor, right: Tensor, mistakes: Mapping[str, Tensor]) -> None:
    """Raise the `Mistake` whose value `answer` has, or a general one, unless it is `right`.

    Args:
        mistakes: what to say about an answer, and the value that such an answer has.
    """
    if _same(answer, right):
        return
    for text, value in mistakes.items():
        if _same(answer, value):
            raise Mistake(text)
    if answer.shape != right.shape:
        raise Mistake(
            f"The shape should be {tuple(right.shape)}, but yours is {tuple(answer.shape)}."
        )
    if not torch.isfinite(answer).all():
        raise Mistake("Your values are not all finite numbers.")
    if answer.numel() > 1 and not answer.any():
        raise Mistake("Your values are all zero.")
    ratio = (answer / right).flatten()
    if len(ratio) > 1 and torch.allclose(ratio, ratio[:1].expand_as(ratio), rtol=1e-3):
        raise Mistake(f"You are off by a constant factor of {ratio[0]:.4g}.")
    worst = (answer - right).abs().max()
    said = "The largest error is" if answer.numel() > 1 else "You are off by"
    raise Mistake(f"{said} {worst:.3g}; compare with the definition, step by step.")


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(
        one.double(), other.double(), rtol=1e-3, atol=1e-6
    )


def _describe(argument: Any) -> str:
    if isinstance(argument, Tensor):
        return f"a tensor of shape {tuple(argument.shape)}"
    return getattr(argument, "__name__", type(argument).__name__)
