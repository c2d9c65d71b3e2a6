"""Give a student what is missing of the course, then become the single-user server.

`python start_student.py COURSE FOLDER [OPTION ...]` runs as the student. A file that is
there is never touched, so nothing a student wrote is lost when the course changes. A student
who wants a fresh copy renames or deletes the old one and starts the server anew.
"""

import os
import shutil
import sys
from pathlib import Path


def give(course: Path, folder: Path) -> list[Path]:
    """Copy each file of `course` that `folder` lacks, and return the files that are new there."""
    if not course.is_dir():
        raise FileNotFoundError("there is no such folder, or this account may not read it")
    new = []
    for source in sorted(course.rglob("*")):
        relative = source.relative_to(course)
        target = folder / relative
        hidden = any(part.startswith(".") for part in relative.parts)
        if hidden or not source.is_file() or os.path.lexists(target):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # Under its name only when whole: a copy that was cut short is made again.
        unfinished = target.with_name(f".{target.name}.unfinished")
        shutil.copyfile(source, unfinished)  # without the mode: the original is read-only
        unfinished.rename(target)
        new.append(target)
    return new


if __name__ == "__main__":
    course, folder, *options = sys.argv[1:]
    try:
        give(Path(course), Path.home() / folder)
    except OSError as error:  # a full disk must not keep students from what they have
        print(f"Could not copy the course from {course}: {error}", file=sys.stderr)
    server = [sys.executable, "-m", "jupyterhub.singleuser", *options]
    os.execv(sys.executable, server)
