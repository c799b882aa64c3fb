"""Exercise 3.1. Swap the backbone of DeepLabV3+, and say no more than the runs show.

任务：写一个只换主干网络的实验（至少三种主干、三个种子）和判断函数；证据不一致时不得说有差别。

Write two functions:

    make_study() -> dict
    verdict(by_seed, low, high) -> str

`make_study` gives what a file of a study holds (docs/ablation.md): keys `name`, `settings`,
`change`, `vary`, `seeds` and `baseline`. It trains deeplabv3plus in Keras on the recipe `dunes`,
with at least three backbones and three seeds, on a split by blocks, and nothing else differs.
`verdict` takes the difference of mean IoU to the baseline, {seed: difference}, with the 95 %
interval of its mean over other ground; it says "better", "worse" or "no difference shown".

The course swapped one backbone in one run without a seed, on patches dealt at random, and looked
at the last epoch: .8705, after .9427 two epochs before. Check yours:

    python -m keras_cases.check land_cover_backbones my_answer.py

`python -m keras_cases.exercises.land_cover_backbones` (`--quick`, `--smoke`) makes the runs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from types import ModuleType
from typing import Any

from keras_cases.exercises.wrong import WrongAnswerError
from keras_cases.shared import run, sample_folder, settings_of
from rs_workbench.ablate import ablate
from rs_workbench.ablation.results import Findings, Row
from rs_workbench.ablation.study import Plan, plan_study
from rs_workbench.ablation.study_file import Asked, read_study
from rs_workbench.accuracy import overall_accuracy
from rs_workbench.errors import WorkbenchError
from rs_workbench.lessons.course_figures import COURSE_BACKBONES
from rs_workbench.lessons.dunes import choose_tiles
from rs_workbench.lessons.report import Line, write_report
from rs_workbench.training.yaml_file import yaml_text

BACKBONE = "network_options.backbone"
NOTHING = "no difference shown"


@dataclass(frozen=True)
class Settings:
    """What holds instead of the study's own, and how much of it is run."""

    epochs: int = 8
    chips: int = 192
    tile: int = 128  # px
    backbones: int = 3
    seeds: int = 3
    n_tiles: int | None = None  # photographs; None: all
    out: Path = Path("out/land_cover_backbones")
    drawn: bool = False


QUICK = Settings(epochs=2, chips=64, seeds=1, out=Path("out/land_cover_backbones_quick"))
SMOKE = Settings(1, 4, 64, backbones=2, seeds=1, n_tiles=16, out=Path("out/backbones_smoke"))


# %% The answer: what is not varied stands in one place, so it cannot differ
def make_study() -> dict[str, Any]:
    return {
        "name": "land_cover_backbones",
        "settings": "dunes",
        "change": {
            "framework": "keras",
            "network": "deeplabv3plus",
            "network_options": {"width": 64, "rates": [2, 4, 6], "image_pooling": False},
            "tile": 128,
            "pictures": 0,
            "forest_pixels": 0,
            "onnx": False,
        },
        "vary": {BACKBONE: ["mini", "MobileNetV3Small", "MobileNet"]},
        "seeds": 3,
        "baseline": {BACKBONE: "mini"},
    }


# %% The answer: another seed and other ground must both say the same
def verdict(by_seed: Mapping[int, float], low: float, high: float) -> str:
    beyond_ground = low > 0 or high < 0
    signs = {value > 0 for value in by_seed.values()}
    if len(by_seed) < 2 or not beyond_ground or len(signs) > 1:
        return NOTHING
    return "better" if low > 0 else "worse"


# %% The check
def check(answer: ModuleType) -> list[str]:
    plan = check_plan(answer.make_study())
    backbones, seeds = check_varied(plan)
    return [
        f"{backbones} backbones with {seeds} seeds each, and nothing else differs",
        "the split keeps neighbours together",
        *check_verdict(answer.verdict),
    ]


