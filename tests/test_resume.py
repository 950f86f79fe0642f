"""--resume: a run that was cut off goes on, and nothing of another job or damaged is trusted."""

import errno
import json
import os

import pytest
from test_batch import TEXTS, count_up, parts_with, run, write

from sentiment import files
from sentiment.errors import UserError
from sentiment.reviews.delimited import Form
from sentiment.scoring import batch, inputs
from sentiment.scoring.resume import checksum, parts_folder, release


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_run_that_was_cut_off_goes_on_and_scores_no_row_twice(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "PART", 8)
    source = write(tmp_path / "in.csv", "csv")
    whole, target = tmp_path / f"whole.{kind}", tmp_path / f"out.{kind}"
    run(inputs.Job(str(source), "review"), whole)
    asked = []

    def fails(texts, progress):
        if len(asked) >= 24:
            raise KeyboardInterrupt
        asked.extend(texts)
        return count_up(texts, progress)

    with pytest.raises(KeyboardInterrupt):
        run(inputs.Job(str(source), "review"), target, fails)
    assert not target.exists()
    with pytest.raises(UserError, match="--resume goes on"):
        run(inputs.Job(str(source), "review"), target)
    (parts_folder(target) / "unfinished-part-000003.0").write_text("half")

    def goes_on(texts, progress):
        asked.extend(texts)
        return count_up(texts, progress)

    assert run(inputs.Job(str(source), "review"), target, goes_on, resume=True) == (50, 0)
    assert asked == TEXTS
    assert target.read_bytes() == whole.read_bytes()
    with pytest.raises(UserError, match="there already"):
        run(inputs.Job(str(source), "review"), target)


def test_parts_of_another_job_are_not_continued(tmp_path):
    source = write(tmp_path / "in.csv", "csv")
    target = tmp_path / "out.csv"
    job = inputs.Job(str(source), "review")
    parts_with(job, target)
    release(job)
    part = parts_folder(target) / f"part-000000.0.{checksum(b'')}"
    part.touch()
    assert parts_with(job, target, resume=True) == [part]
    with pytest.raises(UserError, match="another process is writing .*out.csv: wait"):
        parts_with(inputs.Job(str(source), "review"), target, resume=True)
    release(job)
    for other in ({"model": "other"}, {"precision": "float32"}):
        with pytest.raises(UserError, match="another input, column, model or precision"):
            parts_with(job, target, resume=True, **other)
    for form in (Form(encoding="latin-1"), Form(quoting="none")):
        other = inputs.Job(str(source), "review", (), form)
        with pytest.raises(UserError, match="or read with other flags"):
            parts_with(other, target, resume=True)
    note = parts_folder(target) / "run.json"
    stored = json.loads(note.read_text())
    note.write_text(json.dumps({k: v for k, v in stored.items() if k != "form"}))
    assert parts_with(job, target, resume=True) == [part]  # of an earlier version
    release(job)
    (parts_folder(target) / f"part-000002.0.{checksum(b'')}").touch()
    with pytest.raises(UserError, match="lacks part 1: delete it to begin anew"):
        parts_with(job, target, resume=True)
    os.utime(f"{tmp_path}-model/model.json", ns=(0, 0))  # another one under this number
    with pytest.raises(UserError, match="input or model was changed since"):
        parts_with(job, target, resume=True)


def test_labels_that_the_output_cannot_hold_are_said_before_any_is_scored(tmp_path):
    (tmp_path / "in.csv").write_bytes("text\ncaf\xe9\n".encode("latin-1"))
    job = inputs.Job(str(tmp_path / "in.csv"), "text", (), Form(encoding="latin-1"))
    labels = ("\u60aa\u3044", "\u826f\u3044")
    with pytest.raises(UserError, match="out.csv would be latin-1, .* ends in .jsonl or .parquet"):
        parts_with(job, tmp_path / "out.csv", labels=labels)
    assert not parts_folder(tmp_path / "out.csv").exists()
    assert parts_with(job, tmp_path / "out.jsonl", labels=labels) == []


def test_changed_input_is_not_resumed_and_standard_input_never(tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "PART", 8)
    source, target = write(tmp_path / "in.csv", "csv"), tmp_path / "out.csv"

    def fails(texts, progress):
        if TEXTS[16] in texts:
            raise KeyboardInterrupt
        return count_up(texts, progress)

    with pytest.raises(KeyboardInterrupt):
        run(inputs.Job(str(source), "review"), target, fails)
    lines = source.read_text().splitlines()
    source.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")  # as long as before
    with pytest.raises(UserError, match="changed since"):
        run(inputs.Job(str(source), "review"), target, resume=True)
    with pytest.raises(UserError, match="cannot be read again"):
        parts_with(inputs.Job("-", "text"), tmp_path / "other.csv", resume=True)
    with pytest.raises(UserError, match="no --text-column"):
        inputs.Job("-", "review")


@pytest.mark.parametrize(
    "name, damage, says",
    [
        ("run.json", b"", "run.json is damaged: delete"),
        ("run.json", b'{"input": ', "run.json is damaged: delete"),
        ("part-000001.*", b"1,2\n", "is damaged: delete it and those after it"),
    ],
)
def test_damaged_state_is_named_with_the_way_out(name, damage, says, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "PART", 8)
    source, target = write(tmp_path / "in.csv", "csv"), tmp_path / "out.csv"

    def fails(texts, progress):
        if TEXTS[24] in texts:
            raise KeyboardInterrupt
        return count_up(texts, progress)

    with pytest.raises(KeyboardInterrupt):
        run(inputs.Job(str(source), "review"), target, fails)
    (path,) = parts_folder(target).glob(name)
    path.write_bytes(damage)
    with pytest.raises(UserError, match=says):
        run(inputs.Job(str(source), "review"), target, resume=True)


def test_full_disk_says_that_it_goes_on(tmp_path, monkeypatch):
    source, target = write(tmp_path / "in.csv", "csv"), tmp_path / "out.csv"
    whole = files.write_bytes

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(files, "write_bytes", full)
    with pytest.raises(UserError, match=r"out.csv \(No space left on device\): make room"):
        run(inputs.Job(str(source), "review"), target)
    monkeypatch.setattr(files, "write_bytes", whole)
    assert run(inputs.Job(str(source), "review"), target, resume=True) == (50, 0)
