"""M2, the semi-supervised VAE: a few labels name the charts, many samples shape them."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from geomlib.models.discrete_vae import DiscreteVAE, beside, check_grey_values
from geomlib.models.perceptron import perceptron
from geomlib.models.training import fit, seeded
from geomlib.models.validation import known_labels

__all__ = ["M2"]


class M2(DiscreteVAE):
    r"""$\mathcal{J} = \mathbb{E}[-\log p(x)]_{\text{unlabelled}} + \mathbb{E}[-\log p(x, y) -
    \alpha \log q(y \mid x)]_{\text{labelled}}$, both likelihoods by their lower bounds.

    Without a label, y is a latent variable that $q(y \mid x)$ guesses; with one, y is data. The
    classifier q learns from all samples, since a wrong guess makes x hard to explain.

    Read as an atlas (see `DiscreteVAE`), the charts are the classes. They lack learned overlaps and
    transitions, and each is told by its labels which samples are its own.

    Attributes:
        classifier: the logits of $q(y \mid x)$, `(..., n)` to `(..., K)`.
        encoder: $(x, \text{one-hot } y) \mapsto$ mean and log-variance of $q(z \mid x, y)$.
        decoder: $(z, \text{one-hot } y) \mapsto$ logits of $\mathbb{E}[x \mid y, z]$.

    Args:
        data_dim: $n$.
        classes: $K$; labels are `0, ..., classes - 1`.
        latent_dim: $d$.
        hidden: width of the two hidden layers of every network.
        seed: of the initial weights.
        label_weight: $\alpha$, in nats per nat.

    Source: Kingma, Rezende, Mohamed and Welling, *Semi-supervised Learning with Deep Generative
    Models*, NIPS 2014, arXiv 1406.5298, model M2 and its extended objective. There the labelled
    samples enter by their number; here every batch meets as many labelled ones.

    >>> x = torch.cat([torch.rand(50, 4) / 4, 1 - torch.rand(50, 4) / 4])
    >>> labels = torch.full((100,), -1)  # not known
    >>> labels[0], labels[99] = 0, 1
    >>> model = M2(data_dim=4, classes=2, latent_dim=1, hidden=8)
    >>> losses = model.fit(x, labels, epochs=50, learning_rate=1e-2, progress=False)
    >>> model.accuracy(x, torch.arange(100) // 50) > 0.95
    True
    """

    def __init__(
        self,
        data_dim: int,
        classes: int = 10,
        latent_dim: int = 8,
        hidden: int = 64,
        seed: int = 0,
        *,
        label_weight: float = 20.0,
    ):
        super().__init__(data_dim, classes, latent_dim, hidden, seed)
        if label_weight < 0:
            raise ValueError(f"label_weight = {label_weight}, but it must not be negative")
        self.label_weight = label_weight
        with seeded(seed + 1):
            self.decoder = perceptron(latent_dim + classes, hidden, hidden, data_dim)

    def logits(
        self, z: Float[Tensor, "*batch d"], y: Float[Tensor, "*batch K"]
    ) -> Float[Tensor, "*batch n"]:
        r"""The logits of $\mathbb{E}[x \mid y, z]$; y is one-hot, and its batch broadcasts."""
        return self.decoder(beside(z, y))

    def labelled_loss(
        self, x: Float[Tensor, "batch n"], labels: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        r"""$-\text{bound}_y(x) - \alpha \log q(y \mid x)$, the mean over the batch, in nats."""
        bound = self.bound(x, self.one_hots(x)[labels]).mean()
        return self.label_weight * F.cross_entropy(self.classifier(x), labels) - bound

    def fit(
        self, x: Float[Tensor, "count n"], labels: Int[Tensor, " count"], **options: Any
    ) -> list[float]:
        """Train on all samples, and on the labels that are known.

        Args:
            x: the data, in [0, 1].
            labels: the class of every sample, -1 where it is not known.
            options: as in `geomlib.models.fit`.

        Raises:
            ValueError: if no label is known, all that are known are the same, or one is outside
                the classes.

        Warns:
            UserWarning: if a class has no label: its chart has no name.
        """
        check_grey_values(x, self)
        known = known_labels(labels, len(x), self.n_charts, "InfoCatVAE does without")
        x_known, labels_known = x[known], labels[known].long()

        def loss(rows: Tensor) -> Tensor:
            drawn = torch.randint(len(known), (len(rows),), device=x.device)
            return self.unlabelled_loss(x[rows]) + self.labelled_loss(
                x_known[drawn], labels_known[drawn]
            )

        return fit(self.parameters(), loss, torch.arange(len(x), device=x.device), **options)
