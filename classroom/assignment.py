"""Build what students get from a chapter: `python classroom/assignment.py germs`.

The chapter is copied to `source/` in the folder of the class, and nbgrader makes `release/` of
it. Submissions, marks and feedback, which lie beside these two, stay as they are.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from nbgrader.apps import NbGraderAPI
from traitlets.config import Config, PyFileConfigLoader

HERE = Path(__file__).resolve().parent
CHAPTERS = {path.stem[3:]: path for path in sorted((HERE.parent / "course").glob("*.ipynb"))}
SETTINGS = "nbgrader_config.py"


def build(chapter: str, folder: Path = HERE) -> Path:
    """The folder `release/CHAPTER` of the class in `folder`, made anew from the chapter."""
    if chapter not in CHAPTERS:
        raise SystemExit(f"There is no chapter {chapter!r}. There are: {', '.join(CHAPTERS)}")
    source = folder / "source" / chapter
    source.mkdir(parents=True, exist_ok=True)
    if not (folder / SETTINGS).exists():
        shutil.copy(HERE / SETTINGS, folder)
    shutil.copy(CHAPTERS[chapter], source / f"{chapter}.ipynb")
    result = _nbgrader(folder).generate_assignment(chapter, force=True)
    if not result["success"]:
        raise SystemExit(f"nbgrader could not build {chapter!r}:\n{result['log']}")
    return folder / "release" / chapter


def _nbgrader(folder: Path) -> NbGraderAPI:
    # It looks for its own helpers there, also when the environment is not activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = PyFileConfigLoader(SETTINGS, path=str(folder)).load_config()
    settings.merge(Config(CourseDirectory={"root": str(folder)}))
    return NbGraderAPI(config=settings)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build what students get from a chapter.")
    parser.add_argument("chapters", nargs="+", metavar="CHAPTER", help=", ".join(CHAPTERS))
    parser.add_argument("--folder", type=Path, default=HERE, help="of the class (default: here)")
    options = parser.parse_args()
    for name in options.chapters:
        print("Ready to hand out:", build(name, options.folder.resolve()))
