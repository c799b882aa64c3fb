"""PyTorch's losses are those of the oracle, in value and in slope."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import require_framework

torch = require_framework("torch")

import segmentation_models_pytorch as smp  # noqa: E402

from rs_workbench.accuracy import confusion_matrix, f1_score, iou  # noqa: E402
from rs_workbench.errors import ModelError, UsageError  # noqa: E402
from rs_workbench.training.losses import parse_loss  # noqa: E402
from rs_workbench.training.torch_losses import make_loss  # noqa: E402
from tests.training.loss_oracle import (  # noqa: E402
    KINDS,
    loss_slope,
    loss_value,
    make_batch,
    spec_texts,
    takes_weights,
    weights_for,
)

F = torch.nn.functional


def run(text, labels, logits, *, dtype=torch.float32, **how):
    """Value and slope, from and to arrays with classes last."""
    scores = torch.tensor(logits, dtype=dtype).movedim(-1, 1).requires_grad_()
    loss = make_loss(parse_loss(text), logits.shape[-1], **how)(torch.tensor(labels), scores)
    loss.backward()
    return loss.item(), scores.grad.movedim(1, -1).double().numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_classes", [1, *range(2, 13)])
def test_values_are_those_of_the_oracle(n_classes, kind):
    labels, logits = make_batch(kind, n_classes)
    for text in spec_texts(n_classes):
        value, slope = run(text, labels, logits)
        expected = loss_value(text, labels, logits)
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-7, err_msg=text)
        assert np.isfinite(slope).all(), text
        assert (slope[labels == 255] == 0).all(), text


@pytest.mark.parametrize("kind", KINDS)
def test_class_weights_are_those_of_the_oracle(kind):
    labels, logits = make_batch(kind, 4)
    for text in filter(takes_weights, spec_texts(4)):
        value, slope = run(text, labels, logits, class_weights=weights_for(4))
        expected = loss_value(text, labels, logits, class_weights=weights_for(4))
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-7, err_msg=text)
        assert np.isfinite(slope).all(), text


@pytest.mark.parametrize("kind", ["ignored", "absent", "one class", "one pixel"])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_slopes_are_those_of_finite_differences(n_classes, kind):
    labels, logits = make_batch(kind, n_classes, shape=(2, 3, 3))
    for text in spec_texts(n_classes):
        slope = run(text, labels, logits)[1]
        np.testing.assert_allclose(
            slope, loss_slope(text, labels, logits), rtol=1e-4, atol=1e-6, err_msg=text
        )


def test_a_batch_without_a_label_has_no_loss_and_no_slope():
    labels, logits = make_batch("none", 3)
    for text in spec_texts(3):
        value, slope = run(text, labels, logits)
        assert value == 0
        assert (slope == 0).all()


def test_labelled_pixels_that_weigh_nothing_have_no_loss_and_no_slope():
    labels, logits = make_batch("one class", 3)
    value, slope = run("cross_entropy", labels, logits, class_weights=[1, 1, 0])
    assert value == 0
    assert (slope == 0).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_stands_under_unlabelled_pixels_does_not_matter(wrong):
    labels, logits = make_batch("ignored", 3)
    spoiled = logits.copy()
    spoiled[labels == 255] = wrong
    for text in spec_texts(3):
        value, slope = run(text, labels, logits)
        other_value, other_slope = run(text, labels, spoiled)
        assert value == other_value
        np.testing.assert_array_equal(slope, other_slope)


def test_ignore_may_be_another_label_or_none():
    labels, logits = make_batch("ignored", 4)
    minus = np.where(labels == 255, -1, labels.astype(np.int16))
    for text in spec_texts(4):
        assert run(text, minus, logits, ignore=-1)[0] == run(text, labels, logits)[0]
    full, logits = make_batch("all", 4)
    assert run("lovasz", full, logits, ignore=None)[0] == run("lovasz", full, logits)[0]


@pytest.mark.parametrize("stray", [7, -1])
def test_a_label_that_is_no_class_makes_nan(stray):
    labels, logits = make_batch("ignored", 4)
    labels = labels.astype(np.int64)
    labels[0, 0, 0] = stray
    for text in spec_texts(4):
        assert np.isnan(run(text, labels, logits)[0])


# Against others


def test_cross_entropy_is_that_of_torch():
    labels, logits = make_batch("ignored", 5)
    scores, truth = torch.tensor(logits).movedim(-1, 1), torch.tensor(labels).long()
    weights = weights_for(5)
    theirs = F.cross_entropy(scores, truth, torch.tensor(weights), ignore_index=255)
    ours = run("cross_entropy", labels, logits, class_weights=weights)[0]
    assert ours == pytest.approx(theirs.item(), rel=1e-6)
    smooth = F.cross_entropy(scores, truth, ignore_index=255, label_smoothing=0.2)
    ours = run("cross_entropy(smoothing=0.2)", labels, logits)[0]
    assert ours == pytest.approx(smooth.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("text", "theirs"),
    [
        ("dice", smp.losses.DiceLoss("multiclass", ignore_index=255, eps=0)),
        (
            "tversky",
            smp.losses.TverskyLoss("multiclass", ignore_index=255, eps=0, alpha=0.3, beta=0.7),
        ),
        ("lovasz", smp.losses.LovaszLoss("multiclass", ignore_index=255)),
    ],
)
def test_region_losses_are_those_of_smp(text, theirs):
    labels, logits = make_batch("ignored", 4, shape=(2, 20, 20))
    assert set(np.unique(labels)) == {0, 1, 2, 3, 255}  # theirs divides by all classes
    expected = theirs(torch.tensor(logits).movedim(-1, 1), torch.tensor(labels).long())
    assert run(text, labels, logits)[0] == pytest.approx(expected.item(), rel=1e-5)


def test_a_sure_map_has_the_scores_of_its_confusion():
    """Berman et al. 2018, section 2: the extension is the Jaccard loss itself at the corners."""
    labels, found = make_batch("absent", 4)[0], make_batch("all", 4, seed=1)[0]
    confusion = confusion_matrix(found, labels, 4, ignore=255)
    logits = np.where(np.arange(4) == found[..., None], 200, -200).astype(np.float32)
    present = confusion.sum(axis=0) > 0
    assert present.tolist() == [True, True, True, False]
    for text, score in (("lovasz", iou), ("dice", f1_score)):
        expected = 1 - score(confusion)[present].mean()
        assert run(text, labels, logits)[0] == pytest.approx(expected, rel=1e-6)


# Precision


def test_half_precision_is_computed_in_single():
    labels, logits = make_batch("ignored", 4)
    logits = logits.astype(np.float16)
    for text in spec_texts(4):
        for dtype in (torch.float16, torch.bfloat16):
            rounded = torch.tensor(logits, dtype=dtype).float().numpy()
            value = run(text, labels, logits, dtype=dtype)[0]
            assert value == pytest.approx(loss_value(text, labels, rounded), rel=1e-5)


def test_autocast_changes_nothing():
    labels, logits = make_batch("ignored", 4)
    for text in spec_texts(4):
        with torch.autocast("cpu", torch.bfloat16):
            value, slope = run(text, labels, logits)
        np.testing.assert_array_equal(slope, run(text, labels, logits)[1])
        assert value == run(text, labels, logits)[0]


def test_slopes_keep_their_digits_in_a_large_batch():
    """Differences of the Jaccard loss of neighbours are off by 0.01 here, some by 0.1."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (1, 1000, 1000)).astype(np.uint8)
    logits = rng.standard_normal((1, 1000, 1000, 2)).astype(np.float32)
    single = run("lovasz", labels, logits)[1]
    double = run("lovasz", labels, logits, dtype=torch.float64)[1]
    error = np.abs(single - double)[np.abs(double) > 1e-9] / np.abs(double)[np.abs(double) > 1e-9]
    assert np.quantile(error, 0.999) < 1e-4


