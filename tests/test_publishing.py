"""What a release says of itself, and the workflow that tests and publishes."""

import re
import tomllib

import yaml
from conftest import ROOT

import geomlib

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text())
JOBS = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]


def test_all_places_name_the_version_of_pyproject():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    values = yaml.safe_load((ROOT / "classroom" / "values.yaml").read_text())
    guide = (ROOT / "book" / "hub.md").read_text()
    assert geomlib.__version__ == VERSION, "geomlib/__init__.py"
    assert citation["version"] == VERSION, "CITATION.cff"
    assert newest[1] == VERSION, "CHANGELOG.md begins with another version"
    assert values["singleuser"]["image"]["tag"] == VERSION, "classroom/values.yaml"
    assert set(re.findall(r"geometry-course:(\S+)", guide)) == {VERSION}, "book/hub.md"


def test_a_change_log_entry_says_something():
    entries = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)[1:]
    for entry in entries:
        assert re.match(r"\d+\.\d+\.\d+\n", entry) and "\n- " in entry, entry


def test_the_workflow_calls_commands_that_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    commands = [step["run"] for step in STEPS if "run" in step]
    called = [re.fullmatch(r"make ([a-z-]+)", command)[1] for command in commands]
    assert {"test", "book"} <= set(called) <= targets


def test_make_test_looks_at_style_types_code_and_stored_outputs():
    makefile = (ROOT / "Makefile").read_text()
    recipes = dict(re.findall(r"^([a-z-]+):[^\n]*\n((?:\t.*\n)+)", makefile, re.M))
    assert re.search(r"^test: lint ", makefile, re.M)
    assert all(each in recipes["lint"] for each in ("ruff check", "ruff format", "mypy"))
    assert re.search(r"pytest .*--nbval ", recipes["test"])


def test_it_publishes_what_was_tested_and_only_from_main():
    order = [step.get("run") or step["uses"].split("@")[0] for step in JOBS["test"]["steps"]]
    upload = "actions/upload-pages-artifact"
    assert order.index("make test") < order.index("make book") < order.index(upload)
    assert JOBS["publish"]["needs"] == "test"
    assert "refs/heads/main" in JOBS["publish"]["if"]
    (path,) = [step["with"]["path"] for step in STEPS if step.get("uses", "").startswith(upload)]
    assert path in (ROOT / "README.md").read_text()  # the folder that `make book` fills


def test_only_the_publishing_job_may_write():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in JOBS["test"]
    assert set(JOBS["publish"]["permissions"]) == {"pages", "id-token"}


def test_every_action_is_an_official_one_of_a_named_version():
    for step in STEPS:
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]), step


def test_it_runs_on_a_python_that_the_library_accepts():
    (python,) = [
        step["with"]["python-version"] for step in STEPS if "setup-python" in step.get("uses", "")
    ]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert f"python={python}" in environment["dependencies"]
