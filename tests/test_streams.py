"""The standard streams: closed, full, left by their reader, or in an encoding that lacks signs."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from failing import EVALUATE, EVALUATION, PAIR, PREDICT
from processes import SCRIPTS, shell, start


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


# A whole run


@pytest.mark.parametrize(
    "command, code, output, errors",
    [
        (f"{PREDICT} 2>&-", 0, "input: good", ""),
        (f"{PREDICT} 2>/dev/full", 0, "input: good", ""),
        (f"{PREDICT} <&-", 0, "input: good", ""),
        (f"{PREDICT} >/dev/full", 2, "", "cannot write to standard output"),
        (f"{EVALUATE} >&-", 0, "", "settings:"),
        (f"{EVALUATE} >/dev/full", 2, "", "cannot write to standard output"),
        (f"{EVALUATE} <&- >&- 2>&-", 0, "", ""),
        (f"{PAIR} --precision float32 >&-", 0, "", "reloaded"),
        (f"{PAIR} --precision float32 >&- 2>/dev/full <&-", 0, "", ""),
    ],
)
def test_whole_run_with_closed_or_full_streams(command, code, output, errors, project, tmp_path):
    home = tmp_path / "project"
    shutil.copytree(project, home)
    (home / EVALUATION / "dev.json").unlink()
    script, rest = command.split(" ", 1)
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} {ROOT / script} {rest}"],
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert output in done.stdout and errors in done.stderr and "Traceback" not in done.stderr
    if script == EVALUATE:
        assert json.loads((home / EVALUATION / "dev.json").read_text())["split"] == "dev"
    if script == "model_train.py":
        assert (home / "saved_model" / "2" / "model.json").is_file()
