"""Batches of token ids from reviews: the tf.data pipelines, in this order.

Map (tokenise, truncate), cache, shuffle (whole set, by seed and epoch), sort by length in windows,
batch, shuffle the batches, prefetch. Which reviews are train, dev and test: splits.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from params import Params
from sentiment.errors import log
from sentiment.machine import slices
from sentiment.model.classifier import INPUTS, Preprocessing
from sentiment.reviews.beside import beside
from sentiment.reviews.sentences import sentences
from sentiment.reviews.sources import Reviews
from sentiment.reviews.splits import limit

# Batches that are sorted by length together. More of them: less padding, but each batch more alike.
WINDOW = 50
STRIDE = 4  # tokens between the lengths that are trained on: XLA compiles, and keeps, one for each
# Sentences are a sixth as long as reviews: more of them share the optimiser's pass over the weights
SENTENCE_BATCHES = 2


def encode(reviews: Reviews, preprocessing: Preprocessing) -> tf.data.Dataset:
    """Cached elements ({int32 [length] for each of INPUTS}, float32 label), without padding."""
    data = slices((reviews.texts, tf.cast(reviews.labels, tf.float32))).batch(256)
    data = data.map(lambda text, label: (preprocessing(text), label), tf.data.AUTOTUNE)

    def unpad(ids: dict[str, tf.Tensor], label: tf.Tensor) -> tuple[dict, tf.Tensor]:
        length = tf.reduce_sum(ids["input_mask"])
        return {name: ids[name][:length] for name in INPUTS}, label

    data = data.unbatch().map(unpad).cache()
    data.reduce(0, lambda count, _: count + 1)  # a cache is kept only once it is whole
    return data


class Lessons(NamedTuple):
    """What is learnt from: the same reviews in every epoch, and sentences of its own in each."""

    encoded: tf.data.Dataset  # the reviews, then each epoch's sentences, as `encode` makes them
    reviews: int
    sentences: int = 0  # an epoch

    def steps(self, batch_size: int) -> int:
        """How many optimiser steps an epoch takes."""
        sentences = -(-self.sentences // (SENTENCE_BATCHES * batch_size))
        return -(-self.reviews // batch_size) + sentences

    def sentences_of(self, number: int | tf.Tensor) -> tf.data.Dataset:
        """The sentences of one epoch, the first being 0."""
        return self.encoded.skip(self.reviews + number * self.sentences).take(self.sentences)

    def of_epoch(self, number: int | tf.Tensor) -> tf.data.Dataset:
        """The elements of one epoch, the first being 0."""
        return self.encoded.take(self.reviews).concatenate(self.sentences_of(number))


def make_lessons(
    reviews: Reviews, preprocessing: Preprocessing, params: Params, also: Reviews | None = None
) -> Lessons:
    """What a training learns from: `reviews`, and in each epoch `also`, --also-passes times, and
    --sentence-share sentences of each review, the next every time, in the end the first again.
    """
    repeated = also and also.take([*range(len(also.ids))] * params.also_passes)
    wanted = round(len(reviews.ids) * params.sentence_share)
    rounds = range(-(-wanted // len(reviews.ids)))  # a sentence of each review is one
    texts = reviews
    for epoch in range(params.epochs):
        for number in rounds:
            left = wanted - number * len(reviews.ids)
            more = sentences(limit(reviews, left, params.split_seed), number, epoch * len(rounds))
            shown = [beside(text, str(params.split_seed)) for text in more.texts]
            texts = texts.join(more._replace(texts=shown))
        texts = texts.join(repeated) if repeated else texts
    found = (len(texts.ids) - len(reviews.ids)) // params.epochs
    if found:
        own = f"{found - len(repeated.ids if repeated else ()):,} single sentences of these reviews"
        others = also and f" and {params.also_passes} x {len(also.ids):,} other short texts"
        log(f"besides, in each epoch: {own}" + (f"{others} ({also.source})" if also else ""))
    return Lessons(encode(texts, preprocessing), len(reviews.ids), found)


def by_length(data: tf.data.Dataset, batch_size: int, max_length: int = 0) -> tf.data.Dataset:
    """Batches of reviews of like length; with `max_length` padded to a multiple of STRIDE."""

    def sort(ids: dict[str, tf.RaggedTensor], label: tf.Tensor) -> tuple[dict, tf.Tensor]:
        order = tf.argsort(ids["input_mask"].row_lengths(), stable=True)
        return {name: tf.gather(ids[name], order) for name in INPUTS}, tf.gather(label, order)

    def pad(ids: dict[str, tf.RaggedTensor], label: tf.Tensor) -> tuple[dict, tf.Tensor]:
        longest = ids["input_mask"].bounding_shape()[1]
        shape = tf.stack([-1, tf.minimum(longest + -longest % STRIDE, max_length or longest)])
        return {name: ids[name].to_tensor(shape=shape) for name in INPUTS}, label

    data = data.ragged_batch(WINDOW * batch_size).map(sort).unbatch()
    return data.ragged_batch(batch_size).map(pad, tf.data.AUTOTUNE)


def epoch_tokens(lessons: Lessons, epochs: int) -> list[int]:
    """How many tokens each epoch reads."""
    read = []
    for number in range(epochs):
        sizes = lessons.of_epoch(number).map(lambda ids, _: tf.size(ids["input_mask"]))
        read.append(int(np.concatenate(list(sizes.batch(4096).as_numpy_iterator())).sum()))
    return read


def train_batches(lessons: Lessons, params: Params, first_epoch: int = 0) -> tf.data.Dataset:
    """All epochs' batches: ({int32 [batch, longest]}, float32 [batch]).

    The order is a function of (seed, epoch). No text is dropped; a last batch may be smaller.
    """

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        # A tensor as a seed: it needs TensorFlow's global seed to be unset or other than 0.
        seed = number * 1_000_003 + params.seed

        def shuffle(data: tf.data.Dataset, count: int) -> tf.data.Dataset:
            return data.shuffle(max(count, 1), seed=seed, reshuffle_each_iteration=False)

        reviews = shuffle(lessons.encoded.take(lessons.reviews), lessons.reviews)
        found = by_length(reviews, params.batch_size, params.max_length)
        if lessons.sentences:
            sentences = shuffle(lessons.sentences_of(number), lessons.sentences)
            size = SENTENCE_BATCHES * params.batch_size
            found = found.concatenate(by_length(sentences, size, params.max_length))
        return shuffle(found, lessons.steps(params.batch_size))

    epochs = slices(tf.range(first_epoch, params.epochs, dtype=tf.int64))
    return epochs.flat_map(epoch).prefetch(tf.data.AUTOTUNE)


def dev_batches(encoded: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """Batches for measuring: not shuffled, nothing dropped, sorted by length in windows."""
    return by_length(encoded, batch_size).prefetch(tf.data.AUTOTUNE)


def dev_order(encoded: tf.data.Dataset, batch_size: int) -> np.ndarray:
    """int [N]: which review each row of `dev_batches` is."""
    lengths = encoded.map(lambda ids, _: tf.size(ids["input_mask"])).batch(4096)
    lengths = np.concatenate(list(lengths.as_numpy_iterator()))
    windows = np.arange(len(lengths)) // (WINDOW * batch_size)
    return np.lexsort((lengths, windows))
