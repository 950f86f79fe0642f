"""More than two labels, from the file to the page: trained, exported, measured, explained."""

import dataclasses
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from conftest import LETTERS, run_script, write_csv
from scipy import special
from sklearn import metrics as sklearn_metrics

from params import TRAIN, Params
from sentiment import command_line, logits
from sentiment.report import analysis, metrics
from sentiment.training import calibration
from sentiment.training.loss import CrossEntropy, balanced_weights

NAMES = ["bad", "so", "good"]
WORDS = {"bad": "bad", "so": "movie", "good": "good"}


def rows_of(count: int, seed: int = 0) -> list[tuple[str, str]]:
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        label = NAMES[number % 3]
        words = [WORDS[label]] * 3 + chance.choices(LETTERS, k=chance.randint(3, 9))
        chance.shuffle(words)
        rows.append((" ".join(words), label))
    return rows


@pytest.fixture(scope="module")
def three(tiny_pair, tmp_path_factory):
    """A project folder with a model of three labels, and the flags that it was trained with."""
    home = tmp_path_factory.mktemp("three")
    write_csv(home / "reviews.csv", rows_of(240))
    write_csv(home / "new.csv", rows_of(60, seed=1))
    flags = ["--encoder", tiny_pair.encoder, "--preprocessor", tiny_pair.preprocessor]
    flags += ["--data", "reviews.csv", "--labels", ",".join(NAMES), "--max-length", "16"]
    flags += ["--batch-size", "8", "--learning-rate", "1e-2", "--epochs", "6", "--deterministic"]
    flags += ["--precision", "float32", "--sentence-share", "0", "--class-weight", "balanced"]
    done = run_script("model_train.py", *flags, cwd=home)
    assert done.returncode == 0, done.stderr
    return home


def test_three_labels_are_learnt_and_every_figure_is_theirs(three):
    done = run_script("model_evaluate.py", "--data", "new.csv", "--report", cwd=three)
    assert done.returncode == 0, done.stderr
    found = json.loads((three / "saved_model" / "1-evaluation" / "new.csv.json").read_text())
    assert found["accuracy"] > 0.9 and set(found["per_label"]) == set(NAMES)
    assert len(found["confusion"]) == 3 and sum(map(sum, found["confusion"])) == 60
    assert found["majority_share"] == pytest.approx(1 / 3)
    assert found["roc_auc"] > 0.9 and 0 <= found["calibration_error"] <= 1
    page = (three / "saved_model" / "1-evaluation" / "new.csv-report.html").read_text()
    assert "Label by label" in page and "the label that was called" in page
    card = (three / "saved_model" / "1-evaluation" / "model_card.md").read_text()
    assert "`bad` or `so` or `good`" in card and "one of the 3 labels" in card
    again = run_script("model_evaluate.py", "--data", "new.csv", cwd=three)
    assert (
        "taken again" in again.stderr
        and again.stdout.splitlines()[:9] == done.stdout.splitlines()[:9]
    )


def test_export_gives_each_label_and_the_one_it_names(three):
    loaded = tf.saved_model.load(str(three / "saved_model" / "1"))
    answer = loaded.signatures["serving_default"](tf.constant(["bad bad a", "good good b"]))
    every = answer["probabilities"].numpy()
    np.testing.assert_allclose(every.sum(axis=1), 1, atol=1e-6)
    assert [one.decode() for one in answer["label"].numpy()] == ["bad", "good"]
    np.testing.assert_array_equal(answer["probability"].numpy(), every.max(axis=1))
    np.testing.assert_allclose(special.softmax(answer["logits"], axis=1), every, atol=1e-6)


