"""The loss of a text, for any number of labels."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras


class CrossEntropy(tf_keras.losses.Loss):
    """Cross-entropy of label numbers [N, 1] and logits [N, labels], weighted by label if wanted."""

    def __init__(self, labels: int, smoothing: float, weights: np.ndarray | None) -> None:
        super().__init__(name="cross_entropy")
        self.labels, self.smoothing = labels, smoothing
        self.weights = None if weights is None else tf.constant(weights, tf.float32)

    def call(self, label: tf.Tensor, logit: tf.Tensor) -> tf.Tensor:
        """float32 [N]."""
        number = tf.cast(tf.reshape(label, [-1]), tf.int32)
        if self.labels == 2:
            target = tf.cast(number, tf.float32)[:, None]
            loss = tf_keras.losses.binary_crossentropy(
                target, logit, from_logits=True, label_smoothing=self.smoothing
            )
        else:
            target = tf.one_hot(number, self.labels)
            loss = tf_keras.losses.categorical_crossentropy(
                target, logit, from_logits=True, label_smoothing=self.smoothing
            )
        return loss if self.weights is None else loss * tf.gather(self.weights, number)


def balanced_weights(labels: np.ndarray, count: int) -> np.ndarray:
    """float32 [count]: what makes every label count alike, with a mean of 1 over the texts
    (King and Zeng 2001, "Logistic Regression in Rare Events Data").
    """
    found = np.maximum(np.bincount(labels, minlength=count), 1)  # of none it weighs none
    return (len(labels) / (count * found)).astype(np.float32)
