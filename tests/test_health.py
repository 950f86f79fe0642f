"""What is odd is said once and plainly, and only what is odd."""

import numpy as np
import pytest

from sentiment.reviews.sources import Reviews
from sentiment.training import health

LABELS = ["neg", "pos"]


def reviews(*rows: tuple[str, int]) -> Reviews:
    ids, labels = zip(*rows, strict=True)
    return Reviews(list(ids), np.array(labels, np.int32), list(ids), "made up")


SOUND = reviews(("a", 0), ("b", 1))


@pytest.mark.parametrize(
    "train, dev, share_cut, says",
    [
        (SOUND, reviews(("c", 0)), 0.1, ""),
        (SOUND, reviews(("a-2", 0)), 0, "1 texts are in train and in dev"),
        (
            reviews(("a", 0), ("a-2", 1)),
            reviews(("c", 0)),
            0,
            "1 texts stand in these reviews with",
        ),
        (
            reviews(("a", 0), *((f"b{n}", 1) for n in range(9))),
            reviews(("c", 0)),
            0,
            "only 10.0% of train are neg",
        ),
        (SOUND, reviews(("c", 0)), 0.34, "34% of the reviews are longer"),
    ],
)
def test_reviews(train, dev, share_cut, says, capsys):
    health.of_reviews(train, dev, LABELS, share_cut)
    said = capsys.readouterr().err
    assert says in said and said.count("remark") == bool(says)


def test_labels_are_rare_beside_as_many_of_each(capsys):
    six = reviews(*((f"{n}", n % 6) for n in range(60)))
    health.of_reviews(six, SOUND, list("abcdef"), 0)
    assert not capsys.readouterr().err
    few = reviews(("x", 4), ("y", 5), *((f"{n}", n % 4) for n in range(60)))
    health.of_reviews(few, reviews(("z", 0)), list("abcdef"), 0)
    said = capsys.readouterr().err
    assert said.count("remark") == 1 and "only 1.6% of train are e, 1.6% of train are f" in said


def row(train_loss: float, dev_loss: float) -> dict[str, float]:
    return {"train_loss": train_loss, "dev_loss": dev_loss}


@pytest.mark.parametrize(
    "rows, logits, says",
    [
        ([row(0.5, 0.5), row(0.4, 0.4)], [-1, 1], ""),
        ([row(0.5, 0.5)], [1, 2], "every dev review is called pos"),
        ([row(0.5, 0.5)], [-1, -2], "every dev review is called neg"),
        ([row(0.5, 0.5), row(0.4, 0.6)], [-1, 1], "dev loss rose while train loss fell"),
        ([row(0.5, 0.5), row(0.6, 0.6)], [-1, 1], ""),
    ],
)
def test_training(rows, logits, says, capsys):
    health.of_training(rows, np.array(logits, float), np.array([0, 1]), LABELS)
    said = capsys.readouterr().err
    assert says in said and said.count("remark") == bool(says)
