"""The n-gram side: it reads what the encoder cuts, adds up, serves, and leaves if it is no use."""

import csv
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import LETTERS, run_script, write_csv

from sentiment import machine
from sentiment.scoring import explain, infer, scores
from sentiment.scoring.answers import answers

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


def test_fast_scores_are_taken_again(both, reviews, tmp_path, capsys):
    first, again = (
        scores.score(both, reviews, "x", "float32", tmp_path, fast=True).predictions
        for _ in range(2)
    )
    said = capsys.readouterr().err
    assert "x-predictions.csv taken again" in said and "damaged" not in said
    early = infer.early_of(first)
    assert early.any()
    np.testing.assert_array_equal(infer.early_of(again), early)
    np.testing.assert_array_equal(again.logits, first.logits)
    np.testing.assert_array_equal(again.encoder_logits, first.encoder_logits)


def test_fast_goes_on_where_a_part_holds_nothing_to_score(both):
    counted = Counter()
    assert list(answers(both, [], fast=counted)) == [] and not counted


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
