"""The Keras adapter on tensorflow: the contract, what it refuses, what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import zipfile

import numpy as np
import psutil
import pytest

from tests.conftest import require_framework

keras = require_framework("keras")

import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

from rs_workbench.backends import keras_backend, keras_import, keras_run  # noqa: E402
from rs_workbench.errors import (  # noqa: E402
    MissingDependencyError,
    ModelError,
    UnsafeModelError,
    UsageError,
)
from rs_workbench.memory import MIB, GpuLimit  # noqa: E402
from tests.backends import keras_models  # noqa: E402
from tests.backends.contract import BackendContract, make_batch, make_card  # noqa: E402


class TestKeras(BackendContract):
    module = "rs_workbench.backends.keras_backend"
    engine = "keras"

    def write_pointwise(self, folder, weights, activation=None):
        return keras_models.write_pointwise(folder, weights, activation)

    def write_deep(self, folder, n_bands, n_classes):
        return keras_models.write_deep(folder, n_bands, n_classes)


def load(path, card=None, **options):
    return keras_backend.load_predictor(path, card, **{"device": "cpu", **options})


def save(model, tmp_path, name="model.keras"):
    path = tmp_path / name
    model.save(path)
    return path


def sequential(*parts, n_bands=3, size=(None, None)):
    return keras.Sequential([keras.Input((*size, n_bands)), *parts])


def rewrite(path, *, config=None, members=None):
    """Change the recipe of a saved model, as an attacker would, or add members."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    if config is not None:
        recipe = json.loads(content["config.json"])
        config(recipe)
        content["config.json"] = json.dumps(recipe).encode()
    content |= members or {}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


# Bare models


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ([layers.Conv2D(2, 1)], "logits"),
        ([layers.Conv2D(2, 1, activation="relu")], "logits"),
        ([layers.Conv2D(2, 1, activation="softmax")], "probabilities"),
        ([layers.Conv2D(1, 1, activation=keras.activations.sigmoid)], "probabilities"),
        ([layers.Conv2D(2, 1), layers.Softmax()], "probabilities"),
        ([layers.Conv2D(2, 1), layers.Activation("softmax")], "probabilities"),
        ([layers.Conv2D(2, 1, activation="softmax"), layers.Dropout(0.5)], "probabilities"),
        ([layers.Conv2D(2, 1, activation="softmax"), layers.UpSampling2D(1)], "probabilities"),
        ([layers.Conv2D(2, 1, activation="softmax"), layers.ReLU()], "logits"),
    ],
)
def test_bare_model_gets_a_plain_card(tmp_path, last, kind):
    path = save(sequential(*last), tmp_path, "bare.keras")
    predictor = load(path)
    assert predictor.card.name == "bare"
    assert predictor.card.scores == kind
    assert (predictor.card.n_bands, predictor.card.n_classes) == (3, 2)
    assert predictor.predict(make_batch(1, 4, 4)).shape == (1, 2, 4, 4)


def test_softmax_function_of_keras_ops_is_seen(tmp_path):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.ops.softmax(layers.Conv2D(4, 1)(image)))
    assert load(save(model, tmp_path)).card.scores == "probabilities"


def test_softmax_of_an_inner_model_is_seen(tmp_path):
    inner = sequential(layers.Conv2D(4, 1, activation="softmax"))
    image = keras.Input((None, None, 3))
    assert load(save(keras.Model(image, inner(image)), tmp_path)).card.scores == "probabilities"


def test_fixed_size_is_found_and_kept(tmp_path):
    predictor = load(save(keras_models.unet(size=(32, 48)), tmp_path))
    assert predictor.card.fixed_size == (32, 48)
    assert predictor.predict(make_batch(2, 32, 48)).shape == (2, 4, 32, 48)
    with pytest.raises(ModelError, match=r"32 x 48 px only, but got 64 x 64 px"):
        predictor.predict(make_batch(1, 64, 64))


