"""Both sides weighed: what the weights, the graph and --fast make of their logits."""

import numpy as np
import pytest
import tensorflow as tf

from params import Params
from sentiment import machine
from sentiment.logits import mean_loss
from sentiment.model import classifier as layers
from sentiment.model import export
from sentiment.model.classifier import build_classifier
from sentiment.model.ngrams import Mixture, Ngrams
from sentiment.report import card
from sentiment.reviews.truncation import LONG, SHORT
from sentiment.training import calibration


def sides_of(encoder, ngrams, labels):
    """Reviews, each for itself."""
    number = np.arange(len(labels))
    return calibration.Sides(encoder, ngrams, number * 0.0, labels, number * 0 + 1.0, number)


def test_side_that_says_nothing_weighs_nothing():
    """Whatever a constant could gain."""
    chance = np.random.default_rng(0)
    truth = chance.normal(size=4000)
    labels = (chance.random(4000) < 1 / (1 + np.exp(-truth))).astype(int)
    found = calibration.fit_weights(sides_of(truth - 1, np.zeros(4000), labels))
    assert found[0, 1] == 0 and found[0, 0] == pytest.approx(1, rel=0.1)


def test_weights_are_found_and_never_below_zero():
    chance = np.random.default_rng(0)
    truth = chance.normal(size=4000)
    labels = (chance.random(4000) < 1 / (1 + np.exp(-truth))).astype(int)
    weights = calibration.fit_weights(sides_of(truth / 2, -truth, labels))
    assert weights[0, 1] == 0 and weights[0, 0] == pytest.approx(2, rel=0.1)
    shifted = calibration.fit_weights(sides_of(truth - 1, np.zeros(4000), labels))
    assert shifted[0, 2] == pytest.approx(1, abs=0.1)
    many = np.stack([np.zeros(4000), truth], 1)
    two = calibration.fit_weights(sides_of(many, np.zeros_like(many), labels))
    assert two.shape == (2, 4) and two[0, 0] == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("width", [1, 3])
def test_short_texts_have_weights_of_their_own(width):
    """Of reviews the n-gram side knows the label here, of short texts the encoder; the graph mixes
    as the fit does.
    """
    chance = np.random.default_rng(0)
    short = np.repeat([0.0, 0.5, 1.0], 1000)
    labels = chance.integers(0, max(width, 2), 3000)
    shape = 3000 if width == 1 else (3000, width)
    right = 2 * labels - 1.0 if width == 1 else 2.0 * np.eye(width)[labels]
    knows = short if width == 1 else short[:, None]
    encoder, ngrams = (share * right + chance.normal(size=shape) for share in (knows, 1 - knows))
    sides = sides_of(encoder, ngrams, labels)._replace(short=short)
    one, apart = (calibration.fit_weights(sides, apart) for apart in (False, True))
    np.testing.assert_array_equal(one[0], one[1])
    assert apart[0, 0] < 0.5 < apart[0, 1] and apart[1, 1] < 0.5 < apart[1, 0]
    mixed = sides.mix(apart)
    assert mean_loss(mixed, labels) < mean_loss(sides.mix(one), labels) - 0.02
    tokens = LONG - short * (LONG - SHORT)
    mask = np.arange(80) < tokens[:, None]
    (first, second, *constant), of_short = apart.tolist()
    both = Mixture(None, first, second, constant, 1.0, of_short)
    columns = [one.reshape(3000, width).astype(np.float32) for one in (encoder, ngrams)]
    found = both(*columns, mask.astype(np.int32)).numpy()
    np.testing.assert_allclose(found.reshape(shape), mixed, atol=1e-4)
    same = both._replace(short=None)(*columns, mask.astype(np.int32)).numpy()
    np.testing.assert_allclose(same.reshape(shape), sides.mix(apart[[0, 0]]), atol=1e-4)


