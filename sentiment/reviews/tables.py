"""Tables of reviews of any size, read row by row: CSV, TSV, JSONL, Parquet, or lines of text.

A row that cannot be used is never dropped here: it comes with the reason. A blank line is a row of
`text` alone.
"""

from __future__ import annotations

import bz2
import difflib
import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sentiment.errors import UserError, log
from sentiment.reviews.delimited import Form, look, open_text, read_delimited
from sentiment.reviews.parquet import open_parquet, read_parquet

KINDS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet", ".txt": "text"}
KINDS |= {".json": "json"}
COMPRESSED = (".gz", ".bz2", ".zst")
DELIMITED = ("csv", "tsv")
WRITTEN = ("csv", "tsv", "jsonl", "parquet")  # with columns; what can be written
WITH_COLUMNS = (*WRITTEN, "json")
ARROW_TYPES = {bool: "bool", int: "int64", float: "double"}  # by Arrow's names; others: string
NAMED = 8  # columns that a message names
PLAIN = Form()


class Row(NamedTuple):
    """A row as it was read; undecodable bytes are `?` in it."""

    number: int  # as a person counts: 1 is the first line of the file, headers included
    values: dict[str, Any]
    error: str  # why it cannot be used, or empty


def kind_of(path: Path, kinds: tuple[str, ...]) -> str:
    """The kind of a file by its ending. Raises UserError unless it is one of `kinds`.

    What is read may be compressed, which a further ending tells; what is written is not.
    """
    ending = path.suffix.lower()
    if ending in COMPRESSED and kinds != WRITTEN:
        ending = Path(path.stem).suffix.lower()
    kind = KINDS.get(ending)
    if kind in kinds:
        return kind
    endings = [ending for ending, one in KINDS.items() if one in kinds]
    raise UserError(f"{path}: give a file that ends in {', '.join(endings[:-1])} or {endings[-1]}")


def open_file(path: Path) -> BinaryIO:
    """A file's bytes, without compression."""
    ending = path.suffix.lower()
    if ending == ".gz":
        return gzip.open(path, "rb")
    if ending == ".bz2":
        return bz2.open(path, "rb")
    if ending == ".zst":
        import pyarrow

        return pyarrow.input_stream(str(path), compression="zstd")
    return path.open("rb")


def read(stream: BinaryIO, kind: str, name: str, form: Form = PLAIN) -> Iterator[Row]:
    """Rows of a table, one after the other; `name` is for errors.

    A `text` file has a row a line, in a column named text. Raises UserError when the file as a
    whole cannot be read.
    """
    if kind == "parquet":
        for number, values, error in read_parquet(stream, name):
            yield checked(number, values, error)
    elif kind in DELIMITED:
        for number, values, error in read_delimited(stream, kind, name, form):
            yield checked(number, values, error)
    else:
        try:
            text, _ = open_text(stream, form.encoding)
            text.reconfigure(newline="\n")  # a lone CR is a character of its line
            yield from read_json(text, name) if kind != "text" else read_lines(text)
        except (LookupError, UnicodeError) as error:
            raise UserError(f"{name} is not {form.encoding} ({error}): see --encoding") from None


