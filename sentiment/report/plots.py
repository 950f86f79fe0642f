"""The figures, by matplotlib: legible at report size, fit for colour-blind readers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # files only: no screen is needed

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.6"  # Okabe and Ito's palette
TRAIN_COLOUR, DEV_COLOUR = BLUE, ORANGE


def history(
    epochs: pd.DataFrame, curve: pd.DataFrame, steps: int, best_epoch: int, path: Path
) -> None:
    """Loss and accuracy of train within the epochs of `steps` steps, and of dev after each; the
    epoch that was kept is marked.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, quantity, unit in zip(
        axes,
        ("loss", "accuracy"),
        ("cross-entropy (nats a text)", "share of texts right"),
        strict=True,
    ):
        axis.plot(
            curve["step"] / steps, curve[f"train_{quantity}"], color=TRAIN_COLOUR, label="train"
        )
        values = epochs[f"dev_{quantity}"]
        axis.plot(epochs["epoch"], values, color=DEV_COLOUR, marker="s", label="dev")
        for epoch, value in zip(epochs["epoch"], values, strict=True):
            axis.annotate(
                f"{value:.4f}",
                (epoch, value),
                textcoords="offset points",
                xytext=(0, 7),
                ha="center",
                color=DEV_COLOUR,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            )
        axis.axvline(best_epoch, color="0.6", linestyle=":", label=f"kept: epoch {best_epoch}")
        axis.set(xlabel="epochs", ylabel=unit, title=quantity)
        axis.set_xlim(0, 1.1 * len(epochs))  # room for the last figures
        axis.xaxis.set_major_locator(MaxNLocator(integer=len(epochs) > 2))
        axis.margins(y=0.15)
        axis.grid(alpha=0.3)
        axis.legend()
    what = "train: the texts learnt from, single sentences among them; dev: whole reviews"
    figure.suptitle(f"The encoder alone; {what}")
    figure.savefig(path, dpi=130)
    plt.close(figure)


# The report's figures, each as the bytes of a PNG.


def png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()


def pair() -> tuple[Any, Any]:
    """A figure with two panels."""
    return plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")


def calibration(rows: list[dict], scores: list[dict], names: list[str]) -> bytes:
    """Reliability diagram (metrics.reliability's rows) and analysis.histogram's bars: by label, or
    of more than two labels by whether they were called rightly.
    """
    two = len(names) == 2
    words = [f"truly {name}" for name in names] if two else ["called wrongly", "called rightly"]
    figure, (left, right) = pair()
    lowest = 1 / len(names)
    left.plot([lowest, 1], [lowest, 1], color=GREY, linestyle="--", label="perfectly calibrated")
    confidence = [row["confidence"] for row in rows]
    left.plot(confidence, [row["accuracy"] for row in rows], color=BLUE, marker="o", label="model")
    for row in rows:
        left.annotate(
            f"{row['reviews']:,}",
            (row["confidence"], row["accuracy"]),
            textcoords="offset points",
            xytext=(4, -12),
            fontsize=8,
        )
    left.set(
        title="Calibration (numbers: reviews)",
        xlabel="confidence: probability of the predicted label",
        ylabel="accuracy (share of reviews right)",
        xlim=(lowest - 0.02, 1.07),  # room for the last number
    )
    left.legend(loc="upper left")
    edges = [*(row["from"] for row in scores), 1.0]
    for label, colour, hatch in ((0, ORANGE, "//"), (1, BLUE, "")):
        right.stairs(
            [row[("negative", "positive")[label]] for row in scores],
            edges,
            fill=True,
            color=colour,
            alpha=0.55,
            hatch=hatch,
            label=words[label],
        )
    right.set(
        title="Scores",
        xlabel=f"probability of {names[1]}" if two else "probability of the called label",
        ylabel="reviews (logarithmic)",
        yscale="log",
    )
    right.legend(loc="upper center")
    return png(figure)


def curves(points: list[dict], figures: dict[str, Any]) -> bytes:
    """ROC curve with its area, and precision-recall curve: analysis.operating_points's rows."""
    figure, (left, right) = pair()
    recall = [row["recall"] for row in points]
    false = [row["false_positive_rate"] for row in points]
    left.plot([0, *false], [0, *recall], color=BLUE, label=f"model, area {figures['roc_auc']:.4f}")
    left.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="chance")
    left.set(title="ROC curve", xlabel="false positive rate", ylabel="true positive rate (recall)")
    left.legend(loc="lower right")
    right.plot(recall, [row["precision"] for row in points], color=BLUE, label="model")
    share = sum(figures["confusion"][1]) / figures["reviews"]
    right.axhline(share, color=GREY, linestyle="--", label=f"chance ({share:.2f})")
    right.set(title="Precision-recall curve", xlabel="recall", ylabel="precision", ylim=(0, 1.02))
    right.legend(loc="lower left")
    return png(figure)


def bands(panels: list[tuple[str, list[dict]]]) -> bytes:
    """Accuracy by bands, a panel each of (title, analysis.by_band's rows)."""
    figure, axes = plt.subplots(
        1, len(panels), figsize=(9, 3.8), layout="constrained", squeeze=False
    )
    for axis, (title, rows) in zip(axes[0], panels, strict=True):
        accuracy = np.array([row["accuracy"] for row in rows])
        low, high = np.array([row["interval_95"] for row in rows]).T
        names = [f"{band_name(row)} ({row['reviews']:,})" for row in rows]
        place = np.arange(len(rows))
        errors = np.maximum([accuracy - low, high - accuracy], 0)
        axis.errorbar(accuracy, place, xerr=errors, fmt="o", color=BLUE, capsize=3)
        for x, y in zip(accuracy, place, strict=True):
            axis.annotate(
                f"{x:.3f}",
                (x, y),
                textcoords="offset points",
                xytext=(0, 5),
                ha="center",
                fontsize=7,
            )
        axis.margins(x=0.15, y=0.12)
        axis.set_yticks(place, names, fontsize=8)
        axis.invert_yaxis()
        axis.set(title=title, xlabel="accuracy, 95 % interval")
        axis.grid(alpha=0.3, axis="x")
    return png(figure)


def band_name(row: dict) -> str:
    return "none" if row["to"] < 1e-6 else f"{round(row['from'], 3):g} to {row['to']:.4g}"


def coverage(rows: list[dict]) -> bytes:
    """Accuracy against the share of reviews that are answered, the surest first."""
    figure, (left, right) = pair()
    share = [row["share"] for row in rows]
    left.plot(share, [row["accuracy"] for row in rows], color=BLUE, marker="o", markersize=4)
    left.set(
        title="If only the surest were answered",
        xlabel="share of reviews answered",
        ylabel="accuracy on them",
    )
    least = [row["least_confidence"] for row in rows]
    right.plot(share, least, color=ORANGE, marker="s", markersize=4)
    right.set(
        title="Confidence that this asks for",
        xlabel="share of reviews answered",
        ylabel="least confidence answered",
    )
    for axis in (left, right):
        axis.grid(alpha=0.3)
    return png(figure)
