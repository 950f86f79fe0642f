"""What changes of a text did to its answer, as a part of the report's page.

Every text of a review is escaped.
"""

from __future__ import annotations

import difflib
import html
import re
from typing import Any

from sentiment.report.page import table

CHANGES = {  # of a text that must not matter: what is done, and what to do where it flips much
    "typos": (
        "two letters of a word change places",
        "Correct the spelling of what you score, or train on texts with such slips.",
    ),
    "missing_letter": (
        "one letter inside a word goes",
        "Correct the spelling of what you score, or train on texts with such slips.",
    ),
    "handle": ("@name before the text", "Remove handles before scoring."),
    "address": ("a web address after the text", "Remove addresses before scoring."),
    "place_sentence": (
        "a sentence that names a place after the text",
        "The label hangs on sentences without a judgement: train with more short texts.",
    ),
    "first_names": (
        "first names become others",
        "Reviews are judged by who is in them: train with names read as one, as by default, and "
        "replace those that still flip by one word in training and scoring.",
    ),
    "place_names": (
        "countries, capitals and states become others",
        "Do not rank texts by these scores across places; replace them by one word in both.",
    ),
    "nationalities": (
        "nationalities become others",
        "Do not compare groups by these scores; train with them read as one, as by default.",
    ),
    "faiths": (
        "faiths become others",
        "Do not compare groups by these scores; train with them read as one, as by default.",
    ),
    "numbers": (
        "numbers that are no rating become others",
        "Replace numbers that are no rating, such as years, by one digit in both.",
    ),
    "upper_case": (
        "all in capitals",
        "Write it in lower case before scoring, or take an encoder that ignores case.",
    ),
    "lower_case": (
        "all in small letters",
        "Train on lower case too, or take an encoder that ignores case.",
    ),
    "end_punctuation": (
        "the full stop at the end goes, ! becomes .",
        "Give every text the same end before scoring.",
    ),
    "contractions": (
        "don't becomes do not, and do not don't",
        "Write out contractions in training and scoring.",
    ),
}
MUST = {  # matter: what is done, and which way is right
    "praise_added": "a sentence of praise after the text: up",
    "blame_added": "a sentence of blame after the text: down",
    "not_good": "“It was good.” becomes “It was not good.”: down",
    "not_bad": "“It was bad.” becomes “It was not bad.”: up",
}


def make(content: dict[str, Any]) -> list[str]:
    """Both tables of robustness.measure; of each change what to do, and its worst examples."""
    parts = [
        "<h2>What must not matter</h2>",
        f"<p>Each change was made to {content['reviews']:,} of the {content['of_reviews']:,} "
        f"reviews (chosen with seed {content['seed']}), where there was something to change. The "
        "lower the share of answers that flip, the better; where its interval begins above what "
        "you can bear, do what stands under the table. The change is the mean of the "
        "probability's, up or down.</p>",
    ]
    rows = []
    for row in content["must_not_matter"]:
        cells = [CHANGES[row["change"]][0], f"{row['texts_altered']:,}", "", "", ""]
        if row["texts_altered"]:
            cells[2:] = share_cells(row["share_flipped"], row["interval_95"])
            cells.append(f"{row['mean_absolute_change']:.4f}")
        rows.append(cells)
    head = ["what is changed", "texts altered", "answers flip", "95 % interval"]
    parts.append(table([*head, "mean change"], rows))
    for row in content["must_not_matter"]:
        if row["texts_altered"]:
            done, advice = CHANGES[row["change"]]
            parts.append(
                f"<details><summary>{done}: {row['share_flipped']:.2%} flip; what to do, and the "
                f"worst examples</summary><p>If high: {advice}</p>"
            )
            parts += [*map(example, row["worst"]), "</details>"]
    parts.append("<h2>What must matter</h2>")
    if not content["must_matter"]:
        return [*parts, "<p>Not measured: more than two labels have no good end.</p>"]
    rows = [
        [
            MUST[row["change"]],
            f"{row['texts']:,}",
            *share_cells(row["share_right_way"], row["interval_95"]),
            f"{row['mean_change']:+.4f}",
        ]
        for row in content["must_matter"]
    ]
    head = ["what is changed, and which way is right", "texts", "move the right way"]
    return [
        *parts,
        table([*head, "95 % interval", "mean change"], rows),
        "<p>The higher the share, the better. Where a sentence of praise or blame moves little, "
        "look at how much of a review is read (max length, truncation); where “not” does, train "
        "with single sentences, made-up judgements and written texts.</p>",
    ]


def share_cells(share: float, interval: list[float]) -> list[str]:
    return [f"{share:.2%}", f"{interval[0]:.2%} to {interval[1]:.2%}"]


def example(row: dict[str, Any]) -> str:
    """Before and after side by side, the words that differ marked."""
    words = [re.findall(r"\w+|\W", row[side]) for side in ("before", "after")]
    steps = difflib.SequenceMatcher(None, *words, autojunk=False).get_opcodes()
    sides = []
    for number, side in enumerate(("before", "after")):
        pieces = []
        for kind, *places in steps:
            first, last = places[2 * number : 2 * number + 2]
            piece = html.escape("".join(words[number][first:last]))
            pieces.append(piece if kind == "equal" or not piece else f"<mark>{piece}</mark>")
        meta = f"{side}: {row[f'label_{side}']}, {row[f'probability_{side}']:.4f}"
        sides.append(f'<div><div class="meta">{html.escape(meta)}</div>{"".join(pieces)}</div>')
    return (
        f'<div class="review"><div class="meta">id {row["id"]}</div>'
        f'<div class="sides">{"".join(sides)}</div></div>'
    )
