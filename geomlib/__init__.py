"""Differential geometry of generative models: the library behind the course.

Import what you need from the parts:

- `geomlib.symbolic`: charts, germs, tangent vectors and smooth maps (SymPy);
- `geomlib.riemann`: metrics, curves and geodesics of any differentiable map (PyTorch);
- `geomlib.models`: generative models in plain PyTorch;
- `geomlib.data`: real digits, and point clouds whose geometry is known;
- `geomlib.teaching`: figures, widgets and exercise checks.
"""

__version__ = "0.1.0"
