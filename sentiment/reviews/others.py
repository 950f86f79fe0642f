"""--also: the short texts with labels of their own that are learnt from beside the reviews."""

from __future__ import annotations

OTHERS = {
    "rotten-tomatoes": "four fifths of Rotten Tomatoes' sentences",
    "made-up": "made-up judgements",
    "rated": "four fifths of the rated sentences about goods and tweets",
    "written": "texts written for this project",
}
EVERY = ",".join(OTHERS)


def others(also: str) -> list[str]:
    """The names in --also, in the order of OTHERS; none of `none` and of `auto`.

    Models of before rated sentences may have stored `all`, which was the first two.
    """
    if also == "all":
        return ["rotten-tomatoes", "made-up"]
    asked = [name.strip() for name in also.split(",")]
    return [name for name in OTHERS if name in asked]


def are_others(also: str) -> bool:
    """Whether it is `auto`, `none`, or names of OTHERS with commas between them."""
    asked = [name.strip() for name in also.split(",")]
    return also in ("auto", "none") or (set(asked) <= set(OTHERS) and len(set(asked)) == len(asked))
