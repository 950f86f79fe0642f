"""README's figures are those of the JSONs that the scripts wrote."""

import importlib.util
import json

from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def load(path):
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_benchmark_tables_are_those_of_the_jsons():
    module = load(ROOT / "benchmarks" / "table.py")
    assert f"{module.START}\n\n{module.tables()}\n\n{module.END}" in README


def test_results_tables_are_those_of_the_jsons():
    module = load(ROOT / "experiments" / "table.py")
    for path, make in module.DOCUMENTS.items():
        text = path.read_text(encoding="utf-8")
        assert f"{module.START}\n\n{make()}\n\n{module.END}" in text


def test_first_figures_are_those_of_the_default():
    run = json.loads((ROOT / "results" / "presets" / "default-0.json").read_text(encoding="utf-8"))
    test, minutes = run["evaluations"]["test"], run["train"]["total_seconds"] / 60
    assert f"**{test['accuracy']:.4f}**" in README and f"after {minutes:.0f} minutes" in README
    assert f"**{run['evaluations']['rotten-tomatoes']['accuracy']:.4f}**" in README
