"""What logits and probabilities say, for any number of labels (NumPy alone).

With two labels a text has one logit, the log-odds of the second, and one probability, that of the
second: arrays are [N]. With more it has one of each a label: arrays are [N, labels].
"""

from __future__ import annotations

import numpy as np


def log_sum_exp(logits: np.ndarray) -> np.ndarray:
    """Float [N] of [N, labels]."""
    return np.logaddexp.reduce(logits, axis=1)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Float, in the shape of the logits."""
    if logits.ndim == 1:
        return 1 / (1 + np.exp(-logits))
    return np.exp(logits - log_sum_exp(logits)[:, None])


def by_label(probabilities: np.ndarray) -> np.ndarray:
    """Float [N, labels]: of each label, two labels included."""
    if probabilities.ndim == 2:
        return probabilities
    return np.stack([1 - probabilities, probabilities], 1)


def predicted(logits: np.ndarray) -> np.ndarray:
    """Int [N]: the number of the most probable label; of two equal ones the second."""
    return (logits >= 0).astype(int) if logits.ndim == 1 else logits.argmax(axis=1)


def mean_loss(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean cross-entropy in nats; `labels` are numbers [N], `weights` what each text counts."""
    if logits.ndim == 1:
        losses = np.logaddexp(0, logits) - labels * logits
    else:
        chosen = np.take_along_axis(logits, labels.astype(int)[:, None], 1)[:, 0]
        losses = log_sum_exp(logits) - chosen
    return float(np.average(losses, weights=weights))


def log_odds(logits: np.ndarray, label: int) -> np.ndarray:
    """Float [N]: of a label against the rest; of two labels it is always the second's."""
    if logits.ndim == 1:
        return logits
    return logits[:, label] - log_sum_exp(np.delete(logits, label, 1))
