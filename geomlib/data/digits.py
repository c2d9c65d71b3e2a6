"""Handwritten digits as rows of pixels."""

from importlib.resources import files

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["load_mnist", "load_small_digits"]


def load_mnist(count: int = 10_000) -> tuple[Float[Tensor, "count 784"], Int[Tensor, " count"]]:
    r"""The first `count` of 10,000 real MNIST digits, shipped with the package.

    Returns:
        Images as rows of $28 \times 28 = 784$ grey values in $[0, 1]$ (float32), and labels 0-9.
        The digits come in random order, so the first `count` are a fair sample.

    Raises:
        ValueError: if `count` is not between 1 and 10,000.

    Source: LeCun, Cortes and Burges, *The MNIST database*; see `mnist10k.md` beside this file.

    >>> images, labels = load_mnist(100)
    >>> images.shape, labels.shape
    (torch.Size([100, 784]), torch.Size([100]))
    """
    with np.load(str(files("geomlib.data") / "mnist10k.npz")) as archive:
        images, labels = archive["X"], archive["y"]
    if not 1 <= count <= len(images):
        raise ValueError(f"count must be between 1 and {len(images)}, but {count} was given")
    return _rows(images[:count], 255), torch.as_tensor(labels[:count], dtype=torch.long)


def load_small_digits() -> tuple[Float[Tensor, "1797 64"], Int[Tensor, " 1797"]]:
    r"""The 1,797 digits of scikit-learn, $8 \times 8$ pixels: small enough for quick tests.

    Source: Alpaydin and Kaynak, *Optical Recognition of Handwritten Digits*, UCI.

    >>> images, labels = load_small_digits()
    >>> images.shape, float(images.max())
    (torch.Size([1797, 64]), 1.0)
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    return _rows(digits.images, 16), torch.as_tensor(digits.target, dtype=torch.long)


def _rows(images, white: int) -> Tensor:
    return torch.as_tensor(images, dtype=torch.float32).flatten(1) / white
