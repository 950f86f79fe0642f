"""From texts to probabilities, with an exported model. Evaluate and predict both come through here.

Needs tensorflow, tensorflow_text and numpy only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sentiment.errors import UserError, log
from sentiment.logits import probabilities as probabilities_of
from sentiment.machine import quiet
from sentiment.model.versions import find_model, learnt_from, load_details
from sentiment.scoring.threshold import labels_of

WINDOW = 2048  # reviews that are tokenised and sorted by length together; memory grows with it
TOKEN_BUDGET = 8192  # tokens a batch, padding included: short reviews share a large batch


class Model(NamedTuple):
    """An exported model on its way back: its folder, its signatures, what training stored."""

    folder: Path
    signatures: Any
    details: dict[str, Any]
    loaded: Any  # keeps the variables alive


class Predictions(NamedTuple):
    """One row a text, in the texts' order."""

    logits: np.ndarray  # float32 [N], or [N, labels] of more than two
    probabilities: np.ndarray  # the same, of the second (positive) label, or of each
    labels: list[str]
    token_counts: np.ndarray  # int32 [N], special tokens included, before truncation
    unknown: np.ndarray | None = None  # float32 [N]: share of what was read that is no known token
    # Of a model with an n-gram side: what each side says alone, as `logits`; not a number where
    # the encoder was not asked.
    encoder_logits: np.ndarray | None = None
    ngram_logits: np.ndarray | None = None


def require_fast(details: dict[str, Any]) -> None:
    """Raises UserError where a model cannot leave its encoder out."""
    if not details.get("mixture"):
        raise UserError(
            "--fast: this model has no n-gram side that could answer alone; leave --fast out, or "
            "train one (without --no-ngrams)"
        )


def require_comparable(
    details: dict[str, Any], other: dict[str, Any], other_folder: Path, name: str, ids: list[str]
) -> None:
    """Raises UserError where another model cannot be compared with one on the split `name`, whose
    reviews these are; what the other one has learnt of them is remarked on.
    """
    if other["labels"] != details["labels"]:
        raise UserError(
            f"{other_folder} has other labels: {other['labels']}, not {details['labels']}"
        )
    learnt = len(set(details["dev_ids"]) - set(other["dev_ids"]))
    if learnt and name in ("dev", "dev-sentences"):
        raise UserError(
            f"{other_folder} may have learnt from {learnt:,} of these reviews, which are not "
            "its dev: compare on --split test, or on --data"
        )
    if name != "dev-sentences" and (seen := learnt_from(other_folder, ids)):
        log(f"remark: {other_folder} has learnt from {seen:,} of these {len(ids):,} texts")


def load_model(folder: str | Path) -> Model:
    """Load an exported model. Raises UserError when it is missing or damaged."""
    folder = find_model(folder)
    details = load_details(folder)
    import tensorflow as tf

    try:
        with quiet():
            loaded = tf.saved_model.load(str(folder))
        signatures = dict(loaded.signatures)
        if missing := {"preprocess", "token_ids"} - set(signatures):
            raise KeyError(f"no signature {', '.join(sorted(missing))}")
    except Exception as error:  # whatever TensorFlow raises on a truncated or foreign file
        raise UserError(
            f"{folder} cannot be loaded ({str(error).splitlines()[0][:100]}): "
            "run `python model_train.py` again, or name another with --model-folder"
        ) from None
    return Model(folder, signatures, details, loaded)


def make_progress(total: int, before: int = 0) -> Callable[[int], None]:
    """A function that shows how many of `total` are done; by tenths when not on a terminal.

    `before` of them were done when the clock started.
    """
    started = time.time()
    terminal = sys.stderr.isatty()
    shown = before * 10 // max(total, 1)

    def progress(done: int) -> None:
        nonlocal shown
        if not terminal and done * 10 // total == shown and done < total:
            return
        shown = done * 10 // total
        rate = (done - before) / (time.time() - started)
        text = f"{done:,} of {total:,}, {rate:.0f} reviews/s, {(total - done) / rate:.0f} s left"
        end = "\n" if done == total or not terminal else ""
        print(f"\r{text:<60}" if terminal else text, end=end, file=sys.stderr, flush=True)

    return progress


