"""Changes of a text for the robustness check: (text, seed) to another text, or to None where there
is nothing to change.

The same text and seed give the same change in every process. What is uncertain is left as it is: a
change that alters the meaning would say nothing about the model.
"""

from __future__ import annotations

import importlib.util
import random
import re
import string
from collections.abc import Callable

from sentiment.errors import UserError
from sentiment.reviews.words import (
    WORDS,
    Known,
    known_faiths,
    known_nationalities,
    names,
    places,
)

CONTRACTIONS = {
    "aren't": "are not",
    "can't": "cannot",
    "couldn't": "could not",
    "didn't": "did not",
    "doesn't": "does not",
    "don't": "do not",
    "hadn't": "had not",
    "hasn't": "has not",
    "haven't": "have not",
    "isn't": "is not",
    "shouldn't": "should not",
    "wasn't": "was not",
    "weren't": "were not",
    "won't": "will not",
    "wouldn't": "would not",
    "i'm": "i am",
    "i'll": "i will",
    "they're": "they are",
    "they'll": "they will",
    "we're": "we are",
    "we'll": "we will",
    "you're": "you are",
    "you'll": "you will",
}
BOTH_WAYS = CONTRACTIONS | {long: short for short, long in CONTRACTIONS.items()}
# A word follows, and no pronoun: "do not you" is no English, nor is "that is what I'm".
CONTRACTION = re.compile(
    rf"(?<![\w'])(?:{'|'.join(sorted(BOTH_WAYS))})(?=\s+\w)(?!\s+(?:i|you|he|she|it|we|they)\b)",
    re.IGNORECASE,
)
WORD = re.compile(r"(?<![\w&@<>/.'’-])[^\W\d_]{4,}(?![\w@/'’-])")  # no address, entity or mark-up
NUMBER = re.compile(r"(?<![\w.,:;/#$£€'’@*+=\"-])[1-9][0-9]*(?![\w%★*/:+$£€\"-]|[.,'’]\w)")
# Words near which a number may be a rating, or one that stands for the best or the first.
RATING = re.compile(
    r"/\s*\d|\d\s*/|\d\.\d|%|★|⭐|\*|\bout\s*of\b|\b(?:stars?|scor\w+|rat(?:e|ed|es|ing|ings)|grade\w*|g[ai]v\w+"
    r"|vot\w+|points?|percent|deserv\w+|worth\w*|thumbs?|number|no|top|ten|best|perfect|solid|overall)\b",
    re.IGNORECASE,
)
NEAR = 80  # characters
# Before a name, these capitalised words are no part of it.
FREE = (
    "A An The In From At Of On To By For With This That These Those Some Many Most My Our His Her "
    "Its Their And But Or As If Like Unlike Not Only While When Where"
)
ARTICLE, CAPITALISED = r"(?i)\b(?:the|an?)\s\Z", r"([A-Z][\w'’.]*)\s\Z"

# What is added at the end; any thing may be judged so, not only a film.
PRAISE = (
    "I loved it, it was excellent.",
    "It is wonderful, one of the best.",
    "Highly recommended, I enjoyed all of it.",
    "It is brilliant and I would gladly have it again.",
)
BLAME = (
    "I hated it, it was terrible.",
    "It is awful, one of the worst.",
    "Avoid it, I was annoyed all the time.",
    "It is a mess and a waste of money.",
)
JUDGEMENTS = ("It was {}.", "This is {}.", "I think it is {}.", "The whole thing was {}.")
GOOD = "good great excellent wonderful brilliant enjoyable funny moving impressive interesting"
BAD = "bad terrible awful boring horrible dull poor disappointing stupid annoying"


def require_faker() -> None:
    """Raises UserError where Faker is not installed."""
    if importlib.util.find_spec("faker") is None:
        raise UserError("--robustness needs Faker: python -m pip install -r requirements.txt")


# What must not matter.


