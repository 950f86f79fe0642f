"""Every text is answered once, in its place, whatever it was batched with."""

import itertools
import shlex
import shutil

import numpy as np
import pytest
from conftest import made_up_rows

from sentiment.errors import UserError
from sentiment.model import versions
from sentiment.scoring import infer

TEXTS = [text for text, _ in made_up_rows(40, seed=1)]


@pytest.mark.parametrize(
    "lengths, budget, cuts",
    [
        ([], 10, []),
        ([3], 10, [(0, 1)]),
        ([2, 2, 2, 2, 2], 4, [(0, 2), (2, 4), (4, 5)]),
        ([1, 2, 3, 4, 5], 6, [(0, 2), (2, 3), (3, 4), (4, 5)]),
        ([5, 50], 10, [(0, 1), (1, 2)]),
        ([1, 1, 1], 3, [(0, 3)]),
        ([1, 1, 1, 1, 1, 1, 1], 6, [(0, 4), (4, 6), (6, 7)]),
    ],
)
def test_batches_fill_the_token_budget_and_a_long_review_goes_alone(lengths, budget, cuts):
    found = infer.batches_within(np.array(lengths), budget)
    assert [(cut.start, cut.stop) for cut in found] == cuts


def test_batches_cover_all_rows_within_the_budget():
    lengths = np.sort(np.random.default_rng(0).integers(2, 300, 1000))
    cuts = infer.batches_within(lengths, 4000)
    assert list(itertools.chain(*(range(c.start, c.stop) for c in cuts))) == list(range(1000))
    assert max((c.stop - c.start) * lengths[c.stop - 1] for c in cuts) <= 4000


def test_batches_come_in_few_sizes_so_that_memory_stays_flat():
    random = np.random.default_rng(0)
    windows = [np.sort(random.integers(4, 30, 2048)) for _ in range(50)]
    sizes = {c.stop - c.start for lengths in windows for c in infer.batches_within(lengths, 8192)}
    assert len(sizes) <= 11 and 512 in sizes


def test_scores_do_not_depend_on_company_or_order(loaded):
    together = infer.infer(loaded, TEXTS)
    alone = [infer.infer(loaded, [text]) for text in TEXTS]
    backwards = infer.infer(loaded, TEXTS[::-1])
    np.testing.assert_allclose(together.logits, [p.logits[0] for p in alone], atol=1e-4)
    np.testing.assert_allclose(together.logits, backwards.logits[::-1], atol=1e-4)
    assert together.labels == [p.labels[0] for p in alone] == backwards.labels[::-1]
    assert together.token_counts.tolist() == [len(text.split()) + 2 for text in TEXTS]


def test_windows_and_batches_do_not_change_the_scores(loaded, monkeypatch):
    expected = infer.infer(loaded, TEXTS)
    monkeypatch.setattr(infer, "WINDOW", 7)
    monkeypatch.setattr(infer, "TOKEN_BUDGET", 40)
    done = []
    found = infer.infer(loaded, TEXTS, done.append)
    np.testing.assert_allclose(found.logits, expected.logits, atol=1e-4)
    assert found.labels == expected.labels
    assert done == sorted(done) and done[-1] == len(TEXTS)


def test_probability_and_label_follow_the_logit(loaded):
    found = infer.infer(loaded, TEXTS)
    np.testing.assert_allclose(found.probabilities, 1 / (1 + np.exp(-found.logits)), atol=1e-6)
    assert found.labels == ["pos" if logit >= 0 else "neg" for logit in found.logits]
    assert set(found.labels) == {"neg", "pos"}


def test_no_texts_give_no_predictions(loaded):
    assert infer.infer(loaded, []).labels == []


def test_newest_model_is_found_by_number(tmp_path):
    for name in ("1", "2", "10", "10-evaluation", "quick", ".unfinished-3"):
        (tmp_path / name).mkdir()
    assert versions.versions(tmp_path) == [1, 2, 10]
    assert versions.find_model(tmp_path) == tmp_path / "10"
    (tmp_path / "2" / "saved_model.pb").touch()
    assert versions.find_model(tmp_path / "2") == tmp_path / "2"


def test_missing_model_says_what_to_run_first(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match="model_train.py"):
            versions.find_model(folder)


def test_try_that_is_named_can_be_pasted(tmp_path):
    (tmp_path / "my models" / "quick" / "1").mkdir(parents=True)
    with pytest.raises(UserError) as error:
        versions.find_model(tmp_path / "my models")
    words = shlex.split(str(error.value))
    assert words[words.index("--model-folder") + 1] == str(tmp_path / "my models" / "quick")


@pytest.mark.parametrize(
    "name, content",
    [
        ("model.json", b'{"settings'),
        ("model.json", b"[]"),
        ("model.json", b"{}"),
        ("saved_model.pb", b"\x08\x01\x12"),
        ("variables/variables.index", b""),
        ("variables/variables.data-00000-of-00001", b"short"),
    ],
)
def test_damaged_model_is_refused_with_one_line(trained, tmp_path, name, content):
    folder = tmp_path / "1"
    shutil.copytree(trained.folder, folder)
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match="model_train.py") as caught:
        infer.load_model(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
