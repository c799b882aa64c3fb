"""What every backend must do: one list of tests, run for each of them.

A test module for a backend subclasses `BackendContract` under a name that starts with `Test`,
sets `module` and `engine`, and says how to write its two little networks to disk. Nothing else
about the backend is known here, so that a layout, a default or a speed-up inside an adapter
cannot change what the rest of the workbench sees.

    class TestKeras(BackendContract):
        module = "rs_workbench.backends.keras_backend"
        engine = "keras"

        def write_pointwise(self, folder, weights, activation=None): ...
        def write_deep(self, folder, n_bands, n_classes): ...
"""

from __future__ import annotations

import importlib
import threading
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from rs_workbench.backends.base import GpuMemory
from rs_workbench.card import Band, LegendClass, ModelCard
from rs_workbench.errors import ModelError
from rs_workbench.types import Image, ScoreKind, Scores

N_BANDS = 3
N_CLASSES = 4
STRIDE = 4


def make_card(
    n_bands: int = N_BANDS, n_classes: int = N_CLASSES, scores: ScoreKind = "logits", **fields: Any
) -> ModelCard:
    """Make a card that fits a network of the given width."""
    return ModelCard(
        name="contract",
        bands=tuple(Band(name=f"band {i + 1}") for i in range(n_bands)),
        classes=tuple(
            LegendClass(value=k, name=f"class {k}", color=f"#0000{k:02x}")
            for k in range(n_classes)
        ),
        scores=scores,
        **fields,
    )


