"""Ray: readers that cut files into parts, and workers that score them and write them.

A worker is a process with the model in memory. Where one dies, with a part half done or done and
not yet reported, Ray starts another and gives it that part again; its file then has the same name.
"""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import secrets
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sentiment import machine
from sentiment.command_line import DEBUG
from sentiment.errors import UserError
from sentiment.reviews import tables
from sentiment.scoring import batch, infer, inputs, output_formats, resume
from sentiment.scoring.answers import answers

ROOT = Path(__file__).resolve().parent.parent
NOT_SENT = ["data", "saved_model", "results", "benchmarks", "experiments", "tests", ".git"]
FED = 64  # workers a reader; it could feed more: results/cluster/ has the rows a second of both


class Task(NamedTuple):
    """A file that is scored into another."""

    job: inputs.Job
    target: Path
    done: dict[int, Path]  # finished parts by their number


class Way(NamedTuple):
    """How parts are scored."""

    model: Path
    precision: str
    device: str  # gpu gives each worker one; else none has any
    threads: int  # a worker
    fast: bool


class Scored(NamedTuple):
    """What a worker says of a part that it has written."""

    task: int
    number: int
    path: Path
    rows: int
    refused: inputs.Refused
    early: Counter[bool]  # whether the encoder was left out; empty without --fast
    precision: str


def import_ray(address: str) -> Any:
    """Ray, quiet; without an address, as it is started here. Raises UserError where it is not
    installed.
    """
    if not address:  # it listens on every network, and would run whatever it is sent
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing of a run is sent anywhere
    if DEBUG not in sys.argv:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray.data
    except ImportError:
        raise UserError(
            "Ray is not installed: python -m pip install -r cluster/requirements-cluster.txt"
        ) from None
    if DEBUG not in sys.argv:
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised besides
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.raise_original_map_exception = True
    # Smaller than any part: else many are handed over together, and the last worker is waited for.
    context.target_max_block_size = 1
    return ray


def connect(ray: Any, address: str, workers: int, way: Way) -> int:
    """Start Ray here, or reach it at an address; return how many workers there will be.

    `workers` 0 is as many as there is room for. Raises UserError where there is too little.
    """
    how: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address:
        how |= {"address": address}
        how["runtime_env"] = {"working_dir": str(ROOT), "excludes": NOT_SENT}
    else:
        cores = workers * way.threads or len(os.sched_getaffinity(0))
        how |= {"num_cpus": cores, "include_dashboard": False}
        how["runtime_env"] = {"env_vars": {"PYTHONPATH": str(ROOT)}}
    before = signal.getsignal(signal.SIGTERM)
    try:
        with machine.quiet():
            ray.init(**how)
    except Exception as error:  # whatever Ray raises where nobody answers
        where = f"--address {address}: no Ray cluster" if address else "Ray cannot be started"
        raise UserError(f"{where} ({str(error).splitlines()[0][:200]})") from None
    signal.signal(signal.SIGTERM, before)  # Ray's own would end the run with another exit code
    have = ray.cluster_resources()
    cores, gpus = int(have.get("CPU", 0)), int(have.get("GPU", 0))
    room = cores // way.threads
    if way.device == "gpu":
        room = min(room, gpus)
    if not room or workers > room:
        raise UserError(
            f"--workers {workers or 1}, --threads {way.threads}: there is room for {room}, as Ray "
            f"has {cores} cores and {gpus} GPUs; lower one of them"
        )
    return workers or room


