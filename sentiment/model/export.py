"""A trained model on its way to a SavedModel that eats raw text, and back to compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from sentiment.encoders.bert import INPUTS
from sentiment.errors import UserError, log
from sentiment.machine import quiet

if TYPE_CHECKING:
    from sentiment.model.classifier import Classifier

LARGEST_DIFFERENCE = 1e-3  # of logits, between the model in memory and the one read back
Ids = dict[str, tf.Tensor]  # int32 [N, length] for each of INPUTS


def save(
    kept: tf.Module,
    logit_of_text: Callable[[tf.Tensor], tf.Tensor],
    logit_of_ids: Callable[[Ids], tf.Tensor],
    encode: Callable[[tf.Tensor], Ids],
    labels: list[str],
    threshold: float,
    folder: Path,
) -> None:
    """Write a SavedModel into `folder`, which must not exist; `kept` holds what it needs.

    Signatures: `serving_default` (text: string [N]), `token_ids` (the encoder's three int32
    [N, length]), both to `logit`, `probability` (float32 [N]) and `label` (string [N]); and
    `preprocess` (text -> the three, and `token_count`). With more than two labels they give
    `logits` and `probabilities` (float32 [N, labels]), `label`, and its `probability`.
    """

    def answer(logit: tf.Tensor) -> dict[str, tf.Tensor]:
        if len(labels) > 2:
            # In float64, which automatic mixed precision leaves alone: in bfloat16 they would not
            # add up to 1.
            every = tf.cast(tf.nn.softmax(tf.cast(logit, tf.float64)), tf.float32)
            label = tf.gather(tf.constant(labels), tf.argmax(logit, 1))
            best = tf.reduce_max(every, 1)
            return {"logits": logit, "probabilities": every, "probability": best, "label": label}
        logit = tf.reshape(logit, [-1])
        probability = tf.sigmoid(logit)
        label = tf.gather(tf.constant(labels), tf.cast(probability >= threshold, tf.int32))
        return {"logit": logit, "probability": probability, "label": label}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def serving_default(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(logit_of_text(text))

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name) for name in INPUTS])
    def token_ids(
        input_word_ids: tf.Tensor, input_mask: tf.Tensor, input_type_ids: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        given = zip(INPUTS, (input_word_ids, input_mask, input_type_ids), strict=True)
        return answer(logit_of_ids(dict(given)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def preprocess(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return encode(text)

    signatures = {
        "serving_default": serving_default,
        "token_ids": token_ids,
        "preprocess": preprocess,
    }
    with quiet():
        tf.saved_model.save(kept, str(folder), signatures=signatures)


def write(classifier: Classifier, labels: list[str], threshold: float, folder: Path) -> None:
    """Write the SavedModel of a trained classifier into `folder`, which must not exist. A text is
    positive, with two labels, from the probability `threshold` on.

    Only variables, tokeniser and signatures are stored, no Keras model and no optimiser: it loads
    in a fraction of the time.
    """
    network, preprocessing = classifier.network, classifier.preprocessing
    kept = tf.Module(name="exported")
    kept.preprocessor = preprocessing.preprocessor
    others = classifier.encoder.non_trainable_variables
    kept.weights = network.trainable_variables + list(others)
    save(
        kept,
        lambda text: network(preprocessing(text), training=False),
        lambda ids: network(ids, training=False),
        preprocessing.counted,
        labels,
        threshold,
        folder,
    )


def compare_reloaded(folder: Path, texts: list[str], logits: np.ndarray) -> float:
    """Largest difference of an export's float32 logits from `logits`, those of the same texts in
    memory. Raises UserError beyond LARGEST_DIFFERENCE.
    """
    with quiet():
        loaded = tf.saved_model.load(str(folder))
    answer = loaded.signatures["serving_default"](text=tf.constant(texts))
    again = answer["logit" if logits.ndim == 1 else "logits"].numpy()
    difference = float(abs(again - logits).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise UserError(
            f"the exported model does not answer like the trained one (logits differ by "
            f"{difference:.1e}); nothing was published. Please report this with the settings above"
        )
    log(f"reloaded: logits differ by up to {difference:.1e}")
    return difference
