"""How long do a chapter and `import geomlib` take, and how much memory does a chapter need?

Promises: `import geomlib` under 0.3 s; each chapter under 60 s and under 2 GB on one thread.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from statistics import median

from common import HERE, progress, promise, table

COURSE = HERE.parent / "course"
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def import_seconds(rounds: int) -> float:
    code = "import time; t = time.perf_counter(); import geomlib; print(time.perf_counter() - t)"
    run = [sys.executable, "-c", code]
    return median(float(subprocess.check_output(run, text=True)) for _ in range(rounds))


def run_chapter(path: str) -> None:
    """Execute one notebook; print seconds on the clock, of processor, and peak megabytes."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(COURSE)}}
    ).execute()
    wall = time.perf_counter() - start
    kernel = resource.getrusage(resource.RUSAGE_CHILDREN)  # ended by now, so it is counted
    print(wall, kernel.ru_utime + kernel.ru_stime, kernel.ru_maxrss / 1024)


def main(rounds: int) -> None:
    seconds = import_seconds(rounds)
    rows, verdicts = [["import geomlib", f"{seconds:.3f}", "", ""]], []
    verdicts.append((f"import geomlib takes {seconds:.3f} s, under 0.3", seconds < 0.3))
    for path in sorted(COURSE.glob("*.ipynb")):
        progress(f"running {path.name} ...")
        command = [sys.executable, __file__, "--chapter", str(path)]
        environment = os.environ | ONE_THREAD
        run = subprocess.run(command, capture_output=True, text=True, env=environment)
        if run.returncode:
            rows.append([path.stem, "", "", ""])
            verdicts.append((f"{path.stem} runs\n{run.stderr[-800:]}", False))
            continue
        wall, cpu, peak = map(float, run.stdout.split()[-3:])
        rows.append([path.stem, f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.0f}"])
        # on a busy machine the clock also counts the others' work
        verdicts.append((f"{path.stem} takes {cpu:.0f} s of processor, under 60", cpu < 60))
        verdicts.append((f"{path.stem} peaks at {peak:.0f} MB, under 2000", peak < 2000))
    table("One thread", ["what", "s (wall)", "s (cpu)", "peak MB"], rows)
    for text, holds in verdicts:
        promise(text, holds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--chapter", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.chapter:
        run_chapter(arguments.chapter)
    else:
        main(arguments.rounds)