def check_plan(content: Mapping[str, Any]) -> Plan:
    """Read the study as `rsw ablate` does; what it refuses is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(yaml_text(dict(content)), encoding="utf-8")
        try:
            study = read_study(str(path), Asked())
            plan = plan_study(study)
        except WorkbenchError as error:
            raise WrongAnswerError(f"rsw ablate refuses the study: {error}") from error
    if study.allow_leaks or plan.baseline.settings.split.kind != "blocks":
        raise WrongAnswerError(
            f"the split is '{plan.baseline.settings.split.kind}': neighbouring chips on both sides"
            " tell how well a network remembers; leave split out, so that it goes by blocks"
        )
    return plan


def check_varied(plan: Plan) -> tuple[int, int]:
    """Count backbones and seeds; whatever else differs is wrong."""
    settings = [one.settings for one in plan.configurations]
    first = settings[0]
    if first.network != "deeplabv3plus" or first.framework != "keras":
        raise WrongAnswerError(
            f"the study trains {first.framework} {first.network}: it should be keras "
            "deeplabv3plus; set framework and network under change"
        )
    backbones = [one.network_options.get("backbone", "mini") for one in settings]
    rests = {str(_without_backbone(one.model_dump())) for one in settings}
    if len(set(backbones)) < len(backbones) or len(rests) > 1:
        raise WrongAnswerError(
            f"{len(settings)} configurations with the backbones {', '.join(backbones)} differ in "
            f"more than the backbone: vary {BACKBONE} alone"
        )
    seeds = len({run.seed for run in plan.runs})
    if len(backbones) < 3 or seeds < 3:
        raise WrongAnswerError(
            f"{len(backbones)} backbones and {seeds} seeds: at least 3 of each, since one run "
            "of one backbone may be luck"
        )
    return len(backbones), seeds


def _without_backbone(settings: dict[str, Any]) -> dict[str, Any]:
    options = {k: v for k, v in settings["network_options"].items() if k != "backbone"}
    return {**settings, "network_options": options}


CASES = (
    ({0: 0.02, 1: 0.03, 2: 0.04}, 0.01, 0.05, "better", "all seeds and all ground agree"),
    ({0: -0.02, 1: -0.03, 2: -0.04}, -0.05, -0.01, "worse", "all seeds and all ground agree"),
    ({0: 0.02, 1: 0.03, 2: 0.04}, -0.01, 0.07, NOTHING, "other ground may turn it round"),
    ({0: 0.09, 1: -0.01, 2: 0.05}, 0.01, 0.08, NOTHING, "one seed of three says the opposite"),
    ({0: 0.03}, 0.01, 0.05, NOTHING, "one seed may be luck"),
)


def check_verdict(say: Callable[[Mapping[int, float], float, float], str]) -> list[str]:
    for by_seed, low, high, wanted, why in CASES:
        if (found := say(by_seed, low, high)) != wanted:
            raise WrongAnswerError(
                f"verdict({by_seed}, {low}, {high}) gives '{found}', where '{wanted}' is right: "
                f"{why}"
            )
    return ["a difference is told only where seeds and ground agree"]


# %% The runs, and an honest table
def study_content(s: Settings) -> tuple[dict[str, Any], bool]:
    folder, real = sample_folder("dunes", s)
    images = choose_tiles(folder.absolute(), s.n_tiles)
    labels = [str(one.parents[1] / "labels" / f"{one.stem}.png") for one in images]
    content = make_study()
    content["change"] |= {"scenes": list(map(str, images)), "labels": labels}
    content["change"] |= {"epochs": s.epochs, "chips": s.chips, "tile": s.tile}
    content["vary"] = {BACKBONE: content["vary"][BACKBONE][: s.backbones]}
    return content | {"seeds": s.seeds}, real


def main(s: Settings = Settings()) -> Path:
    content, real = study_content(s)
    s.out.mkdir(parents=True, exist_ok=True)
    path = s.out / "asked.yaml"
    path.write_text(yaml_text(content), encoding="utf-8")
    study = read_study(str(path), Asked())
    findings = ablate(study, s.out / "study", speed=False, log=print)
    plot = s.out / "study" / "score_cost.png"
    facts = {
        "data": "real" if real else "drawn: no figure here says anything of real ground",
        "runs": f"{findings.done} of {len(findings.plan.runs)}",
        "seconds of training": seconds(findings),
        "settings": settings_of(s),
    }
    return write_report(
        s.out,
        "Backbones of DeepLabV3+",
        text=words(findings),
        lines=[*table(findings), *COURSE_BACKBONES],
        pictures={"Score and cost of each backbone": plot} if plot.is_file() else {},
        facts=facts,
    )


def seconds(findings: Findings) -> dict[str, float]:
    """Of all seeds of each backbone."""
    return {
        row.configuration.name: sum(float(one.facts.get("seconds") or 0) for one in row.results)
        for row in findings.rows
    }


# %% What a backbone must beat: the commonest class of the training ground, said everywhere
def table(findings: Findings) -> list[Line]:
    made = [row for row in findings.rows if row.results]
    lines = [line(row) for row in made]
    if made:  # the runs share their held-out ground, so the first one tells it for all
        found = made[0].results[0].facts["baselines"]["majority"]
        names = {"mean IoU": "mean_iou", "overall accuracy": "overall_accuracy"}
        figures = {name: found[key] for name, key in names.items()}
        note = "of the training ground; on the same held-out pixels"
        lines.append(Line("commonest class everywhere", figures, "baseline", note))
    return lines


def line(row: Row) -> Line:
    figures = {"mean IoU": row.mean, "sd over seeds": row.spread}
    confusions = [one.blocks.confusion.sum(axis=0) for one in row.results]
    figures["overall accuracy"] = fmean(map(overall_accuracy, confusions))
    if (found := row.difference) is None:
        return Line(row.configuration.name, figures, note="baseline")
    figures |= {"difference": found.value, "low": found.low, "high": found.high}
    said = verdict(found.by_seed, found.low, found.high)
    return Line(row.configuration.name, figures, note=said)


def words(findings: Findings) -> str:
    failed = [f"- failed: {run.title}: {reason}" for run, reason in findings.failed]
    known = "Differences are to the baseline, with 95 % intervals over blocks of held-out ground."
    return "\n".join([known, "The whole report: `study/table.md`.", *failed])


if __name__ == "__main__":
    run(main, Settings(), QUICK, SMOKE)
