"""From scores and labels to figures. scikit-learn does what it has; the intervals are here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics

from sentiment.logits import by_label, mean_loss
from sentiment.logits import predicted as predicted_by
from sentiment.logits import probabilities as probabilities_of
from sentiment.scoring.infer import Predictions


def wilson_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share, 95 % by default (Wilson 1927)."""
    share, spread = correct / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / total / 4)
    return middle - half, middle + half


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared difference of probability and label (Brier 1950); of more than two labels, the
    sum over them.
    """
    if probabilities.ndim == 1:
        return float(np.mean((probabilities - labels) ** 2))
    truth = np.eye(probabilities.shape[1])[labels]
    return float(np.mean(np.sum((probabilities - truth) ** 2, axis=1)))


def confidence_and_right(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """([N] probability of the most probable label, [N] whether it is the true one)."""
    every = by_label(probabilities)
    last = every.shape[1] - 1
    named = last - every[:, ::-1].argmax(axis=1)  # of two equal ones the second
    return every.max(axis=1), named == labels


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> list[dict]:
    """Rows of a reliability diagram: equal-width bins of [0, 1], those without a review left out.

    The confidence is the probability of the predicted class (Guo et al. 2017, arXiv 1706.04599).
    """
    confidence, right = confidence_and_right(labels, probabilities)
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        {
            "from": int(one) / bins,
            "to": (int(one) + 1) / bins,
            "reviews": int(np.sum(number == one)),
            "confidence": float(np.mean(confidence[number == one])),
            "accuracy": float(np.mean(right[number == one])),
        }
        for one in np.unique(number)
    ]


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error: mean of |accuracy - confidence| over the bins, by their size."""
    rows = reliability(labels, probabilities)
    gaps = sum(abs(row["accuracy"] - row["confidence"]) * row["reviews"] for row in rows)
    return gaps / len(labels)


def evaluate(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray, names: Sequence[str] = ()
) -> dict[str, Any]:
    """Metrics of a model: true labels' numbers [N], probabilities, predicted labels' numbers [N].

    Precision, recall and F1 are the second label's where there are two, else means over the labels
    (macro), and `per_label` has each one's by its name. A figure that the data does not define (one
    label only, none of a label) is None.
    """
    exact = probabilities.astype(np.float64)
    if exact.ndim == 2:  # in float32 they add up to 1 within 1e-7, which scikit-learn remarks on
        exact /= exact.sum(axis=1, keepdims=True)
    count = by_label(probabilities).shape[1]
    numbers = list(range(count))
    correct = int(np.sum(labels == predicted))
    low, high = wilson_interval(correct, len(labels))
    figures = partial(
        sklearn_metrics.precision_recall_fscore_support,
        labels,
        predicted,
        labels=numbers,
        zero_division=np.nan,
    )
    *every, support = figures()
    means = [one[1] for one in every] if count == 2 else figures(average="macro")[:3]
    precision, recall, f1 = map(defined, means)
    complete = len(np.unique(labels)) == count
    area = {} if count == 2 else {"multi_class": "ovr"}
    found = {
        "reviews": len(labels),
        "accuracy": correct / len(labels),
        "accuracy_interval_95": [low, high],
        "majority_share": float(support.max() / len(labels)),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "roc_auc": float(sklearn_metrics.roc_auc_score(labels, probabilities, **area))
        if complete
        else None,
        "log_loss": float(sklearn_metrics.log_loss(labels, exact, labels=numbers)),
        "brier": brier(labels, probabilities),
        "calibration_error": calibration_error(labels, probabilities),
        "confusion": sklearn_metrics.confusion_matrix(labels, predicted, labels=numbers).tolist(),
    }
    if count > 2:
        found["per_label"] = {
            name: {
                "reviews": int(support[number]),
                "precision": defined(every[0][number]),
                "recall": defined(every[1][number]),
                "f1": defined(every[2][number]),
            }
            for number, name in enumerate(names)
        }
    return found


def defined(value: float) -> float | None:
    """A figure, or None where the data does not define it."""
    return None if math.isnan(value) else float(value)


def of_predictions(
    labels: np.ndarray, predictions: Predictions, details: dict[str, Any]
) -> dict[str, Any]:
    """`evaluate` of an exported model's predictions, with the share of reviews that its max length
    cut, and what Brier score and calibration error were before the temperature was fitted on dev.
    """
    predicted = np.array([details["labels"].index(label) for label in predictions.labels])
    both = predictions.encoder_logits is not None
    alone = predictions.encoder_logits if both else predictions.logits
    asked = ~np.isnan(alone.reshape(len(labels), -1)[:, 0])  # of all, but for --fast
    before = probabilities_of(alone[asked] * details["temperature"])
    cut = predictions.token_counts > details["settings"]["max_length"]
    names = details["labels"]
    found = evaluate(labels, predictions.probabilities, predicted, names)
    if asked.any():
        found["before_temperature"] = {
            "brier": brier(labels[asked], before),
            "calibration_error": calibration_error(labels[asked], before),
        }
    found["share_cut"] = float(np.mean(cut))
    if both:
        found["share_early"] = float(np.mean(~asked))
        found["sides"] = {"ngrams": of_side(labels, predictions.ngram_logits)}
        if asked.all():
            found["sides"]["encoder"] = of_side(labels, alone)
    return found


def of_side(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """What one side comes to alone: of two labels the second from logit 0 on."""
    right = predicted_by(logits) == labels
    return {"accuracy": float(np.mean(right)), "log_loss": mean_loss(logits, labels)}
