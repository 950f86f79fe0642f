"""What all benchmarks share: one environment, the same weights and reviews, and fair turns.

Each side of a comparison is a process of its own that lives through all rounds, so that the thread
pools of TensorFlow and PyTorch never meet; they work one at a time, A B C A B C. Nothing heavy is
imported here: the parent process stays small, and so does what a side begins with.
"""

import argparse
import contextlib
import functools
import importlib.metadata
import json
import multiprocessing
import os
import platform
import random
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(1, str(ROOT))  # the project's own modules

from params import Params  # noqa: E402
from sentiment import machine  # noqa: E402
from sentiment.errors import log  # noqa: E402
from sentiment.files import sha256_of, write_json  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
ARTEFACTS = ROOT / "data" / "benchmarks"  # what prepare.py makes

BATCH_SIZE = 32
PAUSE = 1.0  # seconds between turns: the last side's threads stop spinning
PACKAGES = ("tensorflow", "tensorflow-text", "tf_keras", "tensorflow-hub", "torch", "transformers")
PACKAGES += ("accelerate", "tokenizers", "onnx", "onnxruntime", "scikit-learn", "numpy")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
THREADS += ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
MACHINE = "BENCHMARKS_MACHINE"  # the variable that says which folder of RESULTS is written to
ENVIRONMENT = {  # no GPU, no network for model hubs, no noise
    "CUDA_VISIBLE_DEVICES": "-1",
    "HIP_VISIBLE_DEVICES": "-1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "true",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYTHONWARNINGS": "ignore",
}
LENGTHS = ("--max-length", [128, 256], "tokens of each review that are read")
ROUNDS = ("--rounds", 5, "how often each side has its turn")
# A new process: a forked one would share what libraries the parent has loaded.
process = functools.partial(ProcessPoolExecutor, 1, multiprocessing.get_context("spawn"))
Texts = tuple[list[str], list[int]]  # texts, labels
# In a side's process: what it does in a round.
made = functools.cache(lambda side, *arguments: side(*arguments))
Work = Callable[[], dict[str, Any]]  # a round of a side: {"count": so many reviews, "ready": {...}}
Side = Callable[..., Work]
Measured = dict[str, list[dict[str, Any]]]  # {side: what its rounds gave}


def parse(text: str, *flags: tuple[str, Any, str]) -> argparse.Namespace:
    """The command line: the flags, each (name, default, help), --threads and --machine. A tuple is
    all that a flag can be given, a list what it is given by default; the others are of their
    default's type. Threads, ENVIRONMENT and MACHINE then hold for this process and all it starts.
    """
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=text, allow_abbrev=False, formatter_class=kind)
    flags += (("--threads", os.cpu_count(), "of every side"),)
    flags += (("--machine", "", "not the tables' one: the JSON goes to results/MACHINE/"),)
    for name, default, words in flags:
        many = isinstance(default, (list, tuple))
        how = {"type": type(default[0] if many else default), "nargs": "*" if many else None}
        if isinstance(default, tuple):
            how["choices"] = default
        if default is False:
            how = {"action": "store_true"}
        parser.add_argument(name, default=default, help=f"{words} (default: {default})", **how)
    arguments = parser.parse_args()
    os.environ.update(dict.fromkeys(THREADS, str(arguments.threads)) | ENVIRONMENT)
    os.environ[MACHINE] = arguments.machine
    return arguments


def once(function: Callable[..., Any], *arguments: Any) -> Any:
    """What function(*arguments) returns, called in a process of its own."""
    with process() as pool:
        return pool.submit(function, *arguments).result()


def timed(function: Callable[..., Any], *arguments: Any, **more: Any) -> tuple[float, Any]:
    """Seconds that function(*arguments, **more) takes, and what it returns."""
    began = time.perf_counter()
    found = function(*arguments, **more)
    return time.perf_counter() - began, found


def turn(side: Side, *arguments: Any) -> dict[str, Any]:
    """In a side's process: one round, and its seconds."""
    seconds, found = timed(made(side, *arguments))
    return {"seconds": seconds} | found


