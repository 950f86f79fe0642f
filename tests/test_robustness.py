"""model_evaluate.py --robustness: what is counted, and where it is shown."""

import csv
import json
import re

import numpy as np
import pytest
from conftest import run_script, write_csv

from sentiment.logits import probabilities
from sentiment.report import card, changes_page, perturb, report, robustness
from sentiment.reviews import sources
from sentiment.scoring import infer, threshold

SCRIPT = "<script>alert(1)</script> a good French film with Mary in Paris from 1994, isn't it so!"
TWO, THREE = ["neg", "pos"], ["1", "2", "3"]


def model_of(labels: list[str]) -> infer.Model:
    return infer.Model(None, None, {"labels": labels, "threshold": 0.5}, None)


def counting(calls: list[list[str]]):
    """An inference by words: good is worth 2, bad and not -2, a capital -3; of three labels the
    middle one is worth 0 always.
    """

    def infer_by_words(model, texts, progress=None, fast=False):
        calls.append(list(texts))
        worth = [2 * t.count("good") - 2 * t.count("bad") for t in texts]
        worth = [w * (1 - 2 * ("not " in t)) for w, t in zip(worth, texts, strict=True)]
        worth = np.array(worth, np.float32) - [3 * t.isupper() for t in texts]
        logits = (
            worth if len(model.details["labels"]) == 2 else np.stack([-worth, 0 * worth, worth], 1)
        )
        scores = probabilities(logits)
        labels = threshold.labels_of(scores, model.details)
        return infer.Predictions(logits, scores, labels, np.zeros(len(texts), np.int32))

    return infer_by_words


def measured(monkeypatch, labels, texts):
    calls = []
    monkeypatch.setattr(infer, "infer", counting(calls))
    reviews = sources.canonical([(text, 0) for text in texts], "made up")
    model = model_of(labels)
    return robustness.measure(model, reviews, infer.infer(model, reviews.texts)), calls[1:]


def test_praise_raises_the_label_that_means_it(monkeypatch):
    monkeypatch.setattr(perturb, "praise", lambda text, key: f"{text} good")
    monkeypatch.setattr(perturb, "blame", lambda text, key: f"{text} bad")
    for labels, some_move in ((TWO, True), (TWO[::-1], False)):
        found, _ = measured(monkeypatch, labels, ["a good one", "a bad one"])
        assert [row["right_way"] > 0 for row in found["must_matter"]] == [some_move] * 4


@pytest.mark.parametrize("labels", [TWO, THREE])
def test_flips_are_counted_and_only_what_changed_is_scored(monkeypatch, labels, capsys):
    found, calls = measured(monkeypatch, labels, ["a good one", "a bad one", "so in 1994 go"])
    rows = {row["change"]: row for row in found["must_not_matter"]}
    assert list(rows) == list(perturb.MUST_NOT_MATTER) == list(changes_page.CHANGES)
    altered = {name: row["texts_altered"] for name, row in rows.items()}
    assert altered["upper_case"] == altered["handle"] == 3 and altered["numbers"] == 1
    assert altered["typos"] == altered["faiths"] == altered["lower_case"] == 0
    assert rows["faiths"]["share_flipped"] is None and rows["faiths"]["worst"] == []
    # In capitals all is bad; what was worth nothing was called positive, or the first of three.
    upper, flipped = rows["upper_case"], 2 if labels == TWO else 1
    assert (upper["answers_flipped"], rows["handle"]["answers_flipped"]) == (flipped, 0)
    low, high = upper["interval_95"]
    assert 0 < low < upper["share_flipped"] == flipped / 3 < high < 1
    first = upper["worst"][0]
    assert (first["before"], first["after"]) == ("a good one", "A GOOD ONE")
    called = {"neg": 0, "pos": 1, "1": 0, "3": 2}[first["label_before"]]
    scores = probabilities(np.array([2.0, -3.0]))
    if labels == THREE:
        scores = probabilities(np.array([[-2.0, 0, 2], [3, 0, -3]]))[:, called]
    pair = [first["probability_before"], first["probability_after"]]
    np.testing.assert_allclose(pair, scores, rtol=1e-5)
    assert len(calls[0]) == sum(altered.values()) + (6 if labels == TWO else 0)
    robustness.show(found)
    printed = capsys.readouterr().out
    assert "on 3 of 3 reviews (chosen with seed 0)" in printed and "A GOOD ONE" in printed
    assert ("must matter: not measured" in printed) == (labels == THREE)


def test_what_must_matter_moves_the_right_way(monkeypatch):
    monkeypatch.setattr(perturb, "PRAISE", ("good", "so"))  # of which the second moves nothing
    monkeypatch.setattr(perturb, "BLAME", ("bad",))
    found, _ = measured(monkeypatch, TWO, [f"{letter} one" for letter in "abcdefghijkl"])
    rows = {row["change"]: row for row in found["must_matter"]}
    assert list(rows) == list(changes_page.MUST)
    assert rows["blame_added"]["share_right_way"] == 1 and rows["blame_added"]["mean_change"] < 0
    assert 0 < rows["praise_added"]["share_right_way"] < 1
    assert rows["not_good"]["texts"] == 40 and rows["not_good"]["right_way"] == 4  # "good" alone
    assert rows["not_bad"]["right_way"] == 4
    assert measured(monkeypatch, THREE, ["a one"])[0]["must_matter"] == []


