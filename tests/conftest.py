"""What is expensive is made once a session: a tiny BERT, the embedded one, and one run on each."""

import csv
import functools
import io
import json
import os
import random
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import filelock
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A shell's background job ignores Ctrl-C, and so would the scripts that the tests stop with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

from sentiment import machine  # noqa: E402

tf = machine.import_tensorflow()  # as the scripts have it
import data_loader  # noqa: E402
from params import Params  # noqa: E402
from sentiment.encoders import bert, pairs  # noqa: E402
from sentiment.model.classifier import Preprocessing  # noqa: E402
from sentiment.reviews import sources  # noqa: E402
from sentiment.scoring import infer  # noqa: E402

ROOT = Path(__file__).parent.parent
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, "good", "bad", "movie"]
VOCABULARY += ["the", ".", ",", "!", "<", ">", "/", *(f"##{letter}" for letter in LETTERS)]
ALPHABET = "a b c d e f g h i j"  # 10 tokens; 8 with [CLS] and [SEP] leave 6
LONGEST = ["test_strategy", "test_fit", "test_reliability", "test_ngrams", "test_scripts"]
LONGEST += ["test_cluster", "test_streams", "test_failures", "test_experiments", "test_labels"]

# Tolerances here are float32's; on a GPU TF32 would be used otherwise.
tf.config.experimental.enable_tensor_float_32_execution(False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that two processes end together."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


def ids_of(*words: str) -> list[int]:
    """Ids of these words of the tiny vocabulary, between [CLS] and [SEP]."""
    return [VOCABULARY.index(word) for word in ("[CLS]", *words, "[SEP]")]


def run_script(name: str, *arguments: object, cwd: Path, stdin: str = ""):
    """Run one of the trio as a user would; return the finished process."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TFDS_", "TF_CPP_"))}
    return subprocess.run(
        [sys.executable, str(ROOT / name), *map(str, arguments)],
        cwd=cwd,
        env=environment,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def write_csv(path: Path, rows: list[tuple[object, object]], header=("text", "label")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def made_up_rows(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """(text, label) rows of different lengths; the words good and bad decide the label."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        label = ("neg", "pos")[number % 2]
        words = [("bad", "good")[number % 2]] * 2 + chance.choices(LETTERS, k=chance.randint(3, 20))
        chance.shuffle(words)
        rows.append((" ".join(words), label))
    return rows


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory) -> pairs.Pair:
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    shape = bert.Shape(
        layers=2, width=32, heads=2, inner_width=64, vocabulary=len(VOCABULARY), longest=64
    )
    tf.random.set_seed(1)
    bert.save_pair(bert.Bert(shape), folder / "vocab.txt", folder / "pair")
    pair = folder / "pair"
    return pairs.Pair("tiny", str(pair / "encoder"), str(pair / "preprocessor"))


@pytest.fixture(scope="session")
def minilm_pair() -> pairs.Pair:
    return pairs.resolve("minilm", "auto", ROOT / "data" / "encoders")


@pytest.fixture(scope="session")
def imdb_train() -> sources.Reviews:
    """The 25,000 official training reviews, embedded."""
    return sources.load_imdb("train", Params(source="embedded", data_folder=str(ROOT / "data")))


@pytest.fixture(scope="session")
def preprocessing(tiny_pair):
    """The tiny pair's preprocessing, reading 8 tokens unless told otherwise."""

    @functools.cache
    def make(max_length=8, truncation="head", head_share=0.5):
        settings = {"max_length": max_length, "truncation": truncation, "head_share": head_share}
        return Preprocessing(tiny_pair, Params(**settings))

    return make


class Trained(NamedTuple):
    """A finished training run: where it ran, what it printed, and its rows."""

    folder: Path  # of the published model
    output: subprocess.CompletedProcess
    rows: list[tuple[str, str]]
    first: dict[str, bytes]  # the files of version 1 before version 2 was made
    second: subprocess.CompletedProcess