def compare(
    name: str, side: Side, flags: argparse.Namespace, *given: Any, summary=None, **more: Any
) -> None:
    """Write results/`name`.json: for each of --max-length the summary (their rates by default) of
    what side(one of --sides, max length, *given) does. They take turns in each of --rounds, before
    which there is one that warms up and does not count.
    """
    content = more | {"rounds": flags.rounds, "lengths": {}}
    for length in flags.max_length:
        measured: Measured = {one: [] for one in flags.sides}
        with contextlib.ExitStack() as stack:
            pools = {one: stack.enter_context(process()) for one in flags.sides}
            for number in range(flags.rounds + 1):
                for one, pool in pools.items():
                    time.sleep(PAUSE)
                    found = pool.submit(turn, side, one, length, *given).result()
                    measured[one] += [found] if number else []
                    log(f"{length} tokens, round {number}, {one}: {found['seconds']:.2f} s")
        content["lengths"][length] = (summary or summarise)(measured)
    write(name, content)


def spread(values: Sequence[float], others: Sequence[float] = ()) -> dict[str, Any]:
    """Median, smallest, largest and all of the values, or of their ratios to `others`."""
    some = [a / b for a, b in zip(values, others, strict=True)] if others else list(values)
    return {"median": statistics.median(some), "min": min(some), "max": max(some), "all": some}


def summarise(measured: Measured) -> dict[str, dict[str, Any]]:
    """Rates of all sides, and how many times faster `ours` is: a ratio a round, then the median."""
    rates = {name: [a["count"] / a["seconds"] for a in some] for name, some in measured.items()}
    summary = {}
    for name, values in rates.items():
        summary[name] = {"per_second": spread(values), "ready": measured[name][0]["ready"]}
        if "ours" in rates:
            summary[name]["ours_is_times_faster"] = spread(rates["ours"], values)
    return summary


def reviews(split: str, count: int = 0) -> Texts:
    """(texts without mark-up, labels) of `train` (20,000), `dev` (5,000) or both (`all`).

    The project's own split; a seeded choice of `count`, in a seeded order; 0 is all of them.
    """
    rows = json.loads(artefact("reviews").read_text(encoding="utf-8"))
    chosen = rows["train"] + rows["dev"] if split == "all" else rows[split]
    if count:
        chosen = random.Random(0).sample(chosen, count)
    return [text for text, _ in chosen], [label for _, label in chosen]


def artefact(name: str) -> Path:
    """Where prepare.py puts it; a change of the model's code makes another export."""
    if not name.startswith(("export", "both")):
        return ARTEFACTS / {"reviews": "reviews.json"}.get(name, name)
    parts = ("encoders/bert.py", "model/classifier.py", "model/export.py", "model/ngrams.py")
    code = "".join(sha256_of(ROOT / "sentiment" / part)[:6] for part in parts)
    return ARTEFACTS / f"{name}-{code}"


def our_params(max_length: int, **changes: Any) -> Params:
    """The project's settings, with the truncation that the peers can do too."""
    return Params(
        encoder="minilm",
        max_length=max_length,
        truncation="head",
        batch_size=BATCH_SIZE,
        learning_rate=1e-4,
        pooling="pooled",  # as the peers' classification heads have it
        sentence_share=0.0,  # nor have they these
        source="embedded",
        data_folder=str(ROOT / "data"),
        encoder_folder=str(ROOT / "data" / "encoders"),
        **changes,
    )


def our_classifier(params: Params) -> Any:
    """The project's classifier, pretrained; TensorFlow has been started."""
    from sentiment.encoders import pairs
    from sentiment.model import classifier

    pair = pairs.resolve(params.encoder, "auto", params.encoder_folder)
    return classifier.build_classifier(pair, params)


def read(name: str, machine: str = "") -> dict[str, Any]:
    """What the JSON of a benchmark on a machine holds; empty when it is not there."""
    path = RESULTS / machine / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write(name: str, content: dict[str, Any]) -> None:
    """Write results/`name`.json: the figures, the command, the machine, the versions."""
    installed = {found.name: found.version for found in importlib.metadata.distributions()}
    record = {
        "command": shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "finished": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "hardware": {
            "cpu": machine.cpu_name(),
            "cores": os.cpu_count(),
            "flags": [one for one in sorted(machine.cpu_flags()) if one[:3] in ("avx", "amx")],
            "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
            "system": f"{platform.system()} {platform.machine()}",
            "load_average_at_end": os.getloadavg(),
        },
        "threads": int(os.environ["OMP_NUM_THREADS"]),
        "python": platform.python_version(),
        "versions": {package: installed.get(package) for package in PACKAGES},
    }
    path = RESULTS / os.environ[MACHINE] / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record | content)
    log(f"written: {path.relative_to(ROOT)}")
