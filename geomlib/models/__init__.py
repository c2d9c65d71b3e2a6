"""Generative models in plain PyTorch, small enough to read in one sitting."""

from geomlib.models.adversarial import GAN, WassersteinGAN
from geomlib.models.autoencoder import Autoencoder
from geomlib.models.classifier import Classifier
from geomlib.models.decoder_only import DecoderOnly
from geomlib.models.editing import LocalBasis, bridge, edit, shoot, transport
from geomlib.models.linear import LinearAutoencoder, LinearVAE
from geomlib.models.saving import load, save
from geomlib.models.standard_deviation import RBFStandardDeviation
from geomlib.models.training import Player, fit, play
from geomlib.models.vae import BernoulliVAE, CategoricalVAE, GaussianVAE

__all__ = [
    "GAN",
    "Autoencoder",
    "BernoulliVAE",
    "CategoricalVAE",
    "Classifier",
    "DecoderOnly",
    "GaussianVAE",
    "LinearAutoencoder",
    "LinearVAE",
    "LocalBasis",
    "Player",
    "RBFStandardDeviation",
    "WassersteinGAN",
    "bridge",
    "edit",
    "fit",
    "load",
    "play",
    "save",
    "shoot",
    "transport",
]
