"""Say whether reviews are positive or negative, with the model that model_train.py exported.

    python model_predict.py "this is such an amazing movie!" "The movie was terrible..."
    python model_predict.py --explain "a slow start, but what an ending"
    printf 'good\\nbad\\n' | python model_predict.py
    python model_predict.py --input reviews.csv --output scored.parquet
    python model_predict.py                            # on a terminal: five examples

Prints a line a review: the text, its score (the probability of the positive label) and its label;
with --json a line of JSON. --input takes a CSV, TSV, JSON, JSONL, Parquet or text file (a review a
line), or - for lines on standard input. --output writes CSV, TSV, JSONL or Parquet, by its ending;
without it, JSONL goes to standard output. The input's columns stay as they are; label, probability,
cut (whether the review was longer than the model reads), note (what it cannot read) and error are
added, as predicted_label and so on where the input has a column of that name. A file of any size
is scored in little memory, and --resume goes on with one that was cut off.
Needs a model in saved_model/ and, of the packages, tensorflow, tensorflow-text and numpy only
(pyarrow for Parquet). Takes a few seconds, most of them TensorFlow's start.
Exit codes: 0 all answered; 1 some refused, the others answered; 2 nothing answered.
"""

import argparse
import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # with `python -P` too

import params as settings
from params import Params
from sentiment import command_line, machine
from sentiment.errors import UserError, log

EXAMPLES = [
    "this is such an amazing movie!",
    "The movie was great!",
    "The movie was meh.",
    "The movie was okish.",
    "The movie was terrible...",
]


def main() -> int:
    parser = command_line.make_parser(__doc__, settings.PREDICT, "[REVIEW ...]")
    parser.add_argument("reviews", nargs="*", metavar="REVIEW", help="a review; quote it")
    add = parser.add_argument_group("What is asked for").add_argument
    add("--json", action="store_true", help="print JSON, a line a review")
    add("--explain", action="store_true", help="show which words carried each decision")
    add("--input", metavar="FILE", help="score the reviews of a file; - is standard input")
    add("--output", metavar="FILE", type=Path, help="write them there, with the input's columns")
    add("--all-probabilities", action="store_true", help="give the probability of every label")
    add("--fast", action="store_true", help="ask the encoder only where the n-gram side is unsure")
    add("--resume", action="store_true", help="go on with an --output that was cut off")
    params, arguments = command_line.parse(parser)
    if arguments.input and (arguments.reviews or arguments.explain):
        parser.error("--input scores a file: leave out --explain and other reviews")
    if arguments.explain and arguments.fast:
        parser.error("--explain is of both sides, which --fast may not ask: leave one out")
    if arguments.all_probabilities and not (arguments.input or arguments.json):
        parser.error("--all-probabilities goes with --input FILE or with --json")
    if not arguments.input and (arguments.output or arguments.resume):
        parser.error("--output and --resume go with --input FILE")
    if arguments.resume and not arguments.output:
        parser.error("--resume goes on with an --output FILE: name it")
    if not arguments.output:
        command_line.require_stdout("the answers go there, or those of --input FILE to --output")
    if arguments.input == "-":
        command_line.require_stdin()
    return score_file(params, arguments) if arguments.input else score_reviews(params, arguments)


def load(folder: Path, params: Params, fast: bool) -> Any:
    """The model, a missing or foreign one being said before TensorFlow's seconds."""
    from sentiment.model import versions
    from sentiment.scoring import infer

    details = versions.load_details(folder)
    if fast:
        infer.require_fast(details)
    machine.start(params.precision, device=params.device, lean=True)
    return infer.load_model(folder)


def score_reviews(params: Params, arguments: argparse.Namespace) -> int:
    """Print the answers to reviews that were given as arguments or as lines on standard input."""
    from sentiment.model import versions
    from sentiment.scoring import explain, inputs, output_formats
    from sentiment.scoring.answers import answers, early_words

    # In a locale without UTF-8, Python has not decoded the arguments.
    reviews = [os.fsencode(one).decode("utf-8", "surrogateescape") for one in arguments.reviews]
    if not reviews:
        reviews = EXAMPLES if sys.stdin.isatty() else inputs.lines_of_stdin(params.encoding)
    problems = [inputs.problem_of(review) for review in reviews]
    for number, (review, problem) in enumerate(zip(reviews, problems, strict=True), 1):
        if problem:
            log(f"review {number} ({review!r}): {problem}: not scored")
    wanted = [review for review, problem in zip(reviews, problems, strict=True) if not problem]
    if not wanted:
        raise UserError("no review to score: give one as an argument, or one a line on stdin")
    model = load(versions.find_model(params.model_folder), params, arguments.fast)
    fast: Counter[bool] | None = Counter() if arguments.fast else None
    width = min(max(len(output_formats.one_line(review)) for review in wanted), 80)
    for review, row in zip(wanted, answers(model, wanted, fast=fast), strict=True):
        if row["note"] and not arguments.json:
            log(f"{output_formats.one_line(review)[:60]!r}: {row['note']}")
        because = explain.explain_or_say(model, review) if arguments.explain else None
        if arguments.json:
            if not arguments.all_probabilities:
                del row["probabilities"]
            row |= {"explanation": because.as_dict()} if because else {}
            print(output_formats.as_json({"text": review} | row))
            continue
        score, label = row["probability"], row["label"]
        print(f"input: {output_formats.one_line(review):<{width}} : score: {score:.6f} : {label}")
        if because:
            print(because.as_words(colour=sys.stdout.isatty()))
    if fast:
        log(early_words(fast))
    return 0 if len(wanted) == len(reviews) else 1


def score_file(params: Params, arguments: argparse.Namespace) -> int:
    """Score a file of any size into another, or onto standard output."""
    from sentiment.model import versions
    from sentiment.reviews import own_files
    from sentiment.scoring import batch, infer, inputs, resume
    from sentiment.scoring.answers import answers, early_words

    target = arguments.output
    model_folder = versions.find_model(params.model_folder)
    labels = versions.load_details(model_folder)["labels"] if arguments.all_probabilities else []
    job = inputs.Job(arguments.input, params.text_column, labels, own_files.form_of(params))
    way = params.precision + (", fast" if arguments.fast else "")
    parts = resume.open_parts(job, target, arguments.resume, model_folder, way)
    fast: Counter[bool] | None = Counter() if arguments.fast else None
    answer = partial(answers, load(model_folder, params, arguments.fast), fast=fast)
    done = min(len(parts) * batch.PART, job.count)
    log(f"{done:,} rows were scored before" if done else f"scoring {arguments.input}")
    shown = job.count and (target or not sys.stdout.isatty())  # standard input has no known end
    progress = infer.make_progress(job.count, done) if shown else lambda count: None
    if target:
        count, refused = batch.to_file(job, answer, target, parts, progress)
        print(f"{count:,} rows, {refused:,} of them refused (column error): {target}")
    else:
        count, refused = batch.to_stdout(job, answer, progress)
    if fast:
        log(early_words(fast))
    if count == refused:
        raise UserError(f"no review in {arguments.input} could be scored")
    return 1 if refused else 0


if __name__ == "__main__":
    command_line.run(main)
