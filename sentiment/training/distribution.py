"""Training on several devices, of one machine or of several: who is there, and who does what.

Every replica computes its rows' share of a batch's mean loss, and the gradients are summed: each
step is the one that a single device would make of the same reviews. One process, the chief, says
how it goes and writes; on one device nothing here does anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from params import Params
from sentiment import errors, machine
from sentiment.errors import UserError, log

if TYPE_CHECKING:
    import numpy as np

CONFIG = "TF_CONFIG"
FORM = '{"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}'
WAIT = 300  # seconds that workers wait for each other at the start: machines are not equally quick
ELSEWHERE = ("data", "dev_data", "strategy", "device", "backup_steps")  # may differ by worker


class Cluster(NamedTuple):
    """What TF_CONFIG says: host:port of all workers, the chief first, and which this process is."""

    workers: list[str]
    number: int


def read_config(text: str) -> Cluster:
    """Read TF_CONFIG. Raises UserError where it is malformed."""
    try:
        content = json.loads(text)
        jobs, task = content["cluster"], content["task"]
        if not set(jobs) <= {"chief", "worker"}:
            raise ValueError("it names jobs other than chief and worker")
        workers = [*jobs.get("chief", []), *jobs.get("worker", [])]
        for address in workers:
            host, _, port = address.rpartition(":")
            if not (host and 0 < int(port) < 65536):
                raise ValueError(f"{address!r} is no host:port")
        own = jobs[task["type"]]
        if not 0 <= int(task["index"]) < len(own):
            raise ValueError(f"there is no {task['type']} {task['index']}")
        before = len(jobs.get("chief", [])) if task["type"] == "worker" else 0
        return Cluster(workers, before + int(task["index"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"{CONFIG} cannot be read ({reason}): give {FORM}, or --strategy one_device"
        ) from None


def connect(params: Params) -> tuple[Params, Any]:
    """(settings, tf.distribute.MultiWorkerMirroredStrategy) of one of several workers.

    (`params`, None) in a process that is alone: `auto` takes TF_CONFIG where it names several
    workers. It comes before all else of TensorFlow, which is started here. A worker that is not the
    chief falls silent, and writes into a folder that goes away with it. Raises UserError where
    TF_CONFIG is missing or malformed; a worker that does not come in `WAIT` seconds ends the
    process.
    """
    text = os.environ.get(CONFIG, "")
    if params.strategy not in ("auto", "multi_worker") or (params.strategy == "auto" and not text):
        return params, None
    if not text:
        raise UserError(
            f"--strategy multi_worker: {CONFIG} is not set, which names the workers, such as "
            f"{FORM}; set it, or use auto"
        )
    cluster = read_config(text)
    if len(cluster.workers) == 1:
        if params.strategy == "auto":
            return params, None
        raise UserError(f"--strategy multi_worker: {CONFIG} names one worker; use auto")
    others = [one for one in cluster.workers if one != cluster.workers[cluster.number]]
    log(
        f"worker {cluster.number + 1} of {len(cluster.workers)}: waiting for {', '.join(others)}, "
        f"at most {WAIT / 60:g} minutes"
    )
    strategy = joined(cluster, others)
    if not strategy.extended.should_checkpoint:
        log(f"the chief, {cluster.workers[0]}, says how it goes, and writes the model")
        errors.muted = True
        params = dataclasses.replace(params, model_folder=own_folder().name)
    return params, strategy


def own_folder(kept: list[tempfile.TemporaryDirectory] = []) -> tempfile.TemporaryDirectory:  # noqa: B006
    """A folder that goes away with this process."""
    kept.append(tempfile.TemporaryDirectory(prefix="worker-"))
    return kept[-1]


def joined(cluster: Cluster, others: list[str]) -> Any:
    """The strategy, once all workers are there."""
    made = []
    with ending_after(WAIT, others):
        try:
            machine.import_tensorflow(
                open_device=lambda tf: made.append(tf.distribute.MultiWorkerMirroredStrategy())
            )
        except Exception as error:  # TensorFlow's own
            raise UserError(
                f"worker {cluster.workers[cluster.number]} cannot join the others "
                f"({str(error).splitlines()[0][:150]}): is its port taken, and {CONFIG} the same "
                "for all?"
            ) from error
    for number in (signal.SIGINT, signal.SIGTERM):  # TensorFlow has taken SIGTERM
        signal.signal(number, signal.getsignal(number))
    return made[0]


@contextlib.contextmanager
def ending_after(seconds: float, others: list[str]) -> Iterator[None]:
    """End the process, with one line, where the block takes longer: TensorFlow waits for an hour,
    and no exception reaches it there.
    """
    err = os.dup(2)  # machine.quiet takes 2 meanwhile

    def end() -> None:
        missing = ", ".join(one for one in others if not answers(one)) or "all workers"
        line = (
            f"model_train.py: {missing} cannot be reached after {seconds:g} seconds: start every "
            f"worker with the same {CONFIG} but for its own index, or use --strategy one_device\n"
        )
        os.write(err, line.encode())
        os._exit(2)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        os.close(err)


def answers(address: str) -> bool:
    """Whether something listens at host:port."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=3):
        return True
    return False


