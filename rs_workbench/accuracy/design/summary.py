"""SampleReport: what was planned and drawn, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rs_workbench.accuracy.expected_errors import ExpectedErrors
from rs_workbench.accuracy.sample import Design

_WORDS = {
    "en": {
        "plan": "{kind} sample of {n} units from {map}",
        "stratum": "stratum",
        "class": "class",
        "pixels": "pixels",
        "ha": "ha",
        "weight": "share",
        "n": "units",
        "about": "units, about",
        "probability": "inclusion probability",
        "accuracy": "expected accuracy",
        "se": "SE",
        "area": "expected area, ha",
        "share": "expected share",
        "overall": "expected overall accuracy {value:.3f}, standard error {se:.4f} "
        "(95 % interval +- {half:.4f})",
        "stratified": "stratified",
        "simple_random": "simple random",
        "systematic": "systematic",
        "written": "written: {files}",
        "nothing": "nothing written (--dry-run)",
    },
    "zh": {
        "plan": "{map} 的{kind}样本，共 {n} 个单元",
        "stratum": "层",
        "class": "类别",
        "pixels": "像元数",
        "ha": "公顷",
        "weight": "面积比例",
        "n": "样本数",
        "about": "样本数（约）",
        "probability": "入样概率",
        "accuracy": "预期精度",
        "se": "标准误",
        "area": "预期面积（公顷）",
        "share": "预期比例",
        "overall": "预期总体精度 {value:.3f}，标准误 {se:.4f}（95 % 区间 ±{half:.4f}）",
        "stratified": "分层随机",
        "simple_random": "简单随机",
        "systematic": "系统",
        "written": "已写入：{files}",
        "nothing": "未写入文件（--dry-run）",
    },
}


@dataclass(frozen=True)
class StratumPlan:
    """One stratum of a plan; where the design has none, one class of the map.

    `n_units` is an expected number where the design has no strata; `area_ha` is None without map
    units.
    """

    name: str
    pixels: int
    area_ha: float | None
    weight: float
    n_units: float
    inclusion_probability: float
    expected_accuracy: float
    accuracy_standard_error: float


@dataclass(frozen=True)
class SampleReport:
    """A sample as planned, and as drawn unless it was a dry run.

    Attributes
    ----------
    map : str
        The map it is drawn from.
    design : Design
        How it is drawn; goes into the file.
    n_units : int
        Units drawn; planned in a dry run.
    strata : tuple of StratumPlan
        Strata, or classes where the design has no strata.
    class_names : tuple of str
        Classes of `expected`.
    expected : ExpectedErrors
        What the labels are expected to tell.
    warnings : tuple of str
        One sentence each.
    files : tuple of str
        Files written; empty in a dry run.
    """

    map: str
    design: Design
    n_units: int
    strata: tuple[StratumPlan, ...]
    class_names: tuple[str, ...]
    expected: ExpectedErrors
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, None for what is undefined."""
        e = self.expected
        areas = e.area_ha or (None,) * len(e.share)
        area_errors = e.area_standard_error_ha or (None,) * len(e.share)
        classes = [
            {
                "name": name,
                "expected_share": share,
                "share_standard_error": error,
                "expected_area_ha": area,
                "area_standard_error_ha": area_error,
            }
            for name, share, error, area, area_error in zip(
                self.class_names, e.share, e.share_standard_error, areas, area_errors, strict=True
            )
        ]
        return {
            "map": self.map,
            "files": list(self.files),
            "n_units": self.n_units,
            "expected_overall_accuracy": e.overall_accuracy,
            "overall_standard_error": _plain(e.overall_standard_error),
            "strata": [{k: _plain(v) for k, v in vars(s).items()} for s in self.strata],
            "classes": classes,
            "design": self.design.model_dump(mode="json", exclude_none=True),
            "warnings": list(self.warnings),
        }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def print_sample(report: SampleReport, *, lang: str = "en") -> None:
    """Print the plan as tables, then what was written.

    Parameters
    ----------
    report : SampleReport
        The sample.
    lang : {'en', 'zh'}
        Language of the headings.
    """
    from rich.console import Console

    words, errors = _WORDS[lang], report.expected
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    kind = words[report.design.kind]
    title = words["plan"].format(kind=kind, n=report.n_units, map=report.map)
    console.print(title, markup=False, highlight=False)
    console.print(_strata_table(report, words))
    console.print(_class_table(report, words))
    overall = words["overall"].format(
        value=errors.overall_accuracy,
        se=errors.overall_standard_error,
        half=1.959964 * errors.overall_standard_error,
    )
    files = words["written"].format(files=", ".join(report.files))
    console.print(overall, highlight=False)
    console.print(files if report.files else words["nothing"], markup=False, highlight=False)


def _strata_table(report: SampleReport, words: dict[str, str]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    stratified = report.design.kind == "stratified"
    table = Table(words["stratum" if stratified else "class"])
    heads = ("pixels", "ha", "weight", "n" if stratified else "about", "probability")
    for head in (*heads, "accuracy", "se"):
        table.add_column(words[head], justify="right")
    for s in report.strata:
        table.add_row(
            escape(s.name),
            f"{s.pixels:,}",
            "-" if s.area_ha is None else f"{s.area_ha:,.1f}",
            f"{s.weight:.4f}",
            f"{s.n_units:.0f}",
            f"{s.inclusion_probability:.3g}",
            f"{s.expected_accuracy:.2f}",
            f"{s.accuracy_standard_error:.3f}",
        )
    return table


def _class_table(report: SampleReport, words: dict[str, str]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    errors = report.expected
    in_ha = bool(errors.area_ha)
    table = Table(words["class"])
    for head in ("share", "se", *(("area", "se") if in_ha else ())):
        table.add_column(words[head], justify="right")
    for k, name in enumerate(report.class_names):
        cells = [f"{errors.share[k]:.4f}", f"{errors.share_standard_error[k]:.4f}"]
        if in_ha:
            cells += [f"{errors.area_ha[k]:,.1f}", f"{errors.area_standard_error_ha[k]:,.1f}"]
        table.add_row(escape(name), *cells)
    return table
