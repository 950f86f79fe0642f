"""Scored rows as bytes of a file, part by part, and one file made of parts."""

from __future__ import annotations

import codecs
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from sentiment import files
from sentiment.errors import UserError
from sentiment.reviews import tables
from sentiment.reviews.delimited import DEFAULT, Form, as_line
from sentiment.scoring.inputs import Job

ENDIAN = "le" if sys.byteorder == "little" else "be"
Columns = dict[str, Any]  # name -> Arrow type or its name


def plain(encoding: str) -> str:
    """An encoding without the byte-order mark that it would begin with."""
    name = codecs.lookup(encoding).name
    return {"utf-8-sig": "utf-8", "utf-16": f"utf-16-{ENDIAN}", "utf-32": f"utf-32-{ENDIAN}"}.get(
        name, name
    )


def written_form(job: Job, kind: str) -> Form:
    """How CSV and TSV are written: as the input came, where it is of this kind."""
    return job.form if job.kind == kind else Form(DEFAULT.get(kind, ""))


def require_writable_labels(job: Job, target: Path, labels: list[str]) -> None:
    """Raises UserError where the output's encoding, which is the input's, cannot hold a label."""
    kind = tables.kind_of(target, tables.WRITTEN)
    encoding = written_form(job, kind).encoding if kind in tables.DELIMITED else "utf-8"
    try:
        "".join(labels).encode(encoding)
    except UnicodeEncodeError:
        raise UserError(
            f"{target} would be {encoding}, as the input is, which cannot hold the labels "
            f"{', '.join(labels)}: name an --output that ends in .jsonl or .parquet"
        ) from None


def part_of(kind: str, rows: list[dict[str, Any]], columns: Columns, form: Form) -> bytes:
    """Some rows as bytes of a file: CSV and TSV without a header, which `join` adds."""
    if kind == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        for row in rows:
            for column, value in row.items():
                if value is not None and columns[column] == "string":
                    row[column] = as_text(value)
        content = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows, arrow_schema(columns)), content)
        return content.getvalue()
    if kind == "jsonl":
        return "".join(as_json(row) + "\n" for row in rows).encode()
    lines = (as_line([as_text(row.get(name)) for name in columns], form) for row in rows)
    return "".join(lines).encode(plain(form.encoding))


def arrow_schema(columns: Columns) -> Any:
    import pyarrow as pa

    named = pa.type_for_alias
    return pa.schema(
        [(name, named(kind) if isinstance(kind, str) else kind) for name, kind in columns.items()]
    )


def as_json(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, default=str)


def as_text(value: Any) -> str:
    """A value in a field of text: None is empty, lists and objects are JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return as_json(value) if isinstance(value, (dict, list, bool)) else str(value)


def one_line(text: str) -> str:
    """A text without line breaks, for a person."""
    return " ".join(text.split())


def join(parts: list[Path], kind: str, columns: Columns, form: Form, target: Path) -> None:
    """Make one file of all parts and rename it into place."""
    with files.replacing(target) as unfinished:
        if kind == "parquet":
            from pyarrow import parquet

            with parquet.ParquetWriter(unfinished, arrow_schema(columns)) as writer:
                for part in parts:
                    writer.write_table(parquet.read_table(part))
            return
        with unfinished.open("wb") as file:
            if kind in tables.DELIMITED:
                file.write(as_line(list(columns), form).encode(form.encoding))
            for part in parts:
                with part.open("rb") as one:
                    shutil.copyfileobj(one, file)
