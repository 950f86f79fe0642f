"""Several devices: the same steps as one, one voice, and no run that hangs or is lost.

`python -m pytest -m long -n 0 -k strategies` trains the embedded encoder every way and writes
results/reliability/strategies.json.
"""

import concurrent.futures
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, made_up_rows, write_csv
from test_reliability import KILLED, write_result

from sentiment.errors import UserError
from sentiment.training import workers

LIMIT = 300  # seconds after which a process counts as hung


def start(
    home: Path, flags: list, config: dict | None = None, before: tuple = ()
) -> subprocess.Popen:
    """model_train.py in the background; `before` is a driver of tests/ with its words."""
    script = [str(ROOT / "tests" / before[0]), *map(str, before[1:])] if before else []
    script += ["model_train.py" if before else str(ROOT / "model_train.py"), *map(str, flags)]
    environment = {
        name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"
    }
    if config:
        environment["TF_CONFIG"] = json.dumps(config)
    return subprocess.Popen(
        [sys.executable, *script], cwd=home, env=environment, stdout=-1, stderr=-1, text=True
    )


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def start_workers(home: Path, flags: list, killed: int = -1, at_step: int = 0) -> list:
    """Two workers on the loopback, the chief first; one is killed at a step if that is wanted."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    for number in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        before = ("killed.py", "step", at_step) if number == killed else ()
        place = home / f"machine-{number}"  # as if they had disks of their own
        place.mkdir(exist_ok=True)
        started.append(start(place, flags, task, before))
    return started


def ended(running: list) -> list[tuple[int, str]]:
    """(exit code, standard error) of each; none is left running."""
    try:
        answers = [one.communicate(timeout=LIMIT) for one in running]
        return [(one.returncode, err) for one, (_, err) in zip(running, answers, strict=True)]
    finally:
        for one in running:
            one.kill()


def killed_and_ended(running: list, killed: int) -> tuple[list[tuple[int, str]], float]:
    """What `ended` gives, and seconds from one's death to the other's last line."""
    running[killed].wait(LIMIT)
    died = time.time()
    other = running[1 - killed]
    said = other.communicate(timeout=LIMIT)[1]
    seconds = time.time() - died
    answers = [(KILLED, ""), (KILLED, "")]
    answers[1 - killed] = (other.returncode, said)
    return answers, seconds


def history(model: Path) -> pd.DataFrame:
    return pd.read_csv(model / "history.csv").drop(columns=["train_seconds", "dev_seconds"])


def assert_same_training(model: Path, expected: Path) -> None:
    pd.testing.assert_frame_equal(history(model), history(expected), rtol=0, atol=1e-4)
    ours, theirs = (pd.read_csv(one / "steps.csv") for one in (model, expected))
    pd.testing.assert_frame_equal(ours, theirs, rtol=0, atol=1e-4)  # every step's reviews and loss


@pytest.fixture(scope="module")
def flags(tiny_pair, tmp_path_factory) -> list:
    """96 reviews in batches of 19: the last one has a single row, for one replica of two."""
    data = write_csv(tmp_path_factory.mktemp("rows") / "reviews.csv", made_up_rows(120))
    given = ["--encoder", tiny_pair.encoder, "--preprocessor", tiny_pair.preprocessor]
    given += ["--data", data, "--max-length", 16, "--batch-size", 19, "--epochs", 12]
    given += ["--learning-rate", "3e-3", "--precision", "float32", "--dropout", 0]
    given += ["--layer-decay", 0.5]  # the replicas' weights would part without it on each
    return [*given, "--sentence-share", 0, "--backup-steps", 5, "--no-ngrams"]


@pytest.fixture(scope="module")
def one_device(flags, tmp_path_factory) -> Path:
    """The model of one device."""
    home = tmp_path_factory.mktemp("one")
    # Of its own process: the seed that other tests set for TensorFlow makes another order.
    ((code, said),) = ended([start(home, flags)])
    assert code == 0, said
    losses = history(home / "saved_model" / "1")["dev_loss"]
    assert losses.iloc[-1] < losses.iloc[0]  # it learns, or the comparison would say little
    return home / "saved_model" / "1"


@pytest.mark.parametrize("micro_batch", [0, 4])
def test_two_devices_take_the_steps_of_one(flags, one_device, tmp_path, micro_batch):
    given = [*flags, "--strategy", "mirrored", "--micro-batch", micro_batch]
    ((code, said),) = ended([start(tmp_path, given, before=("virtual.py", 2))])
    assert code == 0, said
    assert "strategy: mirrored, 2 replicas" in said
    assert_same_training(tmp_path / "saved_model" / "1", one_device)


def test_killed_worker_is_said_and_the_run_goes_on_to_the_same_end(flags, one_device, tmp_path):
    answers, _ = killed_and_ended(start_workers(tmp_path, flags, killed=1, at_step=12), killed=1)
    code, said = answers[0]
    assert code == 2, said
    last = said.strip().splitlines()[-1]
    assert last.startswith("model_train.py: another worker is gone"), said
    assert "start all workers again with the same command" in last and "Traceback" not in said
    assert list((tmp_path / "machine-0").glob("saved_model/.training-*/state-*10.npz"))

    (code, said), (other_code, other) = ended(start_workers(tmp_path, flags))
    assert code == other_code == 0, said + other
    assert "strategy: multi_worker, 2 replicas" in said and "continuing at step 11" in said
    assert_same_training(tmp_path / "machine-0" / "saved_model" / "1", one_device)
    # One voice, and nothing written but by the chief.
    first, second = other.splitlines()
    assert first.startswith("worker 2 of 2: waiting for") and second.startswith("the chief, ")
    assert not list((tmp_path / "machine-1").iterdir())


def two_workers(number: int) -> tuple[list[str], dict]:
    """The addresses of two, and TF_CONFIG of one of them."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    task = {"type": "worker", "index": number}
    return addresses, {"cluster": {"worker": addresses}, "task": task}


