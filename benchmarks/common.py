"""What all benchmarks share: one environment, the same weights and reviews, and fair turns.

Each side of a comparison is a process of its own that lives through all rounds, so that the thread
pools of TensorFlow and PyTorch never meet; they work one at a time, A B C A B C. Nothing heavy is
imported here: the parent process stays small.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
ARTEFACTS = ROOT / "data" / "benchmarks"  # what prepare.py makes
sys.path.insert(1, str(ROOT))  # the project's own modules

BATCH_SIZE = 32
LEARNING_RATE = 1e-4
PAUSE = 1.0  # seconds between turns: the last side's threads stop spinning
PACKAGES = ("tensorflow", "tensorflow-text", "tf_keras", "tensorflow-hub", "torch", "transformers")
PACKAGES += ("accelerate", "tokenizers", "onnx", "onnxruntime", "scikit-learn", "numpy")


def environment(threads: int) -> dict[str, str]:
    """This process's environment, with no GPU, no network for model hubs and `threads` threads."""
    count = str(threads)
    return os.environ | {
        "CUDA_VISIBLE_DEVICES": "-1",
        "HIP_VISIBLE_DEVICES": "-1",
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "RAYON_NUM_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TOKENIZERS_PARALLELISM": "true",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTHONWARNINGS": "ignore",
    }


def threads() -> int:
    """The number of threads that this process was given by `environment`."""
    return int(os.environ["OMP_NUM_THREADS"])


# --- the command line ---------------------------------------------------------------------------


def make_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="threads of every side (all cores)"
    )
    parser.add_argument("--side", help=argparse.SUPPRESS)  # this process is that side
    return parser


def wanted(sides: Sequence[str], chosen: Sequence[str] | None) -> list[str]:
    """The chosen sides in their fixed order; all of them by default."""
    if unknown := set(chosen or ()) - set(sides):
        raise SystemExit(f"--sides: no {', '.join(sorted(unknown))}; there are {', '.join(sides)}")
    return [side for side in sides if not chosen or side in chosen]


# --- sides: the parent's view -------------------------------------------------------------------


class Side:
    """A process that answers each word on its standard input with one JSON line."""

    def __init__(self, script: str, side: str, arguments: Sequence[object], threads: int) -> None:
        self.name = side
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  lives as long as the side
        self.process = subprocess.Popen(
            [sys.executable, script, "--side", side, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment(threads),
            cwd=ROOT,
        )

    def answer(self) -> dict[str, Any]:
        """The next line that the side says. Raises RuntimeError with its last words if it died."""
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        raise RuntimeError(f"{self.name} stopped:\n{self.errors.read()[-3000:]}")

    def ask(self, word: str = "go") -> dict[str, Any]:
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self) -> None:
        self.process.stdin.close()  # the side leaves at the end of its input
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def compare(
    script: str,
    sides: Sequence[str],
    arguments: Sequence[object],
    rounds: int,
    threads: int,
    last: str = "",
) -> dict[str, dict[str, Any]]:
    """{side: {"ready": its first answer, "rounds": [an answer a round]}}, turns interleaved.

    After the rounds each side is asked the word `last`, if there is one, and "last" is its answer.
    """
    running: dict[str, Side] = {}
    measured: dict[str, dict[str, Any]] = {}
    try:
        for name in sides:
            running[name] = Side(script, name, arguments, threads)
            measured[name] = {"ready": running[name].answer(), "rounds": []}
            log(f"{name}: ready")
        for number in range(rounds):
            for name, side in running.items():
                time.sleep(PAUSE)
                answer = side.ask()
                measured[name]["rounds"].append(answer)
                rate = answer.get("count", 0) / answer["seconds"]
                log(f"round {number + 1}, {name}: {answer['seconds']:.2f} s, {rate:.1f}/s")
        if last:
            for name, side in running.items():
                measured[name]["last"] = side.ask(last)
    finally:
        for side in running.values():
            side.stop()
    return measured


def once(
    script: str, side: str, arguments: Sequence[object], threads: int, word: str = "go"
) -> dict[str, Any]:
    """One answer of a side in a fresh process."""
    process = Side(script, side, arguments, threads)
    try:
        process.answer()
        return process.ask(word)
    finally:
        process.stop()


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, smallest, largest and all values."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "all": list(values),
    }


