"""What logits are worth, fitted on dev: a temperature, and the weights of two sides.

Logits are [N], or [N, labels] of more than two labels; `labels` are their numbers, [N].
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize

from sentiment.logits import by_label, mean_loss, predicted, probabilities

FOLDS = 5
LARGEST_WEIGHT = 10.0
# Of dev accuracy, that --fast may cost: a third of the 0.001 that it may elsewhere. Dev's reviews
# are of the same films as those that were learnt from, whose names the n-gram side knows; and what
# 25,000 reviews lose lies some 0.0004 around what is to be expected.
FAST_COST = 0.0003


def fit_temperature(
    logits: np.ndarray, labels: np.ndarray, of_rows: np.ndarray | None = None
) -> float:
    """The temperature that gives the least log-loss, from 0.1 to 10 (Guo et al. 2017, arXiv
    1706.04599): 1 where every label is predicted right, as any lower one would be better still.
    `of_rows`, float [N], is what each row counts.
    """
    if np.all(predicted(logits) == labels):
        return 1.0
    bounds = (math.log(0.1), math.log(10))
    found = optimize.minimize_scalar(
        lambda logarithm: mean_loss(logits / math.exp(logarithm), labels, of_rows),
        bounds=bounds,
        method="bounded",
    )
    return math.exp(found.x)


def divide_logits(network: Any, temperature: float) -> None:
    """Calibrate: every logit from now on is divided by `temperature`. The network's last layer is
    linear, so its own weights take the division.
    """
    for variable in network.get_layer("classifier").variables:
        variable.assign(variable / temperature)


class Weights(NamedTuple):
    """What both sides' logits weigh in the answer."""

    encoder: float
    ngrams: float
    constant: np.ndarray  # [1], or [labels] of more than two

    def mix(self, encoder: np.ndarray, ngrams: np.ndarray) -> np.ndarray:
        mixed = self.encoder * encoder + self.ngrams * ngrams
        return mixed + (self.constant[0] if mixed.ndim == 1 else self.constant)


def fit_weights(
    encoder: np.ndarray, ngrams: np.ndarray, labels: np.ndarray, of_rows: np.ndarray
) -> Weights:
    """The weights, not below 0, and the constant that give the least log-loss.

    `of_rows`, float [N], is what each row counts.
    """
    width = 1 if encoder.ndim == 1 else encoder.shape[1]

    def loss(values: np.ndarray) -> float:
        mixed = Weights(values[0], values[1], values[2:]).mix(encoder, ngrams)
        return mean_loss(mixed, labels, of_rows)

    bounds = [(0, LARGEST_WEIGHT)] * 2 + [(-LARGEST_WEIGHT, LARGEST_WEIGHT)] * width
    start = np.array([1.0, 0.0] + [0.0] * width)  # a side that says nothing stays at 0
    found = optimize.minimize(loss, start, bounds=bounds, method="L-BFGS-B").x
    return Weights(float(found[0]), float(found[1]), found[2:])


def cross_fitted(
    encoder: np.ndarray,
    ngrams: np.ndarray,
    labels: np.ndarray,
    of_rows: np.ndarray,
    review: np.ndarray,
) -> np.ndarray:
    """The mixed logits of each fifth, its weights fitted on the others. What is of the same
    `review`, int [N], is in the same fifth.
    """
    mixed = np.zeros_like(encoder)
    fold = (np.random.default_rng(0).permutation(review.max() + 1) % FOLDS)[review]
    for number in range(FOLDS):
        rest, inside = fold != number, fold == number
        weights = fit_weights(encoder[rest], ngrams[rest], labels[rest], of_rows[rest])
        mixed[inside] = weights.mix(encoder[inside], ngrams[inside])
    return mixed


def surest_from(mixed: np.ndarray, ngrams: np.ndarray, of_rows: np.ndarray) -> tuple[float, float]:
    """(the n-gram side's probability from which on it answers alone, the share that does): as many
    as cost at most FAST_COST of accuracy. A probability above 1 where that is none.

    What an early answer costs is how much less probable both sides together find it than theirs:
    of so few texts as get another answer the labels say little.
    """
    sure = by_label(probabilities(ngrams)).max(axis=1)
    both = by_label(probabilities(mixed))
    alone = np.take_along_axis(both, predicted(ngrams)[:, None], axis=1)[:, 0]
    order = np.argsort(-sure, kind="stable")
    lost = np.cumsum(((both.max(axis=1) - alone) * of_rows)[order])  # by answering so many early
    ends = np.flatnonzero(np.diff(sure[order], append=-1))  # equal ones go together
    good = ends[lost[ends] <= FAST_COST * of_rows.sum()]
    if not len(good):
        return 2.0, 0.0
    return float(sure[order[good[-1]]]), float((good[-1] + 1) / len(sure))


def describe(mixed: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What logits come to."""
    return {
        "dev_accuracy": float(np.mean(predicted(mixed) == labels)),
        "dev_loss": mean_loss(mixed, labels),
    }
