"""All four cases are of one shape; nothing is run here."""

import ast
from pathlib import Path

import pytest

import keras_cases

FOLDER = Path(keras_cases.__file__).parent
CASES = ("mnist", "sea_ice_unet", "land_cover_deeplabv3", "hyperspectral_cbrr_unet")
EXERCISES = sorted(
    path.stem
    for path in (FOLDER / "exercises").glob("*.py")
    if path.stem not in ("__init__", "wrong")
)
CHAPTERS = ("Settings", "1. Data", "2. Model", "3. Train", "4. Evaluate", "5. Infer")
FIVE = ("load_data", "build_model", "train", "evaluate", "infer")
LONGEST = 20  # lines of a cell


def source(case):
    return (FOLDER / f"{case}.py").read_text(encoding="utf-8")


def cells(case):
    """Heading and lines that are not blank of each percent cell."""
    parts = ("\n" + source(case)).split("\n# %%")[1:]
    return [
        (part.split("\n")[0].strip(), [x for x in part.split("\n") if x.strip()]) for part in parts
    ]


@pytest.mark.parametrize("case", CASES)
def test_chapters_stand_in_order_each_with_an_insight(case):
    headings = [heading for heading, _ in cells(case)]
    places = [next(i for i, h in enumerate(headings) if h.startswith(name)) for name in CHAPTERS]
    assert places == sorted(places)
    assert all(":" in headings[place] for place in places)


@pytest.mark.parametrize("case", CASES)
def test_no_cell_is_longer_than_a_bite(case):
    assert {heading: len(lines) for heading, lines in cells(case) if len(lines) > LONGEST} == {}


@pytest.mark.parametrize("name", EXERCISES)
def test_no_cell_of_an_answer_is_longer_than_a_bite(name):
    """The check of an exercise, and what trains and reports after it, are no lesson."""
    found = cells(f"exercises/{name}")
    headings = [heading for heading, _ in found]
    check = next(i for i, heading in enumerate(headings) if heading.startswith("The check"))
    answer = found[:check]
    assert answer
    assert {heading: len(lines) for heading, lines in answer if len(lines) > LONGEST} == {}


@pytest.mark.parametrize("case", CASES)
def test_the_five_functions_have_the_same_names_and_arguments(case):
    functions = {
        node.name: [argument.arg for argument in node.args.args]
        for node in ast.parse(source(case)).body
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: functions.get(name) for name in FIVE} == {
        "load_data": ["s"],
        "build_model": ["s"],
        "train": ["model", "data", "s"],
        "evaluate": ["model", "data", "s"],
        "infer": ["model", "data", "s"],
    }
    assert functions["main"] == ["s"]


@pytest.mark.parametrize("case", CASES)
def test_no_case_is_bound_to_one_backend(case):
    tree = ast.parse(source(case))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        )
    }
    assert not imported & {"tensorflow", "torch", "tf_keras"}
