"""Words that are read as others: those of which two neighbouring letters changed places as what
they were, and listed ones as the one that stands for them all.

A typo leaves pieces of a known word ("terrilbe": ter, ##ril, ##be), which say nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tensorflow_text as tf_text

# Letters. Of four most that would become others are names ("Wray" wary); none longer is one piece.
SHORTEST, LONGEST = 5, 24


def respelt(
    text: tf.Tensor, tokenize: Callable[[tf.Tensor], tf.RaggedTensor], alike: dict[str, str]
) -> tf.Tensor:
    """string [N] -> string [N], in which words that are several pieces, but one with two
    neighbouring letters in each other's places, are that one, and then those that `alike` holds
    in small letters the one that it names.

    `tokenize`: string [N] -> int [N, (pieces)]. Words of SHORTEST to LONGEST letters a to z may be
    mended, and their first and last one stay: few typos touch these, and they tell most words
    apart. Of several that it could be, a word is that of the lowest id, as vocabularies begin with
    what is frequent.
    Of 5.8 million words of IMDB's 25,000 reviews 834 become others; some are names ("Kirsten").
    """
    parts = tf_text.regex_split(text, r"[^\pL]+", r"[^\pL]+")
    words, place = tf.unique(parts.flat_values)
    plain = tf.strings.regex_full_match(words, f"[A-Za-z]{{{SHORTEST},{LONGEST}}}")
    plain = tf.where(plain)[:, 0]
    in_pieces = tokenize(tf.gather(words, plain)).row_lengths() > 1
    unknown = tf.boolean_mask(plain, in_pieces)
    written = tf.gather(words, unknown)

    # A candidate for each pair of neighbours of each of these words.
    pairs = tf.strings.length(written) - 3
    word = tf.repeat(tf.range(tf.size(written)), pairs)
    at = tf.ragged.range(1, pairs + 1).flat_values
    one, of = tf.ones_like(at), tf.gather(written, word)
    head, tail = tf.strings.substr(of, 0 * at, at), tf.strings.substr(of, at + 2, LONGEST * one)
    left, right = tf.strings.substr(of, at, one), tf.strings.substr(of, at + 1, one)
    candidates = tf.strings.join([head, right, left, tail])

    pieces = tokenize(candidates)
    whole = tf.where(pieces.row_lengths() == 1)[:, 0]
    ids = tf.cast(tf.gather(pieces, whole).flat_values, tf.int64)
    count = tf.size(candidates, tf.int64)
    ranked = ids * count + whole  # by id, and says which candidate
    best = tf.math.unsorted_segment_min(ranked, tf.gather(word, whole), tf.size(written))
    mended = tf.where(best < tf.int64.max)
    chosen = tf.gather(candidates, tf.gather_nd(best, mended) % count)
    words = tf.tensor_scatter_nd_update(words, tf.gather_nd(unknown, mended)[:, None], chosen)
    if alike:
        # The first ones of what is unique are the listed ones: another's number says which it is.
        listed, meant = list(alike), tf.constant(list(alike.values()))
        number = tf.unique(tf.concat([listed, tf.strings.lower(words)], 0)).idx[len(listed) :]
        found = tf.where(number < len(listed))
        one = tf.gather(meant, tf.gather_nd(number, found))
        words = tf.tensor_scatter_nd_update(words, found, one)
    return tf.strings.reduce_join(parts.with_flat_values(tf.gather(words, place)), axis=1)
