"""IMDB is the same reviews from any source; a file of one's own in any of four formats."""

import functools
import io
import random
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import made_up_rows, write_csv

from params import Params
from sentiment.errors import UserError
from sentiment.labels import label_number
from sentiment.reviews import own_files, sources, splits

LABELS = ["neg", "pos"]
ROWS = [("a gem", 1), ("dire", 0), ("dire ", 0), ("  so-so\n", 0), ("dire", 1), ("ça va 😀", 1)]


def load(path: Path, labels=LABELS, **settings) -> sources.Reviews:
    return own_files.load_file(Params(data=str(path), **settings), list(labels))


def test_id_is_of_the_stripped_text():
    assert sources.text_id("a gem") == sources.text_id(" a gem\n") == "fa49b5fdc139b4a5"


def test_equal_texts_get_numbered_ids():
    reviews = sources.canonical(ROWS, "made up")
    dire = sources.text_id("dire")
    assert [i for i in reviews.ids if i.startswith(dire)] == [dire, f"{dire}-2", f"{dire}-3"]
    assert len(set(reviews.ids)) == len(ROWS)
    assert [i.split("-")[0] for i in reviews.ids] == sorted(sources.text_id(t) for t, _ in ROWS)
    assert all(text == text.strip() for text in reviews.texts)


def test_order_of_the_source_does_not_matter():
    shuffled = random.Random(0).sample(ROWS, len(ROWS))
    first, second = (sources.canonical(rows, "made up") for rows in (ROWS, shuffled))
    assert_same(first, second)


def test_digest_tells_other_texts_and_other_labels_apart():
    original = sources.digest(sources.canonical(ROWS, "one"))
    assert sources.digest(sources.canonical(ROWS[::-1], "two")) == original
    other_label = [(ROWS[0][0], 0), *ROWS[1:]]
    assert sources.digest(sources.canonical(other_label, "one")) != original
    assert sources.digest(sources.canonical(ROWS[1:], "one")) != original


def assert_same(first: sources.Reviews, second: sources.Reviews) -> None:
    assert (first.texts, first.ids) == (second.texts, second.ids)
    np.testing.assert_array_equal(first.labels, second.labels)


# IMDB from its sources, made here from the embedded copy.


def members(reviews: sources.Reviews):
    """aclImdb's (path, content) of each review, unlabelled ones among them as in the original."""
    for number, (text, label) in enumerate(zip(reviews.texts, reviews.labels, strict=True)):
        kind = LABELS[label]
        yield f"aclImdb/train/{kind}/{number}_{1 + 8 * label}.txt", text.encode()
    yield "aclImdb/train/unsup/0_0.txt", b"no label"
    yield "aclImdb/train/labeledBow.feat", b"0 0:9"


def make_tarball(reviews: sources.Reviews, home: Path) -> None:
    home.mkdir(exist_ok=True)
    with tarfile.open(home / "aclImdb_v1.tar.gz", "w:gz", compresslevel=1) as archive:
        for name, content in members(reviews):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def make_folder(reviews: sources.Reviews, home: Path) -> None:
    for kind in ("neg", "pos", "unsup"):
        (home / "aclImdb" / "train" / kind).mkdir(parents=True)
    for name, content in members(reviews):
        (home / name).write_bytes(content)


def make_tfds(reviews: sources.Reviews, home: Path) -> None:
    import tensorflow_datasets as tfds

    rows = {"text": reviews.texts, "label": reviews.labels.astype(np.int64)}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="imdb_reviews",
        config="plain_text",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=LABELS)}
        ),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices(rows)},
        data_dir=home,
        disable_shuffling=True,
    )


