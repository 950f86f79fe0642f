"""What changes of a text do to its answer: those that must not matter, and those that must.

A check like CheckList's (Ribeiro et al. 2020, *Beyond Accuracy*, arXiv 2005.04118): invariance and
directional tests, on the reviews that are evaluated.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sentiment.errors import log
from sentiment.labels import is_backwards
from sentiment.report import metrics, perturb
from sentiment.report.printed import shown
from sentiment.reviews.markup import MARKUP
from sentiment.reviews.sources import Reviews
from sentiment.scoring import infer
from sentiment.scoring.infer import Model, Predictions

REVIEWS, SEED = 1000, 0  # so many at most, chosen with it
WORST = 3  # examples of each change
AROUND, LONGEST = 60, 240  # characters of an example: on both sides of what changed, and in all


def measure(
    model: Model, reviews: Reviews, predictions: Predictions, fast: bool = False
) -> dict[str, Any]:
    """Both kinds of changes, ready for JSON; `predictions` are those of the reviews.

    Only what a change altered is scored, all of it at once. What must matter is for models with two
    labels, of which the second is the good one unless their names say otherwise.
    """
    started = time.time()
    order = np.random.default_rng(SEED).permutation(len(reviews.ids))
    chosen = sorted(order[:REVIEWS].tolist())
    altered = {
        name: altered_by(change, reviews, chosen)
        for name, change in perturb.MUST_NOT_MATTER.items()
    }
    two, backwards = len(model.details["labels"]) == 2, is_backwards(model.details["labels"])
    if two:
        altered["praise_added"] = altered_by(perturb.praise, reviews, chosen)
        altered["blame_added"] = altered_by(perturb.blame, reviews, chosen)
    texts = [text for rows in altered.values() for text in rows.values()]
    log(f"robustness: {len(texts):,} changed texts of {len(chosen):,} reviews")
    found = infer.infer(model, texts, infer.make_progress(len(texts)), fast=fast)
    must_not_matter, must_matter, start = [], [], 0
    for name, rows in altered.items():
        here = slice(start, start := start + len(rows))
        before, after = take(predictions, list(rows)), take(found, here)
        if name in perturb.MUST_NOT_MATTER:
            row = unmoved(before, after, model.details["labels"])
            row["worst"] = worst(reviews, rows, before, after, model.details["labels"])
            must_not_matter.append({"change": name} | row)
        else:
            up = (name == "praise_added") != backwards
            must_matter.append({"change": name} | moved(before, after, up))
    if two:
        must_matter += negations(model, fast)
    return {
        "reviews": len(chosen),
        "of_reviews": len(reviews.ids),
        "seed": SEED,
        "seconds": time.time() - started,
        "must_not_matter": must_not_matter,
        "must_matter": must_matter,
    }


def altered_by(
    change: Callable[[str, str], str | None], reviews: Reviews, rows: list[int]
) -> dict[int, str]:
    """The changed text of each of these rows that has one."""
    every = {row: change(reviews.texts[row], reviews.ids[row]) for row in rows}
    return {row: text for row, text in every.items() if text is not None}


def take(predictions: Predictions, rows: Any) -> Predictions:
    """Of these rows what is compared here."""
    labels = np.array(predictions.labels, object)[rows].tolist()
    counts = predictions.token_counts[rows]
    return Predictions(predictions.logits[rows], predictions.probabilities[rows], labels, counts)


def probabilities_of(
    before: Predictions, after: Predictions, names: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """float [N] each: of the second label, or of more than two of the one called before."""
    if before.probabilities.ndim == 1:
        return before.probabilities, after.probabilities
    called = np.array([[names.index(label)] for label in before.labels], int).reshape(-1, 1)
    both = (np.take_along_axis(one.probabilities, called, 1)[:, 0] for one in (before, after))
    return tuple(both)


def flips(before: Predictions, after: Predictions) -> np.ndarray:
    """bool [N]: where the answer is another one."""
    pairs = zip(before.labels, after.labels, strict=True)
    return np.array([one != other for one, other in pairs], bool)


def unmoved(before: Predictions, after: Predictions, names: list[str]) -> dict[str, Any]:
    """How many answers flipped that should not, and how far the probability moved."""
    count, flipped = len(before.labels), int(flips(before, after).sum())
    if not count:
        nothing = dict.fromkeys(("share_flipped", "interval_95", "mean_absolute_change"))
        return {"texts_altered": 0, "answers_flipped": 0} | nothing
    old, new = probabilities_of(before, after, names)
    return {
        "texts_altered": count,
        "answers_flipped": flipped,
        "share_flipped": flipped / count,
        "interval_95": interval(flipped, count),
        "mean_absolute_change": float(np.abs(new - old).mean()),
    }


def worst(
    reviews: Reviews,
    texts: dict[int, str],
    before: Predictions,
    after: Predictions,
    names: list[str],
) -> list[dict[str, Any]]:
    """Examples shortened to what changed: flipped answers first, then how far they moved."""
    old, new = probabilities_of(before, after, names)
    rows = list(texts)
    found = []
    order = np.argsort(-np.abs(new - old) - flips(before, after), kind="stable")
    for number in order[:WORST].tolist():
        row = rows[number]
        text, other = excerpts(reviews.texts[row], texts[row])
        found.append(
            {
                "id": reviews.ids[row],
                "before": text,
                "after": other,
                "label_before": before.labels[number],
                "label_after": after.labels[number],
                "probability_before": float(old[number]),
                "probability_after": float(new[number]),
            }
        )
    return found


def excerpts(before: str, after: str) -> tuple[str, str]:
    """Two texts from shortly before they part to shortly after, mark-up left out."""
    both = [re.sub(MARKUP, " ", text) for text in (before, after)]
    head = len(os.path.commonprefix(both))
    tail = len(os.path.commonprefix([text[head:][::-1] for text in both]))
    found = []
    for text in both:
        first = max(head - AROUND, 0)
        last = min(len(text) - tail + AROUND, len(text), first + LONGEST)
        found.append("…" * (first > 0) + text[first:last] + "…" * (last < len(text)))
    return tuple(found)


def moved(before: Predictions, after: Predictions, up: bool) -> dict[str, Any]:
    """How many of two labels' answers moved the right way, by their logits: a probability near 0
    or 1 has no room for it.
    """
    right = (after.logits > before.logits) if up else (after.logits < before.logits)
    return {
        "texts": len(right),
        "right_way": int(right.sum()),
        "share_right_way": float(right.mean()),
        "interval_95": interval(int(right.sum()), len(right)),
        "mean_change": float((after.probabilities - before.probabilities).mean()),
    }


def interval(hits: int, count: int) -> list[float]:
    """Wilson's 95 % interval of a share, without what rounding puts beyond 0 and 1."""
    return np.clip(metrics.wilson_interval(hits, count), 0, 1).tolist()


