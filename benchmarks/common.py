"""What the benchmarks share: the decoder, fair timing, fresh processes, peers, and Markdown.

A benchmark prints Markdown, which `page.py` gathers; what it says on the way goes to stderr.
"""

import argparse
import inspect
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

HERE = Path(__file__).parent
PEERS_PYTHON = HERE / ".venv" / "bin" / "python"
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}

torch.set_num_threads(1)
warnings.filterwarnings("ignore", category=DeprecationWarning)

Times = dict[str, list[float]]


def decoder(
    dtype: torch.dtype = torch.float64, first_layer: float = 1.0, latent: int = 2, width: int = 256
) -> nn.Sequential:
    """The decoder of all measurements: 2-64-256-784, tanh, fixed seed."""
    torch.manual_seed(0)
    layers = [nn.Linear(latent, 64), nn.Tanh(), nn.Linear(64, width), nn.Tanh()]
    network = nn.Sequential(*layers, nn.Linear(width, 784)).to(dtype).requires_grad_(False)
    network[0].weight *= first_layer
    return network


def normal(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def ratio(times: list[float], reference: list[float]) -> float:
    """Median over the rounds of one competitor's time over the other's in the same round."""
    return median(a / b for a, b in zip(times, reference, strict=False))


def pace(
    times: list[float], count: int, reference: list[float], reference_count: int
) -> tuple[str, str]:
    """Two cells: milliseconds for one of `count` items, and the ratio to one of the reference's."""
    share = reference_count / count
    return digits(1e3 * median(times) / count), digits(share * ratio(times, reference))


def digits(x: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{float(f'{x:.3g}'):,.10g}"


def spread(error: Tensor) -> tuple[str, str]:
    """Two cells: the median error and the largest."""
    return f"{error.median():.0e}", f"{error.max():.0e}"


def fresh(function: Callable, *arguments: object) -> list[float]:
    """The numbers that `function` prints last in a process of its own, on one thread."""
    module = Path(inspect.getfile(function)).stem
    code = f"import {module}; {module}.{function.__name__}(*{arguments!r})"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=HERE,
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise RuntimeError(f"{module}.{function.__name__} failed\n{run.stderr[-800:]}")
    return [float(word) for word in run.stdout.splitlines()[-1].split()]


def peak_megabytes() -> float:
    """The most memory that this process has used."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):  # ru_maxrss would start at the parent's peak
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )


class Peer:
    """A peer in its own environment and process; arrays travel as .npz files. See `peer.py`."""

    def __init__(self, name: str, network: nn.Sequential):
        if not PEERS_PYTHON.exists():
            raise SystemExit(
                "The peers are not installed. `make bench` does it, or by hand:\n"
                "  python3 -m venv benchmarks/.venv\n"
                "  benchmarks/.venv/bin/pip install -r benchmarks/requirements.txt"
            )
        self.folder = tempfile.TemporaryDirectory()
        weights = {key: value.numpy() for key, value in network.state_dict().items()}
        np.savez(Path(self.folder.name) / "weights.npz", **weights)
        self.process = subprocess.Popen(
            [PEERS_PYTHON, HERE / "peer.py", name, self.folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | ONE_THREAD,
            text=True,
        )
        self.number = count()

    def __call__(self, task: str, **arrays: Tensor) -> tuple[float, Tensor]:
        """The seconds that `task` took there, and its result."""
        path = Path(self.folder.name) / f"{next(self.number)}.npz"
        np.savez(path, **{name: array.numpy() for name, array in arrays.items()})
        print(task, path, file=self.process.stdin, flush=True)
        if not self.process.stdout.readline():
            raise RuntimeError("the peer's process ended; see its error above")
        with np.load(path) as answer:
            return float(answer["time"]), torch.as_tensor(answer["result"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.folder.cleanup()


class Contest:
    """Competitors that answer one question; `answers` keeps the last answer of each.

    Times are seconds of the processor: on a shared machine the clock also counts others' work.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Tensor] = {}
        self.measures: dict[str, Callable[[], float]] = {}
        self.slow: set[str] = set()

    def enter(
        self, name: str, function: Callable[[], Tensor], repeats: int = 1, once: bool = False
    ) -> None:
        """A function; `repeats` is for what is too short to time alone."""

        def measure() -> float:
            start = time.process_time()
            for _ in range(repeats):
                self.answers[name] = function()
            return (time.process_time() - start) / repeats

        self._add(name, measure, once)

    def invite(
        self, name: str, peer: Peer, task: str, once: bool = False, **arrays: Tensor
    ) -> None:
        """A task of a peer, which takes its own time."""

        def measure() -> float:
            seconds, self.answers[name] = peer(task, **arrays)
            return seconds

        self._add(name, measure, once)

    def _add(self, name: str, measure: Callable[[], float], once: bool) -> None:
        self.measures[name] = measure
        if once:  # slow: it takes part in the first round alone
            self.slow.add(name)

    def run(self, rounds: int) -> Times:
        """Each in turn, round after round, so that all meet the same noise."""
        for name, measure in self.measures.items():
            if name not in self.slow:
                measure()  # warm up
        times: Times = {name: [] for name in self.measures}
        for turn in range(rounds):
            for name, measure in self.measures.items():
                if turn == 0 or name not in self.slow:
                    times[name].append(measure())
        return times


def begin(doc: str, rounds: int) -> int:
    """Print the question and what to know about it; return how many rounds to run."""
    question, about = doc.strip().split("\n\n", 1)
    print(f"## {question}\n\n{about}")
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--rounds", type=int, default=rounds)
    return parser.parse_known_args()[0].rounds


def table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    print(f"\n{title}\n")
    for row in (header, rule, *rows):
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("| " + " | ".join(cells) + " |")
    print(flush=True)


def promise(text: str, holds: bool) -> None:
    print(f"- {'holds' if holds else '**broken**'}: {text}", flush=True)


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
