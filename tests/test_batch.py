"""Files are scored whole: columns and order kept, bad rows named, cut-off runs resumed."""

import errno
import itertools
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import made_up_rows, run_here, run_script, write_csv, write_details

from sentiment.errors import UserError
from sentiment.reviews import tables
from sentiment.scoring import batch, infer, inputs
from sentiment.scoring.resume import open_parts

TEXTS = [text for text, _ in made_up_rows(50)]
READERS = {
    "csv": pd.read_csv,
    "tsv": lambda path: pd.read_csv(path, sep="\t"),
    "jsonl": lambda path: pd.read_json(path, lines=True),
    "parquet": pd.read_parquet,
}


def table() -> pd.DataFrame:
    stars = np.arange(len(TEXTS)) % 5
    return pd.DataFrame({"number": range(len(TEXTS)), "review": TEXTS, "stars": stars})


def write(path, kind):
    if kind == "jsonl":
        table().to_json(path, orient="records", lines=True)
    elif kind == "parquet":
        table().to_parquet(path)
    else:
        table().to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    return path


def count_up(texts, progress):
    """A stand-in for a model, for what has nothing to do with its answers."""
    progress(len(texts))
    for text in texts:
        yield {"label": "pos", "probability": len(text) / 1000, "cut": False}


def parts_with(job, target, resume=False, model="model", precision="auto", labels=("neg", "pos")):
    """open_parts for a model that has only what is asked about it."""
    folder = target.parent.with_name(f"{target.parent.name}-{model}")
    if not folder.exists():
        write_details(folder, labels)
    return open_parts(job, target, resume, folder, precision)


def run(job, target, answer=count_up, resume=False):
    parts = parts_with(job, target, resume)
    return batch.to_file(job, answer, target, parts, lambda done: None)


@pytest.mark.parametrize("kinds", itertools.product(READERS, READERS), ids="-".join)
def test_columns_and_order_are_kept_in_every_format(kinds, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "PART", 16)
    source = write(tmp_path / f"in.{kinds[0]}", kinds[0])
    target = tmp_path / f"out.{kinds[1]}"
    assert run(inputs.Job(str(source), "review"), target) == (50, 0)
    found = READERS[kinds[1]](target)
    added = ["label", "probability", "cut", "note", "error"]
    assert found.columns.tolist() == ["number", "review", "stars", *added]
    assert found["review"].tolist() == TEXTS
    assert found["number"].astype(int).tolist() == list(range(50))
    assert found["probability"].tolist() == pytest.approx([len(t) / 1000 for t in TEXTS])
    assert found["error"].isna().all() and set(found["label"]) == {"pos"}
    assert {path.name for path in tmp_path.iterdir()} == {source.name, target.name}


def test_input_whose_name_is_not_utf8_is_scored(tmp_path):
    source = write(tmp_path / os.fsdecode(b"caf\xe9.csv"), "csv")
    target = tmp_path / os.fsdecode(b"out-\xe9.csv")
    assert run(inputs.Job(str(source), "review"), target) == (50, 0)


def test_a_model_published_meanwhile_is_not_taken(project, tmp_path, monkeypatch):
    home = tmp_path / "project"
    shutil.copytree(project, home)
    loaded, looked_through = [], inputs.Job.__init__
    load_model = infer.load_model

    def publishes(job, *arguments):
        shutil.copytree(home / "saved_model" / "1", home / "saved_model" / "2")
        looked_through(job, *arguments)

    def notes(folder):
        loaded.append(load_model(folder).folder.name)
        return load_model(folder)

    monkeypatch.setattr(inputs.Job, "__init__", publishes)
    monkeypatch.setattr(infer, "load_model", notes)
    code, _, said = run_here("model_predict.py --input in.csv --output out.csv", home)
    assert code == 0 and loaded == ["1"], said


BAD = b'number,text\n1,good\n2,\n3,latin \xe9\n4,a,b\n5,"two\nlines"\n6\n'


def test_bad_rows_have_an_error_and_the_rest_go_on(tmp_path, capsys):
    (tmp_path / "in.csv").write_bytes(BAD)
    target = tmp_path / "out.jsonl"
    assert run(inputs.Job(str(tmp_path / "in.csv"), "text"), target) == (6, 4)
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["number"] for row in rows] == list("123456")
    assert [row["label"] for row in rows] == ["pos", None, None, None, "pos", None]
    errors = [row["error"] for row in rows]
    assert errors[0] is None and errors[1] == "no text" and "UTF-8" in errors[2]
    assert "1 fields more" in errors[3] and errors[5] == "no text"
    assert rows[2]["text"] == "latin ?" and rows[4]["text"] == "two\nlines"
    assert "row 3: no text: not scored" in capsys.readouterr().err


