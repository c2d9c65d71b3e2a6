"""What a chapter must keep to: each rule lists what breaks it, and names the cell.

A rule takes the path of a notebook, or of several where it is one of the whole course.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
import yaml

EXERCISE = re.compile(r"^[`:]{3,}\{exercise\}[ ]*(?P<title>.*)$", re.M)
CHECK = re.compile(r'^check\(\s*"([^"]+)"', re.M)
CITATION = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|\{doc\}`(?:[^`<]*<)?([^`>]+)>?`")
UNCHECKED = re.compile(r"[a-z]+:|#")  # elsewhere on the net, or within the page
GRADING = {
    "stub": {"schema_version": 3, "solution": True, "grade": False, "locked": False},
    "check": {"schema_version": 3, "solution": False, "grade": True, "locked": True},
}


def cells(path: Path) -> list[tuple[str, nbformat.NotebookNode]]:
    """Pairs of a name to report and the cell."""
    notebook = nbformat.read(path, as_version=4)
    return [
        (f"{path.stem}, cell {number} ({cell.id})", cell)
        for number, cell in enumerate(notebook.cells)
    ]


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def has_figure(cell) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def broken_exercises(path: Path) -> Iterator[str]:
    """The text, a free stub, a locked check, a hidden solution, in this order."""
    every = cells(path)
    for place, (name, text) in enumerate(every):
        exercise = EXERCISE.search(text.source) if text.cell_type == "markdown" else None
        if not exercise:
            continue
        if not exercise["title"] or not re.search(r"^:label: \S+", text.source, re.M):
            yield f"{name}: the exercise needs a title and a label"
        following = every[place + 1 : place + 4]
        if set(tags(text)) & {"pencil", "open"}:  # answered on paper: nothing to mark
            if not any("solution" in tags(cell) for _, cell in following):
                yield f"{name}: no solution follows"
        elif [cell.cell_type for _, cell in following] != ["code"] * 3:
            yield f"{name}: a stub, a check and a solution must follow, three code cells"
        else:
            yield from _broken_answer(*following)


def _broken_answer(stub, check, solution) -> Iterator[str]:
    for kind, (name, cell) in (("stub", stub), ("check", check)):
        found = cell.metadata.get("nbgrader", {})
        wrong = [key for key, value in GRADING[kind].items() if found.get(key) != value]
        if wrong or not found.get("grade_id"):
            yield f"{name}: nbgrader's metadata of a {kind} are wrong: {wrong or 'no grade_id'}"
        if kind == "check" and not found.get("points", 0) > 0:
            yield f"{name}: the check gives no points"
    if not stub[1].source.rstrip().endswith("..."):
        yield f"{stub[0]}: the stub has a body"
    if "solution" not in tags(solution[1]):
        yield f"{solution[0]}: the solution has no tag `solution`, so students would get it"


def broken_solutions(path: Path) -> Iterator[str]:
    """A solution is hidden in JupyterLab, folded in the book, and earns no marks."""
    for name, cell in cells(path):
        if "solution" not in tags(cell):
            continue
        if not cell.metadata.get("jupyter", {}).get("source_hidden"):
            yield f"{name}: the solution is not hidden: jupyter.source_hidden is missing"
        if cell.cell_type == "code" and not set(tags(cell)) & {"hide-cell", "hide-input"}:
            yield f"{name}: the solution is not folded in the book: no tag `hide-cell`"
        if "nbgrader" in cell.metadata:
            yield f"{name}: a solution is not marked, but it has nbgrader's metadata"


def shared_grade_ids(paths: Iterable[Path]) -> Iterator[str]:
    yield from _shared(
        (grade_id, name)
        for path in paths
        for name, cell in cells(path)
        if (grade_id := cell.metadata.get("nbgrader", {}).get("grade_id"))
    )


def shared_checks(paths: Iterable[Path]) -> Iterator[str]:
    """Two marked cells that check one exercise; a solution checks it once more, unmarked."""
    yield from _shared(
        (exercise, name)
        for path in paths
        for name, cell in cells(path)
        if cell.metadata.get("nbgrader", {}).get("grade")
        for exercise in CHECK.findall(cell.source)
    )


def _shared(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for name, cell in pairs:
        if name in first:
            yield f"{cell}: {name!r} is the name of {first[name]} already"
        first.setdefault(name, cell)


def missing_from_contents(paths: Iterable[Path], contents: Path, root: Path) -> Iterator[str]:
    """Notebooks that the book does not list, and chapters that it lists and are not there."""
    toc = yaml.safe_load(contents.read_text())
    listed = {entry["file"] for part in toc["parts"] for entry in part["chapters"]}
    there = {path.relative_to(root).with_suffix("").as_posix() for path in paths}
    for name in sorted(there - listed):
        yield f"{name} is not in {contents.name}"
    for name in sorted(name for name in listed - there if name.startswith("course/")):
        yield f"{contents.name} lists {name}, and there is no such notebook"


def broken_links(path: Path, root: Path) -> Iterator[str]:
    """Links to other files of the course; a `{doc}` names a page without its ending."""
    for name, cell in cells(path):
        if cell.cell_type != "markdown":
            continue
        for link, page in LINK.findall(cell.source):
            if link and not UNCHECKED.match(link):
                found = (path.parent / link.split("#")[0]).is_file()
            elif page:
                base = root / page[1:] if page.startswith("/") else path.parent / page
                found = any(base.with_name(base.name + end).is_file() for end in (".md", ".ipynb"))
            else:
                continue
            if not found:
                yield f"{name}: the link to {link or page} leads nowhere"


def unknown_citations(path: Path, bibliography: Path) -> Iterator[str]:
    known = set(re.findall(r"^@\w+\{([^,\s]+)", bibliography.read_text(), re.M))
    for name, cell in cells(path):
        for keys in CITATION.findall(cell.source) if cell.cell_type == "markdown" else ():
            for key in keys.split(","):
                if key.strip() not in known:
                    yield f"{name}: {key.strip()!r} is not in {bibliography.name}"


def orphan_figures(path: Path) -> Iterator[str]:
    """Figures without a caption, a name to refer to, or a text that says what they show."""
    seen: dict[str, str] = {}
    for name, cell in cells(path):
        if not has_figure(cell):
            continue
        book = cell.metadata.get("mystnb", {})
        alt, figure = book.get("image", {}).get("alt", ""), book.get("figure", {})
        if not figure.get("caption"):
            yield f"{name}: the figure has no caption, mystnb.figure.caption"
        if not str(figure.get("name", "")).startswith("fig-"):
            yield f"{name}: the figure has no name like fig-..., mystnb.figure.name"
        if not alt or cell.metadata.get("alt") != alt:
            yield f"{name}: `alt` and mystnb.image.alt are missing, or differ"
        elif len(alt.split()) < 6 or re.search(
            r"\.(png|svg|jpg)|^(figure|image|plot)\b", alt, re.I
        ):
            yield f"{name}: {alt!r} does not say what the figure shows"
        if alt and alt in seen:
            yield f"{name}: {seen[alt]} has the same alt text"
        seen.setdefault(alt, name)


def shared_figure_names(paths: Iterable[Path]) -> Iterator[str]:
    yield from _shared(
        (figure["name"], name)
        for path in paths
        for name, cell in cells(path)
        if (figure := cell.metadata.get("mystnb", {}).get("figure", {})).get("name")
    )


def orphan_pictures(folder: Path) -> Iterator[str]:
    """Pictures that lie in a folder, and that no page or configuration there names."""
    ours = [path for path in folder.rglob("*") if not {"_build", "vendor"} & set(path.parts)]
    texts = [path.read_text() for path in ours if path.suffix in {".md", ".ipynb", ".yml"}]
    for path in sorted(ours):
        if path.suffix in {".png", ".svg", ".jpg"} and not any(path.name in t for t in texts):
            yield f"{path.relative_to(folder).as_posix()} is shown on no page"
