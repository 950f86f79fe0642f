"""A model's scores of labelled reviews: on disk beside the model, and read back from there.

Another version of a model's label is made here too: it is a question of the scores alone.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

import infer
import sources
from infer import Model, Predictions
from machine import quiet
from model import INPUTS, publish
from params import log, require_writable
from sources import Reviews


class Scores(NamedTuple):
    """Predictions, the seconds that they took, and where they are kept (without its ending)."""

    predictions: Predictions
    seconds: float
    stem: Path


def folder_of(model: Path) -> Path:
    """Where a model's evaluations are: beside it, as a published model is never changed."""
    return model.with_name(model.name + "-evaluation")


def score(model: Model, reviews: Reviews, name: str, precision: str) -> Scores:
    """Score reviews, or take the scores that this model has of the same at this precision.

    Written as NAME-predictions.csv and NAME-predictions.json.
    """
    folder = folder_of(model.folder)
    require_writable(folder)
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


def publish_with_threshold(model: Model, threshold: float) -> Path:
    """Publish the model again with a `label` that is positive from this probability on."""
    again = tf.Module(name="exported")
    again.loaded = model.loaded  # its variables and its tokeniser
    names, signatures = model.details["labels"], model.loaded.signatures

    def relabel(answer: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        positive = tf.cast(answer["probability"] >= threshold, tf.int32)
        return dict(answer) | {"label": tf.gather(tf.constant(names), positive)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def serving_default(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return relabel(signatures["serving_default"](text=text))

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name) for name in INPUTS])
    def token_ids(
        input_word_ids: tf.Tensor, input_mask: tf.Tensor, input_type_ids: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        given = zip(INPUTS, (input_word_ids, input_mask, input_type_ids), strict=True)
        return relabel(signatures["token_ids"](**dict(given)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def preprocess(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return signatures["preprocess"](text=text)

    made: dict[str, Any] = {
        "serving_default": serving_default,
        "token_ids": token_ids,
        "preprocess": preprocess,
    }
    home = model.folder.parent
    with tempfile.TemporaryDirectory(dir=home, prefix=".unfinished-") as temporary:
        folder = Path(temporary) / "model"
        with quiet():
            tf.saved_model.save(again, str(folder), signatures=made)
        for path in model.folder.glob("*.*"):
            if path.is_file() and not (folder / path.name).exists():
                shutil.copy(path, folder)
        details = json.loads((folder / infer.DETAILS).read_text(encoding="utf-8"))
        details |= {"threshold": threshold, "made_from": model.folder.name}
        (folder / infer.DETAILS).write_text(json.dumps(details, indent=1) + "\n", encoding="utf-8")
        return publish(folder, home)
