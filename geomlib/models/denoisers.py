r"""Denoisers $D(x, \sigma) = \mathbb{E}[x_0 \mid x_0 + \sigma\varepsilon = x]$, and exact ones.

The best guess of a noisy point is all that a diffusion model learns. For Gaussians, mixtures,
finite data sets, circles and spheres it has a closed form: the known answer beside which the
learned one is put.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geomlib.models.bessel import bessel_ratio
from geomlib.models.validation import check_sizes, check_width
from geomlib.riemann.derivatives import value_and_jacobian
from geomlib.riemann.validation import as_points, inside_transform, same_kind

__all__ = [
    "CircleDenoiser",
    "Denoiser",
    "Embedded",
    "GaussianDenoiser",
    "MixtureDenoiser",
    "SphereDenoiser",
    "level",
]


class Denoiser(nn.Module, ABC):
    r"""$D(x, \sigma) = \mathbb{E}[x_0 \mid x]$ for $x = x_0 + \sigma\varepsilon$,
    $\varepsilon \sim N(0, I)$.

    A subclass says what D is; the score and the covariance of what is behind the noise follow.
    Since $J_D = \operatorname{Cov}(x_0 \mid x)/\sigma^2$, the Jacobian of an exact denoiser is
    symmetric and positive semidefinite: its left and right singular vectors are the same.

    Source: Efron, *Tweedie's Formula and Selection Bias* (JASA 2011).
    """

    @abstractmethod
    def denoise(
        self, x: Float[Tensor, "*batch n"], sigma: float | Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch n"]:
        r"""$D(x, \sigma)$; sigma is one positive number, or one for each point."""

    def score(
        self, x: Float[Tensor, "*batch n"], sigma: float | Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch n"]:
        r"""$\nabla \log p_\sigma(x) = (D(x, \sigma) - x)/\sigma^2$, with $p_\sigma$ the density of
        the noisy points (Tweedie's formula)."""
        return (self.denoise(x, sigma) - x) / level(sigma, x) ** 2

    def covariance(
        self, x: Float[Tensor, "*batch n"], sigma: float | Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch n n"]:
        r"""$\operatorname{Cov}(x_0 \mid x) = \sigma^2 J_D(x, \sigma)$, by forward differentiation.

        Of a learned D it is only as symmetric as the learning was good.
        """
        as_points(x)
        noise = level(sigma, x)
        batch = torch.broadcast_shapes(x.shape[:-1], noise.shape[:-1])
        points = x.expand(*batch, -1).reshape(-1, x.shape[-1]).contiguous()
        noise = noise.expand(*batch, 1).reshape(-1, 1)
        jacobian = value_and_jacobian(lambda z: self.denoise(z, noise[:, 0]), points)[1]
        return (noise[..., None] ** 2 * jacobian).reshape(*batch, *jacobian.shape[1:])


def level(sigma: float | Tensor, x: Tensor) -> Float[Tensor, "*batch 1"]:
    """Noise levels beside the coordinates of x, in its dtype.

    Raises:
        ValueError: if one is not positive and finite, or there are more of them than points.
    """
    sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if not inside_transform(sigma) and not ((sigma > 0) & (sigma < torch.inf)).all():
        raise ValueError(
            f"sigma must be positive and finite, but {sigma.flatten()[:4].tolist()} was given: "
            "without noise there is nothing to denoise"
        )
    try:
        torch.broadcast_shapes(sigma.shape, x.shape[:-1])
    except RuntimeError:
        raise ValueError(
            f"sigma has shape {tuple(sigma.shape)}, but x has the batch shape "
            f"{tuple(x.shape[:-1])}: give one number, or one for each point"
        ) from None
    return sigma[..., None]


class GaussianDenoiser(Denoiser):
    r"""$D(x, \sigma) = m + C(C + \sigma^2 I)^{-1}(x - m)$ for data $x_0 \sim N(m, C)$.

    In the frame of the principal axes, $C = Q\,\operatorname{diag}(\lambda)\,Q^\top$, each
    coordinate shrinks by $\lambda/(\lambda + \sigma^2)$. A singular C is welcome: data on a
    subspace.

    Args:
        mean: $m$, `(n,)`.
        covariance: $C$, symmetric and positive semidefinite, `(n, n)`.

    Raises:
        ValueError: if shapes or dtypes do not fit, or C is not symmetric positive semidefinite.

    >>> denoiser = GaussianDenoiser(torch.zeros(2), torch.diag(torch.tensor([1.0, 0.0])))
    >>> denoiser.denoise(torch.tensor([2.0, 2.0]), 1.0)
    tensor([1., 0.])
    """

    mean: Tensor
    frame: Tensor
    variances: Tensor

    def __init__(self, mean: Float[Tensor, " n"], covariance: Float[Tensor, "n n"]):
        super().__init__()
        if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
            raise ValueError(
                f"mean has shape {tuple(mean.shape)} and covariance {tuple(covariance.shape)}, "
                "but (n,) and (n, n) are needed"
            )
        same_kind("mean", as_points(mean, "mean"), "covariance", as_points(covariance))
        variances, frame = _principal_axes(covariance)
        self.register_buffer("mean", mean)
        self.register_buffer("variances", variances)
        self.register_buffer("frame", frame)

    def denoise(self, x, sigma):
        r"""$m + Q\,\operatorname{diag}\bigl(\lambda/(\lambda + \sigma^2)\bigr)\,Q^\top(x - m)$."""
        return self._stretch(x, self.jacobian_eigenvalues(x, sigma))

    def jacobian_eigenvalues(self, x, sigma) -> Float[Tensor, "*batch n"]:
        r"""$\lambda_i/(\lambda_i + \sigma^2)$, descending; they do not depend on x."""
        same_kind("x", as_points(x), "mean", self.mean)
        return self.variances / (self.variances + level(sigma, x) ** 2)

    def flow(self, x, sigma_from, sigma_to) -> Float[Tensor, "*batch n"]:
        r"""The exact probability flow between two noise levels: along the axis $q_i$ it is
        multiplication by $\sqrt{(\lambda_i + \sigma_{to}^2)/(\lambda_i + \sigma_{from}^2)}$."""
        same_kind("x", as_points(x), "mean", self.mean)
        after, before = (self.variances + level(s, x) ** 2 for s in (sigma_to, sigma_from))
        return self._stretch(x, (after / before).sqrt())

    def _stretch(self, x: Tensor, factors: Tensor) -> Tensor:
        return self.mean + (factors * ((x - self.mean) @ self.frame)) @ self.frame.mT


def _principal_axes(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, descending, and eigenvectors of positive semidefinite matrices."""
    size = covariance.abs().amax((-1, -2), keepdim=True)
    tolerance = 100 * torch.finfo(covariance.dtype).eps * size
    if ((covariance - covariance.mT).abs() > tolerance).any():
        raise ValueError("a covariance must be symmetric: take (C + C.mT) / 2")
    values, vectors = torch.linalg.eigh(covariance)
    if (values < -tolerance[..., 0]).any():
        raise ValueError(
            f"a covariance has no negative eigenvalues, but {values.min().item():.3g} was found"
        )
    return values.flip(-1).clamp_min(0), vectors.flip(-1)


class MixtureDenoiser(Denoiser):
    r"""$D(x, \sigma) = \sum_k r_k(x)\,D_k(x, \sigma)$ for data from $\sum_k w_k N(m_k, C_k)$.

    $D_k$ is the denoiser of component k and $r_k(x) \propto w_k\,N(x; m_k, C_k + \sigma^2 I)$ the
    probability that x came from it. With $C_k = 0$ the data are finitely many points, and D is the
    best denoiser of a *training set*: at small noise it returns the nearest sample.

    Args:
        weights: $w_k > 0$, `(K,)`, rescaled to sum to 1.
        means: $m_k$, `(K, n)`.
        covariances: $C_k$, symmetric and positive semidefinite, `(K, n, n)`; or variances of round
            components, `(K,)`, which spare the memory of K matrices.

    Raises:
        ValueError: if shapes or dtypes do not fit, a weight is not positive, or a $C_k$ is not
            symmetric positive semidefinite.

    Two points: far apart for the noise, the nearer one; on the fence, the middle.

    >>> points = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    >>> denoiser = MixtureDenoiser.of_points(points)
    >>> denoiser.denoise(torch.tensor([[0.5, 0.3], [0.0, 0.3]]), 0.1)
    tensor([[1., 0.],
            [0., 0.]])
    """

    log_weights: Tensor
    means: Tensor
    frames: Tensor
    variances: Tensor

    def __init__(
        self,
        weights: Float[Tensor, " K"],
        means: Float[Tensor, "K n"],
        covariances: Float[Tensor, "K n n"] | Float[Tensor, " K"],
    ):
        super().__init__()
        count, dim = means.shape if means.ndim == 2 else (-1, -1)
        if weights.shape != (count,) or covariances.shape not in ((count, dim, dim), (count,)):
            raise ValueError(
                f"weights {tuple(weights.shape)}, means {tuple(means.shape)} and covariances "
                f"{tuple(covariances.shape)} were given, but (K,), (K, n) and (K, n, n) or (K,) "
                "are needed"
            )
        for name, tensor in (("weights", weights), ("covariances", covariances)):
            if as_points(tensor, name).dtype != as_points(means, "means").dtype:
                raise ValueError(f"{name} are {tensor.dtype} but the means are {means.dtype}")
        if not (weights > 0).all():
            raise ValueError("the weights of a mixture must be positive: leave the others out")
        if covariances.ndim == 1:
            if (covariances < 0).any():
                raise ValueError("the variances of round components must not be negative")
            # one 1 × 1 frame stands for all axes
            frames, variances = torch.ones_like(means[:, :1, None]), covariances[:, None]
        else:
            variances, frames = _principal_axes(covariances)
        self.register_buffer("log_weights", (weights / weights.sum()).log())
        self.register_buffer("means", means)
        self.register_buffer("frames", frames)
        self.register_buffer("variances", variances)

    @classmethod
    def of_points(cls, points: Float[Tensor, "K n"]) -> "MixtureDenoiser":
        """The exact denoiser of a finite data set, all of its points equally likely."""
        as_points(points, "points")
        ones = torch.ones(len(points), dtype=points.dtype, device=points.device)
        return cls(ones, points, 0 * ones)

    def denoise(self, x, sigma):
        r"""$\sum_k r_k(x)\,\bigl(m_k + C_k(C_k + \sigma^2 I)^{-1}(x - m_k)\bigr)$."""
        return torch.einsum("...k,...kn->...n", *self._posterior(x, sigma))

    def responsibilities(self, x, sigma) -> Float[Tensor, "*batch K"]:
        r"""$r_k(x)$, the probability that x came from component k."""
        return self._posterior(x, sigma)[0]

    def covariance(self, x, sigma) -> Float[Tensor, "*batch n n"]:
        r"""$\sum_k r_k\,\bigl(\sigma^2 C_k(C_k + \sigma^2 I)^{-1} + D_k D_k^\top\bigr) - DD^\top$:
        the spread within components and the spread between them."""
        r, guesses = self._posterior(x, sigma)
        s = level(sigma, x)[..., None] ** 2
        within = self.variances * s / (self.variances + s)  # (..., K, n) or (..., K, 1)
        if self.frames.shape[-1] == 1 < self.means.shape[-1]:
            eye = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
            inner = (r * within[..., 0]).sum(-1)[..., None, None] * eye
        else:
            inner = torch.einsum("...k,...ki,kni,kmi->...nm", r, within, self.frames, self.frames)
        apart = guesses - torch.einsum("...k,...kn->...n", r, guesses)[..., None, :]
        return inner + torch.einsum("...k,...kn,...km->...nm", r, apart, apart)

    def jacobian_eigenvalues(self, x, sigma) -> Float[Tensor, "*batch n"]:
        r"""Eigenvalues of $\operatorname{Cov}(x_0 \mid x)/\sigma^2$, descending."""
        values = torch.linalg.eigvalsh(self.covariance(x, sigma)).flip(-1)
        return values / level(sigma, x) ** 2

    def _posterior(self, x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of the components, `(..., K)`, and their guesses, `(..., K, n)`."""
        same_kind("x", as_points(x), "means", self.means)
        total = self.variances + level(sigma, x)[..., None] ** 2  # (..., K, n) or (..., K, 1)
        centred = x[..., None, :] - self.means  # (..., K, n)
        round_ones = self.frames.shape[-1] == 1
        along = centred if round_ones else torch.einsum("...kn,kni->...ki", centred, self.frames)
        axes = self.means.shape[-1] // total.shape[-1]  # how many axes share a variance
        exponent = (along**2 / total).sum(-1) + axes * total.log().sum(-1)
        shrunk = along * (self.variances / total)
        back = shrunk if round_ones else torch.einsum("...ki,kni->...kn", shrunk, self.frames)
        return (self.log_weights - exponent / 2).softmax(-1), self.means + back


class SphereDenoiser(Denoiser):
    r"""$D(x, \sigma) = R\,A(\kappa)\,x/|x|$, $\;\kappa = R|x|/\sigma^2$, for data spread evenly
    over the sphere $S^d$ of radius R in $\mathbb{R}^{d+1}$.

    What is behind the noise has the von Mises-Fisher density $\propto e^{\kappa\langle u, x/|x|
    \rangle}$ in $u = x_0/R$, and $A(\kappa) = I_{\nu+1}(\kappa)/I_\nu(\kappa)$, $\nu = (d - 1)/2$,
    is its mean: $I_1/I_0$ on the circle, $\coth\kappa - 1/\kappa$ on $S^2$. Smooth at $x = 0$ too.

    Args:
        dim: $d$, from 1 to 8.
        radius: $R > 0$.

    Source: Mardia and Jupp, *Directional Statistics* (2000), chapter 9 (the mean resultant length
    of the von Mises-Fisher distribution).

    >>> denoiser = SphereDenoiser(2)
    >>> denoiser.denoise(torch.tensor([0.0, 0.0, 1.2]), 0.1).round(decimals=3)
    tensor([0.0000, 0.0000, 0.9920])
    """

    def __init__(self, dim: int, radius: float = 1.0):
        super().__init__()
        check_sizes(dim=dim)
        if not 0 < radius < float("inf"):
            raise ValueError(f"the radius must be positive and finite, but {radius} was given")
        self.dim, self.radius = dim, radius
        bessel_ratio(torch.ones(()), dim)  # raises where there is no ratio for this dimension

    def denoise(self, x, sigma):
        r"""$R\,A(\kappa)\,x/|x|$, written as $(R^2/\sigma^2)\,g(\kappa^2)\,x$ with
        $g(\kappa^2) = A(\kappa)/\kappa$, which needs no $|x|$."""
        q, scale = self._concentration(x, sigma)
        return scale * bessel_ratio(q, self.dim) * x

    def jacobian_eigenvalues(self, x, sigma) -> Float[Tensor, "*batch n"]:
        r"""d times the tangential $RA/|x|$, then the radial
        $(R^2/\sigma^2)\,(1 - dA/\kappa - A^2)$.

        Computed in double precision: the radial one is of order $1/\kappa^2$ and the difference of
        numbers of order 1.
        """
        q, scale = self._concentration(x.double(), sigma)
        g = bessel_ratio(q, self.dim)
        tangential, radial = scale * g, scale * (1 - self.dim * g - q * g**2)
        return torch.cat([*[tangential] * self.dim, radial], dim=-1).to(x.dtype)

    def _concentration(self, x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        r"""$\kappa^2$ and $R^2/\sigma^2$, both `(..., 1)`."""
        check_width(as_points(x), self.dim + 1)
        scale = (self.radius / level(sigma, x)) ** 2
        return scale**2 * (x**2).sum(-1, keepdim=True) / self.radius**2, scale


class CircleDenoiser(SphereDenoiser):
    r"""$D(x, \sigma) = R\,\dfrac{I_1(\kappa)}{I_0(\kappa)}\,\dfrac{x}{|x|}$,
    $\;\kappa = R|x|/\sigma^2$, for data spread evenly over a circle of radius R in the plane.

    Args:
        radius: $R > 0$.

    At high noise the two eigenvalues of the Jacobian are nearly equal: the tangent of the circle
    can no longer be told from its normal.

    >>> x = torch.tensor([1.0, 0.0], dtype=torch.float64)
    >>> CircleDenoiser().jacobian_eigenvalues(x, 2.0).round(decimals=4)
    tensor([0.1240, 0.1221], dtype=torch.float64)
    """

    def __init__(self, radius: float = 1.0):
        super().__init__(1, radius)


class Embedded(Denoiser):
    r"""$D(x, \sigma) = Q\,D'(Q^\top x, \sigma)$ for data on the image of an isometry
    $Q \in \mathbb{R}^{n \times m}$, $Q^\top Q = I$.

    The noise across the image says nothing about the data, and the noise within is again
    $N(0, \sigma^2 I)$: no approximation is made. $S^2 \subset \mathbb{R}^8$ is
    `Embedded(SphereDenoiser(2), Q)` with Q of shape `(8, 3)`.

    Args:
        denoiser: $D'$ on $\mathbb{R}^m$; one without `jacobian_eigenvalues`, such as a learned
            one, is taken too, but then they are not known here either.
        frame: $Q$, orthonormal columns, `(n, m)`.

    Raises:
        ValueError: if the columns are not orthonormal.

    >>> denoiser = Embedded(CircleDenoiser(), torch.eye(5)[:, :2])
    >>> denoiser.denoise(torch.tensor([1.0, 0.0, 9.0, 9.0, 9.0]), 0.1).round(decimals=3)
    tensor([0.9950, 0.0000, 0.0000, 0.0000, 0.0000])
    """

    frame: Tensor

    def __init__(self, denoiser: Denoiser, frame: Float[Tensor, "n m"]):
        super().__init__()
        if as_points(frame, "frame").ndim != 2:
            raise ValueError(f"frame has shape {tuple(frame.shape)}, but (n, m) is needed")
        gram = frame.mT @ frame
        error = (gram - torch.eye(len(gram), dtype=frame.dtype, device=frame.device)).abs().max()
        if error > 1e3 * torch.finfo(frame.dtype).eps:
            raise ValueError(
                f"the columns of frame are not orthonormal (off by {error.item():.3g}): "
                "take torch.linalg.qr(frame).Q"
            )
        self.denoiser = denoiser
        self.register_buffer("frame", frame)

    def denoise(self, x, sigma):
        r"""$Q\,D'(Q^\top x, \sigma)$."""
        return self.denoiser.denoise(self._inside(x), sigma) @ self.frame.mT

    def jacobian_eigenvalues(self, x, sigma) -> Float[Tensor, "*batch n"]:
        r"""Those of $D'$ at $Q^\top x$, then $n - m$ zeros.

        Raises:
            ValueError: if $D'$ does not know its eigenvalues in closed form.
        """
        closed_form = getattr(self.denoiser, "jacobian_eigenvalues", None)
        if closed_form is None:
            raise ValueError(
                f"{type(self.denoiser).__name__} has no eigenvalues in closed form: "
                "take those of torch.func.jacfwd"
            )
        inner = closed_form(self._inside(x), sigma)
        across = self.frame.shape[0] - self.frame.shape[1]
        return torch.cat([inner, inner.new_zeros(*inner.shape[:-1], across)], dim=-1)

    def _inside(self, x: Tensor) -> Tensor:
        check_width(as_points(x), self.frame.shape[0])
        if x.dtype != self.frame.dtype:
            raise ValueError(
                f"x is {x.dtype} but the frame is {self.frame.dtype}: bring both to one dtype"
            )
        return x @ self.frame
