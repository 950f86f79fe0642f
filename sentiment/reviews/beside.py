"""Sentences that judge nothing: beside those that the encoder learns from, and by themselves for
the n-gram side.

Single sentences carry their review's label, so names and places in them become evidence, and so
does how somebody came to see a film. Where such words stand beside any label alike, they are none.
The sentence that `--robustness` adds is not among these.
"""

from __future__ import annotations

import random

from sentiment.reviews.words import FAITHS, NATIONALITIES, names, places

SHARE = 0.2  # of the texts that get one
BEFORE = 0.5  # of these, in front of the text
WHO = ("I", "We", "My wife and I", "My friends and I", "My sister", "{name}", "They", "You")
SAW = (
    "saw", "watched", "caught", "rented", "bought", "have seen", "have watched", "just saw",
    "first saw", "went to see", "came across", "heard of", "read about", "talked about",
)  # fmt: skip
WHAT = ("it", "this", "that", "this movie", "the movie", "this film", "the film", "this one")
WHEN = (
    "in {place} last week", "in {place} with {name}", "on TV", "last night", "on {day}",
    "in a theater", "at home", "with {name}", "on DVD", "on video", "at a festival", "years ago",
    "when it came out", "as a child", "yesterday", "with my family", "in {year}", "on a plane",
    "late at night", "this week", "twice", "again",
)  # fmt: skip
OTHERS = (
    "Seen in {place}.",
    "I am from {place}.",
    "We were there with {name}.",
    "{name} was there too.",
    "It was in {place} last week.",
    "My friend {name} lives in {place}.",
    "{name} told me about it.",
    "This was on a {day} evening.",
    "I went there with {name} on {day}.",
    "It was directed by {name}.",
    "{name} and {other} are in it.",
    "{name} wrote it with {other}.",
    "It is about {name}, who lives in {place}.",
    "It takes place in {place} in {year}.",
    "It was made in {year}.",
    "It runs for {number} minutes.",
    "There are {number} people in it.",
    "{name} is {number} years old.",
    "{name} is {nationality}.",
    "The director is {nationality}.",
    "Some of the actors are {nationality}.",
    "{name} is {faith}.",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def neutral(chance: random.Random) -> str:
    """A sentence that judges nothing: half of them say how somebody came to see it."""
    seen = " ".join(chance.choice(some) for some in (WHO, SAW, WHAT, WHEN)) + "."
    return chance.choice((seen, chance.choice(OTHERS))).format(
        name=chance.choice(names().drawn),
        other=chance.choice(names().drawn),
        place=chance.choice(places().drawn),
        nationality=chance.choice(NATIONALITIES.split()),
        faith=chance.choice(FAITHS[0].split()),
        day=chance.choice(DAYS),
        year=chance.randint(1930, 2015),
        number=chance.randint(3, 120),
    )


def beside(text: str, seed: str) -> str:
    """The text, of which a share gets such a sentence before or behind it; the same seed and text
    give the same in every process.
    """
    chance = random.Random(f"{seed} {text}")
    if chance.random() >= SHARE:
        return text
    other = neutral(chance)
    return f"{other} {text}" if chance.random() < BEFORE else f"{text} {other}"


def alone(count: int, seed: int) -> list[str]:
    """So many pairs of them: what is between two sentences judges nothing either."""
    chance = random.Random(seed)
    return [f"{neutral(chance)} {neutral(chance)}" for _ in range(count)]
