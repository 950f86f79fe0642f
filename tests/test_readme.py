"""README's figures are those of the JSONs that the scripts wrote."""

import importlib.util
import json

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", ["experiments", "benchmarks"])
def test_tables_are_those_of_the_jsons(folder):
    spec = importlib.util.spec_from_file_location(f"{folder}_table", ROOT / folder / "table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert f"{module.START}\n\n{module.tables()}\n\n{module.END}" in README


def test_first_figures_are_those_of_the_default():
    run = json.loads((ROOT / "results" / "presets" / "default-0.json").read_text(encoding="utf-8"))
    test, minutes = run["evaluations"]["test"], run["train"]["total_seconds"] / 60
    assert f"**{test['accuracy']:.4f}**" in README and f"after {minutes:.0f} minutes" in README
