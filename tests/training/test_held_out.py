import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from rs_workbench.accuracy import confusion_matrix, mean_iou
from rs_workbench.accuracy.report.files import render_report
from rs_workbench.accuracy.report.words import words_in
from rs_workbench.errors import UsageError
from rs_workbench.training import baselines, held_out
from rs_workbench.training.baselines import fit_forest, majority_class, training_pixels
from rs_workbench.training.held_out import card_scores, score_held_out
from rs_workbench.training.held_out_blocks import (
    Grouping,
    HeldOutBlocks,
    align_blocks,
    group_chips,
    read_blocks,
    write_blocks,
)
from tests.training import fakes
from tests.training.fakes import TILE, FakeLearner, NarrowLearner, PerfectLearner, make_data
from tiling.chips import grid_positions
from tiling.label_index import IGNORE, index_labels
from tiling.sampler import Sampling, make_sampler


@pytest.fixture(autouse=True)
def _from_memory(monkeypatch):
    for module in (baselines, held_out):
        monkeypatch.setattr(module, "part_batches", fakes.part_batches)


@pytest.fixture(scope="module")
def data():
    return make_data()


def with_settings(data, **changes):
    return replace(data, settings=data.settings.model_copy(update=changes))


def test_every_labelled_held_out_pixel_is_counted_once(data):
    found = score_held_out(FakeLearner(), with_settings(data, forest_pixels=0))
    scores = FakeLearner().predict(data.images[0][None])[0].argmax(axis=0)
    whole = confusion_matrix(scores, data.label_maps[0], 3, ignore=IGNORE)
    assert np.array_equal(found.confusion, whole), "scene 0 is held out"
    assert np.array_equal(found.blocks.confusion.sum(axis=0), whole)
    assert found.assessment.unlabelled == (data.label_maps[0] == IGNORE).sum()
    assert list(found.baselines) == ["majority"]


def test_where_memory_runs_out_chips_are_scored_in_halves(data):
    plain = with_settings(data, forest_pixels=0)
    whole, halved = (_count(learner, plain) for learner in (FakeLearner(), NarrowLearner()))
    assert np.array_equal(halved, whole)


def _count(learner, data):
    return held_out._count_chips(learner, data, None, None)[1]["model"]


def test_a_perfect_network_is_100_percent_right_in_report_and_card(data):
    found = score_held_out(PerfectLearner(data), with_settings(data, forest_pixels=0))
    card = card_scores(found)
    assert (card.overall_accuracy, card.mean_iou) == (1.0, 1.0)
    report = render_report(found.assessment, words_in("en"))["markdown"].decode()
    assert "100.0 %" in report.splitlines()[4]
    assert found.assessment.resampled["mean_iou"].low == 1.0


def test_baselines_are_scored_on_the_same_pixels(data):
    found = score_held_out(FakeLearner(), data)
    columns = found.blocks.confusion.sum(axis=-2)
    for name, other in found.baselines.items():
        assert np.array_equal(other.confusion.sum(axis=-2), columns), name
        assert np.array_equal(other.places, found.blocks.places), name
    majority = found.baselines["majority"].confusion
    assert not majority[:, 1:].any(), "class 0 is the commonest of the training labels"
    forest, network = (x.confusion.sum(axis=0) for x in (found.baselines["forest"], found.blocks))
    assert mean_iou(network) - 0.1 < mean_iou(forest) < 1
    differences = {b.name: b.difference.value for b in found.assessment.baselines}
    assert differences["majority"] > 0.3 > abs(differences["forest"])


def test_the_majority_is_that_of_the_training_labels(data):
    labels = list(data.label_maps)
    labels[1] = np.where(labels[1] == IGNORE, labels[1], np.uint8(2))
    swapped = with_settings(replace(data, label_maps=tuple(labels)), forest_pixels=0)
    found = score_held_out(FakeLearner(), swapped)
    assert not found.baselines["majority"].confusion[:, :2].any()
    counts = {"training": [1, 5, 2], "validation": [9, 0, 0], "held_out": [9, 0, 0]}
    assert majority_class(SimpleNamespace(counts=counts)) == 1


