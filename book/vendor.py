"""Bring the scripts that the book and the slides need from npm into book/assets/vendor.

A page then asks no foreign host for anything. The folder is not
committed, and is made anew only when a version below changes. Without npm the
book still builds: its pages load the same versions from a public CDN.

Run as `python book/vendor.py`; book/build.py does so.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

VENDOR = Path(__file__).parent / "assets" / "vendor"

VERSIONS = {
    "@jupyter-widgets/html-manager": "1.0.15",
    "anywidget": "0.11.0",  # the version that constraints.txt pins for Python
    "mathjax": "3.2.2",
    "requirejs": "2.3.8",
    "reveal.js": "5.2.1",  # for the slides alone
}

# What to take out of each package, and what to call it below `vendor`.
FILES = {
    "@jupyter-widgets/html-manager": {
        "dist/embed-amd.js": "html-manager/embed-amd.js",
        "dist": "html-manager/dist",  # its fonts, which it looks for in `dist` beside itself
    },
    "anywidget": {"dist/index.js": "anywidget.js"},
    "mathjax": {
        "es5/tex-mml-chtml.js": "mathjax/tex-mml-chtml.js",
        "es5/input/tex": "mathjax/input/tex",
        "es5/output/chtml": "mathjax/output/chtml",
        "es5/a11y": "mathjax/a11y",
        "es5/sre": "mathjax/sre",
    },
    "requirejs": {"require.js": "require.js"},
    "reveal.js": {
        "dist/reveal.css": "reveal/reveal.css",
        "dist/reveal.js": "reveal/reveal.js",
        "plugin/notes/notes.js": "reveal/notes.js",
    },
}


def bring() -> bool:
    """Make `book/assets/vendor` hold the versions above; False where that cannot be."""
    wanted = "".join(f"{name}@{version}\n" for name, version in VERSIONS.items())
    marker = VENDOR / "versions.txt"
    if marker.is_file() and marker.read_text() == wanted:
        return True
    shutil.rmtree(VENDOR, ignore_errors=True)
    npm = shutil.which("npm")
    if npm is None:
        print("There is no npm here: the pages will load their scripts from a CDN.")
        return False
    print("Bringing the book's scripts from npm")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--pack-destination", folder, *wanted.split()]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
            print("npm could not bring them: the pages will load their scripts from a CDN.")
            return False
        for name in VERSIONS:
            _unpack(Path(folder), name)
    marker.write_text(wanted)  # last: without it, the next call begins again
    return True


def _unpack(folder: Path, name: str) -> None:
    archive = folder / f"{name.removeprefix('@').replace('/', '-')}-{VERSIONS[name]}.tgz"
    shutil.unpack_archive(archive, folder / name)
    for source, target in FILES[name].items():
        found, place = folder / name / "package" / source, VENDOR / target
        place.parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            unused = shutil.ignore_patterns("*.map", "*embed*")
            shutil.copytree(found, place, ignore=unused)
        else:
            shutil.copy(found, place)


if __name__ == "__main__":
    bring()
