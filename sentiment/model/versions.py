"""The folder of numbered models: which are there, what is stored with them, how one is added.

Numbers only grow, and nothing published is ever changed. What is found out about a model later is
in its evaluation folder, beside it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentiment.errors import UserError

DETAILS = "model.json"  # beside saved_model.pb, with what is named here
DETAIL_NAMES = ("settings", "labels", "threshold", "temperature", "mask_id", "dev_ids")


def versions(folder: Path) -> list[int]:
    """The numbers of the models published in a folder, ascending."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())


def find_model(folder: str | Path) -> Path:
    """The newest numbered model in `folder`, or `folder` itself if it is one.

    Raises UserError when there is none.
    """
    folder = Path(folder)
    if (folder / "saved_model.pb").is_file():
        return folder if folder.name else folder.resolve()  # evaluations need a name beside it
    if numbers := versions(folder):
        return folder / str(numbers[-1])
    tries = folder / "quick"
    hint = f" {tries} (a try on few reviews)" if versions(tries) else ""
    raise UserError(
        f"no model in {folder}: run `python model_train.py` first, or --model-folder{hint}"
    )


def load_details(folder: Path) -> dict[str, Any]:
    """What training stored with a model. Raises UserError when it is missing or damaged."""
    try:
        details = json.loads((folder / DETAILS).read_text(encoding="utf-8"))
        return {name: details[name] for name in DETAIL_NAMES}
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{folder} is damaged or not from this project ({DETAILS} cannot be read): "
            "run `python model_train.py` again, or name another with --model-folder"
        ) from None


def evaluation_folder(model: Path) -> Path:
    """Where a model's evaluations are."""
    return model.with_name(model.name + "-evaluation")


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Where a model for `folder` can be made out of sight: on the same disk, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as temporary:
        yield Path(temporary) / "model"


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file as people read it."""
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def publish(finished: Path, folder: Path) -> Path:
    """Rename a finished model to the next number in `folder`; return its new path.

    A number that has evaluations is taken, even if its model is gone: they are not the new one's.
    """
    evaluated = [path.name.split("-")[0] for path in folder.glob("*-evaluation")]
    taken = versions(folder) + [int(name) for name in evaluated if name.isdecimal()]
    target = folder / str(max(taken, default=0) + 1)
    finished.rename(target)
    return target
