"""Several processes that train together: what TF_CONFIG says of them, and how they find each other.

One of them, the chief, says how it goes and writes.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

from params import Params
from sentiment import errors, machine
from sentiment.errors import UserError, log

CONFIG = "TF_CONFIG"
FORM = '{"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}'
WAIT = 300  # seconds that workers wait for each other at the start: machines are not equally quick


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
    if params.strategy not in ("auto", "multi_worker") or not text and params.strategy == "auto":
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
    errors.of_workers = True
    strategy = joined(cluster, others)
    if not strategy.extended.should_checkpoint:
        log(f"the chief, {cluster.workers[0]}, says how it goes, and writes the model")
        errors.muted = True
        folder = tempfile.mkdtemp(prefix="worker-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        params = dataclasses.replace(params, model_folder=folder)
    return params, strategy


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