def batches_within(token_counts: np.ndarray, budget: int) -> list[slice]:
    """Cut ascending lengths into runs whose padded size, rows times longest, fits the budget.

    What does not fit one run is cut into runs of 2^n rows: TensorFlow keeps what it compiled for
    every new shape, so with few shapes memory stays flat however much is scored.
    """
    count = len(token_counts)
    if count and count * token_counts[-1] <= budget:
        return [slice(0, count)]
    cuts, start = [], 0
    while start < count:
        rows = 1
        while start + 2 * rows <= count and 2 * rows * token_counts[start + 2 * rows - 1] <= budget:
            rows *= 2
        cuts.append(slice(start, start + rows))
        start += rows
    return cuts


def infer(
    model: Model,
    texts: Sequence[str],
    progress: Callable[[int], None] | None = None,
    unknown_id: int = -1,
    fast: bool = False,
) -> Predictions:
    """Score texts: sorted by length in windows, answered in the texts' order.

    `progress` is called with the number of texts done. A text of any length is read as the model
    was trained to; `token_counts` above its max length were cut. Tokens `unknown_id` are counted.
    `fast`: where the n-gram side is sure, the encoder is not asked.
    """
    count, both = len(model.details["labels"]), bool(model.details.get("mixture"))
    shape = (len(texts),) if count == 2 else (len(texts), count)
    logits, probabilities, encoder, ngrams = (np.full(shape, np.nan, np.float32) for _ in range(4))
    token_counts, unknown = np.zeros(len(texts), np.int32), np.zeros(len(texts), np.float32)
    labels = np.empty(len(texts), object)
    for start in range(0, len(texts), WINDOW):
        # Objects: as an array of characters every text would be as long as the longest.
        window = np.array(texts[start : start + WINDOW], object)
        encoded = model.signatures["preprocess"](text=window)
        encoded = {name: values.numpy() for name, values in encoded.items()}
        token_counts[start : start + WINDOW] = encoded.pop("token_count")
        read = encoded["input_mask"].sum(axis=1)
        strange = (encoded["input_word_ids"] == unknown_id).sum(axis=1)
        nothing = read <= 2  # mark-up alone, say: [CLS] and [SEP] are all there is
        unknown[start : start + WINDOW] = np.where(nothing, 1, strange / np.maximum(read - 2, 1))
        early = encoded.pop("early", np.zeros(len(window), bool)) & fast
        sides = {"ngram_logits": encoded.pop("ngram_logits")} if both else {}
        for said in sides.values():
            ngrams[start : start + WINDOW] = said.reshape(-1, *shape[1:])
        sure = start + np.flatnonzero(early)
        logits[sure] = ngrams[sure]
        probabilities[sure] = probabilities_of(ngrams[sure])
        labels[sure] = labels_of(probabilities[sure], model.details)
        rest = np.flatnonzero(~early)
        order = rest[np.argsort(read[rest], kind="stable")]
        done = start + len(sure)
        if progress and len(sure):
            progress(done)
        for cut in batches_within(read[order], TOKEN_BUDGET):
            rows = order[cut]
            longest = read[rows[-1]]
            inputs = {name: values[rows, :longest] for name, values in encoded.items()}
            inputs |= {name: values[rows] for name, values in sides.items()}
            answer = model.signatures["token_ids"](**inputs)
            logits[start + rows] = answer["logit" if count == 2 else "logits"]
            probabilities[start + rows] = answer["probability" if count == 2 else "probabilities"]
            labels[start + rows] = [label.decode() for label in answer["label"].numpy()]
            if both:
                alone = answer["encoder_logits"].numpy()
                encoder[start + rows] = alone.reshape(-1, *shape[1:])
            done += len(rows)
            if progress:
                progress(done)
    found = Predictions(logits, probabilities, labels.tolist(), token_counts, unknown)
    return found._replace(encoder_logits=encoder, ngram_logits=ngrams) if both else found


def early_of(predictions: Predictions) -> np.ndarray:
    """bool [N]: of which texts the encoder was not asked."""
    unasked = np.isnan(predictions.encoder_logits)
    return unasked if unasked.ndim == 1 else unasked.any(axis=1)
