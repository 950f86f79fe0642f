"""From scores and labels to figures. scikit-learn does what it has; the intervals are here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import optimize
from sklearn import metrics as sklearn_metrics

from sentiment.scoring.infer import Predictions


def wilson_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share, 95 % by default (Wilson 1927)."""
    share, spread = correct / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / total / 4)
    return middle - half, middle + half


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that gives `labels` (0/1, [N]) the least log-loss, between 0.1 and 10.

    1 where every label is predicted right: any lower one would be better still.
    """
    if np.all((logits >= 0) == (labels == 1)):
        return 1.0

    def log_loss(logarithm: float) -> float:
        scaled = logits / math.exp(logarithm)
        return float(np.mean(np.logaddexp(0, scaled) - labels * scaled))

    bounds = (math.log(0.1), math.log(10))
    return math.exp(optimize.minimize_scalar(log_loss, bounds=bounds, method="bounded").x)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared difference of probability and label (Brier 1950)."""
    return float(np.mean((probabilities - labels) ** 2))


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> list[dict]:
    """Rows of a reliability diagram: equal-width bins of [0, 1], those without a review left out.

    The confidence is the probability of the predicted class (Guo et al. 2017, arXiv 1706.04599).
    """
    predicted = probabilities >= 0.5
    confidence = np.where(predicted, probabilities, 1 - probabilities)
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    right = predicted == (labels == 1)
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
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray
) -> dict[str, Any]:
    """Metrics of a two-class model. All arguments are [N]: 0/1, probability of 1, 0/1.

    A figure that the data does not define (one label only) is None.
    """
    correct = int(np.sum(labels == predicted))
    low, high = wilson_interval(correct, len(labels))
    precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
        labels, predicted, average="binary", zero_division=0
    )
    both = len(np.unique(labels)) == 2
    confusion = sklearn_metrics.confusion_matrix(labels, predicted, labels=[0, 1])
    return {
        "reviews": len(labels),
        "accuracy": correct / len(labels),
        "accuracy_interval_95": [low, high],
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "roc_auc": float(sklearn_metrics.roc_auc_score(labels, probabilities)) if both else None,
        "log_loss": float(
            sklearn_metrics.log_loss(labels, probabilities.astype(np.float64), labels=[0, 1])
        ),
        "brier": brier(labels, probabilities),
        "calibration_error": calibration_error(labels, probabilities),
        "confusion": confusion.tolist(),
    }


def of_predictions(
    labels: np.ndarray, predictions: Predictions, details: dict[str, Any]
) -> dict[str, Any]:
    """`evaluate` of an exported model's predictions, with the share of reviews that its max length
    cut, and what Brier score and calibration error were before the temperature was fitted on dev.
    """
    predicted = np.array([details["labels"].index(label) for label in predictions.labels])
    before = sigmoid(predictions.logits * details["temperature"])
    cut = predictions.token_counts > details["settings"]["max_length"]
    return evaluate(labels, predictions.probabilities, predicted) | {
        "before_temperature": {
            "brier": brier(labels, before),
            "calibration_error": calibration_error(labels, before),
        },
        "share_cut": float(np.mean(cut)),
    }
