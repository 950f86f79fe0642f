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

import collections
import math
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import common
import numpy as np
import prepare
import training

LAYERS, WIDTH, INNER = 6, 384, 1536
WEIGHTS = LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)  # 10,616,832
# (rows, depth, columns) -> how often a layer multiplies it.
SHAPES = {(8192, WIDTH, WIDTH): 4, (8192, WIDTH, INNER): 1, (8192, INNER, WIDTH): 1}
SQUARE = (4096, 4096, 4096)
# "node:Type"; whatever else is traced is no operation. tf.data's are left out.
OPERATION = re.compile(r"(?!.*::)[^#]+:(?!\w*Dataset)([A-Za-z_]\w*)")
# Operations that only wait for others: counting them would count those twice.
ENCLOSING = {"PartitionedCall", "StatefulPartitionedCall", "While", "If", "StatelessIf"}
ENCLOSING |= {"StatelessWhile", "IteratorGetNext", "MakeIterator"}


def product_rates(precision: str) -> Callable[[], dict[tuple, float]]:
    """A function that measures FLOP/s of each shape."""
    import tensorflow as tf

    multiply = tf.function(tf.matmul)
    pairs = {}
    for rows, depth, columns in (*SHAPES, SQUARE):
        pair = tf.random.normal([rows, depth]), tf.random.normal([depth, columns])
        pairs[rows, depth, columns] = [tf.cast(matrix, precision) for matrix in pair]
        multiply(*pairs[rows, depth, columns])

    def rate(shape: tuple) -> float:
        repeats = range(1 if shape == SQUARE else 8)
        # On a CPU a product returns when it is done.
        seconds, _ = common.timed(lambda: [multiply(*pairs[shape]) for _ in repeats])
        return 2.0 * math.prod(shape) * len(repeats) / seconds

    return lambda: {shape: rate(shape) for shape in pairs}


def operation_times(run: Callable[[], Any]) -> list[tuple[str, float]]:
    """(operation type, share of all operations' summed time) of a second run, the largest first."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    run()  # oneDNN prepares its primitives per shape
    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    times: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder, options):
            run()
        (path,) = Path(folder).rglob("*.xplane.pb")
        planes = xplane_pb2.XSpace.FromString(path.read_bytes()).planes
    for plane in planes:
        for event in (event for line in plane.lines for event in line.events):
            found = OPERATION.fullmatch(plane.event_metadata[event.metadata_id].name)
            if "CPU" in plane.name and found and found[1] not in ENCLOSING:
                times[found[1]] += event.duration_ps
    return [(kind, time / times.total()) for kind, time in times.most_common(14)]


def be_side(precision: str, max_length: int, steps: int, count: int) -> common.Work:
    """Be one precision at one length."""
    train = common.reviews("train", steps * common.BATCH_SIZE)
    texts, _ = common.reviews("dev", count)
    ours = training.Ours(f"ours-{precision}", train, max_length)  # sets the precision
    from sentiment.scoring import infer

    loaded = infer.load_model(common.artefact(f"export-{max_length}"))
    measure_products = product_rates(precision)

    def flops(some: list[str]) -> float:
        """Floating-point operations of one forward pass over these reviews."""
        counts = infer.infer(loaded, some).token_counts
        lengths = np.minimum(counts, max_length).astype(np.float64)
        return float((lengths * (2 * WEIGHTS + 4 * lengths * WIDTH * LAYERS)).sum())

    work = {"training": (3 * flops(train[0]), ours.train)}
    work["scoring"] = flops(texts), lambda: infer.infer(loaded, texts)
    operations = {task: operation_times(run) for task, (_, run) in work.items()}

    def one_round() -> dict[str, Any]:
        rates = measure_products()
        layer = {shape: 2.0 * times * math.prod(shape) for shape, times in SHAPES.items()}
        found = {task: flops / common.timed(run)[0] for task, (flops, run) in work.items()}
        return found | {
            "count": len(train[0]) + len(texts),
            "ready": {"operations": operations},
            "shapes": {" x ".join(map(str, shape)): rate for shape, rate in rates.items()},
            "best": max(rates.values()),
            "together": sum(layer.values()) / sum(layer[shape] / rates[shape] for shape in layer),
        }

    return one_round


def summarise(measured: common.Measured) -> dict[str, Any]:
    """Medians of the rounds' rates (GFLOP/s), and of the rounds' ratios."""
    summary: dict[str, Any] = {}
    for precision, rounds in measured.items():
        of = {name: [found[name] for found in rounds] for name in rounds[0]}
        rates = {name: [shapes[name] for shapes in of["shapes"]] for name in of["shapes"][0]}
        summary[precision] = of["ready"][0]
        summary[precision]["gflops"] = {name: median(some) / 1e9 for name, some in rates.items()}
        for task in ("training", "scoring"):
            summary[precision][task] = {
                "gflops": median(of[task]) / 1e9,
                "share": common.spread(of[task], of["best"]),
                "share_of_shapes": common.spread(of[task], of["together"]),
            }
    return summary


def main() -> None:
    flags = (("--steps", 10, "training steps a round"), ("--count", 512, "reviews scored a round"))
    arguments = common.parse(__doc__, common.LENGTHS, common.ROUNDS, *flags)
    has_bfloat16 = common.machine.has_bfloat16()
    arguments.sides = ["bfloat16", "float32"] if has_bfloat16 else ["float32"]
    prepare.need("reviews", *(f"export-{length}" for length in arguments.max_length))
    given = (arguments.steps, arguments.count)
    common.compare("roofline", be_side, arguments, *given, summary=summarise)


if __name__ == "__main__":
    main()
