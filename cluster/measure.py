"""Is nothing lost when a worker dies, and what do two workers give over one?

    python cluster/measure.py --model-folder saved_model/quick

Scores 100,000 pieces of real IMDB reviews (24 words, four of each review, two rows without text)
with model_predict.py --input and with score.py, one of whose two workers is killed when a third is
done, and compares the outputs row by row. Then whole reviews in rounds, every side after the other:
model_predict.py, and score.py with one and two workers of one and two threads. Where other work
runs on the machine, rows per CPU second say more than rows per second: both are written, with the
load average. Writes results/cluster/scoring.json; takes about half an hour on 2 cores. What is in
--work already is not made again. Needs requirements-cluster.txt.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import os
import platform
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the project's own modules

import pandas as pd  # noqa: E402

from params import Params  # noqa: E402
from sentiment import files, machine  # noqa: E402
from sentiment.errors import log  # noqa: E402
from sentiment.reviews import sources  # noqa: E402
from sentiment.scoring import batch, resume  # noqa: E402

RESULT = ROOT / "results" / "cluster" / "scoring.json"
WORDS, PIECES = 24, 4  # words a piece, pieces a review
EMPTY = (777, 50_001)  # rows without text
PREDICT = ("model_predict.py",)
SIDES = {  # what is run, and after how many parts every worker has had its first
    "model_predict.py, one process, 2 threads": (PREDICT, 1),
    "1 worker, 1 thread": (("cluster/score.py", "--workers", "1"), 1),
    "1 worker, 2 threads": (("cluster/score.py", "--workers", "1", "--threads", "2"), 1),
    "2 workers, 1 thread each": (("cluster/score.py", "--workers", "2"), 2),
    "2 workers, 2 threads each": (("cluster/score.py", "--workers", "2", "--threads", "2"), 2),
}
PACKAGES = ("ray", "tensorflow", "tensorflow-text", "numpy", "pyarrow", "pandas")


def write_rows(path: Path, rows: list[tuple[str, str]]) -> Path:
    if not path.exists():
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("id", "text"), *rows])
    return path


def pieces(reviews: sources.Reviews) -> list[tuple[str, str]]:
    """(id, text): pieces of each review, the next after the other, shuffled."""
    rows = []
    for number, text in zip(reviews.ids, reviews.texts, strict=True):
        words = text.split()
        words *= -(-WORDS * PIECES // len(words))  # of a short one the beginning again
        for piece in range(PIECES):
            rows.append((f"{number}-{piece}", " ".join(words[piece * WORDS :][:WORDS])))
    random.Random(0).shuffle(rows)
    for row in EMPTY:
        rows[row] = (rows[row][0], "")
    return rows


def started_by(process: int) -> list[int]:
    """Ids of all processes that descend from one."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except OSError:  # it has ended
            continue
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def is_worker(process: int) -> bool:
    """Whether this is a worker of score.py: Ray names it after what it runs."""
    name = Path(f"/proc/{process}/cmdline")
    return name.exists() and b"MapBatches(Worker)" in name.read_bytes().split(b"\0")[0]


