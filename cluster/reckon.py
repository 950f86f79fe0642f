"""What it would take: a billion reviews on 100 machines, and BERT-base trained on 8 GPUs.

    python cluster/reckon.py && python cluster/table.py   # results/cluster/reckoning.json, README

Neither was run. Rates of this project are those measured in results/ and benchmarks/results/, those
of GPUs are NVIDIA's published ones, and prices and networks are assumptions: all are named below
and in the JSON. Whatever takes longest alone is the bottleneck; what follows it breaks next.
Needs the standard library only.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results" / "cluster"

REVIEWS, PART = 1_000_000_000, 2048  # rows; rows a part, batch.PART
ASSUMED = {  # nothing here was measured or looked up: prices and networks differ
    "machines": 100,
    "cores_a_machine": 16,
    "dollars_a_core_hour": 0.05,
    "network_bytes_a_second_a_machine": 1.25e9,  # 10 Gbit/s
    "shared_disk_bytes_a_second": 2e9,
    "files": 1000,
    "workers_a_reader": 64,  # engine.FED
    "dollars_a_gpu_hour": 2.0,
    "all_reduce_bytes_a_second": {"NVLink": 200e9, "PCIe": 10e9},
}
MODEL_BYTES = 110e6  # of an export with both sides, on disk
PUBLISHED = {  # NVIDIA A100, TF32, BERT for TensorFlow 2, container 21.02
    "source": "github.com/NVIDIA/DeepLearningExamples, TensorFlow2/LanguageModeling/BERT/README.md",
    # Pre-training, single node, DGX A100 80GB, 128 tokens, one GPU, sequences a second.
    "large_training_per_second": 282.98,
    # Inference, BERT-base, 128 tokens: milliseconds a batch, by its size.
    "base_forward_ms": {1: 3.44, 2: 3.53, 4: 3.85, 8: 5.37},
}
# Multiplications a token in the layers, BERT-large's over BERT-base's: 24 x 1024^2 to 12 x 768^2.
LARGE_TO_BASE = 24 * 1024**2 / (12 * 768**2)
BACKWARD = 3  # a training step is a forward pass and a backward pass of twice its operations
GRADIENT_BYTES = 109_482_240 * 4  # float32, every weight of BERT-base
TRAINED = {"train": 20_000, "dev": 5_000, "epochs": 5}  # IMDB and --preset bert-base


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def rates() -> dict[str, float]:
    """Reviews a second that a core scores, with the quick model: in full, and by --fast."""
    sides = read(RESULTS / "scoring.json")["reviews"]["sides"]["2 workers, 1 thread each"]
    full = statistics.median(one["rows_per_cpu_second"] for one in sides)
    bench = read(ROOT / "benchmarks" / "results" / "scoring.json")["lengths"]["128"]
    times = bench["ours-fast"]["per_second"]["median"] / bench["ours-both"]["per_second"]["median"]
    return {"in full": full, "--fast": full * times}


def scoring(rate: float, kind: str) -> dict[str, float]:
    """Seconds that everything takes alone, of a billion reviews in files of this kind."""
    limits, given = read(RESULTS / "limits.json"), ASSUMED
    workers = given["machines"] * given["cores_a_machine"]
    readers = min(1 + workers // given["workers_a_reader"], given["files"])
    found = limits[kind]
    reader = min(found["rows_read_per_second"], PART * limits["parts_per_second"]["whole"])
    disk = found["bytes_a_row_in"] + 3 * found["bytes_a_row_out"]  # written, read, written joined
    handed = (
        limits["csv"]["bytes_a_row_in"] + found["bytes_a_row_in"] + 3 * found["bytes_a_row_out"]
    )
    network = given["network_bytes_a_second_a_machine"] * given["machines"]
    return {
        "scoring, all cores": REVIEWS / (workers * rate),
        "handing out parts, one script": REVIEWS / PART / limits["parts_per_second"]["empty"],
        "reading, a process for 64 workers": REVIEWS / (readers * reader),
        "joining, one process a machine": REVIEWS
        / (given["machines"] * found["rows_joined_per_second"]),
        "the shared disk": REVIEWS * disk / given["shared_disk_bytes_a_second"],
        "the machines' network": REVIEWS * handed / network,
        "before: every worker loads the model": workers
        * MODEL_BYTES
        / given["shared_disk_bytes_a_second"],
        "before: one script counts the rows": REVIEWS / found["rows_counted_per_second"]
        if kind == "csv"
        else 0.0,  # they stand in the files
    }


def total(parts: dict[str, float]) -> float:
    """Seconds: what comes before, and then the longest of what goes on at the same time."""
    before = [value for name, value in parts.items() if name.startswith("before")]
    return sum(before) + max(v for name, v in parts.items() if not name.startswith("before"))


def training(gpus: int, batch: int, link: str) -> dict[str, float]:
    """Milliseconds of a step of BERT-base on so many GPUs; minutes and dollars of all steps."""
    each = batch / gpus
    compute = 1000 * each / (PUBLISHED["large_training_per_second"] * LARGE_TO_BASE)
    forward = PUBLISHED["base_forward_ms"]
    floor = BACKWARD * forward[max(size for size in forward if size <= each)]
    reduce = 0.0
    if gpus > 1:  # a ring: every byte but its own share, there and back
        moved = 2 * (gpus - 1) / gpus * GRADIENT_BYTES
        reduce = 1000 * moved / ASSUMED["all_reduce_bytes_a_second"][link]
    step = max(compute, floor) + reduce
    steps = TRAINED["epochs"] * TRAINED["train"] / batch
    dev = TRAINED["epochs"] * TRAINED["dev"] / gpus * forward[8] / 8 / 1000
    seconds = steps * step / 1000 + dev
    dollars = seconds / 3600 * gpus * ASSUMED["dollars_a_gpu_hour"]
    return {
        "compute_ms": compute,
        "least_ms": floor,
        "all_reduce_ms": reduce,
        "step_ms": step,
        "minutes": seconds / 60,
        "dollars": dollars,
    }


def reckon() -> dict[str, Any]:
    """Everything that the tables show."""
    runs = {}
    for name, rate in rates().items():
        for kind in ("parquet", "csv"):
            parts = scoring(rate, kind)
            hours = total(parts) / 3600
            cores = ASSUMED["machines"] * ASSUMED["cores_a_machine"]
            dollars = hours * cores * ASSUMED["dollars_a_core_hour"]
            row = {"rows_per_core_second": rate, "hours": hours, "dollars": dollars}
            runs[f"{name}, {kind}"] = row | {"seconds_alone": parts}
    plans = ((1, 32, "none"), (8, 32, "NVLink"), (8, 32, "PCIe"), (8, 256, "NVLink"))
    trained = {
        f"{gpus} GPU{'s'[: gpus > 1]}, batch {batch}{f', {link}' if gpus > 1 else ''}": training(
            gpus, batch, link
        )
        for gpus, batch, link in plans
    }
    return {
        "assumed": ASSUMED,
        "published": PUBLISHED,
        "reviews": REVIEWS,
        "scoring": runs,
        "training": trained,
    }


def main() -> None:
    text = json.dumps(reckon(), indent=1, ensure_ascii=False) + "\n"
    (RESULTS / "reckoning.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
