"""The files around the code agree with each other and keep the house rules."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from rs_workbench.sample_registry import load_sample_set, sample_names

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"opencv-python-headless": "py-opencv"}
CONDA_ONLY = {"python", "pip"}
FRAMEWORKS = {"torch", "torchvision", "timm", "tensorflow", "keras", "segmentation_models_pytorch"}
LEFT_BEHIND = {".git", ".venv", ".hypothesis", "__pycache__", "demo", "out", "build", "dist"}
START_BUDGET = 0.9  # CPU seconds for --help


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def split_requirement(text: str) -> tuple[str, str]:
    name, _, version = re.fullmatch(r"([\w-]+)(\[[\w,]+\])?(.*)", text).groups()
    return CONDA_NAMES.get(name, name), version


def sources(room: str) -> Iterator[Path]:
    return (ROOT / room).rglob("*.py")


def imported_roots(path: Path) -> set[str]:
    """First names of all imports in a file, those inside functions too."""
    roots = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            roots.add(node.module.partition(".")[0])
    return roots


# environment.yml, pins, README


def test_environment_agrees_with_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = dict(split_requirement(d) for d in environment["dependencies"] if isinstance(d, str))
    project = pyproject()["project"]
    extras = project["optional-dependencies"]
    wanted = dict(map(split_requirement, project["dependencies"]))
    wanted |= dict(map(split_requirement, extras["gdal"]))
    assert conda["python"] == project["requires-python"]
    assert {name: v for name, v in conda.items() if name not in CONDA_ONLY} == wanted
    assert environment["channels"] == ["conda-forge"]


def test_ruff_is_one_version() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    pinned = next(r["rev"] for r in hooks["repos"] if r["repo"].endswith("ruff-pre-commit"))
    assert (
        f"ruff=={pinned.removeprefix('v')}"
        in pyproject()["project"]["optional-dependencies"]["dev"]
    )


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "CONTRIBUTING.md"])
def test_make_commands_on_the_page_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.DOTALL))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", code))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    assert named, f"{page} names no make command"
    assert named <= targets


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "CONTRIBUTING.md"])
def test_links_on_the_page_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    local = [t for t in re.findall(r"\]\(([^)#\s]+)\)", text) if "://" not in t]
    assert [t for t in local if not (ROOT / t).exists()] == []


def tree() -> Iterator[Path]:
    """All files of the project, without what tools leave behind."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [
            f for f in folders if f not in LEFT_BEHIND and not f.endswith(("_cache", "info"))
        ]
        yield from (Path(folder, name) for name in files)


def test_no_path_of_a_machine_and_no_registry_in_the_tree() -> None:
    registry = b"|".join((rb"pypi\.o" rb"rg", rb"pythonhost" rb"ed"))
    foreign = re.compile(rb"(?<![\w.])/(work|root|home|tmp)/\w|" + registry)
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in tree()
        if (match := foreign.search(path.read_bytes()))
    ]
    assert found == []


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_every_test_that_needs_a_framework_is_run_with_it(framework: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    (either,) = re.findall(r"^WITH_EITHER := (.*)", makefile, flags=re.MULTILINE)
    (recipe,) = re.findall(rf"^test-{framework}:.*\n\t(.*)", makefile, flags=re.MULTILINE)
    named = recipe.replace("$(WITH_EITHER)", either).split()
    run = {p for name in named if name.startswith("tests") for p in ROOT.glob(name)}
    gate = re.compile(rf"^\w* ?=? ?require_framework\(\"{framework}\"\)", re.MULTILINE)
    gated = [p for p in sources("tests") if gate.search(p.read_text(encoding="utf-8"))]
    assert gated
    assert [str(p) for p in gated if p not in run and not run & set(p.parents)] == []


# The workflow: data that can be had, and by name the tests of those that cannot


def test_the_workflow_fetches_every_set_with_a_public_address() -> None:
    action = ROOT / ".github" / "actions" / "sample-data" / "action.yml"
    steps = yaml.safe_load(action.read_text(encoding="utf-8"))["runs"]["steps"]
    fetched = steps[-1]["run"].removeprefix("rsw samples fetch --quiet ").split()
    assert fetched == [name for name in sample_names() if not load_sample_set(name).by_hand]


def test_what_the_workflow_deselects_exists_and_each_job_of_tests_has_data() -> None:
    path = ROOT / ".github" / "workflows" / "test.yml"
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    left_out = workflow["env"]["PYTEST_ADDOPTS"].split()
    assert left_out
    for word in left_out:
        file, name = word.removeprefix("--deselect=").split("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")
    for job in workflow["jobs"].values():
        steps = job["steps"]
        runs = [i for i, step in enumerate(steps) if step.get("run", "").startswith("pytest")]
        assert all(steps[i - 1].get("uses") == "./.github/actions/sample-data" for i in runs)


# Who may import whom; layers between rooms are kept by import-linter


def test_tiling_imports_numpy_and_the_standard_library_only() -> None:
    allowed = {"numpy", "tiling", *sys.stdlib_module_names}
    assert {str(p): imported_roots(p) - allowed for p in sources("tiling")} == {
        str(p): set() for p in sources("tiling")
    }


@pytest.mark.parametrize(
    ("packages", "names"),
    [
        ({"rasterio"}, r"raster(_\w+)?\.py"),
        ({"osgeo"}, r"raster(_\w+)?\.py"),
        ({"tensorflow", "keras", "tf2onnx"}, r"keras_\w+\.py"),
        (
            {"torch", "torchvision", "timm", "segmentation_models_pytorch"},
            r"(torch|keras)_\w+\.py",
        ),
        ({"onnx", "onnxruntime", "openvino"}, r"(onnx|torch|keras)_\w+\.py"),
    ],
)
def test_only_files_named_so_import(packages: set[str], names: str) -> None:
    importers = {p.name for p in sources("rs_workbench") if imported_roots(p) & packages}
    assert {name for name in importers if not re.fullmatch(names, name)} == set()


# What a start loads


def modules_after(code: str) -> set[str]:
    report = f"{code}\nimport sys; print('loaded', *{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


RUN_HELP = """
import runpy, sys
sys.argv = ["infer", "--help"]
try:
    runpy.run_module("rs_workbench.infer", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code
"""


@pytest.mark.parametrize("code", ["import rs_workbench", "import rs_workbench.cli", RUN_HELP])
def test_start_loads_no_framework_and_no_engine(code: str) -> None:
    assert modules_after(code) & (FRAMEWORKS | {"openvino", "onnxruntime", "onnx"}) == set()


def test_help_starts_in_well_under_a_second(record_property: pytest.RecordProperty) -> None:
    command = [sys.executable, "-m", "rs_workbench.infer", "--help"]
    spent = min(cpu_seconds(command) for _ in range(3))
    record_property("help_cpu_seconds", spent)
    assert spent < START_BUDGET


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds of a command; unlike wall time they hold on a busy machine."""
    before, started = psutil.Process().cpu_times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    after, wall = psutil.Process().cpu_times(), time.perf_counter() - started
    spent = sum(
        getattr(after, n, 0) - getattr(before, n, 0) for n in ("children_user", "children_system")
    )
    return spent or wall  # Windows does not count its children
