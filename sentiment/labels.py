"""What a label is: as it is compared, and which of the known ones it means."""

from __future__ import annotations

from typing import Any

SYNONYMS = {"0": 0, "false": 0, "1": 1, "true": 1}  # of two names that are none of these
# The first one means bad, and the second good
FORWARDS = (
    ["neg", "pos"],
    ["negative", "positive"],
    ["bad", "good"],
    ["0", "1"],
    ["false", "true"],
)


def label_word(value: Any) -> str:
    """A label as it is compared, in any case: text without blanks around it, numbers as whole as
    they are; empty where there is none.
    """
    if value is None or value != value:  # NaN: a gap in a column of numbers
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = str(value).strip()
    number, _, rest = word.partition(".")
    is_float = rest == "0" and number.lstrip("+-").isdecimal()  # of a column with gaps
    return number if is_float else word


def are_labels(labels: str) -> bool:
    """Whether --labels can be taken: auto, or two or more different names."""
    names = [label_word(name).lower() for name in labels.split(",")]
    return labels == "auto" or (len(set(names)) == len(names) > 1 and all(names))


def label_number(value: Any, names: list[str]) -> int | None:
    """The number of a label by its name (any case); None where it is no label.

    Of two names 0 and 1, false and true mean the first and the second, unless a name is a number or
    true or false itself: then a label is what it says and nothing else.
    """
    known = {label_word(name).lower(): number for number, name in enumerate(names)}
    return (synonyms(names) | known).get(label_word(value).lower())


def synonyms(names: list[str]) -> dict[str, int]:
    """What else the labels are called."""
    return SYNONYMS if len(names) == 2 and not any(map(is_number, names)) else {}


def is_number(name: str) -> bool:
    """Whether a label's name is a number, or true or false."""
    try:
        float(name)
    except ValueError:
        return name.lower() in SYNONYMS
    return True


def is_backwards(names: list[str]) -> bool:
    """Whether of two labels the first one means good."""
    return [name.lower() for name in reversed(names)] in FORWARDS
