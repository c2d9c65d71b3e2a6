r"""Flow matching on the unit sphere: $x_t = \exp_{x_1}(\kappa(t)\log_{x_1} x_0)$, $\kappa = 1 - t$.

A flow that is learned, trained and sampled without leaving the sphere. $\exp$ and $\log$ are known
in closed form there, so no differential equation is solved while training.

Source: Chen and Lipman, *Flow Matching on General Geometries* (ICLR 2024), section 3.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geomlib.models.perceptron import perceptron
from geomlib.models.training import fit, seeded
from geomlib.models.validation import check_data, check_sizes, check_width
from geomlib.riemann.derivatives import root
from geomlib.riemann.validation import as_points, broadcast, inside_transform, same_kind

__all__ = ["SphereFlow", "geodesic_interpolant", "sphere_exp", "sphere_log"]


def sphere_exp(x: Float[Tensor, "*batch n"], v: Float[Tensor, "*batch n"]) -> Tensor:
    r"""$\exp_x v = \cos|v|\,x + \sin|v|\,v/|v|$ on the unit sphere in $\mathbb{R}^n$.

    Args:
        x: unit vectors.
        v: tangent at `x`, $\langle x, v\rangle = 0$.

    Raises:
        ValueError: if `x` is off the sphere, `v` is not tangent, or they do not fit together.

    >>> east, north = torch.eye(3, dtype=torch.float64)[[0, 2]]
    >>> sphere_exp(east, torch.pi / 2 * north).round(decimals=12)
    tensor([0., 0., 1.], dtype=torch.float64)
    """
    x, v = _pair("x", x, "v", v)
    _check_unit("x", x)
    _check_tangent(x, v)
    length = root((v * v).sum(-1, keepdim=True))
    return length.cos() * x + torch.sinc(length / torch.pi) * v


def sphere_log(x: Float[Tensor, "*batch n"], y: Float[Tensor, "*batch n"]) -> Tensor:
    r"""$\log_x y = \alpha\,w/|w|$ with $w = y - \langle x, y\rangle x$ and $\alpha$ the angle
    between $x$ and $y$: the velocity at $x$ of the shortest geodesic that is at $y$ at time 1.

    Args:
        x, y: unit vectors.

    Raises:
        ValueError: if a point is off the sphere, the two do not fit together, or a pair is
            antipodal: then all great half-circles are equally short, and there is no one log.

    >>> east, north = torch.eye(3, dtype=torch.float64)[[0, 2]]
    >>> sphere_log(east, north)
    tensor([0.0000, 0.0000, 1.5708], dtype=torch.float64)
    """
    x, y = _pair("x", x, "y", y)
    _check_unit("x", x)
    _check_unit("y", y)
    cosine = (x * y).sum(-1, keepdim=True)
    w = y - cosine * x
    sine = root((w * w).sum(-1, keepdim=True))
    if not inside_transform(x):
        antipodal = (cosine < 0) & (sine < 10 * torch.finfo(x.dtype).eps)
        if antipodal.any():
            raise ValueError(
                f"{int(antipodal.sum())} of the {antipodal.numel()} pairs are antipodal: every "
                "great half-circle between them is shortest, so the log is not defined. Move one "
                "point a little, or draw it anew"
            )
    zero = sine == 0
    ratio = torch.atan2(sine, cosine) / torch.where(zero, 1.0, sine)
    return torch.where(zero, 1.0, ratio) * w


def geodesic_interpolant(
    x0: Float[Tensor, "*batch n"], x1: Float[Tensor, "*batch n"], t: Float[Tensor, "*batch"]
) -> tuple[Float[Tensor, "*batch n"], Float[Tensor, "*batch n"]]:
    r"""$x_t = \exp_{x_1}((1 - t)\log_{x_1} x_0)$ and its velocity $\dot x_t$.

    $x_t$ runs along the geodesic from $x_0$ to $x_1$ with the constant speed $d(x_0, x_1)$, and
    $\dot x_t = \log_{x_t}(x_1)/(1 - t)$ for $t < 1$. The velocity returned is the derivative of
    the closed form, which has no division by $1 - t$.

    Args:
        x0, x1: unit vectors, not antipodal.
        t: times, one for each pair.

    Raises:
        ValueError: as `sphere_log`; if the times are not finite, of another dtype, or do not fit.

    Source: Chen and Lipman (ICLR 2024), section 3.2.

    >>> east, north = torch.eye(3, dtype=torch.float64)[[0, 2]]
    >>> x, velocity = geodesic_interpolant(east, north, torch.tensor(0.5, dtype=torch.float64))
    >>> x, velocity.norm()
    (tensor([0.7071, 0.0000, 0.7071], dtype=torch.float64), tensor(1.5708, dtype=torch.float64))
    """
    v = sphere_log(x1, x0)
    rest = 1 - as_points(t[..., None], "t")
    same_kind("x0", x0[..., :1], "t", rest)
    v, x1, rest = broadcast(v=v, x1=x1, rest=rest)
    length = root((v * v).sum(-1, keepdim=True))
    x = sphere_exp(x1, rest * v)
    velocity = length * (rest * length).sin() * x1 - (rest * length).cos() * v
    return x, velocity


class SphereFlow(nn.Module):
    r"""$\dot x = u_\theta(x, t) = (I - xx^\top)\,\mathrm{net}(x, t)$: a flow on the unit sphere.

    It carries the uniform distribution at time 0 to that of the data at time 1. The network may
    return any vector; its projection is tangent, so the flow cannot leave the sphere.

    Attributes:
        network: `(..., n + 1)` to `(..., n)`, of point and time.

    Args:
        data_dim: $n$, so that the data lie on $S^{n-1} \subset \mathbb{R}^n$.
        hidden: width of the two hidden layers.
        seed: of the initial weights.

    Source: Chen and Lipman (ICLR 2024), section 3.

    >>> flow = SphereFlow(data_dim=3).double()
    >>> x = flow.sample(4, steps=10)
    >>> bool(torch.allclose(x.norm(dim=-1), torch.ones(4).double(), atol=1e-12))
    True
    """

    def __init__(self, data_dim: int = 3, hidden: int = 64, seed: int = 0):
        check_sizes(data_dim=data_dim, hidden=hidden)
        if data_dim < 2:
            raise ValueError(f"data_dim = {data_dim}, but a sphere of dimension 1 needs 2 or more")
        super().__init__()
        self.data_dim = data_dim
        with seeded(seed):
            self.network = perceptron(data_dim + 1, hidden, hidden, data_dim)

    def velocity(
        self, x: Float[Tensor, "*batch n"], t: Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch n"]:
        r"""$u_\theta(x, t)$, tangent at `x`."""
        check_width(x, self.data_dim)
        raw = self.network(torch.cat([x, t[..., None].expand(*x.shape[:-1], 1)], dim=-1))
        unit = x / x.norm(dim=-1, keepdim=True)  # or rounding off the sphere could grow
        return raw - (raw * unit).sum(-1, keepdim=True) * unit

    def loss(self, x1: Float[Tensor, "batch n"]) -> Float[Tensor, ""]:
        r"""$\mathbb{E}\,\|u_\theta(x_t, t) - \dot x_t\|^2$ over uniform $t$ and $x_0$."""
        x0 = uniform_on_sphere(x1)
        t = torch.rand_like(x1[:, 0])
        x, target = geodesic_interpolant(x0, x1, t)
        return (self.velocity(x, t) - target).square().sum(-1).mean()

    def fit(self, x: Float[Tensor, "count n"], **options: Any) -> list[float]:
        """Train on unit vectors; options as in `geomlib.models.fit`.

        Raises:
            ValueError: if the data have another width or dtype, are not finite or off the sphere.
        """
        check_data(x, self.data_dim, self)
        _check_unit("x", x)
        return fit(self.parameters(), self.loss, x, **{"description": "sphere flow", **options})

    @torch.no_grad()
    def transport(
        self, x: Float[Tensor, "batch n"], *, steps: int = 50
    ) -> Float[Tensor, "steps+1 batch n"]:
        r"""The way of points `x` from time 0 to 1, by $x \leftarrow \exp_x(u_\theta(x, t)/N)$.

        Raises:
            ValueError: if `steps` is not positive, or `x` does not lie on this sphere.
        """
        check_sizes(steps=steps)
        check_data(x, self.data_dim, self)
        _check_unit("x", x)
        way = [x]
        for step in range(steps):
            time = torch.full_like(x[..., 0], step / steps)
            way.append(sphere_exp(way[-1], self.velocity(way[-1], time) / steps))
        return torch.stack(way)

    def sample(self, count: int, *, steps: int = 50, seed: int = 0) -> Float[Tensor, "count n"]:
        """Points from the model: uniform ones, transported to time 1."""
        check_sizes(count=count)
        with seeded(seed):
            weight = next(self.parameters())
            start = uniform_on_sphere(weight.new_empty(count, self.data_dim))
        return self.transport(start, steps=steps)[-1]


def uniform_on_sphere(like: Tensor) -> Tensor:
    """Uniform unit vectors, in the shape, dtype and device of `like`."""
    x = torch.randn_like(like)
    return x / x.norm(dim=-1, keepdim=True)


def _pair(name_a: str, a: Tensor, name_b: str, b: Tensor) -> tuple[Tensor, Tensor]:
    same_kind(name_a, as_points(a, name_a), name_b, as_points(b, name_b))
    first, second = broadcast(**{name_a: a, name_b: b})
    return first, second


def _check_unit(name: str, x: Tensor) -> None:
    if inside_transform(x):
        return
    off = (x.norm(dim=-1) - 1).abs()
    if (off > torch.finfo(x.dtype).eps ** 0.5).any():
        raise ValueError(
            f"{name} leaves the unit sphere by up to {off.max():.2g}: divide it by its norm, "
            f"{name} / {name}.norm(dim=-1, keepdim=True)"
        )


def _check_tangent(x: Tensor, v: Tensor) -> None:
    if inside_transform(v):
        return
    radial = (x * v).sum(-1).abs()
    if (radial > torch.finfo(x.dtype).eps ** 0.5 * (1 + v.norm(dim=-1))).any():
        raise ValueError(
            f"v is not tangent at x, <x, v> is up to {radial.max():.2g}: project it first, "
            "v - (x * v).sum(-1, keepdim=True) * x"
        )