def test_predict_explains_the_named_label_and_gives_all_probabilities(three):
    done = run_script("model_predict.py", "--explain", "--json", "movie movie a", cwd=three)
    found = json.loads(done.stdout)
    assert (found["label"], found["explanation"]["label"]) == ("so", "so")
    parts = sum(part["value"] for part in found["explanation"]["parts"])
    total = found["explanation"]["logit"] - found["explanation"]["logit_covered"]
    assert parts == pytest.approx(total, abs=1e-3)
    done = run_script("model_predict.py", "--input", "new.csv", "--all-probabilities", cwd=three)
    for line in done.stdout.splitlines():
        row = json.loads(line)
        every = {name: row[f"probability_{name}"] for name in NAMES}
        assert sum(every.values()) == pytest.approx(1, abs=1e-5)
        assert row["probability"] == max(every.values()) == every[row["predicted_label"]]


@pytest.mark.parametrize("flags", [["--threshold", "0.7"], ["--target-precision", "0.9"]])
def test_threshold_is_for_two_labels(three, flags):
    done = run_script("model_evaluate.py", *flags, cwd=three)
    assert done.returncode == 2 and "are for models with two labels" in done.stderr


def test_run_can_be_made_again_from_its_results(three):
    results = three / "saved_model" / "1" / "results.json"
    flags = ["--from-run", results, "--model-folder", "again"]
    done = run_script("model_train.py", *flags, cwd=three)
    assert done.returncode == 0, done.stderr
    first, second = (
        tf.train.load_checkpoint(str(three / folder / "1" / "variables" / "variables"))
        for folder in ("saved_model", "again")
    )
    for name in first.get_variable_to_shape_map():
        if "weights" in name:
            np.testing.assert_array_equal(first.get_tensor(name), second.get_tensor(name))
    shutil.rmtree(three / "again")


@pytest.mark.parametrize(
    "change, says",
    [
        ({"short_epochs": 1}, "that run used short_epochs, which is gone"),
        ({"max_length": "64"}, "max_length is '64'"),
        (None, "no results.json of a run"),
    ],
)
def test_run_that_cannot_be_made_again_is_refused(change, says, tmp_path, capsys):
    path = tmp_path / "results.json"
    settings = vars(Params()) | {"short_epochs": 0} | (change or {})
    path.write_text(json.dumps({"settings": settings} if change else {}))
    parser = command_line.make_parser("test", ["max_length"])
    parser.add_argument("--from-run")
    with pytest.raises(SystemExit):
        command_line.parse(parser, ["--from-run", str(path)])
    assert says in capsys.readouterr().err


def test_labels_that_begin_with_a_hyphen_work_as_typed(tmp_path):
    data = str(write_csv(tmp_path / "a.csv", [("a", -1), ("b", 1)]))
    parser = command_line.make_parser("test", ["labels", "data"])
    params, _ = command_line.parse(parser, ["--labels", "-1,1", "--data", data])
    assert params.labels == "-1,1"


def test_run_is_made_again_anywhere_and_with_another_encoder(tmp_path, capsys):
    path = tmp_path / "results.json"
    ran = Params(model_folder="far/away", device="cpu", strategy="one_device", data_folder="far")
    settings = vars(dataclasses.replace(ran, encoder="minilm", learning_rate=1e-4, epochs=3))
    path.write_text(json.dumps({"settings": settings | {"pooling": "mean", "also": "all"}}))

    def parsed(*flags):
        parser = command_line.make_parser("test", TRAIN)
        parser.add_argument("--from-run")
        return command_line.parse(parser, ["--from-run", str(path), *flags])[0]

    params = parsed()
    assert (params.epochs, params.encoder, params.learning_rate) == (3, "minilm", 1e-4)
    assert params.also == "rotten-tomatoes,made-up"
    places = params.model_folder, Path(params.data_folder).name, params.device, params.strategy
    assert places == ("saved_model", "data", "auto", "auto")
    params = parsed("--encoder", "bert-base")
    assert (params.epochs, params.learning_rate, params.pooling) == (3, 0.0, "auto")
    with pytest.raises(SystemExit):
        parsed("--preset", "quick")
    assert "--preset: --from-run brings that run's settings" in capsys.readouterr().err


