"""Runs in benchmarks/.venv: answers `task path` lines, with arrays in and out of `path`.

Usage: stochman_peer.py FOLDER, where FOLDER/weights.npz holds the decoder.
"""

import sys
import time
import warnings

import numpy as np
import torch
from stochman import nnj
from stochman.curves import CubicSpline
from stochman.manifold import EmbeddedManifold

torch.set_num_threads(1)
warnings.filterwarnings("ignore")


class Decoder(EmbeddedManifold):
    """The decoder rewritten in StochMan's layers, which carry Jacobians."""

    def __init__(self, weights):
        layers = [nnj.Linear(2, 64), nnj.Tanh(), nnj.Linear(64, 256), nnj.Tanh()]
        self.network = nnj.Sequential(*layers, nnj.Linear(256, 784))
        self.network.load_state_dict({name: torch.as_tensor(x) for name, x in weights.items()})
        self.network.to(torch.as_tensor(weights["0.weight"]).dtype).requires_grad_(False)

    def embed(self, points, jacobian=False):
        flat = points.reshape(-1, points.shape[-1])
        if jacobian:
            return self.network(flat, jacobian=True)
        return self.network(flat).reshape(*points.shape[:-1], -1)


def matrices(manifold, z):
    return manifold.metric(z)


def geodesics(manifold, a, b):
    """All pairs at once with StochMan's default spline, optimiser and stopping rule."""
    curve = CubicSpline(a, b)
    curve, _ = manifold.connecting_geodesic(a, b, curve)
    with torch.no_grad():
        return curve(torch.linspace(0, 1, 257, dtype=a.dtype))


def main(folder):
    with np.load(f"{folder}/weights.npz") as weights:
        manifold = Decoder(dict(weights))
    for line in sys.stdin:
        task, path = line.split()
        with np.load(path) as given:
            arguments = {name: torch.as_tensor(array) for name, array in given.items()}
        wall, cpu = time.perf_counter(), time.process_time()
        result = {"matrices": matrices, "geodesics": geodesics}[task](manifold, **arguments)
        seconds = [time.perf_counter() - wall, time.process_time() - cpu]
        np.savez(path, time=seconds, result=result.numpy())
        print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
