"""What people's own files hold and how they are written: what is read of each, and what is said."""

import bz2
import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from params import Params
from sentiment.errors import UserError
from sentiment.labels import label_word
from sentiment.reviews import own_files, tables

TWO = [("bad", 0), ("good", 1)]  # what most rows below hold
COMMA = "text,label\nbad,neg\ngood,pos\n"
AWAY = {"newline": "", "encoding": "utf-8"}


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


def arrow(**columns: object) -> Callable[[Path], None]:
    return lambda path: parquet.write_table(pa.table(columns), path)


class File(NamedTuple):
    """A file, the settings it is read with, and what comes of it: rows, or words of the refusal."""

    name: str
    content: str | bytes | Callable[[Path], None]
    settings: dict[str, object]
    expected: list[tuple[str, int]] | str
    says: str = ""  # on standard error, where rows come of it


OFFSETS = pa.array([b"\xff"]).buffers()  # as text it is not UTF-8
CATEGORY = pa.array(["neg", "pos"]).dictionary_encode()
FILES = {
    "comma": File("a.csv", COMMA, {}, TWO),
    "semicolon": File("a.csv", COMMA.replace(",", ";"), {}, TWO),
    "tab in a CSV": File("a.csv", COMMA.replace(",", "\t"), {}, TWO),
    "bar": File("a.csv", COMMA.replace(",", "|"), {}, TWO),
    "comma in a TSV": File("a.tsv", COMMA, {}, TWO),
    "tab": File("a.tsv", COMMA.replace(",", "\t"), {}, TWO),
    "semicolons with commas in texts": File(
        "a.csv", "text;label\nbad, so;neg\ngood, no?;pos\n", {}, [("bad, so", 0), ("good, no?", 1)]
    ),
    "commas with semicolons in texts": File(
        "a.csv",
        'text,label\n"bad; so",neg\n"good; no",pos\n',
        {},
        [("bad; so", 0), ("good; no", 1)],
    ),
    "given semicolon": File("a.csv", COMMA.replace(",", ";"), {"delimiter": "semicolon"}, TWO),
    "given sign": File("a.csv", COMMA.replace(",", "^"), {"delimiter": "^"}, TWO),
    "given wrongly": File(
        "a.csv",
        COMMA,
        {"delimiter": "bar"},
        "it has text,label) where it is split at bars: name it with --text-column, or what "
        "stands between columns with --delimiter",
    ),
    "given sign wrongly": File("a.tsv", COMMA, {"delimiter": "^"}, "split at '^'"),
    "more commas than semicolons": File(
        "a.csv", "text;v,w,x,y;label\nbad;1,2,3,4;neg\ngood;1,2,3,4;pos\n", {}, TWO
    ),
    "more commas in the header alone": File(
        "a.csv",
        "review;v,w,x,y;mark\nbad;1;neg\n",
        {"text_column": "a"},
        "(it has review, v,w,x,y, mark) where it is split at semicolons",
    ),
    "semicolons and a text beyond the lines looked at": File(
        "a.csv",
        'text;label\nbad;neg\n"' + "good, and\n" * 9000 + '";pos\n',
        {},
        [TWO[0], (("good, and\n" * 9000).strip(), 1)],
    ),
    "one column with commas": File("a.csv", "text\nbad, so\n", {}, "no column 'label'"),
    "blank lines first": File("a.csv", "\n \r\n" + COMMA, {}, TWO),
    "blank lines first, semicolons": File("a.csv", "\n\n;;\n" + COMMA.replace(",", ";"), {}, TWO),
    "lines are counted from blank ones": File(
        "a.csv", "\n\n" + COMMA + "so,so\n", {}, "row 6: label 'so'"
    ),
    "Excel's sep": File("a.csv", "sep=;\n" + COMMA.replace(",", ";"), {}, TWO),
    "no sep": File("a.csv", "sep=s,text,label\n1,bad,neg\n1,good,pos\n", {}, TWO),
    "sep of a quote": File("a.csv", 'sep="\n' + COMMA, {}, "it has sep="),
    "Excel's odd sep": File("a.csv", "sep=^\r\n" + COMMA.replace(",", "^"), {}, TWO),
    "Windows": File("a.csv", COMMA.replace("\n", "\r\n"), {}, TWO),
    "old Mac": File("a.csv", COMMA.replace("\n", "\r"), {}, TWO),
    "old Mac, semicolons": File("a.csv", COMMA.replace(",", ";").replace("\n", "\r"), {}, TWO),
    "old Mac with a line break in quotes": File(
        "a.csv", 'text,label\r"ba\nd",neg\rgood,pos\r', {}, [("ba\nd", 0), TWO[1]]
    ),
    "old Mac, JSON": File(
        "a.jsonl", '{"text":"bad","label":0}\r{"text":"good","label":1}\r', {}, TWO
    ),
    "no last line end": File("a.csv", COMMA[:-1], {}, TWO),
    "lone CR in a cell": File(
        "a.csv", "text,label\nba\rd,neg\ngood,pos\n", {}, [("ba\rd", 0), TWO[1]]
    ),
    "lone CR in quotes": File(
        "a.csv", 'text,label\r\n"ba\rd",neg\r\ngood,pos\r\n', {}, [("ba\rd", 0), TWO[1]]
    ),
    "line breaks in quotes": File(
        "a.csv", 'text,label\n"ba\nd",neg\n"go\r\nod",pos\n', {}, [("ba\nd", 0), ("go\r\nod", 1)]
    ),
    "quotes in quotes": File(
        "a.csv", 'text,label\n"ba""d",neg\ngood,pos\n', {}, [('ba"d', 0), TWO[1]]
    ),
    "blanks before quotes": File("a.csv", 'text, label\n"bad", "neg"\n"good", "pos"\n', {}, TWO),
    "blanks around names": File("a.csv", " text , label \nbad,neg\ngood,pos\n", {}, TWO),
    "trailing delimiters": File("a.csv", "text,label,,\nbad,neg,,\ngood,pos,,\n", {}, TWO),
    "quotes are letters": File(
        "a.tsv",
        'text\tlabel\n"bad\tneg\n"good"\tpos\n',
        {"quoting": "none"},
        [('"bad', 0), ('"good"', 1)],
    ),
    "open quote": File(
        "a.csv", 'text,label\n"bad,neg\ngood,pos\n', {}, "is a quote left open there"
    ),
    "too many fields": File("a.csv", "text,label\nbad,neg,x\ngood,pos\n", {}, "1 fields more"),
    "byte-order mark": File("a.csv", COMMA.encode("utf-8-sig"), {}, TWO),
    "UTF-16": File("a.csv", COMMA.encode("utf-16"), {}, TWO),
    "UTF-16 without a mark": File(
        "a.csv", COMMA.encode("utf-16-le"), {"encoding": "utf-16-le"}, TWO
    ),
    "UTF-16 cut off": File("a.csv", COMMA.encode("utf-16")[:-1], {}, "a.csv is not utf-16"),
    "UTF-16 cut off, JSONL": File(
        "a.jsonl", '{"text": "bad"}\n'.encode("utf-16")[:-1], {}, "a.jsonl is not utf-16"
    ),
    "half a pair in UTF-16": File(
        "a.csv", "text,label\nb\ud8aad,neg\n".encode("utf-16", "surrogatepass"), {}, "not UTF-16"
    ),
    "names not UTF-16": File(
        "a.csv", "t\ud8aa,label\n".encode("utf-16", "surrogatepass"), {}, "names are not UTF-16"
    ),
    "UTF-32": File("a.csv", COMMA.encode("utf-32"), {}, TWO),
    "Latin-1": File(
        "a.csv",
        COMMA.replace("bad", "bäd").encode("latin-1"),
        {"encoding": "latin-1"},
        [("bäd", 0), TWO[1]],
    ),
    "Latin-1 not said": File(
        "a.csv", COMMA.replace("bad", "bäd").encode("latin-1"), {}, "not UTF-8"
    ),
    "names not UTF-8": File("a.csv", "téxt,label\n".encode("latin-1"), {}, "--encoding"),
    "JSONL in UTF-16": File(
        "a.jsonl",
        '{"text": "bad", "label": "neg"}\n{"text": "good", "label": 1}\n'.encode("utf-16"),
        {},
        TWO,
    ),
    "gzip": File("a.csv.gz", gzip.compress(COMMA.encode()), {}, TWO),
    "bzip2": File("a.csv.bz2", bz2.compress(COMMA.encode()), {}, TWO),
    "zstd": File("a.csv.zst", zstd(COMMA.encode()), {}, TWO),
    "gzip cut off": File("a.csv.gz", gzip.compress(COMMA.encode() * 999)[:60], {}, "is damaged"),
    "gzip damaged inside": File(
        "a.csv.gz",
        gzip.compress(COMMA.encode())[:10] + b"\xff" + gzip.compress(COMMA.encode())[11:],
        {},
        "is damaged",
    ),
    "no gzip": File("a.csv.gz", COMMA, {}, "is damaged"),
    "JSON array": File(
        "a.json", json.dumps([{"text": "bad", "label": 0}, {"text": "good", "label": 1}]), {}, TWO
    ),
    "JSON array over lines": File(
        "a.json",
        json.dumps([{"text": "bad", "label": 0}, {"text": "good", "label": 1}], indent=1),
        {},
        TWO,
    ),
    "JSON array cut off": File(
        "a.json", '[{"text": "bad", "label": 0}, {"te', {}, "element 2: not JSON"
    ),
    "JSON arrays": File(
        "a.json",
        '\n[{"text": "bad", "label": 0}]\n[] [\n{"text": "good", "label": 1}]\n',
        {},
        TWO,
    ),
    "more than a JSON array": File(
        "a.json",
        '[{"text": "bad", "label": 0}]\n{"text": "good", "label": 1}\n',
        {},
        "after a JSON array stands '{",
    ),
    "JSON lines in .json": File(
        "a.json", '{"text":"bad","label":0}\n{"text":"good","label":1}\n', {}, TWO
    ),
    "numbers as texts": File(
        "a.jsonl",
        '{"text": 7, "label": 0}\n{"text": 1.5, "label": 1}\n',
        {},
        [("7", 0), ("1.5", 1)],
    ),
    "NaN for a text": File("a.jsonl", '{"text": NaN, "label": 0}\n', {}, "row 1: no text"),
    "NaN for a label": File(
        "a.jsonl", '{"text": "a", "label": NaN}\n', {"labels": "nan,1"}, "row 1: no label"
    ),
    "NaN for a text, Parquet": File(
        "a.parquet", arrow(text=[float("nan"), 1.5], label=[0, 1]), {}, "rows of 2 (row 1: no text"
    ),
    "gaps in a column of labels, Parquet": File(
        "a.parquet",
        arrow(text=["bad", "good", "so", "la"], label=[0.0, 1.0, float("nan"), None]),
        {},
        "(row 3: no label; row 4: no label)",
    ),
    "empty label": File("a.csv", COMMA + "so,\n", {}, "row 4: no label"),
    "columns that come later": File(
        "a.jsonl",
        '{"id": 1}\n{"text": "bad", "label": 0}\n{"text": "so"}\n{"text": "good", "label": 1}\n',
        {"skip_bad_rows": True},
        TWO,
        "2 bad rows skipped (row 1: no text; row 3: no label)",
    ),
    "the exact name comes later": File(
        "a.jsonl",
        '{"TEXT": "so", "label": 0}\n{"text": "bad", "label": 0}\n{"text": "good", "label": 1}\n',
        {"skip_bad_rows": True},
        TWO,
    ),
    "a column that no row has": File(
        "a.jsonl", '{"a": "bad"}\n{"label": 0}\n', {}, "no column 'text' (it has a, label): name"
    ),
    "no text": File("a.jsonl", '{"text": null, "label": 0}\n', {}, "row 1: no text"),
    "two columns": File(
        "a.csv",
        "title,body,label\nSo,bad,neg\n,good,pos\n",
        {"text_column": "title,body"},
        [("So\nbad", 0), ("good", 1)],
    ),
    "two columns of labels": File(
        "a.csv", COMMA, {"label_column": "label,text"}, "a label is of one column"
    ),
    "a column with a comma": File(
        "a.csv", '"a,b",label\nbad,neg\ngood,pos\n', {"text_column": "a,b"}, TWO
    ),
    "other case": File(
        "a.csv", COMMA.replace("text", "Text"), {}, TWO, "column 'Text' is taken for 'text'"
    ),
    "names that differ in case": File(
        "a.csv",
        "Text,TEXT,label\na,b,neg\n",
        {},
        "has columns 'Text' and 'TEXT' for 'text': name one of them exactly with --text-column",
    ),
    "names that differ in case, one exactly": File(
        "a.csv", "Text,text,label\na,bad,neg\nb,good,pos\n", {}, TWO
    ),
    "missing column": File("a.csv", "texts,label\nbad,neg\n", {}, "no column 'text' (it has texts"),
    "same name twice": File("a.csv", "text,label,text\n", {}, "two columns are named 'text'"),
    "same name twice, Parquet": File(
        "a.parquet",
        lambda path: parquet.write_table(
            pa.Table.from_arrays([pa.array(["a"])] * 2, names=["text", "text"]), path
        ),
        {},
        "two columns are named 'text'",
    ),
    "not UTF-8, Parquet": File(
        "a.parquet",
        arrow(text=pa.Array.from_buffers(pa.string(), 1, OFFSETS), label=["neg"]),
        {},
        "row 1: cannot be decoded: 'text' is not UTF-8",
    ),
    "time beyond Python": File(
        "a.parquet",
        arrow(text=["bad"], label=pa.array([2**58], pa.timestamp("ms"))),
        {},
        "'label' is beyond what Python holds",
    ),
    "columns that are not needed, Parquet": File(
        "a.parquet",
        arrow(
            **{"a.text": ["bad", "good"], "label": ["neg", "pos"]},
            more=pa.array([2**58] * 2, pa.timestamp("ms")),
        ),
        {"text_column": "a.text"},
        TWO,
    ),
    "categories, Parquet": File("a.parquet", arrow(text=["bad", "good"], label=CATEGORY), {}, TWO),
    "booleans, Parquet": File(
        "a.parquet", arrow(text=["bad", "good"], label=[False, True]), {}, TWO
    ),
    "floats, Parquet": File("a.parquet", arrow(text=["bad", "good"], label=[0.0, 1.0]), {}, TWO),
    "floats in a CSV": File("a.csv", "text,label\nbad,0.0\ngood,1.0\n", {}, TWO),
    "any case": File("a.csv", COMMA.replace("neg", "NEG"), {}, TWO),
    "labels 0,4": File("a.csv", "text,label\nbad,0\ngood,4\n", {"labels": "0,4"}, TWO),
    "no 1 among 0,4": File("a.csv", "text,label\nbad,0\ngood,1\n", {"labels": "0,4"}, "label '1'"),
    "no 1 among 4,5": File("a.csv", "text,label\nbad,4\ngood,1\n", {"labels": "4,5"}, "label '1'"),
    "labels -1,1": File("a.csv", "text,label\nbad,-1\ngood,1\n", {"labels": "-1,1"}, TWO),
    "true,false in that order": File(
        "a.csv", "text,label\nbad,true\ngood,0\n", {"labels": "true,false"}, "label '0'"
    ),
    "three": File(
        "a.csv",
        "text,label\nbad,no\nso,so\ngood,yes\n",
        {"labels": "no,so,yes"},
        [("bad", 0), ("so", 1), ("good", 2)],
    ),
    "no 0 among three": File(
        "a.csv", "text,label\nbad,0\n", {"labels": "no,so,yes"}, "Labels are no and so and yes"
    ),
    "other ending": File("a.xlsx", "", {}, "give a file that ends in"),
    "compressed what": File("a.gz", gzip.compress(b""), {}, "before .gz, as a.csv.gz does"),
}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_file(file, tmp_path, capsys):
    path = tmp_path / file.name
    if callable(file.content):
        file.content(path)
    else:
        path.write_bytes(file.content.encode() if isinstance(file.content, str) else file.content)
    params = Params(**{"data": str(path), "labels": "neg,pos"} | file.settings)
    names = params.labels.split(",")
    if isinstance(file.expected, str):
        with pytest.raises(UserError) as error:
            own_files.load_file(params, names)
        assert file.expected in str(error.value) and "\n" not in str(error.value)
        return
    found = own_files.load_file(params, names)
    assert sorted(zip(found.texts, found.labels.tolist(), strict=True)) == sorted(file.expected)
    assert file.says in capsys.readouterr().err


