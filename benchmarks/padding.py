"""How much of what training computes is padding? At every length, over all 20,000 reviews.

    python benchmarks/padding.py

Counts tokens in the batches of one epoch as data_loader makes them; nothing is trained. Needs the
project's own requirements only. Writes results/padding.json. Takes about a minute.
"""

from __future__ import annotations

import common


def shares(lengths: list[int]) -> dict[str, float]:
    """{max length: share of all tokens in training batches that is padding}."""
    from sentiment import machine

    machine.start("float32")
    import numpy as np

    import data_loader
    from sentiment.encoders import pairs
    from sentiment.model.classifier import Preprocessing
    from sentiment.reviews.sources import Reviews

    texts, labels = common.reviews("train")
    reviews = Reviews(texts, np.array(labels, np.int32), [], "benchmark")
    found = {}
    for length in lengths:
        params = common.our_params(length)
        folder = pairs.resolve("minilm", "auto", params.encoder_folder).preprocessor
        preprocessing = Preprocessing(folder, length, params.truncation, params.head_share)
        lessons = data_loader.Lessons(data_loader.encode(reviews, preprocessing), len(texts))
        batches = data_loader.train_batches(lessons, params)
        found[str(length)] = data_loader.padding_share(batches)
        common.log(f"max length {length}: {found[str(length)]:.2%} padding")
    return found


def main() -> None:
    parser = common.make_parser(__doc__)
    parser.add_argument("--max-length", type=int, nargs="+", default=[64, 128, 192, 256, 384, 512])
    arguments = parser.parse_args()
    if arguments.side:
        return common.serve(lambda _: {"shares": shares(arguments.max_length)})
    common.prepare("reviews")
    given = ["--max-length", *arguments.max_length]
    answer = common.once(__file__, "ours", given, arguments.threads)
    return common.write("padding", {"lengths": answer["shares"]}, arguments.threads)


if __name__ == "__main__":
    main()
