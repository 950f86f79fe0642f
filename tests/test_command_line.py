"""How a script ends: its one line, its exit code, its streams, and what it finds around it.

The scripts run as processes of their own here, mostly up to where TensorFlow would start.
"""

import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from conftest import ROOT

from sentiment import command_line, machine
from sentiment.errors import Stopped, UserError
from sentiment.reviews import sources

SCRIPTS = ("model_train.py", "model_evaluate.py", "model_predict.py")


def start(main: str, *arguments: str, **options) -> subprocess.Popen:
    """A process whose `main` consists of these lines, ended by command_line.run."""
    lines = "".join(f"    {line}\n" for line in main.splitlines())
    code = "import os, signal, sys\nfrom sentiment import command_line\n"
    code += "from sentiment.errors import Stopped, UserError\n"
    code += f"def main():\n{lines}    return 0\n"
    code += f"sys.argv = {['trial.py', *arguments]!r}\ncommand_line.run(main)\n"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        **options,
    )


def shell(command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    """A command line as a shell runs it; PYTHON stands for this interpreter."""
    return subprocess.run(
        ["bash", "-c", command.replace("PYTHON", sys.executable)],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        check=False,
    )


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


# Standard streams


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    "arguments, streams, code, says",
    [
        ("--help", ">&-", 0, ""),
        ("--help", "<&-", 0, ""),
        ("--help", "2>&-", 0, ""),
        ("--help", "<&- >&- 2>&-", 0, ""),
        ("--help", ">/dev/full", 2, "cannot write to standard output (No space left on device)"),
        ("--help", ">/dev/full 2>/dev/full", 2, ""),
        ("--bogus", "2>/dev/full", 2, ""),
        ("--bogus", "2>&-", 2, ""),
        ("--bogus", "<&- >&-", 2, "unknown: --bogus"),
        ("--model-folder /proc/none", "2>&-", 2, ""),
        ("--model-folder /proc/none", "2>/dev/full", 2, ""),
    ],
)
def test_closed_or_full_streams_change_no_exit_code(
    script, arguments, streams, code, says, tmp_path
):
    done = shell(f"PYTHON {ROOT / script} {arguments} {streams}", tmp_path)
    said = done.stderr.decode()
    assert done.returncode == code, said
    assert says in said and said.count("\n") == bool(says)


@pytest.mark.parametrize(
    "command, says",
    [
        ("model_predict.py <&-", "no review to score"),
        ("model_predict.py good >&-", "standard output is closed"),
        ("model_predict.py --input r.csv >&-", "standard output is closed"),
        ("model_predict.py --input - <&-", "standard input is closed"),
    ],
)
def test_predict_refuses_streams_that_it_needs_before_any_compute(command, says, tmp_path):
    (tmp_path / "r.csv").write_text("text\ngood\n")
    done = shell(f"PYTHON {ROOT}/{command}", tmp_path)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1
    assert says in done.stderr.decode()


def test_files_never_take_the_place_of_a_closed_stream(tmp_path):
    """What is printed would go into them."""
    code = (
        "import os, sys\nfrom sentiment import command_line\n"
        "def main():\n    file = open('kept', 'w')\n    print('lost')\n"
        "    print('lost', file=sys.stderr)\n    os.write(1, b'lost')\n"
        "    return 0 if file.fileno() > 2 and sys.stdin.read() == '' else 3\n"
        "sys.argv = ['trial.py']\ncommand_line.run(main)"
    )
    command = f"PYTHON -c {shlex.quote(code)} <&- >&- 2>&-"
    assert shell(command, tmp_path, PYTHONPATH=str(ROOT)).returncode == 0
    assert (tmp_path / "kept").read_bytes() == b""


def test_help_of_any_length_is_an_error_on_a_full_output():
    """argparse itself says nothing of it, and what does not fit the buffer is lost."""
    code = "import sys\nfrom sentiment import command_line\nsys.argv = ['trial.py', '--help']\n"
    code += "parser = command_line.make_parser('x' * 20000, [])\n"
    code += "command_line.run(lambda: command_line.parse(parser))"
    done = shell(f"PYTHON -c {shlex.quote(code)} >/dev/full")
    assert done.returncode == 2 and b"cannot write to standard output" in done.stderr


@pytest.mark.parametrize("full", ["stdout", "stderr"])
def test_full_stream_in_the_middle_of_a_run(full, tmp_path):
    """A full standard output is said, whoever writes there; a full standard error is not."""
    main = f"for _ in range(10000): print('x', file=sys.{full})\nopen('{tmp_path}/after', 'w')"
    lines = main.replace("\n", "\n    ")
    code = (
        f"import sys\nfrom sentiment import command_line\ndef main():\n    {lines}\n    return 0\n"
    )
    code += "sys.argv = ['trial.py']\ncommand_line.run(main)"
    number = {"stdout": 1, "stderr": 2}[full]
    done = shell(f"PYTHON -c {shlex.quote(code)} {number}>/dev/full")
    assert done.returncode == (2 if full == "stdout" else 0)
    assert (tmp_path / "after").exists() == (full == "stderr")
    line = (
        "trial.py: cannot write to standard output (No space left on device): send it elsewhere\n"
    )
    assert done.stderr.decode() == (line if full == "stdout" else "")