def test_losses_of_the_users_own_do_not_matter(tmp_path):
    model = sequential(layers.Conv2D(2, 1))
    model.compile(loss=lambda true, scores: keras.ops.mean(true - scores))
    with pytest.warns(UserWarning, match="lambda"):
        path = save(model, tmp_path)
    assert load(path).predict(make_batch(1, 4, 4)).shape == (1, 2, 4, 4)


def test_half_precision_network_gives_float32(tmp_path):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layers.Conv2D(2, 1, dtype="mixed_bfloat16")(image))
    assert load(save(model, tmp_path)).predict(make_batch(1, 4, 4)).dtype == np.float32


def test_dropout_is_off(tmp_path):
    predictor = load(save(sequential(layers.Dropout(0.9), layers.Conv2D(2, 1)), tmp_path))
    batch = make_batch(1, 8, 8)
    np.testing.assert_array_equal(predictor.predict(batch), predictor.predict(batch))


def test_card_inside_the_archive_does_not_disturb(tmp_path):
    path = rewrite(
        save(keras_models.unet(), tmp_path),
        members={"rs_workbench.json": make_card().model_dump_json().encode()},
    )
    assert load(path).predict(make_batch(1, 8, 8)).shape == (1, 4, 8, 8)


# Refused, with a sentence


def test_lambda_layer_is_refused_and_does_not_run(tmp_path):
    trace = tmp_path / "ran"
    target = str(trace)
    model = sequential(layers.Lambda(lambda x: (open(target, "w").close(), x)[1]))  # noqa: PTH123
    path = save(model, tmp_path, "lambda.keras")
    trace.unlink(missing_ok=True)  # building the model ran it; loading must not
    with pytest.raises(UnsafeModelError, match=r"'lambda\.keras' has a Lambda layer.*keras\.ops"):
        load(path)
    assert not trace.exists()
    keras.saving.load_model(path, safe_mode=False)
    assert trace.exists(), "this Lambda is harmless, so the test above proves nothing"


def test_lambda_is_refused_even_with_keras_set_to_unsafe(tmp_path):
    trace = tmp_path / "ran"
    target = str(trace)
    model = sequential(layers.Lambda(lambda x: (open(target, "w").close(), x)[1]))  # noqa: PTH123
    path = save(model, tmp_path)
    trace.unlink(missing_ok=True)
    keras.config.enable_unsafe_deserialization()
    try:
        with pytest.raises(UnsafeModelError, match="Lambda"):
            load(path)
    finally:
        keras.src.backend.common.global_state.set_global_attribute("safe_mode_saving", None)
    assert not trace.exists()


def change_second_layer(**changes):
    def change(recipe):
        recipe["config"]["layers"][1].update(changes)

    return change


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"module": "os", "class_name": "system"},
            r"needs 'os\.system', which is not part of Keras",
        ),
        ({"module": "keras.utils", "class_name": "get_file"}, r"needs 'keras\.utils\.get_file'"),
        ({"module": "kerasx.layers", "class_name": "Conv2D"}, r"needs 'kerasx\.layers\.Conv2D'"),
        ({"module": None, "class_name": "Mine"}, r"needs 'None\.Mine'"),
        ({"module": "mine", "class_name": "M", "registered_name": "pack>M"}, r"needs 'pack>M'"),
        ({"registered_name": "pack>Conv2D"}, r"needs 'pack>Conv2D'"),
        ({"class_name": "TFSMLayer"}, r"has a TFSMLayer layer \('conv2d"),
        ({"class_name": "TorchModuleWrapper"}, r"has a TorchModuleWrapper layer"),
        ({"class_name": "StringLookup"}, r"has a StringLookup layer.*other files"),
    ],
)
def test_foreign_parts_are_refused(tmp_path, changes, words):
    path = save(sequential(layers.Conv2D(2, 1)), tmp_path, "foreign.keras")
    rewrite(path, config=change_second_layer(**changes))
    with pytest.raises(UnsafeModelError, match=rf"'foreign\.keras' {words}"):
        load(path)


