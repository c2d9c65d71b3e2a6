"""Generative models in plain PyTorch, small enough to read in one sitting."""

from geomlib.models.training import fit
from geomlib.models.vae import GaussianVAE, RBFStandardDeviation

__all__ = ["GaussianVAE", "RBFStandardDeviation", "fit"]
