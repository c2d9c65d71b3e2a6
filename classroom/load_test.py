"""A class that comes in at once: `python classroom/load_test.py --students 20 --chapter germs`.

Starts the class's hub on this machine, with a door open to simulated students. All log in at
the same moment, open a chapter, run it and save it. The report tells what failed, how long
each waited, what memory a student takes, and whether all that was saved is there afterwards.
The exit status is 1 if anything failed or was lost.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import nbformat
import psutil
from simulated_student import Student

HERE = Path(__file__).resolve().parent
CHAPTERS = {path.stem[3:]: path for path in sorted((HERE.parent / "course").glob("*.ipynb"))}
FOLDER = "geometry-course"  # of a student's home, as jupyterhub_config.py names it

PROXY = "configurable-http-proxy"
PROXY_VERSION = "5.1.0"  # the newest that runs on Node 18

LOG = "load_test.log"  # kept only of a test that failed
MB = 1e6


@dataclass
class Share:
    """What a student takes of the machine: memory in bytes, and seconds of a core so far.

    Memory is the proportional set size: a page that n processes share counts 1/n in each.
    """

    server: float
    kernel: float
    core: float


def load_test(students: int, chapter: str, patience: float) -> bool:
    """Run the test and print the report; whether all went well."""
    with tempfile.TemporaryDirectory(prefix="load-test-") as name:
        folder = Path(name)
        class_ = [f"student-{number:02}" for number in range(1, students + 1)]
        path = f"{FOLDER}/{CHAPTERS[chapter].name}"
        with running_hub(folder) as (address, process):
            visitors = [Student(address, each, path, patience) for each in class_]
            asyncio.run(all_at_once(visitors))
            shares = [share_of(each, process) for each in class_]
            hub = hub_memory(process)
        # The hub has gone: what counts as saved is what is on the disk.
        lost = [each.name for each in visitors if each.saved and not kept(each, folder)]
        if lost or any(each.failures for each in visitors):
            shutil.copy(folder / "hub.log", HERE / LOG)
            print(f"What the hub said is in classroom/{LOG}")
    print(report(chapter, visitors, lost, [each for each in shares if each], hub))
    return not lost and not any(each.failures for each in visitors)


async def all_at_once(visitors: list[Student]) -> None:
    await asyncio.gather(*(each.work() for each in visitors))


@contextmanager
def running_hub(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The hub of load_test_config.py with its homes in `folder`: its address and process."""
    proxy = find_proxy()
    own, api, hub = free_ports(3)
    address = f"http://127.0.0.1:{own}"
    settings = {
        "LOAD_TEST_FOLDER": str(folder),
        "LOAD_TEST_ADDRESS": address,
        "LOAD_TEST_HUB_PORT": str(hub),
        "LOAD_TEST_PROXY": proxy,
        "LOAD_TEST_PROXY_API": f"http://127.0.0.1:{api}",
    }
    command = [sys.executable, "-m", "jupyterhub", "-f", str(HERE / "load_test_config.py")]
    log = folder / "hub.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | settings, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for(f"{address}/hub/health", process, log)
        yield address, psutil.Process(process.pid)
    finally:
        stop(process)


def stop(process: subprocess.Popen) -> None:
    """The hub stops its servers, and these their kernels; what is left is killed."""
    if process.poll() is not None:
        return
    family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
    for each in psutil.wait_procs(family, timeout=10)[1]:
        each.kill()


def find_proxy() -> str:
    """The command of JupyterHub's proxy, brought from npm into this folder if it is not here."""
    own = HERE / "node_modules" / ".bin" / PROXY
    found = shutil.which(PROXY) or (str(own) if own.exists() else None)
    if found:
        return found
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(
            f"JupyterHub needs {PROXY}, which is not here, and there is no npm to bring it. "
            "On Debian and Ubuntu: apt-get install npm"
        )
    command = [npm, "install", "--silent", "--no-save", "--no-package-lock", "--prefix", str(HERE)]
    run = subprocess.run([*command, f"{PROXY}@{PROXY_VERSION}"], capture_output=True, text=True)
    if run.returncode or not own.exists():
        raise SystemExit(f"npm could not bring {PROXY} {PROXY_VERSION}:\n{run.stdout}{run.stderr}")
    return str(own)


def free_ports(number: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def wait_for(address: str, process: subprocess.Popen, log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"The hub does not answer:\n{log.read_text()[-4000:]}")


def share_of(name: str, hub: psutil.Process) -> Share | None:
    """What the server of a student and its kernel take; None if they are not running."""
    for server in hub.children():
        if server.environ().get("JUPYTERHUB_USER") == name:
            kernels = server.children(recursive=True)
            times = [each.cpu_times() for each in (server, *kernels)]
            core = sum(each.user + each.system for each in times)
            return Share(pss(server), sum(map(pss, kernels)), core)
    return None


def hub_memory(hub: psutil.Process) -> float:
    """What the hub, its proxy and the culler hold together."""
    others = [each for each in hub.children() if "JUPYTERHUB_USER" not in each.environ()]
    return sum(map(pss, [hub, *others]))


def pss(process: psutil.Process) -> float:
    return process.memory_full_info().pss


def kept(student: Student, folder: Path) -> bool:
    """Whether the file in the student's home holds what the student saved, cell by cell."""
    path = folder / student.name / student.path
    return path.is_file() and content(nbformat.read(path, as_version=4)) == content(student.saved)


def content(notebook: nbformat.NotebookNode) -> list[tuple]:
    # Through JSON, where a text may also be a list of its lines.
    plain = nbformat.reads(nbformat.writes(notebook), as_version=4)
    return [(cell.id, cell.source, cell.get("outputs")) for cell in plain.cells]


def report(
    chapter: str, visitors: list[Student], lost: list[str], shares: list[Share], hub: float
) -> str:
    failed = {each.name: each.failures for each in visitors if each.failures}
    system = psutil.virtual_memory().total / 1e9
    lines = [
        f"{len(visitors)} students, chapter {chapter}; "
        f"{os.cpu_count()} cores, {system:.0f} GB of memory",
        f"failed: {len(failed)}; saved: {sum(each.saved is not None for each in visitors)}; "
        f"lost: {len(lost)}",
    ]
    for title, key in [
        ("server ready", "server_ready"),
        ("first output", "first_output"),
        ("run and saved", "finished"),
    ]:
        times = [getattr(each, key) for each in visitors if getattr(each, key) is not None]
        lines.append(f"{title:16}{spread(times)} s")
    lines.append(f"{'server':16}{spread([each.server / MB for each in shares])} MB")
    lines.append(f"{'kernel':16}{spread([each.kernel / MB for each in shares])} MB")
    lines.append(f"{'work of a core':16}{spread([each.core for each in shares])} s")
    lines.append(f"{'hub and proxy':16}{hub / MB:.0f} MB")
    lines += [f"{name}: {json.dumps(why)}" for name, why in failed.items()]
    lines += [f"{name}: what was saved is not on the disk" for name in lost]
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    return f"median {median(values):.0f}, most {max(values):.0f}" if values else "not measured, in"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=20, help="how many come in (default: 20)")
    parser.add_argument("--chapter", default="germs", choices=CHAPTERS, help="(default: germs)")
    parser.add_argument(
        "--patience", type=float, default=600, help="seconds until a student gives up"
    )
    options = parser.parse_args()
    if options.students < 1:
        parser.error(f"--students {options.students}: a class has at least one student")
    sys.exit(not load_test(options.students, options.chapter, options.patience))
