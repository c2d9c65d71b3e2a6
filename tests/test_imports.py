"""Imports run one way, and `import geomlib` costs almost nothing."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

# What the modules of each part may import, inside functions too.
ALLOWED = {
    "riemann": {"riemann"},
    "models": {"models", "riemann"},
    "symbolic": {"symbolic"},
    "data": {"data"},
    "teaching": {"teaching", "models", "riemann", "symbolic", "data"},
}
# Drawing and widgets belong to `teaching`; `symbolic` has its one bridge to torch.
FOREIGN = {part: {"matplotlib", "ipywidgets", "anywidget"} for part in ALLOWED}
FOREIGN["teaching"] = set()
FOREIGN["riemann"] |= {"sympy"}
FOREIGN["symbolic"] |= {"torch"}
BRIDGES = {"geomlib.symbolic.torch_bridge"}

MODULES = sorted((ROOT / "geomlib").rglob("*.py"))


def imported(path) -> set[str]:
    """The full names of all that a module imports; relative imports resolved."""
    package = path.relative_to(ROOT).parent.parts
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_what_stands_below_it(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    parts = name.split(".")
    names = imported(path)
    if len(parts) == 2:  # geomlib/__init__.py
        assert not any(other.startswith(("geomlib.", "torch", "sympy")) for other in names)
        return
    part = parts[1]
    used = {other.split(".")[1] for other in names if other.startswith("geomlib.")}
    assert used <= ALLOWED[part], f"{name} imports from {used - ALLOWED[part]}"
    if name not in BRIDGES:
        foreign = {other.split(".")[0] for other in names} & FOREIGN[part]
        assert not foreign, f"{name} imports {foreign}"


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = [sys.executable, "-c", code]
    return set(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import geomlib", {"torch", "sympy", "numpy", "matplotlib"}),
        ("import geomlib.symbolic", {"torch", "matplotlib"}),
        ("import geomlib.riemann", {"matplotlib", "ipywidgets", "anywidget", "sklearn"}),
        ("import geomlib.models", {"matplotlib", "ipywidgets", "anywidget", "sklearn"}),
        ("import geomlib.teaching", {"sklearn"}),
    ],
)
def test_an_import_does_not_load_what_it_does_not_need(statement, absent):
    assert not loaded_by(statement) & absent


def test_importing_geomlib_is_quick():
    code = "import time; t = time.perf_counter(); import geomlib; print(time.perf_counter() - t)"
    run = [sys.executable, "-c", code]
    seconds = [float(subprocess.check_output(run, text=True)) for _ in range(3)]
    assert min(seconds) < 0.3


@pytest.mark.parametrize("name", ["matplotlib", "anywidget"])
def test_what_the_figures_need_is_asked_for(name):
    code = f"import sys; sys.modules[{name!r}] = None; import geomlib.teaching"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    assert f"need {name}" in run.stderr and "pip install 'geomlib[chapters]'" in run.stderr
