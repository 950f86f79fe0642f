"""The engines that were tried and not taken: Apache Beam and Spark score the same pieces.

    python cluster/trials.py beam --model-folder saved_model/quick     # in an environment with
    python cluster/trials.py spark --model-folder saved_model/quick    # apache-beam, or pyspark

Both are used as their guides have it, RunInference and predict_batch_udf, with two workers of one
thread on this machine, in batches of as many rows as model_predict.py's parts. --kill kills one
worker when it has begun. The reviews are the file that measure.py leaves in --work, and the answers
are compared with model_predict.py's there. Adds to results/cluster/trials.json.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the project's own modules
sys.path.insert(0, str(ROOT / "cluster"))
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])  # in workers too
os.environ["PYSPARK_PYTHON"] = sys.executable  # else Spark's are whatever python3 is

import measure  # noqa: E402

from sentiment import files, machine  # noqa: E402
from sentiment.scoring import batch  # noqa: E402

RESULT = ROOT / "results" / "cluster" / "trials.json"
Answered = dict[str, tuple[str, float]]  # id -> label, probability


def load(folder: str) -> Callable[[list[str]], Iterable[dict[str, Any]]]:
    """What answers texts, in a worker, on one thread."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    from sentiment.scoring import infer
    from sentiment.scoring.answers import answers

    machine.start("auto", device="cpu", lean=True)
    return partial(answers, infer.load_model(folder))


def beam(rows: list[tuple[str, str]], folder: str, out: Path) -> None:
    """RunInference with a handler of our own; two processes of the local runner."""
    import apache_beam
    from apache_beam.ml.inference.base import KeyedModelHandler, ModelHandler, RunInference
    from apache_beam.options.pipeline_options import PipelineOptions

    class Handler(ModelHandler):
        def load_model(self) -> Any:
            return load(folder)

        def run_inference(
            self, texts: Sequence[str], model: Any, inference_args: Any = None
        ) -> Iterable[tuple[str, float]]:
            return [(one["label"], one["probability"]) for one in model(list(texts))]

        def batch_elements_kwargs(self) -> dict[str, int]:
            return {"min_batch_size": batch.PART, "max_batch_size": batch.PART}

    options = PipelineOptions(
        runner="FnApiRunner", direct_num_workers=2, direct_running_mode="multi_processing"
    )
    with apache_beam.Pipeline(options=options) as pipeline:
        (
            pipeline
            | apache_beam.Create(rows)
            | apache_beam.Reshuffle()
            | RunInference(KeyedModelHandler(Handler()))
            | apache_beam.Map(lambda pair: f"{pair[0]},{pair[1][0]},{pair[1][1]!r}")
            | apache_beam.io.WriteToText(str(out / "part"))
        )


def spark(rows: list[tuple[str, str]], folder: str, out: Path) -> None:
    """predict_batch_udf; two cores of a local master, whose tasks are tried four times."""
    from pyspark.ml.functions import predict_batch_udf
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

    def make() -> Callable[..., Any]:
        model = load(folder)

        def predict(texts: Any) -> list[dict[str, Any]]:
            names = ("label", "probability")
            return [{name: one[name] for name in names} for one in model(texts.tolist())]

        return predict

    session = SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false")
    session = session.config("spark.default.parallelism", "8").getOrCreate()
    # As words the type is refused, but only once rows come.
    answer = StructType().add("label", "string").add("probability", "double")
    scored = predict_batch_udf(make, return_type=answer, batch_size=batch.PART)
    frame = session.createDataFrame(rows, "id string, text string")
    frame = frame.withColumn("answer", scored("text")).select("id", "answer.*")
    frame.write.option("header", "false").csv(str(out / "parts"))
    session.stop()


def kill_one(after: float, killed: list[int]) -> None:
    """Kill a worker that has computed for so many seconds: one that has the model."""
    while not killed:
        time.sleep(0.2)
        for one in measure.started_by(os.getpid())[1:]:
            name = Path(f"/proc/{one}/cmdline")
            is_python = name.exists() and b"python" in name.read_bytes().split(b"\0")[0]
            if is_python and measure.cpu_seconds(one) > after:
                os.kill(one, signal.SIGKILL)
                killed.append(one)
                return


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engine", choices=("beam", "spark"))
    parser.add_argument("--model-folder", default="saved_model")
    parser.add_argument("--rows", type=int, default=16_384)
    parser.add_argument("--kill", action="store_true", help="kill a worker")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "cluster")
    arguments = parser.parse_args()
    work = arguments.work.absolute()
    expected: Answered = {}
    with (work / "predicted.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[: arguments.rows]
    rows = [row for row in rows if not row["error"]]
    expected = {row["id"]: (row["label"], float(row["probability"])) for row in rows}
    out = work / f"{arguments.engine}-{time.time_ns()}"
    out.mkdir()
    killed: list[int] = []
    if arguments.kill:
        threading.Thread(target=kill_one, args=(10, killed), daemon=True).start()
    load_before, began, error = os.getloadavg()[0], time.perf_counter(), ""
    try:
        texts = [(row["id"], row["text"]) for row in rows]
        {"beam": beam, "spark": spark}[arguments.engine](texts, arguments.model_folder, out)
    except Exception as failed:
        error = f"{type(failed).__name__}: {str(failed).strip().splitlines()[-1][:200]}"
    seconds = time.perf_counter() - began
    lines = [line for path in out.rglob("part-*") for line in path.read_text().splitlines()]
    found = [line.split(",") for line in lines]
    apart = [abs(float(value) - expected[one][1]) for one, _, value in found]
    package = {"beam": "apache-beam", "spark": "pyspark"}[arguments.engine]
    result = {
        "version": importlib.metadata.version(package),
        "hardware": {"cpu": machine.cpu_name(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "runs": 1,
        "workers": 2,
        "rows": len(rows),
        "seconds_with_start": seconds,
        "load_average": [load_before, os.getloadavg()[0]],
        "killed_a_worker": bool(killed),
        "error": error,
        "answered": len(found),
        "different_ids": len({one for one, *_ in found}),
        "other_labels": sum(label != expected[one][0] for one, label, _ in found),
        "largest_probability_difference": max(apart, default=None),
        "equal_to_the_bit": sum(not one for one in apart),
    }
    stored = files.read_json(RESULT) or {}
    stored[arguments.engine + (", a worker killed" if arguments.kill else "")] = result
    RESULT.parent.mkdir(exist_ok=True)
    files.write_json(RESULT, stored)
    print(result)


if __name__ == "__main__":
    main()
