"""Notebooks in a running JupyterLab, run by hand as a learner runs them.

The code of every chapter is run by nbval; what JupyterLab adds is its own, so here are the first
notebook and a chapter, with a self-test and a figure that are used.
"""

import latent_explorer_page
import nbformat
import pytest
import quiz_page

pytestmark = pytest.mark.browser

START, CHAPTER = "00_start_here.ipynb", "12_your_own_decoder.ipynb"
FIGURES = {".gq": quiz_page.check_everything, ".lx": latent_explorer_page.check_everything}
MINUTE = 60_000  # milliseconds

FRONT = ".jp-NotebookPanel:not(.lm-mod-hidden)"

# Keeps in mind that the kernel was busy, be it for less than a frame.
KEEP_IN_MIND = f"""() => {{
  window.wasBusy = false;
  new MutationObserver(() => {{ window.wasBusy = true; }}).observe(
    document.querySelector("{FRONT}"),
    {{ subtree: true, attributes: true, attributeFilter: ["data-status"] }},
  );
}}"""

# True while a cell of the notebook in front waits or runs.
RUNNING = f"""() => {{
  const panel = document.querySelector("{FRONT}");
  const {{ status }} = panel.querySelector(".jp-Notebook-ExecutionIndicator").dataset;
  const prompts = [...panel.querySelectorAll(".jp-CodeCell .jp-InputPrompt")];
  return status !== "idle" || prompts.some((prompt) => prompt.textContent.includes("*"));
}}"""


def clear(path) -> None:
    """Take the stored outputs out of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)


def run_all_cells(page) -> None:
    page.evaluate(KEEP_IN_MIND)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function("window.wasBusy", timeout=MINUTE)
    idle = 0
    while idle < 4:  # it is idle between two cells, too; asked seldom, for it takes time from them
        page.wait_for_function(f"() => !({RUNNING})()", polling=500, timeout=5 * MINUTE)
        page.wait_for_timeout(500)
        idle = 0 if page.evaluate(RUNNING) else idle + 1


def saved(page, path):
    """The notebook as JupyterLab writes it, now that its cells have run."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    for _ in range(100):
        page.wait_for_timeout(100)
        if path.stat().st_mtime_ns != before:
            try:
                return nbformat.read(path, as_version=4)
            except nbformat.reader.NotJSONError:
                continue  # still being written
    raise AssertionError("the notebook was not saved")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check_every_cell_has_run(page, path) -> None:
    for cell in code_cells(saved(page, path)):
        assert cell.execution_count or not cell.source.strip(), f"{cell.id} was not run"
        failed = [output for output in cell.outputs if output.output_type == "error"]
        assert not failed, f"{cell.id}: {failed}"


def test_a_chapter_runs_in_jupyterlab(visit, jupyterlab):
    clear(jupyterlab.folder / CHAPTER)
    page = visit(jupyterlab.url(CHAPTER))
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=MINUTE)
    run_all_cells(page)
    check_every_cell_has_run(page, jupyterlab.folder / CHAPTER)
    for selector, check in FIGURES.items():
        figure = page.locator(selector).first
        figure.scroll_into_view_if_needed()
        check(figure)


def test_jupyterlab_opens_on_the_start_page_and_its_map_leads_to_the_chapters(visit, jupyterlab):
    clear(jupyterlab.folder / START)
    page = visit(f"{jupyterlab.address}/?token={jupyterlab.token}")
    page.get_by_role("heading", name="Start here").wait_for(timeout=MINUTE)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=MINUTE)
    run_all_cells(page)
    check_every_cell_has_run(page, jupyterlab.folder / START)
    page.locator(".cm").get_by_role("link", name="Charts and atlases").click()
    page.get_by_role("heading", name="Charts and atlases", level=1).wait_for(timeout=MINUTE)
