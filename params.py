"""Every setting of the trio: its default, its unit, its rule of thumb and what makes it impossible.

The scripts take a flag for each setting that they read (`max_length` is `--max-length`), under the
same name everywhere. Nothing here imports TensorFlow, so `--help` and a mistyped flag answer at
once. What a trained model fixes is stored with it and read from there by evaluate and predict.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn


class UserError(Exception):
    """Something the user can put right. The message names the thing and the way out."""


TFHUB = "https://tfhub.dev/"
SMALL_BERT = TFHUB + "tensorflow/small_bert/"
UNCASED = TFHUB + "tensorflow/bert_en_uncased_preprocess/3"


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
    "minilm": Encoder("embedded", "embedded", learning_rate=1e-4, pooling="mean"),
    "bert-base": Encoder(TFHUB + "tensorflow/bert_en_uncased_L-12_H-768_A-12/4", UNCASED),
    "bert-base-cased": Encoder(
        TFHUB + "tensorflow/bert_en_cased_L-12_H-768_A-12/4",
        TFHUB + "tensorflow/bert_en_cased_preprocess/3",
    ),
    "bert-2-128": Encoder(SMALL_BERT + "bert_en_uncased_L-2_H-128_A-2/2", UNCASED, 512, 1e-4),
    "bert-4-512": Encoder(SMALL_BERT + "bert_en_uncased_L-4_H-512_A-8/2", UNCASED, 512, 1e-4),
    "bert-8-512": Encoder(SMALL_BERT + "bert_en_uncased_L-8_H-512_A-8/2", UNCASED, 512, 5e-5),
    "electra-small": Encoder(TFHUB + "google/electra_small/2", UNCASED, 512, 1e-4),
    "albert-base": Encoder(
        TFHUB + "tensorflow/albert_en_base/3", TFHUB + "tensorflow/albert_en_preprocess/3"
    ),
}


# What differs from the defaults of Params.
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"max_length": 96, "sentence_share": 0},
    "default": {},
    "best": {"max_length": 512, "epochs": 2, "sentence_share": 4},
    # The project that this one follows: 0.8850 on test. It needs a GPU and the Hub.
    "bert-base": {
        "encoder": "bert-base",
        "max_length": 128,
        "truncation": "head",
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
) -> Any:
    """A dataclass field: default, help text, and either choices or (test, what would be right)."""
    return field(default=default, metadata={"help": text, "choices": choices, "allowed": allowed})


def between(low: float, high: float) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: low <= value <= high), f"from {low} to {high}"


SHARE = ((lambda value: 0 <= value < 1), "a share from 0 to below 1")
POSITIVE = ((lambda value: 0 < value < float("inf")), "above 0")
NOT_NEGATIVE = ((lambda value: 0 <= value < float("inf")), "0 or more")


def two_names(labels: str) -> bool:
    names = [name.strip() for name in labels.split(",")]
    return len(names) == 2 and all(names) and names[0].lower() != names[1].lower()


@dataclass(frozen=True)
class Params:
    """The settings of one run. Frozen: what was printed at the start is what was used."""

    preset: str = setting(
        "default", "a set of settings; a flag beside it overrides it", choices=tuple(PRESETS)
    )

    # Reviews: where they come from and which are which.
    data: str = setting("imdb", "'imdb', or a CSV, TSV, JSONL or Parquet file of your own")
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
        "the two labels, the negative one first; 0 and 1 are understood as well",
        allowed=(two_names, "two different names, the negative one first, such as neg,pos"),
    )
    skip_bad_rows: bool = setting(False, "go on without unreadable rows, and report how many")
    dev_share: float = setting(
        0.2,
        "share of the training reviews held out as dev, on which everything is chosen",
        allowed=((lambda value: 0 < value < 1), "a share between 0 and 1"),
    )
    split_seed: int = setting(0, "seed of the train/dev split", allowed=NOT_NEGATIVE)
    train_examples: int = setting(
        0, "train on this many reviews only, for a quick try; 0 is all", allowed=NOT_NEGATIVE
    )
    dev_examples: int = setting(
        0, "measure dev on this many reviews only, for a quick try; 0 is all", allowed=NOT_NEGATIVE
    )
    sentence_share: float = setting(
        8.0,
        "single sentences to learn from besides, up to so many of each training review in each "
        "epoch: cheap, and a help with short texts and with whole reviews",
        allowed=between(0, 16),
    )
    sentence_choice: str = setting(
        "any",
        "which: any, the last ones, or spans of one to three",
        choices=("any", "last", "span"),
    )
    split: str = setting(
        "dev",
        "dev, the official test split, one sentence of each dev review, or Rotten Tomatoes",
        choices=("dev", "test", "dev-sentences", "rotten-tomatoes"),
    )

    # Encoder: who reads the reviews.
    encoder: str = setting(
        "auto",
        f"one of {', '.join(ENCODERS)}, a TF Hub URL, a Kaggle handle or a folder; "
        "auto is minilm without a GPU and bert-base with one",
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

    # How much of a review is read: this decides accuracy and cost more than anything else here.
    max_length: int = setting(
        192,
        "tokens of a review that are read, [CLS] and [SEP] included; cost grows with it",
        allowed=((lambda value: value >= 8), "8 or more, up to the encoder's maximum"),
    )
    truncation: str = setting(
        "head+tail",
        "what is kept of a longer review: its beginning, its end, or both",
        choices=("head", "tail", "head+tail"),
    )
    head_share: float = setting(
        0.25,
        "share of the kept tokens taken from the beginning, with head+tail",
        allowed=between(0, 1),
    )

    # Training recipe.
    batch_size: int = setting(32, "texts an optimiser step", allowed=between(1, 65536))
    micro_batch: int = setting(
        0,
        "texts computed at a time within a step, for GPUs with little memory; 0 is all at once",
        allowed=NOT_NEGATIVE,
    )
    epochs: int = setting(1, "passes over the training reviews", allowed=between(1, 1000))
    short_epochs: int = setting(
        0,
        "how many of them, the first and never the last, read at most --short-length tokens",
        allowed=NOT_NEGATIVE,
    )
    short_length: int = setting(
        64,
        "tokens of a review that are read in those",
        allowed=((lambda value: value >= 8), "8 or more"),
    )
    learning_rate: float = setting(
        0.0,
        "peak learning rate; 0 takes what suits the encoder: 1e-4 for minilm, 3e-5 for bert-base",
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
    average_momentum: float = setting(
        0.0,
        "momentum of the moving average of the weights that is measured and exported, such as "
        "0.99; 0 takes the weights themselves",
        allowed=SHARE,
    )
    dropout: float = setting(0.1, "dropout before the classifier", allowed=SHARE)
    seed: int = setting(0, "seed of shuffling, dropout and the classifier", allowed=NOT_NEGATIVE)
    deterministic: bool = setting(False, "make runs repeat to the bit; slower")

    # Machine and files.
    precision: str = setting(
        "auto",
        "auto is bfloat16 on CPUs that have it and float32 elsewhere (TF32 on GPUs)",
        choices=("auto", "float32", "bfloat16"),
    )
    model_folder: str = setting(
        "saved_model", "folder of numbered models; evaluate and predict read the newest, or N in it"
    )


REVIEWS = ("data", "data_folder", "source", "text_column", "label_column", "skip_bad_rows")
TRAIN = tuple(f.name for f in dataclasses.fields(Params) if f.name != "split")
EVALUATE = (*REVIEWS, "split", "precision", "model_folder")
PREDICT = ("text_column", "precision", "model_folder")


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


class Parser(argparse.ArgumentParser):
    """argparse, with one-line errors: the usage text would bury what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists the flags\n")


