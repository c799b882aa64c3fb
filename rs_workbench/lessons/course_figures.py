"""Figures that the course printed, to stand beside ours, marked as published."""

from __future__ import annotations

from rs_workbench.lessons.report import Line

_TREES = "other data: trees or not, 15 scenes of WorldView-3, patches dealt at random"
COURSE_LAND_COVER = (
    Line("course: DeepLabV3+, last epoch", {"overall accuracy": 0.8990}, "published", _TREES),
    Line("course: DeepLabV3+, best epoch", {"overall accuracy": 0.9482}, "published", _TREES),
    Line("course: U-Net, last epoch", {"overall accuracy": 0.9537}, "published", _TREES),
    Line("course: the commonest class", {"overall accuracy": 0.9224}, "published", _TREES),
)
"""Task 3 (`course.md`, sections 0 and 1.3); the last is what a constant map scores on their
patches."""

_COMMONEST = COURSE_LAND_COVER[-1]
COURSE_BACKBONES = (
    Line(
        "course: ResNet50, last epoch",
        {"overall accuracy": 0.8705},
        "published",
        f"{_TREES}; one run",
    ),
    Line("course: ResNet50, best epoch", {"overall accuracy": 0.9427}, "published", _TREES),
    _COMMONEST,
)
"""Exercise 3.1 (`course.md`, section 1.3): epochs 20 and 18 of one run, on validation patches."""

_DEAD = "built with a branch that is joined to nothing"
COURSE_DECODERS = (
    Line(
        "course: new decoder, last epoch",
        {"overall accuracy": 0.9408},
        "published",
        f"{_TREES}; {_DEAD}",
    ),
    Line("course: new decoder, best epoch", {"overall accuracy": 0.9541}, "published", _TREES),
    _COMMONEST,
)
"""Exercise 3.2 (`course.md`, section 1.3): epochs 20 and 19 of one run, on validation patches."""

_CROPS = "other data: 6 bands, 5 classes; 97 % of the tiles scored were learnt from, too"
COURSE_CBRR = (
    Line(
        "course: CbrrUnet, last epoch",
        {"OA": 0.9369, "parameters": 22_149_381},
        "published",
        _CROPS,
    ),
    Line(
        "course: U-Net, last epoch",
        {"OA": 0.9420, "parameters": 7_807_397},
        "published",
        f"{_CROPS}; it went on from weights that were trained before",
    ),
)
"""Exercise 4.1 (`course.md`, sections 2.2, 2.4 and 2.5): 30 epochs, one run each."""
