"""How much memory does it take? Peak resident memory of whole processes.

    python benchmarks/memory.py                                     # training and scoring
    python benchmarks/memory.py --scoring 100 --long 4000 --steps 2     # a quick look

Training: a few steps at --training-length, batch 32. Scoring at --max-length: 1,000 and 25,000 real
reviews, and for this project alone also short texts (the first 10 words of real reviews), 25,000
and 250,000 of them, which arrive one window at a time as from a file. Each figure is the peak that
the process itself reports at its end (getrusage), its imports included. Needs
requirements-bench.txt. Writes results/memory.json. Takes about 15 minutes on 2 cores, half of it
pipeline, one text at a time.
"""

import resource
import sys
import time
from typing import Any

import common
import prepare
import scoring
import training

from sentiment.scoring.infer import WINDOW

SCORERS = ("ours", "pipeline", "onnx-float32")


def measure(task: str, side: str, count: int, max_length: int) -> dict[str, Any]:
    """Peak resident memory of this process after a task."""
    began = time.perf_counter()
    if task == "train":
        data = common.reviews("train", count * common.BATCH_SIZE)
        training.trainee(side, data, max_length).train()
    elif task == "score":
        texts, _ = common.reviews("all", count)  # first: reading them takes memory, too
        scoring.scorer(side, max_length)(texts)
    else:
        texts = [" ".join(text.split()[:10]) for text in common.reviews("train")[0]]
        scorer = scoring.scorer(side, max_length)
        for start in range(0, count, WINDOW):
            rows = range(start, min(start + WINDOW, count))
            scorer([texts[row % len(texts)] for row in rows])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
    megabytes = peak / (2**20 if sys.platform == "darwin" else 2**10)
    common.log(f"{task} {count:,}, {side}: {megabytes:.0f} MB")
    found = {"task": task, "side": side, "count": count, "seconds": time.perf_counter() - began}
    return found | {"peak_megabytes": megabytes}


def main() -> None:
    lengths = (("--max-length", 16, "of scoring"), ("--training-length", 128, "of training"))
    counts = (("--steps", 20, "of training"), ("--scoring", [1000, 25000], "reviews"))
    arguments = common.parse(__doc__, *lengths, *counts, ("--long", 250000, "short texts"))
    max_length, training_length = arguments.max_length, arguments.training_length
    prepare.need("reviews", "transformers", "onnx", f"export-{max_length}")
    jobs = [("train", side, arguments.steps, training_length) for side in ("ours", "trainer")]
    for count in arguments.scoring:
        jobs += [("score", side, count, max_length) for side in SCORERS]
    jobs += [("short", "ours", arguments.long // part, max_length) for part in (10, 1)]
    content = {"max_length": max_length, "training_length": training_length}
    content["batch_size"] = common.BATCH_SIZE
    common.write("memory", content | {"peaks": [common.once(measure, *job) for job in jobs]})


if __name__ == "__main__":
    main()
