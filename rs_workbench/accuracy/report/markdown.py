"""The report as Markdown, with its drawings as files beside it."""

from __future__ import annotations

import re

from rs_workbench.accuracy.report.document import (
    Block,
    Cell,
    Document,
    Picture,
    Section,
    Table,
    Text,
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")


def to_markdown(document: Document) -> str:
    """Write a report as Markdown.

    Parameters
    ----------
    document : Document
        The report; its pictures are expected as `<name>.svg` beside the file.

    Returns
    -------
    str
        Tables in the manner of GitHub; every text is escaped.
    """
    facts = [
        f"- {_escape(f.label)}: **{_escape(f.value)}** ({_escape(f.detail)})"
        for f in document.facts
    ]
    parts = [
        f"# {_escape(document.title)}",
        _escape(document.subtitle),
        *(_text(text) for text in document.opening),
        "\n".join(facts),
        *(_section(section) for section in document.sections),
        "---",
        _escape(document.closing),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section) -> str:
    shown = [b for b in section.blocks if not (isinstance(b, Text) and b.kind == "page")]
    inside = "\n\n".join(_block(block) for block in shown)
    title = _escape(section.title)
    if section.folded:
        return f"<details><summary>{title}</summary>\n\n{inside}\n\n</details>"
    return f"## {title}\n\n{inside}"


def _block(block: Block) -> str:
    if isinstance(block, Text):
        return _text(block)
    if isinstance(block, Picture):
        return f"![{_escape(block.text)}]({block.name}.svg)"
    return _table(block)


def _text(text: Text) -> str:
    shown = _escape(text.text)
    if text.kind in ("lead", "alarm"):
        return f"> **{shown}**" if text.kind == "alarm" else f"**{shown}**"
    return f"> {shown}" if text.kind in ("note", "warning") else shown


def _table(table: Table) -> str:
    sides = ["---" if i in (0, *table.words) else "---:" for i in range(len(table.head))]
    head = list(table.head)
    if table.across:
        head[0] = Cell(f"{table.down} ↓ / {table.across} →")
    lines = [_row(head), f"| {' | '.join(sides)} |", *(_row(row) for row in table.rows)]
    notes = [f"<sub>{_escape(note)}</sub>" for note in table.footnotes]
    return "\n\n".join([_escape(table.caption), "\n".join(lines), *notes])


def _row(row: tuple[Cell, ...] | list[Cell]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(cell: Cell) -> str:
    text = f"**{_escape(cell.text)}**" if cell.strong and cell.text else _escape(cell.text)
    return f"{text} ({_escape(cell.below)})" if cell.below else text


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("\n", " ")
