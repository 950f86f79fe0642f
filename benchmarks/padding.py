"""How much of what training computes is padding? At every length, over all 20,000 reviews.

    python benchmarks/padding.py

Counts tokens in the batches of one epoch as data_loader makes them; nothing is trained. Needs the
project's own requirements only. Writes results/padding.json. Takes about a minute.
"""

import common
import prepare
import training


def share(max_length: int) -> float:
    """Share of all tokens in training batches that is padding."""
    found = training.Ours("ours-float32", common.reviews("train"), max_length).ready()
    common.log(f"max length {max_length}: {found['padding_share']:.2%} padding")
    return found["padding_share"]


def main() -> None:
    lengths = [64, 128, 192, 256, 384, 512]
    arguments = common.parse(__doc__, ("--max-length", lengths, "tokens that are read"))
    prepare.need("reviews")
    shares = {str(length): common.once(share, length) for length in arguments.max_length}
    common.write("padding", {"lengths": shares})


if __name__ == "__main__":
    main()
