import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rs_workbench.errors import ModelError
from rs_workbench.layers import Finisher, confidence_and_margin, label_scores, probabilities
from tests.workbench import nets

SCORES = hnp.arrays(np.float32, (5, 4, 3), elements=st.floats(-50, 50, width=32))


@given(SCORES)
def test_labels_are_the_argmax(scores):
    labels, best = label_scores(scores)
    np.testing.assert_array_equal(labels, scores.argmax(axis=0))
    np.testing.assert_array_equal(best, scores.max(axis=0))


@given(SCORES)
def test_probabilities_of_logits_sum_to_one(scores):
    shares = probabilities(scores, "logits")
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(shares.argmax(axis=0).shape, (4, 3))


def test_confidence_and_margin_in_steps_of_one_250th():
    scores = np.array([0.7, 0.2, 0.1], np.float32)[:, None, None]
    got = confidence_and_margin(scores, "probabilities")[:, 0, 0]
    assert got.tolist() == [175, 125]


def test_class_values_and_nodata():
    card = nets.card(n_classes=2)
    card = card.model_copy(
        update={
            "classes": tuple(
                c.model_copy(update={"value": 7 * k + 3}) for k, c in enumerate(card.classes)
            )
        }
    )
    finisher = Finisher(card, ("scores", "confidence"))
    assert [spec.name for spec in finisher.specs] == ["classes", "confidence", "scores"]
    scores = np.array([[[1, 0, 0]], [[0, 1, 1]]], np.float32)
    labels, confidence, saved = finisher.finish(scores, np.array([[True, True, False]]))
    assert labels.tolist() == [[[3, 10, 255]]]
    assert confidence[:, 0, 2].tolist() == [255, 255]
    assert np.isnan(saved[:, 0, 2]).all()
    assert np.array_equal(saved[:, 0, :2], scores[:, 0, :2])
    for blank, full in zip(finisher.blank(1, 3), (labels, confidence, saved), strict=True):
        assert blank.shape == full.shape
        assert blank.dtype == full.dtype
        np.testing.assert_array_equal(blank[..., :1], full[..., 2:])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(bad):
    scores = np.zeros((4, 3, 3), np.float32)
    scores[2, 1, 1] = bad
    with pytest.raises(ModelError, match="'test net' gave scores that are not numbers"):
        Finisher(nets.card(), ()).finish(scores, np.ones((3, 3), bool))
