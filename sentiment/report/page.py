"""The report's page: one HTML file with its figures inside, which loads nothing and runs no script.

Every text of a review is escaped.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable
from typing import Any

from sentiment.report import plots
from sentiment.report.printed import shown
from sentiment.reviews.markup import MARKUP
from sentiment.scoring.explain import Explanation

SHOWN = 20  # reviews on which two models part
BANDS = {
    "length": "Tokens of the review (reviews)",
    "share_cut": "Share that was cut (reviews)",
    "confidence": "Confidence (reviews)",
}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem; text-align: left;
  border-bottom: 1px solid #ddd; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; } .review { margin: 1rem 0; padding: .6rem .8rem;
  border-left: 4px solid #999; background: #fafafa; overflow-wrap: anywhere; }
.meta { font-size: .85rem; color: #444; } .unread { color: #999; } summary { cursor: pointer; }
.word { border-radius: 3px; padding: 0 .1em; } mark { font-weight: bold; }
details { margin: .5rem 0; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
"""


def make(
    title: str,
    content: dict[str, Any],
    chosen: dict[str, list[dict[str, Any]]],
    names: list[str],
    more: list[str],
) -> str:
    """The page; `more` are parts of it that are made already."""
    panels = [(heading, content["bands"][name]) for name, heading in BANDS.items()]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        figures_table(content),
        confusion_table(content["figures"]["confusion"], names),
    ]
    if "sides" in content["figures"]:
        parts.append(sides_table(content["figures"]))
    if "per_label" in content["figures"]:
        parts += ["<h2>Label by label</h2>", label_table(content["figures"]["per_label"])]
    if "threshold" in content:
        parts += ["<h2>Threshold</h2>", key_table(content["threshold"])]
    if "comparison" in content:
        parts += comparison_part(content["comparison"])
    parts += more
    images = [
        (
            "How sure, and how right",
            plots.calibration(content["reliability"], content["scores"], names),
        ),
        ("Where it is right", plots.bands(panels)),
        ("Answering only the surest", plots.coverage(content["coverage"])),
    ]
    if points := content["operating_points"]:
        images.insert(1, ("Every threshold", plots.curves(points, content["figures"])))
    for heading, image in images:
        data = base64.b64encode(image).decode()
        parts.append(f"<h2>{heading}</h2>")
        parts.append(f'<img alt="{heading}" src="data:image/png;base64,{data}">')
    parts.append(coverage_table(content["coverage"]))
    for name, heading in (
        ("surest_mistakes", "The surest mistakes"),
        ("least_sure", "The least sure answers"),
    ):
        parts.append(f"<h2>{heading}</h2>")
        sides = names[::-1] if len(names) == 2 else ["the label that was called", "the others"]
        parts.append(
            f'<p class="meta">Blue words speak for {html.escape(sides[0])}, orange ones for '
            f"{html.escape(sides[1])}, the stronger the more; grey ones were not read.</p>"
        )
        parts += [review_part(row) for row in chosen[name]]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def table(head: list[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells are escaped; all but the first column are numbers."""
    lines = ["".join(f"<th>{html.escape(cell)}</th>" for cell in head)]
    for first, *others in rows:
        cells = "".join(f'<td class="number">{html.escape(cell)}</td>' for cell in others)
        lines.append(f"<td>{html.escape(first)}</td>{cells}")
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def figures_table(content: dict[str, Any]) -> str:
    figures = content["figures"]
    rows = [["reviews", f"{figures['reviews']:,}", ""]]
    rows.append(["always the largest label", f"{figures['majority_share']:.4f}", ""])
    for name in (
        "accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "log_loss",
        "brier",
        "calibration_error",
    ):
        value, interval = figures[name], content["intervals_95"].get(name)
        between = (
            f"{interval[0]:.4f} to {interval[1]:.4f}" if interval and value is not None else ""
        )
        rows.append([name.replace("_", " "), shown(value), between])
    return table(["", "value", "95 % interval"], rows)


def sides_table(figures: dict[str, Any]) -> str:
    """What each side comes to alone, where there are two."""
    words = {"encoder": "the encoder alone", "ngrams": "the n-gram side alone"}
    rows = [
        [words[name], f"{one['accuracy']:.4f}", f"{one['log_loss']:.4f}"]
        for name, one in figures["sides"].items()
    ]
    rows.append(["both", f"{figures['accuracy']:.4f}", f"{figures['log_loss']:.4f}"])
    return "<h2>What each side adds</h2>" + table(["", "accuracy", "log loss"], rows)


def confusion_table(confusion: list[list[int]], names: list[str]) -> str:
    head = ["truly \\ predicted", *names]
    rows = zip(names, confusion, strict=True)
    return "<h2>Confusion</h2>" + table(
        head, ([name, *map("{:,}".format, row)] for name, row in rows)
    )


def label_table(labels: dict[str, dict[str, Any]]) -> str:
    names = ("precision", "recall", "f1")
    rows = [
        [
            label,
            f"{found['reviews']:,}",
            *(shown(found[name]) for name in names),
        ]
        for label, found in labels.items()
    ]
    return table(["", "reviews", *names], rows)


def key_table(values: dict[str, Any]) -> str:
    values_shown = {k: f"{v:.4f}" if isinstance(v, float) else str(v) for k, v in values.items()}
    return table(
        ["", ""], ([name.replace("_", " "), value] for name, value in values_shown.items())
    )


def coverage_table(rows: list[dict[str, float]]) -> str:
    head = ["share answered", "accuracy", "least confidence"]
    cells = [
        [f"{r['share']:.0%}", f"{r['accuracy']:.4f}", f"{r['least_confidence']:.4f}"] for r in rows
    ]
    return "<details><summary>As a table</summary>" + table(head, cells) + "</details>"


def comparison_part(comparison: dict[str, Any]) -> list[str]:
    low, high = comparison["difference_interval_95"]
    parts = [
        f"<h2>Against {html.escape(comparison['other_model'])}</h2>",
        f"<p>Accuracy {comparison['accuracy']:.4f} against {comparison['other_accuracy']:.4f}: "
        f"{comparison['difference']:+.4f} (95 % interval {low:+.4f} to {high:+.4f}; McNemar's "
        f"exact test: p = {comparison['mcnemar_p_value']:.2g}). Right here alone: "
        f"{comparison['only_this_right']:,}; there alone: {comparison['only_other_right']:,}.</p>",
    ]
    parting = comparison["only_this_right"] + comparison["only_other_right"]
    count = min(parting, SHOWN)
    parts.append(
        f'<p class="meta">The {count} of the {parting:,} reviews on which they part where they are '
        "furthest apart; all of them are in the file that ends in -parting.csv.</p>"
    )
    for row in comparison["parting"][:SHOWN]:
        parts.append(
            f'<div class="review"><div class="meta">truly {html.escape(row["label"])}; here '
            f"{row['probability']:.4f}, there {row['other_probability']:.4f}</div>"
            f"{html.escape(re.sub(MARKUP, ' ', row['text']))}</div>"
        )
    return parts


def review_part(row: dict[str, Any]) -> str:
    meta = f"truly {row['label']}, called {row['predicted']}, score {row['probability']:.4f}"
    because = row["explanation"]
    body = html.escape(row["text"]) if because is None else coloured(because)
    note = " (its words cannot be told apart)" if because is None else ""
    return (
        f'<div class="review"><div class="meta">{html.escape(meta)}{note}, id {row["id"]}</div>'
        f"{body}</div>"
    )


def coloured(because: Explanation) -> str:
    """The review's words, each part on a ground as strong as its value; unread words grey."""
    strongest = max(abs(part.value) for part in because.parts) or 1.0
    part_of = {word: part for part in because.parts for word in range(part.first, part.last + 1)}
    pieces = []
    for word, text in enumerate(because.words):
        if not because.read[word]:
            pieces.append(f'<span class="unread">{html.escape(text)}</span>')
            continue
        part = part_of[word]
        red, green, blue = (0, 114, 178) if part.value > 0 else (213, 94, 0)
        share = 0.6 * abs(part.value) / strongest
        style = f'style="background: rgba({red},{green},{blue},{share:.2f})"'
        title = f'title="{part.value:+.3f}"'
        pieces.append(f'<span class="word" {style} {title}>{html.escape(text)}</span>')
    return " ".join(pieces)
