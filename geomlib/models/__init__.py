"""Generative models in plain PyTorch, small enough to read in one sitting."""

from geomlib.models.adversarial import GAN, WassersteinGAN
from geomlib.models.atlas import AtlasModel, ExplicitAtlas
from geomlib.models.atlas_checks import (
    coverage,
    injectivity,
    sup_error,
    transition_consistency,
)
from geomlib.models.atlas_gan import AtlasGAN
from geomlib.models.atlas_geodesics import AtlasGeodesic, AtlasGraph, atlas_graph
from geomlib.models.atlas_labels import labels_against_charts
from geomlib.models.atlas_topology import good_cover, orientability
from geomlib.models.atlas_wae import AtlasWAE
from geomlib.models.autoencoder import Autoencoder
from geomlib.models.chart_autoencoder import ChartAutoencoder
from geomlib.models.classifier import Classifier
from geomlib.models.decoder_only import DecoderOnly
from geomlib.models.denoisers import (
    CircleDenoiser,
    Denoiser,
    Embedded,
    GaussianDenoiser,
    MixtureDenoiser,
    SphereDenoiser,
)
from geomlib.models.diffusion import DataPrediction, DiffusionModel
from geomlib.models.discrete_vae import DiscreteVAE
from geomlib.models.editing import LocalBasis, bridge, edit, shoot, transport
from geomlib.models.flow_matching import FlowMatching, flow_steps, velocity_of
from geomlib.models.info_cat_vae import InfoCatVAE
from geomlib.models.latent_penalty import AdversarialPenalty, LatentPenalty, MMDPenalty
from geomlib.models.linear import LinearAutoencoder, LinearVAE
from geomlib.models.manifold_descent import manifold_descent
from geomlib.models.mixture_vae import MixtureVAE
from geomlib.models.nerve import Nerve, cech_nerve, multinerve
from geomlib.models.noise import NoiseSchedule
from geomlib.models.riemannian_flow_matching import (
    SphereFlow,
    geodesic_interpolant,
    sphere_exp,
    sphere_log,
)
from geomlib.models.saving import load, save
from geomlib.models.semi_supervised import M2
from geomlib.models.standard_deviation import RBFStandardDeviation
from geomlib.models.steps import (
    DDPMStep,
    HeunStep,
    ProbabilityFlowStep,
    denoising_steps,
    walk,
)
from geomlib.models.training import Player, fit, play
from geomlib.models.vae import BernoulliVAE, CategoricalVAE, GaussianVAE

__all__ = [
    "GAN",
    "M2",
    "AdversarialPenalty",
    "AtlasGAN",
    "AtlasGeodesic",
    "AtlasGraph",
    "AtlasModel",
    "AtlasWAE",
    "Autoencoder",
    "BernoulliVAE",
    "CategoricalVAE",
    "ChartAutoencoder",
    "CircleDenoiser",
    "Classifier",
    "DDPMStep",
    "DataPrediction",
    "DecoderOnly",
    "Denoiser",
    "DiffusionModel",
    "DiscreteVAE",
    "Embedded",
    "ExplicitAtlas",
    "FlowMatching",
    "GaussianDenoiser",
    "GaussianVAE",
    "HeunStep",
    "InfoCatVAE",
    "LatentPenalty",
    "LinearAutoencoder",
    "LinearVAE",
    "LocalBasis",
    "MMDPenalty",
    "MixtureDenoiser",
    "MixtureVAE",
    "Nerve",
    "NoiseSchedule",
    "Player",
    "ProbabilityFlowStep",
    "RBFStandardDeviation",
    "SphereDenoiser",
    "SphereFlow",
    "WassersteinGAN",
    "atlas_graph",
    "bridge",
    "cech_nerve",
    "coverage",
    "denoising_steps",
    "edit",
    "fit",
    "flow_steps",
    "geodesic_interpolant",
    "good_cover",
    "injectivity",
    "labels_against_charts",
    "load",
    "manifold_descent",
    "multinerve",
    "orientability",
    "play",
    "save",
    "shoot",
    "sphere_exp",
    "sphere_log",
    "sup_error",
    "transition_consistency",
    "transport",
    "velocity_of",
    "walk",
]
