"""Interactive figures that need no kernel: all they compute with travels in the widget's state."""

from geomlib.teaching.widgets.latent_explorer import LatentExplorer

__all__ = ["LatentExplorer"]
