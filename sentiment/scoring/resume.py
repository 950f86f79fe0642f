"""What --resume trusts of a file half written: its finished parts, and whose they are.

Finished parts lie in a folder beside the output until all are there. Each one's checksum is in its
name, and what they were made from is in `run.json` beside them.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from pathlib import Path

from sentiment import files
from sentiment.errors import UserError
from sentiment.model.versions import DETAILS, load_details
from sentiment.scoring.inputs import Job
from sentiment.scoring.output_formats import require_writable_labels


def open_parts(
    job: Job, target: Path | None, resume: bool, model: Path, precision: str, in_order: bool = True
) -> list[Path]:
    """The finished parts of this job, none without `resume` or a target; their folder is made.

    `model` is the folder of the model that scores it; `in_order` says that parts are made one after
    the other, so that none may be missing.

    Raises UserError when the output is there, its parts are another job's, or standard input is to
    be resumed; and where the model or the output's encoding is not what it has to be.
    """
    labels = load_details(model)["labels"]
    if target is None:
        return []
    require_writable_labels(job, target, labels)
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
        parts = claim(folder, job, resume, model, precision)
        lacking = [n for n, part in enumerate(parts) if number_in(part) != n]
        if in_order and lacking:
            raise UserError(f"{folder} lacks part {lacking[0]}: delete it to begin anew")
        return parts
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
        or_not = "" if job.is_stdin else "--resume goes on with it; "
        raise UserError(f"{folder} holds a run that was cut off: {or_not}delete it to begin anew")
    run = {"input": str(job.path.absolute()), "column": job.text_column}
    made = (model / DETAILS).stat().st_mtime_ns  # its number may have been another's
    run |= {"model": str(model.absolute()), "model_made_ns": made, "precision": precision}
    run |= {"columns": list(job.columns), "form": list(job.form)}
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
    if {"form": run["form"]} | stored != run:  # before there were forms, none was stored
        raise UserError(
            f"{folder} is of another input, column, model or precision, or with or without --fast, "
            "or read with other flags or by another script, or the input or model was changed "
            "since: delete it to begin anew"
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
