"""The training loop: an epoch, then dev, and again. Cut off, it goes on from its last backup.

Keras' `fit` runs the steps. Here is what Keras does not know: the order of the reviews, what was
learnt so far in an epoch that was cut off, dev's logits, and which weights are kept.
"""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras

from params import Params
from sentiment.errors import Stopped, UserError, log
from sentiment.logits import mean_loss, predicted
from sentiment.model.classifier import Network
from sentiment.training import distribution, optimizer
from sentiment.training.backup import Arrays, Backup
from sentiment.training.loss import CrossEntropy

ESTIMATE_AT = 25  # steps after which the time is estimated
CURVE_POINTS = 40  # an epoch
SAME = 1e-6  # logits that all lie within this share of their size say nothing


class Fitted(NamedTuple):
    """A finished training; the network holds the weights of the best epoch."""

    rows: list[dict[str, float]]  # an epoch each
    curve: list[dict[str, float]]  # train's loss and accuracy over some steps each
    best: dict[str, float]  # the row that was kept: highest dev accuracy, ties by dev loss
    dev_logits: np.ndarray  # float32 [N], or [N, labels] of more than two, of the best epoch
    dev_labels: np.ndarray  # float32 [N], the labels' numbers, in the same order: dev's batches'
    continued_at: int  # step from which a run that was cut off went on; 0 if it was not
    earlier_seconds: float  # what the parts before it took, up to their last backups


def compile_network(
    network: Network, params: Params, steps: int, weights: np.ndarray | None = None
) -> None:
    """Give the network its loss, its metric and its optimiser for `steps` steps in all.

    `weights` are those of the labels in the loss, float32 [labels].
    """
    labels = max(network.output_shape[-1], 2)
    with network.distribute_strategy.scope():
        accuracy = tf_keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        if labels == 2:
            accuracy = tf_keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
        network.compile(
            optimizer=optimizer.make_optimizer(params, steps, network.trainable_variables),
            loss=CrossEntropy(labels, params.label_smoothing, weights),
            weighted_metrics=[accuracy],
        )
        network.optimizer.build(network.trainable_variables)


def fit(
    network: Network,
    batches_from: Callable[[int], tf.data.Dataset],
    steps: int,
    tokens: list[int],
    dev: tf.data.Dataset,
    params: Params,
    backup: Backup,
    started: float,
    weights: np.ndarray | None = None,
) -> Fitted:
    """Train on `batches_from(first epoch)`, `steps` an epoch, with so many `tokens` in each.

    `dev` (batches) is measured after every epoch. A state in `backup` is continued: the order of
    the reviews and the dropout go on as if nothing had happened. `started` is time.time() at the
    command's start; `weights` are those of the labels. Raises UserError when nothing is learnt,
    Stopped when a signal asked for it.
    """
    strategy = network.distribute_strategy
    compile_network(network, params, steps * params.epochs, weights)
    with stop_signals() as asked:
        watch = Watch(network, dev, steps, tokens, params, backup, asked, started)
        done = watch.step
        if done:
            log(f"continuing at step {done + 1:,}; delete {backup.folder} to begin anew")
        while watch.step < steps * params.epochs:
            epoch, inside = divmod(watch.step, steps)  # first what is left of an epoch, if any
            distribution.fit(
                network,
                batches_from(epoch).skip(inside),
                watch,
                epoch,
                epoch + 1 if inside else params.epochs,
                steps - inside,
                verbose=int(sys.stdout.isatty() and distribution.is_chief(strategy)),
            )
    if np.ptp(watch.logits, axis=0).max() <= SAME * np.abs(watch.logits).max():
        backup.clear()
        raise UserError(
            f"the model answers the same for all {len(watch.logits):,} dev reviews: it has learnt "
            f"nothing, and is not exported. Lower --learning-rate ({params.learning_rate:g}), or "
            "look at the labels"
        )
    for variable, value in zip(network.trainable_variables, watch.weights, strict=True):
        variable.assign(value)
    return Fitted(
        watch.rows, watch.curve, watch.best, watch.logits, watch.labels, done, watch.earlier
    )


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """A list to which SIGINT and SIGTERM are added instead of ending the process; a second one
    ends it.
    """
    asked: list[int] = []

    def note(number: int, frame: Any) -> None:
        if asked:
            raise Stopped(number)
        asked.append(number)
        log(f"{signal.Signals(number).name}: stopping after this step; once more stops at once")

    before = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def state_of(network: Network) -> list[tf.Variable]:
    """All that decides how training goes on: weights, optimiser, dropout, what was tallied."""
    dropout = network.get_layer("dropout").generator.state
    return [*network.variables, *network.optimizer.variables, dropout]


