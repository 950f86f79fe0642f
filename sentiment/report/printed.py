"""An evaluation's figures as a person reads them on a terminal."""

from __future__ import annotations

from typing import Any


def show(results: dict[str, Any], labels: list[str]) -> None:
    """Print the figures as a person reads them."""
    low, high = results["accuracy_interval_95"]
    print(f"accuracy   {results['accuracy']:.4f}   (95 % interval {low:.4f} to {high:.4f})")
    print(f"           {results['majority_share']:.4f}   if it always said the largest label")
    for name in ("precision", "recall", "f1", "roc_auc", "log_loss", "brier"):
        print(f"{name:<10} {shown(results[name])}")
    before = results.get("before_temperature", {}).get("calibration_error")
    raw = "" if before is None else f" (before the temperature {before:.4f})"
    print(f"calibration error {results['calibration_error']:.4f}{raw}")
    width = max(len(label) for label in labels)
    for label, found in results.get("per_label", {}).items():
        figures = ", ".join(
            f"{name} {shown(found[name])}" for name in ("precision", "recall", "f1")
        )
        print(f"  {label:<{width}} {figures}")
    print(f"confusion (rows: true label, columns: {', '.join(labels)})")
    for label, counts in zip(labels, results["confusion"], strict=True):
        print(f"  {label:<{width}}" + "".join(f" {count:7d}" for count in counts))
    if sides := results.get("sides"):
        words = {"encoder": "the encoder alone", "ngrams": "the n-gram side alone"}
        alone = [f"{words[name]} {one['accuracy']:.4f}" for name, one in sides.items()]
        print(f"of this, {', '.join(alone)}")
        if results["share_early"]:
            print(f"{results['share_early']:.1%} were answered without the encoder")
    print(
        f"the model's max length cut {results['share_cut']:.1%} of {results['reviews']:,} reviews"
    )


def shown(value: float | None) -> str:
    """A figure, or that the data does not define it."""
    return "not defined" if value is None else f"{value:.4f}"
