"""Settings: strict, checked before TensorFlow is there, each read by somebody."""

import ast
import dataclasses
import re
import subprocess
import sys

import pytest
from conftest import ROOT

import params as settings
from params import Params
from sentiment import command_line

FIELDS = [item.name for item in dataclasses.fields(Params)]
SCRIPTS = {
    "model_train.py": settings.TRAIN,
    "model_evaluate.py": settings.EVALUATE,
    "model_predict.py": settings.PREDICT,
}
OWN_FLAGS = {  # what only one script knows
    "model_train.py": {"--from-run"},
    "model_evaluate.py": {
        "--report",
        "--robustness",
        "--fast",
        "--compare",
        "--threshold",
        "--target-precision",
        "--evaluation-folder",
        "--save",
    },
    "model_predict.py": {
        "--json",
        "--fast",
        "--explain",
        "--input",
        "--output",
        "--all-probabilities",
        "--resume",
    },
}


def refusal(capsys, names, *arguments: str) -> str:
    """What a command line is refused with: exit code 2 and one line."""
    with pytest.raises(SystemExit) as stop:
        command_line.parse(command_line.make_parser("test", names), arguments)
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--lerning-rate", "1"], "--lerning-rate"),
        (["--max-len", "64"], "--max-len"),
        (["--max-length", "600"], "must be from 8 to 512"),
        (["--max-length", "7"], "8 or more"),
        (["--max-length", "long"], "--max-length"),
        (["--learning-rate", "-1"], "0 or more"),
        (["--learning-rate", "nan"], "0 or more"),
        (["--labels", "a"], "two or more different names"),
        (["--labels", "a,A"], "two or more different names"),
        (["--labels", "a,,b"], "two or more different names"),
        (["--labels", "1,1.0"], "two or more different names"),
        (["--encoding", "utf-8\0"], "one that Python knows"),
        (["--encoding", "hex"], "one that Python knows"),
        (["--encoding", "undefined"], "one that Python knows"),
        (["--encoding", "punycode" * 99], "one that Python knows"),
        (["--delimiter", '"'], "or one sign"),
        (["--delimiter", "\n"], "or one sign"),
        (["--delimiter", "\r"], "or one sign"),
        (["--delimiter", " "], "or one sign"),
        (["--delimiter", ""], "or one sign"),
        (["--dev-share", "1"], "between 0 and 1"),
        (["--dropout", "1"], "below 1"),
        (["--batch-size", "0"], "from 1"),
        (["--epochs", "0"], "from 1"),
        (["--train-examples", "-1"], "0 or more"),
        (["--train-examples", "2147483648"], "below 2147483648"),
        (["--seed", "18446744073709551616"], "below 2147483648"),
        (["--split-seed", "-1"], "0 or more"),
        (["--split-seed", "9" * 30], "below 2147483648"),
        (["--max-length", "9" * 30], "up to the encoder's maximum"),
        (["--device", "tpu"], "gpu"),
        (["--truncation", "middle"], "head+tail"),
        (["--encoder", "mine"], "--preprocessor"),
        (["--data", "missing.csv"], "missing.csv: no such file"),
    ],
)
def test_impossible_setting_stops_with_one_line_that_says_what_is_right(capsys, arguments, says):
    message = refusal(capsys, settings.TRAIN, *arguments)
    assert arguments[0] in message and says in message


@pytest.mark.parametrize("names", [settings.EVALUATE, settings.PREDICT])
@pytest.mark.parametrize("arguments", [["--max-length", "64"], ["--truncation=head"]])
def test_flag_that_the_model_has_fixed_is_refused_after_training(capsys, names, arguments):
    assert "the trained model has fixed it" in refusal(capsys, names, *arguments)


@pytest.mark.parametrize(
    "names, arguments", [(settings.PREDICT, ["--data", "x.csv"]), (settings.TRAIN, ["--split=dev"])]
)
def test_flag_that_is_not_read_is_not_said_to_be_fixed(capsys, names, arguments):
    assert "is not read here; --help" in refusal(capsys, names, *arguments)


def test_flags_become_settings_of_the_right_type():
    parser = command_line.make_parser("test", settings.TRAIN)
    line = "--max-length 512 --learning-rate 3e-5 --truncation tail --deterministic"
    params, _ = command_line.parse(parser, line.split())
    assert params == Params(
        max_length=512, learning_rate=3e-5, truncation="tail", deterministic=True
    )