def read_lines(lines: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        yield checked(number, {"text": line.rstrip("\r\n")})


def read_json(text: Any, name: str) -> Iterator[Row]:
    """Rows of JSON lines, or of one JSON array, which is read piece by piece."""
    for number, line in enumerate(text, 1):
        line = line.strip("\ufeff \t\r\n")
        if number == 1 and line.startswith("["):
            yield from read_array(line[1:], text, name)
            return
        if line:
            try:
                yield as_row(number, json.loads(line))
            except (ValueError, RecursionError):
                yield Row(number, {}, "cannot be decoded: not JSON")


def read_array(begun: str, text: Any, name: str) -> Iterator[Row]:
    """Rows of a JSON array, of which `begun` was read. Raises UserError where it is none."""
    decoder, number = json.JSONDecoder(), 0
    while True:
        begun = begun.lstrip(" \t\r\n,")
        if begun.startswith("]"):
            return
        try:
            value, end = decoder.raw_decode(begun)
        except (ValueError, RecursionError):
            more = text.read(1 << 16)
            if not more:
                where = f"{name}, element {number + 1}"
                raise UserError(f"{where}: not JSON; a JSON array ends with ]") from None
            begun += more
            continue
        number += 1
        yield as_row(number, value)
        begun = begun[end:]


def as_row(number: int, values: Any) -> Row:
    if not isinstance(values, dict):
        return Row(number, {}, "cannot be decoded: not a JSON object")
    row = checked(number, values)
    try:  # half a surrogate pair can be written as an escape, anywhere
        json.dumps(row.values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Row(number, {}, "cannot be decoded: half a surrogate pair")
    return row


def read_file(path: Path, kind: str, form: Form = PLAIN) -> Iterator[Row]:
    """Rows of a file of this kind. Raises UserError when it cannot be read."""
    try:
        with open_file(path) as stream:
            yield from read(stream, kind, str(path), form)
    except EOFError as error:
        raise UserError(f"{path} is damaged ({error})") from None
    except OSError as error:
        if error.errno:
            raise
        raise UserError(f"{path} is damaged ({error})") from None  # gzip's and bz2's own


def checked(number: int, values: dict[str, Any], error: str = "") -> Row:
    """A row whose texts can be written again; with an error when they could not be decoded."""
    for column, value in values.items():
        if isinstance(value, str) and not value.isascii() and not is_utf8(value):
            error = error or f"cannot be decoded: {column!r} is not UTF-8"
            values[column] = value.encode("utf-8", "replace").decode()
    return Row(number, values, error)


def is_utf8(text: str) -> bool:
    """Whether a text can be written: undecodable bytes were kept as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def find_columns(wanted: str, have: Sequence[str], name: str, flag: str) -> list[str]:
    """The columns that `wanted` means: one of that name, or several with commas between.

    Names are matched exactly, or else without case, which is said. Raises UserError, with the
    nearest names, when there is none.
    """
    lower = {column.lower(): column for column in have}
    found = []
    for one in [wanted] if wanted in have else [part.strip() for part in wanted.split(",")]:
        if one not in have and one.lower() not in lower:
            near = difflib.get_close_matches(one, have, NAMED) or list(have)[:NAMED]
            rest = f" (and {len(have) - len(near):,} more)" if len(have) > len(near) else ""
            shown = ", ".join(near)[:400]
            raise UserError(
                f"{name} has no column {one!r} (it has {shown}{rest}): name it with {flag}"
            )
        if one not in have:
            log(f"{name}: column {lower[one.lower()]!r} is taken for {one!r}")
        found.append(one if one in have else lower[one.lower()])
    return found


def text_of(values: dict[str, Any], columns: Sequence[str]) -> str | None:
    """The text of a row: its columns, joined by line breaks; numbers as their text; else None."""
    parts = []
    for column in columns:
        value = values.get(column)
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, (int, float)):
            value = str(value)
        if value is not None and not isinstance(value, str):
            return None
        parts.append(value or "")
    return "\n".join(parts) if any(parts) else ""


class Layout(NamedTuple):
    """What a whole input holds."""

    rows: int
    columns: dict[str, Any]  # name -> Arrow type or its name, in the input's order
    form: Form = PLAIN  # as it was found


def scan(path: Path, kind: str, form: Form = PLAIN) -> Layout:
    """Count the rows of a file and name its columns: one quick pass, nothing is kept."""
    if kind == "parquet":
        with open_file(path) as stream:
            table = open_parquet(stream, str(path))
            types = {field.name: field.type for field in table.schema_arrow}
            return Layout(table.metadata.num_rows, types)
    if kind in DELIMITED:
        with open_file(path) as stream:
            _, form, _ = look(stream, kind, form)
        count, columns = 0, {}
        for row in read_file(path, kind, form):
            count += 1
            columns = columns or dict.fromkeys(row.values, "string")
        return Layout(count, columns, form)
    found: dict[str, set[type]] = {}
    count = 0
    for row in read_file(path, kind, form):
        count += 1
        for column, value in row.values.items():
            too_large = isinstance(value, int) and not -(2**63) <= value < 2**63
            found.setdefault(column, set()).add(str if too_large else type(value))
    columns = {}
    for column, types in found.items():
        types.discard(type(None))
        (one,) = types if len(types) == 1 else (str,)
        columns[column] = ARROW_TYPES.get(one, "string")
    return Layout(count, columns, form)
