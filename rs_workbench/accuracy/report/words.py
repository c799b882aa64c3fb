"""Every word of the report, in English and in Chinese, under the same keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from rs_workbench.accuracy.report.numbers import count, plain
from rs_workbench.accuracy.report.sentences_zh import CHINESE_PIECES, CHINESE_SENTENCES
from rs_workbench.accuracy.report.words_en import ENGLISH
from rs_workbench.accuracy.report.words_formulas import FORMULAS_CHINESE, FORMULAS_ENGLISH
from rs_workbench.accuracy.report.words_zh import CHINESE
from rs_workbench.card import LegendClass
from rs_workbench.errors import UsageError

Lang = Literal["en", "zh"]
_TABLES = {"en": ENGLISH | FORMULAS_ENGLISH, "zh": CHINESE | FORMULAS_CHINESE}


@dataclass(frozen=True)
class Words:
    """The words of one language."""

    lang: Lang

    def __call__(self, key: str, /, **values: object) -> str:
        """Give the words under a key, with values put in."""
        return _TABLES[self.lang][key].format(**values)

    def class_name(self, entry: LegendClass) -> str:
        """Name of a class on one line."""
        chosen = entry.name_zh if self.lang == "zh" and entry.name_zh else entry.name
        return plain(chosen)

    def units(self, number: int, unit: str) -> str:
        """Say how many units: '640 pixels'."""
        form = "one" if number == 1 else "many"
        key = f"unit.{unit}.{form}"
        if key not in _TABLES[self.lang]:
            key = f"unit.unit.{form}"
        return self(key, n=count(number))

    def known(self, prefix: str, text: str) -> str | None:
        """Give the words for a fixed term such as the kind of a design; None for free text."""
        return _TABLES[self.lang].get(f"{prefix}.{text}")

    def sentence(self, text: str) -> tuple[str, bool]:
        """Translate a sentence of the core; it stays English, and that is said, if unknown."""
        if self.lang == "en":
            return plain(text), False
        for pattern, translation in CHINESE_SENTENCES:
            if found := re.fullmatch(pattern, text, re.DOTALL):
                return _without_english(plain(translation.format(*found.groups()))), False
        return plain(text), True


def _without_english(sentence: str) -> str:
    for pattern, translation in CHINESE_PIECES:
        sentence = re.sub(pattern, translation, sentence)
    return sentence


def words_in(lang: str) -> Words:
    """Choose a language.

    Parameters
    ----------
    lang : {'en', 'zh'}
        English or Chinese.

    Returns
    -------
    Words
        Its words.

    Raises
    ------
    UsageError
        If it is another language.
    """
    for known in get_args(Lang):
        if lang == known:
            return Words(known)
    raise UsageError(f"a report can be written in en or zh: got --lang {lang}")
