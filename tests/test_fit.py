"""Training that is cut off goes on as if nothing had happened."""

import time

import numpy as np
import pytest
from conftest import made_up_rows

import data_loader
from params import Params
from sentiment.errors import UserError
from sentiment.model.classifier import build_classifier
from sentiment.reviews import sources
from sentiment.training import fit

EXAMPLES, STEPS = 60, 15  # in batches of 4
SETTINGS = Params(
    batch_size=4,
    epochs=2,
    max_length=16,
    dropout=0.5,
    learning_rate=1e-3,
)


class CutOffError(Exception):
    """The power fails."""


@pytest.fixture(scope="module")
def run(tiny_pair, tmp_path_factory):
    """Train, after a power cut at `step` (or before dev, at a step with `at_dev`) if one is given.

    Returns (what fit gave, the weights).
    """
    rows = [(text, int(label == "pos")) for text, label in made_up_rows(EXAMPLES + 20)]
    reviews = sources.canonical(rows, "made up")

    def make(step=None, at_dev=False, backup=None):
        patch = pytest.MonkeyPatch()
        if step is not None:
            name = "measure" if at_dev else "on_train_batch_end"
            whole = getattr(fit.Watch, name)

            def cut(watch, *arguments):
                if watch.step >= step:
                    raise CutOffError
                whole(watch, *arguments)

            patch.setattr(fit.Watch, name, cut)
        built = build_classifier(tiny_pair, SETTINGS)
        for number, variable in enumerate(built.encoder.trainable_variables):
            variable.assign(start.setdefault(number, variable.numpy()))
        train = data_loader.encode(reviews.take(range(EXAMPLES)), built.preprocessing)
        dev = data_loader.encode(reviews.take(range(EXAMPLES, EXAMPLES + 20)), built.preprocessing)
        try:
            with patch.context() as every:
                every.setattr(fit, "BACKUP_EVERY", 5)
                batches = data_loader.dev_batches(dev, 4)
                lessons = data_loader.Lessons(train, EXAMPLES)
                found = fit.fit(
                    built.network,
                    lambda first: data_loader.train_batches(lessons, SETTINGS, first),
                    lessons.steps(4),
                    data_loader.epoch_tokens(lessons, 2),
                    batches,
                    SETTINGS,
                    backup,
                    time.time(),
                )
        finally:
            patch.undo()
        return found, [variable.numpy() for variable in built.network.trainable_variables]

    start: dict[int, np.ndarray] = {}
    make.whole = make(backup=tmp_path_factory.mktemp("whole"))
    return make


@pytest.mark.parametrize(
    "step, at_dev, goes_on_at",
    [
        (3, False, 0),  # before the first backup
        (8, False, 5),
        (23, False, 20),
        (15, True, 15),  # between an epoch and its dev
        (30, True, 30),  # nothing is left but dev
    ],
)
def test_training_that_was_cut_off_ends_with_the_same_weights(
    run, tmp_path, step, at_dev, goes_on_at
):
    with pytest.raises(CutOffError):
        run(step, at_dev, tmp_path)
    found, weights = run(backup=tmp_path)
    expected, expected_weights = run.whole
    assert found.continued_at == goes_on_at
    assert (found.earlier_seconds > 0) == (goes_on_at > 0)
    for one, other in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    for name in ("epoch", "dev_loss", "dev_accuracy"):
        values = [[row[name] for row in one.rows] for one in (found, expected)]
        assert values[0] == pytest.approx(values[1], abs=1e-5)
    np.testing.assert_allclose(found.dev_logits, expected.dev_logits, atol=1e-5)
    points = [[point["step"] for point in one.curve] for one in (found, expected)]
    assert points[0] == points[1] == list(range(1, 2 * STEPS + 1))
    for name in ("train_loss", "train_accuracy"):
        curves = [[point[name] for point in one.curve] for one in (found, expected)]
        assert curves[0] == pytest.approx(curves[1], abs=1e-4)
    np.testing.assert_array_equal(found.dev_labels, expected.dev_labels)


def test_seconds_of_all_parts_are_counted(run, tmp_path):
    with pytest.raises(CutOffError):
        run(12, False, tmp_path)
    watch_seconds = fit.json.loads((tmp_path / fit.PROGRESS).read_text())["seconds"]
    found, _ = run(backup=tmp_path)
    assert found.rows[0]["train_seconds"] > watch_seconds > 0


def test_seconds_before_a_cut_between_an_epoch_and_its_dev_are_counted_once(run, tmp_path):
    with pytest.raises(CutOffError):
        run(15, True, tmp_path)
    progress = fit.json.loads((tmp_path / fit.PROGRESS).read_text())
    (tmp_path / fit.PROGRESS).write_text(fit.json.dumps(progress | {"seconds": 1000.0}))
    found, _ = run(backup=tmp_path)
    assert found.rows[0]["train_seconds"] >= 1000 > found.rows[1]["train_seconds"]


def test_damaged_backup_is_named_with_the_way_out(run, tmp_path):
    with pytest.raises(CutOffError):
        run(8, False, tmp_path)
    for path in (tmp_path / "chief").glob("*.index"):
        path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UserError, match="delete it"):
        run(backup=tmp_path)


def test_other_settings_or_data_have_another_backup():
    folders = {
        fit.backup_folder(SETTINGS, "data"),
        fit.backup_folder(Params(), "data"),
        fit.backup_folder(SETTINGS, "other"),
    }
    assert len(folders) == 3
