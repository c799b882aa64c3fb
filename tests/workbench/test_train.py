"""`rsw train` without a framework: help, plan, and what is refused before anything is learnt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from rs_workbench.cli import main
from rs_workbench.errors import MissingDependencyError, UsageError
from rs_workbench.train import command, train
from rs_workbench.training import settings_check, train_summary
from rs_workbench.training.data import open_data
from rs_workbench.training.epoch_progress import EpochLines, show_epochs
from rs_workbench.training.leaking import on_blocks, refuse_leaks
from rs_workbench.training.network_options import check_network_options
from rs_workbench.training.settings_file import make_settings
from tests.training.train_cases import draw_scene, small_settings


def rsw_train(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw_scene(folder)
    return folder


def scene_of(folder: Path) -> list[object]:
    return [
        *("--scene", folder / "scene.tif", "--labels", folder / "labels.tif"),
        *("--unlabelled", "0", "--tile", "16", "--block", "32", "--classes", "1=a,2=b,3=c"),
    ]


def test_help_loads_no_framework_and_nothing_heavy() -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['train', '--help']\n"
        "try:\n    runpy.run_module('rs_workbench.train', run_name='__main__')\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'tensorflow', 'keras', 'rasterio', 'pydantic', 'yaml', 'cv2', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_it_is_a_verb_and_lists_its_recipes() -> None:
    assert "train a network" in CliRunner().invoke(main, ["--help"]).output
    done = rsw_train("--recipes")
    assert {"chiapas", "dunes"} <= {line.split()[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "there is nothing to train on: give a file of settings, --scene and --labels, or"),
        (["--epochs", "3"], 2, "the name of a recipe: chiapas, "),
        (["dune"], 2, "'dune' is neither a file of settings nor a recipe, did you mean 'dunes'?"),
        ([""], 2, "SETTINGS and --output must not be empty"),
        (["dunes", "-o", ""], 2, "SETTINGS and --output must not be empty"),
        (["dunes", "--name", ""], 2, "--name must not be empty"),
        (["--scene", "a.tif"], 2, "labels are missing: give one or more files"),
        (["dunes", "--epochs", "0"], 2, "0 is not in the range"),
        (["dunes", "--framework", "jax"], 2, "'jax' is not one of"),
        (["dunes", "--network", "unnet"], 2, "network 'unnet', did you mean 'unet'?"),
        (["dunes", "--loss", "dyce"], 2, "there is no loss 'dyce', did you mean 'dice'?"),
        (["dunes", "--set", "epoch=3"], 2, "there is no setting 'epoch', did you mean 'epochs'?"),
        (["dunes", "--block", "8"], 2, "got block=8 px and tile=256 px"),
        (["dunes", "--learning-rate", "inf"], 2, "learning_rate must be a finite number: got inf"),
        (["dunes", "--learning-rate", "nan"], 2, "learning_rate must be a finite number: got nan"),
        (["dunes", "--class-weights", "1,inf"], 2, "class_weights must be "),
        (["dunes", "--classes", "1=Ice,2=ice"], 2, "got 'Ice' and 'ice' (rename one)"),
        (["--scene", "no.tif", "--labels", "no2.tif"], 1, "no.tif"),
    ],
)
def test_mistakes_get_one_sentence_and_an_exit_code(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings_check, "is_installed", lambda framework: True)
    done = rsw_train(*arguments, "--dry-run")
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_blocks_do_not_leak(drawn: Path) -> None:
    random = small_settings(drawn, "torch", split={"kind": "random", "block": 32})
    settings = on_blocks(random)
    assert (settings.split.kind, settings.split.block) == ("blocks", 32)
    as_dealt = {"class_share": 0.0, "border_share": 0.0}  # chips are drawn as chance deals them
    assert settings == random.model_copy(update={"split": settings.split, **as_dealt})
    refuse_leaks(open_data(settings))


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ((), "needs torch, which is not installed: run  pip install 'rs-workbench[torch]'"),
        (("keras",), "'rs-workbench[torch]', or add  --framework keras"),
    ],
)
def test_a_missing_framework_gets_a_sentence_before_data_are_opened(
    drawn: Path, there: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings_check, "is_installed", lambda framework: framework in there)
    settings = small_settings(drawn, "torch", labels=[str(tmp_path / "none.tif")])
    with pytest.raises(MissingDependencyError) as caught:
        train(settings, tmp_path / "run")
    assert str(caught.value).endswith(said)
    assert not (tmp_path / "run").exists()


def test_the_framework_is_the_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, chosen in (({"keras"}, "keras"), ({"keras", "torch"}, "torch"), (set(), "torch")):
        monkeypatch.setattr(
            settings_check, "is_installed", lambda name, there=there: name in there
        )
        assert settings_check.default_framework() == chosen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"widht": 3}, "there is no option of unet 'widht', did you mean 'width'?"),
        ({"width": "large"}, "option width of unet must be a whole number: got 'large'"),
        ({"width": True}, "option width of unet must be a whole number: got True"),
        ({"dropout": "a"}, "option dropout of unet must be a number: got 'a' (by default 0.0)"),
        ({"width": 3, "dropout": 1, "weights": None}, None),
    ],
)
def test_options_of_a_network_are_those_of_its_builder(
    options: dict, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(n_bands, n_classes, *, width=16, dropout=0.0, weights=None):
        raise AssertionError("it is only looked at")

    from rs_workbench.training import network_options

    monkeypatch.setattr(network_options, "find_network", lambda name, framework: build)
    settings = make_settings({"scenes": "a", "labels": "b", "network_options": options})
    if said is None:
        check_network_options(settings)
        return
    with pytest.raises(UsageError) as caught:
        check_network_options(settings)
    assert said in str(caught.value)


# What is said


def epoch(number: int, score: float | None, seconds: float = 14.0) -> SimpleNamespace:
    return SimpleNamespace(number=number, loss=0.8123, mean_iou=score, seconds=seconds)


def test_a_line_an_epoch_with_the_best_and_what_is_left() -> None:
    lines: list[str] = []
    listener = EpochLines(12, lines.append)
    data = object()
    for one in (epoch(1, 0.4), epoch(2, 0.43), epoch(3, 0.421)):
        listener(one, None, data)
    assert lines[1] == (
        "epoch 2/12: loss 0.812, validation mIoU 0.430 (the best), 14 s, about 2 min left"
    )
    assert lines[2] == (
        "epoch 3/12: loss 0.812, validation mIoU 0.421 (best 0.430, epoch 2), 14 s, "
        "about 2 min left"
    )
    listener(epoch(12, None), None, data)
    assert lines[3] == "epoch 12/12: loss 0.812, 14 s"
    listener(epoch(1, 0.2), None, object())  # the second run, on blocks
    assert "validation mIoU 0.200 (the best)" in lines[4]


def test_lines_go_to_stderr_and_none_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    for style, said in (("plain", 1), ("none", 0)):
        with show_epochs(style, 3) as (on_epoch, on_step):
            on_step(1, 1, 4, 0.5)
            on_epoch(epoch(1, 0.4), None, None)
        captured = capsys.readouterr()
        assert len(captured.err.splitlines()) == said
        assert captured.out == ""


def test_a_bar_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with show_epochs("auto", 3) as (on_epoch, on_step):
        on_step(1, 1, 4, 0.5)
        on_epoch(epoch(1, 0.4), None, None)


def test_the_result_is_told_with_interval_baselines_and_the_next_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from rs_workbench.training.train_result import TrainResult

    numbers = dict.fromkeys(
        ("parameters", "trainable", "epochs", "best_epoch", "leaks", "seed"), 3
    ) | dict.fromkeys(
        ("seconds", "seconds_per_epoch", "chips_per_second", "peak_rss_mib", "peak_gpu_mib"), 1.5
    )
    scores = {"overall_accuracy": 0.5, "mean_iou": 0.25}
    result = TrainResult(
        framework="torch",
        network="unet",
        network_options={},
        device="cpu",
        validation_mean_iou=0.456,
        held_out={
            **scores,
            "mean_iou_interval": [0.2, 0.3],
            "classes": [
                {"name": "water", "iou": 0.25, "pixels": 1234},
                {"name": "urban", "iou": None, "pixels": 0},
            ],
        },
        baselines={"majority": scores, "forest": scores},
        chips_hash="x",
        warnings=("look out",),
        model="model.pt2",
        onnx=None,
        **numbers,
    )
    train_summary.print_result(result, Path("run"))
    said = capsys.readouterr()
    assert "the best is epoch 3 (validation mIoU 0.456)" in said.out
    assert "held-out ground: mIoU 0.250 (95 % interval 0.200 to 0.300), overall" in said.out
    assert "beside it, random forest of pixels: mIoU 0.250, overall accuracy 0.500" in said.out
    assert "IoU   -  " in said.out
    assert said.out.endswith(f"rsw infer SCENE -m {Path('run') / 'model.pt2'}\n")
    assert said.err == "warning: look out\n"