@pytest.mark.parametrize("preset", settings.PRESETS)
def test_preset_sets_and_a_flag_beside_it_overrides(preset):
    parser = command_line.make_parser("test", settings.TRAIN)
    changes = settings.PRESETS[preset]
    params, _ = command_line.parse(parser, ["--preset", preset])
    assert params == Params(preset=preset, **changes)
    parser = command_line.make_parser("test", settings.TRAIN)
    params, _ = command_line.parse(parser, ["--max-length", "77", "--preset", preset])
    assert params == Params(**{"preset": preset} | changes | {"max_length": 77})


def test_defaults_pass_their_own_check():
    settings.check(Params())


def test_what_is_left_open_suits_the_encoder():
    found = [settings.suited(Params(), name) for name in ("minilm", "bert-base", "a/folder")]
    assert [one.learning_rate for one in found] == [1.5e-4, 3e-5, 3e-5]
    assert [one.pooling for one in found] == ["mean", "pooled", "pooled"]
    given = Params(learning_rate=1e-3, pooling="pooled")
    kept = settings.suited(given, "minilm")
    assert (kept.learning_rate, kept.pooling) == (1e-3, "pooled")


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_explains_each_flag_without_tensorflow(script, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")  # argparse would break lines, at hyphens too
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{script!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({script!r}, run_name='__main__')\n"
        "finally:\n"
        "    assert not {'tensorflow', 'numpy', 'pandas'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = set(re.findall(r"^ +(?:-h, )?(--[a-z-]+)", done.stdout, re.MULTILINE))
    assert (
        shown - {"--help", "--debug"}
        == {settings.flag(name) for name in SCRIPTS[script]} | OWN_FLAGS[script]
    )
    explained = " ".join(done.stdout.split())
    for item in dataclasses.fields(Params):
        if item.name in SCRIPTS[script]:
            assert " ".join(item.metadata["help"].split()) in explained


# Which scripts print what stands there; elsewhere it is any of them.
PRINTED_BY = {
    **{name: [name] for name in SCRIPTS},
    "sentiment/training": ["model_train.py"],
    "sentiment/encoders": ["model_train.py"],
    "sentiment/report": ["model_evaluate.py"],
    "sentiment/scoring/resume.py": ["model_predict.py"],
    "sentiment/model/versions.py": list(SCRIPTS),
    "sentiment/reviews/tables.py": list(SCRIPTS),
    "sentiment/reviews/delimited.py": list(SCRIPTS),
    "sentiment/machine.py": list(SCRIPTS),
}
PIPS = {"--quiet", "--no-deps", "--only-binary", "--no-binary", "--require-hashes"}
CODE = [*ROOT.glob("*.py"), *ROOT.glob("sentiment/**/*.py")]


@pytest.mark.parametrize("path", CODE, ids=[str(path.relative_to(ROOT)) for path in CODE])
def test_flags_that_are_named_are_there(path):
    texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if is_text(node)]
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*\w", " ".join(texts)))
    name = str(path.relative_to(ROOT))
    flags = {
        script: {"--help", "--debug", *map(settings.flag, SCRIPTS[script]), *OWN_FLAGS[script]}
        for script in SCRIPTS
    }
    assert named - (PIPS if path.name == "downloads.py" else set()) <= set().union(*flags.values())
    for place, scripts in PRINTED_BY.items():
        if name.startswith(place):
            assert all(named <= flags[script] for script in scripts)


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_every_setting_is_a_flag_of_a_script():
    assert set().union(*SCRIPTS.values()) == set(FIELDS)


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "preset"])
def test_every_setting_is_read_outside_params(name):
    files = [path for path in ROOT.glob("*.py") if path.name != "params.py"]
    code = "".join(path.read_text() for path in [*files, *ROOT.glob("sentiment/**/*.py")])
    assert re.search(rf"\b(params|self\.settings)\.{name}\b", code)


def test_echo_marks_what_was_changed(capsys):
    command_line.echo(Params(max_length=64), ["max_length", "epochs"])
    first, second = capsys.readouterr().err.splitlines()
    assert first.split() == ["max_length", "64", "(changed)"]
    assert second.split() == ["epochs", "1"]
