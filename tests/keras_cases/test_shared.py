"""What the cases share: settings by words, batches, a saved model; and the check of answers."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

from keras_cases import (  # noqa: E402
    check,
    hyperspectral_cbrr_unet,
    land_cover_deeplabv3,
    mnist,
    sea_ice_unet,
)
from keras_cases.exercises.wrong import WrongAnswerError  # noqa: E402
from keras_cases.models.unet import unet  # noqa: E402
from keras_cases.shared import (  # noqa: E402
    Batches,
    chosen,
    predict_bands_first,
    rise_and_fall,
    run,
    sample_folder,
    save_model,
    settings_of,
)
from keras_cases.shared_settings import refuse_nothing  # noqa: E402
from rs_workbench.backends import load_predictor  # noqa: E402
from rs_workbench.card import LegendClass, read_card  # noqa: E402
from rs_workbench.errors import UsageError  # noqa: E402
from rs_workbench.lessons.card import measure_bands  # noqa: E402
from rs_workbench.standin_files import WRITERS, Writer  # noqa: E402
from rs_workbench.training.augment import Augment  # noqa: E402

CLASSES = tuple(
    LegendClass(value=i, name=name, color=color)
    for i, (name, color) in enumerate([("water", "#000080"), ("ice", "#ffffff")])
)


@dataclass(frozen=True)
class Settings:
    epochs: int = 9
    drawn: bool = False


FULL, QUICK, SMOKE = (Settings(epochs) for epochs in (9, 3, 1))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], FULL),
        (["--quick"], QUICK),
        (["--smoke", "--drawn"], replace(SMOKE, drawn=True)),
    ],
)
def test_words_choose_settings(words, expected):
    assert chosen(FULL, QUICK, SMOKE, words) == expected


@pytest.mark.parametrize("words", [["--epochs", "3"], ["--quick", "--smoke"]])
def test_other_words_get_one_sentence(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        chosen(FULL, QUICK, SMOKE, words)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: got {' '.join(words)}: use --quick")


def test_a_report_tells_all_settings_but_the_folder_and_what_the_run_sets():
    s = SimpleNamespace(epochs=3, seed=1, out=Path("out"))
    assert settings_of(s) == {"epochs": 3, "seed": 1}
    assert settings_of(s, "seed") == {"epochs": 3}


@pytest.fixture
def chips():
    """Seven chips; the first band holds the number of the chip, its labels do, too."""
    images = np.random.default_rng(0).standard_normal((7, 2, 8, 8), np.float32)
    images[:, 0] = np.arange(7)[:, None, None]
    labels = np.repeat(np.arange(7, dtype=np.uint8), 64).reshape(7, 8, 8)
    return images, labels


def numbers(batches):
    return [
        int(label[0, 0])
        for _, labels in map(batches.__getitem__, range(len(batches)))
        for label in labels
    ]


@pytest.mark.parametrize("augment", [None, Augment(flip=True, turn=True)])
def test_every_chip_comes_once_an_epoch_in_another_order(chips, augment):
    batches = Batches(*chips, batch=3, augment=augment, seed=1)
    assert len(batches) == 3
    first = numbers(batches)
    batches.on_epoch_end()
    second = numbers(batches)
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second
    again = Batches(*chips, batch=3, augment=augment, seed=1)
    assert numbers(again) == first
    images, labels = again[0]
    assert images.shape == (3, 8, 8, 2)
    assert (images[..., 0] == labels).all()  # image and label are of one chip


def test_chips_are_varied_anew_in_each_epoch(chips):
    batches = Batches(*chips, batch=7, augment=Augment(brightness=1.0), seed=1)
    before = batches[0][0]
    assert (batches[0][0] == before).all()
    batches.on_epoch_end()
    after = batches[0][0]
    assert not np.isclose(
        np.sort(before[..., 1].mean((1, 2))), np.sort(after[..., 1].mean((1, 2)))
    ).all()


def test_chips_may_come_several_times_an_epoch_varied_anew_each_time(chips):
    batches = Batches(*chips, batch=7, rounds=3, augment=Augment(brightness=1.0), seed=1)
    assert len(batches) == 3
    assert sorted(numbers(batches)) == sorted([*range(7)] * 3)
    means = [np.sort(batches[i][0][..., 1].mean((1, 2))) for i in range(3)]
    assert not np.isclose(means[0], means[1]).any()
    assert not np.isclose(means[1], means[2]).any()


def test_without_shuffling_chips_come_as_they_are(chips):
    images, _ = Batches(*chips, batch=4, shuffle=False)[1]
    assert (images == np.moveaxis(chips[0][4:], 1, -1)).all()


def test_a_saved_model_scores_as_before_and_carries_its_card(tmp_path):
    keras.utils.set_random_seed(0)
    model = unet(2, 2, width=4, depth=1)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    images = rng.standard_normal((4, 2, 16, 16)).astype(np.float32)
    model.fit(np.moveaxis(images, 1, -1), rng.integers(0, 2, (4, 16, 16)), verbose=0)
    bands = measure_bands(images, ("a", "b"))
    path = save_model(model, tmp_path, name="tiny", bands=bands, classes=CLASSES, dtype="float32")
    card = read_card(path)
    assert (card.name, card.stride, card.classes) == ("tiny", 2, CLASSES)
    predictor = load_predictor(path, device="cpu").predictor
    np.testing.assert_allclose(
        predictor.predict(images), predict_bands_first(model, images), atol=1e-4
    )


def test_a_stand_in_of_which_half_was_drawn_is_drawn_anew(tmp_path, monkeypatch):
    s = SimpleNamespace(drawn=True, out=tmp_path)

    def stopped(folder, count, seed):
        (folder / "image").mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(WRITERS, "sea_ice", Writer(stopped, 100))
        with pytest.raises(KeyboardInterrupt):
            sample_folder("sea_ice", s)
    monkeypatch.setitem(WRITERS, "sea_ice", WRITERS["sea_ice"]._replace(usual=2))
    folder, real = sample_folder("sea_ice", s)
    assert not real
    assert len(list((folder / "image").iterdir())) == len(list((folder / "label").iterdir())) == 2
    (folder / "label" / "sea_ice_001.jpg").unlink()
    assert sample_folder("sea_ice", s) == (folder, False)  # whole once, it is left alone
    assert len(list((folder / "label").iterdir())) == 1


# The check of answers


def test_an_answer_gets_what_is_right_or_one_sentence(tmp_path, capsys, monkeypatch):
    def exercise(answer):
        if answer.double(3) != 6:
            raise WrongAnswerError(f"double(3) must be 6: got {answer.double(3)}")
        return ["double doubles"]

    name = check.exercise_names()[0]
    monkeypatch.setattr(
        check.importlib, "import_module", lambda _: SimpleNamespace(check=exercise, __doc__="Do.")
    )
    answer = tmp_path / "answer.py"
    here = f"not yet: '{answer}'"
    for text, code, said in (
        ("def double(x): return 2 * x", 0, f"right: double doubles\n{name}: all right"),
        ("def double(x): return x", 1, "not yet: double(3) must be 6: got 3"),
        ("", 1, f"{here} has no 'double': the task names what it must have"),
        ("def double(", 1, f"{here}, line 1: Python cannot read it: '(' was never closed"),
        ("def double(): return 1", 1, f"{here}, or what it gives back: TypeError: double() takes"),
        ("def double(x):\n    return [][x]", 1, f"{here}, line 2: IndexError: list index out of"),
        ("raise SystemExit(3)", 1, f"{here}, line 1: SystemExit: 3"),
    ):
        answer.write_text(text, encoding="utf-8")
        assert check.main([name, str(answer)]) == code
        found = capsys.readouterr().out
        assert found.startswith(said)
        assert found.count("\n") == said.count("\n") + 1


def test_an_answer_without_end_is_ended(tmp_path):
    endless = tmp_path / "endless.py"
    endless.write_text("while True:\n    pass\n", encoding="utf-8")
    code = (
        "import sys; from keras_cases import check; check.LONGEST = 1; "
        "sys.exit(check.main(['mnist_numpy_mlp', sys.argv[1]]))"
    )
    root = Path(check.__file__).parents[1]
    words = [sys.executable, "-c", code, str(endless)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=root, check=False)
    assert (done.returncode, done.stdout[:31]) == (1, "not yet: no end after 1 s: is t")


def test_check_lists_the_exercises_and_tells_their_tasks(capsys):
    assert check.main([]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in check.exercise_names())
    for name in check.exercise_names():
        assert check.main([name]) == 0
        said = capsys.readouterr().out
        assert said.startswith("Exercise")
        assert sum(line.startswith("任务：") for line in said.splitlines()) == 1
    assert check.main(["no_such"]) == 2
    assert check.main([check.exercise_names()[0], "nowhere.py"]) == 2


def test_a_terminal_without_chinese_shows_the_task():
    words = [sys.executable, "-m", "keras_cases.check", "rare_classes"]
    root = Path(check.__file__).parents[1]
    plain = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=root, env=plain, check=True)
    assert done.stdout.startswith("Exercise 4.2.")
    assert "effective_weights(counts" in done.stdout


def test_every_solution_passes_its_own_check():
    folder = Path(check.exercises.__path__[0])
    for name in check.exercise_names():
        assert check.check(name, folder / f"{name}.py"), name


def test_the_rate_rises_and_falls():
    rate = rise_and_fall(0.01, 100)
    values = [float(rate(step)) for step in (0, 5, 10, 55, 100)]
    assert values == pytest.approx([0, 0.005, 0.01, 0.005, 0], abs=1e-4)
    assert float(rise_and_fall(0.01, 1)(1)) >= 0


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"epochs": "many"}, {"epochs": 2.5}])
def test_settings_by_which_nothing_is_learnt_are_refused(wrong, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["case"])
    with pytest.raises(SystemExit) as stopped:
        run(lambda s: Path(), replace(FULL, **wrong), QUICK, SMOKE)
    assert stopped.value.code == 1
    said = f"error: epochs must be a whole number, at least 1: got {wrong['epochs']!r}\n"
    assert capsys.readouterr().err == said


CASES = (mnist, sea_ice_unet, land_cover_deeplabv3, hyperspectral_cbrr_unet)


@pytest.mark.parametrize("name", [c.__name__ for c in CASES] + check.exercise_names())
def test_no_settings_of_ours_are_refused(name):
    module = importlib.import_module(name if "." in name else f"{check.exercises.__name__}.{name}")
    ours = [vars(module).get(one) for one in ("FULL", "QUICK", "SMOKE", "COURSE", "TRIES")]
    for s in filter(is_dataclass, ours):
        refuse_nothing(s)


@pytest.mark.parametrize(
    ("case", "changed", "said"),
    [
        (mnist, {"memory": "lots"}, "'lots' is not a size in memory: write a number and a unit"),
        (mnist, {"memory": 2}, "memory must be a size in words, such as '1GB': got 2"),
        (
            mnist,
            {"filters": (16, 0)},
            "filters must be whole numbers of at least 1, such as (16, ",
        ),
        (mnist, {"hidden": 0}, "hidden must be a whole number, at least 1: got 0"),
        (mnist, {"epochs": None}, "epochs must be a whole number, at least 1: got None"),
        (mnist, {"validation": 0.2}, "validation must be a whole number, at least 1: got 0.2"),
        (mnist, {"dropout": 1.0}, "dropout must be a share from 0 to less than 1, such as 0.4: g"),
        (
            mnist,
            {"page": (4,)},
            "page must be two whole numbers of at least 1, such as (10, 10): ",
        ),
        (
            sea_ice_unet,
            {"scene": (4, 0)},
            "scene must be two whole numbers of at least 1, such as",
        ),
        (sea_ice_unet, {"validation": 1.0}, "validation must be a share between 0 and 1, such as"),
        (sea_ice_unet, {"network": {"wdth": 8}}, "there is no setting of the network 'wdth', did"),
        (sea_ice_unet, {"network": {"width": 0}}, "width of the network must be a whole number, "),
        (sea_ice_unet, {"network": {"depth": 9}}, "depth of the network must be at most 8, as a "),
        (sea_ice_unet, {"network": 8}, "network must name its settings, as {'width': 8, 'depth'"),
        (
            sea_ice_unet,
            {"tries": {"a": {"bach": 2}}},
            "there is no setting in the try 'a', 'bach'",
        ),
        (sea_ice_unet, {"tries": {"a": {"batch": 0}}}, "batch must be a whole number, at least 1"),
        (
            land_cover_deeplabv3,
            {"tile": 100},
            "tile must be a multiple of 16 px, such as 256: got",
        ),
        (
            land_cover_deeplabv3,
            {"seeds": 3},
            "seeds must be one or more whole numbers of at least",
        ),
        (
            land_cover_deeplabv3,
            {"seeds": ()},
            "seeds must be one or more whole numbers of at least",
        ),
        (hyperspectral_cbrr_unet, {"run": (0.5,)}, "run must be one or more whole numbers of at "),
    ],
)
def test_settings_that_could_not_end_well_get_one_sentence(case, changed, said):
    with pytest.raises(UsageError) as refused:
        refuse_nothing(replace(case.QUICK, **changed))
    assert str(refused.value).startswith(said)


def test_settings_within_settings_are_looked_at():
    learning = replace(hyperspectral_cbrr_unet.QUICK.learning, rounds=0)
    with pytest.raises(UsageError, match="rounds must be a whole number, at least 1: got 0"):
        refuse_nothing(replace(hyperspectral_cbrr_unet.QUICK, learning=learning))


def test_a_run_says_what_the_word_sets_and_where_the_report_is(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["case", "--course"])
    run(lambda s: Path(f"epochs_{s.epochs}"), FULL, QUICK, SMOKE, course=Settings(30))
    assert capsys.readouterr().out == "--course sets: epochs 30\nreport: epochs_30\n"


def test_a_notebook_has_no_command_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    assert chosen(FULL, QUICK, SMOKE) == QUICK
