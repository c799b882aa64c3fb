from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from rs_workbench.card import card_beside, card_text, plain_card, read_card, write_card
from rs_workbench.card_command import command, parse_classes
from rs_workbench.errors import UsageError
from tests.backends import onnx_models

CLASSES = "water:#3366cc,ice:#ffffff,sand,mud:#665544"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RSW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model(tmp_path):
    return onnx_models.write_deep(tmp_path / "deep.onnx", 3, 4)


def run(*arguments, code=0):
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_write_measures_and_shows(model):
    text = run(
        *("write", model, "--bands", "red,green,blue", "--classes", CLASSES, "--scale", 255),
        *("--pixel-size", 0.5, "--tile", 256, "--license", "MIT", "--nodata", "0,255"),
    )
    card = read_card(model)
    assert [b.name for b in card.bands] == ["red", "green", "blue"]
    assert {(b.mean, b.std) for b in card.bands} == {(0.0, 255.0)}
    assert [c.name for c in card.classes] == ["water", "ice", "sand", "mud"]
    assert (card.stride, card.pixel_size, card.tile, card.dtype) == (4, 0.5, 256, "uint8")
    assert card.reach == card.effective_reach
    assert 8 < card.reach < 20
    assert card.nodata == (0.0, 255.0)
    assert "water" in text
    assert f"written to {model}" in text
    assert "takes tiles of any multiple of 4 px" in run("show", model)
    assert json.loads(run("show", model, "--json"))["license"] == "MIT"
    assert "fits the file" in run("check", model)


def test_what_is_not_given_stays(model):
    run("write", model, "--bands", "red,green,blue", "--classes", CLASSES, "--mean", "1,2,3",
        "--std", 7)  # fmt: skip
    before = read_card(model)
    assert [(b.mean, b.std) for b in before.bands] == [(1, 7), (2, 7), (3, 7)]
    run("write", model, "--name", "new", "--no-measure")
    assert read_card(model) == before.model_copy(update={"name": "new"})


def test_from_a_json_card(model, tmp_path):
    card = plain_card("from file", 3, 4)
    source = tmp_path / "card.json"
    source.write_text(card_text(card), encoding="utf-8")
    run("write", model, "--from", source)
    assert read_card(model).name == "from file"
    assert read_card(model).stride == 4


def test_fixed_size_is_found(tmp_path):
    path = onnx_models.write_deep(tmp_path / "fixed.onnx", 3, 4, size=(1, 64, 96))
    run("write", path)
    assert read_card(path).fixed_size == (64, 96)
    assert "tiles of 64 x 96 px only" in run("show", path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--bands", "red,green"], "takes 3 bands, but 2 were given"),
        (["--classes", "a,b"], "gives 4 classes, but 2 were given"),
        (["--classes", "a:red,b,c,d"], "--classes 'a:red' is not understood"),
        (["--classes", "1=a,1=b,2=c,3=d"], r"class values must differ: got [1, 1, 2, 3]"),
        (["--scale", "0"], "--scale must be more than 0: got 0"),
        (["--scale", "255", "--mean", "1", "--std", "2"], "exclude each other"),
        (["--mean", "1"], "belong together"),
        (["--mean", "1,2", "--std", "1"], "--mean needs one number or 3, one a band: got 2"),
        (["--mean", "x", "--std", "1"], "--mean 'x' is not a list of numbers"),
        (["--mean", "nan", "--std", "1"], "--mean 'nan' is not a list of numbers"),
        (["--scale", "nan"], "--scale must be more than 0: got nan"),
        (["--mean", "1", "--std", "0"], "--std must be more than 0: got 0"),
        (["--tile", "30"], "--tile 30 px is not a multiple of the network's stride 4 px"),
        (["--pixel-size", "-1"], "pixel_size: Input should be greater than 0"),
    ],
)
def test_wrong_options_are_explained(model, options, words):
    assert words in run("write", model, *options, code=2)
    assert read_card(model) is None


def test_show_and_check_without_a_card(model):
    for verb in ("show", "check"):
        assert "'deep.onnx' has no card yet: write one with" in run(verb, model, code=1)


def test_missing_model(tmp_path):
    assert "no model at" in run("show", tmp_path / "nowhere.onnx", code=1)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (plain_card("x", 5, 4), "the file takes 3 bands, but the card names 5"),
        (plain_card("x", 3, 7), "the file gives 4 classes, but the card names 7"),
        (plain_card("x", 3, 4), "stride is 4 px, but the card says 1 px"),
        (plain_card("x", 3, 4).model_copy(update={"stride": 4}), "does not say the reach"),
        (plain_card("x", 3, 4).model_copy(update={"stride": 4, "reach": 2}), "says 2 px"),
        (
            plain_card("x", 3, 4).model_copy(
                update={"stride": 4, "reach": 99, "fixed_size": (64, 64)}
            ),
            "fixed size is None, but the card says (64, 64)",
        ),
    ],
)
def test_check_says_what_is_wrong(model, card, words):
    write_card(model, card)
    text = run("check", model, code=1)
    assert words in text
    assert "does not fit" in text


def test_check_takes_the_card_beside(model):
    run("write", model, "--classes", CLASSES)
    card_beside(model).write_text(card_text(plain_card("beside", 9, 4)), encoding="utf-8")
    assert "the card names 9" in run("check", model, code=1)


def test_classes_with_values():
    classes = parse_classes("5=ice:#FFFFFF, water")
    assert [(c.value, c.name) for c in classes] == [(5, "ice"), (1, "water")]
    assert classes[0].color == "#ffffff"
    with pytest.raises(UsageError, match="x=ice"):
        parse_classes("x=ice:#ffffff")


def test_module_runs_without_a_framework(model):
    code = (
        "import sys; import rs_workbench.card_command;"
        "bad = {'torch', 'tensorflow', 'onnx', 'openvino', 'onnxruntime'} & set(sys.modules);"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "rs_workbench.card_command", "show", str(model)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "has no card yet" in done.stderr
