"""Which tokens of a long review stay, and so what is dropped of it; and which text is short."""

from __future__ import annotations

# Tokens that the encoder reads of a short text, at most, and of a review, at least, [CLS] and [SEP]
# included: between them a text is either by a part.
SHORT, LONG = 32, 64


def kept_tokens(max_length: int, truncation: str, head_share: float) -> tuple[int, int]:
    """How many of a longer review's first and of its last tokens are read (Sun et al. 2019,
    arXiv 1905.05583). [CLS] and [SEP] count towards `max_length` and are not the review's.
    """
    share = {"head": 1.0, "tail": 0.0, "head+tail": head_share}[truncation]
    head = round((max_length - 2) * share)
    return head, max_length - 2 - head
