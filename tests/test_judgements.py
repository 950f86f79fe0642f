"""Texts made for this project, from which the encoder learns what turns words round: judgements
from patterns, and texts written one by one.
"""

import csv
import random
import re
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT

from params import Params
from sentiment.report import perturb
from sentiment.reviews import judgements, sources, splits, written
from sentiment.reviews.others import EVERY
from sentiment.reviews.patterns import ONE_SIDED, PATTERNS
from sentiment.training import mixture

SUBJECT = judgements.Subject("kettle", ["lid", "handle"], "it")


NO_DEV = sources.canonical([], "none")


def by_hand() -> list[list[str]]:
    """[label, text] of each text in the file."""
    return [line.split("\t") for line in written.FILE.read_text(encoding="utf-8").splitlines()]


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[a-z']+", text.lower()))


def filled(pattern: str, label: int, seed: int = 0) -> str:
    return judgements.fill(pattern, label, SUBJECT, random.Random(seed))


def test_they_are_the_same_each_time_all_different_and_half_of_each_label():
    made = judgements.judgements(2_000)
    again = judgements.judgements(2_000)
    assert made.texts == again.texts and made.ids == again.ids
    assert len({text.lower() for text in made.texts}) > 1_980 and len(set(made.ids)) == 2_000
    assert np.bincount(made.labels).tolist() == [1_000, 1_000]
    assert judgements.judgements(2_000, seed=1).texts != made.texts


def test_texts_written_by_hand_are_all_different_and_half_of_each_label():
    found = written.written()
    again, other = written.written(), written.written(seed=1)
    assert found.texts == again.texts != other.texts and found.ids == again.ids
    assert len({text.lower() for _, text in by_hand()}) == len(set(found.ids)) == len(by_hand())
    assert np.bincount(found.labels).tolist() == [len(by_hand()) / 2] * 2
    for (label, text), number, learnt in zip(by_hand(), found.labels, found.texts, strict=True):
        assert label == ("neg", "pos")[number] and text in learnt and text == text.strip()


@pytest.mark.parametrize("label", [0, 1])
def test_each_pattern_reads_as_english_with_either_label(label):
    every = [one for some in PATTERNS.values() for one in some.strip().splitlines()]
    every += [one for sides in ONE_SIDED.values() for one in sides[label].strip().splitlines()]
    for pattern in map(str.strip, every):
        for seed in range(20):
            text = filled(pattern, label, seed)
            assert not re.search(r"[{}_]|  | \.|\b(a|an|so|very) (a|an)\b|\ba [aeio]", text), text


def test_a_word_of_one_label_is_none_of_the_other():
    for negative, positive in judgements.WORDS.values():
        assert not set(negative.split()) & set(positive.split())


def test_a_pattern_turns_round_what_it_should():
    words = judgements.WORDS["good"]
    for label in (0, 1):
        negated = filled("It is not {bad}.", label).removeprefix("It is not ").rstrip(".")
        assert negated in words[1 - label].split()
        before, after = filled("{bad} {good}", label).split()
        assert before in words[1 - label].split() and after in words[label].split()
        for other in (0, 1):  # of which label, whatever the text's is
            assert filled(("{neg}", "{pos}")[other], label) in words[other].split()


def test_nothing_that_is_measured_by_is_learnt():
    own = {text.strip(" .!?").lower() for text in judgements.judgements().texts}
    own |= {text.strip(" .!?").lower() for _, text in by_hand()}
    asked = []
    for name in ("short_texts", "unseen_texts"):
        path = ROOT / "experiments" / f"{name}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            asked += [row["text"] for row in csv.DictReader(file)]
    asked += [*perturb.PRAISE, *perturb.BLAME]
    for adjectives in (perturb.GOOD, perturb.BAD):
        asked += [text for pair in perturb.negated(adjectives) for text in pair]
    assert not own & {text.strip(" .!?").lower() for text in asked}
    measured = [words_of(text) for text in asked]
    for _, text in by_hand():
        ours = words_of(text)
        assert all(len(ours & one) < len(ours | one) / 2 for one in measured), text


def test_the_ngram_side_does_not_learn_from_them(monkeypatch):
    data = str(ROOT / "data")
    also, params = splits.load_also(Params(data_folder=data), ["neg", "pos"], NO_DEV)
    without = Params(data_folder=data, also="rotten-tomatoes,rated")
    alone, _ = splits.load_also(without, ["neg", "pos"], NO_DEV)
    ours = judgements.COUNT + len(by_hand())
    assert params.also == EVERY and len(also.learnt.ids) == len(alone.learnt.ids) + ours
    assert "made-up judgements" in also.learnt.source and "written for this" in also.learnt.source
    given = []
    monkeypatch.setattr(mixture.linear, "fit", lambda *arguments: given.append(arguments[-1]))
    with pytest.raises(AttributeError):  # nothing was fitted
        reviews = alone.left
        mixture.join(
            SimpleNamespace(preprocessing=None), reviews, reviews, np.zeros(1), params, also
        )
    assert given[0].ids == alone.learnt.ids
