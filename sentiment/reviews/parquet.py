"""Parquet, batch by batch: pyarrow reads; what Python cannot hold is its row's fault alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from sentiment.errors import UserError

BATCH = 2048  # rows that are decoded together


def read_parquet(
    stream: BinaryIO, name: str, wanted: list[str] | None = None
) -> Iterator[tuple[int, dict[str, Any], str]]:
    """(number, values by column, what is wrong with it) of each row; of the wanted columns alone
    where they are named.

    Raises UserError when the file as a whole cannot be read.
    """
    import pyarrow

    number = 0
    try:
        for batch in open_parquet(stream, name).iter_batches(BATCH, columns=wanted):
            columns, errors = {}, [""] * len(batch)
            for column, values in zip(batch.schema.names, batch.columns, strict=True):
                columns[column] = values_of(values, column, errors)
            for row, error in enumerate(errors):
                number += 1
                yield number, {column: values[row] for column, values in columns.items()}, error
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{name} is damaged ({str(error).splitlines()[0]})") from None


def values_of(values: Any, column: str, errors: list[str]) -> list[Any]:
    """A column's values in Python; those that it cannot hold are None, with an error of the row.

    (Text that is not UTF-8, times before the year 1 or finer than a microsecond.)
    """
    try:
        return values.to_pylist()
    except Exception:  # Unicode, value, overflow and pyarrow's own errors, by the type
        found = []
        for row, value in enumerate(values):
            try:
                found.append(value.as_py())
            except Exception as error:
                reason = (
                    "not UTF-8" if isinstance(error, UnicodeError) else "beyond what Python holds"
                )
                errors[row] = errors[row] or f"cannot be decoded: {column!r} is {reason}"
                found.append(None)
        return found


def open_parquet(stream: BinaryIO, name: str) -> Any:
    """A pyarrow.parquet.ParquetFile. Raises UserError when it is none, or names a column twice."""
    import pyarrow
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(stream)
        names = opened.schema_arrow.names
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{name} cannot be read as Parquet ({reason})") from None
    if twice := [column for column, count in Counter(names).items() if count > 1]:
        raise UserError(f"{name}: two columns are named {twice[0]!r}; rename one")
    return opened
