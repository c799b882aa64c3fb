"""sample_qml: how QGIS shows a sample that is to be labelled.

Points not yet labelled are red, the others green, with the outline of the pixel where pixels are
square. The form offers class names to choose from and hides what would tell the map's class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

Language = Literal["en", "zh"]

# What QGIS's value map stores where nothing is chosen.
_NULL = "{2839923C-8B7D-419E-B84B-CA2FE9B80EC7}"
_HIDDEN = ("fid", "stratum", "inclusion_probability", "row", "col", "area_ha")
_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "id": "id",
        "reference": "reference class",
        "alternate": "second acceptable class",
        "confidence": "confidence",
        "note": "note",
        "map_class": "class on the map",
        "none": "(not labelled)",
        "nothing": "(none)",
        "high": "high",
        "medium": "medium",
        "low": "low",
        "todo": "to label",
        "done": "labelled",
    },
    "zh": {
        "id": "编号",
        "reference": "参考类别",
        "alternate": "可接受的第二类别",
        "confidence": "把握程度",
        "note": "备注",
        "map_class": "图上类别",
        "none": "（未标注）",
        "nothing": "（无）",
        "high": "高",
        "medium": "中",
        "low": "低",
        "todo": "待标注",
        "done": "已标注",
    },
}


def sample_qml(
    columns: Sequence[str],
    class_names: Mapping[int, str],
    *,
    pixel_side: float | None = None,
    lang: Language = "en",
) -> str:
    """Write the style of a sample.

    Parameters
    ----------
    columns : sequence of str
        Columns of the layer, in order.
    class_names : mapping of int to str
        Classes to choose from, by value.
    pixel_side : float, optional
        Side of a pixel in map units, where pixels are square and lie along the axes.
    lang : {'en', 'zh'}
        Language of the form.

    Returns
    -------
    str
        QML, as the table `layer_styles` of a GeoPackage holds it.
    """
    words = _WORDS[lang]
    root = Element("qgis", version="3.28.0", styleCategories="AllStyleCategories")
    root.set("labelsEnabled", "1")
    _add_renderer(root, words, pixel_side)
    _add_labels(root)
    _add_widgets(root, columns, class_names, words)
    _add_table(root, columns)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def _options(parent: Element, values: Mapping[str, str]) -> Element:
    group = SubElement(parent, "Option", type="Map")
    for name, value in values.items():
        SubElement(group, "Option", name=name, type="QString", value=value)
    return group


def _add_renderer(root: Element, words: Mapping[str, str], pixel_side: float | None) -> None:
    renderer = SubElement(root, "renderer-v2", type="RuleRenderer", symbollevels="0")
    renderer.set("forceraster", "0")
    renderer.set("enableorderby", "0")
    rules = SubElement(renderer, "rules", key="{rsw-sample}")
    symbols = SubElement(renderer, "symbols")
    states = {"todo": ('"reference" IS NULL', "227,26,28,255"), "done": ("ELSE", "51,160,44,255")}
    for index, (state, (condition, color)) in enumerate(states.items()):
        rule = SubElement(rules, "rule", key=f"{{rsw-{state}}}", symbol=str(index))
        rule.set("filter", condition)
        rule.set("label", words[state])
        symbol = SubElement(symbols, "symbol", type="marker", name=str(index), alpha="1")
        _add_marker(symbol, {"name": "cross", "size": "3", "size_unit": "MM"}, color)
        if pixel_side is not None:
            square = {"name": "square", "size": repr(pixel_side), "size_unit": "MapUnit"}
            _add_marker(symbol, square, color)


def _add_marker(symbol: Element, shape: Mapping[str, str], color: str) -> None:
    layer = SubElement(symbol, "layer", {"class": "SimpleMarker"}, enabled="1", locked="0")
    layer.set("pass", "0")
    style = {"outline_color": color, "outline_width": "0.4", "outline_width_unit": "MM"}
    _options(layer, {"color": "0,0,0,0", "outline_style": "solid", **style, **shape})


def _add_labels(root: Element) -> None:
    settings = SubElement(SubElement(root, "labeling", type="simple"), "settings")
    text = SubElement(settings, "text-style", fieldName="id", fontSize="9", fontSizeUnit="Point")
    text.set("textColor", "0,0,0,255")
    SubElement(
        text, "text-buffer", bufferDraw="1", bufferSize="0.8", bufferColor="255,255,255,255"
    )
    SubElement(settings, "placement", placement="6", dist="1")
    SubElement(settings, "rendering", drawLabels="1", obstacle="0")


def _add_widgets(
    root: Element,
    columns: Sequence[str],
    class_names: Mapping[int, str],
    words: Mapping[str, str],
) -> None:
    classes = [(name, str(value)) for value, name in class_names.items()]
    confidence = [(words[level], level) for level in ("high", "medium", "low")]
    choices = {
        "reference": [(words["none"], _NULL), *classes],
        "alternate": [(words["nothing"], _NULL), *classes],
        "confidence": [(words["nothing"], _NULL), *confidence],
        "map_class": classes,
    }
    fields = SubElement(root, "fieldConfiguration")
    aliases, editable = SubElement(root, "aliases"), SubElement(root, "editable")
    for index, column in enumerate(columns):
        kind = "Hidden" if column in _HIDDEN else "TextEdit"
        kind = "ValueMap" if column in choices else kind
        field = SubElement(fields, "field", name=column, configurationFlags="None")
        config = SubElement(SubElement(field, "editWidget", type=kind), "config")
        group = SubElement(config, "Option", type="Map")
        if column in choices:
            listed = SubElement(group, "Option", name="map", type="List")
            for name, value in choices[column]:
                _options(listed, {name: value})
        alias = words.get(column, column)
        SubElement(aliases, "alias", field=column, index=str(index), name=alias)
        free = column in ("reference", "alternate", "confidence", "note")
        SubElement(editable, "field", name=column, editable=str(int(free)))


def _add_table(root: Element, columns: Sequence[str]) -> None:
    table = SubElement(root, "attributetableconfig", actionWidgetStyle="dropDown")
    table.set("sortExpression", '"id"')
    table.set("sortOrder", "0")
    listed = SubElement(table, "columns")
    for column in columns:
        hidden = str(int(column in _HIDDEN))
        SubElement(listed, "column", type="field", name=column, hidden=hidden, width="-1")
