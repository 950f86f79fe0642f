"""What is written is whole or not there; what is locked is one process's."""

import errno
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from sentiment import files
from sentiment.errors import UserError


def test_file_that_cannot_be_finished_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"is": "old"})
    with pytest.raises(OSError) as error, files.replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(path)
    assert files.read_json(path) == {"is": "old"} and list(tmp_path.iterdir()) == [path]


def test_file_has_the_modes_of_any_other(tmp_path):
    files.write_text(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize("content", ["", "{", "[1]", "nul", "\x00", "[" * 100_000, '{"a": 1'])
def test_json_that_is_no_whole_object_is_none(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    assert files.read_json(tmp_path / "a.json") is None
    assert files.read_json(tmp_path / "missing.json") is None
    assert files.read_json(tmp_path) is None


def test_folder_is_published_once(tmp_path):
    for number in (1, 2):
        made = tmp_path / f"made-{number}"
        made.mkdir()
        (made / "file").write_text(str(number))
    assert files.publish_folder(tmp_path / "made-1", tmp_path / "there")
    assert not files.publish_folder(tmp_path / "made-2", tmp_path / "there")
    assert (tmp_path / "there" / "file").read_text() == "1"


HOLD = """
import sys
from pathlib import Path
from sentiment import files
with files.unfinished(Path(sys.argv[1])) as made:
    print(made, flush=True)
    sys.stdin.read()
"""


def test_leftovers_of_the_dead_are_removed_and_said_and_those_of_the_living_kept(tmp_path, capsys):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    held = subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, text=True)
    alive = held.stdout.readline().strip()
    dead, old, new = (tmp_path / f".unfinished-{name}" for name in ("dead", "old", "new"))
    dead.mkdir()
    for path in (old, new):
        path.write_text("half")
    for path in (dead, old, alive):
        os.utime(path, (0, 0))
    files.require_writable(tmp_path)
    assert sorted(str(path) for path in tmp_path.iterdir()) == sorted([alive, str(new)])
    said = capsys.readouterr().err
    assert f"removed {dead}, which a killed run had left" in said and str(old) in said
    held.communicate("")
    assert [path.name for path in tmp_path.iterdir()] == [new.name]


def test_lock_is_refused_by_name_or_waited_for(tmp_path, capsys):
    code = (
        "from pathlib import Path\nfrom sentiment import files\nimport sys\n"
        "with files.lock(Path(sys.argv[1]), busy='x'):\n print('held', flush=True)\n"
        " sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    held = subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, text=True)
    assert held.stdout.readline() == "held\n"
    with (
        pytest.raises(UserError, match="somebody works here"),
        files.lock(tmp_path / "lock", busy="somebody works here"),
    ):
        pass
    held.kill()  # a process that dies lets go
    with files.lock(tmp_path / "lock", waiting="waiting for it"):
        files.write_json(tmp_path / "a", {"b": 1})
    assert json.loads((tmp_path / "a").read_text()) == {"b": 1}
