"""How a script ends: its one line and its exit code, on errors and signals.

The scripts run as processes of their own here, mostly up to where TensorFlow would start.
"""

import errno
import signal
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from conftest import ROOT
from processes import SCRIPTS, shell, start

import params as settings
from sentiment import command_line
from sentiment.errors import Stopped

# Folders


@pytest.mark.parametrize(
    "here, there, comes",
    [
        ([], ["data"], "there"),  # the reviews go into data, so what is in it does, too
        ([], ["data/encoders"], "there"),
        (["data"], ["data"], "here"),
        (["data"], ["data/encoders"], "there"),
        (["data/encoders"], ["data/encoders"], "here"),
        ([], [], "here"),
    ],
)
def test_encoders_are_kept_with_the_reviews(here, there, comes, tmp_path, monkeypatch):
    for side, folders in (("here", here), ("there", there)):
        (tmp_path / side).mkdir()
        for folder in folders:
            (tmp_path / side / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(command_line, "HOME", tmp_path / "there")
    parser = command_line.make_parser("trial", settings.TRAIN)
    params, _ = command_line.parse(parser, [])
    assert Path(params.encoder_folder).absolute() == tmp_path / comes / "data" / "encoders"


# Errors


def test_unexpected_error_is_one_line_that_says_how_to_see_more():
    process = start("{}['missing\\nkey']")
    said = process.communicate()[1]
    assert process.returncode == 2
    assert said.startswith("trial.py: unexpected KeyError: ") and said.count("\n") == 1
    assert said.endswith("; --debug shows where; please report it\n")


@pytest.mark.parametrize("main", ["{}['key']", "raise UserError('name another')", "open('/no/x')"])
def test_debug_shows_where_every_error_comes_from(main):
    process = start(main, "--debug")
    said = process.communicate()[1]
    assert process.returncode == 2
    assert said.startswith("Traceback") and "in main" in said
    assert said.splitlines()[-1].startswith("trial.py: ")


@pytest.mark.parametrize("script", SCRIPTS)
def test_debug_is_a_flag_of_each_script(script, tmp_path):
    done = shell(f"PYTHON {ROOT / script} --debug --model-folder /proc/none x", tmp_path)
    without = shell(f"PYTHON {ROOT / script} --model-folder /proc/none", tmp_path)
    assert done.returncode == without.returncode == 2
    assert b"--debug" not in done.stderr
    assert script != "model_predict.py" or done.stderr.startswith(b"Traceback")
    assert b"Traceback" not in without.stderr


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's, which is no OSError."""


DISK = "saved_model/.unfinished-x/variables/part-0; No space left on device [Op:SaveV2]"


@pytest.mark.parametrize(
    "error, says",
    [
        (ResourceExhaustedError(DISK), "full (saved_model/.unfinished-x/variables/part-0): make"),
        (ResourceExhaustedError("No space left on device"), "the disk is full: make room"),
        (ResourceExhaustedError("OOM when allocating tensor"), "out of memory: close other"),
        (MemoryError(), "out of memory: close other programs"),
        (OSError(errno.ENOSPC, "No space left on device"), "device: make room and run the same"),
        (OSError(errno.ENOSPC, "No space left on device"), "; --debug shows where"),
        (OSError(errno.ENOSPC, "No space left on device", "a.csv"), "'a.csv': make room"),
        (OSError(errno.EACCES, "Permission denied", "a.csv"), "Permission denied: 'a.csv'"),
        (ModuleNotFoundError("No module named 'tensorflow'"), "pip install -r requirements.txt"),
        (Stopped(signal.SIGTERM), "stopped by SIGTERM"),
        (Stopped(signal.SIGTERM, "go on with it"), "go on with it"),
    ],
)
def test_words_name_the_thing_and_the_way_out(error, says):
    assert says in command_line.words(error)


def test_training_that_lacks_memory_names_the_settings_to_lower(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["model_train.py"])
    for flag in ("--batch-size", "--micro-batch", "--max-length"):
        assert flag in command_line.words(ResourceExhaustedError("OOM"))


def test_tensorflow_has_the_error_that_is_known_by_name():
    assert tf.errors.ResourceExhaustedError.__name__ == "ResourceExhaustedError"


# Signals


WAIT = "print('ready', flush=True)\nsignal.pause()"


@pytest.mark.parametrize(
    "number, code, says",
    [(signal.SIGTERM, 143, "stopped by SIGTERM"), (signal.SIGINT, 130, "interrupted")],
)
def test_signal_ends_with_one_line_and_its_code(number, code, says):
    process = start(WAIT)
    process.stdout.readline()
    process.send_signal(number)
    assert process.communicate()[1] == f"trial.py: {says}\n"
    assert process.returncode == code


def test_what_a_stopped_run_says_is_said():
    process = start("raise Stopped(signal.SIGTERM, 'kept; run it again')")
    assert process.communicate()[1] == "trial.py: kept; run it again\n"
    assert process.returncode == 143


def test_second_signal_ends_at_once():
    process = start(
        f"try:\n    signal.raise_signal(15)\nexcept BaseException:\n  {WAIT!r}\n  "
        + ("print('ready', flush=True)\n  signal.pause()")
    )
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.communicate()[1] == ""
    assert process.returncode == -signal.SIGTERM


def test_ignored_signal_stays_ignored():
    ignore = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)  # noqa: E731  as a shell's `&`
    process = start("signal.raise_signal(2)\nprint('here')", preexec_fn=ignore)
    assert process.communicate() == ("here\n", "")


def test_stopped_passes_what_catches_errors():
    assert not issubclass(Stopped, Exception)
