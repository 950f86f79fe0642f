"""An input to be scored: its rows, which of them cannot be, and the columns that it will get."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sentiment.errors import UserError, log
from sentiment.reviews import tables
from sentiment.reviews.delimited import MARKS, Form, is_utf8
from sentiment.reviews.tables import Row

NAMED = 5  # refused rows that are named on standard error; all have the reason in column error
ADDED = {"label": "string", "probability": "double", "cut": "bool", "note": "string"}
ADDED |= {"error": "string"}
PROBABILITY = "probability_"  # and a label's name: a column of --all-probabilities
Progress = Callable[[int], None]  # called with how many are done
# Texts and what to call as they are done -> label, probability and cut of each.
Answer = Callable[[list[str], Progress], Iterator[dict[str, Any]]]
Refused = list[tuple[int, str]]  # a row's number, and why it cannot be scored


class Job:
    """What is scored: an input that was looked through, and the columns it will get."""

    def __init__(
        self, source: str, text_column: str, labels: Sequence[str] = (), form: Form = tables.PLAIN
    ) -> None:
        """`labels` get a column each with their probabilities. Raises UserError when the input
        cannot be read or has no such column.
        """
        added = ADDED | {f"{PROBABILITY}{label}": "double" for label in labels}
        self.is_stdin = source == "-"
        self.path = Path(source)
        if not self.is_stdin and not self.path.is_file():
            raise UserError(f"--input {source}: no such file")
        if self.is_stdin and text_column != "text":
            raise UserError("--input - is a review a line, without columns: no --text-column")
        self.kind = (
            "text" if self.is_stdin else tables.kind_of(self.path, tuple(tables.KINDS.values()))
        )
        layout = tables.Layout(0, {"text": "string"}, form)
        if not self.is_stdin:
            layout = tables.scan(self.path, self.kind, form)
        self.count, columns, self.form = layout
        self.text_column = "text" if self.kind == "text" else text_column
        if not (self.count or self.is_stdin):
            raise UserError(f"{source} holds no rows")
        have = list(columns)
        delimiter = self.form.delimiter if self.kind in tables.DELIMITED else ""
        self.text_columns = tables.find_columns(
            self.text_column, have, source, "--text-column", delimiter
        )
        self.names = {name: f"predicted_{name}" if name in columns else name for name in added}
        for name, ours in self.names.items():
            if name != ours and ours in columns:
                raise UserError(f"{source} has a column {ours!r}, and one {name!r}: rename one")
            if name != ours:
                log(f"{source} has a column {name!r}: the model's is {ours!r}")
        self.refused = 0
        self.columns = columns | {self.names[name]: kind for name, kind in added.items()}
        self.lock: Any = None  # of the output's parts, while this process writes them

    def rows(self) -> Iterator[Row]:
        if self.is_stdin:
            return tables.read(sys.stdin.buffer, self.kind, "standard input", self.form)
        return tables.read_file(self.path, self.kind, self.form)

    def __getstate__(self) -> dict[str, Any]:
        """What another process that scores parts of it gets: the lock stays here."""
        return self.__dict__ | {"lock": None}

    def score(
        self, rows: list[Row], answer_all: Answer, progress: Progress
    ) -> tuple[list[dict[str, Any]], Refused]:
        """(the rows with what is added to them, which of them were refused)."""
        texts = [tables.text_of(row.values, self.text_columns) for row in rows]
        problems = [row.error or problem_of(text) for row, text in zip(rows, texts, strict=True)]
        good = [number for number, problem in enumerate(problems) if not problem]
        texts = [texts[number] for number in good]
        answers = dict(zip(good, answer_all(texts, progress), strict=True))
        scored = []
        for number, (row, problem) in enumerate(zip(rows, problems, strict=True)):
            answer = answers.get(number, {})
            every = answer.get("probabilities", {})
            added = answer | {f"{PROBABILITY}{label}": one for label, one in every.items()}
            added["error"] = problem or None
            scored.append(row.values | {ours: added.get(name) for name, ours in self.names.items()})
        refused = [(row.number, one) for row, one in zip(rows, problems, strict=True) if one]
        return scored, refused

    def name(self, refused: Refused) -> None:
        """Name refused rows on standard error, the first of the whole input."""
        for number, problem in refused[: max(NAMED - self.refused, 0)]:
            log(f"row {number}: {problem}: not scored")
        self.refused += len(refused)


def lines_of_stdin(encoding: str) -> list[str]:
    """A review a line from standard input; a byte-order mark is believed before `encoding`, and
    undecodable bytes become U+FFFD.
    """
    content = sys.stdin.buffer.read()
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), encoding)
    lines = content.decode(encoding, errors="replace").split("\n")
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def problem_of(text: Any) -> str:
    """Why this cannot be scored; empty when it can."""
    if text is None:
        return "no text"
    if not isinstance(text, str):
        return f"not a text but {text!r}"
    if not is_utf8(text):
        return "not UTF-8"
    return "" if text.strip() else "no text"
