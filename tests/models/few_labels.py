"""Digits of which few have a label, as one sees them who has little time to name any."""

import torch

from geomlib.data import load_small_digits


def split(seed: int, each: int):
    """1200 digits, the labels with `each` of each class known and -1 elsewhere; the rest, to
    test on, and its labels."""
    x, labels = load_small_digits()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    x, labels = x[order], labels[order]
    known = torch.full((1200,), -1)
    for y in range(10):
        known[(labels[:1200] == y).nonzero()[:each, 0]] = y
    return x[:1200], known, x[1200:], labels[1200:]
