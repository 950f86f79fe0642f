"""A report on an evaluation: what is analysed and shown, as a page, JSON and CSV; two models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sentiment import files
from sentiment.errors import log
from sentiment.logits import by_label
from sentiment.report import analysis, changes_page, metrics, page
from sentiment.reviews.sources import Reviews
from sentiment.scoring import explain
from sentiment.scoring.infer import Model, Predictions
from sentiment.scoring.scores import Scores

SHOWN = 20  # surest mistakes, and least sure answers
ORDERS = 2  # of uncovering a review's words: a hundred scored reviews an explanation
LENGTHS = (0, 100, 200, 300, 400, 600, 1000)  # tokens
SHARES_CUT = (0, 1e-9, 0.25, 0.5, 0.75, 1)
CONFIDENCES = (0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)


def analyse(
    reviews: Reviews, predictions: Predictions, details: dict[str, Any], figures: dict[str, Any]
) -> dict[str, Any]:
    """All that the report shows but reviews, ready for JSON; `figures` are metrics.evaluate's."""
    confidence = analysis.confidences(predictions.logits, details["threshold"])
    labels, probabilities = reviews.labels, predictions.probabilities
    predicted = np.array([details["labels"].index(label) for label in predictions.labels])
    right = predicted == labels
    tokens, longest = predictions.token_counts, details["settings"]["max_length"]
    bands = {
        "length": (tokens, [*LENGTHS, max(int(tokens.max()), LENGTHS[-1]) + 1]),
        "share_cut": (np.clip(1 - longest / tokens, 0, 1), SHARES_CUT),
        "confidence": (confidence, CONFIDENCES),
    }
    intervals = {"accuracy": figures["accuracy_interval_95"]}
    intervals |= analysis.intervals(labels, probabilities, predicted)
    return {
        "figures": figures,
        "intervals_95": intervals,
        "reliability": metrics.reliability(labels, probabilities),
        "scores": analysis.histogram(labels, probabilities),
        "operating_points": analysis.operating_points(labels, probabilities)
        if probabilities.ndim == 1 and figures["roc_auc"] is not None
        else [],
        "bands": {name: analysis.by_band(*given, right) for name, given in bands.items()},
        "coverage": analysis.coverage(confidence, right),
    }


def choose(
    reviews: Reviews, predictions: Predictions, details: dict[str, Any]
) -> dict[str, list[int]]:
    """Rows of the surest mistakes and of the least sure answers, the most telling first."""
    predicted = np.array([details["labels"].index(label) for label in predictions.labels])
    sureness = analysis.confidences(predictions.logits, details["threshold"])
    wrong = np.flatnonzero(predicted != reviews.labels)
    return {
        "surest_mistakes": wrong[np.argsort(-sureness[wrong], kind="stable")][:SHOWN].tolist(),
        "least_sure": np.argsort(sureness, kind="stable")[:SHOWN].tolist(),
    }


def named_probability(predictions: Predictions) -> np.ndarray:
    """float [N]: the second label's probability, or of more than two the called label's."""
    found = predictions.probabilities
    return found if found.ndim == 1 else found.max(axis=1)


def describe(
    rows: Iterable[int], reviews: Reviews, predictions: Predictions, model: Model
) -> list[dict[str, Any]]:
    """These reviews with their explanations (None where one cannot be had)."""
    found = []
    for row in rows:
        because = explain.explain_or_say(model, reviews.texts[row], ORDERS)
        found.append(
            {
                "id": reviews.ids[row],
                "text": reviews.texts[row],
                "label": model.details["labels"][reviews.labels[row]],
                "predicted": predictions.labels[row],
                "probability": float(named_probability(predictions)[row]),
                "explanation": because,
            }
        )
    return found


