"""Score a file of any size: part by part, written, and joined.

A part is PART rows. A run that was cut off goes on after the finished ones (resume.py), and the
same parts give the same file.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sentiment.errors import UserError
from sentiment.reviews import tables
from sentiment.scoring.inputs import Answer, Job, Progress
from sentiment.scoring.output_formats import as_json, join, part_of, written_form
from sentiment.scoring.resume import parts_folder, refused_in, release, write_part

PART = 2048  # rows that are scored and written together


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
            with writing(target):
                parts = [*parts, write_part(target, len(parts), bad, content)]
            count, refused = count + len(scored), refused + bad
        with writing(target):
            join(parts, kind, job.columns, form, target)
            shutil.rmtree(parts_folder(target))
    finally:
        release(job)
    return count, refused


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Raises UserError where the block cannot write."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write {target} ({error.strerror}): make room, and --resume goes on"
        ) from None
