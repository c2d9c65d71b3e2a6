"""Runs every benchmark and writes the book's page of results from what they print."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

import torch
from common import HERE, ONE_THREAD, progress

BOOK = HERE.parent / "book"
PLOT = BOOK / "benchmarks_scaling.png"
QUESTIONS = (
    "metric_matrices",
    "boundary_geodesics",
    "exponential_map",
    "transport",
    "curvature",
    "scaling",
    "chapter_and_import",
)
FIGURE = f"""
```{{figure}} {PLOT.name}
:name: fig-benchmarks-scaling
:alt: Four log-log panels of milliseconds against batch, dimension, segments and width, with a \
line each for matrix, geodesic, exp and transport; all rise about linearly or more slowly.

How cost grows, one quantity at a time. Time is linear in batch and segments once they are large.
```
"""


def head() -> str:
    return f"""# Benchmarks

How fast the library is, beside others that answer the same question. Each table was printed by one
run; compare within a table, not across machines. All code runs on one thread, and times are seconds
of the processor. The decoder has layers of 2, 64, 256 and 784 units with tanh between them, and a
fixed seed. Peers run in an environment and a process of their own and take their own time.

This page was written on {datetime.now(UTC):%d %B %Y} on {platform.system()} with
{os.cpu_count()} cores, Python {platform.python_version()} and torch {torch.__version__}, by

```console
$ make bench
```

which takes about a quarter of an hour. A line that says **broken** is a promise that this run did
not keep.
"""


def main() -> None:
    parts = [head()]
    for question in QUESTIONS:
        progress(f"== benchmarks/{question}.py")
        command = [sys.executable, "-W", "ignore", str(HERE / f"{question}.py")]
        if question == "scaling":
            command += ["--plot", str(PLOT)]
        run = subprocess.run(
            command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, text=True
        )
        if run.returncode:
            raise SystemExit(f"benchmarks/{question}.py failed, and the page stays as it was")
        print(run.stdout, flush=True)
        parts.append(run.stdout + (FIGURE if question == "scaling" else ""))
    (BOOK / "benchmarks.md").write_text("\n".join(parts).replace("\n\n\n", "\n\n"))
    progress(f"wrote {BOOK / 'benchmarks.md'}")


if __name__ == "__main__":
    main()
