"""Do files of a million rows go through? Rows a second and memory of `model_predict.py --input`.

    python benchmarks/bulk.py --model-folder saved_model
    python benchmarks/bulk.py --model-folder saved_model --rows 20000     # a quick look

For each format a file of short texts (2 to 6 words of real reviews) with a number each is made
under data/benchmarks/, read alone, scored by the real command, and compared: every number must come
out once, in its order. Memory is the command's resident size, asked for every second (Linux).
Needs requirements-bench.txt and a trained model. Writes results/bulk.json. Takes 25 minutes.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import common
import numpy as np
import pandas as pd
import prepare

from sentiment.reviews import tables

FORMATS = ("csv", "csv.gz", "jsonl", "parquet")
WORDS = (2, 6)  # of a text
PAGE = 4096  # bytes, of /proc


def make(path: Path, rows: int) -> None:
    """A file of so many short texts."""
    words = " ".join(common.reviews("train")[0]).split()
    lengths = np.random.default_rng(0).integers(WORDS[0], WORDS[1] + 1, rows)
    ends = np.cumsum(lengths)
    texts = [
        " ".join(words[(start + place) % len(words)] for place in range(length))
        for start, length in zip(ends - lengths, lengths, strict=True)
    ]
    table = pd.DataFrame({"number": np.arange(rows), "text": texts})
    if path.name.endswith("jsonl"):
        table.to_json(path, orient="records", lines=True, force_ascii=False)
    elif path.name.endswith("parquet"):
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)


def read(path: Path) -> dict[str, Any]:
    """How fast a file is read, and nothing else."""
    kind = tables.kind_of(path, tuple(tables.KINDS.values()))
    layout = tables.scan(path, kind, tables.PLAIN)
    seconds, rows = common.timed(lambda: sum(1 for _ in tables.read_file(path, kind, layout.form)))
    return {"rows": rows, "rows_per_second": rows / seconds}


def score(path: Path, target: Path, model_folder: str) -> dict[str, Any]:
    """Seconds, and MiB every second, of the command. Raises RuntimeError where it fails."""
    command = [sys.executable, "model_predict.py", "--model-folder", model_folder]
    command += ["--input", str(path), "--output", str(target)]
    began, memory = time.perf_counter(), []
    with path.with_suffix(".log").open("wb") as said:
        process = subprocess.Popen(command, cwd=common.ROOT, stdout=said, stderr=said)
        while process.poll() is None:
            pages = Path(f"/proc/{process.pid}/statm").read_text().split()
            if len(pages) > 1:
                memory.append(int(pages[1]) * PAGE / 2**20)
            time.sleep(1)
    if process.returncode:
        raise RuntimeError(path.with_suffix(".log").read_text()[-1000:])
    return {"seconds": time.perf_counter() - began, "memory_mib": memory}


def numbers(path: Path) -> np.ndarray:
    """The numbers of the rows in a scored file."""
    if path.name.endswith("jsonl"):
        return pd.read_json(path, lines=True)["number"].to_numpy()
    if path.name.endswith("parquet"):
        return pd.read_parquet(path)["number"].to_numpy()
    return pd.read_csv(path)["number"].to_numpy()


def one(ending: str, rows: int, model_folder: str) -> dict[str, Any]:
    """What a format comes to."""
    common.ARTEFACTS.mkdir(parents=True, exist_ok=True)
    source = common.ARTEFACTS / f"bulk.{ending}"
    target = common.ARTEFACTS / f"bulk-scored.{ending.removesuffix('.gz')}"
    target.unlink(missing_ok=True)
    make(source, rows)
    alone = read(source)
    found = score(source, target, model_folder)
    came_out = numbers(target)
    memory = found["memory_mib"]
    result = {
        "rows": rows,
        "lost_or_doubled_rows": int(rows != len(came_out) or (came_out != np.arange(rows)).sum()),
        "rows_per_second": rows / found["seconds"],
        "reading_alone_rows_per_second": alone["rows_per_second"],
        # The first fifth is the start: imports, the graph, the first parts.
        "memory_mib": common.spread(memory[len(memory) // 5 :] or memory),
    }
    result["memory_mib"]["all"] = memory[:: max(len(memory) // 100, 1)]
    for path in (source, target):
        path.unlink()
    return result


def main() -> None:
    flags = (
        ("--model-folder", "saved_model", "an exported model"),
        ("--rows", 1_000_000, "of each file"),
        ("--formats", FORMATS, "of the files"),
    )
    arguments = common.parse(__doc__, *flags)
    prepare.need("reviews")
    folder = str(Path(arguments.model_folder).resolve())
    formats = {}
    for ending in arguments.formats:
        formats[ending] = common.once(one, ending, arguments.rows, folder)
        found = formats[ending]
        common.log(f"{ending}: {found['rows_per_second']:.0f} rows/s")
        # What is there counts, whatever comes after it.
        common.write("bulk", {"sides": formats, "words": list(WORDS)})


if __name__ == "__main__":
    main()
