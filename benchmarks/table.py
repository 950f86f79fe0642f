"""Write the benchmark tables from results/*.json: all of them, and a short one for newcomers.

    python benchmarks/table.py               # updates benchmarks/README.md and README.md
    python benchmarks/table.py --print       # prints the tables only

What stands there between `<!-- benchmarks:start -->` and `<!-- benchmarks:end -->` is replaced. A
benchmark without its JSON is shown as not run, and has no row in the short table. Needs the
project's own requirements; takes no time.
"""

import statistics
from typing import Any

import common

from experiments.table import load, markdown, mean

START, END = "<!-- benchmarks:start -->", "<!-- benchmarks:end -->"
# JSON, our side, the other one, and what a newcomer knows it as: rows of the short table.
COMPARED = (
    ("training", "ours", "trainer", "transformers' Trainer as it comes (float32, padded)"),
    (
        "training",
        "ours",
        "trainer-best",
        "Trainer at its best (any bf16, by length, fused AdamW)",
    ),
    ("training", "ours", "trainer-no-dropout", "the same without dropout inside, as ours"),
    ("scoring", "ours-both", "pipeline", "transformers' pipeline as it comes"),
    ("scoring", "ours-both", "onnx-int8", "ONNX Runtime, int8, fused graph, sorted by length"),
    ("scoring", "ours-fast", "onnx-int8", "the same, against --fast"),
)
JSONS = ("training", "tokens", "accuracy", "padding", "scoring", "linear", "cold_start", "memory")
JSONS += ("bulk", "roofline")
OTHER = "without-bfloat16"  # another machine, whose JSONs are in a folder of this name
Content = dict[str, Any]  # of a JSON, or of a part of it


def cells(found: Content, heading: str = "") -> dict[str, str]:
    """What was found of a side, by its heading: the names in the JSON are words already."""
    result: dict[str, str] = {}
    for name, value in found.items():
        name = f"{heading} {name}".strip().replace("_", " ")
        if isinstance(value, dict) and "median" in value:
            low, middle, high = (f"{value[key]:.4g}" for key in ("min", "median", "max"))
            result[name] = f"{middle} ({low} to {high})"
        elif isinstance(value, dict):
            result |= cells(value, name)
        elif not isinstance(value, list):
            result[name] = f"{value:.4g}"
        elif isinstance(value[0], list):
            kinds = [f"{kind.removeprefix('_Mkl')} {share:.0%}" for kind, share in value[:8]]
            result[name] = ", ".join(kinds)
        else:
            result[name] = f"{mean(value)}; {len(value)}"
    return result


def sides(content: Content) -> dict[str, Content]:
    """What was found of each side, at each length."""
    rows = content.get("models") or content.get("sides") or {}
    for length, found in content.get("lengths", {}).items():
        if isinstance(found, float):
            found = {"padding": {"share_of_all_tokens": found}}
        for side, one in found.items():
            rows[f"{length} tokens, {side}"] = one
            ready = one.pop("ready", {})
            if read := ready.get("tokens_a_round", 0) / content.get("reviews_a_round", 1):
                one["microseconds_a_real_token"] = 1e6 / (read * one["per_second"]["median"])
    for peak in content.get("peaks", []):
        rows[f"{peak.pop('task')} {peak.pop('count'):,}, {peak.pop('side')}"] = peak
    return rows


def table(content: Content) -> str:
    """A row a side and a column a finding, or the other way round where that is narrower."""
    rows = {side: cells(found) for side, found in sides(content).items()}
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [[side, *(row.get(name, "") for name in names)] for side, row in rows.items()]
    lines.insert(0, ["", *names])
    if len(names) > len(rows):
        lines = list(zip(*lines, strict=True))
    return markdown(lines[0], lines[1:])


def conditions(machine: str = "") -> str:
    """Machine and versions; with several values, where they are not the same for all."""
    found: dict[str, list[str]] = {}
    for content in filter(None, (common.read(name, machine) for name in JSONS)):
        hardware = content["hardware"]
        bfloat16 = "with" if common.machine.BFLOAT16 & set(hardware["flags"]) else "without"
        cores = f"{hardware['cpu']}, {hardware['cores']} cores, {bfloat16} bf16 instructions"
        found.setdefault("", []).append(f"{cores}, {content['threads']} threads")
        found.setdefault("Python ", []).append(content["python"])
        for name in ("tensorflow", "torch", "transformers", "onnxruntime", "scikit-learn"):
            if version := content["versions"][name]:
                found.setdefault(f"{name} ", []).append(version)
    return "; ".join(name + " or ".join(dict.fromkeys(some)) for name, some in found.items())


