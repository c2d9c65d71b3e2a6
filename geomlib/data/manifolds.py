"""Image manifolds whose parameters, topology and, where it is known, geometry can be written down.

Parameters are `(..., p)`, pictures rows of pixels `(..., side²)`. `render` is a smooth map in plain
PyTorch: metrics can be pulled back by it, as by a decoder.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["ImageManifold", "KleinBottlePatches", "PeriodicBlob", "RigidBody", "RotatingShape"]


class ImageManifold(ABC):
    r"""The image $M = g(P)$ of a smooth map $g$ from parameters to pictures.

    `symmetries` lists which parameters share a picture; apart from those $g$ is injective, so $M$
    is the parameter space with these points glued together.

    Attributes:
        name: what $M$ is, as a manifold.
        dimension: of $M$; not always the number of parameters.
        parameter_dim: $p$.
        betti: Betti numbers over the field $\mathbb{Z}/2$.
        rational_betti: Betti numbers over $\mathbb{Q}$. The two differ where there is torsion, as
            in the Klein bottle, which over $\mathbb{Z}/2$ cannot be told from the torus.
        orientable: whether $M$ can be oriented.

    Args:
        side: pixels along one side of the picture.
    """

    name: ClassVar[str]
    dimension: ClassVar[int]
    parameter_dim: ClassVar[int]
    betti: ClassVar[tuple[int, ...]]
    rational_betti: ClassVar[tuple[int, ...]]
    orientable: ClassVar[bool]
    smallest_side: ClassVar[int] = 8

    def __init__(self, side: int = 16):
        if side < self.smallest_side:
            raise ValueError(
                f"side = {side}, but {type(self).__name__} needs at least {self.smallest_side} "
                "pixels a side: with fewer, pictures of different parameters look alike"
            )
        self.side = side

    @property
    def data_dim(self) -> int:
        r"""$n = \text{side}^2$, the number of pixels."""
        return self.side**2

    def render(self, parameters: Float[Tensor, "*batch p"]) -> Float[Tensor, "*batch n"]:
        r"""The pictures $g(p)$ as rows of grey values, in the dtype of the parameters."""
        return self._draw(self._checked(parameters))

    def symmetries(self, parameters: Float[Tensor, "*batch p"]) -> Float[Tensor, "k *batch p"]:
        r"""Other parameters of the same pictures: one for each of `k` generators of the gluing."""
        return torch.stack(self._glued(self._checked(parameters)))

    def sample(
        self, count: int, seed: int = 0, noise: float = 0.0
    ) -> tuple[Float[Tensor, "count n"], Float[Tensor, "count p"]]:
        r"""Pictures of random parameters (uniform on the parameter space), and the parameters.

        Args:
            count: how many.
            seed: of parameters and noise.
            noise: standard deviation of Gaussian noise on each pixel, in grey values.

        Returns:
            Pictures and parameters, float32.
        """
        if count < 1 or noise < 0:
            raise ValueError(
                f"sample needs count >= 1 and noise >= 0, but got count={count}, noise={noise}"
            )
        generator = torch.Generator().manual_seed(seed)
        parameters = self._random(count, generator)
        images = self.render(parameters)
        return images + noise * torch.randn(images.shape, generator=generator), parameters

    @abstractmethod
    def _draw(self, parameters: Tensor) -> Tensor:
        """The pictures of parameters that have been checked."""

    @abstractmethod
    def _glued(self, parameters: Tensor) -> list[Tensor]:
        """The parameters moved by each generator of the gluing."""

    def _random(self, count: int, generator: torch.Generator) -> Tensor:
        return 2 * math.pi * torch.rand(count, self.parameter_dim, generator=generator)

    def _checked(self, parameters: Tensor) -> Tensor:
        wanted = f"parameters of {type(self).__name__} are (..., {self.parameter_dim})"
        if not isinstance(parameters, Tensor):
            raise TypeError(
                f"{wanted}, but a {type(parameters).__name__} was given: wrap it in "
                "torch.as_tensor(...)"
            )
        if parameters.ndim == 0 or parameters.shape[-1] != self.parameter_dim:
            raise ValueError(f"{wanted}, but the shape {tuple(parameters.shape)} was given")
        if not parameters.is_floating_point():
            raise ValueError(
                f"{wanted} and real, but they have dtype {parameters.dtype}: use .float()"
            )
        if _visible(parameters) and not parameters.isfinite().all():
            raise ValueError(f"{wanted}, but some are NaN or infinite")
        return parameters

    def __repr__(self) -> str:
        return f"{type(self).__name__}(side={self.side}): {self.name}, Betti {self.betti} over Z/2"


class RotatingShape(ImageManifold):
    r"""$I_\theta(x) = \sum_k a_k \exp(-|x - R_\theta c_k|^2 / 2s^2)$: a picture that turns.

    The shape is three round blobs without any symmetry, so its pictures form a circle. Turning is
    an isometry of the plane: with infinitely many pixels the curve would have the constant `speed`.
    On 16 pixels a side it is off by less than $10^{-3}$ of itself.

    The parameter is the angle $\theta$, in radians.

    >>> from geomlib.riemann import PullbackMetric
    >>> shape = RotatingShape(side=16)
    >>> angles = torch.linspace(0, 6, 5).double()[:, None]
    >>> speed = PullbackMetric(shape.render).matrix(angles).flatten().sqrt()
    >>> bool(((speed / shape.speed - 1).abs() < 1e-3).all())
    True
    """

    name = "the circle"
    dimension = parameter_dim = 1
    betti = rational_betti = (1, 1)
    orientable = True

    WIDTH = 0.15  # of a blob; the picture is [-1, 1]²
    CENTRES = ((0.45, 0.0), (-0.1, 0.3), (-0.25, -0.25))
    AMPLITUDES = (1.0, 0.7, 0.5)

    @property
    def speed(self) -> float:
        r"""$\|\partial_\theta I\|$ for infinitely many pixels, in grey values per radian.

        Two Gaussians whose centres, $\delta$ apart, move with velocities $u$ and $v$ contribute
        $\pi s^2 e^{-|\delta|^2/4s^2} \bigl(\tfrac{u\cdot v}{2s^2}
        - \tfrac{(u\cdot\delta)(v\cdot\delta)}{4s^4}\bigr)$ to the square, each by the area of a
        pixel.
        """
        c = torch.tensor(self.CENTRES).double()
        a = torch.tensor(self.AMPLITUDES).double()
        v = torch.stack([-c[:, 1], c[:, 0]], dim=1)
        delta = c[:, None] - c  # (k, k, 2)
        s2 = self.WIDTH**2
        first, second = (v[:, None] * delta).sum(-1), (v * delta).sum(-1)
        gram = v @ v.T / (2 * s2) - first * second / (4 * s2**2)
        gram = math.pi * s2 * (-delta.square().sum(-1) / (4 * s2)).exp() * gram
        return float((a @ gram @ a).sqrt()) * self.side / 2

    def _draw(self, parameters: Tensor) -> Tensor:
        c = parameters.new_tensor(self.CENTRES)
        cos, sin = parameters.cos(), parameters.sin()  # (..., 1)
        centres = torch.stack([cos * c[:, 0] - sin * c[:, 1], sin * c[:, 0] + cos * c[:, 1]], -1)
        return _blobs(centres, self.AMPLITUDES, self.WIDTH, self.side)

    def _glued(self, parameters: Tensor) -> list[Tensor]:
        return _turned(parameters)


class PeriodicBlob(ImageManifold):
    r"""$I_{uv}(x, y) = e^{\kappa(\cos(x - u) + \cos(y - v) - 2)}$: a blob on a periodic picture.

    What leaves the picture on the right comes back on the left, so the pictures form a torus. Its
    pull-back metric is flat: $G = \text{scale}^2 I$, up to an error that falls exponentially with
    the number of pixels.

    The parameters are the centre $(u, v)$, in radians, a side of the picture being $2\pi$.

    >>> from geomlib.riemann import PullbackMetric
    >>> torus = PeriodicBlob(side=16)
    >>> G = PullbackMetric(torus.render).matrix(torch.tensor([0.3, 2.0]).double())
    >>> torch.allclose(G, torus.scale**2 * torch.eye(2).double())
    True
    """

    name = "the torus"
    dimension = parameter_dim = 2
    betti = rational_betti = (1, 2, 1)
    orientable = True

    CONCENTRATION = 2.0

    @property
    def scale(self) -> float:
        r"""$\sqrt{G_{uu}}$, in grey values per radian.

        $G_{uu} = \tfrac{\kappa}{2}\, n\, e^{-4\kappa} I_0(2\kappa) I_1(2\kappa)$ with modified
        Bessel functions, the integral in place of the sum over the pixels.
        """
        kappa = torch.tensor(self.CONCENTRATION).double()
        scaled = torch.special.i0e(2 * kappa) * torch.special.i1e(2 * kappa)  # with e^{-4κ}
        return math.sqrt(kappa / 2 * self.data_dim * scaled)

    def _draw(self, parameters: Tensor) -> Tensor:
        line = torch.arange(self.side).to(parameters) * (2 * math.pi / self.side)
        rise = (line - parameters[..., None]).cos() - 1  # (..., 2, side)
        x, y = rise[..., 0, None, :], rise[..., 1, :, None]
        return (self.CONCENTRATION * (x + y)).exp().flatten(-2)

    def _glued(self, parameters: Tensor) -> list[Tensor]:
        return _turned(parameters)


class RigidBody(ImageManifold):
    r"""$I_q(x) = \sum_k a_k \exp(-|x - \Pi R_q c_k|^2 / 2s^2)$: shadows of a body in all attitudes.

    Four blobs in space, without symmetry and of different brightness, are turned by $R_q$ and
    projected along the third axis by $\Pi$. The picture shows two rows of $R_q$, and these
    determine the third: the pictures form a copy of $SO(3)$, which is the projective space
    $\mathbb{RP}^3$. Turns in the plane of the picture, $R_z(t) R_q$, are isometries of the
    pull-back metric (up to the pixels); other turns are not.

    The parameters are a quaternion $q \ne 0$, real part first, of any length: $R_q = R_{-q}$.

    >>> body = RigidBody(side=16)
    >>> q = torch.tensor([1.0, 2.0, 0.0, -1.0])
    >>> torch.equal(body.render(q), body.render(-q))
    True
    """

    name = "the rotation group SO(3)"
    dimension = 3
    parameter_dim = 4
    betti = (1, 1, 1, 1)
    rational_betti = (1, 0, 0, 1)
    orientable = True

    WIDTH = 0.18
    CENTRES = ((0.6, 0.0, 0.0), (-0.1, 0.5, 0.1), (-0.2, -0.3, 0.45), (0.0, -0.2, -0.55))
    AMPLITUDES = (1.0, 0.75, 0.55, 0.35)

    @staticmethod
    def rotation(q: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
        r"""$R_q$, the rotation $x \mapsto q x q^{-1}$ of a quaternion; $q$ need not be a unit.

        >>> turn = torch.tensor([1.0, 0.0, 0.0, 1.0])  # by 90° about the third axis
        >>> RigidBody.rotation(turn) @ torch.tensor([1.0, 0.0, 0.0])
        tensor([0., 1., 0.])
        """
        w, (a, b, c) = q[..., :1, None], q[..., 1:].unbind(-1)
        zero = torch.zeros_like(a)
        cross = torch.stack([zero, -c, b, c, zero, -a, -b, a, zero], -1).unflatten(-1, (3, 3))
        squared = q.square().sum(-1)[..., None, None]
        return torch.eye(3).to(q) + 2 * (w * cross + cross @ cross) / squared

    def _draw(self, parameters: Tensor) -> Tensor:
        if _visible(parameters) and (parameters == 0).all(-1).any():
            raise ValueError("the quaternion 0 is no rotation: give q != 0, e.g. (1, 0, 0, 0)")
        shadow = self.rotation(parameters)[..., :2, :]  # the rows that the picture shows
        centres = parameters.new_tensor(self.CENTRES) @ shadow.mT  # (..., k, 2)
        return _blobs(centres, self.AMPLITUDES, self.WIDTH, self.side)

    def _glued(self, parameters: Tensor) -> list[Tensor]:
        return [-parameters, 2 * parameters]

    def _random(self, count: int, generator: torch.Generator) -> Tensor:
        q = torch.randn(count, 4, generator=generator)
        return q / q.norm(dim=1, keepdim=True)


class KleinBottlePatches(ImageManifold):
    r"""$I_{\theta\varphi} = \cos\varphi\, t^2 + \sin\varphi\, t$, $t = x\cos\theta + y\sin\theta$.

    Patches of quadratic polynomials of one direction, less their mean: for $\varphi = \pi/2$ an
    edge, for $\varphi = 0$ a bar. Half a turn changes the sign of $t$, so
    $(\theta, \varphi) \sim (\theta + \pi, -\varphi)$, and the patches form a Klein bottle. Most
    high-contrast patches of natural photographs lie near it.

    The parameters are the angles $(\theta, \varphi)$, in radians.

    Source: Carlsson, Ishkhanov, de Silva and Zomorodian, *On the Local Behavior of Spaces of
    Natural Images* (IJCV 2008).

    >>> klein = KleinBottlePatches(side=5)
    >>> theta, phi = 0.7, 1.9
    >>> same = torch.tensor([[theta, phi], [theta + torch.pi, -phi]], dtype=torch.float64)
    >>> torch.allclose(*klein.render(same), rtol=0, atol=1e-12)
    True
    """

    name = "the Klein bottle"
    dimension = parameter_dim = 2
    betti = (1, 2, 1)
    rational_betti = (1, 1, 0)
    orientable = False
    smallest_side = 3

    def __init__(self, side: int = 8):
        super().__init__(side)

    def _draw(self, parameters: Tensor) -> Tensor:
        x, y = _pixels(self.side, parameters).unbind(-1)
        theta, phi = parameters[..., :1], parameters[..., 1:]
        t = theta.cos() * x + theta.sin() * y  # (..., n)
        patch = phi.cos() * t.square() + phi.sin() * t
        return patch - patch.mean(-1, keepdim=True)

    def _glued(self, parameters: Tensor) -> list[Tensor]:
        theta, phi = parameters.unbind(-1)
        return [torch.stack([theta + math.pi, -phi], dim=-1), *_turned(parameters)]


def _pixels(side: int, like: Tensor) -> Tensor:
    """The midpoints of the pixels of [-1, 1]², `(side², 2)`; y is the row."""
    line = (2 * torch.arange(side) + 1 - side).to(like) / side
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1).flatten(0, 1)


def _blobs(centres: Tensor, amplitudes: tuple[float, ...], width: float, side: int) -> Tensor:
    """Round Gaussian blobs at `(..., k, 2)`, drawn as `(..., side²)`."""
    away = _pixels(side, centres)[:, None] - centres[..., None, :, :]  # (..., side², k, 2)
    heights = (-away.square().sum(-1) / (2 * width**2)).exp()
    return heights @ centres.new_tensor(amplitudes)


def _turned(parameters: Tensor) -> list[Tensor]:
    """The angles with a full turn added to one at a time."""
    turns = 2 * math.pi * torch.eye(parameters.shape[-1]).to(parameters)
    return [parameters + turn for turn in turns]


def _visible(tensor: Tensor) -> bool:
    """Whether values can be looked at: not inside `torch.func.vmap` or `jvp`."""
    return not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
