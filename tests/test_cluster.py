"""cluster/score.py answers as model_predict.py does, whatever happens to its workers."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, made_up_rows, run_script, write_csv

from sentiment.scoring import batch, resume

SCORE = "cluster/score.py"
PARTS = 10  # of the file that is scored
WAIT = 120  # seconds after which a test gives up
NUMBER = re.compile(rb"\d\.\d+(?:e-\d+)?")


def family(process: int) -> dict[int, str]:
    """What descends from a process, and the name of each."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            names[int(folder.name)] = (folder / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return {one: names.get(one, "") for one in found[1:]}


def start(*arguments: object, cwd: Path) -> subprocess.Popen:
    command = [sys.executable, str(ROOT / SCORE), *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


def wait_for_parts(process: subprocess.Popen, target: Path, count: int) -> int:
    """Wait until so many parts are there; return how many are."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end and process.poll() is None:
        if (done := len(list(resume.parts_folder(target).glob("part-*")))) >= count:
            return done
        time.sleep(0.02)
    raise AssertionError(f"no {count} parts: {process.communicate()}")


@pytest.fixture(scope="module")
def long_file(trained, tmp_path_factory):
    """(a file of PARTS parts with two bad rows, what model_predict.py makes of it, flags)."""
    home = tmp_path_factory.mktemp("long")
    rows = [(text, number) for number, (text, _) in enumerate(made_up_rows(PARTS * batch.PART - 7))]
    rows[5], rows[9000] = ("", 5), (" ", 9000)
    source = write_csv(home / "in.csv", rows, header=("text", "number"))
    flags = ["--model-folder", trained.folder, "--input", source]
    done = run_script("model_predict.py", *flags, "--output", home / "expected.csv", cwd=home)
    assert done.returncode == 1, done.stderr
    return source, home / "expected.csv", flags


def assert_same_answers(target: Path, expected: Path) -> None:
    """Equal to the byte, but for digits of a probability: other threads, another order of sums."""
    ours, theirs = (path.read_bytes() for path in (target, expected))
    assert NUMBER.sub(b"", ours) == NUMBER.sub(b"", theirs)
    numbers, others = (np.array(NUMBER.findall(one), float) for one in (ours, theirs))
    np.testing.assert_allclose(numbers, others, rtol=0, atol=1e-6)


def test_killed_worker_loses_and_doubles_no_row(long_file, tmp_path):
    _, expected, flags = long_file
    target = tmp_path / "out.csv"
    process = start(*flags, "--output", target, "--workers", 2, cwd=tmp_path)
    done = wait_for_parts(process, target, 2)
    victim = next(one for one, name in family(process.pid).items() if "MapBatches(Worker)" in name)
    os.kill(victim, signal.SIGKILL)
    said, errors = process.communicate(timeout=WAIT)
    assert done < PARTS and process.returncode == 1, errors
    assert_same_answers(target, expected)
    assert "2 of them refused" in said and "row 7: no text: not scored" in errors
    assert not resume.parts_folder(target).exists()


def test_stopped_run_goes_on_with_what_it_had(long_file, tmp_path):
    _, expected, flags = long_file
    target = tmp_path / "out.csv"
    flags = [*flags, "--output", target, "--workers", 2]
    process = start(*flags, cwd=tmp_path)
    wait_for_parts(process, target, 3)
    process.terminate()
    _, errors = process.communicate(timeout=WAIT)
    assert process.returncode == 143 and errors.endswith("score.py: stopped by SIGTERM\n")
    kept = len(list(resume.parts_folder(target).glob("part-*")))
    refused = run_script("model_predict.py", *flags[:-2], "--resume", cwd=tmp_path)
    assert refused.returncode == 2 and "delete it to begin anew" in refused.stderr
    done = run_script(SCORE, *flags, "--resume", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert f"{kept * batch.PART:,} rows were scored before" in done.stderr
    assert_same_answers(target, expected)


def test_two_machines_score_several_files(trained, tmp_path):
    """Two of Ray's nodes with a core each, reached by their address; a file each into a folder."""
    from ray.cluster_utils import Cluster

    texts = [text for text, _ in made_up_rows(300)]
    table = pd.DataFrame({"text": texts, "number": range(300)})
    table.to_parquet(tmp_path / "one.parquet")
    write_csv(tmp_path / "two.csv", [("", 0), *((text, 1) for text in texts)], ("text", "number"))
    flags = ["--model-folder", trained.folder, "--output", "out"]
    flags += ["--input", "one.parquet", "two.csv"]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        there = ["--address", cluster.address]
        many = run_script(SCORE, *flags, *there, "--workers", 3, cwd=tmp_path)
        assert (many.returncode, many.stderr.count("\n")) == (2, 1)
        assert "room for 2" in many.stderr
        done = run_script(SCORE, *flags, *there, cwd=tmp_path)
    finally:
        cluster.shutdown()
    assert done.returncode == 1, done.stderr
    assert "workers 2, threads of each 1, files 2" in done.stderr
    one, two = (
        pd.read_parquet(tmp_path / "out" / "one.parquet"),
        pd.read_csv(tmp_path / "out/two.csv"),
    )
    assert one["text"].tolist() == texts and one["number"].tolist() == list(range(300))
    assert one["label"].tolist() == two["label"].tolist()[1:]
    assert two["error"].tolist()[0] == "no text" and two["error"][1:].isna().all()


def test_what_is_wrong_in_a_worker_is_one_line(trained, tmp_path):
    table = pd.DataFrame({"text": [text for text, _ in made_up_rows(4000)]})
    table.to_parquet(tmp_path / "in.parquet", compression=None)
    content = bytearray((tmp_path / "in.parquet").read_bytes())
    content[200:3000] = bytes(2800)
    (tmp_path / "in.parquet").write_bytes(content)
    flags = ["--model-folder", trained.folder, "--input", "in.parquet", "--output", "out.csv"]
    done = run_script(SCORE, *flags, "--workers", 1, cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"score.py: {tmp_path / 'in.parquet'} is damaged")


@pytest.mark.parametrize(
    "flags, says",
    [
        (["--input", "in.csv", "--output", "out.doc"], "ends in .csv"),
        (["--input", "in.csv", "in.csv", "--output", "out"], "have one name"),
        (["--input", "in.csv", "--output", "out.csv", "--workers", "-1"], "0 or more"),
        (["--input", "in.csv", "--output", "out.csv", "--fast"], "no n-gram side"),
        (["--input", "-", "--output", "out.csv"], "give files"),
    ],
)
def test_impossible_runs_are_refused_before_any_compute(flags, says, trained, tmp_path):
    write_csv(tmp_path / "in.csv", [("good", 1)], header=("text", "number"))
    done = run_script(SCORE, "--model-folder", trained.folder, *flags, cwd=tmp_path)
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1


def test_without_ray_one_line_says_what_to_install(trained, tmp_path, monkeypatch):
    (tmp_path / "ray.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    write_csv(tmp_path / "in.csv", [("good", 1)])
    flags = ["--model-folder", trained.folder, "--input", "in.csv", "--output", "out.csv"]
    done = run_script(SCORE, *flags, cwd=tmp_path)
    assert done.returncode == 2 and "requirements-cluster.txt" in done.stderr
    assert done.stderr.count("\n") == 1 and not (tmp_path / "out.csv.parts").exists()
