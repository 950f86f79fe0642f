"""The folder of numbered models: which are there, what is stored with them, how one is added.

Numbers only grow, and nothing published is ever changed. What is found out about a model later is
in its evaluation folder, beside it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from params import Params
from sentiment import files
from sentiment.errors import UserError

DETAILS = "model.json"  # beside saved_model.pb, with what is named here
FORMAT_VERSION = 2  # of what is stored there; 0 had none, 1 knew of no n-gram side
KINDS = {"settings": dict, "labels": list, "threshold": float, "temperature": float}
KINDS |= {"mask_id": int, "dev_ids": list}
SETTINGS = ("data", "text_column", "label_column", "encoder")  # of training, that are read again
SETTINGS += ("max_length", "truncation", "head_share")
MIXTURE = ("encoder_weight", "ngram_weight", "surest")  # numbers, of a model with two sides
TRAIN_IDS = "train_ids.txt"  # a line a review that was learnt from


def versions(folder: Path) -> list[int]:
    """The numbers of the models published in a folder, ascending."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if is_number(path.name))


def is_number(name: str) -> bool:
    """Whether a folder's name is a model's number."""
    return name.isascii() and name.isdecimal() and str(int(name)) == name


def of_run(folder: Path, run: str) -> Path | None:
    """The model that a run has published, if it has."""
    for number in reversed(versions(folder)):
        details = files.read_json(folder / str(number) / DETAILS)
        if details and details.get("run") == run:
            return folder / str(number)
    return None


def find_model(folder: str | Path) -> Path:
    """The newest numbered model in `folder`, or `folder` itself if it is one.

    Raises UserError when there is none.
    """
    folder = Path(folder)
    if any((folder / name).is_file() for name in ("saved_model.pb", DETAILS)):
        return folder if folder.name else folder.resolve()  # evaluations need a name beside it
    if numbers := versions(folder):
        return folder / str(numbers[-1])
    tries = folder / "quick"
    way = "name another --model-folder"
    if versions(tries):
        way = f"--model-folder {shlex.quote(str(tries))} (a try on few reviews)"
    raise UserError(f"no model in {folder}: run `python model_train.py` first, or {way}")


def load_details(folder: Path) -> dict[str, Any]:
    """What training stored with a model.

    Raises UserError when it is missing, damaged, or of a newer version of this project; what older
    ones wrote is read.
    """
    details = files.read_json(folder / DETAILS)
    version = details.get("format_version", 0) if details else 0
    if is_kind(version, int) and version > FORMAT_VERSION:
        raise UserError(
            f"{folder} was written by a newer version of this project (format_version {version}; "
            f"this one reads up to {FORMAT_VERSION}): update it, or name another model with "
            "--model-folder"
        )
    if problem := problem_of(details):
        raise UserError(
            f"{folder} is damaged or not from this project ({DETAILS} {problem}): "
            "run `python model_train.py` again, or name another with --model-folder"
        )
    return details


def learnt_from(folder: Path, ids: list[str]) -> int:
    """How many of these reviews have a text that the model in `folder` was trained on."""
    path = folder / TRAIN_IDS
    if not path.is_file():  # an older model's are not known
        return 0
    known = {line.split("-")[0] for line in path.read_text(encoding="utf-8").split()}
    return sum(key.split("-")[0] in known for key in ids)


def problem_of(details: dict[str, Any] | None) -> str:
    """What is missing or wrong in a model's details; empty when nothing is."""
    if details is None:
        return "cannot be read"
    if not is_kind(details.get("format_version", 0), int):
        return "has no valid format_version"
    for name, kind in KINDS.items():
        if not is_kind(details.get(name), kind):
            return f"has no valid {name}"
    for name in SETTINGS:
        if not is_kind(details["settings"].get(name), type(getattr(Params, name))):
            return f"has no valid {name} in its settings"
    labels, ids = details["labels"], details["dev_ids"]
    if len(set(map(str, labels))) < 2 or not all(isinstance(one, str) for one in [*labels, *ids]):
        return "has no valid labels or dev_ids"
    mixture = details.get("mixture")
    if mixture is not None and not (
        isinstance(mixture, dict) and all(is_kind(mixture.get(name), float) for name in MIXTURE)
    ):
        return "has no valid mixture"
    if not (0 <= details["threshold"] <= 1 and details["temperature"] > 0):
        return "has no valid threshold or temperature"
    return ""


def is_kind(value: Any, kind: type) -> bool:
    """Whether a value of JSON is of this type; a whole number is a float as well."""
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def evaluation_folder(model: Path) -> Path:
    """Where a model's evaluations are."""
    return model.with_name(model.name + "-evaluation")


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Where a model for `folder` can be made out of sight: on the same disk, gone afterwards."""
    with files.unfinished(folder) as temporary:
        yield temporary / "model"


def publish(finished: Path, folder: Path) -> Path:
    """Rename a finished model to the next number in `folder`; return its new path.

    A number that has evaluations is taken, even if its model is gone: they are not the new one's.
    """
    evaluated = [path.name.split("-")[0] for path in folder.glob("*-evaluation")]
    taken = versions(folder) + [int(name) for name in evaluated if is_number(name)]
    number = max(taken, default=0) + 1
    while not files.publish_folder(finished, folder / str(number)):
        number += 1  # another process was quicker
    return folder / str(number)
