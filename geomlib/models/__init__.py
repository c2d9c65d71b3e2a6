"""Generative models in plain PyTorch, small enough to read in one sitting."""

from geomlib.models.adversarial import GAN, WassersteinGAN
from geomlib.models.autoencoder import Autoencoder
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
from geomlib.models.flow_matching import FlowMatching, flow_steps, velocity_of
from geomlib.models.linear import LinearAutoencoder, LinearVAE
from geomlib.models.noise import NoiseSchedule
from geomlib.models.saving import load, save
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
    "Autoencoder",
    "BernoulliVAE",
    "CategoricalVAE",
    "CircleDenoiser",
    "Classifier",
    "DDPMStep",
    "DataPrediction",
    "DecoderOnly",
    "Denoiser",
    "DiffusionModel",
    "Embedded",
    "FlowMatching",
    "GaussianDenoiser",
    "GaussianVAE",
    "HeunStep",
    "LinearAutoencoder",
    "LinearVAE",
    "MixtureDenoiser",
    "NoiseSchedule",
    "Player",
    "ProbabilityFlowStep",
    "RBFStandardDeviation",
    "SphereDenoiser",
    "WassersteinGAN",
    "denoising_steps",
    "fit",
    "flow_steps",
    "load",
    "play",
    "save",
    "velocity_of",
    "walk",
]