def negations(model: Model, fast: bool) -> list[dict[str, Any]]:
    """Plain judgements without and with "not", whatever the reviews."""
    found = []
    for name, adjectives in (("not_good", perturb.GOOD), ("not_bad", perturb.BAD)):
        pairs = perturb.negated(adjectives)
        before, after = (
            infer.infer(model, [pair[side] for pair in pairs], fast=fast) for side in (0, 1)
        )
        up = (name == "not_bad") != is_backwards(model.details["labels"])
        found.append({"change": name} | moved(before, after, up))
    return found


def show(content: dict[str, Any]) -> None:
    """Print the tables, and the worst example of the three changes that flipped most."""
    print(
        f"robustness, on {content['reviews']:,} of {content['of_reviews']:,} reviews "
        f"(chosen with seed {content['seed']})"
    )
    print("must not matter      altered  answers flip (95 % interval)     mean change")
    rows = content["must_not_matter"]
    for row in rows:
        words = f"  {row['change'].replace('_', ' '):<18} {row['texts_altered']:>7,}"
        if row["texts_altered"]:
            low, high = row["interval_95"]
            share = f"{row['share_flipped']:.2%} ({low:.2%} to {high:.2%})"
            words += f"  {share:<30} {row['mean_absolute_change']:>11.4f}"
        print(words)
    print(
        "must matter            texts  right way (95 % interval)        mean change"
        if content["must_matter"]
        else "must matter: not measured, as more than two labels have no good end"
    )
    for row in content["must_matter"]:
        low, high = row["interval_95"]
        share = f"{row['share_right_way']:.2%} ({low:.2%} to {high:.2%})"
        print(
            f"  {row['change'].replace('_', ' '):<18} {row['texts']:>7,}  {share:<30} "
            f"{row['mean_change']:>+11.4f}"
        )
    rows = [row for row in rows if row["answers_flipped"]]
    for row in sorted(rows, key=lambda row: -row["interval_95"][0])[:WORST]:
        print(f"worst of {row['change'].replace('_', ' ')}:")
        for side in ("before", "after"):
            one = row["worst"][0]
            score, text = one[f"probability_{side}"], " ".join(one[side].split())
            print(f"  {side:<6} {shown(score)} {one[f'label_{side}']}: {text}")
