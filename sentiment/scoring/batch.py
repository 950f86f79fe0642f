"""Score a file of any size: part by part, written, resumed, joined.

A part is PART rows. Finished parts lie in a folder beside the output until all are there; a run
that was cut off goes on after them, and the same parts give the same file.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sentiment import files
from sentiment.errors import UserError, log
from sentiment.model.versions import DETAILS
from sentiment.reviews import tables
from sentiment.reviews.delimited import DEFAULT, Form, is_utf8
from sentiment.reviews.tables import Row
from sentiment.scoring.written import as_json, join, part_of

PART = 2048  # rows that are scored and written together
NAMED = 5  # refused rows that are named on standard error; all have the reason in column error
ADDED = {"label": "string", "probability": "double", "cut": "bool", "note": "string"}
ADDED |= {"error": "string"}
PROBABILITY = "probability_"  # and a label's name: a column of --all-probabilities
Progress = Callable[[int], None]  # called with how many are done
# Texts and what to call as they are done -> label, probability and cut of each.
Answer = Callable[[list[str], Progress], Iterator[dict[str, Any]]]
Refused = list[tuple[int, str]]  # a row's number, and why it cannot be scored


class Job:
    """What is scored: an input that was looked through, and the columns it will get."""

    def __init__(
        self, source: str, text_column: str, labels: Sequence[str] = (), form: Form = tables.PLAIN
    ) -> None:
        """`labels` get a column each with their probabilities. Raises UserError when the input
        cannot be read or has no such column.
        """
        added = ADDED | {f"{PROBABILITY}{label}": "double" for label in labels}
        self.is_stdin = source == "-"
        self.path = Path(source)
        if not self.is_stdin and not self.path.is_file():
            raise UserError(f"--input {source}: no such file")
        if self.is_stdin and text_column != "text":
            raise UserError("--input - is a review a line, without columns: no --text-column")
        self.kind = (
            "text" if self.is_stdin else tables.kind_of(self.path, tuple(tables.KINDS.values()))
        )
        layout = tables.Layout(0, {"text": "string"}, form)
        if not self.is_stdin:
            layout = tables.scan(self.path, self.kind, form)
        self.count, columns, self.form = layout
        self.text_column = "text" if self.kind == "text" else text_column
        if not (self.count or self.is_stdin):
            raise UserError(f"{source} holds no rows")
        have = list(columns)
        delimiter = self.form.delimiter if self.kind in tables.DELIMITED else ""
        self.text_columns = tables.find_columns(
            self.text_column, have, source, "--text-column", delimiter
        )
        self.names = {name: f"predicted_{name}" if name in columns else name for name in added}
        for name, ours in self.names.items():
            if name != ours and ours in columns:
                raise UserError(f"{source} has a column {ours!r}, and one {name!r}: rename one")
            if name != ours:
                log(f"{source} has a column {name!r}: the model's is {ours!r}")
        self.refused = 0
        self.columns = columns | {self.names[name]: kind for name, kind in added.items()}
        self.lock: Any = None  # of the output's parts, while this process writes them

    def rows(self) -> Iterator[Row]:
        if self.is_stdin:
            return tables.read(sys.stdin.buffer, self.kind, "standard input", self.form)
        return tables.read_file(self.path, self.kind, self.form)

    def __getstate__(self) -> dict[str, Any]:
        """What another process that scores parts of it gets: the lock stays here."""
        return self.__dict__ | {"lock": None}

    def score(
        self, rows: list[Row], answer_all: Answer, progress: Progress
    ) -> tuple[list[dict[str, Any]], Refused]:
        """(the rows with what is added to them, which of them were refused)."""
        texts = [tables.text_of(row.values, self.text_columns) for row in rows]
        problems = [row.error or problem_of(text) for row, text in zip(rows, texts, strict=True)]
        good = [number for number, problem in enumerate(problems) if not problem]
        texts = [texts[number] for number in good]
        answers = dict(zip(good, answer_all(texts, progress), strict=True))
        scored = []
        for number, (row, problem) in enumerate(zip(rows, problems, strict=True)):
            answer = answers.get(number, {})
            every = answer.get("probabilities", {})
            added = answer | {f"{PROBABILITY}{label}": one for label, one in every.items()}
            added["error"] = problem or None
            scored.append(row.values | {ours: added.get(name) for name, ours in self.names.items()})
        refused = [(row.number, one) for row, one in zip(rows, problems, strict=True) if one]
        return scored, refused

    def name(self, refused: Refused) -> None:
        """Name refused rows on standard error, the first of the whole input."""
        for number, problem in refused[: max(NAMED - self.refused, 0)]:
            log(f"row {number}: {problem}: not scored")
        self.refused += len(refused)


def problem_of(text: Any) -> str:
    """Why this cannot be scored; empty when it can."""
    if text is None:
        return "no text"
    if not isinstance(text, str):
        return f"not a text but {text!r}"
    if not is_utf8(text):
        return "not UTF-8"
    return "" if text.strip() else "no text"


def parts_of(
    job: Job, answer: Answer, progress: Progress, before: int = 0
) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Score an input part by part, `before` rows left out: (scored rows, how many were refused).

    `progress` is called with the number of rows done.
    """
    with closing(job.rows()) as rows:
        done = sum(1 for _ in itertools.islice(rows, before))
        while part := list(itertools.islice(rows, PART)):
            scored, refused = job.score(
                part, answer, lambda count, start=done: progress(start + count)
            )
            job.name(refused)
            yield scored, len(refused)
            done += len(part)
            progress(done)


