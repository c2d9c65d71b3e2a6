"""Run every benchmark and write the book's page about them: `make bench`.

Options are passed on: `make bench ARGS='--rounds 1'` is a quick look.
"""

import datetime
import os
import platform
import subprocess
import sys

import torch
from common import HERE, ONE_THREAD, progress

PAGE = HERE.parent / "book" / "benchmarks.md"
QUESTIONS = (
    "metric_matrices",
    "boundary_geodesics",
    "exponential_map",
    "transport",
    "curvature",
    "diffusion",
    "scaling",
    "chapter_and_import",
)
INTRODUCTION = """\
# Benchmarks

`geomlib` beside other libraries, and beside what one would write without a library. Each section
asks one question, shows a table and says which promises hold. The page is written by

```console
$ make bench
```

which takes about half an hour and puts the other libraries into an environment of their own; this
one is of {date}, {machine}. All times are seconds of the processor on one thread, the median of
rounds in which everybody takes part in turn, and each ratio is the median of the ratios within a
round: trust the ratios, the times are this machine's. Slow competitors run once, and what a library
does not offer, or not in minutes, is missing from its row. The decoder is an untrained network
2-64-256-784 with tanh, the same in all tables. Of {count} promises, {kept} hold.
"""


def main() -> None:
    sections, failed = [], []
    for question in QUESTIONS:
        progress(f"Running benchmarks/{question}.py")
        run = subprocess.run(
            [sys.executable, HERE / f"{question}.py", *sys.argv[1:]],
            env=os.environ | ONE_THREAD,
            stdout=subprocess.PIPE,
            text=True,
        )
        progress(run.stdout)
        if run.returncode:  # the others took minutes: keep them
            failed.append(f"benchmarks/{question}.py failed, and the page lacks its section")
            continue
        sections.append(run.stdout.strip())
    lines = "\n".join(sections).splitlines()
    broken = [line for line in lines if line.startswith("- **broken**")]
    kept = sum(line.startswith("- holds") for line in lines)
    introduction = INTRODUCTION.format(
        date=datetime.date.today().strftime("%-d %B %Y"),
        machine=machine(),
        count=kept + len(broken),
        kept=kept,
    )
    PAGE.write_text("\n\n".join([introduction.strip(), *sections]) + "\n")
    wrote = f"The book's page is written. Of {kept + len(broken)} promises, {kept} hold."
    progress("\n".join([wrote, *broken, *failed]))
    sys.exit(len(failed))


def machine() -> str:
    """The machine in words, without its name."""
    versions = f"torch {torch.__version__.split('+')[0]} and Python {platform.python_version()}"
    return f"on {os.cpu_count()} cores ({platform.machine()}) with {versions}"


if __name__ == "__main__":
    main()
