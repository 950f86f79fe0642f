"""Tables of reviews of any size, read row by row: CSV, TSV, JSONL, Parquet, or lines of text.

A row that cannot be used is never dropped here: it comes with the reason. A blank line is a row of
`text` alone.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sentiment.errors import UserError

KINDS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet", ".txt": "text"}
DELIMITERS = {"csv": ",", "tsv": "\t"}
BATCH = 2048  # rows of Parquet that are decoded together
WITH_COLUMNS = ("csv", "tsv", "jsonl", "parquet")
ARROW_TYPES = {bool: "bool", int: "int64", float: "double"}  # by Arrow's names; others: string


class Row(NamedTuple):
    """A row as it was read; undecodable bytes are `?` in it."""

    number: int  # as a person counts: 1 is the first line of the file, headers included
    values: dict[str, Any]
    error: str  # why it cannot be used, or empty


def kind_of(path: Path, kinds: tuple[str, ...]) -> str:
    """The kind of a file by its ending. Raises UserError unless it is one of `kinds`."""
    kind = KINDS.get(path.suffix.lower())
    if kind in kinds:
        return kind
    endings = [ending for ending, one in KINDS.items() if one in kinds]
    raise UserError(f"{path}: give a file that ends in {', '.join(endings[:-1])} or {endings[-1]}")


def read(stream: BinaryIO, kind: str, name: str) -> Iterator[Row]:
    """Rows of a table, one after the other; `name` is for errors.

    A `text` file has a row a line, in a column named text. Raises UserError when the file as a
    whole cannot be read.
    """
    if kind == "parquet":
        for number, values in enumerate(read_parquet(stream, name), 1):
            yield checked(number, values)
    elif kind in ("jsonl", "text"):
        for number, line in enumerate(stream, 1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            line = line.rstrip(b"\r\n")
            if kind == "text":
                yield checked(number, {"text": line.decode("utf-8", "surrogateescape")})
            elif line.strip():
                yield read_json(number, line)
    else:
        yield from read_delimited(stream, kind, name)


def read_file(path: Path, kind: str) -> Iterator[Row]:
    """Rows of a file of this kind."""
    with path.open("rb") as stream:
        yield from read(stream, kind, str(path))


def read_json(number: int, line: bytes) -> Row:
    """A row from one line of JSON."""
    try:
        values = json.loads(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return Row(number, {}, "cannot be decoded: not JSON")
    if not isinstance(values, dict):
        return Row(number, {}, "cannot be decoded: not a JSON object")
    row = checked(number, values)
    try:  # half a surrogate pair can be written as an escape, anywhere
        json.dumps(row.values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Row(number, {}, "cannot be decoded: half a surrogate pair")
    return row


def read_delimited(stream: BinaryIO, kind: str, name: str) -> Iterator[Row]:
    """Rows of CSV or TSV, numbered by the line that they begin on."""
    csv.field_size_limit(1 << 24)
    # Undecodable bytes become lone surrogates, so only their own row is bad.
    file = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    # Strict: an open quote would swallow the rows below it without a word.
    reader = csv.reader(file, delimiter=DELIMITERS[kind], strict=True)
    start = 1
    try:
        header = next(reader, [])
        for column in header:
            if not is_utf8(column):
                raise UserError(f"{name}: the column names are not UTF-8: save it as UTF-8")
            if header.count(column) > 1:
                raise UserError(f"{name}: two columns are named {column!r}; rename one")
        while True:
            start = reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if reader.line_num > start:  # which rows these lines were is not to be known
                    raise
                yield Row(start, {}, f"cannot be decoded: not {kind.upper()} ({error})")
                continue
            if not fields:
                continue
            values = dict(itertools.zip_longest(header, fields[: len(header)]))
            row = checked(start, values)
            if (extra := len(fields) - len(header)) > 0:
                row = row._replace(error=f"has {extra} fields more than the header")
            yield row
    except csv.Error as error:
        raise UserError(
            f"{name}, row {start}: not {kind.upper()} ({error}); is a quote left open there?"
        ) from None
    finally:
        file.detach()


def read_parquet(stream: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    import pyarrow

    try:
        for batch in open_parquet(stream, name).iter_batches(BATCH):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{name} is damaged ({str(error).splitlines()[0]})") from None


def open_parquet(stream: BinaryIO, name: str) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(stream)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{name} cannot be read as Parquet ({reason})") from None


def checked(number: int, values: dict[str, Any]) -> Row:
    """A row whose texts can be written again; with an error when they could not be decoded."""
    error = ""
    for column, value in values.items():
        if isinstance(value, str) and not is_utf8(value):
            error = f"cannot be decoded: {column!r} is not UTF-8"
            values[column] = value.encode("utf-8", "replace").decode()
    return Row(number, values, error)


def is_utf8(text: str) -> bool:
    """Whether a text can be written: undecodable bytes were kept as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Layout(NamedTuple):
    """What a whole input holds."""

    rows: int
    columns: dict[str, Any]  # name -> Arrow type or its name, in the input's order


def scan(path: Path, kind: str) -> Layout:
    """Count the rows of a file and name its columns: one quick pass, nothing is kept."""
    if kind == "parquet":
        with path.open("rb") as stream:
            table = open_parquet(stream, str(path))
            types = {field.name: field.type for field in table.schema_arrow}
            return Layout(table.metadata.num_rows, types)
    found: dict[str, set[type]] = {}
    count = 0
    for row in read_file(path, kind):
        count += 1
        for column, value in row.values.items():
            too_large = isinstance(value, int) and not -(2**63) <= value < 2**63
            found.setdefault(column, set()).add(str if too_large else type(value))
    columns = {}
    for column, types in found.items():
        types.discard(type(None))
        (one,) = types if len(types) == 1 else (str,)
        columns[column] = ARROW_TYPES.get(one, "string")
    return Layout(count, columns)
