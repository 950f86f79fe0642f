"""The probability from which on a review is positive: chosen on dev, and applied to probabilities
that are known. A new model's, and what an export itself answers by, is in `model/export.py`; each
version says its own in model.json, and `model/republish.py` gives it another. With more than two
labels there is none: the most probable one is the answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sentiment.errors import UserError


def labels_of(probabilities: np.ndarray, details: dict[str, Any]) -> list[str]:
    """The label of each, as the export names it."""
    if probabilities.ndim == 2:
        return [details["labels"][number] for number in probabilities.argmax(axis=1)]
    positive = probabilities >= np.float32(details["threshold"])
    return [details["labels"][number] for number in positive.astype(int)]


def threshold_for_precision(labels: np.ndarray, probabilities: np.ndarray, target: float) -> float:
    """The lowest threshold from which on the positive answers' precision is at least `target`.

    Choose it on dev. Raises UserError when no threshold gives it.
    """
    order = np.argsort(-probabilities, kind="stable")
    precision = np.cumsum(labels[order] == 1) / np.arange(1, len(order) + 1)
    ends = np.flatnonzero(np.diff(probabilities[order], append=-1))  # equal ones go together
    good = ends[precision[ends] >= target]
    if not len(good):
        best = float(precision[ends].max())
        raise UserError(f"--target-precision {target}: at most {best:.4f} is reached on dev")
    return float(probabilities[order[good[-1]]])
