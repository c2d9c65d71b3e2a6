"""Interactive figures that need no kernel: all they compute with travels in the widget's state."""

from geomlib.teaching.widgets.charts_explorer import ChartsExplorer
from geomlib.teaching.widgets.germ_explorer import GermExplorer
from geomlib.teaching.widgets.latent_explorer import LatentExplorer
from geomlib.teaching.widgets.tangent_pusher import TangentPusher

__all__ = ["ChartsExplorer", "GermExplorer", "LatentExplorer", "TangentPusher"]
