"""CSV and TSV, row by row: the csv module does the parsing, here is what files differ in.

Neither pandas nor pyarrow names a bad row by its line and goes on, so the csv module reads. A line
end is what the file has: a lone CR inside a cell is a character like others.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from sentiment.errors import UserError

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
DEFAULT = {"csv": ",", "tsv": "\t"}
LOOKED_AT = 1 << 16  # characters from which delimiter and line ends are found
CARRIAGE = "\ud80d"  # stands for a lone CR while the csv module reads; no decoder gives it
ODD = re.compile("[\ud800-\udfff]")  # undecodable bytes, and lone CRs
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Form(NamedTuple):
    """How a file of text is written. Given: `auto` is found. Found: as the file has it."""

    delimiter: str = "auto"
    encoding: str = "utf-8"  # a byte-order mark is believed before it
    quoting: str = "standard"  # or none: quotes are letters
    line_end: str = "\n"
    blanks: bool = False  # before quotes


def open_text(stream: BinaryIO, encoding: str) -> tuple[io.TextIOWrapper, str]:
    """(text of a stream with its line ends, undecodable bytes as lone surrogates; its encoding)."""
    buffered = stream if hasattr(stream, "peek") else io.BufferedReader(stream)
    start = buffered.peek(4)[:4]
    for mark, name in MARKS.items():  # UTF-32's begins with UTF-16's
        if start.startswith(mark):
            encoding = name
            break
    text = io.TextIOWrapper(buffered, encoding=encoding, errors="surrogateescape", newline="")
    return text, encoding


def lines_of(text: Iterable[str], line_end: str) -> Iterator[str]:
    """Lines of a text that was opened with its line ends untouched; lone CRs are CARRIAGE."""
    if line_end == "\r":  # as old Macs wrote
        yield from text
        return
    held = ""
    for piece in text:  # split at lone CRs too
        if piece.endswith("\r"):
            held += piece[:-1] + CARRIAGE
            continue
        yield held + piece
        held = ""
    if held:
        yield held


def read_delimited(
    stream: BinaryIO, kind: str, name: str, form: Form
) -> Iterator[tuple[int, dict[str, Any], str]]:
    """(line that the row begins on, values by column, what is wrong with it) of each row.

    Raises UserError when the file as a whole cannot be read.
    """
    csv.field_size_limit(1 << 24)
    start = 1
    try:
        text, found, before = look(stream, kind, form)
        lines = Lines(lines_of(text, found.line_end), before)
        reader = make_reader(lines, found)
        header = read_header(reader, name)
        width = len(header)
        while True:
            start = lines.read + 1
            lines.odd = False
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if lines.read > start:  # which rows these lines were is not to be known
                    raise
                yield start, {}, f"cannot be decoded: not {kind.upper()} ({error})"
                continue
            if not fields:
                continue
            error = ""
            if len(fields) > width and any(fields[width:]):
                error = f"has {len(fields) - width} fields more than the header"
            if len(fields) == width:
                values: dict[str, Any] = dict(zip(header, fields, strict=True))
            else:
                values = dict(itertools.zip_longest(header, fields[:width]))
            if lines.odd:
                values = {k: v and v.replace(CARRIAGE, "\r") for k, v in values.items()}
            yield start, values, error
    except csv.Error as error:
        raise UserError(
            f"{name}, row {start}: not {kind.upper()} ({error}); is a quote left open there?"
        ) from None
    except (LookupError, UnicodeError) as error:
        raise UserError(f"{name} is not {form.encoding} ({error}): see --encoding") from None


class Lines:
    """Lines on their way to the csv module: how many were read, and whether one was odd."""

    def __init__(self, lines: Iterator[str], before: int) -> None:
        self.lines, self.read, self.odd = lines, before, False

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.read += 1
        if not line.isascii() and ODD.search(line):
            self.odd = True
        return line


def look(stream: BinaryIO, kind: str, form: Form) -> tuple[Iterable[str], Form, int]:
    """(the lines of a file, how it is written, lines left out: Excel's `sep=` line is taken)."""
    text, encoding = open_text(stream, form.encoding)
    start = text.read(LOOKED_AT)
    start += text.readline()  # up to a line's end
    line_end = "\r\n" if "\r\n" in start else "\n" if "\n" in start or "\r" not in start else "\r"
    given, before = DELIMITERS.get(form.delimiter, form.delimiter), 0
    if found := re.match(r"sep=(.)\r?\n?", start):
        given = found[1] if given == "auto" else given
        start, before = start[found.end() :], 1
    if given == "auto":
        given = find_delimiter(start, kind, form)
    # Inside a quoted text the same signs mean nothing: the header must have such blanks too.
    spaced = given + " " in start.partition("\n")[0]
    blanks = spaced and re.search(re.escape(given) + ' +"', start) is not None
    form = Form(given, encoding, form.quoting, line_end, blanks)
    return itertools.chain(io.StringIO(start, newline=""), text), form, before


def find_delimiter(start: str, kind: str, form: Form) -> str:
    """The delimiter that cuts the most rows into as many fields as the header has."""
    best, found = (0.0, 0), DEFAULT[kind]
    for one in (DEFAULT[kind], *DELIMITERS.values()):
        lines = lines_of(io.StringIO(start, newline=""), "\n")
        try:
            rows = list(itertools.islice(make_reader(lines, form._replace(delimiter=one)), 50))
        except csv.Error:
            continue
        rows = [row for row in rows if row]
        width = len(rows[0]) if rows else 0
        if width > 1:
            score = (sum(len(row) == width for row in rows[:-1] or rows) / len(rows), width)
            if score > best:
                best, found = score, one
    return found


def make_reader(lines: Iterable[str], form: Form) -> Any:
    """A reader that is strict: an open quote would swallow the rows below it without a word."""
    if form.quoting == "none":
        return csv.reader(lines, delimiter=form.delimiter, quoting=csv.QUOTE_NONE)
    blanks = form.blanks
    return csv.reader(lines, delimiter=form.delimiter, strict=True, skipinitialspace=blanks)


def read_header(reader: Any, name: str) -> list[str]:
    """Column names, without blanks around them. Raises UserError where they cannot be used."""
    header = [column.strip() for column in next(reader, [])]
    while header and not header[-1]:  # trailing delimiters
        header.pop()
    for column, count in Counter(header).items():
        if ODD.search(column):
            raise UserError(
                f"{name}: the column names are not UTF-8: save it as UTF-8, or say --encoding"
            )
        if count > 1:
            raise UserError(f"{name}: two columns are named {column!r}; rename one")
    return header


def as_cell(value: str, delimiter: str) -> str:
    """A field as it is written: quoted where it must be, in every Python version alike."""
    if any(sign in value for sign in (delimiter, '"', "\r", "\n")) or value != value.strip():
        return '"' + value.replace('"', '""') + '"'
    return value


def as_line(values: list[str], form: Form) -> str:
    """A row with its line end."""
    cells = [as_cell(value, form.delimiter) for value in values]
    if cells == [""]:  # an empty line would be no row
        cells = ['""']
    return form.delimiter.join(cells) + form.line_end