@pytest.mark.parametrize(
    "make, source",
    [(make_tarball, "aclimdb"), (make_folder, "aclimdb"), (make_tfds, "tfds")],
)
def test_dev_is_the_same_from_every_source_of_imdb(make, source, imdb_train, tmp_path):
    make(imdb_train, tmp_path)
    found = sources.load_imdb("train", Params(source=source, data_folder=str(tmp_path)))
    assert "embedded" not in found.source
    assert_same(found, imdb_train)
    (_, dev), (_, expected) = (
        splits.split(reviews, 0.2, split_seed=0) for reviews in (found, imdb_train)
    )
    assert dev.ids == expected.ids and len(dev.ids) == 5000


def test_auto_prefers_what_is_there(tmp_path, monkeypatch):
    """TFDS first, then aclImdb; a source that is asked for is never replaced."""
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    few = sources.canonical(ROWS, "made up")
    auto = Params(data_folder=str(tmp_path))
    make_tarball(few, tmp_path)
    with pytest.raises(UserError, match="aclImdb_v1.tar.gz does not hold"):
        sources.load_imdb("train", auto)
    make_tfds(few, tmp_path / "elsewhere")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "elsewhere"))
    with pytest.raises(UserError, match="elsewhere.* does not hold"):
        sources.load_imdb("train", auto)
    with pytest.raises(UserError, match="aclImdb_v1.tar.gz does not hold"):
        sources.load_imdb("train", Params(source="aclimdb", data_folder=str(tmp_path)))


def cut_off(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_bits(content: bytes) -> bytes:
    middle = len(content) // 2
    return (
        content[:middle]
        + bytes(b ^ 255 for b in content[middle : middle + 64])
        + content[middle + 64 :]
    )


@pytest.mark.parametrize(
    "damage, says",
    [
        (lambda content: content, "does not hold the 25,000 official train reviews.*400 read"),
        (cut_off, "is damaged"),
        (flip_bits, "is damaged|does not hold"),
        (lambda content: b"no archive", "is damaged"),
    ],
    ids=["reviews missing", "cut off", "bits flipped", "no archive"],
)
def test_wrong_tarball_is_refused_with_one_line(damage, says, tmp_path):
    rows = [(text, number % 2) for number, (text, _) in enumerate(made_up_rows(400))]
    make_tarball(sources.canonical(rows, "made up"), tmp_path)
    tarball = tmp_path / "aclImdb_v1.tar.gz"
    tarball.write_bytes(damage(tarball.read_bytes()))
    with pytest.raises(UserError, match=says) as caught:
        sources.load_imdb("train", Params(source="aclimdb", data_folder=str(tmp_path)))
    assert "\n" not in str(caught.value) and "aclImdb_v1.tar.gz" in str(caught.value)


def test_review_that_cannot_be_decoded_is_named(tmp_path):
    rows = [(text, number % 2) for number, (text, _) in enumerate(made_up_rows(4))]
    make_folder(sources.canonical(rows, "made up"), tmp_path)
    one = next((tmp_path / "aclImdb" / "train" / "pos").glob("*.txt"))
    one.write_bytes(b"caf\xe9")
    with pytest.raises(UserError, match=f"{one.name} is not UTF-8"):
        sources.load_imdb("train", Params(source="aclimdb", data_folder=str(tmp_path)))


def test_test_split_that_cannot_be_had_names_the_ways_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sources, "ACLIMDB_URL", "http://127.0.0.1:9/aclImdb_v1.tar.gz")
    for source in ("auto", "tfds", "aclimdb", "embedded"):
        with pytest.raises(UserError, match="aclImdb_v1.tar.gz.*TFDS_DATA_DIR"):
            sources.load_imdb("test", Params(source=source, data_folder=str(tmp_path)))


# A file of one's own.

