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
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from params import Params
from sentiment import errors, machine
from sentiment.errors import UserError, log

CONFIG = "TF_CONFIG"
FORM = '{"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}'
WAIT = 300  # seconds that workers wait for each other at the start: machines are not equally quick
GO, OTHER = b"go\n", b"other\n"  # what the chief answers a worker
# A process of its own: TensorFlow holds Python's lock while it joins, for an hour if need be, so
# that neither a thread nor a signal reaches it. It ends when the pipe does.
WATCH = """
import os, select, sys
pid, seconds, line = sys.argv[1:]
if not select.select([0], [], [], float(seconds))[0]:
    os.write(2, line.encode())
    os.kill(int(pid), 9)
"""


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
    TF_CONFIG is missing or malformed, or a worker does not come in `WAIT` seconds.
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
    strategy = joined(cluster)
    if not strategy.extended.should_checkpoint:
        log(f"the chief, {cluster.workers[0]}, says how it goes, and writes the model")
        errors.muted = True
        folder = tempfile.mkdtemp(prefix="worker-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        params = dataclasses.replace(params, model_folder=folder)
    return params, strategy


def joined(cluster: Cluster) -> Any:
    """The strategy, once all workers are there."""
    made, err = [], os.dup(2)  # machine.quiet takes 2 meanwhile

    def join(tf: Any) -> None:
        meet(cluster)
        with killed_after(WAIT, err):
            made.append(tf.distribute.MultiWorkerMirroredStrategy())

    try:
        machine.import_tensorflow(open_device=join)
    except UserError:
        raise
    except Exception as error:  # TensorFlow's own
        raise UserError(
            f"worker {cluster.workers[cluster.number]} cannot join the others "
            f"({str(error).splitlines()[0][:150]}): is its port taken, and {CONFIG} the same "
            "for all?"
        ) from error
    finally:
        os.close(err)
    for number in (signal.SIGINT, signal.SIGTERM):  # TensorFlow has taken SIGTERM
        signal.signal(number, signal.getsignal(number))
    return made[0]


def meet(cluster: Cluster) -> None:
    """Wait until all workers have told the chief that they are there: TensorFlow, which comes to
    the same ports next, would wait for an hour. Raises UserError where one does not come in `WAIT`
    seconds, the port of this one is taken, or the chief's TF_CONFIG is another.
    """
    until, own = time.monotonic() + WAIT, cluster.workers[cluster.number]
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    port = int(own.rpartition(":")[2])
    try:
        with socket.create_server(("", port), family=family, dualstack_ipv6=both) as server:
            missing = met_by_chief(cluster, server, until) if not cluster.number else None
    except OSError as error:
        raise UserError(
            f"worker {own} cannot listen there ({error.strerror}): stop what does, or name another "
            f"port in every {CONFIG}"
        ) from error
    if cluster.number:
        missing = meet_chief(cluster, until)
    if missing:
        raise UserError(
            f"{missing} cannot be reached after {WAIT:g} seconds: start every worker with the same "
            f"{CONFIG} but for its own index, or use --strategy one_device"
        )


def met_by_chief(cluster: Cluster, server: socket.socket, until: float) -> str:
    """The workers that have not come, in words; those that have may go on once all are there."""
    here: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as stack:
        while len(here) < len(cluster.workers) - 1 and time.monotonic() < until:
            server.settimeout(max(until - time.monotonic(), 0.01))
            with contextlib.suppress(Exception):  # a stranger may say anything
                other = stack.enter_context(server.accept()[0])
                other.settimeout(3)
                workers, number = json.loads(other.makefile("rb").readline(1 << 20))
                if workers == cluster.workers and number in range(1, len(workers)):
                    here[number] = other  # a worker that was started again comes twice
                else:
                    other.sendall(OTHER)
        for other in here.values() if len(here) == len(cluster.workers) - 1 else ():
            with contextlib.suppress(OSError):
                other.sendall(GO)
    absent = set(range(1, len(cluster.workers))) - set(here)
    return ", ".join(cluster.workers[number] for number in sorted(absent))


def meet_chief(cluster: Cluster, until: float) -> str:
    """Who has not come, in words; empty once the chief has said that all are there."""
    host, _, port = cluster.workers[0].rpartition(":")
    own = json.dumps([cluster.workers, cluster.number]).encode() + b"\n"
    missing = cluster.workers[0]
    while (left := until - time.monotonic()) > 0:
        missing = cluster.workers[0]
        with (
            contextlib.suppress(OSError),
            socket.create_connection((host.strip("[]"), int(port)), timeout=min(left, 3)) as chief,
        ):
            chief.sendall(own)
            missing = "another worker"
            chief.settimeout(max(until - time.monotonic(), 0.01))
            answer = chief.makefile("rb").readline(100)
            if answer == GO:
                return ""
            if answer == OTHER:
                raise UserError(
                    f"worker {cluster.workers[cluster.number]}: the {CONFIG} of the chief, "
                    f"{cluster.workers[0]}, names other workers: give every worker the same"
                )
        time.sleep(0.2)  # it has not come yet, or has gone
    return missing


@contextlib.contextmanager
def killed_after(seconds: float, err: int) -> Iterator[None]:
    """Have this process killed, with one line to the file `err`, where the block takes longer."""
    line = (
        f"model_train.py: a worker that was there is gone again, or cannot be joined after "
        f"{seconds:g} seconds: start all workers again with the same command\n"
    )
    words = [sys.executable, "-c", WATCH, str(os.getpid()), str(seconds), line]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=err, start_new_session=True):
        yield
