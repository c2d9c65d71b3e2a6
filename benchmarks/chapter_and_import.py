"""How long do a chapter and `import geomlib` take?

And how much memory does a chapter need? Each notebook runs once from top to bottom in a new kernel.
"""

import subprocess
import sys
import time
from statistics import median

from common import HERE, begin, fresh, progress, promise, table

COURSE = HERE.parent / "course"
SECONDS, MEGABYTES = 60, 2000


def import_seconds(rounds: int) -> float:
    code = "import time; t = time.perf_counter(); import geomlib; print(time.perf_counter() - t)"
    run = [sys.executable, "-c", code]
    return median(float(subprocess.check_output(run, text=True)) for _ in range(rounds))


def report_chapter(name: str) -> None:
    """Execute one notebook; print seconds on the clock, of processor, and peak megabytes."""
    import resource

    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(COURSE / name, as_version=4)
    start = time.perf_counter()
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(COURSE)}}
    ).execute()
    wall = time.perf_counter() - start
    kernel = resource.getrusage(resource.RUSAGE_CHILDREN)  # ended by now, so it is counted
    print(wall, kernel.ru_utime + kernel.ru_stime, kernel.ru_maxrss / 1024)


def main() -> None:
    rounds = begin(__doc__, rounds=9)
    seconds = import_seconds(rounds)
    rows, slowest, largest = [["import geomlib", f"{seconds:.3f}", "", ""]], 0.0, 0.0
    for path in sorted(COURSE.glob("*.ipynb")):
        progress(f"running {path.name} ...")
        wall, processor, peak = fresh(report_chapter, path.name)
        rows.append([path.stem, f"{wall:.1f}", f"{processor:.1f}", f"{peak:.0f}"])
        slowest, largest = max(slowest, processor), max(largest, peak)
    table("On one thread.", ["what", "s on the clock", "s of processor", "peak MB"], rows)
    promise(f"import geomlib takes {seconds:.3f} s, under 0.3", seconds < 0.3)
    promise(f"a chapter takes at most {slowest:.0f} s of processor, under 60", slowest < SECONDS)
    promise(f"and at most {largest:.0f} MB, under 2000", largest < MEGABYTES)


if __name__ == "__main__":
    main()
