"""Charts, germs, tangent vectors and smooth maps as formulas, on SymPy alone.

The words follow the course: a `Chart` gives coordinates, an `Atlas` joins charts, a `Germ` is a
function near a point, its differential is a `Covector`, a `TangentVector` acts on germs, and a
`SmoothMap` pushes vectors forward and pulls functions, covectors and metrics back.
"""

from . import surfaces
from .atlas import Atlas
from .chart import Chart
from .germ import Germ, Splitting
from .metric import SymbolicMetric
from .smooth_map import SmoothMap
from .surfaces import Surface
from .tangent import Covector, TangentVector
from .verdict import Verdict

__all__ = [
    "Atlas",
    "Chart",
    "Covector",
    "Germ",
    "SmoothMap",
    "Splitting",
    "Surface",
    "SymbolicMetric",
    "TangentVector",
    "Verdict",
    "surfaces",
]