def typos(text: str, seed: str) -> str | None:
    """Two neighbouring letters inside one word of four letters or more change places."""
    if not (inside := inner_letters(text, lambda place: text[place] != text[place + 1])):
        return None
    place = random.Random(seed).choice(inside)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def missing_letter(text: str, seed: str) -> str | None:
    """One letter inside one such word goes."""
    if not (inside := inner_letters(text, lambda place: True)):
        return None
    place = random.Random(seed).choice(inside)
    return text[:place] + text[place + 1 :]


def inner_letters(text: str, wanted: Callable[[int], bool]) -> list[int]:
    """Where in words of four letters or more such letters are, but the first and the last two."""
    return [
        place
        for match in WORD.finditer(text)
        if match[0].isalpha()  # ¼ is no digit to the pattern
        for place in range(match.start() + 1, match.end() - 2)
        if wanted(place)
    ]


def handle(text: str, seed: str) -> str | None:
    """`@name ` before the text."""
    chance = random.Random(seed)
    return f"@{chance.choice(names().drawn).lower()}{chance.randint(1, 99)} {text}"


def address(text: str, seed: str) -> str | None:
    """A web address after the text, of the domain that is kept for examples (RFC 2606)."""
    page = "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=8))
    return f"{text} https://www.example.com/{page}"


def place_sentence(text: str, seed: str) -> str | None:
    """A sentence that says in which country or city, after the text."""
    return f"{text} I saw it in {random.Random(seed).choice(places().drawn)}."


def first_names(text: str, seed: str) -> str | None:
    """First names become others of the same sex."""
    return replaced(text, seed, names(), is_first_name)


def place_names(text: str, seed: str) -> str | None:
    """Countries, capitals and states of the USA become others."""
    return replaced(text, seed, places(), is_place)


def nationalities(text: str, seed: str) -> str | None:
    return replaced(text, seed, known_nationalities(), stands_alone)


def faiths(text: str, seed: str) -> str | None:
    return replaced(text, seed, known_faiths(), stands_alone)


def numbers(text: str, seed: str) -> str | None:
    """Numbers that are no rating become others as long, which begin with the same digit (a year
    with the same century): another size would alter the meaning.
    """
    chance, chosen = random.Random(seed), {}

    def other(match: re.Match[str]) -> str:
        old, (start, end) = match[0], match.span()
        around = text[max(start - NEAR, 0) : start], text[end : end + NEAR]
        # The last thing of a text, or a ten, is a rating without a word for it.
        ends = len(old) < 3 and not re.search(r"\w", text[end:])
        if ends or old in ("10", "100") or any(map(RATING.search, around)):
            return old
        kept = 2 if re.fullmatch(r"(19|20)\d\d", old) else min(len(old) - 1, 1)
        while chosen.setdefault(old, old) == old:
            digits = chance.choices("123456789" if not kept else string.digits, k=len(old) - kept)
            chosen[old] = old[:kept] + "".join(digits)
        return chosen[old]

    return changed(text, NUMBER.sub(other, text))


def upper_case(text: str, seed: str) -> str | None:
    return changed(text, in_case(text, str.upper))


def lower_case(text: str, seed: str) -> str | None:
    return changed(text, in_case(text, str.lower))


def end_punctuation(text: str, seed: str) -> str | None:
    """What ends the text: full stops go, an exclamation mark becomes one full stop."""
    match = re.search(r"(?<![.!])[.!]+(?=[\"'”’)\]\s]*\Z)", text)
    if match is None:
        return None
    sign = "." if "!" in match[0] else ""
    return changed(text, text[: match.start()] + sign + text[match.end() :])


