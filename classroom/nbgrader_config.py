"""nbgrader's settings for a class; the commands run in this folder read them.

The chapters are the source: a cell with the tag `solution` is left out of what students get,
a stub is theirs to fill in, a check is locked and scored.
"""

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
