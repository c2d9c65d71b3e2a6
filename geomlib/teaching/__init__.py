"""What the chapters show and ask with: figures, interactive figures, exercise checks."""

from geomlib.teaching import figures
from geomlib.teaching.checks import check
from geomlib.teaching.widgets import (
    AnalogyExplorer,
    ChartsExplorer,
    DenoiserExplorer,
    EnergyExplorer,
    GeodesicShooter,
    GermExplorer,
    HolonomySlider,
    LatentExplorer,
    NormalGeodesic,
    ScarceData,
    TangentPusher,
)

__all__ = [
    "AnalogyExplorer",
    "ChartsExplorer",
    "DenoiserExplorer",
    "EnergyExplorer",
    "GeodesicShooter",
    "GermExplorer",
    "HolonomySlider",
    "LatentExplorer",
    "NormalGeodesic",
    "ScarceData",
    "TangentPusher",
    "check",
    "figures",
]
