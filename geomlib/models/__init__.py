"""Generative models in plain PyTorch, small enough to read in one sitting."""

from geomlib.models.adversarial import GAN, WassersteinGAN
from geomlib.models.atlas import AtlasModel, ExplicitAtlas
from geomlib.models.autoencoder import Autoencoder
from geomlib.models.chart_autoencoder import ChartAutoencoder
from geomlib.models.classifier import Classifier
from geomlib.models.decoder_only import DecoderOnly
from geomlib.models.linear import LinearAutoencoder, LinearVAE
from geomlib.models.manifold_descent import manifold_descent
from geomlib.models.mixture_vae import MixtureVAE
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
    "MixtureVAE",
    "Player",
    "RBFStandardDeviation",
    "WassersteinGAN",
    "fit",
    "load",
    "manifold_descent",
    "play",
    "save",
]
