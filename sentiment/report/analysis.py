"""What an evaluation shows beyond its figures: where it is right, how sure, against another model.

Arrays are [N]; `right` is bool, labels are numbers, probabilities are of the second label, or
[N, labels] of more than two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats
from sklearn import metrics as sklearn_metrics

from sentiment.logits import by_label
from sentiment.logits import probabilities as probabilities_of
from sentiment.report import metrics

RESAMPLES = 1000
POINTS = 200  # of a curve, at most


def by_band(values: np.ndarray, edges: Sequence[float], right: np.ndarray) -> list[dict[str, Any]]:
    """Accuracy by bands of `values`, each [edge, next edge), the last one closed."""
    rows = []
    number = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    for band, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        inside = right[number == band]
        if len(inside):
            interval = metrics.wilson_interval(int(inside.sum()), len(inside))
            row = {"from": float(low), "to": float(high), "reviews": len(inside)}
            rows.append(row | {"accuracy": float(inside.mean()), "interval_95": list(interval)})
    return rows


def confidences(logits: np.ndarray, threshold: float) -> np.ndarray:
    """float [N]: how sure the label is, given the threshold from which it is the second of two.

    At the threshold 0.5, and of more than two labels, it is the predicted label's probability.
    """
    if logits.ndim == 2:
        return probabilities_of(logits).max(axis=1)
    threshold = np.clip(threshold, 1e-7, 1 - 1e-7)  # a saved one can be a float32 score of 1
    return probabilities_of(np.abs(logits - np.log(threshold / (1 - threshold))))


def operating_points(labels: np.ndarray, probabilities: np.ndarray) -> list[dict[str, float]]:
    """What every threshold gives: the points of the ROC and the precision-recall curve.

    Both labels must be there. From the highest threshold down.
    """
    false, true, thresholds = sklearn_metrics.roc_curve(labels, probabilities)
    chosen = np.unique(np.linspace(1, len(thresholds) - 1, POINTS).round().astype(int))
    positive = np.sum(labels == 1)
    found = []
    for row in chosen:  # the first one, at infinity, calls nothing positive
        hits, misses = true[row] * positive, false[row] * (len(labels) - positive)
        found.append(
            {
                "threshold": float(thresholds[row]),
                "false_positive_rate": float(false[row]),
                "recall": float(true[row]),
                "precision": float(hits / (hits + misses)),
            }
        )
    return found


def histogram(labels: np.ndarray, probabilities: np.ndarray) -> list[dict[str, float]]:
    """Reviews of each of two labels (0 is `negative`) by bins of their score; of more labels,
    those that were called wrongly (`negative`) and rightly by bins of their confidence.
    """
    if probabilities.ndim == 2:
        probabilities, labels = metrics.confidence_and_right(labels, probabilities)
    edges = np.linspace(0, 1, 26)
    negative, positive = (np.histogram(probabilities[labels == one], edges)[0] for one in (0, 1))
    return [
        {"from": float(low), "to": float(high), "negative": int(no), "positive": int(yes)}
        for low, high, no, yes in zip(edges[:-1], edges[1:], negative, positive, strict=True)
    ]


def coverage(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, float]]:
    """Accuracy if only the surest share of the reviews were answered, by share."""
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    rows = []
    for share in np.arange(0.05, 1.001, 0.05):
        last = max(round(share * len(order)), 1) - 1
        least = float(confidence[order[last]])
        row = {"share": round(float(share), 2), "accuracy": float(accuracy[last])}
        rows.append(row | {"least_confidence": least})
    return rows


def intervals(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray, seed: int = 0
) -> dict[str, list[float]]:
    """95 % intervals of the figures of metrics.evaluate: percentiles over resampled reviews.

    (Efron 1979.) A resample is a count of each review; a figure that it leaves undefined is left
    out. The area under the ROC curve has one where there are two labels.
    """
    chance = np.random.default_rng(seed)
    count, every = len(labels), by_label(probabilities)
    wanted = [1] if every.shape[1] == 2 else range(every.shape[1])
    losses = -np.log(np.clip(every[np.arange(count), labels], 1e-15, 1))
    squares = np.sum((every - np.eye(every.shape[1])[labels]) ** 2, axis=1)
    if len(wanted) == 1:
        squares /= 2  # as metrics.brier counts two labels
        order = np.argsort(probabilities, kind="stable")
        starts = np.flatnonzero(np.diff(probabilities[order], prepend=-1))  # of equal ones
    found: dict[str, list[float]] = {}
    for _ in range(RESAMPLES):
        times = np.bincount(chance.integers(0, count, count), minlength=count).astype(float)
        true = [times[labels == one].sum() for one in wanted]
        named = [times[predicted == one].sum() for one in wanted]
        hits = [times[(labels == one) & (predicted == one)].sum() for one in wanted]
        figures = {
            "precision": mean_share(hits, named),
            "recall": mean_share(hits, true),
            "f1": mean_share(2 * np.array(hits), np.array(true) + named),
            "log_loss": times @ losses / count,
            "brier": times @ squares / count,
        }
        if len(wanted) == 1:
            positive, negative = times * (labels == 1), times * (labels == 0)
            above = np.add.reduceat(positive[order], starts)
            below = np.add.reduceat(negative[order], starts)
            pairs = np.sum(above * (np.cumsum(below) - below / 2))
            figures["roc_auc"] = mean_share([pairs], [positive.sum() * negative.sum()])
        for name, value in figures.items():
            if not np.isnan(value):
                found.setdefault(name, []).append(value)
    return {name: np.percentile(values, [2.5, 97.5]).tolist() for name, values in found.items()}


def mean_share(parts: Sequence[float], wholes: Sequence[float]) -> float:
    """Mean of part / whole, undefined ones left out; not a number where none is defined."""
    defined = [part / whole for part, whole in zip(parts, wholes, strict=True) if whole]
    return sum(defined) / len(defined) if defined else float("nan")


def at_threshold(
    labels: np.ndarray, probabilities: np.ndarray, threshold: float
) -> dict[str, float]:
    """Accuracy, precision and recall when reviews are positive from `threshold` on."""
    found = metrics.evaluate(labels, probabilities, (probabilities >= threshold).astype(int))
    names = ("accuracy", "precision", "recall", "f1")
    return {"threshold": threshold} | {name: found[name] for name in names}


def compare(right: np.ndarray, other_right: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Two models on the same reviews: difference of accuracy with its paired bootstrap interval,
    and McNemar's exact test (McNemar 1947) on the reviews that only one of them gets right.
    """
    count = len(right)
    only, other = int(np.sum(right & ~other_right)), int(np.sum(other_right & ~right))
    # Resampling reviews is drawing the counts of the three kinds of them.
    shares = np.array([only, other, count - only - other]) / count
    draws = np.random.default_rng(seed).multinomial(count, shares, size=10 * RESAMPLES)
    low, high = np.percentile((draws[:, 0] - draws[:, 1]) / count, [2.5, 97.5])
    p_value = float(stats.binomtest(only, only + other).pvalue) if only + other else 1.0
    return {
        "reviews": count,
        "accuracy": float(right.mean()),
        "other_accuracy": float(other_right.mean()),
        "difference": (only - other) / count,
        "difference_interval_95": [float(low), float(high)],
        "only_this_right": only,
        "only_other_right": other,
        "mcnemar_p_value": p_value,
    }
