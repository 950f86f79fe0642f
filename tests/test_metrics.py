"""Figures on literals."""

import math

import numpy as np
import pandas as pd
import pytest

from sentiment.logits import probabilities as probabilities_of
from sentiment.report import metrics, plots
from sentiment.training import calibration


def test_figures_of_four_reviews():
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = metrics.evaluate(labels, np.array([0.1, 0.6, 0.5, 0.9], np.float32), predicted)
    assert found["reviews"] == 4
    assert found["accuracy"] == 0.75
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == 1.0
    assert found["f1"] == pytest.approx(0.8)
    assert found["roc_auc"] == 0.75
    losses = [-math.log(p) for p in (0.9, 0.4, 0.5, 0.9)]
    assert found["log_loss"] == pytest.approx(sum(losses) / 4)
    assert found["confusion"] == [[1, 1], [0, 2]]


@pytest.mark.parametrize("label", [0, 1])
def test_what_one_label_leaves_undefined_is_none(label):
    labels = np.full(3, label)
    found = metrics.evaluate(labels, np.array([0.2, 0.4, 0.9]), np.array([0, 0, 1]))
    assert found["roc_auc"] is None
    assert sum(map(sum, found["confusion"])) == 3
    assert found["recall"] == (None, pytest.approx(1 / 3))[label]
    assert (found["precision"], found["majority_share"]) == (float(label), 1.0)
    assert math.isfinite(found["log_loss"])


def test_certain_and_wrong_is_a_finite_loss():
    found = metrics.evaluate(np.array([0, 1]), np.array([1, 0], np.float32), np.array([1, 0]))
    assert math.isfinite(found["log_loss"]) and found["roc_auc"] == 0.0


def test_temperature_undoes_overconfidence():
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, 50_000)
    labels = (chance.random(50_000) < probabilities_of(logits)).astype(np.float32)
    assert calibration.fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.03)
    before, after = (probabilities_of(factor * logits) for factor in (3, 1))
    assert metrics.calibration_error(labels, after) < 0.01
    assert metrics.calibration_error(labels, before) > 0.05
    assert metrics.brier(labels, after) < metrics.brier(labels, before)


def test_calibration_error_and_brier_score_of_four_reviews():
    labels, probabilities = np.array([1, 1, 0, 0]), np.array([0.9, 0.9, 0.9, 0.35])
    # One bin holds three reviews at 0.9, of which two are right; the other one at 0.65, right.
    expected = (3 * abs(2 / 3 - 0.9) + abs(1 - 0.65)) / 4
    assert metrics.calibration_error(labels, probabilities) == pytest.approx(expected)
    assert metrics.brier(labels, probabilities) == pytest.approx((0.01 + 0.01 + 0.81 + 0.35**2) / 4)


@pytest.mark.parametrize(
    "correct, total, low, high",
    [
        (8, 10, 0.4902, 0.9433),
        (10, 10, 0.7225, 1.0),
        (0, 10, 0.0, 0.2775),
        (4550, 5000, 0.9017, 0.9176),
    ],
)
def test_wilson_interval_of_known_shares(correct, total, low, high):
    assert metrics.wilson_interval(correct, total) == pytest.approx((low, high), abs=1e-4)


def test_history_of_one_epoch_makes_a_figure(tmp_path):
    row = {"epoch": 1, "train_loss": 0.5, "dev_loss": 0.4}
    row |= {"train_accuracy": 0.8, "dev_accuracy": 0.85}
    curve = pd.DataFrame({"step": [5, 10], "train_loss": [0.7, 0.5], "train_accuracy": [0.5, 0.7]})
    plots.history(pd.DataFrame([row]), curve, 10, 1, tmp_path / "history.png")
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")


def test_temperature_is_1_where_all_is_right():
    assert calibration.fit_temperature(np.array([-1.0, 2.0]), np.array([0, 1])) == 1
