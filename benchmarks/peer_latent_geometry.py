"""Latent-geometry: pair by pair with scipy, in float32, at its default tolerance."""

import numpy as np
from latent_geometry.manifold import LatentManifold
from latent_geometry.mapping import TorchModelMapping
from latent_geometry.metric import EuclideanMetric
from peer import decoder

TIMES = np.linspace(0, 1, 257)


class Peer:
    def __init__(self, weights):
        mapping = TorchModelMapping(decoder(weights).float(), in_shape=(2,), out_shape=(784,))
        self.manifold = LatentManifold(mapping, EuclideanMetric())

    def matrices(self, z):
        return self.manifold.metric.metric_matrix(z.numpy())

    def geodesics(self, a, b):
        pairs = zip(a.numpy(), b.numpy(), strict=True)
        paths = [self.manifold.shortest_path(*pair) for pair in pairs]
        return np.stack([[path(t) for t in TIMES] for path in paths])

    def exp(self, z, v):
        """Its velocities have a direction alone: the length of the geodesic is given beside it."""
        return np.stack([self._shoot(*pair) for pair in zip(z.numpy(), v.numpy(), strict=True)])

    def _shoot(self, z, v):
        length = self.manifold.metric.vector_length(v[None], z[None])[0]
        return self.manifold.geodesic(z, v, length)(1.0)
