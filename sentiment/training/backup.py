"""A run's state on disk, to go on from: one file a state, whole or not there at all.

A state holds everything that decides how training goes on, and the step that it belongs to. It is
a NumPy archive: each member has its checksum, and nothing in it is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from params import Params
from sentiment import files
from sentiment.errors import log
from sentiment.training.distribution import of_run

FORMAT = 2  # of a state; one of another format is never taken for this one
DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
DAMAGED += (RuntimeError, NotImplementedError)  # what zipfile makes of some headers
KEPT = 2  # states: the newest, and the one before it should that one be damaged
PROGRESS = "progress"  # the member that holds JSON
PREFIX = ".training-"
Arrays = dict[str, np.ndarray]


class Backup:
    """The states of one run, in a folder named by its settings and data; locked while in use."""

    def __init__(self, params: Params, digest: str) -> None:
        """Raises UserError where another process trains with the same settings and data."""
        state = json.dumps([FORMAT, of_run(params), digest], sort_keys=True)
        key = hashlib.sha256(state.encode()).hexdigest()[:12]
        self.folder = Path(params.model_folder) / f"{PREFIX}{key}"
        self.folder.mkdir(parents=True, exist_ok=True)
        busy = "another process trains with the same settings and reviews: wait for it, or change"
        self.lock = files.lock(self.folder / files.LOCK, busy=f"{busy} --seed ({self.folder})")
        self.lock.__enter__()
        files.sweep(self.folder)
        name = self.folder / "run.json"
        self.run = (files.read_json(name) or {}).get("run")  # the model's details carry it too
        if not isinstance(self.run, str):
            self.run = secrets.token_hex(8)
            files.write_json(name, {"run": self.run})
        for other in sorted(self.folder.parent.glob(PREFIX + "*")):
            states = list(other.glob("state-*.npz"))
            if other != self.folder and states and not files.is_locked(other / files.LOCK):
                size = sum(path.stat().st_size for path in states) / 1e6
                log(
                    f"{other} holds a run with other settings, cut off ({size:.0f} MB): delete it "
                    "if it is not to go on"
                )

    def save(self, step: int, progress: dict[str, Any], arrays: Arrays) -> None:
        """Write the state at a step, and forget all but the newest ones. One that cannot be written
        is said; `kept_at` tells what there is.
        """
        content = np.frombuffer(json.dumps(progress | {"step": step}).encode(), np.uint8)
        try:
            path = self.folder / f"state-{step:09d}.npz"
            with files.replacing(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **{PROGRESS: content}, **arrays)
            for old in self.states()[KEPT:]:
                old.unlink()
        except OSError as error:
            step_kept = self.kept_at()
            kept = f"the newest is of step {step_kept:,}" if step_kept else "there is none"
            reason = f"cannot write to {self.folder} ({error.strerror})"
            log(f"no backup at step {step:,}: {reason}; {kept}")

    def kept_at(self) -> int:
        """The step of the newest state, 0 without one."""
        return max((int(path.stem.removeprefix("state-")) for path in self.states()), default=0)

    def states(self) -> list[Path]:
        """The states that are there, the newest first."""
        return sorted(self.folder.glob("state-*.npz"), reverse=True)

    def load(self) -> tuple[dict[str, Any], Arrays] | None:
        """(progress, arrays) of the newest whole state; None without one.

        Damaged ones are said and set aside: as the newest they would be kept before whole ones.
        """
        for path in self.states():
            try:
                with np.load(path, allow_pickle=False) as stored:
                    arrays = {name: stored[name] for name in stored.files}  # checks every member
                progress = json.loads(arrays.pop(PROGRESS).tobytes())
                return (progress, arrays) if progress["step"] >= 0 else None
            except DAMAGED as error:
                reason = (str(error) or type(error).__name__).splitlines()[0][:100]
                log(f"{path} is damaged ({reason}): left out")
                if not getattr(error, "errno", None):  # else the disk may give it another time
                    with suppress(OSError):
                        path.replace(path.with_name(f"damaged-{path.name}"))
        return None

    def clear(self) -> None:
        """Forget the run: its model is published, or it came to nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.__exit__(None, None, None)
