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

from __future__ import annotations

import argparse
import sys
from typing import Any

import common

SCORERS = ("ours", "pipeline", "onnx-float32")
TRAINERS = ("ours", "trainer")
WORDS = 10


def score(side: str, count: int, max_length: int) -> None:
    import scoring

    texts = common.reviews("all", count)[0]
    scoring.scorer(side, max_length)(texts)


def score_short(count: int, max_length: int) -> None:
    """This project on `count` short texts, one window of infer.infer in memory at a time."""
    import scoring

    from sentiment.scoring import infer

    texts = [" ".join(text.split()[:WORDS]) for text in common.reviews("train")[0]]
    scorer = scoring.scorer("ours", max_length)
    for start in range(0, count, infer.WINDOW):
        end = min(start + infer.WINDOW, count)
        scorer([texts[row % len(texts)] for row in range(start, end)])


def train(side: str, steps: int, max_length: int) -> None:
    import tempfile

    import training

    data = common.reviews("train", steps * common.BATCH_SIZE)
    if side == "ours":
        ours = training.Ours("auto", *data, max_length, epochs=1)
        ours.network.fit(ours.batches, steps_per_epoch=ours.steps, verbose=0)
    else:
        with tempfile.TemporaryDirectory() as folder:
            training.make_trainer(side, data, max_length, folder, 1, 0)[0].train()


def be_side(arguments: argparse.Namespace) -> None:
    side, task, count = arguments.side, arguments.task, arguments.count

    def work(_: str) -> dict[str, Any]:
        if task == "train":
            train(side, count, arguments.max_length)
        elif task == "short":
            score_short(count, arguments.max_length)
        else:
            score(side, count, arguments.max_length)
        return {"peak_megabytes": common.peak_megabytes()}

    common.serve(work)


def main() -> None:
    parser = common.make_parser(__doc__)
    parser.add_argument("--max-length", type=int, default=16, help="of scoring")
    parser.add_argument("--training-length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20, help="training steps")
    parser.add_argument("--scoring", type=int, nargs="*", default=[1000, 25000], metavar="N")
    parser.add_argument("--long", type=int, default=250000, help="short texts, for ours alone")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        be_side(arguments)
    if sys.platform == "win32":
        raise SystemExit("memory.py needs getrusage, which Windows does not have")
    max_length = arguments.max_length
    common.prepare("reviews", "transformers", "onnx", f"export-{max_length}")
    jobs = [("train", side, arguments.steps) for side in TRAINERS]
    jobs += [("score", side, count) for count in arguments.scoring for side in SCORERS]
    jobs += [("short", "ours", count) for count in (arguments.long // 10, arguments.long)]
    found = []
    for task, side, count in jobs:
        length = arguments.training_length if task == "train" else max_length
        given = ["--task", task, "--count", count, "--max-length", length]
        answer = common.once(__file__, side, given, arguments.threads)
        found.append({"task": task, "side": side, "count": count, **answer})
        common.log(f"{task} {count:,}, {side}: {answer['peak_megabytes']:.0f} MB")
    content = {"max_length": max_length, "training_length": arguments.training_length}
    content |= {"batch_size": common.BATCH_SIZE, "peaks": found}
    common.write("memory", content, arguments.threads)


if __name__ == "__main__":
    main()
