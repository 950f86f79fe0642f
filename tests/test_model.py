"""The model on a tiny encoder: what it reads, what it trains, what its optimiser leaves alone."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from conftest import VOCABULARY, ids_of

import model
from params import Params

ALPHABET = "a b c d e f g h i j"  # 10 tokens; 8 with [CLS] and [SEP] leave 6


def read(preprocessing, *texts: str) -> list[list[int]]:
    return preprocessing(tf.constant(texts))["input_word_ids"].numpy().tolist()


@pytest.mark.parametrize(
    "truncation, head_share, kept",
    [
        ("head", 0.5, "abcdef"),
        ("tail", 0.5, "efghij"),
        ("head+tail", 0.5, "abchij"),
        ("head+tail", 0.34, "abghij"),
        ("head+tail", 1.0, "abcdef"),
        ("head+tail", 0.0, "efghij"),
    ],
)
def test_long_review_keeps_its_beginning_its_end_or_both(
    preprocessing, truncation, head_share, kept
):
    assert read(preprocessing(8, truncation, head_share), ALPHABET) == [ids_of(*kept)]


@pytest.mark.parametrize("truncation", ["head", "tail", "head+tail"])
def test_review_that_fits_is_not_touched(preprocessing, truncation):
    reads = preprocessing(8, truncation)
    assert read(reads, "a b c d e f", "a") == [ids_of(*"abcdef"), ids_of("a") + [0] * 5]


def test_mark_up_is_removed_and_words_in_angle_brackets_stay(preprocessing):
    text = 'good<br /><br/>bad <sigh> <I>a</I><BR><p class="x">b</p>'
    clean = "good bad < s ##i ##g ##h > a b"
    assert read(preprocessing(64), text) == [ids_of(*clean.split())]


def test_output_is_as_long_as_the_longest_row_only(preprocessing):
    reads = preprocessing(64)
    encoded = reads(tf.constant(["good movie", "bad"]))
    assert set(encoded) == set(model.INPUTS)
    assert encoded["input_word_ids"].numpy().tolist() == [
        ids_of("good", "movie"),
        [2, VOCABULARY.index("bad"), 3, 0],
    ]
    assert encoded["input_mask"].numpy().tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert not encoded["input_type_ids"].numpy().any()
    assert all(values.dtype == tf.int32 for values in encoded.values())


@pytest.mark.parametrize("text", ["", "   ", "<br />"])
def test_empty_review_is_two_special_tokens(preprocessing, text):
    assert read(preprocessing(), text) == [ids_of()]


def test_no_reviews_give_no_rows(preprocessing):
    assert preprocessing()(tf.constant([], tf.string))["input_word_ids"].shape == (0, 2)


def test_token_count_is_the_length_before_truncation(preprocessing):
    counts = preprocessing(8).counted(tf.constant([ALPHABET, "a", ""]))["token_count"]
    assert counts.numpy().tolist() == [12, 3, 2]


@pytest.fixture(scope="module")
def classifier(tiny_pair):
    return model.build_classifier(tiny_pair, Params(max_length=16, dropout=0.5))


def test_model_has_the_seeds_layers(classifier):
    names = [layer.name for layer in classifier.model.layers]
    assert names == ["text", "preprocessing", "BERT_encoder", "dropout", "classifier"]
    assert classifier.model.input.dtype == tf.string
    assert classifier.model.output.shape == (None, 1)


def test_network_shares_its_weights_with_the_model(classifier):
    """Training changes the network; what is exported and compared is the model."""
    texts = tf.constant(["good movie", ALPHABET])
    ids = classifier.preprocessing(texts)
    np.testing.assert_allclose(
        classifier.model(texts), classifier.network(ids, training=False), atol=1e-6
    )
    network, whole = (
        {id(v) for v in part.trainable_variables} for part in (classifier.network, classifier.model)
    )
    assert network == whole


def test_dropout_is_on_in_training_only(classifier):
    ids = classifier.preprocessing(tf.constant([ALPHABET] * 2))
    still = [classifier.network(ids, training=False).numpy() for _ in range(2)]
    np.testing.assert_array_equal(*still)
    moving = [classifier.network(ids, training=True).numpy() for _ in range(2)]
    assert not np.array_equal(*moving)


def test_classifier_starts_from_its_seed(tiny_pair):
    def kernel(seed):
        built = model.build_classifier(tiny_pair, Params(max_length=16, seed=seed))
        return built.network.get_layer("classifier").kernel.numpy()

    np.testing.assert_array_equal(kernel(0), kernel(0))
    assert not np.array_equal(kernel(0), kernel(1))


def test_mean_of_tokens_leaves_padding_out():
    sequence = tf.constant([[[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]]])
    found = model.mean_of_tokens(sequence, tf.constant([[1, 1, 0]]))
    np.testing.assert_allclose(found, [[2.0, 4.0]])


def test_pooling_decides_what_is_classified(tiny_pair):
    params = Params(max_length=16, pooling="mean")
    classifier = model.build_classifier(tiny_pair, params)
    ids = classifier.preprocessing(tf.constant(["good", "bad movie a b"]))
    tokens = classifier.encoder(ids)["sequence_output"].numpy()
    mask = ids["input_mask"].numpy().astype(bool)
    mean = np.stack([row[real].mean(0) for row, real in zip(tokens, mask, strict=True)])
    last = classifier.network.get_layer("classifier")
    np.testing.assert_allclose(classifier.network(ids), last(mean), atol=1e-5)


def test_temperature_divides_the_logits(tiny_pair):
    classifier = model.build_classifier(tiny_pair, Params(max_length=16))
    ids = classifier.preprocessing(tf.constant(["good", "bad movie"]))
    classifier.network.get_layer("classifier").bias.assign([0.5])
    before = classifier.network(ids).numpy()
    model.divide_logits(classifier, 2.5)
    np.testing.assert_allclose(classifier.network(ids), before / 2.5, rtol=1e-5)


def make_optimizer(variables, **settings):
    """Without warm-up, so that the first step has the full learning rate."""
    params = Params(**{"warmup_share": 0.0, "learning_rate": 1e-3} | settings)
    return model.make_optimizer(params, 10, variables)


def test_one_step_changes_every_trainable_weight(tiny_pair):
    classifier = model.build_classifier(tiny_pair, Params(max_length=16))
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
    """With gradients of zero, decay is all that an optimiser step does."""
    variables = model.build_classifier(tiny_pair, Params(max_length=16)).network.trainable_variables
    for variable in variables:  # biases start at 0, where decay would not show
        variable.assign_add(tf.ones_like(variable))
    before = [v.numpy() for v in variables]
    optimizer = make_optimizer(variables, weight_decay=0.1, learning_rate=0.5)
    optimizer.apply_gradients([(tf.zeros_like(v), v) for v in variables])
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
        model.WarmupThenDecay(1e-3, 0, 10), 0.1, beta_2=0.999, epsilon=1e-6, global_clipnorm=0.5
    )
    plain.exclude_from_weight_decay([theirs[1]])
    for _ in range(5):
        gradients = [tf.constant(chance.normal(size=(4, 3)), tf.float32) for _ in ours]
        fused.apply_gradients(zip(gradients, ours, strict=True))
        plain.apply_gradients(zip(gradients, theirs, strict=True))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), atol=1e-6)


def test_micro_batches_give_the_gradients_of_the_whole_batch(tiny_pair):
    params = Params(max_length=16, dropout=0.0, micro_batch=2)
    classifier = model.build_classifier(tiny_pair, params)
    network = classifier.network
    network.compile(optimizer="sgd", loss=tf_keras.losses.BinaryCrossentropy(from_logits=True))
    ids = classifier.preprocessing(tf.constant(["good", "bad", ALPHABET, "bad movie", "a"]))
    label = tf.constant([1.0, 0.0, 1.0, 0.0, 1.0])
    with tf.GradientTape() as tape:
        expected = network(ids, training=True)
        loss = network.loss(label[:, None], expected)
    gradients, logits = network.accumulate(ids, label)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    for found, whole in zip(
        gradients, tape.gradient(loss, network.trainable_variables), strict=True
    ):
        np.testing.assert_allclose(found, tf.convert_to_tensor(whole), atol=1e-6)


def test_learning_rate_rises_and_falls_in_straight_lines():
    schedule = model.WarmupThenDecay(2.0, warmup_steps=2, steps=6)
    rates = [float(schedule(tf.constant(step))) for step in range(8)]
    assert rates == pytest.approx([1.0, 2.0, 2.0, 1.5, 1.0, 0.5, 0.0, 0.0])
    assert model.WarmupThenDecay(**schedule.get_config()).get_config() == schedule.get_config()


def test_learning_rate_without_warm_up_starts_at_its_peak():
    schedule = model.WarmupThenDecay(1.0, warmup_steps=0, steps=4)
    assert [float(schedule(step)) for step in range(5)] == pytest.approx([1, 0.75, 0.5, 0.25, 0])


def test_optimizer_has_berts_constants():
    config = make_optimizer([tf.Variable([1.0], name="kernel")]).get_config()
    assert (config["beta_2"], config["epsilon"]) == (0.999, 1e-6)


def test_published_versions_count_up_and_nothing_is_replaced(tmp_path):
    folder = tmp_path / "saved_model"
    for expected in ("1", "2", "10", "11"):
        if expected == "10":
            (folder / "9").mkdir()
        finished = folder / "finished"
        finished.mkdir(parents=True)
        (finished / "name").write_text(expected)
        assert model.publish(finished, folder) == folder / expected
    assert sorted(p.read_text() for p in folder.glob("*/name")) == ["1", "10", "11", "2"]