@pytest.mark.parametrize(
    "labels, expected",
    [
        (["b", "a", "c", "a"], ["a", "b", "c"]),
        (["10", "9", "1.0", "9"], ["1", "9", "10"]),
        (["-1", "1"], ["-1", "1"]),
        (["Pos", "neg", "POS", "POS", "NEG"], ["POS", "neg"]),
        ([1.0, None, 0.0, 1.0], ["0", "1"]),
        (["a", "a"], "1 different labels"),
        ([str(n) for n in range(99)], "more than 50 different labels"),
    ],
)
def test_labels_of_a_file_are_found_and_counted(labels, expected, tmp_path, capsys):
    pd.DataFrame({"text": labels, "label": labels}).to_csv(tmp_path / "a.csv", index=False)
    params = Params(data=str(tmp_path / "a.csv"), labels="auto")
    if isinstance(expected, str):
        with pytest.raises(UserError, match=expected):
            own_files.labels_of(params)
        return
    assert own_files.labels_of(params) == expected
    same = [label_word(one).lower() for one in labels].count(expected[0].lower())
    assert f"{expected[0]} ({same})" in capsys.readouterr().err


def test_old_macs_lines_are_not_read_whole(tmp_path):
    (tmp_path / "a.csv").write_bytes(
        b'text,label\r"a\nb",neg\r' + b"some words of it,pos\r" * 150_000
    )
    tracemalloc.start()
    try:
        rows = sum(1 for _ in tables.read_file(tmp_path / "a.csv", "csv"))
        assert rows == 150_001 and tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_wide_file_is_read_and_its_message_fits_a_terminal(tmp_path):
    names = [f"column {number}" for number in range(20_000)]
    path = tmp_path / "wide.csv"
    path.write_text("\n".join([",".join(names), ",".join(["x"] * 20_000)]))
    rows = list(tables.read_file(path, "csv"))
    assert len(rows) == 1 and len(rows[0].values) == 20_000
    with pytest.raises(UserError) as error:
        own_files.load_file(Params(data=str(path)), ["neg", "pos"])
    assert len(str(error.value)) < 500 and "more)" in str(error.value)


def test_number_of_labels_is_an_array(tmp_path):
    (tmp_path / "a.csv").write_text(COMMA)
    found = own_files.load_file(Params(data=str(tmp_path / "a.csv")), ["neg", "pos"])
    assert found.labels.dtype == np.int32
