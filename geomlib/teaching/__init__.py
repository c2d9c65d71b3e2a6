"""What the chapters show and ask with: figures, interactive figures, exercise checks."""

try:
    import anywidget  # noqa: F401
    import matplotlib  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"the chapters' figures need {error.name}, which is not installed: "
        "pip install 'geomlib[chapters]'",
        name=error.name,
    ) from error

from geomlib.teaching import figures
from geomlib.teaching.checks import check
from geomlib.teaching.course_map import course_map
from geomlib.teaching.quiz import quiz
from geomlib.teaching.report import Report, report
from geomlib.teaching.widgets import (
    AnalogyExplorer,
    AtlasExplorer,
    ChartsExplorer,
    DenoiserExplorer,
    EnergyExplorer,
    GeodesicShooter,
    GermExplorer,
    HolonomySlider,
    LatentExplorer,
    NormalGeodesic,
    ScarceData,
    SphereInterpolant,
    TangentPusher,
)

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
    "Report",
    "ScarceData",
    "SphereInterpolant",
    "TangentPusher",
    "check",
    "course_map",
    "figures",
    "quiz",
    "report",
]
