"""Reviews and labels in a file of the user's own: any table, any labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from params import Params
from sentiment.errors import UserError, log
from sentiment.labels import label_number, label_word, synonyms
from sentiment.reviews import tables
from sentiment.reviews.sources import Reviews, canonical
from sentiment.reviews.tables import Form

MOST_LABELS = 50  # more are no labels


def form_of(params: Params) -> Form:
    """How the settings say that files of text are written."""
    names = (params.text_column, params.label_column)
    return Form(params.delimiter, params.encoding, params.quoting, names=names)


def rows_of(params: Params) -> Iterator[tuple[int, str | None, Any, str]]:
    """(number, text, label as it is written, what is wrong) of each row of `params.data`.

    Raises UserError where the file has not the columns.
    """
    path, form, label, columns = Path(params.data), form_of(params), "", []
    kind = tables.kind_of(path, tables.WITH_COLUMNS)
    have = tables.columns_of(path, kind, form, set(form.names))
    if have:
        name, sign = str(path), tables.delimiter_of(path, kind, form)
        columns = tables.find_columns(params.text_column, have, name, "--text-column", sign)
        label, *others = tables.find_columns(
            params.label_column, have, name, "--label-column", sign
        )
        if others:
            raise UserError(f"--label-column {params.label_column}: a label is of one column")
    for number, row, error in tables.read_file(path, kind, form, [*columns, label]):
        if error:
            yield number, None, None, error
        else:
            yield number, tables.text_of(row, columns), row.get(label), ""


def labels_of(params: Params) -> list[str]:
    """The labels of a file, for --labels auto: numbers in their order, others by the alphabet.

    Raises UserError when they are too few or too many to be labels.
    """
    spellings: dict[str, Counter[str]] = {}
    for _, _, label, error in rows_of(params):
        if not error and (word := label_word(label)):
            spellings.setdefault(word.lower(), Counter())[word] += 1
            if len(spellings) > MOST_LABELS:
                break
    counts = {one.most_common(1)[0][0]: sum(one.values()) for one in spellings.values()}
    if not 2 <= len(counts) <= MOST_LABELS:
        many = f"more than {MOST_LABELS}" if len(counts) > MOST_LABELS else f"{len(counts)}"
        raise UserError(
            f"{params.data}: {many} different labels in column {params.label_column}: is it "
            "another column (--label-column), or name the labels (--labels)"
        )
    try:
        names = sorted(counts, key=float)
    except ValueError:
        names = sorted(counts)
    log("labels: " + ", ".join(f"{name} ({counts[name]:,})" for name in names))
    return names


def load_file(params: Params, names: list[str]) -> Reviews:
    """Reviews of `params.data`, labelled with these names.

    Bad rows (missing text, unknown label, undecodable bytes) raise UserError with their count and
    the first five, or with `skip_bad_rows` are left out and counted.
    """
    rows: list[tuple[str, int]] = []
    bad: list[str] = []
    numbers: dict[Any, int | None] = {}
    for number, text, written, error in rows_of(params):
        if error:
            bad.append(f"row {number}: {error}")
            continue
        key = (type(written), str(written))
        if key not in numbers:
            numbers[key] = label_number(written, names)
        if text is None or not text.strip():
            bad.append(f"row {number}: no text")
        elif numbers[key] is None:
            problem = f"label {written!r}" if label_word(written) else "no label"
            bad.append(f"row {number}: {problem}")
        else:
            rows.append((text, numbers[key]))
    if bad:
        shown = "; ".join(bad[:5]) + ("; ..." if len(bad) > 5 else "")
        if not params.skip_bad_rows:
            also = "0, 1 or " if synonyms(names) else ""
            raise UserError(
                f"{params.data}: {len(bad)} bad rows of {len(bad) + len(rows)} ({shown}). Labels "
                f"are {also}{' and '.join(names)}; training can name others (--labels), and "
                "--skip-bad-rows goes on without such rows"
            )
        log(f"{params.data}: {len(bad)} bad rows skipped ({shown})")
    if not rows:
        raise UserError(f"{params.data} holds no reviews")
    return canonical(rows, params.data, len(bad))
