"""CSV and TSV, row by row: the csv module does the parsing, here is what files differ in.

Neither pandas nor pyarrow names a bad row by its line and goes on, so the csv module reads. A line
ends as the file's first one does: a lone CR inside a cell is a character like others.
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
LOOKED_AT, ROWS = 1 << 16, 50  # characters and rows from which a delimiter is found
CARRIAGE = "\ud80d"  # stands for a lone CR while the csv module reads; no decoder gives it
ODD = re.compile("[\ud800-\udfff]")  # undecodable bytes, and lone CRs
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def is_encoding(name: str) -> bool:
    """Whether --encoding can be taken: one that Python knows, of texts."""
    try:
        return "text".encode(name).decode(name) == "text"
    except (LookupError, ValueError):  # unknown, or none of texts; a NUL in it, or undefined
        return False


def is_delimiter(value: str) -> bool:
    """Whether --delimiter can be taken: the csv module needs quotes and line ends itself."""
    named = value == "auto" or value in DELIMITERS
    return named or (len(value) == 1 and value not in ' "\r\n\0')


class Form(NamedTuple):
    """How a file of text is written. Given: `auto` is found. Found: as the file has it."""

    delimiter: str = "auto"
    encoding: str = "utf-8"  # a byte-order mark is believed before it
    quoting: str = "standard"  # or none: quotes are letters
    line_end: str = "\n"
    blanks: bool = False  # before quotes
    names: tuple[str, ...] = ()  # of wanted columns, by which a delimiter is known


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


def undecoded(name: str, form: Form, error: Exception) -> UserError:
    """What to raise where a file as a whole is in another encoding than it is read in."""
    encoding = getattr(error, "encoding", form.encoding)  # a mark may have told another
    return UserError(f"{name} is not {encoding} ({error}): see --encoding")


def is_utf8(text: str) -> bool:
    """Whether a text can be written: undecodable bytes were kept as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def mend(values: dict[str, Any], encoding: str) -> str:
    """What is wrong with a row's texts: where bytes could not be decoded, they become `?` in it."""
    error = ""
    for column, value in values.items():
        if isinstance(value, str) and not value.isascii() and not is_utf8(value):
            error = error or f"cannot be decoded: {column!r} is not {encoding.upper()}"
            values[column] = value.encode("utf-8", "replace").decode()
    return error


def lines_of(text: Iterable[str]) -> Iterator[str]:
    """Lines of a text that was opened with its line ends untouched; lone CRs are CARRIAGE, unless
    the first line ends in one, as old Macs wrote.
    """
    text = iter(text)  # split at lone CRs too
    first = next(text, "")
    if first.endswith("\r"):
        yield first
        yield from text
        return
    held = ""
    for piece in itertools.chain([first] if first else [], text):
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
        lines = Lines(lines_of(text), before)
        reader = make_reader(lines, found)
        header = read_header(reader, name, found.encoding)
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
                undecodable = mend(values, found.encoding)
                error = error or undecodable
            yield start, values, error
    except csv.Error as error:
        raise UserError(
            f"{name}, row {start}: not {kind.upper()} ({error}); is a quote left open there?"
        ) from None
    except (LookupError, UnicodeError) as error:
        raise undecoded(name, form, error) from None


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
    line_end = (re.search("\r\n?|\n", start) or ["\n"])[0]
    given, before = DELIMITERS.get(form.delimiter, form.delimiter), 0
    if found := re.match(r'sep=([^" \r\n])(\r\n?|\n|$)', start):
        given = found[1] if given == "auto" else given
        start, before = start[found.end() :], 1
    if given == "auto":
        given = find_delimiter(start, kind, form)
    # Inside a quoted text the same signs mean nothing: the header must have such blanks too.
    spaced = given + " " in start.lstrip().partition(line_end)[0]
    blanks = spaced and re.search(re.escape(given) + ' +"', start) is not None
    form = form._replace(delimiter=given, encoding=encoding, line_end=line_end, blanks=blanks)
    return itertools.chain(io.StringIO(start, newline=""), text), form, before


def find_delimiter(start: str, kind: str, form: Form) -> str:
    """The delimiter that gives the header the most of the wanted names, then the most rows as many
    fields as the header has, and then the most fields.
    """
    wanted = {part.strip().lower() for name in form.names for part in (name, *name.split(","))}
    best, found = (0, 0.0, 0), DEFAULT[kind]
    for one in (DEFAULT[kind], *DELIMITERS.values()):
        lines = lines_of(io.StringIO(start, newline=""))
        rows = first_rows(make_reader(lines, form._replace(delimiter=one)))
        if len(start) >= LOOKED_AT:  # the last one may be cut
            rows = rows[:-1] or rows
        header = rows[0] if rows else []
        if len(header) > 1:
            named = len(wanted & {column.strip().lower() for column in header})
            score = (named, sum(len(row) == len(header) for row in rows) / len(rows), len(header))
            if score > best:
                best, found = score, one
    return found


def first_rows(reader: Any) -> list[list[str]]:
    """Up to ROWS rows that hold something; those that are malformed have no fields."""
    rows: list[list[str]] = []
    while len(rows) < ROWS:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error:
            rows.append([])
        else:
            rows += [row] if any(row) else []
    return rows


def make_reader(lines: Iterable[str], form: Form) -> Any:
    """A reader that is strict: an open quote would swallow the rows below it without a word."""
    if form.quoting == "none":
        return csv.reader(lines, delimiter=form.delimiter, quoting=csv.QUOTE_NONE)
    blanks = form.blanks
    return csv.reader(lines, delimiter=form.delimiter, strict=True, skipinitialspace=blanks)


def read_header(reader: Any, name: str, encoding: str) -> list[str]:
    """Column names, without blanks around them, of the first row that holds something.

    Raises UserError where they cannot be used.
    """
    header: list[str] = []
    while not header and (row := next(reader, None)) is not None:
        header = [column.strip() for column in row]
        while header and not header[-1]:  # trailing delimiters
            header.pop()
    for column, count in Counter(header).items():
        if ODD.search(column):
            raise UserError(
                f"{name}: the column names are not {encoding.upper()}: save it as UTF-8, or say "
                "--encoding"
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
