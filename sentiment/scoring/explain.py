"""Which words carried the decision? Shapley values of groups of words, for any encoder.

Every part of a review gets the mean change of the logit as it is uncovered, over seeded orders of
uncovering (Castro et al. 2009, "Polynomial calculation of the Shapley value based on sampling");
covered words are the mask token. Each order's changes telescope, so the parts sum to logit(review)
- logit(all covered) whatever the number of orders.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from sentiment.errors import UserError, log
from sentiment.logits import log_odds, predicted
from sentiment.reviews.markup import MARKUP
from sentiment.reviews.truncation import kept_tokens
from sentiment.scoring.infer import TOKEN_BUDGET, Model

COARSE = 8  # parts at first; then twice the strongest are split, up to MOST
SPLIT = 4  # a strong part becomes up to so many
MOST = 24  # parts in the end, at most
STRONG = 0.1  # from this share of the strongest part's value on, a part is marked
BLUE, RED, PLAIN = "\033[1;34m", "\033[1;31m", "\033[0m"
ORDERS = 8  # seeded orders of uncovering and their reverses, together


class Part(NamedTuple):
    """Neighbouring words that were read, and what they add to the logit."""

    first: int  # index of its first word
    last: int  # index of its last word
    value: float


class Explanation(NamedTuple):
    """Words of a review; parts in order; the parts' values sum to `logit` - `covered`."""

    words: list[str]  # mark-up is gone
    read: np.ndarray  # bool [words]: False where the max length cut the word
    parts: list[Part]
    logit: float  # of the second label; of more than two, the called label's log-odds
    covered: float  # the same with every word covered
    label: str = ""  # the called label, of more than two

    def text_of(self, part: Part) -> str:
        """The part's words that were read."""
        span = range(part.first, part.last + 1)
        return " ".join(self.words[word] for word in span if self.read[word])

    def as_words(self, colour: bool) -> str:
        """The review with its strong parts marked: [+1.23 so], in colour if wanted."""
        weakest = STRONG * max(abs(part.value) for part in self.parts)
        starts = {part.first: part for part in self.parts}
        pieces, word = [], 0
        while word < len(self.words):
            if part := starts.get(word):
                text = self.text_of(part)
                if abs(part.value) >= weakest:
                    text = f"[{part.value:+.2f} {text}]"
                    if colour:
                        text = f"{BLUE if part.value > 0 else RED}{text}{PLAIN}"
                pieces.append(text)
                cut = int(np.sum(~self.read[part.first : part.last + 1]))
                word = part.last + 1
            else:
                cut = int(np.argmax(np.append(self.read[word:], True)))
                word += cut
            if cut:
                pieces.append(f"({cut} words not read)")
        total = self.logit - self.covered
        what = f"log-odds of {self.label}" if self.label else "logit"
        return (
            f"{' '.join(pieces)}\n{what} {self.logit:.2f}, all words covered {self.covered:.2f}: "
            + (f"the words add {total:+.2f}")
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the strongest part first."""
        strongest = sorted(self.parts, key=lambda part: -abs(part.value))
        return {
            **({"label": self.label} if self.label else {}),
            "logit": self.logit,
            "logit_covered": self.covered,
            "parts": [
                {"text": self.text_of(part), "value": part.value, "first_word": part.first}
                for part in strongest
            ],
            "unread": [word for word, read in zip(self.words, self.read, strict=True) if not read],
        }


class Tokens(NamedTuple):
    """A review's tokens, those that nobody reads left out, and the words that they are of."""

    words: list[str]  # all of them, mark-up gone
    word_of: np.ndarray  # int [tokens]: index of the word
    ids: np.ndarray  # int32 [tokens]
    kept: np.ndarray  # int: which of the tokens the encoder reads
    given: dict[str, np.ndarray]  # what the encoder gets, [1, kept and special tokens]


def token_words(model: Model, text: str) -> Tokens:
    """Raises UserError where there is no word, or the tokeniser does not read a text by words."""
    settings = model.details["settings"]
    # Entities stay: the export decodes them in a word as in the whole, or as an older one does not.
    words = re.sub(MARKUP, " ", text).split()
    if not words:
        raise UserError("cannot explain this review: it has no word")
    encode = model.signatures["preprocess"]
    alone = {name: value.numpy() for name, value in encode(text=np.array(words)).items()}
    counts = alone["input_mask"].sum(axis=1) - 2
    word_of = np.repeat(np.arange(len(words)), counts)
    ids = np.concatenate(
        [one[1 : 1 + count] for one, count in zip(alone["input_word_ids"], counts, strict=True)]
    )
    head, tail = kept_tokens(*(settings[n] for n in ("max_length", "truncation", "head_share")))
    kept = np.arange(len(ids))
    if len(ids) > head + tail:
        kept = np.r_[:head, len(ids) - tail : len(ids)]
    if not len(kept):
        raise UserError("cannot explain this review: the model reads none of it")
    whole = {name: value.numpy() for name, value in encode(text=np.array([text])).items()}
    given = {name: value for name, value in whole.items() if name.startswith("input_")}
    if not np.array_equal(given["input_word_ids"][0, 1:-1], ids[kept]):
        raise UserError("cannot explain this review: its tokens do not follow its words")
    if not model.details.get("mixture"):
        word_of, ids, kept = word_of[kept], ids[kept], np.arange(len(kept))
    return Tokens(words, word_of, ids, kept, given)


def spans(words: np.ndarray, count: int) -> list[np.ndarray]:
    """Indices of words cut into `count` runs of equal length, or as many as there are words."""
    return [run for run in np.array_split(words, min(count, len(words))) if len(run)]


def shapley(value_of: Any, players: int, orders: int, seed: int) -> np.ndarray:
    """float64 [players]: mean change of the value as each player comes in, over `orders` orders.

    `value_of` takes bool [coalitions, players] and gives float [coalitions]. Every order is
    followed by its reverse, which halves the noise of neighbours that do the same.
    """
    chance = np.random.default_rng(seed)
    first = [chance.permutation(players) for _ in range(-(-orders // 2))]
    chosen = [order for one in first for order in (one, one[::-1])][:orders]
    coalitions = np.zeros((len(chosen), players + 1, players), bool)
    for present, order in zip(coalitions, chosen, strict=True):
        for step, player in enumerate(order):
            present[step + 1 :, player] = True
    flat, inverse = np.unique(coalitions.reshape(-1, players), axis=0, return_inverse=True)
    values = np.asarray(value_of(flat), np.float64)[inverse.reshape(coalitions.shape[:2])]
    changes = np.zeros((len(chosen), players))
    for change, order, value in zip(changes, chosen, values, strict=True):
        change[order] = np.diff(value)
    return changes.mean(axis=0)


def explain(model: Model, text: str, orders: int = ORDERS, seed: int = 0) -> Explanation:
    """Attribute the logit of one review to its words.

    About `orders` x 45 reviews of this length are scored. Raises UserError where there is no word,
    or the tokeniser does not read a text word by word.
    """
    words, word_of, tokens, kept, given = token_words(model, text)
    mask = model.details["mask_id"]
    known: dict[bytes, np.ndarray] = {}
    labels = model.details["labels"]
    name = "logit" if len(labels) == 2 else "logits"

    def logits(shown: np.ndarray) -> np.ndarray:
        """float [M] or [M, labels]; `shown` is bool [M, tokens], without [CLS] and [SEP]."""
        new = [row for row in shown if row.tobytes() not in known]
        step = max(TOKEN_BUDGET // (len(word_of) + 2), 1)
        for start in range(0, len(new), step):
            rows = np.stack(new[start : start + step])
            inputs = {name: np.repeat(value, len(rows), 0) for name, value in given.items()}
            inner = inputs["input_word_ids"][:, 1:-1]
            inputs["input_word_ids"][:, 1:-1] = np.where(rows[:, kept], inner, mask)
            if model.details.get("mixture"):  # covered words are gaps there
                whole = np.where(rows, tokens, -1).astype(np.int32)
                inputs |= model.signatures["ngrams"](input_word_ids=whole)
            found = model.signatures["token_ids"](**inputs)[name].numpy()
            known.update((row.tobytes(), one) for row, one in zip(rows, found, strict=True))
        return np.array([known[row.tobytes()] for row in shown])

    everything = np.ones((1, len(word_of)), bool)
    called = int(predicted(logits(everything))[0])

    def odds(shown: np.ndarray) -> np.ndarray:
        return log_odds(logits(shown), called)

    def value(groups: list[np.ndarray]) -> np.ndarray:
        member = np.stack([np.isin(word_of, group) for group in groups])
        return shapley(lambda present: odds(present @ member), len(groups), orders, seed)

    groups = spans(np.unique(word_of), MOST if len(np.unique(word_of)) <= MOST else COARSE)
    values = value(groups)
    for _ in range(2):
        finer = split_strongest(groups, values)
        if len(finer) > len(groups):
            groups, values = finer, value(finer)
    parts = [
        Part(int(group[0]), int(group[-1]), float(one))
        for group, one in zip(groups, values, strict=True)
    ]
    read = np.isin(np.arange(len(words)), word_of)
    whole, covered = (float(odds(shown)[0]) for shown in (everything, ~everything))
    return Explanation(
        words, read, parts, whole, covered, labels[called] if len(labels) > 2 else ""
    )


def explain_or_say(model: Model, text: str, orders: int = ORDERS) -> Explanation | None:
    """The explanation, or None where there is none: the reason goes to standard error."""
    try:
        return explain(model, text, orders)
    except UserError as error:
        log(f"{' '.join(text.split())[:80]!r}: {error}")
        return None


def split_strongest(groups: list[np.ndarray], values: np.ndarray) -> list[np.ndarray]:
    """The groups, the strongest of several words in up to SPLIT pieces, while MOST allows it."""
    room = min(MOST - len(groups), 3 * (SPLIT - 1))
    pieces = {number: [group] for number, group in enumerate(groups)}
    for number in np.argsort(-np.abs(values), kind="stable"):
        more = min(room, SPLIT - 1)
        if more > 0 and len(groups[number]) > 1:
            pieces[number] = spans(groups[number], more + 1)
            room -= len(pieces[number]) - 1
    return [piece for number in range(len(groups)) for piece in pieces[number]]
