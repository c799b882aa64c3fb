"""A report's page taken apart: its tables as text, what it loads, its language."""

from html.parser import HTMLParser

from rs_workbench.accuracy.report.files import render_report
from rs_workbench.accuracy.report.words import words_in

_LOADING = {"src", "href", "srcset", "data", "poster", "action", "xlink:href"}
_VOID = {"meta", "br", "hr", "link", "img", "input"}


class Page(HTMLParser):
    """Tables by caption, texts by class, tags and what attributes point to."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tables, self.texts, self.tags, self.links, self.lang = {}, [], [], [], None
        self._open, self._row, self._caption, self._cell = [], None, "", None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self.links += [value for key, value in attrs.items() if key in _LOADING]
        if tag == "html":
            self.lang = attrs["lang"]
        if tag == "table":
            self._caption, self._rows = "", []
        if tag == "tr":
            self._row = []
        if tag in ("td", "th"):
            self._cell = ""
        if tag == "small" and self._cell is not None:
            self._cell += "|"
        if tag not in _VOID:
            self._open.append((tag, attrs))

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._row.append(self._cell)
            self._cell = None
        if tag == "tr":
            self._rows.append(self._row)
        if tag == "table":
            self.tables[self._caption] = self._rows
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data
        elif self._open and self._open[-1][0] == "caption":
            self._caption += data
        elif self._open and data.strip():
            tag, attrs = self._open[-1]
            self.texts.append((tag, attrs.get("class", ""), data))

    def table(self, start):
        """Rows of the table whose caption begins so."""
        return next(rows for caption, rows in self.tables.items() if caption.startswith(start))

    def of_class(self, name):
        """Texts of one kind."""
        return [text for _, kind, text in self.texts if kind == name]

    @property
    def words(self):
        """All that can be read outside tables."""
        return " ".join(text for tag, _, text in self.texts if tag != "style")


def page_of(assessment, lang="en"):
    """Report of an assessment, taken apart."""
    return Page(render_report(assessment, words_in(lang))["html"].decode())
