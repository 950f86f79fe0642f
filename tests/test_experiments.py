"""The experiment runner runs the real scripts, once, and says beforehand how long it will take."""

import dataclasses
import json
import shutil
import sys

import pytest
from conftest import ROOT, made_up_rows, write_csv

from params import Params

sys.path.insert(1, str(ROOT / "experiments"))

import run  # noqa: E402
import table  # noqa: E402

PARTS = ("plain", "smooth")


@pytest.fixture(scope="module")
def finished(tiny_pair, tmp_path_factory):
    """Two runs on the tiny encoder, carried out, the first one cut off while it was scored: (the
    folder, a function that calls again).
    """
    home = tmp_path_factory.mktemp("experiments")
    data = write_csv(home / "reviews.csv", made_up_rows(60))
    head = [
        "name",
        "seeds",
        "splits",
        "data",
        "encoder",
        "preprocessor",
        "max_length",
        "label_smoothing",
    ]
    rows = [
        (name, "3", splits, data, tiny_pair.encoder, tiny_pair.preprocessor, 16, smoothing)
        for name, splits, smoothing in zip(
            PARTS, ("dev", "dev short-texts"), ("", "0.1"), strict=True
        )
    ]
    path = write_csv(home / "trial.csv", rows, head)
    patch = pytest.MonkeyPatch()
    patch.setattr(run, "RESULTS", home / "results")
    patch.setattr(run, "MODELS", home / "models")

    def call(*flags):
        patch.setattr(sys, "argv", ["run.py", str(path), *flags])
        run.main()

    call("--only", "plain", "--keep")
    (home / "results" / "trial" / "plain-3.json").unlink()
    call()
    yield home, call
    patch.undo()


def test_each_run_has_its_json(finished):
    home, _ = finished
    for name, smoothing in zip(PARTS, (0.0, 0.1), strict=True):
        found = json.loads((home / "results" / "trial" / f"{name}-3.json").read_text())
        assert (found["name"], found["seed"]) == (name, 3)
        assert found["train"]["settings"]["seed"] == 3
        assert found["train"]["settings"]["label_smoothing"] == smoothing
        assert found["evaluations"]["dev"]["accuracy"] == found["train"]["dev_accuracy"]
    assert found["minutes"] > 0 and found["evaluations"]["short-texts"]["reviews"] == 400
    assert not list((home / "models" / "trial").iterdir())  # models go without --keep


def test_finished_runs_are_skipped_and_others_are_planned(finished, capsys):
    home, call = finished
    call("--plan")
    assert capsys.readouterr().out == "0 runs, about 0 minutes in all\n"
    kept = home / "results" / "trial" / "plain-3.json"
    shutil.move(kept, home / "kept")
    call("--plan", "--only", "pla")
    first, last = capsys.readouterr().out.splitlines()
    shutil.move(home / "kept", kept)
    assert first.startswith("plain-3: about ") and last.startswith("1 runs, about ")


def test_a_run_cut_off_while_it_was_scored_is_not_trained_again(finished):
    home, _ = finished
    found = json.loads((home / "results" / "trial" / "plain-3.json").read_text())
    assert found["minutes"] is None and "dev" in found["evaluations"]


def test_a_preset_that_changed_is_another_model(monkeypatch):
    table = ROOT / "experiments" / "presets.csv"
    before = {one.name: one.model_folder for one in run.read_table(table, "")}
    monkeypatch.setitem(run.PRESETS, "best", run.PRESETS["best"] | {"epochs": 7})
    after = {one.name: one.model_folder for one in run.read_table(table, "")}
    assert [name for name in before if before[name] != after[name]] == ["best"]


def test_defaults_that_changed_make_another_model(monkeypatch):
    table = ROOT / "experiments" / "presets.csv"
    before = {one.model_folder for one in run.read_table(table, "")}

    @dataclasses.dataclass(frozen=True)
    class Changed(Params):
        head_share: float = 0.5

    monkeypatch.setattr(run, "Params", Changed)
    assert not before & {one.model_folder for one in run.read_table(table, "")}


def test_cells_that_say_the_default_turn_nothing_round():
    assert run.as_flag("ngrams", "True") == run.as_flag("deterministic", "False") == []
    assert run.as_flag("ngrams", "False") == ["--no-ngrams"]
    assert run.as_flag("deterministic", "True") == ["--deterministic"]


def test_unknown_setting_in_a_table_is_named(tmp_path, monkeypatch):
    path = write_csv(
        tmp_path / "wrong.csv", [("a", "0", "", "1")], ["name", "seeds", "splits", "lr"]
    )
    monkeypatch.setattr(sys, "argv", ["run.py", str(path), "--plan"])
    with pytest.raises(SystemExit, match="no setting lr"):
        run.main()


TEXTS = {ROOT / name for name in run.FILES.values()}
TABLES = [path for path in sorted((ROOT / "experiments").glob("*.csv")) if path not in TEXTS]


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.stem)
def test_committed_tables_can_be_planned(path):
    assert all(run.predicted_minutes(one.flags, one.splits) > 0 for one in run.read_table(path, ""))


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_the_pace_is_that_of_runs_on_such_a_machine(precision, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    monkeypatch.setattr(run.machine, "has_bfloat16", lambda: precision == "bfloat16")
    assert run.pace() == 1
    assert "no run was on such a machine yet" in capsys.readouterr().out
    expected = run.predicted_minutes({}, ["test"])
    (tmp_path / "presets").mkdir()
    for kind, times in (("bfloat16", 2), ("float32", 5)):
        device = {"device": f"CPU {run.machine.cpu_name()}, 2 cores", "precision": kind}
        settings = dataclasses.asdict(Params())
        one = {"train": {"settings": settings, "machine": device}, "splits": ["test"]}
        one |= {"minutes": times * expected, "finished": "2026-11-28 13:49:12 UTC"}
        (tmp_path / "presets" / f"{kind}.json").write_text(json.dumps(one), encoding="utf-8")
    assert run.pace() == pytest.approx(2 if precision == "bfloat16" else 5)
    assert not capsys.readouterr().out


def test_passes_over_other_short_texts_are_in_the_minutes():
    def minutes(**flags):
        return run.predicted_minutes(flags, [])

    none, once, twice = minutes(also="none"), minutes(also_passes=1), minutes()
    assert twice - once == pytest.approx(once - none) and none < once
    assert minutes(also="rated", also_passes=4) == pytest.approx(once)
    without = {"sentence_share": 0}, {"train_examples": 500}  # auto is none there
    assert all(minutes(**one) == minutes(also="none", **one) for one in without)


def test_mean_and_range_of_several_runs():
    assert table.mean([0.9]) == "0.9000"
    assert table.mean([0.90, 0.93, 0.93]) == "0.9200 (0.9000 to 0.9300)"
