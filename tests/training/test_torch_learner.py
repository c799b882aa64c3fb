"""The learner in PyTorch: what it learns, and that it can stop and go on at any step."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import require_framework

torch = require_framework("torch")

from rs_workbench.accuracy import confusion_matrix, mean_iou  # noqa: E402
from rs_workbench.backends.torch_backend import load_predictor  # noqa: E402
from rs_workbench.card import plain_card, read_card  # noqa: E402
from rs_workbench.errors import (  # noqa: E402
    MissingDependencyError,
    ModelError,
    OutputError,
    ResumeError,
    UsageError,
)
from rs_workbench.training import torch_learner  # noqa: E402
from rs_workbench.training.schedules import decay_at, rate_at  # noqa: E402
from rs_workbench.training.settings import TrainSettings  # noqa: E402
from rs_workbench.training.torch_files import export_network  # noqa: E402
from rs_workbench.training.torch_learner import TorchLearner, make_learner  # noqa: E402
from rs_workbench.training.torch_optimizers import choose_precision, update_mean  # noqa: E402

N_BANDS, N_CLASSES, SIDE = 3, 4, 16
PLAIN: dict[str, Any] = {"width": 4, "depth": 1, "norm": "none"}


def make(class_weights: Any = None, **changes: Any) -> TorchLearner:
    base: dict[str, Any] = {"device": "cpu", "batch": 4, "network_options": PLAIN}
    settings = TrainSettings(scenes=("a",), labels=("b",), **base | changes)
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


def weights(learner: TorchLearner) -> dict[str, np.ndarray]:
    return {k: v.numpy().copy() for k, v in learner._net.state_dict().items()}


def assert_same(one: TorchLearner, other: TorchLearner, tolerance: float = 0.0) -> None:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        np.testing.assert_allclose(value, theirs[key], rtol=0, atol=tolerance, err_msg=key)


def learn(learner: TorchLearner, steps: range, *, rate: float = 1e-2) -> list[float]:
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
@pytest.mark.parametrize("parts", [2, 3, 4, 9])
def test_parts_of_a_batch_give_the_gradient_of_the_whole(how: dict[str, Any], parts: int) -> None:
    whole, cut = (make(accumulate=n, optimizer="sgd", **how) for n in (1, parts))
    np.testing.assert_allclose(learn(whole, range(3)), learn(cut, range(3)), rtol=1e-5)
    assert_same(whole, cut, 1e-6)


def test_a_batch_without_labels_teaches_nothing() -> None:
    learner = make(optimizer="sgd", weight_decay=0.0)
    before = weights(learner)
    images, labels = draw()
    assert learner.step(images, np.full_like(labels, 255), 0.1) == 0
    for key, value in weights(learner).items():
        np.testing.assert_array_equal(value, before[key])


@pytest.mark.parametrize("parts", [1, 2])
def test_a_loss_that_is_no_number_changes_nothing(parts: int) -> None:
    learner = make(accumulate=parts, average=0.9)
    before = weights(learner)
    images, labels = draw()
    images[0, 0, 5, 5] = np.nan
    labels[0, 5, 5] = 0
    assert np.isnan(learner.step(images, labels, 0.1))
    for key, value in weights(learner).items():
        np.testing.assert_array_equal(value, before[key])


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_that_is_no_number_changes_nothing(clip: float | None) -> None:
    learner = make(average=0.9, clip=clip)
    before = weights(learner)
    learner._loss = lambda labels, logits: (0 * logits.sum()).sqrt()
    assert np.isnan(learner.step(*draw(), 0.1))
    for key, value in weights(learner).items():
        np.testing.assert_array_equal(value, before[key])


def test_decay_is_that_of_adamw_on_all_but_biases_and_norms() -> None:
    options = {**PLAIN, "norm": "group"}
    learner = make(weight_decay=0.3, network_options=options)
    twin = make(network_options=options)._net
    groups: list[dict[str, Any]] = [{"params": [], "weight_decay": w} for w in (0.0, 0.3)]
    for name, p in twin.named_parameters():
        kernel = name.endswith("weight") and "norm" not in name
        groups[kernel]["params"].append(p)
    optimizer = torch.optim.AdamW(groups, 1e-2)
    images, labels = draw()
    for _ in range(3):
        learner.step(images, labels, 1e-2)
        optimizer.zero_grad()
        scores = twin.train()(torch.from_numpy(images))
        y = torch.from_numpy(labels).long()
        torch.nn.functional.cross_entropy(scores, y, ignore_index=255).backward()
        optimizer.step()
    for key, value in twin.state_dict().items():
        np.testing.assert_allclose(weights(learner)[key], value.numpy(), atol=2e-4)


def test_rates_are_those_of_torch() -> None:
    settings = make(warmup=0.3, learning_rate=3e-3).settings
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=37, pct_start=0.3)
    for step in range(37):
        assert rate_at(settings, step, 37) == pytest.approx(schedule.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        if step < 36:
            schedule.step()


def test_a_gradient_is_clipped() -> None:
    learner = make(optimizer="sgd", clip=1e-3, weight_decay=0.0)
    before = weights(learner)
    learn(learner, range(1), rate=1.0)
    moved = sum(((v - before[k]) ** 2).sum() for k, v in weights(learner).items())
    assert moved**0.5 == pytest.approx(1.9e-3, rel=1e-2)  # nesterov's first step is 1 + 0.9


def test_a_part_of_one_chip_under_batch_norm() -> None:
    """Image pooling leaves one value a channel of a chip, in which there is no spread."""
    learner = make(network="deeplabv3plus", network_options={}, accumulate=4)
    with pytest.raises(
        UsageError, match=r"a part of 1 chips \(batch 4 in 4 parts\): use a larger"
    ):
        learner.step(*draw(), 1e-3)


# Precision


def test_bfloat16_on_the_cpu_learns_nearly_the_same() -> None:
    exact, rough = make(optimizer="sgd"), make(optimizer="sgd", precision="bfloat16")
    ours, theirs = learn(exact, range(3)), learn(rough, range(3))
    assert ours != theirs
    np.testing.assert_allclose(ours, theirs, rtol=0.02)
    assert all(v.dtype == np.float32 for v in weights(rough).values())
    assert rough.predict(draw()[0]).dtype == np.float32


def test_precision_of_a_cpu() -> None:
    assert choose_precision("auto", "cpu") == torch.float32
    with pytest.raises(UsageError, match=r"float16 is for GPUs.*--precision bfloat16 or float32"):
        make(precision="float16")


def test_a_gradient_too_large_for_float16_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, where a user cannot ask for it; the scale falls until gradients have room."""
    monkeypatch.setattr(torch_learner, "choose_precision", lambda *_: torch.float16)
    learner = make(optimizer="sgd", weight_decay=0.0)
    learner._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    before, batch = weights(learner), draw()
    first = learner.step(*batch, 1e-2)
    for key, value in weights(learner).items():
        np.testing.assert_array_equal(value, before[key])
    losses = [learner.step(*batch, 1e-2) for _ in range(50)]
    assert learner._scaler.get_scale() < 2.0**40
    assert losses[0] == first > losses[-1]


