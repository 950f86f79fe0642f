"""Short texts written one by one for this project, of films and of everything else.

Three in five are pairs that one change turns round, as in contrast sets (Gardner et al. 2020,
"Evaluating Models' Local Decision Boundaries via Contrast Sets", arXiv 2004.02709) and data that
people edited for training (Kaushik et al. 2020, arXiv 1909.12434).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sentiment.reviews.beside import beside
from sentiment.reviews.sources import Reviews, text_id

MARK = "-written"  # at the end of their ids
FILE = Path(__file__).with_name("written.tsv")  # a line a text: its label, a tab, the text


def written(seed: int = 0) -> Reviews:
    """All of them, 0 negative and 1 positive; some have a sentence beside them that judges
    nothing.
    """
    lines = FILE.read_text(encoding="utf-8").splitlines()
    labels, texts = zip(*(line.split("\t") for line in lines), strict=True)
    texts = [beside(text, str(seed)) for text in texts]
    numbers = np.array([int(label == "pos") for label in labels], np.int32)
    ids = [text_id(text) + MARK for text in texts]
    return Reviews(texts, numbers, ids, "texts written for this project")