def cpu_seconds(process: int) -> float:
    """Seconds that a process has computed, without its children; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(
    side: tuple[str, ...], source: Path, target: Path, flags: list[str], kill: float = 0
) -> dict[str, Any]:
    """Score a file and look at its parts as they come; `kill` a worker at this share of the rows.

    `parts` are the seconds at which each was seen, and `cpu` the CPU seconds until then.
    """
    command = [sys.executable, str(ROOT / side[0]), *side[1:], *flags]
    command += ["--input", str(source), "--output", str(target)]
    began, total = time.perf_counter(), len(pd.read_csv(source, usecols=["id"]))
    spent: dict[int, float] = {}
    parts: list[float] = []
    cpu: list[float] = []
    killed = None
    load = os.getloadavg()[0]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None:
        time.sleep(0.1)
        family = started_by(process.pid)
        for one in family:
            spent[one] = max(spent.get(one, 0), cpu_seconds(one))
        now = len(list(resume.parts_folder(target).glob("part-*")))
        parts += [time.perf_counter() - began] * (now - len(parts))
        cpu += [sum(spent.values())] * (now - len(cpu))
        if kill and not killed and now * batch.PART >= kill * total:
            victim = next(filter(is_worker, family))
            os.kill(victim, signal.SIGKILL)
            killed = {"parts_done": now, "of": -(-total // batch.PART)}
            log(f"killed worker {victim} after {now} parts")
    said = process.stderr.read()
    if process.returncode not in (0, 1):
        raise SystemExit(f"{command}: {said}")
    found = {"seconds": time.perf_counter() - began, "rows": total, "exit_code": process.returncode}
    found |= {"cpu_seconds": sum(spent.values()), "load_average": [load, os.getloadavg()[0]]}
    return found | {"parts": parts, "cpu": cpu} | ({"killed": killed} if killed else {})


def rates(found: dict[str, Any], warm: int) -> dict[str, Any]:
    """Rows a second, and a CPU second, after the first `warm` parts: starting does not count."""
    parts, cpu = found["parts"], found["cpu"]
    rows = min(len(parts) * batch.PART, found["rows"]) - warm * batch.PART
    return {
        "rows_per_second": rows / (parts[-1] - parts[warm - 1]),
        "rows_per_cpu_second": rows / (cpu[-1] - cpu[warm - 1]),
        "seconds_until_first_part": parts[0],
        "seconds_with_start": found["seconds"],
        "load_average": found["load_average"],
    }


def difference(one: Path, other: Path) -> dict[str, Any]:
    """How two outputs differ, row by row; ids are compared as a list: none lost, none doubled."""
    tables_ = [pd.read_csv(path, keep_default_na=False, dtype=str) for path in (one, other)]
    a, b = tables_
    probabilities = [pd.to_numeric(table["probability"]) for table in tables_]
    apart = (probabilities[0] - probabilities[1]).abs()
    return {
        "rows": [len(a), len(b)],
        "ids_in_the_same_order": a["id"].tolist() == b["id"].tolist(),
        "different_ids": [a["id"].nunique(), b["id"].nunique()],
        "equal_labels": int((a["label"] == b["label"]).sum()),
        "equal_to_the_bit": int((a["probability"] == b["probability"]).sum()),
        "largest_probability_difference": float(apart.max()),
        "refused": [int((table["error"] != "").sum()) for table in tables_],
        "files_equal": one.read_bytes() == other.read_bytes(),
    }


def load_imdb() -> sources.Reviews:
    """The 25,000 official training reviews."""
    return sources.load_imdb("train", Params(data_folder=str(ROOT / "data")))


def circumstances(name: str, busy: bool) -> dict[str, Any]:
    """What every JSON of these scripts begins with."""
    return {
        "command": f"python cluster/{name}.py",
        "finished": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "hardware": {"cpu": machine.cpu_name(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "load_average": os.getloadavg()[0],
        "other_work_ran_on_the_machine": busy,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-folder", default="saved_model")
    parser.add_argument("--rows", type=int, default=100_000, help="that are scored twice")
    parser.add_argument("--reviews", type=int, default=8192, help="whole ones, a round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--busy", action="store_true", help="note that other work runs here")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "cluster")
    arguments = parser.parse_args()
    work, flags = arguments.work.absolute(), ["--model-folder", arguments.model_folder]
    work.mkdir(parents=True, exist_ok=True)
    imdb = load_imdb()
    source = write_rows(work / "pieces.csv", pieces(imdb)[: arguments.rows])
    whole = list(zip(imdb.ids, imdb.texts, strict=True))
    random.Random(1).shuffle(whole)
    whole_source = write_rows(work / "reviews.csv", whole[: arguments.reviews])
    expected = run_once(work / "predicted", PREDICT, source, flags)
    two = SIDES["2 workers, 1 thread each"]
    scored = run_once(work / "scored", two[0], source, flags, kill=1 / 3)
    content = circumstances("measure", arguments.busy) | {
        "precision": "auto: bfloat16" if machine.has_bfloat16() else "auto: float32",
        "pieces": {
            "words": WORDS,
            "model_predict.py": rates(expected, 1),
            "2 workers, one killed": rates(scored, 2) | {"killed": scored["killed"]},
            "difference": difference(work / "predicted.csv", work / "scored.csv"),
        },
    }
    log(f"{content['pieces']}")
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    for number in range(arguments.rounds):
        for place, (name, (side, warm)) in enumerate(SIDES.items()):
            found = run_once(work / f"round-{number}-{place}", side, whole_source, flags)
            rounds[name].append(rates(found, warm))
            log(f"round {number}, {name}: {rounds[name][-1]}")
    content["reviews"] = {"rows": arguments.reviews, "rounds": arguments.rounds, "sides": rounds}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(RESULT, content)


def run_once(
    stem: Path, side: tuple[str, ...], source: Path, flags: list[str], kill: float = 0
) -> dict[str, Any]:
    """What `watch` says of a run into `stem`.csv; what it said, where that was run before."""
    note = stem.with_suffix(".json")
    if not (stored := files.read_json(note)):
        stored = watch(side, source, stem.with_suffix(".csv"), flags, kill)
        files.write_json(note, stored)
    return stored


if __name__ == "__main__":
    main()
