"""What is done by one process however many machines there are: how much of it a second?

    python cluster/limits.py

Reads, counts and joins a file of real IMDB reviews, as CSV and as Parquet, and has Ray hand parts
of its size to workers that do nothing. reckon.py needs these figures. Writes
results/cluster/limits.json; takes two minutes. Needs requirements-cluster.txt.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measure
import pandas as pd

from cluster import engine
from sentiment import files
from sentiment.scoring import batch, inputs, output_formats, resume

RESULT = measure.ROOT / "results" / "cluster" / "limits.json"
HANDED = 300  # parts


class Idle:
    """A worker that only says that it was called."""

    def __call__(self, part: dict[str, Any]) -> dict[str, list[int]]:
        return {"number": [int(part["number"][0])]}


def made_up(items: dict[str, Any], size: int) -> Iterator[dict[str, list[Any]]]:
    """Parts of so many bytes, as a reader hands them over."""
    for number in range(HANDED):
        yield {"number": [number], "rows": [bytes(size)]}


def handed_over(ray: Any, size: int) -> float:
    """Parts a second from one reader through two workers to the script."""
    parts = ray.data.from_items([0]).map_batches(made_up, fn_args=(size,), batch_size=1, num_cpus=0)
    two = ray.data.ActorPoolStrategy(size=2)
    done = parts.map_batches(Idle, batch_size=1, num_cpus=1, compute=two)
    seen = [time.perf_counter() for _ in done.iter_rows()]
    return (len(seen) - 1) / (seen[-1] - seen[0])


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def of_kind(kind: str, table: pd.DataFrame, folder: Path) -> dict[str, float]:
    """Rows a second that one process counts, reads and joins."""
    source, target = folder / f"in.{kind}", folder / f"out.{kind}"
    table.to_csv(source, index=False) if kind == "csv" else table.to_parquet(source)
    counted = seconds(inputs.Job, str(source), "text")
    job = inputs.Job(str(source), "text")
    read = seconds(lambda: sum(1 for _ in job.rows()))
    parts = []
    resume.parts_folder(target).mkdir()
    form = output_formats.written_form(job, kind)
    for start in range(0, len(table), batch.PART):
        some = table.iloc[start : start + batch.PART].to_dict("records")
        added = {"label": "pos", "probability": 0.75, "cut": True}
        content = output_formats.part_of(kind, [row | added for row in some], job.columns, form)
        parts.append(resume.write_part(target, len(parts), 0, content))
    joined = seconds(output_formats.join, parts, kind, job.columns, form, target)
    rows = len(table)
    return {
        "bytes_a_row_in": source.stat().st_size / rows,
        "bytes_a_row_out": target.stat().st_size / rows,
        "rows_counted_per_second": rows / counted,
        "rows_read_per_second": rows / read,
        "rows_joined_per_second": rows / joined,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--busy", action="store_true", help="note that other work runs here")
    busy = parser.parse_args().busy
    imdb = measure.load_imdb()
    table = pd.DataFrame({"id": imdb.ids, "text": imdb.texts})
    content = measure.circumstances("limits", busy) | {"rows": len(table)}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("csv", "parquet"):
            content[kind] = of_kind(kind, table, Path(folder))
    size = int(content["csv"]["bytes_a_row_in"] * batch.PART)
    # The rows go from reader to worker, and only their names through the script.
    ray = engine.import_ray("")
    engine.connect(ray, "", 2, engine.Way(Path(), "auto", "auto", 1, False))
    rates = {"whole": handed_over(ray, size), "empty": handed_over(ray, 0)}
    content["parts_per_second"] = rates
    ray.shutdown()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(RESULT, content)
    print(content)


if __name__ == "__main__":
    main()
