"""Choice of an engine; the conversions themselves are tested with the frameworks."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rs_workbench.backends import conversion, engines, load_predictor, onnx_backend
from rs_workbench.backends.conversion import cache_folder, make_tile, remember, remembered
from rs_workbench.card import plain_card, write_card
from rs_workbench.errors import ModelError, UsageError
from tests.backends import onnx_models
from tests.backends.contract import make_batch, make_card


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("RSW_CACHE", str(folder))
    return folder


@pytest.fixture
def deep(tmp_path):
    return onnx_models.write_deep(tmp_path / "deep.onnx", 3, 4)


def need(framework):
    """Skip without a framework, but fail where RSW_REQUIRE names it."""
    found = importlib.util.find_spec(framework) is not None
    names = {"torch": "torch", "tensorflow": "keras"}
    if not found and names[framework] in os.environ.get("RSW_REQUIRE", ""):
        pytest.fail(f"{framework} is not installed")
    if not found:
        pytest.skip(f"{framework} is not installed")


def test_auto_says_what_it_chose(deep):
    loaded = load_predictor(deep, card=make_card())
    assert loaded.predictor.engine in engines.ONNX_ENGINES
    assert loaded.predictor.device == "cpu"
    assert "the fastest on a tile of 256 x 256 px (openvino" in loaded.notes[0]
    assert loaded.card == make_card()
    assert loaded.path == deep
    assert len(loaded.sha256) == 64


def test_choice_is_remembered(deep, cache):
    first = load_predictor(deep, card=make_card())
    again = load_predictor(deep, card=make_card())
    assert again.predictor.engine == first.predictor.engine
    assert "chosen in an earlier run" in again.notes[0]
    other = "onnxruntime" if first.predictor.engine == "openvino" else "openvino"
    remember(cache_folder(deep) / engines.CHOICE, other)
    assert load_predictor(deep, card=make_card()).predictor.engine == other


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_engine_as_asked(deep, engine):
    loaded = load_predictor(deep, card=make_card(), engine=engine)
    assert loaded.predictor.engine == engine
    assert loaded.notes == (f"engine {engine} on cpu, as asked",)


def test_engine_that_cannot(deep):
    with pytest.raises(
        UsageError, match=r"'torch' cannot run 'deep\.onnx'.*openvino, onnxruntime"
    ):
        load_predictor(deep, card=make_card(), engine="torch")


def test_model_without_a_card(deep):
    with pytest.raises(ModelError, match=r"'deep\.onnx' has no card.*rsw card write .*deep\.onnx"):
        load_predictor(deep)
    assert load_predictor(deep, bare=True).card.n_classes == 4
    write_card(deep, plain_card("wrong", 9, 4))
    with pytest.raises(ModelError, match="takes 3 bands, but its card names 9"):
        load_predictor(deep)
    assert load_predictor(deep, bare=True, ignore_card=True).card.n_bands == 3


def test_engine_that_disagrees_is_not_used(deep, monkeypatch):
    """OpenVINO made to answer otherwise: onnxruntime is the reference and stays."""
    honest = onnx_backend.OpenvinoPredictor._score
    monkeypatch.setattr(
        onnx_backend.OpenvinoPredictor, "_score", lambda self, batch: -honest(self, batch)
    )
    loaded = load_predictor(deep, card=make_card())
    assert loaded.predictor.engine == "onnxruntime"
    assert any(
        "openvino gives 'deep.onnx' the same classes as onnxruntime on" in n for n in loaded.notes
    )


def test_engine_that_fails_is_not_used(deep, monkeypatch):
    def fail(self, *args):
        raise ModelError("no kernel")

    monkeypatch.setattr(onnx_backend.OpenvinoPredictor, "_score", fail)
    loaded = load_predictor(deep, card=make_card())
    assert loaded.predictor.engine == "onnxruntime"
    assert "no kernel" in loaded.notes


def test_no_engine_at_all(deep, monkeypatch):
    def fail(self, *args):
        raise ModelError("no kernel")

    for kind in (onnx_backend.OpenvinoPredictor, onnx_backend.OnnxruntimePredictor):
        monkeypatch.setattr(kind, "_score", fail)
    with pytest.raises(ModelError, match="no kernel; no kernel"):
        load_predictor(deep, card=make_card())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model.h5", r"legacy Keras file.*model\.save\('model\.keras'\)"),
        ("model.tflite", r"kind not known here \('\.tflite'\)"),
        ("model", r"without a suffix"),
        ("model.safetensors", "weights but no network"),
    ],
)
def test_other_files_are_refused(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=words):
        load_predictor(tmp_path / name, bare=True)


def test_other_folders_are_refused(tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    with pytest.raises(ModelError, match=r"'saved' is a folder without config\.json"):
        load_predictor(folder, bare=True)
    (folder / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"TensorFlow SavedModel.*model\.save\('model\.keras'\)"):
        load_predictor(folder, bare=True)


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"no model at '.*nowhere\.onnx'"):
        load_predictor(tmp_path / "nowhere.onnx")


# The cache


def test_cache_is_named_after_the_network_not_its_card(tmp_path):
    import zipfile

    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data", "x")
    before = cache_folder(path)
    write_card(path, make_card())
    assert cache_folder(path) == before
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model/more", "x")
    assert cache_folder(path) != before


def test_cache_folder_as_given(deep, tmp_path):
    assert cache_folder(deep, tmp_path).parent == tmp_path
    assert cache_folder(deep).parent == tmp_path / "cache"


def test_remembering_needs_the_same_versions(tmp_path, monkeypatch):
    file = tmp_path / "folder" / "finding.json"
    remember(file, "it", "numpy")
    assert remembered(file, "numpy") == "it"
    assert remembered(file) is None
    monkeypatch.setattr("os.cpu_count", lambda: 4096)
    assert remembered(file, "numpy") is None
    file.write_text("{ damaged")
    assert remembered(file) is None


def test_cache_that_cannot_be_written(deep, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    loaded = load_predictor(deep, card=make_card(), cache=blocked)
    assert loaded.predictor.predict(make_batch(1, 16, 16)).shape == (1, 4, 16, 16)


def test_agreement():
    one = np.zeros((1, 2, 2, 2), dtype=np.float32)
    one[:, 0] = 1
    other = one.copy()
    other[0, 1, 0, 0] = 2
    assert engines.agreement(one, one) == 1
    assert engines.agreement(one, other) == 0.75
    assert engines.agreement(one, other[:, :1]) == 0
    other[0, 0, 0, 0] = np.nan
    assert engines.agreement(one, other) == 0


def test_tile_has_detail_at_every_scale():
    tile = make_tile(3, 100, 130)
    assert tile.shape == (1, 3, 100, 130)
    assert tile.dtype == np.float32
    np.testing.assert_array_equal(tile, make_tile(3, 100, 130))
    assert 0.5 < tile.std() < 1.5


# A model of a framework: a child process converts it


@pytest.fixture
def converter(monkeypatch, deep, tmp_path):
    """A converter that gives the ONNX of `deep` and is counted; no framework takes part."""
    calls = []
    state = {"reason": None, "seconds": 100.0, "flip": False}
    predictor = onnx_backend.load_predictor(deep, None, engine="onnxruntime")

    def convert(path, name, folder):
        calls.append(name)
        if state["reason"]:
            return state["reason"]
        tile = make_tile(3, 64, 64)
        scores = predictor.predict(tile)
        (folder / "model.onnx").write_bytes(deep.read_bytes())
        np.savez(folder / "reference.npz", tile=tile, scores=-scores if state["flip"] else scores)
        facts = {"engine": name, "seconds_per_tile": state["seconds"], "scores": "logits"}
        (folder / "facts.json").write_text(json.dumps(facts))
        return None

    monkeypatch.setattr(conversion, "_convert", convert)
    monkeypatch.setattr(engines, "nvidia_gpus", list)
    path = tmp_path / "model.keras"
    path.write_bytes(b"a model")
    return path, calls, state


@pytest.fixture
def own(monkeypatch):
    """Stands for the framework itself."""
    calls = []

    def load_own(path, card, device, why):
        calls.append(why)
        raise ModelError(f"own framework, {why}")

    monkeypatch.setattr(engines, "_load_own", load_own)
    return calls


def test_converted_once(converter, own):
    path, calls, _ = converter
    first = load_predictor(path, card=make_card())
    again = load_predictor(path, card=make_card())
    assert calls == ["keras"]
    assert own == []
    assert "keras 100000 ms" in first.notes[0]
    assert again.notes[0].endswith("same classes as keras on 100.00% of a tile")
    assert again.card == make_card()
    assert load_predictor(path, bare=True).card.n_classes == 4
    with pytest.raises(ModelError, match=r"'model\.keras' takes tiles|takes 3 bands"):
        again.predictor.predict(make_batch(1, 16, 16, n_bands=4))


def test_fast_framework_is_used(converter, own):
    path, _, state = converter
    state["seconds"] = 1e-9
    with pytest.raises(ModelError, match="own framework, the fastest on a tile"):
        load_predictor(path, card=make_card())
    with pytest.raises(ModelError, match="own framework, chosen in an earlier run"):
        load_predictor(path, card=make_card())


def test_a_framework_is_not_chosen_where_memory_is_small(converter, own):
    path, _, state = converter
    state["seconds"] = 1e-9
    for _ in range(2):
        loaded = load_predictor(path, card=make_card(), memory=10**9)
        assert loaded.predictor.engine in engines.ONNX_ENGINES
    assert own == []
    with pytest.raises(ModelError, match="own framework, the fastest on a tile"):
        load_predictor(path, card=make_card(), memory=2 * 10**9)
    loaded = load_predictor(path, card=make_card(), memory=10**9)
    assert "the fastest on a tile" in loaded.notes[0]


def test_conversion_that_disagrees_is_not_used(converter, own):
    path, _, state = converter
    state["flip"] = True
    with pytest.raises(
        ModelError, match=r"own framework, because onnxruntime gives .* on \d+\.\d+%"
    ):
        load_predictor(path, card=make_card())
    with pytest.raises(
        ModelError, match=r"openvino gives 'model\.keras' the same classes as keras"
    ):
        load_predictor(path, card=make_card(), engine="openvino")


def test_failed_conversion_is_remembered(converter, own):
    path, calls, state = converter
    state["reason"] = "'model.keras' has no ONNX form"
    for _ in range(2):
        with pytest.raises(ModelError, match=r"because conversion failed: 'model\.keras' has no"):
            load_predictor(path, card=make_card())
    assert calls == ["keras"]
    with pytest.raises(ModelError, match=r"'model\.keras' has no ONNX form"):
        load_predictor(path, card=make_card(), engine="openvino")


def test_framework_as_asked_needs_no_conversion(converter, own):
    path, calls, _ = converter
    with pytest.raises(ModelError, match="own framework, as asked"):
        load_predictor(path, card=make_card(), engine="keras")
    assert calls == []


def test_damaged_cache_is_made_again(converter, own):
    path, calls, _ = converter
    load_predictor(path, card=make_card())
    (cache_folder(path) / "reference.npz").write_bytes(b"damaged")
    load_predictor(path, card=make_card())
    assert len(calls) == 2


def test_unwritable_cache_falls_back_to_the_framework(converter, own, tmp_path):
    path, _, _ = converter
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(ModelError, match=r"because conversion failed.*set RSW_CACHE"):
        load_predictor(path, card=make_card(), cache=blocked)


def make_pt2(folder):
    code = (
        "import sys; from pathlib import Path; from tests.backends import torch_models;"
        "torch_models.write_deep(Path(sys.argv[1]))"
    )
    path = folder / "deep.pt2"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    return path


@pytest.mark.slow
def test_torch_model_runs_without_torch_in_this_process(tmp_path):
    need("torch")
    path = make_pt2(tmp_path)
    code = (
        "import sys; import numpy as np; from rs_workbench.backends import load_predictor;"
        f"m = load_predictor({str(path)!r}, bare=True, engine='openvino');"
        "assert 'torch' not in sys.modules; assert m.predictor.engine == 'openvino';"
        "print(m.predictor.predict(np.ones((1, 3, 32, 32), np.float32)).sum())"
    )
    sums = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(2)
    ]
    assert sums[0] == sums[1]
    code = code.replace("openvino", "torch").replace("not in sys", "in sys")
    own = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    np.testing.assert_allclose(float(own.stdout), sums[0], rtol=1e-3)


@pytest.mark.slow
def test_evil_torch_model_is_refused_by_way_of_conversion_too(tmp_path):
    need("torch")
    path = make_pt2(tmp_path)
    owned = tmp_path / "owned"
    code = (
        "import sys; from pathlib import Path; from tests.backends import torch_models;"
        "edit = lambda p: p['graph_module']['graph']['nodes'][0].update(target='torch.os.system');"
        "torch_models.change_program(Path(sys.argv[1]), edit)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    run = "from rs_workbench.backends import load_predictor as load; load(sys.argv[1], bare=True)"
    command = [sys.executable, "-c", f"import sys; {run}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "UnsafeModelError: 'deep.pt2' calls 'torch.os.system'" in done.stderr
    assert not owned.exists()


def test_missing_torch_is_a_sentence():
    tests = Path(__file__).resolve().parents[1]
    paths = os.pathsep.join([str(tests / "absent"), str(tests.parent)])
    code = "from rs_workbench.backends.torch_backend import import_torch; import_torch()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"RSW_ABSENT": "torch", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert "MissingDependencyError: the 'torch' engine needs torch" in done.stderr
    assert "pip install 'rs-workbench[torch]'" in done.stderr