def test_training_pixels_have_the_shares_of_nature_and_come_from_training_chips(data):
    few = with_settings(data, forest_pixels=1000)
    pixels, labels = training_pixels(few)
    assert pixels.shape == (len(labels), 4)
    assert 900 <= len(labels) <= 1000
    share = np.bincount(labels, minlength=3) / len(labels)
    natural = data.counts["training"] / data.counts["training"].sum()
    assert np.abs(share - natural).max() < 0.05
    known = {v for c in data.training for v in data.images[c.scene][0][c.window.slices].flat}
    assert set(pixels[:, 0].tolist()) <= {float(v) for v in known}
    again, _ = training_pixels(few)
    assert np.array_equal(again, pixels)


def test_a_sampler_that_favours_rare_classes_gives_the_forest_natural_shares(data):
    labels = np.zeros((128, 128), np.uint8)
    labels[:16, :16] = 2
    index = index_labels(lambda window: labels[window.slices], labels.shape, cell=4, n_classes=3)
    sampler = make_sampler([index], Sampling(tile=TILE, class_share=1.0))
    found = replace(data, training=sampler, label_maps=(labels, labels), images=data.images)
    _, drawn = training_pixels(with_settings(found, forest_pixels=4000))
    assert len(drawn) == 4000
    assert 0.3 < (drawn == 2).mean() * 64 < 2


def test_without_scikit_learn_the_result_says_so(data, monkeypatch):
    for module in (baselines, held_out):
        monkeypatch.setattr(module, "has_scikit_learn", lambda: False)
    found = score_held_out(FakeLearner(), data)
    assert "forest" not in found.baselines
    assert any("pip install scikit-learn" in w for w in found.warnings)
    assert card_scores(found).pixel_baseline is None


def test_a_forest_that_is_not_wanted_is_not_missed(data):
    none = with_settings(data, forest_pixels=0)
    assert fit_forest(none) is None
    assert score_held_out(FakeLearner(), none).warnings == ()


def test_a_class_that_is_not_held_out_is_said_to_be_unknown(data):
    labels = tuple(np.where(found == 2, np.uint8(IGNORE), found) for found in data.label_maps)
    few = with_settings(replace(data, label_maps=labels), forest_pixels=0)
    found = score_held_out(PerfectLearner(few), few)
    assert "forest" in found.warnings[0]
    assert card_scores(found).mean_iou == 1.0
    report = render_report(found.assessment, words_in("en"))["markdown"].decode()
    assert "Undefined: forest" in report


def test_leaks_and_too_few_blocks_are_warned_of(data):
    few = with_settings(replace(data, leaks=1234, held_out=data.held_out[8:14]), forest_pixels=0)
    found = score_held_out(FakeLearner(), few)
    assert found.warnings[0].startswith("1,234 training chips leak")
    assert "6 blocks of 16 px" in found.warnings[1]
    assert found.assessment.resampled == {}
    assert "leak" in card_scores(found).notes
    page = render_report(found.assessment, words_in("zh"))["markdown"].decode()
    assert "1,234 个训练样块泄漏" in page
    assert "留出样块分布在 6 个" in page


def test_held_out_chips_without_any_label_give_no_scores(data):
    blank = tuple(np.full_like(found, IGNORE) for found in data.label_maps)
    found = score_held_out(
        FakeLearner(), with_settings(replace(data, label_maps=blank), forest_pixels=0)
    )
    assert card_scores(found) is None
    assert "no held-out pixel has a label" in found.warnings[0]
    assert (
        "nothing to report" in render_report(found.assessment, words_in("en"))["markdown"].decode()
    )


