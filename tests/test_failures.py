"""What is damaged, read-only, full or foreign, a row each: command, exit code, the one line.

Each row has a project folder of its own: a trained model with its evaluation of dev, the reviews
that it learnt from, and inputs to predict. The scripts run in this process, where TensorFlow is.
"""

import shutil

import failing_flags
import failing_models
import failing_predict
import failing_training
import pytest
from conftest import run_here

ROWS = [*failing_models.ROWS, *failing_training.ROWS, *failing_predict.ROWS, *failing_flags.ROWS]


@pytest.fixture(autouse=True)
def no_other_sources(monkeypatch, tmp_path):
    """Nothing of this machine's own, and nothing from the network."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("TF_CONFIG", "")


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_failure_is_one_line_that_names_the_thing_and_the_way_out(row, project, tmp_path):
    home = tmp_path / "project"
    shutil.copytree(project, home)
    row.change(home)
    code, said, errors = run_here(row.command, home)
    lines = [line for line in errors.splitlines() if line.startswith("model_")]
    assert "Traceback" not in errors and "please report it" not in errors, errors
    assert code == row.code, errors
    if code == 2:
        assert len(lines) == 1 and errors.splitlines()[-1] == lines[0], errors
        assert row.says in lines[0]
        assert not list(home.glob("saved_model/.*")) and not (home / "saved_model" / "2").exists()
    else:
        assert not lines
        assert row.says in errors + said


def test_there_are_many_rows_and_each_has_its_name():
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)) >= 120
