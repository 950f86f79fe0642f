"""The n-gram side: it reads what the encoder cuts, adds up, serves, and leaves if it is no use."""

import csv
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import LETTERS, VOCABULARY, run_script, write_csv
from scipy import sparse

from params import Params
from sentiment import machine
from sentiment.logits import mean_loss
from sentiment.model import classifier as layers
from sentiment.model import export
from sentiment.model.classifier import Preprocessing, build_classifier
from sentiment.model.ngrams import FACTORS, Mixture, Ngrams
from sentiment.report import card, perturb
from sentiment.reviews import sources
from sentiment.reviews.beside import alone
from sentiment.reviews.sentences import sentences
from sentiment.reviews.truncation import LONG, SHORT
from sentiment.scoring import explain, infer
from sentiment.scoring.answers import answers
from sentiment.training import calibration, linear, mixture

FLAGS = ["--max-length", "8", "--truncation", "head", "--batch-size", "16", "--epochs", "2"]
FLAGS += ["--sentence-share", "0", "--precision", "float32", "--data", "reviews.csv"]


def rows_of(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """The words that decide stand behind the six tokens that the encoder reads."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        before, after = (chance.choices(LETTERS, k=chance.randint(6, 12)) for _ in range(2))
        rows.append(
            (" ".join([*before, ("bad", "good")[number % 2], *after]), ("neg", "pos")[number % 2])
        )
    return rows


@pytest.fixture(scope="module", autouse=True)
def float32():
    machine.use_precision("float32")


@pytest.fixture(scope="module")
def home(tiny_pair, tmp_path_factory) -> Path:
    """A project folder with a model of both sides, and one of the encoder alone in `alone`."""
    home = tmp_path_factory.mktemp("ngrams")
    write_csv(home / "reviews.csv", rows_of(300))
    write_csv(home / "new.csv", rows_of(100, seed=1))
    pair = ["--encoder", tiny_pair.encoder, "--preprocessor", tiny_pair.preprocessor]
    for flags in ([], ["--no-ngrams", "--model-folder", "alone"]):
        done = run_script("model_train.py", *pair, *FLAGS, *flags, cwd=home)
        assert done.returncode == 0, done.stderr
        assert ("n-gram side: dev accuracy" in done.stderr) == (not flags)
    return home


@pytest.fixture(scope="module")
def both(home) -> infer.Model:
    return infer.load_model(home / "saved_model")


def evaluate(home: Path, *flags: str) -> dict:
    done = run_script("model_evaluate.py", "--data", "new.csv", *flags, cwd=home)
    assert done.returncode == 0, done.stderr
    name = "new.csv-fast.json" if "--fast" in flags else "new.csv.json"
    folder = "alone" if "alone" in flags else "saved_model"
    return json.loads((home / folder / "1-evaluation" / name).read_text()) | {"out": done.stdout}


def test_words_that_the_encoder_cuts_decide(home):
    found = evaluate(home)
    alone = evaluate(home, "--model-folder", "alone")
    assert found["accuracy"] > 0.97 and alone["accuracy"] < 0.7
    assert found["sides"]["ngrams"]["accuracy"] > 0.97
    assert found["sides"]["encoder"]["accuracy"] == alone["accuracy"]
    assert "the encoder alone" in found["out"] and "sides" not in alone
    results = json.loads((home / "saved_model" / "1" / "results.json").read_text())
    assert results["dev_accuracy"] == results["sides"]["both"]["dev_accuracy"] > 0.97
    card = (home / "saved_model" / "1-evaluation" / "model_card.md").read_text()
    assert "| on | encoder | n-grams | both |" in card
    assert "only which words and short phrases" in card


def test_report_says_what_each_side_adds(home):
    evaluate(home, "--report")
    page = (home / "saved_model" / "1-evaluation" / "new.csv-report.html").read_text()
    assert "What each side adds" in page and "the n-gram side alone" in page


def test_all_ways_through_the_export_agree(both):
    texts = ["a b c good", "bad " * 30, "", "a b c d e f g h i bad j", "😀 z"]
    found = infer.infer(both, texts)
    serving = both.signatures["serving_default"](text=tf.constant(texts))
    np.testing.assert_allclose(found.logits, serving["logit"], atol=1e-5)
    np.testing.assert_array_equal(found.labels, [one.decode() for one in serving["label"].numpy()])
    quick = infer.infer(both, texts, fast=True)
    fast = both.signatures["serving_fast"](text=tf.constant(texts))
    np.testing.assert_allclose(quick.logits, fast["logit"], atol=1e-5)
    np.testing.assert_array_equal(np.isnan(quick.encoder_logits), fast["early"])
    early = fast["early"].numpy()
    assert early.any() and not early.all()
    np.testing.assert_allclose(quick.logits[~early], found.logits[~early], atol=1e-5)
    np.testing.assert_array_equal(quick.logits[early], quick.ngram_logits[early])
    none = both.signatures["serving_fast"](text=tf.constant([], tf.string))
    assert none["logit"].shape == (0,)


def test_export_weighs_short_texts_as_the_model_in_memory(tiny_pair, tmp_path):
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


def test_fast_is_said_in_predict_and_evaluate(home):
    found = evaluate(home, "--fast")
    assert found["share_early"] > 0.5 and "were answered without the encoder" in found["out"]
    assert "encoder" not in found["sides"]
    done = run_script("model_predict.py", "--fast", "--input", "new.csv", "--json", cwd=home)
    assert done.returncode == 0 and "were answered without the encoder" in done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    with (home / "saved_model" / "1-evaluation" / "new.csv-fast-predictions.csv").open() as file:
        scored = Counter(row["predicted"] for row in csv.DictReader(file))
    assert Counter(row["predicted_label"] for row in rows) == scored
    refused = run_script("model_predict.py", "--fast", "--model-folder", "alone", "x", cwd=home)
    assert refused.returncode == 2 and "--no-ngrams" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_fast_comparison_scores_both_models_fast(home):
    """And never leaves the other one's full scores under the name of fast ones."""
    for model in ("saved_model/1", "alone"):
        done = run_script(
            "model_evaluate.py",
            "--data",
            "new.csv",
            "--fast",
            "--compare",
            model,
            "--evaluation-folder",
            "compared",
            cwd=home,
        )
        assert done.returncode == (0 if model == "saved_model/1" else 2), done.stderr
    assert "--fast: this model has no n-gram side" in done.stderr
    with (home / "compared" / "other" / "new.csv-fast-predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(not row["encoder_logit"] for row in rows)


def test_explanation_adds_up_and_names_words_that_the_encoder_does_not_read(both):
    text = "a b c d e f g h i j good k"
    found = explain.explain(both, text)
    assert found.logit == pytest.approx(infer.infer(both, [text]).logits[0], abs=1e-3)
    total = sum(part.value for part in found.parts)
    assert total == pytest.approx(found.logit - found.covered, abs=1e-3)
    strongest = max(found.parts, key=lambda part: abs(part.value))
    assert found.text_of(strongest) == "good" and found.read.all()


def test_encoder_alone_exports_as_it_always_did(home):
    alone = tf.saved_model.load(str(home / "alone" / "1"))
    assert set(alone.signatures) == {"serving_default", "token_ids", "preprocess"}
    details = json.loads((home / "alone" / "1" / "model.json").read_text())
    assert details["mixture"] is None


def test_export_is_at_most_16_megabytes_larger(home):
    sizes = [
        sum(path.stat().st_size for path in (home / name / "1").rglob("*") if path.is_file())
        for name in ("saved_model", "alone")
    ]
    assert 0 < sizes[0] - sizes[1] <= 16_000_000


def test_new_threshold_keeps_both_sides(home, both):
    done = run_script("model_evaluate.py", "--threshold", "0.9", "--save", cwd=home)
    assert done.returncode == 0, done.stderr
    again = infer.load_model(home / "saved_model" / "2")
    assert set(again.signatures) == set(both.signatures)
    texts = ["a b c good", "a b c d e f g h bad", "x"]
    for fast in (False, True):
        first, second = (infer.infer(one, texts, fast=fast) for one in (both, again))
        np.testing.assert_allclose(first.logits, second.logits, atol=1e-5)
        assert second.labels == ["pos" if p >= 0.9 else "neg" for p in second.probabilities]


def test_side_without_use_is_left_out(tiny_pair, tmp_path):
    """Words that occur in one review each: no n-gram is in three."""
    chance = random.Random(0)
    rows = [
        ("".join(chance.choices(LETTERS, k=9)) + (" good", " bad")[number % 2], number % 2)
        for number in range(80)
    ]
    chance.shuffle(rows)
    rows = [(text, ("pos", "neg")[chance.randint(0, 1)]) for text, _ in rows]  # labels say nothing
    write_csv(tmp_path / "reviews.csv", rows)
    pair = ["--encoder", tiny_pair.encoder, "--preprocessor", tiny_pair.preprocessor]
    done = run_script("model_train.py", *pair, *FLAGS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "its weight is 0, and it is left out" in done.stderr
    loaded = tf.saved_model.load(str(tmp_path / "saved_model" / "1"))
    assert "ngrams" not in loaded.signatures


def test_three_labels_have_an_ngram_side_too(tiny_pair, tmp_path):
    chance = random.Random(0)
    names, words = ["low", "mid", "high"], ["bad", "movie", "good"]
    rows = []
    for number in range(240):
        before = chance.choices(LETTERS, k=8)
        rows.append((" ".join([*before, words[number % 3]]), names[number % 3]))
    write_csv(tmp_path / "reviews.csv", rows)
    pair = ["--encoder", tiny_pair.encoder, "--preprocessor", tiny_pair.preprocessor]
    flags = [*pair, *FLAGS, "--labels", ",".join(names)]
    done = run_script("model_train.py", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    model = infer.load_model(tmp_path / "saved_model")
    texts = ["a b c d e f g h bad", "a b c d e f g h movie", "a b c d e f g h good"]
    for fast in (None, Counter()):
        found = list(answers(model, texts, fast=fast))
        assert [one["label"] for one in found] == names
        for one in found:
            assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert fast.total() == 3
    quick = model.signatures["serving_fast"](text=tf.constant(texts))
    assert [one.decode() for one in quick["label"].numpy()] == names
    found = explain.explain(model, texts[2])
    strongest = max(found.parts, key=lambda part: part.value)
    assert found.label == "high" and found.text_of(strongest) == "good"


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
        of_reviews, logits = (mixture.logits(ngrams, some, read) for some in (rest, new))
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
            mixture.logits(ngrams, new._replace(texts=texts), read) > 0
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
    assert odds - 1 < mixture.logits(ngrams, rows, read).mean() < odds + 1


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


def test_short_texts_with_labels_of_their_own_are_learnt_from(preprocessing):
    reviews = sources.canonical(
        [(f"{text} movie", label == "pos") for text, label in rows_of(200)], "x"
    )
    also = sources.canonical([(f"a movie {one}", 1) for one in LETTERS], "y")
    movie = sources.canonical([("movie", 1)], "z")
    sides = [
        linear.fit(reviews, preprocessing(64), 2, 0, False, False, one) for one in (None, also)
    ]
    before, after = (mixture.logits(side, movie, preprocessing(64))[0] for side in sides)
    assert after > before + 0.1


def test_a_review_and_its_sentence_are_in_the_same_fifth():
    """Weights that a sentence gave its own review would flatter it."""
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 2, 50)
    noise = chance.normal(size=50)  # says nothing, but of these reviews what a sentence repeats
    both = sides_of(*(np.tile(one, 2) for one in (noise, noise, labels)))
    mixed = calibration.cross_fitted(both._replace(group=np.tile(np.arange(50), 2)))
    np.testing.assert_array_equal(mixed[:50], mixed[50:])
