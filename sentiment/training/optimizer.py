"""AdamW as BERT is fine-tuned: its constants, its schedule, and which weights decay."""

from __future__ import annotations

import re
from typing import Any

import tensorflow as tf
import tf_keras

from params import Params

LAYER = re.compile(r"layer_(\d+)/")  # in the names of an encoder's variables


class WarmupThenDecay(tf_keras.optimizers.schedules.LearningRateSchedule):
    """Linear from 0 to `peak` over the warm-up steps, then linear to 0 at the last step."""

    def __init__(self, peak: float, warmup_steps: int, steps: int) -> None:
        self.peak, self.warmup_steps, self.steps = peak, warmup_steps, steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rise = (step + 1.0) / max(self.warmup_steps, 1)
        fall = (self.steps - step) / max(self.steps - self.warmup_steps, 1)
        return self.peak * tf.maximum(0.0, tf.minimum(rise, fall))

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "steps": self.steps}


def decayed(variables: list[tf.Variable]) -> list[str]:
    """Names of the variables with weight decay: all but biases and layer norms (BERT's recipe).

    By name, because the rank does not tell: attention biases have two dimensions.
    """
    exempt = ("bias", "layer_norm", "LayerNorm")
    return [v.name for v in variables if not any(part in v.name for part in exempt)]


def rate_shares(variables: list[tf.Variable], layer_decay: float) -> dict[str, float]:
    """Share of the learning rate of each variable, by name: the top layer's is 1.

    Each layer below learns `layer_decay` times as fast as the one above it, the embeddings as a
    layer below the first (Sun et al. 2019, arXiv 1905.05583); what is above the layers has 1.
    """
    layers = {v.name: LAYER.search(v.name) for v in variables}
    top = max((int(found[1]) for found in layers.values() if found), default=0)
    shares = {}
    for name, found in layers.items():
        if found:
            shares[name] = layer_decay ** (top - int(found[1]))
        else:
            shares[name] = layer_decay ** (top + 1) if "embedding" in name else 1.0
    return shares


class AdamW(tf_keras.optimizers.AdamW):
    """tf_keras's AdamW with one fused operation a variable: half the time on a CPU.

    Of the word embeddings, half of all weights, only the rows are touched whose words are in the
    batch ("lazy Adam", as in TensorFlow Addons): the others' moments and weights stay.
    """

    rate_shares: list[float] = []  # of each variable; without one all learn at the full rate

    def aggregate_gradients(self, grads_and_vars: Any) -> Any:
        # A word that occurs twice has two rows in a sparse gradient, and the norm needs their sum.
        found = super().aggregate_gradients(grads_and_vars)
        return [(sum_rows(gradient, variable), variable) for gradient, variable in found]

    def _apply_weight_decay(self, variables: list[tf.Variable]) -> None:
        """Nothing: `update_step` does it, for the rows that it touches."""

    def update_step(self, gradient: tf.Tensor | tf.IndexedSlices, variable: tf.Variable) -> None:
        index = self._index_dict[self._var_key(variable)]
        m, v = self._momentums[index], self._velocities[index]
        step = tf.cast(self.iterations + 1, tf.float32)
        powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        full = tf.cast(self.learning_rate, tf.float32)
        rate = full * (self.rate_shares[index] if self.rate_shares else 1.0)
        decay = full * self.weight_decay if self._use_weight_decay(variable) else None
        if not isinstance(gradient, tf.IndexedSlices):
            if decay is not None:
                variable.assign_sub(variable * decay)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=gradient,
            )
            return
        rows, gradient = gradient.indices, gradient.values
        first = self.beta_1 * tf.gather(m, rows) + (1 - self.beta_1) * gradient
        second = self.beta_2 * tf.gather(v, rows) + (1 - self.beta_2) * tf.square(gradient)
        m.scatter_update(tf.IndexedSlices(first, rows))
        v.scatter_update(tf.IndexedSlices(second, rows))
        rate *= tf.sqrt(1 - powers[1]) / (1 - powers[0])
        change = rate * first / (tf.sqrt(second) + self.epsilon)
        if decay is not None:
            change += decay * tf.gather(variable, rows)
        variable.scatter_sub(tf.IndexedSlices(change, rows))


def sum_rows(
    gradient: tf.Tensor | tf.IndexedSlices, variable: tf.Variable
) -> tf.Tensor | tf.IndexedSlices:
    """A gradient; a sparse one with each row once.

    That of the word embeddings is dense where --micro-batch added it up, and becomes sparse again:
    a step in parts moves the rows that the whole step would move.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        if "word_embedding" not in variable.name:
            return gradient
        rows = tf.where(tf.reduce_any(gradient != 0, axis=1))[:, 0]
        return tf.IndexedSlices(tf.gather(gradient, rows), rows, tf.shape(gradient))
    rows, place = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def make_optimizer(params: Params, steps: int, variables: list[tf.Variable]) -> AdamW:
    """AdamW with BERT's constants (Model Garden: beta_2 0.999, epsilon 1e-6)."""
    schedule = WarmupThenDecay(params.learning_rate, round(steps * params.warmup_share), steps)
    optimizer = AdamW(
        schedule,
        weight_decay=params.weight_decay,
        beta_2=0.999,
        epsilon=1e-6,
        global_clipnorm=params.clip_norm,
        jit_compile=False,  # on a GPU XLA would compile for each number of rows that are touched
    )
    shares = rate_shares(variables, params.layer_decay)
    # By place, as the optimiser's slots are: on several devices a variable has a name on each.
    optimizer.rate_shares = [shares[variable.name] for variable in variables]
    keep = set(decayed(variables))
    optimizer.exclude_from_weight_decay([v for v in variables if v.name not in keep])
    return optimizer
