"""The notation page against the code: every name exists, every shape and type is as said."""

import functools
import re

import nbformat
import pytest
import sympy
import torch
from conftest import ROOT
from torch.distributions import kl_divergence
from torch.nn import functional as F

from geomlib import symbolic
from geomlib.models import ChartAutoencoder, GaussianVAE, SphereFlow, geodesic_interpolant
from geomlib.models.denoisers import GaussianDenoiser
from geomlib.models.noise import NoiseSchedule
from geomlib.models.steps import denoising_steps
from geomlib.riemann import ExpectedMetric, FisherRaoMetric, PullbackMetric, TangentChain
from geomlib.symbolic import Chart, Germ, SmoothMap, TangentVector, surfaces

SIZES = {"batch": 5, "d": 2, "n": 3, "N": 8, "N+1": 9, "K": 4}
ROW = re.compile(r"^\| \$.* \| `(?P<code>[^`]+)` \| `(?P<kind>[^`]+)` \|$", re.M)
TEXT = (ROOT / "book" / "notation.md").read_text()
ROWS = [(match["code"], match["kind"]) for match in ROW.finditer(TEXT)]
FORMULA = re.compile(r"\$([^$]+)\$")
ITEMS = re.findall(r"^- (\$.*?\$): (.+)$", TEXT, re.M)  # symbols, and what is said of them


def names() -> dict:
    """What the page says it is given."""
    chart, target = Chart("U", "x y"), Chart("V", "s t")
    p = chart.point((1, 2))
    f = SmoothMap(chart, target, ["x*y", "x + y"])
    g = SmoothMap(target, Chart("W", "q"), ["s*t"])
    atlas = surfaces.sphere().atlas
    germ = Germ("x**2*y", chart, p)

    def decoder(z):
        return torch.cat([z, (z**2).sum(-1, keepdim=True)], dim=-1)

    vae = GaussianVAE(SIZES["n"], SIZES["d"], hidden=4).double()
    metric = PullbackMetric(decoder)
    z, u, v, a, b = torch.randn(5, SIZES["batch"], SIZES["d"], dtype=torch.float64)
    x0, x1 = F.normalize(torch.randn(2, SIZES["batch"], SIZES["n"], dtype=torch.float64), dim=-1)
    x, B = torch.randn(5, 3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)[:, :2]
    denoiser = GaussianDenoiser(
        torch.zeros(3).double(), torch.diag(torch.tensor([2.0, 1, 0.5])).double()
    )
    steps = denoising_steps(denoiser, NoiseSchedule.geometric(0.1, 2.0, 3))
    by_number = {
        "z": z, "u": u, "v": v, "a": a, "b": b, "decoder": decoder, "metric": metric,
        "curve": metric.geodesic(a, b, segments=SIZES["N"]),
        "jacobian": torch.func.vmap(torch.func.jacfwd(decoder)),
        "vae": vae, "expected": ExpectedMetric(vae.mean, vae.std),
        "fisher": FisherRaoMetric(vae.distribution), "kl_divergence": kl_divergence,
        "x0": x0, "x1": x1, "t": torch.rand(SIZES["batch"], dtype=torch.float64),
        "interpolant": geodesic_interpolant, "flow": SphereFlow(SIZES["n"]).double(),
        "svdvals": torch.linalg.svdvals,
        "x": x, "sigma": 0.5, "denoiser": denoiser, "chain": TangentChain(steps, x, B), "i": 1,
        "model": ChartAutoencoder(SIZES["n"], SIZES["K"], SIZES["d"]).double(),
    }  # fmt: skip
    by_formula = {
        "chart": chart, "p": p, "f": f, "g": g, "atlas": atlas, "germ": germ,
        "chart_north": atlas.chart("north"), "alpha": germ.differential(),
        "v": TangentVector((1, 3), chart, p), "gamma": chart.curve(["1 + t", "2 + t**2"]),
        "TangentVector": TangentVector,
    }  # fmt: skip
    return {"formula": by_formula, "number": by_number}


def test_the_page_has_its_rows():
    assert len(ROWS) == sum(line.startswith("| $") for line in TEXT.splitlines())
    assert len(ROWS) > 25


@pytest.mark.parametrize(("code", "kind"), ROWS, ids=[code for code, _ in ROWS])
def test_a_row_is_true(code, kind):
    if kind.startswith("("):
        value = eval(code, names()["number"])
        expected = [SIZES[part.strip()] for part in kind.strip("()").split(",") if part.strip()]
        assert list(value.shape) == expected
    else:
        value = eval(code, names()["formula"])
        types = {"bool": bool, "Expr": sympy.Expr, "Matrix": sympy.MatrixBase}
        assert isinstance(value, types.get(kind) or getattr(symbolic, kind))


@functools.cache
def formulas(chapter: str) -> str:
    """All formulas in the text of a chapter."""
    cells = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", text, re.S)
    return "\n".join(display or inline for display, inline in found)


@pytest.mark.parametrize(("symbols", "said"), ITEMS, ids=[symbols for symbols, _ in ITEMS])
def test_a_chapter_that_is_named_uses_the_symbol(symbols, said):
    chapters = re.findall(r"\{doc\}`[^<`]+</([^>`]+)>`", said)
    assert chapters
    for chapter in chapters:
        for symbol in FORMULA.findall(symbols):
            whole = rf"(?<![A-Za-z\\]){re.escape(symbol)}(?![A-Za-z])"
            assert re.search(whole, formulas(chapter)), f"{chapter} does not use {symbol}"


def test_the_page_has_its_lists():
    assert len(ITEMS) == sum(line.startswith("- ") for line in TEXT.splitlines()) > 25
