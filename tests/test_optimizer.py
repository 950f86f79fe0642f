"""The optimiser's step, its schedule, and what decays."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from conftest import ALPHABET

from params import Params
from sentiment.model.classifier import build_classifier
from sentiment.training import optimizer


def make_optimizer(variables, **settings):
    """Without warm-up, so that the first step has the full learning rate."""
    params = Params(**{"warmup_share": 0.0, "learning_rate": 1e-3} | settings)
    return optimizer.make_optimizer(params, 10, variables)


def test_one_step_changes_every_trainable_weight(tiny_pair):
    classifier = build_classifier(tiny_pair, Params(max_length=16))
    variables = classifier.network.trainable_variables
    before = [v.numpy() for v in variables]
    classifier.network.compile(
        optimizer=make_optimizer(variables, weight_decay=0.0),
        loss=tf_keras.losses.BinaryCrossentropy(from_logits=True),
    )
    texts = tf.constant(["good movie", f"bad movie {ALPHABET}"])
    classifier.network.train_on_batch(classifier.preprocessing(texts), np.array([1.0, 0.0]))
    same = [
        v.name for v, old in zip(variables, before, strict=True) if np.array_equal(v.numpy(), old)
    ]
    assert len(variables) == 2 * 16 + 9
    assert same == []


def test_weight_decay_shrinks_kernels_and_tables_and_nothing_else(tiny_pair):
    """With gradients of hardly anything, decay is all that an optimiser step does."""
    variables = build_classifier(tiny_pair, Params(max_length=16)).network.trainable_variables
    for variable in variables:  # biases start at 0, where decay would not show
        variable.assign_add(tf.ones_like(variable))
    before = [v.numpy() for v in variables]
    optimizer = make_optimizer(variables, weight_decay=0.1, learning_rate=0.5)
    optimizer.apply_gradients([(tf.fill(v.shape, 1e-15), v) for v in variables])
    for variable, old in zip(variables, before, strict=True):
        decays = variable.name.endswith(("/kernel:0", "/embeddings:0"))
        expected = old * (1 - 0.1 * 0.5 if decays else 1)
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6, err_msg=variable.name)


def test_gradients_are_clipped_by_their_global_norm():
    """After a step Adam's first moment is 0.1 of the gradients it was given."""
    variables = [tf.Variable([1.0, 2.0], name="a/kernel"), tf.Variable([3.0], name="b/kernel")]
    optimizer = make_optimizer(variables, clip_norm=2.0)
    optimizer.apply_gradients([(tf.fill(v.shape, 100.0), v) for v in variables])
    moments = [v for v in optimizer.variables if "/m/" in v.name]
    assert len(moments) == 2
    assert float(tf.linalg.global_norm(moments)) == pytest.approx(0.1 * 2.0, rel=1e-4)


def test_word_that_occurs_twice_counts_once_in_the_global_norm():
    """Its two rows of a sparse gradient are one gradient: 300 + 400, not their norm, 500."""
    table, bias = tf.Variable([[0.0], [0.0]], name="embeddings"), tf.Variable([0.0], name="b")
    optimizer = make_optimizer([table, bias], clip_norm=1.0)
    rows = tf.IndexedSlices(tf.constant([[300.0], [400.0]]), tf.constant([0, 0]), [2, 1])
    optimizer.apply_gradients([(rows, table), (tf.constant([2400.0]), bias)])
    table_moment, bias_moment = (v.numpy() for v in optimizer.variables if "/m/" in v.name)
    np.testing.assert_allclose(table_moment, [[0.1 * 0.28], [0]], rtol=1e-4)
    np.testing.assert_allclose(bias_moment, [0.1 * 0.96], rtol=1e-4)


def test_fused_step_equals_the_step_of_tf_keras():
    chance = np.random.default_rng(0)
    start = {name: chance.normal(size=(4, 3)).astype(np.float32) for name in ("kernel", "bias")}
    ours, theirs = ([tf.Variable(v, name=n) for n, v in start.items()] for _ in range(2))
    fused = make_optimizer(ours, weight_decay=0.1, clip_norm=0.5)
    plain = tf_keras.optimizers.AdamW(
        optimizer.WarmupThenDecay(1e-3, 0, 10), 0.1, beta_2=0.999, epsilon=1e-6, global_clipnorm=0.5
    )
    plain.exclude_from_weight_decay([theirs[1]])
    for _ in range(5):
        gradients = [tf.constant(chance.normal(size=(4, 3)), tf.float32) for _ in ours]
        fused.apply_gradients(zip(gradients, ours, strict=True))
        plain.apply_gradients(zip(gradients, theirs, strict=True))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), atol=1e-6)


