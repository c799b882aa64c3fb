"""write_report: what an assessment found, as files for people and for machines."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rs_workbench.accuracy.report.content import build_document
from rs_workbench.accuracy.report.csv_tables import areas_csv, classes_csv, matrix_csv
from rs_workbench.accuracy.report.json_file import to_json
from rs_workbench.accuracy.report.markdown import to_markdown
from rs_workbench.accuracy.report.page import to_html
from rs_workbench.accuracy.report.words import Words, words_in
from rs_workbench.accuracy.result import Assessment
from rs_workbench.errors import OutputError

FILES = {
    "html": "report.html",
    "markdown": "report.md",
    "area_plot": "area.svg",
    "classes_plot": "classes.svg",
    "blocks_plot": "blocks.svg",
    "counts": "confusion_counts.csv",
    "area_share": "confusion_area_share.csv",
    "classes": "classes.csv",
    "areas": "areas.csv",
    "json": "accuracy.json",
}
"""Every file that a report may have, by kind; the last one is moved into place last."""
ERROR_FILES = ("error_map.tif", "error_map.tif.aux.xml", "error_map.qml", "errors.gpkg")
"""What shows where the map is wrong; made beforehand, and moved into place with the report."""


def write_report(
    assessment: Assessment,
    folder: str | Path,
    *,
    lang: str = "en",
    overwrite: bool = False,
    made: Path | None = None,
) -> dict[str, Path]:
    """Write the report of an assessment.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    folder : str or Path
        Made where it is missing; other files in it are left alone.
    lang : {'en', 'zh'}
        Language of the page, the Markdown and the names of classes in CSV.
    overwrite : bool
        Replace the report of an earlier run; files that only that one had are deleted.
    made : Path, optional
        Folder on the same disk with those of `ERROR_FILES` that there are; they move along.

    Returns
    -------
    dict of str to Path
        Kind of each file written, as in `FILES`, and its path.

    Raises
    ------
    OutputError
        If a report is there already, or the folder cannot be written to.
    UsageError
        If the language is not known.
    """
    words, folder = words_in(lang), Path(folder)
    check_report(folder, overwrite=overwrite)
    errors = made is not None and any((made / name).exists() for name in ERROR_FILES)
    contents = render_report(assessment, words, errors=errors)
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Inside the folder, which may be a disk of its own that nothing can be moved onto.
        part = Path(tempfile.mkdtemp(prefix=".report.", suffix=".part", dir=folder))
        try:
            for kind, content in contents.items():
                (part / FILES[kind]).write_bytes(content)
            if made is not None:
                _move(made, folder, ERROR_FILES)
            _move(part, folder, FILES.values())
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return {kind: folder / FILES[kind] for kind in contents}


def check_report(folder: str | Path, *, overwrite: bool) -> None:
    """See, before any work is done, that a report may be written to a folder.

    Parameters
    ----------
    folder : str or Path
        Where the report is to go.
    overwrite : bool
        Whether an earlier report may be replaced.

    Raises
    ------
    OutputError
        If a report is there already and may not be replaced, or the folder is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(
            f"'{folder}' is a file, and a report needs a folder: choose another --output"
        )
    names = (*FILES.values(), *ERROR_FILES)
    there = [folder / name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise OutputError(
            f"'{there[0]}' exists already: choose another --output, or --overwrite to replace the "
            "report"
        )


def render_report(
    assessment: Assessment, words: Words, *, errors: bool = False
) -> dict[str, bytes]:
    """Make the contents of all files, before any of them is written.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    words : Words
        Language.
    errors : bool
        Whether the map or table of errors will lie beside the report.

    Returns
    -------
    dict of str to bytes
        Kind of file, as in `FILES` and in its order, to its content.
    """
    document = build_document(assessment, words, errors=errors)
    found: dict[str, bytes | None] = {
        "html": to_html(document).encode(),
        "markdown": to_markdown(document).encode(),
        "counts": matrix_csv(assessment.counts, assessment, words),
        "classes": classes_csv(assessment, words),
        "areas": areas_csv(assessment, words),
        "json": to_json(assessment).encode(),
    }
    if assessment.estimate is not None:
        found["area_share"] = matrix_csv(assessment.estimate.matrix, assessment, words)
    for picture in document.pictures:
        found[f"{picture.name}_plot"] = f"{picture.svg.rstrip()}\n".encode()
    return {kind: found_ for kind in FILES if (found_ := found.get(kind)) is not None}


def _move(part: Path, folder: Path, names: Iterable[str]) -> None:
    for name in names:
        if (part / name).exists():
            (part / name).replace(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"the report cannot be written to '{folder}' ({error.strerror or error}): make room "
            "or choose another --output"
        ) from error
