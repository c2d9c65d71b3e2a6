r"""The metric that a map pulls back from its target, and what a decoder's noise adds to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geomlib.riemann.boundary import EnergyModel
from geomlib.riemann.derivatives import value_and_jacobian
from geomlib.riemann.kinks import kinked, no_second_derivatives
from geomlib.riemann.layers import SideBySide, Taylor, is_plain, linearise, taylor
from geomlib.riemann.metric import Metric, raise_index
from geomlib.riemann.twice import call, wrong_twice
from geomlib.riemann.validation import (
    as_points,
    as_rows,
    check_network,
    inside_transform,
    together,
)

__all__ = ["ExpectedMetric", "PullbackMetric"]


class PullbackMetric(Metric):
    r"""$G(z) = J_f(z)^\top A(f(z))\, J_f(z)$: the metric that a map $f$ pulls back.

    Args:
        f: any differentiable map `(batch, d)` to `(batch, n)`: a decoder, a function, a
            `SmoothMap.to_torch()`. Further output dimensions (images) are flattened.
        ambient: a metric $A$ on $\mathbb{R}^n$; Euclidean ($A = I$) if there is none.
        chunk_size: at most so many points go through $f$ at once; the rest waits. Lower it for a
            network whose activations fill the memory.

    Raises:
        TypeError: if $f$ cannot be called.
        ValueError: at the first call, if points and network differ in dtype or device, the network
            is in training mode with dropout or batch normalisation, the output is no single real
            tensor in the dtype of the points (a tuple, a distribution), is not finite or has no
            batch dimension. Of a network that a function hides, the mode cannot be seen.

    $f$ maps each point by itself, in batches of any size. Weights may be frozen, the network
    compiled (`torch.compile`), and gradients switched off around a call. Only first derivatives are
    needed for `matrix`, `inner`, `norm`, `volume`, `geodesic` and `distance`, so these take
    networks with kinks (ReLU) too; all that rests on `connection` needs a smooth one. For curvature
    and `log`, and where $G$ is nearly singular, take points and network in float64.

    For a decoder that returns more than a tensor, name what is to be measured:
    `PullbackMetric(lambda z: decoder(z)[0])`. A function on single points becomes one on batches by
    `torch.vmap`.

    $G$ is positive definite only where $J_f$ has full column rank; no ridge is added to hide it.

    Source: do Carmo, *Riemannian Geometry*, chapter 1, example 2.5; for decoders Shao, Kumar and
    Fletcher (2018).

    >>> parabola = PullbackMetric(lambda z: torch.cat([z, z**2], dim=-1))
    >>> parabola.matrix(torch.tensor([[0.0], [1.0]])).flatten()
    tensor([1., 5.])
    >>> a, b = torch.tensor([[-1.0]]).double(), torch.tensor([[1.0]]).double()
    >>> round(parabola.distance(a, b).item(), 6)
    2.957886
    """

    def __init__(
        self,
        f: Callable[[Tensor], Tensor],
        ambient: Metric | None = None,
        *,
        chunk_size: int = Metric.chunk_size,
    ):
        if not callable(f):
            raise TypeError(f"f must be a map of points, but a {type(f).__name__} was given")
        if chunk_size < 1:
            raise ValueError(f"chunk_size={chunk_size}, but at least one point must go through f")
        self.f = f
        self.ambient = ambient
        self.chunk_size = chunk_size
        self._twice_wrong = wrong_twice(f)  # operations that a script hides

    def matrix(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d d"]:
        parts = [self._matrices(part) for part in self._flat(z).split(self.chunk_size)]
        return torch.cat(parts).reshape(*z.shape, z.shape[-1])

    def inner(
        self,
        z: Float[Tensor, "*batch d"],
        u: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
    ) -> Float[Tensor, "*batch"]:
        r"""$\langle J u, J v\rangle$: push both vectors forward, then measure them there."""
        same = u is v
        shape, flat = together(z=z, u=u, v=v)
        check_network(self.f, flat[0])
        parts = (tensor.split(self.chunk_size) for tensor in flat[: 2 if same else 3])
        return torch.cat([self._inner(*part) for part in zip(*parts, strict=True)]).reshape(shape)

    def squared_chords(self, points: Float[Tensor, "*batch N+1 d"]) -> Float[Tensor, "*batch N"]:
        r"""Squared chords between $f(z_{i-1})$ and $f(z_i)$: those of the target's metric.

        $\|f(z_i) - f(z_{i-1})\|^2$ in a Euclidean target.
        """
        check_network(self.f, as_points(points, "points"))
        flat = points.reshape(-1, *points.shape[-2:])
        curves = max(1, self.chunk_size // flat.shape[1])
        parts = [self._chords(part) for part in flat.split(curves)]
        return torch.cat(parts).reshape(*points.shape[:-2], points.shape[-2] - 1)

    def energy_model(self, points: Float[Tensor, "P N+1 d"]) -> EnergyModel:
        r"""For chords $x_{i+1} - x_i$, $x_i = f(z_i)$, and $w_i = 2x_i - x_{i-1} - x_{i+1}$:

        gradient $N J_i^\top w_i$, blocks $N(2 J_i^\top J_i + \partial_z (J^\top w_i))$ on the
        diagonal and $-N J_i^\top J_{i+1}$ beside it. Dropping $\partial_z(J^\top w_i)$, with $w_i$
        held fixed, gives Gauss-Newton.
        """
        if self.ambient is not None:
            return super().energy_model(points)
        count = points.shape[1] - 1
        flat = points.flatten(0, 1)
        check_network(self.f, flat)
        value, first, hessian = linearise(self._layers_or_call(), flat)
        jacobian = first.movedim(0, -1).unflatten(0, points.shape[:2])[:, 1:-1]  # (P, N-1, n, d)
        value = value.unflatten(0, points.shape[:2])  # (P, N+1, n)
        chord = value[:, 1:] - value[:, :-1]
        bend = chord[:, :-1] - chord[:, 1:]  # w, (P, N-1, n)
        gradient = torch.einsum("pmnd,pmn->pmd", jacobian, bend)
        weights = torch.nn.functional.pad(bend, (0, 0, 1, 1))  # the ends do not move
        second = hessian(weights.flatten(0, 1)).unflatten(0, points.shape[:2])[:, 1:-1]
        rounded = torch.finfo(value.dtype).eps * value.norm(dim=-1).amax(-1)  # of one x_i
        diagonal = 2 * count * jacobian.mT @ jacobian
        upper = -count * jacobian[:, :-1].mT @ jacobian[:, 1:]
        return EnergyModel(
            energy=count / 2 * chord.square().sum((1, 2)),
            gradient=count * gradient,
            diagonal=diagonal,
            upper=upper,
            diagonal_newton=diagonal + count * second,
            upper_newton=upper,
            rounding=(count * rounded) ** 2,
        )

    def connection(
        self,
        z: Float[Tensor, "*batch d"],
        u: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
    ) -> Float[Tensor, "*batch d"]:
        r"""$\Gamma(u, v) = G^{-1} J^\top A\,(f''(u, v) + \Gamma^A(Ju, Jv))$.

        With a Euclidean target $\Gamma^A = 0$: the tangential part of one second directional
        derivative, and no derivative of $G$.
        """
        shape, flat = together(z=z, u=u, v=v)
        check_network(self.f, flat[0])
        parts = zip(*(tensor.split(self.chunk_size) for tensor in flat), strict=True)
        return torch.cat([self._second(z, (u, v)).tangential[..., 0] for z, u, v in parts]).reshape(
            *shape, z.shape[-1]
        )

    def connection_matrix(
        self, z: Float[Tensor, "*batch d"], u: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch d d"]:
        r"""The matrix of $v \mapsto \Gamma(u, v)$, from one look at $f$ to second order."""
        shape, flat = together(z=z, u=u)
        check_network(self.f, flat[0])
        parts = []
        for at, along in zip(*(tensor.split(self.chunk_size) for tensor in flat), strict=True):
            basis = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
            pairs = [(along, e.expand_as(at)) for e in basis]
            parts.append(self._second(at, *pairs).tangential)
        return torch.cat(parts).reshape(*shape, z.shape[-1], z.shape[-1])

    def riemann(
        self,
        z: Float[Tensor, "*batch d"],
        u: Float[Tensor, "*batch d"],
        v: Float[Tensor, "*batch d"],
    ) -> Float[Tensor, "*batch"]:
        r"""$\langle R(u, v)v, u\rangle$ by the Gauss equation.

        $$\langle R(u,v)v, u\rangle = \langle R^A(Ju,Jv)Jv, Ju\rangle
        + \langle II(u,u), II(v,v)\rangle - \|II(u,v)\|^2$$

        with $II(u, v)$ the part of $f''(u, v)$ (plus $\Gamma^A(Ju, Jv)$) normal to the image. The
        first term is the curvature of the target: 0 if it is Euclidean.

        Source: do Carmo, *Riemannian Geometry*, chapter 6, theorem 2.5.
        """
        shape, flat = together(z=z, u=u, v=v)
        check_network(self.f, flat[0])
        self.check_smooth(flat[0])
        parts = zip(*(tensor.split(self.chunk_size) for tensor in flat), strict=True)
        return torch.cat([self._gauss(*part) for part in parts]).reshape(shape)

    def jacobi_slopes(
        self, z: Tensor, v: Tensor, fields: Tensor, changes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        r"""As `Metric.jacobi_slopes`, with $\tfrac{D}{dt} J$ for `changes`: no third derivatives.

        Jacobi's equation is $\tfrac{D^2}{dt^2} J = -R(J, \gamma')\gamma'$, and the Gauss equation
        gives $\langle R(J, v)v, w\rangle = \langle II(J, w), II(v, v)\rangle
        - \langle II(J, v), II(v, w)\rangle$.

        Source: do Carmo, chapter 5, equation (1), and chapter 6, theorem 2.5.
        """
        if self.ambient is not None:
            return super().jacobi_slopes(z, v, fields, changes)
        parts = zip(z.split(self.chunk_size), v.split(self.chunk_size), strict=True)
        found = zip(*(self._tide(*part) for part in parts), strict=True)
        gamma, tide = (torch.cat(matrices) for matrices in found)

        def apply(matrix: Tensor, vectors: Tensor) -> Tensor:
            return (matrix @ vectors[..., None])[..., 0]

        slopes = -apply(tide, fields) - apply(gamma, changes)
        return -apply(gamma, v), changes - apply(gamma, fields), slopes

    def _tide(self, z: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        r"""The matrices of $w \mapsto \Gamma(v, w)$ and $w \mapsto R(w, v)v$, `(B, d, d)`."""
        d = z.shape[-1]
        basis = torch.eye(d, dtype=z.dtype, device=z.device)[:, None].expand(-1, *z.shape)
        i, j = torch.triu_indices(d, d, device=z.device)
        at = self._second(z, *zip(basis[i], basis[j], strict=True))
        number = torch.zeros(d, d, dtype=torch.long, device=z.device)
        number[i, j] = number[j, i] = torch.arange(len(i), device=z.device)
        symbols, second = at.tangential[..., number], at.normal[..., number]
        gamma = torch.einsum("bkij,bi->bkj", symbols, v)
        bend = torch.einsum("bnij,bi->bnj", second, v)  # II(v, e_j)
        straight = torch.einsum("bnj,bj->bn", bend, v)
        lowered = torch.einsum("bnij,bn->bij", second, straight) - bend.mT @ bend
        return gamma, raise_index(at.matrix, lowered)

    def folded(self) -> PullbackMetric:
        r"""The same metric with a linear last layer folded: fewer outputs, equal lengths.

        If the map is a sequential network that ends in $h \mapsto Wh + b$ with more outputs than
        inputs, $W = QR$ and $\|W \Delta h\| = \|R \Delta h\|$: $R$ takes the place of $W$. Exact,
        and a fraction of the work. It is a snapshot: fold again after the weights have changed.
        """
        if self.ambient is not None:
            return self
        return PullbackMetric(isometric_core(self.f), chunk_size=self.chunk_size)

    def check_smooth(self, z: Float[Tensor, "batch d"]) -> None:
        """Raise a `ValueError` for a map with kinks (ReLU), here or in the ambient metric."""
        if self.ambient is not None:
            self.ambient.check_smooth(self._decode(z))
        name = kinked(self.f, z[:0])  # by its layers
        if name is None and self._is_piecewise_linear(z):
            name = "a piecewise linear activation"
        name = name or kinked(self.f, z)
        if name is not None:
            raise no_second_derivatives(name)

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
        if self.ambient is None:
            parts = (part.movedim(0, 1) for part in self._tangents(z))  # (B, d, n)
            return sum(columns @ columns.mT for columns in parts)  # type: ignore[return-value]
        value, first, _ = self._taylor(z)
        jacobian = first.movedim(0, -1)
        return jacobian.mT @ self.ambient.lower(value, jacobian)

    def _chords(self, points: Tensor) -> Tensor:
        value = self._decode(points.flatten(0, 1))
        self._check_finite(value)
        value = value.unflatten(0, points.shape[:2])
        if self.ambient is not None:
            return self.ambient.squared_chords(value)
        return (value[:, 1:] - value[:, :-1]).square().sum(-1)

    def _tangents(self, z: Tensor) -> list[Tensor]:
        r"""$\partial_i f$, `(d, B, n)`, in one piece or two: some of the outputs, then the others.

        Of a linear last layer, the tangents alone. That of `folded` is triangular, so the lower
        half of its outputs does not see the first half of its inputs.
        """
        layers: Any = self.f if is_plain(self.f, nn.Sequential) else ()
        if len(layers) < 2 or not is_plain(layers[-1], nn.Linear):
            return [self._taylor(z).first]
        last = layers[-1]
        at = PullbackMetric(layers[:-1])._taylor(z)
        if at.value.shape[-1] != last.in_features:  # it works on rows, or something is wrong
            return [self._taylor(z).first]
        if getattr(last, "upper_triangular", False):
            half = last.in_features // 2
            upper, lower = last.weight[:half], last.weight[half:, half:]
            pushed = [at.first @ upper.mT, at.first[..., half:] @ lower.mT]
        else:
            pushed = [at.first @ last.weight.mT]
        bias = 0 if last.bias is None else last.bias.sum()
        total = bias + sum(part[:, :1].sum() for part in pushed)
        if not inside_transform(total) and not torch.isfinite(total):
            self._check_finite(self._decode(z))
        return pushed

    def _inner(self, z: Tensor, *vectors: Tensor) -> Tensor:
        pushed = [torch.func.jvp(self._decode, (z,), (vector,)) for vector in vectors]
        value, left, right = pushed[0][0], pushed[0][1], pushed[-1][1]
        self._check_finite(value)
        if self.ambient is not None:
            return self.ambient.inner(value, left, right)
        return (left * right).sum(-1)

    def _second(self, z: Tensor, *pairs: tuple[Tensor, Tensor]) -> _SecondOrder:
        if self._twice_wrong:
            raise ValueError(
                f"the network was scripted or traced with {', '.join(self._twice_wrong)}, which "
                "PyTorch differentiates wrongly a second time: hand over the network itself, "
                "before torch.jit"
            )
        u, v = (torch.stack(vectors) for vectors in zip(*pairs, strict=True))
        value, first, second = self._taylor(z, u, v)
        jacobian, bend = first.movedim(0, -1), second.movedim(0, -1)  # (B, n, d), (B, n, p)
        lowered = jacobian
        if self.ambient is not None:
            pushed = [[torch.einsum("bnd,bd->bn", jacobian, w) for w in pair] for pair in pairs]
            extra = [self.ambient.connection(value, *pair) for pair in pushed]
            bend = bend + torch.stack(extra, dim=-1)
            lowered = self.ambient.lower(value, jacobian)
        matrix = jacobian.mT @ lowered
        tangential = raise_index(matrix, lowered.mT @ bend)
        return _SecondOrder(value, matrix, tangential, bend - jacobian @ tangential, jacobian)

    def _gauss(self, z: Tensor, u: Tensor, v: Tensor) -> Tensor:
        at = self._second(z, (u, u), (v, v), (u, v))
        if self.ambient is None:
            product = at.normal.mT @ at.normal  # (B, 3, 3)
            target = torch.zeros_like(product[..., 0, 0])
        else:
            product = at.normal.mT @ self.ambient.lower(at.value, at.normal)
            pushed = (torch.einsum("bnd,bd->bn", at.jacobian, w) for w in (u, v))
            target = self.ambient.riemann(at.value, *pushed)
        return target + product[..., 0, 1] - product[..., 2, 2]

    def _taylor(self, z: Tensor, u: Tensor | None = None, v: Tensor | None = None) -> Taylor:
        try:
            at = taylor(self._layers_or_call(), z, u, v)
        except NotImplementedError as error:
            raise _no_forward_mode(error) from error
        except (RuntimeError, LookupError, AttributeError, TypeError):
            self._decode(z)  # says what is wrong with f
            raise
        if at.value.shape[0] != z.shape[0] or at.value.dtype != z.dtype:
            self._decode(z)
        self._check_finite(at.value)
        return at

    def _layers_or_call(self) -> Callable[[Tensor], Tensor]:
        """The network itself if it can be taken apart into layers, else `_decode`."""
        return self.f if isinstance(self.f, (nn.Sequential, SideBySide)) else self._decode

    def _flat(self, z: Tensor) -> Tensor:
        """`z` as `(batch, d)`, after the checks that a network needs."""
        z = as_points(z)
        check_network(self.f, z)
        return z.reshape(-1, z.shape[-1])

    def _decode(self, z: Tensor) -> Tensor:
        try:
            value = call(self.f, z)
        except NotImplementedError as error:
            raise _no_forward_mode(error) from error
        except (RuntimeError, IndexError) as error:
            raise ValueError(
                f"f fails at points of shape {tuple(z.shape)}: {error}. "
                "It must map any batch of points, (batch, d) to (batch, n), each by itself and "
                "without chance: call .eval() on a network inside"
            ) from error
        return as_rows(value, z)

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


def _no_forward_mode(error: NotImplementedError) -> ValueError:
    return ValueError(
        f"PyTorch cannot differentiate f in forward mode: {error}. Write that operation in "
        "elementary ones. Attention can be differentiated after "
        "torch.backends.mha.set_fastpath_enabled(False), inside "
        "torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)"
    )


class _SecondOrder(NamedTuple):
    r"""What one look at $f$ to second order gives, for $p$ pairs $(u, v)$ at `B` points.

    `value` $f(z)$, `matrix` $G$, `tangential` $\Gamma(u, v)$ `(B, d, p)`, `normal` $II(u, v)$
    `(B, n, p)`, `jacobian` `(B, n, d)`.
    """

    value: Tensor
    matrix: Tensor
    tangential: Tensor
    normal: Tensor
    jacobian: Tensor


class ExpectedMetric(PullbackMetric):
    r"""$\bar G(z) = J_\mu^\top J_\mu + J_\sigma^\top J_\sigma$: the mean metric of a noisy decoder.

    For $x = \mu(z) + \sigma(z) \odot \varepsilon$ with one draw of $\varepsilon \sim N(0, I)$ held
    fixed along the curve, $\bar G = \mathbb{E}_\varepsilon[J_x^\top J_x]$ exactly. It is also the
    pull-back of the Euclidean metric by $z \mapsto (\mu(z), \sigma(z))$, which is how it is
    computed here.

    Args:
        mean, std: maps `(batch, d)` to `(batch, n)`, as $f$ of a `PullbackMetric`; `std` in the
            units of the outputs, not their squares.

    Source: Arvanitidis, Hansen and Hauberg, *Latent Space Oddity* (ICLR 2018).

    >>> metric = ExpectedMetric(lambda z: 2 * z, lambda z: z**2)
    >>> metric.matrix(torch.ones(1, 1))
    tensor([[[8.]]])
    """

    def __init__(self, mean: Callable[[Tensor], Tensor], std: Callable[[Tensor], Tensor]):
        super().__init__(SideBySide(mean, std))
        self.mean = mean
        self.std = std


def isometric_core(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    r"""A map with fewer outputs that pulls back the same metric and has the same chords.

    If a sequential network ends in $h \mapsto W h + b$ with more outputs than inputs, $W = QR$
    with orthonormal columns in $Q$, so $\|W \Delta h\| = \|R \Delta h\|$: keep $R$ alone.

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 99))
    >>> isometric_core(net)(torch.zeros(1, 2)).shape
    torch.Size([1, 3])
    """
    if isinstance(f, SideBySide) and is_plain(f, SideBySide):
        return SideBySide(isometric_core(f.first), isometric_core(f.second))
    if not is_plain(f, nn.Sequential):
        return f
    layers: Any = f
    if len(layers) == 0 or not is_plain(layers[-1], nn.Linear):
        return f
    linear = layers[-1]
    if linear.out_features <= linear.in_features:
        return f
    core = nn.Linear(linear.in_features, linear.in_features, bias=False, device="meta")
    del core.weight  # R takes its place, and keeps its dependence on W
    core.weight = torch.linalg.qr(linear.weight).R
    core.upper_triangular = True  # type: ignore[assignment]
    return nn.Sequential(*layers[:-1], core)
