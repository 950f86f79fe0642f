"""Splits are exact, stable and without overlap; reviews that are not to be had are said."""

import numpy as np
import pytest
from conftest import made_up_rows, write_csv

from params import Params
from sentiment.errors import UserError
from sentiment.reviews import sources, splits


def test_split_of_imdb_is_exact_and_equal_texts_never_straddle(imdb_train):
    train, dev = splits.split(imdb_train, 0.2, split_seed=0)
    assert (len(train.ids), len(dev.ids)) == (20_000, 5_000)
    assert sorted(train.ids + dev.ids) == sorted(imdb_train.ids)
    assert not set(train.texts) & set(dev.texts)
    assert 0.48 < dev.labels.mean() < 0.52


def test_equal_texts_never_straddle(reviews):
    """Texts here are often repeated, so an exact share needs whole groups that fit."""
    train, dev = splits.split(reviews, 0.3, split_seed=0)
    assert len(dev.ids) == 150 and len(train.ids) == 350
    assert not set(train.texts) & set(dev.texts)


def test_split_does_not_depend_on_the_order_of_the_source(reviews):
    rows = list(zip(reviews.texts, reviews.labels.tolist(), strict=True))
    again = sources.canonical(rows[::-1], "made up")
    first, second = (splits.split(r, 0.2, split_seed=3)[1].ids for r in (reviews, again))
    assert first == second


def test_split_depends_on_its_seed(reviews):
    dev = [set(splits.split(reviews, 0.2, split_seed=seed)[1].ids) for seed in (0, 0, 1)]
    assert dev[0] == dev[1] != dev[2]


def test_too_few_reviews_are_refused():
    with pytest.raises(UserError, match="too few to split"):
        splits.split(sources.canonical([("only", 1)], "made up"), 0.2, 0)


def test_limit_is_a_seeded_choice_in_canonical_order(reviews):
    few = splits.limit(reviews, 20, split_seed=0)
    assert len(few.ids) == 20 and few.ids == sorted(few.ids)
    assert few.ids == splits.limit(reviews, 20, split_seed=0).ids
    assert few.ids != splits.limit(reviews, 20, split_seed=1).ids
    for examples in (0, 500, 10_000):
        assert splits.limit(reviews, examples, split_seed=0) is reviews


def test_dev_reviews_that_are_gone_are_counted(tmp_path):
    path = write_csv(tmp_path / "mine.csv", [("a gem", 1), ("dire", 0)])
    settings = {"data": str(path), "text_column": "text", "label_column": "label"}
    details = {"labels": ["neg", "pos"], "settings": settings}
    there = [sources.text_id("dire"), sources.text_id("a gem")]
    reviews, name = splits.load_split(Params(), details | {"dev_ids": there})
    assert (reviews.texts, name) == (["dire", "a gem"], "dev")
    gone = details | {"dev_ids": [*there, "0123456789abcdef"]}
    with pytest.raises(UserError, match="1 of the model's 3 dev reviews"):
        splits.load_split(Params(), gone)
    path.unlink()
    with pytest.raises(
        UserError, match="mine.csv, where the model's dev reviews come from, is not"
    ):
        splits.load_split(Params(), details | {"dev_ids": there})


def test_reviews_of_one_label_cannot_be_learnt_from():
    rows = sources.canonical([(text, 1) for text, _ in made_up_rows(103)], "made up")
    with pytest.raises(UserError, match="none of the 82 reviews to train on is labelled neg"):
        splits.train_and_dev(rows, ["neg", "pos"], Params())
    rare = sources.canonical([("good", 1), *((f"bad {n}", 0) for n in range(99))], "made up")
    with pytest.raises(UserError, match="is labelled pos"):
        splits.train_and_dev(rare, ["neg", "pos"], Params(train_examples=3))


