"""Write the README's benchmark tables from results/*.json.

    python benchmarks/table.py               # updates README.md
    python benchmarks/table.py --print       # prints the tables only

What stands in README.md between `<!-- benchmarks:start -->` and `<!-- benchmarks:end -->` is
replaced. A benchmark without its JSON is shown as not run. Needs the standard library only; takes
no time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
START, END = "<!-- benchmarks:start -->", "<!-- benchmarks:end -->"
NAMES = {
    "ours": "this project",
    "ours-float32": "this project, float32",
    "trainer": "transformers Trainer as it comes (float32, padded)",
    "trainer-best": "Trainer at its best (bf16, dynamic padding, grouped, fused AdamW)",
    "trainer-no-dropout": "the same without inner dropout",
    "pipeline": "transformers pipeline as it comes",
    "pipeline-8": "pipeline, batch size 8",
    "pipeline-32": "pipeline, batch size 32",
    "torch-autocast": "PyTorch, bf16 autocast, sorted",
    "torch-bfloat16": "PyTorch, all bf16, sorted",
    "torch-float32": "PyTorch, float32, sorted",
    "onnx-float32": "ONNX Runtime float32, sorted",
    "onnx-int8": "ONNX Runtime int8 (dynamic), sorted",
    "imports": "`import tensorflow, tensorflow_text`",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def span(values: dict[str, Any], form: str = "{:.1f}") -> str:
    """median (smallest to largest)"""
    low, high = form.format(values["min"]), form.format(values["max"])
    return f"{form.format(values['median'])} ({low} to {high})"


def rates(content: dict[str, Any]) -> str:
    """Reviews/s and ratios, a pair of columns a length."""
    lengths = content["lengths"]
    head = ["reviews/s; how many times faster this project is"]
    for length in lengths:
        head += [f"{length} tokens", "ratio"]
    rows = []
    for side in next(iter(lengths.values())):
        row = [NAMES[side]]
        for sides in lengths.values():
            row.append(span(sides[side]["per_second"]))
            ratio = sides[side].get("ours_is_times_faster")
            row.append(span(ratio, "{:.2f}") if ratio and side != "ours" else "")
        rows.append(row)
    return table(head, rows)


def tokens(content: dict[str, Any]) -> str:
    costs = {}
    for length, sides in content["lengths"].items():
        ours = sides["ours"]
        read = ours["ready"]["tokens_a_round"] / content["reviews_a_round"]
        costs[length] = 1e6 / (ours["per_second"]["median"] * read)
    first = next(iter(costs.values()))
    rows = [
        ["µs a token", *(f"{cost:.0f}" for cost in costs.values())],
        ["times the first", *(f"{cost / first:.2f}" for cost in costs.values())],
    ]
    return table(["max length", *costs], rows)


def accuracy(content: dict[str, Any]) -> str:
    lengths = content["lengths"]
    head = ["dev accuracy, mean (range; seeds)", *(f"{length} tokens" for length in lengths)]
    rows = []
    for side in next(iter(lengths.values())):
        found = [lengths[length][side]["accuracy"] for length in lengths]
        rows.append([NAMES[side], *map(mean_of, found)])
    note = (
        f"{content['train_reviews']:,} training reviews, one epoch, {content['dev_reviews']:,} dev "
        "reviews; same reviews, batch size and learning rate."
    )
    return table(head, rows) + "\n\n" + note


def mean_of(values: list[float]) -> str:
    mean = sum(values) / len(values)
    return f"{mean:.4f} ({min(values):.4f} to {max(values):.4f}; {len(values)})"


def padding(content: dict[str, Any]) -> str:
    lengths = content["lengths"]
    row = ["padding, of all tokens", *(f"{share:.2%}" for share in lengths.values())]
    return table(["max length", *lengths], [row])


def linear(content: dict[str, Any]) -> str:
    head = ["whole reviews", "dev accuracy", "test accuracy", "training, s", "scoring, reviews/s"]
    rows = []
    for name, found in content["models"].items():
        test = found.get("test_accuracy")
        rows.append(
            [
                name,
                f"{found['dev_accuracy']:.4f}",
                "not run" if test is None else f"{test:.4f}",
                f"{found['train_seconds']:.1f}",
                f"{found['dev_per_second']:,.0f}",
            ]
        )
    return table(head, rows)


def cold_start(content: dict[str, Any]) -> str:
    rows = [
        [NAMES[name], span(side["seconds"], "{:.2f}"), span(side["times_the_imports"], "{:.2f}")]
        for name, side in content["sides"].items()
    ]
    return table(["one review, whole process", "seconds", "times the bare imports"], rows)


def memory(content: dict[str, Any]) -> str:
    words = {
        "train": f"training, batch 32, {content['training_length']} tokens, {{:,}} steps",
        "score": f"scoring {{:,}} reviews, {content['max_length']} tokens",
        "short": "scoring {:,} texts of 10 words",
    }
    found: dict[str, dict[str, float]] = {}
    for peak in content["peaks"]:
        row = words[peak["task"]].format(peak["count"])
        side = "transformers" if peak["side"] in ("trainer", "pipeline") else peak["side"]
        found.setdefault(row, {})[side] = peak["peak_megabytes"]
    sides = ("ours", "transformers", "onnx-float32")
    head = ["peak resident memory, MB", "this project", "transformers", "ONNX Runtime"]
    rows = [
        [row, *(f"{peaks[side]:,.0f}" if side in peaks else "" for side in sides)]
        for row, peaks in found.items()
    ]
    return table(head, rows)


def roofline(content: dict[str, Any]) -> str:
    rows, details = [], []
    for length, precisions in content["lengths"].items():
        for precision, found in precisions.items():
            best = max(found["gflops"].values())
            row = [f"{length} tokens, {precision}", f"{best:.0f}"]
            for task in ("training", "scoring"):
                row += [f"{found[task]['share']['median']:.0%}"]
                row += [f"{found[task]['share_of_shapes']['median']:.0%}"]
            rows.append(row)
            for task in ("training", "scoring"):
                times = ", ".join(
                    f"{kind.removeprefix('_Mkl')} {share:.0%}"
                    for kind, share in found["operations"][task][:8]
                )
                if precision == next(iter(precisions)):
                    details.append([f"{task}, {length} tokens, {precision}", times])
    head = ["", "matrix products, GFLOP/s", "training", "of own shapes"]
    first = table([*head, "scoring", "of own shapes"], rows)
    return first + "\n\n" + table(["share of summed operation time", "largest"], details)


SECTIONS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "training": ("Training", rates),
    "tokens": ("Training cost of a real (unpadded) token", tokens),
    "accuracy": ("Accuracy after the same training", accuracy),
    "padding": ("Padding", padding),
    "scoring": ("Scoring", rates),
    "linear": ("Linear baselines", linear),
    "cold_start": ("Cold start", cold_start),
    "memory": ("Memory", memory),
    "roofline": ("Share of the machine's matrix-product rate", roofline),
}


def conditions(content: dict[str, Any]) -> str:
    """One line: machine and versions."""
    hardware, versions = content["hardware"], content["versions"]
    bfloat16 = "with" if {"avx512_bf16", "amx_bf16"} & set(hardware["flags"]) else "without"
    named = ("tensorflow", "torch", "transformers", "onnxruntime", "scikit-learn")
    packages = ", ".join(f"{name} {versions[name]}" for name in named if versions[name])
    return (
        f"{hardware['cpu']}, {hardware['cores']} cores, {bfloat16} bf16 instructions, "
        f"{content['threads']} threads; Python {content['python']}, {packages}."
    )


def tables() -> str:
    """All sections; the conditions stand once, at the end, where they are the same for all."""
    found = {}
    for name in SECTIONS:
        path = RESULTS / f"{name}.json"
        if path.is_file():
            found[name] = json.loads(path.read_text(encoding="utf-8"))
    everywhere = {conditions(content) for content in found.values()}
    parts = []
    for name, (title, show) in SECTIONS.items():
        parts.append(f"### {title}")
        if name in found:
            content = found[name]
            where = f" On: {conditions(content)}" if len(everywhere) > 1 else ""
            parts.append(show(content))
            parts.append(f"`{content['command']}`, {content['finished'][:10]}.{where}")
        else:
            parts.append("not run")
    if len(everywhere) == 1:
        parts.append(f"All of these: {everywhere.pop()}")
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--print", action="store_true", help="print, and change nothing")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    arguments = parser.parse_args()
    if arguments.print:
        print(tables())
        return
    if not arguments.readme.is_file():
        raise SystemExit(f"{arguments.readme} is not there; --print prints the tables")
    text = arguments.readme.read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise SystemExit(f"{arguments.readme} has no {START} ... {END}; --print prints the tables")
    arguments.readme.write_text(f"{before}{START}\n\n{tables()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
