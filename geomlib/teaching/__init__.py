"""What the chapters show and ask with: figures, interactive figures, exercise checks."""

from geomlib.teaching import figures
from geomlib.teaching.checks import check
from geomlib.teaching.widgets import LatentExplorer

__all__ = ["LatentExplorer", "check", "figures"]
