"""The n-gram side is fitted: a logistic regression on log-count ratios (Wang and Manning 2012)."""

from __future__ import annotations

import warnings

import numpy as np
import tensorflow as tf
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sentiment.model.classifier import Preprocessing
from sentiment.model.ngrams import ROOT, Ngrams
from sentiment.reviews.sources import Reviews
from sentiment.reviews.splits import limit

MOST = 50_000  # reviews that it is fitted on; memory grows with them
LEAST = 5  # reviews that an n-gram must be in
STRENGTHS = (3.0, 10.0, 30.0)  # scikit-learn's C: the inverse of the regularisation
HELD_OUT = 0.2  # share of the reviews on which the strength is chosen
PASSES = 30  # of the solver, which is close enough then


def matrix(reviews: Reviews, preprocessing: Preprocessing, ngrams: Ngrams) -> sparse.csr_matrix:
    """float32 [N, places]: 1 where a review has an n-gram."""

    def read(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return ngrams.places(preprocessing.tokens(texts))

    size = 256
    texts = tf.data.Dataset.from_tensor_slices(reviews.texts).batch(size)
    parts = list(texts.map(read, tf.data.AUTOTUNE).as_numpy_iterator())
    rows = np.concatenate([row + number * size for number, (row, _) in enumerate(parts)])
    places = np.concatenate([place for _, place in parts]).astype(np.int32)
    shape = (len(reviews.ids), ngrams.size)
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, places)), shape)


def fit(
    reviews: Reviews, preprocessing: Preprocessing, labels: int, seed: int, balanced: bool
) -> Ngrams:
    """The n-gram side of these reviews; its strength is chosen among them.

    Of more than two labels each is fitted against the rest. `balanced`: each label counts alike.
    """
    reviews = limit(reviews, MOST, seed)
    ngrams = Ngrams(labels)
    found = matrix(reviews, preprocessing, ngrams)
    counts = np.asarray(found.sum(axis=1)).ravel()
    kept = np.flatnonzero(np.asarray(found.sum(axis=0)).ravel() >= LEAST)
    found = (sparse.diags(np.maximum(counts, 1) ** -ROOT) @ found[:, kept]).tocsr()
    table, constant = np.zeros((ngrams.size, ngrams.width), np.float32), np.zeros(ngrams.width)
    for column in range(ngrams.width if len(kept) else 0):
        truth = reviews.labels == (1 if ngrams.width == 1 else column)
        table[kept, column], constant[column] = fit_one(found, truth, seed, balanced)
    ngrams.table.assign(table)
    ngrams.constant.assign(constant)
    return ngrams


def fit_one(
    features: sparse.csr_matrix, truth: np.ndarray, seed: int, balanced: bool
) -> tuple[np.ndarray, float]:
    """(weight of each feature, constant) of one label against the rest, bool [N]."""
    if truth.all() or not truth.any():  # none of a rare label is among MOST reviews
        odds = (truth.sum() + 0.5) / ((~truth).sum() + 0.5)
        return np.zeros(features.shape[1], np.float32), float(np.log(odds))
    chance = np.random.default_rng(seed).permutation(len(truth))
    held = chance[: round(HELD_OUT * len(truth))]
    rest = np.setdiff1d(chance, held)
    best = STRENGTHS[0]
    if len(set(truth[rest])) == 2 and len(held):
        scores = []
        for strength in STRENGTHS:
            weights, constant = solve(features[rest], truth[rest], strength, seed, balanced)
            scores.append(np.mean((features[held] @ weights + constant > 0) == truth[held]))
        best = STRENGTHS[int(np.argmax(scores))]
    return solve(features, truth, best, seed, balanced)


def solve(
    features: sparse.csr_matrix, truth: np.ndarray, strength: float, seed: int, balanced: bool
) -> tuple[np.ndarray, float]:
    """(weight of each feature, constant) at a strength."""
    with_one, without = (np.asarray((features[truth == one] > 0).sum(0)) + 1 for one in (1, 0))
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
        solver.fit((features @ sparse.diags(ratios)).tocsr(), truth)
    return solver.coef_[0] * ratios, float(solver.intercept_[0])