def test_at_most_so_many_reviews_are_chosen(monkeypatch):
    monkeypatch.setattr(robustness, "REVIEWS", 5)
    texts = [f"number {'abcdefghij'[n]} here" for n in range(10)]
    first, again = (measured(monkeypatch, TWO, texts) for _ in range(2))
    assert (first[0]["reviews"], first[0]["of_reviews"]) == (5, 10)
    assert first[1] == again[1]


def test_an_example_is_short_and_shows_what_changed():
    before, after = robustness.excerpts(
        "x " * 500 + "Peter<br />" + " y" * 500, "x " * 500 + "Tom" + " y" * 500
    )
    assert before == "…" + "x " * 30 + "Peter " + " y" * 30 + "…"
    assert after == "…" + "x " * 30 + "Tom" + " y" * 30 + "…"
    long = robustness.excerpts("a" * 1000, "A" * 1000)
    assert [len(text) for text in long] == [robustness.LONGEST + 1] * 2


@pytest.fixture(scope="module")
def evaluated(trained):
    """--robustness --report on a file with a hostile review: (evaluation folder, what was said)."""
    home = trained.folder.parents[1]
    write_csv(
        home / "changed.csv", [*trained.rows[:40], (SCRIPT, "neg"), ("such a bad film", "neg")]
    )
    flags = ["--data", "changed.csv", "--model-folder", trained.folder, "--robustness", "--report"]
    done = run_script("model_evaluate.py", *flags, cwd=home)
    assert done.returncode == 0, done.stderr
    return trained.folder.with_name("1-evaluation"), done


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_json_spells_it_out(evaluated):
    folder, done = evaluated
    found = read_json(folder / "changed.csv.json")["robustness"]
    assert found == read_json(folder / "changed.csv-report.json")["robustness"]
    assert set(found) == {
        "reviews",
        "of_reviews",
        "seed",
        "seconds",
        "must_not_matter",
        "must_matter",
    }
    assert found["reviews"] == found["of_reviews"] == 42
    for row in found["must_not_matter"]:
        assert set(row) == {
            "change",
            "texts_altered",
            "answers_flipped",
            "share_flipped",
            "interval_95",
            "mean_absolute_change",
            "worst",
        }
        assert len(row["worst"]) == min(row["texts_altered"], 3)
    altered = {row["change"]: row["texts_altered"] for row in found["must_not_matter"]}
    assert altered["first_names"] == altered["nationalities"] == altered["numbers"] == 1
    assert {row["change"] for row in found["must_matter"]} == set(changes_page.MUST)
    assert "must not matter" in done.stdout and "42 of 42 reviews" in done.stdout
    with (folder / "changed.csv-report.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["table"].startswith("must")]
    assert len(rows) == len(changes_page.CHANGES) + len(changes_page.MUST)
    (handle,) = (row for row in rows if row["change"] == "handle")
    assert int(handle["texts_altered"]) == 42 and "worst" not in handle


def test_page_shows_it_and_escapes_it(evaluated):
    shown = (evaluated[0] / "changed.csv-report.html").read_text(encoding="utf-8")
    assert "What must not matter" in shown and "What must matter" in shown
    assert "&lt;script&gt;" in shown and "<script" not in shown.lower()
    assert re.search(r"<mark>\w+</mark>", shown) and "Remove handles before scoring" in shown


def test_page_marks_what_differs():
    row = {"id": "1", "before": "in Paris, a <b>", "after": "in Oslo, the <b>"}
    row |= {"label_before": "<neg>", "label_after": "pos"}
    row |= {"probability_before": 0.25, "probability_after": 0.75}
    shown = changes_page.example(row)
    for place, article in (("Paris", "a"), ("Oslo", "the")):
        assert f"in <mark>{place}</mark>, <mark>{article}</mark> &lt;b&gt;</div>" in shown
    assert "before: &lt;neg&gt;, 0.2500" in shown and "after: pos, 0.7500" in shown


def test_card_names_what_flips_most(evaluated):
    folder, _ = evaluated
    rows = read_json(folder / "changed.csv.json")["robustness"]["must_not_matter"]
    text = (folder / card.NAME).read_text(encoding="utf-8")
    worst = max((row for row in rows if row["answers_flipped"]), key=lambda r: r["interval_95"][0])
    (line,) = [line for line in text.splitlines() if "must not matter" in line]
    first = f"{worst['change'].replace('_', ' ')} {worst['share_flipped']:.1%}"
    assert f"flip most answers on changed.csv: {first}" in line


def test_without_it_nothing_of_it_is_written():
    content = {"figures": {}, "intervals_95": {}, "bands": {}}
    content |= dict.fromkeys(("reliability", "scores", "operating_points", "coverage"), [])
    assert report.table_rows(content) == []
    assert card.robustness_of({"split": "dev"}) == ""
