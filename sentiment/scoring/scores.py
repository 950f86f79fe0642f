"""A model's scores of labelled reviews: on disk beside the model, and read back from there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sentiment import files
from sentiment.errors import log
from sentiment.model.versions import DETAILS
from sentiment.reviews import sources
from sentiment.reviews.sources import Reviews
from sentiment.scoring import infer
from sentiment.scoring.infer import Model, Predictions

SIDES = ("encoder_logits", "ngram_logits")  # of a model that has both


class Scores(NamedTuple):
    """Predictions, the seconds that they took, and where they are kept (without its ending)."""

    predictions: Predictions
    seconds: float
    stem: Path
    made_from: dict[str, str]  # hashes of the reviews and of what is stored with the model


def score(
    model: Model, reviews: Reviews, name: str, precision: str, folder: Path, fast: bool = False
) -> Scores:
    """Score reviews, or take the scores that `folder` has of them by this model and precision.

    Written as NAME-predictions.csv and NAME-predictions.json. Another process that scores the same
    split of the same model is waited for.
    """
    stem = folder / name
    table, note = (folder / f"{name}-predictions.{ending}" for ending in ("csv", "json"))
    # A folder may be given for several models, and a number be another model's than it was.
    model_sha256 = files.sha256_of(model.folder / DETAILS)
    made_from = {"data_sha256": sources.digest(reviews), "model_sha256": model_sha256}
    wanted = made_from | {"precision": precision}
    with files.lock(folder / f".{name}.lock", f"another process scores {name}: waiting for it"):
        stored = files.read_json(note)
        if table.is_file() and stored and wanted.items() <= stored.items():
            try:
                found = Scores(read(table, reviews.ids), float(stored["seconds"]), stem, made_from)
                log(f"{name}: scores of {table} taken again; delete it to score anew")
                return found
            except (ValueError, KeyError, TypeError):
                log(f"{table} is damaged: scoring anew")
        log(f"{name}: {len(reviews.texts):,} reviews of {reviews.source}")
        started = time.time()
        progress = infer.make_progress(len(reviews.texts))
        predictions = infer.infer(model, reviews.texts, progress, fast=fast)
        seconds = time.time() - started
        names = model.details["labels"]
        columns = {
            "id": reviews.ids,
            "label": [names[label] for label in reviews.labels],
            "predicted": predictions.labels,
            **columns_of("probability", predictions.probabilities),
            **columns_of("logit", predictions.logits),
            "token_count": predictions.token_counts,
        }
        for side in SIDES:
            if (logits := getattr(predictions, side)) is not None:
                columns |= columns_of(side[:-1], logits)
        note.unlink(missing_ok=True)  # it vouches for the table, so it comes last
        files.write_text(table, pd.DataFrame(columns).to_csv(index=False, lineterminator="\n"))
        files.write_json(note, wanted | {"seconds": seconds})
        return Scores(predictions, seconds, stem, made_from)


def columns_of(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """A column, or of more than two labels a column a label: name-0, name-1, ..."""
    if values.ndim == 1:
        return {name: values}
    return {f"{name}-{number}": column for number, column in enumerate(values.T)}


def read(table: Path, ids: list[str]) -> Predictions:
    """The scores of these reviews that `score` wrote. Raises ValueError or KeyError if damaged."""
    # A label may be called None or NA.
    texts = {"id": str, "label": str, "predicted": str}
    found = pd.read_csv(table, dtype=texts, keep_default_na=False)
    if found["id"].tolist() != ids:
        raise ValueError(f"{table} is of other reviews")
    return Predictions(
        *(values_of(found, name) for name in ("logit", "probability")),
        found["predicted"].tolist(),
        found["token_count"].to_numpy(np.int32),
        **{side: values_of(found, side[:-1], required=False) for side in SIDES},
    )


def values_of(table: pd.DataFrame, name: str, required: bool = True) -> np.ndarray | None:
    """float32, what `columns_of` made columns of. Raises KeyError where they are `required`."""
    columns = [column for column in table if column.startswith(f"{name}-")]
    if not columns and name not in table:
        if required:
            raise KeyError(name)
        return None
    values = table[columns or name].to_numpy(object)
    return np.where(values == "", np.nan, values).astype(np.float32)  # a side that was not asked