def contractions(text: str, seed: str) -> str | None:
    """ "don't" becomes "do not", and "do not" becomes "don't", wherever there is no doubt."""

    def other(match: re.Match[str]) -> str:
        # Between the words of the table there is one space.
        old = match[0].replace("’", "'")
        new = BOTH_WAYS[old.lower()]
        if old.isupper():
            return new.upper()
        return new[0].upper() + new[1:] if old[0].isupper() else new

    # The pattern knows the straight apostrophe; the curly one is as long.
    straight = text.replace("’", "'")
    pieces, last = [], 0
    for match in CONTRACTION.finditer(straight):
        pieces += [text[last : match.start()], other(match)]
        last = match.end()
    return changed(text, "".join([*pieces, text[last:]]))


MUST_NOT_MATTER: dict[str, Callable[[str, str], str | None]] = {
    "typos": typos,
    "missing_letter": missing_letter,
    "handle": handle,
    "address": address,
    "place_sentence": place_sentence,
    "first_names": first_names,
    "place_names": place_names,
    "nationalities": nationalities,
    "faiths": faiths,
    "numbers": numbers,
    "upper_case": upper_case,
    "lower_case": lower_case,
    "end_punctuation": end_punctuation,
    "contractions": contractions,
}


# What must matter.


def praise(text: str, seed: str) -> str:
    return f"{text} {random.Random(seed).choice(PRAISE)}"


def blame(text: str, seed: str) -> str:
    return f"{text} {random.Random(seed).choice(BLAME)}"


def negated(adjectives: str) -> list[tuple[str, str]]:
    """(judgement, the same with "not" before its adjective), of each template and adjective."""
    return [
        (template.format(one), template.format(f"not {one}"))
        for template in JUDGEMENTS
        for one in adjectives.split()
    ]


# Words that stand for each other: which ones are meant.


def replaced(
    text: str, seed: str, these: Known, meant: Callable[[str, int, int], bool]
) -> str | None:
    """What is `meant` (text, start, end) becomes another, the same one throughout the text."""
    chance, chosen = random.Random(seed), {}

    def other(match: re.Match[str]) -> str:
        old = match[0]
        if not meant(text, *match.span()):
            return old
        if old not in chosen:
            taken = {old, *chosen.values()}
            others = [one for one in these.stand_ins[old] if one not in taken]
            chosen[old] = chance.choice(others) if others else old
        return chosen[old]

    return changed(text, these.pattern.sub(other, text))


def is_first_name(text: str, start: int, end: int) -> bool:
    """Whether what is written like a first name is one: no surname, nor a word that begins a
    sentence.
    """
    before = text[max(start - 20, 0) : start].rstrip(" \t\r\n\"'“”‘(*-")
    begins = not before or before[-1] in ".!?:>…"
    is_word = begins and text[start:end] in WORDS.split()
    return not is_word and not follows(ARTICLE, text, start) and not follows_name(text, start)


def is_place(text: str, start: int, end: int) -> bool:
    """Whether a place has neither an article, which others do without, nor a capitalised word
    beside it.
    """
    return not follows(ARTICLE, text, start) and stands_alone(text, start, end)


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no capitalised word is next to it: it would be of a name or of a title with it."""
    after = re.match(r"\s[\"'“]?[A-Z]", text[end : end + 3])
    return not after and not follows_name(text, start)


def follows_name(text: str, start: int) -> bool:
    """Whether the word before is capitalised, and not just as the first one of a sentence."""
    before = follows(CAPITALISED, text, start)
    return bool(before) and before[1] not in FREE.split()


def follows(pattern: str, text: str, start: int) -> re.Match[str] | None:
    """What ends at `start` and matches."""
    return re.search(pattern, text[max(start - NEAR, 0) : start])


def in_case(text: str, case: Callable[[str], str]) -> str:
    """The text with its words in this case, but entities such as &quot; as they are."""
    return re.sub(r"&#?\w+;|\w+", lambda m: m[0] if m[0][0] == "&" else case(m[0]), text)


def changed(before: str, after: str) -> str | None:
    """`after`, or None where that is the same text or nothing at all."""
    return after if after != before and after.strip() else None
