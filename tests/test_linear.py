"""The n-gram side's features, and how it is fitted."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import LETTERS, VOCABULARY, made_up_rows
from scipy import sparse

from params import Params
from sentiment.logits import mean_loss
from sentiment.model.classifier import Preprocessing
from sentiment.model.ngrams import FACTORS, Ngrams
from sentiment.report import perturb
from sentiment.reviews import sources
from sentiment.reviews.beside import alone
from sentiment.reviews.sentences import sentences
from sentiment.training import calibration, linear, mixture


def test_each_ngram_counts_once_and_none_holds_a_gap():
    ngrams = Ngrams(2)
    texts = [[5, 6, 5, 6, 7], [], [9], [5, -1, 6]]
    row, place = ngrams.places(tf.ragged.constant(texts, tf.int32))

    def place_of(*ids: int) -> int:
        hashed = sum((one + 1) * factor for one, factor in zip(ids, FACTORS, strict=False))
        return hashed % ngrams.size

    wanted = [
        {
            place_of(*ids[start : start + length])
            for length in (1, 2, 3)
            for start in range(6)
            if len(ids[start : start + length]) == length and -1 not in ids[start : start + length]
        }
        for ids in texts
    ]
    found = [sorted(place.numpy()[row.numpy() == number].tolist()) for number in range(4)]
    assert found == [sorted(one) for one in wanted]
    assert [len(one) for one in found] == [3 + 3 + 3, 0, 1, 2]


def test_word_pieces_of_any_vocabulary_have_places_of_their_own():
    size = Ngrams(2).size
    assert len({(one + 1) * FACTORS[0] % size for one in range(120_000)}) == 120_000
    assert len(VOCABULARY) < 120_000


def test_label_that_is_not_among_the_reviews_gets_its_odds_alone():
    features = sparse.csr_matrix(np.ones((9, 4), np.float32))
    rows = linear.Rows(features, np.zeros(9, bool), np.ones(9), np.ones(9, bool))
    weights, constant = linear.fit_one(rows, np.arange(9) < 2, 0, False)
    assert not weights.any() and constant == pytest.approx(np.log(0.5 / 9.5))


@pytest.mark.parametrize("balanced", [False, True])
def test_strength_is_chosen_by_what_its_probabilities_are_worth(monkeypatch, balanced):
    """Not by the number of right answers: here the strength with more of them errs when surest."""
    truth = np.arange(200) % 2 == 1
    sign = np.where(truth, 1.0, -1.0)
    often = np.where(np.arange(200) < 192, sign, -5 * sign)  # wrong 8 times, and then sure
    honest = np.where(np.arange(200) < 180, 3 * sign, -0.1 * sign)  # wrong 20 times, and not sure
    features = sparse.csr_matrix(np.stack([often, honest], 1))
    asked = []

    def solve(rows, strength, seed, balanced):
        asked.append(strength)
        return np.array([strength == 3.0, strength != 3.0], float), 0.0

    monkeypatch.setattr(linear, "solve", solve)
    rows = linear.Rows(features, truth, np.ones(200), np.ones(200, bool))
    linear.fit_one(rows, np.arange(200) % 4 < 2, 0, balanced)
    assert asked == [3.0, 10.0, 30.0, 10.0]  # the last is fitted on all rows


def test_sentences_learnt_from_make_it_better_at_short_texts(imdb_train, minilm_pair):
    """On sentences of reviews that it has not seen, calibrated by the reviews, as `join` does."""
    read = Preprocessing(minilm_pair, Params(max_length=64, truncation="head"))
    chance = np.random.default_rng(0).permutation(len(imdb_train.ids))[:2500]
    seen, rest = imdb_train.take(chance[:2000]), imdb_train.take(chance[2000:])
    losses, new = [], sentences(rest)
    for with_sentences in (False, True):
        ngrams = linear.fit(seen, read, 2, 0, False, with_sentences)
        of_reviews, logits = (mixture.read(ngrams, some, read)[0] for some in (rest, new))
        temperature = calibration.fit_temperature(of_reviews, rest.labels)
        losses.append(mean_loss(logits / temperature, new.labels))
    assert losses[1] < losses[0] - 0.004


def test_sentence_that_judges_nothing_moves_little(imdb_train, minilm_pair, monkeypatch):
    """Where such ones are learnt from, with every label alike, fewer answers flip."""
    read = Preprocessing(minilm_pair, Params(max_length=64, truncation="head"))
    chance = np.random.default_rng(0).permutation(len(imdb_train.ids))[:4000]
    seen, new = imdb_train.take(chance[:3000]), sentences(imdb_train.take(chance[3000:]))
    behind = [
        perturb.place_sentence(text, key) for text, key in zip(new.texts, new.ids, strict=True)
    ]
    flips = []
    for share in (0, linear.NEUTRAL):
        monkeypatch.setattr(linear, "NEUTRAL", share)
        ngrams = linear.fit(seen, read, 2, 0, False, True)
        plain, longer = (
            mixture.read(ngrams, new._replace(texts=texts), read)[0] > 0
            for texts in (new.texts, behind)
        )
        flips.append(np.mean(plain != longer))
    assert flips[1] < 0.7 * flips[0], flips


def test_sentences_that_judge_nothing_leave_a_rare_label_its_odds(imdb_train, minilm_pair):
    read = Preprocessing(minilm_pair, Params(max_length=64, truncation="head"))
    neg, pos = (np.flatnonzero(imdb_train.labels == one) for one in (0, 1))
    seen = imdb_train.take([*neg[:1900], *pos[:100]])
    ngrams = linear.fit(seen, read, 2, 0, False, True)
    nothing = alone(200, 1)
    rows = seen.take([0] * len(nothing))._replace(texts=nothing)
    odds = np.log(100 / 1900)
    assert odds - 1 < mixture.read(ngrams, rows, read)[0].mean() < odds + 1


def test_short_texts_with_labels_of_their_own_are_learnt_from(preprocessing):
    reviews = sources.canonical(
        [(f"{text} movie", label == "pos") for text, label in made_up_rows(200)], "x"
    )
    also = sources.canonical([(f"a movie {one}", 1) for one in LETTERS], "y")
    movie = sources.canonical([("movie", 1)], "z")
    sides = [
        linear.fit(reviews, preprocessing(64), 2, 0, False, False, one) for one in (None, also)
    ]
    before, after = (mixture.read(side, movie, preprocessing(64))[0][0] for side in sides)
    assert after > before + 0.1
