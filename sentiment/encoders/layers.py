"""What stands between an encoder and its classifier: the mean of the tokens, and a dropout."""

from __future__ import annotations

import tensorflow as tf
import tf_keras


class Dropout(tf_keras.layers.Dropout):
    """Keras' dropout with a random state that is saved and continued with the weights."""

    def __init__(self, rate: float, seed: int, name: str) -> None:
        super().__init__(rate, name=name)
        self.generator = tf.random.Generator.from_seed(seed)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if not training or not self.rate:
            return inputs
        seed = self.generator.make_seeds(1)[:, 0]
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed)


def mean_of_tokens(sequence_output: tf.Tensor, input_mask: tf.Tensor) -> tf.Tensor:
    """float32 [N, length, width], int32 [N, length] -> float32 [N, width], padding left out."""
    weight = tf.cast(input_mask, tf.float32)
    weight /= tf.reduce_sum(weight, 1, keepdims=True)
    return tf.linalg.matvec(sequence_output, weight, transpose_a=True)