# Running mean


def test_the_mean_is_that_of_the_formula() -> None:
    learner = make(average=0.3, network_options={"width": 4, "depth": 1, "norm": "batch"})
    mean = weights(learner)
    for step in range(5):
        learn(learner, range(step, step + 1))
        decay = decay_at(0.3, step)
        for key, now in weights(learner).items():
            counts = now.dtype.kind == "i"
            mean[key] = now if counts else decay * mean[key] + (1 - decay) * now
    for key, value in learner._kept.state_dict().items():
        np.testing.assert_allclose(value.numpy(), mean[key], atol=1e-6, err_msg=key)


def test_the_mean_is_what_predicts() -> None:
    plain, averaged = make(), make(average=0.9)
    images = draw()[0]
    for learner in (plain, averaged):
        learn(learner, range(3))
    assert_same(plain, averaged)
    scores = averaged.predict(images)
    assert np.abs(scores - plain.predict(images)).max() > 1e-3
    update_mean(averaged._kept, averaged._net, 0.0)
    np.testing.assert_allclose(averaged.predict(images), plain.predict(images), atol=1e-6)


# Chance, and going on


DROPOUT = {"width": 4, "depth": 1, "norm": "batch", "dropout": 0.5}


def learn_epochs(learner: TorchLearner, epochs: range) -> list[float]:
    losses = []
    for epoch in epochs:
        learner.start_epoch(epoch)
        losses += learn(learner, range(3 * epoch, 3 * epoch + 3))
        learner.predict(draw()[0])
        torch.rand(3)  # chance that something else took
    return losses


def test_the_same_run_twice_is_the_same_bit_for_bit() -> None:
    one, other, unlike = (make(network_options=DROPOUT, seed=seed) for seed in (5, 5, 6))
    assert learn_epochs(one, range(1, 3)) == learn_epochs(other, range(1, 3))
    assert_same(one, other)
    with pytest.raises(AssertionError):
        assert_same(one, unlike)


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
    with pytest.raises(ResumeError, match=r"state' does not fit or is damaged .*--overwrite"):
        make().restore(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ResumeError, match="does not fit or is damaged"):
        make().restore(path)
    with pytest.raises(ResumeError, match="No such file"):
        make().load_weights(tmp_path / "none")


def test_a_state_runs_no_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"kept": Trap()}, tmp_path / "state")
    with pytest.raises(ResumeError, match="does not fit"):
        make().load_weights(tmp_path / "state")
    assert not (tmp_path / "sprung").exists()


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written to .* run the same command again"):
        make().save(tmp_path / "file" / "state")


