"""What a run leaves beside its model: its figures and conditions, its epochs, its curve."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from params import Params
from sentiment import files
from sentiment.reviews.sources import Reviews, digest
from sentiment.training.fit import Fitted


def results(
    params: Params, reviews: Reviews, train: Reviews, dev: Reviews, sentences: int, fitted: Fitted
) -> dict[str, Any]:
    """What results.json says of the training itself.

    `reviews` are what train and dev were taken from; `sentences` were learnt besides, an epoch.
    """
    seconds = sum(row["train_seconds"] for row in fitted.rows)
    texts = len(train.ids) + sentences
    return {
        "dev_accuracy": fitted.best["dev_accuracy"],
        "dev_loss": fitted.best["dev_loss"],
        "best_epoch": fitted.best["epoch"],
        "continued_at_step": fitted.continued_at,
        "train_reviews": len(train.ids),
        "train_sentences": sentences * params.epochs,
        "dev_reviews": len(dev.ids),
        "skipped_rows": reviews.skipped,
        "train_seconds": seconds,
        "train_texts_per_second": texts * params.epochs / seconds,
        "data": reviews.source,
        "data_sha256": digest(reviews),
        "runs": 1,
        "settings": dataclasses.asdict(params),
    }


def write(
    folder: Path, results: dict[str, Any], fitted: Fitted
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write results.json, history.csv (a row an epoch) and steps.csv; return the two tables."""
    files.write_json(folder / "results.json", results)
    history, curve = pd.DataFrame(fitted.rows), pd.DataFrame(fitted.curve)
    history.to_csv(folder / "history.csv", index=False)
    curve.to_csv(folder / "steps.csv", index=False)
    return history, curve
