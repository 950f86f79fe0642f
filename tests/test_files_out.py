"""What bulk scoring writes of people's own files: as it came in, and bad rows named."""

import datetime

import pyarrow as pa
import pytest
from conftest import run_script, write_details
from pyarrow import parquet

from sentiment.reviews import tables
from sentiment.reviews.delimited import Form
from sentiment.scoring import batch, inputs, output_formats, resume


@pytest.mark.parametrize(
    "form",
    [
        Form(";", "utf-16", line_end="\r\n"),
        Form("|", "latin-1"),
        Form(",", "utf-8-sig"),
        Form("\t"),
    ],
)
def test_what_goes_out_is_as_it_came_in(form, tmp_path):
    rows = [("text", "more"), ("gut, ja", "ä"), ('so "so"', "a\rb"), ("zwei\nZeilen", "x;y|z\tw")]
    kind = "tsv" if form.delimiter == "\t" else "csv"
    source, target = tmp_path / f"in.{kind}", tmp_path / f"out.{kind}"
    line = output_formats.as_line
    content = "".join(line(list(row), form) for row in rows)
    source.write_bytes(content.encode(form.encoding))
    given = Form(encoding=form.encoding if form.encoding == "latin-1" else "utf-8")
    job = inputs.Job(str(source), "text", (), given)

    def answer(texts, progress):
        return ({"label": "pos", "probability": 0.5, "cut": False} for _ in texts)

    parts = resume.open_parts(job, target, False, write_details(tmp_path / "model"), "auto")
    assert batch.to_file(job, answer, target, parts, lambda done: None) == (3, 0)
    out = target.read_bytes().decode(form.encoding)
    assert out.startswith(f"text{form.delimiter}more{form.delimiter}label") and form.line_end in out
    again = [row.values for row in tables.read_file(target, kind, given)]
    assert [(row["text"], row["more"]) for row in again] == rows[1:]


def test_columns_that_python_cannot_hold_are_bad_rows_in_bulk(trained, tmp_path):
    when = pa.array([datetime.datetime(2020, 1, 1), None], pa.timestamp("us"))
    far = pa.array([0, 2**58], pa.timestamp("ms"))
    table = pa.table({"text": ["good", "bad"], "when": when, "far": far})
    parquet.write_table(table, tmp_path / "in.parquet")
    flags = ["--model-folder", trained.folder, "--input", "in.parquet", "--output", "out.parquet"]
    done = run_script("model_predict.py", *flags, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    found = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["error"] is None for row in found] == [True, False]
    assert "'far' is beyond what Python holds" in found[1]["error"]
    assert found[0]["when"] == datetime.datetime(2020, 1, 1)
