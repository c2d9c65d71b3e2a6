"""pyproject.toml, constraints.txt and environment.yml name the same packages."""

import re
import tomllib

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [Requirement(line) for line in sum(EXTRAS.values(), PROJECT["dependencies"])]

# conda-forge's name for the build of torch without CUDA
CONDA_NAMES = {"pytorch-cpu": "torch"}
# conda brings these, pip does not
CONDA_ALONE = {"python", "pip", "make", "nodejs"}


def constraint_lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pinned() -> dict[str, str]:
    """The version of each package; the lower end where a range stands for its builds."""
    requirements = map(Requirement, constraint_lines())
    return {
        canonicalize_name(each.name): next(
            piece.version for piece in each.specifier if piece.operator in ("==", ">=")
        )
        for each in requirements
    }


def test_a_constraint_is_a_name_and_one_version():
    for requirement in map(Requirement, constraint_lines()):
        assert requirement.url is None and not requirement.extras
        if requirement.name == "torch":  # one release: its builds add a suffix
            version = Version(pinned()["torch"])
            assert Version(f"{version}+cpu") in requirement.specifier
            assert Version(f"{version}.post1") in requirement.specifier
            assert Version(f"{version.major}.{version.minor + 1}") not in requirement.specifier
        else:
            assert [piece.operator for piece in requirement.specifier] == ["=="], requirement


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_a_requirement_is_pinned_to_a_version_it_accepts(requirement):
    version = pinned().get(canonicalize_name(requirement.name))
    assert version, f"constraints.txt does not pin {requirement.name}"
    assert Version(version) in requirement.specifier


def test_no_list_names_an_address():
    for name in ("constraints.txt", "environment.yml"):
        assert not re.search(r"https?:|git\+|file:| @ ", (ROOT / name).read_text())


def test_conda_takes_the_pinned_versions():
    for entry in ENVIRONMENT["dependencies"]:
        if isinstance(entry, str):
            name, _, version = entry.partition("=")
            if name not in CONDA_ALONE:
                assert pinned()[CONDA_NAMES.get(name, name)] == version, entry


def test_conda_brings_torch_and_what_shares_its_libraries():
    names = {entry.split("=")[0] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, str)}
    assert names == CONDA_ALONE | {"pytorch-cpu", "numpy", "scipy", "scikit-learn"}


def test_conda_takes_a_python_that_the_library_accepts():
    python = next(entry for entry in ENVIRONMENT["dependencies"] if entry.startswith("python="))
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(
        python.removeprefix("python=")
    )


def test_pip_installs_every_extra_there_too():
    (pip,) = [entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict)]
    extras = re.fullmatch(r"-e \.\[(.+)\]", pip[1])
    assert pip[0] == "-c constraints.txt"
    assert set(extras[1].split(",")) == set(EXTRAS)


def test_the_makefile_installs_every_extra_from_the_same_list():
    makefile = (ROOT / "Makefile").read_text()
    extras = re.search(r"-c constraints\.txt -e '\.\[(.+)\]'", makefile)
    assert set(extras[1].split(",")) == set(EXTRAS)


def test_the_browser_takes_the_same_anywidget():
    text = (ROOT / "book" / "vendor.py").read_text()
    assert f'"anywidget": "{pinned()["anywidget"]}"' in text
