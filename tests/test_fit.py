"""The training loop, whole and cut off."""

import dataclasses
import errno
import json
import signal
import time
from contextlib import contextmanager

import numpy as np
import pytest
from conftest import made_up_rows

import data_loader
from params import Params
from sentiment.errors import Stopped, UserError
from sentiment.model.classifier import Preprocessing, build_classifier
from sentiment.reviews import sources
from sentiment.training import backup, fit
from sentiment.training.backup import Backup

EXAMPLES, STEPS = 60, 15  # in batches of 4
SETTINGS = Params(
    batch_size=4,
    epochs=2,
    max_length=16,
    dropout=0.5,
    backup_steps=5,
    learning_rate=1e-3,
)


class CutOffError(Exception):
    """The power fails."""


@pytest.fixture(scope="module")
def run(tiny_pair, tmp_path_factory):
    """Train, after a power cut at `step` (or before dev, at a step with `at_dev`) if one is given.

    Returns (what fit gave, the weights).
    """
    # Of one length: a graph is compiled for each, which would take most of the time here.
    texts = [(f"{text}{' a' * 16}", label) for text, label in made_up_rows(EXAMPLES + 20)]
    rows = [(text, int(label == "pos")) for text, label in texts]
    reviews = sources.canonical(rows, "made up")
    preprocessing = Preprocessing(tiny_pair, SETTINGS)
    train = data_loader.encode(reviews.take(range(EXAMPLES)), preprocessing)
    dev = data_loader.encode(reviews.take(range(EXAMPLES, EXAMPLES + 20)), preprocessing)

    def make(step=None, at_dev=False, home=None, **changes):
        patch = pytest.MonkeyPatch()
        if step is not None:
            name = "measure" if at_dev else "on_train_batch_end"
            whole = getattr(fit.Watch, name)

            def cut(watch, *arguments):
                if watch.step >= step:
                    raise CutOffError
                whole(watch, *arguments)

            patch.setattr(fit.Watch, name, cut)
        params = dataclasses.replace(SETTINGS, model_folder=str(home), **changes)
        states = Backup(params, "data")
        built = build_classifier(tiny_pair, SETTINGS, preprocessing=preprocessing)
        for number, variable in enumerate(built.encoder.trainable_variables):
            variable.assign(start.setdefault(number, variable.numpy()))
        try:
            batches = data_loader.dev_batches(dev, 4)
            lessons = data_loader.Lessons(train, EXAMPLES)
            found = fit.fit(
                built.network,
                lambda first: data_loader.train_batches(lessons, SETTINGS, first),
                lessons.steps(4),
                data_loader.epoch_tokens(lessons, 2),
                batches,
                params,
                states,
                time.time(),
            )
        finally:
            patch.undo()
            states.lock.__exit__(None, None, None)  # as when the process dies
        return found, [variable.numpy() for variable in built.network.trainable_variables]

    start: dict[int, np.ndarray] = {}
    make.whole = make(home=tmp_path_factory.mktemp("whole"))
    return make


@pytest.mark.parametrize(
    "step, at_dev, goes_on_at",
    [
        (3, False, 0),  # before the first backup
        (8, False, 5),
        (23, False, 20),
        (15, True, 10),  # between an epoch and its dev
        (16, False, 15),  # at the very end of an epoch, dev included
        (30, True, 25),
    ],
)
def test_training_that_was_cut_off_ends_with_the_same_weights(
    run, tmp_path, step, at_dev, goes_on_at
):
    with pytest.raises(CutOffError):
        run(step, at_dev, tmp_path)
    found, weights = run(home=tmp_path)
    assert found.continued_at == goes_on_at
    assert (found.earlier_seconds > 0) == (goes_on_at > 0)
    assert_same(found, weights, run.whole)


def assert_same(found, weights, whole):
    """To the last bit: weights, epochs, curve and dev's logits; seconds are others."""
    expected, expected_weights = whole
    for one, other in zip(weights, expected_weights, strict=True):
        np.testing.assert_array_equal(one, other)
    for row, other in zip(found.rows, expected.rows, strict=True):
        assert {k: v for k, v in row.items() if "seconds" not in k} == {
            k: v for k, v in other.items() if "seconds" not in k
        }
    assert found.curve == expected.curve
    assert [point["step"] for point in found.curve] == list(range(1, 2 * STEPS + 1))
    np.testing.assert_array_equal(found.dev_logits, expected.dev_logits)
    np.testing.assert_array_equal(found.dev_labels, expected.dev_labels)


def test_finished_training_is_not_trained_again(run, tmp_path):
    """As when it was killed while it was exported."""
    run(home=tmp_path)
    found, weights = run(step=0, home=tmp_path)  # any step would be cut off
    assert found.continued_at == 2 * STEPS
    assert_same(found, weights, run.whole)


def test_seconds_of_all_parts_are_counted(run, tmp_path):
    with pytest.raises(CutOffError):
        run(12, False, tmp_path)
    (folder,) = tmp_path.glob(".training-*")
    newest = max(folder.glob("state-*.npz"))
    with np.load(newest) as stored:
        seconds = json.loads(stored["progress"].tobytes())["seconds"]
    found, _ = run(home=tmp_path)
    assert found.rows[0]["train_seconds"] > seconds > 0


def in_directory(content: bytes, place: int, value: int) -> bytes:
    """A zip archive with a byte of its first directory entry changed."""
    place += content.index(b"PK\x01\x02")
    return content[:place] + bytes([value]) + content[place + 1 :]


