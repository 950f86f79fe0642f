"""A trained model on its way to a SavedModel that eats raw text, and back to compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from sentiment.encoders.bert import INPUTS
from sentiment.errors import UserError, log
from sentiment.machine import quiet

if TYPE_CHECKING:
    from sentiment.model.classifier import Classifier

THRESHOLD = 0.5  # a new model's: logit 0
LARGEST_DIFFERENCE = 1e-3  # of logits, between the model in memory and the one read back
ANSWER = ("logit", "logits", "probability", "probabilities", "label")
Given = dict[str, tf.Tensor]
Function = Callable[..., Given]  # to `logits` [N, 1] or [N, labels] and others, or without

TEXT = {"text": tf.TensorSpec([None], tf.string, "text")}
IDS = {name: tf.TensorSpec([None, None], tf.int32, name) for name in INPUTS}


def save(
    kept: tf.Module,
    functions: dict[str, tuple[Function, dict[str, tf.TensorSpec]]],
    labels: list[str],
    threshold: float,
    folder: Path,
) -> None:
    """Write a SavedModel into `folder`, which must not exist; `kept` holds what it needs.

    Each function becomes a signature of its name and inputs. Where it gives `logits`, they become
    the answer: `logit`, `probability` (float32 [N]) and `label` (string [N]), or with more than two
    labels `logits` and `probabilities` (float32 [N, labels]), `label`, and its `probability`.
    """

    def answer(logits: tf.Tensor) -> Given:
        if len(labels) > 2:
            # In float64, which automatic mixed precision leaves alone: in bfloat16 they would not
            # add up to 1.
            every = tf.cast(tf.nn.softmax(tf.cast(logits, tf.float64)), tf.float32)
            label = tf.gather(tf.constant(labels), tf.argmax(logits, 1))
            best = tf.reduce_max(every, 1)
            return {"logits": logits, "probabilities": every, "probability": best, "label": label}
        logit = tf.reshape(logits, [-1])
        probability = tf.sigmoid(logit)
        label = tf.gather(tf.constant(labels), tf.cast(probability >= threshold, tf.int32))
        return {"logit": logit, "probability": probability, "label": label}

    def signature(function: Function, inputs: dict[str, tf.TensorSpec]) -> Any:
        def call(**given: tf.Tensor) -> Given:
            found = dict(function(**given))
            return found | answer(found.pop("logits")) if "logits" in found else found

        return tf.function(call).get_concrete_function(**inputs)

    with quiet():
        signatures = {name: signature(*one) for name, one in functions.items()}
        tf.saved_model.save(kept, str(folder), signatures=signatures)


def functions_of(classifier: Classifier) -> dict[str, tuple[Function, dict[str, tf.TensorSpec]]]:
    """What a classifier's export can do, for `save`.

    `serving_default`: texts to the answer. `preprocess`: texts to what `token_ids` takes and
    `token_count`. With an n-gram side also `serving_fast`, which asks the encoder only about texts
    of which that side is not sure (`early` says which it was), `ngrams` (token ids of whole texts,
    gaps below 0, to what the side makes of them), and what each side says alone.
    """
    network, preprocessing = classifier.network, classifier.preprocessing
    mixture = classifier.mixture
    sides = {}

    def encoder(ids: Given) -> tf.Tensor:
        return network({name: ids[name] for name in INPUTS}, training=False)

    def preprocess(text: tf.Tensor) -> Given:
        tokens = preprocessing.tokens(text)
        found = preprocessing.packed(tokens)
        if mixture:
            logits = mixture.ngrams(tokens)
            found |= {"ngram_logits": logits, "early": mixture.is_early(logits, tokens)}
        return found

    def token_ids(**ids: tf.Tensor) -> Given:
        logits = encoder(ids)
        if not mixture:
            return {"logits": logits}
        mixed = mixture(logits, ids["ngram_logits"], ids["input_mask"])
        return {"logits": mixed, "encoder_logits": logits}

    def serving_default(text: tf.Tensor) -> Given:
        return {"logits": token_ids(**preprocess(text))["logits"]}

    def serving_fast(text: tf.Tensor) -> Given:
        tokens = preprocessing.tokens(text)
        logits = mixture.ngrams(tokens)
        early = mixture.is_early(logits, tokens)
        rest = tf.where(~early)[:, 0]

        def ask() -> tf.Tensor:
            ids = preprocessing.packed(tf.gather(tokens, rest))
            mixed = mixture(encoder(ids), tf.gather(logits, rest), ids["input_mask"])
            return tf.tensor_scatter_nd_update(logits, rest[:, None], mixed)

        logits = tf.cond(tf.size(rest) > 0, ask, lambda: logits)
        return {"logits": logits, "early": early}

    def ngrams(input_word_ids: tf.Tensor) -> Given:
        return {"ngram_logits": mixture.ngrams(tf.RaggedTensor.from_tensor(input_word_ids))}

    if mixture:
        given = tf.TensorSpec([None, mixture.ngrams.width], tf.float32, "ngram_logits")
        sides = {"ngram_logits": given}
    functions = {
        "serving_default": (serving_default, TEXT),
        "token_ids": (token_ids, IDS | sides),
        "preprocess": (preprocess, TEXT),
    }
    if mixture:
        functions["serving_fast"] = (serving_fast, TEXT)
        functions["ngrams"] = (ngrams, {"input_word_ids": IDS["input_word_ids"]})
    return functions


def functions_again(loaded: Any) -> dict[str, tuple[Function, dict[str, tf.TensorSpec]]]:
    """What an export that was read can do, for `save`."""

    def again(signature: Any) -> Function:
        def call(**given: tf.Tensor) -> Given:
            found = signature(**given)
            others = {name: value for name, value in found.items() if name not in ANSWER}
            if "logit" in found:
                others["logits"] = found["logit"][:, None]
            elif "logits" in found:
                others["logits"] = found["logits"]
            return others

        return call

    return {
        name: (again(signature), signature.structured_input_signature[1])
        for name, signature in loaded.signatures.items()
    }


def write(classifier: Classifier, labels: list[str], threshold: float, folder: Path) -> None:
    """Write the SavedModel of a trained classifier into `folder`, which must not exist. A text is
    positive, with two labels, from the probability `threshold` on.

    Only variables, tokeniser and signatures are stored, no Keras model and no optimiser: it loads
    in a fraction of the time.
    """
    kept = tf.Module(name="exported")
    kept.preprocessor = classifier.preprocessing.preprocessor
    others = classifier.encoder.non_trainable_variables
    kept.weights = classifier.network.trainable_variables + list(others)
    if classifier.mixture:
        kept.ngrams = classifier.mixture.ngrams
    save(kept, functions_of(classifier), labels, threshold, folder)


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
