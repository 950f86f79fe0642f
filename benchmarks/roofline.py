"""How near to the machine's limit? Matrix products alone, against training and scoring.

    python benchmarks/roofline.py                          # at 128 and 256, bf16 and float32
    python benchmarks/roofline.py --max-length 128 --steps 2 --count 64 --rounds 1   # a quick look

Each round measures, in one process a precision: matrix products of this model's own shapes and a
large square one, training over --steps batches, scoring --count reviews. What a review costs is
counted from its real tokens, so padding is a loss: 2 x 10.62 million weights a token (the matrices
of the 6 layers), plus 4 x length x 384 x 6 for attention; training is three times that. `share` is
of the best rate that any of the shapes reached, `share_of_shapes` of the rate that the model's own
shapes reach together. A table of where the time goes by type of operation comes from TensorFlow's
profiler, as shares of the summed times of all operations: several run at once, so their sum is not
the wall time. Needs the project's own requirements. Writes results/roofline.json. Takes about 15
minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import collections
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common

LAYERS, WIDTH, INNER = 6, 384, 1536
WEIGHTS = LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)  # 10,616,832
# (rows, depth, columns) -> how often a layer multiplies it.
SHAPES = {(8192, WIDTH, WIDTH): 4, (8192, WIDTH, INNER): 1, (8192, INNER, WIDTH): 1}
SQUARE = (4096, 4096, 4096)
REPEATS = 8
TOP = 14  # operation types in the table


def forward_flops(lengths: Any) -> float:
    """Floating-point operations of one forward pass over reviews of these token counts."""
    return float((lengths * (2 * WEIGHTS + 4 * lengths * WIDTH * LAYERS)).sum())


def product_rates(dtype_name: str) -> Callable[[], dict[tuple, float]]:
    """A function that measures FLOP/s of each shape."""
    import tensorflow as tf

    multiply = tf.function(tf.matmul)
    pairs = {}
    for rows, depth, columns in (*SHAPES, SQUARE):
        a, b = tf.random.normal([rows, depth]), tf.random.normal([depth, columns])
        pairs[rows, depth, columns] = tf.cast(a, dtype_name), tf.cast(b, dtype_name)
        multiply(*pairs[rows, depth, columns])

    def measure() -> dict[tuple, float]:
        rates = {}
        for shape, (a, b) in pairs.items():
            repeats = 1 if shape == SQUARE else REPEATS
            started = time.perf_counter()
            for _ in range(repeats):
                multiply(a, b)  # on a CPU this returns when it is done
            seconds = (time.perf_counter() - started) / repeats
            rates[shape] = 2.0 * shape[0] * shape[1] * shape[2] / seconds
        return rates

    return measure


def together(rates: dict[tuple, float]) -> float:
    """FLOP/s of a layer's matrix products, one after the other."""
    flops = {shape: 2.0 * times * shape[0] * shape[1] * shape[2] for shape, times in SHAPES.items()}
    return sum(flops.values()) / sum(flops[shape] / rates[shape] for shape in SHAPES)


