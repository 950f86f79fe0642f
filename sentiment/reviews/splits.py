"""Reviews for the three roles: train to learn on, dev to choose on, test to report once.

One place for splits, so three scripts cannot disagree; and without TensorFlow, so that reviews
which are not to be had are said at once.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from params import Params
from sentiment.errors import UserError, log
from sentiment.labels import FORWARDS, is_backwards
from sentiment.reviews import judgements, own_files, sources, written
from sentiment.reviews.others import EVERY, others
from sentiment.reviews.sentences import sentences
from sentiment.reviews.sources import Reviews
from sentiment.reviews.truncation import LONG

FILE = ("text_column", "label_column", "delimiter", "encoding", "quoting")  # how one is read
HELD_OUT = 5  # of the short texts that others labelled, one in so many is not learnt from
WEIGHING = 10  # of the rest, one in so many is left for weighing the model's two sides
OWN = {"made-up": judgements.judgements, "written": written.written}
OWN_MARKS = (judgements.MARK, written.MARK)
LABELLED = {"rotten-tomatoes": sources.load_rotten_tomatoes, "rated": sources.load_rated}


def load_train(params: Params) -> tuple[Reviews, list[str]]:
    """(reviews that train and dev are taken from, names of their labels): IMDB's, or a file's."""
    names = [name.strip() for name in params.labels.split(",")]
    if params.data == "imdb":
        return sources.load_imdb("train", params), names
    if params.labels == "auto":
        names = own_files.labels_of(params)
    if is_backwards(names):
        log(f"remark: the labels are {' and '.join(names)}: the second one counts as the positive")
    return own_files.load_file(params, names), names


def require_two(names: list[str], asked: str) -> None:
    """Raises UserError with more than two labels: the texts that a flag asks for have no more."""
    if len(names) > 2:
        raise UserError(f"{asked}: its texts have two labels, here are {len(names)}: leave it out")


def in_order(reviews: Reviews, names: list[str], asked: str) -> Reviews:
    """Reviews whose labels are 0 for blame and 1 for praise, with the place in `names` instead.

    Names that do not say which is which are remarked on.
    """
    labels = 1 - reviews.labels if is_backwards(names) else reviews.labels
    if not is_backwards(names) and [name.lower() for name in names] not in FORWARDS:
        bad, good = names
        log(f"remark: {asked}: what praises counts as {good}, what blames as {bad}")
    return reviews._replace(labels=labels)


def split(
    reviews: Reviews, dev_share: float, split_seed: int, stratified: bool = False
) -> tuple[Reviews, Reviews]:
    """(train, dev), dev an exact share: distinct texts in a seeded order until it is full.

    `stratified` does so with each label's reviews. Equal texts stay on one side. Raises UserError
    when a side would be empty.
    """
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(reviews.ids):
        rows_of[sources.text_key(key)].append(row)
    groups = list(rows_of.values())
    labels = [int(reviews.labels[rows[0]]) if stratified else 0 for rows in groups]
    dev: list[int] = []
    for label in sorted(set(labels)):
        own = [rows for rows, one in zip(groups, labels, strict=True) if one == label]
        wanted = len(dev) + round(sum(map(len, own)) * dev_share)
        for group in np.random.default_rng(split_seed).permutation(len(own)):
            if len(dev) + len(own[group]) <= wanted:
                dev += own[group]
            if len(dev) == wanted:
                break
    if not dev or len(dev) == len(reviews.ids):
        raise UserError(
            f"{reviews.source}: {len(groups)} different reviews are too few to split at "
            f"--dev-share {dev_share}"
        )
    in_dev = set(dev)
    train = reviews.take(row for row in range(len(reviews.ids)) if row not in in_dev)
    return train, reviews.take(sorted(dev))


def train_and_dev(reviews: Reviews, names: list[str], params: Params) -> tuple[Reviews, Reviews]:
    """What a run trains on and is measured on. Raises UserError when nothing can be learnt."""
    if params.dev_data:
        own = dataclasses.replace(params, data=params.dev_data)
        train, dev = reviews, own_files.load_file(own, names)
    else:
        # IMDB's dev was drawn without regard to labels, and stays what it is.
        stratified = params.data != "imdb"
        train, dev = split(reviews, params.dev_share, params.split_seed, stratified)
    train = limit(train, params.train_examples, params.split_seed)
    dev = limit(dev, params.dev_examples, params.split_seed)
    counts = np.bincount(train.labels, minlength=len(names))
    if missing := [name for name, count in zip(names, counts, strict=True) if not count]:
        raise UserError(
            f"{reviews.source}: none of the {len(train.ids)} reviews to train on is labelled "
            f"{' or '.join(missing)}: add some, take more with --train-examples, or leave the "
            "label out of --labels"
        )
    if len(set(map(sources.text_key, dev.ids))) < 2:
        more = "--dev-examples" if params.dev_examples else "--dev-share, or give --dev-data"
        way = "give another --dev-data" if params.dev_data else f"raise {more}"
        raise UserError(f"{dev.source}: dev comes to one text, which tells nothing apart: {way}")
    return train, dev


def limit(reviews: Reviews, examples: int, split_seed: int) -> Reviews:
    """A seeded choice of `examples` reviews, in canonical order; 0 is all of them."""
    if not 0 < examples < len(reviews.ids):
        return reviews
    chosen = np.random.default_rng(split_seed).permutation(len(reviews.ids))[:examples]
    return reviews.take(sorted(chosen))


class Also(NamedTuple):
    """The short texts of --also, no text in both."""

    learnt: Reviews | None = None  # what the model learns from
    left: Reviews | None = None  # of other people, for weighing its two sides


def load_also(params: Params, names: list[str], dev: Reviews) -> tuple[Also, Params]:
    """(the short texts of --also but for those in dev, the settings with what `auto` came to).

    Raises UserError with more than two labels, which they do not have, and where some of them are
    not to be had.
    """
    if params.also == "auto":
        fits = params.data == "imdb" and params.sentence_share and not params.train_examples
        params = dataclasses.replace(params, also=EVERY if fits else "none")
    found: Reviews | None = None
    if others(params.also):
        require_two(names, f"--also {params.also}")
    for name in others(params.also):
        try:
            own = OWN.get(name)
            some = own(seed=params.split_seed) if own else labelled(name, params, False)
        except UserError as error:
            rest = ",".join(one for one in others(params.also) if one != name) or "none"
            raise UserError(f"{error}; or go without: --also {rest}") from None
        source = f"{found.source}, {some.source}" if found else some.source
        found = (found.join(some) if found else some)._replace(source=source)
    if found:
        found = not_in(dev, in_order(found, names, f"--also {params.also}"))
    # Where the reviews are short themselves, dev says what short texts need.
    reviews_are_long = params.data == "imdb" and params.max_length >= LONG
    if not found or not params.ngrams or not reviews_are_long:
        return Also(found), params
    chance = [int(key[8:16], 16) % WEIGHING for key in found.ids]
    left = [
        not one and not key.endswith(OWN_MARKS) for one, key in zip(chance, found.ids, strict=True)
    ]
    learnt, kept = (
        found.take(row for row, one in enumerate(left) if one == wanted) for wanted in (False, True)
    )
    return Also(learnt, kept if kept.ids else None), params


def not_in(dev: Reviews, reviews: Reviews) -> Reviews:
    """The reviews whose text is not in dev, and a remark where some are."""
    known = set(map(sources.text_key, dev.ids))
    rows = [row for row, key in enumerate(reviews.ids) if sources.text_key(key) not in known]
    if both := len(reviews.ids) - len(rows):
        log(f"remark: {both:,} of the texts of --also are in dev: they are not learnt from")
    return reviews.take(rows)


def but_own(reviews: Reviews) -> Reviews:
    """The reviews that are none of those that were made for this project."""
    return reviews.take(row for row, key in enumerate(reviews.ids) if not key.endswith(OWN_MARKS))


def labelled(name: str, params: Params, held_out: bool) -> Reviews:
    """Of these sentences the fifth that no --also learns from, or the others, by their texts."""
    every = LABELLED[name](params)
    chance = [int(key[:8], 16) % HELD_OUT for key in every.ids]
    return every.take(row for row, one in enumerate(chance) if (one == 0) == held_out)


def load_split(
    params: Params, details: dict[str, Any], compared: dict[str, Any] | None = None
) -> tuple[Reviews, str]:
    """The reviews that evaluate scores, and what to call them: the split's or the file's name.

    `details` are the model's, `compared` those of one that scores them too. dev is exactly the ids
    stored at training. Raises UserError when they are not to be had.
    """
    trained_on, names = details["settings"]["data"], details["labels"]
    dev_from = details["settings"].get("dev_data") or trained_on
    if params.data != "imdb":
        if params.split != Params.split:
            raise UserError(f"--split {params.split}: a file given by --data is scored as a whole")
        scored = Path(params.data).resolve()
        if scored == Path(trained_on).resolve():
            log(
                f"{params.data} is what the model was trained on: most of these reviews it has "
                "seen. Without --data the ones that were held out are scored"
            )
        elif scored == Path(dev_from).resolve():
            log(f"{params.data} is the model's dev: not learnt from, but chosen on")
        return own_files.load_file(params, names), Path(params.data).name
    asked = f"--split {params.split}"
    if params.split in (*LABELLED, "test"):
        require_two(names, asked)
    if params.split in LABELLED:
        models = [one["settings"].get("also", "none") for one in (details, compared) if one]
        if not any(params.split in others(also) for also in models):
            return in_order(LABELLED[params.split](params), names, asked), params.split
        who = "one of the models" if compared else "the model"
        log(f"{who} has learnt from the others: one in {HELD_OUT} of these sentences is scored")
        rest = labelled(params.split, params, held_out=True)
        return in_order(rest, names, asked), f"{params.split}-held-out"
    if params.split == "test":
        return in_order(sources.load_imdb("test", params), names, asked), "test"
    if dev_from == "imdb":
        reviews = sources.load_imdb("train", params)
    elif Path(dev_from).is_file():
        columns = {n: details["settings"][n] for n in FILE if n in details["settings"]}
        own = Params(data=dev_from, skip_bad_rows=True, **columns)
        reviews = own_files.load_file(own, names)
    else:
        raise UserError(
            f"{dev_from}, where the model's dev reviews come from, is not there: run where it is, "
            "or score another file with --data"
        )
    row_of = {key: row for row, key in enumerate(reviews.ids)}
    missing = [key for key in details["dev_ids"] if key not in row_of]
    if missing:
        raise UserError(
            f"{len(missing)} of the model's {len(details['dev_ids'])} dev reviews are no longer in "
            f"{dev_from}: score it with --data, or train again"
        )
    reviews = reviews.take(row_of[key] for key in details["dev_ids"])
    if params.split == "dev-sentences":
        reviews = sentences(reviews)
        if not reviews.texts:
            raise UserError(
                "--split dev-sentences: no dev review holds a sentence of 4 to 40 words"
            )
    return reviews, params.split
