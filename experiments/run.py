"""Run a table of settings, one JSON a run: what the README's results are made from.

    python experiments/run.py experiments/presets.csv            # all runs of the table
    python experiments/run.py experiments/levers.csv --only mean  # rows whose name has this in it
    python experiments/run.py experiments/curve.csv --plan       # the predicted minutes only

A table is a CSV file. `name` names the row; `seeds` and `splits` are lists with spaces between: a
run a seed, scored afterwards on these splits (model_evaluate.py's; short-texts and unseen-texts are
files beside this one); a row with a `commit` needs the code of that commit, which still had its
settings, and is only shown; every other column is a setting of model_train.py, an empty cell its
default. Each run is the real command in a process of its own. Writes results/TABLE/NAME-SEED.json;
a run that has one is skipped, and one that was cut off goes on from its last backup. Models go to
data/experiments/, and away again without --keep.
The minutes are predicted from the last runs on such a machine (from one's before there are any).
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
MODELS = ROOT / "data" / "experiments"
sys.path.insert(1, str(ROOT))

from params import LATER, PRESETS, Params, flag  # noqa: E402
from sentiment import machine  # noqa: E402
from sentiment.errors import UserError  # noqa: E402
from sentiment.reviews import sources  # noqa: E402
from sentiment.reviews.others import OTHERS, others  # noqa: E402

# Tokens that a mean IMDB review has left at a max length (measured by summary.count_tokens),
# and how many a second are trained and scored: AMD EPYC, 2 cores, bfloat16.
TOKENS = {64: 64, 128: 127, 192: 181, 256: 219, 300: 238, 384: 264, 512: 290}
TRAINED, SCORED, START = 6700, 25000, 60  # tokens/s, tokens/s, seconds
SHORT = 25  # tokens of a sentence, and of another short text
OTHER = 5200  # short texts that each name in --also brings, about
LAST = 5  # runs that the pace is taken from
FILES = {
    "short-texts": "experiments/short_texts.csv",
    "unseen-texts": "experiments/unseen_texts.csv",
}
FILE = ["--text-column", "text", "--label-column", "label", "--data"]


class Run(NamedTuple):
    """One row of a table with one seed."""

    name: str
    seed: int
    flags: dict[str, str]
    splits: list[str]
    target: Path
    model_folder: Path


def read_table(path: Path, only: str) -> list[Run]:
    """The runs of a table whose name contains `only`."""
    known = {item.name for item in dataclasses.fields(Params)} - {"seed", "model_folder"}
    runs = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name, seeds, splits = (row.pop(key) for key in ("name", "seeds", "splits"))
            flags = {key: value for key, value in row.items() if value}
            if made_at := flags.pop("commit", ""):
                print(f"{name}: only with the code of commit {made_at}")
                continue
            if unknown := set(flags) - known:
                raise SystemExit(f"{path}: no setting {', '.join(sorted(unknown))}")
            for seed in map(int, seeds.split()):
                label = f"{name}-{seed}"
                target = RESULTS / path.stem / f"{label}.json"
                # Other settings under the same name are another model, the preset's too.
                settings = json.dumps(with_preset(flags), sort_keys=True)
                key = hashlib.sha256(settings.encode()).hexdigest()[:8]
                home = MODELS / path.stem / f"{label}-{key}"
                if only in name:
                    runs.append(Run(name, seed, flags, splits.split(), target, home))
    return sorted(runs, key=lambda run: run.seed)  # a first comparison is there early


def with_preset(flags: dict[str, Any]) -> dict[str, Any]:
    """All settings of a row, the defaults and those of its preset among them."""
    return dataclasses.asdict(Params()) | PRESETS[flags.get("preset", "default")] | flags


def tokens(max_length: int) -> float:
    """Tokens read of a mean review, between the lengths of the table."""
    lengths = sorted(TOKENS)
    below = max((one for one in lengths if one <= max_length), default=lengths[0])
    above = min((one for one in lengths if one >= max_length), default=lengths[-1])
    if below == above:
        return TOKENS[below]
    share = (max_length - below) / (above - below)
    return TOKENS[below] + share * (TOKENS[above] - TOKENS[below])


def predicted_minutes(flags: dict[str, Any], splits: list[str]) -> float:
    """What a run takes on the machine that the constants are of."""
    given = with_preset(flags)
    length = tokens(int(given["max_length"]))
    dev_share = float(given["dev_share"])
    reviews = int(given["train_examples"]) or round(25000 * (1 - dev_share))
    short = reviews * float(given["sentence_share"])
    also = given["also"]
    if also == "auto":  # params.py says what it means
        also = "none" if int(given["train_examples"]) or not short else ",".join(OTHERS)
    short += OTHER * len(others(also)) * int(given["also_passes"])
    epochs = int(given["epochs"])
    dev = int(given["dev_examples"]) or round(25000 * dev_share)
    seconds = START + epochs * (reviews * length + short * SHORT) / TRAINED
    seconds += epochs * dev * length / SCORED
    counts = {"dev": dev, "test": 25000}
    seconds += sum(15 + counts.get(split, 500) * length / SCORED for split in splits)
    return seconds / 60


def pace() -> float:
    """How much longer than predicted the last runs on such a machine took (their median)."""
    precision = "bfloat16" if machine.has_bfloat16() else "float32"  # CPUs of one name differ
    ratios = []
    for path in RESULTS.glob("*/*.json"):
        content = read_json(path)
        # Older runs do not say when; their pace was another code's.
        if not (content.get("finished") and content.get("minutes")):
            continue
        train = content["train"]
        here = machine.cpu_name() in train["machine"]["device"]
        if here and train["machine"]["precision"] == precision:
            minutes = predicted_minutes(LATER | train["settings"], content["splits"])
            ratios.append((content["finished"], content["minutes"] / minutes))
    if not ratios:
        print("no run was on such a machine yet: the minutes are of 2 cores with bfloat16")
        return 1.0
    return statistics.median(ratio for _, ratio in sorted(ratios)[-LAST:])


def carry_out(run: Run) -> dict[str, Any]:
    """Train and score one run. Raises RuntimeError when a script fails."""
    started = time.time()
    flags = [word for key, value in run.flags.items() for word in as_flag(key, value)]
    flags += ["--seed", str(run.seed), "--model-folder", str(run.model_folder)]
    already = bool(finished(run.model_folder))  # it was cut off while it was scored
    if not already:
        call("model_train.py", *flags)
    (model,) = finished(run.model_folder)
    for split in run.splits:
        what = [*FILE, str(ROOT / FILES[split])] if split in FILES else ["--split", split]
        call("model_evaluate.py", "--model-folder", str(model), *what)
    scored = run.model_folder / f"{model.name}-evaluation"
    train = read_json(model / "results.json")
    whole = not (already or train["continued_at_step"])  # in one go, so that its time counts
    return {
        "name": run.name,
        "seed": run.seed,
        "flags": run.flags,
        "splits": run.splits,
        "minutes": (time.time() - started) / 60 if whole else None,
        "commit": commit(),
        "finished": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        "system": f"{platform.system()} {platform.machine()}",
        "train": train,
        "evaluations": {split: evaluation(scored, split) for split in run.splits},
    }


def evaluation(folder: Path, split: str) -> dict[str, Any]:
    """A split's figures, or those of the part of it that was not learnt from."""
    if split in FILES:
        split = Path(FILES[split]).name
    held_out = folder / f"{split}-held-out.json"
    return read_json(held_out if held_out.exists() else folder / f"{split}.json")