def test_touched_rows_step_as_dense_ones_and_the_others_stay():
    chance = np.random.default_rng(0)
    start = chance.normal(size=(5, 3)).astype(np.float32)
    table, whole = (tf.Variable(start, name="embeddings") for _ in range(2))
    lazy, dense = (make_optimizer([v], weight_decay=0.1, clip_norm=0.5) for v in (table, whole))
    for _ in range(4):
        values = chance.normal(size=(4, 3)).astype(np.float32)
        lazy.apply_gradients([(tf.IndexedSlices(values, [0, 3, 3, 1], [5, 3]), table)])
        summed = np.zeros((5, 3), np.float32)
        np.add.at(summed, [0, 3, 3, 1], values)
        dense.apply_gradients([(tf.constant(summed), whole)])
    touched, rest = [0, 1, 3], [2, 4]
    np.testing.assert_allclose(table.numpy()[touched], whole.numpy()[touched], atol=1e-6)
    np.testing.assert_array_equal(table.numpy()[rest], start[rest])


def test_word_embeddings_step_alike_whole_and_in_parts():
    """--micro-batch adds a step's parts up, densely; rows without a gradient stay there too."""
    chance = np.random.default_rng(0)
    start = chance.normal(size=(5, 3)).astype(np.float32)
    whole, parts = (tf.Variable(start, name="word_embeddings/embeddings") for _ in range(2))
    one, other = (make_optimizer([v], weight_decay=0.1) for v in (whole, parts))
    for rows in ([0, 3, 3, 1], [1, 4, 4, 4]):
        values = chance.normal(size=(4, 3)).astype(np.float32)
        sparse = tf.IndexedSlices(tf.constant(values), tf.constant(rows), [5, 3])
        one.apply_gradients([(sparse, whole)])
        other.apply_gradients([(tf.convert_to_tensor(sparse), parts)])
    np.testing.assert_allclose(parts.numpy(), whole.numpy(), atol=1e-7)
    np.testing.assert_array_equal(parts.numpy()[2], start[2])


def test_learning_rate_rises_and_falls_in_straight_lines():
    schedule = optimizer.WarmupThenDecay(2.0, warmup_steps=2, steps=6)
    rates = [float(schedule(tf.constant(step))) for step in range(8)]
    assert rates == pytest.approx([1.0, 2.0, 2.0, 1.5, 1.0, 0.5, 0.0, 0.0])
    assert optimizer.WarmupThenDecay(**schedule.get_config()).get_config() == schedule.get_config()


def test_learning_rate_without_warm_up_starts_at_its_peak():
    schedule = optimizer.WarmupThenDecay(1.0, warmup_steps=0, steps=4)
    assert [float(schedule(step)) for step in range(5)] == pytest.approx([1, 0.75, 0.5, 0.25, 0])


def test_lower_layers_learn_slower():
    names = ["word_embeddings/embeddings", "transformer/layer_0/kernel", "transformer/layer_2/bias"]
    variables = [tf.Variable([[0.0]], name=name) for name in [*names, "classifier/kernel"]]
    shares = [0.5**3, 0.5**2, 1.0, 1.0]
    made = make_optimizer(variables, layer_decay=0.5, weight_decay=0.0, clip_norm=1e9)
    made.apply_gradients([(tf.ones_like(v), v) for v in variables])
    moved = [float(v.numpy()[0, 0]) for v in variables]
    assert moved == pytest.approx([-1e-3 * share for share in shares], rel=1e-3)


def test_all_layers_learn_alike_without_layer_decay(tiny_pair):
    variables = build_classifier(tiny_pair, Params(max_length=16)).network.trainable_variables
    assert set(optimizer.rate_shares(variables, 1.0).values()) == {1.0}
    by_share = optimizer.rate_shares(variables, 0.5)
    assert sorted(set(by_share.values())) == [0.25, 0.5, 1.0]  # embeddings, layer 0, the rest
    assert sum(share == 0.5 for share in by_share.values()) == 16


def test_optimizer_has_berts_constants():
    config = make_optimizer([tf.Variable([1.0], name="kernel")]).get_config()
    assert (config["beta_2"], config["epsilon"]) == (0.999, 1e-6)
