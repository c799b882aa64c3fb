"""Multiplications of PyTorch networks agree with PyTorch's own count."""

from __future__ import annotations

import pytest

from tests.conftest import require_framework

torch = require_framework("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from rs_workbench.ablation.onnx_macs import count_macs  # noqa: E402
from rs_workbench.networks import find_network  # noqa: E402

SIDE = 32


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("unet", {"width": 8, "depth": 2}),
        ("deeplabv3plus", {"width": 16}),
        pytest.param(
            "deeplabv3plus",
            {"width": 16, "backbone": "torchvision/mobilenet_v3_small"},
            marks=pytest.mark.slow,
        ),
        pytest.param("cbrr_unet", {"width": 8}, marks=pytest.mark.slow),
    ],
)
def test_macs_are_half_the_flops_that_pytorch_counts(network, options, tmp_path) -> None:
    net = find_network(network, "torch")(4, 3, **options).eval()
    tile = torch.zeros(1, 4, SIDE, SIDE)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(tile)
    path = tmp_path / "net.onnx"
    torch.onnx.export(net, (tile,), path, dynamo=True, verbose=False, external_data=False)
    found = count_macs(path, SIDE, SIDE)
    assert found.uncounted == ()
    assert 2 * found.total == counter.get_total_flops()