def run(ray: Any, tasks: list[Task], way: Way, workers: int) -> Iterator[Scored]:
    """Score what is not done of all files; the parts come in any order.

    Raises UserError where a file is damaged or a worker cannot load the model.
    """
    todo = [number for number, task in enumerate(tasks) if len(task.done) < parts_in(task.job)]
    if not todo:
        return
    files = ray.data.from_items(todo, override_num_blocks=len(todo))
    # Readers take next to nothing, and with a core each they would wait for workers to end.
    readers = ray.data.TaskPoolStrategy(size=1 + workers // FED)
    parts = files.map_batches(
        read_parts, fn_args=(tasks,), batch_size=1, num_cpus=0, compute=readers
    )
    scored = parts.map_batches(
        Worker,
        fn_constructor_args=(tasks, way),
        batch_size=1,
        num_cpus=way.threads,
        num_gpus=int(way.device == "gpu"),
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    try:
        for row in scored.iter_rows():
            yield pickle.loads(row["scored"])
    except ray.exceptions.RayError as error:
        raise said_of(error) from None


def said_of(error: Any) -> Exception:
    """What to raise for an error in another process: a UserError as it was there."""
    return error.cause if isinstance(getattr(error, "cause", None), UserError) else error


def start_joining(ray: Any, task: Task) -> Any:
    """Have some machine make a file's output of its parts, while other files are scored."""
    return ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(join).remote(task)


def joined(ray: Any, joins: list[Any]) -> list[int]:
    """How many rows of each file were refused, once all outputs are there. Raises UserError."""
    try:
        return ray.get(joins)
    except ray.exceptions.RayError as error:
        raise said_of(error) from None


def join(task: Task) -> int:
    """Make a file's output of its parts, in their order; return how many rows were refused.

    Raises UserError when it cannot be written.
    """
    job, target, done = task
    parts = [done[number] for number in sorted(done)]
    kind = tables.kind_of(target, tables.WRITTEN)
    form = output_formats.written_form(job, kind)
    try:
        output_formats.join(parts, kind, job.columns, form, target)
        shutil.rmtree(resume.parts_folder(target))
    except OSError as error:
        raise UserError(
            f"cannot write {target} ({error.strerror}): make room, and --resume goes on"
        ) from None
    return sum(map(resume.refused_in, parts))


def parts_in(job: inputs.Job) -> int:
    return -(-job.count // batch.PART)


def read_parts(items: dict[str, Any], tasks: list[Task]) -> Iterator[dict[str, list[Any]]]:
    """In a reader: the parts of a file that are not done, one after the other."""
    for task in map(int, items["item"]):
        with closing(tasks[task].job.rows()) as rows:
            for number in itertools.count():
                if not (part := list(itertools.islice(rows, batch.PART))):
                    break
                if number not in tasks[task].done:
                    yield {"task": [task], "number": [number], "rows": [pickle.dumps(part)]}


class Worker:
    """A process that has the model: Ray makes it once, and calls it for each part."""

    def __init__(self, tasks: list[Task], way: Way) -> None:
        # Read when TensorFlow starts: left alone, every worker would have a thread for every core.
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(way.threads)
        os.environ["TF_NUM_INTEROP_THREADS"] = "1"
        device = "gpu" if way.device == "gpu" else "cpu"
        _, self.precision = machine.start(way.precision, device=device, lean=True)
        self.model, self.tasks, self.fast = infer.load_model(way.model), tasks, way.fast

    def __call__(self, part: dict[str, Any]) -> dict[str, list[bytes]]:
        """Score a part, as model_predict.py does, and write it: a Scored, pickled."""
        task, number = int(part["task"][0]), int(part["number"][0])
        rows = pickle.loads(part["rows"][0])
        job, target, _ = self.tasks[task]
        early: Counter[bool] = Counter()
        answer = partial(answers, self.model, fast=early if self.fast else None)
        scored, refused = job.score(rows, answer, lambda done: None)
        kind = tables.kind_of(target, tables.WRITTEN)
        form = output_formats.written_form(job, kind)
        content = output_formats.part_of(kind, scored, job.columns, form)
        path = resume.write_part(target, number, len(refused), content)
        said = Scored(task, number, path, len(rows), refused, early, self.precision)
        return {"scored": [pickle.dumps(said)]}
