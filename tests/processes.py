"""Processes of their own, as a shell runs them."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

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
