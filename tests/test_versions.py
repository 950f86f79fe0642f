"""The folder of numbered models: published by creating, read strictly, found again."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

from params import Params
from sentiment.errors import UserError
from sentiment.model import versions

PUBLISH = """
import sys
from pathlib import Path
from sentiment.model import versions
home, count = Path(sys.argv[1]), int(sys.argv[2])
for number in range(count):
    with versions.unfinished(home) as made:
        made.mkdir()
        (made / "saved_model.pb").write_text(f"{sys.argv[3]} {number}")
        print(versions.publish(made, home).name)
"""


def publish_at_once(home, processes: int, each: int) -> list[int]:
    """Publish from several processes at once; returns all numbers that they were given."""
    commands = [[sys.executable, "-c", PUBLISH, home, str(each), str(n)] for n in range(processes)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for command in commands
    ]
    return [int(line) for one in running for line in one.communicate()[0].split()]


def assert_none_lost(home, numbers: list[int]) -> None:
    assert sorted(numbers) == versions.versions(home) == list(range(1, len(numbers) + 1))
    contents = {(home / str(number) / "saved_model.pb").read_text() for number in numbers}
    assert len(contents) == len(numbers)
    assert not list(home.glob(".unfinished-*"))


def test_models_published_at_once_are_all_kept(tmp_path):
    assert_none_lost(tmp_path, publish_at_once(tmp_path, processes=4, each=15))


def details(**changes) -> dict:
    """A model.json; a change of None takes the key away."""
    content = {
        "format_version": versions.FORMAT_VERSION,
        "settings": vars(Params()),
        "labels": ["neg", "pos"],
        "threshold": 0.5,
        "temperature": 1.0,
        "mask_id": 103,
        "dev_ids": ["a"],
    }
    return {name: value for name, value in (content | changes).items() if value is not None}


@pytest.mark.parametrize("content", [details(), details(format_version=None), details(more=[1])])
def test_details_of_this_and_of_older_versions_are_read(tmp_path, content):
    (tmp_path / versions.DETAILS).write_text(json.dumps(content))
    assert versions.load_details(tmp_path) == content


@pytest.mark.parametrize(
    "content, says",
    [
        (details(format_version=99), "newer version of this project .format_version 99"),
        *((details(**{name: None}), name) for name in versions.KINDS),
        *((details(**{name: "x"}), name) for name in versions.KINDS),
        (details(labels=["a"]), "labels"),
        (details(labels=["a", 1]), "labels"),
        (details(dev_ids=[1]), "dev_ids"),
        (details(threshold=2), "threshold"),
        (details(temperature=0), "temperature"),
        (details(mask_id=True), "mask_id"),
        *(
            (details(settings={k: v for k, v in vars(Params()).items() if k != name}), name)
            for name in versions.SETTINGS
        ),
        (details(settings=vars(Params()) | {"max_length": "64"}), "max_length"),
        ([1], "cannot be read"),
    ],
)
def test_details_that_are_missing_wrong_or_newer_are_named(tmp_path, content, says):
    (tmp_path / versions.DETAILS).write_text(json.dumps(content))
    with pytest.raises(UserError, match=says):
        versions.load_details(tmp_path)


def test_model_of_a_run_is_found_among_others(tmp_path):
    for number, run in ((1, "a"), (2, "b"), (3, "c")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / versions.DETAILS).write_text(json.dumps({"run": run}))
    (tmp_path / "3" / versions.DETAILS).write_text('{"run": "c')
    assert versions.of_run(tmp_path, "b") == tmp_path / "2"
    assert versions.of_run(tmp_path, "c") is None


@pytest.mark.parametrize("name", ["01", "٣", "-1", "1.5", "x"])
def test_folder_whose_name_is_no_number_is_no_version(tmp_path, name):
    (tmp_path / name).mkdir()
    assert versions.versions(tmp_path) == []


def test_texts_that_were_learnt_from_are_counted(tmp_path):
    (tmp_path / versions.TRAIN_IDS).write_text("aa\nbb-2\n")
    assert versions.learnt_from(tmp_path, ["aa-3", "bb", "cc"]) == 2
    assert versions.learnt_from(tmp_path / "older", ["aa"]) == 0
