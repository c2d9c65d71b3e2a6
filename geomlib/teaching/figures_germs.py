"""Pictures of the chapter *Germs and the cotangent space*."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomlib.teaching.figures import COLOURS, MARKERS, plt

__all__ = ["coefficients", "flatness", "orders", "splittings", "two_steps"]

Function = Callable[[NDArray], NDArray]
STYLES = ["-", "--", "-.", ":"]


def two_steps(loss: Function, start: float, ends: Mapping[str, float]) -> None:
    """The graph of a loss, a starting point on it, and where one step ends in each chart."""
    _, ax = plt.subplots(figsize=(7, 3.4))
    sigma = np.linspace(0.4, 3.3, 300)
    ax.plot(sigma, loss(sigma), color="black", linewidth=1.5)
    ax.plot(start, loss(np.array(start)), "o", color="black", markersize=9, label="start")
    for i, (name, end) in enumerate(ends.items()):
        ax.plot(
            end, loss(np.array(end)), MARKERS[i + 1], color=COLOURS[i], markersize=9, label=name
        )
        lift = -0.25 - 0.15 * i
        ax.annotate(
            "",
            (end, loss(np.array(end))),
            (start, loss(np.array(start))),
            arrowprops={
                "arrowstyle": "-|>",
                "linewidth": 1.8,
                "mutation_scale": 15,
                "color": COLOURS[i],
                "linestyle": STYLES[i],
                "connectionstyle": f"arc3,rad={lift}",
                "shrinkA": 6,
                "shrinkB": 8,
            },
        )
    ax.set(xlabel=r"standard deviation $\sigma$", ylabel="loss", ylim=(0.3, 1.9))
    ax.legend(loc="upper right")


def splittings(f: Function, parts: Mapping[str, tuple[Function, Function]], x: NDArray) -> None:
    """Left the function with its linear part in each chart, right what each leaves over."""
    _, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True)
    axes[0].plot(x, f(x), color="black", linewidth=2, label="$f$")
    for i, (name, (linear, rest)) in enumerate(parts.items()):
        look: dict[str, Any] = {"color": COLOURS[i], "linestyle": STYLES[i + 1], "linewidth": 2}
        axes[0].plot(x, linear(x), label=f"linear in ${name}$", **look)
        axes[1].plot(x, rest(x), label=f"left over in ${name}$", **look)
    axes[0].set_ylabel("value")
    axes[1].set_ylabel("remainder")
    for ax in axes:
        ax.plot(0, 0, "o", color="black")
        ax.axhline(0, color="0.8", linewidth=1, zorder=0)
        ax.legend()
        ax.set_xlabel("$x$")


def flatness(f: Function, powers: Sequence[int], x: NDArray) -> None:
    """On logarithmic axes, a flat function below every power of x in the end."""
    _, ax = plt.subplots(figsize=(6.5, 3.6))
    for i, k in enumerate(powers):
        ax.loglog(x, x**k, color="0.6", linestyle=STYLES[i % 4], label=f"$x^{{{k}}}$")
    ax.loglog(x, f(x), color=COLOURS[0], linewidth=2.5, label=r"$e^{-1/x^2}$")
    ax.set_xticks([0.2, 0.5, 1], ["0.2", "0.5", "1"])
    ax.xaxis.minorticks_off()
    ax.set(xlabel="$x$", ylabel="value", ylim=(1e-30, 10))
    ax.legend(loc="lower right")


def coefficients(values: Mapping[str, NDArray]) -> None:
    """One number for each seed and chart, the charts told apart by colour and marker."""
    _, ax = plt.subplots(figsize=(6.8, 3.4))
    for i, (name, numbers) in enumerate(values.items()):
        look: dict[str, Any] = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 9}
        ax.plot(np.arange(len(numbers)), numbers, linestyle="none", label=name, **look)
    ax.axhline(0, color="0.8", linewidth=1, zorder=0)
    ax.set(xlabel="seed", ylabel=r"remainder / $\varepsilon^2$", xticks=range(len(numbers)))
    ax.legend()


def orders(x: NDArray, ratios: Mapping[str, NDArray]) -> None:
    """The ratio f / x² as x tends to 0: bounded in the square of the ideal, or not."""
    _, ax = plt.subplots(figsize=(6.5, 3.6))
    for i, (name, ratio) in enumerate(ratios.items()):
        ax.loglog(
            x, ratio, color=COLOURS[i], linestyle=STYLES[i % 4], linewidth=2, label=f"${name}$"
        )
    ax.set(xlabel="$x$", ylabel="$|f(x)| / x^2$")
    ax.legend()
