"""What GDAL leaves to its user of a shapefile: that its files are together, and their encoding."""

from __future__ import annotations

from pathlib import Path

from rs_workbench.errors import AccuracyError

_NEEDED = (".shx", ".dbf")
_HEADER_AT, _CODE_PAGE_AT = slice(8, 10), 29  # bytes of a .dbf
_NO_CODE_PAGE = (0, 0x57)  # none; that of the system it was written on
_GUESSES = (("utf-8", "utf-8"), ("gb2312", "gb18030"))  # how to test, how to read


def check_parts(path: Path) -> None:
    """See that a shapefile came with the files without which it says nothing.

    Parameters
    ----------
    path : Path
        The .shp.

    Raises
    ------
    AccuracyError
        If one is missing.
    """
    missing = [suffix for suffix in _NEEDED if _beside(path, suffix) is None]
    if missing:
        raise AccuracyError(
            f"'{path.name}' lacks its file '{path.stem}{missing[0]}': copy all files of the "
            "shapefile into one folder"
        )


def guess_encoding(path: Path) -> str | None:
    """Guess the encoding of a table that tells none, which GDAL would take for Latin 1.

    Parameters
    ----------
    path : Path
        The .shp.

    Returns
    -------
    str or None
        UTF-8 or GB 18030 where all of its text is that; hardly any Latin text is by chance. None
        where a .cpg or the table tells the encoding, or nothing fits.
    """
    table = _beside(path, ".dbf")
    if table is None or _beside(path, ".cpg") or _beside(path, ".cst"):
        return None
    data = table.read_bytes()
    if len(data) <= _CODE_PAGE_AT or data[_CODE_PAGE_AT] not in _NO_CODE_PAGE:
        return None
    text = data[int.from_bytes(data[_HEADER_AT], "little") :]
    for test, encoding in _GUESSES:
        try:
            text.decode(test)
        except UnicodeDecodeError:
            continue
        return encoding
    return None


def _beside(path: Path, suffix: str) -> Path | None:
    """Find a file of the same shapefile, whatever the case of its name."""
    wanted = f"{path.stem}{suffix}".casefold()
    return next((p for p in path.parent.iterdir() if p.name.casefold() == wanted), None)
