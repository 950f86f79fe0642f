"""One way to write what is read later, and one way to lock what two processes can share.

A file or folder is made beside its place under a name of its own, forced to the disk and renamed,
so that it is never there by half. What a killed process leaves behind is found by its name and its
lock, which a dead process no longer holds.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock

from sentiment.errors import UserError, log

PREFIX = ".unfinished-"  # of everything that is still being made
LOCK = ".lock"
STALE_FILE, STALE_FOLDER = 3600, 5  # seconds after which an unlocked one is a killed run's


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write a new `path`: renamed into its place when the block ends well."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PREFIX, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~umask())  # mkstemp's are private
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say whose
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all; what is none, as in a file's name, as escapes."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file as people read it, whole or not at all."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is no such file or no whole object in it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A new folder inside `folder` to make something in, out of sight, gone afterwards.

    It is locked as long as this process lives: `sweep` leaves it alone.
    """
    temporary = Path(tempfile.mkdtemp(dir=folder, prefix=PREFIX))
    held = filelock.FileLock(temporary / LOCK)
    try:
        with held:
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish_folder(made: Path, target: Path) -> bool:
    """Rename a finished folder to `target`; False where something is there already.

    The rename itself decides, so two processes never take one name: a folder with files in it is
    not renamed over.
    """
    for path in made.rglob("*"):
        if path.is_file():
            sync(path)
    try:
        made.rename(target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            return False
        raise
    sync(target.parent)
    return True


def sync(path: Path) -> None:
    """Force a file or a folder's entries to the disk, as far as its file system knows how."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


def umask() -> int:
    """This process's file mode mask."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def lock(path: Path, waiting: str = "", busy: str = "") -> Iterator[None]:
    """Hold the lock file `path` while the block runs; a process that dies lets go of it.

    Where another process holds it: `waiting` is said and its end awaited, or without `waiting`
    UserError(`busy`) is raised.
    """
    held = filelock.FileLock(path)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        if not waiting:
            raise UserError(busy) from None
        log(waiting)
        held.acquire()
    try:
        yield
    finally:
        held.release()


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock file `path`; True where that cannot be known."""
    try:
        with filelock.FileLock(path).acquire(timeout=0):
            return False
    except OSError:  # filelock.Timeout, or a file that is not ours to open
        return True


def require_writable(folder: str | Path) -> None:
    """Make a folder if it is not there, and clear what killed processes left in it.

    Raises UserError when nothing can be written into it.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"room?" * 1024)
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}): name another") from None
    sweep(folder)


def sweep(folder: Path) -> None:
    """Remove what killed processes left unfinished in a folder, and say so."""
    for path in folder.glob(PREFIX + "*"):
        with suppress(filelock.Timeout, OSError):
            age = time.time() - path.stat().st_mtime
            if path.is_file() and age > STALE_FILE:
                path.unlink()
            elif path.is_dir() and age > STALE_FOLDER:
                with filelock.FileLock(path / LOCK).acquire(timeout=0):
                    shutil.rmtree(path)
            else:
                continue
            log(f"removed {path}, which a killed run had left")


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
