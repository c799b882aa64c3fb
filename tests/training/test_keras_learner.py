"""The learner in Keras: what it learns, and that it can stop and go on at any step.

`test_keras_learner_on_torch` runs this file once more, with Keras on torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import require_framework

ON_TORCH = os.environ.get("KERAS_BACKEND") == "torch"
if ON_TORCH:
    from rs_workbench.backends.keras_import import import_keras

    keras = import_keras()
else:
    keras = require_framework("keras")

from rs_workbench.accuracy import confusion_matrix, mean_iou  # noqa: E402
from rs_workbench.backends import load_predictor  # noqa: E402
from rs_workbench.card import plain_card, read_card  # noqa: E402
from rs_workbench.errors import (  # noqa: E402
    OutputError,
    ResumeError,
    UnsafeModelError,
    UsageError,
)
from rs_workbench.training import keras_learner  # noqa: E402
from rs_workbench.training.keras_learner import KerasLearner, make_learner  # noqa: E402
from rs_workbench.training.keras_place import Place, choose_place, choose_policy  # noqa: E402
from rs_workbench.training.schedules import decay_at, rate_at  # noqa: E402
from rs_workbench.training.settings import TrainSettings  # noqa: E402

N_BANDS, N_CLASSES, SIDE = 3, 4, 16
PLAIN: dict[str, Any] = {"width": 4, "depth": 1, "norm": "none"}
DROPOUT = {"width": 4, "depth": 1, "norm": "batch", "dropout": 0.5}
ROOT = Path(__file__).parents[2]


def make(class_weights: Any = None, **changes: Any) -> KerasLearner:
    base: dict[str, Any] = {"device": "cpu", "batch": 4, "network_options": PLAIN}
    settings = TrainSettings(scenes=("a",), labels=("b",), framework="keras", **base | changes)
    return make_learner(settings, N_BANDS, N_CLASSES, class_weights=class_weights)


def draw(seed: int = 0, n_chips: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Chips whose class is that of the brightest band, or the last; unevenly labelled."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(n_chips, N_BANDS, SIDE, SIDE)).astype(np.float32)
    padded = np.concatenate([images, np.full_like(images[:, :1], 0.5)], axis=1)
    labels = padded.argmax(axis=1).astype(np.uint8)
    for i in range(n_chips):
        labels[i, : 3 * i + 1] = 255
    return images, labels


def weights(learner: KerasLearner) -> list[np.ndarray]:
    return learner._model.get_weights()


def assert_same(one: KerasLearner, other: KerasLearner, tolerance: float = 0.0) -> None:
    for variable, ours, theirs in zip(
        one._model.weights, weights(one), weights(other), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=variable.path)


def learn(learner: KerasLearner, steps: range, *, rate: float = 1e-2) -> list[float]:
    return [learner.step(*draw(step), rate) for step in steps]


# Learning


@pytest.mark.parametrize(("optimizer", "rate"), [("adamw", 0.02), ("adam", 0.02), ("sgd", 0.2)])
def test_it_learns_a_tiny_problem_by_heart(optimizer: str, rate: float) -> None:
    options = {"width": 8, "depth": 1}
    learner = make(optimizer=optimizer, learning_rate=rate, network_options=options)
    images, labels = draw()
    losses = [learner.step(images, labels, rate_at(learner.settings, i, 60)) for i in range(60)]
    assert losses[-1] < 0.3 < losses[0]
    found = learner.predict(images).argmax(axis=1)
    assert mean_iou(confusion_matrix(found, labels, N_CLASSES, ignore=255)) > 0.85


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"class_weights": (1.0, 0.2, 3.0, 0.0)},
        {"loss": "focal(gamma=2)", "class_weights": (1.0, 0.2, 3.0, 0.5)},
        {"network_options": {**PLAIN, "norm": "group"}, "clip": 0.1},
    ],
)
@pytest.mark.parametrize("parts", [2, 3, 9])
def test_parts_of_a_batch_give_the_gradient_of_the_whole(how: dict[str, Any], parts: int) -> None:
    whole, cut = (make(accumulate=n, optimizer="sgd", **how) for n in (1, parts))
    np.testing.assert_allclose(learn(whole, range(3)), learn(cut, range(3)), rtol=1e-5)
    assert_same(whole, cut, 2e-6)


def test_a_batch_without_labels_teaches_nothing() -> None:
    learner = make(optimizer="sgd", weight_decay=0.0)
    before = weights(learner)
    images, labels = draw()
    assert learner.step(images, np.full_like(labels, 255), 0.1) == 0
    for now, then in zip(weights(learner), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_loss_that_is_no_number_changes_nothing(parts: int) -> None:
    learner = make(accumulate=parts, average=0.9)
    before = weights(learner)
    images, labels = draw()
    images[0, 0, 5, 5] = np.nan
    labels[0, 5, 5] = 0
    assert np.isnan(learner.step(images, labels, 0.1))
    for now, then in zip(weights(learner), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_decay_spares_biases_and_norms() -> None:
    options = {**PLAIN, "norm": "group"}
    learner = make(weight_decay=0.3, network_options=options, optimizer="sgd")
    before = weights(learner)
    images, labels = draw()
    learner.step(images, np.full_like(labels, 255), 0.1)  # no gradient
    for variable, then in zip(learner._model.weights, before, strict=True):
        kernel = variable.path.endswith("kernel")
        now = keras.ops.convert_to_numpy(variable)
        np.testing.assert_allclose(now, then * (0.97 if kernel else 1.0), rtol=1e-6)


def test_a_gradient_is_clipped() -> None:
    learner = make(optimizer="sgd", clip=1e-3, weight_decay=0.0)
    before = weights(learner)
    learn(learner, range(1), rate=1.0)
    moved = sum(((v - b) ** 2).sum() for v, b in zip(weights(learner), before, strict=True))
    assert moved**0.5 == pytest.approx(1.9e-3, rel=1e-2)  # nesterov's first step is 1 + 0.9


def test_what_a_layer_adds_to_the_loss_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(n_bands: int, n_classes: int, penalty: float = 0.0) -> Any:
        image = keras.Input((None, None, n_bands))
        rule = keras.regularizers.L2(penalty)
        conv = keras.layers.Conv2D(n_classes, 1, kernel_regularizer=rule)
        return keras.Model(image, conv(image))

    monkeypatch.setattr(keras_learner, "find_network", lambda *_: build)
    plain, ruled = (make(network_options={"penalty": p}, accumulate=2) for p in (0.0, 3.0))
    kernel = weights(plain)[0]
    extra = learn(ruled, range(1))[0] - learn(plain, range(1))[0]
    assert extra == pytest.approx(3 * (kernel**2).sum(), rel=1e-4)


@pytest.mark.skipif(ON_TORCH, reason="nothing is compiled there")
def test_a_step_is_compiled_once_for_each_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = []
    original = keras_learner.make_gradients

    def counting(model: Any, loss: Any, scale: Any, place: Any) -> Any:
        def noted(value: Any) -> Any:
            traced.append(value)
            return scale(value)

        return original(model, loss, noted, place)

    monkeypatch.setattr(keras_learner, "make_gradients", counting)
    learner = make(accumulate=3)
    for step in range(4):
        learner.step(*draw(step), 1e-3 / (1 + step))
    assert len(traced) == 2  # parts of two chips and of one


# Precision and place


def test_bfloat16_on_the_cpu_learns_nearly_the_same() -> None:
    exact, rough = make(optimizer="sgd"), make(optimizer="sgd", precision="bfloat16")
    ours, theirs = learn(exact, range(3)), learn(rough, range(3))
    assert ours != theirs
    np.testing.assert_allclose(ours, theirs, rtol=0.02)
    assert all(v.dtype == np.float32 for v in weights(rough))
    assert rough._kept.layers[-1].compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"
    for kept, now in zip(rough._kept.get_weights(), weights(rough), strict=True):
        np.testing.assert_array_equal(kept, now)


def test_precision_of_a_cpu() -> None:
    assert choose_policy("auto", "cpu") == "float32"
    with pytest.raises(UsageError, match=r"float16 is for GPUs.*--precision bfloat16 or float32"):
        make(precision="float16")


def make_in_float16(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> KerasLearner:
    place = Place("cpu", "mixed_float16")
    monkeypatch.setattr(keras_learner, "choose_place", lambda settings: place)
    return make(optimizer="sgd", **changes)


def test_float16_scales_its_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = make(optimizer="sgd", clip=0.1)
    rough = make_in_float16(monkeypatch, clip=0.1, accumulate=2)
    rough._optimizer.dynamic_scale.assign(2.0**8)
    np.testing.assert_allclose(learn(exact, range(3)), learn(rough, range(3)), rtol=0.02)
    assert_same(exact, rough, 1e-3)
    assert float(rough._optimizer.dynamic_scale) == 2**8


def test_float16_skips_a_step_whose_gradient_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learner = make_in_float16(monkeypatch)
    learner._optimizer.dynamic_scale.assign(2.0**40)
    before = weights(learner)
    assert np.isfinite(learn(learner, range(1))[0])
    assert float(learner._optimizer.dynamic_scale) == 2**39
    for now, then in zip(weights(learner), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_there_is_one_place_on_a_cpu() -> None:
    place = choose_place(make().settings)
    assert (place.device, place.name, place.replicas) == ("cpu", "cpu", 1)
    assert make().device == "cpu"


# Running mean


def test_the_mean_is_that_of_the_formula() -> None:
    learner = make(average=0.3, network_options={"width": 4, "depth": 1, "norm": "batch"})
    mean = weights(learner)
    for step in range(5):
        learn(learner, range(step, step + 1))
        decay = decay_at(0.3, step)
        mean = [decay * m + (1 - decay) * w for m, w in zip(mean, weights(learner), strict=True)]
    for ours, theirs in zip(learner._kept.get_weights(), mean, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_mean_is_what_predicts() -> None:
    plain, averaged = make(), make(average=0.9)
    images = draw()[0]
    for learner in (plain, averaged):
        learn(learner, range(3))
    assert_same(plain, averaged)
    scores = averaged.predict(images)
    assert np.abs(scores - plain.predict(images)).max() > 1e-3
    averaged._kept.set_weights(weights(averaged))
    np.testing.assert_allclose(averaged.predict(images), plain.predict(images), atol=1e-6)


# Chance, and going on


def learn_epochs(learner: KerasLearner, epochs: range) -> list[float]:
    losses = []
    for epoch in epochs:
        learner.start_epoch(epoch)
        losses += learn(learner, range(3 * epoch, 3 * epoch + 3))
        learner.predict(draw()[0])
        keras.random.normal((3,))  # chance that something else took
    return losses


def test_the_same_run_twice_is_the_same_bit_for_bit() -> None:
    one, other, unlike = (make(network_options=DROPOUT, seed=seed) for seed in (5, 5, 6))
    assert learn_epochs(one, range(1, 3)) == learn_epochs(other, range(1, 3))
    assert_same(one, other)
    with pytest.raises(AssertionError):
        assert_same(one, unlike)


def test_dropout_hangs_on_seed_and_epoch() -> None:
    learner = make(network_options=DROPOUT)

    def loss_of(epoch: int) -> float:
        learner.start_epoch(epoch)
        return learner.step(*draw(), 1e-30)

    assert loss_of(1) == pytest.approx(loss_of(1), abs=1e-6)
    assert abs(loss_of(1) - loss_of(2)) > 1e-4


def test_python_s_own_chance_is_left_alone() -> None:
    import random

    random.seed(3)
    expected = random.random()
    random.seed(3)
    make()
    assert random.random() == expected


@pytest.mark.parametrize(
    "how", [{}, {"average": 0.9}, {"optimizer": "sgd"}, {"precision": "bfloat16", "accumulate": 2}]
)
def test_it_goes_on_bit_for_bit(tmp_path: Path, how: dict[str, Any]) -> None:
    whole, first, second = (make(network_options=DROPOUT, **how) for _ in range(3))
    losses = learn_epochs(whole, range(1, 5))
    learn_epochs(first, range(1, 3))
    first.save(tmp_path / "state")
    learn_epochs(second, range(7, 8))
    second.restore(tmp_path / "state")
    assert learn_epochs(second, range(3, 5)) == losses[6:]
    assert_same(whole, second)
    for ours, theirs in zip(whole._optimizer.variables, second._optimizer.variables, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (ours, theirs)))
    images = draw()[0]
    np.testing.assert_array_equal(whole.predict(images), second.predict(images))
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_weights_alone(tmp_path: Path, average: float) -> None:
    one, other = make(average=average), make(average=average, seed=1)
    learn(one, range(2))
    images = draw()[0]
    scores = one.predict(images)
    one.save_weights(tmp_path / "best")
    learn(one, range(2))
    for learner in (one, other):
        learner.load_weights(tmp_path / "best")
        np.testing.assert_array_equal(learner.predict(images), scores)


def test_a_state_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "state"
    make(network_options={**PLAIN, "width": 8}).save(path)
    learner = make()
    before = weights(learner)
    with pytest.raises(ResumeError, match=r"state' does not fit or is damaged .*--overwrite"):
        learner.restore(path)
    assert all(map(np.array_equal, weights(learner), before))
    with pytest.raises(ResumeError, match=r"arrays for \d+ variables"):
        make(average=0.5).restore(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ResumeError, match="does not fit or is damaged"):
        make().restore(path)
    with pytest.raises(ResumeError, match="No such file"):
        make().load_weights(tmp_path / "none")


def test_a_state_runs_no_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (tmp_path / "sprung").mkdir, ()

    with (tmp_path / "state").open("wb") as file:
        np.savez(file, steps=0, **{"kept/0": np.array([Trap()], dtype=object)})
    with pytest.raises(ResumeError, match="does not fit"):
        make().load_weights(tmp_path / "state")
    assert not (tmp_path / "sprung").exists()


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written to .* run the same command again"):
        make().save(tmp_path / "file" / "state")
    with pytest.raises(OutputError, match=r"model.keras' cannot be written"):
        make().export(tmp_path / "file", plain_card("a", N_BANDS, N_CLASSES, scores="logits"))


# Export


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("unet", {"width": 4, "depth": 2}),
        pytest.param("deeplabv3plus", {"width": 32}, marks=pytest.mark.slow),
        pytest.param("cbrr_unet", {}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("how", [{}, {"average": 0.5}, {"precision": "bfloat16"}])
def test_what_is_exported_scores_the_same(
    tmp_path: Path, network: str, options: dict[str, Any], how: dict[str, Any]
) -> None:
    learner = make(network=network, network_options=options, **how)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(4, N_BANDS, 32, 32)).astype(np.float32)
    for _ in range(3):
        learner.step(images, rng.integers(0, N_CLASSES, (4, 32, 32)).astype(np.uint8), 1e-3)
    stride = learner.facts.stride or 1
    card = plain_card("ours", N_BANDS, N_CLASSES, scores="logits")
    card = card.model_copy(update={"tile": 32, "stride": stride})
    path = learner.export(tmp_path, card)
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]
    assert read_card(path) == card
    predictor = load_predictor(path, device="cpu", engine="keras").predictor
    for height, width in ((32, 32), (4 * stride, 9 * stride)):
        batch = rng.normal(size=(3, N_BANDS, height, width)).astype(np.float32)
        expected = learner.predict(batch)
        scale = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(predictor.predict(batch) / scale, expected / scale, atol=1e-5)
    learn(learner, range(1))  # it was left as it is


def test_a_network_whose_file_could_not_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(n_bands: int, n_classes: int) -> Any:
        image = keras.Input((None, None, n_bands))
        doubled = keras.layers.Lambda(lambda x: 2 * x)(image)
        return keras.Model(image, keras.layers.Conv2D(n_classes, 1)(doubled))

    monkeypatch.setattr(keras_learner, "find_network", lambda *_: build)
    with pytest.raises(UnsafeModelError, match="'mine' has a Lambda layer"):
        make(network="mine", network_options={})


# What cannot be had


def test_what_cannot_be_had() -> None:
    with pytest.raises(UsageError, match="did you mean 'unet'"):
        make(network="unit")
    with pytest.raises(UsageError, match="there is no loss 'crossentropy'"):
        make(loss="crossentropy")
    with pytest.raises(UsageError, match="--device cuda:9 cannot be had"):
        make(device="cuda:9")


def test_memory_that_ran_out() -> None:
    learner = make()
    assert learner.is_out_of_memory(MemoryError())
    assert not learner.is_out_of_memory(RuntimeError("shapes"))
    learn(learner, range(1))
    learner.release()
    learn(learner, range(1))


# Several devices

REPLICAS = """
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from rs_workbench.training import keras_learner
from rs_workbench.training.keras_place import Place
from tests.training.test_keras_learner import draw, learn, make

