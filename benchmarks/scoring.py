"""How fast is scoring, against what a user would take instead? Reviews/s from texts to scores.

    python benchmarks/scoring.py                            # 1,024 reviews a round, 128 and 256
    python benchmarks/scoring.py --max-length 128 --count 256 --rounds 2        # a quick look

Every side gets the same real IMDB reviews as Python strings, reads their first `--max-length`
tokens, and returns a probability each; tokenisation is inside the time. All encoders have the same
weights, and the largest difference of their probabilities from `pipeline` is reported. Sides:

    ours, ours-float32        an exported SavedModel through infer.infer; precision auto, float32
    ours-both, ours-fast      the same with an n-gram side; the encoder only where that is unsure
    pipeline                  transformers' pipeline as it comes (batch_size=1)
    pipeline-8, pipeline-32   the same with a batch size, for its best one
    torch-autocast            inference_mode, bf16 autocast, SDPA, sorted, padded to each batch
    torch-bfloat16            the same with the whole model in bf16
    torch-float32             the same in float32
    onnx-float32, onnx-int8   ONNX Runtime, fused graph, sorted, padded to each batch; dynamic int8

Needs requirements-bench.txt and about 6 GB of memory (less with --sides). Writes
results/scoring.json. Takes about 40 minutes on 2 cores.
"""

import os
from collections.abc import Callable
from typing import Any

import common
import numpy as np
import prepare

SIDES = ("ours", "ours-float32", "ours-both", "ours-fast", "pipeline", "pipeline-8", "pipeline-32")
SIDES += ("torch-autocast", "torch-bfloat16", "torch-float32", "onnx-float32", "onnx-int8")
CHECKED = 64  # reviews whose probabilities are compared
Scorer = Callable[[list[str]], Any]  # texts -> float [N], probabilities of the positive label


def ours(way: str, max_length: int) -> Scorer:
    common.machine.start("float32" if way == "float32" else "auto")
    from sentiment.scoring import infer

    kind = "both" if way in ("both", "fast") else "export"
    loaded = infer.load_model(common.artefact(f"{kind}-{max_length}"))
    return lambda texts: infer.infer(loaded, texts, fast=way == "fast").probabilities


def pipeline(batch_size: str, max_length: int) -> Scorer:
    import transformers

    pipe = transformers.pipeline("text-classification", str(common.artefact("transformers")))
    size = int(batch_size or 1)

    def score(texts: list[str]) -> list[float]:
        answers = pipe(texts, truncation=True, max_length=max_length, batch_size=size)
        return [a["score"] if a["label"] == "LABEL_1" else 1 - a["score"] for a in answers]

    return score


def sorted_batches(max_length: int, logits: Callable[[Any], Any], kind: str) -> Scorer:
    """Tokenise all, sort by length, pad each batch to its longest: the peers' best habit."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(common.artefact("transformers"))

    def score(texts: list[str]) -> Any:
        encoded = tokenizer(texts, truncation=True, max_length=max_length)
        order = np.argsort([len(ids) for ids in encoded["input_ids"]], kind="stable")
        scores = np.zeros(len(texts), np.float32)
        for start in range(0, len(texts), common.BATCH_SIZE):
            rows = order[start : start + common.BATCH_SIZE]
            batch = {name: [encoded[name][row] for row in rows] for name in encoded}
            z = logits(tokenizer.pad(batch, return_tensors=kind))
            scores[rows] = 1 / (1 + np.exp(z[:, 0] - z[:, 1]))
        return scores

    return score


def torch_best(precision: str, max_length: int) -> Scorer:
    import torch
    from transformers import AutoModelForSequenceClassification

    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    model = AutoModelForSequenceClassification.from_pretrained(
        common.artefact("transformers"), attn_implementation="sdpa", dtype=dtype
    ).eval()
    score = sorted_batches(max_length, lambda batch: model(**batch).logits.float().numpy(), "pt")
    # One context around all batches: autocast keeps its bf16 copies of the weights within it.
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast")
    return torch.inference_mode()(autocast(score))


def onnx(precision: str, max_length: int) -> Scorer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    path = common.artefact("onnx") / f"{precision}.onnx"
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]

    def logits(batch: Any) -> Any:
        return session.run(["logits"], {name: batch[name].astype(np.int64) for name in names})[0]

    return sorted_batches(max_length, logits, "np")


def scorer(side: str, max_length: int) -> Scorer:
    """The function from texts to probabilities of a side."""
    kind, _, detail = side.partition("-")
    makers = {"ours": ours, "pipeline": pipeline, "torch": torch_best, "onnx": onnx}
    return makers[kind](detail, max_length)


def be_side(side: str, max_length: int, count: int) -> common.Work:
    """Score the very same reviews each round."""
    texts, _ = common.reviews("dev", count)  # of train the n-gram side would be too sure
    score = scorer(side, max_length)
    score(texts)  # warms up, a first time

    def work() -> dict[str, Any]:
        scores = score(texts)
        return {"count": len(scores), "ready": [float(score) for score in scores[:CHECKED]]}

    return work


def summarise(measured: common.Measured) -> dict[str, Any]:
    """The rates, and how far the probabilities are from pipeline's, or else the first side's."""
    summary = common.summarise(measured)
    found = {name: side.pop("ready") for name, side in summary.items()}
    exact = found.get("pipeline") or next(iter(found.values()))
    for name, side in summary.items():
        side["largest_probability_difference"] = max(abs(np.subtract(found[name], exact)))
    return summary


def main() -> None:
    flags = (("--sides", SIDES, "which of them"), ("--count", 1024, "reviews a round"))
    arguments = common.parse(__doc__, common.LENGTHS, common.ROUNDS, *flags)
    exports = [f"{kind}-{n}" for n in arguments.max_length for kind in ("export", "both")]
    prepare.need("reviews", "transformers", "onnx", *exports)
    count = arguments.count
    common.compare("scoring", be_side, arguments, count, summary=summarise, reviews_a_round=count)


if __name__ == "__main__":
    main()