def summarise(measured: dict[str, dict[str, Any]], ours: str) -> dict[str, dict[str, Any]]:
    """Rates of all sides, and how many times faster `ours` is: a ratio a round, then the median."""
    rates = {
        name: [answer["count"] / answer["seconds"] for answer in side["rounds"]]
        for name, side in measured.items()
    }
    summary = {}
    for name, values in rates.items():
        summary[name] = {"per_second": spread(values), "ready": measured[name]["ready"]}
        if ours in rates:
            ratios = [a / b for a, b in zip(rates[ours], values, strict=True)]
            summary[name]["ours_is_times_faster"] = spread(ratios)
    return summary


# --- sides: the child's view --------------------------------------------------------------------


def channel() -> tuple[Callable[[], str], Callable[..., None]]:
    """(wait for a word, reply with a JSON line). Whatever libraries print goes to standard error.

    Waiting leaves the process when the parent has closed its end.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def wait() -> str:
        word = sys.stdin.readline().strip()
        if not word:
            os._exit(0)
        return word

    def reply(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    return wait, reply


def serve(work: Callable[[str], dict[str, Any]], **ready: Any) -> NoReturn:
    """Say that this side is ready, then time `work(word)` for each word; work's dict is added."""
    wait, reply = channel()
    reply(**ready)
    while True:
        word = wait()
        started = time.perf_counter()
        content = work(word)
        reply(**{"seconds": time.perf_counter() - started} | content)


def peak_megabytes() -> float:
    """Largest resident memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here


# --- the same reviews and weights for all -------------------------------------------------------


def prepare(*artefacts: str) -> None:
    """Make what is missing of the artefacts, each in a process of its own."""
    for name in artefacts:
        command = [sys.executable, str(ROOT / "benchmarks" / "prepare.py"), name]
        done = subprocess.run(
            command,
            env=environment(os.cpu_count() or 1),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"prepare.py {name} failed:\n{done.stderr[-3000:]}")


def reviews(split: str, count: int = 0, seed: int = 0) -> tuple[list[str], list[int]]:
    """(texts without mark-up, labels) of `train` (20,000), `dev` (5,000) or both (`all`).

    The project's own split; a seeded choice of `count`, in a seeded order; 0 is all of them.
    """
    rows = json.loads((ARTEFACTS / "reviews.json").read_text(encoding="utf-8"))
    chosen = rows["train"] + rows["dev"] if split == "all" else rows[split]
    if count:
        chosen = random.Random(seed).sample(chosen, count)
    return [text for text, _ in chosen], [label for _, label in chosen]


def transformers_folder() -> Path:
    return ARTEFACTS / "transformers"


def onnx_file(precision: str) -> Path:
    return ARTEFACTS / "onnx" / f"{precision}.onnx"


def export_folder(max_length: int) -> Path:
    """The exported classifier; another after any change of the encoder's or the export's code."""
    from sentiment import files

    code = "".join(
        files.sha256_of(ROOT / "sentiment" / name)[:6]
        for name in ("encoders/bert.py", "model/classifier.py", "model/export.py")
    )
    return ARTEFACTS / f"export-{max_length}-{code}"


def our_params(max_length: int, **changes: Any) -> Any:
    """The project's settings, with the truncation that the peers can do too."""
    from params import Params

    return Params(
        encoder="minilm",
        max_length=max_length,
        truncation="head",
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        pooling="pooled",  # as the peers' classification heads have it
        sentence_share=0.0,  # nor have they these
        source="embedded",
        data_folder=str(ROOT / "data"),
        encoder_folder=str(ROOT / "data" / "encoders"),
        **changes,
    )


# --- the record ---------------------------------------------------------------------------------


def log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError):
        return None


def read(name: str) -> dict[str, Any]:
    """What results/`name`.json holds; empty when it is not there."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write(name: str, content: dict[str, Any], threads: int) -> None:
    """Write results/`name`.json: the figures, the command, the machine, the versions."""
    from sentiment import machine

    flags = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
    record = {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "finished": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "hardware": {
            "cpu": machine.cpu_name(),
            "cores": os.cpu_count(),
            "flags": [flag for flag in flags if flag in machine.cpu_flags()],
            "memory_gib": memory_gib(),
            "system": f"{platform.system()} {platform.machine()}",
            "load_average_at_end": os.getloadavg(),
        },
        "threads": threads,
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record | content, indent=1) + "\n", encoding="utf-8")
    log(f"written: {path.relative_to(ROOT)}")
