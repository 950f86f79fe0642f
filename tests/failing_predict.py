"""Failures of inputs and outputs of predict."""

from failing import (
    DETAILS,
    INPUT,
    VARIABLES,
    Row,
    both,
    cut,
    file_at,
    folder_at,
    nothing,
    remove,
    rows,
    write,
)

ROWS: list[Row] = []

ROWS += rows(
    INPUT + "in.csv",
    2,
    ("input missing", remove("in.csv"), "--input in.csv: no such file"),
    ("input a folder", folder_at("in.csv"), "--input in.csv: no such file"),
    ("input empty", write("in.csv"), "in.csv holds no rows"),
    ("input header alone", write("in.csv", "text\n"), "in.csv holds no rows"),
    ("input other columns", write("in.csv", "a,b\n1,2\n"), "in.csv has no column 'text'"),
    ("input open quote", write("in.csv", 'text\n"a\nb\n'), "is a quote left open there?"),
    ("input two columns of a name", write("in.csv", "text,text\na,b\n"), "rename one"),
    ("input binary", write("in.csv", b"\0\xff\n" * 99), "in.csv"),
    (
        "input empty texts",
        write("in.csv", 'text,b\n" ",1\n'),
        "no review in in.csv could be scored",
    ),
    ("input columns taken", write("in.csv", "text,label,predicted_label\na,b,c\n"), "rename one"),
    ("output there", write("out.csv", "kept"), "out.csv is there already: delete it"),
    ("output a folder", folder_at("out.csv"), "out.csv is there already"),
    (
        "output a full device",
        lambda home: (home / "out.csv").symlink_to("/dev/full"),
        "is there al",
    ),
    ("parts a file", file_at("out.csv.parts"), "cannot write to out.csv.parts"),
    ("parts of a run cut off", write("out.csv.parts/part-000000.0"), "--resume goes on with it"),
    (
        "predict: no model",
        both(remove("saved_model"), folder_at("saved_model")),
        "no model in saved_model",
    ),
    ("predict: model.json cut off", cut(DETAILS), "model.json"),
    ("predict: weights cut off", cut(VARIABLES + "data-00000-of-00001"), "cannot be loaded"),
)
ROWS += rows(
    INPUT + "in.csv",
    1,
    ("row not UTF-8", write("in.csv", b"text\ngood\ncaf\xe9\n"), "row 3: cannot be decoded"),
    ("row empty", write("in.csv", 'text,b\ngood,1\n"",2\n'), "row 3: no text: not scored"),
    ("row too long", write("in.csv", "text,b\ngood,1\na,b,c\n"), "1 fields more than the header"),
)
ROWS += rows(
    INPUT + "in.jsonl",
    2,
    ("JSONL empty", write("in.jsonl"), "in.jsonl holds no rows"),
    ("JSONL garbage", write("in.jsonl", b"\x93\0\n{\n"), "in.jsonl"),
    ("JSONL of lists", write("in.jsonl", "[1]\n[2]\n"), "in.jsonl"),
    ("JSONL other names", write("in.jsonl", '{"a": 1}\n'), "in.jsonl has no column 'text'"),
    ("JSONL nulls", write("in.jsonl", '{"text": null}\n'), "no review in in.jsonl could be scored"),
)
ROWS += rows(
    INPUT + "in.jsonl",
    1,
    ("JSONL line cut off", write("in.jsonl", '{"text": "good"}\n{"te'), "row 2: cannot be decoded"),
    ("JSONL null", write("in.jsonl", '{"text": "good"}\n{"text": null}\n'), "row 2: no text"),
    ("JSONL nested", write("in.jsonl", '{"text": "good"}\n' + "[" * 99999), "row 2: cannot be"),
)
ROWS += rows(
    INPUT + "in.parquet",
    2,
    ("Parquet empty", write("in.parquet"), "in.parquet cannot be read as Parquet"),
    ("Parquet garbage", write("in.parquet", b"PAR1" * 99), "in.parquet cannot be read as Parquet"),
    ("Parquet a folder", folder_at("in.parquet"), "--input in.parquet: no such file"),
)
ROWS += rows(
    INPUT + "in.tsv",
    2,
    ("TSV empty", write("in.tsv"), "in.tsv holds no rows"),
    ("TSV other names", write("in.tsv", "a\tb\nc\td\n"), "in.tsv has no column 'text'"),
)
ROWS += rows(
    INPUT + "in.txt",
    2,
    ("text empty", write("in.txt"), "in.txt holds no rows"),
    ("text blank", write("in.txt", "\n\n"), "no review in in.txt could be scored"),
    ("text not UTF-8", write("in.txt", b"\xff\n"), "no review in in.txt could be scored"),
)
ROWS += rows(
    INPUT + "in.xlsx", 2, ("input's ending", write("in.xlsx", "a"), "in.xlsx: give a file that")
)
for output, says in (
    ("out.xlsx", "out.xlsx: give a file that ends in .csv"),
    ("out", "out: give a file that ends in .csv"),
    ("none/in/there/../x.txt", "give a file that ends in .csv"),
    ("reviews.csv/out.csv", "reviews.csv/out.csv"),
    ("/proc/none/out.csv", "/proc/none/out.csv"),
    ("/dev/full", "give a file that ends in .csv"),
    ("in.csv", "in.csv is there already"),
):
    command = f"model_predict.py --input in.csv --output {output}"
    ROWS += rows(command, 2, (f"output {output}", nothing, says))
NOTE = "out.csv.parts/run.json"
PART = write("out.csv.parts/part-000000.0", "a")
ROWS += rows(
    INPUT + "in.csv --resume",
    2,
    ("parts' note garbage", both(PART, write(NOTE, "{")), "out.csv.parts/run.json is damaged"),
    ("parts' note a list", both(PART, write(NOTE, "[]")), "out.csv.parts/run.json is damaged"),
    ("parts of another run", both(PART, write(NOTE, "{}")), "out.csv.parts is of another input"),
    ("parts without a note", PART, "out.csv.parts"),
    ("parts of other names", write("out.csv.parts/part-x", "a"), "out.csv.parts"),
)
