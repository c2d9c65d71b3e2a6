"""What the tests share: a seed, a browser, the built book and a running JupyterLab."""

import functools
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch
from filelock import FileLock

ROOT = Path(__file__).parent.parent
DESKTOP, PHONE = (1280, 900), (390, 844)

# The widget manager gives each stored view an area, and the view fills it a while later.
# Formulas are set once MathJax has started.
AT_REST = """() => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(() => [
  ...document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]'),
].every((view) => view.parentElement.querySelector(".widget-subarea > *")))"""

# The first is the same engine without a window: with it widgets are tested in 60 % of the time.
CHROMIUM_NAMES = (
    "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome",
)  # fmt: skip
# Quiet flags: without them the browser itself calls its makers, whatever the page does.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Errors that JupyterLab and its extension log by themselves; nothing on the page is harmed.
NOT_OURS = (
    "_markdownOverlapsToolbar",  # JupyterLab 4.6, of a Markdown cell scrolled out of its window
    "Session has no kernel",  # jupyterlab-myst 2.6, of a notebook whose kernel is still starting
)


def pytest_collection_modifyitems(items):
    """What needs no book first: at its tests every test process would wait for its building."""
    items.sort(key=lambda item: item.path.parent.name not in ("classroom", "course"))


@pytest.fixture(autouse=True)
def one_thread_and_a_seed():
    """Every test starts from the same random state, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


# Per module, not per session: Playwright keeps an event loop running, which would be in
# the way of the notebooks that the same test process executes later.
@pytest.fixture(scope="module")
def browser():
    """Chromium by Playwright; a test that asks for it is skipped where there is none."""
    executable = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if executable is None:
        pytest.skip("no browser here: install Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Opens pages for one test; see `visiting`."""
    with visiting(browser) as visit:
        yield visit


@pytest.fixture(scope="module")
def visit_once(browser) -> Iterator[Callable]:
    """Opens pages that the tests of a module share, because none of them changes anything."""
    with visiting(browser) as visit:
        yield visit


@contextmanager
def visiting(browser) -> Iterator[Callable]:
    """Opens a page as a reader does: `page = visit(url, size=PHONE, scheme="dark")`.

    It waits until its formulas are set and its interactive figures are drawn.
    In the end no page it opened may have asked a foreign host for anything,
    raised an error or logged one. Foreign requests are refused as they are made.
    """
    contexts, foreign, errors = [], [], []

    def is_foreign(url: str) -> bool:
        parts = urlsplit(url)
        local = ("127.0.0.1", "localhost")
        return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in local

    def refuse(route):
        foreign.append(route.request.url)
        route.abort()

    def visit(url: str, size=DESKTOP, scheme="light"):
        width, height = size
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        contexts.append(context)
        context.route(is_foreign, refuse)
        page = context.new_page()
        page.on("websocket", lambda socket: is_foreign(socket.url) and foreign.append(socket.url))
        page.on("pageerror", lambda error: errors.append(f"{page.url}: {error.stack or error}"))
        page.on(
            "console",
            lambda line: line.type == "error" and errors.append(f"{page.url}: {line.text}"),
        )
        page.goto(url)
        page.wait_for_function(AT_REST)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not foreign, f"asked foreign hosts: {foreign}"
    errors = [error for error in errors if not any(known in error for known in NOT_OURS)]
    assert not errors, f"errors in the page: {errors}"


@pytest.fixture(scope="session")
def built_book(tmp_path_factory) -> Path:
    """The folder of the built pages: built once, however many processes test it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    log = shared / "book.log"
    with FileLock(shared / "book.lock"):
        if not log.exists():
            command = [sys.executable, "book/build.py", str(shared / "book")]
            environment = os.environ | {"NO_COLOR": "1"}
            run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
            log.write_text(f"{run.stdout}\n{run.stderr}\nexit status {run.returncode}")
    text = log.read_text()
    if not text.endswith("exit status 0"):
        pytest.fail(f"the book does not build cleanly:\n{text[-6000:]}", pytrace=False)
    return shared / "book" / "_build" / "html"


@pytest.fixture(scope="session")
def book_server(built_book) -> Iterator[str]:
    """The address, without a slash at its end, at which the built book is served."""
    with served(built_book) as address:
        yield address


@pytest.fixture(scope="module")
def widget_site(tmp_path_factory) -> Iterator[tuple[Path, str]]:
    """A folder with the widgets' JavaScript, and the address at which it is served."""
    folder = tmp_path_factory.mktemp("site")
    for script in (ROOT / "geomlib" / "teaching" / "assets").glob("*.js"):
        shutil.copy(script, folder)
    (folder / "blank.html").write_text(
        "<!doctype html><title>t</title><link rel=icon href='data:,'>"
    )
    with served(folder) as address:
        yield folder, address


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; gives the address, without a slash at its end."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Lab:
    """A running JupyterLab: the folder it works in, and the address of a file there."""

    def __init__(self, folder: Path, address: str, token: str):
        self.folder, self.address, self.token = folder, address, token

    def url(self, name: str) -> str:
        return f"{self.address}/lab/tree/{name}?reset&token={self.token}"


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory) -> Iterator[Lab]:
    """JupyterLab on a copy of course/, opened as `make lab` does, with its own defaults."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "course"
    shutil.copytree(ROOT / "course", folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lab = Lab(folder, f"http://127.0.0.1:{port}", "open-sesame")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={lab.token}"]
    command += re.findall(r"--LabApp\.default_url=\S+", (ROOT / "Makefile").read_text())
    # The server itself would ask for news and new versions.
    command += ["--LabApp.news_url=None", "--LabApp.extension_manager=readonly"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    settings = {f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    settings |= {"HOME": str(home), "IPYTHONDIR": str(home / "ipython")}
    log = home / "jupyterlab.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, env=os.environ | settings, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(f"{lab.address}/api", server, log)
        yield lab
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(url: str, server: subprocess.Popen, log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{url} does not answer:\n{log.read_text()[-4000:]}")
