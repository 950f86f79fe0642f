"""Failures of a model that is damaged, foreign or newer, and of what was scored with it."""

from failing import (
    DETAILS,
    EVALUATE,
    EVALUATION,
    MODEL,
    PREDICT,
    VARIABLES,
    Adder,
    Row,
    both,
    cut,
    drop,
    drop_column,
    file_at,
    folder_at,
    nothing,
    put,
    remove,
    rows,
    saved,
    write,
)

from sentiment.model import versions

ROWS: list[Row] = []

WRONG_TYPES = {
    "settings": ([], "max_length", 3),
    "labels": ("pos", ["pos"], ["neg", 1], None),
    "threshold": ("half", None, 2.0),
    "temperature": ("warm", None, -1.0),
    "mask_id": ("mask", None),
    "mixture": ("both", {}, {"encoder_weight": "a", "ngram_weight": 1.0, "surest": 1.0}),
    "dev_ids": ("all", [1, 2], None),
}
ROWS += rows(
    PREDICT,
    2,
    ("an empty model folder", both(remove("saved_model"), folder_at("saved_model")), "no model in"),
    ("model folder is a file", file_at("saved_model"), "no model in saved_model"),
    ("model is a file", file_at("saved_model/1"), "saved_model/1"),
    ("model is an empty folder", both(remove("saved_model/1"), folder_at("saved_model/1")), "1 is"),
    ("model.json missing", remove(DETAILS), "model.json"),
    ("model.json empty", write(DETAILS), "model.json"),
    ("model.json cut off", cut(DETAILS), "model.json"),
    ("model.json cut off late", cut(DETAILS, 0.97), "model.json"),
    ("model.json not JSON", write(DETAILS, "settings: yes"), "model.json"),
    ("model.json not UTF-8", write(DETAILS, b'{"settings": "\xff"}'), "model.json"),
    ("model.json a list", write(DETAILS, "[1, 2]"), "model.json"),
    ("model.json null", write(DETAILS, "null"), "model.json"),
    ("model.json a number", write(DETAILS, "17"), "model.json"),
    ("model.json nested without end", write(DETAILS, "[" * 100000), "model.json"),
    ("model.json a folder", folder_at(DETAILS), "model.json"),
    ("model of a newer format", put(DETAILS, format_version=99), "format_version"),
    ("format version no number", put(DETAILS, format_version="new"), "format_version"),
    *((f"model.json without {name}", drop(DETAILS, name), name) for name in versions.KINDS),
    *(
        (f"model.json {name} {value!r}", put(DETAILS, **{name: value}), name)
        for name, values in WRONG_TYPES.items()
        for value in values
    ),
    ("settings without a setting", put(DETAILS, settings={}), "no valid data in its settings"),
    ("saved_model.pb missing", remove(MODEL + "saved_model.pb"), "saved_model/1 cannot be loaded"),
    ("saved_model.pb empty", write(MODEL + "saved_model.pb"), "saved_model/1 cannot be loaded"),
    ("saved_model.pb cut off", cut(MODEL + "saved_model.pb"), "saved_model/1 cannot be loaded"),
    ("saved_model.pb garbage", write(MODEL + "saved_model.pb", b"\xff" * 999), "cannot be loaded"),
    ("saved_model.pb a folder", folder_at(MODEL + "saved_model.pb"), "saved_model/1"),
    ("variables missing", remove(MODEL + "variables"), "saved_model/1 cannot be loaded"),
    ("variables' index missing", remove(VARIABLES + "index"), "saved_model/1 cannot be loaded"),
    ("variables' index empty", write(VARIABLES + "index"), "saved_model/1 cannot be loaded"),
    ("variables' index cut off", cut(VARIABLES + "index"), "saved_model/1 cannot be loaded"),
    ("weights missing", remove(VARIABLES + "data-00000-of-00001"), "saved_model/1 cannot be"),
    ("weights empty", write(VARIABLES + "data-00000-of-00001"), "saved_model/1 cannot be loaded"),
    ("weights cut off", cut(VARIABLES + "data-00000-of-00001"), "saved_model/1 cannot be loaded"),
    ("SavedModel of another kind", saved("saved_model/1/", Adder), "saved_model/1"),
)
ROWS += rows(
    PREDICT,
    0,
    # The tokeniser holds the words itself; the file is there for people.
    ("vocabulary missing", remove(MODEL + "assets/vocab.txt"), "input: good : score: "),
)
ROWS += rows(
    EVALUATE,
    2,
    (
        "evaluate: no model",
        both(remove("saved_model"), folder_at("saved_model")),
        "no model in saved_model: run",
    ),
    ("evaluate: model.json cut off", cut(DETAILS), "model.json"),
    ("evaluate: newer format", put(DETAILS, format_version=99), "format_version"),
    ("evaluate: weights cut off", cut(VARIABLES + "data-00000-of-00001"), "cannot be loaded"),
    ("evaluate: dev ids unknown", put(DETAILS, dev_ids=["0" * 16]), "dev reviews are no longer in"),
    ("evaluate: reviews missing", remove("reviews.csv"), "is not there: run where it is"),
    ("evaluate: reviews changed", write("reviews.csv", "text,label\na,pos\n"), "no longer in"),
    ("evaluation folder is a file", file_at("saved_model/1-evaluation"), "cannot write to"),
)
ROWS += rows(
    EVALUATE,
    0,
    ("results.json missing", remove(MODEL + "results.json"), "no model_card.md"),
    ("results.json cut off", cut(MODEL + "results.json"), "no model_card.md"),
    ("nothing damaged", nothing, "scores of saved_model/1-evaluation/dev-predictions.csv taken"),
    ("evaluation cut off", cut(EVALUATION + "dev.json"), "written"),
    ("scores cut off", cut(EVALUATION + "dev-predictions.csv"), "dev: 40 reviews of"),
    ("scores cut off late", cut(EVALUATION + "dev-predictions.csv", 0.99), "dev: 40 reviews of"),
    ("scores empty", write(EVALUATION + "dev-predictions.csv"), "dev: 40 reviews of"),
    ("scores missing", remove(EVALUATION + "dev-predictions.csv"), "dev: 40 reviews of"),
    ("scores binary", write(EVALUATION + "dev-predictions.csv", b"\0\xff" * 99), "dev: 40 reviews"),
    *(
        (
            f"scores without {name}",
            drop_column(EVALUATION + "dev-predictions.csv", name),
            "dev: 40 reviews of",
        )
        for name in ("id", "predicted", "probability", "logit", "token_count")
    ),
    ("note missing", remove(EVALUATION + "dev-predictions.json"), "dev: 40 reviews of"),
    ("note empty", write(EVALUATION + "dev-predictions.json"), "dev: 40 reviews of"),
    ("note cut off", cut(EVALUATION + "dev-predictions.json"), "dev: 40 reviews of"),
    ("note a list", write(EVALUATION + "dev-predictions.json", "[]"), "dev: 40 reviews of"),
    ("note without seconds", drop(EVALUATION + "dev-predictions.json", "seconds"), "40 reviews of"),
    ("note of other data", put(EVALUATION + "dev-predictions.json", data_sha256="0"), "40 reviews"),
    ("another split's JSON cut off", write(EVALUATION + "test.json", '{"split": "te'), "test.json"),
    ("another split's JSON a list", write(EVALUATION + "test.json", '["split"]'), "test.json"),
    (
        "another split's JSON poor",
        write(EVALUATION + "test.json", '{"split": "test"}'),
        "test.json",
    ),
)
