"""Run chapters and store their outputs: `python book/outputs.py course/07_vae_geodesics.ipynb`.

The stored outputs are what the book shows and what nbval compares with. Two runs on
one machine give the same file: run times are left out, and widgets, which the kernel
names at random, are numbered.
"""

import itertools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def store_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=True,
        coalesce_streams=True,  # or the pieces of a text would depend on the clock
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    counts = itertools.count(1)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":  # progress bars, which show how fast this machine is
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
            _number(cell, counts)
    notebook.metadata.kernelspec = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    notebook.metadata.language_info.pop("version", None)
    notebook = _number_widgets(notebook)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def _number(cell: nbformat.NotebookNode, counts: Iterator[int]) -> None:
    """Number a cell that ran; the one that does its work on Colab alone counts for nothing."""
    counted = cell.source.strip() and "colab" not in cell.metadata.get("tags", [])
    cell.execution_count = next(counts) if counted else None
    for output in cell.outputs:
        if output.output_type == "execute_result":
            output.execution_count = cell.execution_count


def _number_widgets(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same notebook, its widget models named by their place instead of at random."""
    text = json.dumps(notebook, ensure_ascii=False)
    widgets = notebook.metadata.get("widgets", {})
    states = widgets.get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    for number, model in enumerate(sorted(states, key=text.index)):
        text = re.sub(re.escape(model), f"{number:032x}", text)
    return nbformat.reads(text, as_version=4)


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("Name a notebook: python book/outputs.py course/07_vae_geodesics.ipynb")
    for name in sys.argv[1:]:
        print(f"Running {name}", flush=True)
        store_outputs(Path(name))
