"""Circles, spheres and a torus of images, with their tangent spaces."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["circle_points", "sphere_in", "sphere_tangents", "torus_images", "torus_tangents"]


def circle_points(
    count: int, dim: int = 2, seed: int = 0
) -> tuple[Float[Tensor, "count dim"], Float[Tensor, "dim 2"]]:
    r"""Points $Qu$ with $u$ uniform on the unit circle and $Q \in \mathbb{R}^{n \times 2}$
    orthonormal.

    Returns:
        The points and the frame $Q$, float32.

    >>> x, frame = circle_points(100)
    >>> x.shape, frame.shape
    (torch.Size([100, 2]), torch.Size([2, 2]))
    """
    return _round(count, 2, dim, seed)


def sphere_in(
    dim: int = 8, count: int = 1000, seed: int = 0
) -> tuple[Float[Tensor, "count dim"], Float[Tensor, "dim 3"]]:
    r"""Points $Qu$ with $u$ uniform on $S^2$ and $Q \in \mathbb{R}^{n \times 3}$ orthonormal: the
    unit sphere in some three-dimensional subspace of $\mathbb{R}^n$.

    Returns:
        The points and the frame $Q$, float32; `sphere_tangents(x, frame)` spans the tangent spaces.

    >>> x, frame = sphere_in(8, 100)
    >>> x.shape, frame.shape
    (torch.Size([100, 8]), torch.Size([8, 3]))
    """
    return _round(count, 3, dim, seed)


def sphere_tangents(
    x: Float[Tensor, "*batch n"], frame: Float[Tensor, "n m"]
) -> Float[Tensor, "*batch n d"]:
    r"""An orthonormal basis of the tangent space of the sphere $Q S^d$, $d = m - 1$, at the point
    nearest to x.

    The last d columns of $Q H$, with the Householder reflection $H$ that takes $e_1$ to
    $\mp Q^\top x/|Q^\top x|$.

    Raises:
        ValueError: if x and the frame do not fit, or some $Q^\top x = 0$: then all points are
            equally near.

    >>> x, frame = sphere_in(8, 100)
    >>> tangents = sphere_tangents(x, frame)
    >>> tangents.shape, bool((x[:, None] @ tangents).abs().max() < 1e-6)
    (torch.Size([100, 8, 2]), True)
    """
    if frame.ndim != 2 or x.shape[-1:] != frame.shape[:1] or x.dtype != frame.dtype:
        raise ValueError(
            f"x is {tuple(x.shape)} {x.dtype} and frame {tuple(frame.shape)} {frame.dtype}, but "
            "(..., n) and (n, m) of one dtype are needed"
        )
    inside = x @ frame
    length = inside.norm(dim=-1, keepdim=True)
    if not (length > 0).all():
        raise ValueError("a point has no nearest point on the sphere: its projection is 0 or NaN")
    w = inside / length
    # away from the nearer pole, so that nothing cancels
    w = torch.cat([w[..., :1] + torch.where(w[..., :1] < 0, -1.0, 1.0), w[..., 1:]], dim=-1)
    w = w / w.norm(dim=-1, keepdim=True)
    eye = torch.eye(frame.shape[1], dtype=x.dtype, device=x.device)
    return frame @ (eye - 2 * w[..., :, None] * w[..., None, :])[..., 1:]


def torus_images(
    count: int, side: int = 8, seed: int = 0, sharpness: float = 1.0
) -> tuple[Float[Tensor, "count pixels"], Float[Tensor, "count 2"]]:
    r"""Images of one bright blob on a grid without edges: a torus in $\mathbb{R}^{\text{side}^2}$.

    Pixel $(p, q)$ at the angles $\theta_p = 2\pi p/\text{side}$, $\theta_q$ has the grey value
    $e^{s(\cos(\theta_p - u) - 1)}\, e^{s(\cos(\theta_q - v) - 1)}$. Where the blob is wide for the
    grid, moving it is an isometry: with the defaults the pull-back metric is a constant times
    $du^2 + dv^2$ within a part in 500, a flat torus. A sharp blob feels the grid: with
    $s = 2$ on 8 pixels the metric varies by several percent.

    Args:
        count: how many images.
        side: pixels along an edge, at least 3.
        seed: of the angles.
        sharpness: $s > 0$; the blob is about $1/\sqrt{s}$ radians wide.

    Returns:
        Images as rows of $\text{side}^2$ grey values in $(0, 1]$, and the angles $(u, v)$, float32.

    >>> images, angles = torus_images(100)
    >>> images.shape, angles.shape
    (torch.Size([100, 64]), torch.Size([100, 2]))
    """
    _check_torus(side, sharpness)
    if count < 1:
        raise ValueError(f"count must be at least 1, but {count} was given")
    generator = torch.Generator().manual_seed(seed)
    angles = 2 * torch.pi * torch.rand(count, 2, generator=generator)
    bumps, _ = _bumps(angles, side, sharpness)
    return (bumps[:, 0, :, None] * bumps[:, 1, None, :]).flatten(1), angles


def torus_tangents(
    angles: Float[Tensor, "*batch 2"], side: int = 8, sharpness: float = 1.0
) -> Float[Tensor, "*batch pixels 2"]:
    r"""$\partial(\text{image})/\partial(u, v)$, which spans the tangent space of `torus_images`.

    >>> images, angles = torus_images(100)
    >>> torus_tangents(angles).shape
    torch.Size([100, 64, 2])
    """
    _check_torus(side, sharpness)
    if angles.shape[-1:] != (2,):
        raise ValueError(f"angles have shape {tuple(angles.shape)}, but (..., 2) is needed")
    bumps, slopes = _bumps(angles, side, sharpness)
    along_u = slopes[..., 0, :, None] * bumps[..., 1, None, :]
    along_v = bumps[..., 0, :, None] * slopes[..., 1, None, :]
    return torch.stack([along_u.flatten(-2), along_v.flatten(-2)], dim=-1)


def _round(count: int, inner: int, dim: int, seed: int) -> tuple[Tensor, Tensor]:
    """Uniform points on the unit sphere of a subspace of `inner` dimensions."""
    if count < 1 or dim < inner:
        raise ValueError(
            f"count >= 1 and dim >= {inner} are needed, but count={count} and dim={dim}"
        )
    generator = torch.Generator().manual_seed(seed)
    frame = torch.linalg.qr(torch.randn(dim, inner, generator=generator)).Q
    points = torch.randn(count, inner, generator=generator)
    return points / points.norm(dim=1, keepdim=True) @ frame.T, frame


def _bumps(angles: Tensor, side: int, sharpness: float) -> tuple[Tensor, Tensor]:
    """Blobs in one dimension and their derivatives in the angle, `(..., 2, side)`."""
    grid = 2 * torch.pi * torch.arange(side, dtype=angles.dtype, device=angles.device) / side
    apart = grid - angles[..., None]
    bumps = (sharpness * (apart.cos() - 1)).exp()
    return bumps, sharpness * apart.sin() * bumps


def _check_torus(side: int, sharpness: float) -> None:
    if side < 3 or sharpness <= 0:
        raise ValueError(
            f"side >= 3 and sharpness > 0 are needed, but side={side} and sharpness={sharpness}"
        )
