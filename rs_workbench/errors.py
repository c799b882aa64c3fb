"""Every error a user can meet, as a tree.

WorkbenchError
├── SceneError (ValueError)        the raster cannot be mapped as asked
├── ModelError (ValueError)        the model file is not one we run, or not with this card
├── UnsafeModelError (ModelError)  loading it would run code from the file
├── MissingDependencyError (ImportError)
├── OutputError (OSError)          the output is there already, or cannot be written
├── ResumeError (ValueError)       an unfinished run lies in the way
├── AccuracyError (ValueError)     the reference or the sample cannot be used as asked
├── TrainingError (RuntimeError)   training began and cannot go on
└── UsageError (ValueError)        options that contradict each other; exit code 2

`tiling.TilingError` stands beside this tree, because `tiling` may not look upward.
The command line turns all of them into one sentence and an exit code.
"""

from __future__ import annotations


class WorkbenchError(Exception):
    """Base of all deliberate errors; its text is one sentence for the user."""

    exit_code = 1


class SceneError(WorkbenchError, ValueError):
    """The raster cannot be mapped as asked."""


class ModelError(WorkbenchError, ValueError):
    """The model file is not one that runs here, or does not fit its card."""


class UnsafeModelError(ModelError):
    """Loading the model would run code from its file."""


class MissingDependencyError(WorkbenchError, ImportError):
    """A package that this job needs is not installed."""


class OutputError(WorkbenchError, OSError):
    """The output exists already or cannot be written."""


class ResumeError(WorkbenchError, ValueError):
    """An unfinished run with other settings lies in the way."""


class AccuracyError(WorkbenchError, ValueError):
    """The reference or the sample cannot be used as asked."""


class TrainingError(WorkbenchError, RuntimeError):
    """Training began and cannot go on; whole epochs are kept."""


class UsageError(WorkbenchError, ValueError):
    """Options that contradict each other or cannot be understood."""

    exit_code = 2
