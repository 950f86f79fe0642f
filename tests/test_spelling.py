"""Words with two letters in each other's place are read as what they were, and no others."""

import pytest
import tensorflow as tf
from conftest import VOCABULARY

from params import Params
from sentiment.model.classifier import Preprocessing

MINILM = [
    ("a terrilbe wsate of TIEM, Wodnerful!", "a terrible waste of TIEM, Wonderful!"),
    ("the trail and the trial", "the trail and the trial"),  # both are words
    ("villian", "villain"),
    ("it's qiute&nbsp;godo", "it's quite godo"),  # of four letters
    ("ocarina", "ocarina"),
    ("unfunny and atypical", "unfunny and atypical"),
    ("\xe9mtoion emtoion", "\xe9mtoion emotion"),  # an accent is no letter of a typo here
]


@pytest.mark.parametrize("word, read", [("mvoie", "movie"), ("moive", "movie"), ("omvie", None)])
def test_swapped_letters_inside_a_word_are_put_back(preprocessing, word, read):
    ids = preprocessing().tokens(tf.constant([word]))[0].numpy().tolist()
    assert (ids == [VOCABULARY.index("movie")]) == bool(read)
    assert read or len(ids) == 5  # as it is written


def test_real_words_and_typos(minilm_pair):
    preprocessing = Preprocessing(minilm_pair, Params())
    for written, read in MINILM:
        expected = preprocessing.pieces(tf.constant([read]))  # a text as it stands
        found = preprocessing.tokens(tf.constant([written]))
        assert (written, found.to_list()) == (written, expected.to_list())


def test_any_text_is_read(preprocessing):
    texts = [b"", b"\xff\xfe mvoie \xe9", b"mvoie " * 2000, b"m" * 5000 + b" mvoie", b"1/2 mv-oie"]
    movie = VOCABULARY.index("movie")
    found = preprocessing().tokens(tf.constant(texts)).to_list()
    assert [row.count(movie) for row in found] == [0, 1, 2000, 1, 0]
    assert preprocessing().tokens(tf.constant([], tf.string)).shape[0] == 0


def test_names_nationalities_and_faiths_are_read_as_one(minilm_pair):
    pairs = [
        ("KEVIN's friend Mohammed", "sarah's friend keisha"),
        ("an Irish Muslim, those jews, Islam", "an Irish Hindu, those Sikhs, Judaism"),
        ("a Danish film with Jean-Paul", "a Korean film with Mary-Jane"),
    ]
    reads = Preprocessing(minilm_pair, Params())
    apart = Preprocessing(minilm_pair, Params(alike=False))
    for one, other in pairs:
        assert len({str(reads.tokens(tf.constant([text])).to_list()) for text in (one, other)}) == 1
        assert len({str(apart.tokens(tf.constant([text])).to_list()) for text in (one, other)}) == 2


@pytest.mark.parametrize("text", ["polish", "grace", "by chance", "a guy", "Turkey", "names", ""])
def test_other_words_are_read_as_they_are(minilm_pair, text):
    reads = Preprocessing(minilm_pair, Params())
    expected = reads.pieces(tf.constant([text])).to_list()
    assert reads.tokens(tf.constant([text])).to_list() == expected


def test_words_are_cut_into_pieces_as_the_text_they_stand_in(minilm_pair):
    reads = Preprocessing(minilm_pair, Params())
    texts = [
        "Don't  stop,\tnow",
        "a\u00a0b\u2003c a",
        "e\u0301motion \u4e2d\u6587",
        "",
        " \n",
        "(it's)",
    ]
    expected = reads.pieces(tf.constant(texts)).to_list()
    assert reads.tokens(tf.constant(texts)).to_list() == expected