def on_this_machine(params: Params) -> Any:
    """The strategy of a process that is alone: `auto` takes all GPUs where there are several.

    Raises UserError where --strategy mirrored has one device.
    """
    import tensorflow as tf

    gpus, cpus = (tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
    several = gpus if len(gpus) > 1 else cpus if not gpus and len(cpus) > 1 else []
    if params.strategy == "mirrored" and not several:
        seen = (gpus or cpus)[0].name.removeprefix("/device:")
        raise UserError(f"--strategy mirrored: there is one device here, {seen}; use auto")
    if params.strategy == "mirrored" or (params.strategy == "auto" and len(gpus) > 1):
        return tf.distribute.MirroredStrategy([device.name for device in several])
    return tf.distribute.get_strategy()


def is_chief(strategy: Any) -> bool:
    """Whether this process writes what is written: alone it does."""
    return not several_workers(strategy) or strategy.extended.should_checkpoint


def several_workers(strategy: Any) -> bool:
    return getattr(strategy, "cluster_resolver", None) is not None


def describe(strategy: Any) -> None:
    """Say what trains, where it is more than one device."""
    if (count := strategy.num_replicas_in_sync) > 1:
        name = "multi_worker" if several_workers(strategy) else "mirrored"
        log(f"strategy: {name}, {count} replicas; each step's batch is divided among them")


def parts(batches: Any, strategy: Any) -> Any:
    """Each replica's rows of each batch, ({int32 [rows, longest]}, label and weight float32 [rows]);
    on one device `batches`, as they are.

    Keras takes the mean of a replica's weighted losses and divides it by the number of replicas:
    these weights make it the rows' share of the batch's mean. A replica for which there is no row
    gets the first one with the weight 0.
    """
    import tensorflow as tf

    total = strategy.num_replicas_in_sync
    if total == 1:
        return batches

    def part(ids: dict[str, Any], label: Any, number: Any) -> tuple[dict[str, Any], Any, Any]:
        rows = tf.shape(label, tf.int64)[0]
        first, end = rows * number // total, rows * (number + 1) // total
        weight = tf.cast(total * (end - first) / rows, tf.float32)
        none = tf.cast(first == end, tf.int64)
        first, end = first * (1 - none), end * (1 - none) + none
        return (
            {name: one[first:end] for name, one in ids.items()},
            label[first:end],
            tf.fill([end - first], weight),
        )

    def of_worker(context: Any) -> Any:
        each = total // context.num_input_pipelines
        first = context.input_pipeline_id * each
        numbers = tf.data.Dataset.range(first, first + each)
        of_batch = batches.flat_map(
            lambda ids, label: numbers.map(lambda number: part(ids, label, number))
        )
        return of_batch.prefetch(tf.data.AUTOTUNE)

    return strategy.distribute_datasets_from_function(of_worker)


def predict(network: Any, batches: Any) -> np.ndarray:
    """float32 [N, labels] (or [N, 1]): the logits of all rows, in the batches' order, in every
    process.
    """
    import numpy as np
    import tensorflow as tf

    strategy = network.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return network.predict(batches, verbose=0)

    def of_replica(ids: dict[str, Any], label: Any, weight: Any) -> Any:
        return tf.boolean_mask(network(ids, training=False), weight > 0)

    @tf.function(reduce_retracing=True)
    def score(part: Any) -> Any:
        return strategy.gather(strategy.run(of_replica, args=part), axis=0)

    return np.concatenate([score(part).numpy() for part in parts(batches, strategy)])


def all_reduced(strategy: Any, values: np.ndarray, of_chief: bool = False) -> np.ndarray:
    """int64 [N]: the sum of all workers' `values`, or the chief's alone."""
    import tensorflow as tf

    def total(given: Any) -> Any:
        context = tf.distribute.get_replica_context()
        number = context.replica_id_in_sync_group
        each = context.num_replicas_in_sync // strategy.extended._num_workers
        counts = number == 0 if of_chief else number % each == 0
        return context.all_reduce("sum", given * tf.cast(counts, tf.int64))

    found = tf.function(lambda given: strategy.run(total, args=(given,)))(tf.constant(values))
    return strategy.experimental_local_results(found)[0].numpy()


def from_chief(strategy: Any, content: bytes) -> bytes:
    """The chief's `content`, in every worker."""
    import numpy as np

    if not several_workers(strategy):
        return content
    size = int(all_reduced(strategy, np.array([len(content)], np.int64), of_chief=True)[0])
    values = np.zeros(-(-size // 8) * 8, np.uint8)
    if is_chief(strategy):
        values[:size] = np.frombuffer(content, np.uint8)
    return all_reduced(strategy, values.view(np.int64), of_chief=True).tobytes()[:size]


def state_from_chief(strategy: Any, state: Any) -> Any:
    """The chief's (progress, arrays) or None of a backup, in every worker: their disks may be
    others.
    """
    import numpy as np

    if not several_workers(strategy):
        return state
    file = io.BytesIO()
    progress, arrays = state or (None, {})
    np.savez(file, progress=np.frombuffer(json.dumps(progress).encode(), np.uint8), **arrays)
    with np.load(io.BytesIO(from_chief(strategy, file.getvalue())), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    progress = json.loads(arrays.pop("progress").tobytes())
    return progress and (progress, arrays)


def require_same(strategy: Any, params: Params, seen: Any) -> None:
    """Raises UserError in a worker whose settings, or whose reviews (`seen` is any JSON of them),
    are not the chief's.
    """
    own = {
        name: value
        for name, value in dataclasses.asdict(params).items()
        if name not in ELSEWHERE and not name.endswith("_folder")
    }
    text = json.dumps([own, seen], sort_keys=True)
    chiefs = json.loads(from_chief(strategy, text.encode()))
    if chiefs == json.loads(text):
        return
    other = [f"--{name.replace('_', '-')}" for name, value in own.items() if chiefs[0].get(name) != value]
    raise UserError(
        f"this worker's {', '.join(other) or 'reviews'} are not the chief's: start all workers with "
        "the same command and the same files"
    )


def asked_of_any(strategy: Any, asked: list[int]) -> list[int]:
    """The signals that asked this process, or another worker, to stop: all stop after one step."""
    import numpy as np

    if not several_workers(strategy):
        return asked
    count = all_reduced(strategy, np.array([len(asked)], np.int64))[0]
    return asked or [signal.SIGTERM] * int(count)
