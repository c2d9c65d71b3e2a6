"""Generative models in plain PyTorch, small enough to read in one sitting."""

from geomlib.models.adversarial import GAN, WassersteinGAN
from geomlib.models.atlas import AtlasModel, ExplicitAtlas
from geomlib.models.autoencoder import Autoencoder
from geomlib.models.chart_autoencoder import ChartAutoencoder
from geomlib.models.classifier import Classifier
from geomlib.models.decoder_only import DecoderOnly
from geomlib.models.editing import LocalBasis, bridge, edit, shoot, transport
from geomlib.models.linear import LinearAutoencoder, LinearVAE
from geomlib.models.riemannian_flow_matching import (
    SphereFlow,
    geodesic_interpolant,
    sphere_exp,
    sphere_log,
)
from geomlib.models.saving import load, save
from geomlib.models.standard_deviation import RBFStandardDeviation
from geomlib.models.training import Player, fit, play
from geomlib.models.vae import BernoulliVAE, CategoricalVAE, GaussianVAE

__all__ = [
    "GAN",
    "AtlasModel",
    "Autoencoder",
    "BernoulliVAE",
    "CategoricalVAE",
    "ChartAutoencoder",
    "Classifier",
    "DecoderOnly",
    "ExplicitAtlas",
    "GaussianVAE",
    "LinearAutoencoder",
    "LinearVAE",
    "LocalBasis",
    "Player",
    "RBFStandardDeviation",
    "SphereFlow",
    "WassersteinGAN",
    "bridge",
    "edit",
    "fit",
    "geodesic_interpolant",
    "load",
    "play",
    "save",
    "shoot",
    "sphere_exp",
    "sphere_log",
    "transport",
]
