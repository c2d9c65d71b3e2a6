"""A hub for a class: a real one, with real students' work, on this machine."""

import asyncio
import sys
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import ROOT
from traitlets.config import PyFileConfigLoader

CLASSROOM = ROOT / "classroom"
sys.path.insert(0, str(CLASSROOM))

load_test = pytest.importorskip("load_test", reason="install the extra `hub`", exc_type=ImportError)
import start_student  # noqa: E402
from simulated_student import Student  # noqa: E402

CHAPTER = f"{load_test.FOLDER}/03_germs.ipynb"
HUNGRY = f"{load_test.FOLDER}/hungry.ipynb"


@pytest.fixture
def course(tmp_path) -> Path:
    folder = tmp_path / "course"
    (folder / "more").mkdir(parents=True)
    (folder / ".ipynb_checkpoints").mkdir()
    for name in ("charts.ipynb", "more/germs.ipynb", ".ipynb_checkpoints/charts.ipynb"):
        (folder / name).write_text(name)
    (folder / "charts.ipynb").chmod(0o444)  # shared, and read-only
    return folder


def test_a_student_is_given_a_copy_to_write_on(course, tmp_path):
    home = tmp_path / "home"
    assert start_student.give(course, home) == [home / "charts.ipynb", home / "more/germs.ipynb"]
    assert (home / "charts.ipynb").stat().st_mode & 0o200
    assert not [path for path in home.rglob("*") if path.name.startswith(".")]


def test_a_file_that_is_there_is_never_touched(course, tmp_path):
    home = tmp_path / "home"
    start_student.give(course, home)
    (home / "charts.ipynb").write_text("my work")
    (home / "more/germs.ipynb").unlink()
    (course / "charts.ipynb").chmod(0o644)
    (course / "charts.ipynb").write_text("a new version")
    assert start_student.give(course, home) == [home / "more/germs.ipynb"]
    assert (home / "charts.ipynb").read_text() == "my work"


def test_a_link_of_the_student_is_left_alone(course, tmp_path):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    (home / "charts.ipynb").symlink_to(elsewhere)
    start_student.give(course, home)
    assert (home / "charts.ipynb").is_symlink() and not elsewhere.exists()


def test_a_course_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        start_student.give(tmp_path / "nowhere", tmp_path / "home")


@pytest.fixture(scope="module")
def lesson(tmp_path_factory) -> tuple[Path, dict[str, Student], dict]:
    """Two students work through a chapter while a third asks for more memory than there is."""
    try:
        load_test.find_proxy()
    except SystemExit as error:
        pytest.skip(str(error))
    homes = tmp_path_factory.mktemp("homes")
    write_hungry(homes / "cleo" / HUNGRY)
    with load_test.running_hub(homes) as (address, process):
        paths = {"ada": CHAPTER, "ben": CHAPTER, "cleo": HUNGRY}
        students = {name: Student(address, name, path, 300) for name, path in paths.items()}
        asyncio.run(load_test.all_at_once(list(students.values())))
        shares = {name: load_test.share_of(name, process) for name in students}
    return homes, students, shares