@pytest.fixture(scope="session")
def trained(tiny_pair, tmp_path_factory) -> Trained:
    """Two runs of model_train.py on the tiny encoder, which then goes away.

    One of the test processes makes them, and each has a copy.
    """
    base = tmp_path_factory.getbasetemp()
    made = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "trained"
    with filelock.FileLock(f"{made}.lock"):
        if not made.exists():
            train_twice(tiny_pair, tmp_path_factory.mktemp("project")).rename(made)
    home = shutil.copytree(made, tmp_path_factory.mktemp("copy") / "project")
    said = json.loads((home / "said.json").read_text())
    first, second = (subprocess.CompletedProcess((), *one) for one in said)
    kept = contents(home / "first")
    return Trained(home / "saved_model" / "1", first, made_up_rows(200), kept, second)


def train_twice(pair: pairs.Pair, home: Path) -> Path:
    """The folder of `trained`, with what both runs printed and the first one's model as it was."""
    write_csv(home / "reviews.csv", made_up_rows(200))
    shutil.copytree(Path(pair.encoder).parent, home / "pair")
    flags = ["--encoder", "pair/encoder", "--preprocessor", "pair/preprocessor"]
    flags += ["--data", "reviews.csv", "--max-length", "16", "--batch-size", "16"]
    flags += ["--learning-rate", "3e-3", "--sentence-share", "0", "--no-ngrams"]
    first = run_script("model_train.py", *flags, "--epochs", "6", cwd=home)
    assert first.returncode == 0, first.stderr
    shutil.copytree(home / "saved_model" / "1", home / "first")
    second = run_script("model_train.py", *flags, "--epochs", "5", "--seed", "1", cwd=home)
    shutil.rmtree(home / "pair")
    said = [(one.returncode, one.stdout, one.stderr) for one in (first, second)]
    (home / "said.json").write_text(json.dumps(said))
    return home


def write_details(folder: Path, labels: tuple[str, ...] = ("neg", "pos")) -> Path:
    """A model's folder with no more in it than what training stores beside a model."""
    details = {"settings": vars(Params()), "labels": labels, "threshold": 0.5, "temperature": 1.0}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps(details | {"mask_id": 1, "dev_ids": []}))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path in it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="session")
def loaded(trained) -> infer.Model:
    return infer.load_model(trained.folder)


@pytest.fixture(scope="session")
def minilm_run(minilm_pair, imdb_train, tmp_path_factory):
    """One run of the real encoder on a few hundred real reviews: (its folder, its output)."""
    home = tmp_path_factory.mktemp("real")
    flags = ["--encoder", "minilm", "--encoder-folder", ROOT / "data" / "encoders"]
    flags += ["--source", "embedded", "--data-folder", ROOT / "data"]
    flags += ["--train-examples", 640, "--dev-examples", 200]
    flags += ["--max-length", 64, "--batch-size", 16, "--epochs", 2, "--sentence-share", 0]
    output = run_script("model_train.py", *flags, cwd=home)
    assert output.returncode == 0, output.stderr
    return home, output


@pytest.fixture
def reviews() -> sources.Reviews:
    """500 made-up reviews, some of them with equal texts."""
    rows = [(text, int(label == "pos")) for text, label in made_up_rows(450)]
    return sources.canonical(rows + rows[:50], "made up")


@pytest.fixture
def encoded(preprocessing):
    """Token ids of these texts as the loader keeps them, before batching."""

    def make(texts: list[str]) -> tf.data.Dataset:
        rows = sources.canonical([(text, 0) for text in texts], "made up")
        return data_loader.encode(rows, preprocessing(max_length=64))

    return make


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


@pytest.fixture(scope="session")
def project(trained, tiny_pair, tmp_path_factory) -> Path:
    """A project folder with a trained model, its evaluation of dev, reviews and an encoder."""
    home = tmp_path_factory.mktemp("failures") / "project"
    shutil.copytree(trained.folder, home / "saved_model" / "1")
    shutil.copytree(Path(tiny_pair.encoder).parent, home / "pair")
    shutil.copy(trained.folder.parents[1] / "reviews.csv", home)
    write_csv(home / "in.csv", [("good", 1), ("bad", 2)], header=("text", "number"))
    code, said, errors = run_here("model_evaluate.py", home)
    assert code == 0, errors
    return home
