"""The n-gram side joins the encoder: both fitted, each calibrated, and then weighed on dev."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import tensorflow as tf

from params import Params
from sentiment.errors import log
from sentiment.logits import mean_loss, predicted
from sentiment.machine import slices
from sentiment.model.classifier import Classifier, Preprocessing
from sentiment.model.ngrams import Mixture, Ngrams, shortness
from sentiment.reviews.sentences import sentences
from sentiment.reviews.sources import Reviews
from sentiment.reviews.splits import Also, but_own
from sentiment.training import linear
from sentiment.training.calibration import (
    FAST_COST,
    Sides,
    cross_fitted,
    describe,
    fit_temperature,
    fit_weights,
    surest_from,
)
from sentiment.training.loss import balanced_weights

SENTENCE_WEIGHT = 0.3  # of a sentence of dev, beside a review's 1, where both sides are weighed
OF_THOSE = 0.4  # what all of them count of short texts with labels of their own, if there are some


def join(
    classifier: Classifier,
    train: Reviews,
    dev: Reviews,
    dev_logits: np.ndarray,
    params: Params,
    also: Also,
) -> tuple[Classifier, dict[str, Any]]:
    """(the classifier with an n-gram side of `train`, what each side and both come to on dev).

    `dev_logits` are the encoder's, calibrated, [N] or [N, labels]. Both sides are weighed on dev
    and, where sentences are learnt from, on a sentence of each of its reviews too, so that short
    texts have their say; where some of `also` were left for it, short texts have weights of their
    own. Where both come to a higher loss on dev than the encoder alone, on a fifth at a time, the
    classifier stays as it is.
    """
    started = time.time()
    balanced = params.class_weight == "balanced"
    count = 2 if dev_logits.ndim == 1 else dev_logits.shape[1]
    preprocessing, short = classifier.preprocessing, params.sentence_share > 0
    # "not" and "but" turn more round than three words: of made-up ones it only got worse.
    learnt, short_dev = also.learnt and but_own(also.learnt), also.left
    ngrams = linear.fit(train, preprocessing, count, params.seed, balanced, short, learnt)

    def counting(each: float, labels: np.ndarray) -> np.ndarray:
        return each * (
            balanced_weights(labels, count)[labels] if balanced else np.ones(len(labels))
        )

    side, how_short = read(ngrams, dev, preprocessing)
    temperature = fit_temperature(side, dev.labels)
    for variable in (ngrams.table, ngrams.constant):
        variable.assign(variable / temperature)
    number = np.arange(len(dev.ids))
    of_rows = counting(1.0, dev.labels)
    sides = Sides(dev_logits, side / temperature, how_short, dev.labels, of_rows, number)

    def join_short(texts: Reviews, counts_as: float, group: list[int]) -> Sides:
        side, how_short = read(ngrams, texts, preprocessing)
        said, of_rows = encoder_logits(classifier, texts), counting(counts_as, texts.labels)
        return sides.join(Sides(said, side, how_short, texts.labels, of_rows, np.array(group)))

    if short and len((some := sentences(dev)).ids):
        row_of = {key: row for row, key in enumerate(dev.ids)}
        weight = OF_THOSE * len(short_dev.ids) / len(some.ids) if short_dev else SENTENCE_WEIGHT
        sides = join_short(some, weight, [row_of[key] for key in some.ids])
    if short_dev:
        first = len(dev.ids)
        sides = join_short(short_dev, 1.0, list(range(first, first + len(short_dev.ids))))
    every = cross_fitted(sides, apart=bool(short_dev))
    here = slice(len(dev.ids))  # the whole reviews
    mixed, side, of_rows = every[here], sides.ngrams[here], sides.of_rows[here]
    found: dict[str, Any] = {
        name: describe(one, dev.labels)
        for name, one in (("encoder", dev_logits), ("ngrams", side), ("both", mixed))
    }
    found["seconds"] = time.time() - started
    log(
        f"n-gram side: dev accuracy of {three(dev_logits, side, mixed, dev.labels)} (each fifth "
        f"weighed by the others); fitted in {found['seconds']:.0f} s"
    )
    if short_dev:
        rest = slice(-len(short_dev.ids), None)
        said = three(sides.encoder[rest], sides.ngrams[rest], every[rest], short_dev.labels)
        log(f"on {len(short_dev.ids):,} short texts of --also that were left for it: of {said}")
    weights = fit_weights(sides, apart=bool(short_dev))
    losses = [mean_loss(one, dev.labels, of_rows) for one in (mixed, dev_logits)]
    if losses[0] >= losses[1] or not weights[0, 1]:
        log("it adds nothing on dev: its weight is 0, and it is left out of the model")
        return classifier, found | {"mixture": None}
    surest, share = surest_from(mixed, side, of_rows)
    (encoder, ngram, *constant), of_short = weights.tolist()
    mixture = Mixture(ngrams, encoder, ngram, constant, surest, of_short if short_dev else None)
    apart = f" (of short texts {of_short[0]:.3f} and {of_short[1]:.3f})" if short_dev else ""
    log(
        f"weights: encoder {encoder:.3f}, n-grams {ngram:.3f}{apart}; for at most {FAST_COST:.2%} "
        f"of accuracy {share:.0%} of dev can be answered without the encoder"
    )
    found |= {"share_early": share, "mixture": mixture.as_dict()}
    return classifier._replace(mixture=mixture), found


def three(encoder: np.ndarray, ngrams: np.ndarray, both: np.ndarray, labels: np.ndarray) -> str:
    """Accuracies in words, for what begins with "accuracy of"."""
    found = [f"{np.mean(predicted(one) == labels):.4f}" for one in (encoder, ngrams, both)]
    return "the encoder alone {}, of the n-grams alone {}, of both {}".format(*found)


def encoder_logits(classifier: Classifier, reviews: Reviews) -> np.ndarray:
    """float32 [N], or [N, labels] of more than two: what the encoder says alone."""
    order = np.argsort([len(text) for text in reviews.texts])  # of like length together
    texts = slices([reviews.texts[row] for row in order]).batch(128)
    batches = texts.map(classifier.preprocessing, tf.data.AUTOTUNE)
    # Not Keras' `predict`, which would wait for other workers.
    score = tf.function(lambda ids: classifier.network(ids), input_signature=[batches.element_spec])
    found = np.concatenate([score(ids) for ids in batches])[np.argsort(order)]
    return found[:, 0] if found.shape[1] == 1 else found


def read(
    ngrams: Ngrams, reviews: Reviews, preprocessing: Preprocessing
) -> tuple[np.ndarray, np.ndarray]:
    """(what the n-gram side says alone, float32 [N], or [N, labels] of more than two; `shortness`,
    float32 [N]).
    """

    def one(text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        tokens = preprocessing.tokens(text)
        return ngrams(tokens), shortness(preprocessing.packed(tokens)["input_mask"])

    parts = slices(reviews.texts).batch(256).map(one, tf.data.AUTOTUNE).as_numpy_iterator()
    found, short = map(np.concatenate, zip(*parts, strict=True))
    return (found[:, 0] if ngrams.width == 1 else found), short
