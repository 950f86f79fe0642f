"""What is odd about the reviews or the training, said once; nothing is stopped by it."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from sentiment.errors import log
from sentiment.logits import predicted
from sentiment.reviews.sources import Reviews, text_key

SMALL_SHARE = 0.4  # of what a label would have if all had as many, below which accuracy flatters
MUCH_CUT = 1 / 3  # of the reviews


def of_reviews(train: Reviews, dev: Reviews, labels: list[str], share_cut: float) -> None:
    """Remarks on what is learnt from; `share_cut` of train are longer than what is read."""
    shared = len(set(map(text_key, train.ids)) & set(map(text_key, dev.ids)))
    if shared:
        log(f"remark: {shared:,} texts are in train and in dev: dev accuracy will flatter")
    both = defaultdict(set)
    for part in (train, dev):
        for key, label in zip(part.ids, part.labels, strict=True):
            both[text_key(key)].add(int(label))
    if contradictions := sum(len(found) > 1 for found in both.values()):
        log(f"remark: {contradictions:,} texts stand in these reviews with more than one label")
    shares = np.bincount(train.labels, minlength=len(labels)) / len(train.labels)
    rare = [
        f"{share:.1%} of train are {label}"
        for share, label in zip(shares, labels, strict=True)
        if share < SMALL_SHARE / len(labels)
    ]
    if rare:
        log(f"remark: only {', '.join(rare)}: accuracy will flatter; look at precision and recall")
    if share_cut >= MUCH_CUT:
        log(
            f"remark: {share_cut:.0%} of the reviews are longer than what is read of them; a "
            "larger --max-length reads more and takes longer"
        )


def of_training(
    rows: list[dict[str, float]], dev_logits: np.ndarray, dev_labels: np.ndarray, labels: list[str]
) -> None:
    """Remarks on a finished training: its epochs, and dev's logits (float32 [N])."""
    named = np.unique(predicted(dev_logits))
    if len(named) == 1 and len(np.unique(dev_labels)) > 1:
        log(
            f"remark: every dev review is called {labels[named[0]]}: the model has hardly "
            "learnt; train longer, on more reviews, or with another --learning-rate"
        )
    if len(rows) < 2:
        return
    before, last = rows[-2:]
    if last["dev_loss"] > before["dev_loss"] and last["train_loss"] < before["train_loss"]:
        log(
            "remark: in the last epoch dev loss rose while train loss fell: it learns by heart; "
            "fewer --epochs would do"
        )
