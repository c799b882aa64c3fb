"""The PyTorch loop gives the numbers of the accuracy module."""

from __future__ import annotations

import numpy as np

from tests.conftest import require_framework

torch = require_framework("torch")

from rs_workbench.accuracy import confusion_matrix  # noqa: E402
from rs_workbench.training.torch_scores import count_batches  # noqa: E402


def test_counts_are_those_of_the_whole_and_the_mode_is_kept() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.Dropout(0.5)).train()
    images, labels = torch.rand(6, 2, 5, 4), torch.randint(0, 3, (6, 5, 4))
    labels[0, :2] = 255
    counted = count_batches(net, [(images[:4], labels[:4]), (images[4:], labels[4:])], 3)
    with torch.no_grad():
        found = net[0](images).argmax(dim=1).numpy()
    expected = confusion_matrix(found, labels.numpy(), 3, ignore=255)
    np.testing.assert_array_equal(counted.matrix, expected)
    assert counted.unlabelled == 8
    assert net.training


def test_labels_of_whole_images() -> None:
    net = torch.nn.Linear(4, 2)
    counted = count_batches(net, [(torch.eye(4), torch.tensor([0, 1, 1, 0]))], 2, ignore=None)
    assert counted.seen == 4
