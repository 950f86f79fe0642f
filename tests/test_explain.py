"""Explanations add up to the decision and name the words that carried it."""

import json
import re

import numpy as np
import pytest
from conftest import LETTERS, run_script

from sentiment import machine
from sentiment.errors import UserError
from sentiment.scoring import explain, infer

TEXTS = [
    "a good movie",
    "bad",
    "the bad <br /> movie , " + " ".join(LETTERS) + " good",  # longer than the 16 tokens it reads
    "@a good (www.a.b) movie , @b",
]


@pytest.fixture(scope="module", autouse=True)
def float32():
    machine.use_precision("float32")


@pytest.mark.parametrize("text", TEXTS)
def test_parts_sum_to_the_logit_less_that_of_the_covered_review(loaded, text):
    found = explain.explain(loaded, text)
    whole = infer.infer(loaded, [text]).logits[0]
    ids = {
        name: value.numpy()
        for name, value in loaded.signatures["preprocess"](text=np.array([text])).items()
    }
    del ids["token_count"]
    ids["input_word_ids"][:, 1:-1] = loaded.details["mask_id"]
    covered = loaded.signatures["token_ids"](**ids)["logit"].numpy()[0]
    assert found.logit == pytest.approx(whole, abs=1e-3)
    assert found.covered == pytest.approx(covered, abs=1e-3)
    assert sum(part.value for part in found.parts) == pytest.approx(whole - covered, abs=1e-3)
    assert len(found.parts) <= explain.MOST


def test_the_words_that_decide_are_named(loaded):
    for text, word, sign in (("a b c good d e", "good", 1), ("f g bad h", "bad", -1)):
        found = explain.explain(loaded, text)
        strongest = max(found.parts, key=lambda part: abs(part.value))
        assert found.text_of(strongest) == word and sign * strongest.value > 0


def test_addresses_and_handles_are_shown_unread(loaded):
    found = explain.explain(loaded, TEXTS[3])
    unread = [word for word, seen in zip(found.words, found.read, strict=True) if not seen]
    assert unread == ["@a", "@b"]


def test_words_beyond_the_max_length_are_unread(loaded):
    found = explain.explain(loaded, TEXTS[2])
    ids = loaded.signatures["preprocess"](text=np.array([TEXTS[2]]))["input_word_ids"].numpy()[0]
    read = [word for word, seen in zip(found.words, found.read, strict=True) if seen]
    assert len(read) == len(ids) - 2 and "<br" not in found.words
    assert found.words[0] in read and "good" in read and not found.read.all()
    shown = found.as_words(colour=False)
    assert f"({(~found.read).sum()} words not read)" in shown
    assert len(found.as_dict()["unread"]) == (~found.read).sum()
    assert re.search(r"\[[+-]\d\.\d\d ", shown) and "\033[" not in shown
    assert "\033[" in found.as_words(colour=True)


@pytest.mark.parametrize(
    "text",
    ["a &amp; good", "a &amp;lt; good", "a &lt;br&gt; good", "a good&nbsp;movie &quot;b&quot;"],
)
def test_review_with_entities_is_explained_word_by_word(loaded, text):
    found = explain.explain(loaded, text)
    assert found.words == text.split()  # as they stand there, whatever an export decodes
    strongest = max(found.parts, key=lambda part: abs(part.value))
    assert "good" in found.text_of(strongest)


def test_same_seed_same_explanation(loaded):
    first, second = (explain.explain(loaded, TEXTS[2], seed=1) for _ in range(2))
    assert first.parts == second.parts


def test_shapley_values_of_known_games():
    weights = np.array([1.0, -2.0, 0.5])
    found = explain.shapley(lambda present: present @ weights, 3, orders=1, seed=0)
    np.testing.assert_allclose(found, weights)
    # Two must come together: by symmetry each has half, and the third has none.
    both = explain.shapley(lambda present: present[:, 0] & present[:, 2], 3, orders=2, seed=0)
    np.testing.assert_allclose(both, [0.5, 0, 0.5])


def test_strongest_parts_are_split_and_none_is_lost():
    groups = explain.spans(np.arange(100), explain.COARSE)
    values = np.array([0, 5, 0, -9, 0, 0, 1, 0])
    finer = explain.split_strongest(groups, values)
    np.testing.assert_array_equal(np.concatenate(finer), np.arange(100))
    assert len(finer) == explain.COARSE + 9 <= explain.MOST
    assert [len(group) for group in groups if len(group) > 4] == [13] * 4 + [12] * 4
    sizes = {int(group[0]): len(group) for group in finer}
    assert sizes[13] <= 4 and sizes[39] <= 4 and sizes[0] == 13


def test_tokens_that_do_not_follow_words_are_refused(loaded, monkeypatch):
    monkeypatch.setattr(explain, "MARKUP", "good")  # as if the model had read something else
    with pytest.raises(UserError, match="do not follow its words"):
        explain.explain(loaded, "a good movie")


def test_script_explains_on_the_terminal_and_as_json(trained):
    home = trained.folder.parents[1]
    flags = ["--model-folder", trained.folder, "--explain", "a b good c"]
    plain = run_script("model_predict.py", *flags, cwd=home)
    assert plain.returncode == 0, plain.stderr
    assert re.search(r"\[\+\d\.\d\d good\]", plain.stdout)
    as_json = run_script("model_predict.py", "--json", *flags, cwd=home)
    row = json.loads(as_json.stdout)
    assert row["explanation"]["parts"][0]["text"] == "good"
    parts = sum(part["value"] for part in row["explanation"]["parts"])
    gap = row["explanation"]["logit"] - row["explanation"]["logit_covered"]
    assert parts == pytest.approx(gap, abs=1e-3)


@pytest.mark.parametrize("text", ["<br />", "\u200b"])
def test_review_without_a_word_is_not_explained(loaded, text, capsys):
    assert explain.explain_or_say(loaded, text) is None
    assert "cannot explain this review" in capsys.readouterr().err
