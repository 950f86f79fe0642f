"""The parts of a BERT whose gradients are written out: GELU, layer norm, attention.

They are computed from the inputs again, which keeps fewer numbers than the automatic ones and
passes over memory less often. With `compiled`, XLA makes one pass of each of the first two, and of
the GELU while training: 8 % of a step on two cores (benchmarks/README.md, "Levers").

TensorFlow's CPU remapper puts the GELU and the layer norm, in exactly these forms, into one oneDNN
operation each, the GELU into the matrix product before it: while nothing is learnt, that is best.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

EPSILON = 1e-12  # of the layer norms


def gelu_of(x: tf.Tensor) -> tf.Tensor:
    return (tf.math.erf(x * math.sqrt(0.5)) + 1.0) * 0.5 * x


def gelu_gradient(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    cumulative = (tf.math.erf(x * math.sqrt(0.5)) + 1.0) * 0.5
    density = tf.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    return upstream * (cumulative + x * density)


def layer_norm_gradient(
    x: tf.Tensor, gamma: tf.Tensor, upstream: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    inverse = tf.math.rsqrt(tf.reduce_mean(centred * centred, -1, keepdims=True) + EPSILON)
    normal = centred * inverse
    inner = upstream * gamma
    along = normal * tf.reduce_mean(inner * normal, -1, keepdims=True)
    to_x = inverse * (inner - tf.reduce_mean(inner, -1, keepdims=True) - along)
    return to_x, tf.reduce_sum(upstream * normal, 0), tf.reduce_sum(upstream, 0)


# One of each for all layers: XLA compiles a function for each shape that it is given.
COMPILED = {
    function: tf.function(function, jit_compile=True)
    for function in (gelu_of, gelu_gradient, layer_norm_gradient)
}


def gelu(x: tf.Tensor, training: bool, compiled: bool) -> tf.Tensor:
    """The exact GELU, x times the normal distribution's cumulative function; any shape.

    While `training` the forward pass is compiled too: no product takes it in then.
    """
    forward = COMPILED[gelu_of] if compiled and training else gelu_of
    gradient = COMPILED[gelu_gradient] if compiled else gelu_gradient

    @tf.custom_gradient
    def of(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
        return forward(x), lambda upstream: gradient(x, upstream)

    return of(x)


def layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, compiled: bool) -> tf.Tensor:
    """Layer norm of [rows, width] over the width, epsilon 1e-12; `gamma`, `beta` [width]."""
    gradient = COMPILED[layer_norm_gradient] if compiled else layer_norm_gradient

    @tf.custom_gradient
    def of(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, Any]:
        shape = tf.shape(x)
        rows, none = shape[0], tf.constant([], tf.float32)
        normal = tf.raw_ops.FusedBatchNormV3(  # a row is a channel here
            x=tf.reshape(x, tf.stack([1, rows, shape[1], 1])),
            scale=tf.fill([rows], 1.0),
            offset=tf.fill([rows], 0.0),
            mean=none,
            variance=none,
            epsilon=EPSILON,
            data_format="NCHW",
            is_training=True,
        )[0]
        normal = tf.reshape(normal, shape)
        return normal * gamma + beta, lambda upstream: gradient(x, gamma, upstream)

    return of(x, gamma, beta)


@tf.custom_gradient
def attention(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, hidden: tf.Tensor
) -> tuple[tf.Tensor, Any]:
    """Softmax attention; `query` (scaled), `key`, `value` and result [batch, heads, length, depth].

    `hidden`, [batch, 1, 1, length], is added to the scores and gets no gradient.
    """
    shares = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) + hidden)
    read = tf.matmul(shares, value)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, None]:
        # The softmax's sum over `length`, taken over `depth`: fewer numbers (Dao et al. 2022,
        # FlashAttention, arXiv 2205.14135, appendix B.2).
        along = tf.reduce_sum(upstream * read, -1, keepdims=True)
        # It is subtracted by the product, as one more column: a pass over all scores less.
        wider = tf.concat([value, tf.ones_like(along)], -1)
        to_shares = tf.matmul(tf.concat([upstream, -along], -1), wider, transpose_b=True)
        to_scores = shares * to_shares
        to_query, to_key = tf.matmul(to_scores, key), tf.matmul(to_scores, query, transpose_a=True)
        return to_query, to_key, tf.matmul(shares, upstream, transpose_a=True), None

    return read, gradient
