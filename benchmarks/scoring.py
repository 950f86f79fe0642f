"""How fast is scoring, against what a user would take instead? Reviews/s from texts to scores.

    python benchmarks/scoring.py                            # 1,024 reviews a round, 128 and 256
    python benchmarks/scoring.py --max-length 128 --count 256 --rounds 2        # a quick look

Every side gets the same real IMDB reviews as Python strings, reads their first `--max-length`
tokens, and returns a probability each; tokenisation is inside the time. All have the same weights,
and the largest difference of their probabilities from `pipeline` is reported. Sides:

    ours, ours-float32        an exported SavedModel through infer.infer; precision auto, float32
    pipeline                  transformers' pipeline as it comes (batch_size=1)
    pipeline-8, pipeline-32   the same with a batch size, for its best one
    torch-autocast            inference_mode, bf16 autocast, SDPA, sorted, padded to each batch
    torch-bfloat16            the same with the whole model in bf16
    torch-float32             the same in float32
    onnx-float32, onnx-int8   ONNX Runtime, fused graph, sorted, padded to each batch; dynamic int8

Needs requirements-bench.txt and about 6 GB of memory (less with --sides). Writes
results/scoring.json. Takes about 40 minutes on 2 cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common

SIDES = ("ours", "ours-float32", "pipeline", "pipeline-8", "pipeline-32", "torch-autocast")
SIDES += ("torch-bfloat16", "torch-float32", "onnx-float32", "onnx-int8")
CHECKED = 64  # reviews whose probabilities are compared
Scorer = Callable[[list[str]], Any]  # texts -> float [N], probabilities of the positive label


def ours(precision: str, max_length: int) -> Scorer:
    from sentiment import machine

    machine.start(precision)
    from sentiment.scoring import infer

    loaded = infer.load_model(common.export_folder(max_length))
    return lambda texts: infer.infer(loaded, texts).probabilities


def pipeline(batch_size: int, max_length: int) -> Scorer:
    import transformers

    pipe = transformers.pipeline("text-classification", str(common.transformers_folder()))

    def score(texts: list[str]) -> list[float]:
        answers = pipe(texts, truncation=True, max_length=max_length, batch_size=batch_size)
        return [a["score"] if a["label"] == "LABEL_1" else 1 - a["score"] for a in answers]

    def as_it_comes(texts: list[str]) -> list[float]:
        answers = pipe(texts, truncation=True, max_length=max_length)
        return [a["score"] if a["label"] == "LABEL_1" else 1 - a["score"] for a in answers]

    return as_it_comes if batch_size == 1 else score


def sorted_batches(max_length: int, logits: Callable[[Any], Any], kind: str) -> Scorer:
    """Tokenise all, sort by length, pad each batch to its longest: the peers' best habit."""
    import numpy as np
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(common.transformers_folder())

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

    torch.set_num_threads(common.threads())
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    model = AutoModelForSequenceClassification.from_pretrained(
        common.transformers_folder(), attn_implementation="sdpa", dtype=dtype
    ).eval()

    def logits(batch: Any) -> Any:
        return model(**batch).logits.float().numpy()

    score = sorted_batches(max_length, logits, "pt")

    def in_mode(texts: list[str]) -> Any:
        # One context around all batches: autocast keeps its bf16 copies of the weights within it.
        autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast")
        with torch.inference_mode(), autocast:
            return score(texts)

    return in_mode


def onnx(precision: str, max_length: int) -> Scorer:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = common.threads()
    session = onnxruntime.InferenceSession(
        common.onnx_file(precision), options, providers=["CPUExecutionProvider"]
    )
    names = [item.name for item in session.get_inputs()]

    def logits(batch: Any) -> Any:
        return session.run(["logits"], {name: batch[name].astype(np.int64) for name in names})[0]

    return sorted_batches(max_length, logits, "np")


def scorer(side: str, max_length: int) -> Scorer:
    """The function from texts to probabilities of a side."""
    kind, _, detail = side.partition("-")
    if kind == "ours":
        return ours(detail or "auto", max_length)
    if kind == "pipeline":
        return pipeline(int(detail or 1), max_length)
    return {"torch": torch_best, "onnx": onnx}[kind](detail, max_length)


def serve(arguments: argparse.Namespace) -> None:
    """Be one side: warm up on the very reviews that are measured, then score them each round."""
    texts, _ = common.reviews("all", arguments.count)
    max_length = arguments.max_length[0]
    score = scorer(arguments.side, max_length)
    probabilities = [float(p) for p in score(texts)[:CHECKED]]
    if arguments.side != "pipeline":  # its batches of one need no second warm-up
        score(texts)

    def work(_: str) -> dict[str, Any]:
        return {"count": len(score(texts))}

    common.serve(work, probabilities=probabilities)


def measure(arguments: argparse.Namespace, sides: list[str], max_length: int) -> dict[str, Any]:
    given = ["--max-length", max_length, "--count", arguments.count]
    measured = common.compare(__file__, sides, given, arguments.rounds, arguments.threads)
    summary = common.summarise(measured, "ours")
    # Against the plain float32 scores of the peer, or of whichever side comes first without it.
    exact = measured["pipeline" if "pipeline" in measured else sides[0]]["ready"]["probabilities"]
    for side in summary.values():
        probabilities = side["ready"].pop("probabilities")
        differences = [abs(a - b) for a, b in zip(probabilities, exact, strict=True)]
        side["largest_probability_difference"] = max(differences)
        side.pop("ready")
    return summary


def main() -> None:
    parser = common.make_parser(__doc__)
    parser.add_argument("--max-length", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--count", type=int, default=1024, help="reviews a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", nargs="+", help=f"of {', '.join(SIDES)}; all")
    arguments = parser.parse_args()
    if arguments.side:
        return serve(arguments)
    sides = common.wanted(SIDES, arguments.sides)
    common.prepare("reviews", "transformers", "onnx")
    common.prepare(*(f"export-{length}" for length in arguments.max_length))
    lengths = {}
    for max_length in arguments.max_length:
        common.log(f"max length {max_length}")
        lengths[str(max_length)] = measure(arguments, sides, max_length)
    content = {"reviews_a_round": arguments.count, "rounds": arguments.rounds, "lengths": lengths}
    return common.write(Path(__file__).stem, content, arguments.threads)


if __name__ == "__main__":
    main()