class Watch(tf_keras.callbacks.Callback):
    """Measures dev, keeps the best weights, backs up, and says how long it will take."""

    def __init__(
        self,
        network: Network,
        dev: tf.data.Dataset,
        steps: int,
        tokens: list[int],
        params: Params,
        backup: Backup,
        asked: list[int],
        started: float,
    ) -> None:
        super().__init__()
        self.network, self.dev, self.steps, self.tokens = network, dev, steps, tokens
        self.settings, self.backup, self.asked = params, backup, asked
        self.labels = np.concatenate([label.numpy() for _, label in dev])
        self.rows: list[dict[str, float]] = []
        self.curve: list[dict[str, float]] = []
        self.best: dict[str, float] = {}
        self.point = [0.0, 0.0, 0.0]  # the network's tally at the curve's last point
        self.seconds = 0.0  # of the epoch under way, before this process
        self.started, self.earlier = started, 0.0
        self.step = 0
        self.strategy = network.distribute_strategy
        distribution.require_same(self.strategy, params, [steps, tokens, self.labels.tolist()])
        if found := distribution.state_from_chief(self.strategy, backup.load()):
            self.restore(*found)
        self.begun_at = self.step

    def restore(self, progress: dict[str, Any], arrays: Arrays) -> None:
        """Take over a state. Raises UserError where it is not of this network."""
        variables = state_of(self.network)
        values = [arrays.get(f"variable-{number}") for number in range(len(variables))]
        for variable, value in zip(variables, values, strict=True):
            if value is None or value.shape != variable.shape:
                raise UserError(f"{self.backup.folder} is another model's: delete it")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.step, self.rows, self.curve = (progress[name] for name in ("step", "rows", "curve"))
        self.best, self.point = progress["best"], progress["point"]
        self.seconds, self.earlier = progress["seconds"], progress["total_seconds"]
        if self.best:
            self.logits = arrays["dev_logits"]
            count = len(self.network.trainable_variables)
            self.weights = [arrays[f"best-{number}"] for number in range(count)]

    def save(self, seconds: float) -> None:
        """Back up; `seconds` were spent on the epoch under way."""
        if not distribution.is_chief(self.strategy):
            return
        variables = enumerate(state_of(self.network))
        arrays = {f"variable-{number}": variable.numpy() for number, variable in variables}
        if self.best:
            arrays |= {f"best-{number}": value for number, value in enumerate(self.weights)}
            arrays["dev_logits"] = self.logits
        progress = {"rows": self.rows, "curve": self.curve, "best": self.best, "point": self.point}
        progress["seconds"] = seconds
        progress["total_seconds"] = self.earlier + time.time() - self.started
        self.backup.save(self.step, progress, arrays)

    def stop_if_asked(self) -> None:
        if self.asked:
            total = self.steps * self.settings.epochs
            here = f"stopped at step {self.step:,} of {total:,}"
            kept = self.backup.kept_at() if distribution.is_chief(self.strategy) else self.step
            if kept == self.step:
                here += ", which is backed up: the same command goes on from there"
            elif kept:
                here += f", which is not backed up: the same command goes on after step {kept:,}"
            else:
                here += "; there is no backup: the same command begins anew"
            raise Stopped(self.asked[0], here)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.time()
        if self.step % self.steps == 0:
            self.network.tally.assign([0.0, 0.0, 0.0])
            self.point = [0.0, 0.0, 0.0]

    def add_point(self) -> None:
        """Put what was learnt since the last point on the curve: means over texts."""
        tally = self.network.tally.numpy().tolist()
        texts, loss, right = (now - then for now, then in zip(tally, self.point, strict=True))
        self.curve.append(
            {"step": self.step, "train_loss": loss / texts, "train_accuracy": right / texts}
        )
        self.point = tally

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1
        if not math.isfinite(logs["loss"]):
            self.backup.clear()  # going on from there would come to the same
            raise UserError(
                f"the loss is not a number any more at step {self.step:,}: lower --learning-rate "
                f"({self.settings.learning_rate:g}) or --clip-norm ({self.settings.clip_norm:g})"
            )
        inside = (self.step - 1) % self.steps + 1
        if inside % -(-self.steps // CURVE_POINTS) == 0 or inside == self.steps:
            self.add_point()
        self.estimate(logs["loss"])
        distribution.share_asked(self.strategy, self.asked)
        if inside < self.steps:  # after the last step comes dev, and then a backup
            if self.step % self.settings.backup_steps == 0 or self.asked:
                self.save(self.seconds + time.time() - self.began)
            self.stop_if_asked()

    def estimate(self, loss: float) -> None:
        """Say now and then how far it is, and how long it will take."""
        here = self.step - self.begun_at
        if here == 5:  # the first steps compile
            self.warm = time.time()
        tenth = max(self.steps // 10, ESTIMATE_AT)
        if here == ESTIMATE_AT or (here > 5 and not sys.stdout.isatty() and here % tenth == 0):
            total = self.steps * self.settings.epochs
            pace = (time.time() - self.warm) / (here - 5)  # seconds a step
            warm = self.begun_at + 5
            ahead = pace * (here - 5) * self.read(self.step, total) / self.read(warm, self.step)
            log(
                f"step {self.step:,} of {total:,}: loss {loss:.4f}, "
                f"{self.read(warm, self.step) / (pace * (here - 5)):,.0f} tokens/s, about "
                f"{ahead / 60:.{int(ahead < 300)}f} minutes of training ahead"
            )

    def read(self, start: int, end: int) -> float:
        """Tokens that the steps from `start` to `end` read."""
        done = np.cumsum([0, *self.tokens])
        at = [step / self.steps for step in (start, end)]
        before, after = np.interp(at, range(len(done)), done)
        return float(after - before)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.measure(self.seconds + time.time() - self.began)
        self.seconds = 0.0
        self.save(0.0)
        if self.step < self.steps * self.settings.epochs:
            self.stop_if_asked()

    def measure(self, train_seconds: float) -> None:
        """Score dev, and keep these weights if they are the best so far."""
        started = time.time()
        logits = distribution.predict(self.network, self.dev)
        logits = logits[:, 0] if logits.shape[1] == 1 else logits
        texts, loss, right = self.network.tally.numpy().tolist()
        row = {
            "epoch": len(self.rows) + 1,
            "train_loss": loss / texts,
            "train_accuracy": right / texts,
            "dev_loss": mean_loss(logits, self.labels),
            "dev_accuracy": float(np.mean(predicted(logits) == self.labels)),
            "train_seconds": train_seconds,
            "dev_seconds": time.time() - started,
        }
        log(", ".join(f"{name} {value:.5g}" for name, value in row.items()))
        self.rows.append(row)
        rank = (row["dev_accuracy"], -row["dev_loss"])
        if not self.best or rank > (self.best["dev_accuracy"], -self.best["dev_loss"]):
            self.best, self.logits = row, logits
            self.weights = [variable.numpy() for variable in self.network.trainable_variables]
