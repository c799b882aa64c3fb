"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

from html import escape

from rs_workbench.accuracy.report.document import (
    Block,
    Cell,
    Document,
    Picture,
    Section,
    Table,
    Text,
)
from rs_workbench.accuracy.report.style import STYLE

_MOST_TINT = 0.55
_GREEN, _RED = "46 139 87", "214 90 50"
_WIDE, _LONG = 12, 16
_COLUMN_PX, _NAME_PX, _DIGIT_PX, _PADDING_PX = 820, 140, 9.5, 19
_LANG = {"en": "en", "zh": "zh-Hans"}


def to_html(document: Document) -> str:
    """Write a report as HTML.

    Parameters
    ----------
    document : Document
        The report.

    Returns
    -------
    str
        A page without script and without anything loaded from elsewhere; every text is escaped.
    """
    facts = "".join(
        f"<div class='fact'><span>{escape(f.label)}</span><b>{escape(f.value)}</b>"
        f"<small>{escape(f.detail)}</small></div>"
        for f in document.facts
    )
    body = [
        f"<header><h1>{escape(document.title)}</h1>",
        f"<p class='subtitle'>{escape(document.subtitle)}</p></header>",
        *(_text(text) for text in document.opening),
        f"<div class='facts'>{facts}</div>" if facts else "",
        *(_section(section) for section in document.sections),
        f"<footer>{escape(document.closing)}</footer>",
    ]
    return (
        f"<!DOCTYPE html>\n<html lang='{_LANG[document.lang]}'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(document.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        "<main>\n" + "\n".join(part for part in body if part) + "\n</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    inside = "\n".join(_block(block) for block in section.blocks)
    title = escape(section.title)
    if section.folded:
        return f"<details><summary><h2>{title}</h2></summary>\n{inside}\n</details>"
    return f"<section>\n<h2>{title}</h2>\n{inside}\n</section>"


def _block(block: Block) -> str:
    if isinstance(block, Text):
        return _text(block)
    return _picture(block) if isinstance(block, Picture) else _table(block)


def _text(text: Text) -> str:
    lang = " lang='en'" if text.foreign else ""
    return f"<p class='{text.kind}'{lang}>{escape(text.text)}</p>"


def _picture(picture: Picture) -> str:
    label = escape(picture.text, quote=True)
    svg = picture.svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    return f"<figure>{svg}</figure>"


def _table(table: Table) -> str:
    kind = "matrix" if table.across else "plain"
    kind += " wide" if len(table.head) > _WIDE or _width_px(table) > _COLUMN_PX else ""
    kind += " long" if len(table.rows) > _LONG else ""
    notes = "".join(f"<p class='footnote'>{escape(note)}</p>" for note in table.footnotes)
    rows = "\n".join(_row(row, table) for row in table.rows)
    return (
        f"<div class='scroll'><table class='{kind}'>\n<caption>{escape(table.caption)}</caption>\n"
        f"<thead>{_axes_row(table)}{_head(table)}</thead>\n<tbody>\n{rows}\n</tbody></table></div>"
        f"{notes}"
    )


def _width_px(table: Table) -> float:
    """Estimate how wide the numbers of a matrix make it; other tables break their lines."""
    if not table.across:
        return 0
    columns = list(zip(*(row[1:] for row in table.rows), strict=True))
    longest = [max(len(cell.text) for cell in column) for column in columns]
    return _NAME_PX + sum(_DIGIT_PX * n + _PADDING_PX for n in longest)


def _axes_row(table: Table) -> str:
    """Name both axes of a matrix above its columns and rows."""
    if not table.across:
        return ""
    n_margins = len(table.head) - 1 - _n_classes(table)
    return (
        f"<tr class='axes'><th scope='col'>{escape(table.down)} ↓</th>"
        f"<th scope='colgroup' colspan='{_n_classes(table)}'>{escape(table.across)} →</th>"
        f"<th colspan='{n_margins}'></th></tr>"
    )


def _n_classes(table: Table) -> int:
    return sum(cell.color is not None for cell in table.head)


def _head(table: Table) -> str:
    parts = []
    for index, cell in enumerate(table.head):
        side = " class='words'" if index in (0, *table.words) else ""
        parts.append(f"<th scope='col'{side}>{_inside(cell)}</th>")
    return f"<tr>{''.join(parts)}</tr>"


def _row(row: tuple[Cell, ...], table: Table) -> str:
    parts = [f"<th scope='row'>{_inside(row[0])}</th>"]
    for index, cell in enumerate(row[1:], start=1):
        side = " class='words'" if index in table.words else ""
        side = " class='zero'" if table.across and cell.text == "0" else side
        parts.append(f"<td{side}{_tint(cell)}>{_inside(cell)}</td>")
    margin = " class='margin'" if row[0].strong else ""
    return f"<tr{margin}>{''.join(parts)}</tr>"


def _inside(cell: Cell) -> str:
    swatch = f"<i style='background:{escape(cell.color)}'></i>" if cell.color else ""
    text = f"<b>{escape(cell.text)}</b>" if cell.strong and cell.text else escape(cell.text)
    tight = " class='tight'" if cell.below[:1].isdecimal() else ""
    below = f"<small{tight}>{escape(cell.below)}</small>" if cell.below else ""
    return f"{swatch}{text}{below}"


def _tint(cell: Cell) -> str:
    if not cell.tint > 0:
        return ""
    color = _GREEN if cell.agrees else _RED
    # Errors are small parts of a row: their tint grows with the root, so that they can be seen.
    strength = _MOST_TINT * (cell.tint if cell.agrees else min(1.0, cell.tint**0.5))
    return f" style='background:rgb({color} / {strength:.3f})'"