def make_parser(description: str, names: Sequence[str]) -> Parser:
    """A parser with one flag for each setting in `names`."""
    # No abbreviations: `--max` must not quietly become `--max-length`.
    parser = Parser(
        description=description,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for item in dataclasses.fields(Params):
        if item.name not in names:
            continue
        text = item.metadata["help"].replace("%", "%%")
        if isinstance(item.default, bool):
            parser.add_argument(flag(item.name), action="store_true", help=text)
            continue
        parser.add_argument(
            flag(item.name),
            default=item.default,
            type=type(item.default),
            choices=item.metadata["choices"],
            metavar=None if item.metadata["choices"] else type(item.default).__name__.upper(),
            help=f"{text} (default: {item.default})",
        )
    return parser


def parse(parser: Parser, argv: Sequence[str] | None = None) -> tuple[Params, argparse.Namespace]:
    """Read the command line, refuse impossible settings, and return (settings, other arguments)."""
    arguments, _ = parser.parse_known_args(argv)  # a first time, for the preset alone
    if "preset" in arguments:
        parser.set_defaults(**PRESETS[arguments.preset])
    arguments, unknown = parser.parse_known_args(argv)
    known = {item.name for item in dataclasses.fields(Params)}
    for word in unknown:
        name = word.split("=")[0].lstrip("-").replace("-", "_")
        if word.startswith("--") and name in known:
            fixed = "preset" not in arguments and name not in EVALUATE
            why = ": the trained model has fixed it" if fixed else ""
            parser.error(f"{flag(name)} is not read here{why}")
    if unknown:
        parser.error(f"unknown: {' '.join(unknown)}")
    given = {name: value for name, value in vars(arguments).items() if name in known}
    params = Params(**given)
    try:
        check(params)
    except UserError as error:
        parser.error(str(error))
    return params, arguments


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


def suited(params: Params, encoder: str) -> Params:
    """The settings with what was left open filled in for this encoder.

    BERT-base's learning rate and pooling stand for encoders that are not in the table.
    """
    known = ENCODERS.get(encoder) or ENCODERS["bert-base"]
    rate = params.learning_rate or known.learning_rate
    pooling = known.pooling if params.pooling == "auto" else params.pooling
    return dataclasses.replace(params, encoder=encoder, learning_rate=rate, pooling=pooling)


def echo(params: Params, names: Sequence[str]) -> None:
    """Print the settings in use, one line each, those that are not the default marked."""
    defaults = Params()
    for name in names:
        value = getattr(params, name)
        mark = "" if value == getattr(defaults, name) else "   (changed)"
        log(f"  {name:<15} {value}{mark}")


def require_writable(folder: str | Path) -> None:
    """Make a folder if it is not there. Raises UserError when nothing can be written into it."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}): name another") from None


def log(message: str) -> None:
    """Say something to the person who waits; results alone go to standard output."""
    print(message, file=sys.stderr, flush=True)


def run(main: Callable[[], int]) -> NoReturn:
    """Run a script's main. Exit codes: 0 all done, 1 some inputs refused, 2 nothing answered."""
    try:
        code = main()
    except UserError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        code = 2
    except BrokenPipeError:  # whoever read the output, such as `head`, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:  # a file that cannot be read or written, wherever it was met
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(f"{Path(sys.argv[0]).name}: interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)
