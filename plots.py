"""The figures, by matplotlib: legible at report size, fit for colour-blind readers."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # files only: no screen is needed

import matplotlib.pyplot as plt  # noqa: E402
import pandas as pd  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

TRAIN_COLOUR, DEV_COLOUR = "#0072B2", "#D55E00"  # Okabe and Ito's palette


def history(epochs: pd.DataFrame, best_epoch: int, path: Path) -> None:
    """Loss and accuracy an epoch, on train and dev; the epoch that was kept is marked."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, quantity, unit in zip(
        axes,
        ("loss", "accuracy"),
        ("cross-entropy (nats a review)", "share of reviews right"),
        strict=True,
    ):
        for role, colour, marker in (("train", TRAIN_COLOUR, "o"), ("dev", DEV_COLOUR, "s")):
            values = epochs[f"{role}_{quantity}"]
            axis.plot(epochs["epoch"], values, color=colour, marker=marker, label=role)
            axis.annotate(
                f"{values.iloc[-1]:.4f}",
                (epochs["epoch"].iloc[-1], values.iloc[-1]),
                textcoords="offset points",
                xytext=(8, 0),
                va="center",
                color=colour,
            )
        axis.axvline(best_epoch, color="0.6", linestyle=":", label=f"kept: epoch {best_epoch}")
        axis.set(xlabel="epoch", ylabel=unit, title=quantity)
        axis.set_xlim(0.5, 1.15 * len(epochs) + 0.5)  # room for the last figures
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axis.margins(y=0.2)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(path, dpi=130)
    plt.close(figure)
