"""Measure the exported model on reviews with known labels.

    python model_evaluate.py                       # dev: exactly the reviews held out at training
    python model_evaluate.py --split test --report # the 25,000 official test reviews of IMDB
    python model_evaluate.py --split rated         # sentences about goods and tweets, not learnt
    python model_evaluate.py --data my.csv         # a file of your own, of any kind that trains
    python model_evaluate.py --compare saved_model/1   # the newest model against another
    python model_evaluate.py --robustness          # do typos, names or places change its answers?
    python model_evaluate.py --target-precision 0.97 --save    # a new version, a new threshold

Needs a model in saved_model/. The test split comes from a prepared TFDS copy (TFDS_DATA_DIR or
--data-folder), from aclImdb in the data folder, or from a download.
Prints accuracy with its 95 % interval, precision, recall, F1, ROC-AUC, log-loss and the confusion
matrix; writes them as JSON, and each review's score as CSV, beside the model:
saved_model/<number>-evaluation/<split>.json and <split>-predictions.csv, <split> being --split or
the file's name. With --report also a page to look at, <split>-report.html, and the same as JSON
and CSV. --robustness changes at most 1,000 of the reviews in ways that must not matter, and in some
that must. Scores that are there for the same model and data are used again.
With the default model on 2 CPU cores with bfloat16 it takes about a minute for dev and 3 for test,
on older ones 4 and 16; --report half a minute more and --robustness up to 3.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # with `python -P` too

import params as settings
from params import Params
from sentiment import command_line, files, machine
from sentiment.errors import UserError, log


def main() -> int:
    params, arguments = read_settings()

    from sentiment.model import versions
    from sentiment.report import perturb
    from sentiment.reviews import splits
    from sentiment.scoring import infer

    # Model and reviews. What cannot be had is said before TensorFlow's seconds.
    model_folder = versions.find_model(params.model_folder)
    details, other_details = versions.load_details(model_folder), None
    if arguments.compare:
        other_folder = versions.find_model(arguments.compare)
        other_details = versions.load_details(other_folder)
    if len(details["labels"]) > 2 and (arguments.threshold or arguments.target_precision):
        raise UserError("--threshold and --target-precision are for models with two labels")
    if arguments.robustness:
        perturb.require_faker()
    reviews, name = splits.load_split(params, details, other_details)  # may download
    if arguments.fast:
        infer.require_fast(details)
        if arguments.compare:
            infer.require_fast(other_details)
    learnt = versions.learnt_from(model_folder, reviews.ids)
    if learnt and params.split != "dev-sentences":
        log(f"remark: {learnt:,} of these {len(reviews.ids):,} texts were learnt from in training")
    if arguments.compare:
        infer.require_comparable(details, other_details, other_folder, name, reviews.ids)
    if arguments.target_precision is not None:
        on_dev = dataclasses.replace(params, data="imdb", split="dev")
        dev, _ = splits.load_split(on_dev, details)
    if arguments.save:
        files.require_writable(model_folder.parent)

    device, precision = machine.start(params.precision, device=params.device, lean=True)
    model = infer.load_model(model_folder)
    with machine.quiet():
        if arguments.save:  # it needs tensorflow_text's Python, which imports Keras
            from sentiment.model.republish import publish_again
        from sentiment.report import analysis, card, metrics, printed, report, robustness
        from sentiment.scoring import scores
        from sentiment.scoring.threshold import threshold_for_precision
    log("settings:")
    command_line.echo(params, settings.EVALUATE)
    log(f"device: {device}; precision: {precision}; model: {model.folder}")

    # Scores, and what they come to.
    folder = Path(arguments.evaluation_folder or versions.evaluation_folder(model.folder))
    files.require_writable(folder)
    name += "-fast" if arguments.fast else ""
    scored = scores.score(model, reviews, name, precision, folder, arguments.fast)
    results = metrics.of_predictions(reviews.labels, scored.predictions, details)
    printed.show(results, details["labels"])

    # What was asked for besides.
    extra = {}
    threshold = arguments.threshold
    if arguments.target_precision is not None:
        on_dev = scores.score(model, dev, "dev", precision, folder)
        threshold = threshold_for_precision(
            dev.labels, on_dev.predictions.probabilities, arguments.target_precision
        )
    if threshold is not None:
        probabilities = scored.predictions.probabilities
        extra["threshold"] = analysis.at_threshold(reviews.labels, probabilities, threshold)
        words = (f"{key} {printed.shown(value)}" for key, value in extra["threshold"].items())
        print("with " + ", ".join(words))
    if arguments.compare:
        other = infer.load_model(other_folder)
        others = folder / "other" if arguments.evaluation_folder else None
        others = others or versions.evaluation_folder(other.folder)
        files.require_writable(others)
        theirs = scores.score(other, reviews, name, precision, others, arguments.fast)
        extra["comparison"] = report.compare(reviews, scored, theirs, model, other)
    if arguments.robustness:
        predictions = scored.predictions
        extra["robustness"] = robustness.measure(model, reviews, predictions, arguments.fast)
        robustness.show(extra["robustness"])

    # The record.
    results |= {
        "split": name,
        "skipped_rows": reviews.skipped,
        "seconds": scored.seconds,
        "reviews_per_second": len(reviews.texts) / scored.seconds,
        "data": reviews.source,
        **scored.made_from,
        "model_settings": details["settings"],
        "runs": 1,
        "machine": machine.record(device, precision),
    }
    try:
        written = [scored.stem.with_name(f"{name}.json")]
        files.write_json(written[0], results | extra)
        written += card.write(model.folder, folder)
        if arguments.report:
            written += report.write(scored, model, reviews, results, extra)
        if arguments.save:
            published = publish_again(model.folder, model.loaded, details, threshold)
            written += [published, *card.write(published, versions.evaluation_folder(published))]
    except OSError as error:
        raise UserError(f"cannot write {error.filename or folder}: {error.strerror}") from None
    print(f"written: {', '.join(map(str, written))}, {scored.stem}-predictions.csv")
    return 0


def read_settings() -> tuple[Params, argparse.Namespace]:
    """The command line: settings, and what is asked for besides the figures."""
    parser = command_line.make_parser(__doc__, settings.EVALUATE)
    add = parser.add_argument_group("What is asked for besides").add_argument
    add("--report", action="store_true", help="write a page with figures and explained reviews")
    add("--compare", metavar="MODEL", help="another model's folder: is the difference chance?")
    add("--robustness", action="store_true", help="change texts: what must not matter, what must")
    add("--threshold", type=float, help="positive from this probability on, for the report")
    add("--target-precision", type=float, metavar="P", help="the threshold that gives P on dev")
    add("--evaluation-folder", metavar="FOLDER", help="write there instead of beside the model")
    add("--fast", action="store_true", help="ask the encoder only where the n-gram side is unsure")
    add("--save", action="store_true", help="publish a new version whose label uses the threshold")
    params, arguments = command_line.parse(parser)
    asked = [arguments.threshold, arguments.target_precision]
    if any(value is not None and not 0 < value < 1 for value in asked):
        parser.error("--threshold and --target-precision must be between 0 and 1")
    if None not in asked:
        parser.error("--threshold and --target-precision say the same: give one")
    if arguments.save and asked == [None, None]:
        parser.error("--save needs --threshold or --target-precision")
    return params, arguments


if __name__ == "__main__":
    command_line.run(main)
