r"""The metric that a map pulls back from its target, and what a decoder's noise adds to it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from geomlib.riemann.boundary import EnergyModel
from geomlib.riemann.derivatives import value_and_jacobian
from geomlib.riemann.metric import Metric
from geomlib.riemann.validation import as_points, broadcast, inside_transform, same_kind

__all__ = ["ExpectedMetric", "PullbackMetric"]

POINTS_AT_ONCE = 1024  # larger batches need more memory, and are no faster
PIECEWISE_LINEAR = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ReLU6, nn.Hardtanh, nn.Threshold)


class PullbackMetric(Metric):
    r"""$G(z) = J_f(z)^\top A(f(z))\, J_f(z)$: the metric that a map $f$ pulls back.

    Args:
        f: any differentiable map `(batch, d)` to `(batch, n)`: a decoder, a function, a
            `SmoothMap.to_torch()`. Further output dimensions (images) are flattened.
        ambient: a metric $A$ on $\mathbb{R}^n$; Euclidean ($A = I$) if there is none.

    Raises:
        ValueError: if points and network differ in dtype, the network is in training mode with
            dropout or batch normalisation, or the output is not finite or has no batch dimension.

    $G$ is positive definite only where $J_f$ has full column rank; no ridge is added to hide it.

    Source: do Carmo, *Riemannian Geometry*, chapter 1, example 2.5; for decoders Shao, Kumar and
    Fletcher (2018), section 3.

    >>> parabola = PullbackMetric(lambda z: torch.cat([z, z**2], dim=-1))
    >>> parabola.matrix(torch.tensor([[0.0], [1.0]])).flatten()
    tensor([1., 5.])
    >>> a, b = torch.tensor([[-1.0]]).double(), torch.tensor([[1.0]]).double()
    >>> round(parabola.distance(a, b).item(), 6)
    2.957886
    """

    def __init__(self, f: Callable[[Tensor], Tensor], ambient: Metric | None = None):
        self.f = f
        self.ambient = ambient

    def matrix(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d d"]:
        parts = [self._matrices(part) for part in self._flat(z).split(POINTS_AT_ONCE)]
        return torch.cat(parts).reshape(*z.shape, z.shape[-1])

    def inner(
        self,
        z: Float[Tensor, "*batch d"],
        u: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
    ) -> Float[Tensor, "*batch"]:
        r"""$\langle J u, J v\rangle$: push both vectors forward, then measure them there."""
        same_kind("z", as_points(z), "u", as_points(u, "u"))
        same_kind("z", z, "v", as_points(v, "v"))
        same = u is v
        z, u, v = broadcast(z=z, u=u, v=v)
        tensors = (z, u) if same else (z, u, v)
        flat = [self._flat(tensor).split(POINTS_AT_ONCE) for tensor in tensors]
        parts = [self._inner(*part) for part in zip(*flat, strict=True)]
        return torch.cat(parts).reshape(z.shape[:-1])

    def squared_chords(self, points: Float[Tensor, "*batch N+1 d"]) -> Float[Tensor, "*batch N"]:
        r"""Squared chords $\|f(z_i) - f(z_{i-1})\|^2$; the midpoint rule with an ambient metric."""
        if self.ambient is not None:
            return super().squared_chords(points)
        value = self._decode(self._flat(points))
        self._check_finite(value)
        value = value.unflatten(0, points.shape[:-1])
        return (value[..., 1:, :] - value[..., :-1, :]).square().sum(-1)

    def energy_model(self, points: Float[Tensor, "P N+1 d"]) -> EnergyModel:
        r"""For chords $x_{i+1} - x_i$, $x_i = f(z_i)$, and $w_i = 2x_i - x_{i-1} - x_{i+1}$:

        gradient $N J_i^\top w_i$, blocks $N(2 J_i^\top J_i + \partial_z (J^\top w_i))$ on the
        diagonal and $-N J_i^\top J_{i+1}$ beside it. Dropping $\partial_z(J^\top w_i)$, with $w_i$
        held fixed, gives Gauss-Newton.
        """
        if self.ambient is not None:
            return super().energy_model(points)
        count, d = points.shape[1] - 1, points.shape[2]
        flat = points.flatten(0, 1)
        value, jacobian = value_and_jacobian(self._decode, flat)
        value = value.unflatten(0, points.shape[:2])  # (P, N+1, n)
        jacobian = jacobian.unflatten(0, points.shape[:2])[:, 1:-1]  # (P, N-1, n, d)
        chord = value[:, 1:] - value[:, :-1]
        bend = chord[:, :-1] - chord[:, 1:]  # w, (P, N-1, n)
        interior = points[:, 1:-1].reshape(-1, d)
        fixed = bend.reshape(len(interior), -1)

        def pull(z: Tensor) -> Tensor:
            return torch.func.grad(lambda y: (self._decode(y) * fixed).sum())(z)

        gradient, second = value_and_jacobian(pull, interior)
        second = ((second + second.mT) / 2).unflatten(0, bend.shape[:2])
        rounded = torch.finfo(value.dtype).eps * value.norm(dim=-1).amax(-1)  # of one x_i
        diagonal = 2 * count * jacobian.mT @ jacobian
        upper = -count * jacobian[:, :-1].mT @ jacobian[:, 1:]
        return EnergyModel(
            energy=count / 2 * chord.square().sum((1, 2)),
            gradient=count * gradient.unflatten(0, bend.shape[:2]),
            diagonal=diagonal,
            upper=upper,
            diagonal_newton=diagonal + count * second,
            upper_newton=upper,
            rounding=(count * rounded) ** 2,
        )

    def for_geodesics(self) -> Metric:
        """The same metric with a linear last layer folded: fewer outputs, equal lengths."""
        if self.ambient is not None:
            return self
        return PullbackMetric(isometric_core(self.f))

    def check_smooth(self, z: Float[Tensor, "batch d"]) -> None:
        """Raise a `ValueError` for a piecewise linear map (ReLU)."""
        modules = self.f.modules() if isinstance(self.f, nn.Module) else ()
        names = [
            type(module).__name__ for module in modules if isinstance(module, PIECEWISE_LINEAR)
        ]
        if not names and not self._is_piecewise_linear(z):
            return
        raise ValueError(
            f"the network contains {names[0] if names else 'a piecewise linear activation'}, whose "
            "second derivative vanishes almost everywhere, so Christoffel symbols and curvature "
            "are not defined: use a smooth activation (Tanh, Softplus, SiLU, GELU)"
        )

    def _is_piecewise_linear(self, z: Tensor) -> bool:
        """Whether $G$ is constant around some points and yet not the same at all of them."""
        if inside_transform(z) or not len(z) or self.ambient is not None:
            return False
        probes = torch.cat([z[:1], z[:1] + 1, z[:1] - 1]).detach()
        matrix, slope = value_and_jacobian(self.matrix, probes)
        return not slope.any() and bool(
            (matrix - matrix[:1]).abs().max() > 1e-3 * matrix.abs().max()
        )

    def _matrices(self, z: Tensor) -> Tensor:
        value, jacobian = value_and_jacobian(self._decode, z)
        self._check_finite(value)
        pulled = jacobian if self.ambient is None else self.ambient.matrix(value) @ jacobian
        return jacobian.mT @ pulled

    def _inner(self, z: Tensor, *vectors: Tensor) -> Tensor:
        pushed = [torch.func.jvp(self._decode, (z,), (vector,)) for vector in vectors]
        value, left, right = pushed[0][0], pushed[0][1], pushed[-1][1]
        self._check_finite(value)
        if self.ambient is not None:
            return self.ambient.inner(value, left, right)
        return (left * right).sum(-1)

    def _flat(self, z: Tensor) -> Tensor:
        """`z` as `(batch, d)`, after the checks that a network needs."""
        as_points(z)
        if isinstance(self.f, nn.Module):
            parameter = next(iter(self.f.parameters()), None)
            if parameter is not None and parameter.dtype != z.dtype:
                raise ValueError(
                    f"z is {z.dtype} but the network's parameters are {parameter.dtype}: "
                    "use z.to(parameter.dtype), or network.double() for geometry in float64"
                )
            if any(
                module.training and isinstance(module, (_BatchNorm, _DropoutNd))
                for module in self.f.modules()
            ):
                raise ValueError(
                    "the network is in training mode, where dropout or batch normalisation make "
                    "its output random or dependent on the batch: call .eval() first"
                )
        return z.reshape(-1, z.shape[-1])

    def _decode(self, z: Tensor) -> Tensor:
        try:
            value = self.f(z)
        except (RuntimeError, IndexError) as error:
            raise ValueError(
                f"f fails at points of shape {tuple(z.shape)}: {error}. "
                "It must map any batch of points, (batch, d) to (batch, n)"
            ) from error
        if not isinstance(value, Tensor) or value.ndim < 2 or value.shape[0] != z.shape[0]:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f"f maps points of shape {tuple(z.shape)} to {shape}, but must keep the batch "
                "dimension, (batch, d) to (batch, n): write z[..., i] for the i-th coordinate, or "
                "wrap a function of one point in torch.vmap"
            )
        return value.flatten(1)

    def _check_finite(self, value: Tensor) -> None:
        # a finite sum has finite terms, and costs a tenth of looking at each of them
        if inside_transform(value) or torch.isfinite(value.sum()):
            return
        bad = ~torch.isfinite(value).all(-1)
        if bad.any():
            raise ValueError(
                f"f returned NaN or infinity at {int(bad.sum())} of {len(bad)} points: check "
                "its weights, and that the points lie where f is defined"
            )


class ExpectedMetric(PullbackMetric):
    r"""$\bar G(z) = J_\mu^\top J_\mu + J_\sigma^\top J_\sigma$: the mean metric of a noisy decoder.

    For $x = \mu(z) + \sigma(z) \odot \varepsilon$ with one draw of $\varepsilon \sim N(0, I)$ held
    fixed along the curve, $\bar G = \mathbb{E}_\varepsilon[J_x^\top J_x]$ exactly. It is also the
    pull-back of the Euclidean metric by $z \mapsto (\mu(z), \sigma(z))$, which is how it is
    computed here.

    Args:
        mean, std: maps `(batch, d)` to `(batch, n)`.

    Source: Arvanitidis, Hansen and Hauberg, *Latent Space Oddity* (ICLR 2018), theorem 1.

    >>> metric = ExpectedMetric(lambda z: 2 * z, lambda z: z**2)
    >>> metric.matrix(torch.ones(1, 1))
    tensor([[[8.]]])
    """

    def __init__(self, mean: Callable[[Tensor], Tensor], std: Callable[[Tensor], Tensor]):
        super().__init__(_SideBySide(mean, std))
        self.mean = mean
        self.std = std


class _SideBySide(nn.Module):
    """Two maps of one input, their outputs side by side."""

    def __init__(self, first: Callable[[Tensor], Tensor], second: Callable[[Tensor], Tensor]):
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([self.first(z).flatten(1), self.second(z).flatten(1)], dim=1)


def isometric_core(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    r"""A map with fewer outputs that pulls back the same metric and has the same chords.

    If a sequential network ends in $h \mapsto W h + b$ with more outputs than inputs, $W = QR$
    with orthonormal columns in $Q$, so $\|W \Delta h\| = \|R \Delta h\|$: keep $R$ alone.

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 99))
    >>> isometric_core(net)(torch.zeros(1, 2)).shape
    torch.Size([1, 3])
    """
    if isinstance(f, _SideBySide):
        return _SideBySide(isometric_core(f.first), isometric_core(f.second))
    if type(f) is not nn.Sequential or len(f) == 0 or type(f[-1]) is not nn.Linear:
        return f
    linear = f[-1]
    if linear.out_features <= linear.in_features:
        return f
    core = nn.Linear(
        linear.in_features, linear.in_features, bias=False, device="meta", dtype=linear.weight.dtype
    )
    core.weight = nn.Parameter(torch.linalg.qr(linear.weight.detach()).R, requires_grad=False)
    return nn.Sequential(*list(f)[:-1], core)