def test_export_weighs_short_texts_as_the_model_in_memory(tiny_pair, tmp_path):
    machine.use_precision("float32")
    read = Params(max_length=LONG)
    classifier = build_classifier(tiny_pair, read)
    side = Ngrams(2)
    side.table.assign(np.random.default_rng(0).normal(size=side.table.shape))
    classifier = classifier._replace(
        mixture=Mixture(side, 1.0, 0.5, [0.1], 0.7, short=[-2.0, 0.2, -0.3])
    )
    texts = [" ".join(["a b good c"] * count) for count in (1, 7, 8, 11, 15, 16, 40)]
    (said,) = card.beside_encoder(classifier.mixture.as_dict())
    assert "weigh 1.000 and 0.500, fitted on dev; of texts up to 32 tokens -2.000 and 0.200" in said
    export.write(classifier, ["neg", "pos"], 0.5, tmp_path / "model")
    export.compare_reloaded(tmp_path / "model", texts, layers.logits(classifier, texts, "float32"))
    call = tf.saved_model.load(str(tmp_path / "model")).signatures
    given = call["preprocess"](text=tf.constant(texts))
    given.pop("early"), given.pop("token_count")
    found = call["token_ids"](**given)
    encoder, ngrams = found["encoder_logits"][:, 0].numpy(), given["ngram_logits"][:, 0].numpy()
    whole = call["serving_default"](text=tf.constant(texts))["logit"].numpy()
    np.testing.assert_allclose(whole, found["logit"], atol=1e-5)
    np.testing.assert_allclose(whole[:2], (-2 * encoder + 0.2 * ngrams - 0.3)[:2], atol=1e-4)
    np.testing.assert_allclose(whole[-2:], (encoder + 0.5 * ngrams + 0.1)[-2:], atol=1e-4)
    fast = call["serving_fast"](text=tf.constant(texts))
    rest = ~fast["early"].numpy()
    np.testing.assert_allclose(fast["logit"][rest], whole[rest], atol=1e-5)
    assert rest[:4].all()  # however sure of them the n-gram side is
    assert (1 / (1 + np.exp(-np.abs(ngrams[:4]))) > 0.7).all() and not rest[4:].all()


def test_answering_early_costs_no_more_than_it_may():
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 2, 50_000)
    ngrams = (2 * labels - 1) * 2 + chance.normal(size=50_000) * 2
    both = ngrams + (2 * labels - 1) * 2 + chance.normal(size=50_000) * 2  # log-odds
    ones = np.ones(50_000)
    surest, share = calibration.surest_from(both, ngrams, ones)
    early = 1 / (1 + np.exp(-np.abs(ngrams))) >= surest
    assert early.mean() == pytest.approx(share) and 0.2 < share < 1
    mixed = np.where(early, ngrams, both)
    lost = np.mean((both >= 0) == labels) - np.mean((mixed >= 0) == labels)
    assert abs(lost - calibration.FAST_COST) < 0.0005
    both = np.clip(both, -8, 8)
    assert calibration.surest_from(both, -both, ones)[1] <= 0.002
    surest, share = calibration.surest_from(both[:900], -both[:900], ones[:900])
    assert share == 0 and surest > 1
    many = np.stack([-both / 2, both / 2], 1), np.stack([-ngrams / 2, ngrams / 2], 1)
    expected = calibration.surest_from(both, ngrams, ones)
    assert calibration.surest_from(*many, ones) == pytest.approx(expected)


def test_a_review_and_its_sentence_are_in_the_same_fifth():
    """Weights that a sentence gave its own review would flatter it."""
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 2, 50)
    noise = chance.normal(size=50)  # says nothing, but of these reviews what a sentence repeats
    both = sides_of(*(np.tile(one, 2) for one in (noise, noise, labels)))
    mixed = calibration.cross_fitted(both._replace(group=np.tile(np.arange(50), 2)))
    np.testing.assert_array_equal(mixed[:50], mixed[50:])
