"""Tables of reviews of any size, read row by row: CSV, TSV, JSON, JSONL, Parquet, or lines of text.

A row that cannot be used is never dropped here: it comes with the reason. A blank line is a row of
`text` alone.
"""

from __future__ import annotations

import bz2
import difflib
import gzip
import itertools
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sentiment.errors import UserError, log
from sentiment.reviews.delimited import (
    CARRIAGE,
    DELIMITERS,
    Form,
    lines_of,
    look,
    mend,
    open_text,
    read_delimited,
    undecoded,
)
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
BLANKS = "\ufeff \t\r\n"


class Row(NamedTuple):
    """A row as it was read; undecodable bytes are `?` in it."""

    number: int  # as a person counts: 1 is the first line of the file, headers included
    values: dict[str, Any]
    error: str  # why it cannot be used, or empty


def kind_of(path: Path, kinds: tuple[str, ...]) -> str:
    """The kind of a file by its ending. Raises UserError unless it is one of `kinds`.

    What is read may be compressed, which a further ending tells; what is written is not.
    """
    ending, hint = path.suffix.lower(), ""
    if ending in COMPRESSED and kinds != WRITTEN:
        hint = f" before {ending}, as {path.stem}.csv{ending} does"
        ending = Path(path.stem).suffix.lower()
    kind = KINDS.get(ending)
    if kind in kinds:
        return kind
    endings = [ending for ending, one in KINDS.items() if one in kinds]
    raise UserError(
        f"{path}: give a file that ends in {', '.join(endings[:-1])} or {endings[-1]}{hint}"
    )


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


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """`open_file`. Raises UserError where what is compressed is damaged."""
    try:
        with open_file(path) as stream:
            yield stream
    except (EOFError, zlib.error) as error:
        raise UserError(f"{path} is damaged ({error})") from None
    except OSError as error:
        if error.errno:
            raise
        raise UserError(f"{path} is damaged ({error})") from None  # gzip's and bz2's own


def read(
    stream: BinaryIO,
    kind: str,
    name: str,
    form: Form = PLAIN,
    wanted: list[str] | None = None,
) -> Iterator[Row]:
    """Rows of a table, one after the other; `name` is for errors.

    A `text` file has a row a line, in a column named text. Of Parquet the `wanted` columns alone
    are read. Raises UserError when the file as a whole cannot be read.
    """
    if kind == "parquet":
        yield from itertools.starmap(Row, read_parquet(stream, name, wanted))
    elif kind in DELIMITED:
        yield from itertools.starmap(Row, read_delimited(stream, kind, name, form))
    else:
        try:
            text, encoding = open_text(stream, form.encoding)
            if kind == "text":
                yield from read_lines(text, encoding)
            else:
                yield from read_json(text, name, encoding)
        except (LookupError, UnicodeError) as error:
            raise undecoded(name, form, error) from None


def whole_lines(text: Iterable[str]) -> Iterator[str]:
    for line in lines_of(text):
        yield line if line.isascii() else line.replace(CARRIAGE, "\r")


def read_lines(text: Iterable[str], encoding: str) -> Iterator[Row]:
    for number, line in enumerate(whole_lines(text), 1):
        yield checked(number, {"text": line.rstrip("\r\n")}, encoding)


def read_json(text: Any, name: str, encoding: str) -> Iterator[Row]:
    """Rows of JSON lines, or of JSON arrays one after the other, which are read piece by piece."""
    found = False
    for number, line in enumerate(whole_lines(text), 1):
        line = line.strip(BLANKS)
        if not found and line.startswith("["):
            yield from read_arrays(line, text, name, encoding)
            return
        if line:
            found = True
            try:
                yield as_row(number, json.loads(line), encoding)
            except (ValueError, RecursionError):
                yield Row(number, {}, "cannot be decoded: not JSON")


def read_arrays(begun: str, text: Any, name: str, encoding: str) -> Iterator[Row]:
    """Rows of JSON arrays, of which `begun` was read. Raises UserError where something else is."""
    decoder, number, inside = json.JSONDecoder(), 0, False
    while True:
        begun = begun.lstrip(BLANKS + "," * inside)
        if begun.startswith("]" if inside else "["):
            begun, inside = begun[1:], not inside
            continue
        if not inside:
            if begun:
                raise UserError(f"{name}: after a JSON array stands {begun[:20]!r}, and no other")
            begun = text.read(1 << 16)
            if not begun:
                return
            continue
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
        yield as_row(number, value, encoding)
        begun = begun[end:]