def write_hungry(path: Path) -> None:
    path.parent.mkdir(parents=True)
    sources = [
        # Nobody else on the machine can listen to the kernel.
        "from ipykernel.connect import get_connection_info\n"
        "assert 'curve_secretkey' in get_connection_info()",
        "hoard = bytearray(3_000_000_000)",
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.mark.parametrize("name", ["ada", "ben"])
def test_a_chapter_runs_on_the_hub_and_is_saved(lesson, name):
    homes, students, shares = lesson
    student = students[name]
    assert not student.failures
    assert 0 < student.server_ready < student.first_output < student.finished
    share = shares[name]
    assert 50e6 < share.server < 1e9 and 50e6 < share.kernel < 2e9 and 1 < share.core < 300
    assert load_test.kept(student, homes)
    saved = (homes / name / CHAPTER).read_text()
    assert f"The work of {name}." in saved and saved.count('"output_type"') > 10


def test_no_kernel_takes_more_than_its_share(lesson):
    _, students, _ = lesson
    (failure,) = students["cleo"].failures
    assert failure.startswith("cell 1: MemoryError")
    assert students["cleo"].finished  # the server lives, and the notebook was saved


def test_the_next_start_keeps_what_was_saved(lesson):
    homes, students, _ = lesson
    assert not start_student.give(ROOT / "course", homes / "ada" / load_test.FOLDER)
    assert load_test.kept(students["ada"], homes)


def test_the_report_names_what_failed_and_what_was_lost(lesson, tmp_path):
    _, students, shares = lesson
    assert not load_test.kept(students["ben"], tmp_path)  # no such file there
    report = load_test.report("germs", list(students.values()), ["ben"], [*shares.values()], 1e8)
    assert "failed: 1; saved: 3; lost: 1" in report
    assert "cleo: " in report and "ben: what was saved is not on the disk" in report


def test_who_saved_nothing_lost_nothing(monkeypatch, tmp_path, capsys):
    @contextmanager
    def no_hub(folder):
        (folder / "hub.log").write_text("no room")
        yield "http://127.0.0.1", None

    async def in_vain(visitors):
        for each in visitors:
            each.failures.append("no server")

    replaced = {"running_hub": no_hub, "all_at_once": in_vain, "HERE": tmp_path}
    replaced |= {"share_of": lambda *_: None, "hub_memory": lambda _: 0.0}
    for name, value in replaced.items():
        monkeypatch.setattr(load_test, name, value)
    assert not load_test.load_test(2, "germs", patience=1)
    assert "failed: 2; saved: 0; lost: 0" in capsys.readouterr().out
    assert (tmp_path / load_test.LOG).read_text() == "no room"


def test_a_changed_file_does_not_count_as_kept(lesson, tmp_path):
    _, students, _ = lesson
    path = tmp_path / "ada" / CHAPTER
    path.parent.mkdir(parents=True)
    notebook = nbformat.from_dict(students["ada"].saved)
    nbformat.write(notebook, path)
    assert load_test.kept(students["ada"], tmp_path)
    path.write_text(path.read_text().replace("The work of ada.", "The work of ben."))
    assert not load_test.kept(students["ada"], tmp_path)


def test_the_two_hubs_agree():
    """On one machine and on Kubernetes: the same start, share, threads and patience."""
    local = PyFileConfigLoader(str(CLASSROOM / "jupyterhub_config.py")).load_config()
    cluster = yaml.safe_load((CLASSROOM / "values.yaml").read_text())
    server, spawner = cluster["singleuser"], local.Spawner
    inside = Path("/srv/geometry-course")  # where the image holds the repository
    there = [str(ROOT / Path(each).relative_to(inside)) for each in server["cmd"][1:3]]
    assert [*there, server["cmd"][3]] == spawner.cmd[1:]
    assert all(Path(each).exists() for each in there)
    assert server["cmd"][3] == load_test.FOLDER
    assert server["defaultUrl"] == spawner.default_url
    assert server["memory"]["limit"] == spawner.mem_limit
    assert server["extraEnv"] == spawner.environment
    culler = local.JupyterHub.services[0]["command"]
    assert f"--timeout={cluster['cull']['timeout']}" in culler
    guide = (ROOT / "book" / "hub.md").read_text()
    assert f"--target-repo-dir {inside}" in guide


def test_the_class_comes_in_by_group_and_from_this_machine_alone():
    local = PyFileConfigLoader(str(CLASSROOM / "jupyterhub_config.py")).load_config()
    guide = (ROOT / "book" / "hub.md").read_text()
    assert "127.0.0.1" in local.JupyterHub.bind_url
    assert "allow_all" not in local.Authenticator and "allow_all" not in local.PAMAuthenticator
    allowed, admins = local.PAMAuthenticator.allowed_groups, local.PAMAuthenticator.admin_groups
    for group in allowed:
        assert f"groupadd {group}" in guide
    assert admins < allowed and not any("student" in group for group in admins)
