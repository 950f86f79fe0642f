"""The model: text -> preprocessing -> BERT encoder -> dropout -> logit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras

from params import Params
from sentiment import machine
from sentiment.encoders.bert import INPUTS
from sentiment.encoders.layers import Dropout, mean_of_tokens
from sentiment.encoders.pairs import Pair, load_encoder, load_preprocessor, output_of
from sentiment.encoders.spelling import respelt
from sentiment.errors import UserError
from sentiment.model.ngrams import Mixture
from sentiment.reviews.markup import ADDRESSES, ENTITIES, MARKUP
from sentiment.reviews.truncation import kept_tokens
from sentiment.reviews.words import alike


class Preprocessing(tf.Module):
    """Raw text -> token ids, one graph for training and for whoever serves the export."""

    def __init__(self, pair: Pair, params: Params) -> None:
        """Raises UserError where the pair's preprocessor is something else."""
        super().__init__(name="preprocessing")
        self.preprocessor = load_preprocessor(pair.preprocessor)
        self.head, self.tail = kept_tokens(params.max_length, params.truncation, params.head_share)
        self._alike = params.alike

    def mask_id(self) -> int:
        """The id that stands for a hidden word."""
        return int(self.preprocessor.tokenize.get_special_tokens_dict()["mask_id"])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def tokens(self, text: tf.Tensor) -> tf.RaggedTensor:
        """string [N] -> int32 [N, (tokens)]: the ids of all tokens, without special ones."""
        for pattern, sign in ((MARKUP, " "), (ADDRESSES, " "), *ENTITIES):
            text = tf.strings.regex_replace(text, pattern, sign)
        # No token crosses a blank, so each word is respelt and cut into pieces once.
        words = tf.strings.split(text)
        different, place = tf.unique(words.flat_values)
        known = respelt(different, self.pieces, alike() if self._alike else {})
        pieces = self.pieces(known)
        return tf.gather(pieces, words.with_flat_values(place)).merge_dims(1, 2)

    def pieces(self, text: tf.Tensor) -> tf.RaggedTensor:
        """`tokens` of a text as it stands. TF Hub's BERT tokenisers give [N, (words), (pieces)]."""
        tokens = self.preprocessor.tokenize(text)
        return tokens.merge_dims(1, -1) if tokens.ragged_rank > 1 else tokens

    def packed(self, tokens: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        """`tokens` -> the encoder's three int32 [N, longest], and int32 `token_count` [N].

        `token_count` is the length before truncation, special tokens included.
        """
        counts = tokens.row_lengths()
        position = tf.ragged.range(counts)
        from_end = tf.cast(tf.expand_dims(counts, 1), tf.int64) - position
        kept = tf.ragged.boolean_mask(tokens, (position < self.head) | (from_end <= self.tail))
        longest = tf.reduce_max(tf.concat([kept.row_lengths(), [0]], 0)) + 2
        packed = self.preprocessor.bert_pack_inputs([kept], tf.cast(longest, tf.int32))
        counted = {"token_count": tf.cast(counts, tf.int32) + 2}
        return {name: packed[name] for name in INPUTS} | counted

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def counted(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """string [N] -> `packed` of their tokens."""
        return self.packed(self.tokens(text))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """string [N] -> the encoder's three int32 [N, longest of these N]."""
        encoded = self.counted(text)
        return {name: encoded[name] for name in INPUTS}


class Network(tf_keras.Model):
    """The layers from token ids on. A step may be computed in parts, to fit a small GPU memory."""

    micro_batch = 0  # reviews a part; 0 computes the whole batch at once

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Texts, their losses' sum, and how many were right, since it was last set to 0. Unlike
        # Keras' metrics it goes on where a run was cut off. Each replica holds that of all.
        self.tally = tf.Variable(
            tf.zeros(3, tf.float64),
            trainable=False,
            name="tally",
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def compute_metrics(
        self, ids: Any, label: tf.Tensor, logit: tf.Tensor, weight: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """Add a batch to the tally, and to what is shown on a terminal."""
        shown = super().compute_metrics(ids, label, logit, weight)
        if weight is not None:  # of several replicas
            label, logit = tf.boolean_mask(label, weight > 0), tf.boolean_mask(logit, weight > 0)
        texts = tf.cast(tf.shape(logit)[0], tf.float64)
        loss = tf.cast(self.loss(label[:, None], logit), tf.float64)
        named = tf.argmax(logit, 1) if logit.shape[1] > 1 else logit[:, 0] >= 0
        right = tf.reduce_sum(tf.cast(tf.cast(named, tf.float32) == label, tf.float64))
        found = tf.stack([texts, loss * texts, right])
        if weight is not None:
            found = tf.distribute.get_replica_context().all_reduce("sum", found)
        self.tally.assign_add(found)
        return shown

    def train_step(self, data: tuple[Any, ...]) -> dict[str, tf.Tensor]:
        """One optimiser step on one batch: (ids, label), and weights from `distribution.part`."""
        if not self.micro_batch:
            return super().train_step(data)
        ids, label, weight = (*data, None)[:3]
        gradients, logits = self.accumulate(ids, label, weight)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.compute_loss(ids, label, logits, weight)  # for the loss that is shown
        return self.compute_metrics(ids, label, logits, weight)

    @tf.function
    def accumulate(
        self, ids: dict[str, tf.Tensor], label: tf.Tensor, weight: tf.Tensor | None
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """(gradients, logits) of a whole batch, computed `micro_batch` reviews at a time."""
        size = tf.shape(label)[0]
        gradients = [tf.zeros_like(variable) for variable in self.trainable_variables]
        width, replicas = self.output_shape[-1], tf.distribute.get_strategy().num_replicas_in_sync
        logits = tf.zeros([0, width])
        for start in tf.range(0, size, self.micro_batch):
            tf.autograph.experimental.set_loop_options(
                shape_invariants=[(logits, tf.TensorShape([None, width]))]
            )
            end = start + self.micro_batch
            with tf.GradientTape() as tape:
                logit = self({name: ids[name][start:end] for name in INPUTS}, training=True)
                # Not the loss as a whole, which before its first step refuses several replicas.
                losses = self.loss.call(label[start:end, None], logit)
                losses = losses if weight is None else losses * weight[start:end]
                loss = tf.reduce_sum(losses) / tf.cast(size * replicas, tf.float32)
            parts = tape.gradient(loss, self.trainable_variables)
            pairs = zip(gradients, parts, strict=True)
            gradients = [total + tf.convert_to_tensor(part) for total, part in pairs]
            logits = tf.concat([logits, logit], 0)
        return gradients, logits


class Classifier(NamedTuple):
    """The model from raw text, and the same layers from token ids on, which is what trains."""

    model: tf_keras.Model
    network: tf_keras.Model
    preprocessing: Preprocessing
    encoder: hub.KerasLayer
    mixture: Mixture | None = None  # with the n-gram side, once both are fitted


def build_classifier(
    pair: Pair, params: Params, labels: int = 2, preprocessing: Preprocessing | None = None
) -> Classifier:
    """Build the functional model: one logit for two labels, a logit a label for more.

    `preprocessing` was made outside a strategy's scope, where a tf.data pipeline can use it.
    Raises UserError when a part of the pair is something else, or when the encoder cannot read
    `max_length` tokens.
    """
    preprocessing = preprocessing or Preprocessing(pair, params)
    loaded = load_encoder(pair.encoder)
    encoder = hub.KerasLayer(loaded, trainable=True, name="BERT_encoder")
    for variable in encoder.variables:
        if "position_embedding" in variable.name and variable.shape[0] < params.max_length:
            raise UserError(
                f"--max-length {params.max_length}: {pair.name} reads at most "
                f"{variable.shape[0]} tokens"
            )
    dropout = Dropout(params.dropout, seed=params.seed, name="dropout")
    classifier = tf_keras.layers.Dense(
        1 if labels == 2 else labels,
        name="classifier",
        kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=0.02, seed=params.seed),
    )
    mean = tf_keras.layers.Lambda(lambda inputs: mean_of_tokens(*inputs), name="mean")
    # Published encoders hold random operations that no seed reaches.
    training = False if params.deterministic else None

    def logit(token_ids: dict[str, Any]) -> Any:
        wanted = "sequence_output" if params.pooling == "mean" else "pooled_output"
        features = output_of(pair, lambda: encoder(token_ids, training=training), wanted)
        if params.pooling == "mean":
            features = mean([features, token_ids["input_mask"]])
        return classifier(dropout(features))

    text = tf_keras.layers.Input(shape=(), dtype=tf.string, name="text")
    layer = hub.KerasLayer(preprocessing, name="preprocessing")
    model = tf_keras.Model(text, logit(layer(text)), name="text_classifier")
    ids = {name: tf_keras.layers.Input((None,), dtype=tf.int32, name=name) for name in INPUTS}
    network = Network(ids, logit(ids), name="network")
    network.micro_batch = params.micro_batch
    return Classifier(model, network, preprocessing, encoder)


def parameters(classifier: Classifier) -> int:
    """How many numbers are trained."""
    return sum(int(tf.size(variable)) for variable in classifier.network.trainable_variables)


def logits_of_text(classifier: Classifier, text: tf.Tensor) -> tf.Tensor:
    """string [N] -> float32 [N, 1], or [N, labels] of more than two: the whole answer's."""
    logits = classifier.model(text, training=False)
    if mixture := classifier.mixture:
        tokens = classifier.preprocessing.tokens(text)
        mask = classifier.preprocessing.packed(tokens)["input_mask"]
        logits = mixture(logits, mixture.ngrams(tokens), mask)
    return logits


def logits(classifier: Classifier, texts: list[str], precision: str) -> np.ndarray:
    """float32 [N], or [N, labels] of more than two: the logits in memory, from raw text."""
    machine.use_precision(precision)
    # A new function each time: one that has run keeps the precision it ran at.
    score = tf.function(lambda text: logits_of_text(classifier, text))
    found = score(tf.constant(texts)).numpy()
    return found[:, 0] if found.shape[1] == 1 else found


def check_precision(classifier: Classifier, texts: list[str], precision: str) -> tuple[str, float]:
    """The precision that really runs, by comparing logits, and their largest difference."""
    if precision == "float32":
        return precision, 0.0
    exact = logits(classifier, texts, "float32")
    difference = float(abs(logits(classifier, texts, precision) - exact).max())
    return ("float32" if difference == 0 else precision), difference