how = {"accumulate": int(sys.argv[2]), "average": 0.5, "clip": 0.5, "optimizer": sys.argv[3]}
how["network_options"] = {"width": 4, "depth": 1, "norm": sys.argv[4]}
alone = make(**{**how, "accumulate": 1})
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
keras_learner.choose_place = lambda settings: Place("cpu", "float32", 2, strategy)
pair = make(**how)
assert pair.device == "2 GPUs", pair.device
found = {}
for name, learner in {"alone": alone, "pair": pair}.items():
    learner.start_epoch(1)
    found[f"{name}/losses"] = learn(learner, range(4))
    found[f"{name}/scores"] = learner.predict(draw(9)[0])
    for i, array in enumerate(learner._model.get_weights()):
        found[f"{name}/{i}"] = array
copies = [strategy.experimental_local_results(v.value) for v in pair._model.weights]
assert all(np.array_equal(a, b) for a, b in copies)
pair.save(Path("state"))
expected = pair.step(*draw(7), 1e-2)
pair.step(*draw(8), 1e-2)
pair.restore(Path("state"))
assert pair.step(*draw(7), 1e-2) == expected
assert np.isfinite(pair.step(*draw(7, n_chips=1), 1e-2))  # the second has no chip
np.savez(sys.argv[1], **found)
"""


@pytest.mark.slow
@pytest.mark.skipif(ON_TORCH, reason="one device there")
@pytest.mark.parametrize(
    ("parts", "optimizer", "norm"), [("1", "sgd", "group"), ("2", "adamw", "none")]
)
def test_two_devices_learn_what_one_does(
    tmp_path: Path, parts: str, optimizer: str, norm: str
) -> None:
    command = [sys.executable, "-c", REPLICAS, tmp_path / "found.npz", parts, optimizer, norm]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = np.load(tmp_path / "found.npz")
    pairs = [name for name in found.files if name.startswith("pair/")]
    assert len(pairs) > 5
    for name in pairs:
        alone = found[name.replace("pair", "alone")]
        np.testing.assert_allclose(found[name], alone, atol=1e-4, err_msg=name)
