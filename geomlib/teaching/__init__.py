"""What the chapters show and ask with: figures, interactive figures, exercise checks."""

from geomlib.teaching import figures
from geomlib.teaching.checks import check
from geomlib.teaching.widgets import (
    ChartsExplorer,
    EnergyExplorer,
    GeodesicShooter,
    GermExplorer,
    HolonomySlider,
    LatentExplorer,
    TangentPusher,
)

__all__ = [
    "ChartsExplorer",
    "EnergyExplorer",
    "GeodesicShooter",
    "GermExplorer",
    "HolonomySlider",
    "LatentExplorer",
    "TangentPusher",
    "check",
    "figures",
]