def test_reviews_may_stand_on_both_sides_of_a_flag():
    parser = command_line.make_parser("test", ["precision"])
    parser.add_argument("reviews", nargs="*")
    given = ["a gem", "--precision", "float32", "a waste", "of time"]
    params, arguments = command_line.parse(parser, given)
    assert arguments.reviews == ["a gem", "a waste", "of time"] and params.precision == "float32"
    given = ["good", "--precision", "float32", "bad", "--", "-terrible", "--", "fine"]
    _, arguments = command_line.parse(parser, given)
    assert arguments.reviews == ["good", "bad", "-terrible", "--", "fine"]


def test_review_that_begins_with_a_hyphen_says_what_to_do(tmp_path):
    done = run_script("model_predict.py", "-terrible", cwd=tmp_path)
    assert done.returncode == 2 and "'-terrible' begins with a hyphen: put -- before" in done.stderr


# The arithmetic, against other people's


def test_loss_of_two_labels_is_keras_binary_crossentropy_to_the_bit():
    label, logit = tf.constant([[0.0], [1.0], [1.0]]), tf.constant([[-1.0], [2.0], [-3.0]])
    for smoothing in (0.0, 0.1):
        theirs = tf_keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
        assert CrossEntropy(2, smoothing, None)(label, logit) == theirs(label, logit)


def test_loss_is_the_mean_loss_and_weights_count_labels_alike():
    chance = np.random.default_rng(0)
    scores, labels = chance.normal(size=(50, 3)).astype(np.float32), chance.integers(0, 3, 50)
    labels[:40] = 0
    plain = CrossEntropy(3, 0.0, None)(labels[:, None].astype(np.float32), scores)
    assert float(plain) == pytest.approx(logits.mean_loss(scores, labels), rel=1e-5)
    weights = balanced_weights(labels, 3)
    each = [logits.mean_loss(scores[labels == one], labels[labels == one]) for one in range(3)]
    weighted = CrossEntropy(3, 0.0, weights)(labels[:, None].astype(np.float32), scores)
    assert float(weighted) == pytest.approx(np.mean(each), rel=1e-5)


def test_two_labels_are_a_case_of_any_number():
    chance = np.random.default_rng(0)
    one = chance.normal(size=40)
    two, labels = np.stack([0 * one, one], 1), chance.integers(0, 2, 40)
    assert logits.mean_loss(one, labels) == pytest.approx(logits.mean_loss(two, labels))
    np.testing.assert_array_equal(logits.predicted(one), logits.predicted(two))
    every = logits.probabilities(two)
    np.testing.assert_allclose(logits.by_label(logits.probabilities(one)), every)
    np.testing.assert_allclose(logits.log_odds(two, 1), one)
    first = metrics.calibration_error(labels, logits.probabilities(one))
    assert first == pytest.approx(metrics.calibration_error(labels, every))
    assert calibration.fit_temperature(one, labels) == pytest.approx(
        calibration.fit_temperature(two, labels), rel=1e-4
    )


def test_figures_of_three_labels_are_those_of_scikit_learn():
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 3, 400)
    scores = logits.probabilities(chance.normal(size=(400, 3)) + 1.5 * np.eye(3)[labels])
    predicted = scores.argmax(axis=1)
    found = metrics.evaluate(labels, scores, predicted, NAMES)
    theirs = sklearn_metrics.classification_report(
        labels, predicted, target_names=NAMES, output_dict=True
    )
    assert found["f1"] == pytest.approx(theirs["macro avg"]["f1-score"])
    assert found["per_label"]["so"]["recall"] == pytest.approx(theirs["so"]["recall"])
    intervals = analysis.intervals(labels, scores, predicted)
    for name, (low, high) in intervals.items():
        assert low < found[name] < high


def test_results_are_kept_where_a_read_only_model_asks_for_it(three, tmp_path):
    flags = ["--data", "new.csv", "--evaluation-folder", tmp_path / "elsewhere"]
    done = run_script("model_evaluate.py", *flags, cwd=three)
    assert done.returncode == 0, done.stderr
    assert (Path(tmp_path) / "elsewhere" / "new.csv.json").is_file()
