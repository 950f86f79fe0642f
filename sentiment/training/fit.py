"""The training loop: an epoch, then dev, and again. Cut off, it goes on from its last backup.

Keras' `fit` runs the steps and its BackupAndRestore keeps weights, optimiser and position. Here is
what Keras does not know: the order of the reviews, dev's logits, and which weights are kept.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras

from params import Params
from sentiment.errors import UserError, log
from sentiment.training import optimizer

ESTIMATE_AT = 25  # steps after which the time is estimated
BACKUP_EVERY = 250  # steps: a few minutes on two cores
CURVE_POINTS = 40  # an epoch
PROGRESS, BEST = "progress.json", "best-{}.npz"  # in the backup, beside Keras' own files


class Fitted(NamedTuple):
    """A finished training; the classifier holds the weights of the best epoch."""

    rows: list[dict[str, float]]  # an epoch each
    curve: list[dict[str, float]]  # train's loss and accuracy over some steps each
    best: dict[str, float]  # the row that was kept: highest dev accuracy, ties by dev loss
    dev_logits: np.ndarray  # float32 [N] of the best epoch, in the order of dev's batches
    dev_labels: np.ndarray  # float32 [N], 0 or 1, in the same order
    continued_at: int  # step from which a run that was cut off went on; 0 if it was not
    earlier_seconds: float  # what the parts before it took, up to their last backups


def backup_folder(params: Params, digest: str) -> Path:
    """Where a run keeps its state, named by its settings and its data."""
    state = json.dumps([vars(params), digest], sort_keys=True)
    key = hashlib.sha256(state.encode()).hexdigest()[:12]
    return Path(params.model_folder) / f".training-{key}"


def compile_network(network: tf_keras.Model, params: Params, steps: int) -> None:
    """Give the network its loss, its metric and its optimiser for `steps` steps in all."""
    network.compile(
        optimizer=optimizer.make_optimizer(params, steps, network.trainable_variables),
        loss=tf_keras.losses.BinaryCrossentropy(
            from_logits=True, label_smoothing=params.label_smoothing
        ),
        metrics=[tf_keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
    )


def fit(
    network: tf_keras.Model,
    batches_from: Callable[[int], tf.data.Dataset],
    steps: int,
    tokens: list[int],
    dev: tf.data.Dataset,
    params: Params,
    backup: Path,
    started: float,
) -> Fitted:
    """Train on `batches_from(first epoch)`, `steps` an epoch, with so many `tokens` in each.

    `dev` (batches) is measured after every epoch. A state found in the folder `backup` is
    continued: the order of the reviews and the dropout go on as if nothing had happened.
    `started` is time.time() at the command's start.
    """
    compile_network(network, params, steps * params.epochs)
    done = steps_done(backup, steps)
    if done:
        log(f"continuing at step {done + 1:,}; delete {backup} to begin anew")
    watch = Watch(dev, steps, tokens, params, backup, done, started)
    network.fit(
        batches_from(done // steps).skip(done % steps),
        epochs=params.epochs,
        steps_per_epoch=steps,
        callbacks=[
            tf_keras.callbacks.BackupAndRestore(
                str(backup), save_freq=BACKUP_EVERY, delete_checkpoint=False
            ),
            watch,
        ],
        verbose=1 if sys.stdout.isatty() else 0,
    )
    for variable, value in zip(network.trainable_variables, watch.weights, strict=True):
        variable.assign(value)
    return Fitted(
        watch.rows, watch.curve, watch.best, watch.logits, watch.labels, done, watch.earlier
    )


def steps_done(backup: Path, steps: int) -> int:
    """Optimiser steps in the backup, of `steps` an epoch; 0 without one."""
    latest = tf.train.latest_checkpoint(str(backup / "chief"))
    if latest is None:
        return 0
    try:
        reader = tf.train.load_checkpoint(latest)
        epoch, batch = (
            int(reader.get_tensor(f"ckpt_saved_{name}/.ATTRIBUTES/VARIABLE_VALUE"))
            for name in ("epoch", "batch")
        )
    except Exception as error:  # whatever TensorFlow raises on a truncated file
        reason = str(error).splitlines()[0][:100]
        raise UserError(f"{backup} cannot be continued ({reason}): delete it") from None
    return epoch * steps + batch + 1


def clear(backup: Path) -> None:
    """Forget a run's backup: its model is published."""
    shutil.rmtree(backup, ignore_errors=True)


