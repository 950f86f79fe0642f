"""The n-gram side joins the encoder: both fitted, each calibrated, and then weighed on dev."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import tensorflow as tf

from params import Params
from sentiment.errors import log
from sentiment.logits import mean_loss
from sentiment.model.classifier import Classifier, Preprocessing
from sentiment.model.ngrams import Mixture, Ngrams
from sentiment.reviews.sources import Reviews
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


def join(
    classifier: Classifier, train: Reviews, dev: Reviews, dev_logits: np.ndarray, params: Params
) -> tuple[Classifier, dict[str, Any]]:
    """(the classifier with an n-gram side of `train`, what each side and both come to on dev).

    `dev_logits` are the encoder's, calibrated, [N] or [N, labels]. Where both come to a higher loss
    than the encoder alone, on a fifth of dev at a time, the classifier stays as it is.
    """
    started = time.time()
    balanced = params.class_weight == "balanced"
    count = 2 if dev_logits.ndim == 1 else dev_logits.shape[1]
    ngrams = linear.fit(
        train, classifier.preprocessing, count, params.seed, balanced, params.sentence_share > 0
    )
    side = logits(ngrams, dev, classifier.preprocessing)
    temperature = fit_temperature(side, dev.labels)
    side = side / temperature
    for variable in (ngrams.table, ngrams.constant):
        variable.assign(variable / temperature)
    of_rows = np.ones(len(dev.ids), np.float32)
    if balanced:
        of_rows = balanced_weights(dev.labels, count)[dev.labels]
    mixed = cross_fitted(dev_logits, side, dev.labels, of_rows)
    found: dict[str, Any] = {
        name: describe(one, dev.labels)
        for name, one in (("encoder", dev_logits), ("ngrams", side), ("both", mixed))
    }
    found["seconds"] = time.time() - started
    encoder, side_alone, together = (
        f"{found[name]['dev_accuracy']:.4f}" for name in ("encoder", "ngrams", "both")
    )
    log(
        f"n-gram side: dev accuracy of the encoder alone {encoder}, of it alone {side_alone}, of "
        f"both {together} (each fifth weighed by the others); fitted in {found['seconds']:.0f} s"
    )
    weights = fit_weights(dev_logits, side, dev.labels, of_rows)
    losses = [mean_loss(one, dev.labels, of_rows) for one in (mixed, dev_logits)]
    if losses[0] >= losses[1] or not weights.ngrams:
        log("it adds nothing on dev: its weight is 0, and it is left out of the model")
        return classifier, found | {"mixture": None}
    surest, share = surest_from(mixed, side, dev.labels, of_rows)
    mixture = Mixture(ngrams, weights.encoder, weights.ngrams, weights.constant.tolist(), surest)
    log(
        f"weights: encoder {weights.encoder:.3f}, n-grams {weights.ngrams:.3f}; for at most "
        f"{FAST_COST:.1%} of accuracy {share:.0%} of dev can be answered without the encoder"
    )
    found |= {"share_early": share, "mixture": mixture.as_dict()}
    return classifier._replace(mixture=mixture), found


def logits(ngrams: Ngrams, reviews: Reviews, preprocessing: Preprocessing) -> np.ndarray:
    """float32 [N], or [N, labels] of more than two: what the n-gram side says alone."""
    texts = tf.data.Dataset.from_tensor_slices(reviews.texts).batch(256)
    parts = texts.map(lambda text: ngrams(preprocessing.tokens(text)), tf.data.AUTOTUNE)
    found = np.concatenate(list(parts.as_numpy_iterator()))
    return found[:, 0] if ngrams.width == 1 else found