WRITERS = {
    "csv": functools.partial(pd.DataFrame.to_csv, index=False),
    "tsv": functools.partial(pd.DataFrame.to_csv, index=False, sep="\t"),
    "jsonl": functools.partial(pd.DataFrame.to_json, orient="records", lines=True),
    "parquet": pd.DataFrame.to_parquet,
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("names", [[0, 1], ["neg", "POS"], ["down", "up"], [0.0, 1.0]], ids=str)
def test_own_file_gives_the_same_reviews_in_every_format(kind, names, tmp_path):
    table = pd.DataFrame(
        {"id": 7, "review": [t for t, _ in ROWS], "mark": [names[i] for _, i in ROWS]}
    )
    path = tmp_path / f"mine.{kind}"
    WRITERS[kind](table, path)
    labels = names if names == ["down", "up"] else LABELS
    reviews = load(path, labels, text_column="review", label_column="mark")
    assert_same(reviews, sources.canonical(ROWS, "expected"))
    assert reviews.source == str(path) and reviews.skipped == 0


def test_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na gem,1\n", encoding="utf-8-sig")
    assert load(tmp_path / "a.csv").texts == ["a gem"]


BAD = {
    "csv": b'text,label\ngood,1\n,0\nfine,2\n"two\nlines",0\nlatin \xe9,1\n   ,1\nlast,\nonly\n',
    "jsonl": b'{"text": "good", "label": 1}\n{"text": null, "label": 0}\n'
    b'{"text": "fine", "label": 2}\n{"text": "two\\nlines", "label": 0}\n\n'
    b'{"text": "latin \xe9", "label": 1}\n{"text": " ", "label": 1}\n'
    b'{"text": "last", "label": null}\n{"text": "only"}\n',
}
# Rows are numbered by the line they start on; 1 is the first line of the file.
BAD_ROWS = {"csv": [3, 4, 7, 8, 9, 10], "jsonl": [2, 3, 6, 7, 8, 9]}


@pytest.mark.parametrize("kind", BAD)
def test_bad_rows_stop_with_their_count_and_the_first_five(kind, tmp_path):
    path = tmp_path / f"mine.{kind}"
    path.write_bytes(BAD[kind])
    with pytest.raises(UserError) as caught:
        load(path)
    message = str(caught.value)
    assert f"{path}: 6 bad rows of 8" in message and "\n" not in message
    for number in BAD_ROWS[kind][:5]:
        assert f"row {number}: " in message
    assert f"row {BAD_ROWS[kind][5]}: " not in message
    assert "no text" in message and "label" in message and "decoded" in message
    assert "--skip-bad-rows" in message


@pytest.mark.parametrize("kind", BAD)
def test_bad_rows_are_skipped_and_counted_when_asked(kind, tmp_path, capsys):
    path = tmp_path / f"mine.{kind}"
    path.write_bytes(BAD[kind])
    reviews = load(path, skip_bad_rows=True)
    assert sorted(reviews.texts) == ["good", "two\nlines"]
    assert reviews.skipped == 6
    assert "6 bad rows skipped" in capsys.readouterr().err


def test_missing_column_names_the_columns_there_are(tmp_path):
    path = write_csv(tmp_path / "mine.csv", [("a gem", 1)], header=("review", "stars"))
    with pytest.raises(
        UserError, match=r"no column 'text' \(it has review, stars\).*--text-column"
    ):
        load(path)


@pytest.mark.parametrize(
    "name, content, says",
    [
        ("mine.txt", b"a gem", "ends in .csv"),
        ("mine.csv", b"text,label\n", "holds no reviews"),
        ("mine.csv", b"", "holds no reviews"),
        ("mine.parquet", b"not parquet", "cannot be read as Parquet"),
    ],
)
def test_file_that_is_none_of_the_formats_is_refused_by_name(name, content, says, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}.*{says}"):
        load(tmp_path / name)


@pytest.mark.parametrize(
    "value, names, expected",
    [
        (True, ["neg", "pos"], 1),
        ("true", ["neg", "pos"], 1),
        (True, ["true", "false"], 0),
        ("1", ["1", "2"], 0),
        (1.0, ["1", "2"], 0),
        ("2.0", ["1", "2"], 1),
        (0.0, ["neg", "pos"], 0),
        ("POS ", ["neg", "pos"], 1),
        (2, ["neg", "pos"], None),
    ],
)
def test_names_of_labels_come_before_numbers(value, names, expected):
    assert label_number(value, names) == expected
