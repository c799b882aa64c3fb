"""print_assessment: the gist of an assessment, for the terminal."""

from __future__ import annotations

from pathlib import Path

from rs_workbench.accuracy.report.areas import area_table
from rs_workbench.accuracy.report.document import Table, Text
from rs_workbench.accuracy.report.opening import opening
from rs_workbench.accuracy.report.tables import class_table
from rs_workbench.accuracy.report.words import words_in
from rs_workbench.accuracy.result import Assessment

_WIDTH = 110


def print_assessment(assessment: Assessment, folder: Path, *, lang: str = "en") -> None:
    """Print headline, scores of the classes and areas, and where the report lies.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    folder : Path
        Where the report was written.
    lang : {'en', 'zh'}
        Language.
    """
    from rich.console import Console

    words = words_in(lang)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    for text in opening(assessment, words):
        console.print(_plain(text), markup=False, highlight=False)
    if assessment.counts.sum():
        _print_table(console, class_table(assessment, words))
    if assessment.estimate is not None:
        _print_table(console, area_table(assessment, assessment.estimate, words))
    console.print(words("terminal.report", path=folder / "report.html"), highlight=False)


def _plain(text: Text) -> str:
    # A hard space: rich would break Chinese, which has no others, right behind the mark.
    return f"!\N{NO-BREAK SPACE}{text.text}" if text.kind in ("warning", "alarm") else text.text


def _print_table(console, table: Table) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    from rich import box
    from rich import table as rich_table

    shown = rich_table.Table(title=table.caption, title_justify="left", box=box.SIMPLE_HEAD)
    for place, head in enumerate(table.head):
        right = place > 0 and place not in table.words
        shown.add_column(head.text, justify="right" if right else "left")
    for row in table.rows:
        # Standard errors are left to the report.
        shown.add_row(*(f"{c.text}  {c.below.split('·')[0].strip()}".strip() for c in row))
    console.print(shown)
    for note in table.footnotes:
        console.print(note, markup=False, highlight=False)
