"""Digits of which few are labelled, for the models that learn from a few labels."""

import torch

from geomlib.data import load_small_digits


def split(seed, each):
    """1200 digits, `each` labels of every class known, and the rest to test on."""
    x, labels = load_small_digits()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    x, labels = x[order], labels[order]
    known = torch.full((1200,), -1)
    for y in range(10):
        known[(labels[:1200] == y).nonzero()[:each, 0]] = y
    return x[:1200], known, x[1200:], labels[1200:]
