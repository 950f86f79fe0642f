"""How fast is fine-tuning, against what a user would take instead? Reviews/s of steady training.

    python benchmarks/training.py                           # lengths 128 and 256
    python benchmarks/training.py --max-length 128 512 --sides ours --name tokens
    python benchmarks/training.py --max-length 128 --steps 3 --rounds 2  # a quick look
    python benchmarks/training.py --max-length 256 --accuracy 3200 --dev 1000   # accuracy instead

Every side trains the same MiniLM on the same real IMDB reviews, batches of 32, their first
`--max-length` tokens. A round is one epoch over `--steps` x 32 reviews: the same reviews each
round, each side in its own batching. The first epoch warms up and is not counted. Sides:

    ours, ours-float32    this project's functions, as model_train.py calls them
    trainer               transformers' Trainer as it comes: float32, padded to max length
    trainer-best          bf16 autocast (where the CPU has bf16, as for ours), dynamic padding,
                          length grouping, fused AdamW, SDPA
    trainer-no-dropout    trainer-best without dropout inside the encoder, which ours has none of

With `--accuracy N` each side instead trains N reviews for one epoch (same reviews, batch size,
learning rate, warm-up and decay) and then scores `--dev` reviews; it writes
results/accuracy.json, to which more `--seeds` are added. Otherwise results/training.json, or with
`--name tokens` results/tokens.json, from which table.py takes the cost of a real (unpadded) token.
Needs requirements-bench.txt and about 8 GB of memory. Takes about 45 minutes on 2 cores; with
`--accuracy 3200` about 45 a seed with both lengths, 8 with 128 tokens alone.
"""

import functools
import itertools
import threading
from collections.abc import Callable
from typing import Any

import common
import prepare

SIDES = ("ours", "ours-float32", "trainer", "trainer-best", "trainer-no-dropout")
SORTED_BATCHES = 50  # batches whose reviews are sorted together, on both sides (data_loader.WINDOW)


class Ours:
    """What model_train.py does, up to `fit`."""

    def __init__(self, side: str, train: common.Texts, max_length: int, **changes: Any) -> None:
        _, self.precision = common.machine.start(side.partition("-")[2] or "auto")
        import data_loader
        from sentiment.training import fit

        self.loader = data_loader
        self.params = common.our_params(max_length, **changes)
        self.classifier = common.our_classifier(self.params)
        self.lessons = data_loader.Lessons(self.encode(train), len(train[0]))
        self.batches = data_loader.train_batches(self.lessons, self.params)
        self.steps = self.lessons.steps(common.BATCH_SIZE)
        self.network = self.classifier.network
        fit.compile_network(self.network, self.params, self.steps * self.params.epochs)

    def encode(self, some: common.Texts) -> Any:
        from sentiment.reviews.sources import Reviews

        return self.loader.encode(Reviews(*some, [], "benchmark"), self.classifier.preprocessing)

    def ready(self) -> dict[str, Any]:
        from sentiment.training import summary

        share = summary.padding_share(self.batches.take(self.steps))  # of the first epoch
        tokens = self.loader.epoch_tokens(self.lessons, 1)[0]
        return {"precision": self.precision, "padding_share": share, "tokens_a_round": tokens}

    def train(self, gate: Callable[..., None] | None = None) -> None:
        """`gate` is called as an epoch begins and as it ends."""
        from tf_keras.callbacks import LambdaCallback

        turns = LambdaCallback(on_epoch_begin=gate, on_epoch_end=gate)
        given = {"epochs": self.params.epochs, "steps_per_epoch": self.steps, "verbose": 0}
        self.network.fit(self.batches, callbacks=[turns], **given)

    def accuracy(self, dev: common.Texts) -> float:
        batches = self.loader.dev_batches(self.encode(dev), common.BATCH_SIZE)
        return float(self.network.evaluate(batches, verbose=0, return_dict=True)["accuracy"])


