"""One step on several devices: each computes its rows' share of a batch's mean loss, and the
gradients are summed, so that every step is the one that a single device would make.

On one device nothing here does anything. Who the workers of several machines are: workers.py.
"""

from __future__ import annotations

import functools
import io
import json
import signal
from typing import TYPE_CHECKING, Any

from params import Params, flag
from sentiment.errors import UserError, log

if TYPE_CHECKING:
    import numpy as np

# Settings that may change before a run goes on, and differ between its workers: any number of
# devices takes the same steps, and what is learnt from is known by its content, wherever it lies.
ELSEWHERE = {"strategy", "device", "backup_steps", "data", "dev_data", "source"}
ELSEWHERE |= {"data_folder", "encoder_folder", "model_folder"}


def of_run(params: Params) -> dict[str, Any]:
    """The settings that make a run this one and no other."""
    return {name: value for name, value in vars(params).items() if name not in ELSEWHERE}


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


def described(strategy: Any, device: str) -> str:
    """`device` in words; where several train it is said, and stands in the results."""
    count = strategy.num_replicas_in_sync
    if count == 1:
        return device
    name = "multi_worker" if several_workers(strategy) else "mirrored"
    log(f"strategy: {name}, {count} replicas; each step's batch is divided among them")
    return f"{device}; {name}, {count} replicas"


def part(ids: dict[str, Any], label: Any) -> tuple[dict[str, Any], Any, Any]:
    """A replica's rows of a batch, ({int32 [rows, longest]}, float32 [rows] label, weight).

    Keras takes the mean of a replica's weighted losses and divides it by the number of replicas:
    these weights make it the rows' share of the batch's mean. A replica for which there is no row
    gets the first one with the weight 0.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    number = tf.cast(context.replica_id_in_sync_group, tf.int64)
    total = context.num_replicas_in_sync
    rows = tf.shape(label, tf.int64)[0]
    first, end = rows * number // total, rows * (number + 1) // total
    weight = tf.cast(total * (end - first) / rows, tf.float32)
    none = tf.cast(first == end, tf.int64)
    first, end = first * (1 - none), end * (1 - none) + none
    mine = {name: one[first:end] for name, one in ids.items()}
    return mine, label[first:end], tf.fill([end - first], weight)


def fit(
    network: Any, batches: Any, watch: Any, first_epoch: int, epochs: int, steps: int, verbose: int
) -> None:
    """Keras' `fit` on `batches` of `steps` an epoch, with the callback `watch`, on any devices.

    Several replicas read the same batches here, and each takes its rows: TensorFlow's distributed
    iterators, which Keras would use, were seen to hang for good when they were deleted.
    """
    import tensorflow as tf
    import tf_keras

    strategy = network.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        network.fit(
            batches,
            initial_epoch=first_epoch,
            epochs=epochs,
            steps_per_epoch=steps,
            callbacks=[watch],
            verbose=verbose,
        )
        return

    @tf.function(input_signature=batches.element_spec)
    def step(ids: dict[str, Any], label: Any) -> dict[str, Any]:
        shown = strategy.run(lambda *batch: network.train_step(part(*batch)), args=(ids, label))
        return {name: strategy.experimental_local_results(one)[0] for name, one in shown.items()}

    callbacks = tf_keras.callbacks.CallbackList(
        [watch],
        add_progbar=bool(verbose),
        model=network,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
    )
    iterator = iter(batches)
    callbacks.on_train_begin()
    for epoch in range(first_epoch, epochs):
        network.reset_metrics()
        callbacks.on_epoch_begin(epoch)
        for number in range(steps):
            callbacks.on_train_batch_begin(number)
            shown = {name: float(one) for name, one in step(*next(iterator)).items()}
            callbacks.on_train_batch_end(number, shown)
        callbacks.on_epoch_end(epoch, shown)
    callbacks.on_train_end()


def predict(network: Any, batches: Any) -> np.ndarray:
    """float32 [N, labels] (or [N, 1]): the logits of all rows, in the batches' order, in every
    process.
    """
    import numpy as np
    import tensorflow as tf

    strategy = network.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return network.predict(batches, verbose=0)

    def of_replica(ids: dict[str, Any], label: Any) -> Any:
        ids, _, weight = part(ids, label)
        return tf.boolean_mask(network(ids, training=False), weight > 0)

    @tf.function(input_signature=batches.element_spec)
    def score(ids: dict[str, Any], label: Any) -> Any:
        return strategy.gather(strategy.run(of_replica, args=(ids, label)), axis=0)

    return np.concatenate([score(*batch).numpy() for batch in batches])


@functools.cache
def summing(strategy: Any, of_chief: bool) -> Any:
    """`all_reduced` as a graph, traced once a shape: it runs in every step."""
    import tensorflow as tf

    def total(given: Any) -> Any:
        context = tf.distribute.get_replica_context()
        number = context.replica_id_in_sync_group
        each = len(strategy.extended.worker_devices)  # a worker's replicas have the same values
        counts = number == 0 if of_chief else number % each == 0
        return context.all_reduce("sum", given * tf.cast(counts, tf.int64))

    return tf.function(lambda given: strategy.run(total, args=(given,)))


def all_reduced(strategy: Any, values: np.ndarray, of_chief: bool = False) -> np.ndarray:
    """int64 [N]: the sum of all workers' `values`, or the chief's alone."""
    found = summing(strategy, of_chief)(values)
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
    own = of_run(params)
    text = json.dumps([own, seen], sort_keys=True)
    chiefs = json.loads(from_chief(strategy, text.encode()))
    if chiefs == json.loads(text):
        return
    other = [flag(name) for name, value in own.items() if chiefs[0].get(name) != value]
    raise UserError(
        f"this worker differs from the chief in {', '.join(other) or 'its reviews'}: start all "
        "workers with the same command and the same files"
    )


def share_asked(strategy: Any, asked: list[int]) -> None:
    """Add SIGTERM to `asked` where another worker was asked to stop: all stop after one step."""
    if not several_workers(strategy):
        return
    import numpy as np

    count = all_reduced(strategy, np.array([len(asked)], np.int64))[0]
    if count and not asked:
        asked.append(signal.SIGTERM)
