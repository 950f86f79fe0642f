"""A failure as a row: what is done to a project folder, a command, and how it ends."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
from conftest import VOCABULARY

from sentiment.encoders import bert

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


def rows(command: str, code: int, *listed: tuple[str, Change, str]) -> list[Row]:
    """Rows of one command and one exit code: (name, what is done before, what is said)."""
    return [Row(name, command, change, code, says) for name, change, says in listed]


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