class Watch(tf_keras.callbacks.Callback):
    """Measures dev, keeps the best weights, and says how long it will take."""

    def __init__(
        self,
        dev: tf.data.Dataset,
        steps: int,
        tokens: list[int],
        params: Params,
        backup: Path,
        done: int,
        started: float,
    ) -> None:
        super().__init__()
        self.tokens = tokens  # of each epoch: a step of short texts takes less time
        self.dev, self.steps, self.settings, self.backup = dev, steps, params, backup
        self.labels = np.concatenate([label.numpy() for _, label in dev])
        self.rows: list[dict[str, float]] = []
        self.curve: list[dict[str, float]] = []
        self.best: dict[str, float] = {}
        self.seconds = 0.0  # of the epoch under way, before this process
        self.started, self.earlier = started, 0.0
        self.step, self.begun_at = done, done
        if done and (backup / PROGRESS).is_file():
            self.restore(json.loads((backup / PROGRESS).read_text(encoding="utf-8")))

    def restore(self, progress: dict[str, Any]) -> None:
        self.rows, self.best = progress["rows"], progress["best"]
        self.curve = progress["curve"]
        self.seconds, self.earlier = progress["seconds"], progress["total_seconds"]
        if self.best:
            with np.load(self.backup / BEST.format(self.best["epoch"])) as stored:
                self.logits, *self.weights = (stored[name] for name in stored.files)

    def save(self, seconds: float) -> None:
        self.backup.mkdir(parents=True, exist_ok=True)
        total = self.earlier + time.time() - self.started
        content = {"rows": self.rows, "curve": self.curve, "best": self.best}
        content |= {"seconds": seconds, "total_seconds": total}
        (self.backup / PROGRESS).write_text(json.dumps(content), encoding="utf-8")

    def on_train_begin(self, logs: Any = None) -> None:
        if len(self.rows) < self.step // self.steps:  # cut off between an epoch and its dev
            self.measure({"loss": float("nan"), "accuracy": float("nan")}, self.seconds)
            self.seconds = 0.0
        self.began = time.time()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.time()
        self.summed = {"steps": 0, "loss": 0.0, "accuracy": 0.0}  # at the curve's last point

    def add_point(self, steps: int, logs: dict[str, float]) -> None:
        """Put what was new since the last point on the curve; `logs` are means of the epoch so
        far, or since a continuation, which is `steps` long.
        """
        new = steps - self.summed["steps"]
        point: dict[str, float] = {"step": self.step}
        for name in ("loss", "accuracy"):
            total = logs[name] * steps
            point[f"train_{name}"] = (total - self.summed[name]) / new
            self.summed[name] = total
        self.summed["steps"] = steps
        self.curve.append(point)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1
        inside = (self.step - 1) % self.steps + 1
        if inside % -(-self.steps // CURVE_POINTS) == 0 or inside == self.steps:
            begun = self.begun_at % self.steps if self.step - inside < self.begun_at else 0
            self.add_point(inside - begun, logs)
        here = self.step - self.begun_at
        if here == 5:  # the first steps compile
            self.warm = time.time()
        if here % BACKUP_EVERY == 0:
            self.save(self.seconds + time.time() - self.began)
        tenth = max(self.steps // 10, ESTIMATE_AT)
        if here == ESTIMATE_AT or (here > 5 and not sys.stdout.isatty() and here % tenth == 0):
            total = self.steps * self.settings.epochs
            pace = (time.time() - self.warm) / (here - 5)  # seconds a step
            warm = self.begun_at + 5
            ahead = pace * (here - 5) * self.read(self.step, total) / self.read(warm, self.step)
            log(
                f"step {self.step:,} of {total:,}: loss {logs['loss']:.4f}, "
                f"{self.settings.batch_size / pace:.1f} texts/s, about "
                f"{ahead / 60:.0f} minutes of training ahead"
            )

    def read(self, start: int, end: int) -> float:
        """Tokens that the steps from `start` to `end` read."""
        done = np.cumsum([0, *self.tokens])
        at = [step / self.steps for step in (start, end)]
        before, after = np.interp(at, range(len(done)), done)
        return float(after - before)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.measure(logs, self.seconds + time.time() - self.began)
        self.seconds = 0.0

    def measure(self, logs: dict[str, float], train_seconds: float) -> None:
        """Score dev, and keep these weights if they are the best so far.

        After a continuation the epoch's training loss and accuracy are those of its rest.
        """
        started = time.time()
        variables = self.model.trainable_variables
        logits = self.model.predict(self.dev, verbose=0).reshape(-1)
        row = {
            "epoch": len(self.rows) + 1,
            "train_loss": logs["loss"],
            "train_accuracy": logs["accuracy"],
            "dev_loss": float(np.mean(np.logaddexp(0, logits) - self.labels * logits)),
            "dev_accuracy": float(np.mean((logits >= 0) == (self.labels == 1))),
            "train_seconds": train_seconds,
            "dev_seconds": time.time() - started,
        }
        log(", ".join(f"{name} {value:.5g}" for name, value in row.items()))
        self.rows.append(row)
        rank = (row["dev_accuracy"], -row["dev_loss"])
        if not self.best or rank > (self.best["dev_accuracy"], -self.best["dev_loss"]):
            self.best, self.logits = row, logits
            self.weights = [variable.numpy() for variable in variables]
            if len(self.rows) < self.settings.epochs:
                self.backup.mkdir(parents=True, exist_ok=True)
                np.savez(self.backup / BEST.format(row["epoch"]), logits, *self.weights)
