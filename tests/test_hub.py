"""The Hub's path for real, from a server on this machine: tensorflow_hub, archive, cache."""

import gzip
import http.server
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest
import tensorflow as tf
from conftest import ROOT, contents, made_up_rows, write_csv

import sentiment.encoders.hub
from params import Params
from sentiment import files
from sentiment.encoders import pairs
from sentiment.errors import UserError
from sentiment.model.classifier import build_classifier

OWNER = "/tensorflow/bert_tiny"
WAYS = ("--encoder minilm", "tensorflow/bert/tensorFlow2/", "--preprocessor")


class Hub:
    """What the server answers: paths to (status, headers, body), and which of them it cuts off."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.cut: dict[str, int] = {}  # after so many bytes the connection is dropped
        self.silent: set[str] = set()  # accepted and never answered
        self.asked: list[str] = []
        self.closing = threading.Event()
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                hub.asked.append(self.path)
                if path in hub.silent:
                    hub.closing.wait()
                    return
                if path in hub.answers and path.startswith(OWNER):
                    assert query == "tf-hub-format=compressed"  # else the Hub sends a web page
                status, headers, body = hub.answers.get(path, (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers and path not in hub.cut:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: hub.cut.get(path)])

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def put(self, part: str, body: bytes, **headers: str) -> str:
        """Serve a part's archive as the Hub does, behind a redirect; return its handle."""
        stored = f"/storage/{part}.tar.gz"
        self.answers[f"{OWNER}_{part}/1"] = (302, {"Location": self.url + stored}, b"")
        self.answers[stored] = (200, {"Content-Type": "application/gzip"} | headers, body)
        return f"{self.url}{OWNER}_{part}/1"


