"""nbgrader's settings for a class; the commands run in this folder read them.

The chapters are the source: a cell with the tag `solution` is left out of what students get,
a stub is theirs to fill in, a check is locked and scored.
"""

from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    DeduplicateIds,
    OverwriteCells,
    OverwriteKernelspec,
)

c = get_config()

c.CourseDirectory.course_id = "geometry-and-generative-models"

# The worked solutions are cells of their own, so there is nothing to cut out of a cell:
# `ClearSolutions` would empty the stubs, `OverwriteCells` would ask the gradebook first.
c.GenerateAssignment.preprocessors = [
    "nbconvert.preprocessors.TagRemovePreprocessor",
    "nbgrader.preprocessors.LockCells",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
]
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = ["solution"]

# A chapter trains its models live; no cell of it takes a minute on one core.
c.Execute.timeout = 300
# After an interrupt the kernel may finish a long step of its own first.
c.Execute.iopub_timeout = 60


class ForgetCopies(DeduplicateIds):
    """Makes the copy of a check, which a student has pasted elsewhere, an ordinary cell.

    nbgrader leaves such a copy with empty marks of its own, takes these for an older version's,
    and stops marking the whole class.
    """

    def preprocess_cell(self, cell, resources, index):
        cell, resources = super().preprocess_cell(cell, resources, index)
        if cell.metadata.get("nbgrader") == {}:
            del cell.metadata["nbgrader"]
        return cell, resources


c.Autograde.sanitize_preprocessors = [
    ClearOutput,
    ForgetCopies,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
# A check that a student has deleted is put back behind its stub.
c.OverwriteCells.add_missing_cells = True
