"""A model's scores of labelled reviews: on disk beside the model, and read back from there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sentiment import files
from sentiment.errors import log
from sentiment.model.versions import evaluation_folder
from sentiment.reviews import sources
from sentiment.reviews.sources import Reviews
from sentiment.scoring import infer
from sentiment.scoring.infer import Model, Predictions


class Scores(NamedTuple):
    """Predictions, the seconds that they took, and where they are kept (without its ending)."""

    predictions: Predictions
    seconds: float
    stem: Path


def score(model: Model, reviews: Reviews, name: str, precision: str) -> Scores:
    """Score reviews, or take the scores that this model has of the same at this precision.

    Written as NAME-predictions.csv and NAME-predictions.json.
    """
    folder = evaluation_folder(model.folder)
    files.require_writable(folder)
    stem = folder / name
    table, note = (folder / f"{name}-predictions.{ending}" for ending in ("csv", "json"))
    wanted = {"data_sha256": sources.digest(reviews), "precision": precision}
    if table.is_file() and note.is_file():
        stored = json.loads(note.read_text(encoding="utf-8"))
        if wanted.items() <= stored.items():
            log(f"{name}: scores of {table} taken again; delete it to score anew")
            return Scores(read(table), stored["seconds"], stem)
    log(f"{name}: {len(reviews.texts):,} reviews of {reviews.source}")
    started = time.time()
    predictions = infer.infer(model, reviews.texts, infer.make_progress(len(reviews.texts)))
    seconds = time.time() - started
    names = model.details["labels"]
    columns = {
        "id": reviews.ids,
        "label": [names[label] for label in reviews.labels],
        "predicted": predictions.labels,
        "probability": predictions.probabilities,
        "logit": predictions.logits,
        "token_count": predictions.token_counts,
    }
    note.unlink(missing_ok=True)  # it vouches for the table, so it comes last
    pd.DataFrame(columns).to_csv(table, index=False)
    note.write_text(json.dumps(wanted | {"seconds": seconds}) + "\n", encoding="utf-8")
    return Scores(predictions, seconds, stem)


def read(table: Path) -> Predictions:
    # A label may be called None or NA.
    texts = {"id": str, "label": str, "predicted": str}
    found = pd.read_csv(table, dtype=texts, keep_default_na=False)
    return Predictions(
        found["logit"].to_numpy(np.float32),
        found["probability"].to_numpy(np.float32),
        found["predicted"].tolist(),
        found["token_count"].to_numpy(np.int32),
    )