@pytest.fixture
def hub(monkeypatch):
    for name in ("TFHUB_CACHE_DIR", "TFHUB_MODEL_LOAD_FORMAT", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Hub()
    yield server
    server.close()


def archive(folder: str | Path, extra: dict[str, bytes] | None = None) -> bytes:
    """A folder as the Hub's tar.gz."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        tar.add(folder, ".")
        for name, body in (extra or {}).items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return stream.getvalue()


@pytest.fixture(scope="module")
def archives(tiny_pair) -> dict[str, bytes]:
    return {part: archive(getattr(tiny_pair, part)) for part in ("encoder", "preprocessor")}


def left(folder: Path) -> list[str]:
    """What is in the cache, but for locks."""
    names = (path.name for path in (folder / "hub").glob("*"))
    return sorted(name for name in names if not name.endswith(".lock"))


def test_pair_comes_whole_from_the_hub_and_then_from_the_cache(hub, archives, tiny_pair, tmp_path):
    handles = [hub.put(part, body) for part, body in archives.items()]
    pair = pairs.resolve(handles[0], handles[1], tmp_path)
    assert contents(Path(pair.encoder)) == contents(Path(tiny_pair.encoder))
    assert contents(Path(pair.preprocessor)) == contents(Path(tiny_pair.preprocessor))
    build_classifier(pair, Params(max_length=16, pooling="pooled"))
    assert len(left(tmp_path)) == 2 and "TFHUB_CACHE_DIR" not in os.environ
    asked = len(hub.asked)
    assert pairs.resolve(handles[0], handles[1], tmp_path) == pair
    assert len(hub.asked) == asked == 4


def test_cache_that_tensorflow_hub_has_made_is_used(hub, archives, tmp_path, monkeypatch):
    import tensorflow_hub

    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "theirs"))
    handle = hub.put("encoder", archives["encoder"])
    made = tensorflow_hub.resolve(handle)
    assert pairs.download(handle, tmp_path) == made
    shutil.rmtree(made)
    assert pairs.download(handle, tmp_path) == made  # and so is its place
    assert os.environ["TFHUB_CACHE_DIR"] == str(tmp_path / "theirs")
    assert len(hub.asked) == 4


def test_training_takes_its_encoder_from_the_hub(hub, archives, tmp_path):
    handles = [hub.put(part, body) for part, body in archives.items()]
    write_csv(tmp_path / "reviews.csv", made_up_rows(60))
    flags = f"--data reviews.csv --max-length 16 --sentence-share 0 --encoder {handles[0]}"
    command = [sys.executable, str(ROOT / "model_train.py"), *flags.split()]
    done = subprocess.run(
        [*command, "--preprocessor", handles[1]], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert f"fetching {handles[1]}" in done.stderr.decode()
    assert (tmp_path / "saved_model" / "1" / "saved_model.pb").is_file()


def cut_between_files(body: bytes) -> bytes:
    """An archive that ends after saved_model.pb: what was cut off there looks whole to tarfile."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        end = next(m.offset_data + m.size for m in tar if m.name.endswith("saved_model.pb"))
    with gzip.GzipFile(fileobj=stream, mode="wb") as file:
        file.write(gzip.decompress(body)[: -(-end // 512) * 512])
    return stream.getvalue()


def without(body: bytes, name: str) -> bytes:
    """An archive that lacks one file."""
    stream = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(body)) as tar,
        tarfile.open(fileobj=stream, mode="w:gz") as other,
    ):
        for member in tar:
            if not member.name.endswith(name):
                other.addfile(member, tar.extractfile(member) if member.isfile() else None)
    return stream.getvalue()


def linked(body: bytes) -> bytes:
    """An archive with a link out of its folder, and a file through it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, "../../.."
        tar.addfile(link)
        member = tarfile.TarInfo("out/evil")
        tar.addfile(member)
    return stream.getvalue()


BAD_ARCHIVES = {
    "empty": lambda body, folder: b"",
    "web page": lambda body, folder: b"<!doctype html><title>TensorFlow Hub</title>" * 50,
    "not tar": lambda body, folder: gzip.compress(b"no archive" * 1000),
    "cut off": lambda body, folder: body[: len(body) // 2],
    "cut off early": lambda body, folder: body[:5],
    "cut off at a file": lambda body, folder: cut_between_files(body),
    "no saved_model.pb": lambda body, folder: without(body, "saved_model.pb"),
    "no weights": lambda body, folder: without(body, "data-00000-of-00001"),
    "no index": lambda body, folder: without(body, "variables.index"),
    "path outside": lambda body, folder: archive(folder, {"../evil": b"!"}),
    "path far outside": lambda body, folder: archive(folder, {"a/../../../evil": b"!"}),
    "link outside": lambda body, folder: linked(body),
}


@pytest.mark.parametrize("kind", BAD_ARCHIVES)
def test_bad_archive_is_one_line_and_nothing_stays_and_a_good_one_mends_it(
    kind, hub, archives, tiny_pair, tmp_path
):
    outside = sorted(tmp_path.parent.iterdir())
    handle = hub.put("encoder", BAD_ARCHIVES[kind](archives["encoder"], tiny_pair.encoder))
    for _ in range(2):  # the second time nothing is in the way either
        with pytest.raises(UserError) as caught:
            pairs.download(handle, tmp_path)
        message = str(caught.value)
        assert message.startswith(f"cannot fetch {handle} (") and "\n" not in message
        assert all(way in message for way in WAYS)
        assert left(tmp_path) == []
    assert not list(tmp_path.rglob("evil")) and sorted(tmp_path.parent.iterdir()) == outside
    hub.put("encoder", archives["encoder"])
    assert contents(Path(pairs.download(handle, tmp_path))) == contents(Path(tiny_pair.encoder))


@pytest.mark.parametrize("length", ["", "announced"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.97])
def test_dropped_connection_leaves_no_half_cache(share, length, hub, archives, tmp_path):
    body = archives["encoder"]
    handle = hub.put("encoder", body, **({"Content-Length": str(len(body))} if length else {}))
    hub.cut["/storage/encoder.tar.gz"] = int(len(body) * share)
    with pytest.raises(UserError, match="cannot fetch"):
        pairs.download(handle, tmp_path)
    assert left(tmp_path) == []
    hub.cut.clear()
    pairs.load_encoder(pairs.download(handle, tmp_path))


@pytest.mark.parametrize("status", [403, 404, 500])
def test_refusal_says_its_number(status, hub, tmp_path):
    hub.answers[f"{OWNER}/1"] = (status, {}, b"")
    with pytest.raises(UserError, match=f"HTTP Error {status}"):
        pairs.download(f"{hub.url}{OWNER}/1", tmp_path)
    assert left(tmp_path) == []


@pytest.mark.parametrize("silent", [f"{OWNER}_encoder/1", "/storage/encoder.tar.gz"])
def test_server_that_never_answers_is_given_up(silent, hub, archives, tmp_path, monkeypatch):
    monkeypatch.setattr(sentiment.encoders.hub, "SILENT", 0.2)
    handle = hub.put("encoder", archives["encoder"])
    hub.silent.add(silent)
    with pytest.raises(UserError, match="timed out"):
        pairs.download(handle, tmp_path)
    assert left(tmp_path) == []
    hub.silent.clear()
    monkeypatch.setattr(sentiment.encoders.hub, "SILENT", 60)
    pairs.load_encoder(pairs.download(handle, tmp_path))


def test_what_a_killed_download_left_is_no_obstacle(hub, archives, tmp_path):
    """tensorflow_hub itself would wait ten minutes for the dead process's lock."""
    handle = hub.put("encoder", archives["encoder"])
    target = Path(pairs.download(handle, tmp_path))
    shutil.rmtree(target)
    target.mkdir()
    (target / "variables").mkdir()
    target.with_name(target.name + ".lock").write_text("host.1.dead")
    target.with_name(f"{target.name}.dead.tmp").mkdir()
    pairs.load_encoder(pairs.download(handle, tmp_path))


def test_second_process_waits_for_the_first_and_uses_what_it_brought(
    hub, archives, tmp_path, monkeypatch
):
    handle = hub.put("encoder", archives["encoder"])
    seen = []

    @files.contextmanager
    def lock(path, waiting):
        """Meanwhile, the other process finishes."""
        if not seen:
            seen.append(waiting)
            pairs.download(handle, tmp_path)
        yield

    monkeypatch.setattr(files, "lock", lock)
    pairs.download(handle, tmp_path)
    assert handle in seen[0] and len(hub.asked) == 2


def test_full_disk_is_not_the_hubs(hub, tmp_path, monkeypatch):
    def full(handle):
        raise tf.errors.ResourceExhaustedError(None, None, "a/b; No space left on device")

    monkeypatch.setattr(pairs.hub, "resolve", full)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        pairs.download(f"{hub.url}{OWNER}/1", tmp_path)


def test_kaggle_handle_is_asked_for_on_kaggle(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(pairs.hub, "resolve", lambda url: asked.append(url) or 1 / 0)
    with pytest.raises(UserError, match="cannot fetch https://www.kaggle.com/models/a/b/c/d/4"):
        pairs.download("a/b/c/d/4", tmp_path)
    assert asked == ["https://www.kaggle.com/models/a/b/c/d/4"]
