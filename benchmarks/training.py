"""How fast is fine-tuning, against what a user would take instead? Reviews/s of steady training.

    python benchmarks/training.py                           # lengths 128 and 256
    python benchmarks/training.py --max-length 128 512 --sides ours --name tokens
    python benchmarks/training.py --max-length 128 --steps 3 --rounds 2  # a quick look
    python benchmarks/training.py --max-length 256 --accuracy 3200 --dev 1000   # accuracy instead

Every side trains the same MiniLM on the same real IMDB reviews, `--batch-size` 32, their first
`--max-length` tokens. A round is one epoch over `--steps` x 32 reviews: the same reviews each
round, each side in its own batching. The first epoch warms up and is not counted. Sides:

    ours, ours-float32    this project's functions, as model_train.py calls them
    trainer               transformers' Trainer as it comes: float32, padded to max length
    trainer-best          bf16 autocast, dynamic padding, length grouping, fused AdamW, SDPA
    trainer-no-dropout    trainer-best without dropout inside the encoder, which ours has none of

With `--accuracy N` each side instead trains N reviews for one epoch (same reviews, batch size,
learning rate, warm-up and decay) and then scores `--dev` reviews; it writes
results/accuracy.json, to which more `--seeds` are added. Otherwise results/training.json, or with
`--name tokens` results/tokens.json, from which table.py takes the cost of a real (unpadded) token.
Needs requirements-bench.txt and about 8 GB of memory. Takes about 45 minutes on 2 cores; with
`--accuracy 3200` about 35 a seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import common

SIDES = ("ours", "ours-float32", "trainer", "trainer-best", "trainer-no-dropout")
SORTED_BATCHES = 50  # batches whose reviews are sorted together, on both sides (data_loader.WINDOW)
WARMUP_SHARE = 0.1
WEIGHT_DECAY = 0.01
ROUNDS_AT_MOST = 1000
Epochs = tuple[Callable[[], None], Callable[[], None]]  # what to call as an epoch begins and ends


def turns(count: int, **ready: Any) -> Epochs:
    """An epoch a turn: epoch 0 warms up, each later one waits for its word and is timed."""
    wait, reply = common.channel()
    began: list[float] = []

    def begin() -> None:
        if began:
            wait()
        began.append(time.perf_counter())

    def end() -> None:
        seconds = time.perf_counter() - began[-1]
        if len(began) == 1:
            reply(**ready)
        else:
            reply(seconds=seconds, count=count)

    return begin, end


# --- this project -------------------------------------------------------------------------------


class Ours:
    """What model_train.py does, up to `fit`."""

    def __init__(self, precision: str, texts: list[str], labels: list[int], max_length: int, **p):
        from sentiment import machine

        _, self.precision = machine.start(precision)
        import tf_keras

        import data_loader
        from sentiment.encoders import pairs
        from sentiment.model.classifier import build_classifier
        from sentiment.training import fit

        self.keras, self.data_loader = tf_keras, data_loader
        params = common.our_params(max_length, **p)
        pair = pairs.resolve("minilm", "auto", params.encoder_folder)
        self.classifier = build_classifier(pair, params)
        self.network = self.classifier.network
        self.steps = -(-len(texts) // params.batch_size)
        self.encoded = self.encode(texts, labels)
        lessons = data_loader.Lessons(self.encoded, len(texts))
        self.batches = data_loader.train_batches(lessons, params)
        one_epoch = dataclasses.replace(params, epochs=1)
        first = data_loader.train_batches(lessons, one_epoch)
        self.padding_share = data_loader.padding_share(first)
        self.tokens = sum(int(ids["input_mask"].numpy().sum()) for ids, _ in self.encoded)
        fit.compile_network(self.network, params, self.steps * params.epochs)

    def encode(self, texts: list[str], labels: list[int]) -> Any:
        import numpy as np

        from sentiment.reviews.sources import Reviews

        reviews = Reviews(texts, np.array(labels, np.int32), [], "benchmark")
        return self.data_loader.encode(reviews, self.classifier.preprocessing)


def ours_speed(side: str, texts: list[str], labels: list[int], max_length: int) -> None:
    ours = Ours(precision_of(side), texts, labels, max_length, epochs=ROUNDS_AT_MOST)
    begin, end = turns(
        len(texts),
        precision=ours.precision,
        padding_share=ours.padding_share,
        tokens_a_round=ours.tokens,
    )
    turn = ours.keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: begin(), on_epoch_end=lambda epoch, logs: end()
    )
    ours.network.fit(
        ours.batches,
        epochs=ROUNDS_AT_MOST,
        steps_per_epoch=ours.steps,
        callbacks=[turn],
        verbose=0,
    )


def ours_accuracy(side: str, train: tuple, dev: tuple, max_length: int, seed: int) -> float:
    changes = {"epochs": 1, "warmup_share": WARMUP_SHARE, "weight_decay": WEIGHT_DECAY}
    ours = Ours(precision_of(side), *train, max_length, seed=seed, **changes)
    ours.network.fit(ours.batches, steps_per_epoch=ours.steps, verbose=0)
    batches = ours.data_loader.dev_batches(ours.encode(*dev), common.BATCH_SIZE)
    return float(ours.network.evaluate(batches, verbose=0, return_dict=True)["accuracy"])


def precision_of(side: str) -> str:
    return side.partition("-")[2] or "auto"


# --- transformers -------------------------------------------------------------------------------


def make_trainer(
    side: str, train: tuple, max_length: int, folder: str, epochs: int, seed: int, dev: tuple = ()
) -> tuple[Any, list[dict[str, Any]]]:
    """(Trainer, rows of dev) of a side; `train` and `dev` are (texts, labels)."""
    import torch
    import transformers
    from transformers.trainer_pt_utils import get_length_grouped_indices

    torch.set_num_threads(common.threads())
    transformers.set_seed(seed)
    best = side != "trainer"
    without = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        common.transformers_folder(),
        dtype=torch.float32,
        classifier_dropout=0.1,
        **(without if side == "trainer-no-dropout" else {}),
    )
    model.classifier.weight.data.normal_(0, 0.02)  # a fresh head, as both projects start one
    tokenizer = transformers.AutoTokenizer.from_pretrained(common.transformers_folder())

    def rows(texts: list[str], labels: list[int]) -> list[dict[str, Any]]:
        padding = False if best else "max_length"
        encoded = tokenizer(texts, truncation=True, max_length=max_length, padding=padding)
        return [
            {name: encoded[name][row] for name in encoded} | {"labels": label}
            for row, label in enumerate(labels)
        ]

    data = rows(*train)
    lengths = [len(row["input_ids"]) for row in data]

    class Grouped(torch.utils.data.Sampler):
        """Trainer's own length grouping, which on a short epoch would sort fewer together."""

        def __len__(self) -> int:
            return len(lengths)

        def __iter__(self) -> Iterator[int]:
            return iter(
                get_length_grouped_indices(
                    lengths, common.BATCH_SIZE, mega_batch_mult=SORTED_BATCHES
                )
            )

    class Trainer(transformers.Trainer):
        def _get_train_sampler(self, *arguments: Any) -> Any:
            return Grouped() if best else super()._get_train_sampler(*arguments)

    settings = transformers.TrainingArguments(
        output_dir=folder,
        use_cpu=True,
        seed=seed,
        per_device_train_batch_size=common.BATCH_SIZE,
        per_device_eval_batch_size=common.BATCH_SIZE,
        num_train_epochs=epochs,
        learning_rate=common.LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        warmup_steps=WARMUP_SHARE,  # below 1 it is a share
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **({"bf16": True, "optim": "adamw_torch_fused"} if best else {}),
    )
    trainer = Trainer(model=model, args=settings, train_dataset=data, processing_class=tokenizer)
    return trainer, rows(*dev) if dev else []


