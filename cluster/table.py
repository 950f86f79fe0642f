"""Write the tables of cluster/README.md from results/cluster/*.json.

    python cluster/table.py

What stands there between `<!-- cluster:start -->` and `<!-- cluster:end -->` is replaced. Needs the
standard library only.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the project's own modules

from experiments.table import markdown  # noqa: E402

README = ROOT / "cluster" / "README.md"
START, END = "<!-- cluster:start -->", "<!-- cluster:end -->"
TRIALS = {"beam": "Beam's RunInference", "spark": "Spark's predict_batch_udf"}
STEP = ("compute_ms", "least_ms", "all_reduce_ms", "step_ms", "minutes", "dollars")


def read(name: str) -> dict[str, Any]:
    path = ROOT / "results" / "cluster" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def equality() -> str:
    """What came of the run in which a worker was killed."""
    found = read("scoring")["pieces"]
    apart, killed = found["difference"], found["2 workers, one killed"]["killed"]
    return (
        f"{apart['rows'][1]:,} pieces of {found['words']} words of IMDB reviews, two workers, one "
        f"of them killed after {killed['parts_done']} of {killed['of']} parts, against "
        f"`model_predict.py --input`: {apart['equal_labels']:,} labels are equal and "
        f"{apart['equal_to_the_bit']:,} probabilities to the bit (largest difference "
        f"{apart['largest_probability_difference']:g}), {apart['different_ids'][1]:,} different "
        f"ids in the same order, {apart['refused'][1]} rows refused by either; the files are "
        f"{'equal' if apart['files_equal'] else 'not equal'} to the byte."
    )


def spread(values: list[float]) -> str:
    """The median, and what the rounds gave."""
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def speed() -> str:
    """Rows a second of every side."""
    content = read("scoring")
    found, hardware = content["reviews"], content["hardware"]
    rows = []
    for name, rounds in found["sides"].items():
        names = ("rows_per_second", "rows_per_cpu_second")
        cells = [spread([one[key] for one in rounds]) for key in names]
        load = [value for one in rounds for value in one["load_average"]]
        rows.append([name, *cells, f"{min(load):.0f} to {max(load):.0f}"])
    heads = ["whole reviews", "rows a second", "rows a CPU second", "load average"]
    busy = "; other work ran beside it" if content["other_work_ran_on_the_machine"] else ""
    return (
        f"{markdown(heads, rows)}\n\n{found['rounds']} rounds of {found['rows']:,} reviews, quick "
        f"model, {content['precision'].split()[-1]}, {hardware['cores']} cores of "
        f"{hardware['cpu']}, Ray {content['versions']['ray']}{busy}."
    )


def trials() -> str:
    """What the other engines gave, with and without a killed worker."""
    found, rows = read("trials"), []
    for engine, name in TRIALS.items():
        for more in ("", ", a worker killed"):
            one = found[engine + more]
            apart = one["largest_probability_difference"]
            cells = [f"{one['rows']:,}", f"{one['answered']:,}", f"{one['different_ids']:,}"]
            cells += [f"{one['equal_to_the_bit']:,}", "" if apart is None else f"{apart:.1g}"]
            cells += [f"{one['seconds_with_start']:.0f}"]
            rows.append([f"{name} {one['version']}{more}", *cells])
    heads = ["rows", "answered", "different ids", "equal to the bit", "largest difference"]
    return markdown(["", *heads, "seconds"], rows)


def reckoned() -> str:
    """A billion reviews, and BERT-base on 8 GPUs."""
    content = read("reckoning")
    runs, trained = content["scoring"], content["training"]
    rows = [
        [name, *(f"{run['seconds_alone'][name] / 3600:.2f}" for run in runs.values())]
        for name in next(iter(runs.values()))["seconds_alone"]
    ]
    rows.append(["**together**", *(f"**{run['hours']:.1f}**" for run in runs.values())])
    rows.append(["**dollars**", *(f"**{run['dollars']:,.0f}**" for run in runs.values())])
    first = markdown(["hours that each takes alone", *runs], rows)
    rows = [[name, *(f"{run[key]:.2f}" for key in STEP)] for name, run in trained.items()]
    second = markdown(["BERT-base, IMDB, 5 epochs", *(key.replace("_", " ") for key in STEP)], rows)
    return f"{first}\n\n{second}"


def everything() -> str:
    """All that stands between the marks."""
    return "\n\n".join([equality(), speed(), trials(), reckoned()])


def main() -> None:
    before, start, rest = README.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{README} has no {START} ... {END}")
    README.write_text(f"{before}{start}\n\n{everything()}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