# Export


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("unet", {"width": 4, "depth": 2}),
        pytest.param("unet", {"width": 8, "depth": 1, "norm": "group"}, marks=pytest.mark.slow),
        pytest.param("deeplabv3plus", {"width": 32}, marks=pytest.mark.slow),
        pytest.param("cbrr_unet", {}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("average", [0.0, 0.5])
def test_what_is_exported_scores_the_same(
    tmp_path: Path, network: str, options: dict[str, Any], average: float
) -> None:
    learner = make(network=network, network_options=options, average=average)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(4, N_BANDS, 32, 32)).astype(np.float32)
    for _ in range(3):
        learner.step(images, rng.integers(0, N_CLASSES, (4, 32, 32)).astype(np.uint8), 1e-3)
    stride = learner.facts.stride
    card = plain_card("ours", N_BANDS, N_CLASSES, scores="logits")
    card = card.model_copy(update={"tile": 32, "stride": stride})
    path = learner.export(tmp_path, card)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.pt2"]
    assert read_card(path) == card
    predictor = load_predictor(path, card, device="cpu")
    assert predictor.card.fixed_size is None
    for height, width in ((32, 32), (4 * stride, 9 * stride)):
        batch = rng.normal(size=(3, N_BANDS, height, width)).astype(np.float32)
        expected = learner.predict(batch)
        scale = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(predictor.predict(batch) / scale, expected / scale, atol=1e-5)
    learn(learner, range(1))  # it was left as it is


class FixedSize(torch.nn.Module):
    """Knows every place of a tile of 24 px by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.rand(N_CLASSES, 24, 24))
        self.conv = torch.nn.Conv2d(N_BANDS, N_CLASSES, 1)

    def forward(self, x: Any) -> Any:
        return self.conv(x) + self.bias


def test_a_network_of_one_size_says_so_in_its_card(tmp_path: Path) -> None:
    card = plain_card("fixed", N_BANDS, N_CLASSES, scores="logits").model_copy(update={"tile": 24})
    path = export_network(FixedSize(), tmp_path, card)
    assert read_card(path).fixed_size == (24, 24)
    scores = load_predictor(path, read_card(path), device="cpu").predict(
        np.zeros((2, N_BANDS, 24, 24), np.float32)
    )
    assert scores.shape == (2, N_CLASSES, 24, 24)


class Untraceable(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x * float(x.sum().item() > 0) if x.sum() > 0 else x


def test_a_network_that_cannot_be_exported(tmp_path: Path) -> None:
    card = plain_card("none", N_BANDS, N_CLASSES, scores="logits")
    with pytest.raises(ModelError, match="the network cannot be exported"):
        export_network(Untraceable(), tmp_path, card)
    assert not list(tmp_path.iterdir())


# What cannot be had


def test_what_cannot_be_had() -> None:
    with pytest.raises(UsageError, match="did you mean 'unet'"):
        make(network="unit")
    with pytest.raises(UsageError, match="there is no loss 'crossentropy'"):
        make(loss="crossentropy")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="--device cuda:0 cannot be had"):
            make(device="cuda:0")
    assert issubclass(MissingDependencyError, ImportError)


def test_memory_that_ran_out() -> None:
    learner = make()
    assert learner.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert learner.is_out_of_memory(MemoryError())
    assert not learner.is_out_of_memory(RuntimeError("shapes"))
    learn(learner, range(1))
    learner.release()
    assert all(p.grad is None for p in learner._net.parameters())
    learn(learner, range(1))


# Several processes

CASES = {"group": ("group", 1), "parts": ("group", 2), "batch": ("batch", 1)}
PROCESS = """
import sys
import numpy as np
from tests.training.test_torch_learner import CASES, learn_shared
from rs_workbench.training.processes import process_rank

found = {}
for name in CASES:
    learner, found[f"{name} losses"] = learn_shared(*CASES[name])
    found |= {f"{name} {key}": value.numpy() for key, value in learner._kept.state_dict().items()}
found["total"] = learner.add_up(np.array([1 + process_rank()]))
np.savez(sys.argv[1], **found)
"""


def learn_shared(norm: str, parts: int) -> tuple[TorchLearner, list[float]]:
    options = {"width": 4, "depth": 1, "norm": norm}
    learner = make(optimizer="sgd", network_options=options, accumulate=parts, average=0.5)
    learner.start_epoch(1)
    return learner, learn(learner, range(3))


def run_processes(folder: Path, count: int) -> list[dict[str, np.ndarray]]:
    """Start processes as torchrun does."""
    (folder / "process.py").write_text(PROCESS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    home = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, folder / "process.py", folder / f"{rank}.npz"],
            env={**os.environ, **shared, **home, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    for process in processes:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        assert "Warning" not in said
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(count)]


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    one, other = run_processes(tmp_path, 2)
    assert one["total"] == other["total"] == 3
    for key, value in one.items():
        np.testing.assert_array_equal(other[key], value, err_msg=key)
    learner, losses = learn_shared("group", 1)
    for case in ("group", "parts"):
        np.testing.assert_allclose(one[f"{case} losses"], losses, rtol=1e-5)
        for key, expected in learner._kept.state_dict().items():
            np.testing.assert_allclose(one[f"{case} {key}"], expected.numpy(), atol=1e-5)


def test_a_batch_too_small_for_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = make(batch=2)
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UsageError, match="a batch of 2 chips cannot be shared by 3 processes"):
        TorchLearner(
            learner._net,
            learner._loss,
            learner.settings,
            device="cpu",
            pixel_weights=np.ones(N_CLASSES),
        )
