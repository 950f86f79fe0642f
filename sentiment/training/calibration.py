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


class Sides(NamedTuple):
    """What both sides say of some texts, and what is to be said."""

    encoder: np.ndarray  # logits, float [N] or [N, labels]
    ngrams: np.ndarray
    short: np.ndarray  # float [N], from 0 of a review to 1 of a short text
    labels: np.ndarray  # int [N]
    of_rows: np.ndarray  # float [N]: what each text counts
    group: np.ndarray  # int [N]: a number that it has in common with what belongs together

    def take(self, which: np.ndarray) -> Sides:
        return Sides(*(one[which] for one in self))

    def join(self, other: Sides) -> Sides:
        return Sides(*(np.concatenate(both) for both in zip(self, other, strict=True)))

    def mix(self, weights: np.ndarray) -> np.ndarray:
        """Logits, weighed: [2, 2 + constants], for reviews and for short texts."""
        of_texts = np.outer(1 - self.short, weights[0]) + np.outer(self.short, weights[1])
        if self.encoder.ndim == 1:
            return (
                of_texts * np.stack([self.encoder, self.ngrams, np.ones_like(self.short)], 1)
            ).sum(1)
        encoder, ngrams = of_texts[:, :1] * self.encoder, of_texts[:, 1:2] * self.ngrams
        return encoder + ngrams + of_texts[:, 2:]


def fit_weights(sides: Sides, apart: bool = False) -> np.ndarray:
    """float [2, 2 + constants]: for reviews, and for short texts where those are weighed `apart`,
    the weights of the encoder and of the n-grams, not below 0, and the constant (or one a label of
    more than two) that give the least log-loss.
    """
    width = 1 if sides.encoder.ndim == 1 else sides.encoder.shape[1]
    shape = (2 if apart else 1, 2 + width)

    def of(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values.reshape(shape), (2, 2 + width))

    bounds = [(0, LARGEST_WEIGHT)] * 2 + [(-LARGEST_WEIGHT, LARGEST_WEIGHT)] * width
    start = [1.0, 0.0] + [0.0] * width  # a side that says nothing stays at 0
    found = optimize.minimize(
        lambda values: mean_loss(sides.mix(of(values)), sides.labels, sides.of_rows),
        np.array(start * shape[0]),
        bounds=bounds * shape[0],
        method="L-BFGS-B",
    )
    return of(found.x)


def cross_fitted(sides: Sides, apart: bool = False) -> np.ndarray:
    """The mixed logits of each fifth, its weights fitted on the others. What is of the same group
    is in the same fifth.
    """
    mixed = np.zeros_like(sides.encoder)
    fold = (np.random.default_rng(0).permutation(sides.group.max() + 1) % FOLDS)[sides.group]
    for number in range(FOLDS):
        weights = fit_weights(sides.take(fold != number), apart)
        mixed[fold == number] = sides.take(fold == number).mix(weights)
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