# Use


@pytest.mark.parametrize("text", spec_texts(3))
def test_a_tiny_network_learns(text):
    torch.manual_seed(0)
    images = torch.randn(4, 3, 8, 8)
    labels = images.argmax(dim=1)
    labels[:, :2] = 255
    net = torch.nn.Conv2d(3, 3, 1)
    loss = make_loss(parse_loss(text), 3)
    descent = torch.optim.Adam(net.parameters(), 0.1)
    values = []
    for _ in range(60):
        descent.zero_grad()
        value = loss(labels, net(images))
        value.backward()
        descent.step()
        values.append(value.item())
    assert values[-1] < 0.75 * values[0]
    right = (net(images).argmax(dim=1) == labels)[labels != 255]
    assert right.double().mean() > 0.9


def test_whole_images_may_be_labelled():
    labels, logits = make_batch("ignored", 3, shape=(7,))
    assert run("focal", labels, logits)[0] == pytest.approx(
        loss_value("focal", labels, logits), rel=1e-5
    )


def test_what_does_not_fit_is_refused():
    loss = make_loss(parse_loss("dice"), 5)
    with pytest.raises(ModelError, match="scores 4 classes, but its loss is for 5"):
        loss(torch.zeros(2, 4, 4), torch.zeros(2, 4, 4, 4))
    with pytest.raises(ModelError, match="scores 2 x 4 x 4 pixels, but the labels are 2 x 8 x 8"):
        loss(torch.zeros(2, 8, 8), torch.zeros(2, 5, 4, 4))
    with pytest.raises(UsageError, match="label 3 cannot mean both"):
        make_loss(parse_loss("dice"), 5, ignore=3)
