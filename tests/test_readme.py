"""README's figures are those of the JSONs that the scripts wrote."""

import json

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
RUNS = sorted(path for path in (ROOT / "results").iterdir() if (path / "results.json").is_file())


def load(run, name):
    return json.loads((run / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_results_table_has_the_figures_of_the_jsons(run):
    results, dev, test = (load(run, name) for name in ("results", "dev", "test"))
    settings = results["settings"]
    row = (
        f"| `{settings['encoder']}` | {settings['max_length']}, {settings['truncation']} | "
        f"{settings['batch_size']} | {settings['epochs']} | {settings['learning_rate']:g} | "
        f"{dev['accuracy']:.4f} | {test['accuracy']:.4f} | "
        f"{results['total_seconds'] / 60:.0f} min |"
    )
    assert row in README
    assert f"**{test['accuracy']:.4f}**" in README
