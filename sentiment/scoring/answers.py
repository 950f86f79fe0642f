"""What an answer to a text consists of: label, probability, whether it was cut, and a remark."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sentiment.scoring import infer
from sentiment.scoring.infer import Model, early_of

UNKNOWN_TO_ALL = "\U00012000"  # a cuneiform sign, which no vocabulary of these encoders holds
MANY = 0.5  # share of unknown tokens, or of letters of another script, from which it is remarked


def answers(
    model: Model,
    texts: list[str],
    progress: Callable[[int], None] | None = None,
    fast: Counter[bool] | None = None,
) -> Iterator[dict[str, Any]]:
    """One dict a text: `label`, `probability`, `cut`, `note`, and by `probabilities` each label's.

    `probability` is the second label's, or of more than two labels that of the label it names.
    `fast` has the encoder left out where the n-gram side is sure, and counts that under True.
    """
    found = infer.infer(model, texts, progress, unknown_id(model), fast is not None)
    if fast is not None:
        fast.update(early_of(found).tolist())
    longest, names = model.details["settings"]["max_length"], model.details["labels"]
    for row, text in enumerate(texts):
        every = found.probabilities[row]
        one = every if np.ndim(every) == 0 else every.max()
        each = [1 - one, one] if np.ndim(every) == 0 else every
        yield {
            "label": found.labels[row],
            "probability": float(one),
            "probabilities": dict(zip(names, map(float, each), strict=True)),
            "cut": bool(found.token_counts[row] > longest),
            "note": note_of(text, float(found.unknown[row])) or None,
        }


def early_words(fast: Counter[bool]) -> str:
    """How many texts were answered early, for a person."""
    share = fast[True] / max(fast.total(), 1)
    return f"{fast[True]:,} of {fast.total():,} ({share:.0%}) were answered without the encoder"


def unknown_id(model: Model) -> int:
    """The id that stands for what the vocabulary does not hold; -1 where there is none."""
    ids = model.signatures["preprocess"](text=np.array([UNKNOWN_TO_ALL], object))
    inner = ids["input_word_ids"].numpy()[0, 1:-1]
    return int(inner[0]) if len(inner) == 1 else -1


def note_of(text: str, unknown: float) -> str:
    """Why an answer says little; empty when nothing is odd. `unknown` is a share of the tokens."""
    if unknown >= 1:
        return "the model knows none of its words"
    letters = [sign for sign in text if sign.isalpha()]
    other = sum(not unicodedata.name(sign, "").startswith("LATIN") for sign in letters)
    if letters and other / len(letters) > MANY:
        return "most of its letters are not Latin, and the model was trained on English"
    if unknown > MANY:
        return f"the model does not know {unknown:.0%} of its tokens"
    return ""
