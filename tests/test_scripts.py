"""The three scripts as a user runs them, and the export on its own."""

import csv
import io
import json
import math
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, contents, run_script, write_csv

from params import Params
from sentiment.model.ngrams import NUMBERS
from sentiment.reviews import sources, splits
from sentiment.scoring import inputs

FLOOR = 0.70  # of the real encoder's dev accuracy
# What predict and whoever serves an export must do without.
HEAVY = ["tf_keras", "tensorflow_hub", "tensorflow_datasets", "pandas", "sklearn", "matplotlib"]
HEAVY += ["safetensors", "pyarrow"]
WITHOUT = f"import sys\nfor name in {HEAVY}: sys.modules[name] = None\n"


def read_json(path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


# model_train.py


def test_training_prints_its_settings_and_what_it_loaded(trained):
    log, said = trained.output.stderr, trained.output.stdout
    for line in ("max_length      16   (changed)", "weight_decay    0.01\n", "device: "):
        assert line in log
    assert "train: 160 reviews" in log and "dev: 40 reviews" in log and "cuts" in log
    assert "[CLS]" in log and "reloaded: logits differ" in log
    assert "dev accuracy" in said and "model in saved_model/1" in said
    assert "Traceback" not in log and "cuda" not in log.lower()


def test_training_learns_the_rule_of_the_made_up_reviews(trained):
    results = read_json(trained.folder / "results.json")
    assert results["dev_accuracy"] >= 0.9
    assert results["reload_difference"] <= 1e-3
    assert 0.1 <= results["temperature"] <= 10 and results["continued_at_step"] == 0
    assert not list(trained.folder.parent.glob(".*"))


def test_training_keeps_the_best_epoch_and_writes_each(trained):
    with (trained.folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    best = max(rows, key=lambda row: (float(row["dev_accuracy"]), -float(row["dev_loss"])))
    results = read_json(trained.folder / "results.json")
    assert results["best_epoch"] == int(best["epoch"])
    assert results["dev_loss"] == pytest.approx(float(best["dev_loss"]))
    assert (trained.folder / "history.png").read_bytes().startswith(b"\x89PNG")


def test_results_carry_their_conditions(trained):
    results = read_json(trained.folder / "results.json")
    assert results["train_seconds"] and results["train_texts_per_second"]
    known = {"device", "precision", "peak_memory_gb", "python", "versions"}
    assert set(results["machine"]) == known
    assert 0.1 < results["machine"]["peak_memory_gb"] < 100  # TensorFlow alone takes 0.3
    assert results["settings"]["learning_rate"] == 3e-3
    assert results["settings"]["seed"] == 0 and results["skipped_rows"] == 0
    rows = [(text, int(label == "pos")) for text, label in trained.rows]
    assert results["data_sha256"] == sources.digest(sources.canonical(rows, "expected"))


def test_model_folder_carries_what_evaluate_and_predict_need(trained):
    details = read_json(trained.folder / "model.json")
    rows = [(text, int(label == "pos")) for text, label in trained.rows]
    _, dev = splits.split(sources.canonical(rows, "expected"), 0.2, 0, stratified=True)
    assert details["dev_ids"] == dev.ids
    assert (details["labels"], details["threshold"]) == (["neg", "pos"], 0.5)
    assert details["temperature"] == read_json(trained.folder / "results.json")["temperature"]
    assert set(details["settings"]) == set(Params.__dataclass_fields__)
    assert details["settings"]["max_length"] == 16


def test_next_run_publishes_the_next_version_and_changes_no_other(trained):
    assert trained.second.returncode == 0, trained.second.stderr
    assert "saved_model/2" in trained.second.stdout
    home = trained.folder.parent
    assert sorted(path.name for path in home.iterdir() if path.name.isdecimal()) == ["1", "2"]
    assert not list(home.glob(".unfinished*"))
    assert contents(trained.folder) == trained.first


def test_real_encoder_learns_from_a_few_hundred_real_reviews(minilm_run):
    home, output = minilm_run
    results = read_json(home / "saved_model" / "quick" / "1" / "results.json")
    assert (results["train_reviews"], results["dev_reviews"]) == (640, 200)
    assert results["dev_accuracy"] >= FLOOR, output.stdout
    assert results["settings"]["learning_rate"] == 1.5e-4


def test_try_on_few_reviews_never_replaces_a_real_model(minilm_run):
    home, _ = minilm_run
    assert [path.name for path in (home / "saved_model").iterdir()] == ["quick"]


# The export


def test_export_is_four_bytes_a_parameter_without_an_optimizer(minilm_run):
    folder = minilm_run[0] / "saved_model" / "quick" / "1"
    stored = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    shapes = stored.get_variable_to_shape_map()
    sizes = {
        name: math.prod(shape)
        for name, shape in shapes.items()
        if stored.get_variable_to_dtype_map()[name] == tf.float32
    }
    parameters = read_json(folder / "model.json")["parameters"]
    table = NUMBERS + 1  # the n-gram side's, and its constant
    assert parameters == 22_713_216 + 385 == sum(sizes.values()) - table
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size == pytest.approx(4 * (parameters + table), rel=0.1)


def test_moved_export_serves_raw_text_with_tensorflow_and_text_alone(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "moved")
    texts = ["good good", "bad bad bad", "a b c<br />", "", "good bad " * 50]
    code = WITHOUT + (
        "import json\n"
        "import tensorflow as tf, tensorflow_text\n"
        "loaded = tf.saved_model.load('moved')\n"
        f"answer = loaded.signatures['serving_default'](text=tf.constant({texts}))\n"
        "answer['label'] = tf.strings.unicode_decode(answer['label'], 'UTF-8')\n"
        "answer['label'] = tf.strings.unicode_encode(answer['label'], 'UTF-8')\n"
        "print(json.dumps({k: [v.decode() if isinstance(v, bytes) else float(v)"
        " for v in values.numpy()] for k, values in answer.items()}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"logit", "probability", "label"}
    logit = np.array(answer["logit"])
    np.testing.assert_allclose(answer["probability"], 1 / (1 + np.exp(-logit)), atol=1e-6)
    assert answer["label"] == ["pos" if value >= 0 else "neg" for value in logit]
    assert answer["label"][:2] == ["pos", "neg"]


def test_signatures_agree(loaded):
    texts = tf.constant(["good movie", "bad movie"])
    ids = dict(loaded.signatures["preprocess"](text=texts))
    assert ids.pop("token_count").numpy().tolist() == [4, 4]
    serving = loaded.loaded.signatures["serving_default"](text=texts)
    for name, values in loaded.signatures["token_ids"](**ids).items():
        np.testing.assert_array_equal(values, serving[name])


# model_evaluate.py


def test_evaluate_scores_exactly_the_dev_reviews_of_the_model(trained):
    home = trained.folder.parent.parent
    done = run_script("model_evaluate.py", "--model-folder", trained.folder, cwd=home)
    assert done.returncode == 0, done.stderr
    folder = trained.folder.with_name("1-evaluation")
    results, details = read_json(folder / "dev.json"), read_json(trained.folder / "model.json")
    with (folder / "dev-predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == details["dev_ids"]
    right = [row["label"] == row["predicted"] for row in rows]
    assert results["accuracy"] == sum(right) / len(rows) == sum(right) / results["reviews"]
    trained_at = read_json(trained.folder / "results.json")["dev_accuracy"]
    assert results["accuracy"] == pytest.approx(trained_at, abs=1.5 / len(rows))
    assert results["model_settings"] == details["settings"] and results["machine"]["device"]
    before = read_json(trained.folder / "results.json")["dev_loss"]
    assert results["log_loss"] <= before + 1e-4  # bfloat16, in other batches than in training
    assert 0 <= results["calibration_error"] <= 1 and results["before_temperature"]["brier"] > 0
    labels = {sources.text_id(text): label for text, label in trained.rows}
    assert [row["label"] for row in rows] == [labels[row["id"]] for row in rows]
    assert all((float(r["probability"]) >= 0.5) == (r["predicted"] == "pos") for r in rows)
    for word in ("accuracy", "95 % interval", "precision", "recall", "f1", "roc_auc", "log_loss"):
        assert word in done.stdout
    assert "confusion" in done.stdout and "Traceback" not in done.stderr
    assert contents(trained.folder) == trained.first


def test_evaluate_scores_a_file_of_ones_own_and_reports_skipped_rows(trained, tmp_path):
    rows = [("good a b", "pos"), ("bad c d", "neg"), ("", "neg"), ("bad e", "1"), ("so", "so")]
    write_csv(tmp_path / "test.csv", rows, header=("review", "mark"))
    shutil.copytree(trained.folder, tmp_path / "saved_model" / "1")
    flags = ["--data", "test.csv", "--text-column", "review", "--label-column", "mark"]
    refused = run_script("model_evaluate.py", *flags, cwd=tmp_path)
    assert refused.returncode == 2
    (message,) = refused.stderr.splitlines()  # nothing is begun first
    assert "test.csv: 2 bad rows of 5 (row 4: no text; row 6: label 'so')" in message
    assert refused.stdout == ""
    done = run_script("model_evaluate.py", *flags, "--skip-bad-rows", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = read_json(tmp_path / "saved_model" / "1-evaluation" / "test.csv.json")
    # The official split's results are another file.
    assert not (tmp_path / "saved_model" / "1-evaluation" / "test.json").exists()
    assert (results["reviews"], results["skipped_rows"], results["split"]) == (3, 2, "test.csv")
    assert results["confusion"] == [[1, 0], [1, 1]]


# model_predict.py


def test_predict_prints_an_aligned_line_a_review_and_nothing_else(trained):
    reviews = ["good movie!", "bad\nbad   movie, a b c", "good <br />"]
    home = trained.folder.parent.parent
    done = run_script("model_predict.py", *reviews, "--model-folder", trained.folder, cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    for line, text, label in zip(
        done.stdout.splitlines(),
        ("good movie!         ", "bad bad movie, a b c", "good <br />         "),
        ("pos", "neg", "pos"),
        strict=True,
    ):
        assert re.fullmatch(rf"input: {re.escape(text)} : score: [01]\.\d{{6}} : {label}", line)
        assert (float(line.split(" : ")[1].removeprefix("score: ")) >= 0.5) == (label == "pos")


def test_predict_reads_lines_refuses_empty_ones_and_needs_no_other_package(trained, tmp_path):
    code = WITHOUT + (
        "import runpy\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        f"sys.argv = ['model_predict.py', '--model-folder', {str(trained.folder)!r}]\n"
        "runpy.run_path(sys.path[0] + '/model_predict.py', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        input="good\n \nbad é 😀 \xff\n".encode() + b"\xff\n",
        capture_output=True,
        check=False,
    )
    assert done.stderr.decode().splitlines() == [
        "review 2 (' '): no text: not scored",
        "'\ufffd': the model knows none of its words",
    ]
    assert done.returncode == 1
    shown = [line.split(" : ")[0].strip() for line in done.stdout.decode().splitlines()]
    assert shown == ["input: good", "input: bad é 😀 ÿ", "input: \ufffd"]


@pytest.mark.parametrize(
    "content, encoding",
    [
        (b"caf\xe9\r\n", "latin-1"),
        (b"\xef\xbb\xbfcaf\xc3\xa9\n", "UTF-8"),
        (b"\xef\xbb\xbfcaf\xc3\xa9\n", "latin-1"),
        ("café".encode("utf-16"), "utf-8"),
    ],
)
def test_lines_are_read_in_their_encoding(content, encoding, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert inputs.lines_of_stdin(encoding) == ["café"]


@pytest.mark.parametrize(
    "arguments, stdin", [([""], ""), ([" ", "\t"], ""), ([], ""), ([], "\n\n")]
)
def test_predict_with_no_review_at_all_exits_2(arguments, stdin, tmp_path):
    done = run_script("model_predict.py", *arguments, cwd=tmp_path, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    *named, last = done.stderr.splitlines()
    assert len(named) == len(arguments or stdin)
    assert all(": no text: not scored" in line for line in named)
    assert last.startswith("model_predict.py: no review to score")


def test_argument_that_is_not_utf8_is_refused_with_its_number(tmp_path):
    done = run_script("model_predict.py", "caf\udce9", cwd=tmp_path)
    assert done.returncode == 2 and "): not UTF-8: not scored" in done.stderr


@pytest.mark.parametrize("script", ["model_predict.py", "model_evaluate.py"])
@pytest.mark.parametrize("damage", ["no folder", "model.json", "saved_model.pb"])
def test_missing_or_damaged_model_gives_one_line(script, damage, trained, tmp_path):
    if damage != "no folder":
        shutil.copytree(trained.folder, tmp_path / "saved_model" / "3")
        file = tmp_path / "saved_model" / "3" / damage
        file.write_bytes(file.read_bytes()[:100])
    shutil.copy(trained.folder.parents[1] / "reviews.csv", tmp_path)
    # Named as a whole: another of this name may be beside the scripts.
    arguments = ["--model-folder", tmp_path / "saved_model"]
    arguments += ["good"] if script == "model_predict.py" else []
    done = run_script(script, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{script}: ") and "python model_train.py" in line
    assert damage in line or "saved_model" in line


def test_folder_that_cannot_be_written_stops_training_before_any_compute(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    done = run_script("model_train.py", "--model-folder", "taken", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("model_train.py: cannot write to taken")
    assert done.stderr.count("\n") == 1


def test_reviews_that_cannot_be_learnt_from_stop_training_before_any_compute(tmp_path):
    write_csv(tmp_path / "mine.csv", [("good", "pos"), ("so", "so")], header=("text", "label"))
    done = run_script("model_train.py", "--data", "mine.csv", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "mine.csv: 1 bad rows of 2 (row 3: label 'so')" in done.stderr


# TensorFlow's own saved_model_cli, which is what people look at an export with


def saved_model_cli(*arguments, text_operations=False):
    """Run it in a process of its own, as the command does."""
    code = "import sys\nfrom tensorflow.python.tools import saved_model_cli\n"
    code = ("import tensorflow_text\n" if text_operations else "") + code
    code += f"sys.argv = {['saved_model_cli', *map(str, arguments)]!r}\nsaved_model_cli.main()\n"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False
    )


def test_saved_model_cli_shows_all_signatures(trained):
    shown = saved_model_cli("show", "--dir", trained.folder, "--all")
    assert shown.returncode == 0, shown.stderr
    for name in ("serving_default", "token_ids", "preprocess"):
        assert f"signature_def['{name}']" in shown.stdout
    for name in ("logit", "probability", "label", "input_word_ids", "token_count"):
        assert f"['{name}'] tensor_info" in shown.stdout


def test_saved_model_cli_runs_with_text_operations_imported(trained, loaded):
    """It imports every signature's graph to run one, so token ids need them too."""
    encoded = loaded.signatures["preprocess"](text=np.array(["good good"]))
    inputs = [
        f"{name}={value.numpy().tolist()}"
        for name, value in encoded.items()
        if name != "token_count"
    ]
    run = ["run", "--dir", trained.folder, "--tag_set", "serve", "--signature_def"]
    ids = ["token_ids", "--input_exprs", ";".join(inputs)]
    on_ids = saved_model_cli(*run, *ids, text_operations=True)
    assert on_ids.returncode == 0, on_ids.stderr
    text = ["serving_default", "--input_exprs", "text=['good good']"]
    on_text = saved_model_cli(*run, *text, text_operations=True)
    assert on_text.returncode == 0, on_text.stderr
    for shown in (on_ids, on_text):
        assert "b'pos'" in shown.stdout
    assert saved_model_cli(*run, *text).returncode != 0  # as README says
