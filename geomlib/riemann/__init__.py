"""Riemannian geometry of any differentiable map: metrics, geodesics, transport, curvature.

Points are tensors `(..., d)`, vectors `(..., d)`, matrices `(..., d, d)`. Batch dimensions lead
and broadcast; dtype and device are the input's.
"""

from geomlib.riemann.curve import Curve, Geodesic
from geomlib.riemann.graph import LatentGraph, latent_graph
from geomlib.riemann.information import FisherRaoMetric
from geomlib.riemann.metric import MatrixMetric, Metric
from geomlib.riemann.pullback import ExpectedMetric, PullbackMetric
from geomlib.riemann.sampling import region_volume, sample_uniform
from geomlib.riemann.singular import SingularTriples, singular_triples
from geomlib.riemann.subspaces import (
    leading_basis,
    orthonormal_basis,
    principal_angles,
    spectral_gap,
    subspace_distance,
)
from geomlib.riemann.tangent_chain import TangentChain

__all__ = [
    "Curve",
    "ExpectedMetric",
    "FisherRaoMetric",
    "Geodesic",
    "LatentGraph",
    "MatrixMetric",
    "Metric",
    "PullbackMetric",
    "SingularTriples",
    "TangentChain",
    "latent_graph",
    "leading_basis",
    "orthonormal_basis",
    "principal_angles",
    "region_volume",
    "sample_uniform",
    "singular_triples",
    "spectral_gap",
    "subspace_distance",
]
