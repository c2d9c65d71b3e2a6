"""Build the book: `python book/build.py [FOLDER]`, by default into book/_build/html.

Fails on any warning, broken reference or unknown citation.
"""

import subprocess
import sys
from pathlib import Path

import vendor

ROOT = Path(__file__).parent.parent


def build(output: Path) -> int:
    vendor.bring()
    print(f"Building the book into {output / '_build' / 'html'}", flush=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "."]
    command += ["--config", "book/_config.yml", "--toc", "book/_toc.yml"]
    command += ["--path-output", str(output), "-W", "-n", "--keep-going"]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "book").resolve()))
