"""StochMan: the decoder rewritten in its layers, which carry Jacobians."""

import torch
from peer import load
from stochman import nnj
from stochman.curves import CubicSpline
from stochman.manifold import EmbeddedManifold

# torch removed `solve` in 2021, and StochMan 0.3.0 still calls it in `geodesic_system`
torch.solve = lambda right, matrix: (torch.linalg.solve(matrix, right), None)


class Peer(EmbeddedManifold):
    def __init__(self, weights):
        layers = [nnj.Linear(2, 64), nnj.Tanh(), nnj.Linear(64, 256), nnj.Tanh()]
        self.network = load(nnj.Sequential(*layers, nnj.Linear(256, 784)), weights)

    def embed(self, points, jacobian=False):
        flat = points.reshape(-1, points.shape[-1])
        if jacobian:
            return self.network(flat, jacobian=True)
        return self.network(flat).reshape(*points.shape[:-1], -1)

    def matrices(self, z):
        return self.metric(z)

    def geodesics(self, a, b):
        """All pairs at once with StochMan's default spline, optimiser and stopping rule."""
        curve = CubicSpline(a, b)
        curve, _ = self.connecting_geodesic(a, b, curve)
        with torch.no_grad():
            return curve(torch.linspace(0, 1, 257, dtype=a.dtype))

    def exp(self, z, v):
        """Point by point, as it takes one at a time, with its default steps."""
        time = torch.linspace(0, 1, 50, dtype=z.dtype)
        pairs = zip(z, v, strict=True)
        return torch.stack([self.shooting_geodesic(p, w, time)[0][-1, :, 0] for p, w in pairs])
