"""Names and settings of losses, and weights of classes; no framework."""

from __future__ import annotations

import ast
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from rs_workbench.errors import UsageError
from rs_workbench.training.loss_settings import (
    LOSSES,
    CrossEntropy,
    Dice,
    Focal,
    Lovasz,
    Tversky,
)
from rs_workbench.training.losses import (
    LossSpec,
    LossTerm,
    class_weights,
    parse_loss,
    term_weights,
)

POSITIVE = st.floats(1e-30, 1e30)
FROM_ZERO = st.just(0.0) | POSITIVE
ALPHA = st.none() | st.lists(FROM_ZERO, min_size=1).filter(any).map(tuple)
SETTINGS = st.one_of(
    st.builds(CrossEntropy, st.floats(0, 1, exclude_max=True)),
    st.builds(Focal, FROM_ZERO, ALPHA),
    st.builds(Dice),
    st.builds(Tversky, FROM_ZERO, POSITIVE),
    st.builds(Lovasz),
)
SPECS = st.lists(st.builds(LossTerm, SETTINGS, POSITIVE), min_size=1, max_size=4).map(
    lambda terms: LossSpec(tuple(terms))
)


@given(SPECS)
def test_text_and_loss_are_the_same_thing(spec):
    assert parse_loss(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("cross_entropy", [LossTerm(CrossEntropy())]),
        ("cross_entropy+dice", [LossTerm(CrossEntropy()), LossTerm(Dice())]),
        ("0.5*focal+lovasz", [LossTerm(Focal(), 0.5), LossTerm(Lovasz())]),
        (" 2 * tversky( alpha = 1, beta=2 ) ", [LossTerm(Tversky(1, 2), 2)]),
        ("focal(alpha=[1, 3], gamma=0)", [LossTerm(Focal(0, (1, 3)))]),
        (
            "dice+dice+cross_entropy(smoothing=.1)",
            [LossTerm(Dice())] * 2 + [LossTerm(CrossEntropy(0.1))],
        ),
    ],
)
def test_what_users_write(text, terms):
    assert parse_loss(text) == LossSpec(tuple(terms))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("focl", "there is no loss 'focl', did you mean 'focal'"),
        ("cross-entropy+dice", "no loss 'cross-entropy', did you mean 'cross_entropy'"),
        ("dice+Lovasz", "no loss 'Lovasz', did you mean 'lovasz'"),
        ("focal(gama=1)", "no setting of focal 'gama', did you mean 'gamma'"),
        ("dice(eps=1)", r"dice has no settings: got eps \(write dice alone\)"),
        ("cross_entropy(smoothing=1)", "at least 0 and below 1: got 1"),
        ("focal(gamma=-2)", "gamma of focal must be at least 0: got -2"),
        ("focal(alpha=0.25)", r"a weight for each class: got 0.25 .*\[0.25, 0.75\]"),
        ("focal(alpha=[0, 0])", "alpha of focal must be .* not all of them 0: got 0, 0"),
        ("focal(alpha=[])", "not all of them 0: got none"),
        ("tversky(alpha=-1)", "got alpha=-1 and beta=0.7"),
        ("tversky(beta=0)", "got alpha=0.3 and beta=0"),
        ("0*dice", "weight of a loss must be above 0: got 0 for dice"),
        ("-1*dice", "weight of a loss must be above 0: got -1 for dice"),
        ("1e999*dice", "weight of a loss must be above 0: got inf for dice"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    with pytest.raises(UsageError, match=message):
        parse_loss(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dice+",
        "2*(dice+lovasz)",
        "dice*2",
        "True*dice",
        "focal(2)",
        "focal(gamma=[1, 2])",
        "focal(gamma='2')",
        "focal(gamma=True)",
        "focal(gamma=1, gamma=2)",
        "focal(**{})",
        "focal(gamma=open('x'))",
        "dice\0",
        "dice;lovasz",
        "(" * 5000,
    ],
)
def test_what_is_no_sum_of_names_is_refused(text):
    with pytest.raises(UsageError, match=r"cannot be read.*such as 0.5\*focal\(gamma=3\)\+lovasz"):
        parse_loss(text)


@given(st.text(max_size=30) | st.text("dicefocal+*(=)[]., 0123", max_size=30))
def test_any_text_is_a_loss_or_a_usage_error(text):
    with suppress(UsageError):
        assert parse_loss(text).terms


def test_every_loss_names_its_paper():
    for kind in LOSSES.values():
        assert "References" in kind.__doc__


# Weights of the classes


def test_weights_go_to_the_terms_that_take_them():
    spec = parse_loss("cross_entropy+focal+focal(alpha=[1, 2])+dice+tversky+lovasz")
    found = term_weights(spec, 2, ignore=255, class_weights=np.array([3, 4]))
    assert found == ((3, 4), (3, 4), (1, 2), None, None, None)
    assert term_weights(spec, 2, ignore=None, class_weights=None)[0] is None