def trainer_speed(side: str, texts: list[str], labels: list[int], max_length: int) -> None:
    import transformers

    with tempfile.TemporaryDirectory() as folder:
        trainer, _ = make_trainer(side, (texts, labels), max_length, folder, ROUNDS_AT_MOST, 0)
        precision = "bfloat16" if trainer.args.bf16 else "float32"
        begin, end = turns(len(texts), precision=precision, optimizer=str(trainer.args.optim))

        class Turns(transformers.TrainerCallback):
            def on_epoch_begin(self, *arguments: Any, **more: Any) -> None:
                begin()

            def on_epoch_end(self, *arguments: Any, **more: Any) -> None:
                end()

        trainer.add_callback(Turns())
        trainer.train()


def trainer_accuracy(side: str, train: tuple, dev: tuple, max_length: int, seed: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        trainer, rows = make_trainer(side, train, max_length, folder, 1, seed, dev)
        trainer.train()
        logits = trainer.predict(rows).predictions
        return float((logits.argmax(axis=1) == dev[1]).mean())


# --- turns --------------------------------------------------------------------------------------


def be_side(arguments: argparse.Namespace) -> None:
    side, max_length = arguments.side, arguments.max_length[0]
    is_ours = side.startswith("ours")
    if not arguments.accuracy:
        texts, labels = common.reviews("train", arguments.steps * common.BATCH_SIZE)
        (ours_speed if is_ours else trainer_speed)(side, texts, labels, max_length)
        return
    train = common.reviews("train", arguments.accuracy)
    dev = common.reviews("dev", arguments.dev)
    accuracy = ours_accuracy if is_ours else trainer_accuracy
    common.serve(lambda seed: {"accuracy": accuracy(side, train, dev, max_length, int(seed))})


def compare_speed(arguments: argparse.Namespace, sides: list[str]) -> None:
    lengths = {}
    for max_length in arguments.max_length:
        common.log(f"max length {max_length}")
        given = ["--max-length", max_length, "--steps", arguments.steps]
        measured = common.compare(__file__, sides, given, arguments.rounds, arguments.threads)
        lengths[str(max_length)] = common.summarise(measured, "ours")
    content = {
        "reviews_a_round": arguments.steps * common.BATCH_SIZE,
        "rounds": arguments.rounds,
        "lengths": lengths,
    }
    common.write(arguments.name, content, arguments.threads)


def compare_accuracy(arguments: argparse.Namespace, sides: list[str]) -> None:
    """Seeds that results/accuracy.json already has for the same numbers of reviews are kept."""
    given = ["--accuracy", arguments.accuracy, "--dev", arguments.dev]
    content = {"train_reviews": arguments.accuracy, "dev_reviews": arguments.dev}
    before = common.read("accuracy")
    lengths = before["lengths"] if content.items() <= before.items() else {}
    for max_length in arguments.max_length:
        found = lengths.setdefault(str(max_length), {})
        for seed in range(arguments.seeds):
            for side in sides:
                accuracies = found.setdefault(side, {"accuracy": []})["accuracy"]
                if seed < len(accuracies):
                    continue
                more = [*given, "--max-length", max_length]
                answer = common.once(__file__, side, more, arguments.threads, str(seed))
                accuracies.append(answer["accuracy"])
                common.log(f"max length {max_length}, seed {seed}, {side}: {answer['accuracy']}")
                common.write("accuracy", content | {"lengths": lengths}, arguments.threads)


def main() -> None:
    parser = common.make_parser(__doc__)
    parser.add_argument("--max-length", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--steps", type=int, default=20, help="optimiser steps a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", nargs="+", help=f"of {', '.join(SIDES)}; all")
    parser.add_argument("--name", default="training", help="of the JSON: results/NAME.json")
    parser.add_argument("--accuracy", type=int, default=0, metavar="N", help="train on N reviews")
    parser.add_argument("--dev", type=int, default=5000, help="dev reviews, with --accuracy")
    parser.add_argument("--seeds", type=int, default=1, help="runs a side, with --accuracy")
    arguments = parser.parse_args()
    if arguments.side:
        be_side(arguments)
        os._exit(0)
    sides = common.wanted(SIDES, arguments.sides)
    common.prepare("reviews", "transformers")
    (compare_accuracy if arguments.accuracy else compare_speed)(arguments, sides)


if __name__ == "__main__":
    main()