DAMAGE = {
    "packed in an unknown way": lambda content: in_directory(content, 10, 99),
    "encrypted": lambda content: in_directory(content, 8, 1),
    "cut short": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "a flipped bit": lambda content: content[:9999] + bytes([content[9999] ^ 1]) + content[10000:],
    "other": lambda content: b"not an archive",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_state_is_said_and_the_one_before_it_taken(run, tmp_path, capsys, damage):
    with pytest.raises(CutOffError):
        run(13, False, tmp_path)
    before, newest = sorted(tmp_path.glob(".training-*/state-*.npz"))
    newest.write_bytes(DAMAGE[damage](newest.read_bytes()))
    found, weights = run(home=tmp_path)
    assert f"{newest} is damaged" in capsys.readouterr().err
    assert found.continued_at == 5
    assert_same(found, weights, run.whole)


def test_backup_without_a_whole_state_begins_anew(run, tmp_path, capsys):
    with pytest.raises(CutOffError):
        run(13, False, tmp_path)
    for path in tmp_path.glob(".training-*/*.*"):
        path.write_bytes(path.read_bytes()[:20])
    found, weights = run(home=tmp_path)
    assert found.continued_at == 0
    assert capsys.readouterr().err.count("is damaged") == 2
    assert_same(found, weights, run.whole)


def test_new_backups_are_kept_where_damaged_ones_are_of_later_steps(run, tmp_path, capsys):
    with pytest.raises(CutOffError):
        run(18, False, tmp_path)
    for path in tmp_path.glob(".training-*/state-*.npz"):
        path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CutOffError):
        run(8, False, tmp_path)
    found, weights = run(home=tmp_path)
    assert found.continued_at == 5
    assert_same(found, weights, run.whole)


def test_backup_that_cannot_be_written_is_said_and_tried_again(run, tmp_path, capsys, monkeypatch):
    whole = backup.files.replacing

    @contextmanager
    def full(path):
        with whole(path) as temporary:
            yield temporary
            if path.name in ("state-000000005.npz", "state-000000010.npz"):
                raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(backup.files, "replacing", full)
    with pytest.raises(CutOffError):
        run(23, False, tmp_path)
    said = capsys.readouterr().err
    assert said.count("No space left on device") == 2 and "no backup at step 5" in said
    assert not list(tmp_path.glob(".training-*/.unfinished-*"))
    found, weights = run(home=tmp_path)
    assert found.continued_at == 20
    assert_same(found, weights, run.whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_finishes_the_step_backs_up_and_says_where_it_goes_on(
    run, tmp_path, monkeypatch, number
):
    whole = fit.Watch.on_train_batch_end

    def interrupted(watch, *arguments):
        if watch.step == 7:
            signal.raise_signal(number)
        whole(watch, *arguments)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(fit.Watch, "on_train_batch_end", interrupted)
        with pytest.raises(Stopped, match="stopped at step 8 of 30") as stop:
            run(home=tmp_path)
    assert stop.value.signal_number == number and signal.getsignal(number) == before
    found, weights = run(home=tmp_path)
    assert found.continued_at == 8
    assert_same(found, weights, run.whole)


@pytest.mark.parametrize(
    "at, said",
    [
        (3, "; there is no backup: the same command begins anew"),
        (8, ", which is not backed up: the same command goes on after step 5"),
        (15, ", which is not backed up: the same command goes on after step 10"),
    ],
)
def test_stop_whose_backup_cannot_be_written_says_where_the_same_command_goes_on(
    run, tmp_path, monkeypatch, at, said
):
    whole, write = fit.Watch.on_train_batch_end, backup.files.replacing

    def interrupted(watch, *arguments):
        if watch.step == at - 1:
            signal.raise_signal(signal.SIGTERM)
        whole(watch, *arguments)

    @contextmanager
    def full(path):
        with write(path) as temporary:
            yield temporary
            if path.name == f"state-{at:09d}.npz":
                raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(fit.Watch, "on_train_batch_end", interrupted)
        patch.setattr(backup.files, "replacing", full)
        with pytest.raises(Stopped) as stop:
            run(home=tmp_path)
    assert str(stop.value) == f"stopped at step {at} of 30{said}"
    found, weights = run(home=tmp_path)
    assert found.continued_at == at - 1 - (at - 1) % 5
    assert_same(found, weights, run.whole)


def test_two_trainings_with_the_same_settings_do_not_share_a_backup(tmp_path, capsys):
    params = dataclasses.replace(SETTINGS, model_folder=str(tmp_path))
    first = Backup(params, "data")
    first.save(1, {}, {})
    with pytest.raises(UserError, match="another process trains with the same settings"):
        Backup(params, "data")
    capsys.readouterr()
    Backup(params, "other data").clear()
    assert not capsys.readouterr().err  # the first one is running, and no run that was cut off
    first.clear()
    assert not list(tmp_path.iterdir())


def test_loss_that_is_no_number_stops_at_once_and_leaves_no_backup(run, tmp_path):
    with pytest.raises(
        UserError, match=r"not a number any more at step \d+: lower --learning-rate"
    ):
        run(home=tmp_path, learning_rate=1e30, clip_norm=1e30)
    assert not list(tmp_path.glob(".training-*"))


def test_model_that_answers_the_same_for_every_text_is_refused(run, tmp_path):
    with pytest.raises(UserError, match=r"answers the same for all 20 dev reviews.*--learning-r"):
        run(home=tmp_path, learning_rate=1.0, warmup_share=0.0)
    assert not list(tmp_path.glob(".training-*"))
