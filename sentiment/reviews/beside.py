"""Sentences that judge nothing, put beside those that are learnt from.

Single sentences carry their review's label, so names and places in them become evidence. Where a
place, a name or a day stands beside any label alike, it is none.
"""

from __future__ import annotations

import random

from sentiment.reviews.words import names, places

SHARE = 0.2  # of the texts that get one
BEFORE = 0.5  # of these, in front of the text
SENTENCES = (
    "Seen in {place}.",
    "I am from {place}.",
    "We were there with {name}.",
    "{name} was there too.",
    "It was in {place} last week.",
    "My friend {name} lives in {place}.",
    "I bought it in {place}.",
    "{name} told me about it.",
    "This was on a {day} evening.",
    "I went there with {name} on {day}.",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def beside(text: str, seed: str) -> str:
    """The text, of which a share gets such a sentence before or behind it; the same seed and text
    give the same in every process.
    """
    chance = random.Random(f"{seed} {text}")
    if chance.random() >= SHARE:
        return text
    place, name, day = (chance.choice(some) for some in (places().drawn, names().drawn, DAYS))
    other = chance.choice(SENTENCES).format(place=place, name=name, day=day)
    return f"{other} {text}" if chance.random() < BEFORE else f"{text} {other}"
