"""Measure the exported model on reviews with known labels.

    python model_evaluate.py                       # dev: exactly the reviews held out at training
    python model_evaluate.py --split test          # the 25,000 official test reviews of IMDB
    python model_evaluate.py --split rotten-tomatoes   # 8,530 short sentences, never seen
    python model_evaluate.py --data my.csv         # a file of your own: CSV, TSV, JSONL or Parquet

Needs a model in saved_model/. The test split comes from a prepared TFDS copy (TFDS_DATA_DIR or
--data-folder), from aclImdb in the data folder, or from a download.
Prints accuracy with its 95 % interval, precision, recall, F1, ROC-AUC, log-loss and the confusion
matrix; writes them as JSON, and each review's score as CSV, beside the model:
saved_model/<number>-evaluation/<split>.json and <split>-predictions.csv, <split> being the file's
name, dev, test, dev-sentences (one sentence of each dev review) or rotten-tomatoes.
Takes about 2 minutes for dev and 8 for test on 2 CPU cores at 256 tokens.
"""

import json
import time

import params as settings
from params import UserError, log


def main() -> int:
    parser = settings.make_parser(__doc__, settings.EVALUATE)
    params, _ = settings.parse(parser)

    import infer
    import machine
    import sources

    # What cannot be had is said before TensorFlow's seconds.
    folder = infer.find_model(params.model_folder)
    infer.load_details(folder)
    if params.data == "imdb" and params.split == "test":
        sources.find_imdb("test", params)
    elif params.data == "imdb" and params.split == "rotten-tomatoes":
        sources.load_rotten_tomatoes(params)
    beside = folder.with_name(folder.name + "-evaluation")
    settings.require_writable(beside)
    device, precision = machine.start(params.precision)
    model = infer.load_model(folder)
    details = model.details
    with machine.quiet():
        import numpy as np
        import pandas as pd

        import data_loader
        import metrics
    log("settings:")
    settings.echo(params, settings.EVALUATE)
    log(f"device: {device}; precision: {precision}; model: {model.folder}")

    reviews, name = data_loader.load_split(params, details)
    log(f"{name}: {len(reviews.texts):,} reviews of {reviews.source}")
    started = time.time()
    predictions = infer.infer(model, reviews.texts, infer.make_progress(len(reviews.texts)))
    seconds = time.time() - started
    predicted = np.array([details["labels"].index(label) for label in predictions.labels])
    results = metrics.evaluate(reviews.labels, predictions.probabilities, predicted)
    # As they were before the temperature was fitted on dev.
    before = metrics.sigmoid(predictions.logits * details["temperature"])
    results["before_temperature"] = {
        "brier": metrics.brier(reviews.labels, before),
        "calibration_error": metrics.calibration_error(reviews.labels, before),
    }
    cut = float(np.mean(predictions.token_counts > details["settings"]["max_length"]))
    show(results, details["labels"], cut)

    results |= {
        "split": name,
        "share_cut": cut,
        "skipped_rows": reviews.skipped,
        "seconds": seconds,
        "reviews_per_second": len(reviews.texts) / seconds,
        "data": reviews.source,
        "data_sha256": sources.digest(reviews),
        "model_settings": details["settings"],
        "runs": 1,
        "machine": machine.record(device, precision),
    }
    table = pd.DataFrame(
        {
            "id": reviews.ids,
            "label": [details["labels"][label] for label in reviews.labels],
            "predicted": predictions.labels,
            "probability": predictions.probabilities,
            "token_count": predictions.token_counts,
        }
    )
    try:
        target = beside / f"{name}.json"
        target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        table.to_csv(beside / f"{name}-predictions.csv", index=False)
    except OSError as error:
        raise UserError(f"cannot write to {beside}: {error.strerror}") from None
    print(f"written: {target}, {beside / f'{name}-predictions.csv'}")
    return 0


def show(results: dict, labels: list[str], cut: float) -> None:
    """Print the figures as a person reads them."""
    low, high = results["accuracy_interval_95"]
    print(f"accuracy   {results['accuracy']:.4f}   (95 % interval {low:.4f} to {high:.4f})")
    for name in ("precision", "recall", "f1", "roc_auc", "log_loss", "brier"):
        value = results[name]
        print(f"{name:<10} " + ("not defined: one label only" if value is None else f"{value:.4f}"))
    error, before = results["calibration_error"], results["before_temperature"]
    print(
        f"calibration error {error:.4f} (before the temperature {before['calibration_error']:.4f})"
    )
    width = max(len(label) for label in labels)
    (true_negative, false_positive), (false_negative, true_positive) = results["confusion"]
    print(f"confusion (rows: true label, columns: {labels[0]}, {labels[1]})")
    print(f"  {labels[0]:<{width}} {true_negative:7d} {false_positive:7d}")
    print(f"  {labels[1]:<{width}} {false_negative:7d} {true_positive:7d}")
    print(f"the model's max length cut {cut:.1%} of {results['reviews']:,} reviews")


if __name__ == "__main__":
    settings.run(main)
