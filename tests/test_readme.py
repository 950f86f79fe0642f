"""README's figures are those of the JSONs that the scripts wrote."""

import importlib.util
import json
import statistics

from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def load(path, monkeypatch):
    monkeypatch.syspath_prepend(path.parent)  # as when it is run as a script
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_benchmark_tables_are_those_of_the_jsons(monkeypatch):
    module = load(ROOT / "benchmarks" / "table.py", monkeypatch)
    own = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for make, text in ((module.overview, README), (module.everything, own)):
        assert f"{module.START}\n\n{make()}\n\n{module.END}" in text


def test_the_short_benchmark_table_has_at_most_eight_rows(monkeypatch):
    module = load(ROOT / "benchmarks" / "table.py", monkeypatch)
    rows = [line for line in module.overview().splitlines() if line.startswith("|")]
    assert 2 < len(rows) <= 2 + 8


def test_benchmarks_without_their_jsons_are_not_run(monkeypatch, tmp_path):
    module = load(ROOT / "benchmarks" / "table.py", monkeypatch)
    monkeypatch.setattr(module.common, "RESULTS", tmp_path)
    assert module.everything().count("not run") == len(module.JSONS)
    assert "as fast" not in module.overview()


def test_what_the_prose_says_of_training_is_of_its_jsons():
    results = ROOT / "benchmarks" / "results"
    new, old = (
        json.loads((folder / "training.json").read_text(encoding="utf-8"))["lengths"]
        for folder in (results, results / "without-bfloat16")
    )
    speeds = [lengths["128"]["ours"]["per_second"]["median"] for lengths in (new, old)]
    assert f"take {speeds[0] / speeds[1]:.1f} times as long" in " ".join(README.split())
    against = [
        new[length]["trainer-no-dropout"]["ours_is_times_faster"]["median"]
        for length in ("128", "256")
    ]
    own = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert "and is {:.2f} and {:.2f} (`training.json`)".format(*against) in " ".join(own.split())


def test_results_tables_are_those_of_the_jsons(monkeypatch):
    module = load(ROOT / "experiments" / "table.py", monkeypatch)
    for path, make in module.DOCUMENTS.items():
        text = path.read_text(encoding="utf-8")
        assert f"{module.START}\n\n{make()}\n\n{module.END}" in text


def test_cluster_tables_are_those_of_the_jsons(monkeypatch):
    module = load(ROOT / "cluster" / "table.py", monkeypatch)
    text = (ROOT / "cluster" / "README.md").read_text(encoding="utf-8")
    assert f"{module.START}\n\n{module.everything()}\n\n{module.END}" in text


def test_what_was_reckoned_follows_from_what_was_measured(monkeypatch):
    module = load(ROOT / "cluster" / "reckon.py", monkeypatch)
    stored = json.loads((module.RESULTS / "reckoning.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(module.reckon()))


def test_first_figures_are_those_of_the_default():
    paths = (ROOT / "results" / "presets").glob("default-*.json")
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    for split in ("test", "rotten-tomatoes"):
        mean = statistics.mean(run["evaluations"][split]["accuracy"] for run in runs)
        assert f"**{mean:.4f}**" in README
    minutes = statistics.mean(run["train"]["total_seconds"] for run in runs) / 60
    assert f"after {minutes:.0f} minutes" in README
    said = {1: "in one run", 3: "the mean of three runs"}[len(runs)]
    assert said in " ".join(README.split())


def test_what_short_texts_of_others_give_is_of_their_runs():
    found = []
    for name in ("without", "written"):
        (path,) = (ROOT / "results" / "judgements").glob(f"{name}-*.json")  # "in one run each"
        found.append(json.loads(path.read_text(encoding="utf-8")))
    text = " ".join(README.split())
    steps = [-(-one["train"]["train_sentences"] // 64) for one in found]  # of 64 short texts
    assert f"with {steps[0]} and {steps[1]} steps" in text
    for split in ("short-texts", "unseen-texts", "rotten-tomatoes", "test"):
        before, after = (f"{one['evaluations'][split]['accuracy']:.4f}" for one in found)
        assert f"from {before} to {after} on " in text
    assert f"it has {found[1]['evaluations']['rated']['accuracy']:.4f} of" in text
    (path,) = (ROOT / "results" / "judgements").glob("four-*.json")  # today's default, one run
    default = json.loads(path.read_text(encoding="utf-8"))["evaluations"]
    for split in ("test", "rotten-tomatoes", "rated", "short-texts", "unseen-texts"):
        assert f"{default[split]['accuracy']:.4f} of " in text