def to_stdout(job: Job, answer: Answer, progress: Progress) -> tuple[int, int]:
    """Score an input and print JSON lines; return (rows, refused)."""
    count = refused = 0
    for scored, bad in parts_of(job, answer, progress):
        print("\n".join(map(as_json, scored)), flush=True)
        count, refused = count + len(scored), refused + bad
    return count, refused


def open_parts(
    job: Job, target: Path | None, resume: bool, model: Path, precision: str
) -> list[Path]:
    """The finished parts of this job, none without `resume` or a target; their folder is made.

    `model` is the folder of the model that scores it.

    Raises UserError when the output is there, its parts are another job's, or standard input is to
    be resumed.
    """
    if target is None:
        return []
    tables.kind_of(target, tables.WRITTEN)
    if job.is_stdin and resume:
        raise UserError("--resume: standard input cannot be read again; give --input a file")
    folder = parts_folder(target)
    if target.exists():
        raise UserError(f"{target} is there already: delete it, or name another --output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        busy = f"another process is writing {target}: wait for it, or name another --output"
        job.lock = files.lock(folder / files.LOCK, busy=busy)
        job.lock.__enter__()
        return claim(folder, job, resume, model, precision)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder} ({error.strerror}): name another --output"
        ) from None
    except UserError:
        release(job)
        raise


def claim(folder: Path, job: Job, resume: bool, model: Path, precision: str) -> list[Path]:
    """The finished parts in the locked folder. Raises UserError when they are another job's."""
    parts = sorted(folder.glob("part-*"))
    if parts and not resume:
        way = "" if job.is_stdin else "--resume goes on with it; "
        raise UserError(f"{folder} holds a run that was cut off: {way}delete it to begin anew")
    run = {"input": str(job.path.absolute()), "column": job.text_column}
    made = (model / DETAILS).stat().st_mtime_ns  # its number may have been another's
    run |= {"model": str(model.absolute()), "model_made_ns": made, "precision": precision}
    run["columns"] = list(job.columns)
    if not job.is_stdin:
        state = job.path.stat()
        run |= {"bytes": state.st_size, "changed_ns": state.st_mtime_ns}
    run = json.loads(json.dumps(run))  # as it is read back
    note = folder / "run.json"
    if not parts:
        files.write_json(note, run)
    stored = files.read_json(note)
    if stored is None:
        raise UserError(f"{note} is damaged: delete {folder} to begin anew")
    if stored != run:
        raise UserError(
            f"{folder} is of another input, column, model or precision, or with or without "
            "--fast, or the input or model was changed since: delete it to begin anew"
        )
    for part in parts:
        if part.suffix[1:] != checksum(part.read_bytes()):
            raise UserError(f"{part} is damaged: delete it and those after it, then --resume")
    return parts


def release(job: Job) -> None:
    """Let go of the output."""
    if job.lock:
        held, job.lock = job.lock, None
        with contextlib.suppress(BaseException):
            held.__exit__(None, None, None)


def parts_folder(target: Path) -> Path:
    return target.with_name(target.name + ".parts")


def checksum(content: bytes) -> str:
    """Eight hex digits of CRC-32."""
    return f"{zlib.crc32(content):08x}"


def number_in(part: Path) -> int:
    """Which part of its input this is, from 0 on: it stands in its name."""
    return int(part.name.split(".")[0].removeprefix("part-"))


def refused_in(part: Path) -> int:
    """How many rows of a part were refused: it stands in its name."""
    return int(part.name.split(".")[1])


def write_part(target: Path, number: int, refused: int, content: bytes) -> Path:
    """Write a part of `target`: the number, how many rows were refused and the checksum are in its
    name, so all appear at once.
    """
    path = parts_folder(target) / f"part-{number:06d}.{refused}.{checksum(content)}"
    files.write_bytes(path, content)
    return path


def to_file(
    job: Job, answer: Answer, target: Path, parts: list[Path], progress: Progress
) -> tuple[int, int]:
    """Score what `parts` lack, and make `target` of all; return (rows, refused).

    Raises UserError when it cannot be written.
    """
    kind = tables.kind_of(target, tables.WRITTEN)
    form = written_form(job, kind)
    count = min(len(parts) * PART, job.count)
    refused = sum(map(refused_in, parts))
    try:
        for scored, bad in parts_of(job, answer, progress, count):
            content = part_of(kind, scored, job.columns, form)
            parts = [*parts, write_part(target, len(parts), bad, content)]
            count, refused = count + len(scored), refused + bad
        join(parts, kind, job.columns, form, target)
        shutil.rmtree(parts_folder(target))
    except OSError as error:
        raise UserError(
            f"cannot write {target} ({error.strerror}): make room, and --resume goes on"
        ) from None
    finally:
        release(job)
    return count, refused


def written_form(job: Job, kind: str) -> Form:
    """How CSV and TSV are written: as the input came, where it is of this kind."""
    return job.form if job.kind == kind else Form(DEFAULT.get(kind, ""))
