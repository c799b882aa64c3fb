"""What a report consists of, before it is HTML or Markdown: both are made from the same parts.

Every text here is plain: the writers escape it. So no class name can break a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

TextKind = Literal["plain", "lead", "note", "warning", "alarm", "page"]


@dataclass(frozen=True)
class Text:
    """A paragraph; `foreign` text is English in any language; `page` is for HTML only."""

    text: str
    kind: TextKind = "plain"
    foreign: bool = False


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    `below` is a second, smaller line. `color` is shown as a swatch before the text. `tint` from
    0 to 1 shades the cell: green where map and reference agree, red where they do not.
    """

    text: str
    below: str = ""
    color: str | None = None
    tint: float = 0.0
    agrees: bool = True
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the first column holds names, the others numbers unless `words` says otherwise.

    `across` and `down` name the axes of a matrix: what columns and rows are.
    """

    caption: str
    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    across: str = ""
    down: str = ""
    footnotes: tuple[str, ...] = ()
    words: tuple[int, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A drawing; `name` is that of its file, `text` says what it shows to who cannot see it."""

    name: str
    svg: str
    text: str


@dataclass(frozen=True)
class Fact:
    """A figure that stands out at the top of the page."""

    label: str
    value: str
    detail: str = ""


Block = Text | Table | Picture


@dataclass(frozen=True)
class Section:
    """A part of the report with its heading; `folded` ones open on demand."""

    title: str
    blocks: tuple[Block, ...]
    folded: bool = False


@dataclass(frozen=True)
class Document:
    """The whole report."""

    lang: str
    title: str
    subtitle: str
    opening: tuple[Text, ...]
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    closing: str = ""

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every drawing, in order."""
        return tuple(b for s in self.sections for b in s.blocks if isinstance(b, Picture))


def cells(texts: Sequence[str]) -> tuple[Cell, ...]:
    """Make plain cells.

    Parameters
    ----------
    texts : sequence of str
        One for each cell.

    Returns
    -------
    tuple of Cell
        In the same order.
    """
    return tuple(Cell(text) for text in texts)
