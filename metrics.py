"""From scores and labels to figures. scikit-learn does what it has; the intervals are here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics


def wilson_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share, 95 % by default (Wilson 1927)."""
    share, spread = correct / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / total / 4)
    return middle - half, middle + half


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
        "confusion": confusion.tolist(),
    }