@pytest.mark.parametrize("scenes", [1, 2])
def test_the_report_speaks_of_held_out_ground(data, scenes):
    chips = data.held_out if scenes == 1 else (*data.held_out, *data.validation)
    found = score_held_out(
        FakeLearner(), with_settings(replace(data, held_out=chips), forest_pixels=0)
    )
    files = render_report(found.assessment, words_in("en"))
    report = files["markdown"].decode()
    assert report.startswith("# Accuracy of unet on held-out ground\n")
    word = "1 scene" if scenes == 1 else "2 scenes"
    assert f"the labels of {len(chips)} held-out chips of {word}" in report
    assert "kept out of training" in report
    assert "Every pixel of the map" not in report, "held-out chips are no whole map"
    assert "no estimate for a whole map" in report
    assert "Mean IoU" in report
    assert report.count("anew 2,000 times") == 2, "intervals of both scores"
    assert not re.search(r"\bha\b|hectare", report), "no area is given"
    assert json.loads(files["json"])["held_out"] is True
    assert (found.assessment.blocks is not None) == (scenes == 1)


# Blocks


def test_blocks_are_as_large_as_leaves_enough_of_them():
    assert group_chips(grid_positions([(160, 160)], 16), 16).side == 32
    assert len(group_chips(grid_positions([(32, 32)] * 30, 16), 16).places) == 30
    few = group_chips(grid_positions([(48, 48)], 16), 16)
    assert (few.side, len(few.places)) == (16, 9)
    split = group_chips(grid_positions([(480, 480)], 16), 16, block=48)
    assert (split.side, len(split.places)) == (48, 100)


def test_chips_of_one_block_are_added_up():
    grouping = Grouping(32, np.array([[0, 0, 0], [0, 0, 1]]), np.array([0, 1, 0]))
    found = grouping.add_up(np.array([[[1]], [[2]], [[4]]]))
    assert found.confusion.ravel().tolist() == [5, 2]


def test_scenes_in_one_grid_share_blocks():
    chips = grid_positions([(32, 32)] * 2, 16)
    apart = group_chips(chips, 16)
    assert len(np.unique(apart.places[:, 0])) == 2
    together = group_chips(chips, 16, origins=[(0, 0), (0, 16)])
    assert (together.places[:, 0] == -1).all()
    assert len(together.places) == 6, "the second scene lies half on the first"


def test_the_same_held_out_chips_give_the_same_blocks_in_any_run(data):
    runs = [
        score_held_out(learner, with_settings(data, forest_pixels=0, seed=seed)).blocks
        for seed, learner in enumerate((FakeLearner(), PerfectLearner(data)))
    ]
    first, second = align_blocks(runs)
    assert np.array_equal(first.sum(axis=-2), second.sum(axis=-2))


def test_blocks_come_back_from_their_file(tmp_path):
    found = HeldOutBlocks(32, np.array([[0, 1, 2]]), np.ones((1, 2, 2), np.int64))
    path = write_blocks(tmp_path, found)
    assert path.name == "held_out_blocks.npz"
    read = read_blocks(tmp_path)
    assert (read.side, read.places.tolist(), read.confusion.tolist()) == (
        32, [[0, 1, 2]], [[[1, 1], [1, 1]]]
    )  # fmt: skip
    with pytest.raises(UsageError, match="finished run"):
        read_blocks(tmp_path / "nowhere")


def test_runs_with_other_blocks_are_not_compared():
    one = HeldOutBlocks(32, np.array([[0, 1, 2]]), np.ones((1, 2, 2), np.int64))
    other = HeldOutBlocks(16, np.array([[0, 1, 2]]), np.ones((1, 3, 3), np.int64))
    with pytest.raises(UsageError, match=r"1 blocks of 32 px with 2 .* 16 px with 3 classes"):
        align_blocks([one, other])
    elsewhere = replace(one, places=np.array([[0, 1, 3]]))
    with pytest.raises(UsageError, match="share split and classes"):
        align_blocks([one, elsewhere])
