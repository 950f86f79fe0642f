"""Score files on all cores of this machine, or of many, as model_predict.py --input does.

    python cluster/score.py --input reviews.parquet --output scored.parquet
    python cluster/score.py --input part-*.parquet --output scored/           # a file each
    python cluster/score.py --address HOST:6379 --input ... --output ...      # a Ray cluster

Reading, batches, answers and files are model_predict.py's own. Ray hands parts of the files to
workers, each of which has the model in memory, and gives a part to another one where a worker dies.
On a cluster, input, output and model must lie where every machine has them under the same path.
Needs cluster/requirements-cluster.txt.
Exit codes: 0 all answered; 1 some refused, the others answered; 2 nothing answered.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project's own modules

import params as settings  # noqa: E402
from cluster import engine  # noqa: E402
from cluster.engine import Task, Way  # noqa: E402
from params import Params  # noqa: E402
from sentiment import command_line  # noqa: E402
from sentiment.errors import UserError, log  # noqa: E402
from sentiment.model import versions  # noqa: E402
from sentiment.reviews import own_files  # noqa: E402
from sentiment.scoring import batch, infer, resume  # noqa: E402
from sentiment.scoring.answers import early_words  # noqa: E402
from sentiment.scoring.inputs import Job  # noqa: E402


def main() -> int:
    parser = command_line.make_parser(__doc__, settings.PREDICT)
    add = parser.add_argument_group("What is asked for").add_argument
    add("--input", metavar="FILE", nargs="+", required=True, help="score the reviews of these")
    add("--output", metavar="PATH", type=Path, required=True, help="a file; of several, a folder")
    add("--all-probabilities", action="store_true", help="give the probability of every label")
    add("--fast", action="store_true", help="ask the encoder only where the n-gram side is unsure")
    add("--resume", action="store_true", help="go on with an --output that was cut off")
    add("--address", default="", help="of a Ray cluster: HOST:PORT or auto (default: none, here)")
    add("--workers", metavar="N", type=int, default=0, help="(default: as there is room for)")
    add("--threads", metavar="N", type=int, default=1, help="cores of a worker (default: 1)")
    params, arguments = command_line.parse(parser)
    if arguments.workers < 0 or arguments.threads < 1:
        parser.error("--workers is 0 or more, --threads 1 or more")
    if "-" in arguments.input:
        parser.error("--input: give files; model_predict.py --input - reads standard input")
    model = versions.find_model(params.model_folder).absolute()
    details = versions.load_details(model)
    if arguments.fast:
        infer.require_fast(details)
    ray = engine.import_ray(arguments.address)
    labels = details["labels"] if arguments.all_probabilities else []
    way = Way(model, params.precision, params.device, arguments.threads, arguments.fast)
    tasks: list[Task] = []
    try:
        open_tasks(tasks, params, arguments, labels, model)
        if not tasks:
            return 0
        workers = engine.connect(ray, arguments.address, arguments.workers, way)
        log(f"workers {workers}, threads of each {way.threads}, files {len(tasks)}")
        return score(ray, tasks, way, workers)
    finally:
        for task in tasks:
            resume.release(task.job)
        ray.shutdown()


def open_tasks(
    tasks: list[Task],
    params: Params,
    arguments: argparse.Namespace,
    labels: list[str],
    model: Path,
) -> None:
    """Add a task to `tasks` for every input. Raises UserError as resume.py does."""
    inputs, output = list(map(Path, arguments.input)), arguments.output.absolute()
    targets = [output / one.name for one in inputs] if len(inputs) > 1 else [output]
    if len(set(targets)) < len(targets):
        raise UserError("--input: two files have one name, and so would their outputs: rename one")
    way = params.precision + (", fast" if arguments.fast else "") + ", parts in any order"
    for source, target in zip(inputs, targets, strict=True):
        if arguments.resume and len(inputs) > 1 and target.exists():
            log(f"{target} is there: {source} was scored before")
            continue
        form = own_files.form_of(params)
        job = Job(str(source.absolute()), params.text_column, labels, form)
        parts = resume.open_parts(job, target, arguments.resume, model, way, in_order=False)
        tasks.append(Task(job, target, {resume.number_in(part): part for part in parts}))


def score(ray: object, tasks: list[Task], way: Way, workers: int) -> int:
    """Score all files, each joined once its last part is there; return the exit code."""
    before = sum(rows_in(task, number) for task in tasks for number in task.done)
    total = sum(task.job.count for task in tasks)
    progress = infer.make_progress(total, before)
    if before:
        log(f"{before:,} rows were scored before")
    joins = {n: engine.start_joining(ray, one) for n, one in enumerate(tasks) if is_complete(one)}
    done, early, precisions = before, Counter(), Counter()
    for part in engine.run(ray, tasks, way, workers):
        task = tasks[part.task]
        if part.rows != rows_in(task, part.number):
            raise UserError(f"{task.job.path} was changed while it was scored: begin anew")
        task.job.name(part.refused)
        task.done[part.number] = part.path
        done += part.rows
        early += part.early
        precisions[part.precision] += 1
        progress(done)
        if is_complete(task):
            joins[part.task] = engine.start_joining(ray, task)
    if missing := [str(task.job.path) for task in tasks if not is_complete(task)]:
        raise UserError(f"{', '.join(missing)}: rows are missing; --resume scores them")
    counts = dict(zip(joins, engine.joined(ray, list(joins.values())), strict=True))
    for number, task in enumerate(tasks):
        said = f"{task.job.count:,} rows, {counts[number]:,} of them refused (column error)"
        print(f"{said}: {task.target}")
    if len(precisions) > 1:
        log("workers computed in float32 and in bfloat16, which differ: name one by --precision")
    if early:
        log(early_words(early))
    if sum(counts.values()) == total:
        raise UserError("no review could be scored")
    return 1 if any(counts.values()) else 0


def rows_in(task: Task, number: int) -> int:
    """How many rows this part of a file has: the last one has the rest."""
    return min(batch.PART, task.job.count - number * batch.PART)


def is_complete(task: Task) -> bool:
    return len(task.done) == engine.parts_in(task.job)


if __name__ == "__main__":
    command_line.run(main)
