"""The n-gram side: a linear model of a whole review, beside the encoder that reads some of it.

Its features are word pieces, pairs and triples of them, each there or not, as in Wang and Manning
2012 ("Baselines and Bigrams", the 2012 ACL conference); training/linear.py fits it.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from sentiment.reviews.truncation import LONG, SHORT

NUMBERS = 3_750_000  # in the table, for all labels together: 15 MB in float32
# Between the sum, which makes nothing of short texts, and the norm (0.5), which makes too much of
# them: chosen on dev and its sentences.
ROOT = 0.25
# An n-gram's place is a dot product with these, modulo the table's size (Carter and Wegman 1979,
# "Universal classes of hash functions"): one factor a position.
FACTORS = (2_654_435_761, 2_246_822_507, 3_266_489_917)


class Ngrams(tf.Module):
    """A weight for each n-gram (and label), in one table that n-grams share by chance."""

    def __init__(self, labels: int) -> None:
        super().__init__(name="ngrams")
        self.width = 1 if labels == 2 else labels
        self.size = NUMBERS // self.width
        self.table = tf.Variable(tf.zeros([self.size, self.width]), trainable=False, name="table")
        self.constant = tf.Variable(tf.zeros([self.width]), trainable=False, name="constant")

    def places(self, tokens: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """int32 [N, (tokens)] -> int64 [M] (row, place in the table) of each different n-gram.

        A token below 0 is a gap: no n-gram holds it.
        """
        row, ids = tokens.value_rowids(), tf.cast(tokens.values, tf.int64)
        count, found = tf.size(ids), []
        known, hashed = tf.ones_like(ids, tf.bool), tf.zeros_like(ids)
        for after, factor in enumerate(FACTORS):  # n-grams of one token more each time
            left = tf.maximum(count - after, 0)  # that have so many behind them
            last = ids[after:]
            known = known[:left] & (last >= 0) & (row[after:] == row[:left])
            hashed = hashed[:left] + (last + 1) * factor
            found.append(tf.boolean_mask(row[:left] * self.size + hashed % self.size, known))
        keys = tf.unique(tf.concat(found, 0))[0]
        return keys // self.size, keys % self.size

    def __call__(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """int32 [N, (tokens)] -> float32 logits [N, 1], or [N, labels] of more than two: the
        weights' sum, by a power of how many n-grams there are.
        """
        row, place = self.places(tokens)
        rows = tokens.nrows()
        total = tf.math.unsorted_segment_sum(tf.gather(self.table, place), row, rows)
        count = tf.math.unsorted_segment_sum(tf.ones_like(row, tf.float32), row, rows)
        return total * (tf.maximum(count, 1) ** -ROOT)[:, None] + self.constant


def shortness(mask: tf.Tensor) -> tf.Tensor:
    """int32 [N, longest] `input_mask` -> float32 [N], from 0 of a review to 1 of a short text."""
    read = tf.cast(tf.reduce_sum(mask, 1), tf.float32)
    return tf.clip_by_value((LONG - read) / (LONG - SHORT), 0.0, 1.0)


class Mixture(NamedTuple):
    """Both sides' logits, weighed: calibrated ones go in and come out."""

    ngrams: Ngrams
    encoder_weight: float
    ngram_weight: float
    constant: list[float]  # one, or one a label of more than two
    surest: float  # with --fast the encoder is not asked from this n-gram side's probability on
    short: list[float] | None = None  # short texts' own: both weights, and constants as above

    def __call__(self, encoder: tf.Tensor, ngrams: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """float32 [N, 1] or [N, labels], both sides' logits and the result; `input_mask`."""
        review = [self.encoder_weight, self.ngram_weight, *self.constant]
        short = shortness(mask)[:, None]
        weights = (1 - short) * [review] + short * [self.short or review]
        return weights[:, :1] * encoder + weights[:, 1:2] * ngrams + weights[:, 2:]

    def is_early(self, ngram_logits: tf.Tensor, tokens: tf.RaggedTensor) -> tf.Tensor:
        """bool [N]: whether the n-gram side is sure enough, of a review, to answer alone."""
        if self.ngrams.width == 1:
            sure = tf.sigmoid(tf.abs(ngram_logits[:, 0]))
        else:
            sure = tf.reduce_max(tf.nn.softmax(ngram_logits), 1)
        return (sure >= self.surest) & (tokens.row_lengths() + 2 >= (LONG if self.short else 0))

    def as_dict(self) -> dict[str, float | list[float]]:
        """What is stored with a model."""
        return {name: value for name, value in self._asdict().items() if name != "ngrams"}
