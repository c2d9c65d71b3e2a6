"""Geomstats on torch: the decoder as the immersion of a set with the pull-back metric."""

import os

os.environ["GEOMSTATS_BACKEND"] = "pytorch"

import torch
from geomstats.geometry.base import ImmersedSet
from geomstats.geometry.euclidean import Euclidean
from geomstats.numerics.geodesic import ExpODESolver
from geomstats.numerics.ivp import GSIVPIntegrator
from peer import decoder


class Immersed(ImmersedSet):
    def __init__(self, network):
        self.network = network
        super().__init__(dim=2)

    def immersion(self, point):
        return self.network(point)

    def _define_embedding_space(self):
        return Euclidean(784)


class Peer:
    def __init__(self, weights):
        self.space = Immersed(decoder(weights))

    def matrices(self, z):
        return self.space.metric.metric_matrix(z)

    def exp(self, z, v):
        integrator = GSIVPIntegrator(n_steps=4, step_type="rk4")
        return ExpODESolver(self.space, integrator).exp(v, z)

    def curvature(self, z):
        first, second = torch.eye(2, dtype=z.dtype)
        return self.space.metric.sectional_curvature(first.expand_as(z), second.expand_as(z), z)
