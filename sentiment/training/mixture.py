"""The n-gram side joins the encoder: both fitted, each calibrated, and then weighed on dev."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import tensorflow as tf

from params import Params
from sentiment.errors import log
from sentiment.logits import mean_loss
from sentiment.machine import slices
from sentiment.model.classifier import Classifier, Preprocessing
from sentiment.model.ngrams import Mixture, Ngrams
from sentiment.reviews.sentences import sentences
from sentiment.reviews.sources import Reviews
from sentiment.reviews.splits import but_own
from sentiment.training import linear
from sentiment.training.calibration import (
    FAST_COST,
    cross_fitted,
    describe,
    fit_temperature,
    fit_weights,
    surest_from,
)
from sentiment.training.loss import balanced_weights

SENTENCE_WEIGHT = 0.3  # of a sentence of dev, beside a review's 1, where both sides are weighed


def join(
    classifier: Classifier,
    train: Reviews,
    dev: Reviews,
    dev_logits: np.ndarray,
    params: Params,
    also: Reviews | None = None,
) -> tuple[Classifier, dict[str, Any]]:
    """(the classifier with an n-gram side of `train`, what each side and both come to on dev).

    `dev_logits` are the encoder's, calibrated, [N] or [N, labels]. Both sides are weighed on dev
    and, where sentences are learnt from, on a sentence of each of its reviews too, so that short
    texts have their say. Where both come to a higher loss on dev than the encoder alone, on a fifth
    at a time, the classifier stays as it is.
    """
    started = time.time()
    balanced = params.class_weight == "balanced"
    count = 2 if dev_logits.ndim == 1 else dev_logits.shape[1]
    preprocessing, short = classifier.preprocessing, params.sentence_share > 0
    # "not" and "but" turn more round than three words: an n-gram side only gets worse of them.
    also = also and but_own(also)
    ngrams = linear.fit(train, preprocessing, count, params.seed, balanced, short, also)
    side = logits(ngrams, dev, preprocessing)
    temperature = fit_temperature(side, dev.labels)
    side = side / temperature
    for variable in (ngrams.table, ngrams.constant):
        variable.assign(variable / temperature)
    encoder, sides, labels = dev_logits, side, dev.labels
    review = np.arange(len(dev.ids))
    if short and len((some := sentences(dev)).ids):
        row_of = {key: row for row, key in enumerate(dev.ids)}
        review = np.append(review, [row_of[key] for key in some.ids])
        labels = np.append(labels, some.labels)
        encoder = np.concatenate([encoder, encoder_logits(classifier, some)])
        sides = np.concatenate([sides, logits(ngrams, some, preprocessing)])
    of_rows = np.where(np.arange(len(labels)) < len(dev.ids), 1, SENTENCE_WEIGHT)
    if balanced:
        of_rows = of_rows * balanced_weights(dev.labels, count)[labels]
    here = slice(len(dev.ids))  # the whole reviews
    mixed = cross_fitted(encoder, sides, labels, of_rows, review)[here]
    found: dict[str, Any] = {
        name: describe(one, dev.labels)
        for name, one in (("encoder", dev_logits), ("ngrams", side), ("both", mixed))
    }
    found["seconds"] = time.time() - started
    alone, side_alone, together = (
        f"{found[name]['dev_accuracy']:.4f}" for name in ("encoder", "ngrams", "both")
    )
    log(
        f"n-gram side: dev accuracy of the encoder alone {alone}, of it alone {side_alone}, of "
        f"both {together} (each fifth weighed by the others); fitted in {found['seconds']:.0f} s"
    )
    weights = fit_weights(encoder, sides, labels, of_rows)
    losses = [mean_loss(one, dev.labels, of_rows[here]) for one in (mixed, dev_logits)]
    if losses[0] >= losses[1] or not weights.ngrams:
        log("it adds nothing on dev: its weight is 0, and it is left out of the model")
        return classifier, found | {"mixture": None}
    surest, share = surest_from(mixed, side, of_rows[here])
    mixture = Mixture(ngrams, weights.encoder, weights.ngrams, weights.constant.tolist(), surest)
    log(
        f"weights: encoder {weights.encoder:.3f}, n-grams {weights.ngrams:.3f}; for at most "
        f"{FAST_COST:.2%} of accuracy {share:.0%} of dev can be answered without the encoder"
    )
    found |= {"share_early": share, "mixture": mixture.as_dict()}
    return classifier._replace(mixture=mixture), found


def encoder_logits(classifier: Classifier, reviews: Reviews) -> np.ndarray:
    """float32 [N], or [N, labels] of more than two: what the encoder says alone."""
    order = np.argsort([len(text) for text in reviews.texts])  # of like length together
    texts = slices([reviews.texts[row] for row in order]).batch(128)
    batches = texts.map(classifier.preprocessing, tf.data.AUTOTUNE)
    # Not Keras' `predict`, which would wait for other workers.
    score = tf.function(lambda ids: classifier.network(ids), input_signature=[batches.element_spec])
    found = np.concatenate([score(ids) for ids in batches])[np.argsort(order)]
    return found[:, 0] if found.shape[1] == 1 else found


def logits(ngrams: Ngrams, reviews: Reviews, preprocessing: Preprocessing) -> np.ndarray:
    """float32 [N], or [N, labels] of more than two: what the n-gram side says alone."""
    texts = slices(reviews.texts).batch(256)
    parts = texts.map(lambda text: ngrams(preprocessing.tokens(text)), tf.data.AUTOTUNE)
    found = np.concatenate(list(parts.as_numpy_iterator()))
    return found[:, 0] if ngrams.width == 1 else found