class Peer:
    """transformers' Trainer, with the methods of Ours."""

    def __init__(self, side: str, train: common.Texts, max_length: int, **changes: Any) -> None:
        import torch
        import transformers
        from transformers import trainer_pt_utils

        params = common.our_params(max_length, **changes)
        transformers.set_seed(params.seed)
        kinds = ("hidden", "attention_probs") if side == "trainer-no-dropout" else ()
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            common.artefact("transformers"),
            dtype=torch.float32,
            classifier_dropout=params.dropout,
            **{f"{kind}_dropout_prob": 0.0 for kind in kinds},
        )
        model.classifier.weight.data.normal_(0, 0.02)  # a fresh head, as both projects start one
        tokenizer = transformers.AutoTokenizer.from_pretrained(common.artefact("transformers"))
        how = {"padding": "max_length"} if side == "trainer" else {}
        self.tokenize = functools.partial(tokenizer, truncation=True, max_length=max_length, **how)
        best = {"bf16": common.machine.has_bfloat16(), "optim": "adamw_torch_fused"}
        best["train_sampling_strategy"] = "group_by_length"
        # By itself it would sort fewer batches together on so short an epoch than on a long one.
        trainer_pt_utils.get_length_grouped_indices = functools.partial(
            trainer_pt_utils.get_length_grouped_indices, mega_batch_mult=SORTED_BATCHES
        )
        settings = transformers.TrainingArguments(
            output_dir=str(common.ARTEFACTS / "trainer"),  # nothing is saved
            use_cpu=True,
            seed=params.seed,
            per_device_train_batch_size=params.batch_size,
            per_device_eval_batch_size=params.batch_size,
            num_train_epochs=params.epochs,
            learning_rate=params.learning_rate,
            weight_decay=params.weight_decay,
            warmup_steps=params.warmup_share,  # below 1 it is a share
            logging_strategy="no",
            save_strategy="no",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            **({} if side == "trainer" else best),
        )
        self.turns = transformers.TrainerCallback()
        given = {"train_dataset": self.rows(train), "processing_class": tokenizer}
        self.trainer = transformers.Trainer(model, settings, callbacks=[self.turns], **given)

    def rows(self, some: common.Texts) -> list[dict[str, Any]]:
        encoded = self.tokenize(some[0])
        columns = zip(*encoded.values(), some[1], strict=True)
        return [dict(zip([*encoded, "labels"], row, strict=True)) for row in columns]

    def ready(self) -> dict[str, Any]:
        precision = "bfloat16" if self.trainer.args.bf16 else "float32"
        return {"precision": precision, "optimizer": str(self.trainer.args.optim)}

    def train(self, gate: Callable[..., None] | None = None) -> None:
        if gate:
            self.turns.on_epoch_begin = self.turns.on_epoch_end = gate
        self.trainer.train()

    def accuracy(self, dev: common.Texts) -> float:
        predicted = self.trainer.predict(self.rows(dev)).predictions.argmax(axis=1)
        return float((predicted == dev[1]).mean())


def trainee(side: str, train: common.Texts, max_length: int, **changes: Any) -> Ours | Peer:
    return (Ours if side.startswith("ours") else Peer)(side, train, max_length, **changes)


def speed(side: str, max_length: int, count: int) -> common.Work:
    """Train for good in a thread that waits before each epoch, which is a round."""
    one = trainee(side, common.reviews("train", count), max_length, epochs=1000)
    ready = one.ready()
    both = threading.Barrier(2)  # passed by the two threads together

    def gate(*_: Any, **__: Any) -> None:
        both.wait()

    def for_good() -> None:
        try:
            one.train(gate)
        finally:
            both.abort()  # it has failed: nobody shall wait for it

    def epoch() -> dict[str, Any]:
        both.wait()  # it begins
        both.wait()  # it has ended
        return {"count": count, "ready": ready}

    threading.Thread(target=for_good, daemon=True).start()
    return epoch


def accuracy(side: str, max_length: int, train_reviews: int, dev_reviews: int, seed: int) -> float:
    one = trainee(side, common.reviews("train", train_reviews), max_length, seed=seed)
    one.train()
    return one.accuracy(common.reviews("dev", dev_reviews))


def compare_accuracy(arguments: Any) -> None:
    """Seeds that results/accuracy.json already has for the same numbers of reviews are kept."""
    content = {"train_reviews": arguments.accuracy, "dev_reviews": arguments.dev}
    before = common.read("accuracy", arguments.machine)
    lengths = before["lengths"] if content.items() <= before.items() else {}
    turns = itertools.product(arguments.max_length, range(arguments.seeds), arguments.sides)
    for max_length, seed, side in turns:
        of_length = lengths.setdefault(str(max_length), {})
        found = of_length.setdefault(side, {"accuracy": []})["accuracy"]
        if seed >= len(found):
            found.append(common.once(accuracy, side, max_length, *content.values(), seed))
            common.log(f"max length {max_length}, seed {seed}, {side}: {found[-1]}")
            common.write("accuracy", content | {"lengths": lengths})


def main() -> None:
    flags = (("--sides", SIDES, "which of them"), ("--steps", 20, "optimiser steps a round"))
    flags += (("--name", "training", "of the JSON"), ("--accuracy", 0, "reviews to train on"))
    flags += (("--dev", 5000, "reviews, with --accuracy"), ("--seeds", 1, "runs, with --accuracy"))
    arguments = common.parse(__doc__, common.LENGTHS, common.ROUNDS, *flags)
    prepare.need("reviews", "transformers")
    if arguments.accuracy:
        return compare_accuracy(arguments)
    count = arguments.steps * common.BATCH_SIZE
    return common.compare(arguments.name, speed, arguments, count, reviews_a_round=count)


if __name__ == "__main__":
    main()