def test_foreign_activation_deep_inside_is_refused(tmp_path):
    inner = sequential(layers.Conv2D(2, 1))
    image = keras.Input((None, None, 3))
    path = save(keras.Model(image, inner(image)), tmp_path)

    def change(recipe):
        conv = recipe["config"]["layers"][1]["config"]["layers"][1]
        conv["config"]["activation"] = {
            "module": "builtins",
            "class_name": "function",
            "config": "swoosh",
            "registered_name": "function",
        }

    with pytest.raises(UnsafeModelError, match=r"needs the function 'swoosh'"):
        load(rewrite(path, config=change))


def test_registered_classes_are_refused_too(tmp_path):
    @keras.saving.register_keras_serializable(package="contract")
    class Doubled(layers.Layer):
        def call(self, x):
            return 2 * x

    path = save(sequential(Doubled()), tmp_path, "own.keras")
    with pytest.raises(UnsafeModelError, match=r"'own\.keras' needs 'contract>Doubled'.*onnx"):
        load(path)


def test_strange_members_are_refused(tmp_path):
    path = rewrite(
        save(sequential(layers.Conv2D(2, 1)), tmp_path), members={"assets/run.py": b"print(1)"}
    )
    with pytest.raises(UnsafeModelError, match=r"'model\.keras' holds 'assets/run\.py'"):
        load(path)


def test_zip_bombs_are_refused(tmp_path):
    path = save(sequential(layers.Conv2D(2, 1)), tmp_path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["metadata.json"] = bytes(160 * MIB)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(
        UnsafeModelError, match=r"'metadata\.json' in 'model\.keras' claims 167772160"
    ):
        load(path)


def test_incomplete_archive_is_refused(tmp_path):
    path = tmp_path / "half.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelError, match=r"'half\.keras'.*model\.weights\.h5 is missing"):
        load(path)


def test_hdf5_under_a_new_name_is_refused(tmp_path):
    old = tmp_path / "old.h5"
    sequential(layers.Conv2D(2, 1)).save(old)
    path = old.rename(tmp_path / "old.keras")
    with pytest.raises(ModelError, match=r"'old\.keras' is a legacy HDF5 file.*model\.save"):
        load(path)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: sequential(layers.Flatten(), layers.Dense(2), size=(4, 4)), r"gives \(None, 2\)"),
        (lambda: sequential(layers.GlobalAveragePooling2D()), r"gives \(None, 3\)"),
        (lambda: keras.Sequential([keras.Input((7,)), layers.Dense(2)]), r"takes \(None, 7\)"),
    ],
)
def test_networks_for_other_things_are_refused(tmp_path, model, words):
    with pytest.raises(
        ModelError, match=rf"'model\.keras' .*{words}.*\(N, height, width, classes\)"
    ):
        load(save(model(), tmp_path))


def test_two_outputs_are_refused(tmp_path):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, [layers.Conv2D(2, 1)(image), layers.Conv2D(3, 1)(image)])
    with pytest.raises(ModelError, match="1 inputs and 2 outputs"):
        load(save(model, tmp_path))


def test_channels_first_is_refused(tmp_path):
    conv = layers.Conv2D(2, 1, data_format="channels_first")
    image = keras.Input((3, 8, 8))
    path = save(keras.Model(image, conv(image)), tmp_path)
    with pytest.raises(ModelError, match=r"channels-first.*data_format='channels_last'"):
        load(path)


def test_smaller_scores_than_tiles_are_refused(tmp_path):
    predictor = load(save(sequential(layers.Conv2D(2, 3)), tmp_path))
    with pytest.raises(ModelError, match=r"gives 14 x 14 px for a tile of 16 x 16"):
        predictor.predict(make_batch(1, 16, 16))


def test_size_off_the_stride_is_refused(tmp_path):
    predictor = load(save(keras_models.unet(), tmp_path))
    with pytest.raises(ModelError, match=r"does not take tiles of 18 x 16 px.*--tile"):
        predictor.predict(make_batch(1, 18, 16))