def finished(folder: Path) -> list[Path]:
    """The models in it that were exported."""
    return [path for path in folder.glob("*") if path.name.isdecimal()]


def as_flag(name: str, value: str) -> list[str]:
    if value not in ("True", "False"):
        return [flag(name), value]
    return [] if value == str(getattr(Params, name)) else [flag(name)]  # a flag changes the default


def call(script: str, *arguments: str) -> None:
    done = subprocess.run([sys.executable, str(ROOT / script), *arguments], cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} {' '.join(arguments)} ended with {done.returncode}")


def commit() -> str:
    """The commit that ran, `+` if files were changed since."""
    words = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--plan", action="store_true", help="print the plan, run nothing")
    parser.add_argument("--keep", action="store_true", help="leave the models in data/experiments")
    arguments = parser.parse_args()
    if not arguments.table.is_file():
        parser.error(f"no table {arguments.table}")
    runs = [run for run in read_table(arguments.table, arguments.only) if not run.target.exists()]
    scale = pace() if runs else 1.0
    minutes = [scale * predicted_minutes(run.flags, run.splits) for run in runs]
    for run, one in zip(runs, minutes, strict=True):
        print(f"{run.name}-{run.seed}: about {one:.0f} minutes")
    print(f"{len(runs)} runs, about {sum(minutes):.0f} minutes in all", flush=True)
    if arguments.plan:
        return
    if any("test" in run.splits for run in runs):
        try:  # hours later would be late
            sources.find_imdb("test", Params())
        except UserError as error:
            raise SystemExit(f"{arguments.table}: {error}") from None
    for number, run in enumerate(runs):
        left = sum(minutes[number:])
        print(f"\n{run.name}-{run.seed}; about {left:.0f} minutes left in all", flush=True)
        try:
            result = carry_out(run)
        except RuntimeError as error:  # the script has said why
            raise SystemExit(str(error)) from None
        run.target.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result, indent=1).replace(str(ROOT) + "/", "")
        run.target.write_text(text + "\n", encoding="utf-8")
        accuracy = result["train"]["dev_accuracy"]
        print(f"dev accuracy {accuracy:.4f}: {run.target.name}")
        if not arguments.keep:
            shutil.rmtree(run.model_folder)


if __name__ == "__main__":
    main()
