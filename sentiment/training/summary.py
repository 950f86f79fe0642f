"""What was loaded, said as the model will see it: counts, lengths, three reviews."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from params import Params
from sentiment.errors import log
from sentiment.machine import slices
from sentiment.model.classifier import Preprocessing
from sentiment.reviews.sources import Reviews


def count_tokens(texts: list[str], preprocessing: Preprocessing) -> np.ndarray:
    """int32 [N]: each text's length in tokens before truncation, special tokens included."""
    batches = slices(texts).batch(512)
    counts = batches.map(lambda text: preprocessing.counted(text)["token_count"], tf.data.AUTOTUNE)
    return np.concatenate(list(counts.as_numpy_iterator()))


def describe(
    parts: dict[str, Reviews], preprocessing: Preprocessing, params: Params, labels: list[str]
) -> dict[str, float]:
    """Print what was loaded: each part's count, balance, lengths; return the share of its reviews
    that is cut.
    """
    texts = [text for reviews in parts.values() for text in reviews.texts]
    counts = count_tokens(texts, preprocessing)  # at once: a pipeline takes a second to start
    ends = np.cumsum([len(reviews.texts) for reviews in parts.values()])
    counts_of = dict(zip(parts, np.split(counts, ends[:-1]), strict=True))
    return {
        name: describe_part(name, reviews, counts_of[name], params, labels)
        for name, reviews in parts.items()
    }


def describe_part(
    name: str, reviews: Reviews, counts: np.ndarray, params: Params, labels: list[str]
) -> float:
    """Print one part's line; return the share of its reviews that is cut."""
    shares = np.bincount(reviews.labels, minlength=len(labels)) / len(reviews.labels)
    if len(labels) == 2:
        balance = f"{shares[1]:.1%} positive"
    else:
        balance = ", ".join(f"{share:.1%} {one}" for share, one in zip(shares, labels, strict=True))
    p50, p90, p99 = np.percentile(counts, [50, 90, 99])
    cut = np.mean(counts > params.max_length)
    log(
        f"{name}: {len(reviews.texts):,} reviews, {balance}; tokens: median "
        f"{p50:.0f}, 90 % {p90:.0f}, 99 % {p99:.0f}, longest {counts.max()}; "
        f"--max-length {params.max_length} ({params.truncation}) cuts {cut:.1%}"
    )
    return float(cut)


def show(reviews: Reviews, folder: str, preprocessing: Preprocessing, names: list[str]) -> None:
    """Print three reviews as the model will see them: label, id, word pieces after truncation.

    Without a WordPiece vocabulary in the preprocessor's `folder`, ids stand for the pieces.
    """
    vocabulary = Path(folder) / "assets" / "vocab.txt"
    words = vocabulary.read_text(encoding="utf-8").split("\n") if vocabulary.exists() else None
    for row in range(min(3, len(reviews.texts))):
        ids = preprocessing(tf.constant([reviews.texts[row]]))["input_word_ids"][0].numpy()
        pieces = [words[i] if words else str(i) for i in ids]
        if len(pieces) > 24:
            pieces = [*pieces[:12], f"({len(pieces) - 24} more)", *pieces[-12:]]
        log(f"  {names[reviews.labels[row]]} {reviews.ids[row]}: {' '.join(pieces)}")


def padding_share(batches: tf.data.Dataset) -> float:
    """Share of all tokens in these batches that is padding."""
    tokens = read = 0
    for ids, _ in batches:
        tokens += int(tf.size(ids["input_mask"]))
        read += int(tf.reduce_sum(ids["input_mask"]))
    return 1 - read / tokens