@pytest.mark.parametrize(
    "settings, way",
    [
        ({}, "raise --dev-share, or give --dev-data"),
        ({"dev_examples": 1}, "raise --dev-examples"),
        ({"dev_data": "x"}, "give another --dev-data"),
    ],
)
def test_one_text_is_no_dev(settings, way, tmp_path):
    rows = sources.canonical([(f"text {n}", n % 2) for n in range(5)], "made up")
    if "dev_data" in settings:  # one text twice
        same = write_csv(tmp_path / "dev.csv", [("a gem", 1), ("a gem", 0)])
        settings = {"dev_data": str(same)}
    params = Params(data="my.csv", **settings)
    with pytest.raises(UserError, match=f"dev comes to one text, .*: {way}$"):
        splits.train_and_dev(rows, ["neg", "pos"], params)


def test_file_that_was_trained_on_is_said_to_be(tmp_path, capsys):
    path = write_csv(tmp_path / "mine.csv", [("a gem", 1), ("dire", 0)])
    details = {"labels": ["neg", "pos"], "settings": {"data": str(path)}}
    splits.load_split(Params(data=f"{tmp_path}/../{tmp_path.name}/mine.csv"), details)
    assert "mine.csv is what the model was trained on" in capsys.readouterr().err
    other = write_csv(tmp_path / "other.csv", [("a gem", 1), ("dire", 0)])
    splits.load_split(Params(data=str(other)), details)
    assert capsys.readouterr().err == ""
    details["settings"]["dev_data"] = str(other)
    splits.load_split(Params(data=str(path)), details)
    assert "mine.csv is what the model was trained on" in capsys.readouterr().err
    splits.load_split(Params(data=str(other)), details)
    assert "other.csv is the model's dev: not learnt from" in capsys.readouterr().err


def test_dev_sentences_need_sentences(tmp_path):
    path = write_csv(tmp_path / "mine.csv", [("a gem", 1), ("dire", 0)])
    settings = {"data": str(path), "text_column": "text", "label_column": "label"}
    details = {"labels": ["neg", "pos"], "settings": settings}
    details["dev_ids"] = [sources.text_id("dire")]
    with pytest.raises(UserError, match="no dev review holds a sentence"):
        splits.load_split(Params(split="dev-sentences"), details)


def test_stratified_split_keeps_the_share_of_each_label_and_equal_texts_together():
    rows = [(f"text {number}", number % 20 == 0) for number in range(1000)]
    rows = sources.canonical([*rows, *rows[:100]], "made up")
    train, dev = splits.split(rows, 0.3, 1, stratified=True)
    assert len(dev.ids) == 330
    for part in (train, dev):
        assert np.mean(part.labels) == pytest.approx(0.05, abs=0.002)
    assert not {key.split("-")[0] for key in train.ids} & {key.split("-")[0] for key in dev.ids}


def test_own_dev_file_is_dev(tmp_path):
    write_csv(tmp_path / "train.csv", made_up_rows(20))
    write_csv(tmp_path / "dev.csv", made_up_rows(6, seed=1))
    params = Params(data=str(tmp_path / "train.csv"), dev_data=str(tmp_path / "dev.csv"))
    reviews, names = splits.load_train(params)
    train, dev = splits.train_and_dev(reviews, names, params)
    assert (len(train.ids), len(dev.ids)) == (20, 6)
    details = {"settings": vars(params), "labels": names, "dev_ids": dev.ids}
    again, name = splits.load_split(Params(), details)
    assert (again.ids, name) == (dev.ids, "dev")


def test_names_the_wrong_way_round_are_remarked_on(tmp_path, capsys):
    rows = [("a", "positive"), ("b", "negative")]
    write_csv(tmp_path / "own.csv", rows)
    data = str(tmp_path / "own.csv")
    splits.load_train(Params(data=data, labels="negative,positive"))
    assert "remark" not in capsys.readouterr().err
    splits.load_train(Params(data=data, labels="positive,negative"))
    assert "the second one counts as the positive" in capsys.readouterr().err
