"""Batches hold every review once an epoch, in a seeded order."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from conftest import ALPHABET, LETTERS, VOCABULARY, made_up_rows

import data_loader
from data_loader import Lessons
from params import Params
from sentiment.reviews import sources
from sentiment.reviews.beside import beside
from sentiment.reviews.sentences import sentences
from sentiment.training import summary

LABELS = ["neg", "pos"]
TEXTS = [text for text, _ in made_up_rows(103)]


def rows_in(batches) -> list[list[tuple[int, ...]]]:
    """Each batch as its reviews' token ids, padding left out."""
    return [
        [
            tuple(row[mask == 1].tolist())
            for row, mask in zip(
                ids["input_word_ids"].numpy(), ids["input_mask"].numpy(), strict=True
            )
        ]
        for ids, _ in batches
    ]


def flat(batches: list[list]) -> list:
    return [row for batch in batches for row in batch]


# 103 reviews in batches of 2 are more than one window of batches sorted by length.
@pytest.mark.parametrize("batch_size", [2, 8, 200])
def test_every_review_comes_once_an_epoch_in_full_batches(encoded, preprocessing, batch_size):
    whole = preprocessing(max_length=64)(tf.constant(TEXTS))
    expected = Counter(flat(rows_in([(whole, None)])))
    data, per_epoch = encoded(TEXTS), -(-len(TEXTS) // batch_size)
    params = Params(batch_size=batch_size, epochs=2)
    train = rows_in(data_loader.train_batches(Lessons(data, len(TEXTS)), params))
    dev = rows_in(data_loader.dev_batches(data, batch_size))
    for epoch in (train[:per_epoch], train[per_epoch:], dev):
        assert Counter(flat(epoch)) == expected
        sizes = sorted(len(batch) for batch in epoch)
        assert sizes[1:] == [batch_size] * (per_epoch - 1)
        assert 0 < sizes[0] <= batch_size


def test_order_is_a_function_of_seed_and_epoch(encoded):
    def epochs(first_epoch=0, **settings):
        params = Params(batch_size=8, epochs=3, **settings)
        rows = rows_in(data_loader.train_batches(Lessons(data, len(TEXTS)), params, first_epoch))
        return [rows[start : start + 13] for start in range(0, len(rows), 13)]

    data = encoded(TEXTS)
    first, second, third = epochs()
    assert first != second != third != first
    assert [set(map(tuple, e)) for e in (first, second)][0] != set(map(tuple, second))
    assert epochs() == [first, second, third]
    assert epochs(first_epoch=1) == [second, third]
    assert epochs(seed=1)[0] != first


def test_dev_batches_keep_their_order(encoded):
    data = encoded(TEXTS)
    assert rows_in(data_loader.dev_batches(data, 8)) == rows_in(data_loader.dev_batches(data, 8))


def test_end_of_a_pipeline_waits_for_no_tuner(encoded):
    data = encoded(TEXTS)
    train = data_loader.train_batches(Lessons(data, len(TEXTS)), Params(batch_size=8))
    for batches in (data, train, data_loader.dev_batches(data, 8)):
        assert batches.options().autotune.enabled is False


def test_labels_stay_with_their_reviews(preprocessing):
    rows = [(text, int(label == "pos")) for text, label in made_up_rows(60)]
    data = data_loader.encode(sources.canonical(rows, "made up"), preprocessing(64))
    good = VOCABULARY.index("good")
    lessons = Lessons(data, 60)
    for ids, labels in data_loader.train_batches(lessons, Params(batch_size=7, epochs=1)):
        has_good = (ids["input_word_ids"].numpy() == good).any(axis=1)
        np.testing.assert_array_equal(labels.numpy(), has_good)


def test_sentence_of_a_review_is_its_own_and_short():
    texts = [
        "One two three four. Too short. This one<br />has seven words in it!",
        "no",
        "word " * 41,
        "Exactly these four words",  # as a whole: nothing new
        "Exactly these four words. No.",
    ]
    rows = sources.canonical([(text, n % 2) for n, text in enumerate(texts)], "made up")
    found = sentences(rows)
    assert "2 of 5 reviews" in found.source
    by_id = dict(zip(rows.ids, rows.texts, strict=True))
    labels = dict(zip(rows.ids, rows.labels, strict=True))
    for key, text, label in zip(found.ids, found.texts, found.labels, strict=True):
        assert text in " ".join(by_id[key].replace("<br />", " ").split())
        assert 4 <= len(text.split()) <= 40 and label == labels[key]
    assert found.texts == sentences(rows).texts
    joined = rows.join(found)
    assert joined.texts == rows.texts + found.texts and len(joined.labels) == len(joined.ids) == 7


def test_further_sentences_of_a_review_are_other_ones():
    pieces = [f"This is sentence number {n} of it." for n in range(20)]
    rows = sources.canonical([(" ".join(pieces), 1)], "made up")
    found = [sentences(rows, number).texts for number in range(21)]
    assert sorted(map(tuple, found[:20])) == sorted((piece,) for piece in pieces)
    assert found[20] == []  # it has 20 only
    assert sentences(rows, 0, after=1).texts == found[1]


def test_a_fifth_of_the_sentences_get_one_beside_them_that_judges_nothing(preprocessing):
    texts = [f"a b c d {number}." for number in range(2000)]
    found = [beside(text, "0") for text in texts]
    longer = [(old, new) for old, new in zip(texts, found, strict=True) if old != new]
    assert 350 < len(longer) < 450 and found == [beside(text, "0") for text in texts]
    before = [new for old, new in longer if new.endswith(f" {old}")]
    behind = [new for old, new in longer if new.startswith(f"{old} ")]
    assert len(before) + len(behind) == len(longer) and min(len(before), len(behind)) > 150
    assert not any("{" in new for new in found) and found != [beside(text, "1") for text in texts]
    review = " ".join(f"{one} b c d." for one in LETTERS)
    rows = sources.canonical([(review, 0)], "made up")
    params = Params(sentence_share=16, max_length=64)
    lessons = data_loader.make_lessons(rows, preprocessing(64), params)
    lengths = [len(ids["input_word_ids"]) for ids, _ in lessons.sentences_of(0)]
    assert set(lengths) > {7}, "some are as they were, some longer"


def test_each_epoch_has_the_reviews_and_other_sentences(preprocessing):
    texts = [" ".join(f"{a} {b} {a} {b}." for b in LETTERS[:9]) for a in LETTERS[9:15]]
    rows = sources.canonical([(text, 0) for text in texts], "made up")
    params = Params(batch_size=4, epochs=3, max_length=64, sentence_share=1.5)
    lessons = data_loader.make_lessons(rows, preprocessing(64), params)
    assert (lessons.reviews, lessons.sentences, lessons.steps(4)) == (6, 9, 4)
    train = [tuple(row) for row in flat(rows_in(data_loader.train_batches(lessons, params)))]
    epochs = [train[start : start + 15] for start in range(0, 45, 15)]
    wholes = [{row for row in epoch if len(row) > 40} for epoch in epochs]
    short = [{row for row in epoch if len(row) <= 40} for epoch in epochs]
    assert wholes[0] == wholes[1] == wholes[2] and len(wholes[0]) == 6
    assert len(set.union(*short)) == 3 * 9
    assert data_loader.epoch_tokens(lessons, 3) == [sum(map(len, e)) for e in epochs]


def test_texts_with_labels_of_their_own_are_in_each_epoch_as_often_as_asked(preprocessing):
    rows = sources.canonical([("a b c d e f g h i j. " * 3, 0)], "made up")
    also = sources.canonical([("good movie", 1), ("bad movie", 0)], "others")
    params = Params(batch_size=4, epochs=2, max_length=64, sentence_share=1, also_passes=3)
    lessons = data_loader.make_lessons(rows, preprocessing(64), params, also)
    assert lessons.sentences == 1 + 3 * 2
    for epoch in range(2):
        every = lessons.sentences_of(epoch)
        short = [int(label) for ids, label in every if len(ids["input_mask"]) == 4]
        assert sorted(short) == [0, 0, 0, 1, 1, 1]


def test_padding_share_counts_tokens():
    masks = [[[1, 1, 1], [1, 0, 0]], [[1, 1]]]
    batches = [({"input_mask": tf.constant(mask)}, None) for mask in masks]
    assert summary.padding_share(batches) == pytest.approx(2 / 8)


def test_reviews_of_like_length_share_a_batch(encoded):
    data = encoded(TEXTS)
    assert summary.padding_share(data_loader.dev_batches(data, 8)) < 0.05


def test_what_was_loaded_is_described(reviews, preprocessing, tiny_pair, capsys):
    reads = preprocessing(max_length=8)
    counts = summary.count_tokens(reviews.texts, reads)
    assert counts.tolist() == [len(text.split()) + 2 for text in reviews.texts]
    first = sources.canonical([("a b c", 0), (ALPHABET, 1)], "made up")
    parts = {"train": reviews, "dev": first}
    found = summary.describe(parts, reads, Params(max_length=8, truncation="head"), LABELS)
    assert found == {"train": np.mean(counts > 8), "dev": 0.5}
    summary.show(reviews, tiny_pair.preprocessor, reads, LABELS)
    what, other, *shown = capsys.readouterr().err.splitlines()
    assert f"train: 500 reviews, {reviews.labels.mean():.1%} positive" in what
    assert f"--max-length 8 (head) cuts {np.mean(counts > 8):.1%}" in what
    assert "dev: 2 reviews, 50.0% positive; tokens: median 8" in other
    assert len(shown) == 3
    words = reviews.texts[0].split()[:6]
    label = LABELS[reviews.labels[0]]
    assert shown[0] == f"  {label} {reviews.ids[0]}: [CLS] {' '.join(words)} [SEP]"
    three = reviews._replace(labels=np.arange(500, dtype=np.int32) % 4 // 2 * 2)
    summary.describe({"train": three}, reads, Params(max_length=8), ["bad", "so", "good"])
    assert "500 reviews, 50.0% bad, 0.0% so, 50.0% good; tokens" in capsys.readouterr().err
