"""What holds for any text (hypothesis): 200 cases always, 10,000 with `pytest -m long`."""

import csv
import io
import time
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_reliability import write_result

import data_loader
from sentiment.encoders.bert import INPUTS
from sentiment.reviews import tables
from sentiment.reviews.delimited import Form, as_line
from sentiment.reviews.truncation import kept_tokens
from sentiment.scoring import infer, output_formats

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)  # no half surrogate pairs
WORDS = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=40).map(" ".join)
NASTY = ['"', '""', ",", ";", "|", "\t", "\n", "\r", "\r\n", " ", ' "', 'he said, "no"', "\\", "'"]
NASTY = st.lists(st.sampled_from([*NASTY, "\U0001f600", "ä", "so", "-1", "#", "="])).map("".join)
WRITERS = st.tuples(
    st.sampled_from(",;|\t"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
FORMS = st.builds(
    Form, st.sampled_from(",;|\t"), st.just("utf-8"), line_end=st.sampled_from(["\n", "\r\n"])
)
# On these alone the two tokenisers differ: separators, and punctuation that is newer than one.
UNLIKE = "\u1680\u2028\u2029\u1b4e\u1b4f\u1b7f\U00010d6e\U000113d4\U000113d5\U000113d7"
UNLIKE += "\U000113d8\U00011be1\U00016d6d\U00016d6e\U00016d6f\U0001e5ff"
EASY = {"deadline": None, "database": None, "derandomize": True}
EASY["suppress_health_check"] = list(HealthCheck)


def written_is_read(rows, form, kind):
    columns = {"text": "string", "more": "string"}
    values = [dict(zip(columns, row, strict=True)) for row in rows]
    content = output_formats.part_of(kind, [dict(row) for row in values], columns, form)
    if kind in tables.DELIMITED:
        content = as_line(list(columns), form).encode() + content
    given = form._replace(delimiter=form.delimiter)
    found = [row.values for row in tables.read(io.BytesIO(content), kind, "made up", given)]
    assert found == values


def other_writers_are_read(texts, writer):
    sign, quoting, line_end, is_pandas = writer
    if quoting == csv.QUOTE_NONE:  # what it cannot write is left out
        texts = ["".join(one for one in text if one not in f"{sign}\r\n") for text in texts]
    elif line_end == "\r":  # Python 3.11 does not quote a lone one of these then
        texts = [text.replace("\n", "") for text in texts]
    rows, content = [(text, "neg") for text in texts], io.StringIO(newline="")
    options = {"quoting": quoting, "quotechar": None if quoting == csv.QUOTE_NONE else '"'}
    if is_pandas:
        options = {name: value for name, value in options.items() if value is not None}
        table = pd.DataFrame(rows, columns=["text", "label"])
        table.to_csv(content, index=False, sep=sign, lineterminator=line_end, **options)
    else:
        made = csv.writer(content, delimiter=sign, lineterminator=line_end, **options)
        made.writerows([("text", "label"), *rows])
    form = Form(
        quoting="none" if quoting == csv.QUOTE_NONE else "standard", names=("text", "label")
    )
    stream = io.BytesIO(content.getvalue().encode())
    found = list(tables.read(stream, "csv", "made up", form))
    assert [(*row.values.values(), row.error) for row in found] == [(*row, "") for row in rows]


def truncation_keeps_its_budget(preprocessing, text, truncation):
    budget, words = 8, text.split()
    found = preprocessing(budget, truncation, 0.5).counted(tf.constant([text]))
    ids = found["input_word_ids"][0].numpy().tolist()
    whole = (
        preprocessing(64, "head", 0.5)(tf.constant([text]))["input_word_ids"][0].numpy().tolist()
    )
    assert len(ids) == min(budget, len(words) + 2) and found["token_count"][0] == len(words) + 2
    head, tail = kept_tokens(budget, truncation, 0.5)
    inner = whole[1:-1]
    if len(inner) > head + tail:
        inner = inner[:head] + inner[len(inner) - tail :]
    assert ids == [whole[0], *inner, whole[-1]]


def buckets_hold_each_row_once(lengths, budget):
    counts = np.sort(np.array(lengths))
    cuts = infer.batches_within(counts, budget)
    rows = [row for cut in cuts for row in range(len(counts))[cut]]
    assert rows == list(range(len(counts)))
    for cut in cuts:
        size = cut.stop - cut.start
        assert size == 1 or size * counts[cut.stop - 1] <= budget


def batches_hold_each_text_once(preprocessing, texts, size, max_length):
    ids = [[ord(sign) for sign in text.replace(" ", "")] for text in texts]
    rows = tf.data.Dataset.from_generator(
        lambda: ((dict.fromkeys(INPUTS, one), float(len(one))) for one in ids),
        output_signature=({n: tf.TensorSpec([None], tf.int32) for n in INPUTS}, tf.TensorSpec([])),
    )
    found = Counter()
    for row_ids, labels in data_loader.by_length(rows, size, max_length):
        width, longest = row_ids["input_word_ids"].shape[1], int(max(labels))
        rounded = -(-longest // data_loader.STRIDE) * data_loader.STRIDE
        assert width == (min(rounded, max_length) if max_length else longest)
        for row, label in zip(row_ids["input_word_ids"].numpy(), labels.numpy(), strict=True):
            found[tuple(row[: int(label)])] += 1
    assert found == Counter(map(tuple, ids))


def any_text_has_a_probability(loaded, texts):
    found = infer.infer(loaded, texts)
    assert np.all((found.probabilities >= 0) & (found.probabilities <= 1))
    assert set(found.labels) <= {"neg", "pos"} and np.all(found.token_counts >= 2)


def tokenizers_agree(tokenizers, texts):
    texts = ["".join(sign for sign in text if sign not in UNLIKE) for text in texts]
    fast, slow = (one.tokenize(texts) for one in tokenizers)
    assert fast.to_list() == slow.merge_dims(1, -1).to_list()


@pytest.fixture(scope="module")
def tokenizers(minilm_pair):
    file = f"{minilm_pair.preprocessor}/assets/vocab.txt"
    with open(file, encoding="utf-8") as lines:  # noqa: PTH123  a path of a SavedModel
        words = lines.read().split("\n")[:-1]
    fast = tf_text.FastBertTokenizer(
        words, token_out_type=tf.int32, lower_case_nfd_strip_accents=True
    )
    return fast, tf_text.BertTokenizer(file, lower_case=True, token_out_type=tf.int32)


def on_all(function, strategy, how):
    @how
    @given(strategy)
    def holds(arguments):
        function(*arguments)

    holds()


def check(cases, preprocessing, loaded, tokenizers) -> int:
    """Every property on so many cases each, the dear ones on a fifth; returns how many."""
    texts = st.lists(TEXT, min_size=1, max_size=8)
    rows = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4)
    kinds = st.sampled_from(["csv", "tsv", "jsonl", "parquet"])
    cuts = st.sampled_from(["head", "tail", "head+tail"])
    lengths = st.lists(st.integers(2, 300), max_size=80)
    dear = max(cases // 5, 5)
    every = [
        (cases, written_is_read, (rows, FORMS, kinds)),
        (cases, other_writers_are_read, (st.lists(NASTY, min_size=1, max_size=4), WRITERS)),
        (dear, lambda *a: truncation_keeps_its_budget(preprocessing, *a), (WORDS, cuts)),
        (cases, buckets_hold_each_row_once, (lengths, st.integers(1, 2000))),
        (
            dear,
            lambda *a: batches_hold_each_text_once(preprocessing, *a),
            (
                st.lists(WORDS, min_size=1, max_size=20),
                st.integers(1, 7),
                st.sampled_from([0, 40, 41, 64]),
            ),
        ),
        (dear, lambda *a: any_text_has_a_probability(loaded, *a), (texts,)),
        (dear, lambda *a: tokenizers_agree(tokenizers, *a), (texts,)),
    ]
    for count, function, strategies in every:
        on_all(function, st.tuples(*strategies), settings(max_examples=count, **EASY))
    return sum(count for count, _, _ in every)


def test_properties(preprocessing, loaded, tokenizers):
    assert check(72, preprocessing, loaded, tokenizers) >= 200


@pytest.mark.long
def test_many_properties(preprocessing, loaded, tokenizers):
    started = time.time()
    cases = check(3600, preprocessing, loaded, tokenizers)
    assert cases >= 10_000
    write_result("many_properties", started, {"cases": cases, "failed": 0})
