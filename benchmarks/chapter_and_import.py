"""How long do `import geomlib` and the chapters take?

The import is timed by the clock. A chapter runs from top to bottom in a process of its own; its
seconds of the processor and its peak memory are those of the kernel.
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
    """Execute one notebook; print seconds on the clock, of the processor, and peak megabytes."""
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
    seconds = import_seconds(begin(__doc__, rounds=9))
    rows, verdicts = [["import geomlib", f"{seconds:.3f}", "", ""]], []
    verdicts.append((f"import geomlib takes {seconds:.3f} s, under 0.3", seconds < 0.3))
    for path in sorted(COURSE.glob("*.ipynb")):
        progress(f"running {path.name} ...")
        try:
            wall, cpu, peak = fresh(run_chapter, str(path))
        except RuntimeError as error:
            progress(str(error))
            rows.append([path.stem, "", "", ""])
            verdicts.append((f"{path.stem} runs", False))
            continue
        rows.append([path.stem, f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.0f}"])
        # on a busy machine the clock also counts the others' work
        verdicts.append((f"{path.stem} takes {cpu:.0f} s of the processor, under 60", cpu < 60))
        verdicts.append((f"{path.stem} peaks at {peak:.0f} MB, under 2000", peak < 2000))
    table("On one thread.", ["what", "s (clock)", "s (processor)", "peak MB"], rows)
    for text, holds in verdicts:
        promise(text, holds)


if __name__ == "__main__":
    main()