@pytest.mark.parametrize(
    ("text", "how", "message"),
    [
        ("dice", {"class_weights": [1, 2, 3]}, "'dice' counts every class alike .*add cross_ent"),
        ("focal", {"class_weights": [1, 2]}, r"each of 3 classes: got 2 \(1, 2\)"),
        ("focal", {"class_weights": [1, -2, 1]}, "from 0 up, .*: got 1, -2, 1"),
        ("focal", {"class_weights": [1, np.nan, 1]}, "from 0 up, .*: got 1, nan, 1"),
        ("focal", {"class_weights": [0, 0, 0]}, "not all of them 0: got 0, 0, 0"),
        ("focal(alpha=[1, 2])", {}, r"alpha of focal must be one .* got 2 \(1, 2\)"),
        (
            "dice",
            {"ignore": 2},
            "label 2 cannot mean both unlabelled and one of 3 classes, 0 to 2",
        ),
    ],
)
def test_a_loss_that_does_not_fit_its_classes_is_refused(text, how, message):
    with pytest.raises(UsageError, match=message):
        term_weights(parse_loss(text), 3, **{"ignore": 255, "class_weights": None, **how})


COUNTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=12).filter(any)
RULES = ("balanced", "inverse_frequency", "effective_number", "median_frequency")


@given(COUNTS, st.sampled_from(RULES))
def test_rarer_classes_weigh_more_and_absent_ones_nothing(counts, rule):
    weights, counts = class_weights(counts, rule), np.array(counts)
    assert np.isfinite(weights).all()
    assert ((weights > 0) == (counts > 0)).all()
    present = counts > 0
    order = np.argsort(counts[present], kind="stable")
    assert (np.diff(weights[present][order]) <= 1e-12 * weights.max()).all()
    if rule != "effective_number":
        np.testing.assert_allclose(class_weights([counts] * 3, rule), weights)


def test_balanced_is_that_of_scikit_learn():
    labels = np.repeat([0, 1, 3], [50, 7, 400])
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    weights = class_weights(np.bincount(labels), "balanced")
    np.testing.assert_allclose(weights[[0, 1, 3]], expected)
    assert weights[2] == 0


def test_inverse_frequency_is_one_over_the_share():
    np.testing.assert_allclose(class_weights([25, 75], "inverse_frequency"), [4, 4 / 3])


def test_effective_number_is_that_of_the_paper():
    """Cui et al. 2019, equation 2 and section 4: E_n = 1 + beta E_(n-1); weights sum to K."""
    counts, effective = [3, 200, 1000], []
    for count in counts:
        number = 0.0
        for _ in range(count):
            number = 1 + 0.99 * number
        effective.append(number)
    expected = 1 / np.array(effective)
    weights = class_weights(counts, "effective_number", beta=0.99)
    np.testing.assert_allclose(weights, 3 * expected / expected.sum())
    np.testing.assert_array_equal(class_weights(counts, "effective_number", beta=0), [1, 1, 1])
    many = class_weights([10**7, 10**9], "effective_number")
    np.testing.assert_allclose(many, [1, 1])
    few = class_weights([1, 10], "effective_number", beta=1 - 1e-12)
    np.testing.assert_allclose(few[0] / few[1], 10, rtol=1e-9)


def test_median_frequency_divides_by_the_pixels_of_chips_that_have_the_class():
    """Eigen & Fergus 2015, section 6.2, worked by hand: shares 0.75, 0.5 and 0.25."""
    by_chip = [[100, 0, 0], [50, 0, 50], [75, 0, 25], [0, 50, 50], [0, 0, 200]]
    shares = np.array([225 / 300, 50 / 100, 325 / 500])
    np.testing.assert_allclose(class_weights(by_chip, "median_frequency"), 0.65 / shares)
    np.testing.assert_allclose(class_weights([10, 20, 70], "median_frequency"), [2, 1, 2 / 7])


@pytest.mark.parametrize(
    ("counts", "rule", "message"),
    [
        ([1, 2], "balance", "no rule for class weights 'balance', did you mean 'balanced'"),
        ([0, 0], "balanced", "need labelled pixels: got none"),
        ([1, -2], "balanced", r"got shape \(2,\) with a least value of -2"),
        ([1, np.nan], "balanced", r"got shape \(2,\) with a least value of nan"),
        (np.ones((2, 2, 2)), "balanced", r"by chip and class: got shape \(2, 2, 2\)"),
        ([], "balanced", "got none"),
    ],
)
def test_counts_that_cannot_work_are_refused(counts, rule, message):
    with pytest.raises(UsageError, match=message):
        class_weights(counts, rule)


def test_beta_is_a_share():
    with pytest.raises(UsageError, match="beta must be at least 0 and below 1: got 1 "):
        class_weights([1, 2], "effective_number", beta=1)


# No framework


def test_names_are_read_without_a_framework():
    code = (
        "import sys; from rs_workbench.training.losses import parse_loss; parse_loss('dice');"
        "print(sorted({'torch', 'keras', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ast.literal_eval(done.stdout) == []