def write(
    scored: Scores,
    model: Model,
    reviews: Reviews,
    figures: dict[str, Any],
    extra: dict[str, Any],
) -> list[Path]:
    """Write SPLIT-report.html, .json and .csv beside the scores; return their paths.

    `extra` may hold a `threshold`, a `comparison` and `robustness`.
    """
    predictions, stem, names = scored.predictions, scored.stem, model.details["labels"]
    content = analyse(reviews, predictions, model.details, figures) | extra
    chosen = {}
    for name, rows in choose(reviews, predictions, model.details).items():
        log(f"explaining {len(rows)} reviews: {name.replace('_', ' ')}")
        chosen[name] = describe(rows, reviews, predictions, model)
    paths = [stem.with_name(f"{stem.name}-report.{ending}") for ending in ("html", "json", "csv")]
    title = f"{model.folder.parent.name}/{model.folder.name} on {stem.name} ({reviews.source})"
    more = changes_page.make(extra["robustness"]) if "robustness" in extra else []
    shown = page.make(title, content, chosen, names, more)
    files.write_text(paths[0], shown)
    for row in (row for rows in chosen.values() for row in rows):
        row["explanation"] = row["explanation"] and row["explanation"].as_dict()
    files.write_json(paths[1], content | {"reviews": chosen})
    table = pd.DataFrame(table_rows(content)).convert_dtypes()  # counts stay whole
    files.write_text(paths[2], table.to_csv(index=False, lineterminator="\n"))
    return paths


def table_rows(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The report's tables as rows of one: `table` says which, a column that it lacks is empty."""
    tables: dict[str, list[dict[str, Any]]] = {"figures": []}
    for name, value in content["figures"].items():
        if isinstance(value, (int, float)):
            low, high = content["intervals_95"].get(name, (None, None))
            tables["figures"].append({"name": name, "value": value, "low": low, "high": high})
    for name in ("reliability", "scores", "operating_points", "coverage"):
        tables[name] = content[name]
    tables |= content["bands"]
    for name in ("must_not_matter", "must_matter"):
        # The examples are in the JSON.
        rows = content.get("robustness", {}).get(name, [])
        tables[name] = [{key: row[key] for key in row if key != "worst"} for row in rows]
    return [{"table": name} | row for name, rows in tables.items() for row in rows]


def compare(
    reviews: Reviews, scored: Scores, theirs: Scores, model: Model, other: Model
) -> dict[str, Any]:
    """Two models on the same reviews: analysis.compare, and the reviews on which they part.

    Prints it, and writes the reviews as NAME-parting.csv. infer.require_comparable comes first.
    """
    names = model.details["labels"]
    name = scored.stem.name
    ours, theirs = scored.predictions, theirs.predictions
    truth = np.array([names[label] for label in reviews.labels])
    right, other_right = (np.array(one.labels) == truth for one in (ours, theirs))
    found = {"model": str(model.folder), "other_model": str(other.folder)}
    found |= analysis.compare(right, other_right)
    apart = np.abs(by_label(ours.probabilities) - by_label(theirs.probabilities)).max(axis=1)
    rows = [row for row in np.argsort(-apart, kind="stable") if right[row] != other_right[row]]
    parting = [
        {
            "id": reviews.ids[row],
            "text": reviews.texts[row],
            "label": str(truth[row]),
            "probability": float(named_probability(ours)[row]),
            "other_probability": float(named_probability(theirs)[row]),
        }
        for row in rows
    ]
    table = pd.DataFrame(parting).to_csv(index=False, lineterminator="\n")
    files.write_text(scored.stem.with_name(f"{name}-parting.csv"), table)
    low, high = found["difference_interval_95"]
    print(
        f"against {other.folder}: {found['difference']:+.4f} (95 % interval {low:+.4f} to "
        f"{high:+.4f}), McNemar's p = {found['mcnemar_p_value']:.2g}; right here alone "
        f"{found['only_this_right']:,}, there alone {found['only_other_right']:,}"
    )
    return found | {"parting": parting[: page.SHOWN]}