def tables(machine: str = "") -> list[str]:
    """Each benchmark's, with its command, and the conditions."""
    parts = []
    for name in JSONS:
        heading = " ".join([name, machine]).strip().replace("_", " ").replace("-", " ")
        if content := common.read(name, machine):
            given = [f"{key} {value:,}" for key, value in content.items() if isinstance(value, int)]
            said = f"`{content['command']}`, {content['finished'][:10]}: "
            parts += [f"### {heading.capitalize()}", table(content)]
            parts.append(f"{said}{', '.join(given).replace('_', ' ')}.")
        elif not machine:
            parts += [f"### {heading.capitalize()}", "not run"]
    return [*parts, f"All of these: on {conditions(machine)}."] if parts else []


def everything() -> str:
    return "\n\n".join(tables() + tables(OTHER))


def times_as_fast(name: str, ours: str, side: str, machine: str = "") -> str:
    """At each length, as the rounds' median; empty where it was not measured."""
    lengths = common.read(name, machine).get("lengths", {}).values()
    found = [sides for sides in lengths if {ours, side} <= set(sides)]
    rates = [[one[who]["per_second"]["all"] for who in (ours, side)] for one in found]
    times = [f"{common.spread(*some)['median']:.2f}" for some in rates]
    return f"{' / '.join(times)} times as fast" if times else ""


def overview() -> str:
    """What a newcomer would take instead, a row each."""
    rows = []
    for name, ours, side, words in COMPARED:
        if times := times_as_fast(name, ours, side):
            task = f"{name}, at {' / '.join(common.read(name)['lengths'])} tokens"
            rows.append([task, words, times, times_as_fast(name, ours, side, OTHER)])
    models = common.read("linear").get("models", {}).items()
    if scored := [(name, one) for name, one in models if "test_accuracy" in one]:
        name, best = max(scored, key=lambda one: one[1]["test_accuracy"])
        runs = load("presets")["default"]
        accuracy = statistics.mean(run["evaluations"]["test"]["accuracy"] for run in runs)
        seconds = statistics.mean(run["train"]["total_seconds"] for run in runs)
        ours = f"{accuracy:.4f} against {best['test_accuracy']:.4f}"
        minutes = f"{seconds / 60:.0f} minutes"
        task = f"test accuracy, after {minutes} / {best['train_seconds']:.0f} seconds of training"
        rows.append([task, f"{name}, a linear model", ours, ""])
    starts = [common.read("cold_start", machine).get("sides") for machine in ("", OTHER)]
    if starts[0]:
        seconds = (first_answer(found) if found else "" for found in starts)
        rows.append(["first answer of a new process", "transformers' pipeline", *seconds])
    heading = ["", "instead", "this project", "and without bf16"]
    cores = conditions(OTHER).partition(";")[0]
    last = f" The last column: on {cores}." if cores else ""
    return (
        f"{markdown(heading, rows)}\n\n"
        f"Medians of the rounds; below 1 time the other is ahead. On {conditions()}.{last}"
    )


def first_answer(sides: Content) -> str:
    ours, other = (sides[side]["seconds"]["median"] for side in ("ours", "pipeline"))
    return f"{ours:.1f} s against {other:.1f} s"


def main() -> None:
    own, readme = common.ROOT / "benchmarks" / "README.md", str(common.ROOT / "README.md")
    flags = (("--print", False, "change nothing"), ("--readme", readme, "has the short table"))
    arguments = common.parse(__doc__, *flags)
    for path, make in ((own, everything), (common.Path(arguments.readme), overview)):
        if arguments.print:
            print(make(), end="\n\n")
            continue
        before, start, rest = path.read_text(encoding="utf-8").partition(START)
        _, end, after = rest.partition(END)
        if not end:
            raise SystemExit(f"{path} has no {START} ... {END}; --print prints the tables")
        path.write_text(f"{before}{start}\n\n{make()}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
