"""The n-gram side is fitted: a logistic regression on log-count ratios (Wang and Manning 2012)."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sentiment.logits import mean_loss
from sentiment.machine import slices
from sentiment.model.classifier import Preprocessing
from sentiment.model.ngrams import ROOT, Ngrams
from sentiment.reviews.beside import alone
from sentiment.reviews.sentences import sentences
from sentiment.reviews.sources import Reviews
from sentiment.reviews.splits import limit
from sentiment.training.calibration import fit_temperature
from sentiment.training.loss import balanced_weights

MOST = 50_000  # reviews that it is fitted on; memory grows with them
LEAST = 5  # reviews that an n-gram must be in
STRENGTHS = (3.0, 10.0, 30.0)  # scikit-learn's C: the inverse of the regularisation
HELD_OUT = 0.2  # share of the reviews on which the strength is chosen
PASSES = 30  # of the solver, which is close enough then
# Single sentences of each review, and what one counts, as each short text of --also does: they make
# it better at short texts.
SENTENCES, SENTENCE_WEIGHT = 2, 0.1
NEUTRAL = 0.8  # pairs of sentences that judge nothing, for each review, with each label


def matrix(reviews: Reviews, preprocessing: Preprocessing, ngrams: Ngrams) -> sparse.csr_matrix:
    """float32 [N, places]: 1 where a review has an n-gram."""

    def read(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return ngrams.places(preprocessing.tokens(texts))

    size = 256
    texts = slices(reviews.texts).batch(size)
    parts = list(texts.map(read, tf.data.AUTOTUNE).as_numpy_iterator())
    rows = np.concatenate([row + number * size for number, (row, _) in enumerate(parts)])
    places = np.concatenate([place for _, place in parts]).astype(np.int32)
    shape = (len(reviews.ids), ngrams.size)
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, places)), shape)


def fit(
    reviews: Reviews,
    preprocessing: Preprocessing,
    labels: int,
    seed: int,
    balanced: bool,
    with_sentences: bool,
    also: Reviews | None = None,
) -> Ngrams:
    """The n-gram side of these reviews; its strength is chosen among them.

    Of more than two labels each is fitted against the rest. `balanced`: each label counts alike.
    `with_sentences`: single sentences of the reviews are learnt from besides, and others that judge
    nothing; and the short texts `also`.
    """
    reviews = limit(reviews, MOST, seed)
    ngrams = Ngrams(labels)
    texts = reviews
    for number in range(SENTENCES if with_sentences else 0):
        texts = texts.join(sentences(reviews, number))
    texts = texts.join(also) if also else texts
    counts_as = np.full(len(texts.ids), SENTENCE_WEIGHT)
    counts_as[: len(reviews.ids)] = 1
    if with_sentences:
        nothing = alone(round(NEUTRAL * len(reviews.ids)), seed)
        # As often of each label as the reviews are, so that they move no label's odds.
        shares = np.bincount(reviews.labels, minlength=labels) / len(reviews.ids)
        for label in np.flatnonzero(shares):
            same = np.full(len(nothing), label, np.int32)
            texts = texts.join(Reviews(nothing, same, [""] * len(nothing), ""))
            counts_as = np.append(counts_as, np.full(len(nothing), labels * shares[label]))
    found = matrix(texts, preprocessing, ngrams)
    counts = np.asarray(found.sum(axis=1)).ravel()
    of_reviews = found[: len(reviews.ids)]
    kept = np.flatnonzero(np.asarray(of_reviews.sum(axis=0)).ravel() >= LEAST)
    found = (sparse.diags(np.maximum(counts, 1) ** -ROOT) @ found[:, kept]).tocsr()
    chosen = np.random.default_rng(seed).permutation(len(reviews.ids))
    held = np.isin(texts.ids, [reviews.ids[row] for row in chosen[: round(HELD_OUT * len(chosen))]])
    table, constant = np.zeros((ngrams.size, ngrams.width), np.float32), np.zeros(ngrams.width)
    for column in range(ngrams.width if len(kept) else 0):
        truth = texts.labels == (1 if ngrams.width == 1 else column)
        rows = Rows(found, truth, counts_as, np.arange(len(truth)) < len(reviews.ids))
        table[kept, column], constant[column] = fit_one(rows, held, seed, balanced)
    ngrams.table.assign(table)
    ngrams.constant.assign(constant)
    return ngrams


class Rows(NamedTuple):
    """Reviews, and sentences beside them, to tell one label from the rest."""

    features: sparse.csr_matrix
    truth: np.ndarray  # bool [N]
    counts_as: np.ndarray  # float [N]: a review 1, a sentence of one less
    is_review: np.ndarray  # bool [N]

    def take(self, which: np.ndarray) -> Rows:
        return Rows(*(one[which] for one in self))


def fit_one(rows: Rows, held: np.ndarray, seed: int, balanced: bool) -> tuple[np.ndarray, float]:
    """(weight of each feature, constant) of one label against the rest, of which the rows that are
    `held`, bool [N], choose the strength: that of the least loss.
    """
    if rows.truth.all() or not rows.truth.any():  # none of a rare label is among MOST reviews
        odds = (rows.truth.sum() + 0.5) / ((~rows.truth).sum() + 0.5)
        return np.zeros(rows.features.shape[1], np.float32), float(np.log(odds))
    # By reviews alone: it solves three times, and their sentences would make each slower.
    best, rest = STRENGTHS[0], rows.take(~held & rows.is_review)
    asked = rows.take(held & rows.is_review)
    if len(set(rest.truth)) == len(set(asked.truth)) == 2:
        truth = asked.truth.astype(int)
        counts_as = balanced_weights(truth, 2)[truth] if balanced else None
        losses = []  # by accuracy, which turns on few reviews, a coin would choose
        for strength in STRENGTHS:
            weights, constant = solve(rest, strength, seed, balanced)
            logits = asked.features @ weights + constant
            logits = logits / fit_temperature(logits, truth, counts_as)  # as the mixture has them
            losses.append(mean_loss(logits, truth, counts_as))
        best = STRENGTHS[int(np.argmin(losses))]
    return solve(rows, best, seed, balanced)


def solve(rows: Rows, strength: float, seed: int, balanced: bool) -> tuple[np.ndarray, float]:
    """(weight of each feature, constant) at a strength."""
    reviews = rows.take(rows.is_review)
    with_one, without = (
        np.asarray((reviews.features[reviews.truth == one] > 0).sum(0)) + 1 for one in (1, 0)
    )
    ratios = np.log((with_one / with_one.sum()) / (without / without.sum())).ravel()
    solver = LogisticRegression(
        C=strength,
        solver="liblinear",
        dual=True,
        max_iter=PASSES,
        tol=0.02,
        class_weight="balanced" if balanced else None,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weighted = (rows.features @ sparse.diags(ratios)).tocsr()
        solver.fit(weighted, rows.truth, sample_weight=rows.counts_as)
    return solver.coef_[0] * ratios, float(solver.intercept_[0])
