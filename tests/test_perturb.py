"""Changes of a text: each changes what it says and nothing else, and the same in every process."""

import importlib.util
import re
import subprocess
import sys

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentiment.errors import UserError
from sentiment.report import perturb
from sentiment.reviews import words

KNOWN = {
    "first_names": words.names,
    "place_names": words.places,
    "nationalities": words.known_nationalities,
    "faiths": words.known_faiths,
}
# Pieces of which some are changed, some look as if, and some hold anything.
PIECES = ["Peter", "Mary", "Hunter", "Grace", "Paris", "the Philippines", "New Mexico", "France"]
PIECES += ["an Irish film", "American Beauty", "Chinese", "a Jewish wedding", "Hindus", "in 1994"]
PIECES += ["7/10", "3 stars", "12 monkeys", "007", "0", "don't", "is not", "I'm", "I AM", "Don’t"]
PIECES += ["do you", "<br />", "&quot;", "@mary", "http://a.com/Peter", ".", "!", "...", "?", "\n"]
PIECE = st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TEXT = st.builds(
    lambda pieces, sign: sign.join(pieces),
    st.lists(PIECE, max_size=12),
    st.sampled_from([" ", ""]),
)
ASCII = st.text(st.characters(max_codepoint=126, exclude_characters="&"), max_size=40)
NEUTRAL = st.lists(st.sampled_from(["film", "So", "7", "?", "Ann's", "<br />"])).map(" ".join)
SOME = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(
    "name, before, after",
    [
        ("typos", "a good one", None),  # inside it are equal letters
        ("typos", "so a film", "so a flim"),
        ("missing_letter", "so a film", "so a flm"),
        ("missing_letter", "so it is", None),
        ("end_punctuation", "It is good...", "It is good"),
        ("end_punctuation", 'I said "good!!!" ', 'I said "good." '),
        ("end_punctuation", "good! Really", None),
        ("end_punctuation", "!", "."),
        ("end_punctuation", ".", None),
        ("contractions", "I don't. Don't go, it ISN'T on", "I don't. Do not go, it IS NOT on"),
        ("contractions", "You are mad, we cannot go", "You're mad, we can't go"),
        ("contractions", "Don’t you see what I am?", None),
        ("contractions", "so I’m in", "so I am in"),
        ("upper_case", "so &quot;good&quot;", "SO &quot;GOOD&quot;"),
        ("lower_case", "so good", None),
        ("upper_case", "7 !", None),
    ],
)
def test_plain_changes_on_literals(name, before, after):
    assert perturb.MUST_NOT_MATTER[name](before, "seed") == after


@pytest.mark.parametrize(
    "name, text",
    [
        ("first_names", "Grace is a word here; the Brady Bunch, Alien Hunter and Peter-like too"),
        ("first_names", "In April a Christian met jim and TOM@x.com"),
        ("place_names", "the Philippines, Paris Hilton, Tom Jordan and Washington"),
        ("nationalities", "American Beauty, my english and The New French Cinema"),
        ("faiths", "the Catholic Church and Hans Christian Andersen"),
        ("numbers", "7/10, 3 out of 4, I give it a 7, 80%, 4 ★, my rating: 6, a 10 and 007"),
        ("numbers", "Top 250. 1st, the 90s, 7.5, 1,000, 3-4, #1, $12, &#39; overall a 6."),
        ("numbers", "In the end: 8"),
        ("numbers", "it had 0 laughs"),
    ],
)
def test_what_is_uncertain_stays(name, text):
    assert perturb.MUST_NOT_MATTER[name](text, "seed") is None