def operation_times(run: Callable[[], Any]) -> list[tuple[str, float]]:
    """(operation type, share of all operations' summed time), the largest first, over `run`."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    # Operations that only wait for others: counting them would count those twice.
    enclosing = {"PartitionedCall", "StatefulPartitionedCall", "While", "If", "StatelessIf"}
    enclosing |= {"StatelessWhile", "IteratorGetNext", "MakeIterator"}
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    times: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder, options=options)
        run()
        tf.profiler.experimental.stop()
        for path in Path(folder).rglob("*.xplane.pb"):
            space = xplane_pb2.XSpace.FromString(path.read_bytes())
            for plane in space.planes:
                if "CPU" not in plane.name:
                    continue
                for line in plane.lines:
                    for event in line.events:
                        # Operations are "node:Type"; whatever else is traced is not an operation.
                        name = plane.event_metadata[event.metadata_id].name
                        node, _, kind = name.rpartition(":")
                        if node and kind.isidentifier() and "::" not in name and "#" not in name:
                            times[kind] += event.duration_ps
    for kind in list(times):
        if kind in enclosing or "Dataset" in kind:
            del times[kind]
    total = sum(times.values())
    return [(kind, value / total) for kind, value in times.most_common()]


def serve(arguments: argparse.Namespace) -> None:
    """Be one precision at one length."""
    import numpy as np
    import training

    max_length, precision = arguments.max_length[0], arguments.side
    train = common.reviews("train", arguments.steps * common.BATCH_SIZE)
    texts, _ = common.reviews("dev", arguments.count)
    ours = training.Ours(precision, *train, max_length, epochs=1)  # sets the precision
    from sentiment.scoring import infer

    loaded = infer.load_model(common.export_folder(max_length))
    measure_products = product_rates(precision)

    def fit() -> None:
        ours.network.fit(ours.batches, steps_per_epoch=ours.steps, verbose=0)

    def lengths_of(some: list[str]) -> Any:
        counts = infer.infer(loaded, some).token_counts
        return np.minimum(counts, max_length).astype(np.float64)

    def seconds_of(run: Callable[[], Any]) -> float:
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    # Twice each: oneDNN prepares its primitives per shape.
    train_flops = 3 * forward_flops(lengths_of(train[0]))
    score_flops = forward_flops(lengths_of(texts))
    infer.infer(loaded, texts)
    fit()

    def work(word: str) -> dict[str, Any]:
        if word == "profile":
            return {
                "training": operation_times(fit)[:TOP],
                "scoring": operation_times(lambda: infer.infer(loaded, texts))[:TOP],
            }
        rates = measure_products()
        return {
            "count": len(train[0]) + len(texts),
            "shapes": {" x ".join(map(str, shape)): rate for shape, rate in rates.items()},
            "best": max(rates.values()),
            "together": together(rates),
            "training": train_flops / seconds_of(fit),
            "scoring": score_flops / seconds_of(lambda: infer.infer(loaded, texts)),
        }

    common.serve(work)


def summarise(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of the rounds' rates (GFLOP/s), and of the rounds' ratios."""
    result: dict[str, Any] = {
        "gflops": {
            name: statistics.median(one["shapes"][name] for one in rounds) / 1e9
            for name in rounds[0]["shapes"]
        }
    }
    for task in ("training", "scoring"):
        result[task] = {
            "gflops": statistics.median(one[task] for one in rounds) / 1e9,
            "share": common.spread([one[task] / one["best"] for one in rounds]),
            "share_of_shapes": common.spread([one[task] / one["together"] for one in rounds]),
        }
    return result


def main() -> None:
    parser = common.make_parser(__doc__)
    parser.add_argument("--max-length", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--count", type=int, default=512, help="reviews scored a round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.side:
        return serve(arguments)
    from sentiment import machine

    has_bfloat16 = bool({"avx512_bf16", "amx_bf16"} & machine.cpu_flags())
    precisions = ["bfloat16", "float32"] if has_bfloat16 else ["float32"]
    common.prepare("reviews", *(f"export-{length}" for length in arguments.max_length))
    lengths: dict[str, Any] = {}
    for max_length in arguments.max_length:
        given = ["--max-length", max_length, "--steps", arguments.steps]
        given += ["--count", arguments.count]
        common.log(f"max length {max_length}")
        measured = common.compare(
            __file__, precisions, given, arguments.rounds, arguments.threads, last="profile"
        )
        lengths[str(max_length)] = {
            name: summarise(side["rounds"]) | {"operations": side["last"]}
            for name, side in measured.items()
        }
    content = {"rounds": arguments.rounds, "lengths": lengths}
    return common.write("roofline", content, arguments.threads)


if __name__ == "__main__":
    main()
