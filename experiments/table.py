"""Write the tables of README.md and experiments/README.md, and the figure, from results/*/*.json.

    python experiments/table.py               # updates both and results/curve.png
    python experiments/table.py --print       # prints the tables only

What stands in them between `<!-- results:start -->` and `<!-- results:end -->` is replaced.
Needs matplotlib for the figure; takes a second.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sentiment.reviews.others import OTHERS, others  # noqa: E402

RESULTS = ROOT / "results"
START, END = "<!-- results:start -->", "<!-- results:end -->"
CLASSIC = (
    "BERT-base, 128 tokens, head; 5 epochs; pooled output, learning rate 3e-05: not run here, "
)
CLASSIC += "the figure of percent4/tf_hub_english_text_classification"
SPLITS = {
    "test": "test",
    "rotten-tomatoes": "Rotten Tomatoes",
    "dev-sentences": "dev sentences",
    "short-texts": "short texts",
    "unseen-texts": "unseen texts",
    "rated": "rated sentences",
}
Runs = list[dict[str, Any]]


def load(table: str) -> dict[str, Runs]:
    """The runs of a table by their row's name, in the order of the table."""
    found: dict[str, Runs] = {}
    for path in sorted((RESULTS / table).glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault(content["name"], []).append(content)
    names = [line.split(",")[0] for line in lines_of(table)[1:]]
    return {name: found[name] for name in names if name in found}


def lines_of(table: str) -> list[str]:
    return (ROOT / "experiments" / f"{table}.csv").read_text(encoding="utf-8").splitlines()


def mean(values: Sequence[float], form: str = "{:.4f}") -> str:
    """One value as it is; of several the mean, with their range."""
    if len(values) == 1:
        return form.format(values[0])
    low, high = form.format(min(values)), form.format(max(values))
    return f"{form.format(statistics.mean(values))} ({low} to {high})"


def of_split(runs: Runs, split: str, name: str = "accuracy") -> str:
    if split not in runs[0]["splits"]:
        return "not scored"
    return mean([run["evaluations"][split][name] for run in runs])


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def recipe(settings: dict[str, Any]) -> str:
    epochs = settings["epochs"]
    short = min(settings.get("short_epochs", 0), epochs - 1)  # a setting of earlier commits
    parts = [
        f"{settings['max_length']} tokens, {settings['truncation']}",
        f"{epochs} epoch{'s' if epochs > 1 else ''}",
        f"{'mean of tokens' if settings['pooling'] == 'mean' else 'pooled output'}, "
        f"learning rate {settings['learning_rate']:g}",
    ]
    if short:
        parts[1] += f", the first {short} at {settings['short_length']} tokens"
    if settings["sentence_share"]:
        kind = {"any": "sentences", "last": "last sentences", "span": "spans"}
        choice = kind[settings.get("sentence_choice", "any")]
        parts.append(f"up to {settings['sentence_share']:g} {choice} a review besides")
    parts += [OTHERS[name] for name in others(settings.get("also", "none"))]
    if settings.get("ngrams"):  # a setting that later commits have
        parts.append("n-grams of the whole review")
    if settings.get("alike"):
        parts.append("names read as one")
    if settings["dev_share"] != 0.2:  # the default
        parts.append(f"dev {settings['dev_share']:.0%} of the train split")
    return "; ".join(parts)


def sides_table(
    groups: dict[str, Runs], splits: Sequence[str] = ("test", "rotten-tomatoes")
) -> str:
    """What the encoder and the n-gram side come to alone and together."""
    rows = []
    for name, runs in groups.items():
        for split in splits:
            found = [run["evaluations"].get(split, {}) for run in runs]
            if all("sides" in one for one in found):
                alone = [
                    mean([one["sides"][side]["accuracy"] for one in found])
                    for side in ("encoder", "ngrams")
                ]
                both = mean([one["accuracy"] for one in found])
                rows.append([f"{name}, {SPLITS[split]}", *alone, both])
    return markdown(["", "encoder alone", "n-grams alone", "both"], rows) if rows else ""


def main_table(groups: dict[str, Runs], more: Sequence[Sequence[str]] = ()) -> str:
    head = ["", "recipe", "dev", "test", "calibration error", "Rotten Tomatoes", "minutes", "runs"]
    rows = []
    for name, runs in groups.items():
        minutes = mean([run["train"]["total_seconds"] / 60 for run in runs], "{:.1f}")
        rows.append(
            [
                name,
                recipe(runs[0]["train"]["settings"]),
                mean([run["train"]["dev_accuracy"] for run in runs]),
                of_split(runs, "test"),
                of_split(runs, "test", "calibration_error"),
                of_split(runs, "rotten-tomatoes"),
                minutes,
                str(len(runs)),
            ]
        )
    note = "Minutes are from the command to the exported model, downloads excluded."
    scored = {
        (one["reviews"], one["split"].endswith("held-out"), name)
        for name, runs in groups.items()
        for one in (run["evaluations"].get("rotten-tomatoes") for run in runs)
        if one
    }
    for count in sorted({count for count, held_out, _ in scored if held_out}):
        names = sorted(name for number, _, name in scored if number == count)
        of = "" if len(names) == len({name for *_, name in scored}) else f" of {', '.join(names)}"
        note += f" Rotten Tomatoes{of}: the {count:,} sentences that were held out."
    return f"{markdown(head, [*rows, *more])}\n\n{conditions(groups)} {note}"


def lever_table(groups: dict[str, Runs], table: str) -> str:
    """What each row changes in the first one, and what that gave; the first one stands above."""
    columns = lines_of(table)[0].split(",")[3:]  # behind name, seeds and splits
    made_at = dict.fromkeys(groups, "")
    if columns[0] == "commit":
        columns = columns[1:]
        made_at = {row[0]: row[3] for row in (line.split(",") for line in lines_of(table)[1:])}
    settings = [runs[0]["train"]["settings"] for runs in groups.values()]
    base = settings[0]
    rows = []
    for (name, runs), own in zip(groups.items(), settings, strict=True):
        changed = [f"{key} {own[key]}" for key in columns if own.get(key) != base.get(key)]
        if made_at[name]:
            changed.append(f"only with the code of commit {made_at[name]}")
        accuracy = mean([run["train"]["dev_accuracy"] for run in runs])
        sentences = of_split(runs, "dev-sentences")
        rows.append([name, ", ".join(changed) or "(above)", accuracy, sentences, str(len(runs))])
    above = ", ".join(f"{key} {base[key]}" for key in columns if key in base)
    lines = markdown(["row", "changes", "dev", "dev sentences", "runs"], rows)
    return f"{above}:\n\n{lines}\n\n{conditions(groups)}"


def conditions(groups: dict[str, Runs]) -> str:
    runs = [run for some in groups.values() for run in some]
    devices = sorted({run["train"]["machine"]["device"] for run in runs})
    precisions = sorted({run["train"]["machine"]["precision"] for run in runs})
    versions = sorted({run["train"]["machine"]["versions"]["tensorflow"] for run in runs})
    return f"On {'; '.join(devices)}, {', '.join(precisions)}, TensorFlow {', '.join(versions)}."


def figure(curve: dict[str, Runs], full: dict[str, Runs], path: Path) -> None:
    """Dev accuracy against minutes: a line a truncation, full runs as points, linear models."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = {"head": "#0072B2", "tail": "#D55E00", "head+tail": "#009E73"}
    markers = {"head": "o", "tail": "s", "head+tail": "^"}
    beside = {"head": (0, -14), "tail": (13, -1), "head+tail": (-4, 7)}  # points
    plot, axis = plt.subplots(figsize=(8, 5), layout="constrained")
    for truncation, colour in colours.items():
        runs = [
            some[0]["train"]
            for some in curve.values()
            if some[0]["train"]["settings"]["truncation"] == truncation
        ]
        minutes = [run["train_seconds"] / 60 for run in runs]
        accuracy = [run["dev_accuracy"] for run in runs]
        label = f"{truncation}, {runs[0]['train_reviews']:,} reviews" if runs else truncation
        axis.plot(minutes, accuracy, color=colour, marker=markers[truncation], label=label)
        for run, x, y in zip(runs, minutes, accuracy, strict=True):
            axis.annotate(
                str(run["settings"]["max_length"]),
                (x, y),
                textcoords="offset points",
                xytext=beside[truncation],
                ha="center",
                fontsize=8,
            )
    for name, runs in full.items():
        x = statistics.mean(run["train"]["train_seconds"] / 60 for run in runs)
        y = statistics.mean(run["train"]["dev_accuracy"] for run in runs)
        axis.plot(x, y, "k*", markersize=11)
        place = {"textcoords": "offset points", "xytext": (0, -17), "ha": "center"}
        axis.annotate(name, (x, y), fontsize=9, **place)
    linear = ROOT / "benchmarks" / "results" / "linear.json"
    if linear.is_file():
        models = json.loads(linear.read_text(encoding="utf-8"))["models"]
        for (name, found), style in zip(models.items(), ("--", ":"), strict=False):
            axis.axhline(found["dev_accuracy"], color="0.4", linestyle=style, label=name)
    axis.set(
        xlabel="minutes of training (2 cores, logarithmic)",
        ylabel="dev accuracy (share of 5,000 reviews)",
        title="How much of a review to read; numbers are max lengths, stars are full runs",
        xscale="log",
    )
    ticks = [0.5, 1, 2, 5, 10, 20, 50, 100]
    axis.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    plot.savefig(path, dpi=130)
    plt.close(plot)


def full_runs() -> dict[str, Runs]:
    """The presets, and the classic recipe with the embedded encoder."""
    classic = load("seed_table").items()
    return load("presets") | {f"classic, {length}": runs for length, runs in classic}


def results() -> str:
    """All full runs, and the figure of the classic recipe with BERT-base."""
    groups = full_runs()
    if not groups:
        return ""
    more = [["classic, BERT-base", CLASSIC, "", "0.8850", "", "", "", ""]]
    return "\n\n".join(filter(None, [main_table(groups, more), sides_table(groups)]))


def tried() -> str:
    """What was screened on dev, and the recipes that others replaced."""
    parts = []
    for heading, table in (
        ("How much of a review is read", "curve"),
        ("Levers", "levers"),
        ("Short texts", "sentences"),
    ):
        if groups := load(table):
            parts += [f"### {heading}", lever_table(groups, table)]
    if groups := load("judgements"):
        runs = max(map(len, groups.values()))
        above = "`quick` without made-up judgements (`--also rotten-tomatoes`), with them, with "
        above += "rated sentences too and fewer single sentences of reviews, and with texts "
        above += "written one by one; then `default` with all of these, and with fewer sentences; "
        above += "one run each:" if runs == 1 else f"{runs} runs each:"
        table = f"{above}\n\n{sides_table(groups, list(SPLITS))}\n\n{conditions(groups)}"
        parts += ["### Short texts with labels of their own", table]
    made_at = dict.fromkeys(line.split(",")[3] for line in lines_of("earlier")[1:])
    note = f"Made with the code up to commit {' or '.join(made_at)}."
    parts += ["### Earlier recipes", main_table(load("earlier")), note]
    return "\n\n".join(parts)


DOCUMENTS = {ROOT / "README.md": results, ROOT / "experiments" / "README.md": tried}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--print", action="store_true", help="print, and change nothing")
    arguments = parser.parse_args()
    if arguments.print:
        print("\n\n".join(make() for make in DOCUMENTS.values()))
        return
    if curve := load("curve"):
        figure(curve, full_runs(), RESULTS / "curve.png")
    for path, make in DOCUMENTS.items():
        before, start, rest = path.read_text(encoding="utf-8").partition(START)
        _, end, after = rest.partition(END)
        if not start or not end:
            raise SystemExit(f"{path} has no {START} ... {END}; --print prints the tables")
        path.write_text(f"{before}{START}\n\n{make()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
