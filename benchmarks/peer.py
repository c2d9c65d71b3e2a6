"""Runs in benchmarks/.venv: answers `task path` lines, with arrays in and out of `path`.

Usage: peer.py NAME FOLDER, where peer_NAME.py holds the tasks, each a method of its class `Peer`,
and FOLDER/weights.npz the decoder. The time is the task's own: neither start nor exchange counts.
"""

import sys
import time
import warnings
from importlib import import_module

import numpy as np
import torch

torch.set_num_threads(1)
warnings.filterwarnings("ignore")


def decoder(weights):
    """The decoder as it is, for peers that take any network."""
    nn = torch.nn
    layers = [nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 784)]
    return load(nn.Sequential(*layers), weights)


def load(network, weights):
    """A network with these weights, in their dtype, and nothing to train."""
    network.load_state_dict({name: torch.as_tensor(array) for name, array in weights.items()})
    return network.to(torch.as_tensor(weights["0.weight"]).dtype).requires_grad_(False)


def main(name, folder):
    with np.load(f"{folder}/weights.npz") as weights:
        peer = import_module(f"peer_{name}").Peer(dict(weights))
    for line in sys.stdin:
        task, path = line.split()
        with np.load(path) as given:
            arguments = {name: torch.as_tensor(array) for name, array in given.items()}
        start = time.process_time()
        result = getattr(peer, task)(**arguments)
        np.savez(path, time=time.process_time() - start, result=np.asarray(result))
        print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