def test_jsonl_with_other_keys_and_types_becomes_a_table(tmp_path):
    lines = ['{"text": "good", "n": 1, "tags": ["a"]}', "nonsense", '{"text": 5, "n": 2.5}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    target = tmp_path / "out.parquet"
    assert run(inputs.Job(str(tmp_path / "in.jsonl"), "text"), target) == (3, 1)
    found = pd.read_parquet(target)
    assert found["text"].tolist()[::2] == ["good", "5"]
    assert found["tags"].tolist()[0] == '["a"]'
    assert [str(n) for n in found["n"]][::2] == ["1", "2.5"]
    assert "not JSON" in found["error"][1] and pd.isna(found["error"][2])  # 5 is a text


@pytest.mark.parametrize(
    "name, content, problems",
    [
        ("a.jsonl", b'{"id":1}\n{"text":"x"}\n{"text":NaN}\n', ["no text", "", "no text"]),
        ("a.csv", b"text\nso, so\nso\n", ["has 1 fields more than the header", ""]),
        ("a.txt", b"old\rMac\r", ["", ""]),
        ("a.txt", b"lone\n\rCR\n", ["", ""]),
    ],
)
def test_each_row_is_looked_at_for_its_text(name, content, problems, tmp_path):
    (tmp_path / name).write_bytes(content)
    job = inputs.Job(str(tmp_path / name), "text")
    texts = [(row.error, tables.text_of(row.values, job.text_columns)) for row in job.rows()]
    assert [error or inputs.problem_of(text) for error, text in texts] == problems


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
def test_file_in_another_encoding_is_named_with_it(name, tmp_path):
    (tmp_path / name).write_bytes("text,label\n".encode("utf-16")[:-1])
    with pytest.raises(UserError, match=rf"{name} is not utf-16.*see --encoding"):
        inputs.Job(str(tmp_path / name), "text")


def test_column_of_the_same_name_is_kept(tmp_path, capsys):
    source = write_csv(tmp_path / "in.csv", made_up_rows(4))
    target = tmp_path / "out.csv"
    run(inputs.Job(str(source), "text"), target)
    found = pd.read_csv(target)
    assert found.columns.tolist() == [
        "text",
        "label",
        "predicted_label",
        "probability",
        "cut",
        "note",
        "error",
    ]
    assert found["label"].tolist() == ["neg", "pos"] * 2
    assert "the model's is 'predicted_label'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name, content, says",
    [
        ("in.csv", b"review,x\na,1\n", r"no column 'text' \(it has review, x\)"),
        ("in.csv", b"text\n", "holds no rows"),
        ("in.csv", b"text,text\na,b\n", "two columns are named 'text'"),
        ("in.doc", b"", "ends in .csv"),
        ("in.parquet", b"PAR1", "cannot be read as Parquet"),
        ("in.csv", b"text,label,predicted_label\na,b,c\n", "rename one"),
        ("in.csv", b"text,f\xfcr\na,b\n", "column names are not UTF-8"),
    ],
)
def test_input_that_cannot_be_scored_is_refused_before_any_compute(name, content, says, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=says):
        inputs.Job(str(tmp_path / name), "text")


def test_script_scores_a_file_as_it_scores_its_reviews(trained, loaded, tmp_path):
    home = trained.folder.parents[1]
    source = write_csv(tmp_path / "in.csv", [(text, "") for text in [*TEXTS[:9], ""]])
    flags = ["--input", source, "--output", tmp_path / "out.csv", "--model-folder", trained.folder]
    done = run_script("model_predict.py", *flags, "--precision", "float32", cwd=home)
    assert (done.returncode, "1 of them refused" in done.stdout) == (1, True), done.stderr
    found = pd.read_csv(tmp_path / "out.csv")
    expected = infer.infer(loaded, TEXTS[:9])
    np.testing.assert_allclose(found["probability"][:9], expected.probabilities, atol=1e-2)
    assert found["predicted_label"][:9].tolist() == expected.labels
    counts = expected.token_counts > 16
    assert found["cut"][:9].astype(bool).tolist() == counts.tolist()