def make_batch(n: int, height: int, width: int, n_bands: int = N_BANDS, seed: int = 0) -> Image:
    """Make a batch of normally distributed pixels, (N, B, H, W)."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, n_bands, height, width), dtype=np.float32)


class BackendContract:
    """Tests that hold for every backend; a subclass says how its files are made."""

    module: ClassVar[str]
    """Import name of the backend."""
    engine: ClassVar[str]
    """Engine asked of `load_predictor`."""

    def write_pointwise(
        self, folder: Path, weights: np.ndarray, activation: str | None = None
    ) -> Path:
        """Write a 1 x 1 convolution without bias; `weights` is (K, B).

        `activation` is None, "sigmoid" or "softmax" (over the classes).
        """
        raise NotImplementedError

    def write_deep(self, folder: Path, n_bands: int, n_classes: int) -> Path:
        """Write a network with two 2 x 2 poolings (stride 4), any weights that are not constant.

        It must take any batch size and any height and width that are multiples of 4.
        """
        raise NotImplementedError

    @pytest.fixture
    def backend(self):
        return importlib.import_module(self.module)

    @pytest.fixture
    def deep(self, backend, tmp_path_factory):
        """Load the deep network once for the whole class, since some need seconds to compile."""
        cls = type(self)
        if "_deep" not in vars(cls):
            path = self.write_deep(tmp_path_factory.mktemp("deep"), N_BANDS, N_CLASSES)
            cls._deep = self.load(backend, path, make_card(stride=STRIDE))
        return cls._deep

    def load(self, backend, path: Path, card: ModelCard):
        return backend.load_predictor(path, card, device="cpu", engine=self.engine)

    def load_pointwise(self, backend, folder: Path, weights, *, activation=None, card=None):
        weights = np.asarray(weights, dtype=np.float32)
        path = self.write_pointwise(folder, weights, activation)
        return self.load(backend, path, card or make_card(weights.shape[1], weights.shape[0]))

    # Shape, type and layout

    @pytest.mark.parametrize("size", [(4, 4), (32, 32), (12, 20), (64, 24)])
    @pytest.mark.parametrize("n", [1, 3])
    def test_shape_and_dtype(self, deep, n, size):
        scores = deep.predict(make_batch(n, *size))
        assert isinstance(scores, np.ndarray)
        assert scores.shape == (n, N_CLASSES, *size)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()

    def test_bands_first_in_and_out(self, backend, tmp_path):
        weights = np.array([[0.0, 0.0, 1.0], [2.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
        predictor = self.load_pointwise(backend, tmp_path, weights)
        batch = make_batch(2, 5, 7)
        expected = np.einsum("kb,nbhw->nkhw", weights, batch)
        np.testing.assert_allclose(predictor.predict(batch), expected, atol=1e-6)

    def test_class_order_is_the_files(self, backend, tmp_path):
        order = [2, 0, 3, 1]
        predictor = self.load_pointwise(backend, tmp_path, np.eye(4)[order])
        batch = np.zeros((1, 4, 4, 4), dtype=np.float32)
        for band in range(4):
            batch[0, band, band] = 1.0
        classes = predictor.predict(batch)[0].argmax(axis=0)
        assert classes[:, 0].tolist() == [order.index(band) for band in range(4)]
        assert (classes == classes[:, :1]).all()

    # One output layer means two classes

    def test_one_logit_becomes_two_classes(self, backend, tmp_path):
        predictor = self.load_pointwise(
            backend, tmp_path, [[1.0, 0.0, 0.0]], card=make_card(n_classes=2)
        )
        batch = make_batch(2, 4, 6)
        scores = predictor.predict(batch)
        assert scores.shape == (2, 2, 4, 6)
        assert scores.dtype == np.float32
        np.testing.assert_array_equal(scores.argmax(axis=1), batch[:, 0] > 0)
        np.testing.assert_allclose(scores[:, 1] - scores[:, 0], batch[:, 0], atol=1e-6)

    def test_one_probability_becomes_two_classes(self, backend, tmp_path):
        card = make_card(n_classes=2, scores="probabilities")
        predictor = self.load_pointwise(
            backend, tmp_path, [[1.0, 0.0, 0.0]], activation="sigmoid", card=card
        )
        batch = make_batch(1, 4, 6)
        scores = predictor.predict(batch)
        expected = 1 / (1 + np.exp(-batch[:, 0]))
        np.testing.assert_allclose(scores[:, 1], expected, atol=1e-5)
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)

    def test_probabilities_stay_probabilities(self, backend, tmp_path):
        card = make_card(scores="probabilities", n_classes=3)
        predictor = self.load_pointwise(
            backend, tmp_path, np.eye(3), activation="softmax", card=card
        )
        scores = predictor.predict(make_batch(1, 4, 4))
        assert predictor.card.scores == "probabilities"
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)

    # The same question gets the same answer

    def test_batch_of_one_equals_batch_of_many(self, deep):
        batch = make_batch(5, 16, 24, seed=1)
        together = deep.predict(batch)
        alone = np.concatenate([deep.predict(batch[i : i + 1]) for i in range(len(batch))])
        np.testing.assert_allclose(together, alone, atol=1e-5)

    def test_repeats_give_the_same_bits(self, deep):
        batch = make_batch(2, 32, 32, seed=2)
        first = deep.predict(batch)
        for _ in range(3):
            np.testing.assert_array_equal(deep.predict(batch), first)

    def test_sizes_in_any_order_give_the_same_bits(self, deep):
        batch = make_batch(1, 16, 16, seed=3)
        first = deep.predict(batch)
        deep.predict(make_batch(3, 32, 8))
        np.testing.assert_array_equal(deep.predict(batch), first)

    def test_earlier_scores_stay_as_they_were(self, deep):
        first = deep.predict(make_batch(2, 16, 16, seed=4))
        kept = first.copy()
        deep.predict(make_batch(2, 16, 16, seed=5))
        np.testing.assert_array_equal(first, kept)

    def test_input_stays_as_it_was(self, deep):
        batch = make_batch(2, 16, 16, seed=6)
        kept = batch.copy()
        deep.predict(batch)
        np.testing.assert_array_equal(batch, kept)

    def test_scores_depend_on_every_band(self, deep):
        batch = make_batch(1, 16, 16, seed=7)
        scores = deep.predict(batch)
        for band in range(N_BANDS):
            changed = batch.copy()
            changed[:, band] += 1
            assert np.abs(deep.predict(changed) - scores).max() > 1e-6

    # Arrays as they come

    def test_non_contiguous_input(self, deep):
        batch = make_batch(2, 16, 24, seed=8)
        expected = deep.predict(batch)
        views = {
            "channels last": np.ascontiguousarray(batch.transpose(0, 2, 3, 1)).transpose(
                0, 3, 1, 2
            ),
            "every second": np.repeat(batch, 2, axis=3)[..., ::2],
            "fortran": np.asfortranarray(batch),
        }
        for name, view in views.items():
            assert not view.flags.c_contiguous
            np.testing.assert_allclose(deep.predict(view), expected, atol=1e-6, err_msg=name)

    def test_read_only_input(self, deep):
        batch = make_batch(1, 16, 16, seed=9)
        expected = deep.predict(batch)
        batch.flags.writeable = False
        np.testing.assert_array_equal(deep.predict(batch), expected)

    def test_scores_may_be_written_to(self, deep):
        scores = deep.predict(make_batch(1, 16, 16))
        scores += 1

    def test_works_from_another_thread(self, deep):
        batch = make_batch(2, 16, 16, seed=10)
        expected = deep.predict(batch)
        found: list[Scores] = []
        thread = threading.Thread(target=lambda: found.append(deep.predict(batch)))
        thread.start()
        thread.join(timeout=120)
        np.testing.assert_array_equal(found[0], expected)

    # The card and the sentences

    def test_card_engine_and_device_are_attached(self, backend, tmp_path):
        card = make_card(pixel_size=0.5)
        path = self.write_pointwise(tmp_path, np.ones((N_CLASSES, N_BANDS), dtype=np.float32))
        predictor = self.load(backend, path, card)
        assert predictor.card == card
        assert predictor.engine == self.engine
        assert predictor.device == "cpu"

    def test_batch_with_other_bands_is_refused(self, deep):
        with pytest.raises(ModelError, match=r"3 bands.*\b5\b"):
            deep.predict(make_batch(1, 16, 16, n_bands=5))

    def test_batch_without_its_axis_is_refused(self, deep):
        with pytest.raises(ModelError, match=r"\(3, 16, 16\)"):
            deep.predict(make_batch(1, 16, 16)[0])

    def test_card_with_other_bands_is_refused(self, backend, tmp_path):
        path = self.write_deep(tmp_path, N_BANDS, N_CLASSES)
        with pytest.raises(ModelError, match=rf"{path.name}.*3 bands.*\b5\b"):
            self.load(backend, path, make_card(n_bands=5))

    def test_card_with_other_classes_is_refused(self, backend, tmp_path):
        path = self.write_deep(tmp_path, N_BANDS, N_CLASSES)
        with pytest.raises(ModelError, match=rf"{path.name}.*4 classes.*\b6\b"):
            self.load(backend, path, make_card(n_classes=6))

    def test_missing_file_is_refused(self, backend, tmp_path):
        path = tmp_path / f"nowhere{backend.suffixes[0]}"
        with pytest.raises(ModelError, match=r"nowhere"):
            self.load(backend, path, make_card())

    def test_damaged_file_is_refused(self, backend, tmp_path):
        path = tmp_path / f"damaged{backend.suffixes[0]}"
        path.write_bytes(b"this is no model" * 64)
        with pytest.raises(ModelError, match=r"damaged"):
            self.load(backend, path, make_card())

    # Memory

    def test_memory_state_lists_gpus(self, backend):
        state = list(backend.memory_state())
        assert all(isinstance(gpu, GpuMemory) for gpu in state)
        assert all(0 <= gpu.free_mib <= gpu.total_mib for gpu in state)

    def test_is_out_of_memory(self, backend):
        assert backend.is_out_of_memory(MemoryError())
        for error in (ValueError("out of range"), RuntimeError("shape"), KeyboardInterrupt()):
            assert not backend.is_out_of_memory(error)

    def test_release_memory_keeps_the_model(self, backend, deep):
        batch = make_batch(1, 16, 16, seed=11)
        expected = deep.predict(batch)
        backend.release_memory()
        np.testing.assert_array_equal(deep.predict(batch), expected)

    def test_suffixes_are_lower_case(self, backend):
        assert isinstance(backend.suffixes, tuple)
        assert all(suffix.startswith(".") and suffix.islower() for suffix in backend.suffixes)
