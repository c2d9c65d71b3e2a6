"""What the built pages hold, read without a browser."""

import functools
import importlib
import inspect
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import ROOT

PARTS = ["riemann", "models", "symbolic", "data", "teaching"]


@functools.cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(), "html.parser")


@functools.cache
def anchors(path: Path) -> set[str]:
    return {tag["id"] for tag in parsed(path).find_all(id=True)}


def pages(built_book) -> list[Path]:
    return [path for path in built_book.rglob("*.html") if "_static" not in path.parts]


def test_links_within_the_book_lead_somewhere(built_book):
    broken = []
    for path in pages(built_book):
        for tag in parsed(path).find_all(["a", "link", "script", "img"]):
            link = tag.get("href") or tag.get("src") or ""
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not link:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            found = target.is_file()
            if found and parts.fragment:
                found = unquote(parts.fragment) in anchors(target)
            if not found:
                broken.append(f"{path.name}: {link}")
    assert not broken


def test_pictures_say_what_they_show(built_book):
    for path in pages(built_book):
        for image in parsed(path).select("article img:not(.toggler)"):
            alt = image.get("alt", "")
            name = f"{path.name}: {image.get('src')}"
            assert len(alt.split()) >= 6, f"{name}: {alt!r} does not say what it shows"
            assert not re.search(r"\.(png|svg|jpe?g)|_images", alt), f"{name}: {alt!r}"


def test_a_class_shows_the_arguments_that_it_takes(built_book):
    signatures = {}
    for name in ("models", "teaching"):
        for sign in parsed(built_book / "book" / "api" / f"{name}.html").select(".class > dt[id]"):
            signatures[sign["id"].rpartition(".")[2]] = sign.get_text()
    assert "angle: float = 0.9" in signatures["ChartsExplorer"]
    assert "codes: Tensor | ArrayLike" in signatures["LatentExplorer"]
    assert "seed: int" in signatures["GaussianVAE"] and "Denoiser" in signatures
    assert not [name for name, text in signatures.items() if "*args" in text or "_Nested" in text]


def test_punctuation_stays_with_its_formula(built_book):
    for path in pages(built_book):
        for formula in parsed(path).select("article span.math"):
            after = formula.next_sibling
            alone = isinstance(after, str) and after[:1] in {*".,;:?!)\u201d\u2019"}
            assert not alone or formula.parent.get("class") == ["formula"], (
                f"{path.name}: {formula}"
            )


@pytest.mark.parametrize("part", PARTS)
def test_every_public_name_has_its_entry(built_book, part):
    module = importlib.import_module(f"geomlib.{part}")
    page = parsed(built_book / "book" / "api" / f"{part}.html")
    shown = {tag["id"].rsplit(".", 1)[-1] for tag in page.find_all("dt", id=True)}
    names = {name for name in module.__all__ if not inspect.ismodule(getattr(module, name))}
    assert names <= shown


@pytest.mark.parametrize("part", PARTS)
def test_methods_of_bases_without_an_entry_stand_with_the_children(built_book, part):
    module = importlib.import_module(f"geomlib.{part}")
    page = parsed(built_book / "book" / "api" / f"{part}.html")
    shown = {tag["id"] for tag in page.find_all("dt", id=True)}
    for name in module.__all__:
        child = getattr(module, name)
        lineage = child.__mro__ if inspect.isclass(child) else ()
        for base in lineage:
            if not base.__module__.startswith("geomlib") or base.__name__ in module.__all__:
                continue
            for method, f in vars(base).items():
                if method[0] == "_" or not (inspect.isfunction(f) and f.__doc__):
                    continue
                if next(owner for owner in lineage if method in vars(owner)) is base:
                    assert f"geomlib.{part}.{name}.{method}" in shown


def test_formulas_of_docstrings_are_set(built_book):
    for part in PARTS:
        page = parsed(built_book / "book" / "api" / f"{part}.html")
        texts = page.select_one("article").find_all(string=re.compile(r"\$"))
        assert not [text for text in texts if not text.find_parent(["pre", "code"])]


def test_a_chapter_can_be_launched(built_book):
    config = yaml.safe_load((ROOT / "book" / "_config.yml").read_text())
    owner, name = urlsplit(config["repository"]["url"]).path.strip("/").split("/")
    launch = config["launch_buttons"]
    for path in sorted((ROOT / "course").glob("*.ipynb")):
        page = parsed(built_book / "course" / f"{path.stem}.html")
        links = {tag.get("href") for tag in page.find_all("a")}
        file = f"course/{path.name}"
        binder = f"{launch['binderhub_url']}/v2/gh/{owner}/{name}/main?urlpath=lab/tree/{file}"
        assert binder in links
        assert f"{launch['colab_url']}/github/{owner}/{name}/blob/main/{file}" in links
        hub = [link for link in links if link and link.startswith(launch["jupyterhub_url"])]
        assert len(hub) == 1 and "/hub/user-redirect/git-pull?repo=" in hub[0]
        assert hub[0].find(f"urlpath=lab/tree/{name}/{file}") > 0


def test_the_citation_and_the_guide_name_the_same_place():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    config = yaml.safe_load((ROOT / "book" / "_config.yml").read_text())
    assert citation["repository-code"] == config["repository"]["url"]
    guide = (ROOT / "book" / "hub.md").read_text()
    assert f"git clone {config['repository']['url']} " in guide