def assert_one_line(said: str, *words: str) -> None:
    last = said.splitlines()[-1]
    assert last.startswith("model_train.py: ") and "Traceback" not in said, said
    assert all(word in last for word in words), said


@pytest.mark.parametrize("number", [0, 1])
def test_worker_that_does_not_come_is_named(flags, tmp_path, number):
    addresses, config = two_workers(number)
    ((code, said),) = ended([start(tmp_path, flags, config, ("impatient.py", 2))])
    assert code == 2
    missing = f"{addresses[1 - number]} cannot be reached after 2 seconds"
    assert_one_line(said, missing, "start every worker with the same TF_CONFIG")
    assert not (tmp_path / "saved_model").exists()


def test_workers_meet_at_an_ipv6_address_where_there_is_one():
    host = "[::1]" if socket.has_dualstack_ipv6() else "127.0.0.1"
    addresses = [f"{host}:{port}" for port in free_ports(2)]
    cluster = [workers.Cluster(addresses, number) for number in (0, 1)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert list(pool.map(workers.meet, cluster, timeout=60)) == [None, None]


def test_worker_with_another_config_than_the_chiefs_says_so(monkeypatch):
    monkeypatch.setattr(workers, "WAIT", 5)
    chief, one, other = (f"127.0.0.1:{port}" for port in free_ports(3))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(workers.meet, workers.Cluster([chief, one], 0))
        with pytest.raises(UserError, match="the TF_CONFIG of the chief, .* names other workers"):
            workers.meet(workers.Cluster([chief, other], 1))
        with pytest.raises(UserError, match=f"{one} cannot be reached after 5 seconds"):
            waiting.result()


def test_worker_whose_port_is_taken_says_so(flags, tmp_path):
    addresses, config = two_workers(0)
    with socket.create_server(("", int(addresses[0].split(":")[1]))):
        ((code, said),) = ended([start(tmp_path, flags, config, ("impatient.py", 2))])
    assert code == 2
    assert_one_line(said, addresses[0], "name another port in every TF_CONFIG")


def test_stranger_is_not_counted_and_worker_that_goes_while_it_joins_hangs_nobody(flags, tmp_path):
    addresses, config = two_workers(0)
    running = start(tmp_path, flags, config, ("impatient.py", 10))
    host, port = addresses[0].split(":")

    def say(content: object) -> socket.socket:
        while running.poll() is None:
            with contextlib.suppress(OSError):
                chief = stack.enter_context(socket.create_connection((host, int(port))))
                chief.sendall(json.dumps(content).encode() + b"\n")
                return chief
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(0.1)
        raise AssertionError(running.communicate())

    with contextlib.ExitStack() as stack:
        for content in ("hello", None, [addresses], {"a": 1}, [[], {}]):
            say(content)
        others = [[*addresses, "127.0.0.1:1"], 1], [addresses, 2], [addresses, 0]
        asked = [say(content) for content in others]
        assert [one.makefile("rb").readline() for one in asked] == [b"other\n"] * 3
        assert say([addresses, 1]).makefile("rb").readline() == b"go\n"
    ((code, said),) = ended([running])
    assert code == KILLED
    assert_one_line(said, "is gone again", "start all workers again with the same command")


@pytest.mark.long
def test_strategies(tmp_path, minilm_pair):
    """One device, two virtual CPU devices and two workers of the loopback, with the embedded
    encoder: the same dev loss without dropout, and what it is with it; then each worker killed.
    """
    started, found = time.time(), {}
    given = ["--train-examples", 200, "--dev-examples", 100, "--max-length", 32]
    given += ["--precision", "float32", "--backup-steps", 5, "--source", "embedded"]
    given += ["--sentence-share", 1, "--no-ngrams"]
    shown = " ".join(map(str, given))
    given += ["--data-folder", ROOT / "data", "--encoder-folder", ROOT / "data" / "encoders"]

    def results(home: Path) -> dict:
        return json.loads((home / "saved_model" / "quick" / "1" / "results.json").read_text())

    def note(name: str, home: Path, dropout: float, answers: list[tuple[int, str]]) -> None:
        assert [code for code, _ in answers] == [0] * len(answers), answers
        one = results(home)
        found[f"{name}, dropout {dropout:g}"] = {
            "dev_loss": one["dev_loss"],
            "dev_accuracy": one["dev_accuracy"],
            "train_loss": history(home / "saved_model" / "quick" / "1")["train_loss"].iloc[-1],
            "train_seconds": one["train_seconds"],
            "continued_at_step": one["continued_at_step"],
            "runs": 1,
        }
        print(name, found[f"{name}, dropout {dropout:g}"], flush=True)

    for dropout in (0.0, 0.1):
        flags = [*given, "--dropout", dropout]
        homes = [tmp_path / f"{name}-{dropout}" for name in ("one", "mirrored", "workers")]
        for home in homes:
            home.mkdir()
        note("one_device", homes[0], dropout, ended([start(homes[0], flags)]))
        mirrored = [*flags, "--strategy", "mirrored"]
        running = [start(homes[1], mirrored, before=("virtual.py", 2))]
        note("mirrored", homes[1], dropout, ended(running))
        answers = ended(start_workers(homes[2], flags))
        note("multi_worker", homes[2] / "machine-0", dropout, answers)

    kills, home = [], tmp_path / "killed"
    home.mkdir()
    flags = [*given, "--dropout", 0]
    for killed, at_step in ((1, 8), (0, 3)):  # the second run goes on from the first one's backup
        running = start_workers(home, flags, killed, at_step)
        answers, seconds = killed_and_ended(running, killed)
        code, said = answers[1 - killed]
        assert code == 2 and seconds < 60, said
        who = ("chief", "other worker")[killed]
        kills.append({"killed": who, "seconds": seconds, "said": said.strip().splitlines()[-1]})
        print(kills[-1], flush=True)
    note("multi_worker after both kills", home / "machine-0", 0, ended(start_workers(home, flags)))

    exact = [one["dev_loss"] for name, one in found.items() if name.endswith("dropout 0")]
    difference = max(exact) - min(exact)
    assert len(exact) == 4 and difference <= 1e-4
    device = results(tmp_path / "one-0.0")["machine"]["device"]
    content = {"settings": shown, "device": device, "trainings": found, "kills": kills}
    write_result("strategies", started, content | {"largest_difference_dropout_0": difference})
