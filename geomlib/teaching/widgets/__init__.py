"""Interactive figures that need no kernel: all they compute with travels in the widget's state."""

from geomlib.teaching.widgets.analogy_explorer import AnalogyExplorer
from geomlib.teaching.widgets.atlas_explorer import AtlasExplorer
from geomlib.teaching.widgets.charts_explorer import ChartsExplorer
from geomlib.teaching.widgets.denoiser_explorer import DenoiserExplorer
from geomlib.teaching.widgets.energy_explorer import EnergyExplorer
from geomlib.teaching.widgets.geodesic_shooter import GeodesicShooter
from geomlib.teaching.widgets.germ_explorer import GermExplorer
from geomlib.teaching.widgets.holonomy_slider import HolonomySlider
from geomlib.teaching.widgets.latent_explorer import LatentExplorer
from geomlib.teaching.widgets.normal_geodesic import NormalGeodesic
from geomlib.teaching.widgets.scarce_data import ScarceData
from geomlib.teaching.widgets.sphere_interpolant import SphereInterpolant
from geomlib.teaching.widgets.tangent_pusher import TangentPusher

__all__ = [
    "AnalogyExplorer",
    "AtlasExplorer",
    "ChartsExplorer",
    "DenoiserExplorer",
    "EnergyExplorer",
    "GeodesicShooter",
    "GermExplorer",
    "HolonomySlider",
    "LatentExplorer",
    "NormalGeodesic",
    "ScarceData",
    "SphereInterpolant",
    "TangentPusher",
]