def test_reader_that_leaves_ends_quietly():
    done = shell(f"PYTHON {ROOT}/model_train.py --help | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (1, b"")


# Encodings


EMOJI = "print(__import__('json').dumps('\\u00e9 \\U0001f600', ensure_ascii=False))"


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {},
    ],
)
def test_json_stays_json_in_an_encoding_without_its_characters(environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "PYTHON"))}
    process = start(EMOJI, env=clean | environment)
    process.stdout.reconfigure(encoding="latin-1" if environment else "utf-8")
    said, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert json.loads(said) == "é 😀"


def test_error_that_the_encoding_lacks_is_escaped():
    done = shell(
        f"PYTHON {ROOT}/model_predict.py good --model-folder 'nö😀'", PYTHONIOENCODING="ascii"
    )
    assert done.returncode == 2
    assert b"no model in n\\xf6\\U0001f600: run" in done.stderr


def test_arguments_are_utf8_in_a_locale_without_it(tmp_path):
    """The review is read before the model, and nothing is said against it."""
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell(f"PYTHON {ROOT}/model_predict.py --model-folder none 'é 😀'", tmp_path, **old)
    assert done.returncode == 2 and b"no model in none" in done.stderr
    assert b"UTF-8" not in done.stderr


# Where it is started, and by whom


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_find_their_own_package_from_anywhere(script, tmp_path):
    (tmp_path / "link.py").symlink_to(ROOT / script)
    (tmp_path / "params.py").write_text("raise SystemExit('the wrong one')")
    for command in (f"-P {ROOT / script}", "link.py", "-P link.py", "-I link.py"):
        done = shell(f"PYTHON {command} --help", tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(b"usage: ")


def test_model_is_looked_for_beside_the_scripts_where_none_is_here(trained, tmp_path):
    code, here = tmp_path / "the code", tmp_path / "here"
    here.mkdir()
    shutil.copytree(ROOT / "sentiment", code / "sentiment")
    for script in ("params.py", "model_predict.py"):
        shutil.copy(ROOT / script, code)
    shutil.copytree(trained.folder, code / "saved_model" / "1")
    done = shell(f"PYTHON '{code}/model_predict.py' good", here)
    assert done.returncode == 0 and b": pos" in done.stdout, done.stderr
    (here / "saved_model").mkdir()  # one that is here comes first
    done = shell(f"PYTHON '{code}/model_predict.py' good", here)
    assert done.returncode == 2 and b"no model in saved_model: run" in done.stderr


def test_folder_beside_the_scripts_that_cannot_be_written_is_not_downloaded_to(monkeypatch):
    parser = command_line.make_parser("test", ["preset", "data_folder"])
    monkeypatch.chdir("/")
    assert command_line.parse(parser, [])[0].data_folder == str(ROOT / "data")
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)
    assert command_line.parse(parser, [])[0].data_folder == "data"


def test_user_without_a_home_has_no_prepared_copy_there(monkeypatch, tmp_path):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    assert sources.find_prepared_tfds(tmp_path) is None


@pytest.mark.parametrize(
    "environment, file",
    [
        ({"KERAS_BACKEND": "torch"}, None),
        ({"KERAS_BACKEND": "nonsense", "KERAS_MAX_EPOCHS": "x"}, None),
        ({"TF_USE_LEGACY_KERAS": "1"}, None),
        ({}, '{"backend": "torch"}'),
        ({}, '{"floatx": "float16"}'),
        ({}, '{"floatx": "float8", "epsilon": "small"}'),
        ({}, "{broken"),
        ({}, "[]"),
    ],
)
def test_other_programs_keras_settings_change_nothing(environment, file, tmp_path):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("KERAS_", "TF_USE"))}
    if file:
        (tmp_path / ".keras").mkdir()
        (tmp_path / ".keras" / "keras.json").write_text(file)
    code = (
        "from sentiment import machine; machine.start('float32', device='cpu')\n"
        "import tensorflow_hub, tf_keras; print(tf_keras.backend.floatx(), tf_keras.__version__[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean | environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "float32 2\n"), done.stderr[-300:]
    assert (tmp_path / ".keras").exists() == bool(file)  # nor is anything written there


def test_tensorflow_starts_without_tf_keras_whatever_another_program_wants():
    """Prediction needs tensorflow, tensorflow-text and numpy only."""
    code = "import sys; sys.modules['tf_keras'] = None\n"
    code += "from sentiment import machine; machine.start('float32')"
    done = shell(f'PYTHON -c "{code}"', TF_USE_LEGACY_KERAS="1")
    assert done.returncode == 0, done.stderr[-300:]


# The device


def test_gpu_that_is_asked_for_and_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(UserError, match="--device gpu: .* use cpu or auto"):
        machine.start("float32", device="gpu")


def test_cpu_hides_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert machine.start("float32", device="cpu")[0].startswith("CPU ")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"


def test_cpu_hides_gpus_from_whatever_starts_tensorflow_first(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    parser = command_line.make_parser("test", ["device"])
    assert command_line.parse(parser, ["--device", "cpu"])[0].device == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"


def test_auto_takes_the_gpu_and_says_so(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(machine, "gpu_name", lambda tensorflow, gpu: "H100")
    for device in ("auto", "gpu"):
        assert machine.start("float32", device=device) == ("GPU H100", "float32")
