"""The report for machines as JSON, in full precision."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel

from rs_workbench.accuracy import scores
from rs_workbench.accuracy.confusion import AXES
from rs_workbench.accuracy.report.areas import disagreement_parts
from rs_workbench.accuracy.report.compare import further_measures
from rs_workbench.accuracy.report.tables import MEASURES
from rs_workbench.accuracy.result import Assessment

SCHEMA_VERSION = 1
LONG_NAMES = {
    "users": "users_accuracy",
    "producers": "producers_accuracy",
    "f1": "f1",
    "iou": "iou",
}


def to_json(assessment: Assessment) -> str:
    """Write everything that was found as JSON.

    Parameters
    ----------
    assessment : Assessment
        What was found.

    Returns
    -------
    str
        Strict JSON: NaN is null. Shares are between 0 and 1, areas in ha; what is estimated for
        the map and what only describes the units has different keys.
    """
    return json.dumps(as_dict(assessment), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_dict(assessment: Assessment) -> dict[str, Any]:
    """Give everything that was found as plain values.

    Parameters
    ----------
    assessment : Assessment
        What was found.

    Returns
    -------
    dict
        Always the same keys in the same order.
    """
    a = assessment
    plain: dict[str, Any] = to_plain(
        {
            "schema_version": SCHEMA_VERSION,
            "version": a.version,
            "map": a.map_name,
            "reference": a.reference_name,
            "reference_kind": a.kind,
            "unit": a.unit,
            "training": a.training,
            "held_out": a.held_out,
            "grid_policy": a.grid_policy,
            "n_units": _counted(a),
            "axes": AXES,
            "class_values": [entry.value for entry in a.legend],
            "confusion_counts": a.counts,
            "confusion_area_share": None if a.estimate is None else a.estimate.matrix,
            "estimate": None if a.estimate is None else _estimate(a),
            "of_units": _of_units(a),
            "classes": _classes(a),
            "design": a.design,
            "blocks": a.blocks,
            "resampled": a.resampled,
            "boundary": a.boundary,
            "baselines": a.baselines,
            "further_measures_of_units": further_measures(a),
            "warnings": a.warnings,
            "settings": a.settings,
        }
    )
    return plain


def _counted(assessment: Assessment) -> dict[str, int]:
    return {
        "compared": int(assessment.counts.sum()),
        "map_nodata": assessment.map_nodata,
        "unlabelled": assessment.unlabelled,
        "out_of_scope": assessment.out_of_scope,
        "outside": assessment.outside,
    }


def _estimate(assessment: Assessment) -> dict[str, Any]:
    estimate = assessment.estimate
    assert estimate is not None
    return {
        "overall_accuracy": estimate.overall,
        "mean_iou": estimate.mean_iou,
        **{f"{name}_disagreement": part for name, part in disagreement_parts(assessment).items()},
        "design": estimate.design,
        "estimator": estimate.estimator,
        "confidence": estimate.confidence,
        "z": estimate.z,
        "finite_population_correction": estimate.fpc,
        "variance_share_by_stratum": estimate.variance_share,
        "warnings": estimate.warnings,
    }


def _of_units(assessment: Assessment) -> dict[str, Any]:
    """Shares of what was looked at; they say nothing about the map by themselves."""
    counts = assessment.counts
    return {
        "diagonal_share": scores.overall_accuracy(counts),
        "mean_iou": scores.mean_iou(counts),
    }


def _classes(assessment: Assessment) -> list[dict[str, Any]]:
    a, counts = assessment, assessment.counts
    of_units = [scores.users_accuracy(counts), scores.producers_accuracy(counts)]
    of_units += [scores.f1_score(counts), scores.iou(counts)]
    rows = []
    for i, entry in enumerate(a.legend):
        estimate, areas = a.estimate, a.estimate.area if a.estimate else ()
        rows.append(
            {
                "value": entry.value,
                "name": entry.name,
                "name_zh": entry.name_zh,
                "color": entry.color,
                "mapped_pixels": a.mapped_pixels[i],
                "mapped_area_ha": a.mapped_area_ha[i] if a.mapped_area_ha else None,
                "units_on_map": counts[i].sum(),
                "units_in_reference": counts[:, i].sum(),
                **{LONG_NAMES[m]: getattr(estimate, m)[i] if estimate else None for m in MEASURES},
                "area_share": estimate.share[i] if estimate else None,
                "adjusted_area": areas[i] if areas else None,
                "of_units": {LONG_NAMES[m]: x[i] for m, x in zip(MEASURES, of_units, strict=True)},
            }
        )
    return rows


def to_plain(value: Any) -> Any:
    """Turn values into what strict JSON can hold.

    Parameters
    ----------
    value : object
        Dataclasses, models, arrays and containers of them.

    Returns
    -------
    object
        NaN and infinity become None; what is unknown becomes text.

    Examples
    --------
    >>> to_plain({"a": np.array([1.0, np.nan]), "b": (np.int64(3), True)})
    {'a': [1.0, None], 'b': [3, True]}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, BaseModel):
        return to_plain(value.model_dump())
    if is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    return [to_plain(v) for v in value] if isinstance(value, list | tuple) else str(value)