def test_script_reads_lines_and_prints_json_lines(trained):
    home = trained.folder.parents[1]
    flags = ["--model-folder", trained.folder]
    done = run_script("model_predict.py", *flags, "--input", "-", cwd=home, stdin="good\n\nbad\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [row["text"] for row in rows] == ["good", "", "bad"]
    assert [row["label"] for row in rows] == ["pos", None, "neg"]
    alone = run_script("model_predict.py", *flags, "--json", "good", cwd=home)
    assert json.loads(alone.stdout)["probability"] == pytest.approx(
        rows[0]["probability"], abs=1e-2
    )


@pytest.mark.parametrize(
    "flags, says",
    [
        (["--output", "a.csv"], "go with --input"),
        (["--input", "a.csv", "--explain"], "leave out --explain"),
        (["--input", "a.csv", "--resume"], "name it"),
        (["--input", "missing.csv"], "no such file"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags, says, trained):
    done = run_script("model_predict.py", *flags, cwd=trained.folder.parents[1])
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1


def test_what_json_can_hold_and_a_file_cannot_is_one_bad_row(tmp_path):
    lines = ['{"text": "good", "n": 18446744073709551615}', '{"text": "x", "tags": ["\\ud83d"]}']
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, '{"text": "fine", "n": 1}']))
    target = tmp_path / "out.parquet"
    assert run(inputs.Job(str(tmp_path / "in.jsonl"), "text"), target) == (3, 1)
    found = pd.read_parquet(target)
    assert found["n"].tolist()[::2] == ["18446744073709551615", "1"]
    assert "surrogate" in found["error"][1]


@pytest.mark.parametrize("open_at", [2, 3])
def test_open_quote_swallows_no_row(open_at, tmp_path):
    """The rows below it must not end up inside its text without a word."""
    lines = ["text\tn", "dire\t1", "so-so\t2", "fine\t3", "good\t4"]
    lines[open_at - 1] = '"' + lines[open_at - 1]
    (tmp_path / "in.tsv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=rf"in.tsv, row {open_at}: not TSV .*quote left open"):
        inputs.Job(str(tmp_path / "in.tsv"), "text")


def test_wrong_quotes_within_a_line_are_one_bad_row(tmp_path):
    (tmp_path / "in.csv").write_text('text,n\nfine,1\n\n"so" so,2\ngood,3\n"never closed,4')
    target = tmp_path / "out.jsonl"
    assert run(inputs.Job(str(tmp_path / "in.csv"), "text"), target) == (4, 2)
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert ["not CSV" in (row["error"] or "") for row in found] == [False, True, False, True]


def test_progress_counts_reviews_as_they_are_scored(tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "PART", 20)
    job = inputs.Job(str(write(tmp_path / "in.csv", "csv")), "review")
    seen = []
    parts = parts_with(job, tmp_path / "out.csv")
    batch.to_file(job, count_up, tmp_path / "out.csv", parts, seen.append)
    assert seen == [20, 20, 40, 40, 50, 50]


def test_input_that_cannot_be_read_is_not_called_an_output_that_cannot_be_written(tmp_path):
    job = inputs.Job(str(write(tmp_path / "in.csv", "csv")), "review")

    def fails():
        raise OSError(errno.EIO, "Input/output error", "in.csv")
        yield

    job.rows = fails
    with pytest.raises(OSError, match="Input/output error: 'in.csv'"):
        batch.to_file(
            job, count_up, tmp_path / "out.csv", parts_with(job, tmp_path / "out.csv"), print
        )


def test_probabilities_of_all_labels_are_columns(trained, tmp_path):
    source = write_csv(tmp_path / "in.csv", [("good", "x"), ("bad", "y")], ["text", "label"])
    flags = ["--model-folder", trained.folder, "--input", source, "--all-probabilities"]
    done = run_script("model_predict.py", *flags, cwd=tmp_path)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for row in rows:
        assert row["probability_pos"] == row["probability"]
        assert row["probability_neg"] + row["probability_pos"] == pytest.approx(1)


def test_what_the_model_cannot_read_is_remarked_on(trained, tmp_path):
    texts = ["good", "<br />", "\U0001f600", "хорошо", "good \U0001f600 \U0001f680 \U0001f681"]
    source = write_csv(tmp_path / "in.csv", [(text, "") for text in texts])
    flags = ["--model-folder", trained.folder, "--input", source]
    done = run_script("model_predict.py", *flags, cwd=tmp_path)
    notes = [json.loads(line)["note"] for line in done.stdout.splitlines()]
    assert notes[0] is None
    assert notes[1] == notes[2] == "the model knows none of its words"
    assert notes[3]
    assert notes[4] == "the model does not know 75% of its tokens"
    done = run_script("model_predict.py", *flags[:2], "\U0001f600", cwd=tmp_path)
    assert "the model knows none of its words" in done.stderr