def test_other_engines_and_devices_are_refused(tmp_path):
    path = save(sequential(layers.Conv2D(2, 1)), tmp_path)
    with pytest.raises(UsageError, match="engine 'openvino'"):
        load(path, engine="openvino")
    with pytest.raises(UsageError, match="--device tpu is not understood"):
        load(path, device="tpu")
    if not tf.config.list_physical_devices("GPU"):
        with pytest.raises(UsageError, match=r"--device cuda:1 .*tensorflow sees 0 GPUs"):
            load(path, device="cuda:1")
        assert load(path, device="auto").device == "cpu"


# Import


def test_missing_tensorflow_names_the_command(monkeypatch):
    monkeypatch.setattr(keras_import.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delitem(sys.modules, "tensorflow")
    with pytest.raises(MissingDependencyError, match=r"pip install 'rs-workbench\[keras\]'"):
        keras_import.import_keras()


def test_unknown_backend_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "abacus")
    monkeypatch.delitem(sys.modules, "keras")
    with pytest.raises(
        UsageError, match="KERAS_BACKEND=abacus is not supported: choose tensorflow"
    ):
        keras_import.import_keras()


def test_backend_of_kerass_own_file(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert keras_import._asked_backend() == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert keras_import._asked_backend() == "torch"


def test_import_is_silent():
    code = "from rs_workbench.backends.keras_import import import_keras; import_keras()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stderr == ""
    assert done.stdout == ""


def test_triton_after_tensorflow_is_an_error_not_an_abort():
    keras_import.import_keras()
    if "triton" in sys.modules:
        pytest.fail("triton was loaded before tensorflow")
    with pytest.raises(ImportError, match="triton cannot be loaded after tensorflow"):
        import triton  # noqa: F401


# Memory


def test_tensorflows_own_error_is_out_of_memory():
    exhausted = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    copying = tf.errors.InternalError(None, None, "Dst tensor is not initialized.")
    other = tf.errors.InternalError(None, None, "cuDNN launch failure")
    found = [keras_backend.is_out_of_memory(error) for error in (exhausted, copying, other)]
    assert found == [True, True, False]


@pytest.mark.slow  # tensorflow waits ten seconds for memory to come free
def test_tensorflow_really_raises_that_error():
    with pytest.raises(tf.errors.ResourceExhaustedError) as raised:
        tf.zeros((1 << 20, 1 << 20, 1 << 10)) + 1
    assert keras_backend.is_out_of_memory(raised.value)


def test_model_larger_than_memory_is_a_sentence(tmp_path, monkeypatch):
    def load_model(*args, **options):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    path = save(sequential(layers.Conv2D(2, 1)), tmp_path)
    monkeypatch.setattr(keras.saving, "load_model", load_model)
    with pytest.raises(
        ModelError, match=r"'model\.keras' does not fit .* cpu .*OOM.*--device cpu"
    ):
        load(path)


class FakeConfig:
    """tf.config with two GPUs; no test here can see a real one."""

    class LogicalDeviceConfiguration:
        def __init__(self, memory_limit):
            self.memory_limit = memory_limit

    def __init__(self, *, at_work=False):
        self.experimental = self
        self.at_work = at_work
        self.calls = []

    def list_physical_devices(self, kind):
        return [f"{kind}:0", f"{kind}:1"]

    get_visible_devices = list_physical_devices

    def get_logical_device_configuration(self, gpu):
        return None

    def set_memory_growth(self, gpu, enable):
        self._record(gpu, "grow", enable)

    def set_logical_device_configuration(self, gpu, parts):
        self._record(gpu, "limit", [part.memory_limit for part in parts])

    def set_visible_devices(self, gpus, kind):
        self._record(kind, "visible", gpus)

    def _record(self, *call):
        if self.at_work:
            raise RuntimeError("Physical devices cannot be modified after being initialized")
        self.calls.append(call)


@pytest.fixture
def gpus(monkeypatch):
    config = FakeConfig()
    monkeypatch.setattr(tf, "config", config)
    return config


def fake_totals(monkeypatch, *totals):
    cards = [
        keras_backend.GpuMemory(f"card {i}", total, total, 0) for i, total in enumerate(totals)
    ]
    monkeypatch.setattr(keras_backend, "nvidia_gpus", lambda: cards)


@pytest.mark.parametrize("limit", [None, GpuLimit("grow")])
def test_growing_is_the_default(gpus, limit):
    keras_backend.apply_gpu_limit(limit)
    assert gpus.calls == [("GPU:0", "grow", True), ("GPU:1", "grow", True)]


def test_limit_in_bytes(gpus):
    keras_backend.apply_gpu_limit(GpuLimit("bytes", 6 * 1024 * MIB))
    assert gpus.calls == [("GPU:0", "limit", [6144]), ("GPU:1", "limit", [6144])]


def test_limit_as_a_share_of_each_gpu(gpus, monkeypatch):
    fake_totals(monkeypatch, 8000, 24000)
    keras_backend.apply_gpu_limit(GpuLimit("fraction", 0.8))
    assert gpus.calls == [("GPU:0", "limit", [6400]), ("GPU:1", "limit", [19200])]


def test_share_without_the_drivers_program_is_refused(gpus, monkeypatch):
    fake_totals(monkeypatch)
    with pytest.raises(UsageError, match=r"size of 2 GPUs, but it told 0.*--gpu-memory 6GB"):
        keras_backend.apply_gpu_limit(GpuLimit("fraction", 0.8))


def test_limit_after_the_first_operation_is_refused(monkeypatch):
    monkeypatch.setattr(tf, "config", FakeConfig(at_work=True))
    with pytest.raises(UsageError, match=r"--gpu-memory cannot be set any more.*initialized"):
        keras_backend.apply_gpu_limit(GpuLimit("bytes", 1e9))


def test_device_choice_sets_growth_or_hides(gpus):
    assert keras_run.choose_device(keras, "auto") == "cuda:0"
    assert gpus.calls == [("GPU:0", "grow", True), ("GPU:1", "grow", True)]
    assert keras_run.choose_device(keras, "cuda:1") == "cuda:1"
    assert keras_run.choose_device(keras, "cuda") == "cuda:0"
    with pytest.raises(UsageError, match=r"--device cuda:2 .*sees 2 GPUs"):
        keras_run.choose_device(keras, "cuda:2")
    gpus.calls.clear()
    assert keras_run.choose_device(keras, "cpu") == "cpu"
    assert gpus.calls == [("GPU", "visible", [])]


def test_choosing_a_device_at_work_changes_nothing(monkeypatch):
    monkeypatch.setattr(tf, "config", FakeConfig(at_work=True))
    assert keras_run.choose_device(keras, "auto") == "cuda:0"
    assert keras_run.choose_device(keras, "cpu") == "cpu"


@pytest.mark.slow
def test_two_thousand_calls_leave_memory_flat(tmp_path):
    predictor = load(save(keras_models.unet(), tmp_path))
    batch = make_batch(2, 64, 64)

    def rss_after(calls):
        for _ in range(calls):
            predictor.predict(batch)
        return psutil.Process().memory_info().rss / MIB

    before = rss_after(200)
    assert rss_after(2000) - before < 20


def test_compiled_once_for_each_size(tmp_path, monkeypatch):
    predictor = load(save(keras_models.unet(), tmp_path))
    traced = []
    function = tf.function

    def counting(*args, **options):  # Keras' own layers may use tf.function, too
        traced.extend(f for f in args if f.__module__ == keras_run.__name__)
        return function(*args, **options)

    monkeypatch.setattr(tf, "function", counting)
    for n, size in [(1, 16), (4, 16), (3, 16), (2, 32), (1, 16)]:
        predictor.predict(make_batch(n, size, size))
    assert len(traced) == 2


def test_threads_share_one_model(tmp_path):
    predictor = load(save(keras_models.unet(), tmp_path))
    batches = [make_batch(1, 16, 16, seed=i) for i in range(4)]
    expected = [predictor.predict(batch) for batch in batches]
    found: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: predictor.predict(batches[i])}))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for i in range(4):
        np.testing.assert_array_equal(found[i], expected[i])