@pytest.mark.parametrize(
    "name, before, pattern",
    [
        ("handle", "good", r"@[a-z]+\d+ good"),
        ("address", "good", r"good https://www\.example\.com/\w{8}"),
        ("place_sentence", "good", r"good I saw it in [A-Z]\w+\."),
        ("first_names", "and Fred Astaire met Mary.", r"and [A-Z][a-z]+ Astaire met [A-Z][a-z]+\."),
        ("first_names", "with Frank and Frank's son", r"with (\w+) and \1's son"),
        ("place_names", "In Paris, not in New Mexico", r"In [B-DF-HJ-Z]\w+, not in [A-Z]\w+"),
        ("nationalities", "An Irish film, an Irish one", r"An ([AEIO]\w+) film, an \1 one"),
        ("faiths", "a Christian wedding of Jews", r"a [A-Z]\w+ wedding of [A-Z]\w+s"),
        (
            "numbers",
            "In 1994 I was 34 and had 5 cats",
            r"In 19\d\d I was 3\d and had [1-9] cats",
        ),
    ],
)
def test_others_take_the_place_of(name, before, pattern):
    change = perturb.MUST_NOT_MATTER[name]
    found = {change(before, str(seed)) for seed in range(20)}
    assert len(found) > 5 and before not in found
    for text in found:
        assert re.fullmatch(pattern, text), text
        assert not set(text.split()) & {"Fred", "Mary", "Frank", "Paris", "Irish", "1994", "34"}


def test_drawn_names_say_nothing_and_places_want_no_article():
    drawn = set(words.names().drawn)
    assert len(drawn) > 500 and not drawn & set((words.WORDS + words.NO_NAMES).split())
    places = words.places().drawn
    assert {"Sweden", "Oslo", "Ohio"} <= set(places) and all(
        re.fullmatch(r"\w+", p) for p in places
    )
    assert not {"Philippines", "Netherlands", "Jordan", "Chad"} & set(places)


@SOME
@given(TEXT, st.text(max_size=3))
def test_nothing_else_is_touched(text, seed):
    found = {name: change(text, seed) for name, change in perturb.MUST_NOT_MATTER.items()}
    assert found == {name: change(text, seed) for name, change in perturb.MUST_NOT_MATTER.items()}
    assert all(after is None or (after != text and after.strip()) for after in found.values())
    found = {name: after for name, after in found.items() if after is not None}
    if after := found.get("typos"):
        places = [place for place in range(len(text)) if text[place] != after[place]]
        assert len(after) == len(text) and len(places) == 2 and places[1] == places[0] + 1
        assert text[places[0]] == after[places[1]] and text[places[1]] == after[places[0]]
        assert text[places[0] - 1 : places[1] + 2].isalpha()
    assert found["handle"].endswith(f" {text}")
    assert found["address"].startswith(f"{text} ") and found["place_sentence"].startswith(text)
    for name, make in KNOWN.items():
        if after := found.get(name):
            pattern = make().pattern
            assert pattern.sub("*", text) == pattern.sub("*", after)
    if after := found.get("numbers"):
        assert re.sub("[0-9]", "0", text) == re.sub("[0-9]", "0", after)
        numbers = zip(re.findall("[0-9]+", text), re.findall("[0-9]+", after), strict=True)
        assert all(new[0] != "0" or new == old for old, new in numbers)
    if after := found.get("end_punctuation"):
        assert re.sub("[.!]", "", text) == re.sub("[.!]", "", after)
    if after := found.get("contractions"):
        assert untied(text) == untied(after)


def untied(text: str) -> str:
    """The text with every contraction written out."""
    text = text.replace("’", "'").lower()
    for short, long in perturb.CONTRACTIONS.items():
        text = text.replace(short, long)
    return text


@SOME
@given(ASCII)
def test_case_alone_changes(text):
    assert (perturb.upper_case(text, "") or text) == text.upper()
    assert (perturb.lower_case(text, "") or text) == text.lower()


@SOME
@given(NEUTRAL, NEUTRAL)
def test_contractions_go_there_and_back(before, after):
    for short, long in perturb.CONTRACTIONS.items():
        pair = [f"{before} {one} then {after}" for one in (short, long)]
        assert [perturb.contractions(text, "") for text in pair] == pair[::-1]


def test_not_stands_before_the_adjective_alone():
    for adjectives in (perturb.GOOD, perturb.BAD):
        pairs = perturb.negated(adjectives)
        assert len(pairs) == 10 * len(perturb.JUDGEMENTS)
        assert all(negated.replace("not ", "") == plain != negated for plain, negated in pairs)
    assert ("It was good.", "It was not good.") in perturb.negated(perturb.GOOD)


def test_faker_is_needed_only_where_it_is_used(monkeypatch):
    code = "import sys, model_evaluate; from sentiment.report import perturb\n"
    code += "perturb.typos('film', '')\n"
    code += "assert not any(name.startswith('faker') for name in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    perturb.require_faker()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="python -m pip install -r requirements.txt"):
        perturb.require_faker()
