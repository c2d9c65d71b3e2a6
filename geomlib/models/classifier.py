"""An encoder-type model: a network that computes features, and a linear softmax head on them."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from geomlib.models.perceptron import perceptron
from geomlib.models.training import fit, seeded
from geomlib.models.validation import check_data, check_labels, check_sizes, check_width

__all__ = ["Classifier"]


class Classifier(nn.Module):
    r"""$p(y \mid x) = \operatorname{softmax}(A\,E(x) + b)$ with a perceptron $E$ and a linear head.

    The encoder takes data to a feature space in which the classes can be parted by hyperplanes.
    It has no decoder: what it throws away is lost.

    Attributes:
        encoder: $E$, an `nn.Sequential`, `(..., n)` to `(..., hidden)`.
        head: the linear map $z \mapsto A z + b$, `(..., hidden)` to `(..., classes)`.

    Args:
        data_dim: $n$.
        classes: how many classes; labels are `0, ..., classes - 1`.
        hidden: width of both layers of the encoder, and the dimension of the feature space.
        seed: of the initial weights.

    Two moons would do; here are two blobs:

    >>> x = torch.cat([torch.randn(50, 2) - 3, torch.randn(50, 2) + 3])
    >>> labels = torch.arange(100) // 50
    >>> model = Classifier(data_dim=2, classes=2, hidden=8)
    >>> losses = model.fit(x, labels, epochs=50, learning_rate=1e-2, progress=False)
    >>> model.accuracy(x, labels) > 0.95
    True
    """

    def __init__(self, data_dim: int, classes: int, hidden: int = 64, seed: int = 0):
        check_sizes(data_dim=data_dim, hidden=hidden)
        if classes < 2:
            raise ValueError(f"classes = {classes}, but there is nothing to tell apart below two")
        super().__init__()
        self.data_dim, self.classes = data_dim, classes
        with seeded(seed):
            self.encoder = perceptron(data_dim, hidden, hidden).append(nn.Tanh())
            self.head = nn.Linear(hidden, classes)

    def encode(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch hidden"]:
        """The features $E(x)$, on which the head is linear."""
        check_width(x, self.data_dim)
        return self.encoder(x)

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch classes"]:
        r"""The logits $A\,E(x) + b$."""
        return self.head(self.encode(x))

    def loss(self, x: Float[Tensor, "batch n"], labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        r"""The cross-entropy $-\log p(y \mid x)$, the mean over the batch, in nats."""
        return F.cross_entropy(self(x), labels)

    def fit(
        self, x: Float[Tensor, "count n"], labels: Int[Tensor, " count"], **options: Any
    ) -> list[float]:
        """Train encoder and head together; options as in `geomlib.models.fit`.

        Raises:
            ValueError: if a label is outside the classes, or all labels are the same.
        """
        check_data(x, self.data_dim, self)
        check_labels(labels, len(x), self.classes)
        labels = labels.long()
        rows = torch.arange(len(x))
        return fit(self.parameters(), lambda i: self.loss(x[i], labels[i]), rows, **options)

    @torch.no_grad()
    def accuracy(self, x: Float[Tensor, "count n"], labels: Int[Tensor, " count"]) -> float:
        """The share of samples whose largest logit is that of their label."""
        check_data(x, self.data_dim, self)
        if labels.shape != (len(x),):
            raise ValueError(f"{len(x)} samples need as many labels, not {tuple(labels.shape)}")
        return (self(x).argmax(-1) == labels).float().mean().item()