def as_row(number: int, values: Any, encoding: str) -> Row:
    if not isinstance(values, dict):
        return Row(number, {}, "cannot be decoded: not a JSON object")
    row = checked(number, values, encoding)
    try:  # half a surrogate pair can be written as an escape, anywhere
        json.dumps(row.values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Row(number, {}, "cannot be decoded: half a surrogate pair")
    return row


def read_file(
    path: Path, kind: str, form: Form = PLAIN, wanted: list[str] | None = None
) -> Iterator[Row]:
    """Rows of a file, as `read` gives them. Raises UserError when it cannot be read."""
    with opened(path) as stream:
        yield from read(stream, kind, str(path), form, wanted)


def checked(number: int, values: dict[str, Any], encoding: str) -> Row:
    """A row whose texts can be written again; with an error when they could not be decoded."""
    error = mend(values, encoding)
    return Row(number, values, error)


def columns_of(path: Path, kind: str, form: Form, wanted: set[str]) -> list[str]:
    """Names of a file's columns. Rows of JSON have their own each: they are looked through until
    the wanted ones are there.
    """
    if kind == "parquet":
        with opened(path) as stream:
            return open_parquet(stream, str(path)).schema_arrow.names
    columns: dict[str, None] = {}
    for row in read_file(path, kind, form):
        columns |= dict.fromkeys(row.values)
        if columns and (kind in DELIMITED or wanted <= columns.keys()):
            break
    return list(columns)


def delimiter_of(path: Path, kind: str, form: Form) -> str:
    """The sign that a readable file is split at; empty where none is."""
    if kind not in DELIMITED:
        return ""
    with opened(path) as stream:
        return look(stream, kind, form)[1].delimiter


def find_columns(
    wanted: str, have: Sequence[str], name: str, flag: str, delimiter: str = ""
) -> list[str]:
    """The columns that `wanted` means: one of that name, or several with commas between.

    Names are matched exactly, or else without case, which is said. Raises UserError, with the
    nearest names, when there is none, and when there are two.
    """
    found = []
    for one in [wanted] if wanted in have else [part.strip() for part in wanted.split(",")]:
        same = [column for column in have if column.lower() == one.lower()]
        if one not in have and not same:
            near = difflib.get_close_matches(one, have, NAMED) or list(have)[:NAMED]
            rest = f" (and {len(have) - len(near):,} more)" if len(have) > len(near) else ""
            shown = ", ".join(near)[:400]
            where = f" where it is split at {signs(delimiter)}" if delimiter else ""
            way = ", or what stands between columns with --delimiter" if delimiter else ""
            raise UserError(
                f"{name} has no column {one!r} (it has {shown}{rest}){where}: name it with "
                f"{flag}{way}"
            )
        if one not in have and len(same) > 1:
            raise UserError(
                f"{name} has columns {same[0]!r} and {same[1]!r} for {one!r}: name one of them "
                f"exactly with {flag}"
            )
        if one not in have:
            log(f"{name}: column {same[0]!r} is taken for {one!r}")
        found.append(one if one in have else same[0])
    return found


def signs(delimiter: str) -> str:
    """A delimiter in words."""
    names = {sign: f"{name}s" for name, sign in DELIMITERS.items()}
    return names.get(delimiter, repr(delimiter))


def text_of(values: dict[str, Any], columns: Sequence[str]) -> str | None:
    """The text of a row: its columns, joined by line breaks; numbers as their text; else None."""
    parts = []
    for column in columns:
        value = values.get(column)
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, (int, float)):
            value = str(value) if value == value else None  # NaN is none
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
        with opened(path) as stream:
            table = open_parquet(stream, str(path))
            types = {field.name: field.type for field in table.schema_arrow}
            return Layout(table.metadata.num_rows, types)
    if kind in DELIMITED:
        count, columns = 0, {}
        for row in read_file(path, kind, form):
            count += 1
            columns = columns or dict.fromkeys(row.values, "string")
        with opened(path) as stream:
            _, form, _ = look(stream, kind, form)
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
