"""An orthonormal frame of principal components: fewer coordinates, the same geometry."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["PCAFrame"]


class PCAFrame:
    r"""$y = Q^\top(x - m)$ and back $x = m + Qy$, with $Q \in \mathbb{R}^{n \times k}$ orthonormal.

    $y \mapsto m + Qy$ is an isometry onto its image: $Q^\top Q = I$, so lengths, angles and
    geodesics in the coordinates are those of the data. Nothing is whitened, since rescaling the
    axes would change the geometry. What is lost is only what lies across the image.

    Attributes:
        mean: $m$, `(n,)`.
        frame: $Q$, `(n, k)`; its columns are principal axes, the widest first.
        kept: the share of the variance that lies along the image, between 0 and 1.

    Source: Jolliffe, *Principal Component Analysis* (2002), chapter 2.

    >>> from geomlib.data import load_small_digits
    >>> images, _ = load_small_digits()
    >>> pca = PCAFrame.fit(images, 16)
    >>> pca.to_coordinates(images).shape, round(pca.kept, 2)
    (torch.Size([1797, 16]), 0.85)
    """

    def __init__(self, mean: Float[Tensor, " n"], frame: Float[Tensor, "n k"], kept: float):
        self.mean, self.frame, self.kept = mean, frame, kept

    @classmethod
    def fit(cls, data: Float[Tensor, "count n"], k: int) -> "PCAFrame":
        """The k widest principal axes of the data.

        Raises:
            ValueError: if the data are no finite floating-point matrix `(count, n)`, are all the
                same, or k is not between 1 and `min(count, n)`.
        """
        if data.ndim != 2 or not data.is_floating_point():
            raise ValueError(
                f"data are {tuple(data.shape)} {data.dtype}, but floating-point rows (count, n) "
                "are needed"
            )
        if not 1 <= k <= min(data.shape):
            raise ValueError(
                f"k = {k}, but {data.shape[0]} rows of {data.shape[1]} numbers have 1 to "
                f"{min(data.shape)} principal axes"
            )
        if not torch.isfinite(data).all():
            raise ValueError("data hold NaN or infinite numbers: leave those rows out")
        mean = data.mean(0)
        # in double: the frame is to be orthonormal, not nearly so
        _, widths, axes = torch.linalg.svd((data - mean).double(), full_matrices=False)
        variances = widths**2
        if variances.sum() == 0:
            raise ValueError("all rows are the same: there is no variance to keep")
        kept = (variances[:k].sum() / variances.sum()).item()
        return cls(mean, axes[:k].T.to(data.dtype).contiguous(), kept)

    def to_coordinates(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch k"]:
        r"""$Q^\top(x - m)$."""
        self._check(x, self.frame.shape[0], "x")
        return (x - self.mean) @ self.frame

    def to_data(self, y: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch n"]:
        r"""$m + Qy$."""
        self._check(y, self.frame.shape[1], "y")
        return self.mean + y @ self.frame.T

    def _check(self, x: Tensor, width: int, name: str) -> None:
        if x.ndim == 0 or x.shape[-1] != width or x.dtype != self.frame.dtype:
            raise ValueError(
                f"{name} is {tuple(x.shape)} {x.dtype}, but (..., {width}) {self.frame.dtype} is "
                "needed"
            )
