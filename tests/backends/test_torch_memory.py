"""Backing off from torch's own out-of-memory error, with a torch network."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import require_framework

torch = require_framework("torch")

from rs_workbench.backends import torch_backend  # noqa: E402
from rs_workbench.memory import BackOff  # noqa: E402
from tests.backends.contract import make_batch, make_card  # noqa: E402
from tests.backends.short_of_memory import ShortOfMemory, smooth_scores  # noqa: E402

STRIDE = 4
MARGIN = 32  # the network reaches less far


def exhausted():
    return torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.8 GiB"
    )


def back_off(predictor, lines, **options):
    return BackOff(
        predictor,
        is_out_of_memory=torch_backend.is_out_of_memory,
        release=torch_backend.release_memory,
        log=lines.append,
        stride=STRIDE,
        **{"margin": 12, "to_cpu": None, **options},
    )


def test_batch_then_tile_then_cpu():
    lines: list[str] = []
    gpu = ShortOfMemory(10, exhausted)
    cpu = ShortOfMemory(10**9, exhausted, device="cpu")
    batch = make_batch(4, 128, 128)
    scores = back_off(gpu, lines, to_cpu=lambda: cpu).predict(batch)
    np.testing.assert_allclose(scores, smooth_scores(batch), atol=1e-6)
    assert lines == [
        "out of memory with 4 tiles at once: going on with 2",
        "out of memory with 2 tiles at once: going on with 1",
        "out of memory with a tile of 128 px: going on with 64 px",
        "out of memory with a tile of 64 px: going on with 32 px",
        "out of memory on 'cuda:0': going on with the CPU, which is slower",
    ]


class Strained:
    """A torch network that fails above a number of pixels, as on a full GPU."""

    engine, device = "torch", "cuda:0"

    def __init__(self, room=None):
        torch.manual_seed(3)
        self.card, self.room = make_card(stride=STRIDE), room
        self.network = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(8, 8, 3, padding=1),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(8, 8, 3, padding=1),
            torch.nn.Upsample(scale_factor=4, mode="nearest"),
            torch.nn.Conv2d(8, 4, 1),
        ).eval()

    def predict(self, batch):
        if self.room and batch.shape[0] * batch.shape[2] * batch.shape[3] > self.room:
            raise exhausted()
        with torch.inference_mode():
            return self.network(torch.from_numpy(batch)).numpy()


@pytest.mark.parametrize("room", [2 * 256 * 256, 128 * 128])
def test_scores_of_a_real_network_stay(room):
    batch = make_batch(3, 256, 256)
    whole = Strained().predict(batch)
    lines: list[str] = []
    scores = back_off(Strained(room), lines, margin=MARGIN).predict(batch)
    np.testing.assert_allclose(scores, whole, atol=1e-5)
    np.testing.assert_array_equal(scores.argmax(axis=1), whole.argmax(axis=1))
    assert lines


def test_other_errors_of_torch_pass():
    predictor = ShortOfMemory(10, lambda: RuntimeError("cuDNN error: CUDNN_STATUS_BAD_PARAM"))
    with pytest.raises(RuntimeError, match="BAD_PARAM"):
        back_off(predictor, []).predict(make_batch(2, 64, 64))
