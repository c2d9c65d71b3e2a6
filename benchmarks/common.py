"""What the benchmarks share: the decoder, fair timing, the peer's process, and tables."""

import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

HERE = Path(__file__).parent
PEERS_PYTHON = HERE / ".venv" / "bin" / "python"

torch.set_num_threads(1)
warnings.filterwarnings("ignore", category=DeprecationWarning)


class Time(NamedTuple):
    """Seconds on the clock, and seconds of this process on the processor."""

    wall: float
    cpu: float


def decoder(dtype: torch.dtype = torch.float64, first_layer: float = 1.0) -> nn.Sequential:
    """The decoder of all measurements: 2-64-256-784, tanh, fixed seed."""
    torch.manual_seed(0)
    layers = [nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 784)]
    network = nn.Sequential(*layers).to(dtype).requires_grad_(False)
    network[0].weight *= first_layer
    return network


def weights(network: nn.Sequential) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in network.state_dict().items()}


def timed(function: Callable[[], object], repeats: int = 1) -> Callable[[], Time]:
    """Measures `function` when called; `repeats` is for what is too short to time alone."""

    def measure() -> Time:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            function()
        return Time((time.perf_counter() - wall) / repeats, (time.process_time() - cpu) / repeats)

    return measure


def interleave(
    competitors: dict[str, Callable[[], Time]], rounds: int, once: tuple[str, ...] = ()
) -> dict[str, list[Time]]:
    """Each competitor in turn, round after round, so that all meet the same noise.

    Those in `once` are slow, and take part in the first round alone.
    """
    for name, measure in competitors.items():
        if name not in once:
            measure()  # warm up
    times: dict[str, list[Time]] = {name: [] for name in competitors}
    for turn in range(rounds):
        for name, measure in competitors.items():
            if turn == 0 or name not in once:
                times[name].append(measure())
    return times


def ratio(times: list[Time], reference: list[Time], clock: str) -> float:
    """Median over the rounds of one competitor's time over the other's in the same round."""
    pairs = zip(times, reference, strict=False)
    return median(getattr(a, clock) / getattr(b, clock) for a, b in pairs)


class StochMan:
    """StochMan in its own environment and process; arrays travel as .npz files."""

    def __init__(self, network: nn.Sequential):
        if not PEERS_PYTHON.exists():
            raise SystemExit(
                "The peers are not installed. `make bench` does it, or by hand:\n"
                "  python3 -m venv benchmarks/.venv\n"
                "  benchmarks/.venv/bin/pip install -r benchmarks/requirements.txt"
            )
        self.folder = tempfile.TemporaryDirectory()
        np.savez(Path(self.folder.name) / "weights.npz", **weights(network))
        self.process = subprocess.Popen(
            [PEERS_PYTHON, HERE / "stochman_peer.py", self.folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.number = count()

    def __call__(self, task: str, **arrays: Tensor) -> tuple[Time, Tensor]:
        """The time that `task` took there, and its result."""
        path = Path(self.folder.name) / f"{next(self.number)}.npz"
        np.savez(path, **{name: array.numpy() for name, array in arrays.items()})
        print(task, path, file=self.process.stdin, flush=True)
        if not self.process.stdout.readline():
            raise RuntimeError("StochMan's process ended; see its error above")
        with np.load(path) as answer:
            return Time(*answer["time"].tolist()), torch.as_tensor(answer["result"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.folder.cleanup()


def table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    print(f"\n{title}\n")
    for row in (header, ["-" * width for width in widths], *rows):
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("| " + " | ".join(cells) + " |")
    print(flush=True)


def promise(text: str, holds: bool) -> None:
    print(f"{'holds' if holds else 'BROKEN'}: {text}", flush=True)


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
