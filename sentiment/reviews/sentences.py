"""Single sentences of reviews: short texts whose label is their review's."""

from __future__ import annotations

import re

from sentiment.reviews.markup import MARKUP
from sentiment.reviews.sources import Reviews


def sentences(reviews: Reviews, number: int = 0, after: int = 0) -> Reviews:
    """One sentence of 4 to 40 words of each review, with the review's label.

    Which one depends on the review's id and `after` + `number`. Reviews with no more than `number`
    such sentences are left out, so that up to it none comes twice; so are reviews that are one
    sentence as a whole.
    """
    rows, texts = [], []
    for row, text in enumerate(reviews.texts):
        every = re.split(r"(?<=[.!?])\s+", re.sub(MARKUP, " ", text))
        pieces = [piece for piece in every if 4 <= len(piece.split()) <= 40]
        if number < len(pieces) and len(every) > 1:
            rows.append(row)
            texts.append(pieces[(int(reviews.ids[row][:8], 16) + after + number) % len(pieces)])
    source = f"one sentence each of {len(rows):,} of {len(reviews.texts):,} reviews"
    return reviews.take(rows)._replace(texts=texts, source=f"{source} of {reviews.source}")
