"""Evaluations as a person looks at them: thresholds, intervals, two models, the page, the card."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import contents, run_here, run_script, write_csv

from sentiment import files
from sentiment.errors import UserError
from sentiment.report import analysis, metrics
from sentiment.scoring import infer, scores
from sentiment.scoring.threshold import threshold_for_precision


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


# Figures on literals


def test_bands_hold_each_review_once():
    values, right = np.array([0, 5, 10, 10, 20]), np.array([1, 0, 1, 1, 0], bool)
    rows = analysis.by_band(values, [0, 10, 15, 20], right)
    assert [(r["from"], r["to"], r["reviews"], r["accuracy"]) for r in rows] == [
        (0, 10, 2, 0.5),
        (10, 15, 2, 1.0),
        (15, 20, 1, 0.0),
    ]


def test_coverage_answers_the_surest_first():
    confidence, right = np.array([0.9, 0.6, 0.9, 0.55]), np.array([True, False, True, False])
    rows = {row["share"]: row for row in analysis.coverage(confidence, right)}
    assert (rows[0.5]["accuracy"], rows[1.0]["accuracy"]) == (1.0, 0.5)
    assert rows[0.5]["least_confidence"] == pytest.approx(0.9)
    assert rows[1.0]["least_confidence"] == pytest.approx(0.55)


def test_threshold_is_the_lowest_that_gives_the_precision():
    labels = np.array([0, 1, 0, 1, 1])
    probabilities = np.array([0.1, 0.4, 0.6, 0.7, 0.9], np.float32)
    for target, expected in ((0.9, 0.7), (0.75, 0.4), (0.5, 0.1)):
        threshold = threshold_for_precision(labels, probabilities, target)
        assert threshold == np.float32(expected)
        assert analysis.at_threshold(labels, probabilities, threshold)["precision"] >= target
    with pytest.raises(UserError, match="at most 0.5000 is reached"):
        threshold_for_precision(np.array([0, 1]), np.array([0.5, 0.5]), 0.9)


def test_intervals_hold_the_figures_and_shrink_with_the_reviews():
    chance = np.random.default_rng(0)
    widths = []
    for count in (100, 2500):
        labels = chance.integers(0, 2, count)
        probabilities = np.clip(
            0.5 + 0.3 * (labels - 0.5) + chance.normal(0, 0.2, count), 0.01, 0.99
        )
        predicted = (probabilities >= 0.5).astype(int)
        found = analysis.intervals(labels, probabilities, predicted)
        figures = metrics.evaluate(labels, probabilities, predicted)
        assert set(found) == {"precision", "recall", "f1", "roc_auc", "log_loss", "brier"}
        for name, (low, high) in found.items():
            assert low < figures[name] < high
        widths.append(found["roc_auc"][1] - found["roc_auc"][0])
    assert widths[0] / widths[1] == pytest.approx(5, rel=0.4)


def test_confidence_is_about_the_label_whatever_its_threshold():
    logits = np.array([-2.0, 0.0, 2.0])
    np.testing.assert_allclose(analysis.confidences(logits, 0.5), [0.8808, 0.5, 0.8808], atol=1e-4)
    sure = analysis.confidences(np.log([0.99 / 0.01, 0.95 / 0.05, 0.5]), 0.95)
    assert sure[1] == pytest.approx(0.5) and sure[2] > sure[0] > 0.5
    assert np.all(np.isfinite(analysis.confidences(logits, 1.0)))


def test_operating_points_hold_what_each_threshold_gives():
    labels, probabilities = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.8])
    points = {row["threshold"]: row for row in analysis.operating_points(labels, probabilities)}
    for threshold, row in points.items():
        found = analysis.at_threshold(labels, probabilities, threshold)
        assert (row["recall"], row["precision"]) == (found["recall"], found["precision"])
    bars = analysis.histogram(labels, probabilities)
    assert sum(row["negative"] for row in bars) == sum(row["positive"] for row in bars) == 2


def test_equal_scores_count_half_in_the_resampled_area():
    labels, same = np.array([0, 1] * 20), np.full(40, 0.5)
    assert analysis.intervals(labels, same, np.ones(40, int))["roc_auc"] == [0.5, 0.5]


def test_two_models_are_compared_pair_by_pair():
    right = np.array([1] * 90 + [0] * 10, bool)
    other = np.array([1] * 80 + [0] * 10 + [1] * 2 + [0] * 8, bool)
    found = analysis.compare(right, other)
    assert (found["only_this_right"], found["only_other_right"]) == (10, 2)
    assert found["difference"] == pytest.approx(0.08)
    assert found["mcnemar_p_value"] == pytest.approx(0.03857, abs=1e-5)  # binomial, 2 of 12
    low, high = found["difference_interval_95"]
    assert 0 < low < 0.03 and 0.13 < high < 0.16
    assert analysis.compare(right, right)["mcnemar_p_value"] == 1.0


# model_evaluate.py

SCRIPT = "<script>alert(1)</script> good"


@pytest.fixture(scope="module")
def reported(trained):
    """--report --compare on a file with a hostile review: (evaluation folder, what was printed)."""
    home = trained.folder.parents[1]
    rows = [(text, label) for text, label in trained.rows[:40]]
    write_csv(home / "own.csv", [*rows, (SCRIPT, "neg")])
    flags = ["--data", "own.csv", "--model-folder", trained.folder, "--report"]
    done = run_script("model_evaluate.py", *flags, "--compare", "saved_model/2", cwd=home)
    assert done.returncode == 0, done.stderr
    return trained.folder.with_name("1-evaluation"), done


def test_page_needs_nothing_else_and_escapes_reviews(reported):
    page = (reported[0] / "own.csv-report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script" not in page
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("data:image/png;base64,") == 4
    assert "surest mistakes" in page and "Against saved_model/2" in page


def test_report_has_the_same_in_json_and_csv(reported):
    folder, _ = reported
    found = read_json(folder / "own.csv-report.json")
    assert found["figures"]["accuracy"] == read_json(folder / "own.csv.json")["accuracy"]
    least = found["reviews"]["least_sure"]
    assert len(least) == 20
    sureness = [round(abs(one["probability"] - 0.5), 5) for one in least]  # float32
    assert sureness == sorted(sureness)
    (mistake,) = [r for r in found["reviews"]["surest_mistakes"] if r["text"] == SCRIPT]
    assert (mistake["label"], mistake["predicted"]) == ("neg", "pos")
    assert mistake["explanation"]["parts"][0]["text"] == "good"
    with (folder / "own.csv-report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["table"] for row in rows} == {
        "figures",
        "scores",
        "operating_points",
        "reliability",
        "coverage",
        "length",
        "share_cut",
        "confidence",
    }
    lengths = [int(row["reviews"]) for row in rows if row["table"] == "length"]
    assert sum(lengths) == 41


def test_comparison_names_the_reviews_on_which_models_part(reported):
    folder, done = reported
    found = read_json(folder / "own.csv.json")["comparison"]
    assert "against saved_model/2: " in done.stdout
    with (folder / "own.csv-parting.csv").open(newline="") as file:
        parting = list(csv.DictReader(file))
    assert len(parting) == found["only_this_right"] + found["only_other_right"] > 0
    for row in parting:
        sides = {float(row[name]) >= 0.5 for name in ("probability", "other_probability")}
        assert sides == {True, False}


def test_scores_on_disk_are_taken_again(reported, trained):
    folder, first = reported
    before = contents(folder)
    flags = ["--data", "own.csv", "--model-folder", trained.folder]
    again = run_script("model_evaluate.py", *flags, cwd=trained.folder.parents[1])
    assert "own.csv-predictions.csv taken again" in again.stderr
    assert "reviews/s" in first.stderr and "reviews/s" not in again.stderr
    assert again.stdout.splitlines()[:9] == first.stdout.splitlines()[:9]
    assert contents(folder)["own.csv-predictions.csv"] == before["own.csv-predictions.csv"]


def test_scores_of_one_model_are_never_anothers(trained, tmp_path):
    home, out = tmp_path / "saved_model", tmp_path / "out"
    for name in ("1", "2"):
        shutil.copytree(trained.folder.with_name(name), home / name)
    write_csv(tmp_path / "rated.csv", trained.rows[:40])

    def evaluate(name):
        flags = ["--data", "rated.csv", "--model-folder", home / name, "--evaluation-folder", out]
        done = run_script("model_evaluate.py", *flags, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done, read_json(out / "rated.csv.json")

    first, of_first = evaluate("1")
    card = (out / "model_card.md").read_text(encoding="utf-8")
    shutil.copy(out / "rated.csv.json", out / "kept.json")
    second, of_second = evaluate("2")
    assert "taken again" not in second.stderr and of_second["log_loss"] != of_first["log_loss"]
    # The card is of the second model, and an evaluation of the first one is none of its.
    assert "kept.json is of another model" in second.stderr
    assert (out / "model_card.md").read_text(encoding="utf-8").count("rated.csv") == 1
    assert card.count("rated.csv") == 1 and "VADER" not in card  # the split of that name is not it
    # A folder's number may be another model's than it was.
    shutil.rmtree(home / "2")
    shutil.copytree(home / "1", home / "2")
    assert evaluate("2")[1]["log_loss"] == of_first["log_loss"]


def test_threshold_is_saved_as_a_new_version(trained, tmp_path):
    home = tmp_path / "saved_model"
    shutil.copytree(trained.folder, home / "1")
    flags = ["--model-folder", home / "1", "--threshold", "0.999999", "--save"]
    # The reviews of training are named in the model as they were given: reviews.csv, beside it.
    shutil.copy(trained.folder.parents[1] / "reviews.csv", tmp_path)
    done = run_script("model_evaluate.py", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"saved_model/2\b", done.stdout) and contents(home / "1") == trained.first
    details = read_json(home / "2" / "model.json")
    assert (details["threshold"], details["made_from"]) == (0.999999, "1")
    old, new = (
        tf.saved_model.load(str(home / name)).signatures["serving_default"](
            tf.constant(["good good"])
        )
        for name in ("1", "2")
    )
    assert new["probability"].numpy() == old["probability"].numpy()
    assert (old["label"].numpy()[0], new["label"].numpy()[0]) == (b"pos", b"neg")
    predicted = run_script("model_predict.py", "good good", cwd=tmp_path)
    assert predicted.stdout.rstrip().endswith(": neg")
    card = (home / "2-evaluation" / "model_card.md").read_text(encoding="utf-8")
    assert "from a probability of 1 on" in card and "version 1, of which" in card


def test_model_that_may_have_learnt_from_dev_is_not_compared_on_it(trained, tmp_path):
    home = tmp_path / "saved_model"
    shutil.copytree(trained.folder, home / "1")
    shutil.copytree(trained.folder, home / "2")
    shutil.copy(trained.folder.parents[1] / "reviews.csv", tmp_path)
    details = read_json(home / "1" / "model.json")
    details["dev_ids"] = details["dev_ids"][1:]
    (home / "1" / "model.json").write_text(json.dumps(details))
    done = run_script("model_evaluate.py", "--compare", "saved_model/1", cwd=tmp_path)
    assert done.returncode == 2 and "may have learnt from 1 of these reviews" in done.stderr


def test_save_that_cannot_be_written_is_said_before_anything_is_scored(project, monkeypatch):
    def refuses(folder):
        if Path(folder).name == "saved_model":
            raise UserError(f"cannot write to {folder}")

    monkeypatch.setattr(files, "require_writable", refuses)
    code, out, said = run_here("model_evaluate.py --threshold 0.6 --save", project)
    assert code == 2 and "cannot write to saved_model" in said and not out


def test_what_another_model_has_learnt_is_remarked_on(tmp_path, capsys):
    details = {"labels": ["neg", "pos"], "dev_ids": []}
    (tmp_path / "train_ids.txt").write_text("aa\nbb\n")
    infer.require_comparable(details, details, tmp_path, "my.csv", ["aa-2", "cc", "dd"])
    assert "has learnt from 1 of these 3 texts" in capsys.readouterr().err
    infer.require_comparable(details, details, tmp_path, "my.csv", ["cc"])
    assert not capsys.readouterr().err


def test_label_may_be_called_none(tmp_path):
    table = "id,label,predicted,probability,logit,token_count\na,NA,None,0.25,-1.1,7\n"
    (tmp_path / "scores.csv").write_text(table)
    assert scores.read(tmp_path / "scores.csv", ["a"]).labels == ["None"]


@pytest.mark.parametrize(
    "flags, says",
    [
        (["--threshold", "1.5"], "between 0 and 1"),
        (["--threshold", "0.5", "--target-precision", "0.9"], "give one"),
        (["--save"], "--save needs"),
        (["--compare", "nowhere"], "no model in nowhere"),
    ],
)
def test_wrong_flags_are_refused_at_once(trained, flags, says):
    done = run_script("model_evaluate.py", *flags, cwd=trained.folder.parents[1])
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1


def test_card_says_what_the_jsons_say(trained, reported):
    card = (reported[0] / "model_card.md").read_text(encoding="utf-8")
    results = read_json(trained.folder / "results.json")
    assert f"Dev accuracy {results['dev_accuracy']:.4f}" in card
    assert f"| own.csv | 41 | {read_json(reported[0] / 'own.csv.json')['accuracy']:.4f} |" in card
    assert "reads 16 tokens" in card and "Short texts: not measured" in card
    assert "your own file" in card and "Not evaluated" not in card
