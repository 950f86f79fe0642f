"""Every setting of the trio: its default, its unit, its rule of thumb and what makes it impossible.

The scripts take a flag for each setting that they read (`max_length` is `--max-length`), under the
same name everywhere. Nothing here imports TensorFlow, so `--help` answers at once. What a trained
model fixes is stored with it and read from there by evaluate and predict.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sentiment.errors import UserError
from sentiment.labels import are_labels
from sentiment.reviews.delimited import is_delimiter, is_encoding
from sentiment.reviews.others import EVERY, are_others

TFHUB = "https://tfhub.dev/tensorflow/"
SMALL_BERT = TFHUB + "small_bert/"
UNCASED = TFHUB + "bert_en_uncased_preprocess/3"


class Encoder(NamedTuple):
    """Where a pair comes from, its longest sequence in tokens, and what suits it."""

    encoder: str
    preprocessor: str
    longest: int = 512
    learning_rate: float = 3e-5
    pooling: str = "pooled"


# Short names. Only `minilm` comes through pip; the others come from TF Hub (names: TF Hub's "Common
# SavedModel APIs for text tasks"; learning rates: rules of thumb, run here for minilm only).
ENCODERS = {
    "minilm": Encoder("embedded", "embedded", learning_rate=1.5e-4, pooling="mean"),
    "bert-base": Encoder(TFHUB + "bert_en_uncased_L-12_H-768_A-12/4", UNCASED),
    "bert-base-cased": Encoder(
        TFHUB + "bert_en_cased_L-12_H-768_A-12/4",
        TFHUB + "bert_en_cased_preprocess/3",
    ),
    "bert-2-128": Encoder(SMALL_BERT + "bert_en_uncased_L-2_H-128_A-2/2", UNCASED, 512, 1e-4),
    "bert-4-512": Encoder(SMALL_BERT + "bert_en_uncased_L-4_H-512_A-8/2", UNCASED, 512, 1e-4),
    "bert-8-512": Encoder(SMALL_BERT + "bert_en_uncased_L-8_H-512_A-8/2", UNCASED, 512, 5e-5),
    "electra-small": Encoder("https://tfhub.dev/google/electra_small/2", UNCASED, 512, 1e-4),
    "albert-base": Encoder(TFHUB + "albert_en_base/3", TFHUB + "albert_en_preprocess/3"),
}


# What differs from the defaults of Params.
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"max_length": 64, "sentence_share": 0.1, "also_passes": 1},
    "default": {},
    # It learns from 23,750 reviews: published results are of all 25,000.
    "best": {
        "max_length": 512,
        "epochs": 2,
        "sentence_share": 3,
        "also_passes": 1,
        "dev_share": 0.05,
    },
    # As percent4/tf_hub_english_text_classification: 0.8850 on test. It needs a GPU and the Hub.
    "bert-base": {
        "encoder": "bert-base",
        "max_length": 128,
        "truncation": "head",
        "ngrams": False,
        "alike": False,
        "epochs": 5,
        "sentence_share": 0,
        "learning_rate": 3e-5,
    },
}


def setting(
    default: Any,
    text: str,
    choices: tuple[str, ...] | None = None,
    allowed: tuple[Callable[[Any], bool], str] | None = None,
    group: str | None = None,
) -> Any:
    """A dataclass field: default, help text, and either choices or (test, what would be right).

    `group` is the heading above this setting and those that follow it, here and in --help.
    """
    known = {"help": text, "choices": choices, "allowed": allowed, "group": group}
    return field(default=default, metadata=known)


def between(low: float, high: float) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: low <= value <= high), f"from {low} to {high}"


SHARE = ((lambda value: 0 <= value < 1), "a share from 0 to below 1")
POSITIVE = ((lambda value: 0 < value < float("inf")), "above 0")
NOT_NEGATIVE = ((lambda value: 0 <= value < float("inf")), "0 or more")
COUNT = ((lambda value: 0 <= value < 2**31), "0 or more, below 2147483648")  # any library's int


@dataclass(frozen=True)
class Params:
    """The settings of one run. Frozen: what was printed at the start is what was used."""

    preset: str = setting(
        "default", "a set of settings; a flag beside it overrides it", choices=tuple(PRESETS)
    )

    data: str = setting(
        "imdb",
        "'imdb', or a CSV, TSV, JSON, JSONL or Parquet file of your own (.gz, .bz2, .zst too)",
        group="Reviews: where they come from and which are which",
    )
    data_folder: str = setting("data", "folder where reviews are looked for and downloads kept")
    source: str = setting(
        "auto",
        "where IMDB comes from; auto takes the first that is there",
        choices=("auto", "tfds", "aclimdb", "embedded"),
    )
    text_column: str = setting("text", "name of the review column in your own file")
    label_column: str = setting("label", "name of the label column in your own file")
    labels: str = setting(
        "neg,pos",
        "the labels, two or more; of two the negative one first, and 0 and 1 or false and true are "
        "understood as well; auto takes those of the file, sorted",
        allowed=(are_labels, "two or more different names, such as neg,pos, or auto"),
    )
    delimiter: str = setting(
        "auto",
        "of a CSV or TSV: comma, semicolon, tab, bar or another sign; auto finds it",
        allowed=(is_delimiter, "auto, comma, semicolon, tab, bar or one sign but a quote or blank"),
    )
    encoding: str = setting(
        "utf-8",
        "of a file of text; a byte-order mark is believed before it",
        allowed=(is_encoding, "one that Python knows, such as utf-8, utf-16, latin-1 or cp1252"),
    )
    quoting: str = setting(
        "standard", "none: quotes in a CSV or TSV are letters", choices=("standard", "none")
    )
    skip_bad_rows: bool = setting(False, "go on without unreadable rows, and report how many")
    dev_share: float = setting(
        0.2,
        "share of the training reviews held out as dev, on which everything is chosen",
        allowed=((lambda value: 0 < value < 1), "a share between 0 and 1"),
    )
    dev_data: str = setting(
        "", "a file of your own to be dev, in place of a share of the training reviews"
    )
    split_seed: int = setting(0, "seed of the train/dev split", allowed=COUNT)
    train_examples: int = setting(0, "train on so many reviews, for a try; 0 is all", allowed=COUNT)
    dev_examples: int = setting(0, "measure dev on so many, for a try; 0 is all", allowed=COUNT)
    sentence_share: float = setting(
        4.0,
        "single sentences to learn from besides, up to so many of each training review in each "
        "epoch: cheap, and a help with short texts and with whole reviews",
        allowed=between(0, 16),
    )
    also: str = setting(
        "auto",
        f"other short texts to learn from: some of {EVERY}; auto is all of them beside sentences "
        "of the whole of IMDB, else none",
        allowed=(are_others, f"auto, none or some of {EVERY}"),
    )
    also_passes: int = setting(2, "passes over --also's texts an epoch", allowed=between(1, 16))
    split: str = setting(
        "dev",
        "dev, the official test split, one sentence of each dev review, or short texts of others",
        choices=("dev", "test", "dev-sentences", "rotten-tomatoes", "rated"),
    )

    encoder: str = setting(
        "auto",
        f"one of {', '.join(ENCODERS)}, a TF Hub URL, a Kaggle handle or a folder; "
        "auto is minilm without a GPU and bert-base with one",
        group="Encoder: who reads the reviews",
    )
    preprocessor: str = setting(
        "auto", "URL, Kaggle handle or folder; auto is the one that belongs to the encoder"
    )
    encoder_folder: str = setting("data/encoders", "folder where encoders are built and cached")
    pooling: str = setting(
        "auto",
        "what of the encoder's output is classified: its pooled_output, or the mean of all tokens; "
        "auto is what suits the encoder",
        choices=("auto", "pooled", "mean"),
    )

    max_length: int = setting(
        240,
        "tokens of a review that are read, [CLS] and [SEP] included; cost grows with it",
        allowed=((lambda value: 8 <= value < 2**31), "8 or more, up to the encoder's maximum"),
        group="How much of a review is read: it decides accuracy and cost most",
    )
    truncation: str = setting(
        "head+tail",
        "what is kept of a longer review: its beginning, its end, or both",
        choices=("head", "tail", "head+tail"),
    )
    head_share: float = setting(
        0.25, "share of kept tokens from the beginning, with head+tail", allowed=between(0, 1)
    )

    ngrams: bool = setting(
        True, "beside the encoder, a linear model of all of a review's words, where dev gains by it"
    )
    alike: bool = setting(
        True,
        "first names are read as one, nationalities and faiths too: which it is says nothing of "
        "the review",
    )

    batch_size: int = setting(
        32,
        "reviews an optimiser step; of sentences twice as many",
        allowed=between(1, 65536),
        group="Training recipe",
    )
    micro_batch: int = setting(
        0, "texts computed at a time, for GPUs with little memory; 0: a whole step", allowed=COUNT
    )
    epochs: int = setting(1, "passes over the training reviews", allowed=between(1, 1000))
    learning_rate: float = setting(
        0.0,
        "peak learning rate; 0 takes what suits the encoder: 1.5e-4 for minilm, 3e-5 for bert-base",
        allowed=NOT_NEGATIVE,
    )
    warmup_share: float = setting(
        0.1, "share of all steps over which the learning rate rises from 0", allowed=SHARE
    )
    weight_decay: float = setting(
        0.01, "AdamW's weight decay, not for biases and layer norms", allowed=NOT_NEGATIVE
    )
    clip_norm: float = setting(1.0, "largest global norm of the gradients", allowed=POSITIVE)
    layer_decay: float = setting(
        1.0,
        "learning rate of an encoder layer, as a share of that of the layer above it",
        allowed=((lambda value: 0 < value <= 1), "above 0, up to 1"),
    )
    label_smoothing: float = setting(
        0.0, "how far the labels 0 and 1 move towards 0.5 in the loss, as a share", allowed=SHARE
    )
    class_weight: str = setting(
        "none",
        "balanced makes each label count alike in the loss, however rare it is",
        choices=("none", "balanced"),
    )
    dropout: float = setting(0.1, "dropout before the classifier", allowed=SHARE)
    seed: int = setting(0, "seed of shuffling, dropout and the classifier", allowed=COUNT)
    deterministic: bool = setting(False, "make runs repeat to the bit; slower")

    precision: str = setting(
        "auto",
        "auto is bfloat16 on CPUs that have it and float32 elsewhere (TF32 on GPUs)",
        choices=("auto", "float32", "bfloat16"),
        group="Machine and files",
    )
    backup_steps: int = setting(
        250,
        "optimiser steps between two backups, from which a run that was cut off goes on",
        allowed=((lambda value: value >= 1), "1 or more"),
    )
    device: str = setting(
        "auto", "what computes; auto is GPUs where there are any", choices=("auto", "cpu", "gpu")
    )
    strategy: str = setting(
        "auto",
        "how several devices share a step; auto is multi_worker where TF_CONFIG names several "
        "workers, else mirrored where there are several GPUs, else one_device",
        choices=("auto", "one_device", "mirrored", "multi_worker"),
    )
    model_folder: str = setting(
        "saved_model", "folder of numbered models; evaluate and predict read the newest, or N in it"
    )


# Those that people change first: --help begins with them.
FIRST = ("preset", "data", "text_column", "label_column", "labels", "train_examples")
FIRST += ("encoder", "max_length", "epochs", "model_folder")

# Settings of earlier versions, and the value that left them unused.
GONE = {"short_epochs": 0, "sentence_choice": "any", "average_momentum": 0.0}

# Settings that came later, and what runs from before them had.
LATER = {"ngrams": False, "also": "none", "also_passes": 1, "alike": False}

# Which settings a script reads.
FORM = ("delimiter", "encoding", "quoting")
REVIEWS = ("data", "data_folder", "source", "text_column", "label_column", *FORM, "skip_bad_rows")
TRAIN = tuple(f.name for f in dataclasses.fields(Params) if f.name != "split")
EVALUATE = (*REVIEWS, "split", "precision", "device", "model_folder")
PREDICT = ("text_column", *FORM, "precision", "device", "model_folder")


def flag(name: str) -> str:
    """`max_length` -> `--max-length`; what is on by default has a flag that turns it off."""
    off = "no-" if getattr(Params, name, None) is True else ""
    return "--" + off + name.replace("_", "-")


def check(params: Params) -> None:
    """Refuse impossible settings before any compute. Raises UserError, one line."""
    for item in dataclasses.fields(Params):
        value, allowed = getattr(params, item.name), item.metadata["allowed"]
        if allowed and not allowed[0](value):
            raise UserError(f"{flag(item.name)} {value}: must be {allowed[1]}")
    # Both encoders that `auto` can mean have the same maximum.
    known = ENCODERS.get("minilm" if params.encoder == "auto" else params.encoder)
    if known and params.max_length > known.longest:
        raise UserError(
            f"--max-length {params.max_length}: must be from 8 to {known.longest}, the most that "
            f"encoder {params.encoder} reads"
        )
    if not known and params.preprocessor == "auto":
        raise UserError(
            f"--encoder {params.encoder} is not in the table, so its preprocessor is not known: "
            f"add --preprocessor (URL, Kaggle handle or folder), or use {', '.join(ENCODERS)}"
        )
    if params.data != "imdb" and not Path(params.data).is_file():
        raise UserError(f"--data {params.data}: no such file; give a file, or 'imdb'")
    if params.dev_data and not Path(params.dev_data).is_file():
        raise UserError(f"--dev-data {params.dev_data}: no such file")
    if params.data == "imdb" and (params.dev_data or params.labels != Params.labels):
        raise UserError("--labels and --dev-data go with a file of your own: IMDB has its own")


def suited(params: Params, encoder: str) -> Params:
    """The settings with what was left open filled in for this encoder.

    BERT-base's learning rate and pooling stand for encoders that are not in the table.
    """
    known = ENCODERS.get(encoder) or ENCODERS["bert-base"]
    rate = params.learning_rate or known.learning_rate
    pooling = known.pooling if params.pooling == "auto" else params.pooling
    return dataclasses.replace(params, encoder=encoder, learning_rate=rate, pooling=pooling)
