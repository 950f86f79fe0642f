"""The model on a tiny encoder: what it reads and how it computes."""

import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from conftest import ALPHABET, VOCABULARY, ids_of

from params import Params
from sentiment.model import versions
from sentiment.model.classifier import INPUTS, build_classifier, mean_of_tokens
from sentiment.reviews.markup import ADDRESSES
from sentiment.training import calibration


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


@pytest.mark.parametrize(
    "text, same",
    [
        ("@Mary_12 good a", "good a"),
        ("a good, j @b @c! bad", "a good, j ! bad"),
        ("a https://example.com/b?c=d. good", "a . good"),
        ("bad (a www.example.com/b)", "bad (a )"),
        ("bad (www.example.com) a", "bad ) a"),
        ('HTTP://EXAMPLE.COM "good"', ' "good"'),
        ('<a href="http://example.com">good</a>', "good"),
    ],
)
def test_web_addresses_and_handles_are_not_read(preprocessing, text, same):
    assert read(preprocessing(64), text) == read(preprocessing(64), same)


@pytest.mark.parametrize("text", ["awww...good", "good@b.c", "@ good", "http://", "good www."])
def test_words_like_addresses_are_read(text):
    assert tf.strings.regex_replace(text, ADDRESSES, " ").numpy().decode() == text
    assert re.sub(ADDRESSES, " ", text) == text


@pytest.mark.parametrize(
    "text, same",
    [
        ("a&lt;b&gt;c", "a < b > c"),
        ("good&nbsp;bad&#160;a", "good bad a"),
        (
            "&quot;a&#34; &ldquo;b&rdquo; isn&#39;t it&apos;s &lsquo;c&rsquo;",
            "\"a\" \"b\" isn't it's 'c'",
        ),
        ("a&mdash;b &ndash; c", "a-b - c"),
        ("a &amp; b &amp;lt; c", "a & b & lt ; c"),  # once
        ("a &lt;i&gt; b", "a < i > b"),  # what was written as text is no mark-up
        ("a &LT; b &so; &amp c", "a & LT ; b & so ; & amp c"),
    ],
)
def test_entities_are_decoded_where_mark_up_is_removed(preprocessing, text, same):
    assert read(preprocessing(64), text) == read(preprocessing(64), same)


def test_output_is_as_long_as_the_longest_row_only(preprocessing):
    reads = preprocessing(64)
    encoded = reads(tf.constant(["good movie", "bad"]))
    assert set(encoded) == set(INPUTS)
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
    return build_classifier(tiny_pair, Params(max_length=16, dropout=0.5))


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
        built = build_classifier(tiny_pair, Params(max_length=16, seed=seed))
        return built.network.get_layer("classifier").kernel.numpy()

    np.testing.assert_array_equal(kernel(0), kernel(0))
    assert not np.array_equal(kernel(0), kernel(1))


def test_mean_of_tokens_leaves_padding_out():
    sequence = tf.constant([[[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]]])
    found = mean_of_tokens(sequence, tf.constant([[1, 1, 0]]))
    np.testing.assert_allclose(found, [[2.0, 4.0]])


def test_pooling_decides_what_is_classified(tiny_pair):
    params = Params(max_length=16, pooling="mean")
    classifier = build_classifier(tiny_pair, params)
    ids = classifier.preprocessing(tf.constant(["good", "bad movie a b"]))
    tokens = classifier.encoder(ids)["sequence_output"].numpy()
    mask = ids["input_mask"].numpy().astype(bool)
    mean = np.stack([row[real].mean(0) for row, real in zip(tokens, mask, strict=True)])
    last = classifier.network.get_layer("classifier")
    np.testing.assert_allclose(classifier.network(ids), last(mean), atol=1e-5)


def test_temperature_divides_the_logits(tiny_pair):
    classifier = build_classifier(tiny_pair, Params(max_length=16))
    ids = classifier.preprocessing(tf.constant(["good", "bad movie"]))
    classifier.network.get_layer("classifier").bias.assign([0.5])
    before = classifier.network(ids).numpy()
    calibration.divide_logits(classifier.network, 2.5)
    np.testing.assert_allclose(classifier.network(ids), before / 2.5, rtol=1e-5)


def test_micro_batches_give_the_gradients_of_the_whole_batch(tiny_pair):
    params = Params(max_length=16, dropout=0.0, micro_batch=2)
    classifier = build_classifier(tiny_pair, params)
    network = classifier.network
    network.compile(optimizer="sgd", loss=tf_keras.losses.BinaryCrossentropy(from_logits=True))
    ids = classifier.preprocessing(tf.constant(["good", "bad", ALPHABET, "bad movie", "a"]))
    label = tf.constant([1.0, 0.0, 1.0, 0.0, 1.0])
    with tf.GradientTape() as tape:
        expected = network(ids, training=True)
        loss = network.loss(label[:, None], expected)
    gradients, logits = network.accumulate(ids, label, None)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    for found, whole in zip(
        gradients, tape.gradient(loss, network.trainable_variables), strict=True
    ):
        np.testing.assert_allclose(found, tf.convert_to_tensor(whole), atol=1e-6)


def test_published_versions_count_up_and_nothing_is_replaced(tmp_path):
    folder = tmp_path / "saved_model"
    for expected in ("1", "2", "10", "11"):
        if expected == "10":
            (folder / "9").mkdir()
        finished = folder / "finished"
        finished.mkdir(parents=True)
        (finished / "name").write_text(expected)
        assert versions.publish(finished, folder) == folder / expected
    assert sorted(p.read_text() for p in folder.glob("*/name")) == ["1", "10", "11", "2"]


def test_number_whose_evaluations_are_still_there_is_not_given_again(tmp_path):
    (tmp_path / "models" / "4-evaluation").mkdir(parents=True)
    finished = tmp_path / "made"
    finished.mkdir()
    assert versions.publish(finished, tmp_path / "models").name == "5"
