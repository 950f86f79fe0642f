"""Where the scripts are started, and by whom."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from failing import EVALUATE, PAIR
from processes import SCRIPTS, shell

from sentiment import command_line
from sentiment.reviews import sources


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


NOBODY = """
import os, pwd, runpy, sys
os.environ.pop("HOME", None)
def getpwuid(number): raise KeyError(number)
pwd.getpwuid = getpwuid
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("command", [f"{PAIR} --precision float32", f"{EVALUATE} --report"])
def test_user_without_a_home_can_do_everything(command, project, tmp_path):
    home = tmp_path / "project"
    shutil.copytree(project, home)
    script, *rest = command.split()
    done = subprocess.run(
        [sys.executable, "-c", NOBODY, str(ROOT / script), *rest],
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert not list(home.glob("*~*"))
